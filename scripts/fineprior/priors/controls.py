"""What a functional prior is held against: the same values on other variants that could have had them as well."""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.priors.blocks import Integers, locus_sizes

MAF_BINS = 3
LD_BINS = 2


def ld_scores(R: npt.NDArray[Any]) -> Floats:
    """LD score (p,) of each variant within its locus: the sum of r^2 with all variants, itself included."""
    return np.asarray(np.einsum("ij,ij->i", R, R, dtype=np.float64), dtype=float)


def matching_bins(frequency: Floats, ld_score: Floats, starts: Integers) -> Integers:
    """Bin (n,) of each variant within its locus: thirds by minor allele frequency, each in halves by LD score.

    NaN (no frequency, no LD) sorts last. The bins are of ranks, so every locus has variants in all of them.
    """
    bins = np.zeros(len(frequency), dtype=np.int64)
    maf = np.minimum(frequency, 1 - frequency)
    for start, size in zip(starts, locus_sizes(starts, len(frequency)), strict=True):
        rows = slice(start, start + size)
        by_maf = _quantile_bin(maf[rows], MAF_BINS)
        for number in range(MAF_BINS):
            inside = start + np.flatnonzero(by_maf == number)
            bins[inside] = number * LD_BINS + _quantile_bin(ld_score[inside], LD_BINS)
    return bins


def shuffle_within_bins(values: Floats, locus: npt.ArrayLike, starts: Integers, bins: Integers, seed: int) -> Integers:
    """Rows (n,) to take values from: a permutation within each locus and bin, of the variants that have one.

    It depends on the seed and the name of the locus alone, not on the batch that it is computed in. Variants without
    a value (NaN) stay where they are.
    """
    names = np.asarray(locus, dtype=object)
    taken = np.arange(len(values))
    for start, size in zip(starts, locus_sizes(starts, len(values)), strict=True):
        draw = np.random.default_rng([seed, zlib.crc32(str(names[start]).encode())])
        here = np.arange(start, start + size)
        for number in range(MAF_BINS * LD_BINS):
            known = here[(bins[here] == number) & ~np.isnan(values[here])]
            taken[known] = draw.permutation(known)
    return taken


def _quantile_bin(values: Floats, count: int) -> Integers:
    """Which part of so many equal ones, by rank; ties by order."""
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank * count // max(len(values), 1)
