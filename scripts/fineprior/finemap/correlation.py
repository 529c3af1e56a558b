"""The correlation matrix R of a locus: checked in one reading, multiplied with vectors, never copied."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Flags, Floats, Indices, ReadOnly
from fineprior.files.errors import InputError
from fineprior.genotypes.ld_store import LocusLd

# Rows of R multiplied at a time: they stay in the processor's cache while they are used twice, or as float64.
STRIP_ROWS = 128
# Share of the entries of b above which reading half of R costs less than gathering the rows of b's entries.
DENSE_SHARE = 0.4
# A product in float32 is off by less than this share of the entry of b in it.
SINGLE_ROUNDING = 2.0**-24
# Largest difference between row and column sums (weighted, of order 1) of a matrix that still is symmetric.
ASYMMETRY = 1e-3
GOLDEN_RATIO = (1 + 5**0.5) / 2
# Largest |r| that still is rounding: of LD in few digits, or of a panel's covariances and variances.
MAX_R = 1.01
# R of a panel is multiplied as X'X b / n where the panel has fewer samples than this share of the variants.
PANEL_SHARE = 0.25
# Sum of squares, as its root and beside the largest genotype, up to which a variant has no variance.
NO_VARIANCE = 1e-10
# A diagonal this near to 1 is that of a correlation matrix: no copy is made.
ROUNDING = 1e-4
Matrix = npt.NDArray[np.floating]
Some = Indices | slice
"""Some of the variants of a locus, by their places."""


@runtime_checkable
class Correlations(Protocol):
    """What the fitter needs of R, however it is stored."""

    @property
    def scale(self) -> Floats | None:
        """What turns a covariance into a correlation, shape (p,); None when it is one."""

    @property
    def informative(self) -> Flags | None:
        """False for variants without variance, shape (p,); None when there are none."""

    def __len__(self) -> int: ...

    def times(self, b: Floats) -> Floats:
        """R b in float64."""

    def times_most(self, b: Floats, tolerance: float) -> tuple[Floats, Floats]:
        """R b but for entries of b that change it by less than the tolerance; and b without these entries."""

    def between(self, rows: Some, columns: Some) -> Matrix:
        """Signed r between two groups of variants, shape (rows, columns)."""

    def absolute(self, rows: Indices, columns: Indices) -> Floats:
        """|r| between two groups of variants, shape (len(rows), len(columns))."""

    def dense(self) -> Matrix:
        """R as a matrix, shape (p, p)."""


@dataclass(frozen=True)
class Correlation(ReadOnly):
    """Signed correlations among the variants of a locus.

    Attributes
    ----------
    matrix : ndarray, shape (p, p), float32 or float64
        As given; a covariance matrix is allowed.
    scale : ndarray, shape (p,), or None
        What turns a covariance into a correlation, 1 / sqrt(diagonal), and 1 where the diagonal is 0; None when
        the diagonal is already 1.
    informative : ndarray of bool, shape (p,), or None
        False for variants without variance (diagonal 0); None when there are none.
    """

    matrix: npt.NDArray[np.floating]
    scale: Floats | None = None
    informative: Flags | None = None

    @classmethod
    def from_matrix(cls, R: npt.ArrayLike, p: int, name: str = "R") -> "Correlation":
        """Check R, shape (p, p), with one reading of it and no copy; `name` is for messages.

        Raises
        ------
        InputError
            R is no array of numbers, has another shape, values that are not finite, a negative diagonal, or |r| above
            1, or is not symmetric.
        """
        matrix = _numbers(R, name)
        if matrix.shape != (p, p):
            raise InputError(f"{name}: shape {matrix.shape} does not fit the {p} z-scores, ({p}, {p}) is needed")
        if matrix.flags.f_contiguous:
            matrix = matrix.T
        elif not matrix.flags.c_contiguous:
            matrix = np.ascontiguousarray(matrix)
        diagonal = np.diagonal(matrix).astype(np.float64)
        informative = diagonal > 0
        scale = None
        if not (diagonal == 1).all():
            scale = 1 / np.sqrt(np.where(informative, diagonal, 1.0))
        largest = _check_finite_and_symmetric(matrix, name, scale)
        if (diagonal < 0).any():
            raise InputError(f"{name}: the diagonal has the negative value {diagonal.min():g}")
        if largest > MAX_R:
            halved = "at most 1 is possible" if scale is None else "is its diagonal halved, as in PolyFun's files?"
            raise InputError(f"{name} has |r| up to {largest:.3g} ({halved})")
        return cls(matrix, scale, None if informative.all() else informative)

    def __len__(self) -> int:
        return len(self.matrix)

    def times(self, b: Floats) -> Floats:
        """R b in float64.

        Parameters
        ----------
        b : ndarray, shape (p,)

        Returns
        -------
        ndarray, shape (p,)
        """
        return self.times_most(b, 0.0)[0]

    def times_most(self, b: Floats, tolerance: float) -> tuple[Floats, Floats]:
        """R b without the entries of b that hardly count, and what of b has been multiplied.

        Entries up to tolerance / p are left out: together, as |r| <= 1, they change R b by at most the tolerance.
        Entries up to tolerance * 2^24 are multiplied in float32 if R is: the rounding of each stays below the
        tolerance. The rest is multiplied in float64.

        Parameters
        ----------
        b : ndarray, shape (p,)
        tolerance : float
            0 for everything in float64.

        Returns
        -------
        product : ndarray, shape (p,)
        multiplied : ndarray, shape (p,)
            b, 0 where left out.
        """
        magnitude = np.abs(b)
        counts = magnitude > tolerance / len(b)
        multiplied = np.where(counts, b, 0.0)
        x = multiplied if self.scale is None else self.scale * multiplied
        large = counts
        if self.matrix.dtype == np.float32:
            large = magnitude > tolerance / SINGLE_ROUNDING
        product = self._sum_of_rows(x, large, np.dtype(np.float64))
        if large is not counts:
            product += self._sum_of_rows(x, counts & ~large, np.dtype(np.float32))
        return (product if self.scale is None else self.scale * product), multiplied

    def _sum_of_rows(self, x: Floats, chosen: Flags, dtype: np.dtype[np.floating]) -> Floats:
        """The sum of x_j R_j over the chosen rows, with products in `dtype`."""
        rows = np.flatnonzero(chosen)
        if len(rows) > DENSE_SHARE * len(x):
            return self._times_by_half(np.where(chosen, x, 0.0).astype(dtype))
        product = np.zeros(len(x))
        for start in range(0, len(rows), STRIP_ROWS):
            strip = rows[start : start + STRIP_ROWS]
            product += x[strip].astype(dtype) @ self.matrix[strip].astype(dtype, copy=False)
        return product

    def _times_by_half(self, x: npt.NDArray[np.floating]) -> Floats:
        """R x from the upper triangle, strip by strip: memory is read half, and each strip's sums are short."""
        p = len(x)
        product = np.zeros(p)
        for start in range(0, p, STRIP_ROWS):
            stop = min(start + STRIP_ROWS, p)
            strip = self.matrix[start:stop, start:].astype(x.dtype, copy=False)
            product[start:stop] += strip @ x[start:]
            product[stop:] += x[start:stop] @ strip[:, stop - start :]
        return product

    def between(self, rows: Some, columns: Some) -> Matrix:
        """Signed r between two groups of variants, shape (rows, columns); a view of the matrix where it can be."""
        if isinstance(rows, slice) or isinstance(columns, slice):
            block = self.matrix[rows, columns]
        else:
            block = self.matrix[np.ix_(rows, columns)]
        return block if self.scale is None else block * self.scale[rows, None] * self.scale[columns]

    def absolute(self, rows: Indices, columns: Indices) -> Floats:
        """|r| between two groups of variants, shape (len(rows), len(columns))."""
        return np.abs(self.between(rows, columns).astype(np.float64))

    def dense(self) -> Matrix:
        """R as a matrix, shape (p, p)."""
        everything = slice(None)
        return self.between(everything, everything)


