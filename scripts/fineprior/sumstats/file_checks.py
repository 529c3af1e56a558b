"""Checks of a whole file of summary statistics: counted over its chunks, judged at its end."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.reading import missing_among
from fineprior.sumstats.values import floats

ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_LEAST_AGREEMENT = 0.5
"""Correlation of -log10 p with that of z below which a file is refused."""
_MOST_OUT_OF_RANGE = 0.1
_SHOWN_LOG10_P = 50.0
_SHOWN_TEXT = 30
_NEAR_ZERO = 0.21
"""|z| below which half of the rows lie where lambda of genomic control is 0.1."""
_WEAK = 2.0
"""|z| up to which effects have both signs in a file."""
_NO_LOGARITHM, _OF_ALL = 1e-6, 100
"""-log10 p that no test gives, and rows of which one at least has a p-value below 0.1."""
_P_OUTSIDE = "p-value is not within 0 to 1"

Lines = NDArray[np.int64]

logger = logging.getLogger(__name__)


class Tally(NamedTuple):
    """How many rows have something, and the first of them: its line, and the value as a message shows it."""

    rows: int
    line: int
    shown: str

    def more(self, rows: int) -> "Tally":
        """The same with further rows."""
        return self._replace(rows=self.rows + rows)


class Conflict(NamedTuple):
    """How many rows have two values that disagree, and the strongest of them.

    `strength` is the larger of its two values, `shown` says where it is; `fatal`: many of them refuse the file.
    """

    rows: int
    strength: float
    shown: str
    fatal: bool


@dataclass
class _Pairs:
    """Sums that give the correlation of the file's -log10 p (`claimed`) with that of z (`expected`)."""

    count: int = 0
    sums: Floats = field(default_factory=lambda: np.zeros((2, 3)))
    spread: Floats = field(default_factory=lambda: np.array([[np.inf, np.inf], [-np.inf, -np.inf]]))

    def add(self, claimed: Floats, expected: Floats) -> None:
        usable = np.isfinite(expected) & np.isfinite(claimed)
        if usable.any():
            pair = np.minimum([expected[usable], claimed[usable]], _SHOWN_LOG10_P)
            self.count += int(usable.sum())
            self.sums += np.column_stack([pair.sum(1), (pair**2).sum(1), [(pair[0] * pair[1]).sum()] * 2])
            self.spread[0] = np.minimum(self.spread[0], pair.min(1))
            self.spread[1] = np.maximum(self.spread[1], pair.max(1))

    def correlation(self) -> float:
        """1 where there is too little to judge by."""
        if self.count < ENOUGH_ROWS or (self.spread[1] - self.spread[0]).min() < 1e-6:
            return 1.0
        mean = self.sums[:, 0] / self.count
        variance = self.sums[:, 1] / self.count - mean**2
        together = self.sums[0, 2] / self.count - mean.prod()
        return float(together / np.sqrt(variance.prod())) if variance.min() > 0 else 1.0


