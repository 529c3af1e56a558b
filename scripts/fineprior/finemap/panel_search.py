"""The posterior of configurations where R is that of a panel: the evidence is averaged over what R may be.

For LD of the GWAS the evidence of a configuration C is that of its own z-scores, N(z_C; 0, R + W R²) over N(z_C; 0, R)
(see `configurations`). With a panel R is not known. Both likelihoods are then means over R, whose correlations r_ij of
C have the errors of `panel_error.Shape`:

    log BF(C) = log E N(z_C; 0, R + W R²) - log E N(z_C; 0, R).

So a second effect is doubted as far as an error of its r could make the first explain it, and one effect alone is not
touched. The means are taken pair by pair, each given the other members, and each by Laplace's method: what the panel's
error takes from the evidence of C is the sum over its pairs. The weight of C depends on C alone, so each configuration
is still summed once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, Indices
from fineprior.finemap.configurations import NEVER, Model, Singles
from fineprior.finemap.panel_error import Shape
from fineprior.finemap.search import Posterior, model_of, searched

NUGGET = 1e-3
"""Added to the diagonal of R where it is inverted by itself: variants of |r| = 1 differ by a genotyping error."""
STEPS = 4
"""Of Newton's method, to the likeliest r."""
LARGEST_SPREAD = 0.25
"""Largest variance of the error of a correlation, given the other members."""


@dataclass(frozen=True)
class PanelModel(Model):
    """A model whose R is a panel's; `shape` says how far that may be from R of the GWAS."""

    shape: Shape

    def slices(self, members: Indices) -> tuple[Floats, Singles]:
        """As `Model.slices`, less what the error of the panel takes."""
        base, added = super().slices(members)
        n, k = members.shape
        p = len(self.z)
        for column in range(k + 1):
            rest = np.sort(np.delete(members, column, axis=1) if column < k else members, axis=1)
            size = (rest < p).sum(1)
            if column < k:  # the slice of a member that is none is not looked at
                size = np.where(members[:, column] < p, size, 0)
            for some in np.unique(size[size > 0]).tolist():
                rows = np.flatnonzero(size == some)
                itself, more = self.losses(rest[rows, :some])
                base[rows, column] -= itself
                possible = added[rows, column] > NEVER / 2
                added[rows, column] -= np.where(possible, more, 0)
        return base, added

    def losses(self, members: Indices) -> tuple[Floats, Singles]:
        """What the error of the panel takes from the log evidence of configurations.

        Parameters
        ----------
        members : ndarray of int, shape (n, k)
            All of them real.

        Returns
        -------
        itself : ndarray, shape (n,)
        more : ndarray of float32, shape (n, p)
            By how much the loss grows with each variant that is added.
        """
        n, k = members.shape
        rows = self.R[members].astype(np.float64)
        inner = np.take_along_axis(rows, np.broadcast_to(members[:, None, :], (n, k, k)), 2)
        error = self.shape.of(inner**2)
        M = np.linalg.inv(inner + NUGGET * np.eye(k))
        own = self.z[members]
        x = (M @ own[:, :, None])[:, :, 0]
        itself = np.zeros(n)
        for i in range(k):
            for j in range(i):
                itself += self._of_pair(x[:, i], x[:, j], M[:, i, i], M[:, j, j], M[:, i, j], error[:, i, j])
        G = M @ rows
        left = np.maximum(1 + NUGGET - (rows * G).sum(1), NUGGET).astype(np.float32)
        effect = ((self.z - (own[:, None, :] @ G)[:, 0]) / left).astype(np.float32)
        G = G.astype(np.float32)
        x_all = x[:, :, None].astype(np.float32) - G * effect[:, None, :]
        diagonal = np.arange(k)
        M_all = M[:, diagonal, diagonal][:, :, None].astype(np.float32) + G * G / left[:, None, :]
        errors = self.shape.of(rows.astype(np.float32) ** 2)
        loss = np.zeros_like(left)
        for i in range(k):
            loss += self._of_pair(
                x_all[:, i], effect, M_all[:, i], 1 / left, -G[:, i] / left, errors[:, i]
            )
            for j in range(i):
                between = M[:, i, j, None].astype(np.float32) + G[:, i] * G[:, j] / left
                loss += self._of_pair(
                    x_all[:, i], x_all[:, j], M_all[:, i], M_all[:, j], between, error[:, i, j, None].astype(np.float32)
                )
        return itself, loss - itself[:, None].astype(np.float32)

    def _of_pair(
        self, x: npt.NDArray, y: npt.NDArray, xx: npt.NDArray, yy: npt.NDArray, xy: npt.NDArray, error: npt.NDArray
    ) -> npt.NDArray:
        """Loss by the error of one correlation: effects x, y on z and their precisions, of that variance."""
        det = np.maximum(xx * yy - xy * xy, 1e-12)
        first, second, both = yy / det, xx / det, -xy / det
        root = np.sqrt(first * second)
        rho = np.clip(both / root, -1 + NUGGET, 1 - NUGGET)
        a = (first * x + both * y) / np.sqrt(first)
        b = (both * x + second * y) / np.sqrt(second)
        spread = np.minimum(error / (root * root), LARGEST_SPREAD)
        plus, minus = (a + b) ** 2 / 2, (a - b) ** 2 / 2
        return log_mean(plus, minus, rho, spread, 0 * root) - log_mean(plus, minus, rho, spread, self.variance * root)


