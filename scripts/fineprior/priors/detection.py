"""A locus is in a study because its causal variant was detected: what that says about frequent variants and LD.

A causal variant j has z_j ~ N(0, 1 + K_j), K_j being the variance of its effect over that of its estimate. Loci are
kept where |z| exceeds a threshold T, which happens with probability

    d_j = 2 Phi(-T / sqrt(1 + K_j)).

Where effects are per allele, K_j grows with 2 f (1 - f), and detected causal variants are more frequent than the
others of their locus. A score that follows frequency or LD then looks enriched. The likelihood of a locus that was
kept is sum_j pi_j BF_j / sum_j pi_j d_j, so that d_j belongs into the denominator.

The size of effects and how it depends on frequency are estimated: K_j = W (n_j / mean n) (h_j / mean h)^(1 + alpha),
h_j = 2 f_j (1 - f_j); alpha is -1 for effects per standardised genotype and 0 for effects per allele (Speed et al.
2012, 10.1016/j.ajhg.2012.10.010).
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Integers, Signal, log_sum_exp

EXPONENTS = (-1.0, -0.75, -0.5, -0.25, 0.0)
VARIANCES = 4.0 * 2.0 ** np.arange(0, 8.5, 0.5)
"""W, from 4 to 1024."""


@dataclass(frozen=True)
class EffectSizes(ReadOnly):
    """`variance` W of a mean variant's effect over that of its estimate; `exponent` alpha of its dependence on 2pq.

    `log_likelihood` (exponents, variances) of the cells of `EXPONENTS` and `VARIANCES`.
    """

    variance: float
    exponent: float
    log_likelihood: Floats


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
    if not threshold >= 0:
        raise InputError(f"the threshold of |z| must be 0 or more, not {threshold}")
    return np.asarray(np.log(2) + norm.logsf(threshold / np.sqrt(1 + np.asarray(ratios, dtype=float))), dtype=float)


def likeliest_effects(z: Floats, heterozygosity: Floats, n: Floats, starts: Integers, threshold: float) -> EffectSizes:
    """The size of effects and its exponent that make the loci likeliest, given that they were kept and no enrichment.

    It maximises sum_k [log sum_j BF_kj - log sum_j d_kj] over `EXPONENTS` and `VARIANCES`: one causal variant a locus.

    Parameters
    ----------
    z, heterozygosity, n
        (p,) of the variants of all loci, locus after locus.
    starts
        (loci,) first rows of the loci.
    threshold
        |z| that the strongest variant of a kept locus exceeds; 0 where loci were not selected by z.
    """
    if len(starts) == 0:
        raise InputError("the size of effects needs at least one locus")
    found = np.empty((len(EXPONENTS), len(VARIANCES)))
    for row, exponent in enumerate(EXPONENTS):
        unit = variance_ratios(heterozygosity, n, 1.0, exponent)
        for column, variance in enumerate(VARIANCES):
            K = variance * unit
            evidence = log_sum_exp(log_bayes_factor(z, K), starts) - log_sum_exp(log_detected(K, threshold), starts)
            found[row, column] = evidence.sum()
    best = np.unravel_index(np.argmax(found), found.shape)
    return EffectSizes(float(VARIANCES[best[1]]), EXPONENTS[best[0]], found)


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
