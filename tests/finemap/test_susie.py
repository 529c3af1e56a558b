import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fineprior.finemap
from fineprior.files.errors import InputError
from fineprior.finemap.susie import susie_rss

N = 5_000
# The V search and the convergence test are continuous in the data only between jumps: tight tolerances keep the
# compared fits on the same side.
TIGHT = {"tol": 1e-9, "max_iter": 2000}


def locus(seed, p=30, effects=2, size=0.1):
    """z and R of a locus with in-sample LD: neighbours correlate."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((400, p))
    genotypes = noise.copy()
    for variant in range(1, p):
        genotypes[:, variant] = 0.8 * genotypes[:, variant - 1] + 0.6 * noise[:, variant]
    R = np.corrcoef(genotypes, rowvar=False)
    np.fill_diagonal(R, 1.0)
    b = np.zeros(p)
    b[rng.choice(p, effects, replace=False)] = rng.choice([-size, size], effects)
    z = np.sqrt(N) * R @ b + np.linalg.cholesky(R) @ rng.standard_normal(p)
    return z, R, rng


def naive_elbo(fit, R):
    """The ELBO from its definition, with dense products."""
    xtx = (N - 1) * R
    z = fit.z * np.sqrt((N - 1) / (fit.z**2 + N - 2))
    b = fit.alpha * fit.mu
    mean = b.sum(axis=0)
    squared = (N - 1) - 2 * np.sqrt(N - 1) * mean @ z + mean @ xtx @ mean
    squared += sum((N - 1) * (a @ m2) - row @ xtx @ row for a, m2, row in zip(fit.alpha, fit.mu2, b, strict=True))
    posterior_variance = fit.mu2 - fit.mu**2
    divergence = fit.alpha * (
        np.log(fit.alpha / fit.pi) + 0.5 * (np.log(fit.V[:, None] / posterior_variance) + fit.mu2 / fit.V[:, None] - 1)
    )
    return -N / 2 * np.log(2 * np.pi * fit.sigma2) - squared / (2 * fit.sigma2) - divergence.sum()


seeds = st.integers(0, 10_000)
few = settings(max_examples=15, deadline=None, derandomize=True)


@pytest.mark.slow
@few
@given(seeds)
def test_alpha_is_a_distribution_and_the_elbo_does_not_fall(seed):
    z, R, _ = locus(seed)
    fit = susie_rss(z, R, N, L=5)
    np.testing.assert_allclose(fit.alpha.sum(axis=1), 1, atol=1e-12)
    assert (np.diff(fit.elbo) > -1e-7).all()
    assert ((fit.pip >= 0) & (fit.pip <= 1)).all()
    assert fit.pip.shape == z.shape


@pytest.mark.slow
@few
@given(seeds)
def test_order_of_variants_does_not_matter(seed):
    z, R, rng = locus(seed)
    order = rng.permutation(len(z))
    weights = rng.uniform(0.1, 1, len(z))
    fit = susie_rss(z, R, N, L=5, prior_weights=weights, **TIGHT)
    moved = susie_rss(z[order], R[np.ix_(order, order)], N, L=5, prior_weights=weights[order], **TIGHT)
    np.testing.assert_allclose(moved.pip, fit.pip[order], atol=1e-5)


@pytest.mark.slow
@few
@given(seeds)
def test_the_counted_allele_does_not_matter(seed):
    z, R, rng = locus(seed)
    sign = rng.choice([-1.0, 1.0], len(z))
    fit, flipped = susie_rss(z, R, N, L=5), susie_rss(sign * z, R * np.outer(sign, sign), N, L=5)
    np.testing.assert_allclose(flipped.pip, fit.pip, atol=1e-9)
    np.testing.assert_allclose(flipped.mu, sign * fit.mu, atol=1e-9)


@pytest.mark.slow
@few
@given(seeds, st.floats(1e-6, 1e6))
def test_only_the_ratio_of_prior_weights_matters(seed, factor):
    z, R, rng = locus(seed)
    weights = rng.uniform(0.1, 1, len(z))
    fit = susie_rss(z, R, N, L=5, prior_weights=weights, **TIGHT)
    scaled = susie_rss(z, R, N, L=5, prior_weights=factor * weights, **TIGHT)
    np.testing.assert_allclose(scaled.pip, fit.pip, atol=1e-6)


@pytest.mark.slow
@few
@given(seeds)
def test_float32_and_float64_agree(seed):
    z, R, _ = locus(seed)
    R = R.astype(np.float32)
    fit, wide = susie_rss(z, R, N, L=5, **TIGHT), susie_rss(z, R.astype(np.float64), N, L=5, **TIGHT)
    np.testing.assert_allclose(fit.pip, wide.pip, atol=1e-6)


def test_uniform_weights_are_no_weights():
    z, R, _ = locus(3)
    np.testing.assert_array_equal(susie_rss(z, R, N).pip, susie_rss(z, R, N, prior_weights=np.full(30, 1 / 30)).pip)


def test_a_larger_weight_raises_the_pip():
    z, R, _ = locus(5)
    weights = np.ones(30)
    weights[int(np.argsort(susie_rss(z, R, N).pip)[-3])] = 20
    favoured = int(np.argmax(weights))
    assert susie_rss(z, R, N, prior_weights=weights).pip[favoured] > susie_rss(z, R, N).pip[favoured]


@pytest.mark.parametrize("signal", [1.0, 0.0])
@pytest.mark.parametrize("estimate_residual_variance", [False, True])
def test_elbo_is_its_definition(estimate_residual_variance, signal):
    z, R, _ = locus(1)
    fit = susie_rss(
        signal * z, R, N, L=4, estimate_prior_variance=False, estimate_residual_variance=estimate_residual_variance
    )
    assert (fit.sigma2 == 1) != estimate_residual_variance
    # The prior's tiny offset is in the fit and not in the definition: 3e-10 of the ELBO.
    assert fit.elbo[-1] == pytest.approx(naive_elbo(fit, R), rel=1e-8)


def test_no_signal_makes_no_set_and_says_why():
    _, R, _ = locus(0)
    fit = susie_rss(np.zeros(30), R, N)
    assert not fit.sets
    assert "no effect" in fit.sets.reason
    assert not fit.V.any()
    assert not fit.pip.any()
    assert fit.converged


def test_effects_that_become_null_together_are_the_same_as_one_by_one():
    z, R, _ = locus(8)
    ten, four = susie_rss(z, R, N, L=10), susie_rss(z, R, N, L=4)
    assert (four.V == 0).any()
    np.testing.assert_allclose(ten.pip, four.pip, atol=1e-12)
    np.testing.assert_allclose(ten.alpha[ten.V == 0], ten.pi[None].repeat((ten.V == 0).sum(), 0))


def test_independent_variants_are_fitted_one_effect_each():
    z = np.array([12.0, 0.3, -9.0, 0.1, -0.4])
    fit = susie_rss(z, np.eye(5), N)
    assert sorted(found.variables.tolist() for found in fit.sets.sets) == [[0], [2]]
    assert fit.alpha.shape == (5, 5)


@pytest.mark.parametrize("z", [0.0, 8.0, -30.0])
def test_one_variant(z):
    fit = susie_rss([z], [[1.0]], N)
    assert fit.pip.tolist() == [float(z != 0)]
    assert len(fit.sets) == int(z != 0)


@pytest.mark.parametrize(("signals", "expected"), [(0, 3), (2, 3), (3, 6), (7, 8), (12, 8)])
def test_effects_are_added_while_each_makes_a_set(signals, expected):
    z = np.where(np.arange(15) < signals, 9.0 + 0.7 * np.arange(15), 0.1)
    fit = susie_rss(z, np.eye(15), N, L=8, L_greedy=3)
    assert len(fit.V) == expected
    assert len(fit.sets) == min(signals, expected)
    np.testing.assert_array_equal(fit.pip, susie_rss(z, np.eye(15), N, L=expected).pip)


def test_perfect_twins_share_the_signal():
    z = np.array([8.0, 8.0, 0.0])
    R = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(susie_rss(z, R, N, L=1).pip[:2], 0.5)


def test_weight_zero_excludes_a_variant_in_practice():
    z, R, _ = locus(2, effects=1)
    weights = np.ones(30)
    weights[int(np.argmax(np.abs(z)))] = 0
    assert susie_rss(z, R, N, L=1, prior_weights=weights).pip[int(np.argmax(np.abs(z)))] < 1e-3


def test_null_weight_takes_from_weak_signals():
    z, R, _ = locus(4, effects=1, size=0.05)
    fit = susie_rss(z, R, N, L=1, null_weight=0.5)
    assert fit.null_index == 30
    assert fit.alpha.shape == (1, 31)
    assert fit.pip.shape == (30,)
    assert fit.pip.sum() < susie_rss(z, R, N, L=1).pip.sum()


def test_variants_without_variance_get_no_signal():
    z, R, _ = locus(6)
    R[4] = R[:, 4] = 0
    fit = susie_rss(z, R, N, L=3)
    assert fit.mu[:, 4].tolist() == [0, 0, 0]
    assert np.isfinite(fit.pip).all()


def test_effects_and_standard_errors_stand_for_z():
    z, R, _ = locus(7)
    effects = susie_rss(None, R, N, bhat=z * 0.02, shat=np.full(30, 0.02))
    np.testing.assert_allclose(effects.pip, susie_rss(z, R, N).pip, atol=1e-9)


def test_same_input_same_bytes():
    z, R, _ = locus(9)
    assert susie_rss(z, R, N).alpha.tobytes() == susie_rss(z, R, N).alpha.tobytes()


Z3, R3 = np.array([1.0, 2.0, 3.0]), np.eye(3)


@pytest.mark.parametrize(
    ("positional", "named", "message"),
    [
        ((Z3[:2], R3, N), {}, r"R: shape \(3, 3\) does not fit the 2 z-scores"),
        (([1, np.nan, 2], R3, N), {}, "z: 1 of 3 values are not finite, the first at index 1"),
        (([1, 2, np.inf], R3, N), {}, "z: 1 of 3"),
        (([], np.zeros((0, 0)), N), {}, "z: shape"),
        ((R3, R3, N), {}, "z: shape"),
        ((None, R3, N), {}, "either z, or bhat and shat"),
        ((Z3, R3, N), {"bhat": Z3, "shat": Z3}, "either z, or bhat and shat"),
        ((None, R3, N), {"bhat": Z3, "shat": [1, 0, 1]}, "shat: value 0 at index 1"),
        ((None, R3, N), {"bhat": Z3, "shat": [1, 1]}, "bhat and shat: 3 and 2"),
        ((Z3, np.full((3, 3), np.nan), N), {}, "R: row 0"),
        ((Z3, R3, 1), {}, "n: 1 is not a sample size"),
        ((Z3, R3, float("nan")), {}, "n: nan"),
        ((Z3, R3, N), {"prior_weights": [1, 1]}, "prior_weights: 2 values for 3 variants"),
        ((Z3, R3, N), {"prior_weights": [1, -0.5, 1]}, "prior_weights: value -0.5 at index 1"),
        ((Z3, R3, N), {"prior_weights": [0, 0, 0]}, "prior_weights: all are 0"),
        ((Z3, R3, N), {"prior_weights": [1, np.nan, 1]}, "prior_weights: 1 of 3"),
        ((Z3, R3, N), {"L": 0}, "L: 0, 1 or more"),
        ((Z3, R3, N), {"L_greedy": 0}, "L_greedy: 0, 1 or more"),
        ((Z3, R3, N), {"max_iter": 0}, "max_iter: 0"),
        ((Z3, R3, N), {"tol": -1}, "tol: -1"),
        ((Z3, R3, N), {"scaled_prior_variance": 0}, "prior_variance: 0"),
        ((Z3, R3, N), {"residual_variance": -1}, "residual_variance: -1, above 0"),
        ((Z3, R3, N), {"null_weight": 1}, "null_weight: 1, from 0 to below 1"),
        ((Z3, R3, N), {"estimate_prior_method": "em"}, "estimate_prior_method: 'em', allowed are optim, EM"),
        ((Z3, R3, N), {"convergence_method": "x"}, "convergence_method: 'x'"),
        ((Z3, R3, N), {"z_method": "x"}, "z_method: 'x'"),
    ],
)
def test_bad_input_is_named(positional, named, message):
    with pytest.raises(InputError, match=message):
        susie_rss(*positional, **named)


def test_foreign_correlations_give_a_negative_residual_variance_by_name():
    with pytest.raises(InputError, match="residual variance is negative"):
        susie_rss([60.0, -60.0, 55.0], np.full((3, 3), 0.99) + 0.01 * np.eye(3), 4000, estimate_residual_variance=True)


def test_overflow_is_an_arithmetic_error():
    with pytest.raises(ArithmeticError):
        susie_rss([1e200, 1.0, 0.0], R3, N)


@pytest.mark.parametrize("options", [{}, {"refine": True}, {"null_weight": 0.1}, {"L_greedy": 1}])
def test_a_weight_of_0_excludes_a_variant_where_asked_for(options):
    z, R, _ = locus(2, effects=1)
    z = 3 * z
    lead, weights = int(np.argmax(np.abs(z))), np.ones(30)
    weights[lead] = 0
    fit = susie_rss(z, R, N, L=3, prior_weights=weights, zero_excludes=True, **options)
    assert fit.pip[lead] == 0
    assert susie_rss(z, R, N, L=3, prior_weights=weights, **options).pip[lead] > 0.5, "as in susieR"


def test_a_weight_of_0_that_a_signal_can_overrule_is_told(caplog):
    z, R, _ = locus(3)
    weights = np.ones(len(z))
    susie_rss(z, R, N, prior_weights=weights)
    assert "prior_weights" not in caplog.text
    weights[:2] = 0
    susie_rss(z, R, N, prior_weights=weights, zero_excludes=True)
    assert "prior_weights" not in caplog.text
    susie_rss(z, R, N, prior_weights=weights)
    assert "prior_weights: 2 are 0; as in susieR each is taken as 1.5e-8" in caplog.text


def test_the_package_names_its_entry_points_and_loads_none():
    named = re.findall(r"`(\w+)\.(\w+)[(`]", fineprior.finemap.__doc__)
    assert ("susie", "susie_rss") in named
    assert len(named) > 10
    for module, name in named:
        assert callable(getattr(importlib.import_module(f"fineprior.finemap.{module}"), name))
    code = "import sys, fineprior.finemap; print({'numpy', 'pandas', 'scipy'} & set(sys.modules))"
    scripts = Path(fineprior.finemap.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_fit_cannot_be_written_to_and_z_and_r_stay_their_owners():
    z, R, _ = locus(0)
    fit = susie_rss(z, R, N)
    for array in (fit.alpha, fit.mu, fit.pip, fit.pi, fit.z, fit.sets.sets[0].variables):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    z[0], R[0, 0] = 1, 1
