"""Scales of groups against the integral of the likelihood, and on simulated loci of which the truth is known."""

import numpy as np
import pytest
from scipy.special import logsumexp

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.enrichment import fit_enrichment
from fineprior.priors.grouped_enrichment import RATE, fit_groups, missing_of, steps_of


def log_likelihood(loci, coefficients):
    """Written out locus by locus, of coefficients (d,) or several of them (d, m)."""
    total = 0.0
    for start, end in zip(loci.starts, np.append(loci.starts[1:], len(loci.features)), strict=True):
        eta = loci.features[start:end] @ coefficients
        log_bf = loci.log_bf[start:end, 0].reshape(-1, *[1] * (eta.ndim - 1))
        total = total + logsumexp(eta + log_bf, axis=0) - logsumexp(eta, axis=0)
    return total


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "rate"), [(0.8, RATE), (0.8, 0.0), (0.3, RATE), (0.0, RATE)])
def test_scale_of_one_coefficient_maximises_its_integrated_likelihood(simulated, truth, rate):
    """p(data | tau) exp(-rate tau), the coefficient integrated numerically."""
    loci = simulated(3, truth, loci=150, strength=6.0)
    b = np.linspace(-2, 2, 201)
    curve = log_likelihood(loci, b[None])
    tau = np.geomspace(0.01, 5, 400)
    normal = -0.5 * (b / tau[:, None]) ** 2 - np.log(tau[:, None])
    evidence = logsumexp(curve + normal, axis=1) - rate * tau
    found = fit_groups([loci.block], [0], rate=rate)
    at = np.interp(np.log(found.scales[0]), np.log(tau), evidence)
    assert evidence.max() - at < 0.1  # log units: as likely as the best scale, but for Laplace's approximation
    assert found.converged


@pytest.mark.slow
def test_a_group_that_says_nothing_is_shrunk_and_the_other_is_not(simulated):
    truth = np.r_[np.full(4, 0.5), np.zeros(8)]
    loci = simulated(1, truth, loci=300, strength=6.0)
    found = fit_groups([loci.block], np.r_[np.zeros(4, int), np.ones(8, int)])
    assert found.scales[0] > 0.25
    assert found.scales[1] < 0.1
    np.testing.assert_allclose(found.coefficients[:4], 0.5, atol=0.2)
    assert np.abs(found.coefficients[4:]).max() < 0.08
    again = fit_groups([loci.block], np.r_[np.zeros(4, int), np.ones(8, int)], start=found)
    np.testing.assert_allclose(again.coefficients, found.coefficients, atol=0.02)


def test_at_its_scales_the_fit_is_the_penalised_one(simulated):
    loci = simulated(2, [0.6, -0.4, 0.0], loci=40, strength=6.0)
    found = fit_groups([loci.block], [0, 0, 1], nonnegative=np.array([False, True, False]))
    ridge = 1 / found.scales[[0, 0, 1]] ** 2
    own = fit_enrichment([loci.block], ridge, nonnegative=np.array([False, True, False]))
    np.testing.assert_allclose(found.coefficients, own.coefficients, atol=1e-4)
    assert found.coefficients[1] == 0 == found.standard_errors[1]
    near = [log_likelihood(loci, found.coefficients + step) - 0.5 * ridge @ (found.coefficients + step) ** 2
            for step in (np.zeros(3), *(0.01 * np.eye(3)), *(-0.01 * np.eye(3)[[0, 2]]))]  # fmt: skip
    assert np.argmax(near) == 0


def test_standard_error_of_one_coefficient_is_the_curvature(simulated):
    loci = simulated(4, 0.7, loci=100, strength=6.0)
    found = fit_groups([loci.block], [0])
    b, step = found.coefficients, 1e-3
    ridge = found.scales**-2

    def value(one):
        return log_likelihood(loci, one) - 0.5 * float(ridge @ one**2)

    curvature = (value(b + step) - 2 * value(b) + value(b - step)) / step**2
    assert found.standard_errors[0] == pytest.approx((-curvature) ** -0.5, rel=1e-3)


def test_steps_are_at_quantiles_and_missing_is_a_feature():
    values = np.r_[np.arange(10.0), np.nan, np.nan]
    steps = steps_of(values, (0.5, 0.9, 0.9))
    assert steps.shape == (12, 2)
    assert not steps[10:].any()
    np.testing.assert_array_equal(steps[:10] > 0, np.stack([values[:10] > 4.5, values[:10] > 8.1], axis=1))
    np.testing.assert_allclose([steps[:10].mean(axis=0), steps[:10].std(axis=0)], [[0, 0], [1, 1]], atol=1e-12)
    gone = missing_of(values)
    np.testing.assert_array_equal(gone[:, 0] > 0, np.isnan(values))
    assert (gone.mean(), gone.std()) == (pytest.approx(0), pytest.approx(1))


def test_a_score_that_does_not_vary_has_no_steps_and_none_missing_no_term():
    for values in (np.full(5, 2.0), np.full(5, np.nan)):
        assert steps_of(values).shape == missing_of(values).shape == (5, 0)


@pytest.mark.parametrize("groups", [[0, 2, 0], [0, 0], [1, 1, 1], [0, 0, -1]])
def test_groups_that_do_not_fit_are_named(groups):
    block = Block.of(np.zeros((4, 3)), np.zeros((4, 1)), np.array([0, 2]))
    with pytest.raises(InputError, match=r"groups of 3 features must be 3 numbers 0, 1, ... without gaps, not \["):
        fit_groups([block], groups)


def test_scales_that_are_given_are_kept(simulated):
    loci = simulated(5, [0.5, 0.5], loci=40, strength=6.0)
    found = fit_groups([loci.block], [0, 1], scales=np.array([0.2, np.nan]))
    assert found.scales[0] == pytest.approx(0.2)
    assert found.scales[1] != pytest.approx(0.2)
    with pytest.raises(InputError, match=r"scales of 2 groups must be 2 numbers above 0 or NaN, not \[0.2, 0.0\]"):
        fit_groups([loci.block], [0, 1], scales=np.array([0.2, 0.0]))