@dataclass(frozen=True)
class PanelCorrelation(ReadOnly):
    """Correlations of a panel's genotypes, R = X'X / n, without R: for panels with far fewer samples than variants.

    Attributes
    ----------
    standardised : ndarray, shape (p, n), float64
        Genotypes of each variant with mean 0 and sum of squares 1; 0 for a variant without variance.
    informative : ndarray of bool, shape (p,), or None
        False for variants without variance; None when there are none.
    """

    standardised: Floats
    informative: Flags | None = None
    scale: None = None

    @classmethod
    def from_genotypes(cls, X: npt.ArrayLike, centre: bool = True) -> "PanelCorrelation":
        """Standardise genotypes.

        Parameters
        ----------
        X : array, shape (n, p)
            A row per sample, a column per variant.
        centre : bool
            Without, the means are not taken out: r is the cosine between two variants.

        Raises
        ------
        InputError
            X is no such table or has values that are not finite.
        """
        genotypes = np.asarray(X)
        if genotypes.ndim != 2 or len(genotypes) < 2 or genotypes.shape[1] == 0:
            raise InputError(f"X: shape {genotypes.shape}, a row per sample (2 or more), a column per variant needed")
        rows = np.array(genotypes.T, dtype=np.float64, order="C")
        if centre:
            rows -= rows.mean(axis=1, keepdims=True)
        norm = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        if not np.isfinite(norm).all():
            raise InputError(f"X: variant {int(np.flatnonzero(~np.isfinite(norm))[0])} has values that are not finite")
        # What rounding leaves of a variant that everybody has is no variance.
        informative = norm > NO_VARIANCE * np.abs(genotypes).max(axis=0)
        rows *= np.where(informative, 1 / np.where(informative, norm, 1.0), 0.0)[:, None]
        return cls(rows, None if informative.all() else informative)

    @classmethod
    def from_counts(cls, counts: npt.NDArray[np.int8]) -> "PanelCorrelation":
        """Standardise the copies (p, n) of an allele that n samples have, below 0 where missing: then at the mean."""
        filled, missing = counts.astype(np.float64), counts < 0
        if missing.any():
            filled[missing] = 0.0
            mean = filled.sum(axis=1) / np.maximum((~missing).sum(axis=1), 1)
            filled[missing] = mean[np.nonzero(missing)[0]]
        return cls.from_genotypes(filled.T)

    def matrix(self, dtype: npt.DTypeLike = np.float32) -> Correlation:
        """The matrix R, in memory."""
        rows = self.standardised.astype(dtype, copy=False)
        R = rows @ rows.T
        # 0 for a variant without variance; 1 and not nearly 1 for the others.
        np.fill_diagonal(R, 1.0 if self.informative is None else self.informative)
        return Correlation.from_matrix(R, len(R))

    def __len__(self) -> int:
        return len(self.standardised)

    def times(self, b: Floats) -> Floats:
        """R b."""
        support = np.flatnonzero(b)
        if 2 * len(support) > len(b):
            return self.standardised @ (b @ self.standardised)
        return self.standardised @ (b[support] @ self.standardised[support])

    def times_most(self, b: Floats, tolerance: float) -> tuple[Floats, Floats]:
        """See `Correlation.times_most`."""
        multiplied = np.where(np.abs(b) > tolerance / len(b), b, 0.0)
        return self.times(multiplied), multiplied

    def between(self, rows: Some, columns: Some) -> Floats:
        """Signed r between two groups of variants, shape (rows, columns)."""
        if not isinstance(rows, slice) and len(rows) == 1:
            return (self.standardised[columns] @ self.standardised[rows[0]])[None]
        return self.standardised[rows] @ self.standardised[columns].T

    def absolute(self, rows: Indices, columns: Indices) -> Floats:
        """|r| between two groups of variants, shape (len(rows), len(columns))."""
        return np.abs(self.between(rows, columns))

    def dense(self) -> Matrix:
        """R as a matrix, shape (p, p), float32."""
        return self.matrix().matrix


