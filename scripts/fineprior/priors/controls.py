"""Controls of a prior: the same scores moved to other variants of the same locus, allele frequency and LD."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.genotypes.ld_store import read_locus_ld
from fineprior.priors.blocks import Integers, locus_sizes, locus_starts

MAF_BINS = 3
LD_BINS = 2


def ld_scores(R: npt.NDArray[Any]) -> Floats:
    """LD score (p,) of each variant within its locus: the sum of r^2 with all variants, itself included."""
    return np.asarray(np.einsum("ij,ij->i", R, R, dtype=np.float64), dtype=float)


def locus_ld_scores(path: str, locus: str, variant_ids: list[str]) -> Floats:
    """LD score (p,) of each variant within its locus, from a file of LD; NaN where a variant has no LD."""
    found, known = read_locus_ld(path, locus, variant_ids)
    scores = np.full(len(known), np.nan)
    scores[known] = ld_scores(found.r)
    return scores


def frequencies(variants: pd.DataFrame) -> Floats:
    """Frequency (n,) of the alternative allele: in the GWAS, or in the panel where the GWAS has none."""
    return variants["eaf"].fillna(variants["panel_af"]).to_numpy(dtype=float)


def bins_of_variants(variants: pd.DataFrame, ld: Mapping[str, str]) -> Integers:
    """Bin of MAF and LD score (n,) of each variant within its locus.

    Parameters
    ----------
    variants
        Columns locus, variant_id, eaf, panel_af; locus after locus.
    ld
        File of LD of each locus.
    """
    scores = [
        locus_ld_scores(ld[str(locus)], str(locus), rows["variant_id"].tolist())
        for locus, rows in variants.groupby("locus", sort=False)
    ]
    starts = locus_starts(variants["locus"])
    return matching_bins(frequencies(variants), np.concatenate(scores) if scores else np.zeros(0), starts)


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
    """Rows (n,) to take values from: a permutation within each locus and bin, of the variants that have a value.

    It depends on the seed and the name of the locus alone, not on the batch of the locus. Variants without a value
    (NaN) stay where they are.
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
    """Which of `count` equal parts each value is in, by rank; ties by order."""
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank * count // max(len(values), 1)
