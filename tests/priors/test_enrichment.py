"""Bayes factors, the softmax likelihood and its maximisation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.enrichment import bootstrap_errors, derivatives, fit_enrichment, log_bayes_factors


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


def fitted(loci, ridge=1.0, **options):
    return fit_enrichment([loci.block], ridge, **options)


def test_a_signal_that_says_nothing_changes_nothing(simulated):
    loci = simulated(1, 0.8, loci=60)
    silent = loci._replace(log_bf=np.column_stack([loci.log_bf, np.zeros(len(loci.log_bf))]))
    np.testing.assert_allclose(fitted(silent).coefficients, fitted(loci).coefficients)
    np.testing.assert_allclose(fitted(silent).standard_errors, fitted(loci).standard_errors)


def test_a_second_signal_is_as_good_as_a_second_locus(simulated):
    two = simulated(1, 0.8, loci=60, signals=2)
    pieces = [Block.of(two.features, two.log_bf[:, [column]], two.starts) for column in (0, 1)]
    np.testing.assert_allclose(fitted(two).coefficients, fit_enrichment(pieces, 1.0).coefficients, atol=1e-6)


@pytest.mark.parametrize("truth", [0.0, 0.7, 1.5, -0.7, [0.9, -0.5]])
def test_the_truth_is_recovered(simulated, truth):
    fit = fitted(simulated(2, truth))
    assert fit.converged
    assert (np.abs(fit.coefficients - truth) < 3 * fit.standard_errors).all()
    assert (fit.standard_errors < 0.2).all()


@pytest.mark.slow
def test_standard_errors_match_the_spread_over_studies(simulated):
    fits = [fitted(simulated(seed, 0.8, loci=80, size=20), 0.1) for seed in range(60)]
    errors = np.array([(fit.coefficients[0] - 0.8) / fit.standard_errors[0] for fit in fits])
    assert 0.75 < errors.std() < 1.3
    assert abs(errors.mean()) < 0.5


@pytest.mark.slow
def test_bootstrap_errors_agree_with_the_curvature_and_are_seeded(simulated):
    loci = simulated(3, [0.8, 0.0], loci=200)
    fit = fitted(loci)
    drawn = bootstrap_errors([loci.block], fit, 1.0, 60, seed=1)
    np.testing.assert_allclose(drawn, fit.standard_errors, rtol=0.35)
    np.testing.assert_array_equal(bootstrap_errors([loci.block], fit, 1.0, 60, seed=1), drawn)
    assert (bootstrap_errors([loci.block], fit, 1.0, 60, seed=2) != drawn).any()
    assert np.isnan(bootstrap_errors([], fit, 1.0, 5, seed=1)).all()


@pytest.mark.parametrize("ridge", [0.0, 1.0, 30.0])
def test_the_likelihood_rises_and_ends_where_an_optimiser_ends(simulated, ridge):
    block = simulated(3, [1.0, -0.4, 0.0], loci=50).block
    fit = fit_enrichment([block], ridge)
    assert np.diff(fit.history).min() >= -1e-6
    assert fit.history[-1] > fit.history[0]
    direct = minimize(lambda b: -derivatives([block], b, ridge)[0], np.zeros(3), tol=1e-10)
    np.testing.assert_allclose(fit.coefficients, direct.x, atol=1e-4)


def test_single_precision_is_enough(simulated):
    loci = simulated(3, [1.0, -0.4, 0.0], loci=80)
    single = fitted(loci._replace(features=loci.features.astype(np.float32)))
    np.testing.assert_allclose(single.coefficients, fitted(loci).coefficients, atol=1e-4)


def test_gradient_and_information_against_finite_differences(simulated):
    block = simulated(4, [0.5, 1.0], loci=20, signals=2).block
    at, h = np.array([0.3, -0.6]), 1e-5
    _, slope, information, _ = derivatives([block], at, 2.0)
    around = [(derivatives([block], at + s, 2.0), derivatives([block], at - s, 2.0)) for s in h * np.eye(2)]
    np.testing.assert_allclose(slope, [(up[0] - down[0]) / 2 / h for up, down in around], rtol=1e-5)
    np.testing.assert_allclose(information, [-(up[1] - down[1]) / 2 / h for up, down in around], rtol=1e-5)


def test_the_order_of_variants_and_loci_does_not_matter(simulated):
    loci = simulated(5, 0.8, loci=40)
    back = slice(None, None, -1)
    starts = np.sort(len(loci.features) - np.append(loci.starts[1:], len(loci.features)))
    turned = loci._replace(features=loci.features[back], log_bf=loci.log_bf[back], starts=starts)
    np.testing.assert_allclose(fitted(turned).coefficients, fitted(loci).coefficients, atol=1e-6)


def test_a_locus_that_counts_twice_is_two_loci(simulated):
    loci = simulated(5, 0.8, loci=30)
    weighted = fitted(loci, locus_weights=[np.full(30, 2.0)])
    double = fit_enrichment([loci.block, loci.block], 1.0)
    np.testing.assert_allclose(weighted.coefficients, double.coefficients, atol=1e-7)


def test_ridge_shrinks_towards_no_enrichment(simulated):
    loci = simulated(6, 1.0, loci=60)
    assert 0 < fitted(loci, 50.0).coefficients[0] < 0.7 * fitted(loci, 0.0).coefficients[0]
    with pytest.raises(InputError, match="ridge must be 0 or more, not -1"):
        fitted(loci, -1)


def test_coefficients_that_must_not_be_negative(simulated):
    loci = simulated(7, [-0.8, 0.8], loci=100)
    held = fitted(loci, nonnegative=np.array([True, True]))
    assert held.coefficients[0] == 0
    alone = fitted(loci._replace(features=loci.features[:, 1:]))
    assert held.coefficients[1] == pytest.approx(alone.coefficients[0], abs=1e-5)
    free = fitted(loci, nonnegative=np.array([False, True]))
    np.testing.assert_allclose(free.coefficients, fitted(loci).coefficients, atol=1e-5)


def test_coefficients_that_are_given(simulated):
    loci = simulated(8, [0.8, 0.5], loci=100)
    fit = fitted(loci, fixed=np.array([2.0, np.nan]))
    assert fit.coefficients[0] == 2
    alone = fitted(loci._replace(features=loci.features[:, 1:]), fixed=np.array([fit.coefficients[1]]))
    assert np.isnan(fit.standard_errors).tolist() == [True, False]
    assert np.isnan(alone.standard_errors).all()
    errors = bootstrap_errors([loci.block], fit, 1.0, 10, 1, fixed=np.array([2.0, np.nan]))
    assert np.isnan(errors).tolist() == [True, False]
    assert derivatives([loci.block], fit.coefficients, 1.0)[1][1] == pytest.approx(0, abs=1e-3)


def test_what_the_data_do_not_determine():
    nothing = fit_enrichment([Block.of(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros(0, dtype=int))], 4.0)
    assert (nothing.coefficients[0], nothing.standard_errors[0], nothing.converged) == (0, 0.5, True)
    flat = fit_enrichment([Block.of(np.zeros((5, 1)), np.arange(5.0)[:, None], np.array([0]))], 0.0)
    assert flat.coefficients[0] == 0
    assert np.isnan(flat.standard_errors[0])


def test_loci_without_signals_tell_nothing(simulated):
    block = simulated(4, [0.5, 1.0], loci=20).block
    silent = Block(block.features, block.starts, (), block.keys)
    at = np.array([0.3, -0.6])
    for alone, beside in zip(derivatives([block], at, 2.0), derivatives([silent, block], at, 2.0), strict=True):
        np.testing.assert_array_equal(beside, alone)
