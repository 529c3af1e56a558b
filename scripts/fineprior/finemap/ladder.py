"""How a locus is fitted when its LD may be wrong: the highest rung of a ladder of models that holds.

1. `susie`: SuSiE with the LD as given; the fit for LD of the GWAS itself, and what the next rung is compared with.
2. `corrected`: SuSiE with the error of a reference panel, without variants whose alleles look switched, and, where F_ST
   between GWAS and panel is not known, without credible sets that owe most of their evidence to the subtraction of
   others.
3. `single_effect`: one causal variant, which makes the correlations cancel, so that z-scores are enough (Maller et al.
   2012, doi:10.1038/ng.2435; Wakefield 2009, doi:10.1002/gepi.20359). It is SuSiE with L = 1.

The lowest rung is fitted first, for its checks: what is wrong with z, n or the prior is an error there, whatever R is.
"""

import logging
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, Indices, ReadOnly
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlations, KeptCorrelations, unit_correlations
from fineprior.finemap.credible_sets import CredibleSet, CredibleSets
from fineprior.finemap.infinitesimal import susie_inf
from fineprior.finemap.ld_mismatch import NUMERICAL_TROUBLE, LdDiagnostics, diagnose_ld
from fineprior.finemap.panel_error import PanelError, Shape
from fineprior.finemap.panel_search import panel_search
from fineprior.finemap.search import check_seed, effect_variance, search
from fineprior.finemap.searched import Searched, searched_of
from fineprior.finemap.single_signal import single_signal
from fineprior.finemap.sufficient import shrunk_z
from fineprior.finemap.susie import SusieFit, susie_rss
from fineprior.project.settings import FinemapSettings

log = logging.getLogger(__name__)
# Panels of more F_ST are not searched: one large error of r makes several false PIPs there (docs/method/wrong-ld.md).
SAME_POPULATION = 0.0005


@dataclass(frozen=True)
class LostSet:
    """A credible set of SuSiE without corrections that the fit does not have: its lead variant, and z of that."""

    lead: int
    z: float


@dataclass(frozen=True)
class LadderFit(ReadOnly):
    """The fit of a locus and the way to it.

    Attributes
    ----------
    rung : {"susie", "corrected", "single_effect"}
    reasons : tuple of str
        Why it is not the highest rung; empty when it is, or when the corrections changed nothing.
    fit : SusieFit
        Over all variants; those excluded have no posterior probability.
    diagnostics : LdDiagnostics or None
        None when R cannot be read, or is not to be.
    panel_size : float
        Samples in the panel, as the fit took it; infinite when it took none.
    drift : float
        Lambda of the panel's population: F_ST where it is known, and what z adds; NaN when neither was asked for.
    left_out : ndarray of int
        Variants that were not fitted.
    lost : tuple of LostSet
    search_trouble : str
        Why there is no posterior by search where there should be one (`fit.search`); empty where there is.
    """

    rung: str
    reasons: tuple[str, ...]
    fit: SusieFit
    diagnostics: LdDiagnostics | None = None
    panel_size: float = math.inf
    drift: float = math.nan
    left_out: Indices = field(default_factory=lambda: np.empty(0, np.intp))
    lost: tuple[LostSet, ...] = ()
    search_trouble: str = ""


@dataclass(frozen=True)
class _Locus:
    """The variants of a locus that are fitted."""

    z: Floats
    R: Correlations
    n: float
    prior_weights: Floats | None
    panel_size: float
    drift: float | None = None
    seed: int = 1


class _NextRungError(Exception):
    """A rung does not hold; its message says why."""


