"""The fit of a locus with its status and remarks, or why there is none."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlations, unit_correlations
from fineprior.finemap.diagnoses import sample_sizes, samples_in_panel
from fineprior.finemap.ladder import LadderFit, fit_with_fallback
from fineprior.finemap.ld_mismatch import LdDiagnostics
from fineprior.finemap.sufficient import check_z, numbers
from fineprior.finemap.susie import SusieFit
from fineprior.project.settings import FinemapSettings
from fineprior.sumstats.panel_fst import FAR_FST

log = logging.getLogger(__name__)
# Shares and correlations above and below which a locus is remarked upon.
MIN_N_SHARE = 0.8
MAX_SET_CORRELATION = 0.5
MIN_LEAD_Z = 2.0
PIP_APART = 0.2
"""Difference of a PIP by search and SuSiE's above which a locus is remarked upon."""
AT_THE_LIMIT = 0.05
"""Probability of the largest number of causal variants above which it may be too small."""
NAMED = 3


@dataclass(frozen=True)
class LocusFit:
    """The fit of a locus, and its status.

    Attributes
    ----------
    variant_ids : tuple of str
        In the order of the arrays of `fit`.
    status : {"ok", "corrected", "single_effect", "incomplete", "no_signal", "failed"}
        Credible sets with the LD as given; credible sets after something was done about the LD; the
        set of one effect, without LD; any of these, decided by what the locus does not hold
        (`contents.with_contents`); no credible set; no fit.
    reason : str
        Why the status is not ok; empty when it is.
    fit : SusieFit or None
        None when failed.
    ladder : LadderFit or None
        The way to the fit; None when failed.
    remarks : tuple of str
        What the diagnostics found, whether or not anything was done about it.
    """

    variant_ids: tuple[str, ...]
    status: str
    reason: str
    fit: SusieFit | None
    ladder: LadderFit | None = None
    remarks: tuple[str, ...] = ()


def fit_locus(
    variant_ids: Sequence[str],
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations | None,
    n: float | npt.ArrayLike | None,
    prior_weights: npt.ArrayLike | None,
    settings: FinemapSettings,
    *,
    panel_size: float | None = None,
    drift: float | None = None,
    diagnostics: LdDiagnostics | None = None,
    seed: int = 1,
) -> LocusFit:
    """Fine-map a locus; bad input and numerical trouble end in a status, never in an error, which would end the batch.

    Parameters
    ----------
    variant_ids : sequence of str, length p
    z : array, shape (p,)
        z-scores of the effect alleles.
    R : array, shape (p, p), Correlations, or None
        Correlations of the same alleles; None when there is no LD.
    n : float, or array, shape (p,)
        Sample size, above 1; of each variant, the median is used.
    prior_weights : array, shape (p,), or None
        Prior probabilities up to a factor; None is uniform.
    settings : FinemapSettings
    panel_size : float, optional
        Samples in the panel that R is of; `settings.panel_size` by default.
    drift : float, optional
        F_ST between the populations of panel and GWAS, 0 or more; None when it is not known.
    diagnostics : LdDiagnostics, optional
        Of the same z, R, n and panel size, where they are known already.
    seed : int
        Of the search (`posterior: search`). The result of a locus depends on no other locus.

    Returns
    -------
    LocusFit
    """
    ids = tuple(variant_ids)
    try:
        return _fit(ids, z, R, n, prior_weights, settings, panel_size, drift, diagnostics, seed)
    except (InputError, ArithmeticError) as error:
        reason = str(error)
    except Exception as error:
        # Whatever it is, it is no reason to lose the other loci; the trace is for whoever looks for the cause.
        log.exception("a locus of %d variants failed", len(ids))
        reason = f"{type(error).__name__}: {error}"
    return LocusFit(ids, "failed", reason, None)


def _fit(
    ids: tuple[str, ...],
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations | None,
    n: float | npt.ArrayLike | None,
    prior_weights: npt.ArrayLike | None,
    settings: FinemapSettings,
    panel_size: float | None,
    drift: float | None,
    diagnostics: LdDiagnostics | None,
    seed: int,
) -> LocusFit:
    sizes, scores = sample_sizes(n), check_z(z)
    if len(ids) != len(scores):
        raise InputError(f"variant_ids: {len(ids)} names for {len(scores)} z-scores")
    if sizes.ndim and sizes.shape != scores.shape:
        raise InputError(f"n: shape {sizes.shape} for {len(scores)} z-scores, one number or one per variant is needed")
    weights = None if prior_weights is None else numbers("prior_weights", prior_weights)
    in_panel, size = samples_in_panel(panel_size, settings), float(np.median(sizes))
    drift = drift if settings.ld == "panel" else None
    fit = partial(
        fit_with_fallback, scores, R, size, panel_size=in_panel, drift=drift, diagnostics=diagnostics, seed=seed
    )
    ladder = fit(prior_weights=weights, settings=settings)
    status, reason = _status(ids, ladder)
    remarks = (*_far(drift, settings.max_fst), *_remarks(ids, ladder, sizes, R))
    excluded = np.setdiff1d(np.flatnonzero(ladder.fit.pi[: len(ids)] == 0), ladder.left_out)
    if weights is not None and len(excluded):
        # A fit again, for this alone: zeros are rare, and nothing else tells what they took away.
        fit = partial(fit, diagnostics=ladder.diagnostics)
        uniform = fit(prior_weights=None, settings=replace(settings, fallback=True))
        remarks = (_excluded(ids, excluded, scores, uniform.fit), *remarks)
    return LocusFit(ids, status, reason, ladder.fit, ladder, remarks)


