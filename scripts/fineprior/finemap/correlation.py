"""The correlation matrix R of a locus: checked once, multiplied with vectors, never copied."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.foundation.errors import InputError

Floats = npt.NDArray[np.float64]

# Entries of b below this share of its largest are left out of R b: p of them stay below float64 rounding.
NEGLIGIBLE = 1e-15
# Rows of R converted to float64 at a time: the block stays in the processor's cache.
BLOCK_ROWS = 64
# Largest difference between row and column sums (weighted, of order 1) of a matrix that still is symmetric.
ASYMMETRY = 1e-3


@dataclass(frozen=True)
class Correlation:
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
    informative: npt.NDArray[np.bool_] | None = None

    @classmethod
    def from_matrix(cls, R: npt.ArrayLike, p: int) -> "Correlation":
        """Check R, shape (p, p), with two readings of it and no copy.

        Raises
        ------
        InputError
            R has another shape, values that are not finite, or a negative diagonal, or is not symmetric.
        """
        matrix = np.asarray(R)
        if matrix.shape != (p, p):
            raise InputError(f"R: shape {matrix.shape} does not fit the {p} z-scores, ({p}, {p}) is needed")
        if matrix.dtype not in (np.float32, np.float64):
            matrix = matrix.astype(np.float64)
        if matrix.flags.f_contiguous:
            matrix = matrix.T
        elif not matrix.flags.c_contiguous:
            matrix = np.ascontiguousarray(matrix)
        probe = (np.random.default_rng(0).uniform(0.5, 1.0, p) / np.sqrt(p)).astype(matrix.dtype)
        rows, columns = matrix @ probe, probe @ matrix
        if not np.isfinite(rows).all():
            bad = int(np.flatnonzero(~np.isfinite(rows))[0])
            raise InputError(f"R: row {bad} (counted from 0) has values that are not finite")
        if np.abs(rows - columns).max() > ASYMMETRY * max(1.0, float(np.abs(rows).max())):
            bad = int(np.argmax(np.abs(rows - columns)))
            raise InputError(f"R: not symmetric, row and column {bad} (counted from 0) differ")
        diagonal = np.diagonal(matrix).astype(np.float64)
        if (diagonal < 0).any():
            raise InputError(f"R: the diagonal has the negative value {diagonal.min():g}")
        if (diagonal == 1).all():
            return cls(matrix)
        informative = diagonal > 0
        scale = 1 / np.sqrt(np.where(informative, diagonal, 1.0))
        return cls(matrix, scale, None if informative.all() else informative)

    def times(self, b: Floats) -> Floats:
        """R b in float64, from the rows of R where b is not negligible.

        Parameters
        ----------
        b : ndarray, shape (p,)

        Returns
        -------
        ndarray, shape (p,)
        """
        if self.scale is None:
            return self._matrix_times(b)
        return self.scale * self._matrix_times(self.scale * b)

    def _matrix_times(self, b: Floats) -> Floats:
        magnitude = np.abs(b)
        support = np.flatnonzero(magnitude > NEGLIGIBLE * magnitude.max())
        whole = 2 * len(support) > len(b)
        if whole and self.matrix.dtype == np.float64:
            return self.matrix @ b
        rows = np.arange(len(b)) if whole else support
        product = np.zeros(len(b))
        buffer = np.empty((min(BLOCK_ROWS, len(rows)), len(b)))
        for start in range(0, len(rows), BLOCK_ROWS):
            chosen = rows[start : start + BLOCK_ROWS]
            block = buffer[: len(chosen)]
            # Consecutive rows are a view; others are gathered.
            block[...] = self.matrix[start : start + len(chosen)] if whole else self.matrix[chosen]
            product += b[chosen] @ block
        return product

    def absolute(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Floats:
        """|r| between two groups of variants, shape (len(rows), len(columns))."""
        block = np.abs(self.matrix[np.ix_(rows, columns)].astype(np.float64))
        if self.scale is not None:
            block *= self.scale[rows, None] * self.scale[columns]
        return block
