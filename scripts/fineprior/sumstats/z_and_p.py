"""Where z and p-value disagree, which to trust.

A fault of the whole file shows in what z would be without it: the standard error is that of the ratio (z times the
ratio is the p-value's), or a variance, or p-values are one-sided, or apart by one factor (genomic control).
Where rows disagree by themselves, z takes the p-value: a Firth, likelihood-ratio or saddlepoint p-value is better than
effect / standard error, and a p-value is less often made from rounded numbers. The exception is a p-value that stands
in place of smaller ones (2.2e-16).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.sumstats.agreement import DISAGREES, FROM_P, HAS_P, ROUNDED, WALD, is_floor, tolerance
from fineprior.sumstats.file_checks import ENOUGH_ROWS
from fineprior.sumstats.outcomes import NO_SIGN, number_of
from fineprior.sumstats.rows import Rows, with_values
from fineprior.sumstats.values import LARGEST_WITHOUT_SIGN, neg_log10_p_of, z_of

_SAMPLE = 100_000
_FROM, _LEFT = 4e-4, 0.25
"""Mean square of the difference of |z| from which a file is looked at, and the largest share of it that is left by what
explains it."""
_CLIPPED = 1.0
_TELLING = 0.5
"""-log10 p from which a row counts when the whole file is judged."""
_LEAST_FACTOR, _LARGEST_FACTOR = 0.5, 2.0
"""Factors between z and the p-value's that genomic control or another model can make."""
_MOST = 0.5
_FLOOR_FROM, _SHARED = 14.9, 3
"""-log10 p, and rows with the smallest p-value of the file, from which on it may be a floor."""
_SHOWN = 3

logger = logging.getLogger(__name__)

Index = NDArray[np.intp]


@dataclass(frozen=True)
class _Fault:
    """What can be wrong with a file: the |z| that its p-values would be those of, what it is, and what is done."""

    z: Callable[[Rows, Index], Floats]
    what: str
    done: str
    se: Callable[[Rows, Index], Floats] | None = None


def _ratio(rows: Rows, at: Index) -> Floats:
    return np.exp(np.clip(rows.numbers["beta"][at], -50, 50))


def _one_sided(sign: int) -> Callable[[Rows, Index], Floats]:
    return lambda rows, at: z_of(np.maximum(-log_ndtr(-sign * rows.numbers["z"][at]) / np.log(10), 0))


def _size(rows: Rows, at: Index) -> Floats:
    return np.abs(rows.numbers["z"][at])


def _se(rows: Rows, at: Index) -> Floats:
    return rows.numbers["se"][at]


_FROM_Z = "p-values are taken from z"
_FAULTS = (
    _Fault(lambda rows, at: _size(rows, at) * _ratio(rows, at), "the standard error is that of the ratio, not of its "
           "logarithm", "it is divided by the ratio", lambda rows, at: _se(rows, at) / _ratio(rows, at)),
    _Fault(lambda rows, at: _size(rows, at) * np.sqrt(_se(rows, at)), "the standard error is a variance",
           "its root is taken", lambda rows, at: np.sqrt(_se(rows, at))),
    _Fault(lambda rows, at: _size(rows, at) * np.sqrt(_se(rows, at)) * _ratio(rows, at), "the standard error is the "
           "variance of the ratio", "its root is divided by the ratio",
           lambda rows, at: np.sqrt(_se(rows, at)) / _ratio(rows, at)),
    _Fault(lambda rows, at: _size(rows, at) * _se(rows, at) ** 2, "the standard error is one over itself",
           "it is turned back", lambda rows, at: 1 / _se(rows, at)),
    _Fault(_one_sided(1), "p-values are one-sided", _FROM_Z),
    _Fault(_one_sided(-1), "p-values are one-sided", _FROM_Z),
    _Fault(lambda rows, at: z_of(neg_log10_p_of(rows.numbers["z"][at]) + np.log10(2)), "p-values are one-sided",
           _FROM_Z),
    _Fault(lambda rows, at: z_of(neg_log10_p_of(rows.numbers["z"][at]) * np.log(10)), "-log10 p-values are natural "
           "logarithms", _FROM_Z),
)  # fmt: skip


