"""Malformed and hostile inputs: each gives one line that names the place and what is wrong, and nothing is written.

What must work although it looks odd is at the end, and so are the cases that go through Snakemake itself.
"""

import resource
import shutil

import numpy as np
import pandas as pd
import pytest

from bad_inputs import ld_cases, panel_cases, project_cases, sumstats_cases
from bad_inputs.world import World, build, finemap, gzipped, harmonise, ld, loci, project
from fineprior.files.errors import InputError
from fineprior.files.tables import DROPPED, LOCI, SUMSTATS
from fineprior.genotypes.ld_store import read_ld
from workflow_runs import ROOT, snakemake

ALL = [
    pytest.param(part.DOOR, *case[1:3], case[3] if len(case) > 3 else {}, id=f"{what}: {case[0]}")
    for what, part in (
        ("sumstats", sumstats_cases),
        ("panel", panel_cases),
        ("ld", ld_cases),
        ("project", project_cases),
    )
    for case in part.CASES
]
LONGEST_MESSAGE = 700
LOCUS = "chr1_0_3088"


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    return build(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def world(sound, tmp_path):
    shutil.copytree(sound.folder, tmp_path / "world")
    return World(tmp_path / "world")


@pytest.mark.parametrize(("door", "spoil", "words", "change"), ALL)
def test_a_bad_input_is_named_in_one_line(world, door, spoil, words, change):
    change = dict(change)
    door = change.pop("door", door)
    if spoil:
        spoil(world)
    before = world.written()
    with pytest.raises(InputError) as caught:
        door(world, **change)
    message = str(caught.value)
    assert words in message.replace(f"{world.folder}/", "")
    assert message.isprintable()
    assert "\n" not in message
    assert len(message) - message.count(str(world.folder)) * len(str(world.folder)) < LONGEST_MESSAGE
    assert not world.written() - before, "left behind"


def test_the_catalogue_is_large_and_its_names_are_unique():
    names = [param.id for param in ALL]
    assert len(names) > 250
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_a_giant_line_does_not_fill_the_memory(world):
    sumstats_cases.giant_line(world)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="megabytes long"):
        harmonise(world, sumstats="gwas.tsv.gz")
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < sumstats_cases.GIANT_LINE


def text_of(change):
    return lambda world: world.write("gwas.tsv", change(world.text("gwas.tsv")))


