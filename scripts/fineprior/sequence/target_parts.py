"""Sequence and targets of regions as training reads them: a few at a time, from FASTA and part files.

38,171 regions of 896 bins and 300 tracks are 41 GB of targets. They are read from the tracks once, in parts of some
regions, each a file of its own that appears whole or not at all; a run that was killed goes on behind the last.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.integrity import REMEDY, DamagedError, check_shared
from fineprior.files.logs import Progress
from fineprior.files.reading import reading
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import Genome
from fineprior.project.settings import TrackSettings
from fineprior.sequence.tracks import bin_starts, check_intervals, read_targets, usable_bins

PART_BYTES = 1 << 26

logger = logging.getLogger(__name__)


class GenomeCodes:
    """Codes (rows, length) of regions, read from the FASTA when they are indexed."""

    def __init__(self, genome: Genome, regions: pd.DataFrame) -> None:
        self._genome = genome
        self._chrom = regions["chrom"].tolist()
        self._start, self._end = (regions[name].tolist() for name in ("start", "end"))

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        found = [self._genome.codes(self._chrom[row], self._start[row], self._end[row]) for row in rows.tolist()]
        return np.stack(found)


class TargetParts:
    """Targets (rows, bins, tracks) of regions, read from part files when they are indexed."""

    def __init__(self, files: Sequence[Path], regions_of_a_part: int) -> None:
        self._files = files
        self._size = regions_of_a_part
        self._shape = np.load(files[0], mmap_mode="r", allow_pickle=False).shape[1:]

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.empty((len(rows), *self._shape), np.float32)
        part, place = np.divmod(rows, self._size)
        # Opened when needed: there may be more parts than a process may hold open.
        for number in np.unique(part).tolist():
            chosen = part == number
            check_shared(self._files[number], once=True)
            with reading(self._files[number], "a part of the targets", REMEDY):
                found[chosen] = np.load(self._files[number], mmap_mode="r", allow_pickle=False)[place[chosen]]
        return found


@dataclass(frozen=True)
class RegionFiles(ReadOnly):
    """What training reads (see `heads.training_regions.Regions`), none of it in memory but the splits.

    `identity` names what the targets are made of.
    """

    codes: GenomeCodes
    targets: TargetParts
    split: NDArray[np.str_]
    identity: str


def region_files(
    genome: Genome,
    regions: pd.DataFrame,
    files: list[str],
    settings: Sequence[TrackSettings],
    bin_size: int,
    target_bins: int,
    folder: Path,
) -> RegionFiles:
    """Read the targets of regions into part files below `folder`, or find them there, and open all.

    Bins that cannot be learned from are NaN in all tracks (see `usable_bins`; the masks are those of the first track).

    Parameters
    ----------
    files, settings
        Of each track.
    folder
        For all targets; these have a folder in it, named by what they are made of (tracks by path, size and time).
    """
    starts = bin_starts(regions, bin_size, target_bins)
    chrom = regions["chrom"].to_numpy(dtype=np.str_)
    folder = folder / _identity(genome, regions, files, settings, starts)
    chroms = list(dict.fromkeys(chrom.tolist()))
    size = max(1, PART_BYTES // (4 * target_bins * len(files)))
    paths = [folder / f"part-{number:05d}.npy" for number in range(-(-len(regions) // size))]
    missing = [number for number, path in enumerate(paths) if not _whole(path)]
    logger.info("%d of %d parts of the targets are in %s", len(paths) - len(missing), len(paths), folder)
    progress = Progress(len(missing), "parts of the targets")
    told: set[tuple[str, str]] = set()
    if missing:
        check_intervals(files, settings, genome)
    for number in missing:
        part = slice(number * size, min((number + 1) * size, len(regions)))
        flat_chrom, flat_start = np.repeat(chrom[part], target_bins), starts[part].ravel()
        signal = read_targets(files, flat_chrom, flat_start, bin_size, settings, target_bins, chroms, told)
        signal[~usable_bins(flat_chrom, flat_start, bin_size, settings[0], genome)] = np.nan
        with atomic_path(paths[number], shared=True) as temporary:
            np.save(temporary, signal.reshape(-1, target_bins, len(files)), allow_pickle=False)
        progress.advance(1)
    progress.finish()
    split = regions["split"].to_numpy(dtype=np.str_)
    return RegionFiles(GenomeCodes(genome, regions), TargetParts(paths, size), split, folder.name)


def _whole(path: Path) -> bool:
    """Whether a part is there, as it was written."""
    try:
        check_shared(path, once=True)
    except DamagedError as error:
        logger.warning("%s; it is read from the tracks again", str(error).partition(";")[0])
        return False
    return path.is_file()


def _identity(
    genome: Genome,
    regions: pd.DataFrame,
    files: Sequence[str],
    settings: Sequence[TrackSettings],
    starts: NDArray[np.int64],
) -> str:
    """Name of the folder of some targets."""
    masks = [path for own in settings for path in (own.blacklist, own.unmappable) if path]
    paths = [path for name in (str(genome.path), *files, *masks) if (path := Path(name)).is_file()]
    known = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    text = json.dumps([known, [asdict(own) for own in settings], regions["chrom"].tolist(), PART_BYTES], sort_keys=True)
    return hashlib.sha256(text.encode() + starts.tobytes()).hexdigest()[:16]
