"""Which variant of a panel a row is: one key, an integer of the place and the two alleles, sorted and searched.

The alleles of a key have no order, so a row matches whichever allele it or the panel counts; insertions and deletions
are compared in their shortest and leftmost spelling.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.contigs import is_part_of_x
from fineprior.foundation.errors import InputError
from fineprior.genetics.alleles import Alleles, Numbers, compare
from fineprior.genetics.genome import Genome

Index = NDArray[np.int32]


@dataclass(frozen=True)
class Matches:
    """For each row: `panel_index`, its variant in the panel (-1: none), and `second`, another one (-1: none).

    `several`: there are more than these two. `a1_is_effect`: A1 of the variant is the row's effect allele. `opposite`:
    there is a second one, and its A1 is the other allele of the two.
    """

    panel_index: Index
    second: Index
    several: NDArray[np.bool_]
    a1_is_effect: NDArray[np.bool_]
    opposite: NDArray[np.bool_]


def match(
    variants: pd.DataFrame, genome: Genome, alleles: Alleles, contig: Numbers, pos: Index, effect: Numbers,
    other: Numbers,
) -> Matches:  # fmt: skip
    """Find rows in a panel.

    Parameters
    ----------
    variants
        The panel's variants: columns chrom, pos, a1, a2.
    genome
        The reference genome.
    alleles
        The alleles; those of the panel are added.
    contig, pos, effect, other
        For each row the number of its contig in the genome, and position and alleles in their shortest and leftmost
        spelling.
    """
    panel_contig, panel_pos, a1, a2 = _aligned(variants, genome, alleles)
    usable = np.flatnonzero(panel_contig >= 0).astype(np.int32)
    lengths = np.array([0, *genome.contigs.values()], np.int64)
    offsets = np.cumsum(lengths)[:-1]
    pairs, panel_pairs, count = _pair_numbers((effect, other), (a1[usable], a2[usable]))
    keys = (offsets[panel_contig[usable]] + panel_pos[usable]) * count + panel_pairs
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        keys, usable = keys[order], usable[order]
    wanted = (offsets[contig] + pos) * count + pairs
    at = np.searchsorted(keys, wanted)
    # three further keys that nothing equals, so that the next ones can be looked at
    keys, usable = np.append(keys, [-1] * 3), np.append(usable, np.array([-1] * 3, np.int32))
    found = [np.where(keys[at + step] == wanted, usable[at + step], -1).astype(np.int32) for step in range(3)]
    first, second = found[0], found[1]
    a1_is_effect = a1[first] == effect
    opposite = (second >= 0) & ((a1[second] == effect) != a1_is_effect)
    return Matches(first, second, found[2] >= 0, a1_is_effect & (first >= 0), opposite)


def _aligned(variants: pd.DataFrame, genome: Genome, alleles: Alleles) -> tuple[Numbers, Index, Numbers, Numbers]:
    """Contig (-1 where the genome has no such place, or an allele is none), position and alleles of the panel."""
    codes, found = pd.factorize(variants["chrom"])
    numbers = {name: number for number, name in enumerate(genome.contigs)}
    contig_of = {str(name): genome.find(str(name), plink=True) or "" for name in found}
    _check_names(contig_of)
    known = np.array([*(numbers.get(name, -1) for name in contig_of.values()), -1], np.int32)
    contig: Numbers = known[codes]
    pos = np.clip(variants["pos"].to_numpy(np.int64), 0, np.iinfo(np.int32).max).astype(np.int32)  # a copy
    a1, a2 = alleles.plain(alleles.encode(variants["a1"])), alleles.plain(alleles.encode(variants["a2"]))
    sizes = np.array([*genome.contigs.values(), 0], np.int64)
    contig[(np.minimum(a1, a2) < 0) | (pos < 1) | (pos > sizes[contig])] = -1
    longer = np.flatnonzero((np.maximum(a1, a2) > 3) & (contig >= 0))
    rows = longer[alleles.movable(a1[longer], a2[longer])]
    if len(rows):
        rows = rows[np.lexsort((pos[rows], contig[rows]))]
        compared = compare(genome, contig[rows], pos[rows], a1[rows], a2[rows], alleles)
        pos[rows], a1[rows], a2[rows] = compared.pos, compared.first, compared.second
    return contig, pos, a1, a2


def _check_names(contig_of: dict[str, str]) -> None:
    """Stop if a panel has two names of one contig, of which nobody can say whether they are of one species.

    PLINK's names of the parts of X are no such names.
    """
    seen: dict[str, str] = {}
    for name, contig in contig_of.items():
        if contig and not is_part_of_x(name) and seen.setdefault(contig, name) != name:
            raise InputError(
                f"panel: it has variants on '{seen[contig]}' and on '{name}', which are both {contig} of the FASTA; "
                "rename or remove those of one of them"
            )


def _pair_numbers(*sets: tuple[Numbers, Numbers]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Numbers of unordered pairs of alleles, the same in both sets, and their count; single bases come first."""
    numbers, longer = [], []
    for first, second in sets:
        low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
        rows = np.flatnonzero(high > 3)
        longer.append((rows, low[rows] << 32 | high[rows]))
        numbers.append(low * 4 + high)
    known = np.unique(np.concatenate([pairs for _, pairs in longer]))
    for number, (rows, pairs) in zip(numbers, longer, strict=True):
        number[rows] = 16 + np.searchsorted(known, pairs)
    return numbers[0], numbers[1], 16 + len(known)
