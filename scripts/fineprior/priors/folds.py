"""Folds leave out chromosomes: the estimate used on a chromosome does not use that chromosome's GWAS data.

`cross_fit` leaves out each chromosome in turn; within the others `fit_fold` leaves out parts in turn to choose the
ridge, and then estimates the coefficients. The log odds of chromosome c are those of the fold without c.

Stage 4 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.genome.contigs import natural_order
from fineprior.priors.blocks import Block, log_odds_of, merged, signal_likelihood
from fineprior.priors.enrichment import STEP_TOLERANCE, Enrichment, fit_enrichment
from fineprior.priors.features import Model
from fineprior.priors.strength import Support, assess, within_locus_sd
from fineprior.project.settings import PriorSettings

ALL_LOCI = "none"
"""Name, in place of a chromosome, of the estimate that leaves out none."""
RIDGES = (1000.0, 100.0, 10.0, 1.0)
MAX_PARTS = 5
POLISHED = 1e-3
"""Largest last step of a coefficient on all variants."""

Chromosomes = Mapping[str, Sequence[Block]]
"""Blocks of loci by chromosome."""
Refit = Callable[["Fold", Chromosomes], Chromosomes]
"""Fits the loci of a fold's chromosomes again under the fold's prior."""


@dataclass(frozen=True)
class Fold(ReadOnly):
    """An estimate on some chromosomes: the fit, its ridge, and its support by held-out parts of these chromosomes.

    `inner` holds for each of these chromosomes the coefficients estimated without the part that it is in; `rounds`
    counts how often the loci were fitted again.
    """

    fit: Enrichment
    ridge: float
    support: Support
    inner: Mapping[str, Floats]
    rounds: int = 0

    @property
    def coefficients(self) -> Floats:
        """Coefficients (d,)."""
        return self.fit.coefficients


def parts(chromosomes: Chromosomes) -> dict[str, int]:
    """Part of each chromosome: up to five parts of whole chromosomes with about as many loci with signals each."""
    loci = {name: sum(int((one.signal_counts > 0).sum()) for one in blocks) for name, blocks in chromosomes.items()}
    sums = np.zeros(min(MAX_PARTS, max(sum(number > 0 for number in loci.values()), 1)), dtype=int)
    part_of = {}
    for name in sorted(loci, key=lambda name: (-loci[name], natural_order(name))):
        part_of[name] = int(np.argmin(sums))
        sums[part_of[name]] += loci[name]
    return part_of


def fit_fold(chromosomes: Chromosomes, model: Model, settings: PriorSettings, seed: int) -> Fold:
    """Choose ridge, coefficients and weight from these chromosomes and nothing else.

    Ridge and weight are chosen on thinned loci; the coefficients are then brought to their maximum on all variants.

    Parameters
    ----------
    chromosomes
        Blocks of loci by chromosome.
    model
        Which coefficients are estimated.
    settings
        `ridge` (0: chosen), `max_ratio`, `uniform_weight`.
    seed
        Of the bootstrap over loci.
    """
    part_of = parts(chromosomes)
    split = [
        merged([block.thinned for name, blocks in chromosomes.items() if part_of[name] == part for block in blocks])
        for part in sorted(set(part_of.values()))
    ]
    every = [block for blocks in chromosomes.values() for block in blocks]
    if np.isnan(model.fixed).any():
        ridge, fit, inner = _best_ridge(split, model, settings)
        if any(block.thinned is not block for block in every):
            fit = _fit(every, ridge, fit.coefficients, model, tolerance=POLISHED)
    else:
        ridge, inner = 0.0, [model.fixed] * len(split)
        fit = Enrichment(model.fixed, np.full((len(model.fixed),) * 2, np.nan), (), True)
    log_odds = [log_odds_of([block], b)[0] for block, b in zip(split, inner, strict=True)]
    spreads = [within_locus_sd(split, log_odds_of(split, b)) for b in inner]
    sd = within_locus_sd(split, log_odds_of(split, fit.coefficients))
    count = sum(any(block.signals for block in blocks) for blocks in chromosomes.values())
    support = assess(split, log_odds, spreads, sd, settings, seed, count)
    return Fold(fit, ridge, support, {name: inner[part] for name, part in part_of.items()})


def cross_fit(
    chromosomes: Chromosomes,
    model: Model,
    settings: PriorSettings,
    seed: int,
    *,
    refit: Refit | None = None,
    rounds: int = 0,
    workers: int = 1,
) -> dict[str, Fold]:
    """The fold of all chromosomes (`ALL_LOCI`), then that of all but each in turn, in their order.

    Parameters
    ----------
    refit
        Fits the loci of a fold again under its prior, so that fits and prior inform each other, without the chromosome
        that is left out.
    rounds
        Largest number of refits; they end when no coefficient moves by more than a hundredth of its own fold's
        largest.
    workers
        Threads.
    """

    def fold(left_out: str) -> Fold:
        data = {name: blocks for name, blocks in chromosomes.items() if name != left_out}
        found = fit_fold(data, model, settings, seed)
        for number in range(rounds if refit is not None else 0):
            if refit is None or found.support.weight == 0:
                break
            again = fit_fold(refit(found, data), model, settings, seed)
            moved = np.abs(again.coefficients - found.coefficients).max(initial=0.0)
            found = Fold(again.fit, again.ridge, again.support, again.inner, number + 1)
            if moved < 0.01 * np.abs(again.coefficients).max(initial=1.0):
                break
        return found

    names = [ALL_LOCI, *sorted(chromosomes, key=natural_order)]
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            return dict(zip(names, pool.map(fold, names), strict=True))
    return {name: fold(name) for name in names}


def _best_ridge(
    split: Sequence[Block], model: Model, settings: PriorSettings
) -> tuple[float, Enrichment, list[Floats]]:
    """The ridge whose estimates without each part make that part likeliest, with its fits: whole and inner."""
    found: list[tuple[float, float, Enrichment, list[Floats]]] = []
    start = np.zeros(len(model.fixed))
    nothing = np.where(np.isnan(model.fixed), 0.0, model.fixed)
    for ridge in (settings.ridge,) if settings.ridge > 0 else RIDGES:
        whole = _fit(split, ridge, start, model)
        start = whole.coefficients
        inner = []
        for part in range(len(split)):
            others = [block for number, block in enumerate(split) if number != part]
            inner.append(_fit(others, ridge, start, model).coefficients if others else nothing)
        gain = sum(
            float(each.sum())
            for block, b in zip(split, inner, strict=True)
            for each in signal_likelihood(block, log_odds_of([block], b)[0])
        )
        found.append((gain, ridge, whole, inner))
        if gain < max(one[0] for one in found) - 2:  # log units: a weaker penalty only gets worse from here
            break
    _, ridge, whole, inner = max(found, key=lambda one: one[0])
    return ridge, whole, inner


def _fit(
    blocks: Sequence[Block], ridge: float, start: Floats, model: Model, tolerance: float = STEP_TOLERANCE
) -> Enrichment:
    return fit_enrichment(
        blocks, ridge, start=start, nonnegative=model.nonnegative, fixed=model.fixed, tolerance=tolerance
    )
