"""Loci whose causal variants follow the model: no LD, z of the causal ones inflated by a ratio of the grid."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.priors.blocks import Block
from fineprior.priors.enrichment import VARIANCE_RATIOS, log_bayes_factors
from fineprior.priors.study import PriorStudy


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


@pytest.fixture(scope="session")
def prior_study(tmp_path_factory):
    """Loci without LD whose causal variant is chosen by twice the score."""
    path = tmp_path_factory.mktemp("ld") / "ld.npz"
    rng = np.random.default_rng(2)
    frames, signals = [], {}
    for number in range(24):
        score = rng.standard_normal(20)
        odds = np.exp(2 * score)
        z = rng.standard_normal(20)
        z[rng.choice(20, p=odds / odds.sum())] += 7
        name, chrom = f"locus{number:02}", f"chr{1 + number // 8}"
        ids = [f"{name}:{place}" for place in range(20)]
        frames.append(pd.DataFrame({"locus": name, "chrom": chrom, "variant_id": ids, "score": np.exp(score), "z": z,
                                    "se": 0.02, "eaf": rng.uniform(0.1, 0.9, 20), "panel_af": 0.3}))  # fmt: skip
        signals[name] = (z**2 / 2)[None].astype(np.float32)
    write_ld(path, [LocusLd(name, np.eye(20, dtype=np.float32), frame["variant_id"].to_numpy(np.str_))
                    for name, frame in zip(signals, frames, strict=True)])  # fmt: skip
    return PriorStudy(pd.concat(frames, ignore_index=True), signals, dict.fromkeys(signals, str(path)))
