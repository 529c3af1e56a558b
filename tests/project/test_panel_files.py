import pytest

from fineprior.files.errors import InputError
from fineprior.project.panel_files import check_name, chromosomes_of, fitting_files, ld_files, panel_files

FILES = (
    "a.bed", "a.bim", "a.fam", "b.pgen", "b.pvar.zst", "b.psam", "c.vcf.gz", "d.vcf.bgz", "both.bed", "both.pgen",
    "cut.bed", "cut.bim", "k_chr10.bed", "k_chr10.bim", "k_chr10.fam", "k_chr2.pgen", "k_chr2.pvar", "k_chr2.psam",
    "k_chrX.bed", "k_chrX.bim", "k_chrX.fam", "k_chr2_old.bed", "chr1/v_1.vcf.gz", "chr2/v_2.vcf.gz", "chr3/v_4.vcf.gz",
    "ukb/chr1_1_3000001.npz", "ukb/chr1_1_3000001.gz", "ukb/readme.txt",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    (folder / "ld.tsv").write_text("chrom\tstart\tend\tmatrix\tvariants\n1\t0\t9\tukb/chr1_1_3000001.npz\ta.bim\n")
    (folder / "absent.tsv").write_text("chrom\tmatrix\tvariants\n1\tno.npz\ta.bim\n")
    (folder / "short.tsv").write_text("chrom\tmatrix\n1\ta.bim\n")
    (folder / "empty.tsv").write_text("")
    return folder


def names(paths, folder):
    return [path.removeprefix(f"{folder}/") for path in paths]


@pytest.mark.parametrize(
    ("panel", "expected"),
    [
        ("a", ["a.bed", "a.bim", "a.fam"]),
        ("b", ["b.pgen", "b.pvar.zst", "b.psam"]),
        ("c.vcf.gz", ["c.vcf.gz"]),
        ("d.vcf.bgz", ["d.vcf.bgz"]),
        ("k_chr{chrom}", ["k_chr2.pgen", "k_chr2.pvar", "k_chr2.psam", *(f"k_chr{c}{s}" for c in ("10", "X")
                                                                       for s in (".bed", ".bim", ".fam"))]),
        ("chr{chrom}/v_{chrom}.vcf.gz", ["chr1/v_1.vcf.gz", "chr2/v_2.vcf.gz"]),
    ],
)  # fmt: skip
def test_the_files_of_a_panel(folder, panel, expected):
    assert names(panel_files(f"{folder}/{panel}"), folder) == expected


def test_chromosomes_are_in_their_order(folder):
    assert chromosomes_of(f"{folder}/k_chr{{chrom}}") == ["2", "10", "X"]


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        ("no", "no': neither .bed nor .pgen exists"),
        ("both", "both': both .bed and .pgen exist"),
        ("cut", "file '.*cut.fam' does not exist"),
        ("no.vcf.gz", "file '.*no.vcf.gz' does not exist"),
        ("no_{chrom}", r"no file fits the panel '.*no_\{chrom\}'"),
    ],
)
def test_panels_that_are_not_there(folder, panel, message):
    with pytest.raises(InputError, match=message):
        panel_files(f"{folder}/{panel}")


def test_the_files_of_ld(folder):
    assert names(ld_files(f"{folder}/ukb"), folder) == ["ukb/chr1_1_3000001.gz", "ukb/chr1_1_3000001.npz"]
    assert names(ld_files(f"{folder}/ld.tsv"), folder) == ["ld.tsv", "ukb/chr1_1_3000001.npz", "a.bim"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no", "no' is neither a table of LD files nor a folder"),
        ("chr1/v_1.vcf.gz", "a table of LD files has the columns matrix and variants"),
        ("absent.tsv", "absent.tsv: file '.*no.npz' does not exist"),
        ("short.tsv", "a table of LD files has the columns matrix and variants"),
        ("empty.tsv", "a table of LD files has the columns matrix and variants"),
    ],
)
def test_ld_that_is_not_there(folder, path, message):
    with pytest.raises(InputError, match=message):
        ld_files(f"{folder}/{path}")


def test_a_name_is_taken_as_it_stands_before_it_is_a_pattern(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a[1].tsv", "a1.tsv", "b*.tsv", "b2.tsv", "c?.tsv", "c[x]1.tsv", "c[x]2.tsv"):
        (tmp_path / name).touch()
    assert fitting_files("a[1].tsv") == ["a[1].tsv"]
    assert fitting_files("b*.tsv") == ["b*.tsv"]
    assert fitting_files("c[x]*.tsv") == ["c[x]1.tsv", "c[x]2.tsv"]
    assert fitting_files("a*") == ["a1.tsv", "a[1].tsv"]
    assert fitting_files("a[12].tsv") == fitting_files("c1.tsv") == fitting_files("d*") == []


@pytest.mark.parametrize("name", ["x y [1] *?'\"$~&.tsv", "ü.tsv", "-.tsv", "a:b.tsv", ""])
def test_names_that_are_fine(name):
    check_name(name, "here")


@pytest.mark.parametrize("name", ["{study}.tsv", "a}.tsv", "<logs>/x", "a\nb", " a", "a ", "\u202ea", "{chrom}"])
def test_names_that_mean_something_else(name):
    with pytest.raises(InputError, match=r"^here: "):
        check_name(name, "here")


def test_a_hole_for_the_chromosome():
    check_name("panel_{chrom}/{chrom}.vcf.gz", "here", chrom=True)
    with pytest.raises(InputError, match=r"has '\{' \(but for \{chrom\}\)"):
        check_name("panel_{chr}", "here", chrom=True)
