"""Second stage of harmonising: alleles on the strand of the reference genome, its allele as the other allele."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.genome.alleles import compare
from fineprior.genome.fasta import BASES, Genome
from fineprior.sumstats import outcomes
from fineprior.sumstats.located import Located
from fineprior.sumstats.rows import Columns, Remaining, names_at

_BASES = len(BASES)
_ACTIONS = (outcomes.KEPT, outcomes.SWAPPED, outcomes.STRAND, outcomes.STRAND_SWAPPED)
"""By 2 * complemented + swapped."""


@dataclass(frozen=True, eq=False)
class Orientation(Columns):
    """What was done to each row, and what kind of variant it is; all (n,) bool.

    Attributes
    ----------
    swapped
        Effect and other allele are exchanged: signs and frequencies of the source are those of the other allele.
    complemented
        The alleles of the source are those of the other strand.
    left_aligned
        The alleles are in another, shorter or leftmost spelling than in the source.
    lift_reversed
        As of `Located`.
    palindromic
        A and T, or C and G: either strand has both alleles, and the row is taken as it is written.
    indel
        An allele has more than one base.
    either_reference
        Both alleles agree with the genome, so that either may be the reference allele, as in a repeat.
    """

    swapped: NDArray[np.bool_]
    complemented: NDArray[np.bool_]
    left_aligned: NDArray[np.bool_]
    lift_reversed: NDArray[np.bool_]
    palindromic: NDArray[np.bool_]
    indel: NDArray[np.bool_]
    either_reference: NDArray[np.bool_]

    def actions(self, rows: slice | NDArray[np.intp]) -> pd.Series:
        """What was done to some rows: names of `outcomes.ACTIONS`."""
        return names_at(2 * self.complemented[rows].astype(np.int32) + self.swapped[rows], _ACTIONS)

    def count_actions(self, among: NDArray[np.bool_] | slice = slice(None)) -> dict[str, int]:
        """Number of rows with each action, in the order of `outcomes.ACTIONS`, of all rows or of some."""
        done = 2 * self.complemented[among].astype(np.int32) + self.swapped[among]
        return dict(zip(_ACTIONS, np.bincount(done, minlength=len(_ACTIONS)).tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Oriented(Remaining):
    """Rows of which an allele agrees with the genome.

    Attributes
    ----------
    contig, pos : (n,) int32
        Place in the genome, as of `Located`; of an insertion or deletion that of its leftmost spelling.
    effect, other : (n,) int32
        The alleles as numbers of `rows.alleles`: `other` is the genome's (where `either_reference`, one of the two).
    orientation : Orientation
        What was done for it.
    """

    contig: NDArray[np.int32]
    pos: NDArray[np.int32]
    effect: NDArray[np.int32]
    other: NDArray[np.int32]
    orientation: Orientation


def orient(located: Located, genome: Genome) -> Oriented:
    """Bring rows to the genome's strand, with its reference allele as the other allele.

    A single base is complemented only where neither allele agrees as it is written. Insertions and deletions are
    compared as they are written, and brought to their shortest and leftmost spelling.

    Raises
    ------
    InputError
        No row has an allele that agrees with the genome.
    """
    effect, other = located.effect, located.other
    single = np.maximum(effect, other) < _BASES
    palindromic = single & (effect + other == _BASES - 1)
    here = compare(genome, located.contig, located.pos, effect, other, located.rows.alleles)
    effect_agrees, other_agrees = here.first_agrees, here.second_agrees
    rest = single & ~effect_agrees & ~other_agrees
    effect_complemented = rest & (here.base == _BASES - 1 - effect)
    complemented = effect_complemented | (rest & (here.base == _BASES - 1 - other))
    swapped = (effect_agrees & ~other_agrees) | effect_complemented
    left_aligned = (here.first != effect) | (here.pos != located.pos)
    effect = np.where(complemented, _BASES - 1 - effect, here.first)
    other = np.where(complemented, _BASES - 1 - other, here.second)
    oriented = Oriented(
        located.rows, located.index, located.contig, here.pos,
        effect=np.where(swapped, other, effect), other=np.where(swapped, effect, other),
        orientation=Orientation(
            swapped=swapped, complemented=complemented, left_aligned=left_aligned, lift_reversed=located.lift_reversed,
            palindromic=palindromic, indel=~single, either_reference=effect_agrees & other_agrees,
        ),
    )  # fmt: skip
    return oriented.without({outcomes.REFERENCE_MISMATCH: ~(effect_agrees | other_agrees | complemented)})
