import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.infinitesimal import susie_inf
from fineprior.finemap.susie import susie_rss

N = 4000


@pytest.fixture(scope="module")
def study():
    """Genotypes of N people, and two phenotypes with the same sparse effect: without and with a polygenic part."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(N, 120))
    for j in range(1, 120):
        X[:, j] = 0.7 * X[:, j - 1] + np.sqrt(1 - 0.49) * X[:, j]
    X = (X - X.mean(0)) / X.std(0)
    sparse = 0.6 * X[:, 40] + rng.normal(size=N)
    return X, sparse, sparse + X @ rng.normal(scale=0.04, size=120)


def z_of(X, y):
    y = (y - y.mean()) / y.std()
    r = X.T @ y / len(y)
    return r * np.sqrt((len(y) - 2) / (1 - r * r))


def test_without_infinitesimal_effects_it_is_susie(study):
    X, y, _ = study
    z, R, weights = z_of(X, y), np.corrcoef(X.T), np.linspace(1, 3, 120)
    fit = susie_inf(z, R, N, prior_weights=weights, estimate_infinitesimal=False, tol=1e-8)
    reference = susie_rss(z, R, N, prior_weights=weights, tol=1e-9)
    assert fit.sparse.pip == pytest.approx(reference.pip, abs=1e-4)
    assert fit.tau2 == 0
    assert not fit.infinitesimal.any()


@pytest.mark.slow
def test_polygenic_variance_is_found(study):
    X, sparse, polygenic = study
    R = np.corrcoef(X.T)
    tau2 = 0.04**2 / polygenic.var()
    fit = susie_inf(z_of(X, polygenic), R, N)
    assert fit.tau2 == pytest.approx(tau2, rel=0.5)
    assert fit.sparse.sigma2 == pytest.approx(1 / polygenic.var(), rel=0.1)
    assert susie_inf(z_of(X, sparse), R, N).tau2 < tau2 / 5


@pytest.mark.slow
def test_polygenic_effects_make_no_sets(study):
    X, _, y = study
    z, R = z_of(X, y), np.corrcoef(X.T)
    assert len(susie_inf(z, R, N).sparse.sets) < len(susie_rss(z, R, N).sets)
    assert susie_inf(z, R, N).sparse.pip.argmax() == 40


def test_infinitesimal_effects_are_the_ridge_solution(study):
    """With no sparse effect (prior variance 0 as good as fixed), alpha = tau2 X' (tau2 X X' + sigma2 I)^-1 y."""
    X, _, y = study
    z, R = z_of(X, y), np.corrcoef(X.T)
    fit = susie_inf(z, R, N, scaled_prior_variance=1e-12, estimate_prior_variance=False)
    Xty = np.sqrt(N - 1) * z * np.sqrt((N - 1) / (z**2 + N - 2))
    ridge = np.linalg.solve((N - 1) * R + fit.sparse.sigma2 / fit.tau2 * np.eye(120), Xty)
    assert fit.infinitesimal == pytest.approx(ridge, abs=1e-6)


def test_prior_weights_decide_between_equal_variants():
    R = np.array([[1, 1, 0.1], [1, 1, 0.1], [0.1, 0.1, 1]])
    fit = susie_inf([9.0, 9.0, 0.2], R, 5000, prior_weights=[1, 3, 1], estimate_infinitesimal=False)
    assert fit.sparse.pip[1] / fit.sparse.pip[0] == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize(("arguments", "message"), [({"L": 0}, "L and max_iter"), ({"n": 1}, "n: 1 is not")])
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        susie_inf(**({"z": [1.0, 2.0], "R": np.eye(2), "n": 100} | arguments))


@pytest.mark.parametrize("R", [np.zeros((3, 3)), np.eye(3)])
def test_without_ld_there_is_no_infinitesimal_variance(R):
    """Both moments say the same of sigma2 and tau2 when there are no variances, or as many variants as people."""
    fit = susie_inf([3.0, 1.0, -1.0], R, 4)
    assert fit.tau2 == 0
    assert 0 < fit.sparse.sigma2 <= 1, "no more than the whole phenotype"
    assert np.isfinite(fit.sparse.pip).all()


def test_overflow_is_an_error_and_no_zeros():
    with pytest.raises(ArithmeticError, match="overflow"):
        susie_inf([1e200, 0.0, 1.0], np.eye(3), 5000)


@pytest.mark.slow
def test_method_of_the_prior_variance_is_one_of_susies(study):
    X, y, _ = study
    z, R = z_of(X, y), np.corrcoef(X.T)
    fits = {
        method: susie_inf(z, R, N, estimate_prior_method=method, max_iter=2000, tol=1e-6).sparse
        for method in ("optim", "EM", "simple")
    }
    assert fits["EM"].V[0] == pytest.approx(fits["optim"].V[0], rel=1e-2)
    assert fits["simple"].V[0] == 0.2
    with pytest.raises(InputError, match="estimate_prior_method: 'reml', allowed are optim, EM, simple"):
        susie_inf(z, R, N, estimate_prior_method="reml")