def fit_with_fallback(
    z: Floats,
    R: npt.ArrayLike | Correlations | None,
    n: float,
    prior_weights: Floats | None,
    panel_size: float,
    settings: FinemapSettings,
    drift: float | None = None,
    *,
    diagnostics: LdDiagnostics | None = None,
    seed: int = 1,
) -> LadderFit:
    """Fit a locus on the highest rung that holds.

    Parameters
    ----------
    z : ndarray, shape (p,)
    R : array, shape (p, p), Correlations, or None
        Signed correlations; None when there are none.
    n : float
    prior_weights : ndarray, shape (p,), or None
    panel_size : float
        Samples in the panel that R is of, above 1; infinite for the LD of the GWAS itself, or when it is not known.
    settings : FinemapSettings
        With `ld: none` the fit of one effect is the required one, whether or not `fallback` is on.
    drift : float, optional
        F_ST between the populations of panel and GWAS, by allele frequencies (`sumstats.panel_fst`); None when it is
        not known, or R is of the GWAS itself. Above `settings.max_fst` R is not used.
    diagnostics : LdDiagnostics, optional
        Of these z, R, n and panel size, where they are made already: they depend on neither prior nor settings.
    seed : int
        Of the search, which follows SuSiE on LD of the GWAS itself (`posterior: search`).

    Raises
    ------
    InputError
        z, n, prior weights, panel size, drift or seed are bad, settings exclude one another, or a rung does not
        hold and `settings.fallback` is off.
    ArithmeticError
        A value overflows on the lowest rung too.
    """
    if not panel_size > 1:
        raise InputError(f"panel_size: {panel_size:g}, above 1 is needed")
    _check(settings)
    check_seed(seed)
    if drift is not None and not 0 <= drift <= 1:
        raise InputError(f"drift: {drift:g}, an F_ST from 0 to 1 is needed")
    # The lowest rung comes first: what it cannot read has nothing to do with LD.
    single = single_signal(
        z,
        n,
        prior_weights=prior_weights,
        z_method=settings.z_method,
        null_weight=settings.null_weight,
        **_shared(settings),
    )
    if settings.ld == "none":
        return LadderFit("single_effect", ("no LD, as asked for (ld: none)",), single)
    try:
        if R is None:
            raise _NextRungError("no LD")
        locus = _Locus(z, _readable(R, len(z)), n, prior_weights, panel_size, drift, seed)
        if diagnostics is None:
            diagnostics = _diagnosed(locus)
        return _with_ld(locus, diagnostics, settings)
    except _NextRungError as why:
        if not settings.fallback:
            raise InputError(str(why)) from None
        return LadderFit("single_effect", (str(why),), single, diagnostics)


def _check(settings: FinemapSettings) -> None:
    """Refuse settings that a fit with this LD and model cannot take."""
    if settings.ld == "none":
        return
    if settings.model == "susie_inf":
        if settings.estimate_residual_variance:
            raise InputError(
                "estimate_residual_variance: not with model susie_inf, which always estimates its variances"
            )
        for name in ("refine", "null_weight", "L_greedy"):
            if getattr(settings, name):
                raise InputError(f"{name}: {getattr(settings, name)}, not with model susie_inf")
        if settings.z_method != "wald":
            raise InputError(f"z_method: {settings.z_method}, not with model susie_inf, which takes wald")
    if settings.refine and settings.ld == "panel":
        raise InputError(
            "refine: not with LD of a panel, whose fits have no ELBO to compare; it is for LD of the GWAS sample itself"
        )


def _readable(R: npt.ArrayLike | Correlations, p: int) -> Correlations:
    try:
        return unit_correlations(R, p)
    except InputError as error:
        raise _NextRungError(str(error)) from None


def _diagnosed(locus: _Locus) -> LdDiagnostics:
    try:
        return diagnose_ld(locus.z, locus.R, locus.n, locus.panel_size)
    except NUMERICAL_TROUBLE as trouble:
        raise _NextRungError(f"the diagnostics of R failed: {trouble}") from None


def _with_ld(whole: _Locus, diagnostics: LdDiagnostics, settings: FinemapSettings) -> LadderFit:
    """A fit on one of the two rungs with LD."""
    if whole.drift is not None and whole.drift > settings.max_fst:
        raise _NextRungError(
            f"the panel differs from the GWAS by F_ST {whole.drift:.1%}, above finemap.max_fst ({settings.max_fst:.1%})"
        )
    if diagnostics.squared:
        raise _NextRungError(
            "R has small values, none is negative and z does not fit it, as if r² were given in place of r"
        )
    left_out, reasons, s = np.empty(0, np.intp), [], diagnostics.s_scaled
    if settings.allele_switches == "exclude" and diagnostics.switched.any():
        left_out = np.flatnonzero(diagnostics.switched)
        variants = "1 variant" if len(left_out) == 1 else f"{len(left_out)} variants"
        reasons.append(f"{variants} left out whose z has the wrong sign for the LD (switched alleles?)")
        s = diagnostics.s_kept
    locus = _without(whole, left_out)
    if s > settings.max_inconsistency:
        raise _NextRungError(f"z and R do not belong together: s_scaled {s:.3g} above {settings.max_inconsistency:g}")
    plain, trouble = _attempt(locus, settings, None)
    if settings.ld == "in_sample" and plain is not None:
        rung = "corrected" if reasons else "susie"
        plain, trouble = _with_search(plain, locus, settings)
        plain = _whole(plain, whole, left_out)
        return LadderFit(rung, tuple(reasons), plain, diagnostics, left_out=left_out, search_trouble=trouble)
    if trouble:
        reasons.append(f"SuSiE without corrections: {trouble}")
    drifts = settings.model == "susie" and (settings.estimate_drift or settings.ld == "in_sample")
    error = PanelError(locus.panel_size, known_drift=locus.drift or 0.0, estimate_drift=drifts)
    fit = _trusted(locus, settings, error)
    fit, trouble = _with_search(fit, locus, settings, error.shape)
    lost = _lost(plain, fit, locus.z)
    kept = np.delete(np.arange(len(whole.z)), left_out)
    return LadderFit(
        "corrected",
        tuple(reasons),
        _whole(fit, whole, left_out),
        diagnostics,
        math.inf if settings.model == "susie_inf" else locus.panel_size,
        error.drift if drifts or (locus.drift is not None and settings.model == "susie") else math.nan,
        left_out,
        tuple(LostSet(int(kept[one.lead]), one.z) for one in lost),
        search_trouble=trouble,
    )


