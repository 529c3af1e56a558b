"""Stretches of one contig in the order of their starts, to find those that overlap an interval."""

import numpy as np

from fineprior.files.arrays import Integers


class Stretches:
    """Stretches (n,) of a contig: `first` (0-based) and `last` (exclusive), equal for the place between two bases."""

    def __init__(self, first: Integers, last: Integers) -> None:
        self._order = np.argsort(first, kind="stable")
        self.first, self.last = first, last
        self._starts = first[self._order]
        self._reach = np.maximum.accumulate(last[self._order]) if len(last) else last

    def ranges(self, starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
        """Of m intervals, where the stretches that may overlap each lie in the order of starts: from, to (m,)."""
        return np.searchsorted(self._reach, starts, "right"), np.searchsorted(self._starts, ends, "left")

    def overlapping(self, span: tuple[int, int], start: int, end: int) -> Integers:
        """Which stretches of a range have a base, or lie between two bases, from `start` to `end` (exclusive)."""
        among = self._order[span[0] : span[1]]
        return among[(self.last[among] > start) & (self.first[among] < end)]
