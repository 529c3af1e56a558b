"""Variants of all loci in one array, ordered by locus; `starts` (loci,) holds each locus's first row.

A `Block` is a run of loci with the features of their variants and their signals. Sums over loci are made block by
block, so that the features of all loci are never copied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Features = npt.NDArray[Any]

THINNED_SIZE = 64
"""Sampled variants that represent those of a locus that no signal points at."""


@dataclass(frozen=True)
class Signal(ReadOnly):
    """Log Bayes factors (m,) of one signal in each of `loci`; `rows` are these loci's rows, `starts` within them."""

    loci: Integers
    rows: Integers | slice
    starts: Integers
    log_bf: Floats


@dataclass(frozen=True)
class Block(ReadOnly):
    """A run of loci: features X (n, d), their signals, and how many variants each row represents (log, (n,)).

    `keys` (loci,) are seeds that depend on the locus alone.
    """

    features: Features
    starts: Integers
    signals: tuple[Signal, ...]
    keys: Integers
    log_weight: Floats | None = None

    @classmethod
    def of(
        cls, features: Features, log_bf: npt.NDArray[Any], starts: Integers, keys: Integers | None = None
    ) -> "Block":
        """Block of features (n, d) and log Bayes factors (n, signals), zeros where a locus has no such signal."""
        sizes = locus_sizes(starts, len(features))
        signals = []
        for column in log_bf.T if len(starts) else ():
            loci = np.flatnonzero(np.add.reduceat(column != 0, starts))
            if len(loci) == 0:
                continue
            inside = np.zeros(len(starts), dtype=bool)
            inside[loci] = True
            rows = slice(None) if len(loci) == len(starts) else np.flatnonzero(np.repeat(inside, sizes))
            signals.append(Signal(loci, rows, _starts_of(sizes[loci]), np.asarray(column[rows], dtype=float)))
        return cls(features, starts, tuple(signals), np.arange(len(starts)) if keys is None else keys)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def sizes(self) -> Integers:
        """Rows of each locus (loci,)."""
        return locus_sizes(self.starts, len(self.features))

    @cached_property
    def signal_counts(self) -> Integers:
        """Number of signals of each locus (loci,)."""
        counts = np.zeros(len(self), dtype=np.int64)
        for signal in self.signals:
            counts[signal.loci] += 1
        return counts

    @cached_property
    def thinned(self) -> "Block":
        """The same loci with few rows: each that a signal points at, and a sample that represents the others.

        A sampled row has the weight of the rows that it represents, so that sums over a locus keep their expectation.
        """
        pointed = np.zeros(len(self.features), dtype=bool)
        for signal in self.signals:
            sizes = self.sizes[signal.loci]
            best = np.repeat(np.maximum.reduceat(signal.log_bf, signal.starts), sizes)
            pointed[signal.rows] |= signal.log_bf > best - np.log(1e4)
        kept, weights = [], []
        for start, size, key in zip(self.starts, self.sizes, self.keys, strict=True):
            others = start + np.flatnonzero(~pointed[start : start + size])
            sample = others
            if len(others) > THINNED_SIZE:
                sample = np.random.default_rng(int(key)).choice(others, THINNED_SIZE, replace=False)
            chosen = np.sort(np.r_[start + np.flatnonzero(pointed[start : start + size]), sample])
            kept.append(chosen)
            weights.append(np.where(pointed[chosen], 0.0, np.log(max(len(others), 1) / max(len(sample), 1))))
        if not kept or sum(map(len, kept)) == len(self.features):
            return self
        rows = np.concatenate(kept)
        position = np.full(len(self.features), -1)
        position[rows] = np.arange(len(rows))
        signals = []
        for signal in self.signals:
            there = position[signal.rows]
            sizes = np.array([len(kept[locus]) for locus in signal.loci])
            signals.append(Signal(signal.loci, there[there >= 0], _starts_of(sizes), signal.log_bf[there >= 0]))
        starts = _starts_of(np.array([len(chosen) for chosen in kept]))
        return Block(self.features[rows], starts, tuple(signals), self.keys, np.concatenate(weights))


