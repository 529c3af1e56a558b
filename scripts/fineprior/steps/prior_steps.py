"""The steps of a prior's estimate, what each is worth on chromosomes that it has not seen, and which one is used."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.finemap.locus import fit_loci
from fineprior.priors.enrichment import log_bayes_factors
from fineprior.priors.features import (
    Feature,
    feature_matrix,
    features_of,
    fixed_coefficients,
    nonnegative_flags,
    shaped,
)
from fineprior.priors.folds import Chromosomes, Fold, Model, cross_fit, log_odds_of, study_support
from fineprior.priors.strength import ALL_LOCI, Support, functional_prior, held_out_likelihood
from fineprior.steps.find_signals import fit_signals
from fineprior.steps.prior_study import Signals, Study, placed_signals


@dataclass(frozen=True)
class Worth:
    """What folds are worth on the chromosomes that they have not seen: log odds and gains (log10) by chromosome.

    `support` is what all chromosomes say together of log odds made without each of them; its weight is the study's.
    Gains are over uniform: `signal_gains` of each signal with that weight, `unmixed` of all with weight 1.
    """

    log_odds: dict[str, list[Floats]]
    signal_gains: dict[str, Floats]
    unmixed: float
    support: Support

    @classmethod
    def of(cls, study: Study, blocks: Chromosomes, folds: Mapping[str, Fold], missing: Floats) -> "Worth":
        """Worth of folds by the signals of blocks; `missing` (n,) is NaN where nothing is known of a variant."""
        log_odds, gains, unmixed = {}, {}, 0.0
        for chrom, here in blocks.items():
            known = [missing[start:end] for start, end in study.pieces[chrom]]
            found = log_odds_of(here, folds[chrom].coefficients)
            log_odds[chrom] = [odds + gap for odds, gap in zip(found, known, strict=True)]
        support = study_support(blocks, log_odds, folds, study.settings, study.seed)
        for chrom, here in blocks.items():
            gains[chrom] = log10_gains(held_out_likelihood(here, log_odds[chrom], study.settings, support.weight))
            unmixed += float(log10_gains(held_out_likelihood(here, log_odds[chrom], study.settings)).sum())
        return cls(log_odds, gains, unmixed, support)

    @cached_property
    def gains(self) -> dict[str, float]:
        """Gain of each chromosome."""
        return {chrom: float(each.sum()) for chrom, each in self.signal_gains.items()}

    @property
    def gain(self) -> float:
        """Gain of all."""
        return float(sum(self.gains.values()))


@dataclass(frozen=True)
class Step:
    """One estimate: features and model, the blocks that its coefficients are of, its folds and what they are worth."""

    name: str
    features: Sequence[Feature]
    model: Model
    blocks: Chromosomes
    folds: Mapping[str, Fold]
    worth: Worth

    def row(self, used: bool, beside: "Step") -> dict[str, Any]:
        """Row of PRIOR_STEPS; `beside` is the step that the others are compared with."""
        difference, error = gained(self, beside)
        return {
            "step": self.name,
            "features": len({feature.name for feature in self.features}),
            "signals": self.folds[ALL_LOCI].support.signals,
            "weight": self.worth.support.weight,
            "held_out_gain": self.worth.gain,
            "unmixed_gain": self.worth.unmixed,
            "difference": difference,
            "difference_error": error,
            "used": used,
        }


def steps_of(study: Study, name: str, columns: Mapping[str, str]) -> tuple[list[Step], Step]:
    """The steps of a prior in their order, and the one that others are compared with.

    That is the whole model on SuSiE's signals, with the shape of scores that is worth more on chromosomes left out.

    Parameters
    ----------
    name
        functional, or that of a control, whose scores have no steps of their own.
    columns
        Columns of the study's frame that it is made of, with their kinds of feature.
    """
    features = features_of(study.frame, columns)
    refined = _Design.of(study, shaped(study.frame, features))
    whole = refined.first(len(features))
    found, label = [], "signals"
    own = [feature for feature in features if feature.kind == "score" and _is_own_score(feature.name)]
    if name == "functional" and own and not study.frame.empty:
        scores = whole if len(own) == len(features) else _Design.of(study, own)
        found.append(scores.step(study, "marginal", _marginal(study)))
        if scores is not whole:
            found.append(scores.step(study, "signals", study.signals))
            label = "annotations"
    found.append(whole.step(study, label, study.signals))
    reference = found[-1]
    if len(refined.features) > len(features):
        found.append(refined.step(study, "shaped", study.signals))
        if found[-1].worth.gain > reference.worth.gain:
            whole, reference = refined, found[-1]
    if study.settings.rounds and np.isnan(whole.model.fixed).any():
        found.append(whole.step(study, "iterated", study.signals, study.settings.rounds))
    return found, reference


def chosen_step(steps: Sequence[Step], reference: Step) -> Step:
    """The step that is used: `reference`, unless another is clearly worth more on chromosomes left out.

    A step is that when it gains more than `reference` by more than the standard error of the difference over signals;
    of several the one with the largest gain. The largest gain alone would often be chance where signals are few.
    """
    better = [step for step in steps if _is_clear(*gained(step, reference))]
    return max(better, key=lambda step: step.worth.gain, default=reference)


def gained(step: Step, reference: Step) -> tuple[float, float]:
    """How much more (log10) a step gains on chromosomes left out than another, and its standard error over signals."""
    pairs = [step.worth.signal_gains[chrom] - each for chrom, each in reference.worth.signal_gains.items()]
    differences = np.concatenate([*pairs, np.zeros(0)])
    n = len(differences)
    return float(differences.sum()), math.sqrt(n) * float(differences.std(ddof=1)) if n > 1 else math.nan


def log10_gains(held_out: Floats) -> Floats:
    """Log10 likelihood gained over uniform by each signal, (signals,), of (2, signals)."""
    return np.asarray((held_out[1] - held_out[0]) / np.log(10), dtype=float)


def _is_clear(difference: float, error: float) -> bool:
    return difference > error > 0


def _is_own_score(column: str) -> bool:
    """Whether a score is not from the sheet of annotations, whose names none of these is (`project.project`)."""
    return column in ("score", "given") or column.endswith(".l2")


@dataclass(frozen=True)
class _Design:
    """Features of all variants: X (n, d), and (n,) NaN where nothing is known of a variant."""

    features: Sequence[Feature]
    X: npt.NDArray[Any]
    missing: Floats

    @classmethod
    def of(cls, study: Study, features: Sequence[Feature]) -> "_Design":
        X, missing = feature_matrix(study.frame, features)
        return cls(features, X, missing)

    @property
    def model(self) -> Model:
        """What the kinds of the features say of their coefficients."""
        return Model(nonnegative_flags(self.features), fixed_coefficients(self.features))

    def first(self, count: int) -> "_Design":
        """The first features, without a copy of them."""
        return _Design(self.features[:count], self.X[:, :count], self.missing)

    def step(self, study: Study, name: str, signals: Signals, rounds: int = 0) -> Step:
        """Estimate on these signals, and judge by the study's."""
        blocks = study.blocks(self.X, signals)
        judged = blocks if signals is study.signals else study.blocks(self.X, study.signals)
        refit = _Refit(study, self.X) if rounds else None
        workers = 1 if rounds else study.workers  # refits have processes of their own
        folds = cross_fit(blocks, self.model, study.settings, study.seed, refit=refit, rounds=rounds, workers=workers)
        return Step(name, self.features, self.model, blocks, folds, Worth.of(study, judged, folds, self.missing))


