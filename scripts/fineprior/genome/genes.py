"""Genes and transcripts on a genome: read, compared with its sequence, and found by place."""

import logging
from array import array
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import Integers, ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.codons import is_start
from fineprior.genome.contigs import Contigs, shown
from fineprior.genome.fasta import UNKNOWN, Genome, reverse_complement
from fineprior.genome.gene_reader import CANONICAL, NO_END, NO_START, GeneFile, read_gene_file
from fineprior.genome.stretches import Stretches

_LOOKED_AT, _FEWEST, _LEAST_SHARE = 400, 10, 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Genes(ReadOnly):
    """Genes and transcripts on the contigs of a genome; positions are 0-based, ends exclusive.

    `genes`: contig (as the FASTA names it), start, end, strand (+ or -), gene_id, gene (its name, else its id), kind
    (type, as protein_coding), by contig and start. `transcripts`: gene (row of it), transcript, contig, start, end,
    strand, kind, canonical, coding_start, coding_end (both -1 where not coding; with the stop codon), phase (bases
    before the first whole codon), cut_start, cut_end (the coding sequence is not whole there), first_exon, exons
    (number), in order of preference: canonical first, then the longest coding sequence, the longest transcript, the
    name. `exon_start`, `exon_end`: of all exons, by transcript and place. `remarks`: what was left out or is odd,
    counted.
    """

    genes: pd.DataFrame
    transcripts: pd.DataFrame
    exon_start: Integers
    exon_end: Integers
    where: str = "genes"
    remarks: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns of `transcripts`."""
        return {str(name): values.to_numpy() for name, values in self.transcripts.items()}

    def exons_of(self, row: int) -> tuple[Integers, Integers]:
        """Starts and ends of the exons of a transcript, in the order of the contig."""
        first, count = self.columns["first_exon"][row], self.columns["exons"][row]
        return self.exon_start[first : first + count], self.exon_end[first : first + count]

    def within(self, contig: str, start: int, end: int) -> Integers:
        """Rows of the genes with a base from `start` to `end` (exclusive), in the order of the contig."""
        genes = self.genes
        here = (genes["contig"] == contig) & (genes["start"] < end) & (genes["end"] > start)
        return np.flatnonzero(here.to_numpy())

    def nearest(self, contig: str, first: Integers, last: Integers) -> tuple[Integers, Integers]:
        """The nearest gene of each of n stretches of a contig, and its distance.

        Parameters
        ----------
        first, last
            Start (0-based) and end (exclusive) of each stretch; start = end for the place between two bases.

        Returns
        -------
        Rows (n,) of the genes, -1 where the contig has none, and distances (n,) in bp: 0 within a gene, 1 for the base
        beside it. Of several genes that hold a stretch it is the shortest; of two at one distance the left one.
        """
        rows = np.flatnonzero((self.genes["contig"] == contig).to_numpy())
        found, distance = np.full(len(first), -1, np.int64), np.zeros(len(first), np.int64)
        if not len(rows):
            return found, distance
        starts, ends = (self.genes[name].to_numpy(np.int64)[rows] for name in ("start", "end"))
        by_end = np.argsort(ends, kind="stable")
        before = np.searchsorted(ends[by_end], first, "right") - 1
        left = by_end[np.maximum(before, 0)]
        right = np.minimum(np.searchsorted(starts, last, "left"), len(starts) - 1)
        far = np.iinfo(np.int64).max
        to_left = np.where(before >= 0, first - ends[left] + 1, far)
        to_right = np.where(starts[right] >= last, starts[right] - last + 1, far)
        found[:] = rows[np.where(to_left <= to_right, left, right)]
        distance[:] = np.minimum(to_left, to_right)
        stretches = Stretches(first, last)
        begin, stop = stretches.ranges(starts, ends)
        for row in np.argsort(
            starts - ends, kind="stable"
        ):  # the longest first, so that the shortest has the last word
            if begin[row] < stop[row]:
                here = stretches.overlapping((begin[row], stop[row]), starts[row], ends[row])
                found[here], distance[here] = rows[row], 0
        return found, distance


def read_genes(path: str | Path, genome: Genome) -> Genes:
    """Read a file of genes (GTF, GFF3 or BED12, plain or gzip) and compare it with a genome.

    Transcripts that cannot be placed are left out, and counted in a remark, which is logged as well.

    Raises
    ------
    InputError
        As `read_gene_file`; no contig of the file is in the genome, or one may be any of two; or most coding sequences
        do not begin with a start codon in the genome, which is what another build looks like.
    """
    genes = placed(read_gene_file(path), genome)
    _check_build(genes, genome)
    return genes


def placed(found: GeneFile, genome: Genome) -> Genes:
    """What a file says, on the contigs of a genome; as `read_genes`, but whether it is of this build is not asked."""
    names = _contigs_of(found, genome)
    table = _transcripts(found)
    exons = pd.DataFrame({name: _numbers(values) for name, values in (
        ("row", found.exon_of), ("start", found.exon_start), ("end", found.exon_end))})  # fmt: skip
    exons = exons.sort_values(["row", "start"], kind="stable", ignore_index=True)
    spans = exons.groupby("row").agg(start=("start", "min"), end=("end", "max"), exons=("start", "size"))
    table = table.join(spans)
    remarks = []
    same = exons["row"].eq(exons["row"].shift())
    overlap = exons["row"][same & (exons["start"] < exons["end"].shift(fill_value=0))].unique()
    lengths = table["chrom"].map({name: genome.contigs[contig] for name, contig in names.items()})
    absent = sorted(set(found.chrom) - set(names))
    faults = {
        f"lie on contigs that {genome.path} lacks ({shown(absent)})": lengths.isna(),
        "have no exon": table["start"].isna() & lengths.notna(),
        f"reach beyond the end of their contig in {genome.path} (of another build?)": table["end"] > lengths,
        "have exons that overlap": table.index.isin(overlap),
    }
    bad = np.zeros(len(table), bool)
    for fault, rows in faults.items():
        count = int((np.asarray(rows) & ~bad).sum())
        bad |= np.asarray(rows)
        if count:
            remarks.append(f"{count:,} of {len(table):,} transcripts {fault}: they are left out")
    if bad.all():
        raise InputError(f"{found.where}: no transcript can be used: {'; '.join(remarks)}")
    table = table[~bad]
    table["contig"] = table["chrom"].map(names)
    exons, table, said = _coding(found, exons, table)
    made = _arranged(found, exons, table, names, genome, tuple(remarks + said))
    for remark in made.remarks:
        log.warning("%s: %s", found.where, remark)
    return made


def _contigs_of(found: GeneFile, genome: Genome) -> dict[str, str]:
    """The contig of the genome of each chromosome of the file that it has."""
    chroms = dict.fromkeys([*found.chrom, *(chrom for chrom, _ in found.genes)])
    of_file = Contigs(found.where, chroms, of_rows=True)
    names = {chrom: contig for chrom in chroms if (contig := genome.find(chrom)) is not None}
    if not names:
        raise InputError(f"{found.where}: none of its chromosomes ({of_file}) is in {genome.path}, which has "
                         f"{genome.names}")  # fmt: skip
    for chrom in names:
        of_file.find(chrom)
    return names


def _transcripts(found: GeneFile) -> pd.DataFrame:
    owners = [found.gene_of(row) for row in range(len(found.chrom))]
    flags = _numbers(found.flags)
    return pd.DataFrame(
        {
            "chrom": found.chrom, "transcript": found.name, "owner": owners, "kind": found.kind,
            "strand": np.where(np.array(found.strand, object) == "-", "-", "+"), "canonical": (flags & CANONICAL) > 0,
            "cut_start": (flags & NO_START) > 0, "cut_end": (flags & NO_END) > 0,
            **{name: _numbers(getattr(found, name))
               for name in ("coding_start", "coding_end", "coding_bases", "stop_start", "stop_end", "phase")},
        }
    )  # fmt: skip


def _numbers(values: "array[int]") -> Integers:
    return np.frombuffer(values, np.int64) if len(values) else np.zeros(0, np.int64)


def _coding(found: GeneFile, exons: pd.DataFrame, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Exons of the transcripts that are left, coding stretches with the stop codon, and what is odd about them."""
    exons = exons[exons["row"].isin(table.index)]
    table = table.assign(length=_bases_in(exons, table["start"], table["end"]))
    coding = table["coding_start"] >= 0
    inside = _bases_in(exons, table["coding_start"], table["coding_end"])
    uneven = coding & (inside != table["coding_bases"])
    stop = coding & (table["stop_start"] >= 0)
    table["coding_start"] = table["coding_start"].where(~stop, np.minimum(table["coding_start"], table["stop_start"]))
    table["coding_end"] = table["coding_end"].where(~stop, np.maximum(table["coding_end"], table["stop_end"]))
    table["coding_bases"] = _bases_in(exons, table["coding_start"], table["coding_end"]).where(coding, 0)
    lost = coding & (table["coding_bases"] == 0)
    table.loc[lost, ["coding_start", "coding_end"]] = -1
    whole = coding & ~lost & ~table["cut_start"] & ~table["cut_end"]
    broken = whole & ((table["coding_bases"] - table["phase"]) % 3 != 0)
    table["cut_start"] |= coding & (table["phase"] > 0)
    unknown = sum(found.strand[row] not in {"+", "-"} for row in table.index)
    counts = {
        "transcripts have no strand: they are taken to be on the forward one": (unknown, len(table)),
        "coding sequences lie in no exon: their transcripts count as non-coding": (lost.sum(), coding.sum()),
        "coding sequences leave out or repeat bases of their exons (ribosomal slippage, gaps of an alignment): they "
        "are read without that": ((uneven & ~lost).sum(), coding.sum()),
        "coding sequences are no multiple of three bases: their last codon is not whole": (broken.sum(), coding.sum()),
    }
    said = [f"{count:,} of {total:,} {words}" for words, (count, total) in counts.items() if count]
    return exons, table, said


