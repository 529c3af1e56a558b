"""SuSiE with prior weights from summary statistics (SuSiE-RSS), with susieR's names, defaults and results.

Wang et al. 2020 (doi:10.1111/rssb.12388); Zou et al. 2022 (doi:10.1371/journal.pgen.1010299). The reference is
susieR 0.16.5, but max_iter is 100 as in susieR up to 0.14. Refinement is a way out of local optima: fits in which the
variants of one credible set are forbidden.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlations, correlations
from fineprior.finemap.credible_sets import CredibleSets, credible_sets
from fineprior.finemap.ibss import Effects, IbssOptions, Inflation, drop_null_effects, fit_effects
from fineprior.finemap.searched import Searched
from fineprior.finemap.sufficient import (
    SufficientStatistics,
    check_n,
    check_prior_weights,
    check_z,
    sufficient_statistics,
    z_from_effects,
)

Z_METHODS = ("wald", "score")
MAX_REFINEMENTS = 100
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SusieFit(ReadOnly):
    """A fitted SuSiE model; names are susieR's, indices count from 0.

    Attributes
    ----------
    alpha, mu, mu2, lbf_variable : ndarray, shape (L, p), or (L, p + 1) with a null column
        Per effect: posterior probability; posterior mean and second moment of the coefficient (per standard
        deviation of the genotype) given that the variant is the effect's; log Bayes factor without the prior.
    V, lbf, KL : ndarray, shape (L,)
        Per effect: prior variance, log Bayes factor, divergence from the prior.
    elbo : ndarray, shape (niter,)
        Evidence lower bound after each iteration.
    sigma2 : float
        Residual variance.
    pi : ndarray, shape (p,) or (p + 1,)
        Prior weights, sum 1.
    niter : int
    converged : bool
    null_index : int or None
        Column of the null.
    pip : ndarray, shape (p,)
        Posterior inclusion probabilities over all effects with V > prior_tol.
    sets : CredibleSets
    z : ndarray, shape (p,)
        As given.
    search : Searched or None
        The posterior by search, where there was one. `pip` and `sets` stay SuSiE's.
    """

    alpha: Floats
    mu: Floats
    mu2: Floats
    lbf: Floats
    lbf_variable: Floats
    V: Floats
    KL: Floats
    elbo: Floats
    sigma2: float
    pi: Floats
    niter: int
    converged: bool
    null_index: int | None
    pip: Floats
    sets: CredibleSets
    z: Floats
    search: Searched | None = field(default=None, kw_only=True)

    @property
    def final_pip(self) -> Floats:
        """PIPs of the search where there is one, otherwise SuSiE's, shape (p,)."""
        return self.pip if self.search is None else self.search.pip

    @property
    def final_sets(self) -> CredibleSets:
        """Credible sets of the search where there is one, otherwise SuSiE's."""
        return self.sets if self.search is None else self.search.sets


