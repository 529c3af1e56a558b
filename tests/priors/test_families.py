"""Families of studies against the integral over what they share, in closed form given it."""

import numpy as np
import pytest
from scipy.stats import norm

from fineprior.files.errors import InputError
from fineprior.priors.coefficient_posterior import CoefficientPrior, posterior_of
from fineprior.priors.enrichment_curve import GRID
from fineprior.priors.families import TAU_SCALE, family_posteriors

PRIOR = CoefficientPrior()


def curves_of(estimates, errors):
    return np.stack([norm.logpdf(GRID, m, s) for m, s in zip(estimates, errors, strict=True)])


def means_by_integral(estimates, errors, scale=1.5):
    """Posterior means of b_s, mu and tau: normal given mu and tau, which are integrated on a dense grid."""
    mu, tau = np.meshgrid(np.linspace(-3.1, 3.1, 311), np.geomspace(0.04, 2.0, 200), indexing="ij")
    log_weight = -0.5 * (mu / scale) ** 2 - np.log1p((tau / TAU_SCALE) ** 2) + np.log(tau)
    for m, s in zip(estimates, errors, strict=True):
        log_weight = log_weight + norm.logpdf(m, mu, np.sqrt(tau**2 + s**2))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    each = [
        (weight * (m / s**2 + mu / tau**2) / (1 / s**2 + 1 / tau**2)).sum()
        for m, s in zip(estimates, errors, strict=True)
    ]
    return each, (weight * mu).sum(), (weight * tau).sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimates", "errors"),
    [([1.2, 0.4, 0.9], [0.5, 0.9, 0.3]), ([0.1, -0.2, 0.0, 0.3], [0.4] * 4), ([2.0, -0.5], [0.2, 0.3])],
)
def test_family_without_strangers_is_the_integral(estimates, errors):
    found = family_posteriors(curves_of(estimates, errors), PRIOR, stranger=0.0)
    each, mean, spread = means_by_integral(estimates, errors)
    np.testing.assert_allclose([one.mean for one in found.posteriors], each, atol=0.03)
    assert found.mean == pytest.approx(mean, abs=0.03)
    assert found.spread == pytest.approx(spread, rel=0.1)


@pytest.mark.slow
def test_strangers_all_are_as_studies_alone():
    curves = curves_of([1.2, -0.4, 0.1], [0.5, 0.9, 0.2])
    for own, curve in zip(family_posteriors(curves, PRIOR, stranger=1.0).posteriors, curves, strict=True):
        alone = posterior_of(curve, PRIOR)
        np.testing.assert_allclose(own.weights, alone.weights, atol=1e-9)
        assert own.nonzero == pytest.approx(alone.nonzero)


@pytest.mark.slow
def test_a_small_study_borrows_and_a_stranger_keeps_to_itself():
    alike = curves_of([1.6] * 5 + [0.3], [0.3] * 5 + [1.5])
    small = family_posteriors(alike, PRIOR).posteriors[-1]
    assert posterior_of(alike[-1], PRIOR).mean < 0.3
    assert 1.0 < small.mean < 1.6
    odd = curves_of([1.6] * 5 + [-0.8], [0.3] * 5 + [0.3])
    strict, loose = (family_posteriors(odd, PRIOR, e).posteriors[-1].mean for e in (0.0, 0.2))
    assert -0.85 < loose <= strict + 1e-9


@pytest.mark.slow
def test_known_sign_holds_in_a_family():
    found = family_posteriors(curves_of([-0.5, 0.2], [0.4, 0.6]), CoefficientPrior(nonnegative=True))
    assert all(not one.weights[GRID < 0].any() for one in found.posteriors)


def test_a_family_of_one_and_a_probability_that_is_none():
    with pytest.raises(InputError, match="two studies or more, not 1"):
        family_posteriors(np.zeros((1, len(GRID))), PRIOR)
    with pytest.raises(InputError, match=r"from 0 to 1, not 1\.5"):
        family_posteriors(np.zeros((2, len(GRID))), PRIOR, stranger=1.5)
