"""How strong a prior is: the cap of its ratios, its mixture with the uniform prior, the weight that signals support.

Every source of a functional prior ends in log odds of the variants, made for each chromosome without its own GWAS
data. This module turns log odds into priors, and measures how much likelier they make signals that they have not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Integers, locus_sizes, signal_likelihood
from fineprior.project.settings import PriorSettings

MIN_LOCI = 10
WEIGHTS = np.linspace(0, 1, 11)
MULTIPLES = np.linspace(-2, 4, 31)
"""Multiples of the log odds, among which the likeliest is searched."""
REPLICATES = 2000
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Support:
    """What held-out signals say of log odds made without them.

    `log_enrichment` is the log ratio of prior odds for one standard deviation (within loci) of the log odds that makes
    the signals likeliest, with its 95% bootstrap interval over loci (`lower`, `upper`); `loci` and `signals` count the
    data; `weight` is the share of the functional prior; `reason` says why that is 0.
    """

    log_enrichment: float
    lower: float
    upper: float
    loci: int
    signals: int
    weight: float
    reason: str


def functional_prior(log_odds: Floats, starts: Integers, settings: PriorSettings, weight: float = 1.0) -> Floats:
    """Prior causal probabilities (n,), which sum to 1 within each locus.

    weight * ((1 - u) * capped softmax + u / p) + (1 - weight) / p, with u = `uniform_weight`; see `capped_softmax`.

    Parameters
    ----------
    log_odds
        (n,) log prior odds up to a constant per locus, NaN where there is no score; -inf is a prior of 0 before mixing.
    starts
        (loci,) first rows of the loci.
    settings
        `max_ratio` (1 or more, or 0 for no cap) and `uniform_weight` (0 to 1).
    weight
        Share of the functional part, 0 to 1.

    Raises
    ------
    InputError
        A setting out of its range.
    """
    if not 0 <= settings.uniform_weight <= 1:
        raise InputError(f"priors.uniform_weight must be from 0 to 1, not {settings.uniform_weight}")
    softmax = capped_softmax(log_odds, starts, settings.max_ratio)
    share = weight * (1 - settings.uniform_weight)
    sizes = locus_sizes(starts, len(log_odds))
    return np.asarray(share * softmax + (1 - share) / np.repeat(sizes, sizes), dtype=float)


def capped_softmax(log_odds: Floats, starts: Integers, max_ratio: float) -> Floats:
    """Softmax (n,) of log odds within loci, none less likely than 1 / `max_ratio` of the likeliest of its locus.

    A variant without a score (NaN) gets the base rate 1 / p. A ratio of 0 is no cap: only then can a probability be 0.

    Raises
    ------
    InputError
        A ratio below 1 that is not 0.
    """
    if max_ratio != 0 and max_ratio < 1:
        raise InputError(f"priors.max_ratio must be 1 or more, or 0 for no cap, not {max_ratio}")
    if len(starts) == 0:
        return np.zeros(0)
    sizes = locus_sizes(starts, len(log_odds))
    scored = ~np.isnan(log_odds)
    known = np.where(scored, log_odds, -np.inf)
    largest = np.maximum.reduceat(known, starts)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    floor = 1 / max_ratio if max_ratio else 0.0
    odds = np.where(scored, np.maximum(np.exp(known - np.repeat(largest, sizes)), floor), 0.0)
    counts, sums = np.add.reduceat(scored.astype(float), starts), np.add.reduceat(odds, starts)
    base = np.where((counts > 0) & (sums > 0), sums / np.maximum(counts, 1), 1.0)
    odds = np.where(scored & (np.repeat(sums, sizes) > 0), odds, np.repeat(base, sizes))
    return np.asarray(odds / np.repeat(np.add.reduceat(odds, starts), sizes), dtype=float)


def held_out_likelihood(
    blocks: Sequence[Block], log_odds: Sequence[Floats], settings: PriorSettings, weight: float = 1.0
) -> Floats:
    """Log likelihood (2, signals) of each signal under the uniform and under the functional prior.

    The functional one is capped and mixed as it is used; in thinned blocks with the weights of the rows.
    """
    found: list[Floats] = [np.zeros((2, 0))]
    for block, odds in zip(blocks, log_odds, strict=True):
        uniform = signal_likelihood(block, np.zeros(len(odds)))
        if block.log_weight is None:
            prior = np.log(capped_softmax(odds, block.starts, settings.max_ratio))
        else:
            best = np.repeat(np.maximum.reduceat(np.nan_to_num(odds), block.starts), block.sizes)
            prior = np.nan_to_num(odds)
            if settings.max_ratio:
                prior = np.maximum(prior, best - np.log(settings.max_ratio))
        share = weight * (1 - settings.uniform_weight)
        for before, after in zip(uniform, signal_likelihood(block, prior), strict=True):
            found.append(np.stack([before, _mixed(before, after, share)]))
    return np.concatenate(found, axis=1)


def assess(
    blocks: Sequence[Block],
    log_odds: Sequence[Floats],
    spreads: Sequence[float],
    sd: float,
    settings: PriorSettings,
    seed: int,
    chromosomes: int,
) -> Support:
    """Assess log odds on signals that they were made without: the enrichment, its interval, the weight.

    The functional prior is not used when loci or chromosomes are too few, the log odds do not vary, the interval
    reaches 0 or below, or no share of it makes the signals likelier.

    Parameters
    ----------
    blocks
        Loci with signals, perhaps thinned.
    log_odds
        (n,) of each block, made without its signals.
    spreads
        For each block the standard deviation, within all loci, of the log odds that its coefficients give; 0 where
        these do not vary.
    sd
        The same of the log odds that are to be used.
    settings, seed
        Cap and mixture; seed of the bootstrap.
    chromosomes
        Chromosomes with signals.
    """
    loci = int(sum((block.signal_counts > 0).sum() for block in blocks))
    signals = int(sum(block.signal_counts.sum() for block in blocks))
    estimate = lower = upper = float("nan")
    reason = _too_little(chromosomes, loci, sd)
    if loci and sd > 0:
        # Of one standard deviation each, so that how large the estimates of the parts are adds no noise.
        unit = [odds / spread if spread else odds * 0 for odds, spread in zip(log_odds, spreads, strict=True)]
        estimate, lower, upper = _supported_slope(blocks, unit, sd, seed)
    if not reason and not lower > 0:
        reason = "the interval does not lie above 1 (no enrichment)"
    weight = 0.0 if reason else choose_weight(held_out_likelihood(blocks, log_odds, settings))
    if not reason and weight == 0:
        reason = "the score does not help on chromosomes that it was not fitted on"
    return Support(estimate, lower, upper, loci, signals, weight, reason)


def choose_weight(held_out: Floats) -> float:
    """Share of the functional prior, from 0, 0.1, ..., 1, that makes the held-out signals (2, signals) likeliest."""
    uniform, functional = held_out
    mixed = [_mixed(uniform, functional, weight).sum() for weight in WEIGHTS]
    return float(WEIGHTS[int(np.argmax(mixed))])


def _too_little(chromosomes: int, loci: int, sd: float) -> str:
    objections = (
        (loci == 0, "the study has no signal"),
        (chromosomes < 2, "too few chromosomes have signals to test the score on others than it is used on"),
        (loci < MIN_LOCI, f"fewer than {MIN_LOCI} loci say too little"),
        (sd == 0, "the scores do not vary, are all missing or are not enriched"),
    )
    return next((reason for holds, reason in objections if holds), "")


def _supported_slope(
    blocks: Sequence[Block], unit: Sequence[Floats], sd: float, seed: int
) -> tuple[float, float, float]:
    """The slope on log odds of unit variance that makes the signals likeliest, and its bootstrap interval over loci."""
    slopes = MULTIPLES * sd
    profiles = np.concatenate(
        [_profile(block, np.nan_to_num(odds), slopes) for block, odds in zip(blocks, unit, strict=True)]
    )
    profiles = profiles[np.abs(profiles).max(axis=1) > 0]
    if len(profiles) == 0:
        return 0.0, 0.0, 0.0
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(profiles), np.full(len(profiles), 1 / len(profiles)), size=REPLICATES)
    drawn = sd * np.array([_peak(curve) for curve in counts @ profiles])
    lower, upper = np.quantile(drawn, _INTERVAL)
    return sd * _peak(profiles.sum(axis=0)), float(lower), float(upper)


def _profile(block: Block, odds: Floats, slopes: Floats) -> Floats:
    """Log likelihood gained over uniform by each locus (loci,) at each slope, (loci, slopes)."""
    gained = np.zeros((len(block), len(slopes)))
    uniform = signal_likelihood(block, np.zeros(len(odds)))
    for number, slope in enumerate(slopes):
        for signal, before, after in zip(block.signals, uniform, signal_likelihood(block, slope * odds), strict=True):
            gained[signal.loci, number] += after - before
    return gained


def _peak(curve: Floats) -> float:
    """Where a curve over `MULTIPLES` is highest, by a parabola through the three highest neighbours."""
    top = int(np.argmax(curve))
    if top in (0, len(curve) - 1):
        return float(MULTIPLES[top])
    left, middle, right = curve[top - 1 : top + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(MULTIPLES[top] + shift * (MULTIPLES[1] - MULTIPLES[0]))


def within_locus_sd(blocks: Sequence[Block], log_odds: Sequence[Floats]) -> float:
    """Standard deviation of the log odds about the mean of their locus, weighted by the variants of each row."""
    total = count = 0.0
    for block, odds in zip(blocks, log_odds, strict=True):
        if len(block) == 0:
            continue
        values = np.nan_to_num(odds, neginf=np.log(1e-12))
        rows = np.ones(len(values)) if block.log_weight is None else np.exp(block.log_weight)
        rows_of = np.add.reduceat(rows, block.starts)
        mean = np.add.reduceat(rows * values, block.starts) / rows_of
        total += float(rows @ (values - np.repeat(mean, block.sizes)) ** 2)
        count += float(rows_of.sum())
    return float(np.sqrt(total / count)) if count and total / count > 1e-18 else 0.0


def _mixed(uniform: Floats, functional: Floats, share: float) -> Floats:
    """Log likelihood under a mixture of two priors, `share` of the functional one."""
    with np.errstate(divide="ignore"):
        mixed = np.logaddexp(uniform + np.log1p(-share), functional + np.log(share))
    return np.asarray(mixed, dtype=float)
