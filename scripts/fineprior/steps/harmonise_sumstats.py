"""Rule harmonise_sumstats: summary statistics of any format, brought to the alleles of the genome and the panel."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from fineprior.files.table_parts import write_parts
from fineprior.files.tables import DROPPED, LIFTOVER, SUMSTATS, SUMSTATS_QC
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.genotypes.dosages import warn_of_heterozygous_males
from fineprior.genotypes.ld_files import LdSource
from fineprior.genotypes.panels import open_panel
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.harmonise import harmonise
from fineprior.sumstats.located import check_assembly
from fineprior.sumstats.metadata import SampleSizes
from fineprior.sumstats.reader import open_sumstats

_MT_IS_25 = ("gwas-ssf", "gwas-catalog-hm", "gwaslab")
"""Formats whose chromosome 25 is MT; that of programs that read PLINK files is the pseudo-autosomal region of X."""

logger = logging.getLogger(__name__)


def harmonise_sumstats(
    *,
    sumstats: str,
    fasta: str,
    output: str,
    qc: str,
    dropped: str,
    liftover: str,
    settings: HarmoniseSettings,
    panel: str = "",
    samples: str | None = None,
    ld: str = "",
    build: str = "",
    source_build: str = "",
    chain: str | None = None,
    layout: str | Mapping[str, str] | None = None,
    sizes: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Bring a study's summary statistics to the alleles of the FASTA and of what LD is taken from.

    Parameters
    ----------
    sumstats
        Summary statistics in any usual format.
    fasta
        The reference genome.
    output
        Where the harmonised rows are written (table SUMSTATS).
    qc
        Where the counts are written (table SUMSTATS_QC).
    dropped
        Where the excluded rows are written (table DROPPED).
    liftover
        Where rows without a place in the other build are written (table LIFTOVER).
    settings
        Settings of the stage.
    panel
        The reference panel.
    samples
        List of the panel's samples to keep. By default all.
    ld
        Precomputed LD, in place of a panel.
    build
        Build of the FASTA.
    source_build
        Build of the positions, where it is another one.
    chain
        Chain file from the build of the positions to that of the FASTA.
    layout
        Format of the summary statistics. By default it is recognised.
    sizes
        Sample sizes, where the file has none.

    Raises
    ------
    InputError
        Among others, when the file names another genome assembly than was declared.
    """
    opened = open_sumstats(sumstats, layout=layout, sizes=SampleSizes(**sizes))
    check_assembly(sumstats, opened.genome_assembly, build, source_build)
    variants = LdSource(ld) if ld else open_panel(panel, samples or None)
    if not ld:
        warn_of_heterozygous_males(variants)
    with Genome(fasta) as genome:
        harmonised = harmonise(
            opened.chunks(marked=True), genome, variants, settings, sumstats,
            build=build, liftover=Liftover(chain) if chain else None, source_build=source_build,
            plink_chromosomes=opened.format not in _MT_IS_25,
        )  # fmt: skip
    kept, out = len(harmonised), harmonised.rows_dropped
    logger.info("%s (%s): %d of %d rows kept", sumstats, opened.format, kept, kept + out)
    write_parts(SUMSTATS, harmonised.sumstats_parts(), output)
    SUMSTATS_QC.write(harmonised.qc, qc)
    write_parts(DROPPED, harmonised.dropped_parts(), dropped)
    LIFTOVER.write(harmonised.liftover, liftover)
