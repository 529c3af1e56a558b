"""The estimate of a prior for a whole study: features, candidates, choice, and the rows of its tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fineprior.priors.blocks import merged
from fineprior.priors.candidates import Candidate, PriorOptions, candidates_of
from fineprior.priors.choice import chosen, difference, verdict_on
from fineprior.priors.enrichment import bootstrap_errors
from fineprior.priors.features import features_of
from fineprior.priors.folds import ALL_LOCI, Fold
from fineprior.priors.gains import HeldOutGain, shuffled_gain
from fineprior.priors.study import PriorStudy
from fineprior.project.settings import PriorSettings

REPLICATES = 100


@dataclasses.dataclass(frozen=True)
class EstimatedPrior:
    """Rows of ENRICHMENT, COEFFICIENTS and PRIOR_STEPS, and the row of VERDICT, of one prior."""

    enrichment: list[dict[str, Any]]
    coefficients: list[dict[str, Any]]
    verdict: dict[str, Any]
    candidates: list[dict[str, Any]]


def estimate_prior(
    study: PriorStudy, prior: str, columns: Mapping[str, str], options: PriorOptions, remarks: Sequence[str] = ()
) -> EstimatedPrior:
    """Estimate the candidates of a prior, choose one, and describe it.

    Parameters
    ----------
    study
        What the prior is estimated on.
    prior
        functional, or the name of a control.
    columns
        Columns of the study's variants that the prior is made of, with their kinds of feature.
    options
        Settings, seed and workers.
    remarks
        Sentences that follow that of the verdict.
    """
    features = features_of(study.variants, columns)
    candidates = candidates_of(study, prior, features, options)
    reference = candidates.reference
    used = chosen(candidates.tried, reference)
    shuffled = shuffled_gain(study, reference.blocks, used.held_out, options.settings, options.seed)
    verdict = verdict_on(used.held_out, shuffled)
    sentence = " ".join([verdict.sentence, *(remark for remark in remarks if remark)])
    return EstimatedPrior(
        [_enrichment_row(prior, left_out, fold, used.held_out) for left_out, fold in used.folds.items()],
        _coefficient_rows(prior, used, options),
        {"prior": prior} | dataclasses.asdict(verdict) | {"sentence": sentence},
        [_candidate_row(one, one is used, reference) for one in candidates.tried],
    )


def remark_on_zeros(variants: pd.DataFrame, settings: PriorSettings) -> str:
    """What becomes of weights of 0 that the source itself gives, a sentence: a functional prior is never 0."""
    zero = (variants["prior"] == 0).to_numpy() if "prior" in variants else np.zeros(len(variants), bool)
    if not zero.any():
        return ""
    leads = variants["z"].abs().groupby(variants["locus"], sort=False).idxmax()
    strongest = int(zero[variants.index.get_indexer(leads)].sum())
    least = f"1/{settings.max_ratio:g} of the largest of its locus"
    cap = f", and priors.max_ratio makes it {least}" if settings.max_ratio else ""
    return (
        f"The source gives {int(zero.sum())} of {len(variants)} variants a weight of 0, {strongest} of them the "
        f"strongest of their locus: such a weight counts as a millionth of the smallest one above 0{cap}, so that no "
        "prior is 0."
    )


def _candidate_row(candidate: Candidate, used: bool, reference: Candidate) -> dict[str, Any]:
    """Row of PRIOR_STEPS."""
    gained, error = difference(candidate, reference)
    return {
        "step": candidate.name,
        "features": len({feature.name for feature in candidate.features}),
        "signals": candidate.folds[ALL_LOCI].support.signals,
        "weight": candidate.held_out.support.weight,
        "held_out_gain": candidate.held_out.gain,
        "unmixed_gain": candidate.held_out.unmixed,
        "difference": gained,
        "difference_error": error,
        "used": used,
    }


def _coefficient_rows(prior: str, candidate: Candidate, options: PriorOptions) -> list[dict[str, Any]]:
    """Rows of COEFFICIENTS: standard errors after all loci are those of a bootstrap."""
    rows = []
    for left_out, fold in candidate.folds.items():
        errors = fold.fit.standard_errors
        if left_out == ALL_LOCI and fold.fit.history and candidate.blocks:
            thinned = [merged([block.thinned for here in candidate.blocks.values() for block in here])]
            errors = bootstrap_errors(
                thinned,
                fold.fit,
                fold.ridge,
                REPLICATES,
                options.seed,
                nonnegative=candidate.model.nonnegative,
                fixed=candidate.model.fixed,
            )
        for number, feature in enumerate(candidate.features):
            rows.append(
                {"prior": prior, "left_out": left_out, "feature": feature.name, "kind": feature.kind,
                 "scale": feature.scale, "mean": feature.mean, "sd": feature.sd,
                 "log_enrichment": fold.coefficients[number], "standard_error": errors[number]}
            )  # fmt: skip
    return rows


def _enrichment_row(prior: str, left_out: str, fold: Fold, held_out: HeldOutGain) -> dict[str, Any]:
    """Row of ENRICHMENT."""
    support = held_out.support if left_out == ALL_LOCI else fold.support
    return {
        "prior": prior,
        "left_out": left_out,
        "loci": support.loci,
        "signals": support.signals,
        "ridge": fold.ridge,
        "rounds": fold.rounds,
        "log_enrichment": support.log_enrichment,
        "lower": support.lower,
        "upper": support.upper,
        "weight": held_out.support.weight,
        "reason": held_out.support.reason or None,
        "held_out_gain": held_out.gains.get(left_out, float("nan")),
    }
