"""The readout: a head in training on embeddings of the frozen backbone, in memory or some regions at a time.

`train_frozen` is the entry. The default, a linear head with a Poisson loss and tracks of equal weight, is
`train_linear`; all others go through the loop of `optimisation`. Training through the backbone (`training`) uses the
same readout and losses.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.errors import InputError
from fineprior.heads.head import Head
from fineprior.heads.metrics import Agreement, pearson_r
from fineprior.heads.optimisation import Plan, Record, Task, run
from fineprior.heads.training_regions import Regions, Tracks, embeddings_of, flat_targets, rows_of_split, sample_of
from fineprior.project.settings import HeadSettings

TOTAL_WEIGHT = 0.2
"""Of the Poisson loss of a region's sum beside the multinomial loss of its bins, as in Borzoi (Linder et al. 2025)."""
IN_MEMORY = 1 << 30
"""Bytes of embeddings up to which training holds them in memory, with about three copies of them."""
_TINY = 1e-7
_VARIANCE_FLOOR = 1e-3

logger = logging.getLogger(__name__)


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
    """As `train_frozen`, all in memory; targets (all bins, tracks), NaN where excluded.

    `bins` is the number of bins of a region.
    """
    usable = np.isfinite(targets).all(1)
    plain = settings.mode != "mlp" and settings.loss == "poisson" and (tracks.weights == 1).all()
    if settings.loss == "poisson" and not usable.all():
        columns = {name: getattr(regions, name)[usable] for name in ("chrom", "start", "split", "embedding")}
        regions, targets = dataclasses.replace(regions, **columns), targets[usable]
    if plain:
        return train_linear(regions, targets, list(tracks.names), settings, seed)
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
) -> "Readout":
    statistics = training_statistics(regions, targets, tracks.names)
    torch.manual_seed(seed)
    return Readout(*statistics, settings.hidden if settings.mode == "mlp" else 0, settings.dropout)


def _fit(
    readout: "Readout",
    read: Callable[[NDArray[np.int64]], tuple[Tensor, Tensor]],
    split: NDArray[np.str_],
    batch: int,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    checkpoint: Path | None,
) -> tuple[list[Record], int]:
    """Train a readout; `read` gives predicted and observed signal of rows, `batch` of them at once."""
    weights = torch.tensor(tracks.weights)
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