def _bases_in(exons: pd.DataFrame, start: pd.Series, end: pd.Series) -> pd.Series:
    """Bases of the exons of each transcript from a start to an end."""
    rows = exons["row"]
    bases = np.minimum(exons["end"].to_numpy(), end.loc[rows].to_numpy()) - np.maximum(
        exons["start"].to_numpy(), start.loc[rows].to_numpy()
    )
    return pd.Series(np.maximum(bases, 0)).groupby(rows.to_numpy()).sum().reindex(start.index, fill_value=0)


def _arranged(
    found: GeneFile, exons: pd.DataFrame, table: pd.DataFrame, names: dict[str, str], genome: Genome,
    remarks: tuple[str, ...],
) -> Genes:  # fmt: skip
    """Genes in order of place, transcripts in order of preference, exons in that of the transcripts."""
    genes, of_transcript = _genes(found, table, names, genome)
    table = table.assign(gene=of_transcript)
    table = table.sort_values(
        ["canonical", "coding_bases", "length", "transcript", "contig", "start"],
        ascending=[False, False, False, True, True, True],
        kind="stable",
    )
    place = pd.Series(np.arange(len(table)), table.index)
    exons = exons.assign(place=place.loc[exons["row"]].to_numpy()).sort_values(["place", "start"], kind="stable")
    counts = table["exons"].to_numpy(np.int64)
    table = table.assign(first_exon=np.cumsum(counts) - counts)
    numbers = ["start", "end", "coding_start", "coding_end", "phase", "first_exon", "exons"]
    table = table.astype(dict.fromkeys(numbers, np.int64)).reset_index(drop=True)
    kept = ["gene", "transcript", "contig", "start", "end", "strand", "kind", "canonical", "coding_start", "coding_end",
            "phase", "cut_start", "cut_end", "first_exon", "exons"]  # fmt: skip
    return Genes(genes, table[kept], exons["start"].to_numpy(np.int64), exons["end"].to_numpy(np.int64), found.where,
                 remarks)  # fmt: skip


