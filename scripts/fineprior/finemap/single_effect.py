"""Single effect regression: the posterior when exactly one variant has an effect, with prior weights.

Wang et al. 2020 (doi:10.1111/rssb.12388), section 2.2; names are susieR's.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.finemap.prior_variance import Evidence, estimate_prior_variance

Floats = npt.NDArray[np.float64]

# susieR adds this to every prior weight: with it a weight of 0 excludes a variant in practice, not in principle.
WEIGHT_OFFSET = math.sqrt(float(np.finfo(np.float64).eps))


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
