"""Alleles and variants: alleles as numbers, compared with the reference genome; names; statistics turned round.

Ten million rows of text are too much to compare again and again: every spelling that is met gets a number, and the
bases A, C, G, T are 0, 1, 2, 3, so that the complement of a base is 3 minus it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.genome.fasta import BASES, Genome, codes_of

BAD, CODED = -2, -3
"""In place of an allele's number: no allele; an insertion or deletion in a code that does not tell its bases."""
_BLOCK = 1 << 22
_MARGIN = 1 << 10
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_MIRRORED = ("beta", "z")

Numbers = NDArray[np.int32]


class Alleles:
    """The spellings met so far: `encode` numbers them, `plain` is the number of the same allele in upper case."""

    def __init__(self) -> None:
        self.spellings: list[str] = list(BASES)
        self._numbers = {base: number for number, base in enumerate(BASES)}
        self._plain = list(range(len(BASES)))
        self._tables: dict[str, Numbers] = {}

    def number(self, spelling: str) -> int:
        """Number of a spelling, a new one when it is not known."""
        known = self._numbers.get(spelling)
        if known is not None:
            return known
        upper, number = spelling.upper(), len(self.spellings)
        self._numbers[spelling] = number
        self.spellings.append(spelling)
        self._plain.append(number)
        self._tables.clear()
        if not upper or not set(upper) <= set(BASES):
            coded = upper in {"I", "D", "R", "-"} or (upper.startswith("<") and upper.endswith(">"))
            self._plain[number] = CODED if coded else BAD
        elif upper != spelling:
            self._plain[number] = self.number(upper)
        return number

    def encode(self, texts: pd.Series) -> Numbers:
        """Numbers (rows,) of a column of text; -1 where it is missing."""
        codes, found = pd.factorize(texts)
        numbers = np.array([*(self.number(str(text)) for text in found), -1], np.int32)
        return numbers[codes]

    def plain(self, numbers: Numbers) -> Numbers:
        """Numbers of the alleles in upper case; `BAD` or `CODED` for what is none."""
        return self._table("plain", lambda: self._plain)[numbers]

    def lengths(self, numbers: Numbers) -> Numbers:
        """Bases of each allele."""
        return self._table("lengths", lambda: [len(spelling) for spelling in self.spellings])[numbers]

    def ranks(self, numbers: Numbers) -> Numbers:
        """Place of each allele in the alphabet of all."""

        def build() -> list[int]:
            ranks = [0] * len(self.spellings)
            for rank, number in enumerate(sorted(range(len(ranks)), key=self.spellings.__getitem__)):
                ranks[number] = rank
            return ranks

        return self._table("ranks", build)[numbers]

    def codes(self, numbers: Numbers) -> NDArray[np.uint8]:
        """Codes of bases (rows, length) of alleles of one length."""
        return codes_of("".join([self.spellings[number] for number in numbers])).reshape(len(numbers), -1)

    def movable(self, first: Numbers, second: Numbers) -> NDArray[np.bool_]:
        """Whether two alleles end alike, or begin alike and have more than one base: not the shortest spelling."""
        begin = self._table("begin", lambda: [ord(spelling[:1] or " ") for spelling in self.spellings])
        end = self._table("end", lambda: [ord(spelling[-1:] or " ") for spelling in self.spellings])
        longer = np.minimum(self.lengths(first), self.lengths(second)) > 1
        return (end[first] == end[second]) | (longer & (begin[first] == begin[second]))

    def _table(self, name: str, build: Callable[[], Sequence[int]]) -> Numbers:
        if name not in self._tables:
            self._tables[name] = np.array(build(), np.int32)
        return self._tables[name]


@dataclass(frozen=True)
class Comparison(ReadOnly):
    """Pairs of alleles beside the reference genome.

    `base`: code of the genome's base at the position; `first_agrees`, `second_agrees`: whether the genome has this
    allele there; `pos`, `first`, `second`: the shortest and leftmost spelling of a pair of which an allele agrees, else
    as given.
    """

    base: NDArray[np.uint8]
    first_agrees: NDArray[np.bool_]
    second_agrees: NDArray[np.bool_]
    pos: NDArray[np.int32]
    first: Numbers
    second: Numbers


