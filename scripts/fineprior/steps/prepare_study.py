"""Steps of a study's genetics: harmonised summary statistics, loci, LD."""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.table_parts import read_places, write_parts
from fineprior.files.tables import (
    DROPPED,
    EXCLUDED_REGIONS,
    LIFTOVER,
    LOCI,
    LOCUS_VARIANTS,
    SUMSTATS,
    SUMSTATS_QC,
    lost_beside,
)
from fineprior.genome.bed import place_of
from fineprior.genome.excluded_regions import describe_excluded, excluded_regions
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.genome.loci import Interval, describe_loci, find_loci, read_bed, read_lost, sorted_intervals, write_lost
from fineprior.genotypes.dosages import warn_of_heterozygous_males
from fineprior.genotypes.ld import (
    ld_memory_mb,
    machine_memory_mb,
    nearest_to_lead,
    note_of,
    panel_ld,
    variants_that_fit,
)
from fineprior.genotypes.ld_files import LdSource
from fineprior.genotypes.ld_store import TRIMMED, LocusLd, write_ld
from fineprior.genotypes.panels import Panel, open_panel
from fineprior.project.settings import HarmoniseSettings, LdSettings, LociSettings
from fineprior.sumstats.build_check import check_assembly
from fineprior.sumstats.harmonise import harmonise

