"""SuSiE-inf: sparse effects on top of many tiny ones, with prior weights.

Cui et al. 2024 (doi:10.1038/s41588-023-01597-3): y = X (beta + alpha) + e, where beta is the sum of single effects of
SuSiE, alpha ~ N(0, tau2 I) and e ~ N(0, sigma2 I); tau2 and sigma2 by the method of moments.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlations, correlations
from fineprior.finemap.credible_sets import MIN_PRIOR_VARIANCE, credible_sets
from fineprior.finemap.single_effect import SingleEffect, single_effect
from fineprior.finemap.sufficient import check_n, check_prior_weights, check_z, shrunk_z
from fineprior.finemap.susie import SusieFit

METHODS = ("optim", "EM", "simple")
# Share of its terms below which the determinant of the equations of the two variances is 0.
SINGULAR = 1e-12


@dataclass(frozen=True)
class InfinitesimalFit(ReadOnly):
    """A fit of SuSiE-inf.

    Attributes
    ----------
    sparse : SusieFit
        The single effects; there is no ELBO (NaN).
    tau2 : float
        Variance of an infinitesimal effect (standardised genotype and phenotype).
    infinitesimal : ndarray, shape (p,)
        Posterior mean of the infinitesimal effects.
    """

    sparse: SusieFit
    tau2: float
    infinitesimal: Floats


@dataclass(frozen=True)
class _Spectrum:
    """X'X = V diag(D) V' and X'y, the latter as V'X'y."""

    V: Floats
    V2: Floats
    D: Floats
    VtXty: Floats
    yty: float
    n: float


def susie_inf(
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations,
    n: float,
    *,
    L: int = 10,
    prior_weights: npt.ArrayLike | None = None,
    coverage: float = 0.95,
    min_abs_corr: float = 0.5,
    scaled_prior_variance: float = 0.2,
    estimate_prior_variance: bool = True,
    estimate_prior_method: str = "optim",
    estimate_infinitesimal: bool = True,
    max_iter: int = 100,
    tol: float = 1e-3,
) -> InfinitesimalFit:
    """Fine-map a locus with an infinitesimal background.

    Parameters
    ----------
    z : array, shape (p,)
    R : array, shape (p, p)
    n : float
    L, prior_weights, coverage, min_abs_corr, scaled_prior_variance, estimate_prior_variance, estimate_prior_method
        As in `susie_rss`.
    estimate_infinitesimal : bool
        Whether tau2 and sigma2 are estimated; otherwise they stay 0 and 1, and the model is that of SuSiE.
    max_iter : int
    tol : float
        Change of a PIP below which the fit has converged.

    Raises
    ------
    InputError
        Bad input, named; or estimates that show that z and R do not belong together.
    ArithmeticError
        A value overflows or is not finite.
    """
    scores = check_z(z)
    check_n(n)
    correlation = correlations(R, len(scores))
    weights = check_prior_weights(prior_weights, len(scores))
    if L < 1 or max_iter < 1:
        raise InputError(f"L and max_iter: {L} and {max_iter}, 1 or more is allowed")
    if estimate_prior_method not in METHODS:
        raise InputError(f"estimate_prior_method: {estimate_prior_method!r}, allowed are {', '.join(METHODS)}")
    pi = weights / weights.sum()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        data = _spectrum(scores, correlation, n)
        state = _State(data, min(L, len(scores)), scaled_prior_variance)
        for iteration in range(1, max_iter + 1):
            before = state.pip()
            state.sweep(pi, estimate_prior_method if estimate_prior_variance else "none")
            if estimate_infinitesimal:
                state.estimate_variances()
            state.converged = bool(np.abs(state.pip() - before).max() < tol)
            if state.converged and iteration > 1:
                break
        infinitesimal = state.tau2 * state.score_without(np.zeros(len(scores)))
    sparse = _susie_fit(state, pi, scores, correlation, iteration, coverage, min_abs_corr)
    return InfinitesimalFit(sparse, state.tau2, infinitesimal)


def _spectrum(z: Floats, R: Correlations, n: float) -> _Spectrum:
    try:
        values, V = np.linalg.eigh(R.dense().astype(np.float64))
    except np.linalg.LinAlgError as error:
        raise InputError(f"R: its eigenvalues cannot be found ({error})") from None
    Xty = np.sqrt(n - 1) * shrunk_z(z, n)
    return _Spectrum(V, V * V, np.maximum((n - 1) * values, 0.0), V.T @ Xty, n - 1, n - 1)


