"""`susie` and `susie_ss` against susieR 0.12.35 (numbers of tests/reference/susie/regression.R) and one another.

Tolerances: both programs stop when the ELBO rises by less than 1e-8, and V is determined to about the root of that. The
ELBO of 227 differs by 3e-8 of itself, to which such small rises add up; OpenBLAS' kernels make no difference to that.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.regression import susie, susie_ss
from fineprior.finemap.susie import susie_rss

FOLDER = Path(__file__).parents[1] / "reference" / "susie"
DATA = np.loadtxt(FOLDER / "regression_data.tsv")
Y, X = DATA[:, 0], DATA[:, 1:]
N, P = X.shape
WEIGHTS = np.arange(1, P + 1) / (P * (P + 1) / 2)
ANSWERS = pd.read_csv(FOLDER / "regression.tsv", sep="\t")
TIGHT = {"tol": 1e-8, "max_iter": 5000}
SETTINGS = {
    "susie": {},
    "susie_per_allele": {"standardize": False},
    "susie_without_intercept": {"intercept": False},
    "susie_per_allele_without_intercept": {"standardize": False, "intercept": False},
    "susie_fixed": {"estimate_residual_variance": False, "residual_variance": 1.3},
    "susie_weighted": {"prior_weights": WEIGHTS, "estimate_prior_method": "simple"},
    "susie_null": {"null_weight": 0.3, "L": 3},
    "susie_ss": {},
    "susie_ss_per_allele": {"standardize": False},
    "susie_ss_weighted": {"prior_weights": WEIGHTS, "estimate_residual_variance": False},
}


def sums():
    centred, left = X - X.mean(axis=0), Y - Y.mean()
    return centred.T @ centred, centred.T @ left, float(left @ left), N


@pytest.mark.parametrize("setting", SETTINGS)
def test_agrees_with_susier(setting):
    named = SETTINGS[setting] | TIGHT
    if setting.startswith("susie_ss"):
        fit = susie_ss(*sums(), X_colmeans=X.mean(axis=0), y_mean=Y.mean(), **named)
    else:
        fit = susie(X, Y, **named)
    answer = {name: group["value"].to_numpy() for name, group in ANSWERS[ANSWERS.setting == setting].groupby("name")}
    np.testing.assert_allclose(fit.pip, answer["pip"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.sigma2, answer["sigma2"], rtol=1e-6)
    np.testing.assert_allclose(fit.V, answer["V"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fit.elbo[-1], answer["elbo"], rtol=1e-7)
    np.testing.assert_allclose(fit.intercept, answer["intercept"], rtol=1e-5)
    np.testing.assert_allclose(fit.coefficients, answer["coefficients"], rtol=0, atol=1e-5)
    assert [len(found.variables) for found in fit.sets.sets] == answer.get("set_sizes", np.zeros(0)).tolist()
    members = [sorted(found.variables) for found in fit.sets.sets]
    assert [int(index) for one in members for index in one] == answer.get("sets", np.zeros(0)).tolist()
    purity = [(s.purity.min_abs_corr, s.purity.mean_abs_corr, s.purity.median_abs_corr) for s in fit.sets.sets]
    np.testing.assert_allclose(np.array(purity).T.ravel(), answer.get("purity", np.zeros(0)), atol=1e-9)


def test_both_find_the_two_variants_and_the_scale_of_y():
    fit = susie(X, Y)
    assert {6, 19} <= {int(index) for found in fit.sets.sets for index in found.variables}
    predicted = fit.intercept + X @ fit.coefficients
    assert np.corrcoef(predicted, Y)[0, 1] > 0.4
    np.testing.assert_allclose(predicted.mean(), Y.mean())


def test_z_scores_with_correlations_give_the_same_as_people():
    people = susie(X, Y, estimate_residual_variance=False, **TIGHT)
    summary = susie_rss(people.z, np.corrcoef(X, rowvar=False), N, **TIGHT)
    np.testing.assert_allclose(summary.pip, people.pip, atol=1e-7)


def test_few_people_are_fitted_without_the_matrix_and_the_same():
    few, y = np.hstack([X[:30], np.roll(X[:30], 5, axis=0), X[:30, ::-1], np.roll(X[:30], 9, axis=0)]), Y[:30]
    assert len(few) * 4 < few.shape[1]
    centred = few - few.mean(axis=0)
    expected = susie_ss(centred.T @ centred, centred.T @ (y - y.mean()), 29 * y.var(ddof=1), 30, **TIGHT)
    np.testing.assert_allclose(susie(few, y, **TIGHT).pip, expected.pip, atol=1e-6)


def test_without_means_there_is_no_intercept():
    assert np.isnan(susie_ss(*sums()).intercept)


def test_a_variant_that_everybody_has_explains_nothing():
    constant = X.copy()
    constant[:, 3] = 0.1
    fit = susie(constant, Y)
    assert fit.coefficients[3] == 0
    assert fit.z[3] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: susie(X, Y[1:]), "y: 149 values for the 150 rows of X"),
        (lambda: susie(X, np.ones(N)), "y: all values are the same"),
        (lambda: susie(X, np.append(Y[1:], np.nan)), "y: 1 of 150 values are not finite"),
        (lambda: susie(np.where(np.arange(P) == 4, np.nan, X), Y), "X: variant 4 has values that are not finite"),
        (lambda: susie(Y, Y), r"X: shape \(150,\)"),
        (lambda: susie(X, Y, prior_weights=[1.0]), "prior_weights: 1 values for 40 variants"),
        (lambda: susie(X, Y, null_weight=1.0), "null_weight: 1.0"),
        (lambda: susie(X, Y, estimate_prior_method="x"), "estimate_prior_method: 'x'"),
        (lambda: susie_ss(*sums()[:3], 1), "n: 1 is not a sample size"),
        (lambda: susie_ss(*sums()[:2], 0.0, N), "yty: 0.0, above 0"),
        (lambda: susie_ss(sums()[0][:5], *sums()[1:]), r"XtX: shape \(5, 40\)"),
        (lambda: susie_ss(*sums(), X_colmeans=[1.0], y_mean=0.0), "X_colmeans: 1 values for 40 variants"),
        (lambda: susie_ss(np.triu(sums()[0]), *sums()[1:]), "XtX: not symmetric"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
