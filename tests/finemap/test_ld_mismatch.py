"""Diagnostics of z and R: relations, and susieR's numbers for the real locus."""

import numpy as np
import pytest

from fineprior.finemap.correlation import PanelCorrelation
from fineprior.finemap.ld_mismatch import diagnose_ld

N, PEOPLE = 20_000, 400


@pytest.fixture
def locus():
    """z of one causal variant among 60 in LD, and R of all the people that z is of."""
    rng = np.random.default_rng(3)
    genotypes = rng.normal(size=(2000, 60))
    for j in range(1, 60):
        genotypes[:, j] = 0.9 * genotypes[:, j - 1] + np.sqrt(1 - 0.81) * genotypes[:, j]
    R = np.corrcoef(genotypes.T)
    return 8 * R[30] + np.linalg.cholesky(R) @ rng.normal(size=60), R


def test_consistent_z_has_small_s_and_no_flags(locus):
    found = diagnose_ld(*locus, N, PEOPLE)
    assert found.s < 0.02
    assert not found.switched.any()
    assert not found.discordant.any()
    assert not found.squared
    assert found.positive_semidefinite
    assert found.duplicates == 0


def test_other_order_has_large_s(locus):
    z, R = locus
    mixed = np.random.default_rng(1).permutation(z)
    found = diagnose_ld(mixed, R, N, PEOPLE)
    assert found.s > 0.3
    assert found.s_scaled > 0.5


def test_a_strong_signal_is_consistent(locus):
    z, R = locus
    strong = z + 50 * R[12]
    assert diagnose_ld(strong, R, N, PEOPLE).s_scaled < 0.01
    assert diagnose_ld(np.array([9.0, 0, 0]), np.eye(3), N).s_scaled == 0


@pytest.mark.parametrize("switched", [[30], [10, 28, 31], [25, 33]])
def test_switched_alleles_are_found_and_only_these(locus, switched):
    z, R = locus
    z[switched] *= -1
    found = diagnose_ld(z, R, N, PEOPLE)
    visible = [j for j in switched if abs(z[j]) > 2]
    assert np.flatnonzero(found.switched).tolist() == visible
    assert (found.conditional_mean[visible] * z[visible] < 0).all()


def test_kriging_is_the_conditional_normal(locus):
    z, R = locus
    found = diagnose_ld(z, R, N, PEOPLE)
    adjusted = z * np.sqrt((N - 1) / (z**2 + N - 2))
    mixed = (1 - found.s) * R + found.s * np.eye(60)
    others = np.delete(np.arange(60), 7)
    weights = np.linalg.solve(mixed[np.ix_(others, others)], mixed[others, 7])
    assert found.conditional_mean[7] == pytest.approx(weights @ adjusted[others])
    assert found.conditional_sd[7] == pytest.approx(np.sqrt(mixed[7, 7] - weights @ mixed[others, 7]))


def test_blocks_of_a_long_locus_see_the_same_switch(locus, monkeypatch):
    z, R = locus
    z[30] *= -1
    monkeypatch.setattr("fineprior.finemap.ld_mismatch.BLOCK", 20)
    assert np.flatnonzero(diagnose_ld(z, R, N, PEOPLE).switched).tolist() == [30]


def test_squared_r_is_named(locus):
    z, R = locus
    signs = np.random.default_rng(1).choice([-1, 1], 60)
    assert diagnose_ld(z * signs, R**2, N, PEOPLE).squared
    assert not diagnose_ld(z * signs, R * np.outer(signs, signs), N, PEOPLE).squared
    assert not diagnose_ld(z[:6], np.abs(R[:6, :6]), N, PEOPLE).squared, "a block of positive LD is none"


def test_duplicates_and_discordant_pairs_are_counted(locus):
    z, R = locus
    order = [*range(60), 12]
    z, R = z[order], R[np.ix_(order, order)]
    assert diagnose_ld(z, R, N, PEOPLE).duplicates == 1
    assert diagnose_ld(z, R, N, PEOPLE).discordant_pairs == 0
    z[60] += 4
    found = diagnose_ld(z, R, N, PEOPLE)
    assert found.discordant_pairs == 1
    assert np.flatnonzero(found.discordant).tolist() == [12, 60]


