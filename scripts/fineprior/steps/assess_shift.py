"""Whether what a head was trained on is like what it scores (table SHIFT of a study)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.engine.embeddings import RegionEmbeddings, read_region_embeddings, read_variant_embeddings
from fineprior.files.tables import LOCUS_VARIANTS, SCORES, SHIFT
from fineprior.genome.fasta import Genome, plain_name
from fineprior.heads import covariate_shift as shift
from fineprior.heads.head import load_head
from fineprior.heads.variant_head import load_variant_head
from fineprior.priors.blocks import locus_starts
from fineprior.priors.enrichment import log_bayes_factors
from fineprior.priors.strata import enrichment_by_stratum, rate_shift
from fineprior.priors.study import join_columns
from fineprior.sequence.tracks import read_regions
from fineprior.sequence.windows import SCORED

_BLOCKS = 100  # of neighbouring regions, which are not parted between fitting and judging a classifier
_FEWEST_LOCI = 10
_DIFFERS = 0.01
# A normal prior of variance 1 on coefficients and base rates: a stratum of few loci is easily one without any signal,
# or one where the largest score is always causal, and without a penalty it would have no estimate.
_RIDGE = 1.0
_RATE_SHIFT = float(np.log(2))  # a factor of two
_SIGNAL = ("low", "middle", "high")


def assess_shift(
    *,
    variants: Sequence[str],
    scores: Sequence[str],
    embeddings: Sequence[str],
    fasta: str,
    regions: str,
    region_embeddings: str,
    head: str,
    output: str,
    context_length: int,
    effect_variance: float,
    seed: int,
    labels: str = "",
) -> None:
    """Compare training regions with the scored windows of a study, batch by batch in the same order (SHIFT).

    Parameters
    ----------
    effect_variance
        As in the settings of the prior.
    labels
        A head trained on labelled variants, where there is one.
    """
    rng = np.random.default_rng(seed)
    trained = load_head(head)
    frames, samples, backbones = [], [], set()
    for variants_path, scores_path, path in zip(variants, scores, embeddings, strict=True):
        frame = LOCUS_VARIANTS.read(variants_path)
        found = read_variant_embeddings(path)
        backbones.add(found.backbone)
        rows = pd.Index(found.variant_id.astype(object)).get_indexer(frame["variant_id"].astype(object))
        scored = found.status[rows] == SCORED
        centre = found.reference[rows, 0]
        signal = np.where(scored, np.log1p(trained.predict(centre)).mean((1, 2)), np.nan)
        score = join_columns(frame, SCORES.read(scores_path), ["score"], scores_path)["score"].to_numpy()
        frames.append(frame.assign(score=score, signal=signal, scored=scored))
        drawn = np.sort(rng.permutation(np.flatnonzero(scored))[: shift.SAMPLE // len(embeddings)])
        groups = frame["locus"].to_numpy(np.str_)[drawn]
        samples.append(shift.Sample(centre[drawn, centre.shape[1] // 2], groups))
    everything = pd.concat(frames, ignore_index=True)
    cached = read_region_embeddings(region_embeddings)
    table = read_regions(regions, context_length)
    training = table[table["split"] == "train"]
    parts = [
        _composition(fasta, everything[everything["scored"]], training, context_length, rng),
        _embeddings(samples, cached, len(table), backbones, rng),
        shift.overlap_row(_inside(everything, cached)),
        _base_rate(everything, labels),
        _concept(everything, training, effect_variance),
    ]
    SHIFT.write(pd.concat([part for part in parts if len(part)]), output)


def _composition(
    fasta: str, scored: pd.DataFrame, training: pd.DataFrame, length: int, rng: np.random.Generator
) -> pd.DataFrame:
    if scored.empty or training.empty:
        sentence = "There are no scored variants, or no training regions."
        return shift.shift_rows("covariate", [("composition", np.nan, np.nan, np.nan, shift.UNKNOWN, sentence)])
    some = scored.iloc[np.sort(rng.permutation(len(scored))[: shift.SAMPLE // 4])]
    regions = training.iloc[np.sort(rng.permutation(len(training))[: shift.SAMPLE // 4])]
    with Genome(fasta) as genome:
        shares = [
            shift.composition(genome, frame["chrom"].tolist(), start.tolist(), length)
            for frame, start in ((regions, regions["start"]), (some, some["pos"] - 1 - length // 2))
        ]
    return shift.composition_rows(*shares)


def _embeddings(
    samples: Sequence[shift.Sample],
    cached: RegionEmbeddings,
    number: int,
    backbones: set[str],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows on embeddings of `number` training, validation and test regions and of scored variants."""
    if backbones != {cached.backbone}:
        sentence = (
            "The head came with a trunk of its own, which embeds the variants; the training regions are embedded with "
            "the backbone that it began from, so the two cannot be compared."
        )
        return shift.shift_rows("covariate", [("embedding", np.nan, np.nan, np.nan, shift.UNKNOWN, sentence)])
    scored = shift.Sample(*(np.concatenate([getattr(s, part) for s in samples]) for part in ("embedding", "group")))
    bins = len(cached.start) // number
    of_a_block = bins * max(1, number // _BLOCKS)
    drawn = {
        split: np.sort(rng.permutation(np.flatnonzero(cached.split == split))[: shift.SAMPLE])
        for split in ("train", "test")
    }
    training, test = (
        shift.Sample(cached.embedding[rows], (rows // of_a_block).astype(np.str_)) for rows in drawn.values()
    )
    return shift.embedding_rows(training, test, scored)


def _inside(variants: pd.DataFrame, cached: RegionEmbeddings) -> float:
    """Share of variants that lie in a training bin."""
    inside = np.zeros(len(variants), bool)
    plain = np.array([plain_name(name) for name in variants["chrom"]])
    position = variants["pos"].to_numpy() - 1
    for name in np.unique(cached.chrom):
        starts = np.sort(cached.start[(cached.chrom == name) & (cached.split == "train")])
        here = plain == plain_name(str(name))
        if len(starts):
            nearest = starts[np.maximum(np.searchsorted(starts, position[here], "right") - 1, 0)]
            inside[here] |= (position[here] >= nearest) & (position[here] < nearest + cached.bin_size)
    return float(inside.mean()) if len(inside) else float("nan")


def _base_rate(variants: pd.DataFrame, labels: str) -> pd.DataFrame:
    expected = variants["locus"].nunique() / max(len(variants), 1)
    measure = "base rate of causal variants"
    if not labels or not 0 < expected < 1:
        sentence = (
            "The head predicts signal, not a probability of being causal: there is no base rate of labels to correct. "
            "How much a score says is estimated on the study's own loci; one causal variant a locus is "
            f"{expected:.2g} of them."
        )
        return shift.shift_rows("prior", [(measure, np.nan, expected, np.nan, shift.NOT_APPLICABLE, sentence)])
    rate = load_variant_head(labels).base_rate
    step = rate_shift(rate, expected)
    sentence = (
        f"{rate:.2g} of the labelled variants are causal, with one in a locus {expected:.2g} of the study's: log odds "
        f"of what the labels teach have to be moved by {step:.2f} before they are a prior."
    )
    verdict = shift.SHIFTED if abs(step) > _RATE_SHIFT else shift.FINE
    return shift.shift_rows("prior", [(measure, rate, expected, step, verdict, sentence)])


def _concept(variants: pd.DataFrame, training: pd.DataFrame, effect_variance: float) -> pd.DataFrame:
    """Enrichment by what the head says of the reference, and by whether the head knows the chromosome."""
    loci = variants["locus"].nunique()
    if loci < _FEWEST_LOCI or not variants["score"].gt(0).any():
        sentence = f"{loci} loci say too little of whether the score means the same everywhere."
        return shift.shift_rows("concept", [("enrichment", np.nan, np.nan, np.nan, shift.UNKNOWN, sentence)])
    signal = variants["signal"].to_numpy(np.float64)
    thirds = np.searchsorted(np.nanquantile(signal, (1 / 3, 2 / 3)), signal).astype(np.int64)
    known = variants["chrom"].map(plain_name).isin({plain_name(chrom) for chrom in training["chrom"]})
    strata: list[tuple[NDArray[np.int64], list[str]]] = [
        (np.where(np.isnan(signal), -1, thirds), [f"predicted reference signal is {level}" for level in _SIGNAL]),
        (known.to_numpy().astype(np.int64), ["chromosome is new to the head", "chromosome was trained on"]),
    ]
    return pd.concat([_strata_rows(variants, stratum, names, effect_variance) for stratum, names in strata])


def _strata_rows(
    variants: pd.DataFrame, stratum: NDArray[np.int64], names: list[str], effect_variance: float
) -> pd.DataFrame:
    scores = variants["score"].to_numpy(np.float64)
    log_bf = log_bayes_factors(variants["z"].to_numpy(), variants["se"].to_numpy(), effect_variance)
    starts = locus_starts(variants["locus"])
    overall = enrichment_by_stratum(scores, log_bf, starts, np.zeros(len(scores), np.int64), _RIDGE)
    found = enrichment_by_stratum(scores, log_bf, starts, stratum, _RIDGE)
    rows = []
    whole = float(overall.log_enrichment[0])
    for name, estimate, error in zip(names, found.log_enrichment, found.standard_errors, strict=False):
        if not np.isfinite(error):
            sentence = f"Where the {name} there is nothing to estimate it on."
            rows.append((f"enrichment where the {name}", whole, np.nan, np.nan, shift.UNKNOWN, sentence))
            continue
        lower, upper = estimate - 1.96 * error, estimate + 1.96 * error
        differs = found.p_value < _DIFFERS and not lower <= whole <= upper
        sentence = (
            f"Where the {name}, one standard deviation of the score multiplies prior odds by {np.exp(estimate):.2g} "
            f"(95% interval {np.exp(lower):.2g} to {np.exp(upper):.2g}); overall by {np.exp(whole):.2g}. "
            f"{'The score means something else there' if differs else 'No evidence of a difference'} "
            f"(test of equal strata: p = {found.p_value:.2g})."
        )
        verdict = shift.SHIFTED if differs else shift.FINE
        rows.append(
            (f"enrichment where the {name}", whole, float(estimate), float(estimate - whole), verdict, sentence)
        )
    return shift.shift_rows("concept", rows)
