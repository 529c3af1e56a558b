"""What a file of genes says, gathered line by line: genes, transcripts, exons and coding stretches, in numbers.

Exons may stand before their transcripts (GFF3), gene and transcript lines may be absent (GTF of UCSC), and a transcript
may be in several genes' hands (miRNA in a primary transcript). `read_gene_file` takes all of these; `genes` compares
them with the genome.
"""

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fineprior.files.errors import InputError
from fineprior.genome.contigs import shown
from fineprior.genome.gene_lines import GeneLine, attributes_of, bed12_lines, format_of, gff_lines

_CODING = {"CDS", "stop_codon"}
_PASSED_OVER = {
    "UTR", "five_prime_UTR", "three_prime_UTR", "five_prime_utr", "three_prime_utr", "5UTR", "3UTR", "start_codon",
    "Selenocysteine", "intron", "region", "chromosome", "scaffold", "supercontig", "biological_region", "match",
    "cDNA_match",
}  # fmt: skip
_TRANSCRIPT_OF_GTF = re.compile(r'\btranscript_id\s+"?([^";]+)')
_PARENTS_OF_GFF3 = re.compile(r"(?:^|;)\s*Parent=([^;]+)")
_GENE_NAMES = ("gene_name", "gene", "Name", "gene_symbol")
_GENE_TYPES = ("gene_type", "gene_biotype", "biotype")
_TRANSCRIPT_TYPES = ("transcript_type", "transcript_biotype", "biotype", "gbkey")
_CANONICAL = {"Ensembl_canonical", "MANE_Select", "MANE Select", "RefSeq Select"}
_PREFIXES = re.compile(r"^(?:gene|transcript|rna)[:-](?=.)")
NO_START, NO_END, CANONICAL = 1, 2, 4
"""Flags of a transcript: its coding sequence is cut at the start or at the end in the annotation; it is tagged as the
gene's canonical transcript."""


@dataclass
class GeneRow:
    """A gene line: place (0-based, half-open), strand, name and type."""

    start: int
    end: int
    strand: str
    name: str
    kind: str


@dataclass
class GeneFile:
    """All transcripts of a file: lists of names and arrays of numbers with an item for each transcript, and its exons.

    `owner`: id of the gene, or of what lies between. `coding_start` is -1 where there is no coding stretch;
    `coding_bases` are those of the CDS lines, `stop_start` and `stop_end` the extent of the stop codon where that has
    lines of its own. `exon_of`: transcript of each exon.
    """

    where: str
    chrom: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    owner: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    strand: list[str] = field(default_factory=list)
    flags: "array[int]" = field(default_factory=lambda: array("q"))
    coding_start: "array[int]" = field(default_factory=lambda: array("q"))
    coding_end: "array[int]" = field(default_factory=lambda: array("q"))
    coding_bases: "array[int]" = field(default_factory=lambda: array("q"))
    stop_start: "array[int]" = field(default_factory=lambda: array("q"))
    stop_end: "array[int]" = field(default_factory=lambda: array("q"))
    phase: "array[int]" = field(default_factory=lambda: array("q"))
    exon_of: "array[int]" = field(default_factory=lambda: array("q"))
    exon_start: "array[int]" = field(default_factory=lambda: array("q"))
    exon_end: "array[int]" = field(default_factory=lambda: array("q"))
    genes: dict[tuple[str, str], GeneRow] = field(default_factory=dict)
    _rows: dict[tuple[str, str], int] = field(default_factory=dict)
    _names: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def transcript(self, chrom: str, key: str, strand: str) -> int:
        """Row of a transcript, a new one where it is not known."""
        row = self._rows.setdefault((chrom, key), len(self.chrom))
        if row == len(self.chrom):
            for texts, text in ((self.chrom, chrom), (self.name, self.gene_id(key)), (self.owner, ""),
                                (self.kind, ""), (self.strand, strand)):  # fmt: skip
                texts.append(text)
            for numbers in (self.flags, self.coding_bases, self.phase):
                numbers.append(0)
            for numbers in (self.coding_start, self.coding_end, self.stop_start, self.stop_end):
                numbers.append(-1)
        return row

    def exon(self, row: int, start: int, end: int) -> None:
        """Add an exon of a transcript."""
        self.exon_of.append(row)
        self.exon_start.append(start)
        self.exon_end.append(end)

    def coding(self, row: int, line: GeneLine) -> None:
        """Add a line of the type CDS or stop_codon of a transcript."""
        if line.kind == "stop_codon":
            known = self.stop_start[row] >= 0
            self.stop_start[row] = min(self.stop_start[row], line.start) if known else line.start
            self.stop_end[row] = max(self.stop_end[row], line.end)
            return
        known = self.coding_start[row] >= 0
        is_first = line.end > self.coding_end[row] if line.strand == "-" else line.start < self.coding_start[row]
        if not known or is_first:
            self.phase[row] = line.phase
        self.coding_start[row] = min(self.coding_start[row], line.start) if known else line.start
        self.coding_end[row] = max(self.coding_end[row], line.end)
        self.coding_bases[row] += line.end - line.start

    def gene_of(self, row: int) -> str:
        """Id of the gene of a transcript: that of what holds it, or what holds that, or its own."""
        chrom, key = self.chrom[row], self.owner[row]
        for _ in range(4):
            above = self._rows.get((chrom, key))
            if (chrom, key) in self.genes or above is None or above == row or not self.owner[above]:
                break
            key = self.owner[above]
        return key or self.name[row]

    def gene_id(self, key: str) -> str:
        """Id of a gene or transcript, without the `gene:`, `rna-` and so on that GFF3 files begin it with."""
        return _PREFIXES.sub("", key)

    def gene_name(self, chrom: str, key: str) -> tuple[str, str]:
        """Name and type of a gene, from its line or from those of its transcripts and exons."""
        row = self.genes.get((chrom, key))
        name, kind = self._names.get((chrom, key), ("", ""))
        return (row and row.name) or name or _PREFIXES.sub("", key), (row and row.kind) or kind

    def describe(self, row: int, line: GeneLine, attributes: Mapping[str, list[str]]) -> None:
        """Take name, gene, type and flags of a transcript from the first of its lines that tells them."""
        owner = attributes.get("gene_id" if not line.gff3 else "Parent", [""])[0]
        if owner and not self.owner[row]:
            self.owner[row] = owner
            if not line.gff3:
                self._names.setdefault((line.chrom, owner), (_first(attributes, _GENE_NAMES[:2]),
                                                             _first(attributes, _GENE_TYPES[:2])))  # fmt: skip
        self.kind[row] = self.kind[row] or _first(attributes, _TRANSCRIPT_TYPES) or line.kind * line.gff3
        self.flags[row] |= _flags(attributes)
        self.name[row] = attributes.get("transcript_id", [self.name[row]])[0]


