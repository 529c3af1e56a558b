"""What heads are trained on: regions that are read a few at a time, and the tracks whose signal is predicted."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fineprior.engine.backbone import load_backbone
from fineprior.engine.region_embeddings import RegionEmbeddings, region_codes
from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.project.settings import BackboneSettings
from fineprior.sequence.windows import one_hot

SAMPLE_BINS = 100_000
"""Bins, at most, whose embeddings a head is started on; their mean and covariance whiten all others."""


class Regions(Protocol):
    """What training reads of regions, a few rows at a time: arrays, or what reads files (`sequence.target_parts`).

    Attributes
    ----------
    codes
        Indexed by row numbers: uint8 (rows, length).
    targets
        Indexed by row numbers: float32 (rows, bins, tracks); a bin with NaN is excluded.
    split
        (regions,) train, valid, test, or anything else for excluded regions.
    """

    @property
    def codes(self) -> Any: ...  # noqa: D102
    @property
    def targets(self) -> Any: ...  # noqa: D102
    @property
    def split(self) -> NDArray[np.str_]: ...  # noqa: D102


@dataclasses.dataclass(frozen=True)
class RegionData(ReadOnly):
    """Codes (regions, length), targets (regions, bins, tracks) and split (regions,) of training regions.

    Codes and targets are arrays, or read files when they are indexed by row numbers (see `Regions`).
    """

    codes: Any
    targets: Any
    split: NDArray[np.str_]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of regions, bins and tracks."""
        bins, tracks = self.targets[np.array([0])].shape[1:]
        return len(self.split), bins, tracks

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of one split."""
        return np.flatnonzero(self.split == split)


def region_data(genome: Genome, regions: pd.DataFrame, targets: NDArray[np.float32]) -> RegionData:
    """Sequences of regions beside the targets (bins, tracks) of their bins, region by region."""
    shaped = targets.reshape(len(regions), -1, targets.shape[-1])
    return RegionData(region_codes(genome, regions), shaped, regions["split"].to_numpy(dtype=np.str_))


@dataclasses.dataclass(frozen=True)
class Tracks(ReadOnly):
    """Names of tracks, their weights in the loss, and for each the track of the other strand (itself without one)."""

    names: tuple[str, ...]
    weights: NDArray[np.float32]
    other_strand: NDArray[np.int64]

    @property
    def pairs(self) -> tuple[int, ...]:
        """`other_strand` as a head keeps it: empty where each track is its own."""
        own = bool((self.other_strand == np.arange(len(self.names))).all())
        return () if own else tuple(self.other_strand.tolist())

    @classmethod
    def of(cls, names: Sequence[str], weights: Sequence[float] = (), pairs: Sequence[str] = ()) -> "Tracks":
        """Weights are brought to a mean of 1; `pairs` names the track of the other strand, "" for none.

        Raises
        ------
        InputError
            A track of the other strand is not among the tracks or has another one itself; all weights are 0.
        """
        places = {name: index for index, name in enumerate(names)}
        other = np.arange(len(names))
        for index, pair in enumerate(pairs):
            if pair and pair not in places:
                raise InputError(f"track '{names[index]}': strand_pair '{pair}' is no track of the same head")
            other[index] = places[pair] if pair else index
        for index, (name, pair) in enumerate(zip(names, pairs, strict=False)):
            if other[other[index]] != index:
                raise InputError(f"track '{name}': strand_pair '{pair}' does not name '{name}' as its own strand_pair")
        values = np.ones(len(names)) if not len(weights) else np.asarray(weights, np.float64)
        if not values.any():
            raise InputError(f"tracks {', '.join(names)}: all have weight 0; a head needs one with a larger weight")
        return cls(tuple(names), (values / values.mean()).astype(np.float32), other)


def rows_of_split(split: NDArray[np.str_], name: str) -> NDArray[np.int64]:
    """Rows of one split.

    Raises
    ------
    InputError
        There are none.
    """
    rows = np.flatnonzero(split == name)
    if not len(rows):
        raise InputError(f"regions: none has the split '{name}'; a head needs training and validation regions")
    return rows


def sample_of(data: Regions) -> NDArray[np.int64]:
    """Training and validation regions, evenly spaced, with no more than `SAMPLE_BINS` bins."""
    bins = data.targets[np.array([0])].shape[1]
    rows = []
    for name, share in (("train", 0.8), ("valid", 0.2)):
        found = rows_of_split(data.split, name)
        rows.append(found[:: max(1, -(-len(found) * bins // int(share * SAMPLE_BINS)))])
    return np.sort(np.concatenate(rows))


def flat_targets(data: Regions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Targets (bins, tracks) of regions, all bins of one after the other."""
    targets: NDArray[np.float32] = data.targets[rows]
    return targets.reshape(-1, targets.shape[-1])


def embed_rows(data: Regions, rows: NDArray[np.int64], settings: BackboneSettings) -> RegionEmbeddings:
    """Embeddings of regions by the frozen backbone; their places on a chromosome are not known here."""
    model = load_backbone(settings)
    bins = model.target_bins
    embedding = np.empty((len(rows), bins, model.dim), np.float32)
    for start in range(0, len(rows), 64):
        part = slice(start, start + 64)
        embedding[part] = model.embed(torch.from_numpy(one_hot(data.codes[rows[part]]))).numpy()
    # Regions lie far apart, so that none is taken for the continuation of another.
    places = (rows[:, None] * 2 * bins + np.arange(bins)) * model.bin_size
    return RegionEmbeddings(np.full(len(rows) * bins, ""), places.ravel(), np.repeat(data.split[rows], bins),
                            embedding.reshape(-1, model.dim), model.digest, model.bin_size)  # fmt: skip


def embeddings_of(embeddings: RegionEmbeddings, rows: NDArray[np.int64], regions: int) -> RegionEmbeddings:
    """Embeddings of some regions."""
    bins = len(embeddings.start) // regions
    chosen = (rows[:, None] * bins + np.arange(bins)).ravel()
    columns = {name: getattr(embeddings, name)[chosen] for name in ("chrom", "start", "split", "embedding")}
    return dataclasses.replace(embeddings, **columns)
