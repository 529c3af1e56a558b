import numpy as np
import pytest

from fineprior.finemap.correlation import Correlation
from fineprior.foundation.errors import InputError

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
