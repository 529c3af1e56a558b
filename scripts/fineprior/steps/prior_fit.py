"""The estimate of one prior for a whole study, and the rows of its tables."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fineprior.priors.blocks import merged
from fineprior.priors.controls import shuffle_within_bins
from fineprior.priors.enrichment import bootstrap_errors
from fineprior.priors.folds import Chromosomes, Fold
from fineprior.priors.strength import ALL_LOCI, Support, Verdict, held_out_likelihood, sentence, top_decile_ratio
from fineprior.steps.prior_steps import Step, Worth, chosen_step, log10_gains, steps_of
from fineprior.steps.prior_study import Study

SHUFFLES = 10
REPLICATES = 100


@dataclass(frozen=True)
class FittedRows:
    """Rows of ENRICHMENT, COEFFICIENTS and PRIOR_STEPS, and the row of VERDICT, of one prior."""

    enrichment: list[dict[str, Any]]
    coefficients: list[dict[str, Any]]
    verdict: dict[str, Any]
    steps: list[dict[str, Any]]


def fitted_rows(study: Study, name: str, columns: Mapping[str, str]) -> FittedRows:
    """Estimate one prior, step by step, choose a step, and describe it.

    Parameters
    ----------
    name
        functional, or that of a control.
    columns
        Columns of the study's frame that it is made of, with their kinds of feature.
    """
    steps, reference = steps_of(study, name, columns)
    used = chosen_step(steps, reference)
    return FittedRows(
        [_enrichment_row(name, left_out, fold, used.worth) for left_out, fold in used.folds.items()],
        _coefficient_rows(study, name, used),
        {"prior": name} | dataclasses.asdict(_verdict(study, reference.blocks, used.worth)),
        [step.row(step is used, reference) for step in steps],
    )


def _verdict(study: Study, blocks: Chromosomes, worth: Worth) -> Verdict:
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


def _shuffled_gain(study: Study, blocks: Chromosomes, worth: Worth) -> float:
    flat = np.concatenate([odds for here in worth.log_odds.values() for odds in here])
    locus = study.frame["locus"]
    gains = []
    for number in range(SHUFFLES):
        moved = flat[shuffle_within_bins(flat, locus, study.starts, study.bins, study.seed + number)]
        gains.append(0.0)
        for chrom, here in blocks.items():
            odds = [moved[start:end] for start, end in study.pieces[chrom]]
            held_out = held_out_likelihood(here, odds, study.settings, worth.support.weight)
            gains[-1] += float(log10_gains(held_out).sum())
    return float(np.mean(gains))


def _coefficient_rows(study: Study, name: str, step: Step) -> list[dict[str, Any]]:
    rows = []
    for left_out, fold in step.folds.items():
        errors = fold.fit.standard_errors
        if left_out == ALL_LOCI and fold.fit.history and step.blocks:
            thinned = [merged([block.thinned for here in step.blocks.values() for block in here])]
            errors = bootstrap_errors(
                thinned,
                fold.fit,
                fold.ridge,
                REPLICATES,
                study.seed,
                nonnegative=step.model.nonnegative,
                fixed=step.model.fixed,
            )
        for number, feature in enumerate(step.features):
            rows.append(
                {"prior": name, "left_out": left_out, "feature": feature.name, "kind": feature.kind,
                 "scale": feature.scale, "mean": feature.mean, "sd": feature.sd,
                 "log_enrichment": fold.coefficients[number], "standard_error": errors[number]}
            )  # fmt: skip
    return rows


def _enrichment_row(name: str, left_out: str, fold: Fold, worth: Worth) -> dict[str, Any]:
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
        "reason": worth.support.reason or None,
        "held_out_gain": worth.gains.get(left_out, float("nan")),
    }
