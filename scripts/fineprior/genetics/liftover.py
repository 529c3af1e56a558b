"""Positions of one genome build in another, through a UCSC chain file.

The format: https://genome.ucsc.edu/goldenPath/help/chain.html. pyliftover answers one position at a time, some
100,000 a second; here the aligned blocks of a chromosome are arrays, and all of its positions are looked up at once.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.contigs import Contigs
from fineprior.foundation.errors import InputError

_HEADER = 12


@dataclass(frozen=True)
class Places:
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
        found = Places(
            np.full(len(pos), -1, np.int32), np.zeros(len(pos), np.int32), np.zeros(len(pos), bool),
            np.zeros(len(pos), np.int32),
        )  # fmt: skip
        best = np.full(len(pos), -1, np.int64)
        for start, end, target, step, score, contig in self._layers.get(source or "", []):
            offset = pos.astype(np.int64) - 1
            block = np.maximum(np.searchsorted(start, offset, side="right") - 1, 0)
            hit = (offset >= start[block]) & (offset < end[block])
            found.places[hit] += 1
            rows = np.flatnonzero(hit & (score[block] > best))
            block = block[rows]
            best[rows] = score[block]
            found.contig[rows] = contig[block]
            found.pos[rows] = target[block] + step[block] * (offset[rows] - start[block]) + 1
            found.reverse[rows] = step[block] < 0
        return found

    def _chains(self) -> Iterator[tuple[str, str, list[tuple[int, ...]]]]:
        """For each chain its source, its target, and for its blocks: start, end, target's start, step and score."""
        lines = self._lines()
        for number, fields in lines:
            if fields[0] != "chain":
                raise InputError(f"{self.path}, line {number}: a chain begins with 'chain', not '{fields[0][:40]}'")
            try:
                score, source, target, size = int(fields[1]), fields[2], fields[7], int(fields[8])
                at, there, ends = int(fields[5]), int(fields[10]), (int(fields[6]), int(fields[11]))
                if len(fields) < _HEADER or fields[4] != "+" or fields[9] not in {"+", "-"}:
                    raise ValueError
            except (ValueError, IndexError):
                raise InputError(
                    f"{self.path}, line {number}: not the header of a chain (score, then name, size, strand, start "
                    "and end in the old and in the new build)"
                ) from None
            step = 1 if fields[9] == "+" else -1
            rows: list[tuple[int, ...]] = []
            for line, words in lines:
                try:
                    width, *gaps = map(int, words)
                    if len(gaps) not in {0, 2} or min(width, *gaps, 0) < 0:
                        raise ValueError
                except ValueError:
                    raise InputError(
                        f"{self.path}, line {line}: '{' '.join(words)[:40]}' is not a block of a chain"
                    ) from None
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
        with self.path.open("rb") as handle:
            opened = gzip.open if handle.read(2) == b"\x1f\x8b" else open
        try:
            with opened(self.path, "rt", encoding="ascii") as text:
                for number, line in enumerate(text, start=1):
                    fields = line.split()
                    if fields and not line.startswith("#"):
                        yield number, fields
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{self.path}: the compressed file is damaged or cut off ({error})") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}: not a chain file ({error.reason})") from None


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
