"""Rules fetch_backbone to compare_windows: from the variants of a batch of loci to their scores."""

import logging

import pandas as pd

from fineprior.files.tables import (
    HEAD_METRICS,
    LOCUS_VARIANTS,
    SCORES,
    VARIANT_SCORES,
    WINDOW_COMPARISON,
    low_tracks,
)
from fineprior.genome.fasta import Genome
from fineprior.project.settings import BackboneSettings, ScoreSettings, WindowSettings
from fineprior.sequence.windows import locus_sequences, read_sequences, write_sequences

log = logging.getLogger(__name__)

_COMPARED = 80
"""Variants of a study whose scores `compare_windows` computes again in windows centred on them."""


def fetch_backbone(*, name: str, revision: str, folder: str, sha256: str) -> None:
    """A hub's backbone, fetched and checked (fetched.json beside its files)."""
    from fineprior.engine import hub

    hub.fetch_backbone(name, revision, folder, sha256)


def extract_sequences(*, variants: str, fasta: str, output: str, context_length: int, windows: WindowSettings) -> None:
    """Bases around the variants of a batch of loci (npz)."""
    with Genome(fasta) as genome:
        write_sequences(locus_sequences(LOCUS_VARIANTS.read(variants), genome, context_length, windows), output)


def embed_variants(
    *,
    sequences: str,
    output: str,
    store: str,
    backbone: BackboneSettings,
    windows: WindowSettings,
    batch: int,
    batch_size: int,
    threads: int,
    head: str = "",
) -> None:
    """Embeddings of both alleles of each variant (npz), taken from the store or put there.

    With a `head` they are those of the backbone as that head's training has changed it.

    Parameters
    ----------
    batch
        Number of the batch of loci, by which batches are spread over several GPUs.
    batch_size
        Windows in one forward pass; 0 chooses it.
    """
    from fineprior.engine.backbone import load_backbone
    from fineprior.engine.store import Store, store_identity
    from fineprior.engine.variant_embeddings import embed_alleles, view_shape, write_embeddings
    from fineprior.heads.trunk import load_tuned_backbone

    found = read_sequences(sequences)
    model = load_tuned_backbone(backbone, head, batch) if head else load_backbone(backbone, batch)
    kept = Store(store, store_identity(model.digest, backbone, windows), view_shape(model, windows))
    write_embeddings(embed_alleles(found, model, windows, batch_size, threads, kept), output)


def score_variants(
    *, variants: str, embeddings: str, head: str, metrics: str, output: str, settings: ScoreSettings, min_r: float
) -> None:
    """Scores of the variants of a batch by one head (table SCORES).

    Tracks that the head predicts with a Pearson r below `min_r` (see `low_tracks`) do not enter the score.
    """
    from fineprior.engine.variant_embeddings import read_variant_embeddings
    from fineprior.heads.head import load_head
    from fineprior.heads.scores import score_table

    low = low_tracks(HEAD_METRICS.read(metrics), min_r)
    for track, r in low.items():
        log.warning(
            "track %s: r %.2f on held-out regions is below evaluation.min_r %g; not in the score", track, r, min_r
        )
    found = read_variant_embeddings(embeddings)
    SCORES.write(score_table(LOCUS_VARIANTS.read(variants), found, load_head(head), settings, set(low)), output)


def gather_scores(
    *,
    variants: list[str],
    scores: list[str],
    regions: str,
    output: str,
    context_length: int,
    settings: ScoreSettings,
) -> None:
    """Scores of all variants of a study, with quantiles and components (table VARIANT_SCORES)."""
    from fineprior.heads.scores import gathered_scores
    from fineprior.sequence.tracks import read_regions

    tables = [SCORES.read(path) for path in scores]
    statistics = [LOCUS_VARIANTS.read(path) for path in variants]
    training = read_regions(regions, context_length).query("split == 'train'")["chrom"]
    VARIANT_SCORES.write(gathered_scores(tables, statistics, set(training), settings), output)


def compare_windows(
    *,
    variants: list[str],
    scores: list[str],
    fasta: str,
    head: str,
    output: str,
    backbone: BackboneSettings,
    windows: WindowSettings,
    settings: ScoreSettings,
    seed: int,
    threads: int,
) -> None:
    """Scores in shared and in centred windows of a sample of a study's variants (table WINDOW_COMPARISON)."""
    from fineprior.engine.backbone import load_backbone
    from fineprior.heads.head import load_head
    from fineprior.heads.scores import window_comparison

    rows, shared = (
        pd.concat([table.read(path) for path in paths], ignore_index=True)
        for table, paths in ((LOCUS_VARIANTS, variants), (SCORES, scores))
    )
    model = load_backbone(backbone)
    with Genome(fasta) as genome:
        found = window_comparison(
            rows, shared, genome, model, load_head(head), windows, settings, _COMPARED, seed, threads
        )
    WINDOW_COMPARISON.write(found, output)
