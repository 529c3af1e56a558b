"""Rules compute_ld_scores and fit_heritability: per-SNP heritabilities, for the source heritability."""

from collections.abc import Sequence

import pandas as pd

from fineprior.files.tables import HERITABILITY, HERITABILITY_COEFFICIENTS, LOCUS_VARIANTS
from fineprior.files.whole import atomic_path
from fineprior.genome.contigs import plain_name
from fineprior.priors.annotation_files import AnnotationFiles, annotation_ld, write_sizes
from fineprior.priors.heritability_study import HeritabilityFiles as HeritabilityFiles
from fineprior.priors.heritability_study import heritabilities_of_study


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
    files: HeritabilityFiles,
    variants: Sequence[str],
    coefficients: str,
    output: str,
    bins: int = 20,
    max_ratio: float = 100.0,
    workers: int = 1,
) -> None:
    """Per-SNP heritabilities of the variants of all loci, each from other chromosomes.

    Parameters
    ----------
    files
        Where everything is.
    variants
        LOCUS_VARIANTS of all batches.
    coefficients, output
        HERITABILITY_COEFFICIENTS and HERITABILITY to write.
    bins
        Largest number of bins; 0: the penalised estimates themselves are used.
    max_ratio
        Largest ratio of two heritabilities of a chromosome; 0: no limit, those below 0 are 0.
    workers
        Threads that LD scores of bins are computed in; the result does not depend on their number.

    Raises
    ------
    InputError
        (Almost) none of the study's variants has annotations or LD scores, or there are fewer than two chromosomes in
        a half of the genome.
    """
    wanted = pd.concat([LOCUS_VARIANTS.read(path)[["variant_id", "chrom", "pos"]] for path in variants])
    found = heritabilities_of_study(files, wanted, bins, max_ratio, workers)
    HERITABILITY_COEFFICIENTS.write(found.coefficients, coefficients)
    HERITABILITY.write(found.heritability, output)
