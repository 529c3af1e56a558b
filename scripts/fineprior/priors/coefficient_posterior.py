"""What is believed of one coefficient, and the prior of the variants that follows: a mixture over all its values.

The coefficient is 0 with probability `null`, else normal about 0. Given the curves of the other loci
(`enrichment_curve`), it has posterior weights w(b) on the grid, and variant j of a locus that has not been used has

    prior_j = sum_b w(b) exp(b x_j) / sum_i exp(b x_i),

which is the prior that Bayes' rule gives it: p(j is causal | all z) = BF_j prior_j / sum_i BF_i prior_i. No share of
the prior and no penalty are left to choose. A prior made of one estimate is right for that estimate only.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Integers, locus_sizes
from fineprior.priors.enrichment_curve import GRID, STEP, ZERO, check_finite, odds_on_grid

FINE_STEP = 0.01
FINE_GRID = np.round(np.arange(-600, 601) * FINE_STEP, 2)
"""Grid on which a study's curve is interpolated: the peak of thousands of loci is narrower than a step of `GRID`."""
_FINE_ZERO = len(FINE_GRID) // 2
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class CoefficientPrior:
    """Prior of a coefficient: 0 with probability `null`, else normal with standard deviation `scale`.

    `nonnegative` halves the normal part at 0, for a score whose sign is known.
    """

    scale: float = 1.5
    null: float = 0.5
    nonnegative: bool = False

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise InputError(f"the scale of a coefficient's prior must be above 0, not {self.scale}")
        if not 0 <= self.null < 1:
            raise InputError(f"the probability of a coefficient of 0 must be 0 or more and below 1, not {self.null}")


@dataclass(frozen=True)
class CoefficientPosterior(ReadOnly):
    """Posterior weights (grid,) of `GRID`, which sum to 1, and the probability that the coefficient is not 0."""

    weights: Floats
    nonzero: float

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(self.weights @ GRID)


def interpolated(curve: Floats) -> Floats:
    """A study's curve (grid,) on `FINE_GRID`."""
    return np.asarray(_spline() @ curve, dtype=float)


@functools.cache
def _spline() -> Floats:
    """Matrix (fine grid, grid) of the cubic spline through the values of a curve, which is linear in them."""
    return np.asarray(CubicSpline(GRID, np.eye(len(GRID)))(FINE_GRID), dtype=float)


def posterior_of(curve: Floats, prior: CoefficientPrior) -> CoefficientPosterior:
    """Posterior of a coefficient given the log likelihood (grid,) of the loci that it is estimated on."""
    fine = interpolated(curve)
    likelihood = np.exp(fine - fine.max())
    return binned((1 - prior.null) * slab(0.0, prior.scale, prior.nonnegative) * likelihood,
                  prior.null * float(likelihood[_FINE_ZERO]))  # fmt: skip


def slab(mean: npt.ArrayLike, scale: npt.ArrayLike, nonnegative: bool) -> Floats:
    """Normal probabilities (..., fine grid) of `FINE_GRID`, which sum to 1; of values of 0 or more if `nonnegative`.

    Parameters
    ----------
    mean, scale
        (...) of the normal distribution.
    """
    centre, spread = np.asarray(mean)[..., None], np.asarray(scale)[..., None]
    log_weight = -0.5 * ((FINE_GRID - centre) / spread) ** 2
    ends = np.ones(len(FINE_GRID))
    ends[[0, -1]] = 0.5
    if nonnegative:
        ends[:_FINE_ZERO], ends[_FINE_ZERO] = 0, 0.5
        log_weight[..., :_FINE_ZERO] = -np.inf
    found = ends * np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    return np.asarray(found / found.sum(axis=-1, keepdims=True), dtype=float)


def binned(active: Floats, null: float) -> CoefficientPosterior:
    """Posterior on `GRID` of masses (fine grid,) of coefficients that are not 0, and of the mass `null` at 0.

    Each fine value is shared by its neighbours on `GRID` in proportion to nearness, which keeps the mean.
    """
    every = round(STEP / FINE_STEP)
    place, beyond = np.divmod(np.arange(len(FINE_GRID)), every)
    weights = np.bincount(place, active * (every - beyond) / every, len(GRID) + 1)
    weights += np.bincount(place + 1, active * beyond / every, len(GRID) + 1)
    weights = weights[: len(GRID)]
    weights[ZERO] += null
    total = float(active.sum() + null)
    return CoefficientPosterior(weights / total, float(active.sum() / total))


def left_out_posteriors(
    curves: Floats, groups: npt.ArrayLike, prior: CoefficientPrior
) -> dict[object, CoefficientPosterior]:
    """For each group of loci the posterior by all loci that are not of the group.

    Parameters
    ----------
    curves
        (loci, grid) of `enrichment_curve.curves`.
    groups
        (loci,) of `groups_left_out`.
    prior
        Of the coefficient.
    """
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((len(names), len(GRID)))
    np.add.at(sums, number, curves)
    total = sums.sum(axis=0)
    return {name: posterior_of(total - own, prior) for name, own in zip(names.tolist(), sums, strict=True)}


def groups_left_out(chromosomes: Sequence[str], signals: npt.ArrayLike) -> npt.NDArray[np.object_]:
    """Group (loci,) that each locus is left out with: its chromosome, or itself where the others say nothing.

    A study whose signals are all on one chromosome leaves out each locus alone, and all loci without signals together.

    Parameters
    ----------
    chromosomes
        Of each locus.
    signals
        (loci,) number of signals of each locus.
    """
    names, there = np.asarray(chromosomes, dtype=object), np.asarray(signals) > 0
    if len(set(names[there])) > 1:
        return names
    return np.array([f"{name}, locus {k}" if has else f"{name}, without signals"
                     for k, (name, has) in enumerate(zip(names, there, strict=True))], dtype=object)  # fmt: skip


def mixed_prior(x: Floats, starts: Integers, weights: Floats) -> Floats:
    """Prior causal probabilities (n,), which sum to 1 within each locus: the mean over the posterior of softmax(b x).

    Parameters
    ----------
    x
        (n,) score of each variant, in units of the coefficient.
    starts
        (loci,) first rows of the loci.
    weights
        (grid,) posterior weights of the coefficient by other loci, or (loci, grid) of each locus's own.

    Raises
    ------
    InputError
        A score that is not finite.
    """
    check_finite(x)
    if len(starts) == 0:
        return np.zeros(0)
    sizes = locus_sizes(starts, len(x))
    each = np.broadcast_to(weights, (len(starts), len(GRID)))
    found = np.repeat(each[:, ZERO] / sizes, sizes)
    used = np.flatnonzero((each > _NEGLIGIBLE).any(axis=0) & (GRID != 0))
    for number, odds in odds_on_grid(x, starts, sizes, used):
        found += odds * np.repeat(each[:, number] / np.add.reduceat(odds, starts), sizes)
    return np.asarray(found / np.repeat(np.add.reduceat(found, starts), sizes), dtype=float)
