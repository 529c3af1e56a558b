"""Fine-mapping without LD: one causal variant, which makes the correlations cancel.

Given that a locus has one causal variant, its posterior needs the z-scores only (Maller et al. 2012,
doi:10.1038/ng.2435; Wakefield 2009, doi:10.1002/gepi.20359). It is SuSiE with L = 1.
"""

import math

import numpy as np
import numpy.typing as npt

from fineprior.finemap.correlation import Correlation
from fineprior.finemap.credible_sets import credible_sets
from fineprior.finemap.single_effect import single_effect
from fineprior.finemap.sufficient import check_n, check_prior_weights, check_z
from fineprior.finemap.susie import SusieFit
from fineprior.foundation.errors import InputError


def single_signal(
    z: npt.ArrayLike,
    n: float | None,
    *,
    prior_weights: npt.ArrayLike | None = None,
    R: npt.ArrayLike | None = None,
    coverage: float = 0.95,
    min_abs_corr: float = 0.5,
    scaled_prior_variance: float = 0.2,
    estimate_prior_variance: bool = True,
) -> SusieFit:
    """The most likely single causal variant of a locus.

    Parameters
    ----------
    z : array, shape (p,)
    n : float
        Sample size.
    prior_weights : array, shape (p,), optional
    R : array, shape (p, p), optional
        Used for the purity of the set alone; without it purity is NaN and no set is dropped for it.
    coverage, min_abs_corr, scaled_prior_variance, estimate_prior_variance
        As in `susie_rss`.

    Returns
    -------
    SusieFit
        One effect; converged after one iteration.

    Raises
    ------
    InputError
        Bad input, named.
    ArithmeticError
        A value overflows.
    """
    scores = check_z(z)
    if n is None:
        raise InputError("n: missing, the sample size is needed")
    check_n(n)
    weights = check_prior_weights(prior_weights, len(scores))
    pi = weights / weights.sum()
    correlation = None if R is None else Correlation.from_matrix(R, len(scores))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        score = math.sqrt(n - 1) * scores * np.sqrt((n - 1) / (scores * scores + n - 2))
        method = "optim" if estimate_prior_variance else "none"
        found = single_effect(score, float(n - 1), pi, scaled_prior_variance, method=method)
        log_likelihood = -n / 2 * math.log(2 * math.pi) - (n - 1) / 2
    alpha, V, lbf = found.alpha[None], np.array([found.V]), np.array([found.lbf])
    sets = credible_sets(alpha, V, lbf, correlation, coverage=coverage, min_abs_corr=min_abs_corr)
    return SusieFit(
        alpha=alpha,
        mu=found.mu[None],
        mu2=found.mu2[None],
        lbf=lbf,
        lbf_variable=found.lbf_variable[None],
        V=V,
        KL=np.array([found.KL]),
        elbo=np.array([log_likelihood + found.lbf]),
        sigma2=1.0,
        pi=pi,
        niter=1,
        converged=True,
        null_index=None,
        pip=found.alpha if found.V > 0 else np.zeros(len(scores)),
        sets=sets,
        z=scores,
    )
