"""The error of a panel's R: how large it is by r, and what it does to the residuals of a fit.

R of a panel differs from that of the GWAS because the panel has a finite size B, and because its population has
drifted from that of the GWAS, by lambda, F_ST of their allele frequencies. The correlation of two variants has the
error of variance

    f(r) = (a + b (1 - r²)) / B + lambda (c + d (1 - r²) (1 + e r²)),

with constants measured on pairs of groups of people (benchmarks/panel_shape.py): hardly any where r is 1, as variants
that always go together in the panel do so in the GWAS; of drift most at r = 0.6, where it is more than twice F_ST.
Where the other effects together explain z-scores eta = R b and a chi2 of v = b' R b, the residual z of variant j then
has the variance

    tau_j² = sigma² + v f(eta_j / sqrt(v)),

as if the others were one effect at a variant that correlates with j by eta_j / sqrt(v). (susieR 0.16 takes the error of
a Wishart matrix, (1 + r²) / B: it is largest where r is 1.) What F_ST does not tell, z adds: an excess of lambda is
estimated by maximum likelihood of the residuals (empirical Bayes).
"""

import math
from dataclasses import dataclass

import numpy as np

from fineprior.files.arrays import Floats
from fineprior.finemap.single_effect import minimise

LARGEST_DRIFT = 1.0
DRIFT_TOLERANCE = 1e-6
# Estimates below this share of their standard error at 0 are 0.
NEGLIGIBLE_SHARE = 0.1
SAMPLING = (0.02, 0.83)
"""a and b."""
DRIFTING = (0.19, 0.55, 12.5)
"""c, d and e."""


def sampling_of_r(r2: Floats) -> Floats:
    """Variance of r in a panel of B people, times B, given r² in that panel."""
    return SAMPLING[0] + SAMPLING[1] * (1 - r2)


def drift_of_r(r2: Floats) -> Floats:
    """Variance of r between two populations over their F_ST, given r² in one of them."""
    return DRIFTING[0] + DRIFTING[1] * (1 - r2) * (1 + DRIFTING[2] * r2)


@dataclass(frozen=True)
class Shape:
    """The error of a panel: its size B, infinite for none, and the drift lambda of its population."""

    panel_size: float
    drift: float

    def of(self, r2: Floats) -> Floats:
        """Variance of the error of a correlation, given r² in the panel; f in the text above."""
        return sampling_of_r(r2) / self.panel_size + self.drift * drift_of_r(r2)


class PanelError:
    """Finite panel and drift, as `susie_rss(inflation=...)` takes it.

    Parameters
    ----------
    panel_size : float
        Samples in the panel, B; infinite when only drift is to be accounted for.
    known_drift : float
        F_ST between GWAS and panel; 0 when it is not known.
    estimate_drift : bool
        Whether an excess over it is estimated after each sweep over the effects.

    Attributes
    ----------
    drift : float
        Lambda: what is known, and the excess.
    """

    def __init__(self, panel_size: float, *, known_drift: float = 0.0, estimate_drift: bool = True) -> None:
        self.panel_size = panel_size
        self.known_drift = self.drift = known_drift
        self.estimate_drift = estimate_drift

    def restart(self) -> None:
        """Forget what was estimated."""
        self.drift = self.known_drift

    @property
    def shape(self) -> Shape:
        """The error as it stands."""
        return Shape(self.panel_size, self.drift)

    def residual_variance(self, expected_z: Floats, explained: float, sigma2: float) -> Floats:
        """tau_j², shape (p,), given what the other effects explain."""
        sampling, drift = _scales(expected_z, explained)
        return sigma2 + sampling / self.panel_size + self.drift * drift

    def after_sweep(self, residual_z: Floats, expected_z: Floats, explained: float, sigma2: float) -> None:
        """Estimate what z adds to lambda, from what all effects together leave."""
        if self.estimate_drift:
            sampling, drift = _scales(expected_z, explained)
            base = sigma2 + sampling / self.panel_size + self.known_drift * drift
            self.drift = self.known_drift + excess_drift(residual_z, drift, base)


def _scales(expected_z: Floats, explained: float) -> tuple[Floats, Floats]:
    """Explained chi2 times the functions of r, shape (p,): what 1 / B and what lambda is multiplied with."""
    if not explained > 0:
        return np.zeros_like(expected_z), np.zeros_like(expected_z)
    r2 = np.minimum(expected_z**2 / explained, 1.0)
    return explained * sampling_of_r(r2), explained * drift_of_r(r2)


def excess_drift(residual_z: Floats, scale: Floats, base: Floats) -> float:
    """Maximum likelihood of x in residual_j ~ N(0, base_j + x scale_j).

    Parameters
    ----------
    residual_z, scale, base : ndarray, shape (p,)

    Returns
    -------
    float
        From 0 to LARGEST_DRIFT; 0 as well when it is negligible beside its standard error.
    """
    informative = scale > np.finfo(np.float64).eps
    if not informative.any():
        return 0.0
    scale, base, square = scale[informative], base[informative], residual_z[informative] ** 2

    def deviance(root: float) -> float:
        variance = base + root * root * scale
        return float((np.log(variance) + square / variance).sum())

    # The deviance is smoother in the square root of x, whose bounds then are of one order.
    best = minimise(deviance, 0.0, math.sqrt(LARGEST_DRIFT), DRIFT_TOLERANCE)
    error = math.sqrt(2 / float(((scale / base) ** 2).sum()))
    if deviance(0.0) <= deviance(best) or best * best < NEGLIGIBLE_SHARE * error:
        return 0.0
    return best * best
