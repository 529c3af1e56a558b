import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.dosages import copies_in, warn_of_heterozygous_males
from fineprior.genotypes.panels import open_panel
from fineprior.simulate.population import write_panel

NAN = np.nan


def read(form, *people, chrom="X", alternatives=1):
    return copies_in(form, people, alternatives, chrom, "p.vcf, here")


@pytest.mark.parametrize("chrom", ["1", "chr22", "X", "chrX", "23", "Y", "MT", "XY"])
def test_one_allele_counts_as_two_in_calls_and_in_dosages(chrom):
    calls = read("GT", "0", "1", "0/1", "1|1", "0/0", chrom=chrom)
    dosages = read("GT:DS", "0:0", "1:1", "0/1:1", "1|1:2", "0/0:0", chrom=chrom)
    assert calls.copies.tolist() == dosages.copies.tolist() == [[0, 2, 1, 2, 0]]
    assert (calls.half, calls.untold, dosages.half, dosages.untold) == (0, 0, 0, 0)


def test_a_haploid_dosage_is_that_of_the_only_copy():
    found = read("DS:GT", "0.96:1", "0.04:0", "1.5:0/1", "0.3:0|0", ".:1", ".:0/1", "1.002:1", "-0.0001:0")
    assert found.copies[0] == pytest.approx([1.92, 0.08, 1.5, 0.3, 2, 1, 2, 0])


def test_half_calls_are_missing_with_their_dosage():
    for chrom in ("1", "X"):
        assert np.array_equal(read("GT", "./1", "0/.", "0/1", chrom=chrom).copies, [[NAN, NAN, 1]], equal_nan=True)
        found = read("GT:DS", "./1:1.0", "0/.:0.4", "0/1:1", chrom=chrom)
        assert np.array_equal(found.copies, [[NAN, NAN, 1]], equal_nan=True)
        assert (found.half, found.untold) == (2, 0)


def test_a_dosage_without_a_call_counts_where_everybody_has_two_copies():
    people = ("./.:0.9", ".:0.9", "0/1:1", "1:1")
    assert read("GT:DS", *people, chrom="7").copies[0] == pytest.approx([0.9, 0.9, 1, 2])
    found = read("GT:DS", *people)
    assert np.array_equal(found.copies, [[NAN, NAN, 1, 2]], equal_nan=True)
    assert found.untold == 2
    assert read("GT:DS", "./.:0.9", "0/1:1").copies[0] == pytest.approx([0.9, 1])  # nobody has one copy only
    assert np.array_equal(read("GT:DS", ".:0.9", "0/1:1").copies, [[NAN, 1]], equal_nan=True)


def test_dosages_alone_do_on_autosomes_and_where_x_is_paired():
    for chrom in ("1", "XY", "chrPAR1", "25"):
        assert read("DS", "0.5", "2.00001", "-0.0001", ".", chrom=chrom).copies[0][:3] == pytest.approx([0.5, 2, 0])


def test_each_alternative_has_its_copies():
    found = read("GT:DS", "1/2:1,1", "2:0.1,0.9", "0/0:.,0.5", "2/2:.", alternatives=2)
    assert found.copies == pytest.approx(np.array([[1, 0.2, 0, 0], [1, 1.8, 0.5, 2]]))


@pytest.mark.parametrize(
    ("form", "people", "message"),
    [
        ("DS", ("0.9", "1.2"), "here: DS without GT: a dosage of 1 can be one copy of two, or a male's only one"),
        ("GT:DS", (".:0.9", "./.:1"), "here: DS without GT"),
        ("HDS:GP", ("1:1", "1:1"), r"neither GT nor DS in its FORMAT \(HDS:GP\)"),
        ("GT:DS", ("1:1.98", "0/1:1"), "DS '1.98' of a haploid call is not between 0 and 1"),
        ("GT:DS", ("1|1:2.3", "0:0"), "DS '2.3' is not between 0 and 2"),
        ("GT:DS", ("1|1:inf", "0:0"), "DS 'inf' is not between 0 and 2"),
        ("GT:DS", ("1|1:-0.5", "0:0"), "DS '-0.5' is not between 0 and 2"),
        ("GT:DS", ("1|1:much", "0:0"), "DS 'much' is not a number"),
        ("GT:DS", ("1|1:1,1", "0:0"), "DS '1,1' has 2 values for 1 alternative alleles"),
        ("GT:DS", ("1/1:0.99", "1/1:1.98", "0/0:0.01"), "1 of 2 samples with two copies by GT have a DS below 1"),
        ("GT", ("0/1/1", "0"), "GT '0/1/1' has 3 alleles; samples have two, or one"),
        ("GT", ("0/2", "0"), "GT '0/2' is not made of the record's alleles, 0 to 1"),
        ("GT", ("A/G", "0"), "GT 'A/G' is not made of the record's alleles"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(form, people, message):
    with pytest.raises(InputError, match=message):
        read(form, *people)


@pytest.mark.parametrize(
    ("chrom", "pos", "coded", "sex", "said"),
    [
        ("X", 300, 1, "1", "on X 8 of 8 genotypes of males that have an allele have one copy of it"),
        ("23", 9_000_000, 1, "M", "on X 8 of 8 genotypes of males"),
        ("X", 300, 2, "1", ""),
        ("X", 300, 1, "2", ""),
        ("X", 300, 1, "0", ""),
        ("X", 2_000_000, 1, "1", ""),  # pseudo-autosomal
        ("X", 155_800_000, 1, "1", ""),
        ("XY", 300, 1, "1", ""),
        ("7", 300, 1, "1", ""),
    ],
)
@pytest.mark.parametrize("parts", [False, True])
def test_men_with_half_of_their_allele_in_plink_files_are_said(tmp_path, caplog, chrom, pos, coded, sex, said, parts):
    bim = pd.DataFrame({"chrom": chrom, "pos": [pos, pos + 1], "snp_id": ".", "a1": "A", "a2": "G"})
    copies = np.array([[coded, coded]] * 4 + [[0, 0]] * 4 + [[1, 2]] * 4, np.int8)
    write_panel(tmp_path / "chr1", bim, [copies])
    fam = "".join(f"{i} {i} 0 0 {sex if i < 8 else 2} -9\n" for i in range(12))
    (tmp_path / "chr1.fam").write_text(fam)
    warn_of_heterozygous_males(open_panel(str(tmp_path / ("chr{chrom}" if parts else "chr1"))))
    assert said in caplog.text if said else not caplog.text


def test_dosages_of_the_reference_allele_are_refused_and_a_few_odd_ones_are_not():
    with pytest.raises(InputError, match="2 of 2 samples with two equal alleles by GT have the other one by DS"):
        read("GT:DS", "0/0:1.98", "1/1:0.1", "0/1:1", chrom="7")
    found = read("GT:DS", "0/0:1.98", "1/1:1.9", "1/1:2", "0/1:1", chrom="7")
    assert found.copies[0] == pytest.approx([1.98, 1.9, 2, 1])
