"""Loci: windows around lead variants, LD blocks or intervals of a BED file, with the rows that lie in each.

These are the variants of a locus, and the rows of the summary statistics that harmonising excluded (table LOST).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.table_parts import read_places
from fineprior.files.tables import DROPPED, LOCI, LOCUS_VARIANTS, LOST
from fineprior.genome.bed import batch_of, locus_name
from fineprior.genome.excluded_regions import Region, free_spaces
from fineprior.genome.fasta import Genome
from fineprior.genome.intervals import read_intervals
from fineprior.project.settings import LociSettings

WINDOW, BLOCK, BED = "window", "block", "bed"
ELSEWHERE = ("duplicate", "other_strand")
"""Reasons (`sumstats.outcomes`) of rows whose variant is there in another row."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Interval:
    """A locus before its variants are known: 0-based, half-open; `source` says how it was found, `note` what then."""

    chrom: str
    start: int
    end: int
    note: str = ""
    source: str = WINDOW

    @property
    def name(self) -> str:
        """`chr<chromosome>_<start>_<end>`, whether or not the FASTA writes `chr`."""
        return locus_name(self.chrom, self.start, self.end)


def find_loci(
    sumstats: pd.DataFrame, genome: Genome, settings: LociSettings, excluded: Sequence[Region] = ()
) -> list[Interval]:
    """Loci around lead variants, or the LD blocks that hold a significant variant.

    The most significant variant that no window holds yet becomes a lead, until none is below `p_threshold`; its
    window is [lead - flank, lead + flank), 0-based, within the chromosome. Windows that overlap are merged. One that
    is then wider than `max_width` is trimmed to that width around its most significant variant; what is cut off is
    treated in the same way again, so that every variant below the threshold is in exactly one locus. Ties go to the
    smaller position. An excluded region ends a window or block as the end of a chromosome does, and its variants are
    no leads.

    With `settings.blocks` each block (or part of one beside an excluded region) with a variant below the threshold is
    a locus; one wider than `max_width` is trimmed as above, and so are the significant variants outside of all blocks
    made loci.

    Parameters
    ----------
    sumstats
        Columns chrom, pos, neg_log10_p; sorted by position within a chromosome.
    genome, settings
        The reference genome; settings of the stage.
    excluded
        Regions where no locus is found, in the order of the FASTA.

    Returns
    -------
    Intervals that do not overlap, sorted by chromosome (order of the FASTA) and position; none if nothing is
    significant.

    Raises
    ------
    InputError
        If `flank` is below 1, a window of its own would be wider than `max_width`, or blocks overlap.
    """
    if settings.flank < 1:
        raise InputError(f"loci.flank: {settings.flank} is below 1 bp")
    if settings.max_width < 2 * settings.flank:
        raise InputError(
            f"loci.max_width: {settings.max_width:,} is less than twice loci.flank ({settings.flank:,}); a window "
            "around one lead variant would not fit"
        )
    hits = sumstats[sumstats["neg_log10_p"] >= -np.log10(settings.p_threshold)]
    blocks = _read_blocks(settings.blocks, genome) if settings.blocks else []
    intervals: list[Interval] = []
    for chrom, length in genome.contigs.items():
        own = hits[hits["chrom"] == chrom]
        positions, evidence = own["pos"].to_numpy(), own["neg_log10_p"].to_numpy()
        for space in _spaces(chrom, length, [block for block in blocks if block.chrom == chrom], excluded):
            found = _whole if space.source == BLOCK else _windows
            intervals += [_beside(excluded, i) for i in found(space, positions, evidence, settings)]
    return sorted_intervals(intervals, genome)


def read_bed(path: str | Path, genome: Genome, excluded: Sequence[Region] = ()) -> list[Interval]:
    """Loci of a BED file: the first three columns; they may overlap, and one in an excluded region gets a note.

    Raises
    ------
    InputError
        The file is not a BED file of this genome, as in `bed.placed_intervals`.
    """
    intervals = []
    for chrom, start, end in read_intervals(path, genome):
        names = [r.name for r in excluded if r.chrom == chrom and r.start < end and r.end > start]
        note = f"taken as the BED file says, although in {', '.join(names)}" if names else ""
        intervals.append(Interval(chrom, start, end, note, BED))
    return sorted_intervals(intervals, genome)


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
            interval = replace(interval, note=_joined(interval.note, "no harmonised variant in it"))
            logger.warning("locus %s: no harmonised variant in it", interval.name)
        else:
            top = variants.iloc[int(variants["z"].abs().argmax())]
            lead = {"lead_variant": top["variant_id"], "lead_z": top["z"], "lead_neg_log10_p": top["neg_log10_p"]}
            parts[batch].append(variants.assign(locus=interval.name)[LOCUS_VARIANTS.names])
        lines.append({
            "locus": interval.name, "chrom": interval.chrom, "start": interval.start, "end": interval.end, **lead,
            "variants": len(variants), "batch": batch, "source": interval.source, "note": interval.note or None,
        })  # fmt: skip
    loci = pd.DataFrame(lines, columns=LOCI.names) if lines else LOCI.empty()
    return loci, [pd.concat(part, ignore_index=True) if len(part) > 1 else part[0] for part in parts]


