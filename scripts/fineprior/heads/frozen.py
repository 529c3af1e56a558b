"""Training of a head on embeddings of the frozen backbone: in memory, or some regions at a time from their file.

What lies between embeddings and the loss while a head is trained: whitening, the head itself, the losses.
"""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fineprior.engine.embeddings import RegionEmbeddings
from fineprior.files.errors import InputError
from fineprior.heads import head as heads
from fineprior.heads.head import Head, whitening_of
from fineprior.heads.metrics import Agreement
from fineprior.heads.training_data import Regions, Tracks, embeddings_of, flat_targets, rows_of_split, sample_of
from fineprior.heads.training_loop import Plan, Record, Task, run
from fineprior.project.settings import HeadSettings

TOTAL_WEIGHT = 0.2
"""Of the Poisson loss of a region's sum beside the multinomial loss of its bins, as in Borzoi (Linder et al. 2025)."""
_TINY = 1e-7


class Readout(nn.Module):
    """From embeddings to signal; they are whitened with the statistics of training bins before anything is learned."""

    def __init__(
        self, mean: NDArray[np.float32], whitening: NDArray[np.float32], level: NDArray[np.float64], hidden: int = 0,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mean: Tensor
        self.whitening: Tensor
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("whitening", torch.from_numpy(whitening))
        self.hidden = nn.Linear(len(mean), hidden) if hidden else None
        self.weight = nn.Parameter(torch.zeros(len(level), hidden or len(mean)))
        start = np.where(level > 20, level, np.log(np.expm1(np.clip(level, _TINY, 20))))
        self.bias = nn.Parameter(torch.tensor(start, dtype=torch.float32))
        self.dropout = dropout

    def forward(self, embedding: Tensor) -> Tensor:
        """Signal (..., tracks) of embeddings (..., dim); it is the weights that are whitened, which is less work."""
        centred = embedding.float() - self.mean
        if self.hidden is None:
            return functional.softplus(centred @ (self.whitening @ self.weight.T) + self.bias)
        hidden = centred @ (self.whitening @ self.hidden.weight.T) + self.hidden.bias
        return self._of_hidden(hidden)

    def signal(self, whitened: Tensor) -> Tensor:
        """Signal (..., tracks) of whitened embeddings (..., dim)."""
        if self.hidden is not None:
            return self._of_hidden(self.hidden(whitened))
        return functional.softplus(whitened @ self.weight.T + self.bias)

    def _of_hidden(self, hidden: Tensor) -> Tensor:
        kept = functional.dropout(hidden.relu(), self.dropout, self.training)
        return functional.softplus(kept @ self.weight.T + self.bias)

    def penalty(self, l2: float) -> Tensor:
        """L2 penalty on the weights."""
        squares = self.weight.square().sum()
        return l2 * (squares if self.hidden is None else squares + self.hidden.weight.square().sum())

    @torch.no_grad()
    def start_from(self, head: Head) -> None:
        """Take over a linear head for embeddings as they are."""
        inverse = np.linalg.inv(self.whitening.cpu().numpy().astype(np.float64))
        self.weight.copy_(torch.from_numpy(head.weight.astype(np.float64) @ inverse.T))
        self.bias.copy_(torch.from_numpy(head.bias + head.weight @ self.mean.cpu().numpy()))

    @torch.no_grad()
    def folded(self, tracks: tuple[str, ...], backbone: str, bin_size: int) -> Head:
        """The head for embeddings as they are."""
        first = self.weight if self.hidden is None else self.hidden.weight
        folded = (first @ self.whitening.T).cpu().numpy()
        moved = folded @ self.mean.cpu().numpy()
        bias = self.bias.cpu().numpy()
        if self.hidden is None:
            return Head(folded, (bias - moved).astype(np.float32), tracks, backbone, bin_size)
        hidden_bias = (self.hidden.bias.cpu().numpy() - moved).astype(np.float32)
        weight = self.weight.cpu().numpy().copy()
        return Head(weight, bias.copy(), tracks, backbone, bin_size, folded, hidden_bias)


def training_loss(predicted: Tensor, target: Tensor, kind: str, weights: Tensor) -> Tensor:
    """Mean loss over usable bins and tracks of signal (regions, bins, tracks).

    Parameters
    ----------
    kind
        `poisson`, of each bin; `poisson_multinomial`, multinomial of a region's bins plus `TOTAL_WEIGHT` of the Poisson
        loss of their sum. Without that weight the two kinds would be the same.
    """
    usable = torch.isfinite(target).all(-1, keepdim=True)
    target = torch.where(usable, target, 0.0)
    predicted = torch.where(usable, predicted, 0.0)
    if kind == "poisson":
        sums = (predicted - target * torch.log(predicted + _TINY)).sum((0, 1))
    else:
        total, whole = predicted.sum(1), target.sum(1)
        shares = predicted / (total[:, None] + _TINY)
        multinomial = -(target * torch.log(shares + _TINY)).sum(1)
        sums = (multinomial + TOTAL_WEIGHT * (total - whole * torch.log(total + _TINY))).sum(0)
    return (sums * weights).mean() / usable.sum().clamp(min=1)


@torch.no_grad()
def validation(pieces: Iterable[tuple[Tensor, Tensor]], kind: str, weights: Tensor) -> tuple[float, float]:
    """Loss and mean Pearson r over bins of pieces (predicted, target), with one piece at a time in memory."""
    agreement = Agreement(len(weights))
    total, count = 0.0, 0
    for predicted, target in pieces:
        usable = torch.isfinite(target).all(-1)
        bins = int(usable.sum())
        if not bins:
            continue
        total += float(training_loss(predicted, target, kind, weights)) * bins
        count += bins
        agreement.add(predicted[usable].cpu().numpy(), target[usable].cpu().numpy())
    if not count:
        raise InputError("regions: no validation region has a usable bin; a head needs them to know when to stop")
    correlations = agreement.pearson_r
    known = correlations[np.isfinite(correlations)]
    return total / count, float(known.mean()) if len(known) else float("nan")


def training_statistics(
    regions: RegionEmbeddings, targets: NDArray[np.float32], tracks: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Mean and whitening of the training bins' embeddings, and mean signal of each track there."""
    train = (regions.split == "train") & np.isfinite(targets).all(1)
    if not train.any():
        raise InputError("regions: none has the split 'train' and a usable bin; a head needs training regions")
    level = targets[train].mean(0, dtype=np.float64)
    if (level <= 0).any():
        raise InputError(f"track '{tracks[int(level.argmin())]}' has no signal in any training region")
    return (*whitening_of(regions.embedding[train]), level)


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
