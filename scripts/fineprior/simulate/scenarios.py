"""Associations simulated on the LD and the scores of a study, with a known relation of scores to causal variants.

In each locus 1 to `max_causal` variants are causal (each number as often), drawn one after another with odds that a
`Scenario` gives to the variants. Causal variant j has a standardised effect b_j, of random sign, that explains
b_j^2 = h (1/2 + E) of the trait's variance, h being the mean and E exponential with mean 1/2; and

    z ~ N(sqrt(n) R b, R),

the distribution of the z-scores of a GWAS of n people with LD R (Zou et al. 2022, doi:10.1371/journal.pgen.1010299).
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError

Integers = npt.NDArray[np.int64]

TOP_SHARE = 0.1
INVERTED = 10.0
"""How many times likelier to be causal the lowest tenth of the scores is in the scenario inverted."""
_LARGEST_JITTER = 1e-2


@dataclass(frozen=True)
class Scenario:
    """Variants of the top (or lowest) tenth of scores are causal `enrichment` times as often as others.

    `noise`: the prior is given other scores, which have nothing to do with the causal variants and a heavy tail.
    """

    enrichment: float
    lowest: bool = False
    noise: bool = False


def scenario_of(name: str) -> Scenario:
    """The scenario of this name: enrichment_<times>, inverted or noise.

    Raises
    ------
    InputError
        There is none.
    """
    if name == "inverted":
        return Scenario(INVERTED, lowest=True)
    if name == "noise":
        return Scenario(1.0, noise=True)
    found = re.fullmatch(r"enrichment_(\d+(?:\.\d+)?)", name)
    if found is None or float(found[1]) == 0:
        raise InputError(
            f"calibrate.scenarios: '{name}' is not a scenario; allowed: enrichment_<times> (such as enrichment_10), "
            "inverted, noise"
        )
    return Scenario(float(found[1]))


def causal_odds(scores: Floats, scenario: Scenario) -> Floats:
    """Odds (n,) of each variant of a study to be causal; 1 for all but the tenth that is enriched.

    Parameters
    ----------
    scores
        (n,) of all loci, NaN where there is none; their magnitude counts.
    """
    sizes = np.abs(scores)
    known = sizes[np.isfinite(sizes)]
    odds = np.ones(len(scores))
    if len(known) == 0:
        return odds
    lowest, top = np.quantile(known, (TOP_SHARE, 1 - TOP_SHARE))
    odds[sizes <= lowest if scenario.lowest else sizes >= top] = scenario.enrichment
    return odds


def noise_scores(count: int, rng: np.random.Generator) -> Floats:
    """Scores (n,) with a heavy tail that say nothing: magnitudes of a Cauchy variate."""
    return np.asarray(np.abs(rng.standard_cauchy(count)), dtype=float)


def draw_causal(odds: Floats, max_causal: int, rng: np.random.Generator) -> Integers:
    """Rows (k,) of a locus' causal variants, k from 1 to `max_causal`, drawn without replacement by their odds (p,)."""
    count = min(int(rng.integers(1, max_causal + 1)), len(odds))
    return np.sort(rng.choice(len(odds), count, replace=False, p=odds / odds.sum()))


def draw_effects(count: int, mean_explained: float, rng: np.random.Generator) -> Floats:
    """Standardised effects (k,): each explains `mean_explained` (1/2 + E) of the variance, E exponential, mean 1/2."""
    explained = mean_explained * (0.5 + rng.exponential(0.5, count))
    return np.asarray(np.sqrt(explained) * rng.choice([-1.0, 1.0], count), dtype=float)


def simulate_z(
    R: npt.NDArray[np.floating], causal: Integers, effects: Floats, n: float, rng: np.random.Generator
) -> Floats:
    """z-scores (p,) ~ N(sqrt(n) R b, R) of a GWAS of n people with LD R (p, p) and effects (k,) at `causal`."""
    mean = np.sqrt(n) * (R[:, causal].astype(float) @ effects)
    return np.asarray(mean + _root(R) @ rng.standard_normal(len(R)), dtype=float)


def panel_correlation(R: npt.NDArray[np.floating], people: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Correlations (p, p) in a panel of so many people, drawn from a normal distribution with correlation R (p, p)."""
    drawn = rng.standard_normal((people, len(R))) @ _root(R).T
    return np.corrcoef(drawn, rowvar=False).reshape(len(R), len(R)).astype(np.float32)


def _root(R: npt.NDArray[np.floating]) -> Floats:
    """Lower triangular L with L L' = R, or R with the least share of the identity that makes it positive definite.

    R of a panel is singular where it has fewer people than the locus has variants.
    """
    jitter = 1e-6
    while jitter <= _LARGEST_JITTER:
        try:
            return np.asarray(np.linalg.cholesky((R.astype(float) + jitter * np.eye(len(R))) / (1 + jitter)))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise InputError("LD is not positive semidefinite, as correlations of one set of people are: cannot simulate on it")
