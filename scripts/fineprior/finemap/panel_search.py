"""The posterior of configurations where R is that of a panel: the evidence is averaged over what R may be.

For LD of the GWAS the evidence of a configuration C is that of its own z-scores, N(z_C; 0, R + W R²) over N(z_C; 0, R)
(see `configurations`). With a panel R is not known. Both likelihoods are then means over R, whose correlations r_ij of
C have the errors of `panel_error.Shape`:

    log BF(C) = log E N(z_C; 0, R + W R²) - log E N(z_C; 0, R).

So a second effect is doubted as far as an error of its r could make the first explain it, and one effect alone is not
touched. The means are taken over all correlations of C together, by Laplace's method. The weight of C depends on C
alone, so each configuration is still summed once.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Flags, Floats, Indices
from fineprior.finemap.configurations import Model, Singles
from fineprior.finemap.correlation import Correlations
from fineprior.finemap.panel_error import Shape
from fineprior.finemap.search import Posterior, model_of, searched

NUGGET = 1e-3
"""Added to the diagonal of R where it is inverted by itself: variants of |r| = 1 differ by a genotyping error."""
MOST = 6
"""Largest number of causal variants: the errors of all their correlations are looked at together."""
FAR, NEAR, STEPS = 1.0, 0.2, 6
"""Above this loss the likeliest R is looked for, until log likelihoods are so near to the largest, in so many steps."""
TAILS = ((0.9, 0.7), (0.1, 3.7))
"""Share of loci and variance of their errors over that of the shape: errors have a kurtosis of about 5 over loci."""
LITTLE = 0.5
"""A variant of less evidence, if each effect errs by itself, is looked at no closer."""
CHUNK = 2048


@dataclass(frozen=True)
class PanelModel(Model):
    """A model whose R is a panel's; `shape` says how far that may be from R of the GWAS."""

    shape: Shape

    def slices(self, members: Indices, wanted: Flags | None = None) -> tuple[Floats, Singles]:
        """As `Model.slices`, less what the error of the panel takes."""
        base, added = super().slices(members, wanted)
        p, k = len(self.z), members.shape[1]
        row, column = np.nonzero(np.ones(base.shape, bool) if wanted is None else wanted)
        rest = members[row]
        without = np.flatnonzero(column < k)
        real = np.append(members < p, np.ones((len(members), 1), bool), 1)[row, column]
        rest[without, column[without]] = p
        rest.sort(1)
        size = np.where(real, (rest < p).sum(1), 0)  # the slice of a member that is none is not looked at
        for some in np.unique(size[size > 0]).tolist():
            rows = np.flatnonzero(size == some)
            different, which = np.unique(rest[rows, :some], axis=0, return_inverse=True)
            itself, lost = self._slices_lost(different, added[rows], which.ravel())
            base[row[rows], column[rows]] -= itself
            added[rows] -= lost
        return base, added

    def _slices_lost(self, members: Indices, added: Singles, which: Indices) -> tuple[Floats, Singles]:
        """What the error takes from configurations (n, k), and from what a variant adds to them; by slice, `which`.

        Evidence can be taken only from variants that have some. For those that the error leaves without it, which is
        most of them, one effect at a time is enough to see that.
        """
        none = self.log_prior + (self.log_number[members.shape[1] + 1] - self.log_number[members.shape[1]])
        first = np.full(len(members), -1)
        first[which[::-1]] = np.arange(len(which))[::-1]
        evidence = added[first] - none
        one_by_one = self._one_by_one(members)
        itself = self._lost(members)
        lost = np.where(evidence > 0, np.maximum(evidence - one_by_one, 0), 0)
        row, extra = np.nonzero((evidence > 0) & (one_by_one > LITTLE))
        several = np.column_stack([members[row], extra])
        lost[row, extra] = self._lost(several, evidence[row, extra], itself[row])
        return itself[which], lost.astype(np.float32)[which]

    def _one_by_one(self, members: Indices) -> Floats:
        """Log Bayes factors (n, p) of adding a variant, if each effect errs by itself: z_j has more variance."""
        n, k = members.shape
        rows = self.R[members].astype(np.float64)
        inner = np.take_along_axis(rows, np.broadcast_to(members[:, None, :], (n, k, k)), 2)
        M = np.linalg.inv(inner + np.eye(k) / self.variance)
        b = (M @ self.z[members][:, :, None])[:, :, 0]
        residual = self.z - (b[:, None, :] @ rows)[:, 0]
        left = np.maximum(1 - (rows * (M @ rows)).sum(1), NUGGET)
        variance = left + ((b * b)[:, None, :] @ self.shape.of(rows * rows))[:, 0]
        ratio = self.variance * left * left / variance
        found: Floats = (residual**2 / variance * ratio / (1 + ratio) - np.log1p(ratio)) / 2
        return found

    def _lost(self, members: Indices, evidence: Floats | None = None, before: Floats | None = None) -> Floats:
        """What the error of the panel takes from configurations (n, k), all of whose members are real.

        With what the last member adds to the evidence, and what the others lose: what is taken from that. It is not
        worked out further than to nothing left.
        """
        n, k = members.shape
        if k == 1:
            return np.zeros(n)
        R = self.R[members[:, :, None], members[:, None, :]].astype(np.float64)
        z = self.z[members]
        found = np.zeros(n)
        for begin in range(0, n, CHUNK):
            part = slice(begin, begin + CHUNK)
            enough = None if evidence is None or before is None else (evidence + before)[part]
            found[part] = evidence_lost(R[part], z[part], self.shape, enough)
        return found if before is None else found - before


