"""Interval, test and words of one coefficient, against the likelihood itself and against frequencies over studies."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp
from scipy.stats import chi2

from fineprior.priors.blocks import Block
from fineprior.priors.coefficient_posterior import CoefficientPrior
from fineprior.priors.enrichment_curve import GRID, curves
from fineprior.priors.statements import sentence, statement, unit_of

PRIOR = CoefficientPrior()


def loci(rng, count, odds, size=50, rate=0.1, sharp=3.0):
    """A study of independent loci with an annotation: x (n,), log Bayes factors (n,), starts."""
    x = (rng.random(count * size) < rate).astype(float)
    z = rng.standard_normal((count, size))
    for k in range(count):
        p = odds ** x[k * size : (k + 1) * size]
        z[k, rng.choice(size, p=p / p.sum())] += rng.normal(0, sharp)
    ratio = sharp**2
    log_bf = (0.5 * z**2 * ratio / (1 + ratio) - 0.5 * np.log1p(ratio)).ravel()
    return x, log_bf, np.arange(count) * size


def stated(x, log_bf, starts):
    block = Block.of(np.zeros((len(x), 1)), log_bf[:, None], starts)
    return statement(curves(block, x), len(starts), PRIOR)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_interval_and_test_are_those_of_the_likelihood_itself(seed):
    x, log_bf, starts = loci(np.random.default_rng(seed), 60, 6.0)

    def minus(b):
        each = zip(np.split(b * x + log_bf, starts[1:]), np.split(b * x, starts[1:]), strict=True)
        return -sum(logsumexp(joint) - logsumexp(prior) for joint, prior in each)

    best = minimize_scalar(minus, bounds=(-6, 6), method="bounded", options={"xatol": 1e-8})
    cut = chi2.ppf(0.95, 1) / 2
    found = stated(x, log_bf, starts)
    assert found.estimate == pytest.approx(best.x, abs=0.006)
    for end, side in ((found.lower, -6), (found.upper, 6)):
        assert end == pytest.approx(brentq(lambda b: minus(b) - best.fun - cut, best.x, side), abs=1e-3)
    assert found.p_value == pytest.approx(chi2.sf(2 * (minus(0) - best.fun), 1), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("odds", [1.0, 5.0])
def test_intervals_hold_the_truth_in_nineteen_of_twenty_studies(odds):
    rng = np.random.default_rng(7)
    found = [stated(*loci(rng, 60, odds)) for _ in range(400)]
    held = np.mean([one.lower <= np.log(odds) <= one.upper for one in found])
    assert 0.92 <= held <= 0.98  # 0.95 and three standard errors
    if odds == 1:
        assert np.mean([one.p_value <= 0.05 for one in found]) <= 0.083


def test_an_end_that_is_open_is_said_to_be_open():
    """The only likely candidate of each locus is annotated, or none of the many annotated ones is likely."""
    size, x = 20, np.zeros(80)
    x[[0, 20, 40, 60]] = 1
    log_bf = np.where(x == 1, 20.0, 0.0)
    starts = np.arange(4) * size
    found = stated(x, log_bf, starts)
    assert found.estimate == found.upper == np.inf
    assert found.lower > 0
    assert found.direction == "enriched"
    assert "at least" in sentence(found, "1 against 0")
    assert "enriched" in sentence(found, "1 against 0")
    found = stated(np.tile(np.r_[0, np.ones(19)], 4), log_bf, starts)
    assert found.estimate == found.lower == -np.inf
    assert found.upper < 0
    assert found.direction == "depleted"
    assert "at most" in sentence(found, "1 against 0")


def test_where_nothing_is_known_it_is_said():
    x = np.zeros(20)
    x[3] = 1
    log_bf = np.full(20, 0.0)
    log_bf[3] = 0.3
    found = stated(x, log_bf, np.array([0]))
    assert (found.lower, found.upper, found.direction) == (-np.inf, np.inf, "not told apart")
    assert found.p_value > 0.4
    assert sentence(found, "1 against 0").startswith("Nothing is known of the enrichment (1 against 0): 1 signals in 1")


def test_what_was_not_tested_has_no_numbers():
    none = statement(np.zeros((3, len(GRID))), 0, PRIOR)
    flat = stated(np.ones(20), np.random.default_rng(1).normal(0, 3, 20), np.array([0, 10]))
    for found, reason in ((none, "the study has no signal"), (flat, "does not vary within the loci with signals")):
        assert found.direction == "not tested"
        assert reason in found.reason
        assert np.isnan([found.estimate, found.lower, found.upper, found.p_value, found.nonzero]).all()
        assert sentence(found, "1 against 0") == f"Not tested: {found.reason}."


def test_sentence_of_a_closed_interval_has_its_numbers():
    curve = -0.5 * ((GRID - np.log(3)) / 0.2) ** 2
    found = statement((curve - curve[60])[None], 5, PRIOR)
    assert found.lower == pytest.approx(np.log(3) - 1.96 * 0.2, abs=2e-3)
    text = sentence(found, "the top 5% against the rest")
    assert text == (
        "A unit of the score (the top 5% against the rest) multiplies the prior odds by 3.00 (95% interval 2.03 to "
        "4.44; p = 4e-08; 5 signals in 1 loci): causal variants are enriched."
    )


def test_unit_of_two_values_and_of_many():
    assert unit_of(np.array([0.0, 1, 0, np.nan])) == (1.0, "1 against 0")
    assert unit_of(np.array([2.0, 5, 5, 2])) == (3.0, "5 against 2")
    step, name = unit_of(np.arange(100.0))
    assert step == pytest.approx(97.0 - 47.0)
    assert name == "the top 5% against the rest"
    assert unit_of(np.array([4.0, 4, np.nan]))[0] == 0 == unit_of(np.full(3, np.nan))[0]
