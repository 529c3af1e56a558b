"""Intervals of a BED file."""

from pathlib import Path

from fineprior.foundation.errors import InputError
from fineprior.foundation.locus_names import locus_name, read_bed_lines
from fineprior.genetics.genome import Genome


def read_intervals(path: str | Path, genome: Genome) -> list[tuple[str, int, int]]:
    """Chromosome (as the FASTA names it), start (0-based) and end (exclusive) of each line, in the order of the file.

    Raises
    ------
    InputError
        As `read_bed_lines`; a line has a chromosome that the FASTA has not, or coordinates that are not within the
        chromosome; or an interval is there twice.
    """
    intervals: dict[tuple[str, int, int], None] = {}
    for line in read_bed_lines(path):
        chrom = genome.find(line.chrom)
        if chrom is None:
            raise InputError(f"{line.where}: {genome.path} has no contig '{line.chrom}'")
        if not line.start < line.end <= genome.contigs[chrom]:
            raise InputError(
                f"{line.where}: {line.start}-{line.end} must have start < end <= {genome.contigs[chrom]} (length of "
                f"{chrom})"
            )
        interval = (chrom, line.start, line.end)
        if interval in intervals:
            raise InputError(f"{line.where}: {locus_name(*interval)} is there twice")
        intervals[interval] = None
    return list(intervals)
