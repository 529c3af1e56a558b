"""Candidate models of a prior, cross-fitted, and what each gains on chromosomes that it has not seen.

Stage 4 of the walk from scores to a prior: study, features, folds, candidates, choice, prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.finemap.workers import fit_loci
from fineprior.priors.features import Design, Feature, Model, shaped
from fineprior.priors.folds import Chromosomes, Fold, Refit, cross_fit, log_odds_of, study_support
from fineprior.priors.signals import Signals, fit_signals, marginal_signals, placed_signals
from fineprior.priors.strength import Support, functional_prior, held_out_likelihood
from fineprior.priors.study import FitOptions, PriorStudy


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


@dataclass(frozen=True)
class Candidate:
    """A model and its estimate: features, the blocks that its coefficients are of, its folds, and their gain."""

    name: str
    features: Sequence[Feature]
    model: Model
    blocks: Chromosomes
    folds: Mapping[str, Fold]
    held_out: HeldOutGain


@dataclass(frozen=True)
class Candidates:
    """The candidates of a prior in their order, and the one of them that the others are compared with."""

    tried: Sequence[Candidate]
    reference: Candidate


def candidates_of(study: PriorStudy, prior: str, features: Sequence[Feature], options: FitOptions) -> Candidates:
    """Estimate the candidates of a prior.

    marginal: the scores alone, on z-scores. signals: the same on the signals of SuSiE. annotations: with annotations.
    shaped: with ramps of the scores. iterated: signals and prior in turn. The reference is the whole model on the
    signals of SuSiE, with the shape of scores that gains more on held-out chromosomes.

    Parameters
    ----------
    prior
        functional, or the name of a control, whose scores have no candidates of their own.
    features
        What the prior is made of, without ramps.
    """
    refined = Design.of(study.variants, shaped(study.variants, features))
    whole = refined.first(len(features))
    found, label = [], "signals"
    own = [feature for feature in features if feature.kind == "score" and _is_own_score(feature.name)]
    if prior == "functional" and own and not study.variants.empty:
        scores = whole if len(own) == len(features) else Design.of(study.variants, own)
        marginal = marginal_signals(study.variants, study.starts, study.signals, options.settings.effect_variance)
        found.append(_candidate("marginal", study, scores, marginal, options))
        if scores is not whole:
            found.append(_candidate("signals", study, scores, study.signals, options))
            label = "annotations"
    found.append(_candidate(label, study, whole, study.signals, options))
    reference = found[-1]
    if len(refined.features) > len(features):
        found.append(_candidate("shaped", study, refined, study.signals, options))
        if found[-1].held_out.gain > reference.held_out.gain:
            whole, reference = refined, found[-1]
    if options.settings.rounds and np.isnan(whole.model.fixed).any():
        found.append(_candidate("iterated", study, whole, study.signals, options, options.settings.rounds))
    return Candidates(found, reference)


def held_out_gain(
    study: PriorStudy, judged: Chromosomes, folds: Mapping[str, Fold], missing: Floats, options: FitOptions
) -> HeldOutGain:
    """What folds gain on the signals of these blocks; `missing` (n,) is NaN where nothing is known of a variant."""
    log_odds, gains, unmixed = {}, {}, 0.0
    for chrom, here in judged.items():
        known = [missing[start:end] for start, end in study.pieces[chrom]]
        found = log_odds_of(here, folds[chrom].coefficients)
        log_odds[chrom] = [odds + gap for odds, gap in zip(found, known, strict=True)]
    support = study_support(judged, log_odds, folds, options.settings, options.seed)
    for chrom, here in judged.items():
        gains[chrom] = log10_gains(held_out_likelihood(here, log_odds[chrom], options.settings, support.weight))
        unmixed += float(log10_gains(held_out_likelihood(here, log_odds[chrom], options.settings)).sum())
    return HeldOutGain(log_odds, gains, unmixed, support)


def log10_gains(held_out: Floats) -> Floats:
    """Log10 likelihood gained over uniform by each signal, (signals,), of `held_out_likelihood` (2, signals)."""
    return np.asarray((held_out[1] - held_out[0]) / np.log(10), dtype=float)


def _is_own_score(column: str) -> bool:
    """Whether a score is not from the sheet of annotations, whose names `project.project` keeps apart from these."""
    return column in ("score", "given") or column.endswith(".l2")


def _candidate(
    name: str, study: PriorStudy, design: Design, signals: Signals, options: FitOptions, rounds: int = 0
) -> Candidate:
    """Estimate on these signals, and measure the gain on the study's."""
    blocks = study.blocks(design.X, signals)
    judged = blocks if signals is study.signals else study.blocks(design.X, study.signals)
    refit = _refit(study, design.X, options) if rounds else None
    workers = 1 if rounds else options.workers  # refits have processes of their own
    folds = cross_fit(blocks, design.model, options.settings, options.seed, refit=refit, rounds=rounds, workers=workers)
    gain = held_out_gain(study, judged, folds, design.missing, options)
    return Candidate(name, design.features, design.model, blocks, folds, gain)


def _refit(study: PriorStudy, X: npt.NDArray[Any], options: FitOptions) -> Refit:
    """Fits loci of several signals again under a fold's prior, without the chromosome that the fold has not seen.

    The prior of a locus is that of the coefficients estimated without its own part of the chromosomes.
    """
    rows = dict(study.loci)
    names = {int(table.index[0]): name for name, table in rows.items()}

    def refit(fold: Fold, chromosomes: Chromosomes) -> Chromosomes:
        wanted = [
            (names[int(first)], fold.inner[chrom])
            for chrom in chromosomes
            for start, end in study.pieces[chrom]
            for first in study.starts[(study.starts >= start) & (study.starts < end)]
            if len(study.signals[names[int(first)]]) > 1
        ]

        def refitted(task: tuple[str, Floats]) -> npt.NDArray[np.float32]:
            name, coefficients = task
            table = rows[name]
            first = int(table.index[0])
            log_odds = X[first : first + len(table)].astype(float) @ coefficients
            prior = functional_prior(log_odds, np.zeros(1, dtype=np.int64), options.settings, fold.support.weight)
            again = fit_signals(study.ld[name], name, table, prior, options.finemap)
            if again.fit is None or not again.fit.sets.sets:
                return study.signals[name]
            return placed_signals(again.fit, again.variant_ids, table["variant_id"].tolist())

        found = fit_loci(refitted, wanted, options.workers)
        signals = {**study.signals, **{name: values for (name, _), values in zip(wanted, found, strict=True)}}
        return {
            chrom: [study.block(X, signals, start, end) for start, end in study.pieces[chrom]] for chrom in chromosomes
        }

    return refit
