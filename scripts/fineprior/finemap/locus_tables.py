"""A fine-mapped locus: its rows of FINEMAP_VARIANTS, CREDIBLE_SETS and LOCI_STATUS."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files import tables
from fineprior.files.arrays import Indices
from fineprior.files.errors import InputError
from fineprior.finemap.contents import Contents, contents_of, switched, with_contents
from fineprior.finemap.correlation import Correlations, correlations, unit_correlations
from fineprior.finemap.credible_sets import CredibleSet, CredibleSets, credible_sets
from fineprior.finemap.locus import LocusFit, fit_locus
from fineprior.finemap.locus_input import LocusInput
from fineprior.finemap.susie import SusieFit
from fineprior.project.settings import FinemapSettings
from fineprior.sumstats.panel_fst import usable_fst

Matrix = npt.NDArray[Any]


@dataclass(frozen=True)
class FineMapped:
    """A fine-mapped locus: its fit, and its rows of FINEMAP_VARIANTS, CREDIBLE_SETS and LOCI_STATUS."""

    fit: LocusFit
    variants: pd.DataFrame
    credible_sets: pd.DataFrame
    status: pd.DataFrame


def fine_map(locus: LocusInput, settings: FinemapSettings, seed: int = 1) -> FineMapped:
    """Fine-map a locus; whatever goes wrong is a status, and no error.

    Parameters
    ----------
    locus
        Its variants, LD and prior.
    settings
        Settings of the fit, of credible sets, and of what makes a locus incomplete.
    seed
        Of the search.
    """
    whole, fitted = locus.variants, locus.fitted
    table, R = whole[fitted], _checked(locus.R)
    fit = fit_locus(
        table["variant_id"].tolist(),
        table["z"].to_numpy(),
        R,
        table["n"].to_numpy(),
        None if locus.prior_weights is None else locus.prior_weights[fitted.to_numpy()],
        settings,
        panel_size=locus.panel_size,
        drift=usable_fst(locus.fst),
        diagnostics=locus.diagnostics,
        seed=seed,
    )
    fst = locus.fst if settings.ld == "panel" else None
    fit = replace(fit, remarks=(*_uncertain(fst), *fit.remarks))
    contents = contents_of(
        locus.name, whole, {**locus.without_ld, **switched(fit)}, locus.lost, fitted=fit.fit is not None
    )
    fit = with_contents(fit, contents, settings)
    R = R if isinstance(R, Correlations) else None
    r_lead = np.nan if R is None else _rows(R, np.array([table["z"].abs().to_numpy().argmax()]))[0]
    return FineMapped(
        fit,
        _with_ld_flags(variant_rows(table, fit, r_lead), locus),
        set_rows(table, fit, R, settings),
        _with_ld_note(status_row(whole, fit, contents, fst), locus),
    )


def _uncertain(fst: tuple[float, float] | None) -> tuple[str, ...]:
    """The remark on F_ST that the fit did not use."""
    if fst is None or usable_fst(fst) is not None:
        return ()
    return (
        f"F_ST between panel and GWAS, {max(fst[0], 0.0):.1%} with a standard error of {fst[1]:.1%}, is too uncertain "
        "to be used",
    )


def _checked(R: Matrix | Correlations | None) -> Matrix | Correlations | None:
    """R checked once for all that follows, or as it is where that fails: the fit then says why."""
    try:
        return None if R is None else unit_correlations(R, len(R))
    except InputError:
        return R


def _rows(R: Correlations, variants: Indices) -> Matrix:
    """Correlations of some variants with all, shape (variants, p)."""
    return R.between(variants, slice(None))


def variant_rows(table: pd.DataFrame, fit: LocusFit, r_lead: Matrix | float) -> pd.DataFrame:
    """Rows of FINEMAP_VARIANTS.

    Parameters
    ----------
    table
        LOCUS_VARIANTS of the locus, with a column `prior`.
    fit
        What became of it.
    r_lead
        Correlation of each variant with that of the largest |z|.
    """
    members = np.full(len(table), None, dtype=object)
    pip, susie, credible, mean, sd = (np.full(len(table), np.nan) for _ in range(5))
    if fit.fit is not None:
        alpha, mu, mu2 = (array[:, : len(table)] for array in (fit.fit.alpha, fit.fit.mu, fit.fit.mu2))
        pip, susie, mean = fit.fit.final_pip.copy(), fit.fit.pip.copy(), (alpha * mu).sum(0)
        sd = np.sqrt(np.maximum((alpha * mu2 - (alpha * mu) ** 2).sum(0), 0))
        effects = [found.effect - 1 for found in fit.fit.sets.sets]
        credible = 1 - np.prod(1 - alpha[effects], axis=0)
        # A variant in several sets is listed with the purest one; credible_sets has them all.
        for credible_set in reversed(fit.fit.final_sets.sets):
            members[credible_set.variables] = credible_set.name
    expected, flags = np.full(len(table), np.nan), np.full(len(table), None, dtype=object)
    if fit.ladder is not None:
        for values in (pip, susie, credible, mean, sd):
            values[fit.ladder.left_out] = np.nan
        if fit.ladder.diagnostics is not None:
            expected = fit.ladder.diagnostics.conditional_mean
            flags[fit.ladder.diagnostics.discordant] = "discordant"
            flags[fit.ladder.diagnostics.switched] = "switched"
    columns = table[["locus", "variant_id", "chrom", "pos", "ref", "alt", "z", "neg_log10_p", "prior"]]
    return columns.assign(
        r_lead=r_lead,
        pip=pip,
        pip_susie=susie,
        pip_credible=credible,
        posterior_mean=mean,
        posterior_sd=sd,
        credible_set=pd.Series(members, table.index),
        z_expected=expected,
        ld_flag=pd.Series(flags, table.index),
    )


def set_rows(
    table: pd.DataFrame, fit: LocusFit, R: Matrix | Correlations | None, settings: FinemapSettings
) -> pd.DataFrame:
    """Rows of CREDIBLE_SETS: the sets of the main coverage, then those of the further one.

    Parameters
    ----------
    table, fit
        As for `variant_rows`.
    R : ndarray, shape (p, p), Correlations, or None
        As given to the fit.
    settings
        `further_coverage`, `extend_r`.
    """
    if fit.fit is None or fit.ladder is None:
        return pd.DataFrame()
    R = None if R is None or fit.ladder.rung == "single_effect" else correlations(R, len(table))
    found = [fit.fit.final_sets]
    if fit.fit.search is not None:
        found.append(fit.fit.search.further)
    elif len(fit.fit.sets) and settings.further_coverage not in (0, settings.coverage):
        found.append(further_sets(fit.fit, R, settings.further_coverage))
    rows = []
    for main, sets in zip((True, False), found, strict=False):
        for one in sets.sets:
            others = [other.name for other in sets.sets if other is not one and _share(one, other)]
            rows.append(
                _set_row(table, fit.fit, one)
                | {
                    "requested_coverage": sets.requested_coverage,
                    "main": main,
                    "shared_with": ",".join(others) or None,
                    "partners": ",".join(_partners(table, one, R, settings.extend_r)) or None,
                }
            )
    return pd.DataFrame(rows)


def further_sets(fit: SusieFit, R: Matrix | Correlations | None, coverage: float) -> CredibleSets:
    """Credible sets of another coverage, of the effects of a fit that have one of the main coverage."""
    correlation = None if R is None else correlations(R, len(fit.pip))
    found = credible_sets(
        fit.alpha,
        fit.V,
        fit.lbf,
        correlation,
        coverage=coverage,
        min_abs_corr=fit.sets.min_abs_corr,
        null_index=fit.null_index,
    )
    effects = {one.effect for one in fit.sets.sets}
    return replace(found, sets=tuple(one for one in found.sets if one.effect in effects))


def _share(one: CredibleSet, other: CredibleSet) -> bool:
    return bool(np.intersect1d(one.variables, other.variables).size)


def _partners(table: pd.DataFrame, one: CredibleSet, R: Correlations | None, extend_r: float) -> list[str]:
    """Variants outside of the set with |r| above the bound with one of the set, the largest first."""
    if R is None or extend_r == 0:
        return []
    largest = np.abs(_rows(R, one.variables)).max(axis=0)
    largest[one.variables] = 0
    order = np.argsort(-largest, kind="stable")
    return [table["variant_id"].iloc[j] for j in order[: int((largest > extend_r).sum())]]


def _set_row(table: pd.DataFrame, fit: SusieFit, one: CredibleSet) -> dict[str, Any]:
    members = table.iloc[one.variables]
    return {
        "locus": members["locus"].iloc[0],
        "credible_set": one.name,
        "variants": len(members),
        "coverage": one.coverage,
        "min_abs_r": one.purity.min_abs_corr,
        "mean_abs_r": one.purity.mean_abs_corr,
        "median_abs_r": one.purity.median_abs_corr,
        "log10_bf": one.log10_bayes_factor,
        "lead_variant": members["variant_id"].iloc[0],
        "lead_pip": float(fit.final_pip[one.variables[0]]),
        "chrom": members["chrom"].iloc[0],
        "start": max(int(members["pos"].min()) - 1, 0),
        "end": max(int((members["pos"] - 1 + members["ref"].str.len().fillna(0)).max()), 0),
        "variant_ids": ",".join(members["variant_id"]),
    }


def status_row(
    table: pd.DataFrame, fit: LocusFit, contents: Contents, fst: tuple[float, float] | None = None
) -> pd.DataFrame:
    """The row of LOCI_STATUS; parameters as for `variant_rows`, what the locus holds, and F_ST with its error."""
    lead = int(table["z"].abs().to_numpy().argmax())
    done, ladder = fit.fit, fit.ladder
    search = done.search if done else None
    found = ladder.diagnostics if ladder else None
    return pd.DataFrame(
        [
            {
                "locus": table["locus"].iloc[0],
                "status": fit.status,
                "reason": fit.reason or None,
                "remarks": "; ".join(fit.remarks) or None,
                "variants": len(table),
                "left_out": len(ladder.left_out) if ladder else 0,
                "credible_sets": len(done.final_sets) if done else 0,
                "lost_sets": len(ladder.lost) if ladder else 0,
                "panel_size": ladder.panel_size if ladder and np.isfinite(ladder.panel_size) else np.nan,
                "fst": fst[0] if fst else np.nan,
                "fst_error": fst[1] if fst else np.nan,
                "s": found.s if found else np.nan,
                "s_scaled": found.s_scaled if found else np.nan,
                "drift": ladder.drift if ladder else np.nan,
                "discordant_pairs": found.discordant_pairs if found else 0,
                "duplicates": found.duplicates if found else 0,
                "iterations": done.niter if done else 0,
                "elbo": float(done.elbo[-1]) if done else np.nan,
                "lead_variant": table["variant_id"].iloc[lead],
                "lead_z": table["z"].iloc[lead],
                "max_pip": float(done.final_pip.max()) if done else np.nan,
                "posterior": None if done is None else "susie" if search is None else "search",
                "expected_causal": search.expected_causal if search else np.nan,
                "search_gap": search.gap if search else np.nan,
                **contents.columns(),
            }
        ]
    )


def status_without_variants(loci: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """Rows of LOCI_STATUS for those of LOCI (of a BED file) that no harmonised variant lies in; `lost` rows of LOST."""
    blank = {c.name: {"integer": 0, "number": np.nan, "text": None}[c.kind] for c in tables.LOCI_STATUS.columns}
    rows = []
    for locus in loci.loc[loci["variants"] == 0, "locus"]:
        gone = lost[lost["locus"] == locus]
        contents = contents_of(locus, tables.LOCUS_VARIANTS.empty(), {}, gone)
        reason = "no harmonised variant in it"
        if len(gone):
            reason += f": of {len(gone):,} rows of the GWAS all were dropped ({contents.reasons})"
        rows.append(blank | contents.columns() | {"locus": locus, "status": "failed", "reason": reason})
    return pd.DataFrame(rows)


def _with_ld_flags(rows: pd.DataFrame, locus: LocusInput) -> pd.DataFrame:
    """Rows of FINEMAP_VARIANTS of all variants of the locus; of those without LD `ld_flag` has the reason."""
    whole = locus.variants
    if len(rows) == len(whole):
        return rows
    rows = rows.reindex(whole.index)
    known = ["locus", "variant_id", "chrom", "pos", "ref", "alt", "z", "neg_log10_p", "prior"]
    reasons = whole["variant_id"].map(locus.without_ld)
    return rows.assign(**whole[known], ld_flag=rows["ld_flag"].where(reasons.isna(), reasons))


def _with_ld_note(status: pd.DataFrame, locus: LocusInput) -> pd.DataFrame:
    """The row of LOCI_STATUS with what the reader should know about the LD."""
    if not locus.ld_note:
        return status
    remarks = "; ".join(text for text in (locus.ld_note, status["remarks"].iloc[0]) if text)
    return status.assign(left_out=status["left_out"] + len(locus.without_ld), remarks=remarks)
