"""Alleles and names of variants."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_MIRRORED = ("beta", "z")


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
