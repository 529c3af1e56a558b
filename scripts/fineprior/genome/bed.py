"""BED files: the one reader, and the names and batches of the loci that a BED file holds.

It is light (no numpy), so that the workflow can list the loci of a batch while it is parsed.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from fineprior.files.errors import InputError
from fineprior.files.reading import text_lines
from fineprior.genome.contigs import plain_name, shown

LARGEST_POSITION = 2**31 - 1
_SHOWN = 60


class BedLine(NamedTuple):
    """A line of a BED file: 0-based, half-open, start < end; `where` is file and line, for messages.

    `more`: the fields behind the third.
    """

    chrom: str
    start: int
    end: int
    where: str
    more: tuple[str, ...] = ()


def bed_lines(path: str | Path, what: str = "a BED file") -> Iterator[BedLine]:
    """The intervals of a BED file, one at a time, in the order of the file: also narrowPeak, broadPeak, BED6, BED12.

    Plain, gzip or bgzip by content; fields are parted by tabs or by blanks; lines that are blank, begin with # or
    with the words track or browser are passed over wherever they stand.

    Parameters
    ----------
    what
        What the file should be, with its article, for messages.

    Raises
    ------
    InputError
        As `text_lines`; the file holds no interval; a line has fewer than three fields or an empty one among these,
        coordinates that are not whole numbers, or a start that is not below its end. Zero-length intervals, which BED
        allows for insertions, hold no base and are refused. The message names the line.
    """
    found = False
    for number, line in text_lines(path, what):
        fields = fields_of(line)
        if not fields or fields[0].startswith("#") or fields[0] in {"track", "browser"}:
            continue
        yield _checked(fields, f"{path}, line {number}")
        found = True
    if not found:
        raise InputError(f"{path}: no interval in this BED file")


def placed_intervals(
    path: str | Path, find: Callable[[str], str | None], lengths: Mapping[str, int], genome: str | Path
) -> dict[tuple[str, int, int], BedLine]:
    """Lines of a BED file by their chromosome as a genome names it, start (0-based) and end (exclusive), in its order.

    Parameters
    ----------
    find, lengths
        Which contig of the genome a name means (`Contigs.find`), and the lengths of its contigs.
    genome
        Its file, for messages.

    Raises
    ------
    InputError
        As `bed_lines`; a line has a chromosome that the genome has not, or reaches beyond its end; or an interval is
        there twice.
    """
    found: dict[tuple[str, int, int], BedLine] = {}
    for line in bed_lines(path):
        chrom = find(line.chrom)
        if chrom is None:
            raise InputError(f"{line.where}: {genome} has no contig '{line.chrom}'; there are {shown(lengths)}")
        if line.end > lengths[chrom]:
            raise InputError(
                f"{line.where}: {line.start}-{line.end} must have start < end <= {lengths[chrom]} (length of {chrom})"
            )
        interval = (chrom, line.start, line.end)
        if interval in found:
            name = f"chr{plain_name(chrom)}_{line.start}_{line.end}"
            raise InputError(f"{line.where}: {name} is there twice")
        found[interval] = line
    return found


def loci_by_batch(path: str | Path, batches: int) -> list[list[str]]:
    """Names of the loci of a BED file by batch, sorted: neither the order of its lines nor other columns matter.

    Raises
    ------
    InputError
        As `bed_lines`.
    """
    found: list[list[str]] = [[] for _ in range(batches)]
    for name in sorted({locus_name(line.chrom, line.start, line.end) for line in bed_lines(path)}):
        found[batch_of(name, batches)].append(name)
    return found


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


def fields_of(line: str) -> list[str]:
    """Fields of a line, parted by tabs, or by blanks where no tab parts the first three; none of a blank line."""
    if not line.strip(" \t"):
        return []
    fields = line.split("\t")
    if " " in line:
        fields = [field.strip(" ") for field in fields]
    if len(fields) < 3 or any(" " in field for field in fields[:3]):
        return [field for field in line.replace("\t", " ").split(" ") if field]
    return fields


def whole_number(text: str) -> int | None:
    """A whole number of digits 0 to 9 only; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _checked(fields: list[str], where: str) -> BedLine:
    shown = " ".join(fields)[:_SHOWN]
    if len(fields) >= 3 and "" in fields[:3]:
        empty = ("chromosome", "start", "end")[fields.index("")]
        raise InputError(f"{where}: '{shown}' has an empty {empty}")
    start, end = (whole_number(field) for field in fields[1:3]) if len(fields) >= 3 else (None, None)
    if start is None or end is None:
        raise InputError(f"{where}: '{shown}' is not chromosome, start (0-based), end as whole numbers{_why(fields)}")
    if end > LARGEST_POSITION:
        raise InputError(f"{where}: '{shown}' ends beyond {LARGEST_POSITION:,}, the largest position there can be")
    if start >= end:
        holds = "which holds no base" if start == end else "the start lies behind the end"
        raise InputError(f"{where}: {start}-{end} must have start < end ({holds}; BED counts from 0, without the end)")
    return BedLine(fields[0], start, end, where, tuple(fields[3:]))


def _why(fields: list[str]) -> str:
    if len(fields) < 3:
        return ""
    if all(field[:1].isalpha() for field in fields[1:3]):
        return "; a BED file has no header: remove that line, or begin it with #"
    for field in fields[1:3]:
        try:
            number = float(field.replace(",", ""))
        except ValueError:
            continue
        if whole_number(field) is None and number.is_integer() and 0 <= number <= LARGEST_POSITION:
            return f"; write {int(number)} for {field}"
    return ""
