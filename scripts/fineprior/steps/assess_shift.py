"""Rule assess_shift: whether what the head was trained on is like what it scores."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fineprior.engine.region_embeddings import read_region_embeddings
from fineprior.engine.variant_embeddings import VariantEmbeddings, read_variant_embeddings
from fineprior.files.tables import LOCUS_VARIANTS, SCORES, SHIFT
from fineprior.genome.fasta import Genome
from fineprior.heads.covariate_shift import covariate_rows
from fineprior.heads.head import load_head
from fineprior.heads.variant_head import load_variant_head
from fineprior.priors.batches import join_columns
from fineprior.priors.concept_shift import base_rate_rows, concept_rows
from fineprior.sequence.tracks import read_regions


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
    variants
        LOCUS_VARIANTS of each batch.
    scores
        SCORES of each batch.
    embeddings
        What embed_variants wrote for each batch.
    fasta
        Genome.
    regions
        BED of training, validation and test regions.
    region_embeddings
        What embed_regions wrote.
    head
        What train_head wrote.
    output
        Table SHIFT to write.
    context_length
        Length of a window (bp).
    seed
        Of the samples that are drawn.
    effect_variance
        As in the settings of the prior.
    labels
        A head trained on labelled variants, where there is one.
    """
    table = read_regions(regions, context_length)
    cached = read_region_embeddings(region_embeddings)
    with Genome(fasta) as genome:
        batches = _batches(variants, scores, embeddings)
        covariate, everything = covariate_rows(
            batches, len(embeddings), load_head(head), genome, table, cached, context_length, seed
        )
    parts = [
        covariate,
        base_rate_rows(everything, load_variant_head(labels).base_rate if labels else None),
        concept_rows(everything, table.query("split == 'train'")["chrom"], effect_variance),
    ]
    SHIFT.write(pd.concat([part for part in parts if len(part)]), output)


def _batches(
    variants: Sequence[str], scores: Sequence[str], embeddings: Sequence[str]
) -> Iterator[tuple[pd.DataFrame, VariantEmbeddings]]:
    for of_variants, of_scores, of_embeddings in zip(variants, scores, embeddings, strict=True):
        frame = LOCUS_VARIANTS.read(of_variants)
        score = join_columns(frame, SCORES.read(of_scores), ["score"], of_scores)["score"]
        yield frame.assign(score=score.to_numpy()), read_variant_embeddings(of_embeddings)
