"""The likelihood of loci as a curve of one coefficient: what their signals say of every enrichment at once.

With log prior odds b x_kj of variant j of locus k, up to a constant, a signal s has the log likelihood

    l_ks(b) = log sum_j q_kj exp(b x_kj) BF_ksj - log sum_j q_kj exp(b x_kj)

(the conditional form of TORUS, Wen 2016, and of fgwas, Pickrell 2014). q_kj is 1, or the probability that a causal
variant j is detected, with BF_ksj / q_kj in the place of BF_ksj (`detection`). A study is the sum of its curves, and a
study without a chromosome is the sum of the others': nothing is estimated twice.

Curves are on an absolute grid. What they say does not depend on how large an estimate is.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Integers, log_sum_exp

STEP = 0.1
GRID = np.round(np.arange(-60, 61) * STEP, 1)
"""Coefficients: log odds for a unit of the score, from 1/403 to 403 times."""
ZERO = len(GRID) // 2
_LEAST = float(np.finfo(float).tiny)


def curves(block: Block, x: Floats) -> Floats:
    """Log likelihood (loci, grid) of the signals of each locus at each coefficient of `GRID`, less that at 0.

    A locus without signals has a curve of zeros.

    Parameters
    ----------
    block
        Loci with their signals; its own features are not used. `log_weight` is log q.
    x
        (n,) score of each variant, in units of the coefficient.

    Raises
    ------
    InputError
        A score that is not finite.
    """
    check_finite(x)
    found = np.zeros((len(block), len(GRID)))
    if not block.signals:
        return found
    weight = np.zeros(len(x)) if block.log_weight is None else block.log_weight
    prior = _shares(weight, np.arange(len(x)), block.starts, len(x))
    posteriors = [
        _shares(weight[signal.rows] + signal.log_bf, np.arange(len(x))[signal.rows], signal.starts, len(x))
        for signal in block.signals
    ]
    for number, odds in odds_on_grid(x, block.starts, block.sizes, np.flatnonzero(GRID)):
        base = np.log(np.maximum(prior @ odds, _LEAST))
        for signal, posterior in zip(block.signals, posteriors, strict=True):
            found[signal.loci, number] += np.log(np.maximum(posterior @ odds, _LEAST)) - base[signal.loci]
    return found


def odds_on_grid(
    x: Floats, starts: Integers, sizes: Integers, wanted: npt.NDArray[np.intp]
) -> Iterator[tuple[int, Floats]]:
    """Prior odds (n,) exp(b x), the largest of each locus being 1, with their place in `GRID`, for the places wanted.

    One power of exp(`STEP` x) follows from the one before by a product: an exponential of each variant is taken twice.
    The array is written over by the next step.
    """
    for sign in (1, -1):
        here = set((sign * (wanted - ZERO)).tolist()) & set(range(1, len(GRID)))
        if not here:
            continue
        extreme = np.repeat(np.maximum.reduceat(sign * x, starts), sizes)
        ratio = np.exp(STEP * (sign * x - extreme))
        odds = np.ones(len(x))
        for count in range(1, max(here) + 1):
            odds *= ratio
            if count in here:
                yield ZERO + sign * count, odds


def check_finite(x: Floats) -> None:
    """Raise an InputError for a score that is missing or infinite."""
    bad = int((~np.isfinite(x)).sum())
    if bad:
        raise InputError(f"the score of every variant must be finite; {bad} of {len(x)} are not")


def _shares(log_weights: Floats, rows: npt.NDArray[np.intp], starts: Integers, n: int) -> csr_matrix:
    """Matrix (loci, n) of weights that sum to 1 within each locus; `rows` (m,) places the weights, `starts` within."""
    total = log_sum_exp(log_weights, starts)
    sizes = np.diff(np.append(starts, len(rows)))
    shares = np.exp(log_weights - np.repeat(total, sizes))
    return csr_matrix((shares, rows, np.append(starts, len(rows))), shape=(len(starts), n))
