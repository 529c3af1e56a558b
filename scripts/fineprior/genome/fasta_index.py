"""The index of a FASTA file (.fai), read without pysam and checked strictly."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from fineprior.files.errors import InputError
from fineprior.genome.bed import whole_number

_REMEDY = "delete this file (it is then made again)"


class IndexLine(NamedTuple):
    """A sequence of an index.

    `length` in bases; `offset`, bytes before its first base; `bases` and `width`, bases and bytes of a whole line.
    """

    name: str
    length: int
    offset: int
    bases: int
    width: int

    @property
    def end(self) -> int:
        """Bytes before the end of its last base."""
        if not self.length:
            return self.offset
        return self.offset + (self.length - 1) // self.bases * self.width + (self.length - 1) % self.bases + 1


def index_of(fasta: str | Path) -> Path:
    """Path of the index of a FASTA file."""
    return Path(f"{fasta}.fai")


def read_index(fasta: str | Path) -> list[IndexLine]:
    """The sequences of the index of a FASTA file, in the order of the index.

    Raises
    ------
    InputError
        The index cannot be read, is empty or cut off, a line has not five columns of which four are whole numbers,
        lines of a sequence hold no base or more bases than bytes, a sequence occurs twice, or two lie in one place.
    """
    path = index_of(fasta)
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if text and not text.endswith("\n"):
        raise InputError(f"{path}: cut off within its last line; {_REMEDY}")
    found: dict[str, IndexLine] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line and number > 1:
            continue
        name, *fields = line.removesuffix("\r").split("\t")
        numbers = [whole_number(field) for field in fields[:4]]
        length, offset, bases, width = (*numbers, *[None] * 4)[:4]
        if not name or len(fields) != 4 or length is None or offset is None or bases is None or width is None:
            raise InputError(
                f"{path}, line {number}: '{line[:60]}' is no name, length, offset, bases and bytes of a line; {_REMEDY}"
            )
        if length and not 0 < bases <= width:
            raise InputError(f"{path}, line {number}: lines of {bases} bases in {width} bytes cannot be; {_REMEDY}")
        if name in found:
            raise InputError(f"{path}, line {number}: sequence '{name}' occurs twice; {_REMEDY}")
        found[name] = IndexLine(name, length, offset, bases, width)
    in_order = sorted(found.values(), key=lambda one: one.offset)
    for before, after in pairwise(in_order):
        if before.end > after.offset:
            raise InputError(f"{path}: sequences '{before.name}' and '{after.name}' overlap; {_REMEDY}")
    return list(found.values())


def known_lengths(fasta: str | Path) -> dict[str, int] | None:
    """Lengths of the contigs by an index that is there and no older than its FASTA file; else None.

    For checks before a run: what is wrong with an index is said where the genome is opened.
    """
    index = index_of(fasta)
    try:
        if index.stat().st_mtime_ns < Path(fasta).stat().st_mtime_ns:
            return None
        return {line.name: line.length for line in read_index(fasta)}
    except (OSError, InputError):
        return None
