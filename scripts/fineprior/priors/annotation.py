"""Annotations of variants from files: overlap with intervals, distance to transcription starts, signal of a track."""

import gzip
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.foundation.errors import InputError
from fineprior.genetics.genome import plain_name
from fineprior.priors.blocks import Floats
from fineprior.sequence.bigwig import BigWig

log = logging.getLogger(__name__)

Places = dict[str, npt.NDArray[np.int64]]


def interval_overlap(variants: pd.DataFrame, path: str | Path) -> Floats:
    """1 where a base of the reference allele lies in an interval of a BED file (plain or gzip), else 0; (n,).

    Raises
    ------
    InputError
        The file cannot be read, a line is not one of BED, or no interval is on a chromosome of the variants.
    """
    rows = [(chrom, start, end) for chrom, start, end, _ in _bed_rows(path)]
    by_chromosome = _by_chromosome(pd.DataFrame(rows, columns=["chrom", "start", "end"]))
    found = np.zeros(len(variants))
    for chrom, here in _chromosomes(variants, by_chromosome, path):
        starts, ends = by_chromosome[chrom]["start"].to_numpy(), by_chromosome[chrom]["end"].to_numpy()
        order = np.argsort(starts, kind="stable")
        furthest = np.maximum.accumulate(ends[order])
        first, last = _span(variants, here)
        before = np.searchsorted(starts[order], last, side="left")  # intervals that start before the allele ends
        found[here] = (before > 0) & (furthest[np.maximum(before - 1, 0)] > first)
    return found


def distance_to_tss(variants: pd.DataFrame, path: str | Path) -> Floats:
    """Base pairs (n,) to the nearest start of transcription: of transcripts of a GTF, or of the intervals of a BED.

    The start of an interval is its first base, or its last where the strand (column 6 of BED) is minus. A variant on
    a chromosome without one is NaN.

    Raises
    ------
    InputError
        As `interval_overlap`.
    """
    name = Path(path).name.removesuffix(".gz")
    rows = _gtf_rows(path) if name.endswith((".gtf", ".gff")) else _bed_rows(path)
    places = [(chrom, end - 1 if strand == "-" else start) for chrom, start, end, strand in rows]
    by_chromosome = _by_chromosome(pd.DataFrame(places, columns=["chrom", "start"]))
    found = np.full(len(variants), np.nan)
    for chrom, here in _chromosomes(variants, by_chromosome, path):
        starts = np.sort(by_chromosome[chrom]["start"].to_numpy())
        pos = variants["pos"].to_numpy(np.int64)[here] - 1
        after = np.searchsorted(starts, pos)
        left = np.abs(pos - starts[np.maximum(after - 1, 0)])
        right = np.abs(starts[np.minimum(after, len(starts) - 1)] - pos)
        found[here] = np.minimum(left, right)
    return found


def track_signal(variants: pd.DataFrame, path: str | Path) -> Floats:
    """Mean signal (n,) of a bigWig over the bases of the reference allele; NaN where it has none.

    Raises
    ------
    InputError
        The file cannot be read, or has none of the variants' chromosomes.
    """
    found = np.full(len(variants), np.nan)
    with BigWig(path) as track:
        names = {plain_name(name): (name, length) for name, length in track.chroms().items()}
        for chrom, here in _chromosomes(variants, names, path):
            name, length = names[chrom]
            first, last = _span(variants, here)
            for row, start, end in zip(here, first, np.minimum(last, length), strict=True):
                values = track.values(name, int(start), int(end)) if start < end else np.full(1, np.nan)
                if np.isfinite(values).any():
                    found[row] = np.nanmean(values)
    return found


def _chromosomes(
    variants: pd.DataFrame, there: dict[str, object] | dict[str, pd.DataFrame] | dict[str, tuple[str, int]],
    path: str | Path,
) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:  # fmt: skip
    """Chromosomes (plain names) of the variants that the file has, and the rows of the variants on them."""
    names = variants["chrom"].map({name: plain_name(name) for name in variants["chrom"].unique()}).to_numpy()
    known = [name for name in dict.fromkeys(names) if name in there]
    if len(names) and not known:
        raise InputError(f"{path}: nothing on chromosome {variants['chrom'].iloc[0]} or any other of the variants")
    if absent := [name for name in dict.fromkeys(names) if name not in there]:
        log.warning("%s: nothing on chromosomes %s", path, ", ".join(absent))
    for name in known:
        yield name, np.flatnonzero(names == name)


def _span(variants: pd.DataFrame, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First base (0-based) and end of the reference alleles."""
    first = variants["pos"].to_numpy(np.int64)[rows] - 1
    return first, first + variants["ref"].str.len().to_numpy(np.int64)[rows]


def _by_chromosome(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in frame.groupby("chrom", sort=False)}


def _bed_rows(path: str | Path) -> Iterator[tuple[str, int, int, str]]:
    for number, fields in _lines(path):
        if fields[0].split()[0] in {"track", "browser"}:
            continue
        if len(fields) < 3 or not (fields[1].isdigit() and fields[2].isdigit()) or int(fields[1]) >= int(fields[2]):
            raise InputError(f"{path}, line {number}: chrom, start, end are needed, separated by tabs, start below end")
        yield plain_name(fields[0]), int(fields[1]), int(fields[2]), fields[5] if len(fields) > 5 else "+"


def _gtf_rows(path: str | Path) -> Iterator[tuple[str, int, int, str]]:
    for number, fields in _lines(path):
        if len(fields) < 8 or not (fields[3].isdigit() and fields[4].isdigit()):
            raise InputError(f"{path}, line {number}: not a line of GTF (nine columns, separated by tabs)")
        if fields[2] == "transcript":
            yield plain_name(fields[0]), int(fields[3]) - 1, int(fields[4]), fields[6]


def _lines(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    path = Path(path)
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as handle:
            for number, line in enumerate(handle, 1):
                if line.strip() and not line.startswith("#"):
                    yield number, line.rstrip("\r\n").split("\t")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable text ({error})") from None
