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
    sumstats, fasta
        Summary statistics in any format that `open_sumstats` knows, and the reference genome.
    output, qc, dropped, liftover
        Where the tables SUMSTATS, SUMSTATS_QC, DROPPED and LIFTOVER are written.
    settings
        Settings of the stage.
    panel, samples
        The panel, and the list of its samples to keep.
    ld
        In place of a panel: LD that is computed already.
    build, source_build, chain
        Build of the FASTA; where the positions are of another one, its name and a chain file.
    layout, sizes
        Format and sample sizes of the summary statistics, as of `open_sumstats`.

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
