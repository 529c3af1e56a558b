"""What a row of studies.tsv may say, and what its columns say together."""

import pytest

from fineprior.files.errors import InputError
from fineprior.project.settings import FinemapSettings, HarmoniseSettings, as_params
from fineprior.project.sheets import Annotation, Study, check_columns, plain_build, read_sheet, study_of

SUMSTATS = {"study": "a", "head": "h", "sumstats": "gwas.tsv", "panel": "panel"}
PEOPLE = {"study": "a", "head": "h", "genotypes": "mine", "phenotype": "trait.tsv"}
FILES = {"study": "a", "head": "h", "sumstats": "gwas.tsv", "ld": "folder", "panel_size": "337000"}


def without(row, *names):
    return {key: value for key, value in row.items() if key not in names}


def check(row, build="GRCh38", **finemap):
    check_columns(study_of(row, "line 2"), build, as_params(FinemapSettings(**finemap)), "line 2")


@pytest.mark.parametrize(
    "row",
    [
        SUMSTATS,
        PEOPLE,
        FILES,
        SUMSTATS | {"n": "1e5"},
        SUMSTATS | {"cases": "10", "controls": "20", "n": "30"},
        SUMSTATS | {"samples": "europeans.txt", "in_sample": "FALSE", "panel_size": "503"},
        SUMSTATS | {"build": "hg38"},
        SUMSTATS | {"build": "hg19", "chain": "hg19ToHg38.over.chain.gz"},
        PEOPLE | {"covariates": "pcs.tsv", "samples": "unrelated.txt", "in_sample": "true"},
        without(FILES, "panel_size") | {"in_sample": "true"},
    ],
)
def test_good_rows(row):
    check(row)


def test_ld_files_need_their_size_unless_it_plays_no_role():
    row = without(FILES, "panel_size")
    with pytest.raises(InputError, match=r"^line 2: panel_size is needed beside ld"):
        check(row)
    check(row, panel_size=500)
    check(row, ld="in_sample")
    check(row, ld="none")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without(SUMSTATS, "sumstats"), r"^line 2: sumstats and genotypes are both empty; a study has one of the two$"),
        (SUMSTATS | PEOPLE, r"sumstats and genotypes are both given"),
        (without(PEOPLE, "phenotype"), r"genotypes need a phenotype file"),
        (SUMSTATS | {"phenotype": "p.tsv"}, r"phenotype must be empty without genotypes"),
        (SUMSTATS | {"covariates": "p.tsv"}, r"covariates must be empty without genotypes"),
        (PEOPLE | {"panel": "panel"}, r"panel must be empty beside genotypes: their own LD is used"),
        (PEOPLE | {"ld": "folder"}, r"ld must be empty beside genotypes"),
        (PEOPLE | {"n": "100"}, r"n must be empty beside genotypes"),
        (PEOPLE | {"in_sample": "false"}, r"in_sample = false, but the LD of a study's own genotypes is in-sample"),
        (without(SUMSTATS, "panel"), r"panel and ld are both empty"),
        (SUMSTATS | {"ld": "folder"}, r"panel and ld are both given"),
        (FILES | {"samples": "s.txt"}, r"samples must be empty without a panel or genotypes"),
        (
            SUMSTATS | {"build": "hg19"},
            r"build = hg19, but genome.build is GRCh38: a chain file from hg19 to GRCh38 is",
        ),
        (SUMSTATS | {"chain": "c.chain"}, r"there is a chain, but build is empty and genome.build is GRCh38"),
        (SUMSTATS | {"chain": "c.chain", "build": "hg38"}, r"there is a chain, but build = hg38 and genome.build is"),
        (SUMSTATS | {"n": "-5"}, r'^line 2: n = "-5" must be a number above 0$'),
        (SUMSTATS | {"n": "many"}, r'n = "many" must be a number above 0'),
        (SUMSTATS | {"cases": "nan", "controls": "5"}, r'cases = "nan" must be a number above 0'),
        (SUMSTATS | {"controls": "0"}, r'controls = "0" must be a number above 0'),
        (SUMSTATS | {"cases": "5"}, r"cases and controls belong together"),
        (SUMSTATS | {"cases": "5", "controls": "6", "n": "12"}, r"n = 12 is not cases \+ controls = 11"),
        (SUMSTATS | {"panel_size": "2.5"}, r'panel_size = "2.5" must be a whole number above 0'),
        (SUMSTATS | {"in_sample": "yes"}, r'in_sample = "yes" must be true or false'),
    ],
)
def test_bad_rows(row, message):
    with pytest.raises(InputError, match=message):
        check(row)


