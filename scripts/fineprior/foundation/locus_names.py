"""Names of loci, and the batch that a locus is in: what can be told of a BED file without a genome."""

import zlib
from pathlib import Path

from fineprior.foundation.bed_lines import BedLine as BedLine
from fineprior.foundation.bed_lines import bed_lines
from fineprior.foundation.contigs import plain_name as plain_name


def locus_name(chrom: str, start: int, end: int) -> str:
    """`chr<chromosome>_<start>_<end>`, whether or not the FASTA writes `chr`."""
    return f"chr{plain_name(chrom)}_{start}_{end}"


def place_of(locus: str) -> tuple[str, int, int]:
    """Chromosome (with `chr`), start and end of a locus, from its name."""
    chrom, start, end = locus.rsplit("_", 2)
    return chrom, int(start), int(end)


def batch_of(locus: str, batches: int) -> int:
    """The batch of a locus; depends on its name alone, so that a new locus leaves the others where they are."""
    return zlib.crc32(locus.encode()) % batches


def read_bed_lines(path: str | Path) -> list[BedLine]:
    """The intervals of a BED file as they are written, in the order of the file.

    Raises
    ------
    InputError
        As `bed_lines`.
    """
    return list(bed_lines(path))


def loci_by_batch(path: str | Path, batches: int) -> list[list[str]]:
    """Names of the loci of a BED file by batch, sorted: neither the order of its lines nor other columns matter.

    Raises
    ------
    InputError
        As `read_bed_lines`.
    """
    found: list[list[str]] = [[] for _ in range(batches)]
    for name in sorted({locus_name(line.chrom, line.start, line.end) for line in read_bed_lines(path)}):
        found[batch_of(name, batches)].append(name)
    return found