def train_linear(
    regions: RegionEmbeddings, targets: NDArray[np.float32], tracks: list[str], settings: HeadSettings, seed: int
) -> tuple[Head, pd.DataFrame]:
    """Fit softplus(W x + b) to targets by Poisson likelihood, with Adam on cached embeddings.

    Embeddings are whitened with the mean and covariance of the training bins, which are then folded into the weights:
    their dimensions are so correlated that Adam on standardised ones stops far from the optimum. Training starts at
    W = 0 and the tracks' means, follows a cosine schedule of the learning rate and keeps the epoch with the smallest
    validation loss; it stops after `patience` epochs without a smaller one. The same input gives the same head: one
    thread, seeded order.

    Parameters
    ----------
    regions, targets
        Embeddings, and the tracks' signal (bins, tracks).
    settings
        `l2` is the penalty on the squared weights of whitened embeddings, beside the mean loss.

    Returns
    -------
    Head and table HEAD_HISTORY.

    Raises
    ------
    InputError
        No training or no validation region, a track without any signal in the training regions, or a
        learning rate at which training diverges.
    """
    train, valid = (_bins_of_split(regions, split) for split in ("train", "valid"))
    mean, whitening = whitening_of(regions.embedding[train])
    level = targets[train].mean(0, dtype=np.float64)
    if (level <= 0).any():
        raise InputError(f"track '{tracks[int(level.argmin())]}' has no signal in any training region")
    whitened = ((regions.embedding - mean) @ whitening).astype(np.float32, copy=False)
    start_bias = np.where(level > 20, level, np.log(np.expm1(np.minimum(level, 20))))
    torch.manual_seed(seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        weight, bias, history = _fit_linear(
            (whitened[train], targets[train]), (whitened[valid], targets[valid]), start_bias, settings
        )
    finally:
        torch.set_num_threads(threads)
    folded = weight @ whitening.T
    head = Head(folded, (bias - folded @ mean).astype(np.float32), tuple(tracks), regions.backbone, regions.bin_size)
    return head, history


def _fit_linear(
    train: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: tuple[NDArray[np.float32], NDArray[np.float32]],
    start_bias: NDArray[np.float64],
    settings: HeadSettings,
) -> tuple[NDArray[np.float32], NDArray[np.float32], pd.DataFrame]:
    """Weight, bias and history of the best epoch, on whitened embeddings."""
    embedding, target = (torch.from_numpy(np.ascontiguousarray(array)) for array in train)
    weight = torch.zeros(target.shape[1], embedding.shape[1], requires_grad=True)
    bias = torch.tensor(start_bias, dtype=torch.float32, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs)
    records: list[dict[str, float]] = []
    best, best_epoch = (weight.detach().clone(), bias.detach().clone()), 0
    for epoch in range(1, settings.epochs + 1):
        total = 0.0
        for rows in torch.split(torch.randperm(len(embedding)), settings.batch_bins):
            loss = poisson_loss(functional.softplus(embedding[rows] @ weight.T + bias), target[rows])
            optimiser.zero_grad()
            torch.autograd.backward([loss + settings.l2 * weight.square().sum()])
            optimiser.step()
            total += loss.item() * len(rows)
        schedule.step()
        predicted = np.logaddexp(valid[0] @ weight.detach().numpy().T + bias.detach().numpy(), 0)
        valid_loss = float(poisson_losses(predicted, valid[1]).mean())
        if not np.isfinite(valid_loss):
            raise InputError(f"head.learning_rate: training diverged in epoch {epoch} at {settings.learning_rate}")
        records.append({"epoch": epoch, "train_loss": total / len(embedding), "valid_loss": valid_loss,
                        "valid_pearson_r": float(np.nanmean(pearson_r(predicted, valid[1])))})  # fmt: skip
        if valid_loss <= min(record["valid_loss"] for record in records):
            best, best_epoch = (weight.detach().clone(), bias.detach().clone()), epoch
        logger.info("epoch %d: valid loss %.5f, r %.4f", epoch, valid_loss, records[-1]["valid_pearson_r"])
        if epoch - best_epoch >= settings.patience:
            break
    history = pd.DataFrame(records)
    history["best"] = history["epoch"] == best_epoch
    return best[0].numpy(), best[1].numpy(), history


def _bins_of_split(regions: RegionEmbeddings, split: str) -> NDArray[np.bool_]:
    rows: NDArray[np.bool_] = regions.split == split
    if not rows.any():
        raise InputError(f"regions: none has the split '{split}'; a head needs training and validation regions")
    return rows


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


def whitening_of(embedding: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (dim,) and matrix (dim, dim) that turns centred embeddings into uncorrelated ones of variance 1.

    A floor under the variances keeps directions that hardly vary in the training bins from being blown up.
    """
    mean = embedding.mean(0, dtype=np.float64).astype(np.float32)
    centred = embedding - mean
    variances, directions = np.linalg.eigh((centred.T @ centred / len(centred)).astype(np.float64))
    floor = max(_VARIANCE_FLOOR * float(variances.mean()), _TINY)
    return mean, (directions / np.sqrt(np.maximum(variances, 0) + floor)).astype(np.float32)


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


def poisson_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean Poisson negative log likelihood, without its constant."""
    return (predicted - target * (predicted + _TINY).log()).mean()


def poisson_losses(predicted: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """As `poisson_loss`, track by track (tracks,), of (bins, tracks)."""
    losses: NDArray[np.float64] = (predicted - target * np.log(predicted + _TINY)).mean(0, dtype=np.float64)
    return losses