@pytest.mark.parametrize(
    ("row", "ld", "expected"),
    [
        (SUMSTATS, "panel", ("panel", 7)),
        (SUMSTATS | {"in_sample": "true"}, "panel", ("in_sample", 7)),
        (SUMSTATS | {"in_sample": "false"}, "in_sample", ("panel", 7)),
        (SUMSTATS | {"panel_size": "503"}, "panel", ("panel", 503)),
        (PEOPLE, "panel", ("in_sample", 7)),
        (PEOPLE, "none", ("none", 7)),
    ],
)
def test_a_row_says_whose_ld_it_is(row, ld, expected):
    settings = as_params(FinemapSettings(ld=ld, panel_size=7))
    own = study_of(row, "").finemap_settings(settings)
    assert (own["ld"], own["panel_size"]) == expected
    assert list(own) == list(settings)
    assert without(own, "ld", "panel_size") == without(settings, "ld", "panel_size")
    assert settings["ld"] == ld


def test_sizes_are_those_that_are_given():
    assert Study("a", "h").sizes == {}
    assert study_of(SUMSTATS | {"cases": "10", "controls": "20"}, "").sizes == {"cases": 10.0, "controls": 20.0}


@pytest.mark.parametrize(
    ("row", "policy", "expected"),
    [(SUMSTATS, "frequency", "frequency"), (PEOPLE, "frequency", "keep"), (PEOPLE, "drop", "drop")],
)
def test_palindromic_variants_of_own_genotypes_need_no_frequency(row, policy, expected):
    settings = as_params(HarmoniseSettings(palindromic=policy))
    own = study_of(row, "").harmonise_settings(settings)
    assert own == settings | {"palindromic": expected}
    assert list(own) == list(settings)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2E+04", 20000), ("20,000", 20000), ("1,234,567", 1234567), ("-9", 0), ("-9.0", 0), ("-999", 0)],
)
def test_sizes_as_spreadsheets_and_programs_write_them(text, value):
    assert study_of(SUMSTATS | {"n": text}, "line 2").n == value


@pytest.mark.parametrize("text", ["20,00", "2,0000", "20.000,5", "1_000", "inf", "-1", "many", "0x10"])
def test_sizes_that_are_none(text):
    with pytest.raises(InputError, match=rf'line 2: n = "{text}" must be a number above 0'):
        study_of(SUMSTATS | {"n": text}, "line 2")


@pytest.mark.parametrize(("text", "value"), [("TRUE", True), ("True", True), ("FALSE", False)])
def test_flags_as_spreadsheets_and_programs_write_them(text, value):
    assert study_of(SUMSTATS | {"in_sample": text}, "line 2").in_sample is value


SHEET = "study\thead\tsumstats\tpanel\tnote\nfirst\th\ta.tsv\tp\tmine\nsecond\th\tb.tsv\tp\t\n"


