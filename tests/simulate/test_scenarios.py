"""Simulated associations have the distribution that they are said to have."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.simulate.scenarios import (
    Scenario,
    causal_odds,
    draw_causal,
    draw_effects,
    noise_scores,
    root_of,
    scenario_of,
    simulate_z,
)

R = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("enrichment_1", Scenario(1.0)),
        ("enrichment_2.5", Scenario(2.5)),
        ("inverted", Scenario(10.0, lowest=True)),
        ("noise", Scenario(1.0, noise=True)),
    ],
)
def test_scenario_by_name(name, expected):
    assert scenario_of(name) == expected


@pytest.mark.parametrize("name", ["enrichment", "enrichment_0", "enrichment_-3", "upside_down"])
def test_unknown_scenario(name):
    with pytest.raises(InputError, match=f"'{name}' is not a scenario; allowed: enrichment_<times>"):
        scenario_of(name)


def test_a_tenth_of_the_scores_is_enriched_by_magnitude():
    scores = np.r_[np.arange(1.0, 20), -20.0, np.nan]
    top, lowest = causal_odds(scores, Scenario(10.0)), causal_odds(scores, Scenario(10.0, lowest=True))
    assert np.flatnonzero(top == 10).tolist() == [18, 19]
    assert np.flatnonzero(lowest == 10).tolist() == [0, 1]
    assert (top[:18] == 1).all()
    assert top[20] == lowest[20] == 1
    assert (causal_odds(np.full(3, np.nan), Scenario(10.0)) == 1).all()


def test_causal_variants_follow_the_odds_and_the_number_is_uniform():
    rng = np.random.default_rng(0)
    odds = np.r_[10.0, np.ones(30)]
    drawn = [draw_causal(odds, 3, rng) for _ in range(3000)]
    sizes = np.bincount([len(rows) for rows in drawn])
    assert sizes[1:] / 3000 == pytest.approx(1 / 3, abs=0.04)
    single = [rows[0] for rows in drawn if len(rows) == 1]
    assert np.mean(np.array(single) == 0) == pytest.approx(10 / 40, abs=0.05)
    assert all(len(set(rows)) == len(rows) for rows in drawn)
    assert len(draw_causal(np.ones(2), 9, rng)) <= 2


def test_effects_explain_what_they_should():
    effects = draw_effects(20_000, 0.001, np.random.default_rng(1))
    assert np.mean(effects**2) == pytest.approx(0.001, rel=0.03)
    assert np.min(effects**2) >= 0.0005
    assert np.mean(effects > 0) == pytest.approx(0.5, abs=0.02)


def test_z_have_mean_and_covariance_of_the_model():
    rng, root = np.random.default_rng(2), root_of(R)
    z = np.array([simulate_z(R, root, np.array([1, 4]), np.array([0.05, -0.02]), 10_000, rng) for _ in range(6000)])
    assert z.mean(0) == pytest.approx(100 * (R[1] * 0.05 - R[4] * 0.02), abs=0.06)
    assert np.cov(z.T) == pytest.approx(R, abs=0.06)


def test_z_of_variants_in_perfect_ld_agree():
    twins = np.ones((2, 2), dtype=np.float32)
    z = simulate_z(twins, root_of(twins), np.array([0]), np.array([0.1]), 1000, np.random.default_rng(0))
    assert z[0] == pytest.approx(z[1], abs=0.02)


def test_ld_that_is_none_is_named():
    with pytest.raises(InputError, match="not positive semidefinite"):
        root_of(np.array([[1, 3.0], [3, 1]]))


def test_noise_has_a_heavy_tail():
    values = noise_scores(10_000, np.random.default_rng(4))
    assert values.min() >= 0
    assert np.quantile(values, 0.999) > 100 * np.median(values)
