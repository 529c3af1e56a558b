"""Rules finemap and gather: SuSiE on a batch of loci under one prior, and the tables of all batches as one."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fineprior.finemap.batch import fit_loci
from fineprior.finemap.fits import FitFiles, save_fits
from fineprior.finemap.locus import LocusFit, fit_locus
from fineprior.finemap.locus_tables import set_rows, status_row, variant_rows
from fineprior.finemap.rds import write_rds
from fineprior.foundation import tables
from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import FinemapSettings
from fineprior.foundation.table import Table
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
    workers: int = 1,
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
    workers
        Processes; LD is read by each for its own loci. The result does not depend on it.

    Raises
    ------
    InputError
        A variant has no LD or no prior.
    """
    loci = dict(iter(tables.LOCUS_VARIANTS.read(variants).groupby("locus", sort=False)))
    weights = dict(iter(tables.PRIOR.read(prior).groupby("locus", sort=False)))
    panel_size = read_panel_size(ld)

    def fine_mapped(locus: str) -> tuple[LocusFit, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        correlations = _correlations(ld, locus, loci[locus])
        table = loci[locus].assign(prior=_prior_of(weights, locus, loci[locus], prior))
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
        rows = (variant_rows(table, fit, correlations[lead]), set_rows(table, fit, correlations, settings))
        return fit, *rows, status_row(table, fit)

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
) -> None:
    """Put the tables and fits (as rds) of all batches together, in the order of loci.tsv.

    A locus without variants gets its status.

    Raises
    ------
    InputError
        A locus of loci.tsv with variants is in none of the batches.
    """
    table = tables.LOCI.read(loci)
    order = {locus: position for position, locus in enumerate(table["locus"])}
    done = _in_order(tables.LOCI_STATUS, status, order, _without_variants(table))
    missing = set(table.loc[table["variants"] > 0, "locus"]) - set(done["locus"])
    if missing:
        raise InputError(f"{status[0]} and the other batches: locus {min(missing)} of {loci} was not fine-mapped")
    tables.LOCI_STATUS.write(done, output_status)
    tables.FINEMAP_VARIANTS.write(_in_order(tables.FINEMAP_VARIANTS, variants, order), output_variants)
    tables.CREDIBLE_SETS.write(_in_order(tables.CREDIBLE_SETS, credible_sets, order), output_credible_sets)
    write_rds(output_fits, FitFiles(fits, order=table["locus"].tolist()))


def _without_variants(loci: pd.DataFrame) -> pd.DataFrame:
    """Return rows of LOCI_STATUS for loci (of a BED file) that no harmonised variant lies in."""
    blank = {c.name: {"integer": 0, "number": np.nan, "text": None}[c.kind] for c in tables.LOCI_STATUS.columns}
    names = loci.loc[loci["variants"] == 0, "locus"]
    return pd.DataFrame({**blank, "locus": names, "status": "failed", "reason": "no harmonised variant in it"})


def _in_order(
    table: Table, paths: list[str], order: dict[str, int], further: pd.DataFrame | None = None
) -> pd.DataFrame:
    frame = _stacked([table.read(path) for path in paths] + ([] if further is None else [further]), table)
    return frame.sort_values("locus", key=lambda locus: locus.map(order), kind="stable")


def _stacked(frames: list[pd.DataFrame], table: Table) -> pd.DataFrame:
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
