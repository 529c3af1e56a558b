import gzip

import numpy as np
import pandas as pd
import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.vcf_panel import VcfPanel

HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=1000>
##contig=<ID=chr2,length=1000>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tp0\tp1\tp2\tp3
"""
RECORDS = [
    "chr1\t10\trs1\tA\tG\t.\t.\t.\tGT\t0|0\t0/1\t1|1\t./.",
    "chr1\t15\t.\tT\t.\t.\t.\t.\tGT\t0|0\t0/0\t0|0\t./.",
    "chr1\t20\trs2\ta\tC,T\t.\t.\t.\tGT\t1/0\t1/2\t2/2\t./1",
    "chr1\t30\trs3\tA\tG\t.\t.\t.\tGT:DS\t0|0:0.25\t0/1:1.5\t1|1\t./.:.",
    "chr1\t30\trs4\tAT\tA\t.\t.\t.\tGT\t0\t1\t0|1\t0|0",
    "chr2\t30\trs5\tA\tG\t.\t.\t.\tDS:GT\t0.5:0|0\t1:0|1\t.:1|1\t.:./.",
]
VARIANTS = [
    ["chr1", 10, "rs1", "G", "A"], ["chr1", 20, "rs2", "C", "A"], ["chr1", 20, "rs2", "T", "A"],
    ["chr1", 30, "rs3", "G", "A"], ["chr1", 30, "rs4", "A", "AT"], ["chr2", 30, "rs5", "G", "A"],
]  # fmt: skip
EXPECTED = np.array([
    [0, 1, 2, np.nan], [1, 1, 0, np.nan], [0, 1, 2, np.nan],
    [0.25, 1.5, 2, np.nan], [0, 2, 1, 0], [0.5, 1, 2, np.nan],
], np.float32)  # fmt: skip


def wanted(rows):
    table = pd.DataFrame(VARIANTS, columns=["chrom", "pos", "snp_id", "alt", "ref"]).assign(panel_index=range(6))
    return table.iloc[rows].assign(chrom=table["chrom"].str.removeprefix("chr"))


@pytest.fixture(params=["plain", "packed", "indexed", "bcf"])
def path(request, tmp_path):
    plain = tmp_path / "p.vcf"
    plain.write_text(HEADER + "\n".join(RECORDS) + "\n")
    if request.param == "plain":
        return plain
    packed = tmp_path / ("p.bcf" if request.param == "bcf" else "p.vcf.gz")
    with pysam.VariantFile(str(plain)) as source, pysam.VariantFile(str(packed), "w", header=source.header) as target:
        for record in source:
            target.write(record)
    if request.param == "packed":
        return packed
    pysam.tabix_index(str(packed), preset="bcf" if request.param == "bcf" else "vcf", force=True, csi=True)
    return packed


def test_the_very_name_of_a_contig_goes_before_the_plain_one(tmp_path):
    plain = tmp_path / "p.vcf"
    two = HEADER.replace("##contig=<ID=chr2", "##contig=<ID=1,length=1000>\n##contig=<ID=chr2")
    plain.write_text(two + RECORDS[0] + "\n" + RECORDS[0].replace("chr1", "1").replace("rs1", "fly") + "\n")
    pysam.tabix_index(str(plain), preset="vcf", force=True)
    panel = VcfPanel(tmp_path / "p.vcf.gz")
    one = pd.DataFrame({"panel_index": [0], "chrom": ["1"], "pos": [10], "ref": ["A"], "alt": ["G"]})
    assert panel.find(one)["snp_id"].tolist() == ["fly"]
    assert panel.find(one.assign(chrom="chr1"))["snp_id"].tolist() == ["rs1"]
    with pytest.raises(InputError, match=r"p.vcf.gz: '01' may mean 'chr1' or '1'"):
        panel.find(one.assign(chrom="01"))


def test_each_alternative_is_a_row(path):
    panel = VcfPanel(path)
    assert (panel.samples, panel.sample_ids, panel.count) == (4, ["p0", "p1", "p2", "p3"], 6)
    assert panel.variants.to_numpy().tolist() == VARIANTS
    for order in (np.arange(6), np.array([5, 0, 2, 1]), np.array([1]), np.array([2]), np.array([2, 2, 0])):
        assert np.array_equal(panel.dosages(order).T, EXPECTED[order], equal_nan=True)
        assert np.array_equal(panel.dosages(order, slice(1, 3)).T, EXPECTED[order, 1:3], equal_nan=True)
    assert panel.genotype_counts([4, 0, 1]).tolist() == [[1, 1, 2, 0], [1, 1, 1, 1], [0, 2, 1, 1]]
    assert np.allclose(panel.allele_frequencies([4, 3]), [3 / 8, 3.75 / 6])


def test_variants_are_found_by_place_with_an_index_and_by_row_without(path):
    panel = VcfPanel(path)
    assert panel.indexed == (path.with_name(path.name + ".csi").is_file())
    table = wanted([5, 3, 4, 2])
    assert (
        panel.find(table)[["pos", "a1", "a2"]].to_numpy().tolist() == table[["pos", "alt", "ref"]].to_numpy().tolist()
    )
    assert np.array_equal(panel.dosages([4, 2, 5]).T, EXPECTED[[4, 2, 5]], equal_nan=True)
    assert ("variants" in vars(panel)) is not panel.indexed
    if panel.indexed:
        with pytest.raises(InputError, match=r"no record of 1:11:A:G; was the panel changed"):
            panel.find(table.iloc[:1].assign(chrom="1", pos=11))
        with pytest.raises(InputError, match=r"no contig '9' in its header"):
            panel.find(table.assign(chrom="9"))


def test_people_of_a_list(path, tmp_path):
    (tmp_path / "keep").write_text("p2\np0\n")
    panel = VcfPanel(path, tmp_path / "keep")
    assert panel.sample_ids == ["p0", "p2"]
    assert np.array_equal(panel.dosages(np.arange(6)).T, EXPECTED[:, [0, 2]], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("\ufeff" + HEADER + RECORDS[0] + "\n", "begins with a byte-order mark"),
        ((HEADER + RECORDS[0] + "\n").replace("\n", "\r"), "lines end with CR alone"),
        (HEADER + RECORDS[0] + "\n\n", "has an empty line; leave such lines out"),
        (
            HEADER.replace("p0\tp1", "p\udce9\tp1") + RECORDS[0] + "\n",
            r"p\.vcf: not a VCF or BCF file, or damaged \('utf-8'",
        ),
        (
            HEADER + RECORDS[0].replace("rs1", "\udcff") + "\n",
            r"p\.vcf, position 10: not a record of a VCF or BCF file",
        ),
        (HEADER + RECORDS[0].replace("\t10\t", "\t1e1\t") + "\n", "at its first record: not a whole VCF or BCF file"),
        ("rubbish\n", "not a VCF or BCF file, or damaged"),
        (HEADER.replace("\tFORMAT\tp0\tp1\tp2\tp3", ""), "no samples in this file"),
        (HEADER, "no variants in this file"),
        (HEADER + RECORDS[0].replace("\tGT\t", "\tXX\t") + "\n", "chr1:10: neither GT nor DS in its FORMAT"),
        (HEADER + RECORDS[3].replace("1.5", "2.5") + "\n", r"chr1:30: DS '2\.5' is not between 0 and 2"),
    ],
)
def test_damaged_files_are_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "p.vcf").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=message):
        VcfPanel(tmp_path / "p.vcf").dosages([0])


def test_a_file_packed_by_gzip_is_named(tmp_path):
    (tmp_path / "p.vcf.gz").write_bytes(gzip.compress((HEADER + RECORDS[0] + "\n").encode()))
    with pytest.raises(InputError, match=r"p\.vcf\.gz: .* pack it with bgzip"):
        VcfPanel(tmp_path / "p.vcf.gz")


def test_a_file_cut_short_is_named(tmp_path):
    packed = tmp_path / "p.vcf.gz"
    with pysam.BGZFile(str(packed), "w") as handle:
        handle.write((HEADER + "\n".join(RECORDS * 3000) + "\n").encode())
    packed.write_bytes(packed.read_bytes()[:3000])
    with pytest.raises(InputError, match="cut off: the last block of a file of bgzip is not there"):
        VcfPanel(packed)


def outcome(path):
    try:
        return VcfPanel(path).dosages(np.arange(6)).T
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("kind", ["vcf.gz", "bcf"])
def test_a_damaged_block_is_one_line(tmp_path, kind):
    plain, packed = tmp_path / "p.vcf", tmp_path / f"p.{kind}"
    plain.write_text(HEADER + "\n".join(RECORDS) + "\n")
    with pysam.VariantFile(str(plain)) as source, pysam.VariantFile(str(packed), "w", header=source.header) as target:
        for record in source:
            target.write(record)
    whole = packed.read_bytes()
    refused = 0
    for place in range(20, len(whole) - 28, 11):  # each block has a checksum
        damaged = bytearray(whole)
        damaged[place] ^= 4
        packed.write_bytes(damaged)
        found = outcome(packed)
        if isinstance(found, str):
            assert "\n" not in found
            refused += 1
        else:
            assert np.array_equal(found, EXPECTED, equal_nan=True)
    assert refused > 20


def test_people_who_are_missing_by_half_a_call_are_said_once(tmp_path, caplog):
    (tmp_path / "p.vcf").write_text(HEADER + RECORDS[2] + "\n" + RECORDS[2].replace("20", "21") + "\n")
    VcfPanel(tmp_path / "p.vcf").allele_frequencies()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "p.vcf, chr1:20: 1 samples are taken as missing: one allele of their call is missing" in said[0]
