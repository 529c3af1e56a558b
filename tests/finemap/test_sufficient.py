"""What SuSiE sees of a locus is what a regression on the people themselves would show it."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlation
from fineprior.finemap.sufficient import (
    check_n,
    check_prior_weights,
    finite_vector,
    numbers,
    sufficient_statistics,
    z_from_effects,
)

PEOPLE, P = 200, 6


@pytest.fixture
def cohort():
    """Standardised genotypes, a phenotype of variance 1, and the Wald z of each variant alone."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((PEOPLE, P)) + rng.standard_normal((PEOPLE, 1))
    X = (X - X.mean(0)) / X.std(0, ddof=1)
    y = X @ [0.4, 0, 0, -0.3, 0, 0] + rng.standard_normal(PEOPLE)
    y = (y - y.mean()) / y.std(ddof=1)
    beta = X.T @ y / (PEOPLE - 1)
    residuals = y[:, None] - X * beta
    error = np.sqrt((residuals**2).sum(0) / (PEOPLE - 2) / (PEOPLE - 1))
    return X, y, beta / error


@pytest.mark.parametrize("var_y", [1.0, 4.0])
def test_xty_of_z_scores_is_that_of_the_people(cohort, var_y):
    X, y, z = cohort
    R = Correlation.from_matrix(np.corrcoef(X, rowvar=False), P)
    data = sufficient_statistics(z, R, PEOPLE, prior_weights=np.ones(P), var_y=var_y)
    np.testing.assert_allclose(data.Xty, X.T @ y * np.sqrt(var_y), rtol=1e-10)
    assert data.yty == pytest.approx((PEOPLE - 1) * var_y)
    assert data.var_y == pytest.approx(var_y)
    np.testing.assert_allclose(data.squared_z(), (X.T @ y) ** 2 * var_y / (PEOPLE - 1), rtol=1e-10)


def test_score_statistics_are_not_shrunk(cohort):
    X, y, _ = cohort
    R = Correlation.from_matrix(np.corrcoef(X, rowvar=False), P)
    score = X.T @ y / np.sqrt(PEOPLE - 1)
    data = sufficient_statistics(score, R, PEOPLE, prior_weights=np.ones(P), shrink=False)
    np.testing.assert_allclose(data.Xty, X.T @ y, rtol=1e-10)


def test_products_are_those_of_xtx_and_the_null_column_is_zero(cohort):
    X, _, z = cohort
    R = Correlation.from_matrix(np.corrcoef(X, rowvar=False), P)
    b = np.arange(1.0, P + 1)
    for null_weight, null in ((0.0, []), (0.2, [0.0])):
        data = sufficient_statistics(z, R, PEOPLE, prior_weights=np.arange(1.0, P + 1), null_weight=null_weight)
        np.testing.assert_allclose(data.times(np.append(b, [7.0] * len(null))), [*(X.T @ X @ b), *null], rtol=1e-10)
        np.testing.assert_allclose(data.pi, [*((1 - null_weight) * b / b.sum()), *([null_weight] if null else [])])
        np.testing.assert_allclose(np.broadcast_to(data.d, data.Xty.shape), [*[PEOPLE - 1] * P, *null])
        assert data.null_index == (P if null else None)


def test_a_sample_of_unknown_size_stands_for_a_large_one(cohort):
    X, _, z = cohort
    data = sufficient_statistics(z, Correlation.from_matrix(np.corrcoef(X, rowvar=False), P), None,
                                 prior_weights=np.ones(P))  # fmt: skip
    assert np.array_equal(data.Xty, z)
    np.testing.assert_allclose(data.squared_z(), z**2)


def test_effects_give_z():
    assert z_from_effects([1, -2], [0.5, 4]).tolist() == [2.0, -0.5]
    assert check_prior_weights(None, 4).tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: z_from_effects([1, 2], [1]), "bhat and shat: 2 and 1 values, they must be as many"),
        (lambda: z_from_effects([1, 2], [1, 0]), "shat: value 0 at index 1, above 0 is needed"),
        (lambda: check_n(1), "n: 1 is not a sample size, a number above 1 is needed"),
        (lambda: check_n(float("nan")), "n: nan is not a sample size"),
        (lambda: check_prior_weights([1, 2], 3), "prior_weights: 2 values for 3 variants"),
        (lambda: check_prior_weights([1, -2], 2), "prior_weights: value -2 at index 1, 0 or more is allowed"),
        (lambda: check_prior_weights([0, 0], 2), "prior_weights: all are 0"),
        (lambda: finite_vector("z", [1, np.inf, np.nan]), "z: 2 of 3 values are not finite, the first at index 1"),
        (lambda: finite_vector("z", []), r"z: shape \(0,\), a vector with one value per variant is needed"),
        (lambda: numbers("z", ["a"]), "z: not an array of numbers"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
