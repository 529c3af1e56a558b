"""Dosages of related variants, some of them missing."""

import numpy as np


def genotypes(people, count, seed, missing=0.0):
    """Shape (people, count), float32: 0, 1 or 2 copies; a share of NaN."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(people, 1))
    dosages = (rng.normal(size=(people, count)) + shared > 0).astype(np.float32)
    dosages += rng.normal(size=(people, count)) + shared > 0.5
    dosages[rng.random((people, count)) < missing] = np.nan
    return dosages
