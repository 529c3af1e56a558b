"""The workflow as a user runs it: a miniature of the embedded study from nothing to the report, and its mistakes."""

import shutil

import numpy as np
import pandas as pd
import pytest

from fineprior.foundation import tables
from fineprior.genetics.genotypes import PlinkPanel
from fineprior.genetics.ld import correlation
from fineprior.genetics.ld_store import read_ld
from workflow_runs import (
    add_study,
    edit_config,
    planned_jobs,
    snakemake,
    write_ld_folder,
    write_people,
)

pytestmark = pytest.mark.workflow
EVERY_PRIOR = [f"study=embedded, prior={prior}" for prior in ("uniform", "functional", "shuffled")]


def batches(rule, *priors):
    if priors:
        return {(rule, f"study=embedded, prior={prior}, batch={batch}") for prior in priors for batch in "01"}
    return {(rule, f"study=embedded, batch={batch}") for batch in "01"}


def per_prior(rule, *priors):
    return {(rule, f"study=embedded, prior={prior}") for prior in priors}


PROJECT = {("all", ""), ("provenance", "")}
SUMMARY = {(rule, "study=embedded") for rule in ("compare_priors", "compare_truth", "report", "methods")} | PROJECT
INFORMED = ("functional", "shuffled")
PRIORS = ("uniform", *INFORMED)
AFTER_PRIORS = (
    {("fit_prior", "study=embedded")}
    | batches("assign_prior", *INFORMED)
    | batches("finemap", *INFORMED)
    | per_prior("gather", *INFORMED)
    | SUMMARY
)
AFTER_FINEMAP = batches("finemap", *PRIORS) | per_prior("gather", *PRIORS) | SUMMARY
AFTER_SCORES = batches("score_variants") | {("gather_scores", "study=embedded")}
AFTER_HEAD = {("train_head", "head=disease"), ("evaluate_head", "head=disease")} | AFTER_SCORES
EMBEDDED = batches("extract_sequences") | batches("embed_variants")


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


def test_second_run_has_nothing_to_do(finished):
    done = snakemake(finished, "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"finemap": {"coverage": 0.9}}, AFTER_FINEMAP),
        ({"finemap": {"min_purity": 0.95}}, AFTER_FINEMAP),
        ({"priors": {"uniform_weight": 0.1}}, AFTER_PRIORS),
        ({"head": {"l2": 0.001}}, AFTER_HEAD | AFTER_PRIORS),
        ({"finemap": {"coverage": 0.95, "max_effects": 10}, "seed": 1, "harmonise": {"min_maf": 0.01}}, set()),
        ({"scores": {"magnitude": "sad"}}, AFTER_SCORES | AFTER_PRIORS),
        ({"windows": {"shift": 3}}, EMBEDDED | AFTER_SCORES | AFTER_PRIORS),
        ({"store": "elsewhere"}, PROJECT),
        ({"report": {"max_locus_plots": 3}}, {("report", "study=embedded")} | PROJECT),
    ],
)
def test_a_config_edit_reruns_exactly(finished, change, expected):
    path = finished / "config/config.yaml"
    before = path.read_text()
    try:
        edit_config(finished, change)
        assert set(planned_jobs(finished)) == expected
    finally:
        path.write_text(before)


def test_reordering_and_comments_rerun_nothing(finished):
    path = finished / "config/config.yaml"
    before = path.read_text()
    sheet = finished / "config/studies.tsv"
    studies = sheet.read_text()
    try:
        blocks = before.split("\n\n")
        path.write_text("# another comment\n" + "\n\n".join(reversed(blocks)) + "\n")
        sheet.write_text(studies.replace("simulated: see README", "another note"))
        assert not planned_jobs(finished)
    finally:
        path.write_text(before)
        sheet.write_text(studies)


def test_a_track_edit_reruns_the_head_and_embeds_nothing(finished):
    sheet = finished / "config/tracks.tsv"
    before = sheet.read_text()
    try:
        sheet.write_text("".join(line for line in before.splitlines(keepends=True) if "disease3" not in line))
        planned = set(planned_jobs(finished, "--rerun-triggers", "params", "input", "code"))
        assert planned - {("simulate_tracks", "")} == AFTER_HEAD | AFTER_PRIORS
    finally:
        sheet.write_text(before)


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
    ("module", "expected"),
    [
        ("finemap/susie.py", AFTER_FINEMAP | AFTER_PRIORS | batches("find_signals")),
        ("report/plots.py", {("report", "study=embedded")} | PROJECT),
    ],
)
def test_editing_the_library_reruns_what_imports_it(finished, module, expected):
    path = finished / "scripts/fineprior" / module
    before = path.read_text()
    try:
        path.write_text(before + "\n# changed\n")
        assert set(planned_jobs(finished)) == expected
    finally:
        path.write_text(before)


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
         "panel_size": "300"}  # fmt: skip


