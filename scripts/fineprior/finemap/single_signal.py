"""The fit of one causal variant, which makes the correlations cancel, so that z-scores are enough.

Maller et al. 2012, doi:10.1038/ng.2435; Wakefield 2009, doi:10.1002/gepi.20359. It is SuSiE with L = 1.
"""

import math

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlation
from fineprior.finemap.credible_sets import credible_sets
from fineprior.finemap.single_effect import single_effect
from fineprior.finemap.sufficient import check_n, check_prior_weights, check_z, shrunk_z
from fineprior.finemap.susie import SusieFit


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
    null_weight: float = 0.0,
    z_method: str = "wald",
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
    coverage, min_abs_corr, scaled_prior_variance, estimate_prior_variance, null_weight, z_method
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
    p = len(scores)
    weights = check_prior_weights(prior_weights, p)
    pi, null_index = weights / weights.sum(), None
    precision: float | Floats = float(n - 1)
    correlation = None if R is None else Correlation.from_matrix(R, p)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        score = math.sqrt(n - 1) * (shrunk_z(scores, n) if z_method == "wald" else scores)
        method = "optim" if estimate_prior_variance else "none"
        if null_weight:
            null_index = p
            pi, score = np.append(pi * (1 - null_weight), null_weight), np.append(score, 0.0)
            precision = np.append(np.full(p, precision), 0.0)
        found = single_effect(score, precision, pi, scaled_prior_variance, method=method)
        log_likelihood = -n / 2 * math.log(2 * math.pi) - (n - 1) / 2
    alpha, V, lbf = found.alpha[None], np.array([found.V]), np.array([found.lbf])
    sets = credible_sets(
        alpha, V, lbf, correlation, coverage=coverage, min_abs_corr=min_abs_corr, null_index=null_index
    )
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
        null_index=null_index,
        pip=found.alpha[:p] if found.V > 0 else np.zeros(p),
        sets=sets,
        z=scores,
    )
