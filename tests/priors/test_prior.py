"""Priors that sum to 1: softmax, cap and mixture."""

from dataclasses import replace

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.prior import capped_softmax, functional_prior
from fineprior.project.settings import PriorSettings

SETTINGS = PriorSettings()
PLAIN = PriorSettings(max_ratio=1e12, uniform_weight=0.0)
STARTS = np.array([0, 4, 5])  # loci of 4, 1 and 3 variants


def test_prior_by_hand():
    odds = np.log([1.0, 2, 4, 1, 3, 1, 1, 1000])
    np.testing.assert_allclose(
        functional_prior(odds, STARTS, PLAIN), [1 / 8, 2 / 8, 4 / 8, 1 / 8, 1, 1 / 1002, 1 / 1002, 1000 / 1002]
    )
    capped = functional_prior(odds, STARTS, replace(PLAIN, max_ratio=8.0))
    np.testing.assert_allclose(capped, [1 / 8, 2 / 8, 4 / 8, 1 / 8, 1, 0.1, 0.1, 0.8])
    mixed = functional_prior(odds, STARTS, PriorSettings(max_ratio=8.0, uniform_weight=0.2), weight=0.5)
    uniform = [1 / 4] * 4 + [1] + [1 / 3] * 3
    np.testing.assert_allclose(mixed, 0.4 * capped + 0.6 * np.array(uniform))


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ratio", [1.0, 10.0, 1e6])
def test_prior_sums_to_one_keeps_the_cap_and_rises_with_the_score(weight, ratio):
    odds = np.random.default_rng(1).normal(0, 5, 60)
    odds[[7, 30]] = np.nan
    starts = np.array([0, 20, 50])
    prior = functional_prior(odds, starts, replace(SETTINGS, max_ratio=ratio), weight)
    np.testing.assert_allclose(np.add.reduceat(prior, starts), 1)
    assert (prior > 0).all()
    for part in (slice(0, 20), slice(20, 50), slice(50, 60)):
        assert prior[part].max() / prior[part].min() <= ratio * (1 + 1e-9)
        known = np.flatnonzero(np.isfinite(odds[part]))
        assert (np.diff(prior[part][known][np.argsort(odds[part][known])]) >= -1e-15).all()


def test_a_missing_score_gets_the_base_rate():
    prior = functional_prior(np.array([5.0, np.nan, 0, 0, np.nan, np.nan, np.nan, np.nan]), STARTS, SETTINGS)
    assert prior[1] == pytest.approx(1 / 4)
    np.testing.assert_allclose(prior[4:], [1, 1 / 3, 1 / 3, 1 / 3])
    assert prior[0] > 0.5


def test_without_weight_or_without_loci_the_prior_is_uniform():
    np.testing.assert_allclose(functional_prior(np.arange(8.0), STARTS, SETTINGS, 0.0), [0.25] * 4 + [1] + [1 / 3] * 3)
    assert len(functional_prior(np.zeros(0), np.zeros(0, dtype=int), SETTINGS)) == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"max_ratio": 0.5}, "max_ratio must be 1 or more, or 0 for no cap, not 0.5"),
        ({"uniform_weight": 1.5}, "uniform_weight must be from 0 to 1, not 1.5"),
        ({"uniform_weight": -0.1}, "uniform_weight must be from 0 to 1, not -0.1"),
    ],
)
def test_prior_refuses(change, match):
    with pytest.raises(InputError, match=match):
        functional_prior(np.zeros(8), STARTS, replace(SETTINGS, **change))


def test_a_prior_is_never_zero_unless_that_is_asked_for():
    odds = np.array([-np.inf, 0.0, 1.0, 2.0, 0.0, 5.0, -900.0, 0.0])
    assert (functional_prior(odds, STARTS, replace(SETTINGS, uniform_weight=0.0)) > 0).all()
    assert (functional_prior(odds, STARTS, replace(SETTINGS, max_ratio=0.0)) > 0).all()
    asked = functional_prior(odds, STARTS, replace(SETTINGS, max_ratio=0.0, uniform_weight=0.0))
    assert asked[0] == 0
    np.testing.assert_allclose(np.add.reduceat(asked, STARTS), 1)


def test_a_locus_of_impossible_variants_is_uniform():
    np.testing.assert_allclose(capped_softmax(np.full(4, -np.inf), np.array([0]), 0.0), 0.25)
