"""The prior of a batch: log odds from the estimates of a study, shuffled or not, as prior causal probabilities.

Stage 7 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.priors.blocks import locus_starts
from fineprior.priors.controls import bins_of_variants, shuffle_within_bins
from fineprior.priors.features import Feature, feature_matrix
from fineprior.priors.strength import capped_softmax, functional_prior
from fineprior.project.settings import PriorSettings


@dataclass(frozen=True)
class LogOdds(ReadOnly):
    """Log prior odds (n,) of a batch's variants, and the score (n,) that they are reported with; NaN where unknown."""

    scores: Floats
    values: Floats


def unknown_log_odds(variants: pd.DataFrame) -> LogOdds:
    """Log odds of variants of which nothing is known: under them the prior is uniform."""
    missing = np.full(len(variants), np.nan)
    return LogOdds(missing, missing)


def log_odds_of_batch(variants: pd.DataFrame, coefficients: pd.DataFrame, prior: str, where: str) -> LogOdds:
    """Log prior odds of a batch, on each chromosome from the estimates that have not seen it.

    Parameters
    ----------
    variants
        Result of `batches.read_batch`.
    coefficients, where
        Table COEFFICIENTS, and its file, for messages.
    prior
        Name of the prior in this table.

    Raises
    ------
    InputError
        There is no estimate without a chromosome of the variants.
    """
    table = coefficients[coefficients["prior"] == prior]
    scores, log_odds = np.full(len(variants), np.nan), np.full(len(variants), np.nan)
    for chromosome in variants["chrom"].unique():
        rows = table[table["left_out"] == chromosome]
        if rows.empty:
            there = ", ".join(table["left_out"].unique())
            raise InputError(
                f"{where}: no estimate of {prior} that leaves out chromosome {chromosome}; there are {there}"
            )
        features = [Feature(row.feature, row.kind, row.scale, row.mean, row.sd) for row in rows.itertuples()]
        here = (variants["chrom"] == chromosome).to_numpy()
        X, missing = feature_matrix(variants[here], features)
        log_odds[here] = X.astype(float) @ rows["log_enrichment"].to_numpy(dtype=float) + missing
        scores[here] = variants.loc[here, features[0].name]
    return LogOdds(scores, log_odds)


def shuffled(log_odds: LogOdds, variants: pd.DataFrame, ld: str, seed: int) -> LogOdds:
    """The same log odds on other variants of the same locus and bin of MAF and LD; `ld` is the batch's file of LD."""
    starts = locus_starts(variants["locus"])
    bins = bins_of_variants(variants, dict.fromkeys(map(str, variants["locus"].unique()), ld))
    order = shuffle_within_bins(log_odds.values, variants["locus"], starts, bins, seed)
    return LogOdds(log_odds.scores[order], log_odds.values[order])


def weights_of_batch(variants: pd.DataFrame, enrichment: pd.DataFrame, prior: str) -> Floats:
    """Share (n,) of the functional part of this prior for each variant, from table ENRICHMENT."""
    weights = enrichment[enrichment["prior"] == prior].set_index("left_out")["weight"]
    return variants["chrom"].map(weights).to_numpy(dtype=float)


def assigned_prior(
    variants: pd.DataFrame, log_odds: LogOdds, settings: PriorSettings, weights: Floats | float = 0.0
) -> pd.DataFrame:
    """Table PRIOR of a batch.

    Parameters
    ----------
    variants
        Columns locus, variant_id of n variants; locus after locus.
    log_odds
        Of these variants.
    settings
        `max_ratio` and `uniform_weight`.
    weights
        (n,) share of the functional part; the rest is uniform.
    """
    share = np.broadcast_to(weights, len(variants))
    starts = locus_starts(variants["locus"])
    softmax = capped_softmax(log_odds.values, starts, settings.max_ratio)
    each = np.asarray(functional_prior(log_odds.values, starts, settings), dtype=float)
    none = functional_prior(log_odds.values, starts, dataclasses.replace(settings, uniform_weight=0.0), 0.0)
    columns = {
        "score": log_odds.scores,
        "log_odds": np.nan_to_num(log_odds.values, nan=0.0),
        "softmax": softmax,
        "weight": share * (1 - settings.uniform_weight),
        "prior": share * each + (1 - share) * none,
    }
    return variants[["locus", "variant_id"]].assign(**columns)
