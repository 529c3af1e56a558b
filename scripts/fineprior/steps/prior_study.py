"""A study as its prior sees it: variants of all loci, and the signals that SuSiE found in them."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.finemap.fits import FitFiles
from fineprior.finemap.susie import SusieFit
from fineprior.priors.blocks import Block, Integers, locus_starts
from fineprior.priors.controls import matching_bins
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps.prior_data import frequencies, locus_ld_scores

_BLOCK_ROWS = 1 << 18

Signals = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Study:
    """Variants of all loci in genome order, their signals (signals, p) by locus, and the LD file of each locus."""

    frame: pd.DataFrame
    signals: Signals
    ld: Mapping[str, str]
    settings: PriorSettings
    finemap: FinemapSettings
    seed: int
    workers: int

    @cached_property
    def starts(self) -> Integers:
        """First row of each locus."""
        return locus_starts(self.frame["locus"])

    @cached_property
    def pieces(self) -> dict[str, list[tuple[int, int]]]:
        """For each chromosome the rows of its blocks: whole loci, not many variants at a time."""
        found: dict[str, list[tuple[int, int]]] = {}
        ends = np.append(self.starts[1:], len(self.frame))[: len(self.starts)]
        chromosomes = self.frame["chrom"].to_numpy()[self.starts]
        for chrom, group in groupby(zip(chromosomes, self.starts, ends, strict=True), key=lambda locus: locus[0]):
            pieces = found.setdefault(str(chrom), [])
            for _, start, end in group:
                if pieces and end - pieces[-1][0] <= _BLOCK_ROWS:
                    pieces[-1] = (pieces[-1][0], int(end))
                else:
                    pieces.append((int(start), int(end)))
        return found

    @cached_property
    def bins(self) -> Integers:
        """Bin of MAF and LD score of each variant."""
        scores = [locus_ld_scores(self.ld[name], name, rows["variant_id"].tolist()) for name, rows in self.loci]
        return matching_bins(frequencies(self.frame), np.concatenate(scores) if scores else np.zeros(0), self.starts)

    @property
    def loci(self) -> list[tuple[str, pd.DataFrame]]:
        """Each locus with its rows."""
        return [(str(name), rows) for name, rows in self.frame.groupby("locus", sort=False)]

    def blocks(self, X: npt.NDArray[Any], signals: Signals) -> dict[str, list[Block]]:
        """Blocks by chromosome of features (n, d) with these signals."""
        return {
            chrom: [self.block(X, signals, start, end) for start, end in pieces]
            for chrom, pieces in self.pieces.items()
        }

    def block(self, X: npt.NDArray[Any], signals: Signals, start: int, end: int) -> Block:
        """Block of the rows from start to end, which are whole loci."""
        inside = self.starts[(self.starts >= start) & (self.starts < end)]
        names = self.frame["locus"].to_numpy()[inside]
        log_bf = np.zeros((end - start, max((len(signals[name]) for name in names), default=0)), dtype=np.float32)
        for name, first in zip(names, inside - start, strict=True):
            found = signals[name]
            log_bf[first : first + found.shape[1], : len(found)] = found.T
        keys = np.array([zlib.crc32(str(name).encode()) for name in names], dtype=np.int64)
        return Block.of(X[start:end], log_bf, inside - start, keys)


def read_signals(fits: FitFiles, loci: Mapping[str, Sequence[str]]) -> dict[str, npt.NDArray[np.float32]]:
    """Log Bayes factors (signals, p) of each locus' credible sets, in the order of its variants.

    A locus that was not fitted, or in which there is no set, has none.
    """
    found = {}
    for locus, variant_ids in loci.items():
        if locus not in fits.files:
            found[locus] = np.zeros((0, len(variant_ids)), dtype=np.float32)
            continue
        fit, names = fits[locus]
        found[locus] = placed_signals(fit, names, variant_ids)
    return found


def placed_signals(fit: SusieFit, names: Sequence[str], variant_ids: Sequence[str]) -> npt.NDArray[np.float32]:
    """Log Bayes factors (signals, p), without the prior, of the effects of a fit that have a credible set.

    Of a variant that was not fitted (for want of LD) nothing is known: its log Bayes factor is 0.
    """
    own = fit.lbf_variable[[one.effect - 1 for one in fit.sets.sets]].astype(np.float32)
    rows = pd.Index(names).get_indexer(pd.Index(variant_ids))
    placed = np.zeros((len(own), len(rows)), dtype=np.float32)
    placed[:, rows >= 0] = own[:, rows[rows >= 0]]
    return placed
