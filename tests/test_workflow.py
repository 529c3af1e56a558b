"""The workflow as a user runs it: a miniature of the embedded study from nothing to the report, and its mistakes."""

import json
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.genotypes.dosage_sums import correlation
from fineprior.genotypes.ld_store import read_ld
from fineprior.genotypes.plink_panel import PlinkPanel
from workflow_runs import (
    ROOT,
    add_study,
    change_study,
    digests,
    edit_config,
    planned_jobs,
    snakemake,
    write_ld_folder,
    write_people,
)

pytestmark = pytest.mark.workflow
PRIORS = ("uniform", "functional", "shuffled")
EVERY_PRIOR = [f"study=embedded, prior={prior}" for prior in PRIORS]


def test_results_are_there_and_the_end_says_where(finished):
    output = (finished / "first_run.txt").read_text()
    assert "embedded: results/embedded/report.html" in output
    assert "  prior: " in output
    assert "  credible sets: " in output
    loci = tables.LOCI.read(finished / "results/embedded/loci.tsv")
    assert len(loci) > 3
    for prior in PRIORS:
        status = tables.LOCI_STATUS.read(finished / f"results/embedded/{prior}/loci_status.tsv")
        assert status["locus"].tolist() == loci["locus"].tolist()
        assert not status["status"].eq("failed").any()
        variants = tables.FINEMAP_VARIANTS.read(finished / f"results/embedded/{prior}/variants.tsv.gz")
        assert variants.groupby("locus")["prior"].sum().to_numpy() == pytest.approx(1, abs=1e-4)
    assert "<html" in (finished / "results/embedded/report.html").read_text()


def test_snakemake_s_report_holds_the_same_items(finished, tmp_path):
    done = snakemake(finished, "--report", str(tmp_path / "report.zip"))
    assert done.returncode == 0, done.stdout[-3000:]
    with zipfile.ZipFile(tmp_path / "report.zip") as packed:
        page = packed.read("report/report.html").decode()
        items, _ = json.JSONDecoder().raw_decode(page[re.search(r'\{"results/', page).start() :])
        for path, item in items.items():
            assert packed.read(f"report/{item['data_uri']}") == (finished / path).read_bytes()
            assert len(item["caption"]) > 40
    of_study = ["report.html", "methods.md", "sumstats_qc.tsv", "loci.tsv", "comparison.tsv", "shift.tsv",
                "truth_comparison.tsv", "calibration.tsv", "prior/verdict.tsv", "prior/enrichment.tsv",
                *(f"{prior}/{name}.tsv" for prior in PRIORS for name in ("credible_sets", "loci_status"))]  # fmt: skip
    of_head = ["metrics.tsv", "history.tsv", "baselines.tsv", "learning_curve.tsv", "folds.tsv"]
    expected = [f"embedded/{name}" for name in of_study] + [f"heads/disease/{name}" for name in of_head]
    assert {f"results/{name}" for name in expected} <= set(items)
    assert items["results/embedded/shuffled/credible_sets.tsv"]["labels"] == {
        "of": "embedded", "item": "credible sets", "prior": "shuffled"
    }  # fmt: skip


def test_readme_s_picture_is_made_from_results(finished, tmp_path):
    pictures = []
    for name in ("one.png", "two.png"):
        command = [sys.executable, ROOT / "benchmarks/readme_picture.py", "--output", tmp_path / name]
        done = subprocess.run(command, cwd=finished, capture_output=True, text=True, check=True)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] == pictures[1]
    assert done.stdout.split(": ")[1].split(",")[0] in set(
        tables.LOCI.read(finished / "results/embedded/loci.tsv")["locus"]
    )


def test_second_run_has_nothing_to_do(finished):
    done = snakemake(finished, "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout


def test_a_backbone_of_the_hub_is_fetched_before_it_is_used(finished):
    path = finished / "config/config.yaml"
    before = path.read_text()
    try:
        edit_config(finished, {"backbone": {"weights": "owner/model", "revision": "abc"}})
        planned = planned_jobs(finished)
    finally:
        path.write_text(before)
    assert planned["fetch_backbone", "backbone=owner--model@abc"] == 1
    assert planned["embed_regions", ""] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"finemap": {"covrage": 0.9}}, "config: finemap: unknown key 'covrage'; allowed: max_effects"),
        ({"finemap": {"coverage": "high"}}, 'config: finemap.coverage = "high" must be a number'),
        ({"genome": {"fasta": "hg38.fa"}}, "config: genome.fasta: file 'hg38.fa' does not exist"),
    ],
)
def test_a_mistake_is_one_line_before_any_job(finished, change, message):
    path = finished / "config/config.yaml"
    before = path.read_text()
    try:
        edit_config(finished, change)
        done = snakemake(finished, "--cores", "1")
    finally:
        path.write_text(before)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert "rule " not in done.stdout


