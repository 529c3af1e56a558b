"""Probabilities moved to another base rate."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.supervised import base_rates, shifted_probabilities


def odds(p):
    return p / (1 - p)


def test_odds_move_by_the_ratio_of_the_base_rates():
    p = np.array([0.1, 0.5, 0.9, 0.0, 1.0, np.nan])
    shifted = shifted_probabilities(p, 0.5, 1.8 / 14_716)
    np.testing.assert_allclose(odds(shifted[:3]), odds(p[:3]) * odds(1.8 / 14_716))
    np.testing.assert_array_equal(shifted[3:], [0, 1, np.nan])


def test_moving_there_and_back_changes_nothing():
    p, here = np.linspace(0.01, 0.99, 20), np.linspace(0.001, 0.2, 20)
    np.testing.assert_allclose(shifted_probabilities(shifted_probabilities(p, 0.3, here), here, 0.3), p)


def test_calibrated_there_is_calibrated_here():
    # one binary feature: 80 % of positives have it, 20 % of negatives; trained on half positives, used at 1 %
    there = np.array([0.8, 0.2])
    here = 0.01 * np.array([0.8, 0.2]) / (0.01 * np.array([0.8, 0.2]) + 0.99 * np.array([0.2, 0.8]))
    np.testing.assert_allclose(shifted_probabilities(there, 0.5, 0.01), here)


@pytest.mark.parametrize(
    ("p", "training", "base", "match"),
    [
        ([1.2], 0.5, 0.1, "a probability must be from 0 to 1, not 1.2"),
        ([-0.1, 0.5], 0.5, 0.1, r"not -0.1 \(1 are not\)"),
        ([0.5], 0.0, 0.1, "training rate of a supervised prior must be above 0"),
        ([0.5], 0.5, 1.0, "base rate of a supervised prior must be above 0 and below 1"),
        ([0.5, 0.5], np.array([0.5, np.nan]), 0.1, "training rate"),
    ],
)
def test_refusals(p, training, base, match):
    with pytest.raises(InputError, match=match):
        shifted_probabilities(np.array(p), training, base)


def test_base_rate_of_a_locus():
    np.testing.assert_allclose(base_rates(np.array([1000.0, 2.0]), 1.8), [0.0018, 0.5])
    with pytest.raises(InputError, match="must be above 0, not 0"):
        base_rates(np.array([10.0]), 0)