def _with_search(
    fit: SusieFit, locus: _Locus, settings: FinemapSettings, shape: Shape | None = None
) -> tuple[SusieFit, str]:
    """The fit with the posterior by search, or as it is and why there is none; `shape` is the error of a panel."""
    if settings.posterior == "susie" or settings.model != "susie":
        return fit, ""
    if shape is not None and (
        settings.posterior != "search_panel" or locus.drift is None or locus.drift > SAME_POPULATION
    ):
        return fit, ""
    try:
        return replace(fit, search=_searched(fit, locus, settings, shape)), ""
    except (InputError, *NUMERICAL_TROUBLE) as trouble:
        return fit, str(trouble)
    except Exception as trouble:
        # SuSiE's fit is there, and is better than none; the trace is for whoever looks for the cause.
        log.exception("the search of a locus of %d variants failed", len(locus.z))
        return fit, f"{type(trouble).__name__}: {trouble}"


def _searched(fit: SusieFit, locus: _Locus, settings: FinemapSettings, shape: Shape | None) -> Searched:
    """The search sees the likelihood that SuSiE sees: its z, its residual variance and the variance of its effects."""
    z, n = locus.z, locus.n
    if settings.z_method == "wald":
        z = shrunk_z(z, n)
    fixed = settings.scaled_prior_variance * (n - 1)
    variance = effect_variance(fit, n) if settings.estimate_prior_variance else fixed
    find = search if shape is None else partial(panel_search, shape=shape)
    found = find(
        z / math.sqrt(fit.sigma2),
        locus.R,
        variance / fit.sigma2,
        prior_weights=locus.prior_weights,
        causal=settings.mean_causal,
        most=settings.max_effects,
        seed=locus.seed,
    )
    p = len(z)
    return searched_of(
        found,
        fit.alpha[:, :p],
        fit.V,
        fit.lbf,
        locus.R,
        coverage=settings.coverage,
        further_coverage=settings.further_coverage if settings.further_coverage != settings.coverage else 0.0,
        min_abs_corr=settings.min_purity,
    )


def _trusted(locus: _Locus, settings: FinemapSettings, error: PanelError) -> SusieFit:
    """The fit with the panel's error whose credible sets all show in their own z-scores.

    A set that does not is an artefact of LD that has already spoilt the others: the locus is fitted again with as
    many effects as there are other sets.
    """
    L = settings.max_effects
    while True:
        error.restart()
        fit, trouble = _attempt(locus, replace(settings, max_effects=L), error)
        if fit is None:
            raise _NextRungError(f"SuSiE with the error of the panel: {trouble}")
        trusted = sum(_shows(found, fit, locus, settings) for found in fit.sets.sets)
        if trusted == len(fit.sets):
            return fit
        if L == 1:
            reason = f"the set is led by a variant of |z| below {settings.min_set_z:g}"
            return replace(fit, sets=replace(fit.sets, sets=(), reason=reason))
        L = max(trusted, 1)


def _shows(found: CredibleSet, fit: SusieFit, locus: _Locus, settings: FinemapSettings) -> bool:
    """Whether the lead of a set has a z of its own, and not only once the other effects are subtracted."""
    lead = found.variables[0]
    own = abs(float(locus.z[lead]))
    if own < settings.min_set_z:
        return False
    if locus.drift is not None and settings.model == "susie":  # its error is known: no rule of thumb is needed
        return True
    p = len(locus.z)
    b = (fit.alpha * fit.mu)[:, :p]
    others = b.sum(axis=0) - b[found.effect - 1]
    explained = math.sqrt(locus.n - 1) * float(_row(locus.R, lead) @ others)
    return own >= settings.min_own_share * abs(float(locus.z[lead]) - explained)


