"""From log odds to prior causal probabilities: softmax with a cap, mixture with the uniform prior, a batch's prior.

Stage 6 of the walk from scores to a prior: study, features, folds, candidates, choice, prior.
"""

import dataclasses

import numpy as np
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Integers, locus_sizes, locus_starts
from fineprior.priors.controls import bins_of_variants, shuffle_within_bins
from fineprior.priors.features import Feature, feature_matrix
from fineprior.project.settings import PriorSettings


def functional_prior(log_odds: Floats, starts: Integers, settings: PriorSettings, weight: float = 1.0) -> Floats:
    """Prior causal probabilities (n,), which sum to 1 within each locus.

    weight * ((1 - u) * capped softmax + u / p) + (1 - weight) / p, with u = `uniform_weight`; see `capped_softmax`.

    Parameters
    ----------
    log_odds
        (n,) log prior odds up to a constant per locus, NaN where there is no score; -inf is a prior of 0 before mixing.
    starts
        (loci,) first rows of the loci.
    settings
        `max_ratio` (1 or more, or 0 for no cap) and `uniform_weight` (0 to 1).
    weight
        Share of the functional part, 0 to 1.

    Raises
    ------
    InputError
        A setting out of its range.
    """
    if not 0 <= settings.uniform_weight <= 1:
        raise InputError(f"priors.uniform_weight must be from 0 to 1, not {settings.uniform_weight}")
    softmax = capped_softmax(log_odds, starts, settings.max_ratio)
    share = weight * (1 - settings.uniform_weight)
    sizes = locus_sizes(starts, len(log_odds))
    return np.asarray(share * softmax + (1 - share) / np.repeat(sizes, sizes), dtype=float)


def capped_softmax(log_odds: Floats, starts: Integers, max_ratio: float) -> Floats:
    """Softmax (n,) of log odds within loci, none less likely than 1 / `max_ratio` of the likeliest of its locus.

    A variant without a score (NaN) gets the base rate 1 / p. A ratio of 0 is no cap: only then can a probability be 0.

    Raises
    ------
    InputError
        A ratio below 1 that is not 0.
    """
    if max_ratio != 0 and max_ratio < 1:
        raise InputError(f"priors.max_ratio must be 1 or more, or 0 for no cap, not {max_ratio}")
    if len(starts) == 0:
        return np.zeros(0)
    sizes = locus_sizes(starts, len(log_odds))
    scored = ~np.isnan(log_odds)
    known = np.where(scored, log_odds, -np.inf)
    largest = np.maximum.reduceat(known, starts)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    floor = 1 / max_ratio if max_ratio else 0.0
    odds = np.where(scored, np.maximum(np.exp(known - np.repeat(largest, sizes)), floor), 0.0)
    counts, sums = np.add.reduceat(scored.astype(float), starts), np.add.reduceat(odds, starts)
    base = np.where((counts > 0) & (sums > 0), sums / np.maximum(counts, 1), 1.0)
    odds = np.where(scored & (np.repeat(sums, sizes) > 0), odds, np.repeat(base, sizes))
    return np.asarray(odds / np.repeat(np.add.reduceat(odds, starts), sizes), dtype=float)


@dataclasses.dataclass(frozen=True)
class LogOdds:
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
        Result of `study.read_batch`.
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
