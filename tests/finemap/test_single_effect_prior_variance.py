import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from fineprior.finemap.single_effect import LOG_V_TOLERANCE, Evidence, estimate_prior_variance, minimise


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x - 2.3) ** 2,
        lambda x: abs(x + 1.5),
        lambda x: math.exp(x) - 3 * x,
        lambda x: math.sin(x) + 0.1 * x,
        lambda x: x,
        lambda x: -x,
        lambda x: 1.0,
    ],
)
def test_minimise_takes_the_steps_of_brent(function):
    visited, known = [], []
    ours = minimise(lambda x: visited.append(x) or function(x), -30, 15, LOG_V_TOLERANCE)
    theirs = minimize_scalar(
        lambda x: known.append(float(x)) or function(float(x)),
        bounds=(-30, 15),
        method="bounded",
        options={"xatol": LOG_V_TOLERANCE},
    )
    assert ours == pytest.approx(theirs.x, abs=1e-7)
    np.testing.assert_allclose(visited, known, atol=1e-7)


def test_evidence_is_the_same_for_one_precision_and_a_vector_of_it():
    rng = np.random.default_rng(0)
    half_chi2, prior = rng.exponential(3, 50), rng.dirichlet(np.ones(50))
    one, many = Evidence(half_chi2, 400.0, prior), Evidence(half_chi2, np.full(50, 400.0), prior)
    for V in (0.0, 1e-9, 0.01, 5.0):
        assert one(V) == pytest.approx(many(V), abs=1e-12)


def test_variants_without_information_add_their_prior_weight():
    evidence = Evidence(np.array([4.0, 0.0]), np.array([100.0, 0.0]), np.array([0.3, 0.7]))
    informative = math.exp(4 * 1 / 2 - 0.5 * math.log(2))
    assert evidence(0.01) == pytest.approx(math.log(0.3 * informative + 0.7))
    assert evidence.log_bayes_factors(0.01)[1] == 0


def test_optim_finds_the_best_of_a_grid():
    rng = np.random.default_rng(1)
    evidence = Evidence(rng.exponential(1, 40) + 12 * (np.arange(40) == 7), 1000.0, np.full(40, 1 / 40))
    V = estimate_prior_variance(evidence, 0.2, "optim", 0.0)
    assert evidence(V) >= max(evidence(math.exp(log_v)) for log_v in np.linspace(-30, 15, 2000)) - 1e-9


def test_one_variant_has_the_variance_of_its_estimate():
    # One variant with z² = 2 h > 1: the best V is shat² (z² - 1).
    evidence = Evidence(np.array([8.0]), 50.0, np.array([1.0]))
    assert estimate_prior_variance(evidence, 0.2, "optim", 0.0) == pytest.approx((16 - 1) / 50, rel=1e-6)


@pytest.mark.parametrize("method", ["optim", "simple"])
def test_no_effect_where_zero_explains_as_much(method):
    assert estimate_prior_variance(Evidence(np.full(5, 0.1), 100.0, np.full(5, 0.2)), 0.2, method, 0.0) == 0


def test_threshold_and_method_simple():
    evidence = Evidence(np.array([3.0, 0.1]), 100.0, np.array([0.5, 0.5]))
    assert estimate_prior_variance(evidence, 0.05, "simple", 0.0) == 0.05
    assert estimate_prior_variance(evidence, 0.05, "optim", 0.0) > 0
    assert estimate_prior_variance(evidence, 0.05, "optim", 2.0) == 0
