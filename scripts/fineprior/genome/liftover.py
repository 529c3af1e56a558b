"""Positions of one genome build in another, through a UCSC chain file.

The format: https://genome.ucsc.edu/goldenPath/help/chain.html. pyliftover answers one position at a time, some
100,000 a second; here the aligned blocks of a chromosome are arrays, and all of its positions are looked up at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.reading import text_of
from fineprior.genome.contigs import Contigs

_HEADER = 12
_NUMBERS = (1, 3, 5, 6, 8, 10, 11)
_WHAT = "a chain file"
_FARTHEST = 1 << 31
"""No chromosome is as long."""


@dataclass(frozen=True)
class Places(ReadOnly):
    """Where positions lie in the new build.

    `contig` (number into `Liftover.contigs`) and `pos` (1-based) of the place of the best chain, -1 and 0 when there
    is none; `reverse`: on the other strand; `places`: number of places.
    """

    contig: NDArray[np.int32]
    pos: NDArray[np.int32]
    reverse: NDArray[np.bool_]
    places: NDArray[np.int32]


class Liftover:
    """The aligned blocks of a chain file, plain or gzip.

    Raises
    ------
    InputError
        If the file is absent, damaged, or not a chain file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.contigs: list[str] = []
        """Names in the new build."""
        numbers: dict[str, int] = {}
        blocks: dict[str, list[tuple[int, ...]]] = {}
        for source, target, rows in self._chains():
            number = numbers.setdefault(target, len(numbers))
            blocks.setdefault(source, []).extend((*row, number) for row in rows)
        if not blocks:
            raise InputError(f"{path}: no chain in this file; a UCSC chain file (.over.chain, plain or gzip) is needed")
        self.contigs = list(numbers)
        self._sources = Contigs(path, blocks)
        self._layers = {source: _layers(np.array(rows, np.int64)) for source, rows in blocks.items()}

    def places(self, chrom: str, pos: NDArray[np.int32], plink: bool = False) -> Places:
        """Look up positions (1-based) of one chromosome of the old build; `plink`: see `Contigs.find`.

        Raises
        ------
        InputError
            The chromosome may be any of several in the chain file.
        """
        source = self._sources.find(chrom, plink)
        found, at = np.full(len(pos), -1, np.int32), np.zeros(len(pos), np.int32)
        reverse, places = np.zeros(len(pos), bool), np.zeros(len(pos), np.int32)
        best = np.full(len(pos), -1, np.int64)
        for start, end, target, step, score, contig in self._layers.get(source or "", []):
            offset = pos.astype(np.int64) - 1
            block = np.maximum(np.searchsorted(start, offset, side="right") - 1, 0)
            hit = (offset >= start[block]) & (offset < end[block])
            places[hit] += 1
            rows = np.flatnonzero(hit & (score[block] > best))
            block = block[rows]
            best[rows] = score[block]
            found[rows] = contig[block]
            at[rows] = target[block] + step[block] * (offset[rows] - start[block]) + 1
            reverse[rows] = step[block] < 0
        return Places(found, at, reverse, places)

    def _chains(self) -> Iterator[tuple[str, str, list[tuple[int, ...]]]]:
        """For each chain its source, its target, and for its blocks: start, end, target's start, step and score."""
        lines = self._lines()
        for number, fields in lines:
            if fields[0] != "chain":
                raise InputError(f"{self.path}, line {number}: a chain begins with 'chain', not '{fields[0][:40]}'")
            numbers = [_number(fields[place]) for place in _NUMBERS] if len(fields) >= _HEADER else [None]
            if None in numbers or fields[4] != "+" or fields[9] not in {"+", "-"}:
                raise InputError(
                    f"{self.path}, line {number}: not the header of a chain (score, then name, size, strand, start "
                    "and end in the old and in the new build)"
                )
            score, old_size, at, end, size, there, other_end = (found or 0 for found in numbers)
            source, target, ends = fields[2], fields[7], (end, other_end)
            if end > old_size or other_end > size or max(old_size, size) > _FARTHEST or score > _FARTHEST**2:
                raise InputError(f"{self.path}, line {number}: the chain ends behind the end of a sequence")
            step = 1 if fields[9] == "+" else -1
            rows: list[tuple[int, ...]] = []
            for line, words in lines:
                found = [_number(word) for word in words[:4]]
                if len(found) not in {1, 3} or None in found:
                    raise InputError(f"{self.path}, line {line}: '{' '.join(words)[:40]}' is not a block of a chain")
                width, *gaps = (each or 0 for each in found)
                rows.append((at, at + width, there if step > 0 else size - 1 - there, step, score))
                at, there = at + width, there + width
                if not gaps:
                    break
                at, there = at + gaps[0], there + gaps[1]
            if (at, there) != ends:
                raise InputError(f"{self.path}, line {number}: the blocks of this chain do not add up to its ends")
            yield source, target, rows

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Numbered lines with something in them."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; a chain file is needed to lift positions over")
        with text_of(self.path, _WHAT) as text:
            for number, line in enumerate(text, start=1):
                fields = line.split()
                if fields and not line.startswith("#"):
                    yield number, fields


def _number(text: str) -> int | None:
    """A number of a chain file, or None: digits only, and no more of them than one can have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _layers(blocks: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], ...]]:
    """Blocks sorted by their start, in as few sets as have no overlap within; a netted chain file makes one."""
    blocks = blocks[np.argsort(blocks[:, 0], kind="stable")]
    layers = []
    while len(blocks):
        if (blocks[1:, 0] >= blocks[:-1, 1]).all():
            chosen = np.ones(len(blocks), bool)
        else:
            chosen, end = np.zeros(len(blocks), bool), -1
            for row, (start, stop) in enumerate(blocks[:, :2].tolist()):
                if start >= end:
                    chosen[row], end = True, stop
        layers.append(tuple(blocks[chosen].T))
        blocks = blocks[~chosen]
    return layers
