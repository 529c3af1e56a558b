import math

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap import ibss
from fineprior.finemap.correlation import PanelCorrelation
from fineprior.finemap.susie import susie_rss

N = 20_000


def mismatched_locus(p=1200, people=150, seed=0):
    """z of one sample, genotypes of another: many effects, on many variants each."""
    rng = np.random.default_rng(seed)
    both = rng.standard_normal((2 * people, p))
    for variant in range(1, p):
        both[:, variant] = 0.9 * both[:, variant - 1] + math.sqrt(0.19) * both[:, variant]
    sample, panel = both[:people], both[people:]
    sample = (sample - sample.mean(0)) / np.linalg.norm(sample - sample.mean(0), axis=0)
    z = sample.T @ (sample[:, [p // 12, p // 2, p - 20]] @ [12.0, -8.0, 6.0] + rng.standard_normal(people))
    return z, panel


@pytest.mark.slow
def test_what_is_left_out_and_float32_do_not_show(monkeypatch):
    z, panel = mismatched_locus()
    R = PanelCorrelation.from_genotypes(panel).matrix(np.float32).matrix
    fit = susie_rss(z, R, N)
    monkeypatch.setattr(ibss, "LBF_TOLERANCE", 0.0)
    exact = susie_rss(z, R.astype(np.float64), N)
    assert (exact.V > 0).sum() > 5
    assert fit.niter == exact.niter
    np.testing.assert_allclose(fit.pip, exact.pip, rtol=0, atol=1e-7)
    # Both end at the same ELBO but for the rounding of its sums: 1e-13 of it with OpenBLAS' kernel SkylakeX, 4e-13 with
    # Haswell and Zen. On the way, where a sweep still gains units, what an entry left out makes of the next sweep is up
    # to 1.4e-10 of it with SkylakeX and 1.4e-11 with the others.
    np.testing.assert_allclose(fit.elbo[-1], exact.elbo[-1], rtol=1e-11)
    np.testing.assert_allclose(fit.elbo, exact.elbo, rtol=1e-9)
    assert [one.variables.tolist() for one in fit.sets.sets] == [one.variables.tolist() for one in exact.sets.sets]


@pytest.mark.slow
def test_a_panel_without_its_matrix_gives_the_same_fit():
    z, panel = mismatched_locus(p=700)
    low_rank = PanelCorrelation.from_genotypes(panel)
    fit, dense = susie_rss(z, low_rank, N), susie_rss(z, low_rank.matrix(np.float64), N)
    np.testing.assert_allclose(fit.pip, dense.pip, rtol=0, atol=1e-7)
    assert len(fit.sets) == len(dense.sets)


class Recorded:
    """A residual variance of `share` more for each unit that is explained."""

    def __init__(self, share):
        self.share, self.sweeps = share, []

    def residual_variance(self, expected_z, explained, sigma2):
        return sigma2 + self.share * (expected_z**2 + explained)

    def after_sweep(self, residual_z, expected_z, explained, sigma2):
        self.sweeps.append((residual_z, expected_z, explained))


@pytest.mark.slow
def test_inflation_by_nothing_changes_nothing():
    z, panel = mismatched_locus(p=300)
    R = np.corrcoef(panel, rowvar=False)
    fit, same = susie_rss(z, R, N, convergence_method="pip"), susie_rss(z, R, N, inflation=Recorded(0.0))
    np.testing.assert_allclose(same.pip, fit.pip, atol=1e-9)
    assert same.niter == fit.niter


@pytest.mark.slow
def test_inflation_hears_of_all_effects_and_weakens_secondary_ones():
    z, panel = mismatched_locus(p=300)
    R = np.corrcoef(panel, rowvar=False)
    inflation = Recorded(1 / 150)
    fit = susie_rss(z, R, N, inflation=inflation)
    assert len(inflation.sweeps) == fit.niter
    residual, expected, explained = inflation.sweeps[-1]
    b = (fit.alpha * fit.mu)[fit.V > 0].sum(axis=0)
    np.testing.assert_allclose(expected, math.sqrt(N - 1) * R @ b, atol=1e-6)
    np.testing.assert_allclose(residual + expected, z * np.sqrt((N - 1) / (z**2 + N - 2)), atol=1e-9)
    np.testing.assert_allclose(explained, (N - 1) * b @ R @ b, rtol=1e-6)
    assert fit.lbf.sum() < susie_rss(z, R, N).lbf.sum()


@pytest.mark.parametrize("named", [{"refine": True}, {"estimate_residual_variance": True}])
def test_inflation_excludes_what_needs_the_elbo(named):
    with pytest.raises(InputError, match="not possible together with inflation"):
        susie_rss([1.0, 2.0], np.eye(2), N, inflation=Recorded(0.0), **named)


def test_the_least_that_options_may_be_is_allowed():
    z, R = np.array([6.0, 0.5]), np.eye(2)
    fit = susie_rss(z, R, N, L=1, max_iter=1)
    assert fit.niter == 1
    for name in ("L", "max_iter"):
        with pytest.raises(InputError, match=f"{name}: 0, 1 or more is allowed"):
            susie_rss(z, R, N, **{name: 0})
