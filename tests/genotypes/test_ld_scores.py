"""LD scores against the dense definition, in windows, with missing and constant genotypes."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.ld import ld_scores


def _genotypes(people: int, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    latent = np.cumsum(rng.normal(size=(people, count)), axis=1)
    return ((latent > 0).astype(np.float32) + (latent > 1)).astype(np.float32)


def _dense(dosages: np.ndarray, position: np.ndarray, annotations: np.ndarray, window: float) -> np.ndarray:
    filled = np.where(np.isnan(dosages), np.nanmean(dosages, axis=0), dosages).astype(float)
    people = len(filled)
    varies = filled.std(0) > 1e-6
    r = np.zeros((filled.shape[1],) * 2)
    r[np.ix_(varies, varies)] = np.corrcoef(filled[:, varies].T)
    squared = r**2 - (1 - r**2) / (people - 2)
    squared[np.abs(position[:, None] - position[None]) > window] = 0
    squared[~varies] = 0
    squared[:, ~varies] = 0
    return squared @ annotations


@pytest.mark.parametrize("window", [0, 300, 5_000, 10**9])
def test_the_definition_in_blocks_and_windows(window: int) -> None:
    rng = np.random.default_rng(5)
    dosages = _genotypes(80, 700, 1)
    dosages[rng.random(dosages.shape) < 0.02] = np.nan
    dosages[:, 13] = 1
    position = np.sort(rng.integers(0, 20_000, 700))
    annotations = rng.random((700, 3)).astype(np.float32)
    found = ld_scores(lambda rows: dosages[:, rows], position, annotations, window)
    expected = _dense(dosages, position, annotations, window)
    # single precision of the largest sum: 6e-8 times the root of 700; measured 5e-7 (Haswell, Zen), 3e-7 (SkylakeX)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.6e-6 * expected.max())
    assert (found[13] == 0).all()


def test_a_genotype_is_read_once() -> None:
    dosages = _genotypes(30, 1500, 2)
    read: list[int] = []

    def reader(rows: np.ndarray) -> np.ndarray:
        read.extend(rows.tolist())
        return dosages[:, rows]

    ld_scores(reader, np.arange(1500) * 10, np.ones((1500, 1), np.float32), 2_000)
    assert sorted(read) == list(range(1500))


def test_bad_input() -> None:
    ones = np.ones((3, 1), np.float32)
    with pytest.raises(InputError, match="row 3 does"):
        ld_scores(lambda rows: np.ones((5, len(rows)), np.float32), np.array([1, 5, 2]), ones, 10)
    with pytest.raises(InputError, match="2 samples is too small"):
        ld_scores(lambda rows: np.ones((2, len(rows)), np.float32), np.array([1, 2, 3]), ones, 10)
