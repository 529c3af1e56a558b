"""Numbers of summary statistics: effects, z, p-values and sample sizes completed from one another, and judged."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.reading import CODES, CODES_OF_EFFECTS, missing_among
from fineprior.sumstats.formats import RATIOS

ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_LEAST_AGREEMENT = 0.5
_MOST_OUT_OF_RANGE = 0.1
_SHOWN_LOG10_P = 50.0
_SHOWN_TEXT = 30
_OF_A_CODE = 1.0
"""Difference of |z| from the p-value's, from which on a code is no effect."""
_LARGEST_Z = 37.0
"""|z| from which on a p-value may be written as 0."""
_NEAR_ZERO = 0.21
"""|z| below which half of the rows lie where lambda of genomic control is 0.1."""
_WEAK = 2.0
"""|z| up to which effects have both signs in a file."""
_NO_LOGARITHM, _OF_ALL = 1e-6, 100
"""-log10 p that no test gives, and rows of which one at least has a p-value below 0.1."""
_P_OUTSIDE = "p-value is not within 0 to 1"
LARGEST_WITHOUT_SIGN = 2.0
"""|z| of a p-value up to which an effect of 0 (mostly a rounded one) is taken as z = 0."""
_NUMBER = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?|(?i:inf|infinity))$"
_THOUSANDS = r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?$"
_SMALL_P = r"^(?P<number>[0-9]*\.?[0-9]+|[0-9]+\.)[eEdD]-(?P<exponent>[0-9]+)$"
_DIGITS = r"^[+-]?[0-9]*\.?(?P<fraction>[0-9]*)(?:[eEdD](?P<exponent>[+-]?[0-9]+))?$"
_BELOW = r"^\s*(?:[pP]\s*)?(?:<=?|\x{2264}|&lt;=?)\s*"
_ABOVE = r"^\s*(?:>=?|\x{2265}|&gt;=?)\s*"

logger = logging.getLogger(__name__)


def neg_log10_p_of(z: Floats) -> Floats:
    """Two-sided -log10 p of z, without underflow."""
    return np.maximum(-(log_ndtr(-np.abs(z)) + np.log(2)) / np.log(10), 0.0)


def z_of(neg_log10_p: Floats) -> Floats:
    """The |z| whose two-sided -log10 p this is, without underflow; NaN for values below 0."""
    valid = np.where(neg_log10_p >= 0, neg_log10_p, np.nan)
    magnitude: Floats = np.abs(ndtri_exp(-valid * np.log(10) - np.log(2)))
    return magnitude


