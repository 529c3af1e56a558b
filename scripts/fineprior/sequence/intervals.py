"""Stretches of a genome from BED files: what a mask or a file of peaks covers."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.genetics.genome import plain_name

Ints = NDArray[np.int64]


def bed_text(path: str | Path) -> str:
    """Text of a BED file, gzip if its name ends in .gz.

    Raises
    ------
    InputError
        The file is absent, or something else than its name says.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such BED file")
    raw = Path(path).read_bytes()
    try:
        return (gzip.decompress(raw) if str(path).endswith(".gz") else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: not a BED file ({error}); it must be text, and gzip if and only if its name ends in .gz"
        ) from None


@dataclass(frozen=True)
class Intervals:
    """Disjoint stretches in order: starts (0-based) and ends (exclusive), by the chromosome's plain name."""

    spans: dict[str, tuple[Ints, Ints]]

    @classmethod
    def of(cls, rows: list[tuple[str, int, int]]) -> "Intervals":
        """Stretches that may overlap, joined where they do."""
        by_name: dict[str, list[tuple[int, int]]] = {}
        for chrom, start, end in rows:
            by_name.setdefault(plain_name(chrom), []).append((start, end))
        spans = {}
        for name, found in by_name.items():
            start, end = np.array(sorted(found), np.int64).T
            reach = np.maximum.accumulate(end)
            first = np.concatenate([[True], start[1:] > reach[:-1]])
            spans[name] = (start[first], reach[np.concatenate([np.flatnonzero(first)[1:] - 1, [len(start) - 1]])])
        return cls(spans)

    @classmethod
    def read(cls, path: str | Path) -> "Intervals":
        """Read the first three columns of a BED file (narrowPeak, broadPeak), plain or gzip.

        Raises
        ------
        InputError
            The file is absent or no text, or a line has no chromosome, start and end; the message names the line.
        """
        rows = []
        for number, line in enumerate(bed_text(path).splitlines(), 1):
            if not line.strip() or line.startswith(("#", "track", "browser")):
                continue
            fields = line.split()
            if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
                raise InputError(f"{path}, line {number}: '{line.strip()}' must begin with chrom, start, end")
            if int(fields[1]) < int(fields[2]):
                rows.append((fields[0], int(fields[1]), int(fields[2])))
        return cls.of(rows)

    def widened(self, flank: int) -> "Intervals":
        """The same with so many bases more to both sides."""
        return self.of(
            [
                (chrom, max(0, start - flank), end + flank)
                for chrom, (starts, ends) in self.spans.items()
                for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            ]
        )

    def covered(self, chrom: NDArray[np.str_], start: Ints, width: int) -> Ints:
        """Bases (n,) of stretches of `width` bases from `start` (n,) that are covered."""
        found = np.zeros(len(start), np.int64)
        for name in np.unique(chrom):
            rows = chrom == name
            found[rows] = self._before(str(name), start[rows] + width) - self._before(str(name), start[rows])
        return found

    def inside(self, chrom: str, first: int, last: int) -> NDArray[np.bool_]:
        """Whether each base from `first` to `last` (exclusive) is covered."""
        positions = np.arange(first, last + 1)
        return np.diff(self._before(chrom, positions)) > 0

    def _before(self, chrom: str, positions: Ints) -> Ints:
        """Covered bases (n,) before each position."""
        starts, ends = self.spans.get(plain_name(chrom), (np.zeros(0, np.int64), np.zeros(0, np.int64)))
        if not len(starts):
            return np.zeros(len(positions), np.int64)
        lengths = np.concatenate([[0], np.cumsum(ends - starts)])
        index = np.searchsorted(starts, positions, "right")
        beyond = np.maximum(ends[np.maximum(index - 1, 0)] - positions, 0)
        return np.where(index > 0, lengths[index] - beyond, 0)
