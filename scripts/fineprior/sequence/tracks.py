"""Training regions, and the signal of tracks (bigWig) over their bins."""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import TrackSettings
from fineprior.genetics.genome import UNKNOWN, Genome, plain_name
from fineprior.sequence.bigwig import BigWig
from fineprior.sequence.intervals import Intervals, bed_text

logger = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
POOLED: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mean": lambda values: np.mean(values, axis=1),
    "sum": lambda values: np.sum(values, axis=1),
    "max": lambda values: np.max(values, axis=1),
    "sum_sqrt": lambda values: np.sqrt(1 + np.sum(values, axis=1)) - 1,
    "mean_sqrt": lambda values: np.sqrt(1 + np.mean(values, axis=1)) - 1,
}
_PEAKS = (".bed", ".narrowPeak", ".broadPeak")
_BLACK_FLANK = 20
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
        The file is absent, no text, empty or has fewer columns; a coordinate is not a number; a region is not
        `context_length` long; a split is unknown. The message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; `regions` must be a BED file with chrom, start, end, split")
    rows = []
    for number, line in enumerate(bed_text(path).splitlines(), 1):
        fields = line.split("\t")
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(fields) < 4 or not (fields[1].isdecimal() and fields[2].isdecimal()):
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


def check_splits(regions: pd.DataFrame, starts: NDArray[np.int64], bin_size: int, where: str | Path) -> None:
    """Check that no target bin is in two splits, which would make held-out figures flattering.

    Parameters
    ----------
    regions, starts
        Regions and their target bins, as from `read_regions` and `bin_starts`.

    Raises
    ------
    InputError
        Target bins of two splits overlap. Splits that share a chromosome are a warning.
    """
    chrom, last = regions["chrom"].map(plain_name), starts[:, -1] + bin_size
    spans = pd.DataFrame({"chrom": chrom, "split": regions["split"], "start": starts[:, 0], "end": last}).sort_values(
        ["chrom", "start"], kind="stable"
    )
    # Sorted by start, a bin overlaps one of another split when that split's furthest end so far lies behind its start.
    for split in SPLITS:
        end = spans["end"].where(spans["split"] == split, 0).groupby(spans["chrom"]).cummax()
        wrong = (spans["split"] != split) & (end > spans["start"])
        if wrong.any():
            row = spans[wrong].iloc[0]
            raise InputError(
                f"{where}: target bins at {row['chrom']}:{row['start']}-{row['end']} are in splits {split} and "
                f"{row['split']}; the central bins of a region may be in one split only"
            )
    if regions.groupby(chrom)["split"].nunique().max() > 1:
        logger.warning("%s: splits share a chromosome; figures on held-out regions may flatter", where)


def bin_starts(regions: pd.DataFrame, bin_size: int, target_bins: int) -> NDArray[np.int64]:
    """First base (0-based) of each target bin (regions, target_bins): the bins at the centre of each region."""
    margin = (regions["end"] - regions["start"]).to_numpy(np.int64) - bin_size * target_bins
    first = regions["start"].to_numpy(np.int64) + margin // 2
    return first[:, None] + bin_size * np.arange(target_bins)


