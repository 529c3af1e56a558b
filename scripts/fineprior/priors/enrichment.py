"""Softmax enrichment: how much more often the causal variant of a locus is one with a high score.

Within a locus k the causal variant is j with probability pi_kj = softmax(X_k b)_j, and the likelihood of the GWAS is
sum_k log sum_j pi_kj BF_kj, the Bayes factors standing for the data (the conditional form of TORUS, Wen 2016, and of
fgwas, Pickrell 2014, equation 10). Only ratios of priors within a locus matter to SuSiE, so there is no intercept.

Bayes factors come as (n, signals): one column now, a single causal variant per locus seen through its marginal z. A
locus with several signals fills further columns; a column of zeros in a locus says nothing and changes nothing.

The variants of all loci lie in flat arrays, locus after locus; `starts` (loci,) holds the first row of each.
"""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.foundation.errors import InputError

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

VARIANCE_RATIOS = (1.0, 4.0, 16.0, 25.0)  # of the effect to its sampling error, TORUS's grid
_STEP_TOLERANCE = 1e-7
_MAX_ITERATIONS = 1000
_MAX_NEWTON_STEPS = 30


@dataclass(frozen=True)
class Enrichment:
    """Coefficients (d,), their covariance (d, d; NaN where the data do not determine them) and how the fit went.

    `history` is the penalised log likelihood before the first and after each iteration of EM.
    """

    coefficients: Floats
    covariance: Floats
    history: tuple[float, ...]
    converged: bool

    @property
    def standard_errors(self) -> Floats:
        """Standard errors (d,), from the observed information of the penalised log likelihood."""
        return np.sqrt(np.diag(self.covariance))


def log_bayes_factors(z: Floats, se: Floats | None = None, effect_variance: float = 0.0) -> Floats:
    """Log approximate Bayes factors of association, (n, 1).

    log BF = -log(1 + K) / 2 + z^2 K / (2 (1 + K)) with K = W / se^2 (Wakefield 2009, equation 2).

    Parameters
    ----------
    z
        (n,) z scores.
    se
        (n,) standard errors of the effects; needed when `effect_variance` is above 0.
    effect_variance
        W, the prior variance of an effect (log odds ratio squared for a disease); 0: the mean, on the scale of the
        Bayes factor, over K in 1, 4, 16, 25 (TORUS).

    Raises
    ------
    InputError
        A z that is not finite; a negative W; W above 0 and a standard error that is missing or not positive.
    """
    z = np.asarray(z, dtype=float)
    if not np.isfinite(z).all():
        raise InputError(f"z must be finite for every variant of a locus; {(~np.isfinite(z)).sum()} are not")
    if effect_variance < 0:
        raise InputError(f"priors.effect_variance must be 0 or more, not {effect_variance}")
    if effect_variance == 0:
        ratios = np.asarray(VARIANCE_RATIOS)[:, None]
    elif se is None or not (np.asarray(se) > 0).all():
        raise InputError(
            "priors.effect_variance above 0 needs a standard error above 0 for every variant; "
            "set it to 0 when the summary statistics have z scores only"
        )
    else:
        ratios = effect_variance / np.square(np.asarray(se, dtype=float))[None, :]
    each = 0.5 * z**2 * ratios / (1 + ratios) - 0.5 * np.log1p(ratios)
    return (np.logaddexp.reduce(each, axis=0) - np.log(len(ratios)))[:, None]


def locus_starts(locus: npt.ArrayLike) -> Integers:
    """First row of each locus, (loci,), from the locus name of each variant.

    Raises
    ------
    InputError
        The rows of a locus do not stand together.
    """
    names = np.asarray(locus, dtype=object)
    if len(names) == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    seen: set[str] = set()
    for name in names[starts]:
        if name in seen:
            raise InputError(f"the variants of locus {name} do not stand together; sort them by locus")
        seen.add(name)
    return starts


def locus_sizes(starts: Integers, n: int) -> Integers:
    """Number of variants of each locus, (loci,), where the flat arrays hold `n`."""
    return np.diff(np.append(starts, n))


def log_softmax(log_odds: Floats, starts: Integers) -> Floats:
    """Log softmax within each locus, along the first axis of (n,) or (n, signals)."""
    if len(starts) == 0:
        return log_odds
    return log_odds - np.repeat(_log_sum_exp(log_odds, starts), locus_sizes(starts, len(log_odds)), axis=0)


def log_likelihood(log_prior: Floats, log_bf: Floats, starts: Integers) -> Floats:
    """Log likelihood of each locus, (loci,): sum over signals of log sum_j prior_j BF_j.

    It is relative to no association: with Bayes factors of 1 throughout it is 0.
    """
    if len(starts) == 0:
        return np.zeros(0)
    return _log_sum_exp(log_prior[:, None] + log_bf, starts).sum(axis=1)


