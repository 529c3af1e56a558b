"""Prior and concept shift: whether base rates, and what a score means, are the same on labels, loci and chromosomes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.contigs import plain_name
from fineprior.heads.covariate_shift import FINE, NOT_APPLICABLE, SHIFTED, UNKNOWN, shift_rows
from fineprior.priors.blocks import Block, Integers, locus_starts
from fineprior.priors.enrichment import fit_enrichment, log_bayes_factors
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
class StratumEnrichment(ReadOnly):
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


_FEWEST_LOCI = 10
_DIFFERS = 0.01
# A normal prior of variance 1 on coefficients and base rates: a stratum of few loci is easily one without any signal,
# or one where the largest score is always causal, and without a penalty it would have no estimate.
_RIDGE = 1.0
_RATE_SHIFT = float(np.log(2))  # a factor of two
_SIGNAL = ("low", "middle", "high")


def base_rate_rows(variants: pd.DataFrame, rate: float | None) -> pd.DataFrame:
    """Rows of SHIFT on the share of causal variants, among labelled variants (`rate`, if there are any) and a study's.

    The study's share is that of one causal variant in each locus.
    """
    expected = variants["locus"].nunique() / max(len(variants), 1)
    measure = "base rate of causal variants"
    if rate is None or not 0 < expected < 1:
        sentence = (
            "The head predicts signal, not a probability of being causal: there is no base rate of labels to correct. "
            "How much a score says is estimated on the study's own loci; one causal variant a locus is "
            f"{expected:.2g} of them."
        )
        return shift_rows("prior", [(measure, np.nan, expected, np.nan, NOT_APPLICABLE, sentence)])
    step = rate_shift(rate, expected)
    sentence = (
        f"{rate:.2g} of the labelled variants are causal, with one in a locus {expected:.2g} of the study's: log odds "
        f"of what the labels teach have to be moved by {step:.2f} before they are a prior."
    )
    verdict = SHIFTED if abs(step) > _RATE_SHIFT else FINE
    return shift_rows("prior", [(measure, rate, expected, step, verdict, sentence)])


def concept_rows(variants: pd.DataFrame, trained: Iterable[str], effect_variance: float) -> pd.DataFrame:
    """Rows of SHIFT: enrichment by what the head predicts for the reference, and by whether it knows the chromosome.

    Parameters
    ----------
    variants
        LOCUS_VARIANTS with `score` and `signal`, what the head predicts for the reference allele.
    trained
        Chromosomes of the head's training regions.
    effect_variance
        Prior variance of effects, of the Bayes factors.
    """
    loci = variants["locus"].nunique()
    if loci < _FEWEST_LOCI or not variants["score"].gt(0).any():
        sentence = f"{loci} loci say too little of whether the score means the same everywhere."
        return shift_rows("concept", [("enrichment", np.nan, np.nan, np.nan, UNKNOWN, sentence)])
    signal = variants["signal"].to_numpy(np.float64)
    thirds = np.searchsorted(np.nanquantile(signal, (1 / 3, 2 / 3)), signal).astype(np.int64)
    known = variants["chrom"].map(plain_name).isin({plain_name(chrom) for chrom in trained})
    strata: list[tuple[NDArray[np.int64], list[str]]] = [
        (np.where(np.isnan(signal), -1, thirds), [f"predicted reference signal is {level}" for level in _SIGNAL]),
        (known.to_numpy().astype(np.int64), ["chromosome is new to the head", "chromosome was trained on"]),
    ]
    return pd.concat([_strata_rows(variants, stratum, names, effect_variance) for stratum, names in strata])


def _strata_rows(
    variants: pd.DataFrame, stratum: NDArray[np.int64], names: list[str], effect_variance: float
) -> pd.DataFrame:
    scores = variants["score"].to_numpy(np.float64)
    log_bf = log_bayes_factors(variants["z"].to_numpy(), variants["se"].to_numpy(), effect_variance)
    starts = locus_starts(variants["locus"])
    overall = enrichment_by_stratum(scores, log_bf, starts, np.zeros(len(scores), np.int64), _RIDGE)
    found = enrichment_by_stratum(scores, log_bf, starts, stratum, _RIDGE)
    rows = []
    whole = float(overall.log_enrichment[0])
    for name, estimate, error in zip(names, found.log_enrichment, found.standard_errors, strict=False):
        if not np.isfinite(error):
            sentence = f"Where the {name} there is nothing to estimate it on."
            rows.append((f"enrichment where the {name}", whole, np.nan, np.nan, UNKNOWN, sentence))
            continue
        lower, upper = estimate - 1.96 * error, estimate + 1.96 * error
        differs = found.p_value < _DIFFERS and not lower <= whole <= upper
        sentence = (
            f"Where the {name}, one standard deviation of the score multiplies prior odds by {np.exp(estimate):.2g} "
            f"(95% interval {np.exp(lower):.2g} to {np.exp(upper):.2g}); overall by {np.exp(whole):.2g}. "
            f"{'The score means something else there' if differs else 'No evidence of a difference'} "
            f"(test of equal strata: p = {found.p_value:.2g})."
        )
        verdict = SHIFTED if differs else FINE
        rows.append(
            (f"enrichment where the {name}", whole, float(estimate), float(estimate - whole), verdict, sentence)
        )
    return shift_rows("concept", rows)
