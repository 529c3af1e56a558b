"""SuSiE from genotypes and phenotypes, or from X'X, X'y and y'y, with susieR's names, defaults and results.

Wang et al. 2020 (doi:10.1111/rssb.12388). susieR's are `susie` and `susie_suff_stat` (0.12) or `susie_ss` (from 0.15);
the tolerance is that of `susie_rss`.
"""

from dataclasses import dataclass, fields
from functools import partial
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import PANEL_SHARE, Correlation, Correlations, PanelCorrelation
from fineprior.finemap.credible_sets import credible_sets
from fineprior.finemap.ibss import IbssOptions
from fineprior.finemap.sufficient import SufficientStatistics, check_n, check_prior_weights, finite_vector, with_prior
from fineprior.finemap.susie import SusieFit, fit_model

# susieR's lower bound on the residual variance that it estimates from individual data, in variances of the phenotype.
LOWEST_RESIDUAL_VARIANCE = 1e-4


class FitOptions(TypedDict, total=False):
    """Arguments with the meaning and the defaults that they have in `susie_rss`, but for the residual variance."""

    L: int
    prior_weights: npt.ArrayLike | None
    coverage: float
    min_abs_corr: float
    scaled_prior_variance: float
    estimate_prior_variance: bool
    estimate_prior_method: str
    check_null_threshold: float
    estimate_residual_variance: bool  # True by default: X and y are of the same samples.
    residual_variance: float | None
    null_weight: float
    max_iter: int
    tol: float
    convergence_method: str
    prior_tol: float
    refine: bool
    zero_excludes: bool


@dataclass(frozen=True)
class RegressionFit(SusieFit):
    """A SuSiE fit with intercept and scale of X; `z` are the z-scores of single-variant regressions.

    Attributes
    ----------
    intercept : float
        Of the regression on X as given; NaN where the means of X and y are not known.
    X_column_scale_factors : ndarray, shape (p,)
        Standard deviations by which X was divided; 1 where it was not.
    """

    intercept: float
    X_column_scale_factors: Floats

    @property
    def coefficients(self) -> Floats:
        """Posterior means of the coefficients of X as given, shape (p,)."""
        p = len(self.pip)
        return (self.alpha * self.mu).sum(axis=0)[:p] / self.X_column_scale_factors


def susie(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    standardize: bool = True,
    intercept: bool = True,
    **options: Unpack[FitOptions],
) -> RegressionFit:
    """Fine-map one locus from individual data.

    Parameters
    ----------
    X : array, shape (n, p)
        Genotypes, a row per sample. Sums are in float64; memory is some 24 n p bytes, and 8 p² where n > p / 4.
    y : array, shape (n,)
        Phenotype.
    standardize : bool
        Whether columns of X are divided by their standard deviation: all variants then have the same prior for the
        effect per standard deviation, else per allele.
    intercept : bool
        Whether the means of X and y are taken out.
    **options
        See `FitOptions`.

    Returns
    -------
    RegressionFit

    Raises
    ------
    InputError
        Bad input, named.
    ArithmeticError
        A value overflows or is not finite.
    """
    phenotype = finite_vector("y", y)
    panel = PanelCorrelation.from_genotypes(X)
    genotypes = np.asarray(X, dtype=np.float64)
    n, p = genotypes.shape
    if len(phenotype) != n:
        raise InputError(f"y: {len(phenotype)} values for the {n} rows of X")
    var_y = float(phenotype.var(ddof=1))
    if not var_y > 0:
        raise InputError("y: all values are the same")
    means, mean_y = (genotypes.mean(axis=0), float(phenotype.mean())) if intercept else (np.zeros(p), 0.0)
    scale = _scale_factors(genotypes.var(axis=0, ddof=1)) if standardize else np.ones(p)
    norm = np.sqrt(((genotypes - means) ** 2).sum(axis=0))
    rows = panel if intercept else PanelCorrelation.from_genotypes(X, centre=False)
    y_left = phenotype - mean_y
    data = with_prior(
        rows.matrix(np.float64) if n > PANEL_SHARE * p else rows,
        norm / scale * (rows.standardised @ y_left),
        float(y_left @ y_left),
        n,
        n - 1 if standardize and intercept else (norm / scale) ** 2,
        check_prior_weights(options.get("prior_weights"), p),
        options.get("null_weight", 0.0),
    )
    fit = _fit(data, panel, var_y, LOWEST_RESIDUAL_VARIANCE * var_y, options)
    return _on_the_scale_of_x(fit, scale, means, mean_y)


