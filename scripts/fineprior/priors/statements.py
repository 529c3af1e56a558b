"""What a study says of one coefficient, in numbers and words that hold: interval, test, direction.

The interval is that of the profile likelihood, {b: 2 (max l - l(b)) <= 3.84}; the test is the likelihood ratio at
b = 0 (Wilks 1938). Both are in absolute units. Where the likelihood does not fall on a side of the grid, the interval
has no end there, and the words say so: few loci, none of them with an annotated candidate, cannot tell a depletion of
ten from one of a thousand.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from fineprior.files.arrays import Floats
from fineprior.priors.coefficient_posterior import FINE_GRID, CoefficientPrior, interpolated, posterior_of
from fineprior.priors.enrichment_curve import ZERO

LEVEL = 0.95
_HALF_CUT = float(chi2.ppf(LEVEL, 1)) / 2
_FLAT = 1e-6
UNIT_TAIL = 0.05
"""Share of the variants that are the top of a score."""


@dataclass(frozen=True)
class Statement:
    """What a study says of a coefficient: log odds for a unit, natural logarithm.

    `estimate` maximises the likelihood, infinite where it still rises at the end of the grid; `lower` and `upper` are
    the ends of the 95% interval, infinite where it has none; `p_value` of the likelihood-ratio test of 0; `nonzero` is
    the posterior probability that it is not 0; `direction` is enriched, depleted, not told apart or not tested, and
    `reason` says why it was not tested: then the numbers are NaN.
    """

    estimate: float
    lower: float
    upper: float
    p_value: float
    nonzero: float
    loci: int
    signals: int
    direction: str
    reason: str = ""


def unit_of(values: Floats) -> tuple[float, str]:
    """The step of a score that its coefficient is stated for, and its name; 0 where the values do not vary.

    It is the difference of the two values of a two-valued score, else the mean of the top 5% less that of the rest.
    """
    known = values[np.isfinite(values)]
    if len(known) == 0 or known.min() == known.max():
        return 0.0, "the values do not vary"
    least, largest = float(known.min()), float(known.max())
    if ((known == least) | (known == largest)).all():
        return largest - least, f"{largest:g} against {least:g}"
    ordered = np.sort(known)
    top = max(1, round(UNIT_TAIL * len(ordered)))
    step = float(ordered[-top:].mean() - ordered[:-top].mean())
    return step, f"the top {UNIT_TAIL:.0%} against the rest"


def statement(curves: Floats, signals: int, prior: CoefficientPrior, profile: Floats | None = None) -> Statement:
    """What loci say of a coefficient.

    Parameters
    ----------
    curves
        (loci, grid) of `enrichment_curve.curves`; loci without signals are zeros.
    signals
        How many signals they have.
    prior
        Of the coefficient, for `nonzero`; interval and test do not use it.
    profile
        (grid,) log likelihood of all loci, where it is not the sum of the curves (`detection.detected_curves`).
    """
    informed = np.abs(curves).max(axis=1, initial=0.0) > _FLAT
    loci = int(informed.sum())
    if signals == 0 or loci == 0:
        reason = "the study has no signal" if signals == 0 else "the score does not vary within the loci with signals"
        nan = math.nan
        return Statement(nan, nan, nan, nan, nan, loci, signals, "not tested", reason)
    curve = curves.sum(axis=0) if profile is None else profile
    fine = interpolated(curve)
    top = int(np.argmax(fine))
    estimate = float(FINE_GRID[top])
    if top in (0, len(fine) - 1):
        estimate = math.copysign(math.inf, estimate)
    lower, upper = profile_interval(fine)
    p_value = float(chi2.sf(2 * max(float(fine[top] - curve[ZERO]), 0.0), 1))
    nonzero = posterior_of(curve, prior).nonzero
    direction = "enriched" if lower > 0 else "depleted" if upper < 0 else "not told apart"
    return Statement(estimate, lower, upper, p_value, nonzero, loci, signals, direction)


def profile_interval(fine: Floats) -> tuple[float, float]:
    """Ends of the values whose log likelihood, on `FINE_GRID`, is within 1.92 of the largest; infinite where open."""
    level = float(fine.max()) - _HALF_CUT
    first, last = np.flatnonzero(fine >= level)[[0, -1]]
    lower, upper = -math.inf, math.inf
    if first > 0:
        lower = float(np.interp(level, fine[first - 1 : first + 1], FINE_GRID[first - 1 : first + 1]))
    if last < len(fine) - 1:
        upper = float(np.interp(-level, -fine[last : last + 2], FINE_GRID[last : last + 2]))
    return lower, upper


def sentence(found: Statement, unit: str) -> str:
    """A statement in words; `unit` is the name that `unit_of` gives."""
    if found.reason:
        return f"Not tested: {found.reason}."
    of = f"{found.signals} signals in {found.loci} loci"
    low, high = math.exp(found.lower), math.exp(found.upper)
    if found.lower == -math.inf and found.upper == math.inf:
        return f"Nothing is known of the enrichment ({unit}): {of} agree with every value of it."
    if found.upper == math.inf:
        within = f"at least {_times(low)}"
    elif found.lower == -math.inf:
        within = f"at most {_times(high)}"
    else:
        within = f"{_times(low)} to {_times(high)}"
    best = "" if math.isinf(found.estimate) else f"by {_times(math.exp(found.estimate))} "
    words = {"enriched": "causal variants are enriched", "depleted": "causal variants are depleted",
             "not told apart": "enrichment and depletion are not told apart"}  # fmt: skip
    return (
        f"A unit of the score ({unit}) multiplies the prior odds {best}(95% interval {within}; "
        f"p = {found.p_value:.2g}; {of}): {words[found.direction]}."
    )


def _times(ratio: float) -> str:
    """A ratio in a sentence, with two significant digits, or three between 1 and 10."""
    return f"{ratio:.2f}" if 0.1 <= ratio < 10 else f"{ratio:.2g}" if ratio < 0.1 else f"{ratio:.0f}"
