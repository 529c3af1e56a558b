"""What a row of studies.tsv may say, and what its columns say together."""

import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import FinemapSettings, HarmoniseSettings, as_params
from fineprior.foundation.studies import Study, check_columns, study_of

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
