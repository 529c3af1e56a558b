"""The error of a panel's R in a fit: its finite size, and the drift between two populations.

R of a panel of B samples differs from that of the GWAS by sampling, with variance (1 + r²) / B of each entry, and by
drift between the two populations, taken to have the same shape and an unknown size lambda. Where the other effects
together explain z-scores eta = R b and a chi2 of v = b' R b, the residual z of variant j then has the variance

    tau_j² = sigma² + (1 / B + lambda) (eta_j² + v)

in place of sigma² (the variance of R b for a Wishart matrix R; the model is that of susieR 0.16's R_finite and
R_mismatch). Lambda is estimated by maximum likelihood of the residuals (empirical Bayes).
"""

import math

import numpy as np

from fineprior.files.arrays import Floats
from fineprior.finemap.single_effect import minimise

LARGEST_DRIFT = 1.0
DRIFT_TOLERANCE = 1e-6
# Estimates below this share of their standard error at 0 are 0.
NEGLIGIBLE_SHARE = 0.1


class PanelError:
    """Finite panel and drift, as `susie_rss(inflation=...)` takes it.

    Parameters
    ----------
    panel_size : float
        Samples in the panel, B; infinite when only drift is to be accounted for.
    drift : float
        Lambda to start from.
    estimate_drift : bool
        Whether lambda is estimated after each sweep over the effects.
    """

    def __init__(self, panel_size: float, *, drift: float = 0.0, estimate_drift: bool = True) -> None:
        self.panel_size = panel_size
        self.drift = drift
        self.estimate_drift = estimate_drift

    def residual_variance(self, expected_z: Floats, explained: float, sigma2: float) -> Floats:
        """tau_j², shape (p,), given what the other effects explain."""
        return sigma2 + (1 / self.panel_size + self.drift) * (expected_z**2 + max(explained, 0.0))

    def after_sweep(self, residual_z: Floats, expected_z: Floats, explained: float, sigma2: float) -> None:
        """Estimate lambda from what all effects together leave."""
        if self.estimate_drift:
            self.drift = estimate_drift(residual_z, expected_z**2 + max(explained, 0.0), sigma2, self.panel_size)


def estimate_drift(residual_z: Floats, scale: Floats, sigma2: float, panel_size: float) -> float:
    """Maximum likelihood of lambda in residual_j ~ N(0, sigma² + (1 / B + lambda) scale_j).

    Parameters
    ----------
    residual_z, scale : ndarray, shape (p,)
    sigma2, panel_size : float

    Returns
    -------
    float
        From 0 to LARGEST_DRIFT; 0 as well when it is negligible beside its standard error.
    """
    informative = scale > np.finfo(np.float64).eps
    if not informative.any():
        return 0.0
    scale, square = scale[informative], residual_z[informative] ** 2
    base = sigma2 + scale / panel_size

    def deviance(root: float) -> float:
        variance = base + root * root * scale
        return float((np.log(variance) + square / variance).sum())

    # The deviance is smoother in the square root of lambda, whose bounds then are of one order.
    best = minimise(deviance, 0.0, math.sqrt(LARGEST_DRIFT), DRIFT_TOLERANCE)
    error = math.sqrt(2 / float(((scale / base) ** 2).sum()))
    if deviance(0.0) <= deviance(best) or best * best < NEGLIGIBLE_SHARE * error:
        return 0.0
    return best * best
