"""Training of a head on embeddings of the frozen backbone: in memory, or some regions at a time from their file."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.foundation.settings import HeadSettings
from fineprior.model import head as heads
from fineprior.model.embeddings import RegionEmbeddings
from fineprior.model.head import Head
from fineprior.model.readout import Readout, training_loss, training_statistics, validation
from fineprior.model.training_data import Regions, Tracks, embeddings_of, flat_targets, rows_of_split, sample_of
from fineprior.model.training_loop import Plan, Record, Task, run

IN_MEMORY = 1 << 30
"""Bytes of embeddings up to which training holds them in memory, with about three copies of them."""


def train_frozen(
    data: Regions,
    embeddings: RegionEmbeddings,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    checkpoint: Path | None = None,
) -> tuple[Head, pd.DataFrame]:
    """Train a linear or mlp head on embeddings of all target bins of `data`, region by region.

    Above `IN_MEMORY` neither embeddings nor targets are held: a step reads the whole of some regions, and statistics of
    training bins are those of a sample (`sample_of`).
    """
    regions = len(data.split)
    bins = len(embeddings.start) // regions
    if embeddings.embedding.nbytes <= IN_MEMORY:
        targets = flat_targets(data, np.arange(regions))
        return train_cached(embeddings, targets, bins, tracks, settings, seed, checkpoint)
    chosen = sample_of(data)
    sample = embeddings_of(embeddings, chosen, regions)
    readout = _readout(sample, flat_targets(data, chosen), tracks, settings, seed)
    by_region = embeddings.embedding.reshape(regions, bins, -1)

    def read(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        return readout(torch.from_numpy(by_region[rows])), torch.from_numpy(data.targets[rows])

    batch = max(1, settings.batch_bins // bins)
    records, best = _fit(readout, read, data.split, batch, tracks, settings, seed, checkpoint)
    return readout.folded(tracks.names, embeddings.backbone, embeddings.bin_size), history_of(records, best)


def train_cached(
    regions: RegionEmbeddings,
    targets: NDArray[np.float32],
    bins: int,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    checkpoint: Path | None = None,
) -> tuple[Head, pd.DataFrame]:
    """As `train_frozen`, all in memory; targets (all bins, tracks), NaN if left out.

    `bins` is the number of bins of a region.
    """
    usable = np.isfinite(targets).all(1)
    plain = settings.mode != "mlp" and settings.loss == "poisson" and (tracks.weights == 1).all()
    if settings.loss == "poisson" and not usable.all():
        columns = {name: getattr(regions, name)[usable] for name in ("chrom", "start", "split", "embedding")}
        regions, targets = dataclasses.replace(regions, **columns), targets[usable]
    if plain:
        return heads.train_head(regions, targets, list(tracks.names), settings, seed)
    # With a multinomial loss the bins of a region stay together.
    together = bins if settings.loss == "poisson_multinomial" else 1
    readout = _readout(regions, targets, tracks, settings, seed)
    mean, whitening = readout.mean.numpy(), readout.whitening.numpy()
    whitened = torch.from_numpy(((regions.embedding - mean) @ whitening).reshape(-1, together, len(mean)))
    target = torch.from_numpy(targets.reshape(-1, together, targets.shape[-1]))

    def read(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        return readout.signal(whitened[rows]), target[rows]

    batch = max(1, settings.batch_bins // together)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        records, best = _fit(readout, read, regions.split[::together], batch, tracks, settings, seed, checkpoint)
    finally:
        torch.set_num_threads(threads)
    return readout.folded(tracks.names, regions.backbone, regions.bin_size), history_of(records, best)


def _readout(
    regions: RegionEmbeddings, targets: NDArray[np.float32], tracks: Tracks, settings: HeadSettings, seed: int
) -> Readout:
    statistics = training_statistics(regions, targets, tracks.names)
    torch.manual_seed(seed)
    return Readout(*statistics, settings.hidden if settings.mode == "mlp" else 0, settings.dropout)


def _fit(
    readout: Readout,
    read: Callable[[NDArray[np.int64]], tuple[Tensor, Tensor]],
    split: NDArray[np.str_],
    batch: int,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    checkpoint: Path | None,
) -> tuple[list[Record], int]:
    """Train a readout; `read` gives predicted and observed signal of rows, `batch` of them at once."""
    weights = torch.from_numpy(tracks.weights)
    valid = rows_of_split(split, "valid")

    def loss(rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        readout.train()
        return training_loss(*read(rows), settings.loss, weights)

    @torch.no_grad()
    def validate() -> tuple[float, float]:
        readout.eval()
        pieces = np.array_split(valid, -(-len(valid) // batch))
        return validation((read(rows) for rows in pieces), settings.loss, weights)

    parameters = dict(readout.named_parameters())
    rates = dict.fromkeys(parameters, settings.learning_rate)
    train = rows_of_split(split, "train")
    task = Task(parameters, rates, train, batch, loss, lambda: readout.penalty(settings.l2), validate)
    plan = Plan(settings.epochs, seed, settings.patience)
    return run(task, plan, checkpoint / "head.pt" if checkpoint else None)


def history_of(records: list[Record], best: int) -> pd.DataFrame:
    """Table HEAD_HISTORY of a run and the epoch that it kept."""
    history = pd.DataFrame(records)
    history["best"] = history["epoch"] == best
    return history
