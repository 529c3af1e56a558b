"""Lines of GTF, GFF3 and BED12: what is told from them, and what is refused with file and line."""

import gzip

import pytest

from fineprior.files.errors import InputError
from fineprior.genome.gene_lines import attributes_of, bed12_lines, format_of, gff_lines
from gene_models import bed12, gff3, gtf, refseq

GTF = 'chr1\tX\texon\t12010\t12057\t.\t+\t.\tgene_id "ENSG1.2"; tag "basic"; level 2; tag "MANE_Select"; note "a; b";\n'
GFF3 = "1\thavana\texon\t12010\t12057\t.\t-\t.\tParent=transcript:A,transcript:B;Name=x%3By\n"
BED = "chr1\t10\t50\tNM_1\t0\t-\t15\t40\t0\t2\t10,20,\t0,20,\n"


@pytest.mark.parametrize(("write", "form"), [(gtf, "gff"), (gff3, "gff"), (bed12, "bed12")])
def test_the_format_is_told_from_the_content(tmp_path, write, form):
    path = tmp_path / "genes.txt"
    path.write_bytes(gzip.compress(write(refseq("17")).encode()))
    assert format_of(path) == form


def test_attributes_are_read_as_each_format_writes_them(tmp_path):
    (tmp_path / "a").write_text(GTF)
    (line,) = gff_lines(tmp_path / "a", lambda kind: True)
    assert (line.chrom, line.start, line.end, line.strand, line.kind) == ("chr1", 12009, 12057, "+", "exon")
    assert attributes_of(line) == {
        "gene_id": ["ENSG1.2"], "tag": ["basic", "MANE_Select"], "level": ["2"], "note": ["a; b"],
    }  # fmt: skip
    (tmp_path / "b").write_text(GFF3)
    (line,) = gff_lines(tmp_path / "b", lambda kind: True)
    assert attributes_of(line) == {"Parent": ["transcript:A", "transcript:B"], "Name": ["x;y"]}


def test_types_that_are_not_wanted_are_counted_and_not_checked(tmp_path):
    (tmp_path / "a").write_text(GTF + "chr1\tx\tregion\tone\ttwo\t.\t?\t.\t\n" * 3 + "##FASTA\n>chr1\nACGT\n")
    others = {}
    assert len(list(gff_lines(tmp_path / "a", lambda kind: kind == "exon", others))) == 1
    assert others == {"region": 3}


def test_exons_and_coding_stretch_of_bed12(tmp_path):
    (tmp_path / "a").write_text(BED + BED.replace("\t15\t40\t", "\t50\t50\t"))
    coding, other = bed12_lines(tmp_path / "a")
    assert (coding.name, coding.strand, coding.exons, coding.coding) == ("NM_1", "-", [(10, 20), (30, 50)], (15, 40))
    assert other.coding == (10, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a: no line of genes in this file"),
        ("# only a comment\n", "a: no line of genes in this file"),
        ("chr1\t10\t50\n", "a, line 1: .* is no line of GTF or GFF3 .* or of BED12 .*; it has 3"),
        ("chr1\t10\t50\tname\t0\t+\n", "a, line 1: .*; it has 6"),
        ("locus\tvariant_id\tpip\n", "a, line 1: 'locus"),
    ],
)
def test_what_is_no_file_of_genes_is_refused(tmp_path, text, message):
    (tmp_path / "a").write_text(text)
    with pytest.raises(InputError, match=message):
        format_of(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GTF.replace("12057", "12000"), "a, line 1: 12010-12000 must be whole numbers, 1 <= start <= end"),
        (GTF.replace("12010", "0"), "a, line 1: 0-12057 must be whole numbers"),
        (GTF.replace("12057", "1e5"), "a, line 1: 12010-1e5 must be whole numbers"),
        (GTF.replace("\t+\t", "\tplus\t"), r"a, line 1: strand 'plus' \(column 7\)"),
        (GTF + "chr1\tx\texon\t5\n", "a, line 2: not a line of GTF"),
        (GTF.replace("chr1", ""), "a, line 1: not a line of GTF"),
        (GTF + "chr1\tx\texon\t\0\n", "a, line 2: not text in UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, message):
    (tmp_path / "a").write_text(text)
    with pytest.raises(InputError, match=message):
        list(gff_lines(tmp_path / "a", lambda kind: True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BED.replace("\t0,20,", ""), "a, line 1: 11 columns; genes in BED have twelve"),
        (BED.replace("\t-\t", "\tx\t"), "a, line 1: strand 'x'"),
        (BED.replace("\t2\t10", "\t3\t10"), "a, line 1: 3 blocks .* but 2 sizes and 2 starts"),
        (BED.replace("10,20,", "10,21,"), "a, line 1: a block .* beyond 10-50"),
        (BED.replace("\t0,20,", "\t20,0,"), "a, line 1: a block .* out of order"),
        (BED.replace("10,20,", "0,20,"), "a, line 1: a block .* is empty"),
        (BED.replace("10,20,", "x,20,"), "a, line 1: a block .* not a whole number"),
        (BED.replace("\t15\t40\t", "\t5\t40\t"), "a, line 1: coding stretch 5-40 .* must lie within 10-50"),
        (BED.replace("\t15\t40\t", "\tx\t40\t"), "a, line 1: coding stretch x-40"),
    ],
)
def test_a_bad_line_of_bed12_is_named(tmp_path, text, message):
    (tmp_path / "a").write_text(text)
    with pytest.raises(InputError, match=message):
        list(bed12_lines(tmp_path / "a"))


def test_a_gzip_file_that_is_cut_off_is_one_line(tmp_path):
    content = gzip.compress(gtf(refseq()).encode())
    (tmp_path / "genes.gtf.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"genes.gtf.gz: .*is the file whole\?"):
        list(gff_lines(tmp_path / "genes.gtf.gz", lambda kind: True))
