"""Loci whose causal variants follow the model: no LD, z of the causal ones inflated by a ratio of the grid."""

from typing import NamedTuple

import numpy as np
import pytest

from fineprior.priors.blocks import Block
from fineprior.priors.enrichment import VARIANCE_RATIOS, log_bayes_factors


class Loci(NamedTuple):
    features: np.ndarray
    log_bf: np.ndarray
    starts: np.ndarray
    chromosomes: np.ndarray

    @property
    def block(self):
        return Block.of(self.features, self.log_bf, self.starts)

    @property
    def by_chromosome(self):
        """One block for each chromosome, with keys that depend on the locus alone."""
        ends = np.append(self.starts[1:], len(self.features))
        found = {}
        for name in dict.fromkeys(self.chromosomes[self.starts]):
            loci = np.flatnonzero(self.chromosomes[self.starts] == name)
            rows = np.concatenate([np.arange(self.starts[k], ends[k]) for k in loci])
            sizes = (ends - self.starts)[loci]
            found[str(name)] = [
                Block.of(self.features[rows], self.log_bf[rows], np.cumsum(sizes) - sizes, loci.astype(np.int64))
            ]
        return found


@pytest.fixture
def simulated():
    def simulate(seed, coefficients, loci=300, size=30, chromosomes=4, signals=1, strength=0.0):
        rng = np.random.default_rng(seed)
        coefficients = np.atleast_1d(np.asarray(coefficients, dtype=float))
        sizes = rng.integers(size // 2, size + 1, loci)
        features = rng.standard_normal((sizes.sum(), len(coefficients)))
        starts = np.cumsum(sizes) - sizes
        z = rng.standard_normal((sizes.sum(), signals))
        for start, n in zip(starts, sizes, strict=True):
            odds = np.exp(features[start : start + n] @ coefficients)
            for signal in range(signals):
                causal = start + rng.choice(n, p=odds / odds.sum())
                z[causal, signal] *= np.sqrt(1 + rng.choice(VARIANCE_RATIOS))
                z[causal, signal] += strength
        names = np.array([f"chr{1 + number % chromosomes}" for number in range(loci)], dtype=object)
        log_bf = np.concatenate([log_bayes_factors(z[:, signal]) for signal in range(signals)], axis=1)
        return Loci(features, log_bf, starts, np.repeat(names, sizes))

    return simulate
