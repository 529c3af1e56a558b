"""Softmax enrichment: how much more often the causal variant of a signal is one with high scores.

Signal s of locus k comes from variant j with probability pi_kj = softmax(X_k b)_j, and the likelihood of the GWAS is
sum_ks log sum_j pi_kj BF_ksj, the Bayes factors standing for the data (the conditional form of TORUS, Wen 2016, and of
fgwas, Pickrell 2014, equation 10; several signals as the single effects of SuSiE, Wang et al. 2020). Only ratios of
priors within a locus matter to SuSiE, so there is no intercept.

A locus may have any number of signals; a locus without signals adds nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Features, Flags, Integers, Signal, log_sum_exp

log = logging.getLogger(__name__)


VARIANCE_RATIOS = (1.0, 4.0, 16.0, 25.0)  # of the effect to its sampling error, TORUS's grid
STEP_TOLERANCE = 1e-5
_NEGLIGIBLE = 1e-9
_MAX_STEPS = 50


@dataclass(frozen=True)
class Enrichment(ReadOnly):
    """Coefficients (d,), their covariance (d, d) and how the fit went.

    The covariance is NaN where coefficients are fixed, or where the data do not determine them. `history` is the
    penalised log likelihood before the first and after each step.
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


def fit_enrichment(
    blocks: Sequence[Block],
    ridge: float | Floats,
    *,
    start: Floats | None = None,
    nonnegative: Flags | None = None,
    fixed: Floats | None = None,
    locus_weights: Sequence[Floats] | None = None,
    tolerance: float = STEP_TOLERANCE,
) -> Enrichment:
    """Maximise sum_ks log sum_j softmax(X_k b)_j BF_ksj - ridge |b|^2 / 2 by projected Newton steps.

    A step that would lower the likelihood is halved; where the observed information is not positive definite, the
    covariance of the features under the prior takes its place (that of EM). Without signals the estimate is b = 0.

    Parameters
    ----------
    blocks
        Loci; X is standardised, and a row of zeros is a variant without known values.
    ridge
        Penalty, 0 or more: the inverse variance of a normal prior on each coefficient; one for all, or (d,).
    start
        (d,) first coefficients; b = 0 by default.
    nonnegative
        (d,) coefficients that must not be negative.
    fixed
        (d,) coefficients that are not estimated, NaN for those that are.
    locus_weights
        For each block (loci,) how often each locus counts (a bootstrap's draw); once by default.
    tolerance
        The fit ends when no coefficient changes by more; the error is then far smaller (Newton).
    """
    if np.min(ridge, initial=0.0) < 0:
        raise InputError(f"priors.ridge must be 0 or more, not {ridge}")
    d = blocks[0].features.shape[1] if blocks else 1 if start is None else len(start)
    lowest = np.where(np.zeros(d, dtype=bool) if nonnegative is None else nonnegative, 0.0, -np.inf)
    b = np.zeros(d) if start is None else np.maximum(start, lowest)
    held = np.zeros(d, dtype=bool) if fixed is None else ~np.isnan(fixed)
    if fixed is not None:
        b = np.where(held, fixed, b)
    value, slope, information, prior_information = derivatives(blocks, b, ridge, locus_weights)
    history, converged = [value], False
    for _ in range(_MAX_STEPS):
        free = ~held & ~((b <= lowest) & (slope <= 0))
        step = np.zeros(d)
        step[free] = _newton_step(information[np.ix_(free, free)], prior_information[np.ix_(free, free)], slope[free])
        candidate = np.maximum(b + step, lowest)
        while (found := derivatives(blocks, candidate, ridge, locus_weights))[0] < value - _NEGLIGIBLE * abs(value):
            step = step / 2
            candidate = np.maximum(b + step, lowest)
            if np.abs(step).max(initial=0.0) < tolerance:
                break
        moved = float(np.abs(candidate - b).max(initial=0.0))
        if found[0] >= value - _NEGLIGIBLE * abs(value):
            b, (value, slope, information, prior_information) = candidate, found
            history.append(value)
        if moved < tolerance:
            converged = True
            break
    else:
        log.warning("the enrichment did not converge in %d steps (last step %.2g)", _MAX_STEPS, moved)
    covariance = np.full((d, d), np.nan)
    covariance[np.ix_(~held, ~held)] = _inverse(information[np.ix_(~held, ~held)])
    return Enrichment(b, covariance, tuple(history), converged)


def derivatives(
    blocks: Sequence[Block], b: Floats, ridge: float | Floats, locus_weights: Sequence[Floats] | None = None
) -> tuple[float, Floats, Floats, Floats]:
    """Penalised log likelihood at b, its gradient (d,), observed information and that of EM's M step (d, d).

    The gradient is the sum over signals of E_posterior[x] - E_prior[x]; the information that of Cov_prior[x] -
    Cov_posterior[x], the last one without the second term; all with the penalty.
    """
    penalty = np.diag(np.broadcast_to(ridge, len(b)).astype(float))
    value, slope = -0.5 * float(b @ penalty @ b), -ridge * b
    posterior, prior = np.zeros_like(penalty), np.zeros_like(penalty)
    for number, block in enumerate(blocks):
        found = _block_derivatives(block, b, None if locus_weights is None else locus_weights[number])
        value, slope, prior, posterior = value + found[0], slope + found[1], prior + found[2], posterior + found[3]
    return value, slope, prior - posterior + penalty, prior + penalty


