"""Refinement leaves local optima."""

import numpy as np
import pytest

from fineprior.finemap.susie import susie_rss

N = 5_000


def test_a_fit_that_began_with_the_wrong_variant_finds_the_causal_ones():
    """Variant 0 correlates with both causal variants and has the largest z."""
    R = np.eye(12)
    R[0, 1:3] = R[1:3, 0] = 0.55
    z = R @ np.r_[0.0, 10.0, 10.0, np.zeros(9)]
    assert z.argmax() == 0
    plain, refined = (susie_rss(z, R, N, L=5, refine=refine) for refine in (False, True))
    assert 0 in np.concatenate([one.variables for one in plain.sets.sets])
    assert sorted(one.variables.tolist() for one in refined.sets.sets) == [[1], [2]]
    assert refined.elbo[-1] > plain.elbo[-1] + 10


@pytest.mark.slow
def test_refinement_does_not_lose():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        people = rng.standard_normal((100, 30)) + rng.standard_normal((100, 1))
        R = np.corrcoef(people, rowvar=False)
        z = np.sqrt(N) * R @ (0.1 * (rng.random(30) < 0.1)) + np.linalg.cholesky(R) @ rng.standard_normal(30)
        assert susie_rss(z, R, N, refine=True).elbo[-1] >= susie_rss(z, R, N).elbo[-1]


def test_a_locus_without_a_set_is_left_as_it_is():
    fit = susie_rss(np.linspace(-1, 1, 12), np.eye(12), N, refine=True)
    assert len(fit.sets) == 0
    assert fit.niter == susie_rss(np.linspace(-1, 1, 12), np.eye(12), N).niter
