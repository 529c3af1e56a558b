"""Numbers of summary statistics: effects, z, p-values and sample sizes completed from one another, and judged."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from fineprior.foundation.errors import InputError
from fineprior.sumstats.formats import RATIOS

Floats = NDArray[np.float64]
ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_LEAST_AGREEMENT = 0.5
_MOST_OUT_OF_RANGE = 0.1
_SHOWN_LOG10_P = 50.0
_P_OUTSIDE = "p-value is not within 0 to 1"
_SMALL_P = re.compile(r"([0-9]*\.?[0-9]+|[0-9]+\.)[eEdD]-([0-9]+)")


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


def floats(values: pa.Array | None, rows: int) -> Floats:
    """Numbers of a column; NaN where it has none, or text; all NaN without the column."""
    if values is None:
        return np.full(rows, np.nan)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        numbers = pa.compute.cast(values, pa.float64())
    except pa.ArrowInvalid:
        trimmed = pa.compute.utf8_trim_whitespace(pa.compute.cast(values, pa.string()))
        return pd.to_numeric(trimmed.to_pandas(), errors="coerce").to_numpy(np.float64, copy=True)
    return np.array(numbers.to_numpy(zero_copy_only=False), np.float64)


def neg_log10_of_p(values: pa.Array | None, rows: int) -> Floats:
    """-log10 of a column of p-values.

    p < 0 gives -inf and p > 1 a value below 0, out of range for whoever checks; a p-value that a float cannot hold is
    taken from its text (1e-400 gives 400), and one of 0 is infinite: its size is to be taken from elsewhere.
    """
    p = floats(values, rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.select([p < 0, p == 0], [-np.inf, np.inf], 0.0 - np.log10(p))
    small = np.flatnonzero((p >= 0) & (p < np.finfo(float).tiny))
    if len(small) and values is not None and not pa.types.is_floating(values.type):
        for row, text in zip(small, values.take(pa.array(small)).to_pylist(), strict=True):
            written = _SMALL_P.fullmatch(str(text).strip())
            if written and float(written[1]) > 0:
                found[row] = int(written[2]) - np.log10(float(written[1]))
    return found


def complete(beta: Floats, se: Floats, z: Floats, p: Floats, given: Floats) -> dict[str, Floats]:
    """Standard error, z and -log10 p of each row, from what it has.

    z is beta / se, else the z of the file, else the p-value's with the sign of beta; a p-value of 0 tells no z, and
    without another its -log10 p stays infinite.

    Parameters
    ----------
    p, given
        -log10 p, of the p-value (`neg_log10_of_p`) and as the file has it, which goes first.
    """
    neg_log10_p = np.where(np.isnan(given), p, given)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(se > 0, beta / se, np.nan)
        z = np.where(np.isnan(own), z, own)
        without = np.isnan(z) & np.isfinite(neg_log10_p)
        if without.any():
            z[without] = np.sign(beta[without]) * z_of(neg_log10_p[without])
        se = np.where(np.isnan(se) & (z != 0), np.abs(beta / z), se)
    unknown = np.isnan(neg_log10_p) | (np.isposinf(neg_log10_p) & ~np.isnan(z))  # p of 0 without z: a hit that is lost
    neg_log10_p[unknown] = neg_log10_p_of(z[unknown])
    return {"se": se, "z": z, "neg_log10_p": neg_log10_p}


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

    def add(self, frame: pd.DataFrame) -> None:
        """Count a chunk with the columns `sumstats.sumstats.STANDARD`."""
        self.rows += len(frame)
        self.sized += int(frame["n"].notna().sum())
        beta = frame["beta"].to_numpy()
        self.betas += int((~np.isnan(beta)).sum())
        self.not_positive += int((beta <= 0).sum())
        self.like_ratios += int(((beta >= 0.5) & (beta <= 2)).sum())
        se, eaf, claimed = (frame[name].to_numpy() for name in ("se", "eaf", "neg_log10_p"))
        for name, values, bad in (
            ("standard error is not above 0", se, se <= 0),
            ("frequency of the effect allele is not within 0 to 1", eaf, (eaf < 0) | (eaf > 1)),
            (_P_OUTSIDE, claimed, claimed < 0),
        ):
            self._count_outside(name, values, bad, frame["row"].to_numpy())
        z = frame["z"].to_numpy()
        usable = np.isfinite(z) & np.isfinite(claimed)
        if usable.any():
            pair = np.minimum([neg_log10_p_of(z[usable]), claimed[usable]], _SHOWN_LOG10_P)
            self.pairs += int(usable.sum())
            self.sums += np.column_stack([pair.sum(1), (pair**2).sum(1), [(pair[0] * pair[1]).sum()] * 2])
            self.least_spread[0] = np.minimum(self.least_spread[0], pair.min(1))
            self.least_spread[1] = np.maximum(self.least_spread[1], pair.max(1))

    def finish(self, n_hint: str) -> None:
        """Judge the file.

        Raises
        ------
        InputError
            There was no row, or none with a sample size; text in place of numbers, or numbers that are out of their
            range, in many rows; betas that are ratios; or p-values that are not those of the effects.
        """
        if not self.rows:
            raise InputError(f"{self.path}: no rows after the header")
        for name, (count, line, text) in self.texts.items():
            if self._many(count):
                raise InputError(f"{self.path}: {name} is no number in {count:,} of {self.rows:,} rows, first in line "
                                 f"{line} ('{text[:30]}'); numbers are written like 1234.5 or 1e-8, missing ones as NA"
                                 )  # fmt: skip
        if not self.sized:
            raise InputError(f"{self.path}: no sample size; {n_hint}")
        if self.betas >= ENOUGH_ROWS and not self.not_positive and self.like_ratios > 0.5 * self.betas:
            raise InputError(f"{self.path}: every beta is above 0 and they lie around 1; are they odds ratios?")
        agreement = self._agreement()
        if agreement < _LEAST_AGREEMENT:
            raise InputError(
                f"{self.path}: p-values and effects contradict one another (correlation of -log10 p with that of "
                f"effect / standard error: {agreement:.2f}); is p_value a -log10 p, or standard_error that of a ratio?"
            )
        for name, (count, line, value) in self.outside.items():
            if self._many(count):
                raise InputError(f"{self.path}: {name} in {count:,} of {self.rows:,} rows, first in line {line} "
                                 f"({value}); is it the column that it is named?")  # fmt: skip

    def add_text(self, name: str, column: pa.Array, numbers: Floats, rows: NDArray[np.int64]) -> None:
        """Count the rows of a text column that have something which is no number."""
        missing = np.isnan(numbers)
        if pa.types.is_string(column.type) and missing.sum() > column.null_count:
            found = np.flatnonzero(missing & column.is_valid().to_numpy(zero_copy_only=False))
            count, line, text = self.texts.get(name, (0, int(rows[found[0]]), column[int(found[0])].as_py()))
            self.texts[name] = (count + len(found), line, text)

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
