"""Iterative Bayesian stepwise selection: the effects of a locus fitted in turn until the ELBO stands still.

Wang et al. 2020 (doi:10.1111/rssb.12388), algorithm 1. X'X b of every effect is kept, so that an effect costs
one product with R and the ELBO none.
"""

import math
from dataclasses import dataclass

import numpy as np

from fineprior.finemap.correlation import Floats
from fineprior.finemap.single_effect import SingleEffect, single_effect
from fineprior.finemap.sufficient import SufficientStatistics
from fineprior.foundation.errors import InputError

# susieR's bound on a prior variance that can still be right, in units of the largest z² (or of 1, if that is larger).
LARGEST_PRIOR_VARIANCE = 100


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

    def __post_init__(self) -> None:
        for name, lowest in (("L", 1), ("max_iter", 1), ("tol", 0), ("prior_tol", 0)):
            if not getattr(self, name) >= lowest:
                raise InputError(f"{name}: {getattr(self, name)}, {lowest} or more is allowed")
        for name in ("prior_variance", "residual_variance"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: {getattr(self, name)}, above 0 is needed")


class Effects:
    """The L effects of a locus while they are fitted: arrays of shape (L, p) and (L,) with susieR's names."""

    def __init__(self, data: SufficientStatistics, options: IbssOptions, start: "Effects | None" = None) -> None:
        L, p = options.L, len(data.Xty)
        self.V = np.full(L, options.prior_variance)
        self.sigma2 = options.residual_variance
        self.alpha = np.full((L, p), 1 / p)
        self.mu, self.mu2, self.lbf_variable = np.zeros((L, p)), np.zeros((L, p)), np.zeros((L, p))
        self.lbf, self.KL = np.zeros(L), np.zeros(L)
        self.b, self.XtXb = np.zeros((L, p)), np.zeros((L, p))
        # Per effect E[b'X'X b] over its own posterior and b̄'X'X b̄: the ELBO needs only these.
        self.second_moment, self.quadratic = np.zeros(L), np.zeros(L)
        if start is not None:
            self.alpha, self.mu, self.mu2 = start.alpha.copy(), start.mu.copy(), start.mu2.copy()
            self.b = self.alpha * self.mu
            for effect in range(L):
                self.XtXb[effect] = data.times(self.b[effect])
        self.fitted = self.XtXb.sum(axis=0)
        self.elbo: list[float] = []
        self.converged = False

    def set_effect(self, row: int, found: SingleEffect, data: SufficientStatistics) -> bool:
        """Put a single effect regression in place of an effect; whether the fitted values have changed."""
        self.alpha[row], self.mu[row], self.mu2[row] = found.alpha, found.mu, found.mu2
        self.lbf_variable[row], self.lbf[row] = found.lbf_variable, found.lbf
        self.V[row], self.KL[row] = found.V, found.KL
        b = found.alpha * found.mu
        self.second_moment[row] = float((found.alpha * found.mu2 * data.d).sum())
        was_null, is_null = not self.b[row].any(), not b.any()
        if was_null and is_null:
            return False
        XtXb = np.zeros_like(b) if is_null else data.times(b)
        self.fitted += XtXb - self.XtXb[row]
        self.b[row], self.XtXb[row] = b, XtXb
        self.quadratic[row] = float(b @ XtXb)
        return True

    def expected_squared_residuals(self, data: SufficientStatistics) -> float:
        """E ||y - X b||² under the posterior."""
        b = self.b.sum(axis=0)
        total = data.yty - 2 * float(b @ data.Xty) + float(b @ self.fitted)
        return total - float(self.quadratic.sum()) + float(self.second_moment.sum())

    def pip(self, prior_tol: float, alpha: Floats | None = None) -> Floats:
        """Posterior inclusion probabilities over the effects with V above `prior_tol`, shape (p,)."""
        rows = (self.alpha if alpha is None else alpha)[prior_tol < self.V]
        return 1 - np.prod(1 - rows, axis=0)


def fit_effects(data: SufficientStatistics, options: IbssOptions, start: Effects | None = None) -> Effects:
    """Fit all effects of a locus.

    Parameters
    ----------
    data : SufficientStatistics
    options : IbssOptions
    start : Effects, optional
        Posterior means to start from, same L.

    Raises
    ------
    InputError
        The residual variance comes out negative, or a prior variance immense: z and R do not belong together.
    ArithmeticError
        A value overflows or is not finite.
    """
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        return _fit_effects(data, options, start)


def _fit_effects(data: SufficientStatistics, options: IbssOptions, start: Effects | None) -> Effects:
    effects = Effects(data, options, start)
    largest_z2 = max(1.0, float((data.Xty**2).max()) / ((data.n - 1) * effects.sigma2))
    for _ in range(options.max_iter):
        before = effects.alpha.copy()
        _sweep(effects, data, options)
        if effects.V.max() > LARGEST_PRIOR_VARIANCE * largest_z2:
            raise InputError(
                f"the estimated prior variance {effects.V.max():g} is unreasonably large, "
                "as it becomes when z and R do not belong together"
            )
        residuals = effects.expected_squared_residuals(data)
        likelihood = -data.n / 2 * math.log(2 * math.pi * effects.sigma2) - residuals / (2 * effects.sigma2)
        effects.elbo.append(likelihood - float(effects.KL.sum()))
        if not math.isfinite(effects.elbo[-1]):
            raise ArithmeticError(f"the ELBO is not finite in iteration {len(effects.elbo)}")
        effects.converged = _has_converged(effects, before, options)
        if effects.converged:
            break
        if options.estimate_residual_variance:
            if residuals < 0:
                raise InputError(
                    "the estimated residual variance is negative, as it becomes when R is not from "
                    "the sample of z; leave estimate_residual_variance off"
                )
            effects.sigma2 = residuals / data.n
    return effects


def _sweep(effects: Effects, data: SufficientStatistics, options: IbssOptions) -> None:
    """Update every effect once."""
    null: SingleEffect | None = None
    null_start = math.nan
    for row in range(options.L):
        V = float(effects.V[row])
        # An effect of 0 that meets the residual and V from which another has just become 0 becomes the same.
        if null is None or null_start != V or effects.b[row].any():
            residual = data.Xty - (effects.fitted - effects.XtXb[row])
            found = single_effect(
                residual / effects.sigma2,
                data.d / effects.sigma2,
                data.pi,
                V,
                method=options.estimate_prior_method,
                check_null_threshold=options.check_null_threshold,
            )
        else:
            found = null
        changed = effects.set_effect(row, found, data)
        null, null_start = (None, math.nan) if changed else (found, V)


def _has_converged(effects: Effects, before: Floats, options: IbssOptions) -> bool:
    if len(effects.elbo) < 2:
        return False
    if options.convergence_method == "elbo":
        return 0 <= effects.elbo[-1] - effects.elbo[-2] < options.tol
    moved = np.abs(effects.alpha - before).max()
    shifted = np.abs(effects.pip(options.prior_tol) - effects.pip(options.prior_tol, before)).max()
    return bool(max(moved, shifted) < options.tol)


def drop_null_effects(effects: Effects, data: SufficientStatistics, prior_tol: float) -> None:
    """Give effects with a negligible prior variance the posterior of no information: the prior."""
    null = prior_tol > effects.V
    effects.alpha[null] = data.pi
    for values in (effects.V, effects.mu, effects.mu2, effects.lbf_variable, effects.lbf, effects.KL):
        values[null] = 0.0