def susie_rss(
    z: npt.ArrayLike | None,
    R: npt.ArrayLike | Correlations,
    n: float | None,
    *,
    L: int = 10,
    L_greedy: int | None = None,
    prior_weights: npt.ArrayLike | None = None,
    bhat: npt.ArrayLike | None = None,
    shat: npt.ArrayLike | None = None,
    var_y: float | None = None,
    coverage: float = 0.95,
    min_abs_corr: float = 0.5,
    scaled_prior_variance: float = 0.2,
    prior_variance: float = 50.0,
    estimate_prior_variance: bool = True,
    estimate_prior_method: str = "optim",
    check_null_threshold: float = 0.0,
    estimate_residual_variance: bool = False,
    residual_variance: float | None = None,
    null_weight: float = 0.0,
    z_method: str = "wald",
    max_iter: int = 100,
    tol: float = 1e-4,
    convergence_method: str = "elbo",
    prior_tol: float = 1e-9,
    refine: bool = False,
    inflation: Inflation | None = None,
    zero_excludes: bool = False,
) -> SusieFit:
    """Fine-map one locus from z-scores and correlations.

    Parameters
    ----------
    z : array, shape (p,), or None
        z-scores of single-variant regressions, on the same alleles as R; None with `bhat` and `shat`.
    R : array, shape (p, p), float32 or float64
        Signed correlations; never copied when it is contiguous. Or what `panel_correlations` makes of genotypes.
    n : float or None
        Sample size (effective sample size for cases and controls); None stands for "large", as in susieR.
    L : int
        Largest number of effects.
    L_greedy : int, optional
        Start with so many effects, and fit with as many more, up to L, while every effect makes a credible set.
    prior_weights : array, shape (p,), optional
        Prior probabilities up to a factor; uniform by default. As in susieR 1.5e-8 is added to each after
        normalisation, so that a strong signal overrules a 0; see `zero_excludes`.
    bhat, shat : array, shape (p,), optional
        Effects and standard errors in place of z.
    var_y : float, optional
        Variance of the phenotype, used with `bhat` and `shat`: coefficients and V are then on its scale.
    coverage, min_abs_corr : float
        Coverage and purity of credible sets, see `credible_sets`. One number: sets of a further coverage are made of
        the same fit by `credible_sets(..., coverage=0.99)`, as often as needed.
    scaled_prior_variance : float
        First (or fixed) prior variance of an effect as a share of the phenotype's variance.
    prior_variance : float
        The same without n, on the scale of z.
    estimate_prior_variance : bool
    estimate_prior_method : {"optim", "EM", "simple"}
        Brent's method on log V; expectation maximisation; or the first value, or 0 where that is as good.
    check_null_threshold : float
        An effect is kept if its log evidence exceeds the one of no effect by more than this.
    estimate_residual_variance : bool
        Only for an R from the same sample as z.
    residual_variance : float, optional
        The variance of the phenotype by default.
    null_weight : float
        Prior weight of "no variant" in each effect, in [0, 1).
    z_method : {"wald", "score"}
        Which statistic z is.
    max_iter : int
    tol : float
        Rise of the ELBO, or change of alpha and PIP, below which the fit has converged.
    convergence_method : {"elbo", "pip"}
    prior_tol : float
        Effects with a smaller prior variance count as none.
    refine : bool
        Whether to look for a better fit from where each credible set is forbidden.
    inflation : Inflation, optional
        What the error of a panel's R adds to the residual variance. There is no ELBO then: convergence is that of
        alpha and PIP, and neither `refine` nor `estimate_residual_variance` is possible.
    zero_excludes : bool
        Whether a prior weight of 0 is 0, so that the variant's PIP is 0 whatever its z. Off as in susieR; fineprior
        itself fits all loci with it on.

    Returns
    -------
    SusieFit

    Raises
    ------
    InputError
        Bad input, named; or estimates that show that z and R do not belong together.
    ArithmeticError
        A value overflows or is not finite.
    """
    if z_method not in Z_METHODS:
        raise InputError(f"z_method: {z_method!r}, allowed are {', '.join(Z_METHODS)}")
    if L_greedy is not None and L_greedy < 1:
        raise InputError(f"L_greedy: {L_greedy}, 1 or more is allowed")
    if inflation is not None and (refine or estimate_residual_variance):
        raise InputError("refine, estimate_residual_variance: not possible together with inflation")
    check_n(n)
    scores = _z_scores(z, bhat, shat)
    weights = check_prior_weights(prior_weights, len(scores))
    if not (zero_excludes or weights.all()):
        logger.warning(
            "prior_weights: %d are 0; as in susieR each is taken as 1.5e-8, which a strong signal overrules "
            "(zero_excludes=True keeps them 0)",
            int((weights == 0).sum()),
        )
    correlation = correlations(R, len(scores))
    data = sufficient_statistics(
        scores,
        correlation,
        n,
        prior_weights=weights,
        null_weight=null_weight,
        var_y=var_y if z is None and var_y is not None else 1.0,
        shrink=z_method == "wald" or z is None,
    )
    options = IbssOptions(
        L=min(L, len(data.Xty)),
        prior_variance=prior_variance if n is None else scaled_prior_variance * data.var_y,
        residual_variance=data.var_y if residual_variance is None else residual_variance,
        estimate_prior_method=estimate_prior_method if estimate_prior_variance else "none",
        check_null_threshold=check_null_threshold,
        estimate_residual_variance=estimate_residual_variance,
        max_iter=max_iter,
        tol=tol,
        convergence_method=convergence_method if inflation is None else "pip",
        prior_tol=prior_tol,
        zero_excludes=zero_excludes,
    )
    find_sets = partial(
        credible_sets, R=correlation, coverage=coverage, min_abs_corr=min_abs_corr, null_index=data.null_index
    )
    step = options.L if L_greedy is None else L_greedy
    for effects in range(step, options.L + step, step):
        smaller = replace(options, L=min(effects, options.L))
        fit = fit_model(data, smaller, scores, find_sets, refine=refine, inflation=inflation)
        if len(fit.sets) < smaller.L:
            break
    return fit


def _z_scores(z: npt.ArrayLike | None, bhat: npt.ArrayLike | None, shat: npt.ArrayLike | None) -> Floats:
    if z is not None and bhat is None and shat is None:
        return check_z(z)
    if z is None and bhat is not None and shat is not None:
        return z_from_effects(bhat, shat)
    raise InputError("either z, or bhat and shat, are needed")


def fit_model(
    data: SufficientStatistics,
    options: IbssOptions,
    z: Floats,
    find_sets: Callable[[Floats, Floats, Floats], CredibleSets],
    *,
    refine: bool = False,
    inflation: Inflation | None = None,
) -> SusieFit:
    """Fit the model to sufficient statistics: what `susie_rss`, `susie` and `susie_ss` do with checked input.

    `find_sets` makes credible sets of alpha, V and lbf; `z` is handed through.
    """
    effects = fit_effects(data, options, inflation=inflation)
    drop_null_effects(effects, data, options.prior_tol)
    if refine:
        effects = refine_effects(effects, data, options, lambda one: find_sets(one.alpha, one.V, one.lbf))
    return SusieFit(
        alpha=effects.alpha,
        mu=effects.mu,
        mu2=effects.mu2,
        lbf=effects.lbf,
        lbf_variable=effects.lbf_variable,
        V=effects.V,
        KL=effects.KL,
        elbo=np.array(effects.elbo),
        sigma2=effects.sigma2,
        pi=data.pi,
        niter=len(effects.elbo),
        converged=effects.converged,
        null_index=data.null_index,
        pip=effects.pip(options.prior_tol)[: len(z)],
        sets=find_sets(effects.alpha, effects.V, effects.lbf),
        z=z,
    )


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
    for _ in range(MAX_REFINEMENTS):
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
