"""Lines of files of genes: GTF, GFF3 (Ensembl, GENCODE, RefSeq) and BED12, one reader for all of them.

The format is told from the first line and not from the name of the file. A line is parsed no further than it is
needed, for GENCODE has three million of them and some users have ten.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from fineprior.files.errors import InputError, shown
from fineprior.files.reading import text_lines
from fineprior.genome.bed import LARGEST_POSITION, bed_lines, fields_of, whole_number

_COLUMNS, _BED12 = 9, 12
_GTF_ATTRIBUTE = re.compile(r'(\w+)\s+(?:"([^"]*)"|([^";\s]+))')
_STRANDS = {"+", "-", ".", "?"}
_PHASES = {"0": 0, "1": 1, "2": 2}


class GeneLine(NamedTuple):
    """A line of GTF or GFF3: type, place (0-based, half-open), strand, phase (of a CDS, 0 where none), attributes.

    `attributes` are as in the file, `gff3` says how they are written (`attributes_of`); `where` is file and line.
    """

    kind: str
    chrom: str
    start: int
    end: int
    strand: str
    phase: int
    attributes: str
    gff3: bool
    where: str


class BedTranscript(NamedTuple):
    """A line of BED12: name, place and strand of a transcript, its exons and its coding stretch (start = end if none).

    All positions are 0-based, ends exclusive.
    """

    name: str
    chrom: str
    start: int
    end: int
    strand: str
    exons: list[tuple[int, int]]
    coding: tuple[int, int]
    where: str


def format_of(path: str | Path) -> str:
    """`gff` (GTF and GFF3) or `bed12`, by the first line that is neither blank nor a comment.

    Raises
    ------
    InputError
        As `text_lines`; it is neither; or there is no such line.
    """
    for number, line in text_lines(path, "a GTF, GFF3 or BED12 file"):
        fields = line.split("\t")
        if not line.strip() or line.startswith("#") or fields_of(line)[0] in {"track", "browser"}:
            continue
        if len(fields) >= _COLUMNS - 1 and fields[3].strip().isdigit() and fields[4].strip().isdigit():
            return "gff"
        fields = fields_of(line)
        if len(fields) >= _BED12 and fields[1].isdigit() and fields[2].isdigit():
            return "bed12"
        raise InputError(
            f"{path}, line {number}: '{shown(line, 60)}' is no line of GTF or GFF3 (nine columns, parted by tabs) "
            f"or of BED12 (twelve columns); it has {len(fields)}"
        )
    raise InputError(f"{path}: no line of genes in this file")


def gff_lines(
    path: str | Path, wanted: Callable[[str], bool], others: dict[str, int] | None = None
) -> Iterator[GeneLine]:
    """Lines of a GTF or GFF3 file whose type (column 3) is wanted, in the order of the file.

    Parameters
    ----------
    wanted
        Whether lines of a type are read.
    others
        Counts of the types that are not are added here.

    Raises
    ------
    InputError
        As `text_lines`; a line has fewer than eight columns, no chromosome, positions that are not 1 <= start <= end,
        or a strand other than +, -, . and ?. The message names the line.
    """
    others = {} if others is None else others
    known: dict[str, bool] = {}
    gff3 = None
    for number, line in text_lines(path, "a GTF or GFF3 file"):
        if line.startswith("#") or not line.strip():
            if line.startswith("##FASTA"):
                return
            continue
        fields = line.split("\t", _COLUMNS - 1)
        if len(fields) < _COLUMNS - 1 or not fields[0].strip():
            raise InputError(f"{path}, line {number}: not a line of GTF (nine columns, separated by tabs)")
        kind = fields[2].strip()
        if kind not in known:
            known[kind] = wanted(kind)
        if not known[kind]:
            others[kind] = others.get(kind, 0) + 1
            continue
        start, end = whole_number(fields[3].strip()), whole_number(fields[4].strip())
        if start is None or end is None or not 1 <= start <= end <= LARGEST_POSITION:
            raise InputError(f"{path}, line {number}: {shown(fields[3])}-{shown(fields[4])} must be whole numbers, "
                             "1 <= start <= end (GTF counts from 1, with the end)")  # fmt: skip
        strand = fields[6].strip() or "."
        if strand not in _STRANDS:
            raise InputError(f"{path}, line {number}: strand '{shown(strand)}' (column 7) must be +, - or .")
        attributes = fields[8] if len(fields) == _COLUMNS else ""
        if gff3 is None and attributes.strip():
            gff3 = bool(re.match(r"\s*\w+\s*=", attributes))
        yield GeneLine(kind, fields[0].strip(), start - 1, end, strand, _PHASES.get(fields[7].strip(), 0), attributes,
                       bool(gff3), f"{path}, line {number}")  # fmt: skip


def attributes_of(line: GeneLine) -> Mapping[str, list[str]]:
    """Values of each attribute of a line: several where its key is repeated (GTF), or commas part them (GFF3)."""
    found: dict[str, list[str]] = {}
    if line.gff3:
        for one in line.attributes.split(";"):
            key, _, value = one.partition("=")
            if value:
                found.setdefault(key.strip(), []).extend(unquote(part) for part in value.strip().split(","))
    else:
        for key, quoted, plain in _GTF_ATTRIBUTE.findall(line.attributes):
            found.setdefault(key, []).append(quoted or plain)
    return found


def bed12_lines(path: str | Path) -> Iterator[BedTranscript]:
    """Transcripts of a BED12 file, in the order of the file.

    Raises
    ------
    InputError
        As `bed_lines`; a line has fewer than twelve columns, a strand other than + - ., blocks that are not within the
        line's interval, in order and as many as it says, or a thick part beyond the interval. The message names the
        line.
    """
    for line in bed_lines(path, "a BED12 file"):
        if len(line.more) < _BED12 - 3:
            raise InputError(
                f"{line.where}: {len(line.more) + 3} columns; genes in BED have twelve (BED12), for the exons"
            )
        name, _, strand, *thick = line.more[:5]
        if strand not in _STRANDS:
            raise InputError(f"{line.where}: strand '{shown(strand)}' (column 6) must be +, - or .")
        count = whole_number(line.more[6])
        sizes, offsets = (
            [whole_number(one.strip()) for one in field.rstrip(",").split(",")] for field in line.more[7:9]
        )
        if count is None or not count == len(sizes) == len(offsets):
            raise InputError(f"{line.where}: {shown(line.more[6])} blocks (column 10), but {len(sizes)} sizes and "
                             f"{len(offsets)} starts (columns 11, 12)")  # fmt: skip
        exons, reached = [], line.start
        for size, offset in zip(sizes, offsets, strict=True):
            start = line.start + (-1 if offset is None else offset)
            end = start + (size or 0)
            if size is None or offset is None or not reached <= start < end <= line.end:
                raise InputError(f"{line.where}: a block (columns 11, 12) is empty, out of order, not a whole number "
                                 f"or beyond {line.start}-{line.end}")  # fmt: skip
            exons.append((start, end))
            reached = end
        first, last = (whole_number(one) for one in thick)
        if first is None or last is None or (first < last and not line.start <= first < last <= line.end):
            raise InputError(f"{line.where}: coding stretch {shown(thick[0])}-{shown(thick[1])} (columns 7, 8) must "
                             f"lie within {line.start}-{line.end}")  # fmt: skip
        coding = (first, last) if first < last else (line.start, line.start)
        yield BedTranscript(name, line.chrom, line.start, line.end, strand, exons, coding, line.where)
