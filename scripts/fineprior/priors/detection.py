"""A locus is in a study because its causal variant was detected: what that says about frequent variants and LD.

A causal variant j has z_j ~ N(0, 1 + K_j), K_j being the variance of its effect over that of its estimate. Loci are
kept where |z| exceeds a threshold T, which happens with probability

    d_j = 2 Phi(-T / sqrt(1 + K_j)).

Where effects are per allele, K_j grows with 2 f (1 - f), and detected causal variants are more frequent than the
others of their locus. A score that follows frequency or LD then looks enriched. The likelihood of a locus that was
kept is sum_j pi_j BF_j / sum_j pi_j d_j, so that d_j belongs into the denominator.

The size of effects and how it depends on frequency are estimated with the coefficient. With h_j = 2 f_j (1 - f_j),

    K_j = W (n_j / mean n) (h_j / mean h)^(1 + alpha);

alpha is -1 for effects per standardised genotype and 0 for effects per allele (Speed et al. 2012,
10.1016/j.ajhg.2012.10.010).
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Integers, Signal, locus_sizes, log_sum_exp
from fineprior.priors.enrichment_curve import GRID, ZERO, curves

EXPONENTS = (-1.0, -0.75, -0.5, -0.25, 0.0)
VARIANCES = 4.0 * 2.0 ** np.arange(0, 8.5, 0.5)
"""W, from 4 to 1024."""
_ROUNDS = 4
_LEAST = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class EffectSizes:
    """`variance` W of a mean variant's effect over that of its estimate; `exponent` alpha of its dependence on 2pq."""

    variance: float
    exponent: float


@dataclass(frozen=True)
class DetectedCurves(ReadOnly):
    """Curves of a coefficient given that the loci were kept, with the effect sizes that are likeliest with it.

    `curves` (loci, grid) under these effect sizes, less that at 0; `profile` (grid,), the log likelihood of all loci,
    at each coefficient that of the likeliest exponent, less that at 0.
    """

    effects: EffectSizes
    curves: Floats
    profile: Floats


def variance_ratios(heterozygosity: Floats, n: Floats, variance: float, exponent: float) -> Floats:
    """K (p,) of each variant: its effect's variance over that of its estimate.

    Parameters
    ----------
    heterozygosity
        (p,) 2 f (1 - f), above 0.
    n
        (p,) sample sizes.
    variance, exponent
        W and alpha.

    Raises
    ------
    InputError
        A heterozygosity or sample size that is not above 0.
    """
    for name, values in (("2 f (1 - f)", heterozygosity), ("n", n)):
        if not (values > 0).all():
            raise InputError(f"detection needs {name} above 0 for every variant; {int((~(values > 0)).sum())} are not")
    relative = (heterozygosity / heterozygosity.mean()) ** (1 + exponent) if len(heterozygosity) else heterozygosity
    return np.asarray(variance * n / n.mean() * relative, dtype=float) if len(n) else np.zeros(0)


def log_bayes_factor(z: Floats, ratios: Floats) -> Floats:
    """Log Bayes factor (p,) of z for an effect of variance ratio K: -log(1 + K) / 2 + z^2 K / (2 (1 + K))."""
    return np.asarray(0.5 * z**2 * ratios / (1 + ratios) - 0.5 * np.log1p(ratios), dtype=float)


def log_detected(ratios: npt.ArrayLike, threshold: float) -> Floats:
    """Log probability (p,) that a causal variant of variance ratio K has |z| above the threshold (0 or more)."""
    _check_threshold(threshold)
    return np.asarray(np.log(2) + log_ndtr(-threshold / np.sqrt(1 + np.asarray(ratios, dtype=float))), dtype=float)


def detected_curves(
    z: Floats, x: Floats, heterozygosity: Floats, n: Floats, starts: Integers, threshold: float
) -> DetectedCurves:
    """Curves of a coefficient and the sizes of effects, estimated together: one causal variant a locus.

    A score that follows frequency and an exponent alpha explain the same: which variants are causal among frequent
    ones, or which are detected. Were alpha estimated without the score, it would take a part of its enrichment.

    Parameters
    ----------
    z, x, heterozygosity, n
        (p,) z-score, score, 2 f (1 - f) and sample size of the variants of all loci, locus after locus.
    starts
        (loci,) first rows of the loci.
    threshold
        |z| that the strongest variant of a kept locus exceeds, 0 or more; 0 where loci were not selected by z.
    """
    if len(starts) == 0:
        raise InputError("the size of effects needs at least one locus")
    _check_threshold(threshold)
    tried: list[tuple[Floats, EffectSizes, Floats]] = []
    for exponent in EXPONENTS:
        unit = variance_ratios(heterozygosity, n, 1.0, exponent)
        coefficient, variance = 0.0, 0.0
        for _ in range(_ROUNDS):
            before = variance
            evidence = [_evidence(z, coefficient * x, one * unit, starts, threshold) for one in VARIANCES]
            variance = float(VARIANCES[int(np.argmax(evidence))])
            if variance == before:
                break
            K = variance * unit
            block = Block.of(np.zeros((len(z), 0)), log_bayes_factor(z, K)[:, None], starts)
            found = curves(given_detection(block, log_detected(K, threshold)), x)
            coefficient = float(GRID[int(np.argmax(found.sum(axis=0)))])
        total = _evidence(z, 0 * x, variance * unit, starts, threshold) + found.sum(axis=0)
        tried.append((total, EffectSizes(variance, exponent), found))
    _, sizes, found = max(tried, key=lambda one: float(one[0].max()))
    profile = np.max([total for total, _, _ in tried], axis=0)
    return DetectedCurves(sizes, found, profile - profile[ZERO])


def _evidence(z: Floats, log_odds: Floats, K: Floats, starts: Integers, threshold: float) -> float:
    """Log likelihood of loci that were kept: sum_k [log sum_j pi_j BF_j - log sum_j pi_j d_j], pi by log odds (n,)."""
    odds = np.exp(log_odds - np.repeat(np.maximum.reduceat(log_odds, starts), locus_sizes(starts, len(z))))
    detected = np.add.reduceat(odds * 2 * ndtr(-threshold / np.sqrt(1 + K)), starts)
    joint = np.log(np.maximum(odds, _LEAST)) + log_bayes_factor(z, K)
    return float((log_sum_exp(joint, starts) - np.log(detected)).sum())


def given_detection(block: Block, log_detected: Floats) -> Block:
    """The block with the likelihood of loci that were kept because their causal variant was detected.

    Under it, softmax(X b + log d)_j stands for pi_j, and BF_j / d_j for BF_j.

    Parameters
    ----------
    block
        Loci with their signals.
    log_detected
        (n,) log probability that each variant, were it causal, is detected.
    """
    weight = log_detected if block.log_weight is None else block.log_weight + log_detected
    signals = tuple(
        Signal(one.loci, one.rows, one.starts, one.log_bf - log_detected[one.rows]) for one in block.signals
    )
    return dataclasses.replace(block, signals=signals, log_weight=weight)


def _check_threshold(threshold: float) -> None:
    if not threshold >= 0:
        raise InputError(f"the threshold of |z| must be 0 or more, not {threshold}")
