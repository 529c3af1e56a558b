"""Priors that sum to 1, and what held-out signals say of log odds: enrichment, interval, weight."""

from dataclasses import replace

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.features import Model
from fineprior.priors.folds import fit_fold
from fineprior.priors.strength import (
    assess,
    capped_softmax,
    choose_weight,
    functional_prior,
    held_out_likelihood,
    within_locus_sd,
)
from fineprior.project.settings import PriorSettings

SETTINGS = PriorSettings()
PLAIN = PriorSettings(max_ratio=1e12, uniform_weight=0.0)
STARTS = np.array([0, 4, 5])  # loci of 4, 1 and 3 variants


def judged(loci, truth=None, **settings):
    """What the loci say of the first feature, known to be of this enrichment or estimated without each part."""
    if truth is None:
        model = Model(np.array([True]), np.array([np.nan]))
        return fit_fold(loci.by_chromosome, model, PriorSettings(**settings), 1).support
    odds = truth * loci.features[:, 0]
    sd = within_locus_sd([loci.block], [odds])
    return assess([loci.block], [odds], [sd], sd, PriorSettings(**settings), 1, len(set(loci.chromosomes)))


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


def test_held_out_likelihood_is_that_of_the_prior_as_it_is_used(simulated):
    loci = simulated(1, 1.0, loci=40)
    odds = 3.0 * loci.features[:, 0]
    found = held_out_likelihood([loci.block], [odds], SETTINGS, 0.6)
    priors = [functional_prior(odds, loci.starts, SETTINGS, weight) for weight in (0.0, 0.6)]
    expected = [np.log(np.add.reduceat(prior * np.exp(loci.log_bf[:, 0]), loci.starts)) for prior in priors]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_held_out_likelihood_of_thinned_loci_is_close(simulated):
    loci = simulated(1, 1.0, loci=150, size=400, strength=5.0)
    b = np.array([1.0])
    gains = []
    for block in (loci.block, loci.block.thinned):
        found = held_out_likelihood([block], [block.features @ b], SETTINGS)
        gains.append((found[1] - found[0]).sum())
    assert gains[1] == pytest.approx(gains[0], rel=0.1)


@pytest.mark.slow
def test_enrichment_and_interval_hold_the_truth(simulated):
    inside = 0
    for seed in range(20):
        support = judged(simulated(seed, 0.8, loci=80), 0.8)
        inside += support.lower < 0.8 < support.upper
    assert inside >= 16
    assert (support.loci, support.signals) == (80, 80)


def test_the_enrichment_does_not_depend_on_the_scale_of_the_log_odds(simulated):
    loci = simulated(3, 0.8, loci=80)
    weak, strong = judged(loci, 0.5), judged(loci, 1.0)
    assert weak.log_enrichment == pytest.approx(strong.log_enrichment, abs=0.02)


def test_a_score_that_helps_is_used(simulated):
    support = judged(simulated(3, 1.2, loci=60))
    assert support.weight > 0.5
    assert 0 < support.lower < support.log_enrichment < support.upper
    assert support.reason == ""


def test_a_prior_that_is_too_bold_gets_less_weight(simulated):
    loci = simulated(3, 0.8, loci=200)
    options = {"max_ratio": 0.0, "uniform_weight": 0.0}
    assert judged(loci, 3.0, **options).weight < judged(loci, 0.8, **options).weight


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.0, -0.8])
def test_a_score_that_does_not_help_is_not_used(simulated, truth):
    supports = [judged(simulated(seed, truth, loci=40)) for seed in range(12)]
    assert sum(support.weight > 0 for support in supports) <= 1
    assert all(support.reason for support in supports if support.weight == 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"chromosomes": 1}, "too few chromosomes"), ({"loci": 8}, "fewer than 10 loci")],
)
def test_too_little_to_judge_on(simulated, change, reason):
    support = judged(simulated(3, 2.0, **({"loci": 40} | change)))
    assert support.weight == 0
    assert reason in support.reason


def test_log_odds_without_variation(simulated):
    support = judged(simulated(3, 1.0, loci=20), 0.0)
    assert (support.weight, support.reason) == (0, "the scores do not vary, are all missing or are not enriched")


def test_weight_is_the_likeliest_share():
    assert choose_weight(np.array([[0.0, 0.0], [1.0, 2.0]])) == 1
    assert choose_weight(np.array([[0.0, 0.0], [-1.0, -2.0]])) == 0
    # one signal gains a factor of 4, another loses one of 4: (1 + 3 w)(1 - 0.75 w) is largest at 0.5
    assert choose_weight(np.array([[0.0, 0.0], [np.log(4), -np.log(4)]])) == 0.5


def test_spread_is_within_loci():
    block = Block.of(np.zeros((4, 1)), np.zeros((4, 1)), np.array([0, 2]))
    assert within_locus_sd([block], [np.array([10.0, 12, 0, 2])]) == pytest.approx(1)
    assert within_locus_sd([block], [np.array([10.0, 10, 0, 0])]) == 0
