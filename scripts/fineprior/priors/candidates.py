"""Candidate models of a prior: each with its estimates by folds, and what these gain on held-out chromosomes.

Stage 3 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.finemap.workers import fit_loci
from fineprior.priors.blocks import Integers
from fineprior.priors.enrichment import log_bayes_factors
from fineprior.priors.features import Design, Feature, Model, shaped
from fineprior.priors.folds import Chromosomes, Fold, Refit, cross_fit
from fineprior.priors.gains import HeldOutGain, held_out_gain
from fineprior.priors.signals import Signals, fit_signals, placed_signals
from fineprior.priors.strength import functional_prior
from fineprior.priors.study import PriorStudy
from fineprior.project.settings import FinemapSettings, PriorSettings


@dataclass(frozen=True)
class PriorOptions:
    """How a prior is estimated.

    `settings` of the prior; `finemap` of SuSiE, for loci that are fitted again; `seed` of bootstrap and shuffles;
    `workers` threads, and processes that fit loci: the result does not depend on their number.
    """

    settings: PriorSettings
    finemap: FinemapSettings
    seed: int
    workers: int


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


def candidates_of(study: PriorStudy, prior: str, features: Sequence[Feature], options: PriorOptions) -> Candidates:
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


def _is_own_score(column: str) -> bool:
    """Whether a score is not from the sheet of annotations, whose names `project.project` keeps apart from these."""
    return column in ("score", "given") or column.endswith(".l2")


def _candidate(
    name: str, study: PriorStudy, design: Design, signals: Signals, options: PriorOptions, rounds: int = 0
) -> Candidate:
    """Estimate on these signals, and measure the gain on the study's."""
    blocks = study.blocks(design.X, signals)
    judged = blocks if signals is study.signals else study.blocks(design.X, study.signals)
    refit = _refit(study, design.X, options) if rounds else None
    workers = 1 if rounds else options.workers  # refits have processes of their own
    folds = cross_fit(blocks, design.model, options.settings, options.seed, refit=refit, rounds=rounds, workers=workers)
    gain = held_out_gain(study, judged, folds, design.missing, options.settings, options.seed)
    return Candidate(name, design.features, design.model, blocks, folds, gain)


def _refit(study: PriorStudy, X: npt.NDArray[Any], options: PriorOptions) -> Refit:
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
            again = fit_signals(study.ld[name], name, table, prior, options.finemap, study.diagnoses.get(name))
            if again.fit is None or not again.fit.sets.sets:
                return study.signals[name]
            return placed_signals(again.fit, again.variant_ids, table["variant_id"].tolist())

        found = fit_loci(refitted, wanted, options.workers)
        signals = {**study.signals, **{name: values for (name, _), values in zip(wanted, found, strict=True)}}
        return {
            chrom: [study.block(X, signals, start, end) for start, end in study.pieces[chrom]] for chrom in chromosomes
        }

    return refit


def marginal_signals(variants: pd.DataFrame, starts: Integers, signals: Signals, effect_variance: float) -> Signals:
    """One signal (1, p) from the z-scores alone in each locus that has any signal; (0, p) in the others.

    Parameters
    ----------
    variants
        Columns locus, z, se of all loci.
    starts
        (loci,) first rows of the loci.
    signals
        Signals of SuSiE.
    effect_variance
        See `enrichment.log_bayes_factors`.
    """
    found = log_bayes_factors(variants["z"].to_numpy(), variants["se"].to_numpy(), effect_variance).astype(np.float32)
    ends = np.append(starts[1:], len(variants))
    names = [str(name) for name, _ in variants.groupby("locus", sort=False)]
    return {
        name: found[start:end].T if len(signals[name]) else np.zeros((0, end - start), dtype=np.float32)
        for name, start, end in zip(names, starts, ends, strict=True)
    }