def compare(
    genome: Genome, contig: Numbers, pos: NDArray[np.int32], first: Numbers, second: Numbers, alleles: Alleles
) -> Comparison:
    """Compare pairs of alleles with the genome, reading it once.

    Parameters
    ----------
    genome
        The reference genome.
    contig, pos
        Number of the contig in the genome and position (1-based) of each pair, sorted by contig and position.
    first, second
        Numbers of the alleles, in upper case.
    alleles
        The alleles; those of new spellings are added.
    """
    agrees, base = np.zeros((2, len(pos)), bool), np.empty(len(pos), np.uint8)
    new_pos, new_first, new_second = pos.copy(), first.copy(), second.copy()
    lengths = np.array([alleles.lengths(first), alleles.lengths(second)])
    movable = ((lengths > 1).any(0)) & alleles.movable(first, second)
    for rows, begin, reference in _stretches(genome, contig, pos, lengths.max(0)):
        offset = pos[rows].astype(np.int64) - 1 - begin
        base[rows] = reference[offset]
        for which, numbers in enumerate((first[rows], second[rows])):
            agrees[which, rows] = base[rows] == numbers
            longer = np.flatnonzero(lengths[which, rows] > 1)
            for length in np.unique(lengths[which, rows][longer]):
                same = longer[lengths[which, rows][longer] == length]
                there = reference[offset[same][:, None] + np.arange(length)]
                agrees[which, rows.start + same] = (there == alleles.codes(numbers[same])).all(1)
        for row in np.flatnonzero(movable[rows] & agrees[:, rows].any(0)) + rows.start:
            pair = alleles.spellings[first[row]], alleles.spellings[second[row]]
            start, one, other = left_align(int(pos[row]), *pair, reference, begin)
            limit, span = begin, _MARGIN
            while limit > 0 and start - 1 <= limit:  # a repeat that goes on before the stretch
                span *= 8
                limit = max(int(pos[row]) - 1 - span, 0)
                more = genome.codes(list(genome.contigs)[contig[row]], limit, int(pos[row]))
                start, one, other = left_align(int(pos[row]), *pair, more, limit)
            new_pos[row], new_first[row], new_second[row] = start, alleles.number(one), alleles.number(other)
    return Comparison(base, agrees[0], agrees[1], new_pos, new_first, new_second)


def _stretches(
    genome: Genome, contig: Numbers, pos: NDArray[np.int32], reach: Numbers
) -> Iterator[tuple[slice, int, NDArray[np.uint8]]]:
    """Runs of sorted rows with the codes of the genome around them and their start (0-based)."""
    names = list(genome.contigs)
    block = (contig.astype(np.int64) << 32) | (pos // _BLOCK)
    edges = [*np.flatnonzero(np.diff(block, prepend=-1)).tolist(), len(pos)]
    for start, stop in pairwise(edges):
        rows = slice(start, stop)
        begin = max(int(pos[start]) - 1 - _MARGIN, 0)
        end = int((pos[rows] + reach[rows]).max())
        yield rows, begin, genome.codes(names[contig[start]], begin, end)


def left_align(pos: int, first: str, second: str, reference: NDArray[np.uint8], begin: int = 0) -> tuple[int, str, str]:
    """Return the shortest and leftmost spelling of two alleles, whichever of them is the reference's.

    Tan, Abecasis, Kang 2015 (https://doi.org/10.1093/bioinformatics/btv112), algorithm 1. It ends where `reference`
    begins, and at an unknown base.

    Parameters
    ----------
    pos
        Position, 1-based.
    first, second
        The alleles, not the same.
    reference
        Codes of bases of a stretch of the contig that holds the alleles.
    begin
        Its start, 0-based.
    """
    while first[-1] == second[-1]:
        if len(first) > 1 and len(second) > 1:
            first, second = first[:-1], second[:-1]
            continue
        before = pos - 2 - begin
        if before < 0 or reference[before] >= len(BASES):
            break
        base = BASES[reference[before]]
        first, second, pos = base + first[:-1], base + second[:-1], pos - 1
    shared = 0
    while shared < min(len(first), len(second)) - 1 and first[shared] == second[shared]:
        shared += 1
    return pos + shared, first[shared:], second[shared:]


def variant_id(chrom: pd.Series, pos: pd.Series, ref: pd.Series, alt: pd.Series) -> pd.Series:
    """Names `chrom:pos:ref:alt`; `pos` is 1-based."""
    return chrom.astype("str") + ":" + pos.astype("str") + ":" + ref.astype("str") + ":" + alt.astype("str")


def complement(allele: str) -> str:
    """The allele (A, C, G, T) as the other strand spells it, in that strand's direction."""
    return allele.translate(_COMPLEMENT)[::-1]


def is_palindromic(first: str, second: str) -> bool:
    """Whether two alleles of one variant read the same on both strands (A and T, C and G)."""
    return first != second and complement(first) == second


def flip(statistics: pd.DataFrame, rows: NDArray[np.bool_]) -> pd.DataFrame:
    """Turn statistics of one allele into those of the other.

    The only place where a sign changes: `beta` and `z` become their negatives, `eaf` becomes 1 - eaf, and
    `effect_allele` and `other_allele` change places, in whichever of these columns there are.

    Parameters
    ----------
    statistics
        Table with any of these columns; left as it is.
    rows
        Booleans, one for each row: which to flip.
    """
    flipped = statistics.copy(deep=False)
    for name in _MIRRORED:
        if name in flipped:
            flipped[name] = statistics[name].where(~rows, 0.0 - statistics[name])  # 0 - 0 is 0, not -0
    if "eaf" in flipped:
        flipped["eaf"] = statistics["eaf"].where(~rows, 1 - statistics["eaf"])
    if {"effect_allele", "other_allele"} <= set(flipped):
        effect, other = statistics["effect_allele"], statistics["other_allele"]
        flipped["effect_allele"], flipped["other_allele"] = effect.where(~rows, other), other.where(~rows, effect)
    return flipped
