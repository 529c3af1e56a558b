"""Training regions, and the signal of tracks (bigWig) over their bins."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.genome.bed import bed_lines
from fineprior.genome.contigs import Contigs, plain_name
from fineprior.genome.fasta import UNKNOWN, Genome
from fineprior.genome.intervals import Intervals
from fineprior.project.settings import TrackSettings
from fineprior.sequence.bigwig import BigWig

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


def read_regions(path: str | Path, context_length: int, genome: Genome | None = None) -> pd.DataFrame:
    """Read training regions: BED with columns chrom, start, end, split (train, valid or test), without header.

    Each region is a whole window of the backbone; the targets are the bins at its centre.

    Parameters
    ----------
    genome
        Where it is given, regions must lie on its contigs.

    Returns
    -------
    DataFrame
        Columns chrom, start (0-based), end (exclusive), split, in the order of the file.

    Raises
    ------
    InputError
        As `bed_lines`; a line has no split or an unknown one; a region is not `context_length` long, or not within a
        contig of the genome. The message names the line.
    """
    rows = []
    for line in bed_lines(path, "a BED file with chrom, start, end, split (`regions`)"):
        split = line.more[0] if line.more else ""
        where = f"{line.chrom}:{line.start}-{line.end}"
        if not split:
            raise InputError(f"{line.where}: {where} must be chrom, start, end, split; split is {' or '.join(SPLITS)}")
        if split not in SPLITS:
            raise InputError(f"{line.where}: split '{split}' is not allowed; allowed: {', '.join(SPLITS)}")
        if line.end - line.start != context_length:
            raise InputError(
                f"{line.where}: {where} is {line.end - line.start} bp long; a region must be as long as "
                f"backbone.context_length, {context_length}"
            )
        if genome is not None and line.end > (length := genome.contigs[genome.resolve(line.chrom)]):
            raise InputError(f"{line.where}: {where} reaches beyond the end of {line.chrom}, which has {length} bp in "
                             f"{genome.path}; move the region or remove it")  # fmt: skip
        rows.append((line.chrom, line.start, line.end, split))
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
    chroms: Sequence[str] = (),
    told: set[tuple[str, str]] | None = None,
) -> NDArray[np.float32]:
    """Signal of tracks over bins, as training targets.

    On a chromosome that a track lacks, its signal is 0, with a warning.

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
    chroms
        Chromosomes of all bins, where these are a part of them: a track must have one of them.
    told
        Tracks and chromosomes that were warned of already; new ones are added.

    Returns
    -------
    targets
        (bins, tracks) float32, none below 0.

    Raises
    ------
    InputError
        A file that is absent or not bigWig, that has none of the chromosomes, several that one of these may mean, or
        one that is shorter than a bin asks for; an unknown pooling; or negative signal, for which there is no Poisson
        likelihood.
    """
    each = [settings] * len(files) if isinstance(settings, TrackSettings) else list(settings)
    targets = np.empty((len(start), len(files)), np.float32)
    wanted = list(dict.fromkeys([*chroms, *np.unique(chrom).tolist()]))
    told = set() if told is None else told
    for column, (path, own) in enumerate(zip(files, each, strict=True)):
        if own.pooling not in POOLED:
            raise InputError(f"targets.pooling: '{own.pooling}' is not allowed; allowed: {', '.join(POOLED)}")
        if is_peaks(path):
            peaks = Intervals.read(path)
            _tell_of_absent(peaks.names, wanted, told)
            targets[:, column] = peaks.covered(chrom, start, bin_size) > 0
        else:
            targets[:, column] = _read_track(Path(path), chrom, start, bin_size, own, region_bins, wanted, told)
    return targets


def check_intervals(files: Iterable[str], settings: Iterable[TrackSettings], genome: Genome) -> None:
    """Hold the tracks that are peaks, and the masks of all tracks, against the genome.

    Raises
    ------
    InputError
        One cannot be read, or the genome has none of its chromosomes.
    """
    masks = [path for own in settings for path in (own.blacklist, own.unmappable) if path]
    for path in dict.fromkeys([*(path for path in files if is_peaks(path)), *masks]):
        Intervals.read(path).check(genome.names, genome.contigs)


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
        logger.info("%d of %d bins are excluded: %s", dropped, bins, reason)


def _read_track(
    path: Path,
    chrom: NDArray[np.str_],
    start: NDArray[np.int64],
    bin_size: int,
    settings: TrackSettings,
    region_bins: int,
    wanted: Sequence[str],
    told: set[tuple[str, str]],
) -> NDArray[np.float64]:
    black = Intervals.read(settings.blacklist).widened(_BLACK_FLANK) if settings.blacklist else None
    with BigWig(path) as track:
        pooled = np.empty(len(start))
        lengths = track.chroms()
        names = Contigs(path, lengths)
        _tell_of_absent(names, wanted, told)
        for rows in _contiguous(chrom, start, bin_size, region_bins):
            first, last = int(start[rows.start]), int(start[rows.stop - 1]) + bin_size
            values = _signal(track, names, lengths, str(chrom[rows.start]), first, last)
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


def _tell_of_absent(names: Contigs, wanted: Sequence[str], told: set[tuple[str, str]]) -> None:
    """Stop if a track has none of the chromosomes, and warn once of each that it lacks."""
    absent = [chrom for chrom in wanted if names.find(chrom) is None]
    if absent and len(absent) == len(wanted):
        raise InputError(
            f"{names.where}: no chromosome '{absent[0]}'; this {'file' if is_peaks(names.where) else 'bigWig'} has "
            f"{names}, none of the {len(wanted)} that regions lie on"
        )
    for chrom in absent:
        if (str(names.where), chrom) not in told:
            told.add((str(names.where), chrom))
            logger.warning("%s: no chromosome '%s'; its signal is 0 there", names.where, chrom)


def _signal(
    track: BigWig, names: Contigs, lengths: dict[str, int], chrom: str, first: int, last: int
) -> NDArray[np.float64]:
    """Signal (bases,) of a stretch, NaN where there is none."""
    name = names.find(chrom)
    if name is None:
        return np.full(last - first, np.nan)
    if first < 0 or last > lengths[name]:
        raise InputError(
            f"{names.where}: {chrom}:{first}-{last} lies beyond the chromosome, which has {lengths[name]} bp in this "
            "bigWig; is it of the same genome build as the regions?"
        )
    return track.values(name, first, last)
