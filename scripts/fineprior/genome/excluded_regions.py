"""Regions where no locus is looked for: the MHC, long-range LD, the X chromosome, a user's own."""

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.tables import EXCLUDED_REGIONS
from fineprior.genome.contigs import plain_name
from fineprior.genome.fasta import Genome
from fineprior.genome.intervals import read_intervals
from fineprior.project.settings import LociSettings
from fineprior.project.sheets import plain_build

_LISTS = {"none": (), "mhc": ("mhc",), "long_range": ("mhc", "long_range")}
_ELSEWHERE = "elsewhere"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Region:
    """A part of a chromosome (0-based, half-open) without loci; `reason` is the setting that says so."""

    chrom: str
    start: int
    end: int
    name: str
    reason: str


def excluded_regions(genome: Genome, build: str, settings: LociSettings, known: str | Path | None) -> list[Region]:
    """The regions that the settings exclude, in the order of the FASTA; they may overlap.

    Parameters
    ----------
    genome, build
        The reference genome and the name of its build.
    settings
        `exclude`, `exclude_bed` and `x`.
    known
        Table of known regions (resources/long_range_ld.tsv); of no meaning when `exclude` is none.

    Raises
    ------
    InputError
        If `exclude` or `x` is unknown, or the BED file cannot be read.
    """
    if settings.exclude not in _LISTS:
        raise InputError(f"loci.exclude: '{settings.exclude}' is not known; allowed: {', '.join(_LISTS)}")
    if settings.x not in {"keep", "drop"}:
        raise InputError(f"loci.x: '{settings.x}' is not known; allowed: keep, drop")
    regions = []
    if known is not None and _LISTS[settings.exclude]:
        regions += _known(genome, build, settings.exclude, Path(known))
    if settings.exclude_bed:
        reason = f"loci.exclude_bed: {settings.exclude_bed}"
        for chrom, start, end in read_intervals(settings.exclude_bed, genome):
            regions.append(Region(chrom, start, end, f"chr{plain_name(chrom)}_{start}_{end}", reason))
    for chrom in genome.contigs if settings.x == "drop" else ():
        if plain_name(chrom) == "X":
            regions.append(Region(chrom, 0, genome.contigs[chrom], "X chromosome", "loci.x: drop"))
    order = {chrom: number for number, chrom in enumerate(genome.contigs)}
    return sorted(regions, key=lambda region: (order[region.chrom], region.start, region.end))


def free_spaces(chrom: str, start: int, end: int, regions: Sequence[Region]) -> list[tuple[int, int]]:
    """What the regions leave of [start, end) of a chromosome, in order; `regions` are sorted by start."""
    spaces, first = [], start
    for region in regions:
        if region.chrom != chrom or region.end <= first or region.start >= end:
            continue
        if region.start > first:
            spaces.append((first, region.start))
        first = region.end
    return [*spaces, (first, end)] if first < end else spaces


def describe_excluded(
    regions: Sequence[Region], loci: pd.DataFrame, sumstats: pd.DataFrame, genome: Genome, threshold: float
) -> pd.DataFrame:
    """Table EXCLUDED_REGIONS: what lies in each region, and the significant variants that are in no locus elsewhere.

    Parameters
    ----------
    regions
        The regions that no locus was looked for in.
    loci
        Table LOCI.
    sumstats
        Table SUMSTATS.
    genome
        The reference genome.
    threshold
        Largest p-value of a significant variant.
    """
    hits = sumstats[sumstats["neg_log10_p"] >= -np.log10(threshold)]
    lines = []
    for region in regions:
        inside = _inside(sumstats, region.chrom, region.start, region.end)
        own = hits[_inside(hits, region.chrom, region.start, region.end)]
        lines.append(_line(region, int(inside.sum()), own))
    in_locus, in_region = np.zeros(len(hits), bool), np.zeros(len(hits), bool)
    for locus in loci[["chrom", "start", "end"]].itertuples(index=False):
        in_locus |= _inside(hits, locus.chrom, locus.start, locus.end)
    for region in regions:
        in_region |= _inside(hits, region.chrom, region.start, region.end)
    for chrom, own in hits[~in_locus & ~in_region].groupby("chrom", sort=False):
        whole = Region(
            str(chrom), 0, genome.contigs[str(chrom)], _ELSEWHERE, "in none of the intervals of the BED file"
        )
        lines.append(_line(whole, len(own), own))
    if not in_locus.all():
        logger.warning("%d of %d significant variants are in no locus; the table of excluded regions says why",
                       (~in_locus).sum(), len(hits))  # fmt: skip
    return pd.DataFrame(lines, columns=EXCLUDED_REGIONS.names) if lines else EXCLUDED_REGIONS.empty()


def _known(genome: Genome, build: str, exclude: str, path: Path) -> list[Region]:
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    own = [row for row in rows if plain_build(row["build"]) == plain_build(build) and row["list"] in _LISTS[exclude]]
    if not own:
        builds = ", ".join(dict.fromkeys(row["build"] for row in rows))
        logger.warning("loci.exclude: %s, but no regions are known for genome.build %s (known: %s); none is left out",
                       exclude, build or "(empty)", builds)  # fmt: skip
    regions = []
    for row in own:
        chrom = genome.find(row["chrom"])
        if chrom is None or int(row["start"]) >= genome.contigs[chrom]:
            continue
        end = min(int(row["end"]), genome.contigs[chrom])
        regions.append(Region(chrom, int(row["start"]), end, row["region"], f"loci.exclude: {exclude}"))
    return regions


def _inside(table: pd.DataFrame, chrom: str, start: int, end: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((table["chrom"] == chrom) & (table["pos"] > start) & (table["pos"] <= end)).to_numpy(
        bool
    )
    return inside


def _line(region: Region, variants: int, hits: pd.DataFrame) -> dict[str, object]:
    lead: dict[str, object] = {"lead_variant": None, "lead_z": np.nan, "lead_neg_log10_p": np.nan}
    if len(hits):
        top = hits.iloc[int(hits["neg_log10_p"].to_numpy().argmax())]
        lead = {"lead_variant": top["variant_id"], "lead_z": top["z"], "lead_neg_log10_p": top["neg_log10_p"]}
    return {
        "region": region.name, "chrom": region.chrom, "start": region.start, "end": region.end,
        "reason": region.reason, "variants": variants, "significant": len(hits), **lead,
    }  # fmt: skip
