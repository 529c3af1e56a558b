"""Whether the numbers of a row are those of one result: z and p-value, and any other number given twice.

Rounding can explain a difference, and shows in the text of a number, so each chunk is compared while its text is at
hand. What follows from a disagreement is decided when all rows are read (`sumstats.z_and_p`).
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fineprior.files.arrays import Floats
from fineprior.sumstats.file_checks import FileChecks
from fineprior.sumstats.formats import RATIOS
from fineprior.sumstats.values import places_written, z_of

WALD, HAS_P, DISAGREES, ROUNDED, TWO_VALUES, CONTRADICTS, FROM_P = (1 << bit for bit in range(7))
"""Bits of the mark of a row. WALD: z is effect / standard error. HAS_P: z and the p-value are two, neither made of the
other. DISAGREES: they differ by more than rounding explains. ROUNDED: rounding explains it, and the p-value is the
sharper of the two. TWO_VALUES: an effect, z or p-value that is there twice has two values. CONTRADICTS: two signs, or
a z that does not reach the bound of its p-value. FROM_P: z was taken from the p-value (`z_and_p`)."""

_TOLERANCE, _RELATIVE = 0.2, 0.025
_GAP = 0.06
"""Times 1 + the root of -log10 p: a difference of -log10 p that the tolerance of z allows at every z."""
_VAGUE, _VAGUE_SHARE = 0.5, 0.05
"""By how much rounding may change a z without a word, and the share of it besides."""
_SAME_EFFECT, _SAME_LOG10_P = 0.1, 0.3
"""Share of an effect, and difference of -log10 p, by which what is there twice may differ beside rounding."""
_HALF = np.log10(0.5)

Index = NDArray[np.intp]
Marks = NDArray[np.uint8]
Range = tuple[Floats, Floats]


def tolerance(z: Floats) -> Floats:
    """What |z| and that of the p-value may differ by, beside what rounding explains."""
    return _TOLERANCE + _RELATIVE * np.abs(z)


def of_t(t: Floats, n: Floats) -> Floats:
    """The |z| that has the two-sided p-value of |t| with n degrees of freedom (Wallace 1959); t where n is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.sqrt(n * np.log1p(t**2 / n)) * (8 * n + 1) / (8 * n + 3)
    return np.where(n > 0, z, t)