def test_a_study_that_is_not_in_the_sheet(finished):
    done = snakemake(finished, "-n", "results/unknown/report.html")
    assert done.returncode != 0
    assert "study 'unknown' is not in config/studies.tsv; it has: embedded" in done.stdout
    assert "Traceback" not in done.stdout


PEOPLE = {"study": "people", "head": "disease", "genotypes": "people/{chrom}", "phenotype": "people/trait.txt",
          "covariates": "people/age.txt"}  # fmt: skip
FILES = {"study": "files", "head": "disease", "sumstats": "resources/embedded/gwas.tsv.gz", "ld": "ukb",
         "panel_size": "300", "loci": "loci.bed"}  # fmt: skip


def write_bed(folder, loci):
    loci[["chrom", "start", "end"]].to_csv(folder / "loci.bed", sep="\t", header=False, index=False)


@pytest.fixture(scope="session")
def other_inputs(finished, tmp_path_factory):
    """A copy of the finished miniature with a study of its own people and one of LD files, run up to credible sets."""
    folder = tmp_path_factory.mktemp("other") / "inputs"
    shutil.copytree(finished, folder)
    causal = write_people(folder)
    write_ld_folder(folder)
    write_bed(folder, tables.LOCI.read(folder / "results/embedded/loci.tsv"))
    add_study(folder, **PEOPLE)
    add_study(folder, **FILES)
    before = set(planned_jobs(folder))
    assert {wildcards.split(",")[0] for _, wildcards in before} == {"study=people", "study=files", ""}
    targets = [f"results/{study}/uniform/loci_status.tsv" for study in ("people", "files")]
    done = snakemake(folder, "--cores", "2", *targets)
    if done.returncode:
        pytest.fail(done.stdout[-6000:])
    return folder, causal, targets


def test_people_s_own_genotypes_lead_to_credible_sets_with_their_own_ld(other_inputs):
    folder, causal, _ = other_inputs
    results = folder / "results/people"
    assert len((results / "people.txt").read_text().split()) == 290
    association = tables.ASSOCIATION.read(results / "association.tsv.gz")
    assert set(association["n"]) == {290}
    assert "site is the same for everybody" in (folder / "logs/associate/people.log").read_text()
    loci = tables.LOCI.read(results / "loci.tsv")
    assert set(loci["chrom"]) == {place.split(":")[0] for place in causal}
    status = tables.LOCI_STATUS.read(results / "uniform/loci_status.tsv")
    assert status["status"].eq("ok").all()
    sets = tables.FINEMAP_VARIANTS.read(results / "uniform/variants.tsv.gz").dropna(subset=["credible_set"])
    assert set(causal) <= set(sets["chrom"] + ":" + sets["pos"].astype("str"))


def test_ld_files_in_place_of_the_panel_are_the_same_ld(other_inputs):
    folder = other_inputs[0]
    loci = tables.LOCI.read(folder / "results/files/loci.tsv")
    assert len(loci) > 3
    known = PlinkPanel(folder / "resources/embedded/panel")
    place = (known.variants["chrom"] + ":" + known.variants["pos"].astype("str")).to_list()
    for locus, batch in zip(loci["locus"], loci["batch"], strict=True):
        found = read_ld(folder / f"results/files/ld/{batch}.npz", locus)
        ids = pd.Series(found.variant_ids).str.removeprefix("chr").str.split(":", expand=True)
        index = np.array([place.index(f"{chrom}:{pos}") for chrom, pos in zip(ids[0], ids[1], strict=True)])
        sign = np.where(known.variants["a1"].to_numpy()[index] == ids[3].to_numpy(), 1, -1)
        assert found.r == pytest.approx(correlation(known.dosages(index)) * np.outer(sign, sign), abs=1e-5)
    status = tables.LOCI_STATUS.read(folder / "results/files/uniform/loci_status.tsv")
    assert set(status["panel_size"].dropna()) == {300.0}
    assert not status["status"].eq("failed").any()


def test_a_study_with_other_inputs_has_nothing_to_do_again(other_inputs):
    folder, _, targets = other_inputs
    assert not planned_jobs(folder, *targets)


FROM_FITS = {"diagnose_ld", "finemap", "gather"}
FROM_LOCI = {"compute_ld", "assign_prior"} | FROM_FITS


