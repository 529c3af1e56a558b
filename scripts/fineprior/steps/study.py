"""Steps of a study's genetics: harmonised summary statistics, loci, LD."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import HarmoniseSettings, LociSettings
from fineprior.foundation.tables import DROPPED, LOCI, LOCUS_VARIANTS, SUMSTATS, SUMSTATS_QC
from fineprior.genetics.genome import Genome
from fineprior.genetics.genotypes import PlinkPanel
from fineprior.genetics.harmonise import harmonise
from fineprior.genetics.ld import alternative_dosages, correlation, write_ld
from fineprior.genetics.loci import describe_loci, find_loci, read_bed
from fineprior.genetics.sumstats import check_assembly, read_sumstats

logger = logging.getLogger(__name__)


def harmonise_sumstats(
    *,
    sumstats: str,
    fasta: str,
    panel: str,
    output: str,
    qc: str,
    dropped: str,
    settings: HarmoniseSettings,
    build: str = "",
) -> None:
    """Bring a study's GWAS-SSF file to the alleles of the FASTA and the panel (a PLINK prefix).

    Raises
    ------
    InputError
        Among others, when the meta file names another genome assembly than `build`.
    """
    check_assembly(sumstats, build)
    frame = read_sumstats(sumstats)
    with Genome(fasta) as genome:
        harmonised = harmonise(frame, genome, PlinkPanel(panel), settings, source=sumstats)
    logger.info("%s: %d of %d rows kept", sumstats, len(harmonised.sumstats), len(frame))
    SUMSTATS.write(harmonised.sumstats, output)
    SUMSTATS_QC.write(harmonised.qc, qc)
    DROPPED.write(harmonised.dropped, dropped)


def define_loci(
    *, sumstats: str, fasta: str, bed: str | None, output: str, batches: list[str], settings: LociSettings
) -> None:
    """Find a study's loci, or take them from a BED file; write them and the variants of each batch."""
    table = SUMSTATS.read(sumstats)
    with Genome(fasta) as genome:
        intervals = read_bed(bed, genome) if bed else find_loci(table, genome, settings)
    if not intervals:
        logger.warning("%s: no variant with p <= %g, so there is no locus", sumstats, settings.p_threshold)
    loci, parts = describe_loci(intervals, table, len(batches))
    logger.info("%s: %d loci with %d variants", sumstats, len(loci), loci["variants"].sum())
    LOCI.write(loci, output)
    for part, path in zip(parts, batches, strict=True):
        LOCUS_VARIANTS.write(part, path)


def compute_ld(*, variants: str, panel: str, output: str) -> None:
    """Correlations of the panel's alternative-allele dosages for each locus of a batch."""
    table = LOCUS_VARIANTS.read(variants)
    genotypes = PlinkPanel(panel)

    def loci() -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.str_]]]:
        for locus, rows in table.groupby("locus", sort=False):
            try:
                r = correlation(alternative_dosages(rows, genotypes))
            except MemoryError:
                raise InputError(
                    f"locus {locus}: its LD of {len(rows):,} variants does not fit into memory; make loci.max_width "
                    "smaller or harmonise.min_maf larger"
                ) from None
            yield str(locus), r, rows["variant_id"].to_numpy(np.str_)

    write_ld(output, loci(), genotypes.samples)