@dataclass(frozen=True)
class KeptCorrelations(ReadOnly):
    """Correlations among some variants of a locus, as a view: nothing is copied.

    Attributes
    ----------
    whole : Correlations
        Of all variants of the locus.
    kept : ndarray of int, shape (k,)
        Which of them these are.
    """

    whole: Correlations
    kept: Indices

    @property
    def scale(self) -> Floats | None:
        """As of `Correlations`."""
        return None if self.whole.scale is None else self.whole.scale[self.kept]

    @property
    def informative(self) -> Flags | None:
        """As of `Correlations`."""
        return None if self.whole.informative is None else self.whole.informative[self.kept]

    def __len__(self) -> int:
        return len(self.kept)

    def times(self, b: Floats) -> Floats:
        """R b."""
        return self.times_most(b, 0.0)[0]

    def times_most(self, b: Floats, tolerance: float) -> tuple[Floats, Floats]:
        """See `Correlation.times_most`; entries of variants that are not kept are 0, and so cost nothing."""
        spread = np.zeros(len(self.whole))
        spread[self.kept] = b
        product, multiplied = self.whole.times_most(spread, tolerance)
        return product[self.kept], multiplied[self.kept]

    def between(self, rows: Some, columns: Some) -> Matrix:
        """Signed r between two groups of variants, shape (rows, columns)."""
        return self.whole.between(self.kept[rows], self.kept[columns])

    def absolute(self, rows: Indices, columns: Indices) -> Floats:
        """|r| between two groups of variants, shape (len(rows), len(columns))."""
        return self.whole.absolute(self.kept[rows], self.kept[columns])

    def dense(self) -> Matrix:
        """R as a matrix, shape (k, k)."""
        return self.whole.between(self.kept, self.kept)


