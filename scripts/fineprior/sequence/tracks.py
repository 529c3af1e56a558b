"""Training regions, and the signal of tracks (bigWig) over their bins."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import TrackSettings
from fineprior.genetics.genome import plain_name

SPLITS = ("train", "valid", "test")
_POOLED: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "max": np.max}
_BASES_AT_ONCE = 1 << 20


def read_regions(path: str | Path, context_length: int) -> pd.DataFrame:
    """Read training regions: BED with columns chrom, start, end, split (train, valid or test), without header.

    Each region is a whole window of the backbone; the targets are the bins at its centre.

    Returns
    -------
    DataFrame
        Columns chrom, start (0-based), end (exclusive), split, in the order of the file.

    Raises
    ------
    InputError
        The file is absent, empty or has fewer columns; a coordinate is not a number; a region is not
        `context_length` long; a split is unknown. The message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; `regions` must be a BED file with chrom, start, end, split")
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = line.split("\t")
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(fields) < 4 or not (fields[1].isdigit() and fields[2].isdigit()):
            raise InputError(f"{where}: '{line}' must be chrom, start, end, split, separated by tabs")
        chrom, start, end, split = fields[0], int(fields[1]), int(fields[2]), fields[3].strip()
        if split not in SPLITS:
            raise InputError(f"{where}: split '{split}' is not allowed; allowed: {', '.join(SPLITS)}")
        if end - start != context_length:
            raise InputError(
                f"{where}: {chrom}:{start}-{end} is {end - start} bp long; a region must be as long as "
                f"backbone.context_length, {context_length}"
            )
        rows.append((chrom, start, end, split))
    if not rows:
        raise InputError(f"{path}: no region in this file")
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "split"])


def bin_starts(regions: pd.DataFrame, bin_size: int, target_bins: int) -> NDArray[np.int64]:
    """First base (0-based) of each target bin (regions, target_bins): the bins at the centre of each region."""
    margin = (regions["end"] - regions["start"]).to_numpy(np.int64) - bin_size * target_bins
    first = regions["start"].to_numpy(np.int64) + margin // 2
    return first[:, None] + bin_size * np.arange(target_bins)


def read_targets(
    bigwigs: list[str],
    chrom: NDArray[np.str_],
    start: NDArray[np.int64],
    bin_size: int,
    settings: TrackSettings,
) -> NDArray[np.float32]:
    """Signal of tracks over bins, as training targets.

    Bases without a value count as 0. Signal is pooled over the bin (mean, sum or max), clipped at `clip`, then
    multiplied by `scale`, in Basenji's order.

    Parameters
    ----------
    bigwigs
        Paths, one for each track.
    chrom, start
        Chromosome and first base (0-based) of each bin (bins,); contiguous bins are read together.
    bin_size
        Width of a bin (bp).

    Returns
    -------
    targets
        (bins, tracks) float32, none below 0.

    Raises
    ------
    InputError
        A file that is absent or not bigWig, a chromosome that it has not or that is shorter than a bin
        asks for, an unknown pooling, or negative signal, for which there is no Poisson likelihood.
    """
    if settings.pooling not in _POOLED:
        raise InputError(f"targets.pooling: '{settings.pooling}' is not allowed; allowed: {', '.join(_POOLED)}")
    targets = np.empty((len(start), len(bigwigs)), np.float32)
    for column, path in enumerate(bigwigs):
        targets[:, column] = _read_track(Path(path), chrom, start, bin_size, settings)
    return targets


def _read_track(
    path: Path, chrom: NDArray[np.str_], start: NDArray[np.int64], bin_size: int, settings: TrackSettings
) -> NDArray[np.float64]:
    import pyBigWig

    if not path.is_file():
        raise InputError(f"{path}: no such bigWig file")
    try:
        track = pyBigWig.open(str(path))
    except RuntimeError:
        raise InputError(f"{path}: not a bigWig file") from None
    with track:
        if not track.isBigWig():
            raise InputError(f"{path}: a bigBed file; a track must be bigWig")
        pooled = np.empty(len(start))
        names = {plain_name(name): (name, length) for name, length in track.chroms().items()}
        for rows in _contiguous(chrom, start, bin_size):
            first, last = int(start[rows.start]), int(start[rows.stop - 1]) + bin_size
            values = _signal(track, path, names, str(chrom[rows.start]), first, last)
            pooled[rows] = _POOLED[settings.pooling](values.reshape(-1, bin_size), axis=1)
    if (pooled < 0).any():
        raise InputError(
            f"{path}: {int((pooled < 0).sum())} of {len(pooled)} bins have negative signal; a head predicts counts or "
            "coverage, which is never negative (a log ratio is no target)"
        )
    return np.minimum(pooled, settings.clip) * settings.scale


def _contiguous(chrom: NDArray[np.str_], start: NDArray[np.int64], bin_size: int) -> Iterator[slice]:
    """Runs of neighbouring bins, each about a megabase at most."""
    breaks = (np.diff(start) != bin_size) | (chrom[1:] != chrom[:-1])
    edges = [0, *(np.flatnonzero(breaks) + 1), len(start)]
    step = max(1, _BASES_AT_ONCE // bin_size)
    for begin, end in pairwise(edges):
        yield from (slice(row, min(row + step, int(end))) for row in range(int(begin), int(end), step))


def _signal(
    track: Any, path: Path, names: dict[str, tuple[str, int]], chrom: str, first: int, last: int
) -> NDArray[np.float64]:
    if plain_name(chrom) not in names:
        shown = ", ".join(name for name, _ in list(names.values())[:5])
        raise InputError(f"{path}: no chromosome '{chrom}'; this bigWig has {shown}")
    name, length = names[plain_name(chrom)]
    if first < 0 or last > length:
        raise InputError(
            f"{path}: {chrom}:{first}-{last} lies beyond the chromosome, which has {length} bp in this bigWig; "
            "is it of the same genome build as the regions?"
        )
    return np.nan_to_num(track.values(name, first, last, numpy=True).astype(np.float64), nan=0.0)
