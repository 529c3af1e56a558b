"""How strong the functional prior may be: cap, mixture with uniform, and the verdict whether it is used at all."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import PriorSettings
from fineprior.priors.annotation import ScoreScale
from fineprior.priors.enrichment import (
    Enrichment,
    Floats,
    Integers,
    fit_enrichment,
    locus_sizes,
    locus_starts,
    log_likelihood,
    log_softmax,
)

log = logging.getLogger(__name__)

ALL_LOCI = "none"  # the chromosome that is left out of an estimate on all loci
MIN_LOCI = 10
WEIGHTS = np.linspace(0, 1, 11)
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """The enrichment estimated without one chromosome, and what it gains there.

    `held_out` (2, loci left out): log likelihood of each locus of that chromosome under the uniform prior and under the
    functional one, capped and mixed as it would be used.
    """

    left_out: str
    loci: int
    enrichment: Enrichment
    scale: ScoreScale
    held_out: Floats

    @property
    def log_enrichment(self) -> float:
        """Log ratio of prior odds for one standard deviation of the transformed score."""
        return float(self.enrichment.coefficients[0])

    @property
    def standard_error(self) -> float:
        """Its standard error."""
        return float(self.enrichment.standard_errors[0])

    @property
    def gain(self) -> float:
        """Log10 likelihood gained over uniform on the loci left out; NaN when none was left out."""
        if self.left_out == ALL_LOCI:
            return float("nan")
        return float((self.held_out[1] - self.held_out[0]).sum() / np.log(10))


@dataclass(frozen=True)
class Verdict:
    """What the score is worth for a study; the columns of verdict.tsv."""

    log_enrichment: float
    lower: float
    upper: float
    weight: float
    held_out_gain: float
    top_decile_ratio: float
    loci: int
    sentence: str


def functional_prior(log_odds: Floats, starts: Integers, settings: PriorSettings, weight: float = 1.0) -> Floats:
    """Prior causal probabilities (n,), which sum to 1 within each locus.

    weight * ((1 - u) * capped softmax + u / p) + (1 - weight) / p, with u = `uniform_weight`. The cap raises the odds
    of the least likely variants of a locus to 1 / `max_ratio` of the likeliest. A variant without a score (NaN) gets
    the base rate 1 / p.

    Parameters
    ----------
    log_odds
        (n,) log prior odds up to a constant per locus, NaN where there is no score.
    starts
        (loci,) first rows of the loci.
    settings
        `max_ratio` (1 or more) and `uniform_weight` (0 to 1).
    weight
        Share of the functional part, 0 to 1.

    Raises
    ------
    InputError
        A setting out of its range.
    """
    if settings.max_ratio < 1:
        raise InputError(f"priors.max_ratio must be 1 or more, not {settings.max_ratio}")
    if not 0 <= settings.uniform_weight <= 1:
        raise InputError(f"priors.uniform_weight must be from 0 to 1, not {settings.uniform_weight}")
    if len(starts) == 0:
        return np.zeros(0)
    sizes = locus_sizes(starts, len(log_odds))

    def spread(values: npt.NDArray[np.generic]) -> Floats:
        return np.repeat(values, sizes).astype(float)

    scored = np.isfinite(log_odds)
    finite = np.where(scored, log_odds, -np.inf)
    largest = np.maximum.reduceat(finite, starts)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    odds = np.where(scored, np.maximum(np.exp(finite - spread(largest)), 1 / settings.max_ratio), 0.0)
    counts = np.add.reduceat(scored.astype(float), starts)
    base = np.where(counts > 0, np.add.reduceat(odds, starts) / np.maximum(counts, 1), 1.0)
    odds = np.where(scored, odds, spread(base))
    softmax = odds / spread(np.add.reduceat(odds, starts))
    uniform = 1 / spread(sizes)
    share = weight * (1 - settings.uniform_weight)
    return share * softmax + (1 - share) * uniform


def cross_fit(
    scores: Floats, log_bf: Floats, starts: Integers, chromosomes: npt.ArrayLike, settings: PriorSettings
) -> list[Estimate]:
    """The enrichment on all loci, then without each chromosome in turn.

    Neither the coefficient, nor the standardisation, nor the scale of the transform used for a chromosome has seen it.

    Parameters
    ----------
    scores
        (n,) scores of the variants, 0 or more, NaN where missing.
    log_bf
        (n, signals) log Bayes factors.
    starts
        (loci,) first rows of the loci.
    chromosomes
        (n,) chromosome of each variant.
    settings
        Ridge, cap and mixture.
    """
    names = np.asarray(chromosomes, dtype=object)
    everyone = np.ones(len(scores), dtype=bool)
    estimates = [_estimate(ALL_LOCI, scores, log_bf, starts, everyone, settings)]
    for chromosome in sorted(set(names), key=natural_order):
        estimates.append(_estimate(chromosome, scores, log_bf, starts, names != chromosome, settings))
    return estimates


def choose_weight(held_out: Floats) -> float:
    """Share of the functional prior, from 0, 0.1, ..., 1, that makes the held-out loci (2, loci) likeliest."""
    uniform, functional = held_out
    with np.errstate(divide="ignore"):
        mixed = np.logaddexp(uniform[None] + np.log1p(-WEIGHTS)[:, None], functional[None] + np.log(WEIGHTS)[:, None])
    return float(WEIGHTS[np.argmax(mixed.sum(axis=1))])


def judge(estimates: Sequence[Estimate], scores: Floats) -> Verdict:
    """Say what the score is worth, and how much of the functional prior is used.

    It is not used when leaving out a chromosome is impossible, loci are too few, the 95% interval of the enrichment
    reaches 0 or below, or held-out chromosomes gain nothing. Otherwise its share is the one that makes the held-out
    loci likeliest.
    """
    overall, left_out = estimates[0], estimates[1:]
    estimate, error = overall.log_enrichment, overall.standard_error
    lower, upper = estimate - _NORMAL_95 * error, estimate + _NORMAL_95 * error
    gain = float(sum(each.gain for each in left_out)) if len(left_out) > 1 else float("nan")
    reason = _objection(estimates, lower, gain)
    held_out = np.concatenate([each.held_out for each in left_out], axis=1) if left_out else np.zeros((2, 0))
    weight = 0.0 if reason else choose_weight(held_out)
    ratio = _top_decile_ratio(overall, scores)
    sentence = _sentence(overall, lower, upper, ratio, gain, weight, reason)
    return Verdict(estimate, lower, upper, weight, gain, ratio, overall.loci, sentence)


def natural_order(chromosome: str) -> tuple[bool, int, str]:
    """Sort key of a chromosome name: 2 before 10 before X, with or without chr."""
    digits = re.sub(r"^chr", "", chromosome)
    return (not digits.isdigit(), int(digits) if digits.isdigit() else 0, chromosome)


def _estimate(
    left_out: str,
    scores: Floats,
    log_bf: Floats,
    starts: Integers,
    seen: npt.NDArray[np.bool_],
    settings: PriorSettings,
) -> Estimate:
    """Fit on the variants `seen` (whole loci) and evaluate on the others."""
    numbers = np.repeat(np.arange(len(starts)), locus_sizes(starts, len(scores)))
    scale = ScoreScale.of(scores[seen])
    features = np.nan_to_num(scale.feature(scores), nan=0.0)[:, None]
    enrichment = fit_enrichment(features[seen], log_bf[seen], locus_starts(numbers[seen]), settings.ridge)
    others, other_starts = ~seen, locus_starts(numbers[~seen])
    log_odds = scale.feature(scores[others]) * enrichment.coefficients[0]
    prior = functional_prior(log_odds, other_starts, settings)
    uniform = log_softmax(np.zeros(len(prior)), other_starts)
    held_out = np.stack(
        [log_likelihood(each, log_bf[others], other_starts) for each in (uniform, np.log(prior))], axis=0
    )
    return Estimate(left_out, len(starts) - len(other_starts), enrichment, scale, held_out)


def _objection(estimates: Sequence[Estimate], lower: float, gain: float) -> str:
    """Why the functional prior is not used; empty when it is."""
    overall = estimates[0]
    objections = (
        (overall.loci == 0, "the study has no locus"),
        (overall.scale.sd == 0, "the scores do not vary or are all missing"),
        (len(estimates) < 3, "all loci are on one chromosome, which leaves none to test the score on"),
        (overall.loci < MIN_LOCI, f"fewer than {MIN_LOCI} loci say too little"),
        (not lower > 0, "the interval does not lie above 1 (no enrichment)"),
        (not gain > 0, "the score does not help on chromosomes that it was not fitted on"),
    )
    return next((reason for holds, reason in objections if holds), "")


def _sentence(
    overall: Estimate, lower: float, upper: float, ratio: float, gain: float, weight: float, reason: str
) -> str:
    """The verdict in words; what was found is left out when nothing could be held out or estimated."""
    found = (
        f"One standard deviation of the score multiplies the prior odds by {_times(overall.log_enrichment)} "
        f"(95% interval {_times(lower)}-{_times(upper)}; {overall.loci} loci; the top tenth of the scores against "
        f"the rest: {_times(np.log(ratio))}); "
        f"held-out chromosomes {'gain' if gain > 0 else 'lose'} {abs(gain):.1f} log10 units of likelihood; "
    )
    if not reason:
        return f"{found}the functional prior is used{'' if weight == 1 else f' with weight {weight:.1f}'}."
    told = np.isfinite([lower, ratio, gain]).all() and overall.scale.sd > 0
    return f"{found}the prior stays uniform because {reason}." if told else f"The prior stays uniform because {reason}."


def _times(log_ratio: float) -> str:
    """A ratio for a sentence; two decimals near 1, where it matters on which side it lies."""
    if not np.isfinite(log_ratio):
        return "unknown"
    ratio = np.exp(np.clip(log_ratio, -50, 50))
    if ratio >= 1000:
        return "over 1000"
    return "below 0.01" if ratio < 0.01 else f"{ratio:.{2 if ratio < 2 else 1}f}"


def _top_decile_ratio(overall: Estimate, scores: Floats) -> float:
    """Mean prior odds of the top tenth of the scored variants over that of the rest; NaN with fewer than ten."""
    known = scores[np.isfinite(scores)]
    if len(known) < 10:
        return float("nan")
    odds = np.exp(overall.scale.feature(np.sort(known)) * overall.log_enrichment)
    top = len(known) // 10
    return float(odds[-top:].mean() / odds[:-top].mean())
