"""Coverage tracks in bins, as bigWig."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from fineprior.foundation.files import atomic_path
from fineprior.simulate.grammar import BIN_SIZE

DEPTH = 2.0
"""Reads for one unit of signal: the larger, the less noise."""
BACKGROUND = 0.1
"""Signal where nothing is active."""


def simulate_coverage(activity: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Noisy signal: Poisson counts of reads over their depth.

    Counts come from one uniform number each by the inverse distribution function, so that a difference in the
    last digit of one activity does not shift the noise of all that follow.
    """
    counts = poisson.ppf(rng.random(activity.shape), DEPTH * (activity + BACKGROUND))
    return np.asarray(counts / DEPTH, dtype=np.float32)


def write_bigwig(path: str | Path, contigs: dict[str, int], signal: dict[str, NDArray[np.float32]]) -> None:
    """Write one value for each whole bin of 128 bp; a last part of a bin has no value.

    Parameters
    ----------
    path
        The bigWig file.
    contigs
        Length (bp) of each contig, for the header.
    signal
        Values (bins,) of contigs, in the order of `contigs`.
    """
    import pyBigWig

    with atomic_path(path) as temporary:
        handle = pyBigWig.open(str(temporary), "w")
        handle.addHeader(list(contigs.items()))
        for chrom, values in signal.items():
            whole = values[: contigs[chrom] // BIN_SIZE]
            handle.addEntries(chrom, 0, values=whole.tolist(), span=BIN_SIZE, step=BIN_SIZE)
        handle.close()
