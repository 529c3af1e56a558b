"""Bayes factors, the softmax likelihood and its maximisation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from fineprior.foundation.errors import InputError
from fineprior.priors.enrichment import (
    fit_enrichment,
    gradient,
    locus_sizes,
    locus_starts,
    log_bayes_factors,
    log_likelihood,
    log_softmax,
    observed_information,
    penalised_log_likelihood,
)


def test_bayes_factor_with_a_variance_is_the_ratio_of_two_normal_densities():
    z, se, variance = np.array([0.0, -2.0, 6.0]), np.array([0.1, 0.2, 0.05]), 0.04
    expected = norm.logpdf(z * se, scale=np.sqrt(se**2 + variance)) - norm.logpdf(z * se, scale=se)
    np.testing.assert_allclose(log_bayes_factors(z, se, variance)[:, 0], expected)


def test_bayes_factor_without_a_variance_is_the_mean_over_the_grid():
    mean = np.mean([norm.pdf(3, scale=np.sqrt(1 + k)) for k in (1, 4, 16, 25)]) / norm.pdf(3)
    np.testing.assert_allclose(log_bayes_factors(np.array([3.0, -3.0])), np.log([[mean], [mean]]))


def test_bayes_factor_of_a_huge_z_is_finite():
    assert log_bayes_factors(np.array([80.0]))[0, 0] == pytest.approx(80**2 / 2 * 25 / 26 - np.log(26) / 2 - np.log(4))


@pytest.mark.parametrize(
    ("z", "se", "variance", "match"),
    [
        ([1.0, np.nan], None, 0.0, "z must be finite .* 1 are not"),
        ([1.0], [0.1], -0.1, "effect_variance must be 0 or more, not -0.1"),
        ([1.0], [np.nan], 0.1, "needs a standard error above 0"),
        ([1.0], None, 0.1, "needs a standard error above 0"),
    ],
)
def test_bayes_factor_refuses(z, se, variance, match):
    with pytest.raises(InputError, match=match):
        log_bayes_factors(np.array(z), None if se is None else np.array(se), variance)


def test_loci_are_found_by_their_names():
    starts = locus_starts(["b", "b", "a", "c", "c", "c"])
    np.testing.assert_array_equal(starts, [0, 2, 3])
    np.testing.assert_array_equal(locus_sizes(starts, 6), [2, 1, 3])
    assert len(locus_starts([])) == 0
    with pytest.raises(InputError, match="locus a do not stand together"):
        locus_starts(["a", "b", "a"])


def test_likelihood_by_hand():
    # locus 1: priors 1/4 and 3/4, BF 8 and 4; locus 2: one variant, BF 5; second signal: BF 1 and 9, and 1
    log_prior = log_softmax(np.array([0.0, np.log(3), 7.0]), np.array([0, 2]))
    np.testing.assert_allclose(np.exp(log_prior), [0.25, 0.75, 1])
    log_bf = np.log([[8.0, 1.0], [4.0, 9.0], [5.0, 1.0]])
    np.testing.assert_allclose(log_likelihood(log_prior, log_bf, np.array([0, 2])), np.log([5 * 7, 5]))


def test_a_signal_that_says_nothing_changes_nothing(simulated):
    loci = simulated(1, 0.8, loci=60)
    one = fit_enrichment(loci.features, loci.log_bf, loci.starts, 1.0)
    silent = np.column_stack([loci.log_bf, np.zeros(len(loci.log_bf))])
    two = fit_enrichment(loci.features, silent, loci.starts, 1.0)
    np.testing.assert_allclose(two.coefficients, one.coefficients, atol=1e-5)
    np.testing.assert_allclose(two.standard_errors, one.standard_errors, rtol=1e-4)


@pytest.mark.parametrize("truth", [0.0, 0.7, 1.5, -0.7, [0.9, -0.5]])
def test_the_truth_is_recovered(simulated, truth):
    loci = simulated(2, truth)
    fit = fit_enrichment(loci.features, loci.log_bf, loci.starts, 1.0)
    assert fit.converged
    assert (np.abs(fit.coefficients - truth) < 3 * fit.standard_errors).all()
    assert (fit.standard_errors < 0.2).all()


def test_standard_errors_match_the_spread_over_studies(simulated):
    fits = []
    for seed in range(60):
        loci = simulated(seed, 0.8, loci=80, size=20)
        fits.append(fit_enrichment(loci.features, loci.log_bf, loci.starts, 0.1))
    errors = np.array([(fit.coefficients[0] - 0.8) / fit.standard_errors[0] for fit in fits])
    assert 0.75 < errors.std() < 1.3
    assert abs(errors.mean()) < 0.5


@pytest.mark.parametrize("ridge", [0.0, 1.0, 30.0])
def test_em_never_lowers_the_likelihood_and_ends_where_an_optimiser_ends(simulated, ridge):
    loci = simulated(3, [1.0, -0.4, 0.0], loci=50)
    data = (loci.features, loci.log_bf, loci.starts, ridge)
    fit = fit_enrichment(*data)
    assert np.diff(fit.history).min() >= -1e-9
    assert fit.history[-1] > fit.history[0]
    direct = minimize(lambda b: -penalised_log_likelihood(b, *data), np.zeros(3), tol=1e-10)
    np.testing.assert_allclose(fit.coefficients, direct.x, atol=1e-4)


def test_gradient_and_information_against_finite_differences(simulated):
    loci = simulated(4, [0.5, 1.0], loci=20)
    log_bf = np.column_stack([loci.log_bf, np.roll(loci.log_bf, 7)])
    data, at, h = (loci.features, log_bf, loci.starts, 2.0), np.array([0.3, -0.6]), 1e-5
    steps = h * np.eye(2)
    slopes = [
        (penalised_log_likelihood(at + s, *data) - penalised_log_likelihood(at - s, *data)) / 2 / h for s in steps
    ]
    np.testing.assert_allclose(gradient(at, *data), slopes, rtol=1e-5)
    curves = [-(gradient(at + s, *data) - gradient(at - s, *data)) / 2 / h for s in steps]
    np.testing.assert_allclose(observed_information(at, *data), curves, rtol=1e-5)


def test_the_order_of_variants_and_loci_does_not_matter(simulated):
    loci = simulated(5, 0.8, loci=40)
    back = slice(None, None, -1)
    starts = np.sort(len(loci.features) - np.append(loci.starts[1:], len(loci.features)))
    one = fit_enrichment(loci.features, loci.log_bf, loci.starts, 1.0)
    two = fit_enrichment(loci.features[back], loci.log_bf[back], starts, 1.0)
    np.testing.assert_allclose(two.coefficients, one.coefficients, atol=1e-7)


def test_ridge_shrinks_towards_no_enrichment(simulated):
    loci = simulated(6, 1.0, loci=60)
    free, held = (fit_enrichment(loci.features, loci.log_bf, loci.starts, ridge) for ridge in (0.0, 50.0))
    assert 0 < held.coefficients[0] < 0.7 * free.coefficients[0]
    with pytest.raises(InputError, match="ridge must be 0 or more, not -1"):
        fit_enrichment(loci.features, loci.log_bf, loci.starts, -1)


def test_what_the_data_do_not_determine():
    nothing = fit_enrichment(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros(0, dtype=int), 4.0)
    assert (nothing.coefficients[0], nothing.standard_errors[0], nothing.converged) == (0, 0.5, True)
    flat = fit_enrichment(np.zeros((5, 1)), np.arange(5.0)[:, None], np.array([0]), 0.0)
    assert flat.coefficients[0] == 0
    assert np.isnan(flat.standard_errors[0])
