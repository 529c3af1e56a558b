"""Sufficient statistics of a locus for SuSiE: X'X, X'y and y'y of standardised genotypes, from z, R and n.

Zou et al. 2022 (doi:10.1371/journal.pgen.1010299), "SuSiE with summary statistics"; the shrinkage of z and the
scale are susieR's.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlations

# Stands for the unknown n: susieR takes yty = 1 and n = 2.
UNKNOWN_N = 2


@dataclass(frozen=True)
class SufficientStatistics(ReadOnly):
    """Regression of a phenotype on the p standardised variants of a locus, and perhaps a null column.

    Attributes
    ----------
    R : Correlations
    Xty : ndarray, shape (p,) or (p + 1,)
        X'y; the null column, where there is one, is the last and 0.
    yty : float
    n : float
    pi : ndarray, same shape as Xty
        Prior weights, sum 1.
    null_index : int or None
        Column of the null, or None.
    d : float or ndarray, same shape as Xty
        diag(X'X); 0 for the null and for variants without variance.
    """

    R: Correlations
    Xty: Floats
    yty: float
    n: float
    pi: Floats
    null_index: int | None
    d: float | Floats

    @property
    def var_y(self) -> float:
        """Variance of the phenotype."""
        return self.yty / (self.n - 1)

    def squared_z(self) -> Floats:
        """Squared z-scores of the variants times the variance of the residuals; 0 for a variant without information."""
        d = np.broadcast_to(self.d, self.Xty.shape)
        return np.divide(self.Xty**2, d, out=np.zeros_like(self.Xty), where=d > 0)

    def times(self, b: Floats) -> Floats:
        """X'X b, same shape as b."""
        return self.times_most(b, 0.0)[0]

    def times_most(self, b: Floats, tolerance: float) -> tuple[Floats, Floats]:
        """X'X b, and what of b has been multiplied, both of the shape of b; see `Correlation.times_most`.

        The tolerance is that of a z-score times the standard deviation of y: of X'X b / sqrt(d).
        """
        root = np.sqrt(self.d)
        x = root * b
        if self.null_index is None:
            product, multiplied = self.R.times_most(x, tolerance)
        else:
            product, multiplied = (np.append(part, 0.0) for part in self.R.times_most(x[:-1], tolerance))
        return root * product, np.where(multiplied != 0, b, 0.0)


def shrunk_z(z: Floats, n: float) -> Floats:
    """Z sqrt((n - 1) / (z² + n - 2)): without the variance that the variant itself explains in the standard error."""
    shrunk: Floats = z * np.sqrt((n - 1) / (z * z + n - 2))
    return shrunk


def sufficient_statistics(
    z: Floats,
    R: Correlations,
    n: float | None,
    *,
    prior_weights: Floats,
    null_weight: float = 0.0,
    var_y: float = 1.0,
    shrink: bool = True,
) -> SufficientStatistics:
    """Sufficient statistics of z-scores.

    Parameters
    ----------
    z : ndarray, shape (p,)
        Wald z-scores, one variant at a time.
    R : Correlations
    n : float or None
        Sample size; None stands for a large sample with small effects.
    prior_weights : ndarray, shape (p,)
        Checked weights; they are divided by their sum.
    null_weight : float
        Prior weight of "no variant at all", in [0, 1).
    var_y : float
        Variance of the phenotype: coefficients are then on its scale.
    shrink : bool
        Whether `shrunk_z` comes first: for Wald statistics, not for score statistics.
    """
    if n is None:
        Xty, yty, size = z, 1.0, float(UNKNOWN_N)
    else:
        size = float(n)
        with np.errstate(over="raise"):
            scores = shrunk_z(z, size) if shrink else z
        Xty, yty = math.sqrt((size - 1) * var_y) * scores, (size - 1) * var_y
    if R.scale is not None:
        Xty = Xty * R.scale  # As susieR does, which standardises X'X and X'y alike.
    return with_prior(R, Xty, yty, size, size - 1, prior_weights, null_weight)


def with_prior(
    R: Correlations,
    Xty: Floats,
    yty: float,
    n: float,
    d: float | Floats,
    prior_weights: Floats,
    null_weight: float,
) -> SufficientStatistics:
    """Sufficient statistics of variants, with the prior, and a null column where that has weight.

    Parameters are those of `SufficientStatistics` and of `sufficient_statistics`.
    """
    if not 0 <= null_weight < 1:
        raise InputError(f"null_weight: {null_weight}, from 0 to below 1 is allowed")
    if R.informative is not None:
        Xty, d = np.where(R.informative, Xty, 0.0), d * R.informative.astype(np.float64)
    pi = prior_weights / prior_weights.sum()
    if null_weight == 0:
        return SufficientStatistics(R, Xty, yty, n, pi, None, d)
    d = np.append(np.broadcast_to(d, Xty.shape), 0.0)
    pi = np.append(pi * (1 - null_weight), null_weight)
    return SufficientStatistics(R, np.append(Xty, 0.0), yty, n, pi, len(Xty), d)


def check_z(z: npt.ArrayLike) -> Floats:
    """z-scores as a float64 vector; an InputError names the first value that is not finite."""
    return finite_vector("z", z)


def check_n(n: float | None) -> None:
    """Raise InputError unless n is None or a finite number above 1."""
    if n is not None and not (math.isfinite(n) and n > 1):
        raise InputError(f"n: {n} is not a sample size, a number above 1 is needed")


def check_prior_weights(prior_weights: npt.ArrayLike | None, p: int) -> Floats:
    """Prior weights as float64; uniform when None.

    Raises
    ------
    InputError
        Wrong length, a value that is negative or not finite, or no weight above 0.
    """
    if prior_weights is None:
        return np.full(p, 1 / p)
    weights = finite_vector("prior_weights", prior_weights)
    if len(weights) != p:
        raise InputError(f"prior_weights: {len(weights)} values for {p} variants")
    if (weights < 0).any():
        bad = int(np.flatnonzero(weights < 0)[0])
        raise InputError(f"prior_weights: value {weights[bad]:g} at index {bad}, 0 or more is allowed")
    if not weights.any():
        raise InputError("prior_weights: all are 0, at least one above 0 is needed")
    with np.errstate(over="ignore"):
        total = weights.sum()
    return weights if np.isfinite(total) else weights / weights.max()


def z_from_effects(bhat: npt.ArrayLike, shat: npt.ArrayLike) -> Floats:
    """Ratio of effect to standard error; an InputError where the lengths differ or a standard error is not above 0."""
    effects, errors = finite_vector("bhat", bhat), finite_vector("shat", shat)
    if len(effects) != len(errors):
        raise InputError(f"bhat and shat: {len(effects)} and {len(errors)} values, they must be as many")
    if (errors <= 0).any():
        bad = int(np.flatnonzero(errors <= 0)[0])
        raise InputError(f"shat: value {errors[bad]:g} at index {bad}, above 0 is needed")
    return effects / errors


def finite_vector(name: str, values: npt.ArrayLike) -> Floats:
    """Values as a float64 vector; an InputError where they are no numbers, or names the first that is not finite."""
    vector = numbers(name, values)
    if vector.ndim != 1 or len(vector) == 0:
        raise InputError(f"{name}: shape {vector.shape}, a vector with one value per variant is needed")
    bad = np.flatnonzero(~np.isfinite(vector))
    if len(bad):
        count = f"{len(bad)} of {len(vector)}"
        raise InputError(f"{name}: {count} values are not finite, the first at index {bad[0]}")
    return vector


def numbers(name: str, values: npt.ArrayLike) -> Floats:
    """Values as a float64 array of any shape; an InputError where they are no numbers."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from None
