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
STEPS = 2
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
        p, k = len(self.z), members.shape[1]
        real = members < p
        for column in range(k + 1):
            rest = members if column == k else np.where(np.arange(k) == column, p, members)
            rest = np.sort(rest, axis=1)
            size = (rest < p).sum(1)
            if column < k:  # the slice of a member that is none is not looked at
                size = np.where(real[:, column], size, 0)
            for some in np.unique(size[size > 0]).tolist():
                rows = np.flatnonzero(size == some)
                doubted = added[rows, column] > self.log_prior + (self.log_number[some + 1] - self.log_number[some])
                row, extra = np.nonzero(doubted)
                itself, more = self.losses(rest[rows, :some], row, extra)
                base[rows, column] -= itself
                added[rows[row], column, extra] -= more.astype(np.float32)
        return base, added

    def losses(self, members: Indices, row: Indices, extra: Indices) -> tuple[Floats, Floats]:
        """What the error of the panel takes from the log evidence of configurations.

        Parameters
        ----------
        members : ndarray of int, shape (n, k)
            All of them real.
        row, extra : ndarray of int, shape (m,)
            Configurations, and variants that are added to them.

        Returns
        -------
        itself : ndarray, shape (n,)
        more : ndarray, shape (m,)
            By how much the loss grows with the variant that is added.
        """
        n, k = members.shape
        rows = self.R[members]
        inner = np.take_along_axis(rows, np.broadcast_to(members[:, None, :], (n, k, k)), 2).astype(np.float64)
        M = np.asarray(np.linalg.inv(inner + NUGGET * np.eye(k)), np.float64)
        own = self.z[members]
        x = (M @ own[:, :, None])[:, :, 0]
        one, two = np.tril_indices(k, -1)
        same = np.arange(k)
        error = self.shape.of(inner[:, one, two] ** 2)
        itself = self._of_pairs(
            x[:, one], x[:, two], M[:, one, one], M[:, two, two], M[:, one, two], error
        ).sum(1)
        # With a variant more: effects and precisions by the inverse of a bordered matrix.
        with_extra = self.R[members[row], extra[:, None]].astype(np.float64)
        G = (M[row] @ with_extra[:, :, None])[:, :, 0]
        left = np.maximum(1 + NUGGET - (with_extra * G).sum(1), NUGGET)[:, None]
        effect = (self.z[extra] - (own[row] * G).sum(1))[:, None] / left
        x = x[row] - G * effect
        precision = M[row][:, same, same] + G * G / left
        loss = self._of_pairs(x, effect, precision, 1 / left, -G / left, self.shape.of(with_extra**2)).sum(1)
        if k > 1:
            between = M[row][:, one, two] + G[:, one] * G[:, two] / left
            loss += self._of_pairs(
                x[:, one], x[:, two], precision[:, one], precision[:, two], between, error[row]
            ).sum(1)
        return itself, loss - itself[row]

    def _of_pairs(
        self, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats, error: Floats
    ) -> Floats:
        """Losses by errors of correlations, of variance `error`: effects x, y on z and their precisions."""
        det = np.maximum(xx * yy - xy * xy, 1e-12)
        first, second, both = yy / det, xx / det, -xy / det
        squared = first * second
        root = np.sqrt(squared)
        rho = np.clip(both / root, -1 + NUGGET, 1 - NUGGET)
        a = (first * x + both * y) / np.sqrt(first)
        b = (both * x + second * y) / np.sqrt(second)
        spread = np.minimum(error / squared, LARGEST_SPREAD)
        return loss_of_pair(*(v.astype(np.float32) for v in (a, b, rho, spread, self.variance * root)))


def loss_of_pair(a: Singles, b: Singles, rho: Singles, spread: Singles, W: Singles) -> Singles:
    """What the error of the correlation of two variants takes from the log evidence that both are causal.

    Log E N(z; 0, R) less log E N(z; 0, R + W R²), each beside its value at the estimate of R, by Laplace's method; never
    below 0, which it is by more than 0.3 only where the method fails (variants with |r| near 1).

    Parameters
    ----------
    a, b : ndarray
        z-scores of both.
    rho, spread : ndarray
        Estimate of their correlation and variance of its error, which is normal.
    W : ndarray
        Prior variance of both effects.
    """
    plus, minus = (a + b) ** 2 / 2, (a - b) ** 2 / 2
    # Without effects, z of both is N(0, R): the likeliest r by Newton's method, and the curvature there.
    at = rho
    for step in range(STEPS + 1):
        one, two = 1 / (1 + at), 1 / (1 - at)
        share, other = plus * one, minus * two
        curvature = np.maximum(((2 * share - 1) * one * one + (2 * other - 1) * two * two) / 2, 0) + 1 / spread
        if step == STEPS:
            break
        slope = ((share - 1) * one - (other - 1) * two) / 2 - (at - rho) / spread
        # Never more than half of the way to a correlation of 1.
        at = at + np.clip(slope / curvature, -(1 + at) / 2, (1 - at) / 2)
    start = plus / (1 + rho) + minus / (1 - rho) + np.log1p(-rho * rho)
    null = (start - share - other - np.log1p(-at * at) - (at - rho) ** 2 / spread - np.log(spread * curvature)) / 2
    # With effects it hardly depends on r: to the second order.
    v, w = (1 + rho) * (1 + W * (1 + rho)), (1 - rho) * (1 + W * (1 - rho))
    dv, dw, share, other = (1 + 2 * W * (1 + rho)) / v, -(1 + 2 * W * (1 - rho)) / w, plus / v, minus / w
    slope = ((share - 1) * dv + (other - 1) * dw) / 2
    curvature = (
        (2 * share - 1) * dv * dv + (2 * other - 1) * dw * dw - 2 * W * ((share - 1) / v + (other - 1) / w)
    ) / 2
    curvature = 1 + spread * np.maximum(curvature, 0)
    effects = (slope * slope * spread / curvature - np.log(curvature)) / 2
    return np.maximum(null - effects, 0)


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