def reconcile(rows: Rows) -> Rows:
    """Correct z, standard error and p-value of rows in which they disagree; what was corrected is logged.

    Rows of which z takes the p-value get the mark `FROM_P`; those of them whose effect is 0 have no sign and are
    excluded.

    Returns
    -------
    The rows with what was corrected; all other arrays are shared with `rows`, which stays as it is.

    Raises
    ------
    InputError
        z and p-values of the whole file are apart by a factor that no correction of p-values makes.
    """
    has_p = _has_p(rows)
    _say_floors(rows, has_p)
    sample = np.flatnonzero(has_p & (np.maximum(rows.numbers["neg_log10_p"], rows.numbers["z"] ** 2 / 5) > _TELLING))
    factor = 1.0
    if len(sample) >= ENOUGH_ROWS:
        rows, factor = _reconcile_file(rows, sample[:: -(-len(sample) // _SAMPLE)])
    return _reconcile_rows(rows, factor)


def _has_p(rows: Rows) -> NDArray[np.bool_]:
    """Whether z and the p-value are two numbers, neither made of the other."""
    return (rows.marks & HAS_P) > 0


def _say_floors(rows: Rows, has_p: NDArray[np.bool_]) -> None:
    """Warn of rows whose z is made of a p-value that stands in place of smaller ones."""
    p = rows.numbers["neg_log10_p"]
    usable = np.isfinite(p) & (rows.reason == 0)
    smallest = p[usable].max(initial=0.0)
    if smallest < _FLOOR_FROM:
        return
    at = np.flatnonzero(usable & (p == smallest) & ~has_p & ((rows.marks & WALD) == 0))
    if len(at) and (len(at) >= _SHARED or is_floor(p[at[:1]])[0]):
        z = _size(rows, at[[0]])
        logger.warning(
            "%s: %s rows have the p-value %.3g, which stands in place of smaller ones, and nothing else to make z of; "
            "it may be too small there, as in %s", rows.source, f"{len(at):,}", 10.0 ** -p[at[0]],
            _described(rows, at[[0]], z, z),
        )  # fmt: skip


def _reconcile_file(rows: Rows, sample: Index) -> tuple[Rows, float]:
    """Correct a fault of the whole file; if p-values are only those of z times a factor, it is returned, else 1."""
    by_p = z_of(rows.numbers["neg_log10_p"][sample])
    z = _size(rows, sample)

    def left(z: Floats) -> float:
        with np.errstate(invalid="ignore", over="ignore"):
            return float(np.square(np.nan_to_num(np.minimum(np.abs(z - by_p), _CLIPPED), nan=_CLIPPED)).mean())

    before = left(z)
    if before < _FROM:
        return rows, 1.0
    factor = float(np.median(by_p[z > 0] / z[z > 0])) if (z > 0).any() else 1.0
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        after = [left(fault.z(rows, sample)) for fault in _FAULTS]
    best = int(np.argmin(after))
    if min(after[best], left(factor * z)) > _LEFT * before:
        return rows, 1.0
    measured = f"root mean square difference from the p-value's |z|: {before**0.5:.2f}, and so {{:.2f}}"
    if left(factor * z) <= after[best]:
        if not _LEAST_FACTOR <= factor <= _LARGEST_FACTOR:
            raise InputError(
                f"{rows.source}: p-values are those of {factor:.3g} times effect / standard error throughout; is the "
                "effect on another scale (log10, percent), or the standard error another one than that of the effect? "
                "Without the column of standard errors z is taken from the p-values"
            )
        logger.warning(
            "%s: p-values are those of %.3f times z (effect / standard error) throughout, as after genomic control "
            "with lambda %.2f (%s); z stays as it is", rows.source, factor, factor**-2,
            measured.format(left(factor * z) ** 0.5),
        )  # fmt: skip
        return rows, factor
    fault = _FAULTS[best]
    logger.warning("%s: %s (%s); %s", rows.source, fault.what, measured.format(after[best] ** 0.5), fault.done)
    if fault.se is None:
        return _with_p_of_z(rows), 1.0
    return _with_se(rows, fault.se), 1.0


def _with_p_of_z(rows: Rows) -> Rows:
    """The rows with p-values that are made of z."""
    at = np.flatnonzero(_has_p(rows))
    p = with_values(rows.numbers["neg_log10_p"], at, neg_log10_p_of(rows.numbers["z"][at]))
    marks = with_values(rows.marks, at, rows.marks[at] & np.uint8(~(DISAGREES | ROUNDED | HAS_P) & 0xFF))
    return replace(rows, numbers=rows.numbers | {"neg_log10_p": p}, marks=marks)


def _with_se(rows: Rows, corrected: Callable[[Rows, Index], Floats]) -> Rows:
    """The rows with other standard errors, and what is made of these: z, its p-value and whether the two agree."""
    numbers, has_p = rows.numbers, _has_p(rows)
    wald = np.flatnonzero(rows.marks & WALD)
    se = with_values(numbers["se"], wald, corrected(rows, wald))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = with_values(numbers["z"], wald, numbers["beta"][wald] / se[wald])
    alone = wald[~has_p[wald]]
    p = with_values(numbers["neg_log10_p"], alone, neg_log10_p_of(z[alone]))
    both = wald[has_p[wald]]
    size, by_p = np.abs(z[both]), z_of(p[both])
    marks = rows.marks[both] & np.uint8(~(DISAGREES | ROUNDED) & 0xFF)
    marks[np.abs(size - by_p) > tolerance(np.maximum(size, by_p))] |= DISAGREES
    return replace(
        rows, numbers=numbers | {"se": se, "z": z, "neg_log10_p": p}, marks=with_values(rows.marks, both, marks)
    )


def _reconcile_rows(rows: Rows, factor: float) -> Rows:
    """In rows that disagree by themselves z takes the p-value, unless that is one in place of a smaller one."""
    numbers, has_p = rows.numbers, _has_p(rows)
    at = np.flatnonzero(has_p & (rows.marks & (DISAGREES | ROUNDED) > 0))
    if not len(at):
        return rows
    z, by_p = factor * _size(rows, at), z_of(numbers["neg_log10_p"][at])
    if factor != 1:
        differ = np.abs(z - by_p) > tolerance(np.maximum(z, by_p))
        at, z, by_p = at[differ], z[differ], by_p[differ]
    p = numbers["neg_log10_p"][at]
    largest = numbers["neg_log10_p"][has_p].max(initial=0.0)
    several = (p == largest).sum() > 1
    floor = (z > by_p) & (is_floor(p) | ((p == largest) & several))
    if floor.any():
        first = int(np.argmax(z * floor))
        logger.warning("%s: %s rows have the p-value %.3g, which stands in place of smaller ones; z stays as it is, "
                       "and p is taken from it; the strongest: %s", rows.source, f"{floor.sum():,}", 10.0 ** -p[first],
                       _described(rows, at[[first]], z[[first]], by_p[[first]]))  # fmt: skip
        of_z = with_values(numbers["neg_log10_p"], at[floor], neg_log10_p_of(numbers["z"][at[floor]]))
        numbers = numbers | {"neg_log10_p": of_z}
        at, z, by_p = at[~floor], z[~floor], by_p[~floor]
    rounded = (rows.marks[at] & ROUNDED) > 0
    for which, text in (
        (~rounded, "z (effect / standard error) and p-value disagree in %s of %s rows; z takes the p-value there "
                   "(Firth, likelihood-ratio and saddlepoint p-values are better than effect / standard error)%s; the "
                   "strongest: %s"),
        (rounded, "effect and standard error are rounded so far in %s of %s rows that z takes the p-value there%s; the "
                  "strongest: %s"),
    ):  # fmt: skip
        if which.any():
            top = np.flatnonzero(which)
            top = top[np.argsort(-np.maximum(z[top], by_p[top]), kind="stable")[:_SHOWN]]
            many = "; so many, is it the standard error of this effect?" if which.sum() > _MOST * has_p.sum() else ""
            logger.warning("%s: " + text, rows.source, f"{which.sum():,}", f"{has_p.sum():,}", many,
                           _described(rows, at[top], z[top], by_p[top]))  # fmt: skip
    sign = np.sign(numbers["z"][at])
    taken = sign * by_p / factor
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.abs(numbers["beta"][at] / taken)
    se = np.where(np.isfinite(own) & (own > 0), own, numbers["se"][at])
    unsigned = at[(sign == 0) & (by_p > LARGEST_WITHOUT_SIGN)]
    return replace(
        rows,
        numbers=numbers | {"z": with_values(numbers["z"], at, taken), "se": with_values(numbers["se"], at, se)},
        marks=with_values(rows.marks, at, rows.marks[at] | np.uint8(FROM_P)),
        reason=with_values(rows.reason, unsigned[rows.reason[unsigned] == 0], number_of(NO_SIGN)),
    )


def _described(rows: Rows, at: Index, z: Floats, by_p: Floats) -> str:
    """Rows by line and place, with both z."""
    pos = rows.text("source_pos", at)
    return ", ".join(
        f"line {rows.row[row]}, {rows.chroms[rows.chrom[row]] if rows.chrom[row] >= 0 else '?'}:{place} "
        f"(|z| {own:.2f}, by p {other:.2f})"
        for row, place, own, other in zip(at, pos, z, by_p, strict=True)
    )
