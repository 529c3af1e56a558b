"""The exact posterior of up to three causal variants, by all configurations: the yardstick of `finemap.search`."""

import numpy as np


def exact_posterior(
    z: np.ndarray, R: np.ndarray, variance: float, prior: np.ndarray, causal: float = 1.0
) -> tuple[np.ndarray, float]:
    """PIPs (p,) and log evidence over all configurations of at most three variants; p^3 / 6 of them.

    A configuration weighs `causal` to the power of its size, times the product of its prior weights, times the density
    of z with effects N(0, `variance`) over that without effects. Determinants and residuals are written out for one,
    two and three members: nothing is shared with the search.
    """
    p, inverse = len(z), 1 / variance
    log_prior = np.log(prior / prior.sum()) + np.log(causal)
    one = 0.5 * z * z / (1 + inverse) - 0.5 * np.log1p(variance) + log_prior
    offset = max(0.0, float(one.max()))
    pip, total = np.zeros(p), 0.0
    for again in (False, True):
        pip, total = np.exp(one - offset), float(np.exp(one - offset).sum() + np.exp(-offset))
        largest = offset
        for i in range(p - 1):
            later = np.arange(i + 1, p)
            a = 1 + inverse
            residual = z[later] - R[i, later] * z[i] / a
            left = 1 - R[i, later] ** 2 / a
            pivot = left + inverse
            two = one[i] + 0.5 * residual**2 / pivot - 0.5 * np.log1p(variance * left) + log_prior[later]
            largest = max(largest, float(two.max()))
            weight = np.exp(two - offset)
            total += weight.sum()
            pip[i] += weight.sum()
            pip[later] += weight
            if len(later) < 2:
                continue
            # For each second variant j all third ones k > j.
            covariance = R[np.ix_(later, later)] - np.outer(R[i, later], R[i, later]) / a
            third_residual = residual[None, :] - covariance * (residual / pivot)[:, None]
            third_left = np.maximum(left[None, :] - covariance**2 / pivot[:, None], 0)
            three = two[:, None] + 0.5 * third_residual**2 / (third_left + inverse) + log_prior[later][None, :]
            three -= 0.5 * np.log1p(variance * third_left)
            three = np.where(np.triu(np.ones_like(three, bool), 1), three, -np.inf)
            largest = max(largest, float(three.max()))
            weight = np.exp(three - offset)
            total += weight.sum()
            pip[i] += weight.sum()
            pip[later] += weight.sum(0) + weight.sum(1)
        if largest <= offset + 50 or again:
            break
        offset = largest
    return pip / total, float(np.log(total) + offset)
