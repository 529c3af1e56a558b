"""Transcripts of tests, and files of genes that hold them: GTF, GFF3 as Ensembl writes it, BED12.

`refseq` are real ones. The writers are apart from the library: they know where the UTRs are because they are told.
"""

from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parent / "reference/refseq/genes.tsv"


@dataclass(frozen=True)
class Model:
    """A transcript; positions are 0-based, ends exclusive; `frames`: coding bases before each exon, modulo 3, or -1."""

    name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]
    coding: tuple[int, int]
    gene: str
    frames: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def is_coding(self):
        return self.coding[0] < self.coding[1]

    def parts(self):
        """Coding and untranslated pieces: type, start, end, phase."""
        utrs = ("five_prime_UTR", "three_prime_UTR")[:: 1 if self.strand == "+" else -1]
        begin, stop = self.coding
        for number, (start, end) in enumerate(self.exons):
            if start < begin:
                yield utrs[0], start, min(end, begin), None
            if max(start, begin) < min(end, stop):
                phase = (3 - self.frames[number]) % 3 if self.frames else 0
                yield "CDS", max(start, begin), min(end, stop), phase
            if end > stop:
                yield utrs[1], max(start, stop), end, None


def refseq(chrom=None):
    """The real transcripts, of one chromosome (as 17) or of all."""
    found = []
    for line in TABLE.read_text().splitlines()[1:]:
        name, contig, strand, _, _, begin, stop, starts, ends, gene, frames = line.split("\t")
        starts, ends, frames = ([int(one) for one in text.strip(",").split(",")] for text in (starts, ends, frames))
        if chrom in (None, contig.removeprefix("chr")):
            exons = tuple(zip(starts, ends, strict=True))
            found.append(Model(name, contig.removeprefix("chr"), strand, exons, (int(begin), int(stop)), gene,
                               tuple(frames)))  # fmt: skip
    return found


def _line(model, kind, start, end, phase, attributes):
    phase = "." if phase is None else phase
    return f"{model.chrom}\ttest\t{kind}\t{start + 1}\t{end}\t.\t{model.strand}\t{phase}\t{attributes}\n"


def gff3(models):
    """As Ensembl writes it, which `bcftools csq` reads: genes, transcripts, exons, CDS with the stop codon, UTRs."""
    lines = ["##gff-version 3\n"]
    genes = {}
    for model in models:
        genes.setdefault((model.chrom, model.gene), []).append(model)
    for (_, gene), members in genes.items():
        kind = "protein_coding" if any(one.is_coding for one in members) else "lncRNA"
        start, end = min(one.exons[0][0] for one in members), max(one.exons[-1][1] for one in members)
        lines.append(_line(members[0], "gene", start, end, None,
                           f"ID=gene:{gene};Name={gene};biotype={kind};gene_id={gene}"))  # fmt: skip
        for one in members:
            kind = ("mRNA", "protein_coding") if one.is_coding else ("lnc_RNA", "lncRNA")
            parent = f"Parent=transcript:{one.name}"
            tags = f";tag={','.join(one.tags)}" if one.tags else ""
            lines.append(_line(one, kind[0], one.exons[0][0], one.exons[-1][1], None,
                               f"ID=transcript:{one.name};Parent=gene:{gene};biotype={kind[1]};"
                               f"transcript_id={one.name}{tags}"))  # fmt: skip
            lines += [_line(one, "exon", start, end, None, parent) for start, end in one.exons]
            lines += [
                _line(one, kind, start, end, phase, (f"ID=CDS:{one.name};" if kind == "CDS" else "") + parent)
                for kind, start, end, phase in (one.parts() if one.is_coding else ())
            ]
    return "".join(lines)


def gtf(models, genes=True):
    """As GENCODE writes it: the CDS ends before the stop codon, which has its own line; `genes`: gene lines too."""
    lines = ["#!genome-build test\n"]
    extents = {}
    for one in models:
        start, end = extents.get((one.chrom, one.gene), (one.exons[0][0], one.exons[-1][1]))
        extents[one.chrom, one.gene] = min(start, one.exons[0][0]), max(end, one.exons[-1][1])
    for one in models:
        if genes and (one.chrom, one.gene) in extents:
            start, end = extents.pop((one.chrom, one.gene))
            lines.append(_line(one, "gene", start, end, None, f'gene_id "{one.gene}"; gene_name "{one.gene}";'))
        tags = "".join(f' tag "{tag}";' for tag in one.tags)
        kind = "protein_coding" if one.is_coding else "lncRNA"
        attributes = (
            f'gene_id "{one.gene}"; transcript_id "{one.name}"; gene_name "{one.gene}"; transcript_type "{kind}";{tags}'
        )
        if genes:
            lines.append(_line(one, "transcript", one.exons[0][0], one.exons[-1][1], None, attributes))
        lines += [_line(one, "exon", start, end, None, attributes) for start, end in one.exons]
        if one.is_coding:
            lines += [_line(one, kind, *place, attributes) for kind, *place in _without_stop(one)]
    return "".join(lines)


def _without_stop(one):
    """CDS lines up to the stop codon, and those of the stop codon, which an intron may part."""
    left = 3
    pieces = [piece for piece in one.parts() if piece[0] == "CDS"]
    for kind, start, end, phase in pieces if one.strand == "-" else reversed(pieces):
        taken = min(left, end - start)
        left -= taken
        if taken:
            yield ("stop_codon", *((start, start + taken) if one.strand == "-" else (end - taken, end)), 0)
        if end - start > taken:
            start, end = (start + taken, end) if one.strand == "-" else (start, end - taken)
            yield kind, start, end, phase


def bed12(models):
    """As UCSC writes it."""
    lines = []
    for one in models:
        start, end = one.exons[0][0], one.exons[-1][1]
        thick = one.coding if one.is_coding else (end, end)
        sizes = ",".join(str(stop - begin) for begin, stop in one.exons)
        starts = ",".join(str(begin - start) for begin, _ in one.exons)
        fields = (one.chrom, start, end, one.name, 0, one.strand, *thick, 0, len(one.exons), f"{sizes},", f"{starts},")
        lines.append("\t".join(map(str, fields)) + "\n")
    return "".join(lines)
