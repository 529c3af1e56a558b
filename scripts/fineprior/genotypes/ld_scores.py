"""LD scores: for each variant, the annotation of its neighbours weighted with their r^2.

Bulik-Sullivan et al. 2015 (doi:10.1038/ng.3211); partitioned by annotation as in Finucane et al. 2015
(doi:10.1038/ng.3404).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError

_BLOCK = 256


def ld_scores(
    dosages: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    position: NDArray[np.floating] | NDArray[np.integer],
    annotations: NDArray[np.float32],
    window: float,
) -> NDArray[np.float64]:
    """LD scores l(j, c) = sum over k within the window of (r_jk^2 - (1 - r_jk^2) / (n - 2)) a_kc, j itself included.

    Never more than the genotypes of a window are in memory. A missing genotype is taken as the variant's mean; a
    variant that does not vary has LD score 0 and adds nothing to others.

    Parameters
    ----------
    dosages
        Gives copies of an allele (n, k) of the variants asked for (k indices from 0), NaN where missing.
    position
        (m,) positions on one chromosome, not decreasing: base pairs, or centimorgans.
    annotations
        (m, annotations) of the same variants.
    window
        Largest distance of two variants that count, in the unit of `position`.

    Returns
    -------
    float64 array (m, annotations).

    Raises
    ------
    InputError
        Positions that decrease, or fewer than 3 samples.
    """
    position = np.asarray(position, float)
    if (np.diff(position) < 0).any():
        raise InputError(f"LD scores: positions must not decrease; row {int(np.diff(position).argmin()) + 2} does")
    count = len(position)
    scores = np.zeros((count, annotations.shape[1]))
    first, held = 0, np.empty((0, 0), np.float32)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        left = int(np.searchsorted(position, position[start] - window, "left"))
        right = int(np.searchsorted(position, position[stop - 1] + window, "right"))
        # what the last block had in memory is kept, and only what is new to the window is read
        last = first + held.shape[1]
        new = np.arange(max(left, last), right)
        fresh = _standardised(dosages(new)) if len(new) else held[:, :0]
        kept = held[:, max(left - first, 0) :] if last > left else fresh[:, :0]
        held, first = np.concatenate([kept, fresh], axis=1) if kept.size else fresh, left
        samples = len(held)
        if samples < 3:
            raise InputError(f"LD scores: a panel of {samples} samples is too small; at least 3 are needed")
        squared = np.square(held[:, start - left : stop - left].T @ held / samples, dtype=np.float32)
        squared -= (1 - squared) / (samples - 2)
        distance = np.abs(position[start:stop, None] - position[None, left:right])
        squared[distance > window] = 0
        varies: NDArray[np.bool_] = np.any(held != 0, axis=0)
        squared[~varies[start - left : stop - left]] = 0
        squared[:, ~varies] = 0
        scores[start:stop] = squared @ annotations[left:right]
    return scores


def _standardised(dosages: NDArray[np.float32]) -> NDArray[np.float32]:
    """Columns of mean 0 and variance 1; zeros where nothing varies."""
    scaled = np.array(dosages, np.float32)
    called = np.isfinite(scaled)
    mean = np.where(called, scaled, 0).sum(0, dtype=np.float64) / np.maximum(called.sum(0), 1)
    scaled = np.where(called, scaled - mean.astype(np.float32), 0)
    deviation = np.sqrt(np.square(scaled, dtype=np.float64).mean(0))
    constant = deviation < 1e-6
    scaled /= np.where(constant, 1, deviation).astype(np.float32)
    scaled[:, constant] = 0
    return scaled
