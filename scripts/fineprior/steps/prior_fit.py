"""The estimate of one prior for a whole study, step by step, and the rows of its tables."""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.finemap.batch import fit_loci
from fineprior.finemap.fits import FitFiles
from fineprior.finemap.susie import SusieFit
from fineprior.foundation.settings import FinemapSettings, PriorSettings
from fineprior.priors.blocks import Block, Floats, Integers, locus_starts, merged
from fineprior.priors.controls import matching_bins, shuffle_within_bins
from fineprior.priors.enrichment import bootstrap_errors, log_bayes_factors
from fineprior.priors.features import Feature, feature_matrix, fixed_coefficients, nonnegative_flags
from fineprior.priors.folds import Chromosomes, Fold, Model, cross_fit, log_odds_of, study_support
from fineprior.priors.strength import (
    ALL_LOCI,
    Support,
    Verdict,
    functional_prior,
    held_out_likelihood,
    sentence,
    top_decile_ratio,
)
from fineprior.steps.prior_data import frequencies, locus_ld_scores
from fineprior.steps.signals import fit_signals

SHUFFLES = 10
REPLICATES = 100
_BLOCK_ROWS = 1 << 18

Signals = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Study:
    """Variants of all loci in genome order, their signals (signals, p) by locus, and the LD file of each locus."""

    frame: pd.DataFrame
    signals: Signals
    ld: Mapping[str, str]
    settings: PriorSettings
    finemap: FinemapSettings
    seed: int
    workers: int

    @cached_property
    def starts(self) -> Integers:
        """First row of each locus."""
        return locus_starts(self.frame["locus"])

    @cached_property
    def pieces(self) -> dict[str, list[tuple[int, int]]]:
        """For each chromosome the rows of its blocks: whole loci, not many variants at a time."""
        found: dict[str, list[tuple[int, int]]] = {}
        ends = np.append(self.starts[1:], len(self.frame))[: len(self.starts)]
        chromosomes = self.frame["chrom"].to_numpy()[self.starts]
        for chrom, group in groupby(zip(chromosomes, self.starts, ends, strict=True), key=lambda locus: locus[0]):
            pieces = found.setdefault(str(chrom), [])
            for _, start, end in group:
                if pieces and end - pieces[-1][0] <= _BLOCK_ROWS:
                    pieces[-1] = (pieces[-1][0], int(end))
                else:
                    pieces.append((int(start), int(end)))
        return found

    @cached_property
    def bins(self) -> Integers:
        """Bin of MAF and LD score of each variant."""
        scores = [locus_ld_scores(self.ld[name], name, rows["variant_id"].tolist()) for name, rows in self.loci]
        return matching_bins(frequencies(self.frame), np.concatenate(scores) if scores else np.zeros(0), self.starts)

    @property
    def loci(self) -> list[tuple[str, pd.DataFrame]]:
        """Each locus with its rows."""
        return [(str(name), rows) for name, rows in self.frame.groupby("locus", sort=False)]

    def blocks(self, X: npt.NDArray[Any], signals: Signals) -> dict[str, list[Block]]:
        """Blocks by chromosome of features (n, d) with these signals."""
        return {
            chrom: [self.block(X, signals, start, end) for start, end in pieces]
            for chrom, pieces in self.pieces.items()
        }

    def block(self, X: npt.NDArray[Any], signals: Signals, start: int, end: int) -> Block:
        """Block of the rows from start to end, which are whole loci."""
        inside = self.starts[(self.starts >= start) & (self.starts < end)]
        names = self.frame["locus"].to_numpy()[inside]
        log_bf = np.zeros((end - start, max((len(signals[name]) for name in names), default=0)), dtype=np.float32)
        for name, first in zip(names, inside - start, strict=True):
            found = signals[name]
            log_bf[first : first + found.shape[1], : len(found)] = found.T
        keys = np.array([zlib.crc32(str(name).encode()) for name in names], dtype=np.int64)
        return Block.of(X[start:end], log_bf, inside - start, keys)


def read_signals(fits: FitFiles, loci: Mapping[str, Sequence[str]]) -> dict[str, npt.NDArray[np.float32]]:
    """Log Bayes factors (signals, p) of each locus' credible sets, in the order of its variants.

    A locus that was not fitted, or in which there is no set, has none.
    """
    found = {}
    for locus, variant_ids in loci.items():
        if locus not in fits.files:
            found[locus] = np.zeros((0, len(variant_ids)), dtype=np.float32)
            continue
        fit, names = fits[locus]
        found[locus] = placed_signals(fit, names, variant_ids)
    return found


