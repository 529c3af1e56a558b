import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.correlation import (
    Correlation,
    KeptCorrelations,
    PanelCorrelation,
    correlations,
    panel_correlations,
)

RNG = np.random.default_rng(0)
COVARIANCE = np.cov(RNG.standard_normal((300, 200)), rowvar=False)
R = np.corrcoef(RNG.standard_normal((300, 200)), rowvar=False)
np.fill_diagonal(R, 1.0)
SPARSE = np.where(np.arange(200) % 50 == 3, 0.1, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("b", [RNG.standard_normal(200), SPARSE, np.zeros(200)], ids=["dense", "sparse", "zero"])
def test_product_is_that_of_float64(dtype, b):
    matrix = R.astype(dtype)
    product = Correlation.from_matrix(matrix, 200).times(b)
    assert product.dtype == np.float64
    np.testing.assert_allclose(product, matrix.astype(np.float64) @ b, atol=1e-13)


def test_a_covariance_counts_as_its_correlation():
    correlation = Correlation.from_matrix(COVARIANCE, 200)
    b = RNG.standard_normal(200)
    scale = np.sqrt(np.diag(COVARIANCE))
    expected = COVARIANCE / np.outer(scale, scale)
    np.testing.assert_allclose(correlation.times(b), expected @ b, atol=1e-12)
    some = np.array([3, 1, 7])
    np.testing.assert_allclose(correlation.absolute(some, some), np.abs(expected[np.ix_(some, some)]))


@pytest.mark.parametrize("order", ["C", "F"])
def test_matrix_is_not_copied(order):
    matrix = np.array(R, np.float32, order=order)
    assert np.shares_memory(Correlation.from_matrix(matrix, 200).matrix, matrix)


def test_variants_without_variance_are_known():
    matrix = R.copy()
    matrix[5] = matrix[:, 5] = 0
    correlation = Correlation.from_matrix(matrix, 200)
    assert correlation.informative is not None
    assert np.flatnonzero(~correlation.informative).tolist() == [5]


def changed(row, column, value):
    matrix = R.copy()
    matrix[row, column] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (R[:100, :100], r"R: shape \(100, 100\) does not fit the 200 z-scores"),
        (R[:, :100], r"shape \(200, 100\)"),
        (R[0], "shape"),
        (R * 1j, "R: complex"),
        ([*R.astype(str).tolist(), ["x"]], "R: not an array of numbers"),
        (R + 1.1 - 1.1 * np.eye(200), r"R has \|r\| up to .* \(at most 1"),
        (R.astype(np.float32) + 0.9 * (1 - np.eye(200)) - 0.5 * np.eye(200), r"R has \|r\| up to .* diagonal halved"),
        (changed(4, 9, np.nan), "R: row 4 .* not finite"),
        (changed(4, 9, np.inf), "not finite"),
        (changed(4, 9, 0.9), "R: not symmetric, row and column"),
        (np.triu(R), "not symmetric"),
        (changed(4, 4, -1), "negative value -1"),
    ],
)
def test_bad_matrices_are_named(matrix, message):
    with pytest.raises(InputError, match=message):
        Correlation.from_matrix(matrix, 200)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_what_is_left_out_stays_below_the_tolerance(dtype, share):
    rng = np.random.default_rng(3)
    b = rng.standard_normal(200) * 10.0 ** rng.uniform(-14, 1, 200) * (rng.uniform(size=200) < share)
    matrix = R.astype(dtype)
    for tolerance in (1e-12, 1e-9, 1e-3):
        product, multiplied = Correlation.from_matrix(matrix, 200).times_most(b, tolerance)
        kept = multiplied != 0
        np.testing.assert_array_equal(multiplied[kept], b[kept])
        assert np.abs(b[~kept]).sum() <= tolerance
        # In float32 each entry may be off by the tolerance once more; they seldom are all at once.
        np.testing.assert_allclose(product, matrix.astype(np.float64) @ b, rtol=0, atol=5 * tolerance + 1e-13)
    assert not kept.all()


def test_of_a_symmetric_matrix_the_upper_half_is_enough():
    odd = np.corrcoef(RNG.standard_normal((300, 301)), rowvar=False).astype(np.float32)
    np.fill_diagonal(odd, 1.0)
    b = RNG.standard_normal(301)
    np.testing.assert_allclose(Correlation.from_matrix(odd, 301).times(b), odd.astype(np.float64) @ b, atol=1e-12)