def merged(blocks: Sequence[Block]) -> Block:
    """One block of the loci of several; it holds a copy of their features."""
    sizes = np.array([len(block.features) for block in blocks])
    row_of, locus_of = _starts_of(sizes), _starts_of(np.array([len(block) for block in blocks]))
    loci = sum(map(len, blocks))
    signals = []
    for number in range(max((len(block.signals) for block in blocks), default=0)):
        parts = [(at, one.signals[number]) for at, one in enumerate(blocks) if number < len(one.signals)]
        log_bf = np.concatenate([signal.log_bf for _, signal in parts])
        within = np.concatenate([signal.loci + locus_of[at] for at, signal in parts])
        rows = np.concatenate([row_of[at] + np.arange(sizes[at])[signal.rows] for at, signal in parts])
        held = np.concatenate([blocks[at].sizes[signal.loci] for at, signal in parts])
        every = len(within) == loci
        signals.append(Signal(within, slice(None) if every else rows, _starts_of(held), log_bf))
    weights = [np.zeros(len(b.features)) if b.log_weight is None else b.log_weight for b in blocks]
    return Block(
        np.concatenate([block.features for block in blocks]),
        np.concatenate([block.starts + row for block, row in zip(blocks, row_of, strict=True)]),
        tuple(signals),
        np.concatenate([block.keys for block in blocks]),
        np.concatenate(weights) if any(block.log_weight is not None for block in blocks) else None,
    )


def locus_starts(locus: npt.ArrayLike) -> Integers:
    """First row of each locus, (loci,), from the locus name of each variant.

    Raises
    ------
    InputError
        The rows of a locus are not contiguous.
    """
    names = np.asarray(locus, dtype=object)
    if len(names) == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    seen: set[str] = set()
    for name in names[starts]:
        if name in seen:
            raise InputError(f"the variants of locus {name} are not contiguous; sort them by locus")
        seen.add(name)
    return starts


def locus_sizes(starts: Integers, n: int) -> Integers:
    """Number of variants of each locus, (loci,), where the flat arrays hold `n`."""
    return np.diff(np.append(starts, n))


def log_softmax(log_odds: Floats, starts: Integers) -> Floats:
    """Log softmax within each locus, along the first axis of (n,) or (n, signals)."""
    if len(starts) == 0:
        return log_odds
    return log_odds - np.repeat(log_sum_exp(log_odds, starts), locus_sizes(starts, len(log_odds)), axis=0)


def log_likelihood(log_prior: Floats, log_bf: npt.NDArray[Any], starts: Integers) -> Floats:
    """Log likelihood of each signal, (loci, signals): log sum_j prior_j BF_j.

    It is relative to no association: with Bayes factors of 1 throughout it is 0.
    """
    if len(starts) == 0:
        return np.zeros((0, log_bf.shape[1]))
    return log_sum_exp(log_prior[:, None] + log_bf, starts)


def log_odds_of(blocks: Sequence[Block], coefficients: Floats) -> list[Floats]:
    """Log prior odds (n,) of the variants of each block."""
    return [(block.features @ coefficients.astype(block.features.dtype)).astype(float) for block in blocks]


def signal_likelihood(block: Block, log_odds: Floats) -> list[Floats]:
    """For each of the block's signals the log likelihood (its loci,) under the softmax of log odds (n,)."""
    if len(block) == 0:
        return []
    weighted = log_odds if block.log_weight is None else log_odds + block.log_weight
    total = log_sum_exp(weighted, block.starts)
    return [log_sum_exp(weighted[s.rows] + s.log_bf, s.starts) - total[s.loci] for s in block.signals]


def _starts_of(sizes: Integers) -> Integers:
    return np.cumsum(sizes) - sizes


def log_sum_exp(values: Floats, starts: Integers) -> Floats:
    """Log of the sum of exponentials within each locus, along the first axis of (n,) or (n, signals)."""
    largest = np.maximum.reduceat(values, starts, axis=0)
    spread = np.repeat(largest, locus_sizes(starts, len(values)), axis=0)
    return np.asarray(largest + np.log(np.add.reduceat(np.exp(values - spread), starts, axis=0)), dtype=float)
