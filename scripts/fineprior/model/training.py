"""Training of a head in any mode, on one path of data: windows and targets of regions, read as they are needed.

The modes linear and mlp train on embeddings of the frozen backbone, which are computed once. The others first train a
linear head on the embeddings of a sample of the regions (`freeze_epochs` passes), then go on with the head and what the
mode unfreezes of the backbone, at learning rates of their own; the head stays where it was if that is no better.
"""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import TUNING_MODES, BackboneSettings, HeadSettings
from fineprior.genetics.genome import UNKNOWN, reverse_complement
from fineprior.model import head as heads
from fineprior.model.backbone import EnformerBackbone
from fineprior.model.embeddings import RegionEmbeddings
from fineprior.model.evaluate_metrics import Agreement
from fineprior.model.guides import find_guides
from fineprior.model.head import Head
from fineprior.model.loading import load_enformer
from fineprior.model.readout import Readout, training_loss, training_statistics
from fineprior.model.training_loop import Plan, Record, Task, run
from fineprior.model.trunk import Trunk
from fineprior.model.tuned_backbone import tuned_digest
from fineprior.sequence.windows import one_hot

HEAD_SHARE = 0.1
"""Of `head.learning_rate`, for the head while the backbone is trained too: by then it has found its place."""
SAMPLE_BINS = 200_000
"""Bins, at most, whose embeddings a head is started on; their mean and covariance whiten all others."""

logger = logging.getLogger(__name__)


class Regions(Protocol):
    """What training reads of regions, a few rows at a time: arrays, or what reads files (`sequence.target_parts`).

    Attributes
    ----------
    codes
        Indexed by row numbers: uint8 (rows, length).
    targets
        Indexed by row numbers: float32 (rows, bins, tracks); a bin with NaN is left out.
    split
        (regions,) train, valid, test, or anything else for those that are left out.
    """

    @property
    def codes(self) -> Any: ...  # noqa: D102
    @property
    def targets(self) -> Any: ...  # noqa: D102
    @property
    def split(self) -> NDArray[np.str_]: ...  # noqa: D102


@dataclasses.dataclass(frozen=True)
class Tracks:
    """Names of tracks, their weights in the loss, and for each the track of the other strand (itself without one)."""

    names: tuple[str, ...]
    weights: NDArray[np.float32]
    other_strand: NDArray[np.int64]

    @classmethod
    def of(cls, names: Sequence[str], weights: Sequence[float] = (), pairs: Sequence[str] = ()) -> "Tracks":
        """Weights are brought to a mean of 1; `pairs` names the track of the other strand, "" for none.

        Raises
        ------
        InputError
            A track of the other strand is not among the tracks.
        """
        places = {name: index for index, name in enumerate(names)}
        other = np.arange(len(names))
        for index, pair in enumerate(pairs):
            if pair and pair not in places:
                raise InputError(f"track '{names[index]}': strand_pair '{pair}' is no track of the same head")
            other[index] = places[pair] if pair else index
        values = np.ones(len(names)) if not len(weights) else np.asarray(weights, np.float64)
        return cls(tuple(names), (values / values.mean()).astype(np.float32), other)


def train(
    data: Regions,
    backbone: BackboneSettings,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    *,
    embeddings: RegionEmbeddings | None = None,
    groups: NDArray[np.str_] | None = None,
    checkpoint: Path | None = None,
    threads: int = 1,
) -> tuple[Head, pd.DataFrame]:
    """Train a head in the mode of the settings.

    Parameters
    ----------
    embeddings
        Of all target bins of `data` by the frozen backbone, region by region; computed when there are none.
    groups
        (regions,) chromosomes, from which scouts take their regions; by order when there are none.
    checkpoint
        Folder for what a run that was killed goes on from; of the same input, for there is no other check.

    Returns
    -------
    Head and table HEAD_HISTORY, in which the passes with the frozen backbone come first. What `tuned.predict` says
    with it is for every mode the signal (regions, bins, tracks).

    Raises
    ------
    InputError
        No training or validation region, a track without signal, settings that the backbone does not fit, or training
        that diverges.
    """
    torch.set_num_threads(threads)
    if settings.mode not in TUNING_MODES:
        everything = np.arange(len(data.split))
        cached = embeddings or _embed(data, everything, backbone)
        bins = len(cached.start) // len(everything)
        return train_cached(cached, _flat(data, everything), bins, tracks, settings, seed, checkpoint)
    sample = _sample(data)
    cached = _rows_of(embeddings, sample, len(data.split)) if embeddings else _embed(data, sample, backbone)
    return _tune(data, backbone, cached, sample, tracks, settings, seed, groups, checkpoint)


