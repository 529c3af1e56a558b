"""How far the population of a panel is from that of a GWAS, by the allele frequencies of both: Hudson's F_ST.

Of each variant with frequencies p (GWAS of n people) and q (panel of B people)

    N = (p - q)² - p (1 - p) / (2 n - 1) - q (1 - q) / (2 B - 1),  D = p (1 - q) + q (1 - p);

F_ST is the sum of N over that of D (Hudson et al. 1992, doi:10.1093/genetics/132.2.583; the form for two sample sizes,
and the ratio of sums, of Bhatia et al. 2013, doi:10.1101/gr.154831.113, equation 10). Its standard error is that of a
block jackknife for blocks of unequal size (Busing et al. 1999, doi:10.1023/A:1008800423698).
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import Floats
from fineprior.genome.contigs import plain_name

FEWEST_VARIANTS, FEWEST_BLOCKS = 100, 5
FAR_FST = 0.01
"""F_ST above which a reader is warned."""
LARGEST_ERROR, LARGEST_ERROR_SHARE = 0.001, 0.25
"""Standard error of F_ST, and its share of F_ST: where both are exceeded, F_ST is too uncertain for a fit. A drift of
0.1% moves correlations near 0.6 as much as a panel of 260 people does by its size, so that 0 +- 0.3% (of one locus) is
not enough to know; 11% +- 0.3% is."""
_ENOUGH_BLOCKS, _BLOCKS = 20, (5_000_000, 1_000_000, 250_000, 50_000)
"""Blocks of the widest of these widths (bp) that gives enough blocks; else of the last."""
_COPIED = 0.25
"""Squared differences below this share of what the samples alone let expect: the frequencies are not independent."""
_GENOME_WIDE = -math.log10(5e-8)
_AWAY, _OUTLIER = 0.08, 4.0
"""A frequency is that of the other allele where the two are on opposite sides of 0.5 and differ by more than so many
standard deviations of sampling and drift. Variants whose frequencies are on opposite sides, and both at least this far
from 0.5, have no part in the estimate of that drift."""
_MOST_DECIMALS = 4
_UNEVEN = ("X", "Y", "MT")


def usable_fst(fst: tuple[float, float] | None) -> float | None:
    """F_ST as fits take it, 0 or more; None when it is not known, or too uncertain.

    Parameters
    ----------
    fst
        F_ST and its standard error, NaN where a user gave F_ST without one: it then counts as known.
    """
    if fst is None or math.isnan(fst[0]) or fst[1] > max(LARGEST_ERROR, LARGEST_ERROR_SHARE * fst[0]):
        return None
    return max(fst[0], 0.0)


def percents(fst: float, error: float) -> tuple[str, str, str]:
    """F_ST and its 95% interval, in percent; 0 where it is below 0, or less than a thousandth of a percent."""
    value, low, high = (f"{round(100 * max(fst + side * 1.96 * error, 0), 3):.2g}" for side in (0, -1, 1))
    return value, low, high


@dataclass(frozen=True)
class PanelFst:
    """F_ST between the populations of a GWAS and of the panel whose LD is used.

    Attributes
    ----------
    value, error : float
        F_ST, which may be below 0 by chance, and its standard error; NaN when they are not known.
    state : {"known", "copied", "no_frequencies", "few_variants"}
        Why it is not known: the frequencies of the GWAS are those of the panel; GWAS or panel has none; fewer than
        FEWEST_VARIANTS variants or FEWEST_BLOCKS blocks can be compared.
    panel_size : float or None
        Samples in the panel; None when they are not known.
    variants, exchanged, blocks : int
        Variants that it is of; those left out because their frequency is that of the other allele; blocks of the
        jackknife.
    """

    value: float
    error: float
    state: str
    panel_size: float | None
    variants: int = 0
    exchanged: int = 0
    blocks: int = 0

    @property
    def far(self) -> bool:
        """Whether it is so large that a reader is warned."""
        return self.value > FAR_FST

    def row(self) -> dict[str, object]:
        """The row of PANEL_FST."""
        return {
            "state": self.state, "fst": self.value, "fst_error": self.error, "variants": self.variants,
            "exchanged": self.exchanged, "blocks": self.blocks, "panel_size": self.panel_size,
            "sentence": self.sentence,
        }  # fmt: skip

    @property
    def sentence(self) -> str:
        """It in words."""
        if self.state == "known":
            value, low, high = percents(self.value, self.error)
            text = f"The panel differs from the GWAS by F_ST {value}% ({low}-{high})"
            left = f"; {self.exchanged:,} variants with the frequency of the other allele are left out"
            warning = " Its LD may be wrong." if self.far else ""
            if usable_fst((self.value, self.error)) is None:
                warning += " It is too uncertain to be used in fits."
            return f"{text}, over {self.variants:,} variants{left if self.exchanged else ''}.{warning}"
        blocks = f"{self.blocks} block{'s' * (self.blocks != 1)}"
        why = {
            "copied": "the allele frequencies of the GWAS are those of the panel",
            "no_frequencies": "GWAS or panel has no allele frequencies",
            "few_variants": f"only {self.variants:,} variants in {blocks} can be compared",
        }[self.state]
        return f"How far the panel is from the GWAS (F_ST) is not known: {why}."


def panel_fst(table: pd.DataFrame, panel_size: float | None) -> PanelFst:
    """F_ST over the variants of a GWAS.

    Variants of X, Y and MT are not used, for their copies differ between the sexes; nor are those of p < 5e-8, whose
    frequency in cases is not that of the population. Frequencies that are rounded to at most 4 decimals are corrected
    for it.

    Parameters
    ----------
    table
        chrom, pos, eaf, panel_af (both of one allele, NaN where not known), n (people) and neg_log10_p.
    panel_size
        Samples in the panel; None only where there are no frequencies of it.
    """
    eaf, panel_af, n = (table[name].to_numpy(np.float64) for name in ("eaf", "panel_af", "n"))
    known = np.isfinite(eaf) & np.isfinite(panel_af)
    if panel_size is None or not known.any():
        return PanelFst(math.nan, math.nan, "no_frequencies", panel_size)
    uneven = {chrom for chrom in table["chrom"].unique() if plain_name(chrom) in _UNEVEN}
    known &= (n > 1) & ~(table["neg_log10_p"].to_numpy() > _GENOME_WIDE) & ~table["chrom"].isin(uneven).to_numpy()
    chrom, pos = table["chrom"][known].to_numpy(), table["pos"][known].to_numpy(np.int64)
    eaf, panel_af, n = eaf[known], panel_af[known], n[known]
    sampling = sampling_variance(eaf, n) + sampling_variance(panel_af, panel_size)
    rounding = _rounding_variance(eaf)
    between = differ_between(eaf, panel_af)
    excess = (eaf - panel_af) ** 2 - sampling - rounding
    exchanged = _of_other_allele(eaf, panel_af, excess, sampling + rounding, between)
    excess, between = excess[~exchanged], between[~exchanged]
    blocks = _blocks(chrom[~exchanged], pos[~exchanged])
    counts = {"variants": len(excess), "exchanged": int(exchanged.sum()), "blocks": int(blocks.max(initial=-1)) + 1}
    if counts["variants"] < FEWEST_VARIANTS or counts["blocks"] < FEWEST_BLOCKS:
        return PanelFst(math.nan, math.nan, "few_variants", panel_size, **counts)
    if excess.sum() < (_COPIED - 1) * sampling[~exchanged].sum():
        return PanelFst(math.nan, math.nan, "copied", panel_size, **counts)
    value, error = ratio_of_sums(excess, between, blocks)
    return PanelFst(value, error, "known", panel_size, **counts)


def sampling_variance(frequency: Floats, people: Floats | float) -> Floats:
    """Unbiased estimate of the variance of a frequency (n,) in so many people."""
    return frequency * (1 - frequency) / (2 * people - 1)


def differ_between(one: Floats, other: Floats) -> Floats:
    """Probability (n,) that an allele of one population and one of the other differ: D."""
    return one * (1 - other) + other * (1 - one)


def _rounding_variance(frequencies: Floats) -> float:
    """Variance that rounding adds to frequencies, by their decimals; 0 where they have more than a few."""
    for decimals in range(1, _MOST_DECIMALS + 1):
        scaled = frequencies * 10**decimals
        if (np.abs(scaled - np.rint(scaled)) < 1e-6 * 10**decimals).all():
            return float(10.0 ** (-2 * decimals) / 12)
    return 0.0


def _of_other_allele(
    eaf: Floats, panel_af: Floats, excess: Floats, noise: Floats, between: Floats
) -> NDArray[np.bool_]:
    """Whether a frequency of the GWAS is that of the other allele, beyond what drift of this size makes likely."""
    opposite = (eaf > 0.5) != (panel_af > 0.5)
    clear = opposite & (np.abs(eaf - 0.5) >= _AWAY) & (np.abs(panel_af - 0.5) >= _AWAY)
    if clear.all() or not clear.any():
        return np.asarray(clear)
    drift = max(float(excess[~clear].sum() / between[~clear].sum()), 0.0)
    return np.asarray(opposite & ((eaf - panel_af) ** 2 > _OUTLIER**2 * (noise + drift * between)))


def _blocks(chrom: NDArray[np.object_], pos: NDArray[np.int64]) -> NDArray[np.intp]:
    """Number (n,), from 0, of each variant's block."""
    number = pd.factorize(chrom)[0]
    for width in _BLOCKS:
        blocks = pd.factorize(number * (1 << 32) + pos // width)[0]
        if blocks.max(initial=-1) + 1 >= _ENOUGH_BLOCKS:
            break
    return np.asarray(blocks)


def ratio_of_sums(numerator: Floats, denominator: Floats, blocks: NDArray[np.intp]) -> tuple[float, float]:
    """Sum of the numerators over that of the denominators, and its standard error by the jackknife over blocks.

    Parameters
    ----------
    numerator, denominator : ndarray, shape (n,)
    blocks : ndarray of int, shape (n,)
        Block of each variant, from 0; at least two.
    """
    top, bottom = np.bincount(blocks, numerator), np.bincount(blocks, denominator)
    count, size = len(top), len(blocks) / np.bincount(blocks)
    whole = top.sum() / bottom.sum()
    without = (top.sum() - top) / (bottom.sum() - bottom)
    mean = count * whole - ((1 - 1 / size) * without).sum()
    pseudo = size * whole - (size - 1) * without
    return float(whole), float(np.sqrt(((pseudo - mean) ** 2 / (size - 1)).mean()))