@dataclass
class FileChecks:
    """What a file is judged by, gathered over its chunks: the methods `add...` of each, then `finish`.

    rows: of all chunks; sized: those with a sample size; betas: those with an effect, of which like_ratios lie within
    0.5 to 2 and not_positive are not above 0; signs: rows with a weak z above and below 0; ones: p-values of 1;
    without_p: rows with z and without a p-value, of which near_zero have a very small |z|; logarithms: rows with
    -log10 p, of which tiny_logarithms are smaller than any test gives; empty: rows in which nothing stands.

    outside, texts, codes, bounds: by column, numbers out of their range, text in place of numbers, codes for a missing
    value, and bounds of p-values. conflicts: by their sentence.
    """

    path: Path
    rows: int = 0
    sized: int = 0
    betas: int = 0
    like_ratios: int = 0
    not_positive: int = 0
    signs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    ones: int = 0
    without_p: int = 0
    near_zero: int = 0
    logarithms: int = 0
    largest_logarithm: float = 0.0
    tiny_logarithms: int = 0
    empty: Tally = field(default_factory=lambda: Tally(0, 0, ""))
    outside: dict[str, Tally] = field(default_factory=dict)
    texts: dict[str, Tally] = field(default_factory=dict)
    codes: dict[str, Tally] = field(default_factory=dict)
    bounds: dict[str, Tally] = field(default_factory=dict)
    conflicts: dict[str, Conflict] = field(default_factory=dict)
    _pairs: _Pairs = field(default_factory=_Pairs)

    def add_empty(self, rows: Lines) -> None:
        """Count rows in which nothing stands."""
        self.empty = Tally(self.empty.rows + len(rows), self.empty.line or int(rows[0]), "")

    def add_text(self, name: str, column: pa.Array, numbers: Floats, bound: Floats, rows: Lines) -> None:
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
        for tallies, which in ((self.codes, coded), (self.bounds, bounded), (self.texts, ~coded & ~bounded)):
            if not which.any() or (tallies is self.texts and not is_text):
                continue
            first = int(np.flatnonzero(which)[0])
            shown = " ".join(str(taken[first].as_py()).split())[:_SHOWN_TEXT]
            _count(tallies, name, int(which.sum()), int(rows[found[first]]), shown)

    def add_codes(self, name: str, values: Floats, which: NDArray[np.bool_], rows: Lines) -> None:
        """Count effects that are codes for a missing value."""
        if which.any():
            first = int(np.argmax(which))
            _count(self.codes, name, int(which.sum()), int(rows[first]), f"{values[first]:g}")

    def add_logarithms(self, values: Floats) -> None:
        """Count -log10 p as the file has them."""
        self.logarithms += int((~np.isnan(values)).sum())
        self.largest_logarithm = float(np.fmax(self.largest_logarithm, np.max(values, initial=0.0, where=values > 0)))
        self.tiny_logarithms += int(((values > 0) & (values < _NO_LOGARITHM)).sum())

    def add_conflict(
        self, what: str, which: NDArray[np.bool_], first: Floats, second: Floats, rows: Lines, fatal: bool
    ) -> None:
        """Count rows with two values that disagree, and keep the strongest; fatal: many of them refuse the file."""
        found = np.flatnonzero(which)
        if len(found):
            strength = np.maximum(np.abs(first[found]), np.abs(second[found]))
            top = int(np.argmax(strength))
            row = found[top]
            count, largest, shown, _ = self.conflicts.get(what, Conflict(0, -1.0, "", fatal))
            if strength[top] > largest:
                largest, shown = strength[top], f"line {rows[row]} ({first[row]:.4g} and {second[row]:.4g})"
            self.conflicts[what] = Conflict(count + len(found), float(largest), shown, fatal)

    def add(self, frame: pd.DataFrame, claimed: Floats, expected: Floats) -> None:
        """Count a chunk with the columns `reader.STANDARD`; claimed, expected: as of `values.complete`."""
        rows = frame["row"].to_numpy()
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
            self._add_outside(name, values, bad, rows)
        z, n = frame["z"].to_numpy(), frame["n"].to_numpy()
        self.signs += [((z > 0) & (z < _WEAK)).sum(), ((z < 0) & (z > -_WEAK)).sum()]
        self.ones += int((claimed == 0).sum())
        self.without_p += int((np.isnan(claimed) & ~np.isnan(z)).sum())
        self.near_zero += int((np.isnan(claimed) & (np.abs(z) < _NEAR_ZERO)).sum())
        with np.errstate(invalid="ignore"):
            root = np.sqrt(n)
            self.add_conflict(
                "|z| is larger than the root of the sample size, as if one variant explained most of the trait (is n "
                "the number of samples, and the standard error that of the effect?),",
                (np.abs(z) > root) & (n > 0) & np.isfinite(z), z, root, rows, fatal=False,
            )  # fmt: skip
        self._pairs.add(claimed, expected)

    def _add_outside(self, name: str, values: Floats, bad: NDArray[np.bool_], rows: Lines) -> None:
        found = np.flatnonzero(bad)
        if len(found):
            value = float(values[found[0]])
            shown = f"{value:g}" if name != _P_OUTSIDE else f"{10**-value:g}" if value > -300 else "below 0"
            _count(self.outside, name, len(found), int(rows[found[0]]), shown)

    def finish(self, n_hint: str) -> None:
        """Judge the file; warn of what is no number, is a code or a bound, or has two values that disagree.

        Parameters
        ----------
        n_hint
            What to do about a sample size that is missing, for the message.

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
            if self._many(count):
                raise InputError(
                    f"{self.path}: {name} is no number in {count:,} of {self.rows:,} rows, first in line {line} "
                    f"('{text}'); numbers are written like 1234.5 or 1e-8, missing ones as NA"
                )
        self._warn_of_signs_and_p()
        self._warn_of_what_is_no_number()
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
        agreement = self._pairs.correlation()
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

    def _many(self, count: int) -> bool:
        return self.rows >= ENOUGH_ROWS and count > _MOST_OUT_OF_RANGE * self.rows

    def _warn_of_signs_and_p(self) -> None:
        """Warn of effects and p-values that few files have."""
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
                "p-values as the test gave them are needed", self.path, f"{self.ones:,}", f"{self.rows:,}",
            )  # fmt: skip

    def _warn_of_what_is_no_number(self) -> None:
        """Warn of empty lines, and of values that are not read as numbers."""
        if self.empty.rows:
            logger.info("%s: %d empty lines are passed over, the first of them line %d", self.path, *self.empty[:2])
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


def _count(tallies: dict[str, Tally], name: str, count: int, line: int, shown: str) -> None:
    """Add rows to the tally of a name, of which the first row stays."""
    tallies[name] = tallies.get(name, Tally(0, line, shown)).more(count)
