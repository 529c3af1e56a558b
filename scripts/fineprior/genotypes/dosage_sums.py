"""Correlations of dosages from sums of their products, exact where they are whole numbers."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_STRIP, _TILE, _WIDE_TILE = 512, 256, 1024
_VALUES_AT_ONCE = 1 << 20
LEAST_LENGTH = 1e-3
"""A variant whose deviations from its mean are shorter does not vary."""

logger = logging.getLogger(__name__)


def correlation(dosages: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson correlation between variants; a missing dosage is taken as the variant's mean.

    A variant without variance has correlation 0 with all others, and a warning.

    Parameters
    ----------
    dosages
        (n, p), NaN where missing; left as it is.

    Returns
    -------
    float32 array (p, p): exactly symmetric, diagonal exactly 1, all within -1 to 1.
    """
    copies = np.array(dosages, dtype=np.float32, order="F")
    mean, length = moments(copies)
    products = add_products(shifted(copies, mean), None)
    return completed(products, len(copies), mean, length, np.zeros(len(mean), bool))


def _column_steps(dosages: NDArray[np.float32]) -> Iterator[slice]:
    step = max(_VALUES_AT_ONCE // max(len(dosages), 1), 1)
    return (slice(first, first + step) for first in range(0, dosages.shape[1], step))


def moments(dosages: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (p,) of each variant over those who have it, and length (p,) of its deviations from it."""
    mean, length = np.zeros((2, dosages.shape[1]))
    gaps = 0
    for columns in _column_steps(dosages):
        part = dosages[:, columns]
        total = part.sum(0, dtype=np.float64)
        called = np.full(len(total), len(part))
        if np.isnan(total).any():
            missing = np.isnan(part)
            gaps += int(missing.sum())
            called -= missing.sum(0)
            part = np.where(missing, 0, part)
            total = part.sum(0, dtype=np.float64)
        mean[columns] = total / np.maximum(called, 1)
        squares = np.einsum("np,np->p", part, part, dtype=np.float64)
        length[columns] = np.sqrt(np.maximum(squares - called * mean[columns] ** 2, 0))
    if gaps:
        logger.info("%d of %d genotypes are missing and taken as the mean of their variant", gaps, dosages.size)
    return mean, length


def shifted(dosages: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float32]:
    """The dosages less a whole number near their mean, in place; missing ones are at the mean.

    Products of whole numbers are exact in float32, and of a rare variant nearly all are 0. Those of deviations from
    the mean would add up many small terms that are all rounded in one direction.
    """
    whole = np.rint(mean)
    for columns in _column_steps(dosages):
        part = dosages[:, columns]
        part -= whole[columns].astype(np.float32)
        if np.isnan(part.sum()):
            rows, places = np.nonzero(np.isnan(part))
            part[rows, places] = (mean - whole)[columns][places]
    return dosages


def add_products(shifted: NDArray[np.float32], products: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Products shifted' shifted below the diagonal, and somewhat above it, added to those of other samples."""
    count = shifted.shape[1]
    new = products is None
    total = np.empty((count, count), np.float32) if products is None else products
    for first in range(0, count, _STRIP):
        rows, columns = slice(first, first + _STRIP), slice(0, min(first + _STRIP, count))
        if new:
            np.matmul(shifted[:, rows].T, shifted[:, columns], out=total[rows, columns])
        else:
            total[rows, columns] += shifted[:, rows].T @ shifted[:, columns]
    return total


def completed(
    products: NDArray[np.float32] | None,
    samples: int,
    mean: NDArray[np.float64],
    length: NDArray[np.float64],
    turned: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """R from the products, tile by tile in double precision: what is written lies in the processor's cache.

    It takes their place. Signs of variants that are `turned` change.
    """
    r = np.empty((0, 0), np.float32) if products is None else products
    constant = length < LEAST_LENGTH
    if constant.any():
        logger.warning(
            "%d of %d variants do not vary in the panel; their LD is taken as 0", constant.sum(), len(constant)
        )
    scale = np.where(turned, -1, 1) / np.where(constant, np.inf, length)
    shift = np.sqrt(samples) * (mean - np.rint(mean))
    for first in range(0, len(r), _TILE):
        rows = slice(first, first + _TILE)
        for start in range(0, min(first + _TILE, len(r)), _WIDE_TILE):
            columns = slice(start, min(start + _WIDE_TILE, first + _TILE))
            tile = r[rows, columns] - np.multiply.outer(shift[rows], shift[columns])
            tile *= scale[rows, None]
            tile *= scale[columns]
            r[rows, columns] = np.clip(tile, -1, 1, out=tile)
            if columns.stop <= first:
                r[columns, rows] = r[rows, columns].T
            else:
                r[start:first, rows] = r[rows, start:first].T
        corner = np.tril(r[rows, rows], -1)
        r[rows, rows] = corner + corner.T
    np.fill_diagonal(r, 1)
    return r
