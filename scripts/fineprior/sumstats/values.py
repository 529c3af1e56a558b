"""Numbers of summary statistics: read from their text, and completed from one another in each row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.reading import CODES, CODES_OF_EFFECTS
from fineprior.sumstats.formats import RATIOS

_OF_A_CODE = 1.0
"""Difference of |z| from the p-value's, from which on a code is no effect."""
_LARGEST_Z = 37.0
"""|z| from which on a p-value may be written as 0."""
LARGEST_WITHOUT_SIGN = 2.0
"""|z| of a p-value up to which an effect of 0 (mostly a rounded one) is taken as z = 0."""
_NUMBER = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?|(?i:inf|infinity))$"
_THOUSANDS = r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?$"
_SMALL_P = r"^(?P<number>[0-9]*\.?[0-9]+|[0-9]+\.)[eEdD]-(?P<exponent>[0-9]+)$"
_DIGITS = r"^[+-]?[0-9]*\.?(?P<fraction>[0-9]*)(?:[eEdD](?P<exponent>[+-]?[0-9]+))?$"
_BELOW = r"^\s*(?:[pP]\s*)?(?:<=?|\x{2264}|&lt;=?)\s*"
_ABOVE = r"^\s*(?:>=?|\x{2265}|&gt;=?)\s*"


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
    only a bound is known, gives no z, and without another its -log10 p stays infinite, or the bound. An effect of 0
    has no sign, so a p-value that is not that of 0 either (above `LARGEST_WITHOUT_SIGN`) gives no z.

    Parameters
    ----------
    p, given
        -log10 p, of the p-value (`neg_log10_of_p`) and as the file has it, which goes first.
    at_least
        What -log10 p is at least (`bounds`), where that is all that the file says.

    Returns
    -------
    se, z, neg_log10_p; claimed: -log10 p as the file has it, NaN where it has none; expected: that of z where z is
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
        -log10 p as the file has it, and sample sizes.
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