def train_cached(
    regions: RegionEmbeddings,
    targets: NDArray[np.float32],
    bins: int,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    checkpoint: Path | None = None,
) -> tuple[Head, pd.DataFrame]:
    """Train a linear or mlp head on embeddings of the frozen backbone; targets (all bins, tracks), NaN if left out.

    `bins` is the number of bins of a region.
    """
    usable = np.isfinite(targets).all(1)
    plain = settings.mode != "mlp" and settings.loss == "poisson" and (tracks.weights == 1).all()
    if settings.loss == "poisson" and not usable.all():
        columns = {name: getattr(regions, name)[usable] for name in ("chrom", "start", "split", "embedding")}
        regions, targets = dataclasses.replace(regions, **columns), targets[usable]
    if plain:
        return heads.train_head(regions, targets, list(tracks.names), settings, seed)
    together = bins if settings.loss == "poisson_multinomial" else 1
    return _fit_readout(regions, targets, together, tracks, settings, seed, checkpoint)


def _fit_readout(
    regions: RegionEmbeddings,
    targets: NDArray[np.float32],
    bins: int,
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    checkpoint: Path | None,
) -> tuple[Head, pd.DataFrame]:
    """Train a readout on cached embeddings; `bins` of them stay together, those of a region with a multinomial loss."""
    mean, whitening, level = training_statistics(regions, targets, tracks.names)
    torch.manual_seed(seed)
    hidden = settings.hidden if settings.mode == "mlp" else 0
    readout = Readout(mean, whitening, level, hidden, settings.dropout)
    whitened = torch.from_numpy(((regions.embedding - mean) @ whitening).reshape(-1, bins, len(mean)))
    target = torch.from_numpy(targets.reshape(-1, bins, targets.shape[-1]))
    weights = torch.from_numpy(tracks.weights)
    split = regions.split[::bins]
    batch = max(1, settings.batch_bins // bins)

    def loss(rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        readout.train()
        return training_loss(readout.signal(whitened[rows]), target[rows], settings.loss, weights)

    def validate() -> tuple[float, float]:
        readout.eval()
        pieces = np.array_split(valid, -(-len(valid) // batch))
        return validation(((readout.signal(whitened[rows]), target[rows]) for rows in pieces), settings.loss, weights)

    valid = _of_split(split, "valid")
    parameters = dict(readout.named_parameters())
    task = Task(parameters, dict.fromkeys(parameters, settings.learning_rate), _of_split(split, "train"), batch, loss,
                lambda: readout.penalty(settings.l2), validate)  # fmt: skip
    plan = Plan(settings.epochs, seed, settings.patience)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        records, best = run(task, plan, checkpoint / "head.pt" if checkpoint else None)
    finally:
        torch.set_num_threads(threads)
    return readout.folded(tracks.names, regions.backbone, regions.bin_size), _history(records, best)


def _tune(
    data: Regions,
    backbone: BackboneSettings,
    sample: RegionEmbeddings,
    sampled: NDArray[np.int64],
    tracks: Tracks,
    settings: HeadSettings,
    seed: int,
    groups: NDArray[np.str_] | None,
    checkpoint: Path | None,
) -> tuple[Head, pd.DataFrame]:
    """Train the head on the frozen backbone, then both."""
    threads = torch.get_num_threads()
    enformer, digest = load_enformer(backbone)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    signal = _flat(data, sampled)
    readout = Readout(*training_statistics(sample, signal, tracks.names))
    first = pd.DataFrame()
    if settings.freeze_epochs:
        frozen = dataclasses.replace(settings, mode="linear", epochs=settings.freeze_epochs)
        head, first = train_cached(sample, signal, len(signal) // len(sampled), tracks, frozen, seed)
        readout.start_from(head)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    trunk = Trunk(enformer, settings).to(device)
    task = windows_task(data, trunk, readout.to(device), tracks, settings)
    if settings.mode == "guided":
        task = dataclasses.replace(task, guides=find_guides(data, trunk, readout, tracks, settings, seed, groups,
                                                            windows_task, checkpoint))  # fmt: skip
    plan = Plan(settings.epochs, seed, settings.patience, settings.warmup, settings.clip_norm, settings.accumulate,
                keep_start=bool(len(first)))  # fmt: skip
    records, best = run(task, plan, checkpoint / "trunk.pt" if checkpoint else None)
    change = trunk.change()
    head = readout.folded(tracks.names, tuned_digest(digest, change), sample.bin_size)
    head = dataclasses.replace(head, trunk=change, base=digest)
    kept = f"epoch {best} of them kept" if best else "none was better than the head on the frozen backbone"
    logger.info("%s: %d numbers trained; %s", settings.mode, head.parameters, kept)
    return head, _joined(first, records, best)


def windows_task(
    data: Regions, trunk: Trunk, readout: Readout, tracks: Tracks, settings: HeadSettings, only: int | None = None,
    rows: NDArray[np.int64] | None = None,
) -> Task:  # fmt: skip
    """Training through the backbone; of one track (`only`) and of some of the training regions (`rows`) for scouts."""
    device = readout.bias.device
    weights = torch.from_numpy(tracks.weights if only is None else np.eye(len(tracks.names), dtype=np.float32)[only])
    weights = weights.to(device)
    valid = _of_split(data.split, "valid")

    def signal(codes: NDArray[np.uint8]) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            embedding = trunk(torch.from_numpy(one_hot(codes)).to(device))
        return readout(embedding)

    def loss(rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        trunk.drop(dropping=True)
        codes, target = augmented(data.codes[rows], data.targets[rows], tracks.other_strand, settings, random)
        return training_loss(signal(codes), torch.from_numpy(target).to(device), settings.loss, weights)

    @torch.no_grad()
    def validate() -> tuple[float, float]:
        trunk.drop(dropping=False)
        pieces = np.array_split(valid, -(-len(valid) // settings.batch_regions))
        found = ((signal(data.codes[rows]), torch.from_numpy(data.targets[rows]).to(device)) for rows in pieces)
        return validation(found, settings.loss, weights)

    own = {f"head.{name}": weight for name, weight in readout.named_parameters()}
    rates = dict.fromkeys(own, HEAD_SHARE * settings.learning_rate)
    rates |= dict.fromkeys(trunk.trained, settings.trunk_learning_rate)
    chosen = _of_split(data.split, "train") if rows is None else rows
    return Task(own | trunk.trained, rates, chosen, settings.batch_regions, loss,
                lambda: readout.penalty(settings.l2), validate)  # fmt: skip


def augmented(
    codes: NDArray[np.uint8],
    targets: NDArray[np.float32],
    other_strand: NDArray[np.int64],
    settings: HeadSettings,
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Windows moved by some bases and turned to the other strand, each by chance, with their targets.

    What moves in at an end is unknown (N); moved targets stay, for a shift is far less than a bin. On the other strand
    bins run backwards and tracks that are a strand's become those of the other.
    """
    codes, targets = codes.copy(), targets.copy()
    shifts = random.integers(-settings.augment_shift, settings.augment_shift + 1, len(codes))
    turned = random.random(len(codes)) < 0.5
    for row, shift in enumerate(shifts.tolist()):
        if shift:
            codes[row] = np.roll(codes[row], shift)
            codes[row, slice(0, shift) if shift > 0 else slice(shift, None)] = UNKNOWN
        if settings.augment_rc and turned[row]:
            codes[row] = reverse_complement(codes[row])
            targets[row] = targets[row, ::-1][:, other_strand]
    return codes, targets


@torch.no_grad()
def validation(pieces: Any, kind: str, weights: Tensor) -> tuple[float, float]:
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
    correlations = agreement.pearson_r
    known = correlations[np.isfinite(correlations)]
    return total / max(count, 1), float(known.mean()) if len(known) else float("nan")


def _of_split(split: NDArray[np.str_], name: str) -> NDArray[np.int64]:
    rows = np.flatnonzero(split == name)
    if not len(rows):
        raise InputError(f"regions: none has the split '{name}'; a head needs training and validation regions")
    return rows


def _sample(data: Regions) -> NDArray[np.int64]:
    """Training and validation regions, evenly spaced, with no more than `SAMPLE_BINS` bins."""
    bins = data.targets[np.array([0])].shape[1]
    rows = []
    for name, share in (("train", 0.8), ("valid", 0.2)):
        found = _of_split(data.split, name)
        rows.append(found[:: max(1, -(-len(found) * bins // int(share * SAMPLE_BINS)))])
    return np.sort(np.concatenate(rows))


def _flat(data: Regions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    targets: NDArray[np.float32] = data.targets[rows]
    return targets.reshape(-1, targets.shape[-1])


def _embed(data: Regions, rows: NDArray[np.int64], settings: BackboneSettings) -> RegionEmbeddings:
    """Embeddings of regions by the frozen backbone; their places on a chromosome are not known here."""
    model = EnformerBackbone(*load_enformer(settings), settings)
    bins = model.target_bins
    embedding = np.empty((len(rows), bins, model.dim), np.float32)
    for start in range(0, len(rows), 64):
        part = slice(start, start + 64)
        embedding[part] = model.embed(torch.from_numpy(one_hot(data.codes[rows[part]]))).numpy()
    # Regions lie far apart, so that none is taken for the continuation of another.
    places = (rows[:, None] * 2 * bins + np.arange(bins)) * model.bin_size
    return RegionEmbeddings(np.full(len(rows) * bins, ""), places.ravel(), np.repeat(data.split[rows], bins),
                            embedding.reshape(-1, model.dim), model.digest, model.bin_size)  # fmt: skip


def _rows_of(embeddings: RegionEmbeddings, rows: NDArray[np.int64], regions: int) -> RegionEmbeddings:
    """Embeddings of some regions."""
    bins = len(embeddings.start) // regions
    chosen = (rows[:, None] * bins + np.arange(bins)).ravel()
    columns = {name: getattr(embeddings, name)[chosen] for name in ("chrom", "start", "split", "embedding")}
    return dataclasses.replace(embeddings, **columns)


def _history(records: list[Record], best: int) -> pd.DataFrame:
    history = pd.DataFrame(records)
    history["best"] = history["epoch"] == best
    return history


def _joined(first: pd.DataFrame, records: list[Record], best: int) -> pd.DataFrame:
    """Table HEAD_HISTORY of both stages; the second goes on counting epochs."""
    second = _history(records, best)
    if not len(first):
        return second
    if best:
        first = first.assign(best=False)
    second["epoch"] += len(first)
    return pd.concat([first, second], ignore_index=True)
