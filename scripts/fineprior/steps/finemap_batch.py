"""Rules finemap and gather: SuSiE on a batch of loci under one prior, and the tables of all batches as one."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.files.table import Table
from fineprior.finemap.contents import contents_of, switched, with_contents
from fineprior.finemap.fits import FitFiles, save_fits, write_rds
from fineprior.finemap.locus import LocusFit, fit_loci, fit_locus
from fineprior.finemap.locus_tables import set_rows, status_row, variant_rows
from fineprior.genotypes.ld_store import LocusLd, read_ld, read_panel_size
from fineprior.project.settings import FinemapSettings

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
    workers: int = 1,
    lost: str | Path | None = None,
) -> None:
    """Fine-map each locus of a batch; one that fails is a row of the status table.

    Parameters
    ----------
    variants, ld, prior
        LOCUS_VARIANTS, LD (as `genotypes.ld.write_ld` writes it) and PRIOR of the batch; joined by variant_id.
        Variants that the LD file says it left out are not fitted; a locus without any LD is fitted as one effect.
    output, credible_sets, status, fits
        FINEMAP_VARIANTS, CREDIBLE_SETS, LOCI_STATUS and the fits (npz) to write.
    settings
        Settings of SuSiE.
    workers
        Processes; LD is read by each for its own loci. The result does not depend on it.
    lost
        LOST of the batch; by default the table beside `variants` where there is one (`lost_beside`).

    Raises
    ------
    InputError
        A variant has no LD or no prior.
    """
    loci = dict(iter(tables.LOCUS_VARIANTS.read(variants).groupby("locus", sort=False)))
    weights = dict(iter(tables.PRIOR.read(prior).groupby("locus", sort=False)))
    panel_size = read_panel_size(ld)
    gone = _lost_by_locus(lost, variants)

    def fine_mapped(locus: str) -> tuple[LocusFit, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        found = read_ld(ld, locus)
        whole = loci[locus].assign(prior=_prior_of(weights, locus, loci[locus], prior))
        left_out = whole["variant_id"].isin(list(found.left_out)) & (len(found.r) > 0)
        table = whole[~left_out]
        correlations = _correlations(ld, found, table) if len(found.r) else None
        fit = fit_locus(
            table["variant_id"].tolist(),
            table["z"].to_numpy(),
            correlations,
            table["n"].to_numpy(),
            table["prior"].to_numpy(),
            settings,
            panel_size=panel_size,
        )
        reasons = {name: found.left_out[name] for name in whole["variant_id"][left_out]} | switched(fit)
        contents = contents_of(locus, whole, reasons, gone.get(locus), fitted=fit.fit is not None)
        fit = with_contents(fit, contents, settings)
        r_lead = np.nan if correlations is None else correlations[int(table["z"].abs().to_numpy().argmax())]
        rows = (variant_rows(table, fit, r_lead), set_rows(table, fit, correlations, settings))
        status = _noted(status_row(whole, fit, contents), left_out, found)
        return fit, _with_left_out(rows[0], whole, found), rows[1], status

    found = list(fit_loci(fine_mapped, list(loci), workers))
    kept = {locus: result[0] for locus, result in zip(loci, found, strict=True)}
    counts = pd.Series([fit.status for fit in kept.values()], dtype="str").value_counts()
    log.info("%d loci: %s", len(kept), ", ".join(f"{count} {name}" for name, count in counts.items()) or "none")
    tables.FINEMAP_VARIANTS.write(_stacked([result[1] for result in found], tables.FINEMAP_VARIANTS), output)
    tables.CREDIBLE_SETS.write(_stacked([result[2] for result in found], tables.CREDIBLE_SETS), credible_sets)
    tables.LOCI_STATUS.write(_stacked([result[3] for result in found], tables.LOCI_STATUS), status)
    done = {locus: fit.fit for locus, fit in kept.items() if fit.fit is not None}
    save_fits(fits, done, {locus: kept[locus].variant_ids for locus in done})


def gather(
    *,
    loci: str | Path,
    variants: list[str],
    credible_sets: list[str],
    status: list[str],
    fits: list[str],
    output_variants: str | Path,
    output_credible_sets: str | Path,
    output_status: str | Path,
    output_fits: str | Path,
    lost: Sequence[str] = (),
) -> None:
    """Put the tables and fits (as rds) of all batches together, in the order of loci.tsv.

    A locus without variants gets its status, with what LOST of the batches (`lost`) knows of its rows.

    Raises
    ------
    InputError
        A locus of loci.tsv with variants is in none of the batches.
    """
    table = tables.LOCI.read(loci)
    order = {locus: position for position, locus in enumerate(table["locus"])}
    gone = _stacked([tables.LOST.read(path) for path in lost], tables.LOST)
    done = _in_order(tables.LOCI_STATUS, status, order, _without_variants(table, gone))
    missing = set(table.loc[table["variants"] > 0, "locus"]) - set(done["locus"])
    if missing:
        raise InputError(f"{status[0]} and the other batches: locus {min(missing)} of {loci} was not fine-mapped")
    tables.LOCI_STATUS.write(done, output_status)
    tables.FINEMAP_VARIANTS.write(_in_order(tables.FINEMAP_VARIANTS, variants, order), output_variants)
    tables.CREDIBLE_SETS.write(_in_order(tables.CREDIBLE_SETS, credible_sets, order), output_credible_sets)
    write_rds(output_fits, FitFiles(fits, order=table["locus"].tolist()))


def _without_variants(loci: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """Return rows of LOCI_STATUS for loci (of a BED file) that no harmonised variant lies in."""
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


def _in_order(
    table: Table, paths: list[str], order: dict[str, int], further: pd.DataFrame | None = None
) -> pd.DataFrame:
    frame = _stacked([table.read(path) for path in paths] + ([] if further is None else [further]), table)
    return frame.sort_values("locus", key=lambda locus: locus.map(order), kind="stable")


def _stacked(frames: list[pd.DataFrame], table: Table) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else table.empty()


def _with_left_out(rows: pd.DataFrame, whole: pd.DataFrame, ld: LocusLd) -> pd.DataFrame:
    """Rows of FINEMAP_VARIANTS with those of variants that were not fitted for want of LD, in the locus's order."""
    if len(rows) == len(whole):
        return rows
    rows = rows.reindex(whole.index)
    known = ["locus", "variant_id", "chrom", "pos", "ref", "alt", "z", "neg_log10_p", "prior"]
    reasons = whole["variant_id"].map(ld.left_out)
    return rows.assign(**whole[known], ld_flag=rows["ld_flag"].where(reasons.isna(), reasons))


def _noted(status: pd.DataFrame, left_out: pd.Series, ld: LocusLd) -> pd.DataFrame:
    """The row of LOCI_STATUS with what is to be known of the LD."""
    if not ld.note:
        return status
    remarks = "; ".join(text for text in (ld.note, status["remarks"].iloc[0]) if text)
    return status.assign(left_out=status["left_out"] + int(left_out.sum()), remarks=remarks)


def _lost_by_locus(lost: str | Path | None, variants: str | Path) -> dict[str, pd.DataFrame]:
    """Rows of LOST by locus; none where there is no such table."""
    if lost is None and not tables.lost_beside(variants).is_file():
        return {}
    rows = tables.LOST.read(lost or tables.lost_beside(variants))
    return {str(locus): own for locus, own in rows.groupby("locus", sort=False)}


def _correlations(path: str | Path, ld: LocusLd, table: pd.DataFrame) -> np.ndarray:
    R, names = ld.r, ld.variant_ids
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