def _status(ids: tuple[str, ...], ladder: LadderFit) -> tuple[str, str]:
    reasons = list(ladder.reasons)
    if ladder.lost:
        reasons.append(_lost(ids, ladder))
    if not ladder.fit.final_sets:
        return "no_signal", "; ".join([ladder.fit.final_sets.reason, *reasons])
    if ladder.rung == "single_effect":
        return "single_effect", "; ".join(reasons)
    return ("corrected" if reasons else "ok"), "; ".join(reasons)


def _lost(ids: tuple[str, ...], ladder: LadderFit) -> str:
    leads = [f"{ids[one.lead]} (z = {one.z:.2f})" for one in ladder.lost]
    more = f" and {len(leads) - NAMED} more" if len(leads) > NAMED else ""
    people = f" ({ladder.panel_size:g} people)" if math.isfinite(ladder.panel_size) else ""
    drift = f" and drift {ladder.drift:.2g}" if ladder.drift > 0 else ""
    return (
        f"{len(leads)} credible set{'s' if len(leads) > 1 else ''} of SuSiE without corrections not kept, given the "
        f"error of the panel{people}{drift}: led by {', '.join(leads[:NAMED])}{more}"
    )


def _far(drift: float | None, max_fst: float) -> tuple[str, ...]:
    """The remark on LD of another population that is used all the same."""
    if drift is None or not FAR_FST < drift <= max_fst:
        return ()
    return (f"the panel differs from the GWAS by F_ST {drift:.1%}: its LD may be wrong",)


def _remarks(
    ids: tuple[str, ...], ladder: LadderFit, n: Floats, R: npt.ArrayLike | Correlations | None
) -> tuple[str, ...]:
    """What the search and the diagnostics say that a reader of the table should know."""
    remarks = _of_search(ids, ladder)
    found = ladder.diagnostics
    if found is not None:
        if not found.positive_semidefinite:
            remarks.append(f"R is not positive semidefinite: smallest eigenvalue {found.smallest_eigenvalue:.2g}")
        if found.discordant_pairs:
            pairs = "1 pair" if found.discordant_pairs == 1 else f"{found.discordant_pairs} pairs"
            remarks.append(f"{pairs} of |r| > 0.95 with z that do not fit to one another")
    if n.min() < MIN_N_SHARE * n.max():
        remarks.append(f"n differs between variants: from {n.min():g} to {n.max():g}")
    leads = [int(one.variables[0]) for one in ladder.fit.final_sets.sets]
    weak = [ids[lead] for lead in leads if abs(ladder.fit.z[lead]) < MIN_LEAD_Z]
    if weak:
        remarks.append(f"credible sets led by a variant of |z| < {MIN_LEAD_Z:g}: {', '.join(weak)}")
    if R is not None and found is not None and len(leads) > 1:
        between = unit_correlations(R, len(ids)).absolute(np.array(leads), np.array(leads))
        largest = float(between[np.triu_indices(len(leads), 1)].max())
        if largest > MAX_SET_CORRELATION:
            remarks.append(f"credible sets correlate: |r| = {largest:.2f} between two leads")
    return tuple(remarks)


def _of_search(ids: tuple[str, ...], ladder: LadderFit) -> list[str]:
    """Where the search failed, its halves do not agree, it is at its limit, or says something else than SuSiE."""
    if ladder.search_trouble:
        return [f"the search failed, PIPs and sets are SuSiE's: {ladder.search_trouble}"]
    fit, found = ladder.fit, ladder.fit.search
    if found is None:
        return []
    remarks = []
    if not found.agreed:
        remarks.append(f"the halves of the search do not agree: a PIP differs by {found.gap:.2g} between them")
    most = len(found.numbers) - 1
    if 1 < most < len(ids) and found.numbers[-1] > AT_THE_LIMIT:
        remarks.append(
            f"a probability of {found.numbers[-1]:.2g} is on {most} causal variant{'' if most == 1 else 's'}, the "
            "largest number allowed (max_effects)"
        )
    apart = np.abs(found.pip - fit.pip)
    most_apart = int(apart.argmax())
    if apart[most_apart] > PIP_APART:
        count = int((apart > PIP_APART).sum())
        remarks.append(
            f"{count} PIP{' differs' if count == 1 else 's differ'} from SuSiE's by more than {PIP_APART:g}, most that "
            f"of {ids[most_apart]}: {found.pip[most_apart]:.2f}, SuSiE {fit.pip[most_apart]:.2f}"
        )
    return remarks


def _excluded(ids: tuple[str, ...], excluded: npt.NDArray[np.intp], z: Floats, uniform: SusieFit) -> str:
    """What a prior of 0 took away: the strongest variant, and those in a credible set under a uniform prior."""
    several = len(excluded) > 1
    text = f"{len(excluded)} variant{'s have' if several else ' has'} a prior of 0 and therefore a PIP of 0"
    lead = int(np.abs(z).argmax())
    in_sets = {int(variable) for found in uniform.final_sets.sets for variable in found.variables}
    missed = [row for row in excluded.tolist() if row in in_sets and row != lead]
    told = [f"the strongest variant, {ids[lead]} (z = {z[lead]:.2f})"] if lead in excluded else []
    if missed:
        more = f" and {len(missed) - NAMED} more" if len(missed) > NAMED else ""
        told.append(f"of credible sets under a uniform prior {', '.join(ids[row] for row in missed[:NAMED])}{more}")
    return f"{text}, among them {', and '.join(told)}" if told else text
