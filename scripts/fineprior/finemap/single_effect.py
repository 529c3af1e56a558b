"""Single effect regression: the posterior when exactly one variant has an effect, with prior weights.

Wang et al. 2020 (doi:10.1111/rssb.12388), section 2.2; names are susieR's. The prior variance V is estimated by maximum
likelihood (section 3.1) as susieR does it: by Brent's method on log V, which takes the steps of R's
`optim(method = "Brent")` and so finds the same local maximum.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fineprior.files.arrays import Floats

# susieR adds this to every prior weight: with it a weight of 0 excludes a variant in practice, not in principle.
WEIGHT_OFFSET = math.sqrt(float(np.finfo(np.float64).eps))
LOG_V_BOUNDS = (-30.0, 15.0)
LOG_V_TOLERANCE = math.sqrt(float(np.finfo(np.float64).eps))
GOLDEN = (3 - math.sqrt(5)) / 2


@dataclass(frozen=True)
class SingleEffect:
    """Posterior of one effect.

    Attributes
    ----------
    alpha : ndarray, shape (p,)
        Posterior probability that the variant is the effect's; sums to 1.
    mu, mu2 : ndarray, shape (p,)
        Posterior mean and second moment of the coefficient, given that the variant is the effect's.
    lbf_variable : ndarray, shape (p,)
        Log Bayes factor of each variant, without its prior weight.
    lbf : float
        Log Bayes factor of the effect, weighted with the prior.
    V : float
        Prior variance of the coefficient.
    KL : float
        Kullback-Leibler divergence from the prior to the posterior.
    """

    alpha: Floats
    mu: Floats
    mu2: Floats
    lbf_variable: Floats
    lbf: float
    V: float
    KL: float


def single_effect(
    score: Floats,
    precision: float | Floats,
    pi: Floats,
    V: float,
    *,
    method: str = "optim",
    check_null_threshold: float = 0.0,
    zero_excludes: bool = True,
) -> SingleEffect:
    """Fit one effect to a score vector.

    Parameters
    ----------
    score : ndarray, shape (p,)
        X'r / σ², r being the residual without this effect; 0 for a variant without information.
    precision : float or ndarray, shape (p,)
        diag(X'X) / σ²; 0 for a variant without information.
    pi : ndarray, shape (p,)
        Prior weights.
    V : float
        Prior variance to start from, or to use.
    method : {"optim", "EM", "simple", "none"}
        How V is estimated; EM updates it after the posterior, from the posterior.
    check_null_threshold : float
        See `estimate_prior_variance`.
    zero_excludes : bool
        Whether a prior weight of 0 is 0. Otherwise it is WEIGHT_OFFSET, as in susieR, and a strong signal overrules it.

    Returns
    -------
    SingleEffect
    """
    # Never more than doubled, so that a weight far below the offset stays what it is.
    prior = pi + np.minimum(pi, WEIGHT_OFFSET) if zero_excludes else pi + WEIGHT_OFFSET
    if isinstance(precision, float):
        betahat: Floats = score / precision
    else:
        betahat = np.divide(score, precision, out=np.zeros_like(score), where=precision > 0)
    evidence = Evidence(0.5 * score * betahat, precision, prior)
    if method in ("optim", "simple"):
        V = estimate_prior_variance(evidence, V, method, check_null_threshold)

    lbf_variable = evidence.log_bayes_factors(V)
    weighted = lbf_variable + _log(prior)
    top = weighted.max()
    alpha: Floats = np.exp(weighted - top)
    total = float(alpha.sum())
    alpha /= total
    lbf = math.log(total) + float(top)

    post_var = V / (1 + V * precision)
    mu: Floats = post_var * score
    mu2: Floats = post_var * (np.asarray(precision) > 0) + mu * mu
    # Expected log likelihood under the posterior, relative to no effect.
    expected = float((alpha * mu) @ score) - 0.5 * float((alpha * mu2 * precision).sum())
    if method == "EM":
        V = float(alpha @ mu2)
    return SingleEffect(alpha, mu, mu2, lbf_variable, lbf, V, expected - lbf)


def _log(prior: Floats) -> Floats:
    """Logarithm of prior weights, minus infinity of 0."""
    return np.log(prior, out=np.full_like(prior, -np.inf), where=prior > 0)


@dataclass(frozen=True)
class Evidence:
    """log sum_j prior_j BF_j(V) of one single effect regression, as a function of V.

    Attributes
    ----------
    half_chi2 : ndarray, shape (p,)
        betahat_j² / (2 shat2_j); 0 for a variant without information.
    precision : float or ndarray, shape (p,)
        1 / shat2_j; 0 for a variant without information.
    prior : ndarray, shape (p,)
        Prior weights.
    """

    half_chi2: Floats
    precision: float | Floats
    prior: Floats

    def log_bayes_factors(self, V: float) -> Floats:
        """Log Bayes factor of each variant, N(0, V) against no effect, shape (p,); no prior weight in it."""
        Vd = V * self.precision
        return self.half_chi2 * (Vd / (1 + Vd)) - 0.5 * np.log1p(Vd)

    @cached_property
    def _possible(self) -> Floats:
        """half_chi2, and 0 for variants of prior weight 0, whose signal would else drown that of all others."""
        return self.half_chi2 if self.prior.all() else np.where(self.prior > 0, self.half_chi2, 0.0)

    @cached_property
    def _top(self) -> float:
        return float(self._possible.max())

    @cached_property
    def _below_top(self) -> Floats:
        return self._possible - self._top

    def __call__(self, V: float) -> float:
        """Evidence at V."""
        Vd = V * self.precision
        if isinstance(Vd, float):
            # With one precision for all variants a product, an exponential and a sum are left.
            share = Vd / (1 + Vd)
            exponents = share * self._below_top
            total = float(self.prior @ np.exp(exponents, out=exponents))
            return math.log(total) + share * self._top - 0.5 * math.log1p(Vd)
        kept = 1 / (1 + Vd)
        exponents = self._possible * (1 - kept)
        top = float(exponents.max())
        return math.log(float((self.prior * np.sqrt(kept)) @ np.exp(exponents - top))) + top


def estimate_prior_variance(evidence: Evidence, V: float, method: str, check_null_threshold: float) -> float:
    """V by `method`, or 0 where no effect explains the data as well.

    Parameters
    ----------
    evidence : Evidence
    V : float
        The present value: kept when the search finds no better one, and by method "simple".
    method : {"optim", "simple"}
    check_null_threshold : float
        V = 0 is chosen unless the log evidence at V exceeds the one at 0 by more than this.
    """
    if method == "optim":
        best = math.exp(minimise(lambda log_v: -evidence(math.exp(log_v)), *LOG_V_BOUNDS, LOG_V_TOLERANCE))
        V = best if evidence(best) >= evidence(V) else V
    return 0.0 if evidence(0.0) + check_null_threshold >= evidence(V) else V


def minimise(function: Callable[[float], float], lower: float, upper: float, tolerance: float) -> float:
    """Local minimum of a function of one variable in an interval, without derivatives.

    Brent (1973), Algorithms for minimization without derivatives, chapter 5: parabolas through the three best
    points x (best), w and v, golden sections where these do not help.
    """
    relative = math.sqrt(float(np.finfo(np.float64).eps))
    x = w = v = lower + GOLDEN * (upper - lower)
    fx = fw = fv = function(x)
    step = before = 0.0
    while True:
        middle = (lower + upper) / 2
        smallest = relative * abs(x) + tolerance / 3
        if abs(x - middle) <= 2 * smallest - (upper - lower) / 2:
            return x
        parabola = _parabola(x, w, v, fx, fw, fv) if abs(before) > smallest else None
        inside = parabola is not None and lower < x + parabola < upper
        if parabola is not None and inside and abs(parabola) < abs(before / 2):
            before, step = step, parabola
            if min(x + step - lower, upper - x - step) < 2 * smallest:
                step = smallest if x < middle else -smallest
        else:
            before = (upper if x < middle else lower) - x
            step = GOLDEN * before
        u = x + (step if abs(step) >= smallest else math.copysign(smallest, step))
        fu = function(u)
        if fu <= fx:
            lower, upper = (lower, x) if u < x else (x, upper)
            v, w, x, fv, fw, fx = w, x, u, fw, fx, fu
            continue
        lower, upper = (u, upper) if u < x else (lower, u)
        if fu <= fw or w == x:
            v, w, fv, fw = w, u, fw, fu
        elif fu <= fv or v in (x, w):
            v, fv = u, fu


def _parabola(x: float, w: float, v: float, fx: float, fw: float, fv: float) -> float | None:
    """Step from x to the vertex of the parabola through three points; None where they have none."""
    r = (x - w) * (fx - fv)
    q = (x - v) * (fx - fw)
    p = (x - v) * q - (x - w) * r
    q = 2 * (q - r)
    return -p / q if q != 0 else None