def rows_of(folder, content):
    (folder / "studies.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sheet(folder, "studies.tsv", Study)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\t\t\n") + "\t" * 6 + "\n" + "\t" * 6 + "\n\n",
        lambda text: text.replace("\tnote\n", "\tnote\t\t\n"),
        lambda text: text.replace("mine\n", "mine\t\t\n"),
        lambda text: text.replace("mine", '"the first, ""mine"""'),
        lambda text: text.replace("first", '"first"').replace("a.tsv", " a.tsv "),
        lambda text: text.replace("\tnote", "\tcovariates").replace("mine", "NA").replace("p\t\n", "p\t#N/A\n"),
        lambda text: text.replace("\tnote", "\tn").replace("mine", ".").replace("p\t\n", "p\tNaN\n"),
    ],
)
def test_a_sheet_that_a_spreadsheet_or_a_program_saved_has_the_same_rows(tmp_path, change):
    rows = [{"study": name, "head": "h", "panel": "p"} for name in ("first", "second")]
    rows = [row | {"sumstats": file} for row, file in zip(rows, ("a.tsv", "b.tsv"), strict=True)]
    assert rows_of(tmp_path, change(SHEET)) == rows_of(tmp_path, SHEET) == rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("mine\n", "mine\n\t\t\t\t\n"), "studies.tsv, line 3: an empty row between others"),
        (lambda text: text.replace("mine\n", "mine\n\n"), "studies.tsv, line 3: an empty row between others"),
        (
            lambda text: text.replace("\n", "\tx\n").replace("note\tx", "note\t"),
            "line 2: 'x' stands in a column without a",
        ),
        (lambda text: text.replace("mine", "mine\tmore"), "line 2: not as many fields as the header has"),
        (lambda text: text.replace("\tp\tmine", ""), "line 2: not as many fields as the header has"),
        (lambda text: text.replace("note", "head"), "column 'head' is there twice"),
        (lambda text: text.replace("mine", '"mine'), "line 2: a quotation mark that is not closed in its line"),
        (lambda text: text.replace("\t", ","), "one column, .* separated by tabs"),
        (lambda text: "\n" + text, "studies.tsv, line 1: empty"),
        (lambda text: text.encode("utf-16"), "text in UTF-16: save it as UTF-8"),
        (lambda text: text.replace("first", "NA"), "line 2: 'study' is missing"),
        (lambda _: "", "no row below the header"),
        (lambda _: "study\thead\n\t\n", "no row below the header"),
    ],
)
def test_a_sheet_that_cannot_be_is_named_with_its_line(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        rows_of(tmp_path, change(SHEET))


def test_a_sheet_is_rows_of_what_is_not_empty(tmp_path):
    (tmp_path / "sheet.tsv").write_text("name\tkind\tpath\tcolumn\tnote\na\tbed\ta.bed\t\tseen\nb\tvalue\tb.tsv\tx\t\n")
    first, second = read_sheet(tmp_path, "sheet.tsv", Annotation)
    assert first == {"name": "a", "kind": "bed", "path": "a.bed"}
    assert second == {"name": "b", "kind": "value", "path": "b.tsv", "column": "x"}
    (tmp_path / "sheet.tsv").write_text("name\tkind\tpath\na\tbed\ta\nb\tfour\tb\n")
    with pytest.raises(InputError, match=r'sheet.tsv, line 3: kind = "four" must be one of'):
        read_sheet(tmp_path, "sheet.tsv", Annotation)


@pytest.mark.parametrize("column", ["study", "head", "format"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, column):
    row = {"study": "a", "head": "h", "format": "ssf"}
    for name, words in (("a b", "must match"), ("x" * 101, "has 101 characters; at most 100 are allowed")):
        changed = row | {column: name}
        (tmp_path / "studies.tsv").write_text("\t".join(changed) + "\n" + "\t".join(changed.values()) + "\n")
        with pytest.raises(InputError, match=f"line 2: {column} = .* {words}"):
            read_sheet(tmp_path, "studies.tsv", Study)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("hg19", "grch37"), ("b37", "grch37"), ("GRCh37", "grch37"), ("GRCh37.p13", "grch37"), ("hg38", "grch38"),
        ("GRCh38.p14", "grch38"), (" GRCh38 ", "grch38"), ("synthetic", "synthetic"), ("", ""),
    ],
)  # fmt: skip
def test_names_of_one_build_are_one(name, plain):
    assert plain_build(name) == plain
