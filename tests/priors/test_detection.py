"""Probability of detection against simulated z, and the likelihood of kept loci against the density of z."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.detection import (
    EXPONENTS,
    VARIANCES,
    detected_curves,
    given_detection,
    log_bayes_factor,
    log_detected,
    variance_ratios,
)
from fineprior.priors.enrichment_curve import GRID, curves

T = 5.45


@pytest.mark.parametrize("K", [4.0, 40.0, 300.0])
def test_log_detected_is_the_share_of_z_beyond_the_threshold(K):
    density = 2 * quad(lambda z: norm.pdf(z, 0, np.sqrt(1 + K)), T, T + 12 * np.sqrt(1 + K))[0]
    assert log_detected(K, T) == pytest.approx(np.log(density), rel=1e-6)


def test_bayes_factor_is_the_ratio_of_the_densities_of_z():
    z = np.array([-7.0, 0.3, 2.0])
    expected = norm.logpdf(z, 0, np.sqrt(1 + 25.0)) - norm.logpdf(z)
    np.testing.assert_allclose(log_bayes_factor(z, np.full(3, 25.0)), expected)


def test_ratios_follow_frequency_and_sample_size():
    h, n = np.array([0.5, 0.5, 0.1, 0.1]), np.array([100.0, 300, 100, 300])
    np.testing.assert_allclose(variance_ratios(h, n, 8.0, -1.0), [4, 12, 4, 12])
    np.testing.assert_allclose(variance_ratios(h, n, 8.0, 0.0), np.array([4, 12, 4, 12]) * h / 0.3)


def test_curve_of_a_kept_locus_is_the_density_of_its_z_given_that_it_was_kept():
    """p(z | kept) = sum_j pi_j p(z | j) / sum_j pi_j P(|z_j| > T | j), with independent variants."""
    rng = np.random.default_rng(3)
    K, x, z = rng.uniform(5, 80, 6), rng.normal(size=6), np.array([6.5, 0.2, -1.0, 5.9, 0.4, -0.1])
    alternative, null = norm.logpdf(z, 0, np.sqrt(1 + K)), norm.logpdf(z)
    detected = np.log(2 * norm.sf(T / np.sqrt(1 + K)))

    def log_density(b):
        log_pi = b * x - logsumexp(b * x)
        each = log_pi + alternative - null + null.sum()
        return logsumexp(each) - logsumexp(log_pi + detected)

    block = Block.of(np.zeros((6, 1)), log_bayes_factor(z, K)[:, None], np.array([0]))
    found = curves(given_detection(block, log_detected(K, T)), x)[0]
    for number in (5, 40, 75, 110):
        assert found[number] == pytest.approx(log_density(GRID[number]) - log_density(0.0), abs=1e-9)


def kept_loci(rng, exponent, variance, loci=600, p=30):
    """z, 2pq and n of loci of independent variants that were kept; n differs by variant."""
    found = []
    while len(found) < loci:
        maf, n = rng.uniform(0.01, 0.5, p), rng.choice([8e4, 1.2e5], p)
        h = 2 * maf * (1 - maf)
        K = variance * n / 1e5 * (h / 0.3283) ** (1 + exponent)  # 0.3283: the mean of 2pq
        z = rng.standard_normal(p)
        j = rng.integers(p)
        z[j] *= np.sqrt(1 + K[j])
        if np.abs(z).max() > T:
            found.append((z, h, n))
    return tuple(np.concatenate(one) for one in zip(*found, strict=True)), np.arange(loci) * p


@pytest.mark.slow
@pytest.mark.parametrize(("exponent", "variance"), [(-1.0, 40.0), (0.0, 40.0), (-0.5, 128.0)])
def test_size_and_exponent_of_the_effects_are_found(exponent, variance):
    (z, h, n), starts = kept_loci(np.random.default_rng(1), exponent, variance)
    x = np.random.default_rng(2).normal(size=len(z))
    found = detected_curves(z, x, h, n, starts, T)
    assert found.effects.exponent == pytest.approx(exponent, abs=0.25)
    assert found.effects.variance == pytest.approx(variance, rel=0.45)
    assert abs(GRID[np.argmax(found.profile)]) <= 0.2
    ignored = detected_curves(z, x, h, n, starts, 0.0).effects  # as if loci had not been kept for their z
    assert ignored.exponent > found.effects.exponent or ignored.variance > 1.4 * found.effects.variance


@pytest.mark.slow
def test_a_score_of_frequency_is_not_enriched_where_only_detection_is():
    """Effects per allele: detected causal variants are frequent though all variants are as likely to be causal."""
    (z, h, n), starts = kept_loci(np.random.default_rng(3), 0.0, 40.0)
    x = (h - h.mean()) / h.std()
    found = detected_curves(z, x, h, n, starts, T)
    block = Block.of(np.zeros((len(z), 0)), log_bayes_factor(z, np.full(len(z), 40.0))[:, None], starts)
    naive = curves(block, x).sum(axis=0)
    assert naive.max() > 5  # a likelihood ratio of 10 in favour of what is not there
    assert found.profile.max() < 2
    assert found.profile[60] == 0


@pytest.mark.slow
def test_profile_is_the_likeliest_of_all_exponents():
    (z, h, n), starts = kept_loci(np.random.default_rng(4), 0.0, 40.0, loci=8, p=10)
    x = np.random.default_rng(5).normal(size=len(z))
    found = detected_curves(z, x, h, n, starts, T)

    def best(b):
        return max(
            sum(logsumexp(b * x[k] + log_bayes_factor(z[k], W * u[k]))
                - logsumexp(b * x[k] + np.log(2 * norm.sf(T / np.sqrt(1 + W * u[k]))))
                for k in np.split(np.arange(len(z)), starts[1:]))
            for exponent in EXPONENTS for u in [variance_ratios(h, n, 1.0, exponent)] for W in VARIANCES
        )  # fmt: skip

    for number in (50, 60, 70):
        assert found.profile[number] == pytest.approx(best(GRID[number]) - best(0.0), abs=0.3)  # W is not profiled


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: variance_ratios(np.array([0.1, 0.0]), np.ones(2), 4, 0), r"2 f \(1 - f\) above 0.*1 are not"),
        (lambda: variance_ratios(np.array([0.1]), np.array([np.nan]), 4, 0), "n above 0"),
        (lambda: log_detected(3.0, -1.0), "must be 0 or more, not -1.0"),
        (lambda: detected_curves(*[np.zeros(0)] * 4, np.zeros(0, int), T), "at least one locus"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
