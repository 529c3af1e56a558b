"""Shift between training data and a study: of the base rate, as log odds, and of the enrichment, by stratum."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, Integers
from fineprior.priors.enrichment import fit_enrichment
from fineprior.priors.features import Feature


def rate_shift(base_rate: float, expected: float) -> float:
    """Log odds that a change of the share of positives adds (Saerens, Latinne and Decaestecker 2002, equation 2.4).

    Raises
    ------
    InputError
        A rate that is not between 0 and 1.
    """
    for name, rate in (("base rate", base_rate), ("expected rate", expected)):
        if not 0 < rate < 1:
            raise InputError(f"the {name} of causal variants must be between 0 and 1, not {rate:g}")
    return float(np.log(expected / (1 - expected)) - np.log(base_rate / (1 - base_rate)))


@dataclass(frozen=True)
class StratumEnrichment:
    """Log enrichment (strata,) for one standard deviation of the score, its standard errors, and a test.

    `p_value`: of the hypothesis that all strata with variants have the same enrichment (Wald).
    """

    log_enrichment: Floats
    standard_errors: Floats
    p_value: float


def enrichment_by_stratum(
    scores: Floats, log_bf: Floats, starts: Integers, stratum: npt.NDArray[np.int64], ridge: float
) -> StratumEnrichment:
    """The enrichment of `fit_enrichment`, with one coefficient of the score and one base rate for each stratum.

    Parameters
    ----------
    scores
        (n,) magnitudes, NaN where missing; a unit of the coefficients is one standard deviation over all variants.
    log_bf, starts
        Log Bayes factors (n, signals) and first rows of loci (loci,).
    stratum
        (n,) from 0; -1 for variants that are in none.
    """
    number = int(stratum.max(initial=-1)) + 1
    score = np.nan_to_num(Feature.of("score", "score", scores).values(scores), nan=0.0)
    inside = stratum[:, None] == np.arange(number)
    centred = np.where(inside, score[:, None] - [score[each].mean() if each.any() else 0 for each in inside.T], 0)
    block = Block.of(np.concatenate([centred, inside[:, 1:]], 1), log_bf, starts)
    fit = fit_enrichment([block], ridge)
    found, covariance = fit.coefficients[:number], fit.covariance[:number, :number]
    # The penalty alone determines a stratum whose scores hardly vary: it is not compared.
    told = centred.std(0) > 1e-9
    between = np.diff(np.eye(int(told.sum())), axis=0)
    steps = between @ found[told]
    p_value = float("nan")
    if len(steps) and np.isfinite(covariance).all():
        wald = float(steps @ np.linalg.solve(between @ covariance[np.ix_(told, told)] @ between.T, steps))
        p_value = float(chi2.sf(wald, len(steps)))
    errors = np.where(told, np.sqrt(np.diag(covariance)), np.nan)
    return StratumEnrichment(np.where(told, found, np.nan), errors, p_value)