def _row(R: Correlations, variant: int) -> Floats:
    return R.between(np.array([variant]), slice(None))[0].astype(np.float64)


def _attempt(locus: _Locus, settings: FinemapSettings, error: PanelError | None) -> tuple[SusieFit | None, str]:
    """A converged fit, or None and why there is none."""
    try:
        fit = _fit(locus, settings, error)
    except (InputError, *NUMERICAL_TROUBLE) as trouble:
        return None, str(trouble)
    if not fit.converged:
        return None, f"no convergence in {fit.niter} iterations"
    return fit, ""


def _fit(locus: _Locus, settings: FinemapSettings, error: PanelError | None) -> SusieFit:
    if settings.model == "susie_inf" and (error is not None or settings.ld == "in_sample"):
        return susie_inf(
            locus.z,
            locus.R,
            locus.n,
            prior_weights=locus.prior_weights,
            **_of_several_effects(settings),
        ).sparse
    return susie_rss(
        locus.z,
        locus.R,
        locus.n,
        prior_weights=locus.prior_weights,
        estimate_residual_variance=settings.estimate_residual_variance and error is None,
        inflation=error,
        zero_excludes=True,
        refine=settings.refine and error is None,
        z_method=settings.z_method,
        null_weight=settings.null_weight,
        L_greedy=settings.L_greedy or None,
        **_of_several_effects(settings),
    )


def _of_several_effects(settings: FinemapSettings) -> dict[str, Any]:
    return _shared(settings) | {
        "L": settings.max_effects,
        "estimate_prior_method": settings.prior_variance_method,
        "max_iter": settings.max_iterations,
        "tol": settings.tolerance,
    }


def _shared(settings: FinemapSettings) -> dict[str, Any]:
    return {
        "coverage": settings.coverage,
        "min_abs_corr": settings.min_purity,
        "scaled_prior_variance": settings.scaled_prior_variance,
        "estimate_prior_variance": settings.estimate_prior_variance,
    }


def _lost(plain: SusieFit | None, fit: SusieFit, z: Floats) -> list[LostSet]:
    """Sets of the plain fit that share no variant with one of the fit."""
    present = {int(variable) for found in fit.final_sets.sets for variable in found.variables}
    sets = plain.sets.sets if plain is not None else ()
    leads = [int(found.variables[0]) for found in sets if present.isdisjoint(found.variables.tolist())]
    return [LostSet(lead, float(z[lead])) for lead in leads]


def _without(locus: _Locus, left_out: Indices) -> _Locus:
    if not len(left_out):
        return locus
    kept = np.delete(np.arange(len(locus.z)), left_out)
    weights = None if locus.prior_weights is None else locus.prior_weights[kept]
    return replace(locus, z=locus.z[kept], R=KeptCorrelations(locus.R, kept), prior_weights=weights)


def _whole(fit: SusieFit, whole: _Locus, left_out: Indices) -> SusieFit:
    """The fit over all variants of the locus; those that were excluded have probability and effect 0."""
    if not len(left_out):
        return fit
    p = len(whole.z)
    kept = np.delete(np.arange(p), left_out)

    def spread(values: Floats) -> Floats:
        """With the null column, where there is one, at the end."""
        null = values.shape[-1] - len(kept)
        filled = np.zeros((*values.shape[:-1], p + null))
        filled[..., kept] = values[..., : len(kept)]
        filled[..., p:] = values[..., len(kept) :]
        return filled

    def placed(sets: CredibleSets) -> CredibleSets:
        return replace(sets, sets=tuple(replace(found, variables=kept[found.variables]) for found in sets.sets))

    found = fit.search
    if found is not None:
        found = replace(found, pip=spread(found.pip), sets=placed(found.sets), further=placed(found.further))
    return replace(
        fit,
        alpha=spread(fit.alpha),
        mu=spread(fit.mu),
        mu2=spread(fit.mu2),
        lbf_variable=spread(fit.lbf_variable),
        pi=spread(fit.pi),
        null_index=None if fit.null_index is None else p,
        pip=spread(fit.pip),
        sets=placed(fit.sets),
        z=whole.z,
        search=found,
    )