def read_targets(
    files: list[str],
    chrom: NDArray[np.str_],
    start: NDArray[np.int64],
    bin_size: int,
    settings: TrackSettings | Sequence[TrackSettings],
    region_bins: int = 0,
) -> NDArray[np.float32]:
    """Signal of tracks over bins, as training targets.

    Bases without a value count as 0, or as the median of their region (`missing: baseline`); so do blacklisted ones
    that are further from 0. Signal is pooled over the bin (mean, sum, max, or sqrt(1 + x) - 1 of sum or mean), above
    `clip_soft` its square root is taken, it is clipped at `clip` and multiplied by `scale`, in Basenji's order. In a
    file of peaks (BED, narrowPeak, broadPeak, with .gz or not) a bin is 1 where it overlaps one, else 0.

    Parameters
    ----------
    files
        Paths, one for each track.
    chrom, start
        Chromosome and first base (0-based) of each bin (bins,); contiguous bins are read together.
    bin_size
        Width of a bin (bp).
    settings
        Of all tracks, or of each.
    region_bins
        Bins of a region, whose median is the baseline; with 0 it is a stretch of contiguous bins.

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
    each = [settings] * len(files) if isinstance(settings, TrackSettings) else list(settings)
    targets = np.empty((len(start), len(files)), np.float32)
    for column, (path, own) in enumerate(zip(files, each, strict=True)):
        if own.pooling not in POOLED:
            raise InputError(f"targets.pooling: '{own.pooling}' is not allowed; allowed: {', '.join(POOLED)}")
        if is_peaks(path):
            targets[:, column] = Intervals.read(path).covered(chrom, start, bin_size) > 0
        else:
            targets[:, column] = _read_track(Path(path), chrom, start, bin_size, own, region_bins)
    return targets


def is_peaks(path: str | Path) -> bool:
    """Whether a track is a file of peaks, by its name."""
    return str(path).removesuffix(".gz").endswith(_PEAKS)


def usable_bins(
    chrom: NDArray[np.str_],
    start: NDArray[np.int64],
    bin_size: int,
    settings: TrackSettings,
    genome: Genome | None = None,
) -> NDArray[np.bool_]:
    """Bins (bins,) that can be learned from: mappable and known; how many are not is logged by reason.

    Parameters
    ----------
    genome
        Needed where `max_n` is below 1.
    """
    usable = np.ones(len(start), bool)
    if settings.unmappable:
        share = Intervals.read(settings.unmappable).covered(chrom, start, bin_size) / bin_size
        usable &= share <= settings.max_unmappable
        _tell(int((~usable).sum()), len(start), "unmappable")
    if settings.max_n < 1 and genome is not None:
        known = np.ones(len(start), bool)
        for rows in _contiguous(chrom, start, bin_size):
            codes = genome.codes(str(chrom[rows.start]), int(start[rows.start]), int(start[rows.stop - 1]) + bin_size)
            known[rows] = (codes.reshape(-1, bin_size) == UNKNOWN).mean(1) <= settings.max_n
        _tell(int((usable & ~known).sum()), len(start), "unknown bases")
        usable &= known
    return usable


def _tell(dropped: int, bins: int, reason: str) -> None:
    if dropped:
        logger.info("%d of %d bins are left out: %s", dropped, bins, reason)


def _read_track(
    path: Path,
    chrom: NDArray[np.str_],
    start: NDArray[np.int64],
    bin_size: int,
    settings: TrackSettings,
    region_bins: int,
) -> NDArray[np.float64]:
    black = Intervals.read(settings.blacklist).widened(_BLACK_FLANK) if settings.blacklist else None
    with BigWig(path) as track:
        pooled = np.empty(len(start))
        names = {plain_name(name): (name, length) for name, length in track.chroms().items()}
        for rows in _contiguous(chrom, start, bin_size, region_bins):
            first, last = int(start[rows.start]), int(start[rows.stop - 1]) + bin_size
            values = _signal(track, path, names, str(chrom[rows.start]), first, last)
            inside = black.inside(str(chrom[rows.start]), first, last) if black else None
            values = _repaired(values, inside, settings.missing)
            pooled[rows] = POOLED[settings.pooling](values.reshape(-1, bin_size))
    if (pooled < 0).any():
        raise InputError(
            f"{path}: {int((pooled < 0).sum())} of {len(pooled)} bins have negative signal; a head predicts counts or "
            "coverage, which is never negative (a log ratio is no target)"
        )
    if settings.clip_soft:
        above = np.maximum(pooled - settings.clip_soft, 0)
        pooled = np.where(above > 0, settings.clip_soft - 1 + np.sqrt(above + 1), pooled)
    return np.minimum(pooled, settings.clip) * settings.scale


def _repaired(values: NDArray[np.float64], black: NDArray[np.bool_] | None, missing: str) -> NDArray[np.float64]:
    """Signal of bases (n,) with missing and blacklisted ones brought to the median of what there is."""
    unknown = np.isnan(values)
    if missing != "baseline" and black is None:
        return np.nan_to_num(values, nan=0.0)
    baseline = float(np.median(values[~unknown])) if not unknown.all() else 0.0
    values = np.where(unknown, baseline if missing == "baseline" else 0.0, values)
    if black is not None:
        values = np.where(black, np.clip(values, -abs(baseline), abs(baseline)), values)
    return values


def _contiguous(
    chrom: NDArray[np.str_], start: NDArray[np.int64], bin_size: int, region_bins: int = 0
) -> Iterator[slice]:
    """Runs of neighbouring bins, each about a megabase at most, or a region."""
    breaks = (np.diff(start) != bin_size) | (chrom[1:] != chrom[:-1])
    if region_bins:
        breaks |= np.arange(1, len(start)) % region_bins == 0
    edges = [0, *(np.flatnonzero(breaks) + 1), len(start)]
    step = max(1, _BASES_AT_ONCE // bin_size)
    for begin, end in pairwise(edges):
        yield from (slice(row, min(row + step, int(end))) for row in range(int(begin), int(end), step))


def _signal(
    track: BigWig, path: Path, names: dict[str, tuple[str, int]], chrom: str, first: int, last: int
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
    return track.values(name, first, last)
