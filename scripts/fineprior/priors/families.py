"""Studies that share a family: each borrows from the others what they say of a coefficient, or is a stranger.

The coefficient of study s is b_s ~ N(mu, tau^2) with probability 1 - `stranger`; else it has the prior of a study
alone. mu ~ N(0, `scale`^2) and tau ~ half-Cauchy(`TAU_SCALE`) are integrated on a grid (a random-effects
meta-analysis of likelihoods, not of estimates). The curves of all studies are those without the chromosome that is
left out, so that no study of the family has seen it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.coefficient_posterior import (
    FINE_GRID,
    CoefficientPosterior,
    CoefficientPrior,
    binned,
    interpolated,
    slab,
)

STRANGER = 0.2
TAU_SCALE = 0.5
_MU = np.round(np.arange(-15, 16) * 0.2, 1)
_TAU = np.array([0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.6])
_ZERO = len(FINE_GRID) // 2


@dataclass(frozen=True)
class Family(ReadOnly):
    """Posterior of each study's coefficient, and posterior means of mu and tau."""

    posteriors: Sequence[CoefficientPosterior]
    mean: float
    spread: float


def family_posteriors(curves: Floats, prior: CoefficientPrior, stranger: float = STRANGER) -> Family:
    """Posteriors of the coefficients of a family.

    Parameters
    ----------
    curves
        (studies, grid) log likelihood of each study, the sum of its loci's curves (`enrichment_curve`).
    prior
        Of a stranger; its `scale` is also that of mu, and its sign that of all studies.
    stranger
        Prior probability that a study is not of the family, 0 to 1.

    Raises
    ------
    InputError
        Fewer than two studies, or a probability out of its range.
    """
    if len(curves) < 2:
        raise InputError(f"a family needs two studies or more, not {len(curves)}")
    if not 0 <= stranger <= 1:
        raise InputError(f"the probability of a stranger must be from 0 to 1, not {stranger}")
    mu, tau = (one.ravel() for one in np.meshgrid(_MU[_MU >= 0] if prior.nonnegative else _MU, _TAU, indexing="ij"))
    alone = (1 - prior.null) * slab(0.0, prior.scale, prior.nonnegative)
    of_family = (1 - stranger) * slab(mu, tau, prior.nonnegative) + stranger * alone  # (hyper, fine grid)
    null = stranger * prior.null
    fine = np.stack([interpolated(one) for one in curves])
    likelihood = np.exp(fine - fine.max(axis=1, keepdims=True))
    evidence = np.maximum(likelihood @ of_family.T + null * likelihood[:, [_ZERO]], np.finfo(float).tiny)
    log_weight = -0.5 * (mu / prior.scale) ** 2 + np.log(tau) - np.log1p((tau / TAU_SCALE) ** 2)
    log_weight += np.log(np.gradient(np.log(_TAU)))[np.searchsorted(_TAU, tau)] + np.log(evidence).sum(axis=0)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    found = []
    for own, density in zip(likelihood, evidence, strict=True):
        of_hyper = weight / density
        found.append(binned(of_hyper @ of_family * own, null * float(own[_ZERO] * of_hyper.sum())))
    return Family(found, float(weight @ mu), float(weight @ tau))
