"""Guided transfer learning: which weights of a backbone related problems move, and which they leave alone.

After Nikolic, Andric & Nikolic (2023, arXiv 2303.16154): scouts are trained from the same weights on easier or related
problems, here one track and the regions of one chromosome; the mean square of how far they moved a weight, brought to
0..1 within its tensor, is its guide. Training then goes a guide's share of each step.
"""

import dataclasses
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fineprior.foundation.files import atomic_path
from fineprior.foundation.settings import HeadSettings
from fineprior.model.training_loop import Plan, Task, reading, run

logger = logging.getLogger(__name__)


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
        `training.windows_task`.
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
    with reading(checkpoint / "scouts.pt"):
        found = torch.load(checkpoint / "scouts.pt", weights_only=True, map_location=device)
        return found["moved"], found["done"]


def _keep(checkpoint: Path | None, moved: dict[str, Tensor], done: int) -> None:
    if checkpoint is not None:
        with atomic_path(checkpoint / "scouts.pt", shared=True) as temporary:
            torch.save({"moved": moved, "done": done}, temporary)
