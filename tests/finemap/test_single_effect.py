import numpy as np
import pytest
from scipy.integrate import quad

from fineprior.finemap.single_effect import WEIGHT_OFFSET, single_effect


def marginal(score, precision, V):
    """Bayes factor and moments of one coefficient by numerical integration."""

    def weight(b):
        return np.exp(score * b - precision * b * b / 2 - b * b / (2 * V)) / np.sqrt(2 * np.pi * V)

    width = 12 / np.sqrt(precision)
    centre = score / precision
    total = quad(weight, centre - width, centre + width, epsabs=0)[0]
    mean = quad(lambda b: b * weight(b), centre - width, centre + width, epsabs=1e-14)[0] / total
    square = quad(lambda b: b * b * weight(b), centre - width, centre + width, epsabs=1e-14)[0] / total
    return total, mean, square


@pytest.mark.parametrize("seed", range(5))
def test_equals_enumeration_over_variants_and_integration_over_coefficients(seed):
    rng = np.random.default_rng(seed)
    p, precision, V = int(rng.integers(2, 9)), 50.0, 0.3
    score, pi = rng.normal(0, 15, p), rng.dirichlet(np.ones(p))
    found = single_effect(score, precision, pi, V, method="none")
    exact = np.array([marginal(s, precision, V) for s in score])
    joint = exact[:, 0] * (pi + WEIGHT_OFFSET)
    np.testing.assert_allclose(found.alpha, joint / joint.sum(), rtol=1e-7)
    np.testing.assert_allclose(found.lbf, np.log(joint.sum()), rtol=1e-7)
    np.testing.assert_allclose(found.lbf_variable, np.log(exact[:, 0]), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.mu, exact[:, 1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.mu2, exact[:, 2], rtol=1e-6)
    # With the exact posterior the ELBO is the log evidence: expected log likelihood - KL = lbf.
    b, b2 = found.alpha * found.mu, found.alpha * found.mu2
    assert b @ score - precision * b2.sum() / 2 - found.KL == pytest.approx(found.lbf)


def test_without_prior_variance_the_posterior_is_the_prior():
    pi = np.array([0.5, 0.3, 0.2])
    found = single_effect(np.array([1.0, -2.0, 3.0]), 100.0, pi, 0.0, method="none")
    np.testing.assert_allclose(found.alpha, pi, atol=1e-7)
    assert not found.mu.any()
    assert found.lbf == pytest.approx(0, abs=1e-6)


def test_em_gives_the_posterior_second_moment():
    score, pi = np.array([30.0, 2.0, 1.0]), np.full(3, 1 / 3)
    found = single_effect(score, 100.0, pi, 0.1, method="EM")
    assert pytest.approx(float(found.alpha @ found.mu2)) == found.V
    fixed = single_effect(score, 100.0, pi, 0.1, method="none")
    np.testing.assert_array_equal(found.alpha, fixed.alpha)


def test_a_variant_without_information_keeps_a_bayes_factor_of_one():
    found = single_effect(np.array([20.0, 0.0]), np.array([100.0, 0.0]), np.array([0.5, 0.5]), 0.1)
    assert found.lbf_variable[1] == found.mu[1] == found.mu2[1] == 0
    assert found.alpha.sum() == pytest.approx(1)


def test_extreme_scores_stay_finite():
    found = single_effect(np.array([1e5, 9e4, 0.0]), 1000.0, np.full(3, 1 / 3), 0.2)
    assert np.isfinite([*found.alpha, *found.mu, *found.lbf_variable, found.lbf, found.KL]).all()
    assert found.alpha[0] == pytest.approx(1)


@pytest.mark.parametrize("precision", [100.0, np.full(4, 100.0)])
@pytest.mark.parametrize("method", ["optim", "EM", "simple", "none"])
@pytest.mark.parametrize("score", [30.0, 400.0, 4000.0])
def test_a_prior_of_0_is_0_and_says_nothing_of_the_others(score, precision, method):
    """Whatever its signal: the fit is that of the other variants alone."""
    scores, pi = np.array([score, 25.0, 3.0, -1.0]), np.array([0.0, 0.2, 0.3, 0.5])
    found = single_effect(scores, precision, pi, 0.1, method=method)
    others = precision if isinstance(precision, float) else precision[1:]
    alone = single_effect(scores[1:], others, pi[1:], 0.1, method=method)
    assert found.alpha[0] == 0
    np.testing.assert_array_equal(found.alpha[1:], alone.alpha)
    assert (found.V, found.lbf, found.KL) == pytest.approx((alone.V, alone.lbf, alone.KL), rel=1e-12)
    assert found.lbf_variable[0] > found.lbf_variable[1], "the Bayes factor itself holds no prior"


def test_as_in_susier_a_strong_signal_overrules_a_0():
    scores, pi = np.array([80.0, 25.0]), np.array([0.0, 1.0])
    assert single_effect(scores, 100.0, pi, 0.1, zero_excludes=False).alpha[0] > 0.99


@pytest.mark.parametrize("tiny", [1e-12, 1e-100, 1e-320])
def test_a_tiny_prior_stays_tiny(tiny):
    """Two variants of the same evidence: their odds are those of the priors, at most doubled by the offset."""
    found = single_effect(np.array([50.0, 50.0]), 100.0, np.array([tiny, 1.0]), 0.1)
    assert 1 <= found.alpha[0] / found.alpha[1] / tiny <= 2.001
