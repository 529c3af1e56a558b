"""Loci whose causal variants follow the model: no LD, one causal variant, its z inflated by a ratio of the grid."""

from typing import NamedTuple

import numpy as np
import pytest

from fineprior.priors.enrichment import VARIANCE_RATIOS, log_bayes_factors


class Loci(NamedTuple):
    features: np.ndarray
    log_bf: np.ndarray
    starts: np.ndarray
    chromosomes: np.ndarray

    @property
    def scores(self):
        """Positive heavy-tailed scores in the order of the first feature."""
        return np.exp(self.features[:, 0])


@pytest.fixture
def simulated():
    def simulate(seed, coefficients, loci=300, size=30, chromosomes=4):
        rng = np.random.default_rng(seed)
        coefficients = np.atleast_1d(np.asarray(coefficients, dtype=float))
        sizes = rng.integers(size // 2, size + 1, loci)
        features = rng.standard_normal((sizes.sum(), len(coefficients)))
        starts = np.cumsum(sizes) - sizes
        z = rng.standard_normal(sizes.sum())
        for start, n in zip(starts, sizes, strict=True):
            odds = np.exp(features[start : start + n] @ coefficients)
            causal = start + rng.choice(n, p=odds / odds.sum())
            z[causal] *= np.sqrt(1 + rng.choice(VARIANCE_RATIOS))
        names = np.array([f"chr{1 + number % chromosomes}" for number in range(loci)], dtype=object)
        return Loci(features, log_bayes_factors(z), starts, np.repeat(names, sizes))

    return simulate
