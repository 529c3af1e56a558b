"""Intervals of a BED file: as a list on a genome, and as the bases that a mask or a file of peaks covers."""

import logging
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import Integers, ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.bed import bed_lines, placed_intervals
from fineprior.genome.contigs import Contigs
from fineprior.genome.fasta import Genome

log = logging.getLogger(__name__)


def read_intervals(path: str | Path, genome: Genome) -> list[tuple[str, int, int]]:
    """Chromosome (as the FASTA names it), start (0-based) and end (exclusive) of each line, in the order of the file.

    Raises
    ------
    InputError
        As `placed_intervals`.
    """
    return list(placed_intervals(path, genome.find, genome.contigs, genome.path))


@dataclass(frozen=True)
class Intervals(ReadOnly):
    """Disjoint stretches in order: starts (0-based) and ends (exclusive), by the chromosome's name in the file.

    A chromosome is found with or without `chr` (`Contigs.find`); where a file has both chrX and X it is an error to
    look up one, for these may be two species or two spellings. `where` names the file in messages.
    """

    spans: dict[str, tuple[Integers, Integers]]
    where: str = field(default="intervals", compare=False)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, int]], where: str = "intervals") -> "Intervals":
        """Stretches that may overlap, joined where they do."""
        by_name: dict[str, tuple[array[int], array[int]]] = {}
        for chrom, start, end in rows:
            starts, ends = by_name.setdefault(chrom, (array("q"), array("q")))
            starts.append(start)
            ends.append(end)
        return cls({name: _joined(*map(_numbers, found)) for name, found in by_name.items()}, where)

    @classmethod
    def read(cls, path: str | Path) -> "Intervals":
        """Read the first three columns of a BED file (narrowPeak, broadPeak).

        Raises
        ------
        InputError
            As `bed_lines`; the message names the line.
        """
        return cls.of(((line.chrom, line.start, line.end) for line in bed_lines(path)), str(path))

    @cached_property
    def names(self) -> Contigs:
        """Which chromosome of the file a name means."""
        return Contigs(self.where, self.spans, of_rows=True)

    def check(self, genome: Contigs, lengths: Mapping[str, int]) -> None:
        """Compare the file with a genome; intervals that reach beyond a chromosome's end are warned of, and do no harm.

        Raises
        ------
        InputError
            The genome has none of its chromosomes.
        """
        known = {name: contig for name in self.spans if (contig := genome.find(name)) is not None}
        if not known:
            raise InputError(f"{self.where}: none of its chromosomes ({self.names}) is in {genome.where}, which has "
                             f"{genome}")  # fmt: skip
        beyond = {name: int((self.spans[name][1] > lengths[contig]).sum()) for name, contig in known.items()}
        if count := sum(beyond.values()):
            first = next(name for name, number in beyond.items() if number)
            log.warning("%s: %d intervals reach beyond the end of their chromosome in %s, first on %s; is it of the "
                        "same genome build? What lies beyond is of no effect", self.where, count, genome.where,
                        first)  # fmt: skip

    def widened(self, flank: int) -> "Intervals":
        """The same with so many bases more to both sides."""
        spans = {
            name: _joined(np.maximum(starts - flank, 0), ends + flank) for name, (starts, ends) in self.spans.items()
        }
        return Intervals(spans, self.where)

    def covered(self, chrom: NDArray[np.str_], start: Integers, width: int) -> Integers:
        """Bases (n,) of stretches of `width` bases from `start` (n,) that are covered.

        Raises
        ------
        InputError
            A chromosome may be any of several in the file.
        """
        found = np.zeros(len(start), np.int64)
        for name in np.unique(chrom):
            rows = chrom == name
            found[rows] = self._before(str(name), start[rows] + width) - self._before(str(name), start[rows])
        return found

    def inside(self, chrom: str, first: int, last: int) -> NDArray[np.bool_]:
        """Whether each base from `first` to `last` (exclusive) is covered."""
        positions = np.arange(first, last + 1)
        return np.diff(self._before(chrom, positions)) > 0

    def _before(self, chrom: str, positions: Integers) -> Integers:
        """Covered bases (n,) before each position."""
        name = self.names.find(chrom)
        if name is None:
            return np.zeros(len(positions), np.int64)
        starts, ends = self.spans[name]
        lengths = np.concatenate([[0], np.cumsum(ends - starts)])
        index = np.searchsorted(starts, positions, "right")
        beyond = np.maximum(ends[np.maximum(index - 1, 0)] - positions, 0)
        return np.where(index > 0, lengths[index] - beyond, 0)


def _numbers(values: "array[int]") -> Integers:
    return np.frombuffer(values, np.int64)


def _joined(starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """Stretches in order, those joined that overlap or touch."""
    order = np.argsort(starts, kind="stable")
    start, reach = starts[order], np.maximum.accumulate(ends[order])
    first = np.concatenate([[True], start[1:] > reach[:-1]])
    return start[first], reach[np.concatenate([np.flatnonzero(first)[1:] - 1, [len(start) - 1]])]
