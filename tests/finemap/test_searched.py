"""Sets of a search get the names and Bayes factors of SuSiE's effects, their purity, and a further coverage."""

from dataclasses import dataclass

import numpy as np
import pytest

from fineprior.finemap.correlation import Correlation
from fineprior.finemap.search import SearchedSet
from fineprior.finemap.searched import searched_of

R = np.eye(8)
for one, other, r in ((0, 1, 0.9), (0, 2, 0.8), (1, 2, 0.7), (4, 5, 0.95), (6, 7, 0.6)):
    R[one, other] = R[other, one] = r
ALPHA = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.5, 0.4, 0.1, 0.0],
        [0.6, 0.3, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0],
        [0.125] * 8,
    ]
)
V, LBF = np.array([0.01, 0.02, 0.0]), np.log(10) * np.array([5.0, 7.0, 9.0])


@dataclass
class Found:
    """What a search returns; sets by coverage."""

    by_coverage: dict
    pip: np.ndarray = None
    log_evidence: float = 3.0
    numbers: np.ndarray = None
    gap: float = 0.02
    agreed: bool = False

    def __post_init__(self):
        self.pip = np.linspace(0, 0.7, 8)
        self.numbers = np.array([0.1, 0.2, 0.7])

    def sets(self, coverage, min_abs_corr, most):
        assert (min_abs_corr, most) == (0.5, 12)
        return tuple(SearchedSet(np.array(rows), reached) for rows, reached in self.by_coverage[coverage])


def made(main, wider=(), further=0.99):
    found = Found({0.95: main, 0.99: wider})
    return searched_of(found, ALPHA, V, LBF, Correlation.from_matrix(R, 8), coverage=0.95, further_coverage=further,
                    min_abs_corr=0.5)  # fmt: skip


def test_sets_are_named_after_the_effects_that_they_hold():
    sets = made([([0, 1], 0.96), ([4, 5], 0.97), ([6, 7], 0.98)]).sets
    assert [(one.name, one.variables.tolist(), one.coverage) for one in sets.sets] == [
        ("L1", [4, 5], 0.97), ("L2", [0, 1], 0.96), ("L4", [6, 7], 0.98),
    ]  # fmt: skip
    assert [one.log10_bayes_factor for one in sets.sets[:2]] == pytest.approx([5, 7])
    assert np.isnan(sets.sets[2].log10_bayes_factor)


def test_sets_are_in_the_order_of_their_purity():
    sets = made([([6, 7], 0.98), ([0, 1, 2], 0.96), ([4, 5], 0.97)]).sets
    assert [one.purity.min_abs_corr for one in sets.sets] == pytest.approx([0.95, 0.7, 0.6])
    assert sets.sets[1].purity.mean_abs_corr == pytest.approx(0.8)


def test_an_effect_names_one_set_that_with_most_of_it():
    names = {tuple(one.variables): one.name for one in made([([5], 0.95), ([4], 0.99)]).sets.sets}
    assert names == {(4,): "L1", (5,): "L4"}


def test_an_effect_without_variance_names_none():
    assert made([([2, 3, 6, 7], 1.0)]).sets.sets[0].name == "L4"  # it holds half of the third effect, which is none


def test_further_sets_are_those_of_the_same_signals():
    found = made([([0, 1], 0.96), ([4, 5], 0.97)], [([6, 7], 0.99), ([5, 4, 7], 0.992), ([1, 2, 0], 0.991)])
    assert [(one.name, one.variables.tolist()) for one in found.further.sets] == [("L1", [5, 4, 7]), ("L2", [1, 2, 0])]
    assert found.further.sets[0].log10_bayes_factor == pytest.approx(5)
    assert found.further.requested_coverage == 0.99


def test_a_set_without_a_wider_one_has_none():
    found = made([([0, 1], 0.96), ([4, 5], 0.97)], [([1, 2], 0.99)])
    assert [one.name for one in found.further.sets] == ["L2"]
    assert not made([([0, 1], 0.96)], [([0, 1], 0.99)], further=0.0).further.sets


def test_without_sets_it_says_why_and_what_is_expected():
    found = made([])
    assert not found.sets
    assert found.expected_causal == pytest.approx(1.6)
    assert "|r| >= 0.5" in found.sets.reason
    assert "0.95" in found.sets.reason
    assert "expects 1.6 causal" in found.sets.reason
