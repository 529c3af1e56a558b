"""The loop that all trained models but the linear head go through: schedule, clipping, early stopping, resuming.

What is random in a step - the order of the regions, augmentation, dropout - is drawn from seeds of the epoch and the
step, so that a run that was killed goes on from its last checkpoint as if nothing had happened.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fineprior.engine.loading import load_torch
from fineprior.files.errors import InputError
from fineprior.files.integrity import check_shared
from fineprior.files.logs import Progress
from fineprior.files.reading import reading
from fineprior.files.whole import atomic_path, shared_folder

CHECKPOINT_SECONDS = 600.0
Record = dict[str, float]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What is trained and on what.

    Attributes
    ----------
    parameters
        By name.
    rates
        Learning rate of each.
    rows
        Training rows (regions or bins).
    batch
        Rows in one forward pass.
    loss
        Mean loss of some rows; the generator draws what is random in it.
    penalty
        Added to the loss once a step.
    validate
        Loss and mean Pearson r on the validation rows.
    guides
        Share of a step that each weight goes, by name (see `training`); 1 for parameters without one.
    """

    parameters: dict[str, nn.Parameter]
    rates: dict[str, float]
    rows: NDArray[np.int64]
    batch: int
    loss: Callable[[NDArray[np.int64], np.random.Generator], Tensor]
    penalty: Callable[[], Tensor]
    validate: Callable[[], tuple[float, float]]
    guides: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How training goes; the fields are those of `HeadSettings`."""

    epochs: int
    seed: int
    patience: int = 5
    warmup: int = 0
    clip_norm: float = 0.0
    accumulate: int = 1
    keep_start: bool = False
    """Whether the start counts when the best epoch is chosen."""


@dataclass
class _State:
    epoch: int = 1
    batch: int = 0
    total: float = 0.0
    best: float = math.inf
    best_epoch: int = 0
    records: list[Record] = field(default_factory=list)
    kept: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def checkpoint_folder(root: Path, made_of: Any) -> Iterator[Path]:
    """A folder below `root` for the checkpoints of one training; it goes when the last job in it ends without an error.

    Parameters
    ----------
    made_of
        All that the training depends on, as plain values; another training has another folder.
    """
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    with shared_folder(root / name) as folder:
        yield folder


@contextmanager
def reading_checkpoint(path: Path) -> Iterator[None]:
    """Turn any error in reading a checkpoint into an InputError that names the file and the remedy."""
    with reading(path, "a checkpoint of this training", "remove it to start again"):
        check_shared(path)
        yield


def run(task: Task, plan: Plan, checkpoint: Path | None = None) -> tuple[list[Record], int]:
    """Train; the parameters end with the values of the epoch with the smallest validation loss.

    Adam with a linear warm-up and a cosine decay; the gradient of `accumulate` batches makes one step.

    Parameters
    ----------
    checkpoint
        File that is written after each epoch and every ten minutes, and that training goes on from if it is there.

    Returns
    -------
    Records with epoch, train_loss, valid_loss and valid_pearson_r, and the epoch that was kept (0 is the start).

    Raises
    ------
    InputError
        Training diverged, or the checkpoint is of another training.
    """
    batches = -(-len(task.rows) // task.batch)
    steps = -(-batches // plan.accumulate)
    groups = [{"params": [weight], "lr": task.rates[name]} for name, weight in task.parameters.items()]
    optimiser = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _share(plan, steps))
    state = _resume(task, optimiser, schedule, checkpoint)
    if not state.kept:
        state.kept = _copy(task)
        if plan.keep_start:
            state.best = task.validate()[0]
    while state.epoch <= plan.epochs and state.epoch - 1 - state.best_epoch < plan.patience:
        _epoch(task, plan, optimiser, schedule, state, checkpoint)
        loss, r = task.validate()
        if not math.isfinite(loss):
            raise InputError(
                f"head.learning_rate or head.trunk_learning_rate: training diverged in epoch {state.epoch}; lower them"
            )
        state.records.append({"epoch": state.epoch, "train_loss": state.total / len(task.rows), "valid_loss": loss,
                              "valid_pearson_r": r})  # fmt: skip
        logger.info("epoch %d: valid loss %.5f, r %.4f", state.epoch, loss, r)
        if loss <= state.best:
            state.best, state.best_epoch, state.kept = loss, state.epoch, _copy(task)
        state.epoch, state.batch, state.total = state.epoch + 1, 0, 0.0
        _save(task, optimiser, schedule, state, checkpoint)
    with torch.no_grad():
        for name, weight in task.parameters.items():
            weight.copy_(state.kept[name])
    return state.records, state.best_epoch


def _epoch(task: Task, plan: Plan, optimiser: Any, schedule: Any, state: _State, checkpoint: Path | None) -> None:
    """The rest of an epoch."""
    order = np.random.default_rng([plan.seed, state.epoch]).permutation(task.rows)
    batches = -(-len(order) // task.batch)
    progress = Progress(batches - state.batch, f"batches of epoch {state.epoch}")
    weights = list(task.parameters.values())
    spoken = time.monotonic()
    while state.batch < batches:
        together = min(plan.accumulate, batches - state.batch)
        optimiser.zero_grad()
        torch.autograd.backward([task.penalty()])
        for _ in range(together):
            rows = order[state.batch * task.batch : (state.batch + 1) * task.batch]
            random = np.random.default_rng([plan.seed, state.epoch, state.batch])
            torch.manual_seed(int(random.integers(2**31)))
            loss = task.loss(rows, random)
            torch.autograd.backward([loss / together])
            state.total += float(loss.detach()) * len(rows)
            state.batch += 1
        if plan.clip_norm:
            nn.utils.clip_grad_norm_(weights, plan.clip_norm)
        _step(task, optimiser)
        schedule.step()
        progress.advance(together)
        if time.monotonic() - spoken >= CHECKPOINT_SECONDS:
            spoken = time.monotonic()
            _save(task, optimiser, schedule, state, checkpoint)


@torch.no_grad()
def _step(task: Task, optimiser: Any) -> None:
    """A step of the optimiser, of which guided weights only go their share.

    Scaling the gradient instead would all but cancel: Adam divides by the gradient's own size.
    """
    before = {name: task.parameters[name].detach().clone() for name in task.guides}
    optimiser.step()
    for name, guide in task.guides.items():
        weight = task.parameters[name]
        weight.copy_(torch.lerp(before[name], weight, guide))


def _share(plan: Plan, steps: int) -> Callable[[int], float]:
    """Of the learning rate, by step."""
    total = max(plan.epochs * steps, 1)

    def share(step: int) -> float:
        return min(1.0, (step + 1) / (plan.warmup + 1)) * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))

    return share


def _copy(task: Task) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in task.parameters.items()}


def _save(task: Task, optimiser: Any, schedule: Any, state: _State, checkpoint: Path | None) -> None:
    if checkpoint is None:
        return
    with atomic_path(checkpoint, shared=True) as temporary:
        torch.save(vars(state) | {"weights": _copy(task), "optimiser": optimiser.state_dict(),
                                  "schedule": schedule.state_dict()}, temporary)  # fmt: skip


def _resume(task: Task, optimiser: Any, schedule: Any, checkpoint: Path | None) -> _State:
    if checkpoint is None or not checkpoint.is_file():
        return _State()
    with reading_checkpoint(checkpoint):
        found = load_torch(checkpoint)
        with torch.no_grad():
            for name, weight in task.parameters.items():
                weight.copy_(found["weights"][name])
        optimiser.load_state_dict(found["optimiser"])
        schedule.load_state_dict(found["schedule"])
        state = _State(**{name: found[name] for name in vars(_State())})
    logger.info("continuing from %s: epoch %d, batch %d", checkpoint, state.epoch, state.batch)
    return state