@pytest.fixture(scope="session")
def other_inputs(finished, tmp_path_factory):
    """A copy of the finished miniature with a study of its own people and one of LD files, run up to credible sets."""
    folder = tmp_path_factory.mktemp("other") / "inputs"
    shutil.copytree(finished, folder)
    causal = write_people(folder)
    write_ld_folder(folder)
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


def change_sheet(folder, study, **columns):
    path = folder / "config/studies.tsv"
    rows = pd.read_csv(path, sep="\t", dtype="str", keep_default_na=False).set_index("study", drop=False)
    for column, value in columns.items():
        rows.loc[study, column] = value
    rows.fillna("").to_csv(path, sep="\t", index=False)


STUDY_FROM_HARMONISE = {"harmonise_sumstats", "define_loci", "compute_ld", "assign_prior", "finemap", "gather"}


@pytest.mark.parametrize(
    ("study", "columns", "expected"),
    [
        ("files", {"panel_size": "500"}, {"finemap", "gather"}),
        ("files", {"in_sample": "true"}, {"finemap", "gather"}),
        ("files", {"n": "3000"}, STUDY_FROM_HARMONISE),
        ("files", {"note": "another note"}, set()),
        ("people", {"in_sample": "true"}, set()),
        ("people", {"covariates": ""}, {"associate"} | STUDY_FROM_HARMONISE),
    ],
)
def test_a_row_s_columns_rerun_its_study_alone(other_inputs, study, columns, expected):
    folder, _, targets = other_inputs
    path = folder / "config/studies.tsv"
    before = path.read_text()
    try:
        change_sheet(folder, study, **columns)
        planned = planned_jobs(folder, *targets)
    finally:
        path.write_text(before)
    assert {rule for rule, _ in planned} == expected
    assert all(wildcards.startswith(f"study={study}") for _, wildcards in planned)


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
        change_sheet(folder, "files", **columns)
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


def write_annotations(folder):
    """Annotations of the panel's variants by chromosome, as PolyFun has them; A1 and A2 as they come."""
    (folder / "annotations").mkdir(exist_ok=True)
    variants = PlinkPanel(folder / "resources/embedded/panel").variants
    rng = np.random.default_rng(2)
    for chrom, rows in variants.groupby("chrom", sort=False):
        columns = {"chrom": "CHR", "snp_id": "SNP", "pos": "BP", "a1": "A1", "a2": "A2"}
        table = rows.rename(columns=columns).assign(base=1.0, open=(rng.random(len(rows)) < 0.1).astype(float))
        table.to_parquet(folder / f"annotations/x.{chrom}.annot.parquet")
    return sorted(variants["chrom"].unique())


def test_annotations_and_controls_are_planned(finished):
    """An annotation enters the functional prior; a control is annotated too, and is a prior of its own all the way."""
    path = finished / "config/config.yaml"
    before = path.read_text()
    sheet, bed = finished / "config/annotations.tsv", finished / "annotations/peaks.bed"
    bed.parent.mkdir(exist_ok=True)
    bed.write_text("chr1\t1000\t2000\n")
    sheet.write_text(
        "name\tkind\tpath\tcolumn\npeaks\tbed\tannotations/peaks.bed\t\nnear\ttss\tannotations/peaks.bed\t\n"
    )
    try:
        edit_config(finished, {"priors": {"annotations": "config/annotations.tsv", "controls": ["near"]}})
        assert set(planned_jobs(finished)) == (
            batches("annotate_variants")
            | AFTER_PRIORS
            | batches("assign_prior", "near")
            | batches("finemap", "near")
            | per_prior("gather", "near")
        )
        edit_config(finished, {"priors": {"controls": ["far"]}})
        done = snakemake(finished, "-n")
        assert done.returncode != 0
        assert "far" in done.stdout
    finally:
        path.write_text(before)
        sheet.unlink()


def test_heritability_is_planned_by_chromosome(finished):
    path = finished / "config/config.yaml"
    before = path.read_text()
    chromosomes = write_annotations(finished)
    source = {"source": "heritability", "heritability_annotations": "annotations/x.{chrom}.annot.parquet"}
    try:
        edit_config(finished, {"priors": source})
        assert set(planned_jobs(finished)) == (
            {("compute_ld_scores", f"study=embedded, chrom={chrom}") for chrom in chromosomes}
            | {("fit_heritability", "study=embedded")}
            | batches("annotate_variants")
            | AFTER_PRIORS
        )
        edit_config(finished, {"priors": source | {"heritability_ld_scores": "annotations/y.{chrom}.l2.ldscore.gz"}})
        done = snakemake(finished, "-n")
        assert "priors.heritability_ld_scores: no file fits 'annotations/y.{chrom}.l2.ldscore.gz'" in done.stdout
    finally:
        path.write_text(before)
