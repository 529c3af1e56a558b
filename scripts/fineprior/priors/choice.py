"""Which candidate is used for a study, and the verdict on it in numbers and words.

Stage 6 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fineprior.files.arrays import Floats
from fineprior.priors.candidates import Candidate
from fineprior.priors.gains import HeldOutGain
from fineprior.priors.strength import Support


@dataclass(frozen=True)
class Verdict:
    """What the functional prior gains for a study; the columns of verdict.tsv.

    Gains are log10 likelihoods over the uniform prior on held-out chromosomes; `shuffled_gain` is that of the same log
    odds moved to other variants, the mean of ten shuffles.
    """

    log_enrichment: float
    lower: float
    upper: float
    weight: float
    held_out_gain: float
    unmixed_gain: float
    shuffled_gain: float
    top_decile_ratio: float
    loci: int
    signals: int
    sentence: str


def chosen(candidates: Sequence[Candidate], reference: Candidate) -> Candidate:
    """The candidate that is used: `reference`, unless another clearly gains more on held-out chromosomes.

    A candidate does so when it gains more than `reference` by more than the standard error of the difference over
    signals; of several, the one with the largest gain is used. The largest gain alone would often be chance where
    signals are few.
    """
    better = [one for one in candidates if _is_clear(*difference(one, reference))]
    return max(better, key=lambda one: one.held_out.gain, default=reference)


def difference(candidate: Candidate, reference: Candidate) -> tuple[float, float]:
    """How much more (log10) a candidate gains on held-out chromosomes, and the standard error of that over signals."""
    mine, other = candidate.held_out.signal_gains, reference.held_out.signal_gains
    pairs = [mine[chrom] - each for chrom, each in other.items()]
    differences = np.concatenate([*pairs, np.zeros(0)])
    n = len(differences)
    return float(differences.sum()), math.sqrt(n) * float(differences.std(ddof=1)) if n > 1 else math.nan


def verdict_on(held_out: HeldOutGain, shuffled: float) -> Verdict:
    """What all chromosomes, each left out in turn, say together of the candidate that is used.

    Parameters
    ----------
    held_out
        Gain of the candidate on the study's own signals.
    shuffled
        Gain of the same log odds moved to other variants (`gains.shuffled_gain`).
    """
    support = held_out.support
    log_odds = [odds for here in held_out.log_odds.values() for odds in here]
    ratio = top_decile_ratio(np.concatenate([*log_odds, np.zeros(0)]))
    return Verdict(
        log_enrichment=support.log_enrichment,
        lower=support.lower,
        upper=support.upper,
        weight=support.weight,
        held_out_gain=held_out.gain,
        unmixed_gain=held_out.unmixed,
        shuffled_gain=shuffled,
        top_decile_ratio=ratio,
        loci=support.loci,
        signals=support.signals,
        sentence=sentence(support, ratio, held_out.gain, shuffled),
    )


def top_decile_ratio(log_odds: Floats) -> float:
    """Mean prior odds of the top tenth of the scored variants over that of the rest; NaN with fewer than ten."""
    known = np.sort(log_odds[np.isfinite(log_odds)])
    if len(known) < 10:
        return float("nan")
    odds = np.exp(known - known[-1])
    top = len(known) // 10
    return float(odds[-top:].mean() / odds[:-top].mean())


def sentence(support: Support, ratio: float, gain: float, shuffled: float) -> str:
    """The verdict in words."""
    found = (
        f"One standard deviation of the score multiplies the prior odds by {_times(support.log_enrichment)} "
        f"(95% interval {_times(support.lower)}-{_times(support.upper)}; "
        f"{support.signals} signals in {support.loci} loci; the top tenth of the scores against the rest: "
        f"{_times(np.log(ratio))}); "
    )
    told = np.isfinite([support.log_enrichment, ratio]).all()
    if support.weight == 0:
        start = found if told else "T"
        return f"{start}{'t' if told else ''}he prior stays uniform because {support.reason}."
    verb = "gain" if gain > 0 else "lose"
    return (
        f"{found}held-out chromosomes {verb} {abs(gain):.1f} log10 units of likelihood (shuffled scores "
        f"{shuffled:+.1f}); the functional prior is used with weight {support.weight:.1f}."
    )


def _is_clear(gained: float, error: float) -> bool:
    return gained > error > 0


def _times(log_ratio: float) -> str:
    """A ratio for a sentence; two decimals near 1, where it matters on which side it lies."""
    if not np.isfinite(log_ratio):
        return "unknown"
    ratio = np.exp(np.clip(log_ratio, -50, 50))
    if ratio >= 1000:
        return "over 1000"
    return "below 0.01" if ratio < 0.01 else f"{ratio:.{2 if ratio < 2 else 1}f}"
