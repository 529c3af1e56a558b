"""Priors that sum to 1, leaving out that really leaves out, and the verdict."""

from dataclasses import replace

import numpy as np
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import PriorSettings
from fineprior.priors.strength import choose_weight, cross_fit, functional_prior, judge, natural_order

SETTINGS = PriorSettings()
PLAIN = PriorSettings(max_ratio=1e12, uniform_weight=0.0)
STARTS = np.array([0, 4, 5])  # loci of 4, 1 and 3 variants


def fitted(loci, settings=SETTINGS):
    estimates = cross_fit(loci.scores, loci.log_bf, loci.starts, loci.chromosomes, settings)
    return estimates, judge(estimates, loci.scores)


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
        ({"max_ratio": 0.5}, "max_ratio must be 1 or more, not 0.5"),
        ({"uniform_weight": 1.5}, "uniform_weight must be from 0 to 1, not 1.5"),
        ({"uniform_weight": -0.1}, "uniform_weight must be from 0 to 1, not -0.1"),
    ],
)
def test_prior_refuses(change, match):
    with pytest.raises(InputError, match=match):
        functional_prior(np.zeros(8), STARTS, replace(SETTINGS, **change))


def facts(estimate):
    return (estimate.loci, estimate.log_enrichment, estimate.standard_error, estimate.scale)


def test_the_estimate_for_a_chromosome_has_not_seen_it(simulated):
    loci = simulated(1, 1.0, loci=40)
    before, _ = fitted(loci)
    assert [estimate.left_out for estimate in before] == ["none", "chr1", "chr2", "chr3", "chr4"]
    assert [estimate.loci for estimate in before] == [40, 30, 30, 30, 30]
    here = loci.chromosomes == "chr2"
    rng = np.random.default_rng(2)
    other = loci._replace(features=loci.features.copy(), log_bf=loci.log_bf.copy())
    other.features[here] = rng.normal(3, 4, (here.sum(), 1))
    other.log_bf[here] = rng.normal(0, 10, (here.sum(), 1))
    after, _ = fitted(other)
    assert facts(after[2]) == facts(before[2])
    assert after[2].gain != before[2].gain
    for number in (0, 1, 3, 4):
        assert after[number].log_enrichment != before[number].log_enrichment
        assert after[number].scale != before[number].scale
    kept = np.flatnonzero(np.isin(loci.starts, np.flatnonzero(~here)))
    sizes = np.diff(np.append(loci.starts, len(here)))[kept]
    without = loci._replace(features=loci.features[~here], log_bf=loci.log_bf[~here],
                            starts=np.cumsum(sizes) - sizes, chromosomes=loci.chromosomes[~here])  # fmt: skip
    assert facts(fitted(without)[0][0]) == facts(before[2])


def test_held_out_gain_is_that_of_the_prior_as_it_is_used(simulated):
    loci = simulated(1, 1.0, loci=40)
    estimate = fitted(loci)[0][3]
    here = loci.chromosomes == "chr3"
    log_odds = estimate.scale.feature(loci.scores[here]) * estimate.log_enrichment
    starts = np.flatnonzero(np.isin(np.flatnonzero(here), loci.starts))
    prior = functional_prior(log_odds, starts, SETTINGS)
    uniform = functional_prior(log_odds, starts, SETTINGS, 0.0)
    bf = np.exp(loci.log_bf[here, 0])
    gains = np.log10(np.add.reduceat(prior * bf, starts) / np.add.reduceat(uniform * bf, starts))
    assert estimate.gain == pytest.approx(gains.sum())


def test_a_score_that_helps_is_used(simulated):
    _, verdict = fitted(simulated(3, 1.2, loci=60))
    assert verdict.weight > 0.5
    assert 0 < verdict.lower < verdict.log_enrichment < verdict.upper
    assert verdict.held_out_gain > 2
    assert verdict.top_decile_ratio > 3
    times = f"{np.exp(verdict.log_enrichment):.1f}"
    assert f"multiplies the prior odds by {times} (95% interval" in verdict.sentence
    assert "60 loci" in verdict.sentence
    assert f"gain {verdict.held_out_gain:.1f} log10 units" in verdict.sentence
    assert "the functional prior is used" in verdict.sentence


@pytest.mark.parametrize("truth", [0.0, -0.8])
def test_a_score_that_does_not_help_is_not_used(simulated, truth):
    verdicts = [fitted(simulated(seed, truth, loci=40))[1] for seed in range(12)]
    assert sum(verdict.weight > 0 for verdict in verdicts) <= 1
    idle = next(verdict for verdict in verdicts if verdict.weight == 0)
    assert "the prior stays uniform because" in idle.sentence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chromosomes": 1}, "all loci are on one chromosome"),
        ({"loci": 8}, "fewer than 10 loci"),
    ],
)
def test_too_little_to_judge_on(simulated, change, reason):
    estimates, verdict = fitted(simulated(3, 2.0, **({"loci": 40} | change)))
    assert verdict.weight == 0
    assert reason in verdict.sentence
    if "chromosomes" in change:
        assert (estimates[1].loci, estimates[1].log_enrichment) == (0, 0)
        assert np.isnan(verdict.held_out_gain)
        assert verdict.sentence.startswith("The prior stays uniform")


@pytest.mark.parametrize("score", [1.0, np.nan])
def test_scores_without_variation(simulated, score):
    loci = simulated(3, 1.0, loci=20)
    scores = np.full(len(loci.chromosomes), score)
    verdict = judge(cross_fit(scores, loci.log_bf, loci.starts, loci.chromosomes, SETTINGS), scores)
    assert verdict.weight == 0
    assert verdict.sentence == "The prior stays uniform because the scores do not vary or are all missing."


def test_no_loci():
    empty = np.zeros(0)
    estimates = cross_fit(empty, np.zeros((0, 1)), np.zeros(0, dtype=int), empty, SETTINGS)
    verdict = judge(estimates, empty)
    assert (len(estimates), verdict.weight, verdict.loci) == (1, 0, 0)
    assert verdict.sentence == "The prior stays uniform because the study has no locus."


def test_a_score_that_fails_on_other_chromosomes_is_not_used(simulated):
    loci = simulated(3, 1.2, loci=60)
    estimates, _ = fitted(loci)
    swapped = [replace(estimate, held_out=estimate.held_out[::-1]) for estimate in estimates]
    verdict = judge(swapped, loci.scores)
    assert verdict.weight == 0
    assert verdict.lower > 0
    assert f"lose {-verdict.held_out_gain:.1f} log10 units" in verdict.sentence
    assert "does not help on chromosomes that it was not fitted on" in verdict.sentence


def test_weight_is_the_likeliest_share():
    assert choose_weight(np.array([[0.0, 0.0], [1.0, 2.0]])) == 1
    assert choose_weight(np.array([[0.0, 0.0], [-1.0, -2.0]])) == 0
    # one locus gains a factor of 4, another loses one of 4: (1 + 3 w)(1 - 0.75 w) is largest at 0.5
    assert choose_weight(np.array([[0.0, 0.0], [np.log(4), -np.log(4)]])) == 0.5


def test_chromosomes_in_their_order():
    names = ["chrX", "chr10", "2", "chr1", "MT"]
    assert sorted(names, key=natural_order) == ["chr1", "2", "chr10", "MT", "chrX"]
