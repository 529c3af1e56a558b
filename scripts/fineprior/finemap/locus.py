"""One locus of the pipeline: a fit or the reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt

from fineprior.finemap.susie import SusieFit, susie_rss
from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import FinemapSettings


@dataclass(frozen=True)
class LocusFit:
    """What became of a locus.

    Attributes
    ----------
    variant_ids : tuple of str
        In the order of the arrays of `fit`.
    status : {"ok", "no_signal", "not_converged", "failed"}
        At least one credible set; none; iterations ended first (sets and PIPs are there, to be taken with care); no
        fit.
    reason : str
        Why the status is not ok; empty when it is.
    fit : SusieFit or None
        None when failed.
    """

    variant_ids: tuple[str, ...]
    status: str
    reason: str
    fit: SusieFit | None


def fit_locus(
    variant_ids: Sequence[str],
    z: npt.ArrayLike,
    R: npt.ArrayLike,
    n: float | None,
    prior_weights: npt.ArrayLike | None,
    settings: FinemapSettings,
) -> LocusFit:
    """Fine-map a locus; bad input and numerical trouble end in a status, never in an error.

    Parameters
    ----------
    variant_ids : sequence of str, length p
    z : array, shape (p,)
        z-scores of the effect alleles.
    R : array, shape (p, p)
        Correlations of the same alleles.
    n : float
        Sample size; needed here.
    prior_weights : array, shape (p,), or None
        Prior probabilities up to a factor; None is uniform.
    settings : FinemapSettings

    Returns
    -------
    LocusFit
    """
    ids = tuple(variant_ids)
    try:
        if n is None:
            raise InputError("n: missing, the sample size is needed")
        fit = susie_rss(
            z,
            R,
            n,
            L=settings.max_effects,
            prior_weights=prior_weights,
            coverage=settings.coverage,
            min_abs_corr=settings.min_purity,
            scaled_prior_variance=settings.scaled_prior_variance,
            estimate_prior_variance=settings.estimate_prior_variance,
            estimate_prior_method=settings.prior_variance_method,
            estimate_residual_variance=settings.estimate_residual_variance,
            max_iter=settings.max_iterations,
            tol=settings.tolerance,
        )
        if len(ids) != len(fit.z):
            raise InputError(f"variant_ids: {len(ids)} names for {len(fit.z)} z-scores")
    except (InputError, ArithmeticError) as error:
        return LocusFit(ids, "failed", str(error), None)
    if not fit.converged:
        return LocusFit(ids, "not_converged", f"no convergence in {fit.niter} iterations (max_iterations)", fit)
    if not fit.sets:
        return LocusFit(ids, "no_signal", fit.sets.reason, fit)
    return LocusFit(ids, "ok", "", fit)