def log_mean(plus: npt.NDArray, minus: npt.NDArray, rho: npt.NDArray, spread: npt.NDArray, W: npt.NDArray) -> npt.NDArray:
    """Log of the mean likelihood of two z-scores over their correlation, beside that at its estimate.

    Parameters
    ----------
    plus, minus : ndarray
        (a + b)² / 2 and (a - b)² / 2 of the z-scores a and b.
    rho, spread : ndarray
        Estimate of the correlation and variance of its error, which is normal.
    W : ndarray
        Prior variance of both effects.
    """

    def parts(at: npt.NDArray):
        one, two = 1 + at, 1 - at
        return one, one * (1 + W * one), two, two * (1 + W * two)

    def log_likelihood(at: npt.NDArray) -> npt.NDArray:
        _, v, _, w = parts(at)
        return -(plus / v + minus / w + np.log(v * w)) / 2

    def derivatives(at: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
        one, v, two, w = parts(at)
        dv, dw, share, other = (1 + 2 * W * one) / v, -(1 + 2 * W * two) / w, plus / v, minus / w
        slope = -((1 - share) * dv + (1 - other) * dw) / 2
        curvature = (
            (1 - share) * 2 * W / v - (1 - 2 * share) * dv * dv + (1 - other) * 2 * W / w - (1 - 2 * other) * dw * dw
        ) / 2
        return slope, curvature  # curvature is minus the second derivative

    at = rho
    for _ in range(STEPS):
        slope, curvature = derivatives(at)
        step = (slope - (at - rho) / spread) / (np.maximum(curvature, 0) + 1 / spread)
        # Never more than half of the way to a correlation of 1.
        at = np.clip(at + step, at - (1 + at) / 2, at + (1 - at) / 2)
    _, curvature = derivatives(at)
    gained = log_likelihood(at) - log_likelihood(rho) - (at - rho) ** 2 / (2 * spread)
    return gained - np.log1p(spread * np.maximum(curvature, -0.5 / spread)) / 2


def panel_search(
    z: npt.ArrayLike,
    R: npt.ArrayLike,
    variance: float,
    shape: Shape,
    *,
    prior_weights: npt.ArrayLike | None = None,
    causal: float = 1.0,
    most: int = 10,
    seed: int = 1,
) -> Posterior:
    """Posterior inclusion probabilities of the variants of a locus with LD of a panel.

    Parameters
    ----------
    z, R, variance, prior_weights, causal, most, seed
        As in `search.search`.
    shape : Shape
        The error of R.

    Raises
    ------
    InputError
        As `search.search`.
    """
    known = model_of(z, R, variance, prior_weights, causal, most)
    return searched(PanelModel(**vars(known), shape=shape), seed)
