"""What the folds of a candidate gain over the uniform prior on the chromosomes that they leave out.

Only one number, the weight of the functional prior in the study, is chosen by all chromosomes together
(`study_support`).

Stage 5 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.priors.blocks import log_odds_of
from fineprior.priors.controls import bins_of_variants, shuffle_within_bins
from fineprior.priors.folds import ALL_LOCI, Chromosomes, Fold
from fineprior.priors.strength import Support, assess, held_out_likelihood, within_locus_sd
from fineprior.priors.study import PriorStudy
from fineprior.project.settings import PriorSettings

SHUFFLES = 10


@dataclass(frozen=True)
class HeldOutGain(ReadOnly):
    """What folds gain over the uniform prior (log10 likelihood) on the chromosomes that they have not seen.

    `log_odds` (n,) of the blocks of each chromosome, made without it; `signal_gains` of each signal by chromosome, with
    the study's weight; `unmixed` gain of all signals with weight 1; `support`, by all chromosomes together, has the
    study's weight.
    """

    log_odds: dict[str, list[Floats]]
    signal_gains: dict[str, Floats]
    unmixed: float
    support: Support

    @cached_property
    def gains(self) -> dict[str, float]:
        """Gain of each chromosome."""
        return {chrom: float(each.sum()) for chrom, each in self.signal_gains.items()}

    @property
    def gain(self) -> float:
        """Gain of all."""
        return float(sum(self.gains.values()))


def held_out_gain(
    study: PriorStudy,
    judged: Chromosomes,
    folds: Mapping[str, Fold],
    missing: Floats,
    settings: PriorSettings,
    seed: int,
) -> HeldOutGain:
    """What folds gain on the signals of these blocks; `missing` (n,) is NaN where nothing is known of a variant."""
    log_odds, gains, unmixed = {}, {}, 0.0
    for chrom, here in judged.items():
        known = [missing[start:end] for start, end in study.pieces[chrom]]
        found = log_odds_of(here, folds[chrom].coefficients)
        log_odds[chrom] = [odds + gap for odds, gap in zip(found, known, strict=True)]
    support = study_support(judged, log_odds, folds, settings, seed)
    for chrom, here in judged.items():
        gains[chrom] = log10_gains(held_out_likelihood(here, log_odds[chrom], settings, support.weight))
        unmixed += float(log10_gains(held_out_likelihood(here, log_odds[chrom], settings)).sum())
    return HeldOutGain(log_odds, gains, unmixed, support)


def log10_gains(held_out: Floats) -> Floats:
    """Log10 likelihood gained over uniform by each signal, (signals,), of `held_out_likelihood` (2, signals)."""
    return np.asarray((held_out[1] - held_out[0]) / np.log(10), dtype=float)


def shuffled_gain(
    study: PriorStudy, judged: Chromosomes, held_out: HeldOutGain, settings: PriorSettings, seed: int
) -> float:
    """Mean gain of these log odds, with their weight, moved to other variants of like MAF and LD; 0 without a weight.

    Parameters
    ----------
    judged
        Blocks with the study's own signals.
    held_out
        Gain of the log odds in their places.
    """
    if not held_out.support.weight:
        return 0.0
    flat = np.concatenate([odds for here in held_out.log_odds.values() for odds in here])
    locus, bins = study.variants["locus"], bins_of_variants(study.variants, study.ld)
    gains = []
    for number in range(SHUFFLES):
        moved = flat[shuffle_within_bins(flat, locus, study.starts, bins, seed + number)]
        gains.append(0.0)
        for chrom, here in judged.items():
            odds = [moved[start:end] for start, end in study.pieces[chrom]]
            likelihood = held_out_likelihood(here, odds, settings, held_out.support.weight)
            gains[-1] += float(log10_gains(likelihood).sum())
    return float(np.mean(gains))


def study_support(
    chromosomes: Chromosomes,
    log_odds: Mapping[str, Sequence[Floats]],
    folds: Mapping[str, Fold],
    settings: PriorSettings,
    seed: int,
) -> Support:
    """Support of log odds, each chromosome's made without it, by all chromosomes together, with the study's one weight.

    All loci of a study choose this one number together. Were each chromosome given a weight chosen without it, a study
    of few loci or chromosomes would by chance use the prior on some chromosomes and not on others.
    """
    every = [block for here in chromosomes.values() for block in here]
    flat = [odds for here in chromosomes for odds in log_odds[here]]
    spreads = [
        within_locus_sd(every, log_odds_of(every, folds[chrom].coefficients))
        for chrom, here in chromosomes.items()
        for _ in here
    ]
    sd = within_locus_sd(every, log_odds_of(every, folds[ALL_LOCI].coefficients))
    count = sum(any(block.signals for block in here) for here in chromosomes.values())
    return assess(every, flat, spreads, sd, settings, seed, count)