def _genes(
    found: GeneFile, table: pd.DataFrame, names: dict[str, str], genome: Genome
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Genes by contig and start, and the gene of each transcript.

    A gene has the extent of its line. One without a line has that of its transcripts that overlap, so that an id which
    stands at several places of a contig is a gene at each.
    """
    ordered = table.sort_values(["contig", "owner", "strand", "start"], kind="stable")
    keys = list(zip(ordered["chrom"], ordered["owner"], strict=True))
    known = np.array([key in found.genes for key in keys], bool)
    groups = ordered[["contig", "owner"]].ne(ordered[["contig", "owner"]].shift()).any(axis=1).to_numpy()
    reach = ordered.groupby(np.cumsum(groups))["end"].cummax().shift(fill_value=0).to_numpy()
    apart = (ordered["start"].to_numpy() >= reach) | ordered["strand"].ne(ordered["strand"].shift()).to_numpy()
    number = np.cumsum(groups | (apart & ~known)) - 1
    parts = ordered.groupby(number).agg(
        chrom=("chrom", "first"), owner=("owner", "first"), start=("start", "min"), end=("end", "max"),
        strand=("strand", "first"),
    )  # fmt: skip
    rows = []
    for chrom, owner, start, end, strand in parts.itertuples(index=False):
        line = found.genes.get((chrom, owner))
        rows.append((chrom, owner, line.start if line else int(start), line.end if line else int(end), strand))
    with_transcripts = set(keys)
    for (chrom, owner), line in found.genes.items():
        if (chrom, owner) not in with_transcripts and chrom in names and line.end <= genome.contigs[names[chrom]]:
            rows.append((chrom, owner, line.start, line.end, "-" if line.strand == "-" else "+"))
    genes = pd.DataFrame(
        [(names[chrom], *place, found.gene_id(owner), *found.gene_name(chrom, owner)) for chrom, owner, *place in rows],
        columns=["contig", "start", "end", "strand", "gene_id", "gene", "kind"],
    )
    rank = genes["contig"].map({contig: place for place, contig in enumerate(genome.contigs)})
    order = genes.assign(rank=rank).sort_values(["rank", "start", "end", "gene_id"], kind="stable").index.to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    of_transcript = pd.Series(place[number], ordered.index).loc[table.index].to_numpy()
    return genes.loc[order].reset_index(drop=True), of_transcript


def _check_build(genes: Genes, genome: Genome) -> None:
    """Stop where coding sequences do not begin with a start codon in this genome, of up to 400 that should.

    Raises
    ------
    InputError
        Fewer than half of at least ten do.
    """
    table = genes.transcripts
    whole = np.flatnonzero((table["coding_start"] >= 0) & ~table["cut_start"])
    begins, looked = 0, 0
    for row in whole[np.unique(np.linspace(0, len(whole) - 1, _LOOKED_AT).astype(int))] if len(whole) else []:
        contig, strand = table["contig"].iat[row], table["strand"].iat[row]
        at = table["coding_start"].iat[row] if strand == "+" else table["coding_end"].iat[row] - 3
        codon = genome.codes(contig, int(at), int(at) + 3)
        if (codon == UNKNOWN).any():
            continue
        looked += 1
        begins += is_start(reverse_complement(codon) if strand == "-" else codon)
    if looked >= _FEWEST and begins < _LEAST_SHARE * looked:
        raise InputError(
            f"{genes.where}: of {looked} coding sequences only {begins} begin with a start codon in {genome.path}; is "
            "it of the same genome build?"
        )
