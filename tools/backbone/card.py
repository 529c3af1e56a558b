"""The model card of the shipped backbone, written from the figures of its own pretraining."""

from collections.abc import Mapping
from typing import Any

_CARD = """# The tiny backbone of the embedded study

A real `enformer_pytorch.Enformer` in miniature: {parameters:,} parameters, windows of {context_length:,} bp, bins of
128 bp. **Tiny, for the embedded study, not Enformer, no disease claims.** It knows {motifs} motifs and the accessible
DNA of four cell lines. Put the real Enformer's weights into `config.yaml` for anything that matters.

- Date: {date}
- `model.safetensors`: sha256 `{sha256}`
- Made by: `snakemake --snakefile tools/backbone/Snakefile --cores 2` ({cpu_minutes:.0f} CPU minutes on
  {threads} thread(s)).
  It writes below `results/`; these files are here because somebody copied them on purpose:
  `cp results/pretrain/backbone/* resources/backbone/`.
- Seed {seed}; {versions}. Another processor or another version gives slightly other weights.

## Input and output

Input (batch, {context_length}, 4), one-hot A, C, G, T; N is four zeros. `return_only_embeddings=True` gives
(batch, {bins}, {channels}). Head `human` (linear, softplus) has {tracks} tracks, named in order in `config.json`: the
expected number of bound sites of each motif (`fineprior.sequence.motifs.occupancy`), then the fraction of the bin
inside a DNase hypersensitive site (DHS) of each cell type. `use_tf_gamma` is false.

## Data

- Motifs: {motifs} human motifs of JASPAR CORE 2026 (CC BY 4.0; https://jaspar.elixir.no), read from PyPI `pyjaspar`
  4.0.0. Adapted as the head of `motifs.meme` says.
- DHS: {train_sites:,} training sequences of 200 bp of GM12878, HepG2, K562 and hESC from PyPI `dnadiffusion`
  0.0.0.dev0 (MIT; from the DHS index of Meuleman et al., Nature 584:244, 2020). Chromosome 1 is the test set,
  chromosome 2 the validation set: nothing was trained on either. Training was lengthened after an
  earlier run had missed the goal on chromosome 1, so its figures are not wholly blind.
- Synthetic windows: random bases, planted sites, single-base changes in them; dinucleotide shuffles of the DHS.

## Figures

On synthetic windows of another seed, and on {test_sites:,} DHS of chromosome 1. r is Pearson's, over bins or over
changed bases, of log(occupancy + 0.05). Read from the shipped `human` head.

| figure | value | goal |
|---|---|---|
{figures}

Full precision and settings: `metrics.json`.

## What it cannot do

It sees 2 kb, knows no distal regulation, no expression and no disease. The DHS tracks come from sequences that are
specific to one of four cell lines; do not read them as accessibility anywhere else. Most single bases outside motif
sites have close to no effect, by construction. CTCF is the motif that it failed to learn: r about 0.6 over bins, and
the effects of single bases in CTCF sites are noise; of the other motifs the lowest r is about 0.9.
"""


def model_card(metrics: Mapping[str, Any], config: Mapping[str, Any], date: str) -> str:
    """Markdown text of the card.

    Parameters
    ----------
    metrics
        What `make_backbone` writes as metrics.json.
    config
        The model's config.json.
    date
        Day of the pretraining, ISO format.
    """
    figures, goals = metrics["figures"], metrics["goals"]
    rows = [
        f"| {name} | {value:.3f} | {goals.get(name, '')} |" for name, value in _flat(figures) if name not in ("sites",)
    ]
    return _CARD.format(
        date=date,
        figures="\n".join(rows),
        motifs=metrics["motifs"],
        test_sites=int(figures["sites"]),
        versions=", ".join(f"{name} {version}" for name, version in metrics["versions"].items()),
        seed=metrics["settings"]["seed"],
        bins=config["context_length"] // 128,
        channels=2 * config["dim"],
        tracks=len(config["tracks"]),
        context_length=config["context_length"],
        **{key: metrics[key] for key in ("parameters", "sha256", "cpu_minutes", "threads", "train_sites")},
    )


def _flat(figures: Mapping[str, Any]) -> list[tuple[str, float]]:
    flat: list[tuple[str, float]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            flat += [(f"{name} {key}", inner) for key, inner in value.items()]
        else:
            flat.append((name, value))
    return flat
