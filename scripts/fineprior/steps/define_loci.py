"""Rules define_loci and collect_variants: a study's loci, and the variants of each batch of them."""

import logging
from collections.abc import Sequence

from fineprior.files.table_parts import read_places
from fineprior.files.tables import EXCLUDED_REGIONS, LOCI, LOCUS_VARIANTS, SUMSTATS, lost_beside
from fineprior.genome.bed import place_of
from fineprior.genome.excluded_regions import describe_excluded, excluded_regions
from fineprior.genome.fasta import Genome
from fineprior.genome.loci import Interval, describe_loci, find_loci, read_bed, read_lost, sorted_intervals, write_lost
from fineprior.project.settings import LociSettings

logger = logging.getLogger(__name__)


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
    """Find a study's loci, or take them from a BED file; write them, the excluded regions, and each batch's variants.

    Parameters
    ----------
    sumstats, fasta
        Table SUMSTATS and the reference genome.
    bed
        The study's own loci, from which no region is excluded.
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
        regions_table = describe_excluded([] if bed else regions, loci, table, genome, settings.p_threshold)
        gone = read_lost(dropped, intervals) if batches else None
    logger.info("%s: %d loci with %d variants", sumstats, len(loci), loci["variants"].sum())
    LOCI.write(loci, output)
    EXCLUDED_REGIONS.write(regions_table, excluded)
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