def correlations(R: npt.ArrayLike | Correlations, p: int) -> Correlations:
    """R in a form that is multiplied: as it is where it has one, or checked (`Correlation.from_matrix`).

    Raises
    ------
    InputError
        R is not of p variants, or as `Correlation.from_matrix` raises.
    """
    if isinstance(R, Correlations):
        if len(R) != p:
            raise InputError(f"R: {len(R)} variants do not fit the {p} z-scores")
        return R
    return Correlation.from_matrix(R, p)


def unit_correlations(R: npt.ArrayLike | Correlations, p: int) -> Correlations:
    """R as it multiplies; a covariance matrix becomes one of correlations, so that z stays what it is.

    Raises
    ------
    InputError
        As `correlations`.
    """
    found = correlations(R, p)
    if not isinstance(found, Correlation) or found.scale is None or np.abs(found.scale - 1).max() < ROUNDING:
        return found
    return Correlation(found.dense(), informative=found.informative)


def correlations_of(ld: LocusLd) -> Matrix | Correlations:
    """LD of a file, in the form in which it is multiplied: as genotypes, or as a matrix that is yet to be checked."""
    return ld.r if ld.counts is None else PanelCorrelation.from_counts(ld.counts)


def panel_correlations(X: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> Correlations:
    """R of genotypes, shape (n, p), in the form that is multiplied faster: as X'X / n, or as a matrix of `dtype`."""
    panel = PanelCorrelation.from_genotypes(X)
    p, n = panel.standardised.shape
    return panel if n < PANEL_SHARE * p else panel.matrix(dtype)


def _numbers(R: npt.ArrayLike, name: str) -> npt.NDArray[np.floating]:
    """R as float32 or float64, and not copied if it is."""
    try:
        matrix = np.asarray(R)
        if matrix.dtype in (np.float32, np.float64):
            return matrix
        if matrix.dtype.kind == "c":
            raise InputError(f"{name}: complex numbers")
        return matrix.astype(np.float32 if matrix.dtype == np.float16 else np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from None


def _check_finite_and_symmetric(matrix: npt.NDArray[np.floating], name: str, scale: Floats | None) -> float:
    """Compare R x with x R for one x without pattern, and find the largest |r|, also where R is a covariance.

    Each strip of R is read from memory once for all.
    """
    p = len(matrix)
    # Multiples of the golden ratio modulo 1: as good as random here, and numpy.random takes longer to load than a fit.
    probe = ((0.5 + np.arange(p) * GOLDEN_RATIO % 1) / np.sqrt(p)).astype(matrix.dtype)
    rows, columns, largest = np.empty(p), np.zeros(p), 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, p, STRIP_ROWS):
            strip = matrix[start : start + STRIP_ROWS]
            rows[start : start + STRIP_ROWS] = strip @ probe
            columns += probe[start : start + STRIP_ROWS] @ strip
            upper = strip[:, start:]
            if scale is not None:
                upper = upper * scale[start : start + STRIP_ROWS, None] * scale[start:]
            largest = max(largest, float(upper.max()), -float(upper.min()))
        if not np.isfinite(rows).all():
            bad = int(np.flatnonzero(~np.isfinite(rows))[0])
            raise InputError(f"{name}: row {bad} (counted from 0) has values that are not finite")
        if np.abs(rows - columns).max() > ASYMMETRY * max(1.0, float(np.abs(rows).max())):
            bad = int(np.argmax(np.abs(rows - columns)))
            raise InputError(f"{name}: not symmetric, row and column {bad} (counted from 0) differ")
    return largest
