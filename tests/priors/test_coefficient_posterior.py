"""Posterior and mixture against integrals, and against the joint posterior of small studies written out."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block, log_softmax
from fineprior.priors.coefficient_posterior import (
    CoefficientPrior,
    groups_left_out,
    left_out_posteriors,
    mixed_prior,
    posterior_of,
)
from fineprior.priors.enrichment_curve import GRID, ZERO, curves

PRIORS = [CoefficientPrior(), CoefficientPrior(nonnegative=True), CoefficientPrior(scale=0.7, null=0.2)]


def slab(b, prior):
    return norm.pdf(b, 0, prior.scale) * (2 * (b >= 0) if prior.nonnegative else 1)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("centre", "width"), [(0.4, 0.6), (-0.8, 0.9), (1.7, 0.04), (0.02, 0.05)])
def test_posterior_of_a_normal_likelihood_is_the_integral(prior, centre, width):
    """Also where the peak is narrower than a step of the grid."""

    def integral(f):
        ends = (0.0 if prior.nonnegative else -6.0, 6.0)
        points = [p for p in (0.0, centre - 5 * width, centre, centre + 5 * width) if ends[0] < p < ends[1]]
        return quad(lambda b: f(b) * norm.pdf(b, centre, width) * slab(b, prior), *ends, points=points, limit=400)[0]

    active = (1 - prior.null) * integral(lambda b: 1.0)
    null = prior.null * norm.pdf(0, centre, width)
    found = posterior_of(norm.logpdf(GRID, centre, width), prior)
    assert found.nonzero == pytest.approx(active / (active + null), abs=2e-3)
    mean = (1 - prior.null) * integral(lambda b: b) / (active + null)
    assert found.mean == pytest.approx(mean, abs=2e-3)
    assert found.weights.sum() == pytest.approx(1)
    if prior.nonnegative:
        assert not found.weights[:ZERO].any()


def small_study(seed, loci=4, size=3):
    rng = np.random.default_rng(seed)
    x, log_bf = rng.normal(0, 1, loci * size), rng.normal(0, 3, loci * size)
    starts = np.arange(loci) * size
    return x, log_bf, starts, Block.of(np.zeros((loci * size, 1)), log_bf[:, None], starts)


def joint_posterior(x, log_bf, starts, prior, size=3):
    """P(j is causal | all z) (n,) from all configurations of causal variants and an integral over the coefficient."""
    b = np.linspace(0 if prior.nonnegative else -6, 6, 6001)
    weight = slab(b, prior)
    weight = (1 - prior.null) * weight / weight.sum()
    b, weight = np.append(b, 0.0), np.append(weight, prior.null)
    log_pi = np.stack([log_softmax(one * x, starts) for one in b])
    found = np.zeros(len(x))
    for each in itertools.product(range(size), repeat=len(starts)):
        rows = starts + np.array(each)
        probability = float(weight @ np.exp(log_pi[:, rows].sum(axis=1))) * np.exp(log_bf[rows].sum())
        found[rows] += probability
    return found / found[:size].sum()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("prior", PRIORS)
def test_prior_made_without_a_locus_gives_it_the_joint_posterior(seed, prior):
    """Bayes' rule for all causal variants and the coefficient at once: what the mixture is for."""
    x, log_bf, starts, block = small_study(seed)
    found = left_out_posteriors(curves(block, x), np.arange(len(starts)), prior)
    expected = joint_posterior(x, log_bf, starts, prior)
    for number, start in enumerate(starts):
        rows = slice(start, start + 3)
        pip = mixed_prior(x[rows], np.array([0]), found[number].weights) * np.exp(log_bf[rows])
        np.testing.assert_allclose(pip / pip.sum(), expected[rows], atol=2e-3)


def test_groups_are_left_out_together_and_whole():
    x, _log_bf, _starts, block = small_study(5)
    each = curves(block, x)
    prior = CoefficientPrior()
    found = left_out_posteriors(each, ["chr2", "chr1", "chr2", "chr1"], prior)
    np.testing.assert_allclose(found["chr2"].weights, posterior_of(each[1] + each[3], prior).weights, atol=1e-12)
    each[[0, 2]] += 40 * np.exp(-((GRID - 3) ** 2))
    again = left_out_posteriors(each, ["chr2", "chr1", "chr2", "chr1"], prior)
    np.testing.assert_allclose(again["chr2"].weights, found["chr2"].weights, atol=1e-12)
    assert np.abs(again["chr1"].weights - found["chr1"].weights).max() > 0.1


def test_without_data_the_posterior_is_the_prior():
    found = posterior_of(np.zeros(len(GRID)), CoefficientPrior(null=0.25))
    assert found.nonzero == pytest.approx(0.75)
    assert found.mean == pytest.approx(0, abs=1e-12)
    assert np.sqrt(found.weights @ GRID**2) == pytest.approx(1.5 * np.sqrt(0.75), rel=0.01)


def test_mixture_is_the_mean_of_the_softmaxes():
    rng = np.random.default_rng(1)
    x, starts = rng.normal(0, 2, 12), np.array([0, 1, 5])
    weights = rng.dirichlet(np.ones(len(GRID)))
    expected = sum(w * np.exp(log_softmax(b * x, starts)) for w, b in zip(weights, GRID, strict=True))
    np.testing.assert_allclose(mixed_prior(x, starts, weights), expected, rtol=1e-10)
    own = np.stack([rng.dirichlet(np.ones(len(GRID))), weights, np.eye(len(GRID))[ZERO + 7]])
    each = np.concatenate([mixed_prior(x[k], np.array([0]), one)
                           for k, one in zip(np.split(np.arange(12), starts[1:]), own, strict=True)])  # fmt: skip
    np.testing.assert_allclose(mixed_prior(x, starts, own), each, rtol=1e-10)


def test_a_study_of_one_chromosome_leaves_out_each_locus():
    chromosomes = ["1", "1", "2", "1"]
    assert groups_left_out(chromosomes, [1, 2, 1, 0]).tolist() == chromosomes
    alone = groups_left_out(chromosomes, [1, 2, 0, 0]).tolist()
    assert len(set(alone[:2])) == 2
    assert alone[0] != "1"
    assert alone[3] not in alone[:2]


def test_a_prior_of_a_coefficient_that_is_none():
    with pytest.raises(InputError, match="scale of a coefficient's prior must be above 0, not 0"):
        CoefficientPrior(scale=0)
    with pytest.raises(InputError, match="must be 0 or more and below 1, not 1"):
        CoefficientPrior(null=1.0)
