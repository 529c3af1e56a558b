"""The head: a map from embeddings to tracks, and its training on a frozen backbone in the default mode, linear."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.engine.embeddings import RegionEmbeddings
from fineprior.engine.tensor_files import read_header
from fineprior.files.errors import InputError
from fineprior.files.integrity import OPEN_SEAL, checked
from fineprior.files.whole import atomic_path
from fineprior.project.settings import HeadSettings

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)
METADATA, TRUNK = "fineprior", "trunk."
"""Of a head's file: its entry of metadata, and what stands before the names of the backbone's weights."""
_TINY = 1e-7
_VARIANCE_FLOOR = 1e-3


@dataclass(frozen=True)
class Head:
    """A trained head.

    Attributes
    ----------
    weight, bias
        float32 (tracks, dim) and (tracks,), for embeddings as the backbone gives them; (tracks, hidden) with a hidden
        layer.
    tracks
        Names.
    backbone, bin_size
        Digest of the backbone that makes its embeddings, width of its bins (bp). Where the head's training has changed
        the backbone, it is the digest of the changed one.
    hidden_weight, hidden_bias
        Of a hidden layer with ReLU, (hidden, dim) and (hidden,); empty (0, 0) and (0,) without one.
    trunk, base
        What training has changed of the backbone (see `model.tuned_backbone`), and the digest of the backbone before;
        empty for a head on the frozen backbone.
    other_strand
        For each track the number of the one that holds the other strand's signal; empty where each is its own.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    tracks: tuple[str, ...]
    backbone: str
    bin_size: int
    hidden_weight: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    hidden_bias: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    trunk: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    base: str = ""
    other_strand: tuple[int, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        arrays = (self.weight, self.bias, self.hidden_weight, self.hidden_bias, *self.trunk.values())
        return sum(array.size for array in arrays)

    def predict(self, embedding: NDArray[np.floating]) -> NDArray[np.floating]:
        """Signal (..., tracks) of embeddings (..., dim) by the backbone `backbone`, in their precision."""
        kind = embedding.dtype
        if len(self.hidden_bias):
            hidden = embedding @ self.hidden_weight.T.astype(kind) + self.hidden_bias.astype(kind)
            embedding = np.maximum(hidden, 0, out=hidden)
        signal: NDArray[np.floating] = embedding @ self.weight.T.astype(kind) + self.bias.astype(kind)
        return np.logaddexp(signal, 0, out=signal)


def train_head(
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
    import torch

    train, valid = (_rows(regions, split) for split in ("train", "valid"))
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
        weight, bias, history = _fit(
            (whitened[train], targets[train]), (whitened[valid], targets[valid]), start_bias, settings
        )
    finally:
        torch.set_num_threads(threads)
    folded = weight @ whitening.T
    head = Head(folded, (bias - folded @ mean).astype(np.float32), tuple(tracks), regions.backbone, regions.bin_size)
    return head, history


def _fit(
    train: tuple[NDArray[np.float32], NDArray[np.float32]],
    valid: tuple[NDArray[np.float32], NDArray[np.float32]],
    start_bias: NDArray[np.float64],
    settings: HeadSettings,
) -> tuple[NDArray[np.float32], NDArray[np.float32], pd.DataFrame]:
    """Weight, bias and history of the best epoch, on whitened embeddings."""
    import torch
    from torch.nn.functional import softplus

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
            loss = poisson_loss(softplus(embedding[rows] @ weight.T + bias), target[rows])
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


def poisson_loss(predicted: "Tensor", target: "Tensor") -> "Tensor":
    """Mean Poisson negative log likelihood, without its constant."""
    return (predicted - target * (predicted + _TINY).log()).mean()


def poisson_losses(predicted: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """As `poisson_loss`, track by track (tracks,), of (bins, tracks)."""
    losses: NDArray[np.float64] = (predicted - target * np.log(predicted + _TINY)).mean(0, dtype=np.float64)
    return losses


def pearson_r(predicted: NDArray[np.floating], observed: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson correlation over bins (tracks,) of two arrays (bins, tracks); NaN where one does not vary."""
    first, second = (array - array.mean(0, dtype=np.float64) for array in (predicted, observed))
    scale = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    correlation: NDArray[np.float64] = (first * second).sum(0) / np.where(scale > 0, scale, np.nan)
    return correlation


def write_head(head: Head, path: str | Path) -> None:
    """Write as safetensors; the same head gives the same bytes."""
    from safetensors.numpy import save

    # One entry: the library writes several in an order that changes from process to process.
    metadata = {"tracks": head.tracks, "backbone": head.backbone, "bin_size": head.bin_size, "seal": OPEN_SEAL}
    tensors = {"weight": head.weight, "bias": head.bias}
    if len(head.hidden_bias):
        tensors |= {"hidden_weight": head.hidden_weight, "hidden_bias": head.hidden_bias}
    if head.other_strand:
        metadata["other_strand"] = head.other_strand
    if head.base:
        metadata["base"] = head.base
        tensors |= {f"{TRUNK}{name}": value for name, value in head.trunk.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={METADATA: json.dumps(metadata)}))


def load_head(path: str | Path) -> Head:
    """Read a head.

    Raises
    ------
    InputError
        The file is absent, is no head of this program, or its parts do not fit one another.
    """
    from safetensors import safe_open

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    read_header(path, "a head written by fineprior")
    with checked(path, "a head written by fineprior"), safe_open(path, framework="numpy") as file:
        metadata = json.loads((file.metadata() or {})[METADATA])
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        weight, bias = found["weight"], found["bias"]
        tracks = tuple(metadata["tracks"])
        trunk = {name.removeprefix(TRUNK): value for name, value in found.items() if name.startswith(TRUNK)}
        hidden = {name: value for name, value in found.items() if name.startswith("hidden_")}
        pairs = tuple(metadata.get("other_strand", ()))
        head = Head(weight, bias, tracks, metadata["backbone"], int(metadata["bin_size"]), **hidden, trunk=trunk,
                    base=metadata.get("base", ""), other_strand=pairs)  # fmt: skip
    if weight.ndim != 2 or bias.shape != (len(tracks),) or len(weight) != len(tracks):
        raise InputError(f"{path}: weight {weight.shape} and bias {bias.shape} do not fit {len(tracks)} tracks")
    paired = not pairs or [pairs[other] for other in pairs if other in range(len(pairs))] == list(range(len(tracks)))
    if len(set(tracks)) < len(tracks) or head.bin_size < 1 or not isinstance(head.backbone, str) or not paired:
        raise InputError(f"{path}: tracks, their other strands, backbone or bin_size are not those of a head")
    for name, value in found.items():
        if not np.isfinite(value).all():
            raise InputError(f"{path}: '{name}' has values that are not finite")
    return head


def _rows(regions: RegionEmbeddings, split: str) -> NDArray[np.bool_]:
    rows: NDArray[np.bool_] = regions.split == split
    if not rows.any():
        raise InputError(f"regions: none has the split '{split}'; a head needs training and validation regions")
    return rows


def whitening_of(embedding: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (dim,) and matrix (dim, dim) that turns centred embeddings into uncorrelated ones of variance 1.

    A floor under the variances keeps directions that hardly vary in the training bins from being blown up.
    """
    mean = embedding.mean(0, dtype=np.float64).astype(np.float32)
    centred = embedding - mean
    variances, directions = np.linalg.eigh((centred.T @ centred / len(centred)).astype(np.float64))
    floor = max(_VARIANCE_FLOOR * float(variances.mean()), _TINY)
    return mean, (directions / np.sqrt(np.maximum(variances, 0) + floor)).astype(np.float32)