@pytest.mark.parametrize(
    ("study", "columns", "expected"),
    [
        ("files", {"panel_size": "500"}, FROM_FITS),
        ("files", {"in_sample": "true"}, FROM_FITS),
        ("files", {"n": "3000"}, {"harmonise_sumstats", "compare_panel", "list_loci", "collect_variants"} | FROM_LOCI),
        ("files", {"note": "another note"}, set()),
        ("people", {"in_sample": "true"}, set()),
        ("people", {"covariates": ""}, {"associate", "harmonise_sumstats", "define_loci"} | FROM_LOCI),
    ],
)
def test_a_row_s_columns_rerun_its_study_alone(other_inputs, study, columns, expected):
    folder, _, targets = other_inputs
    path = folder / "config/studies.tsv"
    before = path.read_text()
    try:
        change_study(folder, study, **columns)
        planned = planned_jobs(folder, *targets)
    finally:
        path.write_text(before)
    assert {rule for rule, _ in planned} == expected
    assert all(wildcards.startswith(f"study={study}") for _, wildcards in planned)


def test_a_locus_more_runs_its_batch_alone_and_is_as_if_it_had_always_been_there(other_inputs, tmp_path):
    folder = tmp_path / "more"
    shutil.copytree(other_inputs[0], folder)
    target = "results/files/uniform/loci_status.tsv"
    files = [folder / f"results/files/ld/{number}.npz" for number in (0, 1)]
    before = [path.stat().st_mtime_ns for path in files]
    old = tables.LOCI.read(folder / "results/files/loci.tsv")
    chrom = old["chrom"].iloc[0]
    free = int(old.loc[old["chrom"] == chrom, "end"].max())
    write_bed(folder, pd.concat([old, pd.DataFrame([{"chrom": chrom, "start": free - 9_000, "end": free - 1_000}])]))
    done = snakemake(folder, "--cores", "1", target)
    assert done.returncode == 0, done.stdout[-3000:]
    loci = tables.LOCI.read(folder / "results/files/loci.tsv")
    batch = int(loci.loc[~loci["locus"].isin(old["locus"]), "batch"].item())
    after = [path.stat().st_mtime_ns for path in files]
    assert [number for number in (0, 1) if after[number] != before[number]] == [batch]
    found = digests(folder)
    shutil.rmtree(folder / "results/files")
    assert snakemake(folder, "--cores", "1", target, "results/files/uniform/fits.rds").returncode == 0
    assert found == digests(folder)


@pytest.mark.parametrize(
    ("columns", "config", "message"),
    [
        ({"format": "regeny"}, {}, "config/studies.tsv (study 'files'): format 'regeny' is not known; allowed: "),
        ({"build": "hg19"}, {}, "(study 'files'): build = hg19, but genome.build is synthetic: a chain file"),
        ({"panel": "people/{chrom}"}, {}, "(study 'files'): panel and ld are both given"),
        ({"ld": "", "panel": "people/no_{chrom}"}, {}, "(study 'files'): no file fits the panel 'people/no_{chrom}'"),
        ({}, {"columns": {"mine": {"effekt": "B"}}}, "config: columns.mine: unknown key 'effekt'; allowed: "),
        ({}, {"loci": {"blocks": "no.bed"}}, "config: loci.blocks: file 'no.bed' does not exist"),
    ],
)
def test_mistakes_in_the_inputs_are_one_line(other_inputs, columns, config, message):
    folder = other_inputs[0]
    before = {name: (folder / "config" / name).read_text() for name in ("studies.tsv", "config.yaml")}
    try:
        change_study(folder, "files", **columns)
        edit_config(folder, config)
        done = snakemake(folder, "-n")
    finally:
        for name, text in before.items():
            (folder / "config" / name).write_text(text)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout


def test_panels_by_chromosome_and_own_columns_are_planned(other_inputs):
    """A panel for each chromosome, a format of one's own: what enters the rules, seen in a dry-run."""
    folder = other_inputs[0]
    before = {name: (folder / "config" / name).read_text() for name in ("studies.tsv", "config.yaml")}
    try:
        add_study(folder, study="two", head="disease", sumstats="people/trait.txt", format="mine",
                  panel="people/{chrom}", n="300", in_sample="true")  # fmt: skip
        edit_config(folder, {"columns": {"mine": {"effect_allele": "A1"}}, "loci": {"exclude": "none"}})
        done = snakemake(folder, "-n", "results/two/loci/0.tsv.gz")
    finally:
        for name, text in before.items():
            (folder / "config" / name).write_text(text)
    assert done.returncode == 0, done.stdout
    assert "people/1.bed" in done.stdout
    assert "people/2.fam" in done.stdout
