"""Training of a head in any mode, on one path of data: windows and targets of regions, read as they are needed.

The modes linear and mlp train on embeddings of the frozen backbone, which are computed once. The others first train a
linear head on the embeddings of a sample of the regions (`freeze_epochs` passes), then go on with the head and what the
mode unfreezes of the backbone, at learning rates of their own; the head stays where it was if that is no better.

The mode guided is guided transfer learning after Nikolic, Andric & Nikolic (2023, arXiv 2303.16154): scouts are trained
from the same weights on easier or related problems, here one track and the regions of one chromosome; the mean square
of how far they moved a weight, brought to 0..1 within its tensor, is its guide. Training then goes a guide's share of
each step.
"""

import dataclasses
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.engine.loading import load_enformer, load_torch
from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import UNKNOWN, reverse_complement
from fineprior.heads.head import Head
from fineprior.heads.optimisation import Plan, Record, Task, reading_checkpoint, run
from fineprior.heads.readout import (
    Readout,
    history_of,
    train_cached,
    train_frozen,
    training_loss,
    training_statistics,
    validation,
)
from fineprior.heads.training_regions import (
    Regions,
    Tracks,
    embed_rows,
    embeddings_of,
    flat_targets,
    rows_of_split,
    sample_of,
)
from fineprior.heads.trunk import Trunk, tuned_digest
from fineprior.project.settings import TUNING_MODES, BackboneSettings, HeadSettings
from fineprior.sequence.windows import one_hot

HEAD_SHARE = 0.1
"""Of `head.learning_rate`, for the head while the backbone is trained too: by then it has found its place."""

logger = logging.getLogger(__name__)


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
    Head and table HEAD_HISTORY, in which the passes with the frozen backbone come first. What `trunk.predict` says
    with it is for every mode the signal (regions, bins, tracks).

    Raises
    ------
    InputError
        No training or validation region, a track without signal, settings that the backbone does not fit, or training
        that diverges.
    """
    torch.set_num_threads(threads)
    if settings.mode not in TUNING_MODES:
        cached = embeddings or embed_rows(data, np.arange(len(data.split)), backbone)
        head, history = train_frozen(data, cached, tracks, settings, seed, checkpoint)
        return dataclasses.replace(head, other_strand=tracks.pairs), history
    sample = sample_of(data)
    cached = embeddings_of(embeddings, sample, len(data.split)) if embeddings else embed_rows(data, sample, backbone)
    return _tune(data, backbone, cached, sample, tracks, settings, seed, groups, checkpoint)


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
    signal = flat_targets(data, sampled)
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
    head = dataclasses.replace(head, trunk=change, base=digest, other_strand=tracks.pairs)
    kept = f"epoch {best} of them kept" if best else "none was better than the head on the frozen backbone"
    logger.info("%s: %d numbers trained; %s", settings.mode, head.parameters, kept)
    return head, _joined(first, records, best)


def windows_task(
    data: Regions, trunk: Trunk, readout: Readout, tracks: Tracks, settings: HeadSettings, only: int | None = None,
    rows: NDArray[np.int64] | None = None,
) -> Task:  # fmt: skip
    """Training through the backbone; of one track (`only`) and of some of the training regions (`rows`) for scouts."""
    device = readout.bias.device
    weights = torch.tensor(tracks.weights if only is None else np.eye(len(tracks.names), dtype=np.float32)[only])
    weights = weights.to(device)
    valid = rows_of_split(data.split, "valid")

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
    chosen = rows_of_split(data.split, "train") if rows is None else rows
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


def _joined(first: pd.DataFrame, records: list[Record], best: int) -> pd.DataFrame:
    """Table HEAD_HISTORY of both stages; epochs are counted through."""
    second = history_of(records, best)
    if not len(first):
        return second
    if best:
        first = first.assign(best=False)
    second["epoch"] += len(first)
    return pd.concat([first, second], ignore_index=True)


def find_guides(
    data: Any,
    trunk: Any,
    readout: Any,
    tracks: Any,
    settings: HeadSettings,
    seed: int,
    groups: NDArray[np.str_] | None,
    make_task: Callable[..., Task],
    checkpoint: Path | None,
) -> dict[str, Tensor]:
    """Guides, 0 to 1, of the backbone's weights by name; the head has none and learns at full speed.

    Each scout passes once over the training regions of one chromosome (`groups`), with the loss of one track; without
    chromosomes to choose from it is a stretch of the list. The weights are afterwards what they were before.

    Parameters
    ----------
    make_task
        `windows_task`.
    checkpoint
        Folder that finished scouts are kept in.
    """
    start = {name: weight.detach().clone() for name, weight in make_task(data, trunk, readout, tracks,
                                                                           settings).parameters.items()}  # fmt: skip
    names = list(trunk.trained)
    moved, done = _finished(checkpoint, {name: torch.zeros_like(start[name]) for name in names})
    parts = _parts(data.split, groups, settings.scouts)
    for scout in range(done, settings.scouts):
        # Where one number divides the other, turns alone would always pair the same track and chromosome.
        turn = scout + scout // math.lcm(len(tracks.names), len(parts))
        track, rows = scout % len(tracks.names), parts[turn % len(parts)]
        logger.info("scout %d of %d: track %s, %d regions", scout + 1, settings.scouts, tracks.names[track], len(rows))
        task = make_task(data, trunk, readout, tracks, settings, track, rows)
        # A scout is not chosen among epochs: what counts is where it went.
        task = dataclasses.replace(task, validate=lambda: (0.0, 0.0))
        run(task, Plan(1, seed + 1 + scout, 1, settings.warmup, settings.clip_norm, settings.accumulate))
        with torch.no_grad():
            for name in names:
                moved[name] += (task.parameters[name] - start[name]).square()
            for name, weight in task.parameters.items():
                weight.copy_(start[name])
        _keep(checkpoint, moved, scout + 1)
    return {name: normalised(total / settings.scouts) for name, total in moved.items()}


def normalised(moved: Tensor) -> Tensor:
    """Mean squared movements of a tensor's weights, brought to 0..1; 1 where all moved alike."""
    low, high = moved.min(), moved.max()
    if not high > low:
        return torch.ones_like(moved)
    return (moved - low) / (high - low)


def _parts(split: NDArray[np.str_], groups: NDArray[np.str_] | None, scouts: int) -> list[NDArray[np.int64]]:
    """Training regions of each chromosome, or equal stretches of them where there is one chromosome only."""
    train = np.flatnonzero(split == "train")
    if groups is not None and len(found := np.unique(groups[train])) > 1:
        return [train[groups[train] == name] for name in found]
    return np.array_split(train, min(scouts, len(train)))


def _finished(checkpoint: Path | None, empty: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    if checkpoint is None or not (checkpoint / "scouts.pt").is_file():
        return empty, 0
    device = next(iter(empty.values())).device
    with reading_checkpoint(checkpoint / "scouts.pt"):
        found = load_torch(checkpoint / "scouts.pt", device)
        return found["moved"], found["done"]


def _keep(checkpoint: Path | None, moved: dict[str, Tensor], done: int) -> None:
    if checkpoint is not None:
        with atomic_path(checkpoint / "scouts.pt", shared=True) as temporary:
            torch.save({"moved": moved, "done": done}, temporary)
