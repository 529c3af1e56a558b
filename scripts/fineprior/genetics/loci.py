"""Loci: windows around lead variants, or intervals of a BED file; their names and batches."""

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import LociSettings
from fineprior.foundation.tables import LOCI, LOCUS_VARIANTS
from fineprior.genetics.genome import Genome, plain_name

_BED_COMMENTS = ("#", "track", "browser")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Interval:
    """A locus before its variants are known: 0-based, half-open; `note` says what was done to it."""

    chrom: str
    start: int
    end: int
    note: str = ""

    @property
    def name(self) -> str:
        """`chr<chromosome>_<start>_<end>`, whether or not the FASTA writes `chr`."""
        return f"chr{plain_name(self.chrom)}_{self.start}_{self.end}"


def batch_of(locus: str, batches: int) -> int:
    """The batch of a locus; depends on its name alone, so that a new locus leaves the others where they are."""
    return zlib.crc32(locus.encode()) % batches


def find_loci(sumstats: pd.DataFrame, genome: Genome, settings: LociSettings) -> list[Interval]:
    """Loci around lead variants.

    The most significant variant that no window holds yet becomes a lead, until none is below `p_threshold`; its
    window is [lead - flank, lead + flank), 0-based, within the chromosome. Windows that overlap are merged. One that
    is then wider than `max_width` is trimmed to that width around its most significant variant; what is cut off is
    treated in the same way again, so that every variant below the threshold is in exactly one locus. Ties go to the
    smaller position.

    Parameters
    ----------
    sumstats
        Columns chrom, pos, neg_log10_p; sorted by position within a chromosome.

    Returns
    -------
    Intervals that do not overlap, sorted by chromosome (order of the FASTA) and position; none if nothing is
    significant.

    Raises
    ------
    InputError
        If `flank` is below 1, or a window of its own would be wider than `max_width`.
    """
    if settings.flank < 1:
        raise InputError(f"loci.flank: {settings.flank} is below 1 bp")
    if settings.max_width < 2 * settings.flank:
        raise InputError(
            f"loci.max_width: {settings.max_width:,} is less than twice loci.flank ({settings.flank:,}); a window "
            "around one lead variant would not fit"
        )
    hits = sumstats[sumstats["neg_log10_p"] >= -np.log10(settings.p_threshold)]
    intervals: list[Interval] = []
    for chrom, length in genome.contigs.items():
        own = hits[hits["chrom"] == chrom]
        positions, evidence = own["pos"].to_numpy(), own["neg_log10_p"].to_numpy()
        intervals += _windows(Interval(chrom, 0, length), positions, evidence, settings)
    return sorted_intervals(intervals, genome)