def read_lost(dropped: str | None, intervals: Sequence[Interval]) -> pd.DataFrame | None:
    """Table LOST of loci, from a file of DROPPED; None when it is not known what was dropped.

    Raises
    ------
    InputError
        The file is absent, damaged or not this table.
    """
    if dropped is None:
        return None
    places = [(interval.chrom, interval.start, interval.end) for interval in intervals]
    return lost_in_loci(read_places(DROPPED, dropped, places, "genome_chrom", "genome_pos"), intervals)


def write_lost(rows: pd.DataFrame | None, loci: Iterable[str], path: str | Path) -> None:
    """Write the rows of some loci; where nothing is known of such rows (None), remove what an earlier run wrote."""
    if rows is None:
        Path(path).unlink(missing_ok=True)
    else:
        LOST.write(rows[rows["locus"].isin(list(loci))], path)


def lost_in_loci(dropped: pd.DataFrame, intervals: Sequence[Interval]) -> pd.DataFrame:
    """Table LOST: the rows that lie in loci, by locus (chromosome by chromosome, in the order given) and position.

    Parameters
    ----------
    dropped
        Table DROPPED. A row without a place in the genome is in no locus, and one whose variant is there in another
        row (`ELSEWHERE`) is not lost.
    intervals
        Loci; a row is listed with each that holds it.

    Returns
    -------
    A frame of LOST.
    """
    gone = dropped[~dropped["reason"].isin(ELSEWHERE)].sort_values("genome_pos", kind="stable")
    by_chrom = {str(chrom): rows for chrom, rows in gone.groupby("genome_chrom", sort=False)}
    found = [LOST.empty()]
    for chrom in dict.fromkeys(interval.chrom for interval in intervals):
        own = by_chrom.get(chrom, gone.iloc[:0])
        pos = own["genome_pos"].to_numpy()
        for interval in (one for one in intervals if one.chrom == chrom):
            first, last = np.searchsorted(pos, [interval.start + 1, interval.end + 1])
            if last > first:
                found.append(own.iloc[first:last].assign(locus=interval.name))
    rows = pd.concat(found[1:] or found, ignore_index=True)
    if rows.empty:
        return LOST.empty()
    place = rows["genome_chrom"] + ":" + rows["genome_pos"].astype("str")
    alleles = ":" + rows["other_allele"] + ":" + rows["effect_allele"]
    return rows.assign(pos=rows["genome_pos"], variant=place + alleles.fillna(""))[LOST.names]


def _read_blocks(path: str, genome: Genome) -> list[Interval]:
    blocks = sorted_intervals([Interval(*place, source=BLOCK) for place in read_intervals(path, genome)], genome)
    for before, after in pairwise(blocks):
        if before.chrom == after.chrom and after.start < before.end:
            raise InputError(
                f"{path}: the blocks {before.name} and {after.name} overlap; blocks of loci.blocks must not"
            )
    return blocks


def _spaces(chrom: str, length: int, blocks: list[Interval], excluded: Sequence[Region]) -> Iterator[Interval]:
    """The parts of a chromosome that a locus lies in as a whole: blocks, and what is between them."""
    first = 0
    for block in [*blocks, Interval(chrom, length, length, source=BLOCK)]:
        between = Interval(chrom, first, block.start, note="outside of all blocks" if blocks else "")
        for space in (between, block):
            for start, end in free_spaces(chrom, space.start, space.end, excluded):
                yield replace(space, start=start, end=end)
        first = block.end


def _beside(excluded: Sequence[Region], interval: Interval) -> Interval:
    """The interval with a note if an excluded region ends it."""
    ends = {
        r.name: None
        for r in excluded
        if r.chrom == interval.chrom and (r.end == interval.start or r.start == interval.end)
    }
    return replace(interval, note=_joined(interval.note, f"ends at {', '.join(ends)}")) if ends else interval


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _windows(
    space: Interval, positions: NDArray[np.int64], evidence: NDArray[np.float64], settings: LociSettings
) -> Iterator[Interval]:
    """Windows around the leads among the hits within `space`, merged and trimmed."""
    inside = (positions > space.start) & (positions <= space.end)
    positions, evidence = positions[inside], evidence[inside]
    for start, end in _merged(_around_leads(space, positions, evidence, settings.flank)):
        yield from _whole(replace(space, start=start, end=end), positions, evidence, settings)


def _whole(
    space: Interval, positions: NDArray[np.int64], evidence: NDArray[np.float64], settings: LociSettings
) -> Iterator[Interval]:
    """The space as one locus if a hit is in it, trimmed to `max_width`; then what is cut off, as windows."""
    start, end = space.start, space.end
    own = (positions > start) & (positions <= end)
    if not own.any():
        return
    if end - start <= settings.max_width:
        yield space
        return
    peak = int(positions[own][evidence[own].argmax()])
    left = min(max(peak - settings.max_width // 2, start), end - settings.max_width)
    trimmed = replace(space, start=left, end=left + settings.max_width)
    yield replace(trimmed, note=_joined(space.note, f"trimmed to max_width around its lead, from {start}-{end}"))
    for lower, upper in ((start, trimmed.start), (trimmed.end, end)):
        note = f"cut off from {trimmed.name}, which was trimmed"
        yield from _windows(replace(space, start=lower, end=upper, note=note), positions, evidence, settings)


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
