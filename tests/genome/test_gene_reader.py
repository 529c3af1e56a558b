"""Genes, transcripts and exons gathered from each format, whatever the order of the lines."""

import random

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.gene_reader import CANONICAL, NO_END, NO_START, read_gene_file
from gene_models import bed12, gff3, gtf, refseq


def summary(path):
    """Exons, coding stretch with the stop codon, and gene of each transcript."""
    found = read_gene_file(path)
    exons = {}
    for row, start, end in zip(found.exon_of, found.exon_start, found.exon_end, strict=True):
        exons.setdefault(row, []).append((start, end))
    made = {}
    for row, name in enumerate(found.name):
        coding = found.coding_start[row], found.coding_end[row]
        if found.stop_start[row] >= 0:
            coding = min(coding[0], found.stop_start[row]), max(coding[1], found.stop_end[row])
        gene = found.gene_name(found.chrom[row], found.gene_of(row))[0]
        made[name] = (found.chrom[row], found.strand[row], tuple(sorted(exons[row])), coding, gene)
    return made


def expected(gene=True):
    return {
        one.name: (one.chrom, one.strand, one.exons, one.coding if one.is_coding else (-1, -1),
                   one.gene if gene else one.name)
        for one in refseq()
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [gtf(refseq()), gtf(refseq(), genes=False), gff3(refseq())],
    ids=["GENCODE", "without gene and transcript lines", "GFF3"],
)
def test_real_transcripts_are_as_their_table_says(tmp_path, content):
    (tmp_path / "genes").write_text(content)
    assert summary(tmp_path / "genes") == expected()


def test_bed12_has_each_transcript_as_its_own_gene(tmp_path):
    (tmp_path / "genes").write_text(bed12(refseq()))
    assert summary(tmp_path / "genes") == expected(gene=False)


@pytest.mark.parametrize("write", [gtf, gff3])
def test_the_order_of_the_lines_does_not_matter(tmp_path, write):
    lines = write(refseq()).splitlines(keepends=True)
    random.Random(4).shuffle(lines)
    (tmp_path / "genes").write_text("".join(lines))
    assert summary(tmp_path / "genes") == expected()


LINES = """1\tx\tgene\t1\t90\t.\t-\t.\tID=gene-AB;gene=AB;gene_biotype=protein_coding
1\tx\tprimary_transcript\t1\t90\t.\t-\t.\tID=rna-P;Parent=gene-AB;transcript_id=NR_1.1
1\tx\tmiRNA\t1\t30\t.\t-\t.\tID=rna-M;Parent=rna-P;product=m
1\tx\texon\t1\t90\t.\t-\t.\tID=e1;Parent=rna-P
1\tx\texon\t1\t30\t.\t-\t.\tID=e2;Parent=rna-M
1\tx\tpseudogene\t200\t290\t.\t+\t.\tID=gene-C;Name=C
1\tx\texon\t200\t290\t.\t+\t.\tParent=gene-C
1\tx\tbiological_region\t5\t6\t.\t+\t.\tID=id-1
1\tx\tenhancer\t5\t6\t.\t+\t.\tID=id-2
"""


def test_refseq_nests_transcripts_and_gives_exons_to_genes(tmp_path):
    (tmp_path / "genes.gff").write_text(LINES)
    assert summary(tmp_path / "genes.gff") == {
        "NR_1.1": ("1", "-", ((0, 90),), (-1, -1), "AB"),
        "M": ("1", "-", ((0, 30),), (-1, -1), "AB"),
        "C": ("1", "+", ((199, 290),), (-1, -1), "C"),
    }


def test_the_phase_is_that_of_the_first_coding_piece(tmp_path):
    rows = [("1", 10, 20, "+", 1), ("1", 30, 40, "+", 2), ("2", 10, 20, "-", 1), ("2", 30, 40, "-", 2)]
    (tmp_path / "genes").write_text("".join(
        f'{chrom}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t{phase}\tgene_id "g"; transcript_id "t{chrom}";\n'
        for chrom, start, end, strand, phase in rows for kind in ("exon", "CDS")
    ))  # fmt: skip
    found = read_gene_file(tmp_path / "genes")
    assert dict(zip(found.name, found.phase, strict=True)) == {"t1": 1, "t2": 2}


def test_tags_say_what_is_canonical_and_what_is_cut(tmp_path):
    tags = {"a": "Ensembl_canonical", "b": "MANE_Select", "c": "cds_start_NF", "d": "cds_end_NF", "e": "basic"}
    (tmp_path / "genes").write_text("".join(
        f'1\tx\texon\t1\t9\t.\t+\t.\tgene_id "g"; transcript_id "{name}"; tag "basic"; tag "{tag}";\n'
        for name, tag in tags.items()
    ))  # fmt: skip
    flags = read_gene_file(tmp_path / "genes").flags
    np.testing.assert_array_equal(flags, [CANONICAL, CANONICAL, NO_START, NO_END, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("".join(line for line in gtf(refseq("17")).splitlines(keepends=True) if "\texon\t" not in line),
         "genes: no line of the type exon .*; there are 18 gene, 48 transcript"),
        ("".join(line for line in gff3(refseq("17")).splitlines(keepends=True) if "\tgene\t" in line),
         "genes: no line of the type exon .*; there are 18 gene$"),
        ('1\tx\texon\t1\t9\t.\t+\t.\tgene_id "g";\n', 'genes, line 1: the exon does not say of which transcript it is'),
        ("1\tx\texon\t1\t9\t.\t+\t.\tID=e\n", r"genes, line 1: the exon does not say .* \(Parent=... in column 9\)"),
    ],
)  # fmt: skip
def test_a_file_without_exons_or_without_transcripts_is_one_line(tmp_path, text, message):
    (tmp_path / "genes").write_text(text)
    with pytest.raises(InputError, match=message):
        read_gene_file(tmp_path / "genes")
