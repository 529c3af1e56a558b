"""Variants of a batch of loci with the values that priors are made of: scores, annotations, weights of a source."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import ANNOTATIONS, LOCUS_VARIANTS, SCORES
from fineprior.genome.contigs import natural_order
from fineprior.priors.supervised import base_rates, shifted_probabilities
from fineprior.project.settings import PriorSettings

log = logging.getLogger(__name__)

_KEY = ["locus", "variant_id"]
_SOURCE_COLUMNS = {"given": ["given"], "supervised": ["probability", "training_rate"], "heritability": ["heritability"]}


@dataclass(frozen=True)
class BatchFiles:
    """Files of one batch of loci: LOCUS_VARIANTS, SCORES and ANNOTATIONS; None where the config needs none."""

    variants: str
    scores: str | None = None
    annotations: str | None = None


def read_batch(batch: BatchFiles, settings: PriorSettings, annotations: Mapping[str, str]) -> pd.DataFrame:
    """Variants of a batch with a column for each value that a prior may be made of.

    These are the head's scores, the annotations of the sheet (name to kind), and `prior`, the weight that the source
    of the functional prior itself gives.

    Raises
    ------
    InputError
        A file is needed that is not there, or a value is impossible.
    """
    variants = read_variants(batch.variants)
    if settings.source == "enrichment":
        if batch.scores is None:
            raise InputError("the source enrichment needs scores")
        table = SCORES.read(batch.scores)
        columns = head_columns(table, settings)
        variants = _beside(variants, join_columns(variants, table, columns, batch.scores))
        _check_at_least_zero(variants, columns, batch.scores)
    wanted = [*annotations, *_SOURCE_COLUMNS.get(settings.source, [])]
    if not wanted:
        return variants
    if batch.annotations is None:
        raise InputError(f"annotations of the variants are needed: {', '.join(wanted)}")
    table = ANNOTATIONS.read(batch.annotations)
    variants = _beside(variants, join_columns(variants, table, wanted, batch.annotations))
    return _with_source(variants, settings, batch.annotations)


def read_variants(path: str) -> pd.DataFrame:
    """Variants of a batch (LOCUS_VARIANTS).

    Raises
    ------
    InputError
        A z is not finite.
    """
    variants = LOCUS_VARIANTS.read(path)
    wrong = variants[~np.isfinite(variants["z"])]
    if len(wrong):
        raise InputError(f"{path}: z of variant {wrong['variant_id'].iloc[0]} is {wrong['z'].iloc[0]}; a variant of a "
                         f"locus has a finite z ({len(wrong)} have not)")  # fmt: skip
    return variants


def head_columns(table: pd.DataFrame, settings: PriorSettings) -> list[str]:
    """The head's scores that a prior is made of; the one score, which is missing, where no track is good enough."""
    tracks = [str(name) for name in table if str(name).endswith(".l2")] if settings.scores == "tracks" else []
    return tracks or ["score"]


def genome_order(variants: pd.DataFrame) -> pd.DataFrame:
    """Loci in genome order, so that sums do not depend on how loci were batched."""
    first = variants.drop_duplicates("locus")
    loci = sorted(
        zip(first["chrom"], first["pos"], first["locus"], strict=True),
        key=lambda locus: (natural_order(locus[0]), *locus[1:]),
    )
    rank = variants["locus"].map({name: number for number, (_, _, name) in enumerate(loci)})
    return variants.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)


def join_columns(variants: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str], where: str) -> pd.DataFrame:
    """The columns (n rows) of the variants, by locus and variant_id; NaN where a variant has no value.

    Raises
    ------
    InputError
        A column is absent; a variant has no row, has two in either table, or has an infinite value.
    """
    absent_columns = [name for name in columns if name not in table]
    if absent_columns:
        there = ", ".join(name for name in table if name not in _KEY)
        raise InputError(f"{where}: no column '{absent_columns[0]}'; there are {there}")
    for frame in (variants, table):
        repeated = frame[frame.duplicated(_KEY)]
        if len(repeated):
            raise InputError(f"{where}: variant {repeated['variant_id'].iloc[0]} of locus "
                             f"{repeated['locus'].iloc[0]} is there twice; a variant has one row")  # fmt: skip
    joined = variants[_KEY].merge(table[[*_KEY, *columns]], on=_KEY, how="left", indicator=True)
    absent = joined[joined["_merge"] == "left_only"]
    if len(absent):
        row = absent.iloc[0]
        raise InputError(f"{where}: variant {row['variant_id']} of locus {row['locus']} has no row "
                         f"({len(absent)} of {len(joined)} variants); write NA where there is no value")  # fmt: skip
    values = joined[list(columns)].to_numpy(dtype=float)
    wrong = np.isinf(values)
    if wrong.any():
        row_number, column = (int(index[0]) for index in np.nonzero(wrong))
        raise InputError(f"{where}: {columns[column]} {values[row_number, column]:g} of variant "
                         f"{joined['variant_id'].iloc[row_number]}; a value is a finite number, or NA")  # fmt: skip
    if unused := len(table) - len(joined):
        log.warning("%s: %d rows are of variants that are in no locus; they are not used", where, unused)
    return pd.DataFrame(dict(zip(columns, values.T, strict=True)))


def _with_source(variants: pd.DataFrame, settings: PriorSettings, where: str) -> pd.DataFrame:
    """The column `prior`: the weight of each variant that the source itself gives."""
    if settings.source == "supervised":
        rate = variants["training_rate"].to_numpy(dtype=float)
        values = variants["probability"].to_numpy(dtype=float)
        sizes = variants.groupby("locus")["variant_id"].transform("size").to_numpy(dtype=float)
        rate = np.where(np.isnan(values), 0.5, rate)
        return variants.assign(prior=shifted_probabilities(values, rate, base_rates(sizes, settings.causal_per_locus)))
    if settings.source == "heritability" or (settings.source == "given" and settings.given_as == "prior"):
        column = "heritability" if settings.source == "heritability" else "given"
        _check_at_least_zero(variants, [column], where)
        return variants.assign(prior=variants[column])
    return variants


def _check_at_least_zero(variants: pd.DataFrame, columns: Sequence[str], where: str) -> None:
    for name in columns:
        wrong = variants[variants[name] < 0]
        if len(wrong):
            raise InputError(f"{where}: {name} {wrong[name].iloc[0]:g} of variant {wrong['variant_id'].iloc[0]}; "
                             "it is a magnitude, 0 or more, or NA")  # fmt: skip


def _beside(variants: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([variants.reset_index(drop=True), columns], axis=1)
