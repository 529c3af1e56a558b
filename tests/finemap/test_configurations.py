"""Weights of configurations against their definition, and the sum over what was visited against all configurations."""

import itertools
import math

import numpy as np
import pytest

from configurations_by_hand import locus, log_weight
from fineprior.finemap import configurations
from fineprior.finemap.configurations import NEVER, Model, Visited, summed


def test_slices_are_the_weights_of_neighbours():
    z, R = locus(2, p=12)
    prior = np.full(12, 1 / 12)
    number = np.append(np.arange(5) * math.log(0.7), NEVER)
    model = Model(z, R, 25.0, np.log(prior), number)
    members = np.array([[1, 5, 12], [2, 3, 9]])  # 12 stands for none
    base, all_added = model.slices(members)
    added = all_added.reshape(2, 4, 12)
    wanted = np.array([[False, True, False, True], [True, False, False, False]])
    np.testing.assert_allclose(model.slices(members, wanted)[1], added[wanted], rtol=1e-6)
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


def visited(members, p=8, most=3):
    """What chains at some configurations have seen."""
    z, R = locus(3, p=p, causal=2)
    number = np.append(np.zeros(most + 2), NEVER)
    keys = np.append(np.random.default_rng(1).integers(1, 2**62, p), 0)
    found = Visited(Model(z, R, 30.0, np.log(np.full(p, 1 / p)), number), keys)
    for slices in found.slices_of(np.array(members)):
        found.flags[slices] |= 3
    return z, R, found


def by_hand(z, R, some, p=8):
    return np.exp([log_weight(z, R, 30.0, np.full(p, 1 / p), c) for c in some])


def test_each_configuration_is_summed_once():
    """Two neighbours share most of their slices; from all pairs and triples of a small locus the sum is that of all."""
    p = 8
    states = [(*pair, p) for pair in itertools.combinations(range(p), 2)]
    z, R, found = visited([*states, *itertools.combinations(range(p), 3), (p, p, p)])
    every = [c for k in range(4) for c in itertools.combinations(range(p), k)]
    weights = by_hand(z, R, every)
    result = summed(found)
    assert result.weight.sum() * np.exp(result.top) == pytest.approx(weights.sum(), rel=1e-4)
    pip = [sum(w for w, c in zip(weights, every, strict=True) if j in c) / weights.sum() for j in range(p)]
    np.testing.assert_allclose(result.pip(result.weight, p), pip, atol=1e-4)
    numbers = [sum(w for w, c in zip(weights, every, strict=True) if len(c) == k) / weights.sum() for k in range(4)]
    np.testing.assert_allclose(result.numbers(p, 3), numbers, atol=1e-4)
    assert result.met == pytest.approx(1)


def test_what_is_shared_is_computed_once(monkeypatch):
    rows = []
    computed = Model.slices

    def counted(self, members, wanted=None):
        base, added = computed(self, members, wanted)
        rows.append(len(added))
        return base, added

    monkeypatch.setattr(Model, "slices", counted)
    # {1, 2} has the slices of {1}, {2} and itself; {1, 3} adds those of {3} and itself.
    _, _, found = visited([(1, 2, 8), (2, 1, 8), (1, 3, 8), (1, 2, 8)])
    assert sum(rows) == found.count == 5
    assert len(found.of) == 2
    found.slices_of(np.array([(1, 2, 8)]))
    assert sum(rows) == 5


def test_larger_configurations_are_passed_through_and_do_not_count():
    z, R, found = visited([(1, 2, 3), (1, 2, 8), (8, 8, 8)], most=2)
    result = summed(found)
    pairs = [c for c in itertools.combinations(range(8), 2) if {1, 2, 3} & set(c)]
    some = [(), *((j,) for j in range(8)), *(c for c in pairs if {1, 2} & set(c))]
    assert result.weight.sum() * np.exp(result.top) == pytest.approx(by_hand(z, R, some).sum(), rel=1e-4)
    assert result.numbers(8, 2).sum() == pytest.approx(1)


def test_the_heaviest_configurations_are_followed(monkeypatch):
    """From none alone all single variants are seen; then all pairs that hold one of the two heaviest."""
    monkeypatch.setattr(configurations, "CUT", 100.0)  # none is too light
    monkeypatch.setattr(configurations, "LEAST", 100.0)
    z, R, found = visited([(8, 8, 8)])
    one = summed(found)
    assert one.numbers(8, 3)[2:].sum() == 0
    singles = by_hand(z, R, [(j,) for j in range(8)])
    found.close(one, 2)
    best = set(np.argsort(-singles)[:2].tolist())
    pairs = [c for c in itertools.combinations(range(8), 2) if best & set(c)]
    every = by_hand(z, R, [(), *((j,) for j in range(8)), *pairs])
    result = summed(found)
    assert result.weight.sum() * np.exp(result.top) == pytest.approx(every.sum(), rel=1e-4)
    assert result.met == pytest.approx(1)  # of what chains have met: what was followed is neither half's


def test_like_keys_come_together():
    rng = np.random.default_rng(1)
    keys = rng.integers(-(2**62), 2**62, 50)[rng.integers(0, 50, 1000)]
    order, starts = configurations._together(keys)
    assert sorted(order.tolist()) == list(range(1000))
    assert len(starts) == len(np.unique(keys))
    for group in np.split(order, starts[1:]):
        assert len(set(keys[group].tolist())) == 1
        assert (np.diff(group) > 0).all()


def test_without_prior_weight_there_is_no_mass():
    _, _, found = visited([(1, 8, 8)])
    result = summed(found)
    assert (result.pip(np.zeros(len(result.weight)), 8) == 0).all()
    assert math.isfinite(result.top)
