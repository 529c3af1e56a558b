import numpy as np
import pytest

from fineprior.finemap.panel_error import PanelError, estimate_drift


@pytest.mark.slow
def test_variance_is_that_of_a_panel():
    """Over panels drawn from N(0, R) the z that b explains has the variance of the formula."""
    rng = np.random.default_rng(1)
    R = np.array([[1, 0.6, 0.1], [0.6, 1, 0.3], [0.1, 0.3, 1]])
    b, people = np.array([4.0, 0.0, -3.0]), 50
    root = np.linalg.cholesky(R)
    panels = [root @ rng.normal(size=(3, people)) for _ in range(20_000)]
    observed = np.var([panel @ (panel.T @ b) / people for panel in panels], axis=0)
    expected = PanelError(people).residual_variance(R @ b, float(b @ R @ b), 1.0) - 1
    assert observed == pytest.approx(expected, rel=0.05)


def test_an_infinite_panel_without_drift_adds_nothing():
    assert PanelError(np.inf).residual_variance(np.array([5.0, 1.0]), 20.0, 1.0).tolist() == [1, 1]


@pytest.mark.parametrize("drift", [0.0, 0.002, 0.02])
def test_drift_is_recovered(drift):
    rng = np.random.default_rng(2)
    scale = 400 + 400 * rng.uniform(size=5000)
    residual = rng.normal(size=5000) * np.sqrt(1 + (1 / 500 + drift) * scale)
    assert estimate_drift(residual, scale, 1.0, 500) == pytest.approx(drift, abs=0.001)


def test_nothing_explained_has_no_drift():
    assert estimate_drift(np.array([3.0, -2.0]), np.zeros(2), 1.0, 500) == 0


def test_drift_can_be_left_at_its_value():
    error = PanelError(500, drift=0.01, estimate_drift=False)
    error.after_sweep(np.full(5, 9.0), np.full(5, 9.0), 100.0, 1.0)
    assert error.drift == 0.01