WORKS = {
    "Windows line ends": text_of(lambda text: text.replace("\n", "\r\n")),
    "a BOM": text_of(lambda text: "\ufeff" + text),
    "both": text_of(lambda text: "\ufeff" + text.replace("\n", "\r\n")),
    "no line end at the end": text_of(str.rstrip),
    "blank lines at the end": text_of(lambda text: text + "\n\n"),
    "commas": text_of(lambda text: text.replace("\t", ",")),
    "blanks": text_of(lambda text: text.replace("\t", "   ")),
    "quotation marks": text_of(
        lambda text: "\n".join(f'"{line}"' for line in text.splitlines()).replace("\t", '"\t"') + "\n"
    ),
    "lower case": lambda world: world.gwas(effect_allele=lambda t: t["effect_allele"].str.lower()),
    "chr": lambda world: world.gwas(chromosome="chr01"),
    "positions as floats": lambda world: world.gwas(base_pair_location=lambda t: t["base_pair_location"] + ".0"),
    "positions in exponents": lambda world: world.gwas(
        base_pair_location=[f"{float(p):.3e}" for p in pd.read_csv(world / "gwas.tsv", sep="\t")["base_pair_location"]]
    ),
    "p of 0": lambda world: world.gwas(p_value=lambda t: np.where(t.index == 30, "0", t["p_value"])),
    "comments above the header": text_of(lambda text: "## made by hand\n" + text),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("spoil", WORKS.values(), ids=WORKS)
def test_what_looks_odd_and_works(world, spoil):
    harmonise(world)
    expected = SUMSTATS.read(world / "out/sumstats.parquet")
    spoil(world)
    harmonise(world)
    found = SUMSTATS.read(world / "out/sumstats.parquet")
    pd.testing.assert_frame_equal(found.drop(columns="neg_log10_p"), expected.drop(columns="neg_log10_p"))
    assert np.allclose(found["neg_log10_p"], expected["neg_log10_p"], rtol=0.01)


def test_plain_text_that_is_named_gz_works(world):
    (world / "gwas.tsv").rename(world / "gwas.tsv.gz")
    harmonise(world, sumstats="gwas.tsv.gz")
    assert (world / "out/sumstats.parquet").is_file()


SPOILED = [
    ("standard_error", "-0.1", "bad_value"), ("standard_error", "0", "bad_value"), ("p_value", "1.2", "bad_value"),
    ("beta", "NaN", "missing_value"), ("beta", "inf", "bad_value"), ("n", "0", "bad_value"),
    ("effect_allele_frequency", "1.5", "bad_value"), ("effect_allele", "I", "coded_alleles"),
    ("effect_allele", "A-", "bad_alleles"), ("chromosome", "", "missing_value"),
    ("chromosome", "Un_1", "contig_missing"), ("base_pair_location", "1.5", "position_outside"),
    ("base_pair_location", "-4", "position_outside"), ("base_pair_location", "99999999999999", "position_outside"),
    ("base_pair_location", "about 4", "missing_value"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value", "reason"), SPOILED)
def test_a_few_bad_rows_are_left_out_and_listed(world, column, value, reason):
    world.gwas(**{column: lambda table: np.where(table.index == 8, value, table[column])})
    harmonise(world)
    dropped = DROPPED.read(world / "out/dropped.tsv.gz")
    assert dropped.set_index("row")["reason"].get(10) == reason


def test_ld_in_another_order_is_matched_by_name(world):
    ld(world)
    expected = read_ld(world / "out/ld.npz", LOCUS)
    order = np.random.default_rng(2).permutation(len(np.load(world / "ld/r.npy")))
    np.save(world / "ld/r.npy", np.load(world / "ld/r.npy")[np.ix_(order, order)])
    names = world.text("ld/v.txt").split()
    world.write("ld/w.txt", "\n".join(names[i] for i in order))
    world.edit("ld/ld.tsv", "v.txt", "w.txt")
    ld(world)
    found = read_ld(world / "out/ld.npz", LOCUS)
    assert np.array_equal(found.r, expected.r)
    assert found.variant_ids.tolist() == expected.variant_ids.tolist()


def test_variants_that_the_ld_has_not_are_listed(world):
    names = world.text("ld/v.txt").split()
    np.save(world / "ld/r.npy", np.load(world / "ld/r.npy")[10:, 10:])
    world.write("ld/v.txt", "\n".join(names[10:]))
    ld(world)
    left_out = read_ld(world / "out/ld.npz", LOCUS).left_out
    assert set(left_out.values()) == {"no_ld"}
    assert len(left_out) == 9


def test_loci_that_overlap_are_two(world):
    world.write("loci.bed", "1\t0\t2000\n1\t1000\t3000\n")
    loci(world, bed="loci.bed")
    assert LOCI.read(world / "out/loci.tsv")["locus"].to_list() == ["chr1_0_2000", "chr1_1000_3000"]


def test_a_sheet_from_windows_works(world):
    world.write("config/studies.tsv", "\ufeff" + world.text("config/studies.tsv").replace("\n", "\r\n"))
    assert project(world).study("trait").head == "disease"


NOT_CORRELATIONS = {
    "r2": (np.square, "as if r² were given"),
    "not symmetric": (np.triu, "not symmetric"),
    "NaN": (lambda R: np.where(np.arange(len(R)) == 5, np.nan, R), "not finite"),
    "above 1": (lambda R: np.where(R < 0.9, 1.3 * R + 1, R), "at most 1 is possible"),
}


@pytest.mark.parametrize("name", NOT_CORRELATIONS)
def test_the_command_line_says_why_it_did_not_use_an_ld(world, name, capsys):
    change, words = NOT_CORRELATIONS[name]
    np.save(world / "ld.npy", change(np.load(world / "ld.npy")))
    finemap(world)
    assert words in capsys.readouterr().out


THROUGH_SNAKEMAKE = [
    ("-n", lambda w: w.write("config/config.yaml", "genome:\n\tfasta: x\n"), "line 2: not YAML (found character"),
    (
        "-n",
        lambda w: w.write("config/config.yaml", w.text("config/config.yaml") + "seed: " + "[" * 5000),
        "error: config/config.yaml, line 14: more than 20 lists or blocks within one another",
    ),
    ("-n", lambda w: w.studies(study="../trait"), 'config/studies.tsv, line 2: study = "../trait" must match'),
    ("-n", lambda w: w.studies(panel="pannel"), "config/studies.tsv, line 2 (study 'trait'): panel 'pannel'"),
    ("--nocolor", lambda w: w.write("gwas.tsv", gzipped(w.text("gwas.tsv"))[:900]),
     "gwas.tsv: not a file of summary statistics, or damaged"),
    ("--nocolor", sumstats_cases.exchanged, "are effect_allele and other_allele exchanged?"),
    ("--nocolor", lambda w: w.edit("panel.bim", "\t0\t32\t", "\t32\t"), "panel.bim, line 1: not 6 columns"),
    ("--nocolor", lambda w: w.write("genome.fa.fai", "1\t4000\t9\t60\t61\n"), "genome.fa.fai: sequence '1' is not"),
]  # fmt: skip


@pytest.mark.workflow
@pytest.mark.parametrize(("option", "spoil", "words"), THROUGH_SNAKEMAKE)
def test_through_snakemake(world, option, spoil, words):
    spoil(world)
    target = "results/trait/sumstats.parquet"
    done = snakemake(ROOT, "--cores", "1", option, target, directory=world.folder)
    assert done.returncode != 0
    assert words in done.stdout
    assert "Traceback" not in done.stdout
    left = {path.name for path in world.folder.glob("results/**/*") if path.is_file()}
    assert not left


ODD = "a [1] *?{}'\"$~;&|#% :ü-\\ .tsv".replace("{}", "")


def test_an_odd_name_is_taken_as_it_stands(world):
    (world / "gwas.tsv").rename(world / ODD)
    world.write("gwas[1].tsv", "")  # what a pattern would find in its place
    world.studies(sumstats=ODD)
    assert project(world).study("trait").sumstats == ODD
    harmonise(world, sumstats=ODD)
    assert (world / "out/sumstats.parquet").is_file()


@pytest.mark.workflow
def test_an_odd_name_through_snakemake(world):
    (world / "gwas.tsv").rename(world / ODD)
    (world / "genome.fa").rename(world / "genome[1].fa")
    world.config(genome={"fasta": "genome[1].fa", "build": "GRCh37"})
    world.studies(sumstats=ODD)
    done = snakemake(ROOT, "--cores", "1", "results/trait/sumstats.parquet", directory=world.folder)
    assert done.returncode == 0, done.stdout


@pytest.mark.workflow
def test_a_second_config_file_is_checked(world):
    world.write("mine.yaml", "seed: 1\nloci:\n  flank: 010\n")
    done = snakemake(ROOT, "-n", "--configfile", "mine.yaml", directory=world.folder)
    assert done.returncode != 0
    assert "error: " in done.stdout
    assert "mine.yaml, line 3: 010 is a number to the base 2, 8 or 16 to YAML" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.workflow
def test_a_home_that_cannot_be_written(world, monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null/home")
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    done = snakemake(ROOT, "--cores", "1", "results/trait/sumstats.parquet", directory=world.folder)
    assert done.returncode == 0, done.stdout
