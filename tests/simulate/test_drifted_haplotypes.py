"""Haplotypes after drift: phases, descent with crossovers, people of two haplotypes."""

import numpy as np
import pytest

from fineprior.simulate.drifted_haplotypes import PairedHaplotypes, descend, lineages_of, one_haplotype


@pytest.mark.parametrize("fst", [1e-4, 0.0006, 0.005, 0.05, 0.19])
def test_haplotypes_and_generations_make_the_fst(fst):
    haplotypes, generations = lineages_of(fst)
    assert (1 - (1 - 1 / haplotypes) ** generations) / 2 == pytest.approx(fst, rel=0.03)
    assert haplotypes <= 5_001
    assert 1 <= generations <= 10


@pytest.mark.slow
def test_shares_of_founders_are_those_of_wright_and_fisher_and_distance_parts_them():
    """The mean sum of squares of the shares after g - 1 draws; far variants have other founders as often as crossed."""
    fst, rng = 0.02, np.random.default_rng(2)
    haplotypes, generations = lineages_of(fst)
    positions = np.array([0, 1, 50_000])
    squares, parted = [], []
    for _ in range(40):
        founding = descend(positions, fst, rng)
        assert founding.shape == (haplotypes, 3)
        squares.append([np.sum((np.bincount(one) / haplotypes) ** 2) for one in founding.T])
        parted.append([np.mean(founding[:, 0] != founding[:, column]) for column in (1, 2)])
    expected = 1 - (1 - 1 / haplotypes) ** generations
    assert np.mean(squares) == pytest.approx(expected, rel=0.05)
    near, far = np.mean(parted, axis=0)
    assert near < 0.001
    # 817 generations x 1e-8 x 50 kb: 0.41 crossovers of a lineage; some lead back to the same founder.
    assert far == pytest.approx(1 - np.exp(-0.41), abs=0.03)


def test_where_nothing_crosses_founders_keep_all_their_variants():
    founding = descend(np.array([5, 5, 6]), 0.01, np.random.default_rng(0))
    assert (founding == founding[:, :1]).all()
    assert len(np.unique(founding[:, 0])) < len(founding)


@pytest.fixture(scope="module")
def truth():
    """True haplotypes (2, 800, 40): mosaics of six ancestors, with some private changes."""
    rng = np.random.default_rng(7)
    ancestors = rng.integers(0, 2, (6, 40))
    source = rng.integers(0, 6, (1600, 1)) + np.cumsum(rng.random((1600, 40)) < 0.03, axis=1)
    found = ancestors[source % 6, np.arange(40)] ^ (rng.random((1600, 40)) < 0.01)
    return found.reshape(2, 800, 40).astype(float)


def test_phases_are_right_where_correlations_are_large(truth):
    copies = truth.sum(0)
    R = np.corrcoef(copies, rowvar=False)
    phased = one_haplotype(copies, R, np.random.default_rng(1))
    assert set(np.unique(phased)) == {0.0, 1.0}
    assert set(np.unique(copies - phased)) == {0.0, 1.0}
    right = []
    for one, two in zip(*np.nonzero(np.triu(np.abs(R) > 0.6, 1)), strict=True):
        both = (copies[:, one] == 1) & (copies[:, two] == 1)
        true = truth[0][both, one] == truth[0][both, two]
        right.append(np.mean((phased[both, one] == phased[both, two]) == true))
    assert len(right) > 10
    assert np.mean(right) > 0.9


def test_haplotypes_have_the_correlations_of_the_genotypes(truth):
    """Random phases would halve them."""
    copies = truth.sum(0)
    R = np.corrcoef(copies, rowvar=False)
    found = np.corrcoef(one_haplotype(copies, R, np.random.default_rng(1)), rowvar=False)
    pairs = np.abs(R) > 0.3
    np.fill_diagonal(pairs, False)
    assert np.mean(found[pairs] * np.sign(R[pairs])) == pytest.approx(np.mean(np.abs(R[pairs])), abs=0.03)


def test_missing_genotypes_stay_missing(truth):
    copies = truth.sum(0)
    R = np.corrcoef(copies, rowvar=False)
    copies[3, 4] = np.nan
    phased = one_haplotype(copies, R, np.random.default_rng(1))
    assert np.argwhere(np.isnan(phased)).tolist() == [[3, 4]]


class Named:
    name = "panel"


def test_people_have_two_haplotypes_each_and_parts_are_those_of_the_whole():
    haplotypes = np.array([[0, 1, np.nan], [1, 1, 0], [0, 0, 1]])
    people = PairedHaplotypes(Named(), np.array([7, 9, 3]), haplotypes, np.array([[0, 1, 2, 2], [1, 1, 2, 1]]))
    assert (people.samples, people.name) == (4, "panel")
    whole = people.dosages(np.array([3, 9]))
    np.testing.assert_array_equal(whole, [[np.nan, 2], [0, 2], [2, 0], [1, 1]])
    np.testing.assert_array_equal(people.dosages(np.array([3, 9]), slice(1, 3)), whole[1:3])
