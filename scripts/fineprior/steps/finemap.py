"""Rules finemap and gather: SuSiE on a batch of loci under one prior, and the tables of all batches as one."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fineprior.finemap.fits import save_fits
from fineprior.finemap.locus import LocusFit, fit_locus
from fineprior.foundation import tables
from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import FinemapSettings
from fineprior.genetics.ld import read_ld, read_panel_size

log = logging.getLogger(__name__)


def finemap(
    *,
    variants: str | Path,
    ld: str | Path,
    prior: str | Path,
    output: str | Path,
    credible_sets: str | Path,
    status: str | Path,
    fits: str | Path,
    settings: FinemapSettings,
) -> None:
    """Fine-map each locus of a batch; one that fails is a row of the status table.

    Parameters
    ----------
    variants, ld, prior
        LOCUS_VARIANTS, LD (`<locus>/R`, `<locus>/variant_id`, `panel_size`) and PRIOR of the batch; joined by
        variant_id.
    output, credible_sets, status, fits
        FINEMAP_VARIANTS, CREDIBLE_SETS, LOCI_STATUS and the fits (npz) to write.
    settings
        Settings of SuSiE.

    Raises
    ------
    InputError
        A variant has no LD or no prior.
    """
    loci = dict(iter(tables.LOCUS_VARIANTS.read(variants).groupby("locus", sort=False)))
    weights = dict(iter(tables.PRIOR.read(prior).groupby("locus", sort=False)))
    kept: dict[str, LocusFit] = {}
    rows: dict[str, list[pd.DataFrame]] = {"variants": [], "sets": [], "status": []}
    panel_size = read_panel_size(ld)
    for locus, table in loci.items():
        correlations = _correlations(ld, str(locus), table)
        table = table.assign(prior=_prior_of(weights, str(locus), table, prior))
        fit = fit_locus(
            table["variant_id"].tolist(),
            table["z"].to_numpy(),
            correlations,
            table["n"].to_numpy(),
            table["prior"].to_numpy(),
            settings,
            panel_size=panel_size,
        )
        lead = int(table["z"].abs().to_numpy().argmax())
        rows["variants"].append(_variant_rows(table, fit, correlations[lead]))
        rows["sets"].append(_set_rows(table, fit))
        rows["status"].append(_status_row(table, fit, lead))
        kept[str(locus)] = fit
    counts = pd.Series([fit.status for fit in kept.values()], dtype="str").value_counts()
    log.info("%d loci: %s", len(kept), ", ".join(f"{count} {name}" for name, count in counts.items()) or "none")
    tables.FINEMAP_VARIANTS.write(_stacked(rows["variants"], tables.FINEMAP_VARIANTS), output)
    tables.CREDIBLE_SETS.write(_stacked(rows["sets"], tables.CREDIBLE_SETS), credible_sets)
    tables.LOCI_STATUS.write(_stacked(rows["status"], tables.LOCI_STATUS), status)
    save_fits(fits, {locus: fit.fit for locus, fit in kept.items() if fit.fit is not None})


def gather(
    *,
    loci: str | Path,
    variants: list[str],
    credible_sets: list[str],
    status: list[str],
    output_variants: str | Path,
    output_credible_sets: str | Path,
    output_status: str | Path,
) -> None:
    """Put the tables of all batches together, in the order of loci.tsv.

    Raises
    ------
    InputError
        A locus of loci.tsv with variants is in none of the batches.
    """
    table = tables.LOCI.read(loci)
    order = {locus: position for position, locus in enumerate(table["locus"])}
    done = _in_order(tables.LOCI_STATUS, status, order)
    missing = set(table.loc[table["variants"] > 0, "locus"]) - set(done["locus"])
    if missing:
        raise InputError(f"{status[0]} and the other batches: locus {min(missing)} of {loci} was not fine-mapped")
    tables.LOCI_STATUS.write(done, output_status)
    tables.FINEMAP_VARIANTS.write(_in_order(tables.FINEMAP_VARIANTS, variants, order), output_variants)
    tables.CREDIBLE_SETS.write(_in_order(tables.CREDIBLE_SETS, credible_sets, order), output_credible_sets)


def _in_order(table: tables.Table, paths: list[str], order: dict[str, int]) -> pd.DataFrame:
    frame = _stacked([table.read(path) for path in paths], table)
    return frame.sort_values("locus", key=lambda locus: locus.map(order), kind="stable")


def _stacked(frames: list[pd.DataFrame], table: tables.Table) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else table.empty()


def _correlations(path: str | Path, locus: str, table: pd.DataFrame) -> np.ndarray:
    R, names = read_ld(path, locus)
    if list(names) == table["variant_id"].tolist():
        return R
    rows = pd.Index(names).get_indexer(table["variant_id"])
    if (rows < 0).any():
        raise InputError(f"{path}: no LD of variant {table['variant_id'].iloc[int((rows < 0).argmax())]}")
    return R[np.ix_(rows, rows)]


def _prior_of(weights: dict[str, pd.DataFrame], locus: str, table: pd.DataFrame, path: str | Path) -> np.ndarray:
    known = weights[locus].set_index("variant_id")["prior"] if locus in weights else pd.Series(dtype=float)
    prior = known.reindex(table["variant_id"]).to_numpy(dtype=float)
    if np.isnan(prior).any():
        raise InputError(f"{path}: no prior of variant {table['variant_id'].iloc[int(np.isnan(prior).argmax())]}")
    return prior


def _variant_rows(table: pd.DataFrame, fit: LocusFit, r_lead: np.ndarray) -> pd.DataFrame:
    members = np.full(len(table), None, dtype=object)
    pip, mean, sd = (np.full(len(table), np.nan) for _ in range(3))
    if fit.fit is not None:
        alpha, mu, mu2 = (array[:, : len(table)] for array in (fit.fit.alpha, fit.fit.mu, fit.fit.mu2))
        pip, mean = fit.fit.pip.copy(), (alpha * mu).sum(0)
        sd = np.sqrt(np.maximum((alpha * mu2 - (alpha * mu) ** 2).sum(0), 0))
        # A variant in several sets is listed with the purest one; credible_sets has them all.
        for credible_set in reversed(fit.fit.sets.sets):
            members[credible_set.variables] = credible_set.name
    expected, flags = np.full(len(table), np.nan), np.full(len(table), None, dtype=object)
    if fit.ladder is not None:
        for values in (pip, mean, sd):
            values[fit.ladder.left_out] = np.nan
        if fit.ladder.diagnostics is not None:
            expected = fit.ladder.diagnostics.conditional_mean
            flags[fit.ladder.diagnostics.discordant] = "discordant"
            flags[fit.ladder.diagnostics.switched] = "switched"
    columns = table[["locus", "variant_id", "chrom", "pos", "ref", "alt", "z", "neg_log10_p", "prior"]]
    return columns.assign(
        r_lead=r_lead,
        pip=pip,
        posterior_mean=mean,
        posterior_sd=sd,
        credible_set=pd.Series(members, table.index),
        z_expected=expected,
        ld_flag=pd.Series(flags, table.index),
    )


def _set_rows(table: pd.DataFrame, fit: LocusFit) -> pd.DataFrame:
    rows = []
    for credible_set in fit.fit.sets.sets if fit.fit is not None else ():
        members = table.iloc[credible_set.variables]
        rows.append(
            {
                "locus": members["locus"].iloc[0],
                "credible_set": credible_set.name,
                "variants": len(members),
                "coverage": credible_set.coverage,
                "min_abs_r": credible_set.purity.min_abs_corr,
                "mean_abs_r": credible_set.purity.mean_abs_corr,
                "median_abs_r": credible_set.purity.median_abs_corr,
                "log10_bf": credible_set.log10_bayes_factor,
                "lead_variant": members["variant_id"].iloc[0],
                "lead_pip": float(fit.fit.pip[credible_set.variables[0]]) if fit.fit is not None else np.nan,
                "chrom": members["chrom"].iloc[0],
                "start": int(members["pos"].min()) - 1,
                "end": int((members["pos"] - 1 + members["ref"].str.len()).max()),
                "variant_ids": ",".join(members["variant_id"]),
            }
        )
    return pd.DataFrame(rows)


def _status_row(table: pd.DataFrame, fit: LocusFit, lead: int) -> pd.DataFrame:
    done, ladder = fit.fit, fit.ladder
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
                "credible_sets": len(done.sets) if done else 0,
                "lost_sets": len(ladder.lost) if ladder else 0,
                "panel_size": ladder.panel_size if ladder and np.isfinite(ladder.panel_size) else np.nan,
                "s": found.s if found else np.nan,
                "s_scaled": found.s_scaled if found else np.nan,
                "drift": ladder.drift if ladder else np.nan,
                "discordant_pairs": found.discordant_pairs if found else 0,
                "duplicates": found.duplicates if found else 0,
                "iterations": done.niter if done else 0,
                "elbo": float(done.elbo[-1]) if done else np.nan,
                "lead_variant": table["variant_id"].iloc[lead],
                "lead_z": table["z"].iloc[lead],
                "max_pip": float(done.pip.max()) if done else np.nan,
            }
        ]
    )