def placed_signals(fit: SusieFit, names: Sequence[str], variant_ids: Sequence[str]) -> npt.NDArray[np.float32]:
    """Log Bayes factors (signals, p), without the prior, of the effects of a fit that have a credible set.

    Of a variant that was not fitted (for want of LD) nothing is known: its log Bayes factor is 0.
    """
    own = fit.lbf_variable[[one.effect - 1 for one in fit.sets.sets]].astype(np.float32)
    rows = pd.Index(names).get_indexer(pd.Index(variant_ids))
    placed = np.zeros((len(own), len(rows)), dtype=np.float32)
    placed[:, rows >= 0] = own[:, rows[rows >= 0]]
    return placed


@dataclass(frozen=True)
class FittedRows:
    """Rows of ENRICHMENT, COEFFICIENTS and PRIOR_STEPS, and the row of VERDICT, of one prior."""

    enrichment: list[dict[str, Any]]
    coefficients: list[dict[str, Any]]
    verdict: dict[str, Any]
    steps: list[dict[str, Any]]


def fitted_rows(study: Study, name: str, columns: Mapping[str, str]) -> FittedRows:
    """Estimate one prior and describe it.

    Parameters
    ----------
    name
        functional, or that of a control.
    columns
        Columns of the study's frame that it is made of, with their kinds of feature.
    """
    features = [Feature.of(column, kind, study.frame[column].to_numpy(dtype=float)) for column, kind in columns.items()]
    X, missing = feature_matrix(study.frame, features)
    model = Model(nonnegative_flags(features), fixed_coefficients(features))
    blocks = study.blocks(X, study.signals)
    steps = []
    if name == "functional":
        steps = _earlier_steps(study, features, blocks)
    folds = cross_fit(blocks, model, study.settings, study.seed, workers=study.workers)
    label = "annotations" if any(row["features"] < len(features) for row in steps) else "signals"
    worth = [_Worth.of(study, blocks, folds, missing)]
    steps.append(_step_row(label, len(features), folds, worth[0]))
    if study.settings.rounds and np.isnan(model.fixed).any():
        folds = cross_fit(
            blocks, model, study.settings, study.seed, refit=_Refit(study, X), rounds=study.settings.rounds
        )
        worth.append(_Worth.of(study, blocks, folds, missing))
        steps.append(_step_row("iterated", len(features), folds, worth[-1]))
    steps[-1]["used"] = True
    return FittedRows(
        [_enrichment_row(name, left_out, fold, worth[-1]) for left_out, fold in folds.items()],
        _coefficient_rows(study, name, features, folds, blocks, model),
        {"prior": name} | dataclasses.asdict(_verdict(study, blocks, worth[-1])),
        steps,
    )


def _earlier_steps(study: Study, features: Sequence[Feature], blocks: Chromosomes) -> list[dict[str, Any]]:
    """Rows of the steps before the whole model: one signal from z, and SuSiE's signals without annotations."""
    scores = [feature for feature in features if feature.kind == "score" and not _is_annotation(feature, features)]
    if not scores or study.frame.empty:
        return []
    X, missing = feature_matrix(study.frame, scores)
    model = Model(nonnegative_flags(scores), fixed_coefficients(scores))
    judged = study.blocks(X, study.signals)
    marginal = log_bayes_factors(
        study.frame["z"].to_numpy(), study.frame["se"].to_numpy(), study.settings.effect_variance
    ).astype(np.float32)
    ends = np.append(study.starts[1:], len(study.frame))
    one_each = {
        name: marginal[start:end].T if len(study.signals[name]) else marginal[:0].T.reshape(0, end - start)
        for (name, _), start, end in zip(study.loci, study.starts, ends, strict=True)
    }
    rows = []
    folds = cross_fit(study.blocks(X, one_each), model, study.settings, study.seed, workers=study.workers)
    rows.append(_step_row("marginal", len(scores), folds, _Worth.of(study, judged, folds, missing)))
    if len(scores) < len(features):
        folds = cross_fit(judged, model, study.settings, study.seed, workers=study.workers)
        rows.append(_step_row("signals", len(scores), folds, _Worth.of(study, judged, folds, missing)))
    return rows


def _is_annotation(feature: Feature, features: Sequence[Feature]) -> bool:
    """Whether a score comes from the sheet of annotations: the head's own scores stand first, without a gap."""
    own = [one for one in features if one.name in ("score", "given") or one.name.endswith(".l2")]
    return feature not in own