class _State:
    """Effects, arrays of shape (L, p) and (L,) with susieR's names, and the two variances."""

    def __init__(self, data: _Spectrum, L: int, V: float) -> None:
        p = len(data.D)
        self.data = data
        self.V = np.full(L, V)
        self.alpha, self.mu, self.mu2 = np.full((L, p), 1 / p), np.zeros((L, p)), np.zeros((L, p))
        self.lbf, self.KL, self.lbf_variable = np.zeros(L), np.zeros(L), np.zeros((L, p))
        self.sigma2, self.tau2 = 1.0, 0.0
        self.converged = False

    @property
    def b(self) -> Floats:
        """Posterior means of the effects, shape (L, p)."""
        return self.alpha * self.mu

    def pip(self) -> Floats:
        """PIPs over the effects with V above MIN_PRIOR_VARIANCE, shape (p,)."""
        return 1 - np.prod(1 - self.alpha[self.V > MIN_PRIOR_VARIANCE], axis=0)

    def score_without(self, b: Floats) -> Floats:
        """X' Omega (y - X (sum of effects - b)), shape (p,), Omega being the precision of y given the effects."""
        data = self.data
        others = data.V.T @ (self.b.sum(axis=0) - b)
        return data.V @ ((data.VtXty - data.D * others) / (self.tau2 * data.D + self.sigma2))

    def sweep(self, pi: Floats, method: str) -> None:
        """Fit each effect in turn."""
        precision = self.data.V2 @ (self.data.D / (self.tau2 * self.data.D + self.sigma2))
        for row in range(len(self.V)):
            score = self.score_without(self.alpha[row] * self.mu[row])
            self._set(row, single_effect(score, precision, pi, float(self.V[row]), method=method))

    def _set(self, row: int, found: SingleEffect) -> None:
        for name in ("alpha", "mu", "mu2", "lbf_variable", "lbf", "V", "KL"):
            getattr(self, name)[row] = getattr(found, name)

    def estimate_variances(self) -> None:
        """Method of moments: E ||y - X b||² and E ||X'y - X'X b||² as linear functions of sigma2 and tau2."""
        data, b = self.data, self.b
        Vtb = data.V.T @ b.sum(axis=0)
        moments = Vtb**2 + data.V2.T @ (self.alpha * self.mu2).sum(axis=0) - ((b @ data.V) ** 2).sum(axis=0)
        D = data.D
        x = [
            data.yty - 2 * float(Vtb @ data.VtXty) + float(D @ moments),
            float(data.VtXty @ data.VtXty) - 2 * float((D * Vtb) @ data.VtXty) + float(D**2 @ moments),
        ]
        sum1, sum2 = float(D.sum()), float(D @ D)
        determinant = data.n * sum2 - sum1 * sum1
        # Without LD to tell them apart (R all 0, or independent variants as many as samples) all is left to sigma2.
        sigma2 = tau2 = 0.0
        if determinant > SINGULAR * data.n * sum2:
            sigma2 = (sum2 * x[0] - sum1 * x[1]) / determinant
            tau2 = (data.n * x[1] - sum1 * x[0]) / determinant
        if sigma2 > 0 and tau2 > 0:
            self.sigma2, self.tau2 = sigma2, tau2
        elif x[0] > 0:
            self.sigma2, self.tau2 = x[0] / data.n, 0.0
        else:
            raise InputError(
                "the estimated residual variance is negative, as it becomes when z and R do not belong together"
            )


def _susie_fit(
    state: _State, pi: Floats, z: Floats, R: Correlations, niter: int, coverage: float, min_abs_corr: float
) -> SusieFit:
    return SusieFit(
        alpha=state.alpha,
        mu=state.mu,
        mu2=state.mu2,
        lbf=state.lbf,
        lbf_variable=state.lbf_variable,
        V=state.V,
        KL=state.KL,
        elbo=np.full(niter, np.nan),
        sigma2=state.sigma2,
        pi=pi,
        niter=niter,
        converged=state.converged,
        null_index=None,
        pip=state.pip(),
        sets=credible_sets(state.alpha, state.V, state.lbf, R, coverage=coverage, min_abs_corr=min_abs_corr),
        z=z,
    )