def read_bed(path: str | Path, genome: Genome) -> list[Interval]:
    """Loci of a BED file: the first three columns; they may overlap.

    Raises
    ------
    InputError
        The file is absent or holds no interval; a line has fewer than 3 columns, a chromosome that the FASTA has not,
        coordinates that are not whole numbers or not within the chromosome; or an interval is there twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    intervals: dict[str, Interval] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith(_BED_COMMENTS):
            continue
        where, fields = f"{path}, line {number}", line.split()
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise InputError(f"{where}: '{line.strip()}' is not chromosome, start (0-based), end as whole numbers")
        chrom = genome.find(fields[0])
        if chrom is None:
            raise InputError(f"{where}: {genome.path} has no contig '{fields[0]}'")
        start, end = int(fields[1]), int(fields[2])
        if not start < end <= genome.contigs[chrom]:
            raise InputError(
                f"{where}: {start}-{end} must have start < end <= {genome.contigs[chrom]} (length of {chrom})"
            )
        interval = Interval(chrom, start, end)
        if interval.name in intervals:
            raise InputError(f"{where}: {interval.name} is there twice")
        intervals[interval.name] = interval
    if not intervals:
        raise InputError(f"{path}: no interval in this BED file")
    return sorted_intervals(list(intervals.values()), genome)


def sorted_intervals(intervals: list[Interval], genome: Genome) -> list[Interval]:
    """By chromosome (order of the FASTA), start and end."""
    order = {chrom: number for number, chrom in enumerate(genome.contigs)}
    return sorted(intervals, key=lambda interval: (order[interval.chrom], interval.start, interval.end))


def describe_loci(
    intervals: list[Interval], sumstats: pd.DataFrame, batches: int
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Tables LOCI, and LOCUS_VARIANTS for each batch.

    Parameters
    ----------
    intervals
        Loci, in the order that the tables are to have.
    sumstats
        Table SUMSTATS: sorted by position within a chromosome.
    batches
        Number of batches.
    """
    by_chrom = {str(chrom): rows for chrom, rows in sumstats.groupby("chrom", sort=False)}
    lines, parts = [], [[LOCUS_VARIANTS.empty()] for _ in range(batches)]
    for interval in intervals:
        rows = by_chrom.get(interval.chrom, sumstats.iloc[:0])
        first, last = rows["pos"].searchsorted([interval.start + 1, interval.end + 1])
        variants = rows.iloc[first:last]
        batch = batch_of(interval.name, batches)
        if variants.empty:
            lead: dict[str, object] = {"lead_variant": None, "lead_z": np.nan, "lead_neg_log10_p": np.nan}
            interval = replace(interval, note="no harmonised variant in it")
            logger.warning("locus %s: no harmonised variant in it", interval.name)
        else:
            top = variants.iloc[int(variants["z"].abs().argmax())]
            lead = {"lead_variant": top["variant_id"], "lead_z": top["z"], "lead_neg_log10_p": top["neg_log10_p"]}
            parts[batch].append(variants.assign(locus=interval.name)[LOCUS_VARIANTS.names])
        lines.append({
            "locus": interval.name, "chrom": interval.chrom, "start": interval.start, "end": interval.end, **lead,
            "variants": len(variants), "batch": batch, "note": interval.note or None,
        })  # fmt: skip
    loci = pd.DataFrame(lines, columns=LOCI.names) if lines else LOCI.empty()
    return loci, [pd.concat(part, ignore_index=True) if len(part) > 1 else part[0] for part in parts]


def _windows(
    space: Interval, positions: NDArray[np.int64], evidence: NDArray[np.float64], settings: LociSettings
) -> Iterator[Interval]:
    """Windows around the leads among the hits within `space`, merged and trimmed."""
    inside = (positions > space.start) & (positions <= space.end)
    positions, evidence = positions[inside], evidence[inside]
    for start, end in _merged(_around_leads(space, positions, evidence, settings.flank)):
        if end - start <= settings.max_width:
            yield replace(space, start=start, end=end)
            continue
        own = (positions > start) & (positions <= end)
        peak = int(positions[own][evidence[own].argmax()])
        left = min(max(peak - settings.max_width // 2, start), end - settings.max_width)
        right = left + settings.max_width
        note = f"trimmed to max_width around its lead, from {start}-{end}"
        yield replace(space, start=left, end=right, note=note)
        trimmed = replace(space, start=left, end=right).name
        for lower, upper in ((start, left), (right, end)):
            rest = replace(space, start=lower, end=upper, note=f"cut off from {trimmed}, which was trimmed")
            yield from _windows(rest, positions, evidence, settings)


def _around_leads(
    space: Interval, positions: NDArray[np.int64], evidence: NDArray[np.float64], flank: int
) -> list[tuple[int, int]]:
    windows = []
    free = np.ones(len(positions), bool)
    for row in np.lexsort((positions, -evidence)):
        if not free[row]:
            continue
        lead = int(positions[row])
        start, end = max(lead - flank, space.start), min(lead + flank, space.end)
        windows.append((start, end))
        free &= (positions <= start) | (positions > end)
    return windows


def _merged(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
