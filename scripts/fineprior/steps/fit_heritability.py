"""Rules compute_ld_scores and fit_heritability: per-SNP heritabilities, for the source heritability."""

from collections.abc import Sequence

import pandas as pd

from fineprior.files.tables import HERITABILITY, HERITABILITY_COEFFICIENTS, LOCUS_VARIANTS
from fineprior.files.whole import atomic_path
from fineprior.genome.contigs import plain_name
from fineprior.priors.annotation_files import AnnotationFiles, annotation_ld, write_sizes
from fineprior.priors.heritability_study import HeritabilityFiles, heritabilities_of_study


def compute_ld_scores(
    *, annotations: str, chrom: str, output: str, sizes: str, panel: str, samples: str | None = None
) -> None:
    """LD scores of the annotations of a chromosome in the panel, and of one that is 1 everywhere (L2).

    Parameters
    ----------
    annotations
        Pattern of the annotation files, with {chrom}.
    chrom
        Name of the chromosome in it.
    output, sizes
        `.l2.ldscore.parquet` and `.l2.M` to write: CHR, SNP, BP, A1, A2 and LD scores, and sums of the annotations.
    panel, samples
        Panel, and a file of the samples to keep.

    Raises
    ------
    InputError
        (Almost) no variant of the annotations is in the panel.
    """
    found = annotation_ld(AnnotationFiles(annotations), plain_name(chrom), panel, samples)
    with atomic_path(output) as temporary:
        found.table.to_parquet(temporary, index=False, compression="zstd")
    write_sizes(found.sizes, sizes)


def fit_heritability(
    *,
    sumstats: str,
    annotations: str,
    ld_scores: str,
    variants: Sequence[str],
    coefficients: str,
    output: str,
    bins: int,
    max_ratio: float,
    weights: str = "",
    panel: str = "",
    samples: str | None = None,
    workers: int = 1,
) -> None:
    """Per-SNP heritabilities of the variants of all loci, each from other chromosomes.

    Parameters
    ----------
    sumstats
        Harmonised summary statistics (table SUMSTATS).
    annotations
        Pattern of the annotation files, with {chrom}.
    ld_scores
        Pattern of the files of their LD scores, with {chrom}.
    variants
        LOCUS_VARIANTS of all batches.
    coefficients
        Where HERITABILITY_COEFFICIENTS is written.
    output
        Where HERITABILITY is written.
    bins
        Largest number of bins; 0: the penalised estimates themselves are used.
    max_ratio
        Largest ratio of two heritabilities of a chromosome; 0: no limit, those below 0 are 0.
    weights
        Pattern of the files of regression weights, with {chrom}. By default the LD scores are the weights.
    panel
        Panel that LD scores of bins are computed in. Without it the penalised estimates are used.
    samples
        List of the panel's samples to keep. By default all.
    workers
        Threads that LD scores of bins are computed in; the result does not depend on their number.

    Raises
    ------
    InputError
        (Almost) none of the study's variants has annotations or LD scores, or there are fewer than two chromosomes in
        a half of the genome.
    """
    wanted = pd.concat([LOCUS_VARIANTS.read(path)[["variant_id", "chrom", "pos"]] for path in variants])
    files = HeritabilityFiles(sumstats, annotations, ld_scores, weights, panel, samples)
    found = heritabilities_of_study(files, wanted, bins, max_ratio, workers)
    HERITABILITY_COEFFICIENTS.write(found.coefficients, coefficients)
    HERITABILITY.write(found.heritability, output)