def susie_ss(
    XtX: npt.ArrayLike,
    Xty: npt.ArrayLike,
    yty: float,
    n: float,
    *,
    X_colmeans: npt.ArrayLike | None = None,
    y_mean: float | None = None,
    standardize: bool = True,
    **options: Unpack[FitOptions],
) -> RegressionFit:
    """Fine-map one locus from sufficient statistics.

    Parameters
    ----------
    XtX : array, shape (p, p), float32 or float64
        X'X of X with its means taken out; not copied when it is contiguous.
    Xty : array, shape (p,)
        X'y, y with its mean taken out.
    yty : float
        y'y.
    n : float
        Number of samples.
    X_colmeans : array, shape (p,), optional
        Means of X before: with `y_mean` they give the intercept.
    y_mean : float, optional
    standardize : bool
        See `susie`.
    **options
        See `FitOptions`.

    Returns
    -------
    RegressionFit

    Raises
    ------
    InputError
        Bad input, named; or a residual variance that comes out negative.
    ArithmeticError
        A value overflows or is not finite.
    """
    check_n(n)
    if not 0 < yty < np.inf:
        raise InputError(f"yty: {yty}, above 0 is needed")
    products = finite_vector("Xty", Xty)
    p = len(products)
    correlation = Correlation.from_matrix(XtX, p, "XtX")
    diagonal = np.diagonal(correlation.matrix).astype(np.float64)
    scale = _scale_factors(diagonal / (n - 1)) if standardize else np.ones(p)
    data = with_prior(
        correlation,
        products / scale,
        float(yty),
        float(n),
        n - 1 if standardize else diagonal,
        check_prior_weights(options.get("prior_weights"), p),
        options.get("null_weight", 0.0),
    )
    fit = _fit(data, correlation, data.var_y, 0.0, options)
    if X_colmeans is None or y_mean is None:
        return _on_the_scale_of_x(fit, scale, np.zeros(p), np.nan)
    means = finite_vector("X_colmeans", X_colmeans)
    if len(means) != p:
        raise InputError(f"X_colmeans: {len(means)} values for {p} variants")
    return _on_the_scale_of_x(fit, scale, means, y_mean)


def _scale_factors(variances: Floats) -> Floats:
    """Standard deviations; 1 where there is no variance."""
    return np.sqrt(np.where(variances > 0, variances, 1.0))


def _fit(data: SufficientStatistics, R: Correlations, var_y: float, lowest: float, options: FitOptions) -> SusieFit:
    """Fit with R for the purity of sets."""
    residual_variance = options.get("residual_variance")
    method = options.get("estimate_prior_method", "optim")
    fitting = IbssOptions(
        L=min(options.get("L", 10), len(data.Xty)),
        prior_variance=options.get("scaled_prior_variance", 0.2) * var_y,
        residual_variance=var_y if residual_variance is None else residual_variance,
        estimate_prior_method=method if options.get("estimate_prior_variance", True) else "none",
        check_null_threshold=options.get("check_null_threshold", 0.0),
        estimate_residual_variance=options.get("estimate_residual_variance", True),
        max_iter=options.get("max_iter", 100),
        tol=options.get("tol", 1e-4),
        convergence_method=options.get("convergence_method", "elbo"),
        prior_tol=options.get("prior_tol", 1e-9),
        residual_variance_lowerbound=lowest,
        zero_excludes=options.get("zero_excludes", False),
    )
    find_sets = partial(
        credible_sets,
        R=R,
        coverage=options.get("coverage", 0.95),
        min_abs_corr=options.get("min_abs_corr", 0.5),
        null_index=data.null_index,
    )
    return fit_model(data, fitting, _single_variant_z(data)[: len(R)], find_sets, refine=options.get("refine", False))


def _single_variant_z(data: SufficientStatistics) -> Floats:
    """z-score of each variant in a regression on it alone."""
    explained = np.minimum(data.squared_z() / data.yty, 1.0)
    with np.errstate(divide="ignore"):
        return np.sign(data.Xty) * np.sqrt((data.n - 2) * explained / (1 - explained))


def _on_the_scale_of_x(fit: SusieFit, scale: Floats, means: Floats, mean_y: float) -> RegressionFit:
    effects = (fit.alpha * fit.mu).sum(axis=0)[: len(scale)] / scale
    return RegressionFit(
        **{field.name: getattr(fit, field.name) for field in fields(fit)},
        intercept=mean_y - float(means @ effects),
        X_column_scale_factors=scale,
    )