_FEWEST_PEOPLE = 2
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
        How.
    panel, samples
        The panel, and the list of its people to keep.
    ld
        Or LD that is computed already.
    build, source_build, chain
        Build of the FASTA; where the positions are of another one, its name and a chain file.
    layout, sizes
        Format and sample sizes of the summary statistics, as of `open_sumstats`.

    Raises
    ------
    InputError
        Among others, when the file names another genome assembly than was declared.
    """
    from fineprior.sumstats.reader import SampleSizes, open_sumstats  # here: LD starts without scipy

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


def define_loci(
    *,
    sumstats: str,
    fasta: str,
    output: str,
    excluded: str,
    settings: LociSettings,
    batches: Sequence[str] = (),
    bed: str | None = None,
    build: str = "",
    known_regions: str | None = None,
    dropped: str | None = None,
    lost: Sequence[str] = (),
) -> None:
    """Find a study's loci, or take them from a BED file; write them, what was left out, and each batch's variants.

    Parameters
    ----------
    sumstats, fasta
        Table SUMSTATS and the reference genome.
    bed
        The study's own loci, which no region is left out of.
    output, excluded
        Tables LOCI and EXCLUDED_REGIONS to write.
    batches
        Tables LOCUS_VARIANTS to write, one for each of `settings.batches`; none where `collect_variants` writes them.
    settings, build
        Settings of the stage, and the name of the genome's build.
    known_regions
        Table of the regions that `settings.exclude` names; not read when it is none.
    dropped
        Table DROPPED of `harmonise_sumstats`.
    lost
        With `dropped` and `batches`: tables LOST to write, one for each batch; by default each lies beside the
        variants of its batch (`lost_beside`), where `finemap` looks for it.
    """
    table = SUMSTATS.read(sumstats)
    with Genome(fasta) as genome:
        regions = excluded_regions(genome, build, settings, known_regions)
        intervals = read_bed(bed, genome, regions) if bed else find_loci(table, genome, settings, regions)
        if not intervals:
            logger.warning("%s: no variant with p <= %g, so there is no locus", sumstats, settings.p_threshold)
        loci, parts = describe_loci(intervals, table, settings.batches)
        left_out = describe_excluded([] if bed else regions, loci, table, genome, settings.p_threshold)
        gone = read_lost(dropped, intervals) if batches else None
    logger.info("%s: %d loci with %d variants", sumstats, len(loci), loci["variants"].sum())
    LOCI.write(loci, output)
    EXCLUDED_REGIONS.write(left_out, excluded)
    if batches:
        beside = lost or [str(lost_beside(path)) for path in batches]
        for batch, (part, path, other) in enumerate(zip(parts, batches, beside, strict=True)):
            LOCUS_VARIANTS.write(part, path)
            write_lost(gone, set(loci.loc[loci["batch"] == batch, "locus"]), other)


def collect_variants(
    *,
    sumstats: str,
    fasta: str,
    loci: Sequence[str],
    output: str,
    dropped: str | None = None,
    lost: str | None = None,
) -> None:
    """Write the variants of a batch whose loci are known by name, with their statistics.

    Parameters
    ----------
    sumstats, fasta
        Table SUMSTATS and the reference genome.
    loci
        Names of the loci, in any order.
    output
        Table LOCUS_VARIANTS to write: the same as `define_loci` makes of a BED file with these loci.

    dropped, lost
        As of `define_loci`, for this batch.

    Raises
    ------
    InputError
        The genome has no such chromosome.
    """
    with Genome(fasta) as genome:
        places = [place_of(locus) for locus in loci]
        intervals = sorted_intervals([Interval(genome.resolve(c), start, end) for c, start, end in places], genome)
        gone = read_lost(dropped, intervals)
    table = read_places(SUMSTATS, sumstats, [(one.chrom, one.start, one.end) for one in intervals])
    logger.info("%s: %d variants in %d loci", sumstats, len(table), len(intervals))
    LOCUS_VARIANTS.write(describe_loci(intervals, table, 1)[1][0], output)
    write_lost(gone, set(loci), lost or str(lost_beside(output)))


def compute_ld(
    *,
    variants: str,
    output: str,
    panel: str = "",
    samples: str | None = None,
    ld: str = "",
    settings: LdSettings,
) -> None:
    """Correlations of alternative-allele dosages for each locus of a batch.

    Parameters
    ----------
    variants
        Table LOCUS_VARIANTS.
    output
        The LD file to write.
    panel, samples
        Panel that LD is computed from, and a file of the people to keep.
    ld
        LD that is computed already, in place of a panel.
    settings
        `max_memory_mb`: of a locus that needs more the variants farthest from its lead are left out.

    Raises
    ------
    InputError
        A file cannot be read or does not fit to the variants, or the machine has less memory than the limit while a
        locus needs it.
    """
    table = LOCUS_VARIANTS.read(variants)
    loci = ((str(locus), rows) for locus, rows in table.groupby("locus", sort=False))
    if ld:
        source = LdSource(ld)
        _check_machine(table, 0, settings)
        write_ld(output, (source.locus(locus, rows, settings.max_memory_mb) for locus, rows in loci))
        return
    genotypes = open_panel(panel, samples or None)
    if genotypes.samples < _FEWEST_PEOPLE:
        raise InputError(f"{panel}: {genotypes.samples} people; LD needs {_FEWEST_PEOPLE} or more")
    _check_machine(table, genotypes.samples, settings)
    write_ld(output, (_locus_ld(locus, rows, genotypes, settings) for locus, rows in loci), genotypes.samples)


def _locus_ld(locus: str, rows: pd.DataFrame, panel: Panel, settings: LdSettings) -> LocusLd:
    fitting = variants_that_fit(settings.max_memory_mb, panel.samples)
    left_out: dict[str, str] = {}
    if len(rows) > fitting:
        near = nearest_to_lead(rows, fitting)
        left_out = dict.fromkeys(rows["variant_id"][~near].tolist(), TRIMMED)
        logger.warning(
            "locus %s: LD of %d variants would take %d MB; the %d nearest to the lead are kept, to fit "
            "ld.max_memory_mb = %d", locus, len(rows), ld_memory_mb(len(rows), panel.samples), fitting,
            settings.max_memory_mb,
        )  # fmt: skip
        rows = rows[near]
    ids = rows["variant_id"].to_numpy(np.str_)
    return LocusLd(locus, panel_ld(rows, panel), ids, left_out, note_of(left_out, rows, panel.name))


def _check_machine(table: pd.DataFrame, people: int, settings: LdSettings) -> None:
    """Stop before the work starts where the largest locus would not fit into the machine's memory."""
    if table.empty:
        return
    largest = int(table.groupby("locus", sort=False).size().max())
    needed = min(ld_memory_mb(largest, people), settings.max_memory_mb)
    there = machine_memory_mb()
    if needed > there:
        raise InputError(
            f"config: ld.max_memory_mb = {settings.max_memory_mb} allows a locus of {largest:,} variants {needed:,.0f} "
            f"MB, but this machine has {there:,.0f} MB; make it smaller"
        )
