"""Iterative Bayesian stepwise selection: the effects of a locus fitted in turn until the ELBO converges.

Wang et al. 2020 (doi:10.1111/rssb.12388), algorithm 1. What makes it fast, and why the answer stays the same:
X'X b of every effect is kept, so that an effect costs one product with R and the ELBO none; the product is with the
change of b, from which entries are left out that change no z-score by `LBF_TOLERANCE` (`Effects.set_effect`); and
effects without signal that would come out the same are computed once (`_sweep`).
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.single_effect import SingleEffect, single_effect
from fineprior.finemap.sufficient import SufficientStatistics

# "none" keeps the prior variance.
PRIOR_METHODS = ("optim", "EM", "simple", "none")
CONVERGENCE_METHODS = ("elbo", "pip")
# susieR's bound on a prior variance that can still be right, in units of the largest z² (or of 1, if that is larger).
LARGEST_PRIOR_VARIANCE = 100
# Error of the largest log Bayes factor that one effect's product with R may make: z times the error of z.
LBF_TOLERANCE = 1e-9
# A fall of the ELBO by less is the noise of a fit that stands still.
ELBO_ROUNDING = 1e-8


class Inflation(Protocol):
    """What the error of a panel's R adds to the residual variance of each variant while one effect is fitted."""

    def residual_variance(self, expected_z: Floats, explained: float, sigma2: float) -> Floats:
        """Residual variance of each variant, shape (p,), all above 0.

        Parameters
        ----------
        expected_z : ndarray, shape (p,)
            z-scores that the other effects explain, X'X b / sqrt(n - 1), in units of y.
        explained : float
            b'X'X b of the other effects.
        sigma2 : float
            The residual variance without inflation.
        """

    def after_sweep(self, residual_z: Floats, expected_z: Floats, explained: float, sigma2: float) -> None:
        """Take, after each sweep, the z-scores that are left and those that all effects together explain."""


