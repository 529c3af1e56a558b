"""The loop of all trained models: it ends where it should, and a killed run ends like one that was not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fineprior.files.errors import InputError
from fineprior.heads import optimisation
from fineprior.heads.head import write_head
from fineprior.heads.training import train
from toy_training import NAMES, QUICK


def killed_after(monkeypatch, steps):
    taken = []
    original = optimisation._step

    def step(*arguments):
        taken.append(1)
        if len(taken) > steps:
            raise KeyboardInterrupt
        original(*arguments)

    monkeypatch.setattr(optimisation, "_step", step)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        ("mlp", 3),
        ("lora", 3),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [("full", 5), ("guided", 3), ("guided", 7)]),
    ],
)
def test_a_killed_run_ends_like_one_that_was_not(data, backbone, tmp_path, monkeypatch, mode, steps):
    settings = replace(QUICK, mode=mode, dropout=0.2, accumulate=2, batch_regions=2)
    whole, course = train(data, backbone, NAMES, settings, 1)
    monkeypatch.setattr(optimisation, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as context:
        killed_after(context, steps)
        with pytest.raises(KeyboardInterrupt):
            train(data, backbone, NAMES, settings, 1, checkpoint=tmp_path)
    again, resumed = train(data, backbone, NAMES, settings, 1, checkpoint=tmp_path)
    write_head(whole, tmp_path / "one")
    write_head(again, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert resumed.equals(course)


def test_a_checkpoint_of_another_training_is_refused(data, backbone, tmp_path):
    train(data, backbone, NAMES, replace(QUICK, mode="mlp", epochs=1), 1, checkpoint=tmp_path)
    with pytest.raises(InputError, match=r"head.pt: not a checkpoint of this training"):
        train(data, backbone, NAMES, replace(QUICK, mode="mlp", hidden=5), 1, checkpoint=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "changes"),
    [("lora", {"l2": 1.0}), ("mlp", {"l2": 1.0}), ("full", {"clip_norm": 1e-9}), ("full", {"dropout": 0.5})],
)
def test_each_setting_of_the_loop_counts(data, backbone, trained, mode, changes):
    _, before = trained[mode]
    _, after = train(data, backbone, NAMES, replace(QUICK, mode=mode, **changes), 1)
    assert after["valid_loss"].iloc[-1] != before["valid_loss"].iloc[-1]


def test_training_stops_when_nothing_gets_better():
    losses = iter([3.0, 2.0, 2.5, 2.5, 1.0, 1.0])
    weight = torch.nn.Parameter(torch.zeros(1))
    task = optimisation.Task({"w": weight}, {"w": 0.1}, np.arange(2), 1, lambda *_: (weight - 1).square().sum(),
                              lambda: 0 * weight.sum(), lambda: (next(losses), 0.0))  # fmt: skip
    records, best = optimisation.run(task, optimisation.Plan(6, 1, patience=2))
    assert [record["valid_loss"] for record in records] == [3.0, 2.0, 2.5, 2.5]
    assert best == 2