def bootstrap_errors(
    blocks: Sequence[Block],
    fit: Enrichment,
    ridge: float,
    replicates: int,
    seed: int,
    *,
    nonnegative: Flags | None = None,
    fixed: Floats | None = None,
) -> Floats:
    """Standard errors (d,) of the coefficients over bootstrap draws of loci, fixed by the seed.

    NaN of coefficients that are fixed.
    """
    sizes = [len(block) for block in blocks]
    loci = sum(sizes)
    if loci == 0:
        return np.full(len(fit.coefficients), np.nan)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(replicates):
        counts = np.bincount(rng.integers(loci, size=loci), minlength=loci).astype(float)
        weights = np.split(counts, np.cumsum(sizes)[:-1])
        drawn = fit_enrichment(
            blocks, ridge, start=fit.coefficients, nonnegative=nonnegative, fixed=fixed, locus_weights=weights
        )
        found.append(drawn.coefficients)
    errors = np.std(found, axis=0, ddof=1)
    return np.asarray(errors if fixed is None else np.where(np.isnan(fixed), errors, np.nan), dtype=float)


def _block_derivatives(block: Block, b: Floats, weights: Floats | None) -> tuple[float, Floats, Floats, Floats]:
    """Log likelihood, gradient, and covariance under prior and posterior of one block, without the penalty."""
    d, X = len(b), block.features
    if not block.signals:
        return 0.0, np.zeros(d), np.zeros((d, d)), np.zeros((d, d))
    each = np.ones(len(block)) if weights is None else weights
    eta = (X @ b.astype(X.dtype)).astype(float)
    if block.log_weight is not None:
        eta += block.log_weight
    total = log_sum_exp(eta, block.starts)
    prior = np.exp(eta - np.repeat(total, block.sizes))
    counts = block.signal_counts * each
    excess = -prior * np.repeat(counts, block.sizes)
    value, posterior = 0.0, np.zeros((d, d))
    for signal in block.signals:
        sizes = block.sizes[signal.loci]
        joint = eta[signal.rows] + signal.log_bf
        evidence = log_sum_exp(joint, signal.starts)
        value += float((evidence - total[signal.loci]) @ each[signal.loci])
        share = np.exp(joint - np.repeat(evidence, sizes))
        excess[signal.rows] += share * np.repeat(each[signal.loci], sizes)
        posterior += _sparse_covariance(X, signal, share, sizes, each[signal.loci])
    slope = (X.T @ excess.astype(X.dtype)).astype(float)
    means = _segment_sums(prior, block.starts, X)
    weighted = X * (prior * np.repeat(counts, block.sizes)).astype(X.dtype)[:, None]
    covariance = (weighted.T @ X).astype(float) - (means * counts[:, None]).T @ means
    return value, slope, covariance, posterior


def _sparse_covariance(X: Features, signal: Signal, share: Floats, sizes: Integers, weights: Floats) -> Floats:
    """Sum over a signal's loci of the features' covariance (d, d) under the shares; tiny shares are dropped."""
    chosen = np.flatnonzero(share > _NEGLIGIBLE)
    rows = chosen if isinstance(signal.rows, slice) else signal.rows[chosen]
    number = np.repeat(np.arange(len(sizes)), sizes)[chosen]
    there, kept = X[rows].astype(float), share[chosen]
    means = csr_matrix((kept, (number, np.arange(len(chosen)))), shape=(len(sizes), len(chosen))) @ there
    squares: Floats = (there * (kept * weights[number])[:, None]).T @ there
    return squares - (means * weights[:, None]).T @ means


def _segment_sums(weights: Floats, starts: Integers, X: Features) -> Floats:
    """Sum over each locus of weights (n,) times rows of X, (loci, d)."""
    n = len(weights)
    sums = csr_matrix((weights.astype(X.dtype), np.arange(n), np.append(starts, n)), shape=(len(starts), n)) @ X
    return np.asarray(sums, dtype=float)


def _newton_step(information: Floats, prior_information: Floats, slope: Floats) -> Floats:
    for curvature in (information, prior_information):
        if len(slope) and np.linalg.eigvalsh(curvature).min() > 1e-6 * np.abs(np.diag(curvature)).max():
            return np.asarray(np.linalg.solve(curvature, slope), dtype=float)
    return np.asarray(np.linalg.lstsq(prior_information, slope, rcond=None)[0], dtype=float)


def _inverse(information: Floats) -> Floats:
    """Inverse of a positive definite matrix; NaN for another, where the data do not determine the estimate."""
    if np.linalg.eigvalsh(information).min(initial=np.inf) <= 1e-10:
        return np.full_like(information, np.nan)
    return np.asarray(np.linalg.inv(information), dtype=float)