@dataclass(frozen=True)
class IbssOptions:
    """How the effects are fitted; see `susie_rss`."""

    L: int
    prior_variance: float
    residual_variance: float
    estimate_prior_method: str
    check_null_threshold: float
    estimate_residual_variance: bool
    max_iter: int
    tol: float
    convergence_method: str
    prior_tol: float
    residual_variance_lowerbound: float = 0.0
    zero_excludes: bool = False

    def __post_init__(self) -> None:
        for name, lowest in (("L", 1), ("max_iter", 1), ("tol", 0), ("prior_tol", 0)):
            if not getattr(self, name) >= lowest:
                raise InputError(f"{name}: {getattr(self, name)}, {lowest} or more is allowed")
        for name in ("prior_variance", "residual_variance"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: {getattr(self, name)}, above 0 is needed")
        for name, allowed in (("estimate_prior_method", PRIOR_METHODS), ("convergence_method", CONVERGENCE_METHODS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name}: {getattr(self, name)!r}, allowed are {', '.join(allowed)}")


class Effects:
    """The L effects of a locus while they are fitted: arrays of shape (L, p) and (L,) with susieR's names."""

    def __init__(self, data: SufficientStatistics, options: IbssOptions, start: "Effects | None" = None) -> None:
        L, p = options.L, len(data.Xty)
        self.V = np.full(L, options.prior_variance)
        self.sigma2 = options.residual_variance
        self.largest_z2 = max(1.0, float(data.squared_z().max()) / self.sigma2)
        self.tolerance = LBF_TOLERANCE * math.sqrt(self.sigma2 / self.largest_z2)
        self.alpha = np.full((L, p), 1 / p)
        self.mu, self.mu2, self.lbf_variable = np.zeros((L, p)), np.zeros((L, p)), np.zeros((L, p))
        self.lbf, self.KL = np.zeros(L), np.zeros(L)
        # Posterior means, but for entries that are too small to count, and X'X b of exactly these.
        self.b, self.XtXb = np.zeros((L, p)), np.zeros((L, p))
        # Per effect E[b'X'X b] over its own posterior and b̄'X'X b̄: the ELBO needs only these.
        self.second_moment, self.quadratic = np.zeros(L), np.zeros(L)
        if start is not None:
            self.alpha, self.mu, self.mu2 = start.alpha.copy(), start.mu.copy(), start.mu2.copy()
            for row, b in enumerate(self.alpha * self.mu):
                self.XtXb[row], self.b[row] = data.times_most(b, self.tolerance)
        self.fitted = self.XtXb.sum(axis=0)
        self.elbo: list[float] = []
        self.converged = False

    def set_effect(self, row: int, found: SingleEffect, data: SufficientStatistics) -> bool:
        """Put a single effect regression in place of an effect; whether the fitted values have changed.

        X'X b follows the change of b since it was last multiplied, not since the last sweep: what has been left out
        as too small is caught up as soon as it has grown, so that errors do not add up over the sweeps.
        """
        self.alpha[row], self.mu[row], self.mu2[row] = found.alpha, found.mu, found.mu2
        self.lbf_variable[row], self.lbf[row] = found.lbf_variable, found.lbf
        self.V[row], self.KL[row] = found.V, found.KL
        self.second_moment[row] = float((found.alpha * found.mu2 * data.d).sum())
        change = found.alpha * found.mu - self.b[row]
        if not change.any():
            return False
        if not found.mu.any():
            # Not by differences: an effect that is gone leaves no rounding behind.
            self.fitted -= self.XtXb[row]
            self.b[row] = self.XtXb[row] = self.quadratic[row] = 0.0
            return True
        product, change = data.times_most(change, self.tolerance)
        self.fitted += product
        self.XtXb[row] += product
        self.b[row] += change
        self.quadratic[row] = float(self.b[row] @ self.XtXb[row])
        return True

    def expected_squared_residuals(self, data: SufficientStatistics) -> float:
        """E ||y - X b||² under the posterior."""
        b = self.b.sum(axis=0)
        total = data.yty - 2 * float(b @ data.Xty) + float(b @ self.fitted)
        return total - float(self.quadratic.sum()) + float(self.second_moment.sum())

    def explained(self, data: SufficientStatistics) -> tuple[Floats, Floats, float]:
        """What `Inflation.after_sweep` takes: z-scores that are left, z-scores explained, and b'X'X b."""
        root = math.sqrt(data.n - 1)
        quadratic = float(self.b.sum(axis=0) @ self.fitted)
        variants = slice(data.null_index)  # without the null column, which is no residual
        return (data.Xty - self.fitted)[variants] / root, self.fitted[variants] / root, quadratic

    def pip(self, prior_tol: float, alpha: Floats | None = None) -> Floats:
        """Posterior inclusion probabilities over the effects with V above `prior_tol`, shape (p,)."""
        rows = (self.alpha if alpha is None else alpha)[prior_tol < self.V]
        return 1 - np.prod(1 - rows, axis=0)


def fit_effects(
    data: SufficientStatistics,
    options: IbssOptions,
    start: Effects | None = None,
    inflation: Inflation | None = None,
) -> Effects:
    """Fit all effects of a locus.

    Parameters
    ----------
    data : SufficientStatistics
    options : IbssOptions
    start : Effects, optional
        Posterior means to start from, same L.
    inflation : Inflation, optional
        What R's error adds to the residual variance; the ELBO is then orientation only and not the test of convergence.

    Raises
    ------
    InputError
        The residual variance comes out negative, or a prior variance immense: z and R do not belong together.
    ArithmeticError
        A value overflows or is not finite.
    """
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        effects = Effects(data, options, start)
        for _ in range(options.max_iter):
            before = effects.alpha.copy() if options.convergence_method == "pip" else effects.alpha
            _sweep(effects, data, options, inflation)
            if effects.V.max() > LARGEST_PRIOR_VARIANCE * effects.largest_z2:
                raise InputError(
                    f"the estimated prior variance {effects.V.max():g} is unreasonably large, "
                    "as it becomes when z and R do not belong together"
                )
            residuals = effects.expected_squared_residuals(data)
            _append_elbo(effects, data, residuals)
            if inflation is not None:
                inflation.after_sweep(*effects.explained(data), effects.sigma2)
            effects.converged = _has_converged(effects, before, options)
            if effects.converged:
                break
            if options.estimate_residual_variance:
                if residuals < 0:
                    raise InputError(
                        "the estimated residual variance is negative, as it becomes when R is not from "
                        "the sample of z; leave estimate_residual_variance off"
                    )
                effects.sigma2 = max(residuals / data.n, options.residual_variance_lowerbound)
        return effects


def _append_elbo(effects: Effects, data: SufficientStatistics, residuals: float) -> None:
    likelihood = -data.n / 2 * math.log(2 * math.pi * effects.sigma2) - residuals / (2 * effects.sigma2)
    effects.elbo.append(likelihood - float(effects.KL.sum()))
    if not math.isfinite(effects.elbo[-1]):
        raise ArithmeticError(f"the ELBO is not finite in iteration {len(effects.elbo)}")


def _sweep(effects: Effects, data: SufficientStatistics, options: IbssOptions, inflation: Inflation | None) -> None:
    """Update every effect once."""
    null: SingleEffect | None = None
    null_start = math.nan
    for row in range(options.L):
        V = float(effects.V[row])
        # An effect of 0 that meets the residual and V from which another has just become 0 becomes the same.
        if null is None or null_start != V or effects.b[row].any():
            expected = effects.fitted - effects.XtXb[row]
            variance: float | Floats = effects.sigma2
            if inflation is not None:
                others = effects.b.sum(axis=0) - effects.b[row]
                variance = inflation.residual_variance(
                    expected / math.sqrt(data.n - 1), float(others @ expected), effects.sigma2
                )
            found = single_effect(
                (data.Xty - expected) / variance,
                data.d / variance,
                data.pi,
                V,
                method=options.estimate_prior_method,
                check_null_threshold=options.check_null_threshold,
                zero_excludes=options.zero_excludes,
            )
        else:
            found = null
        changed = effects.set_effect(row, found, data)
        null, null_start = (None, math.nan) if changed else (found, V)


def _has_converged(effects: Effects, before: Floats, options: IbssOptions) -> bool:
    if len(effects.elbo) < 2:
        return False
    if options.convergence_method == "elbo":
        return -ELBO_ROUNDING <= effects.elbo[-1] - effects.elbo[-2] < options.tol
    moved = np.abs(effects.alpha - before).max()
    shifted = np.abs(effects.pip(options.prior_tol) - effects.pip(options.prior_tol, before)).max()
    return bool(max(moved, shifted) < options.tol)


def drop_null_effects(effects: Effects, data: SufficientStatistics, prior_tol: float) -> None:
    """Give effects with a negligible prior variance the posterior of no information: the prior."""
    null = prior_tol > effects.V
    effects.alpha[null] = data.pi
    for values in (effects.V, effects.mu, effects.mu2, effects.lbf_variable, effects.lbf, effects.KL):
        values[null] = 0.0
