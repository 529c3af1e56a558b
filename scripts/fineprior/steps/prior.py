"""Steps from scores to priors: fit_prior (a study) and assign_prior (a batch of loci)."""

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import PriorSettings
from fineprior.foundation.tables import ENRICHMENT, LOCUS_VARIANTS, PRIOR, SCORES, VERDICT
from fineprior.priors.annotation import ScoreScale, join_scores, shuffle_within_loci
from fineprior.priors.enrichment import Floats, Integers, locus_starts, log_bayes_factors
from fineprior.priors.strength import Estimate, cross_fit, functional_prior, judge, natural_order
from fineprior.steps.inputs import PRIORS

log = logging.getLogger(__name__)


def fit_prior(
    *, variants: Sequence[str], scores: Sequence[str], enrichment: str, verdict: str, settings: PriorSettings
) -> None:
    """Estimate the enrichment of causal variants in the score, and say whether the functional prior is used.

    Reads the variants and the scores of all batches (in the same order); writes the tables `enrichment` and `verdict`.
    """
    if len(variants) != len(scores):
        raise InputError(f"{len(variants)} files of variants and {len(scores)} of scores; they come in pairs")
    frames = []
    for variants_path, scores_path in zip(variants, scores, strict=True):
        frame = _read_variants(variants_path)
        frames.append(frame.assign(score=join_scores(frame, SCORES.read(scores_path), scores_path)))
    frame = _genome_order(pd.concat(frames)) if frames else LOCUS_VARIANTS.empty().assign(score=0.0)
    values = frame["score"].to_numpy(dtype=float)
    log.info("%d variants in %d loci, %d without a score", len(frame), frame["locus"].nunique(), np.isnan(values).sum())
    log_bf = log_bayes_factors(frame["z"].to_numpy(), frame["se"].to_numpy(), settings.effect_variance)
    estimates = cross_fit(values, log_bf, locus_starts(frame["locus"]), frame["chrom"], settings)
    judged = judge(estimates, values)
    log.info("%s", judged.sentence)
    ENRICHMENT.write(pd.DataFrame([_row(each) for each in estimates]), enrichment)
    VERDICT.write(pd.DataFrame([dataclasses.asdict(judged)]), verdict)


def assign_prior(
    *,
    prior: str,
    variants: str,
    scores: str | None = None,
    enrichment: str | None = None,
    verdict: str | None = None,
    output: str,
    settings: PriorSettings | None = None,
    seed: int = 0,
) -> None:
    """Give each variant of a batch its prior causal probability.

    `prior` is uniform (which needs no scores, no enrichment and no settings), functional, or shuffled: the scores
    permuted within each locus, then the enrichment and the strength of functional.
    """
    if prior not in PRIORS:
        raise InputError(f"prior '{prior}' is unknown; allowed: {', '.join(PRIORS)}")
    frame = _read_variants(variants)
    starts = locus_starts(frame["locus"])
    if prior == "uniform":
        missing = np.full(len(frame), np.nan)
        _write_prior(frame, missing, missing, functional_prior(missing, starts, PriorSettings(), 0.0), output)
        return
    if scores is None or enrichment is None or verdict is None or settings is None:
        raise InputError(f"the {prior} prior needs scores, enrichment, verdict and settings")
    values = join_scores(frame, SCORES.read(scores), scores)
    if prior == "shuffled":
        values = shuffle_within_loci(values, frame["locus"], starts, seed)
    log_odds = _log_odds(frame, values, starts, enrichment)
    weight = float(VERDICT.read(verdict)["weight"].iloc[0])
    _write_prior(frame, values, log_odds, functional_prior(log_odds, starts, settings, weight), output)


def _log_odds(frame: pd.DataFrame, scores: Floats, starts: Integers, enrichment: str) -> Floats:
    """Log prior odds (n,), from the estimate that has not seen the chromosome; NaN without a score."""
    rows = ENRICHMENT.read(enrichment).set_index("left_out")
    log_odds = np.full(len(frame), np.nan)
    for chromosome in frame["chrom"].unique():
        if chromosome not in rows.index:
            raise InputError(f"{enrichment}: no estimate that leaves out chromosome {chromosome}; "
                             f"there are {', '.join(rows.index)}")  # fmt: skip
        row = rows.loc[chromosome]
        scale = ScoreScale(row["score_scale"], row["score_mean"], row["score_sd"])
        here = (frame["chrom"] == chromosome).to_numpy()
        log_odds[here] = row["log_enrichment"] * scale.feature(scores[here])
    return log_odds


def _write_prior(frame: pd.DataFrame, scores: Floats, log_odds: Floats, prior: Floats, output: str) -> None:
    columns = {"score": scores, "log_odds": np.nan_to_num(log_odds, nan=0.0), "prior": prior}
    PRIOR.write(frame[["locus", "variant_id"]].assign(**columns), output)


def _read_variants(path: str) -> pd.DataFrame:
    frame = LOCUS_VARIANTS.read(path)
    wrong = frame[~np.isfinite(frame["z"])]
    if len(wrong):
        raise InputError(f"{path}: z of variant {wrong['variant_id'].iloc[0]} is {wrong['z'].iloc[0]}; a variant of a "
                         f"locus has a finite z ({len(wrong)} have not)")  # fmt: skip
    return frame


def _genome_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Loci in genome order, so that the sums do not depend on how loci were batched."""
    first = frame.drop_duplicates("locus")
    loci = sorted(
        zip(first["chrom"], first["pos"], first["locus"], strict=True),
        key=lambda locus: (natural_order(locus[0]), *locus[1:]),
    )
    rank = frame["locus"].map({name: number for number, (_, _, name) in enumerate(loci)})
    return frame.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)


def _row(estimate: Estimate) -> dict[str, object]:
    return {
        "left_out": estimate.left_out,
        "loci": estimate.loci,
        "log_enrichment": estimate.log_enrichment,
        "standard_error": estimate.standard_error,
        "score_scale": estimate.scale.scale,
        "score_mean": estimate.scale.mean,
        "score_sd": estimate.scale.sd,
        "held_out_gain": estimate.gain,
    }