def evidence_lost(R: Floats, z: Floats, shape: Shape, enough: Floats | None = None) -> Floats:
    """Log of E N(z; 0, R) over N(z; 0, R): how much better z fits no effect at all for what R may be.

    Laplace's method over the correlations: with x = R^-1 z and M = R^-1, the log likelihood of z has the derivative
    x_i x_j in r_ij, as far as R is in z' R^-1 z. (What R is in the determinant is about the same in the likelihood with
    effects, and is left out of both.) The errors of two correlations are correlated as those of a Wishart matrix, so
    that a variant and its copy err together.

    Parameters
    ----------
    R : ndarray, shape (n, k, k)
    z : ndarray, shape (n, k)
    shape : Shape
    enough : ndarray, shape (n,), optional
        A loss that need not be known better.

    Returns
    -------
    ndarray, shape (n,)
        0 or more.
    """
    k = z.shape[1]
    one, two = np.triu_indices(k, 1)
    r = R[:, one, two]
    scale = np.sqrt(shape.of(r * r) / (1 + r * r))
    ik, jl, il, jk = _between(R, one, two)
    F = (ik * jl + il * jk) * scale[:, :, None] * scale[:, None, :]
    found = np.full(len(R), -np.inf)
    open_ = np.arange(len(R))
    for share, times in TAILS:
        more = _lost_to(R[open_], z[open_], one, two, F[open_] * times, None if enough is None else enough[open_])
        found[open_] = np.logaddexp(found[open_], math.log(share) + more)
        if enough is not None:
            open_ = open_[found[open_] < enough[open_]]
    return np.maximum(found, 0)


def _lost_to(R: Floats, z: Floats, one: Indices, two: Indices, F: Floats, enough: Floats | None) -> Floats:
    """`evidence_lost` to normal errors of covariance F of the correlations (one, two)."""
    panel = R + NUGGET * np.eye(R.shape[1])
    start, lost, towards = _expanded(panel, z, one, two, F, np.zeros(F.shape[:2]))
    lost -= start
    # Where z is far from what the panel says, R of the panel is no place to expand at: the likeliest R is looked for.
    rows = np.flatnonzero((lost > FAR) & (True if enough is None else lost < enough))
    trial = towards[rows]
    reached, height = np.zeros_like(trial), np.zeros(len(rows))
    for _ in range(STEPS):
        if not len(rows):
            break
        there, moved = panel[rows], (F[rows] @ trial[:, :, None])[:, :, 0]
        there[:, one, two] += moved
        there[:, two, one] += moved
        at, value, towards = _expanded(there, z[rows], one, two, F[rows], trial)
        at, value = at - start[rows], value - start[rows]
        better = at > height
        height[better], reached[better], lost[rows[better]] = at[better], trial[better], value[better]
        trial = np.where(better[:, None], towards, (reached + trial) / 2)
        on = ~(better & (value - at < NEAR))
        rows, trial, reached, height = rows[on], trial[on], reached[on], height[on]
    return lost


def _expanded(R: Floats, z: Floats, one: Indices, two: Indices, F: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Log N(z; 0, R) with the density of R, log of the integral over R by its expansion at R, and the likeliest y.

    Correlations (one, two) of the panel have errors of covariance F, and R has moved from it by F y. Log densities are
    without constants; -inf where R is no correlation matrix.
    """
    proper = np.linalg.eigvalsh(R)[:, 0] > NUGGET / 4 if y.any() else np.ones(len(R), bool)
    M = np.linalg.inv(np.where(proper[:, None, None], R, np.eye(R.shape[1])))
    x = (M @ z[:, :, None])[:, :, 0]
    xi, xj = x[:, one], x[:, two]
    ik, jl, il, jk = _between(M, one, two)
    Q = xi[:, :, None] * (xi[:, None, :] * jl + xj[:, None, :] * jk)
    Q += xj[:, :, None] * (xi[:, None, :] * il + xj[:, None, :] * ik)
    slope, moved = xi * xj, (F @ y[:, :, None])[:, :, 0]
    from_panel = slope + (Q @ moved[:, :, None])[:, :, 0]
    spread = np.eye(F.shape[1]) + Q @ F
    likeliest = np.linalg.solve(spread, from_panel[:, :, None])[:, :, 0]
    density = -(x * z).sum(1) + np.linalg.slogdet(M)[1]
    gain = (from_panel * (F @ likeliest[:, :, None])[:, :, 0]).sum(1) - ((slope + from_panel) * moved).sum(1)
    at: Floats = np.where(proper, (density - (y * moved).sum(1)) / 2, -np.inf)
    whole: Floats = (density + gain - np.linalg.slogdet(spread)[1]) / 2
    return at, whole, np.asarray(likeliest, np.float64)


def _between(matrix: Floats, one: Indices, two: Indices) -> tuple[Floats, Floats, Floats, Floats]:
    """Elements of matrices (n, k, k) between each two pairs: first and first, second and second, and crosswise."""
    return (
        matrix[:, one[:, None], one], matrix[:, two[:, None], two],
        matrix[:, one[:, None], two], matrix[:, two[:, None], one],
    )  # fmt: skip


def panel_search(
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations,
    variance: float,
    shape: Shape,
    *,
    prior_weights: npt.ArrayLike | None = None,
    causal: float = 1.0,
    most: int = MOST,
    seed: int = 1,
) -> Posterior:
    """Posterior inclusion probabilities of the variants of a locus with LD of a panel.

    Parameters
    ----------
    z, R, variance, prior_weights, causal, most, seed
        As in `search.search`; at most `MOST` causal variants.
    shape : Shape
        The error of R.

    Raises
    ------
    InputError
        As `search.search`.
    """
    known = model_of(z, R, variance, prior_weights, causal, min(most, MOST))
    return searched(PanelModel(**vars(known), shape=shape), seed)
