import gzip

import pytest

from fineprior.files.errors import InputError
from fineprior.sumstats.gwas_vcf import open_vcf
from fineprior.sumstats.reader import open_sumstats, read_sumstats

FIELDS = ("ES", "SE", "LP", "AF", "SS")
RECORDS = ("1\t10\trs1\tA\tG\t.\tPASS\t.\tES:SE:LP:AF:SS\t0.12:0.04:2.57:0.3:900",
           "1\t20\trs2\tA\tG,T\t.\tPASS\t.\tES:SE:LP:AF:SS\t0.1,-0.2:0.05,0.04:.,6.24:0.1,.:900,800")  # fmt: skip


def write(path, *records, sample=None, fields=FIELDS):
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=1,length=100,assembly=HumanGRCh38>"]
    lines += [f'##FORMAT=<ID={name},Number=A,Type=Float,Description="x">' for name in fields]
    lines += [f"##SAMPLE=<ID=trait,{sample}>"] if sample else []
    path.write_text("\n".join([*lines, "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ttrait", *records, ""]))
    return path


def test_a_record_is_a_row_for_each_alternative_allele(tmp_path):
    frame = read_sumstats(write(tmp_path / "g.vcf", *RECORDS))
    assert frame["effect_allele"].to_list() == ["G", "G", "T"]
    assert frame["other_allele"].to_list() == ["A"] * 3
    assert frame["z"].to_list() == pytest.approx([3.0, 2.0, -5.0], rel=1e-6)
    assert frame["neg_log10_p"].to_list() == pytest.approx([2.57, 1.342, 6.24], rel=1e-3)
    assert frame["n"].to_list() == [900, 900, 800]
    assert frame["eaf"].isna().to_list() == [False, False, True]


@pytest.mark.parametrize(
    ("sample", "size"),
    [
        ("TotalControls=20000", 20000),
        ("TotalCases=100,TotalControls=300", 300),
        ('TotalCases="100",TotalControls="300"', 300),
        ("TotalCases=.,TotalControls=300", 300),
        ("TotalCases=NA,TotalControls=-9", None),
    ],
)
def test_the_size_of_the_header(tmp_path, sample, size):
    path = write(tmp_path / "g.vcf", *RECORDS, sample=sample)
    assert open_vcf(path).sample_size == size


@pytest.mark.parametrize("size", ["-5", "inf", "many"])
def test_a_size_that_cannot_be_is_named(tmp_path, size):
    path = write(tmp_path / "g.vcf", *RECORDS, sample=f"TotalControls={size}")
    with pytest.raises(InputError, match=f"TotalControls of ##SAMPLE is '{size}'; allowed: a number above 0"):
        open_vcf(path)


@pytest.mark.parametrize(
    ("dress", "message"),
    [
        (lambda text: b"\xef\xbb\xbf" + text, "g.vcf: begins with a byte-order mark; save it as UTF-8 without one"),
        (lambda text: text.replace(b"\n", b"\r"), "g.vcf: lines end with CR alone; write them with LF"),
        (lambda text: text + b"\n", "g.vcf: has an empty line; leave such lines out"),
        (gzip.compress, "g.vcf: compressed by gzip, not bgzip; unpack it, or compress it by bgzip"),
    ],
)
def test_a_form_that_htslib_cannot_read_is_named(tmp_path, dress, message):
    path = write(tmp_path / "g.vcf", *RECORDS)
    path.write_bytes(dress(path.read_bytes()))
    with pytest.raises(InputError, match=message):
        open_sumstats(path)


def test_damage_at_any_place_is_one_line(tmp_path):
    whole = write(tmp_path / "g.vcf", *RECORDS).read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "cut.vcf").write_bytes(whole[:end])
        try:
            read_sumstats(tmp_path / "cut.vcf")
        except InputError as error:
            assert "cut.vcf" in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