@dataclass(frozen=True)
class _Worth:
    """What folds are worth on the chromosomes that they have not seen: log odds and gains (log10) by chromosome.

    `support` is what all chromosomes say together of log odds made without each of them; its weight is the study's.
    """

    log_odds: dict[str, list[Floats]]
    gains: dict[str, float]
    unmixed: float
    support: Support

    @classmethod
    def of(cls, study: Study, blocks: Chromosomes, folds: Mapping[str, Fold], missing: Floats) -> "_Worth":
        log_odds, gains, unmixed = {}, {}, 0.0
        for chrom, here in blocks.items():
            known = [missing[start:end] for start, end in study.pieces[chrom]]
            found = log_odds_of(here, folds[chrom].coefficients)
            log_odds[chrom] = [odds + gap for odds, gap in zip(found, known, strict=True)]
        support = study_support(blocks, log_odds, folds, study.settings, study.seed)
        for chrom, here in blocks.items():
            gains[chrom] = _gain(held_out_likelihood(here, log_odds[chrom], study.settings, support.weight))
            unmixed += _gain(held_out_likelihood(here, log_odds[chrom], study.settings))
        return cls(log_odds, gains, unmixed, support)

    @property
    def gain(self) -> float:
        return float(sum(self.gains.values()))


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


def _verdict(study: Study, blocks: Chromosomes, worth: _Worth) -> Verdict:
    """What all chromosomes, each left out in turn, say together."""
    support = worth.support
    log_odds = [odds for here in worth.log_odds.values() for odds in here]
    ratio = top_decile_ratio(np.concatenate([*log_odds, np.zeros(0)]))
    shuffled = _shuffled_gain(study, blocks, worth) if support.weight else 0.0
    return Verdict(
        log_enrichment=support.log_enrichment,
        lower=support.lower,
        upper=support.upper,
        weight=support.weight,
        held_out_gain=worth.gain,
        unmixed_gain=worth.unmixed,
        shuffled_gain=shuffled,
        top_decile_ratio=ratio,
        loci=support.loci,
        signals=support.signals,
        sentence=sentence(support, ratio, worth.gain, shuffled),
    )


def _shuffled_gain(study: Study, blocks: Chromosomes, worth: _Worth) -> float:
    flat = np.concatenate([odds for here in worth.log_odds.values() for odds in here])
    locus = study.frame["locus"]
    gains = []
    for number in range(SHUFFLES):
        moved = flat[shuffle_within_bins(flat, locus, study.starts, study.bins, study.seed + number)]
        gains.append(0.0)
        for chrom, here in blocks.items():
            odds = [moved[start:end] for start, end in study.pieces[chrom]]
            gains[-1] += _gain(held_out_likelihood(here, odds, study.settings, worth.support.weight))
    return float(np.mean(gains))


def _coefficient_rows(
    study: Study, name: str, features: Sequence[Feature], folds: Mapping[str, Fold], blocks: Chromosomes, model: Model
) -> list[dict[str, Any]]:
    rows = []
    for left_out, fold in folds.items():
        errors = fold.fit.standard_errors
        if left_out == ALL_LOCI and fold.fit.history and blocks:
            thinned = [merged([block.thinned for here in blocks.values() for block in here])]
            errors = bootstrap_errors(
                thinned, fold.fit, fold.ridge, REPLICATES, study.seed, nonnegative=model.nonnegative, fixed=model.fixed
            )
        for number, feature in enumerate(features):
            rows.append(
                {"prior": name, "left_out": left_out, "feature": feature.name, "kind": feature.kind,
                 "scale": feature.scale, "mean": feature.mean, "sd": feature.sd,
                 "log_enrichment": fold.coefficients[number], "standard_error": errors[number]}
            )  # fmt: skip
    return rows


def _enrichment_row(name: str, left_out: str, fold: Fold, worth: _Worth) -> dict[str, Any]:
    support: Support = worth.support if left_out == ALL_LOCI else fold.support
    return {
        "prior": name,
        "left_out": left_out,
        "loci": support.loci,
        "signals": support.signals,
        "ridge": fold.ridge,
        "rounds": fold.rounds,
        "log_enrichment": support.log_enrichment,
        "lower": support.lower,
        "upper": support.upper,
        "weight": worth.support.weight,
        "reason": support.reason or None,
        "held_out_gain": worth.gains.get(left_out, float("nan")),
    }


def _step_row(step: str, features: int, folds: Mapping[str, Fold], worth: _Worth) -> dict[str, Any]:
    return {
        "step": step,
        "features": features,
        "signals": folds[ALL_LOCI].support.signals,
        "weight": worth.support.weight,
        "held_out_gain": worth.gain,
        "unmixed_gain": worth.unmixed,
        "used": False,
    }


def _gain(held_out: Floats) -> float:
    """Log10 likelihood gained over uniform, of (2, signals)."""
    return float((held_out[1] - held_out[0]).sum() / np.log(10))
