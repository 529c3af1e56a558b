"""Many coefficients in groups, each group with a scale of its own that the study chooses.

Coefficient i of group g is normal about 0 with standard deviation tau_g, and not negative where its sign is known.
tau_g has an exponential prior of rate `RATE`, which pulls the scale of a group that says nothing to 0. The scales
maximise the evidence under Laplace's approximation (MacKay 1992, 10.1162/neco.1992.4.3.415): with a_g = 1 / tau_g^2,
S the covariance of the coefficients and d_g how many of the group are not held at 0,

    a_g = (d_g - a_g tr S_gg + RATE tau_g) / |b_g|^2,

repeated until no scale changes by more than a twentieth. A shape that does not rise with the score is a group of steps
(`steps_of`), and what a missing value means is a feature of its own (`missing_of`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Flags, Integers
from fineprior.priors.enrichment import derivatives, fit_enrichment

RATE = 10.0
"""Of the exponential prior of a scale: a tenth of a log unit per standard deviation in the mean."""
CUTS = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99)
"""Quantiles of a score at which its log odds may step."""
_FIRST, _LEAST, _LARGEST = 10.0, 1e-2, 1e4
_ROUNDS = 30
_STEADY = 0.05


@dataclass(frozen=True)
class GroupedEnrichment(ReadOnly):
    """Coefficients (d,), their covariance (d, d) by Laplace's approximation, and the scale tau (groups,) of each group.

    The covariance is 0 for coefficients that are held at 0 by their sign. `converged` says whether the scales came to
    rest.
    """

    coefficients: Floats
    covariance: Floats
    scales: Floats
    converged: bool

    @property
    def standard_errors(self) -> Floats:
        """Standard errors (d,)."""
        return np.sqrt(np.diag(self.covariance))


def fit_groups(
    blocks: Sequence[Block],
    groups: npt.ArrayLike,
    *,
    nonnegative: Flags | None = None,
    rate: float = RATE,
    scales: Floats | None = None,
    start: GroupedEnrichment | None = None,
) -> GroupedEnrichment:
    """Estimate coefficients and the scales of their groups.

    Parameters
    ----------
    blocks
        Loci; features (n, d) are standardised.
    groups
        (d,) number of each feature's group: 0, 1, ... without gaps.
    nonnegative
        (d,) coefficients that must not be negative; none by default.
    rate
        Of the exponential prior of the scales; 0: none.
    scales
        (groups,) standard deviations that are not estimated, NaN for those that are; all are by default.
    start
        Estimate to begin with, as that of all chromosomes for one that leaves out a chromosome.

    Raises
    ------
    InputError
        A number of groups that is not that of the features, or a gap in their numbers.
    """
    group = np.asarray(groups, dtype=np.int64)
    d = blocks[0].features.shape[1] if blocks else len(group)
    if len(group) != d or (d and sorted(set(group.tolist())) != list(range(int(group.max()) + 1))):
        raise InputError(f"groups of {d} features must be {d} numbers 0, 1, ... without gaps, not {group.tolist()}")
    count = int(group.max(initial=-1)) + 1
    held_low = np.zeros(d, dtype=bool) if nonnegative is None else np.asarray(nonnegative)
    given = np.full(count, np.nan) if scales is None else np.asarray(scales, dtype=float)
    if len(given) != count or (given <= 0).any():
        raise InputError(f"scales of {count} groups must be {count} numbers above 0 or NaN, not {given.tolist()}")
    precision = np.full(count, _FIRST) if start is None else 1 / np.square(start.scales)
    precision = np.where(np.isnan(given), precision, given**-2)
    b = None if start is None else start.coefficients
    for _ in range(_ROUNDS):
        fit = fit_enrichment(blocks, precision[group], start=b, nonnegative=held_low, tolerance=1e-3)
        b = fit.coefficients
        covariance = _covariance(blocks, b, precision[group], held_low)
        before = precision
        precision = np.where(np.isnan(given), _precisions(b, covariance, precision, group, held_low, rate), given**-2)
        if np.abs(np.log(precision / before)).max(initial=0.0) < _STEADY:
            converged = True
            break
    else:
        converged = False
    fit = fit_enrichment(blocks, precision[group], start=b, nonnegative=held_low)
    covariance = _covariance(blocks, fit.coefficients, precision[group], held_low)
    return GroupedEnrichment(fit.coefficients, covariance, 1 / np.sqrt(precision), converged)


def steps_of(values: Floats, cuts: Sequence[float] = CUTS) -> Floats:
    """Steps (n, steps) of a score at its quantiles: 1 above the cut, 0 below, standardised; 0 where it is missing.

    With one scale for all steps their sum is smooth: neighbouring intervals of the score get similar log odds. Cuts at
    which the score does not change are left out.
    """
    known = np.isfinite(values)
    edges = np.unique(np.quantile(values[known], cuts)) if known.any() else np.zeros(0)
    columns = []
    for edge in edges:
        above = values[known] > edge
        if above.any() and not above.all():
            column = np.zeros(len(values))
            column[known] = (above - above.mean()) / above.std()
            columns.append(column)
    return np.stack(columns, axis=1) if columns else np.zeros((len(values), 0))


def missing_of(values: Floats) -> Floats:
    """Whether a value is missing (n, 1), standardised; (n, 0) where none or all are missing."""
    gone = ~np.isfinite(values)
    if gone.all() or not gone.any():
        return np.zeros((len(values), 0))
    return ((gone - gone.mean()) / gone.std())[:, None].astype(float)


def _covariance(blocks: Sequence[Block], b: Floats, precision: Floats, nonnegative: Flags) -> Floats:
    """Covariance (d, d) of the coefficients that are not held at 0; 0 for the others."""
    _, slope, information, of_prior = derivatives(blocks, b, precision)
    free = ~(nonnegative & (b <= 0) & (slope <= 0))
    found = np.zeros((len(b), len(b)))
    chosen = information[np.ix_(free, free)]
    if len(chosen) and np.linalg.eigvalsh(chosen).min() <= 1e-8:
        chosen = of_prior[np.ix_(free, free)]
    found[np.ix_(free, free)] = np.linalg.inv(chosen) if len(chosen) else 0.0
    return found


def _precisions(
    b: Floats, covariance: Floats, precision: Floats, group: Integers, nonnegative: Flags, rate: float
) -> Floats:
    """The next precision (groups,) of each group."""
    variances = np.diag(covariance)
    found = np.empty_like(precision)
    for g in range(len(precision)):
        inside = group == g
        determined = inside.sum() - (nonnegative & inside & (b <= 0)).sum()
        known = max(determined - precision[g] * variances[inside].sum(), 1e-3)
        size = max(float(b[inside] @ b[inside]), 1e-9)
        found[g] = np.clip((known + rate / np.sqrt(precision[g])) / size, _LEAST, _LARGEST)
    return found
