import pytest

from fineprior.files.errors import InputError
from fineprior.genome.contigs import Contigs, is_part_of_x, natural_order, plain_name


@pytest.mark.parametrize(
    ("names", "chrom", "found"),
    [
        (["chr1", "chrX"], "chr1", "chr1"),
        (["chr1", "chrX"], "1", "chr1"),
        (["chr1", "chrX"], "01", "chr1"),
        (["chr1", "chrX"], "23", "chrX"),
        (["chr1", "chrX"], "chr2", None),
        (["chr1", "chrX"], "", None),
        (["X", "chrX"], "chrX", "chrX"),
        (["chrX", "X"], "X", "X"),
        (["chrM", "chrMT"], "chrMT", "chrMT"),
        (["1", "01", "chr1"], "01", "01"),
        (["NC_000001.11"], "1", None),
        (["NC_000001.11"], "NC_000001.11", "NC_000001.11"),
    ],
)
def test_the_very_name_goes_before_the_plain_one(names, chrom, found):
    assert Contigs("f.bw", names).find(chrom) == found


@pytest.mark.parametrize(
    ("names", "chrom"),
    [
        (["chrX", "X"], "23"),
        (["X", "23"], "chrX"),
        (["chrM", "chrMT"], "MT"),
        (["M", "26"], "MT"),
        (["1", "chr1"], "01"),
        (["1", "01"], "chr1"),
        (["CHR1", "Chr1"], "chr1"),
    ],
)
def test_a_name_that_may_mean_two_is_an_error(names, chrom):
    with pytest.raises(InputError, match=f"f.bw: '{chrom}' may mean '{names[0]}' or '{names[1]}', .*keep"):
        Contigs("f.bw", names).find(chrom)


def test_in_rows_of_intervals_even_the_very_name_may_mean_two():
    rows = Contigs("peaks.bed", ["chrX", "chr1", "X"], of_rows=True)
    assert rows.find("1") == "chr1"
    with pytest.raises(InputError, match=r"peaks.bed: 'chrX' may mean 'chrX' or 'X', .*rename or remove the rows"):
        rows.find("chrX")


def test_plink_has_names_of_its_own_for_parts_of_x():
    assert Contigs("g.fa", ["chrX", "chrM"]).find("25", plink=True) == "chrX"
    assert Contigs("g.fa", ["chrX", "chrM"]).find("25") == "chrM"
    assert Contigs("x.bim", ["25"], plink=True).find("X") == "25"
    assert [name for name in ("X", "23", "XY", "chrXY", "PAR1", "par2", "25", "26") if is_part_of_x(name)] == [
        "XY", "chrXY", "PAR1", "par2", "25",
    ]  # fmt: skip


def test_by_plain_name_two_contigs_of_one_are_an_error():
    assert Contigs("g.fa", ["chr2", "chr1"]).by_plain_name() == {"2": "chr2", "1": "chr1"}
    with pytest.raises(InputError, match=r"g.fa: chr1 and 1 are one chromosome by name"):
        Contigs("g.fa", ["chr1", "chr2", "1"]).by_plain_name()


def test_the_first_names_are_shown():
    assert str(Contigs("g.fa", [f"chr{number}" for number in range(1, 8)])) == "chr1, chr2, chr3, chr4, chr5, ..."


def test_plain_names():
    assert [plain_name(n) for n in ("chr1", "1", "chrUn_KI270302v1", "23", "chr23", "0", "10")] == [
        "1", "1", "UN_KI270302V1", "X", "X", "0", "10",
    ]  # fmt: skip


def test_plain_names_are_without_chr_and_zeros():
    assert [plain_name(name) for name in ("chr01", "CHRx", "26", "M", "chr25", "scaffold_7")] == [
        "1", "X", "MT", "MT", "MT", "SCAFFOLD_7",
    ]  # fmt: skip


def test_plain_names_that_were_floats_are_numbers():
    assert [plain_name(name) for name in ("1.0", "chr2.0", "23.0", "KI270728.1", "0")] == [
        "1", "2", "X", "KI270728.1", "0",
    ]  # fmt: skip


def test_chromosomes_in_their_order():
    names = ["chrX", "chr10", "2", "chr1", "MT"]
    assert sorted(names, key=natural_order) == ["chr1", "2", "chr10", "MT", "chrX"]
