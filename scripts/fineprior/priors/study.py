"""The data that a prior is estimated from: the variants of all loci with their scores, and the signals in these loci.

Stage 1 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import ANNOTATIONS, LOCUS_VARIANTS, SCORES
from fineprior.finemap.fits import FitFiles
from fineprior.genome.contigs import natural_order
from fineprior.priors.blocks import Block, Integers, locus_starts
from fineprior.priors.signals import Signals, read_signals
from fineprior.priors.supervised import base_rates, shifted_probabilities
from fineprior.project.settings import PriorSettings

log = logging.getLogger(__name__)

_BLOCK_ROWS = 1 << 18
_KEY = ["locus", "variant_id"]
_SOURCE_COLUMNS = {"given": ["given"], "supervised": ["probability", "training_rate"], "heritability": ["heritability"]}


@dataclass(frozen=True)
class BatchFiles:
    """Files of one batch of loci: LOCUS_VARIANTS, SCORES and ANNOTATIONS; None where the config needs none."""

    variants: str
    scores: str | None = None
    annotations: str | None = None


@dataclass(frozen=True)
class PriorStudy:
    """The loci of a study.

    `variants` of all loci in genome order, a row each, with a column for each value that a prior may be made of;
    `signals`, log Bayes factors (signals, p) by locus; `ld`, the file of LD of each locus.
    """

    variants: pd.DataFrame
    signals: Signals
    ld: Mapping[str, str]

    @cached_property
    def starts(self) -> Integers:
        """First row of each locus (loci,)."""
        return locus_starts(self.variants["locus"])

    @cached_property
    def pieces(self) -> dict[str, list[tuple[int, int]]]:
        """For each chromosome first row and end of its blocks: whole loci, a limited number of variants each."""
        found: dict[str, list[tuple[int, int]]] = {}
        ends = np.append(self.starts[1:], len(self.variants))[: len(self.starts)]
        chromosomes = self.variants["chrom"].to_numpy()[self.starts]
        for chrom, group in groupby(zip(chromosomes, self.starts, ends, strict=True), key=lambda locus: locus[0]):
            pieces = found.setdefault(str(chrom), [])
            for _, start, end in group:
                if pieces and end - pieces[-1][0] <= _BLOCK_ROWS:
                    pieces[-1] = (pieces[-1][0], int(end))
                else:
                    pieces.append((int(start), int(end)))
        return found

    @property
    def loci(self) -> list[tuple[str, pd.DataFrame]]:
        """Each locus with its variants."""
        return [(str(name), rows) for name, rows in self.variants.groupby("locus", sort=False)]

    def blocks(self, X: npt.NDArray[Any], signals: Signals) -> dict[str, list[Block]]:
        """Blocks by chromosome of features X (n, d) with these signals."""
        return {
            chrom: [self.block(X, signals, start, end) for start, end in pieces]
            for chrom, pieces in self.pieces.items()
        }

    def block(self, X: npt.NDArray[Any], signals: Signals, start: int, end: int) -> Block:
        """Block of the rows from start to end, which are whole loci."""
        inside = self.starts[(self.starts >= start) & (self.starts < end)]
        names = self.variants["locus"].to_numpy()[inside]
        log_bf = np.zeros((end - start, max((len(signals[name]) for name in names), default=0)), dtype=np.float32)
        for name, first in zip(names, inside - start, strict=True):
            found = signals[name]
            log_bf[first : first + found.shape[1], : len(found)] = found.T
        keys = np.array([zlib.crc32(str(name).encode()) for name in names], dtype=np.int64)
        return Block.of(X[start:end], log_bf, inside - start, keys)


def read_study(
    batches: Sequence[BatchFiles],
    fits: Sequence[str],
    ld: Sequence[str],
    settings: PriorSettings,
    annotations: Mapping[str, str],
) -> PriorStudy:
    """Read all batches of a study.

    Parameters
    ----------
    batches, fits, ld
        Files of the batches, fits of the rule find_signals, and LD, all in the same order.
    settings
        `source`, `scores` and what belongs to them.
    annotations
        Name to kind of the annotations of the sheet.
    """
    frames = [read_batch(batch, settings, annotations) for batch in batches]
    ld_of: dict[str, str] = {}
    for frame, path in zip(frames, ld, strict=True):
        ld_of |= dict.fromkeys(frame["locus"].unique(), path)
    kept = [frame for frame in frames if len(frame)] or frames[:1]
    variants = genome_order(pd.concat(kept, ignore_index=True))
    ids = {str(name): rows["variant_id"].tolist() for name, rows in variants.groupby("locus", sort=False)}
    signals = read_signals(FitFiles(fits), ids)
    log.info("%d variants in %d loci; %d signals in %d of them", len(variants), len(ids),
             sum(map(len, signals.values())), sum(len(one) > 0 for one in signals.values()))  # fmt: skip
    return PriorStudy(variants, signals, ld_of)


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