def read_gene_file(path: str | Path) -> GeneFile:
    """Read a GTF, GFF3 or BED12 file, plain or gzip; about a hundred bytes of memory for a line.

    Raises
    ------
    InputError
        As `format_of`, `gff_lines` and `bed12_lines`; the file has no exon; or an exon tells no transcript.
    """
    return _from_bed(path) if format_of(path) == "bed12" else _from_gff(path)


def _from_bed(path: str | Path) -> GeneFile:
    found = GeneFile(str(path))
    for line in bed12_lines(path):
        name, number = line.name, 1
        while (line.chrom, name) in found._rows:  # one transcript at two places: both count
            number += 1
            name = f"{line.name}_{number}"
        row = found.transcript(line.chrom, name, line.strand)
        found.name[row] = found.owner[row] = line.name
        for start, end in line.exons:
            found.exon(row, start, end)
        first, last = line.coding
        if first < last:
            found.coding_start[row], found.coding_end[row] = first, last
            found.coding_bases[row] = sum(max(0, min(end, last) - max(start, first)) for start, end in line.exons)
    return found


def _from_gff(path: str | Path) -> GeneFile:
    found, others = GeneFile(str(path)), dict[str, int]()
    for line in gff_lines(path, lambda kind: kind not in _PASSED_OVER, others):
        if line.kind == "exon" or line.kind in _CODING:
            _add_part(found, line)
        elif line.kind.endswith("gene") and not (line.gff3 and "Parent=" in line.attributes):
            _add_gene(found, line)
        elif line.gff3 and ("Parent=" not in line.attributes or "ID=" not in line.attributes):
            others[line.kind] = others.get(line.kind, 0) + 1
        elif line.gff3 or line.kind == "transcript":
            attributes = attributes_of(line)
            key = attributes.get("ID" if line.gff3 else "transcript_id", [""])[0]
            if key:
                found.describe(found.transcript(line.chrom, key, line.strand), line, attributes)
    if not found.exon_of:
        seen = {"gene": len(found.genes), "transcript": len(found.chrom), **others}
        there = ", ".join(f"{count:,} {kind}" for kind, count in seen.items() if count) or "nothing"
        raise InputError(f"{path}: no line of the type exon (column 3), so that nothing is known of the transcripts; "
                         f"there are {shown(there.split(', '))}")  # fmt: skip
    return found


def _add_part(found: GeneFile, line: GeneLine) -> None:
    """Add an exon or a part of a coding sequence to the transcripts that it names."""
    matched = (_PARENTS_OF_GFF3 if line.gff3 else _TRANSCRIPT_OF_GTF).search(line.attributes)
    if not matched:
        key = "Parent=..." if line.gff3 else 'transcript_id "..."'
        raise InputError(f"{line.where}: the {line.kind} does not say of which transcript it is ({key} in column 9)")
    for key in matched[1].split(",") if line.gff3 else [matched[1]]:
        row = found.transcript(line.chrom, key, line.strand)
        if not line.gff3 and not found.owner[row]:
            found.describe(row, line, attributes_of(line))
        if line.kind == "exon":
            found.exon(row, line.start, line.end)
        else:
            found.coding(row, line)


def _add_gene(found: GeneFile, line: GeneLine) -> None:
    attributes = attributes_of(line)
    key = attributes.get("ID" if line.gff3 else "gene_id", [""])[0]
    if key:
        name = _first(attributes, _GENE_NAMES)
        found.genes.setdefault((line.chrom, key), GeneRow(line.start, line.end, line.strand, name,
                                                          _first(attributes, _GENE_TYPES)))  # fmt: skip


def _first(attributes: Mapping[str, list[str]], keys: tuple[str, ...]) -> str:
    return next((attributes[key][0] for key in keys if attributes.get(key)), "")


def _flags(attributes: Mapping[str, list[str]]) -> int:
    tags = set(attributes.get("tag", []))
    return NO_START * ("cds_start_NF" in tags) | NO_END * ("cds_end_NF" in tags) | CANONICAL * bool(tags & _CANONICAL)