def effective_size(cases: Floats | float, controls: Floats | float) -> Floats:
    """4 / (1 / cases + 1 / controls): the size of a study with half cases that has the same power.

    It is the N of a logistic regression's z (Willer et al. 2010, METAL; PolyFun's Neff). NaN where either is not above
    0.
    """
    cases, controls = np.asarray(cases, np.float64), np.asarray(controls, np.float64)
    usable = (cases > 0) & (controls > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        size: Floats = np.where(usable, 4 / (1 / cases + 1 / controls), np.nan)
    return size


def floats(values: pa.Array | None, rows: int, *, thousands: bool = False, codes: Sequence[float] = ()) -> Floats:
    """Numbers of a column; NaN where it has none, or text; all NaN without the column.

    Parameters
    ----------
    thousands
        Whether commas set thousands apart (20,000), as in sizes; elsewhere such a text is no number.
    codes
        Numbers that stand for a missing value.
    """
    if values is None:
        return np.full(rows, np.nan)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        numbers = pa.compute.cast(values, pa.float64())
    except pa.ArrowInvalid:
        text = pa.compute.utf8_trim_whitespace(pa.compute.cast(values, pa.string()))
        if thousands:
            grouped = pa.compute.match_substring_regex(text, _THOUSANDS)
            text = pa.compute.if_else(grouped, pa.compute.replace_substring(text, ",", ""), text)
        text = pa.compute.if_else(pa.compute.match_substring_regex(text, _NUMBER), text, None)
        numbers = pa.compute.cast(pa.compute.replace_substring_regex(text, "[dD]", "e"), pa.float64())
    found = np.array(numbers.to_numpy(zero_copy_only=False), np.float64)
    for code in codes:
        found[found == code] = np.nan
    return found


def neg_log10_of_p(values: pa.Array | None, rows: int) -> Floats:
    """-log10 of a column of p-values.

    p < 0 gives -inf and p > 1 a value below 0, out of range for whoever checks; a p-value that a float cannot hold is
    taken from its text (1e-400 gives 400), and one of 0 is infinite: its size is to be taken from elsewhere.
    """
    p = floats(values, rows, codes=CODES)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.select([p < 0, p == 0], [-np.inf, np.inf], 0.0 - np.log10(p))
    small = np.flatnonzero((p >= 0) & (p < np.finfo(float).tiny))
    if len(small) and values is not None and not pa.types.is_floating(values.type):
        found[small] = _small(values.take(pa.array(small)), found[small])
    return found


def _small(texts: pa.Array, otherwise: Floats) -> Floats:
    """-log10 of p-values from their text, where it is written with an exponent and above 0."""
    parts = pa.compute.extract_regex(pa.compute.utf8_trim_whitespace(pa.compute.cast(texts, pa.string())), _SMALL_P)
    number, exponent = (_cast(pa.compute.struct_field(parts, name)) for name in ("number", "exponent"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(number > 0, exponent - np.log10(number), otherwise)


def bounds(values: pa.Array, read: Floats, *, logarithm: bool) -> Floats:
    """What a text like `<2e-16` says that -log10 p is at least; NaN where it says nothing.

    Parameters
    ----------
    values, read
        The column, and the numbers that it has.
    logarithm
        Whether the column holds -log10 p, of which `>300` is such a text.
    """
    found = np.full(len(read), np.nan)
    if not pa.types.is_string(values.type) or np.isnan(read).sum() == values.null_count:
        return found
    signs = _ABOVE if logarithm else _BELOW
    which = np.flatnonzero(
        pa.compute.match_substring_regex(values, signs).fill_null(False).to_numpy(zero_copy_only=False)
    )
    if len(which):
        text = pa.compute.replace_substring_regex(values.take(pa.array(which)), signs, "")
        found[which] = floats(text, len(which)) if logarithm else neg_log10_of_p(text, len(which))
        found[~(found > 0) | np.isinf(found)] = np.nan
    return found


def places_written(column: pa.Array, at: NDArray[np.intp]) -> Floats:
    """Places after the decimal point with which numbers are written, of some rows: 5 of `0.00012`, 9 of `1.2e-8`.

    Half a unit of the last place is what rounding can hide; NaN where there is no number.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    taken = column.take(pa.array(at))
    if pa.types.is_floating(taken.type):  # of a binary file: the fewest digits that give this number in float32
        taken = pa.compute.cast(taken, pa.float32(), safe=False)
    parts = pa.compute.extract_regex(pa.compute.utf8_trim_whitespace(pa.compute.cast(taken, pa.string())), _DIGITS)
    digits = pa.compute.utf8_length(pa.compute.struct_field(parts, "fraction"))
    exponent = _cast(pa.compute.struct_field(parts, "exponent"))
    places: Floats = np.array(digits.to_numpy(zero_copy_only=False), np.float64) - np.nan_to_num(exponent)
    return places


def _cast(texts: pa.Array) -> Floats:
    """Numbers of texts that are numbers or empty."""
    filled = pa.compute.if_else(pa.compute.equal(texts, ""), None, texts)
    return np.array(pa.compute.cast(filled, pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def complete(beta: Floats, se: Floats, z: Floats, p: Floats, given: Floats, at_least: Floats) -> dict[str, Floats]:
    """Standard error, z and -log10 p of each row, from what it has.

    z is beta / se, else the z of the file, else the p-value's with the sign of beta; a p-value of 0, or one of which
    only a bound is known, tells no z, and without another its -log10 p stays infinite, or the bound. An effect of 0
    has no sign, so a p-value that is not that of 0 either (above `LARGEST_WITHOUT_SIGN`) gives no z.

    Parameters
    ----------
    p, given
        -log10 p, of the p-value (`neg_log10_of_p`) and as the file has it, which goes first.
    at_least
        What -log10 p is at least (`bounds`), where that is all that the file tells.

    Returns
    -------
    se, z, neg_log10_p; claimed: -log10 p as the file tells it, NaN where it tells none; expected: that of z where z is
    not the p-value's, else NaN.
    """
    claimed = np.where(np.isnan(given), p, given)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(se > 0, beta / se, np.nan)
        z = np.where(np.isnan(own), z, own)
        without = np.isnan(z)
        expected = neg_log10_p_of(z)
        known = without & np.isfinite(claimed)
        if known.any():
            size, sign = z_of(claimed[known]), np.sign(beta[known])
            z[known] = np.where((sign == 0) & (size > LARGEST_WITHOUT_SIGN), np.nan, sign * size)
        se = np.where(np.isnan(se) & (z != 0), np.abs(beta / z), se)
    # p of 0 without z: a hit that is lost
    neg_log10_p = np.where(np.isnan(claimed) | (np.isposinf(claimed) & ~np.isnan(z)), expected, claimed)
    neg_log10_p = np.where(np.isnan(neg_log10_p), at_least, neg_log10_p)
    return {"se": se, "z": z, "neg_log10_p": neg_log10_p, "claimed": claimed, "expected": expected}


def coded_effects(
    effect: Floats, z: Floats, claimed: Floats, n: Floats, lacking: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which effects or z-scores are codes for a missing value: the rest of the row is not that of such a number.

    Parameters
    ----------
    effect, z
        The numbers, and the z that they make.
    claimed, n
        -log10 p as the file tells it, and sample sizes.
    lacking
        Rows in which the standard error of an effect, or the p-value of a z-score, is missing too.
    """
    coded = np.isin(effect, CODES_OF_EFFECTS)
    if not coded.any():
        return coded
    at = np.flatnonzero(coded)
    size, by_p = np.abs(z[at]), np.minimum(z_of(claimed[at]), _LARGEST_Z)
    with np.errstate(invalid="ignore"):
        odd = (size < by_p - _OF_A_CODE) | ((size > by_p + _OF_A_CODE) & (by_p < _LARGEST_Z)) | (size**2 > n[at])
    coded[at] = lacking[at] | odd
    return coded


def log_ratios(path: Path, beta: Floats, ratios: dict[str, Floats], rows: NDArray[np.int64]) -> Floats:
    """Beta, and the logarithm of a ratio where there is none.

    Raises
    ------
    InputError
        A ratio is below 0; the line is named.
    """
    for name in RATIOS:
        if name not in ratios:
            continue
        values = ratios[name]
        negative = np.flatnonzero(values < 0)
        if len(negative):
            raise InputError(f"{path}, line {rows[negative[0]]}: {name} is {values[negative[0]]:g}; a ratio is never "
                             "below 0: is it a beta?")  # fmt: skip
        with np.errstate(divide="ignore"):
            beta = np.where(np.isnan(beta), np.log(values), beta)
    return beta


@dataclass
class FileChecks:
    """What a file is judged by as a whole, gathered over its chunks: `add` each, then `finish`."""

    path: Path
    rows: int = 0
    sized: int = 0
    betas: int = 0
    like_ratios: int = 0
    not_positive: int = 0
    pairs: int = 0
    sums: Floats = field(default_factory=lambda: np.zeros((2, 3)))
    least_spread: Floats = field(default_factory=lambda: np.array([[np.inf, np.inf], [-np.inf, -np.inf]]))
    outside: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    texts: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    codes: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    bounds: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    conflicts: dict[str, tuple[int, float, str, bool]] = field(default_factory=dict)
    signs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    ones: int = 0
    without_p: int = 0
    near_zero: int = 0
    logarithms: int = 0
    largest_logarithm: float = 0.0
    tiny_logarithms: int = 0
    empty: tuple[int, int] = (0, 0)

    def add(self, frame: pd.DataFrame, claimed: Floats, expected: Floats) -> None:
        """Count a chunk with the columns `sumstats.sumstats.STANDARD`; claimed, expected: as of `complete`."""
        self.rows += len(frame)
        self.sized += int(frame["n"].notna().sum())
        beta = frame["beta"].to_numpy()
        self.betas += int((~np.isnan(beta)).sum())
        self.not_positive += int((beta <= 0).sum())
        self.like_ratios += int(((beta >= 0.5) & (beta <= 2)).sum())
        se, eaf, p = (frame[name].to_numpy() for name in ("se", "eaf", "neg_log10_p"))
        for name, values, bad in (
            ("standard error is not above 0", se, se <= 0),
            ("frequency of the effect allele is not within 0 to 1", eaf, (eaf < 0) | (eaf > 1)),
            (_P_OUTSIDE, p, p < 0),
        ):
            self._count_outside(name, values, bad, frame["row"].to_numpy())
        z, n = frame["z"].to_numpy(), frame["n"].to_numpy()
        self.signs += [((z > 0) & (z < _WEAK)).sum(), ((z < 0) & (z > -_WEAK)).sum()]
        self.ones += int((claimed == 0).sum())
        self.without_p += int((np.isnan(claimed) & ~np.isnan(z)).sum())
        self.near_zero += int((np.isnan(claimed) & (np.abs(z) < _NEAR_ZERO)).sum())
        with np.errstate(invalid="ignore"):
            root = np.sqrt(n)
            self.add_conflict(
                "|z| is larger than the root of the sample size, as if one variant explained most of the trait (is n "
                "the number of people, and the standard error that of the effect?),",
                (np.abs(z) > root) & (n > 0) & np.isfinite(z), z, root, frame["row"].to_numpy(), fatal=False,
            )  # fmt: skip
        usable = np.isfinite(expected) & np.isfinite(claimed)
        if usable.any():
            pair = np.minimum([expected[usable], claimed[usable]], _SHOWN_LOG10_P)
            self.pairs += int(usable.sum())
            self.sums += np.column_stack([pair.sum(1), (pair**2).sum(1), [(pair[0] * pair[1]).sum()] * 2])
            self.least_spread[0] = np.minimum(self.least_spread[0], pair.min(1))
            self.least_spread[1] = np.maximum(self.least_spread[1], pair.max(1))

    def finish(self, n_hint: str) -> None:
        """Judge the file, and say what of it is no number, a code or a bound, or has two values that disagree.

        Raises
        ------
        InputError
            There was no row, or none with a sample size; text in place of numbers, numbers that are out of their
            range, or effects of two signs in many rows; betas that are ratios; or p-values that are not those of the
            effects.
        """
        if not self.rows:
            raise InputError(f"{self.path}: no rows after the header")
        for name, (count, line, text) in self.texts.items():
            told = (
                f"{self.path}: {name} is no number in {count:,} of {self.rows:,} rows, first in line {line} ('{text}')"
            )
            if self._many(count):
                raise InputError(f"{told}; numbers are written like 1234.5 or 1e-8, missing ones as NA")
        self._say()
        if not self.sized:
            raise InputError(f"{self.path}: no sample size; {n_hint}")
        if self.betas >= ENOUGH_ROWS and not self.not_positive and self.like_ratios > 0.5 * self.betas:
            raise InputError(f"{self.path}: every beta is above 0 and they lie around 1; are they odds ratios?")
        no_logarithm = self.logarithms >= _OF_ALL or (self.logarithms >= ENOUGH_ROWS and self.tiny_logarithms)
        if no_logarithm and self.largest_logarithm <= 1:
            raise InputError(
                f"{self.path}: -log10 p is at most {self.largest_logarithm:g} in {self.logarithms:,} rows; is that "
                "column a p-value?"
            )
        agreement = self._agreement()
        if agreement < _LEAST_AGREEMENT:
            raise InputError(
                f"{self.path}: p-values and effects contradict one another (correlation of -log10 p with that of "
                f"effect / standard error: {agreement:.2f}); is p_value a -log10 p, or standard_error that of a ratio, "
                "or a variance?"
            )
        for name, (count, line, value) in self.outside.items():
            if self._many(count):
                raise InputError(f"{self.path}: {name} in {count:,} of {self.rows:,} rows, first in line {line} "
                                 f"({value}); is it the column that it is named?")  # fmt: skip
        for what, (count, _, strongest, fatal) in self.conflicts.items():
            told = f"{self.path}: {what} in {count:,} of {self.rows:,} rows; the strongest: {strongest}"
            if fatal and self._many(count):
                raise InputError(f"{told}; which of the two is meant? Leave out the column that is not")
            logger.warning("%s", told)

    def _say(self) -> None:
        """Tell what was passed over, or taken for something else than a number, and what few files are like."""
        if self.signs.max() >= ENOUGH_ROWS and not self.signs.min():
            logger.warning(
                "%s: all effects are %s 0 (%s rows of |z| below %g): right only where the effect allele is the one "
                "that %s the trait; are they absolute values, ratios turned to be above 1, or chi-squared?", self.path,
                "above" if self.signs[0] else "below", f"{self.signs.max():,}", _WEAK,
                "raises" if self.signs[0] else "lowers",
            )  # fmt: skip
        if self.without_p >= ENOUGH_ROWS and self.near_zero > 0.5 * self.without_p:
            logger.warning(
                "%s: |z| is below %g in %s of %s rows, as chance does not make it (lambda below 0.1), and no p-value "
                "says otherwise; is the standard error that of the effect, and not a standard deviation or the width "
                "of an interval?", self.path, _NEAR_ZERO, f"{self.near_zero:,}", f"{self.without_p:,}",
            )  # fmt: skip
        if self._many(self.ones):
            logger.warning(
                "%s: the p-value is 1 in %s of %s rows; is it corrected for the number of tests, or rounded? "
                "p-values as the test gave them are needed",
                self.path,
                f"{self.ones:,}",
                f"{self.rows:,}",
            )
        if self.empty[0]:
            logger.info("%s: %d empty lines are passed over, the first of them line %d", self.path, *self.empty)
        for name, (count, line, text) in self.texts.items():
            logger.warning("%s: %s is no number in %s of %s rows, first in line %d ('%s'); it is taken as missing",
                           self.path, name, f"{count:,}", f"{self.rows:,}", line, text)  # fmt: skip
        for name, (count, line, text) in self.codes.items():
            logger.warning("%s: %s is %s in %s of %s rows, first in line %d; that is taken as missing", self.path, name,
                           text, f"{count:,}", f"{self.rows:,}", line)  # fmt: skip
        for name, (count, line, text) in self.bounds.items():
            logger.warning(
                "%s: %s is only a bound in %s of %s rows, first in line %d ('%s'); a row that has neither a standard "
                "error nor a z-score cannot be used therefore", self.path, name, f"{count:,}", f"{self.rows:,}", line,
                text,
            )  # fmt: skip

    def add_empty(self, rows: NDArray[np.int64]) -> None:
        """Count rows in which nothing stands."""
        count, first = self.empty
        self.empty = (count + len(rows), first or int(rows[0]))

    def add_logarithms(self, values: Floats) -> None:
        """Count -log10 p as the file has them."""
        self.logarithms += int((~np.isnan(values)).sum())
        self.largest_logarithm = float(np.fmax(self.largest_logarithm, np.max(values, initial=0.0, where=values > 0)))
        self.tiny_logarithms += int(((values > 0) & (values < _NO_LOGARITHM)).sum())

    def add_codes(self, name: str, values: Floats, which: NDArray[np.bool_], rows: NDArray[np.int64]) -> None:
        """Count effects that are codes for a missing value."""
        if which.any():
            first = int(np.argmax(which))
            count, line, text = self.codes.get(name, (0, int(rows[first]), f"{values[first]:g}"))
            self.codes[name] = (count + int(which.sum()), line, text)

    def add_text(self, name: str, column: pa.Array, numbers: Floats, bound: Floats, rows: NDArray[np.int64]) -> None:
        """Count the rows of a column that have something which is no number: text, a bound, or a code for missing."""
        is_text = pa.types.is_string(column.type)
        missing = np.isnan(numbers)
        if missing.sum() <= column.null_count:
            return
        found = np.flatnonzero(missing & column.is_valid().to_numpy(zero_copy_only=False))
        taken = column.take(pa.array(found))
        if is_text:  # blanks may stand around a word
            absent = pa.array(list(missing_among(pa.compute.unique(taken).to_pylist())), pa.string())
            other = ~pa.compute.is_in(taken, absent).to_numpy(zero_copy_only=False)
            found, taken = found[other], taken.filter(pa.array(other))
        coded = ~np.isnan(floats(taken, len(found)))
        bounded = ~coded & ~np.isnan(bound[found])
        for counts, which in ((self.codes, coded), (self.bounds, bounded), (self.texts, ~coded & ~bounded)):
            if not which.any() or (counts is self.texts and not is_text):
                continue
            first = int(np.flatnonzero(which)[0])
            shown = " ".join(str(taken[first].as_py()).split())[:_SHOWN_TEXT]
            count, line, text = counts.get(name, (0, int(rows[found[first]]), shown))
            counts[name] = (count + int(which.sum()), line, text)

    def add_conflict(
        self, what: str, which: NDArray[np.bool_], first: Floats, second: Floats, rows: NDArray[np.int64], fatal: bool
    ) -> None:
        """Count rows with two values that disagree, and keep the strongest; fatal: many of them refuse the file."""
        found = np.flatnonzero(which)
        if len(found):
            strength = np.maximum(np.abs(first[found]), np.abs(second[found]))
            top = int(np.argmax(strength))
            row = found[top]
            count, largest, told, _ = self.conflicts.get(what, (0, -1.0, "", fatal))
            if strength[top] > largest:
                largest, told = strength[top], f"line {rows[row]} ({first[row]:.4g} and {second[row]:.4g})"
            self.conflicts[what] = (count + len(found), float(largest), told, fatal)

    def _many(self, count: int) -> bool:
        return self.rows >= ENOUGH_ROWS and count > _MOST_OUT_OF_RANGE * self.rows

    def _count_outside(self, name: str, values: Floats, bad: NDArray[np.bool_], rows: NDArray[np.int64]) -> None:
        found = np.flatnonzero(bad)
        if len(found):
            value = float(values[found[0]])
            shown = f"{value:g}" if name != _P_OUTSIDE else f"{10**-value:g}" if value > -300 else "below 0"
            count, line, shown = self.outside.get(name, (0, int(rows[found[0]]), shown))
            self.outside[name] = (count + len(found), line, shown)

    def _agreement(self) -> float:
        """Correlation of -log10 p with that of z; 1 where there is too little to judge by."""
        if self.pairs < ENOUGH_ROWS or (self.least_spread[1] - self.least_spread[0]).min() < 1e-6:
            return 1.0
        mean = self.sums[:, 0] / self.pairs
        variance = self.sums[:, 1] / self.pairs - mean**2
        together = self.sums[0, 2] / self.pairs - mean.prod()
        return float(together / np.sqrt(variance.prod())) if variance.min() > 0 else 1.0
