import numpy as np
import torch
from torch import nn

from fineprior.heads.optimisation import Plan, Task, run
from fineprior.heads.training import find_guides, normalised
from fineprior.project.settings import HeadSettings


def test_movements_become_guides_within_a_tensor():
    found = normalised(torch.tensor([[1.0, 3.0], [2.0, 5.0]]))
    assert found.tolist() == [[0.0, 0.5], [0.25, 1.0]]
    assert normalised(torch.zeros(3)).tolist() == [1.0, 1.0, 1.0]


def task_of(weight, goal):
    def loss(rows, random):
        return (weight - goal).square().sum()

    return Task({"w": weight}, {"w": 0.1}, np.arange(8), 1, loss, lambda: 0 * weight.sum(), lambda: (float("inf"), 0.0))


def test_the_update_is_scaled_and_not_the_gradient():
    """Adam's steps hardly know the size of a gradient, so that a scaled one would not slow a weight down."""
    moved = []
    for guides in ({}, {"w": torch.tensor([0.0, 0.1, 1.0])}):
        weight = nn.Parameter(torch.zeros(3))
        task = task_of(weight, torch.full((3,), 100.0))
        steps = Task(**vars(task) | {"guides": guides, "validate": lambda: (0.0, 0.0)})
        run(steps, Plan(1, 1))
        moved.append(weight.detach().numpy().copy())
    assert np.allclose(moved[1] / moved[0], [0.0, 0.1, 1.0], atol=0.01)


class Weights:
    def __init__(self):
        self.w = nn.Parameter(torch.zeros(2))
        self.trained = {"w": self.w}


class Data:
    split = np.repeat(["train", "valid"], [6, 2])


def test_scouts_take_tracks_and_chromosomes_in_turn_and_leave_no_trace():
    seen = []
    trunk = Weights()

    def make_task(data, network, readout, tracks, settings, only=None, rows=None):
        if only is not None:
            seen.append((only, rows.tolist()))
        task = task_of(network.w, torch.tensor([1.0 + (only or 0), 0.0]))
        return Task(**vars(task) | {"rows": np.arange(3) if rows is None else rows})

    class Tracks:
        names = ("one", "two")

    settings = HeadSettings(mode="guided", scouts=4, warmup=0)
    chroms = np.array(["chr1", "chr2", "chr1", "chr3", "chr3", "chr2", "chr9", "chr9"])
    guides = find_guides(Data, trunk, None, Tracks, settings, 1, chroms, make_task, None)
    assert seen == [(0, [0, 2]), (1, [1, 5]), (0, [3, 4]), (1, [0, 2])]
    assert guides["w"].tolist() == [1.0, 0.0]
    assert trunk.w.tolist() == [0.0, 0.0]
    # As many tracks as chromosomes: in the second round each track meets another chromosome.
    seen.clear()
    find_guides(Data, trunk, None, Tracks, settings, 1, np.repeat(["chr1", "chr2"], [3, 5]), make_task, None)
    assert seen == [(0, [0, 1, 2]), (1, [3, 4, 5]), (0, [3, 4, 5]), (1, [0, 1, 2])]
