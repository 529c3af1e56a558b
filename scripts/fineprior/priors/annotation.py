"""Annotations of variants from files: overlap with intervals, distance to transcription starts, signal of a track."""

import logging
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.genome.bed import BedLine, bed_lines
from fineprior.genome.contigs import Contigs
from fineprior.genome.gene_lines import gff_lines
from fineprior.priors.given import read_values
from fineprior.sequence.bigwig import BigWig

log = logging.getLogger(__name__)

Integers = npt.NDArray[np.int64]
_STRANDS = {"+", "-", ".", "?", ""}
_GTF = (".gtf", ".gff", ".gff3")


def annotations_of(
    variants: pd.DataFrame,
    rows: Sequence[Mapping[str, str]],
    source: Mapping[str, Any],
    heritability: pd.DataFrame | None = None,
    causal: str | None = None,
) -> pd.DataFrame:
    """Table ANNOTATIONS of a batch: annotations of the sheet, then the columns of the prior's source.

    Parameters
    ----------
    variants
        Table LOCUS_VARIANTS, n rows.
    rows
        Rows of the sheet of annotations: name, kind, path, column.
    source
        `source` of the settings and what belongs to it: given, given_column, given_as, supervised, training_rate.
    heritability
        Table HERITABILITY, for the source heritability.
    causal
        File of CAUSAL_PROBABILITIES, for the source supervised where that names no file.

    Raises
    ------
    InputError
        A file cannot be read or has none of the variants; the table of heritabilities is needed and absent.
    """

    def values(path: str, column: str, signed: bool = False) -> Floats:
        return np.zeros(0) if variants.empty else read_values(variants, path, column, signed=signed)

    made = variants[["locus", "variant_id"]].copy()
    whole = {"bed": interval_overlap, "tss": distance_to_tss, "bigwig": track_signal}
    for row in rows:
        kind, path = row["kind"], row["path"]
        if kind in whole:
            made[row["name"]] = np.zeros(0) if variants.empty else whole[kind](variants, path)
        else:
            made[row["name"]] = values(path, row["column"], signed=kind == "score")
    if source["source"] == "given":
        made["given"] = values(source["given"], source["given_column"], signed=source["given_as"] == "score")
    if source["source"] == "supervised":
        rate, path = source["training_rate"], source["supervised"] or causal or ""
        made["probability"] = values(path, "probability")
        made["training_rate"] = np.full(len(variants), rate) if rate > 0 else values(path, "training_rate")
    if source["source"] == "heritability":
        if heritability is None:
            raise InputError("the source heritability needs a table of heritabilities")
        found = heritability.set_index("variant_id")["heritability"]
        made["heritability"] = found.reindex(variants["variant_id"]).to_numpy(float)
    return made


def interval_overlap(variants: pd.DataFrame, path: str | Path) -> Floats:
    """1 where a base of the reference allele lies in an interval of a BED file, else 0; (n,).

    Raises
    ------
    InputError
        The file cannot be read, a line is not one of BED (`bed_lines`), no interval is on a chromosome of the
        variants, or a chromosome may mean several in the file.
    """
    by_chromosome = _by_chromosome((line.chrom, line.start, line.end) for line in bed_lines(path))
    found = np.zeros(len(variants))
    for chrom, here in _chromosomes(variants, Contigs(path, by_chromosome, of_rows=True)):
        starts, ends = by_chromosome[chrom]
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
    name = Path(path).name.lower().removesuffix(".gz").removesuffix(".bgz")
    rows = _transcripts(path) if name.endswith(_GTF) else (_stranded(line) for line in bed_lines(path))
    places = ((chrom, end - 1 if strand == "-" else start, end) for chrom, start, end, strand in rows)
    by_chromosome = _by_chromosome(places)
    found = np.full(len(variants), np.nan)
    for chrom, here in _chromosomes(variants, Contigs(path, by_chromosome, of_rows=True)):
        starts = np.sort(by_chromosome[chrom][0])
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
        The file cannot be read, has none of the variants' chromosomes, or several that one of these may mean.
    """
    found = np.full(len(variants), np.nan)
    with BigWig(path) as track:
        lengths = track.chroms()
        for chrom, here in _chromosomes(variants, Contigs(path, lengths)):
            first, last = _span(variants, here)
            for row, start, end in zip(here, first, np.minimum(last, lengths[chrom]), strict=True):
                values = track.values(chrom, int(start), int(end)) if start < end else np.full(1, np.nan)
                if np.isfinite(values).any():
                    found[row] = np.nanmean(values)
    return found


def _chromosomes(variants: pd.DataFrame, there: Contigs) -> Iterator[tuple[str, Integers]]:
    """Chromosomes of the file that the variants lie on, and the rows of the variants on them."""
    of_variants = variants["chrom"].to_numpy(object)
    known = {name: there.find(str(name)) for name in dict.fromkeys(of_variants)}
    absent = [str(name) for name, contig in known.items() if contig is None]
    if absent and len(absent) == len(known):
        raise InputError(
            f"{there.where}: nothing on chromosome {absent[0]} or any other of the variants; it has {there}"
        )
    if absent:
        log.warning("%s: nothing on chromosomes %s", there.where, ", ".join(absent))
    for name, contig in known.items():
        if contig is not None:
            yield contig, np.flatnonzero(of_variants == name)


def _span(variants: pd.DataFrame, rows: Integers) -> tuple[Integers, Integers]:
    """First base (0-based) and end of the reference alleles."""
    first = variants["pos"].to_numpy(np.int64)[rows] - 1
    return first, first + variants["ref"].str.len().to_numpy(np.int64)[rows]


def _by_chromosome(rows: Iterable[tuple[str, int, int]]) -> dict[str, tuple[Integers, Integers]]:
    """Starts and ends by chromosome, as the file names it: 16 bytes for an interval, whatever the file's size."""
    found: dict[str, tuple[array[int], array[int]]] = {}
    for chrom, start, end in rows:
        starts, ends = found.setdefault(chrom, (array("q"), array("q")))
        starts.append(start)
        ends.append(end)
    return {
        chrom: (np.frombuffer(starts, np.int64), np.frombuffer(ends, np.int64))
        for chrom, (starts, ends) in found.items()
    }


def _stranded(line: BedLine) -> tuple[str, int, int, str]:
    """Chromosome, start, end and strand (column 6, else plus) of a line of BED."""
    strand = line.more[2] if len(line.more) > 2 else "+"
    if strand not in _STRANDS:
        raise InputError(f"{line.where}: strand '{strand}' (column 6) must be +, - or .")
    return line.chrom, line.start, line.end, strand


def _transcripts(path: str | Path) -> Iterator[tuple[str, int, int, str]]:
    """Chromosome, start (0-based), end and strand of the transcripts of a GTF or GFF file."""
    others: dict[str, int] = {}
    found = False
    for line in gff_lines(path, lambda kind: kind == "transcript", others):
        found = True
        yield line.chrom, line.start, line.end, line.strand
    if not found:
        there = ", ".join(list(others)[:8]) or "nothing"
        raise InputError(f"{path}: no line of the type transcript in this GTF file (column 3); there are {there}")
