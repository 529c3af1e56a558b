"""Weights of configurations against their definition, and the sum over what was visited against all configurations."""

import itertools
import math

import numpy as np
import pytest

from configurations_by_hand import locus, log_weight
from fineprior.finemap.configurations import NEVER, Model, Visited, summed


def test_slices_are_the_weights_of_neighbours():
    z, R = locus(2, p=12)
    prior = np.full(12, 1 / 12)
    number = np.append(np.arange(5) * math.log(0.7), NEVER)
    model = Model(z, R, 25.0, np.log(prior), number)
    members = np.array([[1, 5, 12], [2, 3, 9]])  # 12 stands for none
    base, added = model.slices(members)
    for row, some in enumerate(([1, 5], [2, 3, 9])):
        for column, without in enumerate([[v for v in some if v != one] for one in some]):
            expected = log_weight(z, R, 25.0, prior, without) + number[len(without)]
            assert base[row, column] == pytest.approx(expected, abs=1e-9)
            for j in set(range(12)) - set(without):
                grown = log_weight(z, R, 25.0, prior, [*without, j]) + number[len(without) + 1]
                assert base[row, column] + added[row, column, j] == pytest.approx(grown, abs=1e-4)
            assert (added[row, column, without] < -1e20).all()
        assert base[row, -1] == pytest.approx(log_weight(z, R, 25.0, prior, some) + number[len(some)], abs=1e-9)
    assert base[0, 2] < -1e20  # a place that holds none


def visited(members, p=8):
    """What chains at some configurations have seen, with a prior of at most three causal variants."""
    z, R = locus(3, p=p, causal=2)
    number = np.append(np.zeros(4), NEVER)
    found = Visited(Model(z, R, 30.0, np.log(np.full(p, 1 / p)), number), np.append(np.arange(1, p + 1) ** 3 * 7, 0))
    rows = found.rows_of(np.array(members))
    for row in rows:
        found.halves[row] |= 3
    return z, R, found


def test_each_configuration_is_summed_once():
    """Two neighbours share most of their slices; from all pairs and triples of a small locus the sum is that of all."""
    p = 8
    states = [(*pair, p) for pair in itertools.combinations(range(p), 2)]
    z, R, found = visited([*states, *itertools.combinations(range(p), 3), (p, p, p)])
    prior = np.full(p, 1 / p)
    every = [c for k in range(4) for c in itertools.combinations(range(p), k)]
    weights = np.exp([log_weight(z, R, 30.0, prior, c) for c in every])
    result = summed(found)
    assert result.weight.sum() * np.exp(result.top) == pytest.approx(weights.sum(), rel=1e-4)
    pip = [sum(w for w, c in zip(weights, every, strict=True) if j in c) / weights.sum() for j in range(p)]
    np.testing.assert_allclose(result.pip(result.weight, p), pip, atol=1e-4)
    numbers = [sum(w for w, c in zip(weights, every, strict=True) if len(c) == k) / weights.sum() for k in range(4)]
    np.testing.assert_allclose(result.numbers(p, 3), numbers, atol=1e-4)
    assert result.met == pytest.approx(1)


def test_a_configuration_is_computed_once():
    _, _, found = visited([(1, 2, 8), (2, 1, 8), (1, 2, 8)])
    assert len(found.places) == len(found.rows) == 1


def test_without_prior_weight_there_is_no_mass():
    _, _, found = visited([(1, 8, 8)])
    result = summed(found)
    assert (result.pip(np.zeros(len(result.weight)), 8) == 0).all()
    assert math.isfinite(result.top)
