import numpy as np
import pytest

from fineprior.finemap.panel_error import PanelError, Shape, drift_of_r, excess_drift, sampling_of_r


def haplotypes(r, rng, count):
    """Two alleles of frequency 0.3 with correlation r, shape (count, 2)."""
    both = 0.09 + r * 0.21
    kind = rng.choice(4, size=count, p=[both, 0.3 - both, 0.3 - both, 0.4 + both])
    return np.stack([kind < 2, (kind == 0) | (kind == 2)], axis=1).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("r", [0.1, 0.4, 0.6, 0.8])
def test_the_error_of_sampling_is_that_of_panels(r):
    """Correlations of common variants in panels drawn at random: the shape is of this size, and is not (1 + r²)."""
    rng = np.random.default_rng(1)
    people = 250
    drawn = haplotypes(r, rng, 2 * people * 2000).reshape(2000, people, 2, 2).sum(2)
    drawn -= drawn.mean(1, keepdims=True)
    both, one, two = (drawn[:, :, a] * drawn[:, :, b] for a, b in ((0, 1), (0, 0), (1, 1)))
    observed = (both.sum(1) / np.sqrt(one.sum(1) * two.sum(1))).var() * people
    assert 0.5 < float(sampling_of_r(np.array(r * r))) / observed < 1.8


def test_variants_that_always_go_together_have_hardly_an_error():
    shape = Shape(500, 0.005)
    at = shape.of(np.array([0.0, 0.36, 1.0]))
    assert at[2] < at[0] < at[1]
    assert at[2] < 0.0012
    assert Shape(np.inf, 0.0).of(np.array([0.0, 0.5])).tolist() == [0, 0]


def test_an_effect_alone_meets_the_error_of_its_r():
    """One effect b at variant 0 explains b r of variant j: the error of r times b² is the variance of what is left."""
    r = np.array([1.0, 0.6, -0.2])
    found = PanelError(400, known_drift=0.01).residual_variance(20 * r, 400.0, 1.5)
    assert found == pytest.approx(1.5 + 400 * Shape(400, 0.01).of(r * r))


def test_an_infinite_panel_without_drift_adds_nothing():
    assert PanelError(np.inf).residual_variance(np.array([5.0, 1.0]), 20.0, 1.0).tolist() == [1, 1]


def test_what_explains_nothing_adds_nothing():
    assert PanelError(500, known_drift=0.1).residual_variance(np.zeros(3), 0.0, 1.0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("known", [0.0, 0.004])
@pytest.mark.parametrize("excess", [0.0, 0.002, 0.02])
def test_what_z_adds_is_recovered(known, excess):
    rng = np.random.default_rng(2)
    eta, v = 20 * rng.uniform(-1, 1, 5000), 400.0
    r2 = eta**2 / v
    variance = 1 + v * (sampling_of_r(r2) / 500 + (known + excess) * drift_of_r(r2))
    error = PanelError(500, known_drift=known)
    error.after_sweep(rng.normal(size=5000) * np.sqrt(variance), eta, v, 1.0)
    assert error.drift == pytest.approx(known + excess, abs=0.001)


def test_z_never_takes_from_what_is_known():
    error = PanelError(500, known_drift=0.01)
    error.after_sweep(np.zeros(50), np.full(50, 5.0), 100.0, 1.0)
    assert error.drift == 0.01
    error.after_sweep(np.full(50, 30.0), np.full(50, 5.0), 100.0, 1.0)
    assert error.drift > 0.1
    error.restart()
    assert error.drift == 0.01


def test_nothing_explained_has_no_drift():
    assert excess_drift(np.array([3.0, -2.0]), np.zeros(2), np.ones(2)) == 0


def test_drift_can_be_left_at_its_value():
    error = PanelError(500, known_drift=0.01, estimate_drift=False)
    error.after_sweep(np.full(5, 9.0), np.full(5, 9.0), 100.0, 1.0)
    assert error.drift == 0.01