def _marginal(study: Study) -> Signals:
    """One signal (1, p) from z in each locus that has any."""
    found = log_bayes_factors(
        study.frame["z"].to_numpy(), study.frame["se"].to_numpy(), study.settings.effect_variance
    ).astype(np.float32)
    ends = np.append(study.starts[1:], len(study.frame))
    return {
        name: found[start:end].T if len(study.signals[name]) else np.zeros((0, end - start), dtype=np.float32)
        for (name, _), start, end in zip(study.loci, study.starts, ends, strict=True)
    }


@dataclass(frozen=True)
class _Refit:
    """Fits loci of several signals again under a fold's prior, without the chromosome that the fold has not seen.

    The prior of a locus is that of the coefficients estimated without its own part of the chromosomes.
    """

    study: Study
    X: npt.NDArray[Any]

    def __call__(self, fold: Fold, chromosomes: Chromosomes) -> Chromosomes:
        study = self.study
        rows = dict(study.loci)
        starts = {int(table.index[0]): name for name, table in rows.items()}
        wanted = [
            (starts[int(first)], fold.inner[chrom])
            for chrom in chromosomes
            for start, end in study.pieces[chrom]
            for first in study.starts[(study.starts >= start) & (study.starts < end)]
            if len(study.signals[starts[int(first)]]) > 1
        ]

        def refitted(task: tuple[str, Floats]) -> npt.NDArray[np.float32]:
            name, coefficients = task
            table = rows[name]
            first = int(table.index[0])
            log_odds = self.X[first : first + len(table)].astype(float) @ coefficients
            prior = functional_prior(log_odds, np.zeros(1, dtype=np.int64), study.settings, fold.support.weight)
            again = fit_signals(study.ld[name], name, table, prior, study.finemap)
            if again.fit is None or not again.fit.sets.sets:
                return study.signals[name]
            return placed_signals(again.fit, again.variant_ids, table["variant_id"].tolist())

        signals = dict(study.signals)
        found = fit_loci(refitted, wanted, study.workers)
        signals |= {name: values for (name, _), values in zip(wanted, found, strict=True)}
        return {
            chrom: [study.block(self.X, signals, start, end) for start, end in study.pieces[chrom]]
            for chrom in chromosomes
        }