def test_an_indefinite_matrix_is_named():
    R = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1.0]])
    assert not diagnose_ld(np.array([1.0, 2, 3]), R, N).positive_semidefinite


def test_one_variant_is_consistent_with_itself():
    assert diagnose_ld(np.array([9.0]), np.ones((1, 1)), N).s == 0


def test_squared_r_of_ld_that_is_positive_throughout_is_named():
    """z is nearer to its neighbours than r² says, by a third; no sign is lost and the whole scale of z is right."""
    p = 400
    R = 0.9 ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    z = np.linalg.cholesky(R) @ np.random.default_rng(5).normal(size=p)
    assert diagnose_ld(z, R**2, N).squared
    assert not diagnose_ld(z, R, N).squared


def haplotypes(people, p, rng):
    """Allele counts (people, p) of variants whose LD falls off along the locus."""
    first = rng.normal(size=(2 * people, p))
    for j in range(1, p):
        first[:, j] = 0.9 * first[:, j - 1] + np.sqrt(1 - 0.81) * first[:, j]
    return (first > 0.5).reshape(people, 2, p).sum(1)


@pytest.mark.parametrize("people", [60, 150])
def test_genotypes_are_diagnosed_as_their_matrix(people):
    """R of fewer and of more people than variants; the matrix is one block."""
    rng = np.random.default_rng(people)
    X = haplotypes(people, 120, rng)
    z = 7 * np.corrcoef(X.T)[40] + rng.normal(size=120)
    z[[41, 90]] *= -1
    panel = PanelCorrelation.from_genotypes(X)
    of_panel, of_matrix = diagnose_ld(z, panel, N, people), diagnose_ld(z, panel.matrix(np.float64).matrix, N, people)
    assert of_panel.switched.tolist() == of_matrix.switched.tolist()
    assert of_panel.discordant.tolist() == of_matrix.discordant.tolist()
    assert of_panel.duplicates == of_matrix.duplicates
    for name in ("s", "s_scaled", "s_kept", "conditional_mean", "conditional_sd", "switch_log_lr"):
        np.testing.assert_allclose(getattr(of_panel, name), getattr(of_matrix, name), atol=1e-6, err_msg=name)


@pytest.mark.parametrize("people", [40, 2000])
def test_s_of_those_kept_is_that_without_the_switched(people):
    """From the inverse of the whole R, singular and not, as from the R of the others."""
    rng = np.random.default_rng(4)
    R = np.corrcoef(haplotypes(people, 60, rng).T)
    z = 9 * R[20] + 0.7 * rng.normal(size=60)
    z[[18, 22]] *= -1
    found = diagnose_ld(z, R, N, people)
    kept = ~found.switched
    assert found.switched.any()
    others = diagnose_ld(z[kept], R[np.ix_(kept, kept)], N, people)
    assert found.s_kept == pytest.approx(others.s_scaled, abs=1e-6)
    assert found.s_kept != found.s_scaled


def mixture_log_lr(residual, other):
    """Log likelihood ratio as susieR's: expectation maximisation over all residuals, a thousand times."""
    top = 2 * np.abs(residual).max()
    scales = top * 1.05 ** np.arange(-np.ceil(np.log(top / 0.8) / np.log(1.05)), 1)
    weights = np.full(len(scales), 1 / len(scales))

    def densities(x):
        return np.exp(-0.5 * (x[:, None] / scales) ** 2) / scales

    for _ in range(1000):
        weights = weights * (densities(residual).T @ (1 / (densities(residual) @ weights))) / len(residual)
    return np.log(densities(other) @ (weights + 1e-15)) - np.log(densities(residual) @ (weights + 1e-15))


@pytest.mark.slow
def test_histogram_of_residuals_is_as_good_as_all(locus):
    """No variant is turned here, so that the residuals are those of the first round."""
    _, R = locus
    root = np.linalg.cholesky(R)
    for seed in range(10):
        z = root @ np.random.default_rng(seed).normal(size=60) * 3
        found = diagnose_ld(z, R, 1e9, PEOPLE)
        if found.switched.any():
            continue
        residual = (z - found.conditional_mean) / found.conditional_sd
        expected = mixture_log_lr(residual, (z + found.conditional_mean) / found.conditional_sd)
        np.testing.assert_allclose(found.switch_log_lr, expected, atol=0.005)