class Agreement:
    """The numbers of a chunk of rows, as written and as read.

    Parameters
    ----------
    columns
        The columns as they came, by what they are.
    numbers
        Those of each column by what it is (p_value: -log10 p); p_bound: what -log10 p is at least, where that is all
        that is known.
    effects, n
        Effects (logarithms of ratios where there is no beta), and sample sizes.
    found
        What `values.complete` made of them.
    """

    def __init__(
        self, columns: Mapping[str, pa.Array], numbers: Mapping[str, Floats], effects: Floats, n: Floats,
        found: Mapping[str, Floats],
    ) -> None:  # fmt: skip
        self._columns, self._numbers, self._effects, self._n, self._found = columns, numbers, effects, n, found
        self._wald = (numbers["standard_error"] > 0) & np.isfinite(effects)

    def marks(self, checks: FileChecks, rows: NDArray[np.int64]) -> Marks:
        """The marks of the rows; what is there twice and disagrees is counted in `checks` by its lines `rows`."""
        marks = np.where(self._wald, WALD, 0).astype(np.uint8)
        self._p_values(marks)
        self._bounds(marks, checks, rows)
        self._rounded(checks, rows)
        for ratio in [name for name in RATIOS if name in self._columns]:
            with np.errstate(divide="ignore", invalid="ignore"):
                effects = {"beta": self._numbers["beta"], ratio: np.log(self._numbers[ratio])}
            self._twice(effects, f"beta and the logarithm of {ratio}", marks, checks, rows)
        if {"odds_ratio", "hazard_ratio"} <= set(self._columns):
            with np.errstate(divide="ignore", invalid="ignore"):
                effects = {name: np.log(self._numbers[name]) for name in RATIOS}
            self._twice(effects, "the logarithms of odds_ratio and hazard_ratio", marks, checks, rows)
        if "z_score" in self._columns:
            with np.errstate(divide="ignore", invalid="ignore"):
                own = np.where(self._wald, self._effects / self._numbers["standard_error"], np.nan)
            self._twice({"z_score": self._numbers["z_score"], "": own}, "z_score and effect / standard error", marks,
                        checks, rows)  # fmt: skip
        self._two_p_values(marks, checks, rows)
        return marks

    def _p_values(self, marks: Marks) -> None:
        claimed, expected = self._found["claimed"], self._found["expected"]
        with np.errstate(invalid="ignore"):
            has_p = np.isfinite(expected) & np.isfinite(claimed) & (claimed >= 0)
            marks[has_p] |= HAS_P
            near = _GAP * (1 + np.sqrt(np.maximum(claimed, expected)))
            at = np.flatnonzero(has_p & (np.abs(expected - claimed) > near))
        if not len(at):
            return
        z, by_p, n = np.abs(self._found["z"][at]), z_of(claimed[at]), self._n[at]
        allowed = tolerance(np.maximum(z, by_p))
        differ = (by_p > z + allowed) | (by_p < of_t(z, n) - allowed)
        low, high = self._z_range(at)
        least, most = self._p_range(at)
        beyond = (least > high + allowed) | (most < of_t(low, n) - allowed)
        sharper = most - least < high - low
        marks[at[differ & beyond]] |= DISAGREES
        marks[at[differ & ~beyond & sharper]] |= ROUNDED

    def _rounded(self, checks: FileChecks, rows: NDArray[np.int64]) -> None:
        """Tell of z that rounding may have made anything, without a p-value that says better."""
        at = np.flatnonzero(self._wald & np.isnan(self._found["claimed"]))
        if not len(at):
            return
        low, high = self._z_range(at)
        vague, least, most = np.zeros(len(rows), bool), np.zeros(len(rows)), np.zeros(len(rows))
        least[at], most[at] = low, high
        vague[at] = high - low > _VAGUE + _VAGUE_SHARE * low
        what = "effect and standard error are rounded so far that |z| may be anything between two numbers,"
        checks.add_conflict(what, vague, least, most, rows, fatal=False)

    def _bounds(self, marks: Marks, checks: FileChecks, rows: NDArray[np.int64]) -> None:
        with np.errstate(invalid="ignore"):
            at = np.flatnonzero(self._numbers["p_bound"] > self._found["expected"])
        beyond = np.zeros(len(rows), bool)
        least = z_of(self._numbers["p_bound"][at])
        beyond[at] = self._z_range(at)[1] + tolerance(least) < least
        marks[beyond] |= CONTRADICTS
        bound = np.zeros(len(rows))
        bound[at] = least
        checks.add_conflict("z does not reach the bound of its p-value, so the row is excluded,", beyond,
                            self._found["z"], bound, rows, fatal=False)  # fmt: skip

    def _twice(
        self, values: dict[str, Floats], what: str, marks: Marks, checks: FileChecks, rows: NDArray[np.int64]
    ) -> None:
        """Two numbers that should be one: of two signs, or of one sign and different."""
        (name, first), (other, second) = values.items()
        least = 0 if other else _TOLERANCE
        with np.errstate(invalid="ignore"):
            share = _SAME_EFFECT * np.maximum(np.abs(first), np.abs(second))
            at = np.flatnonzero(np.abs(first - second) > least + share)
        if not len(at):
            return
        ranges = [self._range(key, number[at], at) for key, number in ((name, first), (other, second))]
        (low, high), (lowest, highest) = ranges
        opposite = ((low > 0) & (highest < 0)) | ((high < 0) & (lowest > 0))
        allowed = least + share[at]
        differ = ~opposite & ((low > highest + allowed) | (high < lowest - allowed))
        for which, mark, verb in ((opposite, CONTRADICTS, "have opposite signs"), (differ, TWO_VALUES, "disagree")):
            marked = np.zeros(len(rows), bool)
            marked[at[which]] = True
            marks[marked] |= mark
            taken = "so the row is excluded" if mark == CONTRADICTS else f"the {'former' if other else 'latter'} counts"
            checks.add_conflict(f"{what} {verb}, {taken},", marked, first, second, rows, fatal=mark == CONTRADICTS)

    def _two_p_values(self, marks: Marks, checks: FileChecks, rows: NDArray[np.int64]) -> None:
        p, given = self._numbers["p_value"], self._numbers["neg_log_10_p_value"]
        with np.errstate(invalid="ignore"):
            at = np.flatnonzero(np.isfinite(p) & np.isfinite(given) & (np.abs(p - given) > _SAME_LOG10_P))
        if not len(at):
            return
        least, most = self._p_range(at, "p_value")
        low, high = self._p_range(at, "neg_log_10_p_value")
        reach = tolerance(high)
        marked = np.zeros(len(rows), bool)
        marked[at] = ((least > high + reach) | (most < low - reach)) & ~is_floor(p[at])
        marks[marked] |= TWO_VALUES
        checks.add_conflict("p_value and neg_log_10_p_value (here both as -log10 p) disagree, the latter counts,",
                            marked, p, given, rows, fatal=False)  # fmt: skip

    def _z_range(self, at: Index) -> Range:
        """What |z| can be before rounding."""
        z = np.abs(self._found["z"][at])
        low, high = z.copy(), z.copy()
        if "z_score" in self._columns:
            half = self._half("z_score", at)
            low, high = np.maximum(z - half, 0), z + half
        wald = self._wald[at]
        effect, se = np.abs(self._effects[at]), self._numbers["standard_error"][at]
        half, half_se = self._half_effect(at), self._half("standard_error", at)
        with np.errstate(divide="ignore", invalid="ignore"):
            low = np.where(wald, np.maximum(effect - half, 0) / (se + half_se), low)
            high = np.where(wald, (effect + half) / np.maximum(se - half_se, 0), high)
        return low, np.nan_to_num(high, nan=np.inf)

    def _p_range(self, at: Index, name: str = "") -> Range:
        """What the |z| of the p-value can be before rounding; of the one that counts, or of one of the two."""
        p, given = self._numbers["p_value"][at], self._numbers["neg_log_10_p_value"][at]
        use_given = ~np.isnan(given) if not name else np.full(len(at), name == "neg_log_10_p_value")
        half = self._half("neg_log_10_p_value", at)
        low, high = np.maximum(given - half, 0), given + half
        if "p_value" in self._columns:
            with np.errstate(over="ignore"):
                share = 10.0 ** np.minimum(_HALF - places_written(self._columns["p_value"], at) + p, 300)
            share = np.nan_to_num(share)
            with np.errstate(divide="ignore"):
                low = np.where(use_given, low, np.maximum(p - np.log10(1 + share), 0))
                high = np.where(use_given, high, p - np.log10(np.maximum(1 - share, 1e-300)))
        return z_of(low), z_of(high)

    def _range(self, name: str, values: Floats, at: Index) -> Range:
        """A number of a column, or effect / standard error, before rounding."""
        if name == "":
            low, high = self._z_range(at)
            sign = np.sign(values)
            return np.where(sign < 0, -high, low), np.where(sign < 0, -low, high)
        half = self._half(name, at)
        if name in RATIOS:
            half = half / np.exp(values)
        return values - half, values + half

    def _half_effect(self, at: Index) -> Floats:
        """Half a unit of the last place of the effect."""
        half = self._half("beta", at)
        for name in RATIOS:
            if name in self._columns:
                own = self._half(name, at) / self._numbers[name][at]
                half = np.where(np.isnan(self._numbers["beta"][at]), own, half)
        return np.nan_to_num(half)

    def _half(self, name: str, at: Index) -> Floats:
        """Half a unit of the last place of a column's numbers; 0 without the column."""
        if name not in self._columns:
            return np.zeros(len(at))
        half: Floats = np.nan_to_num(0.5 * 10.0 ** -np.clip(places_written(self._columns[name], at), -300, 300))
        return half


_FLOORS = -np.log10([2.2e-16, 2.22e-16, 2e-16, 1e-15, 1e-16, 1e-299, 1e-300, 1e-307, 2.225e-308, 1e-308, 4.94e-324])


def is_floor(neg_log10_p: Floats) -> NDArray[np.bool_]:
    """Whether p-values are those that programs write in place of smaller ones: 2.2e-16, 1e-300 and their like."""
    return np.asarray((np.abs(neg_log10_p[:, None] - _FLOORS) < 0.01).any(1))
