"""Rules finemap and gather: a batch of loci under one prior, and the tables of all batches as one."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.files.table import Table
from fineprior.files.table_parts import stacked
from fineprior.finemap.fits import FitFiles, save_fits
from fineprior.finemap.gene_columns import sets_with_genes, with_genes
from fineprior.finemap.locus_input import BatchInput
from fineprior.finemap.locus_tables import fine_map, status_without_variants
from fineprior.finemap.rds import write_rds
from fineprior.finemap.workers import fit_loci
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
    diagnoses: str | Path | None = None,
    seed: int = 1,
) -> None:
    """Fine-map each locus of a batch; one that fails is a row of the status table.

    Parameters
    ----------
    variants, ld, prior
        LOCUS_VARIANTS, LD (as `genotypes.ld_store.write_ld` writes it) and PRIOR of the batch; joined by variant_id.
        Variants that the LD file excludes are not fitted; a locus without any LD is fitted as one effect.
    output, credible_sets, status, fits
        FINEMAP_VARIANTS, CREDIBLE_SETS, LOCI_STATUS and the fits (npz) to write.
    settings
        Settings of SuSiE and of the search.
    workers
        Processes; each reads the LD of its own loci. The result does not depend on it.
    lost
        LOST of the batch; by default the table beside `variants`, where there is one (`lost_beside`).
    diagnoses
        Diagnoses (npz) of the batch, of `diagnose_ld`; without them each fit makes its own.
    seed
        Of the search, the same for each locus: its result does not depend on the others.

    Raises
    ------
    InputError
        A variant has no LD or no prior.
    """
    batch = BatchInput(variants, ld, prior, lost, diagnoses)
    found = list(fit_loci(lambda name: fine_map(batch.locus(name), settings, seed), batch.loci, workers))
    counts = Counter(one.fit.status for one in found).most_common()
    log.info("%d loci: %s", len(found), ", ".join(f"{count} {name}" for name, count in counts) or "none")
    for table, rows, path in (
        (tables.FINEMAP_VARIANTS, [one.variants for one in found], output),
        (tables.CREDIBLE_SETS, [one.credible_sets for one in found], credible_sets),
        (tables.LOCI_STATUS, [one.status for one in found], status),
    ):
        table.write(stacked(table, rows), path)
    fitted = {name: one.fit for name, one in zip(batch.loci, found, strict=True) if one.fit.fit is not None}
    save_fits(
        fits,
        {name: one.fit for name, one in fitted.items() if one.fit is not None},
        {name: one.variant_ids for name, one in fitted.items()},
    )


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
    variant_genes: str | None = None,
    locus_genes: str | None = None,
) -> None:
    """Put the tables and fits (as rds) of all batches together, in the order of loci.tsv.

    A locus without variants gets its status, with what LOST of the batches (`lost`) knows of its rows. Variants and
    sets get their genes where there are VARIANT_GENES and LOCUS_GENES (both, or none).

    Raises
    ------
    InputError
        A locus of loci.tsv with variants is in none of the batches.
    """
    table = tables.LOCI.read(loci)
    order = {locus: position for position, locus in enumerate(table["locus"])}
    gone = stacked(tables.LOST, [tables.LOST.read(path) for path in lost])
    done = _in_order(tables.LOCI_STATUS, status, order, status_without_variants(table, gone))
    missing = set(table.loc[table["variants"] > 0, "locus"]) - set(done["locus"])
    if missing:
        raise InputError(f"{status[0]} and the other batches: locus {min(missing)} of {loci} was not fine-mapped")
    tables.LOCI_STATUS.write(done, output_status)
    found = _in_order(tables.FINEMAP_VARIANTS, variants, order)
    sets = _in_order(tables.CREDIBLE_SETS, credible_sets, order)
    if variant_genes and locus_genes:
        genes = tables.VARIANT_GENES.read(variant_genes)
        found, sets = with_genes(found, genes), sets_with_genes(sets, genes, tables.LOCUS_GENES.read(locus_genes))
    tables.FINEMAP_VARIANTS.write(found, output_variants)
    tables.CREDIBLE_SETS.write(sets, output_credible_sets)
    write_rds(output_fits, FitFiles(fits, order=table["locus"].tolist()))


def _in_order(
    table: Table, paths: list[str], order: dict[str, int], further: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Rows of several files, and further ones, by locus in this order."""
    frame = stacked(table, [table.read(path) for path in paths] + ([] if further is None else [further]))
    return frame.sort_values("locus", key=lambda locus: locus.map(order), kind="stable")
