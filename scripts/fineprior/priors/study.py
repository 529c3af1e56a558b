"""The data that a prior is estimated from: the variants of all loci with their scores, and the signals in these loci.

Stage 1 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.finemap.fits import FitFiles
from fineprior.priors.batches import BatchFiles, genome_order, read_batch
from fineprior.priors.blocks import Block, Integers, locus_starts
from fineprior.priors.signals import Signals, read_signals
from fineprior.project.settings import PriorSettings

log = logging.getLogger(__name__)

_BLOCK_ROWS = 1 << 18


@dataclass(frozen=True)
class PriorStudy:
    """The loci of a study.

    `variants` of all loci in genome order, a row each, with a column for each value that a prior may be made of;
    `signals`, log Bayes factors (signals, p) by locus; `ld`, the file of LD of each locus; `diagnoses`, the file of its
    diagnosis, where that is made.
    """

    variants: pd.DataFrame
    signals: Signals
    ld: Mapping[str, str]
    diagnoses: Mapping[str, str] = field(default_factory=dict)

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
    diagnoses: Sequence[str] = (),
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
    diagnoses
        Files of diagnoses in the same order; none where fits make their own.
    """
    frames = [read_batch(batch, settings, annotations) for batch in batches]
    ld_of, diagnosis_of = _by_locus(frames, ld), _by_locus(frames, diagnoses) if diagnoses else {}
    kept = [frame for frame in frames if len(frame)] or frames[:1]
    variants = genome_order(pd.concat(kept, ignore_index=True))
    ids = {str(name): rows["variant_id"].tolist() for name, rows in variants.groupby("locus", sort=False)}
    signals = read_signals(FitFiles(fits), ids)
    log.info("%d variants in %d loci; %d signals in %d of them", len(variants), len(ids),
             sum(map(len, signals.values())), sum(len(one) > 0 for one in signals.values()))  # fmt: skip
    return PriorStudy(variants, signals, ld_of, diagnosis_of)


def _by_locus(frames: Sequence[pd.DataFrame], paths: Sequence[str]) -> dict[str, str]:
    """The file of its batch, for each locus."""
    return {str(locus): path for frame, path in zip(frames, paths, strict=True) for locus in frame["locus"].unique()}