def fit_enrichment(features: Floats, log_bf: Floats, starts: Integers, ridge: float) -> Enrichment:
    """Maximise sum_k log sum_j softmax(X_k b)_j BF_kj - ridge |b|^2 / 2 by EM, from b = 0.

    E: the responsibilities of the variants given b. M: the b that makes them likeliest (concave; Newton). Without
    loci the estimate is b = 0 and its variance that of the penalty, 1 / ridge.

    Parameters
    ----------
    features
        X (n, d), standardised; a row of zeros is a variant of which nothing is known.
    log_bf
        (n, signals) log Bayes factors.
    starts
        (loci,) first rows of the loci.
    ridge
        Penalty, 0 or more: the inverse variance of a normal prior on each coefficient.
    """
    if ridge < 0:
        raise InputError(f"priors.ridge must be 0 or more, not {ridge}")
    coefficients = np.zeros(features.shape[1])
    history = [penalised_log_likelihood(coefficients, features, log_bf, starts, ridge)]
    converged = False
    for _ in range(_MAX_ITERATIONS):
        responsibilities = _responsibilities(coefficients, features, log_bf, starts)
        updated = _maximise(coefficients, responsibilities, features, starts, ridge)
        step = np.abs(updated - coefficients).max(initial=0.0)
        coefficients = updated
        history.append(penalised_log_likelihood(coefficients, features, log_bf, starts, ridge))
        if step < _STEP_TOLERANCE:
            converged = True
            break
    else:
        log.warning("the enrichment did not converge in %d iterations (last step %.2g)", _MAX_ITERATIONS, step)
    information = observed_information(coefficients, features, log_bf, starts, ridge)
    return Enrichment(coefficients, _inverse(information), tuple(history), converged)


def penalised_log_likelihood(
    coefficients: Floats, features: Floats, log_bf: Floats, starts: Integers, ridge: float
) -> float:
    """What `fit_enrichment` maximises."""
    log_prior = log_softmax(features @ coefficients, starts)
    return float(log_likelihood(log_prior, log_bf, starts).sum() - 0.5 * ridge * coefficients @ coefficients)


def gradient(coefficients: Floats, features: Floats, log_bf: Floats, starts: Integers, ridge: float) -> Floats:
    """Gradient (d,) of the penalised log likelihood: sum over loci of E_posterior[x] - E_prior[x], less the penalty."""
    responsibilities = _responsibilities(coefficients, features, log_bf, starts)
    prior = np.exp(log_softmax(features @ coefficients, starts))
    excess = responsibilities.sum(axis=1) - log_bf.shape[1] * prior
    return features.T @ excess - ridge * coefficients


def observed_information(
    coefficients: Floats, features: Floats, log_bf: Floats, starts: Integers, ridge: float
) -> Floats:
    """Minus the Hessian (d, d): sum over loci of Cov_prior[x] - Cov_posterior[x], plus the penalty."""
    information = ridge * np.eye(len(coefficients))
    prior = np.exp(log_softmax(features @ coefficients, starts))
    responsibilities = _responsibilities(coefficients, features, log_bf, starts)
    for signal in range(log_bf.shape[1]):
        information += _covariance(features, prior, starts)
        information -= _covariance(features, responsibilities[:, signal], starts)
    return information


def _responsibilities(coefficients: Floats, features: Floats, log_bf: Floats, starts: Integers) -> Floats:
    return np.exp(log_softmax((features @ coefficients)[:, None] + log_bf, starts))


def _maximise(
    coefficients: Floats, responsibilities: Floats, features: Floats, starts: Integers, ridge: float
) -> Floats:
    """Penalised Newton on the expected complete log likelihood, halving a step that would lower it."""
    shares = responsibilities.sum(axis=1)
    signals = responsibilities.shape[1]

    def expected(candidate: Floats) -> float:
        return float(shares @ log_softmax(features @ candidate, starts) - 0.5 * ridge * candidate @ candidate)

    value = expected(coefficients)
    for _ in range(_MAX_NEWTON_STEPS):
        prior = np.exp(log_softmax(features @ coefficients, starts))
        slope = features.T @ (shares - signals * prior) - ridge * coefficients
        curvature = signals * _covariance(features, prior, starts) + ridge * np.eye(len(coefficients))
        step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
        while (raised := expected(coefficients + step)) < value and np.abs(step).max() > _STEP_TOLERANCE:
            step = step / 2
        if raised < value:
            break
        coefficients, value = coefficients + step, raised
        if np.abs(step).max(initial=0.0) < 0.1 * _STEP_TOLERANCE:
            break
    return coefficients


def _covariance(features: Floats, weights: Floats, starts: Integers) -> Floats:
    """Sum over loci of the covariance (d, d) of the features under weights (n,) that sum to 1 in a locus."""
    if len(starts) == 0:
        return np.zeros((features.shape[1],) * 2)
    means = np.add.reduceat(features * weights[:, None], starts, axis=0)
    centred = features - np.repeat(means, locus_sizes(starts, len(features)), axis=0)
    return centred.T @ (centred * weights[:, None])


def _log_sum_exp(values: Floats, starts: Integers) -> Floats:
    largest = np.maximum.reduceat(values, starts, axis=0)
    spread = np.repeat(largest, locus_sizes(starts, len(values)), axis=0)
    return largest + np.log(np.add.reduceat(np.exp(values - spread), starts, axis=0))


def _inverse(information: Floats) -> Floats:
    """Inverse of a positive definite matrix; NaN when it is not, for then the data do not determine the estimate."""
    if np.linalg.eigvalsh(information).min(initial=np.inf) <= 1e-10:
        return np.full_like(information, np.nan)
    return np.asarray(np.linalg.inv(information), dtype=float)
