"""Refinement: a way out of local optima, by fits in which the variants of one credible set are forbidden."""

from collections.abc import Callable
from dataclasses import replace

from fineprior.finemap.credible_sets import CredibleSets
from fineprior.finemap.ibss import Effects, IbssOptions, drop_null_effects, fit_effects
from fineprior.finemap.sufficient import SufficientStatistics

MAX_STEPS = 100


def refine_effects(
    effects: Effects,
    data: SufficientStatistics,
    options: IbssOptions,
    sets_of: Callable[[Effects], CredibleSets],
) -> Effects:
    """The best fit that susieR's refinement reaches.

    For each credible set the model is fitted with the prior weights of its variants at 0, and from there again
    with the true weights; the best of these fits is taken if its ELBO is higher, and the search goes on from it.

    Parameters
    ----------
    effects : Effects
        A finished fit.
    data : SufficientStatistics
    options : IbssOptions
    sets_of : callable
        Makes the credible sets of a fit.

    Returns
    -------
    Effects
    """
    for _ in range(MAX_STEPS):
        candidates = []
        for found in sets_of(effects).sets:
            pi = data.pi.copy()
            pi[found.variables] = 0.0
            if not pi[: len(pi) if data.null_index is None else data.null_index].any():
                break
            forbidden = replace(data, pi=pi / pi.sum())
            start = fit_effects(forbidden, options)
            drop_null_effects(start, forbidden, options.prior_tol)
            candidate = fit_effects(data, options, start)
            drop_null_effects(candidate, data, options.prior_tol)
            candidates.append(candidate)
        if not candidates:
            break
        best = max(candidates, key=lambda candidate: candidate.elbo[-1])
        gain = best.elbo[-1] - effects.elbo[-1]
        if gain <= options.tol:
            break
        effects = best
        # susieR stops as soon as the gain is small beside the ELBO itself.
        if gain < options.tol * max(1.0, abs(effects.elbo[-1])):
            break
    return effects