GENOTYPES = np.random.default_rng(5).binomial(2, 0.3, (40, 200)).astype(np.float32)


@pytest.mark.parametrize("b", [RNG.standard_normal(200), SPARSE, np.zeros(200)], ids=["dense", "sparse", "zero"])
def test_a_panel_multiplies_like_its_matrix(b):
    panel = panel_correlations(GENOTYPES)
    assert isinstance(panel, PanelCorrelation)
    expected = np.corrcoef(GENOTYPES, rowvar=False)
    np.testing.assert_allclose(panel.times(b), expected @ b, atol=1e-12)
    np.testing.assert_allclose(panel.matrix(np.float64).times(b), expected @ b, atol=1e-12)
    some = np.array([3, 1, 7])
    np.testing.assert_allclose(panel.absolute(some, some), np.abs(expected[np.ix_(some, some)]))
    product, multiplied = panel.times_most(b, 1.0)
    assert np.abs(product - expected @ b).max() <= 1
    assert np.abs(b - multiplied).sum() <= 1


def test_a_large_panel_becomes_a_matrix():
    large = panel_correlations(np.random.default_rng(6).binomial(2, 0.3, (300, 50)))
    assert isinstance(large, Correlation)
    assert large.matrix.dtype == np.float32


def test_variants_without_variance_in_a_panel():
    constant = GENOTYPES.copy()
    constant[:, 5] = 0.1
    panel = panel_correlations(constant)
    assert np.flatnonzero(~panel.informative).tolist() == [5]
    assert panel.times(np.eye(200)[5]).tolist() == [0] * 200


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (GENOTYPES[0], r"X: shape \(200,\)"),
        (GENOTYPES[:1], "2 or more"),
        (GENOTYPES[:, :0], r"\(40, 0\)"),
        (np.where(np.arange(200) == 7, np.nan, GENOTYPES), "X: variant 7 has values that are not finite"),
    ],
)
def test_bad_genotypes_are_named(X, message):
    with pytest.raises(InputError, match=message):
        PanelCorrelation.from_genotypes(X)


def test_correlations_cannot_be_written_to_and_the_matrix_stays_its_owners():
    own = R.copy()
    for array in (Correlation.from_matrix(own, 200).matrix, PanelCorrelation.from_genotypes(own).standardised):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    own[0] = 0


@pytest.mark.parametrize(
    "whole",
    [
        Correlation.from_matrix(R.astype(np.float32), 200),
        Correlation.from_matrix(COVARIANCE, 200),
        PanelCorrelation.from_genotypes(np.random.default_rng(7).binomial(2, 0.3, (40, 200))),
    ],
    ids=["matrix", "covariance", "genotypes"],
)
@pytest.mark.parametrize("b", [RNG.standard_normal(150), SPARSE[:150]], ids=["dense", "sparse"])
def test_kept_variants_are_those_of_a_smaller_matrix(whole, b):
    kept = np.delete(np.arange(200), np.arange(3, 200, 4))
    of_kept, matrix = KeptCorrelations(whole, kept), whole.dense()[np.ix_(kept, kept)].astype(np.float64)
    np.testing.assert_allclose(of_kept.times(b), matrix @ b, atol=2e-6)
    np.testing.assert_allclose(of_kept.dense(), matrix, atol=2e-7)
    np.testing.assert_allclose(of_kept.between(slice(2, 9), np.array([7, 1])), matrix[2:9, [7, 1]], atol=2e-7)
    np.testing.assert_allclose(
        of_kept.absolute(np.array([4, 0]), np.array([7, 1, 8])), np.abs(matrix[np.ix_([4, 0], [7, 1, 8])]), atol=2e-7
    )
    assert len(of_kept) == 150


def test_correlations_in_a_form_are_taken_as_they_are():
    panel = PanelCorrelation.from_genotypes(GENOTYPES)
    assert correlations(panel, len(panel)) is panel
    with pytest.raises(InputError, match=f"R: {len(panel)} variants do not fit the 3 z-scores"):
        correlations(panel, 3)
