"""Rerun contracts: what an edit makes Snakemake do, as the exact set of jobs; and what `fineprior explain` says of it.

Numbers are those of the table in docs/running.md.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.genome.bed import batch_of
from fineprior.genotypes.plink_panel import PlinkPanel
from workflow_runs import (
    add_study,
    change_study,
    edit_config,
    environment,
    planned_jobs,
    pretend_results,
    snakemake,
)

pytestmark = pytest.mark.workflow
BATCHES = "01"
INFORMED = ("functional", "shuffled")
PRIORS = ("uniform", *INFORMED)
PROJECT = {("all", ""), ("provenance", "")}
HEAD = {("train_head", "head=disease"), ("evaluate_head", "head=disease")}


def of(study, *rules):
    return {(rule, f"study={study}") for rule in rules}


def batches(study, *rules, batch=BATCHES):
    return {(rule, f"study={study}, batch={one}") for rule in rules for one in batch}


def under(study, priors, rule, batch=BATCHES):
    return {(rule, f"study={study}, prior={prior}, batch={one}") for prior in priors for one in batch}


def gathered(study, priors):
    return {("gather", f"study={study}, prior={prior}") for prior in priors}


def summary(study):
    """What is made of a study's gathered tables."""
    truth = of(study, "compare_truth") if study == "embedded" else set()
    return of(study, "compare_priors", "report", "methods") | truth | PROJECT


def after_finemap(study="embedded"):
    return under(study, PRIORS, "finemap") | gathered(study, PRIORS) | summary(study)


def after_priors(study="embedded"):
    return (
        of(study, "fit_prior")
        | under(study, INFORMED, "assign_prior")
        | under(study, INFORMED, "finemap")
        | gathered(study, INFORMED)
        | summary(study)
    )


def after_scores(study="embedded"):
    return batches(study, "score_variants") | of(study, "gather_scores", "assess_shift") | after_priors(study)


def after_loci(study):
    """All that follows a study's loci."""
    return (
        batches(study, "compute_ld", "diagnose_ld", "extract_sequences", "embed_variants", "find_signals")
        | under(study, PRIORS, "assign_prior")
        | under(study, PRIORS, "finemap")
        | gathered(study, PRIORS)
        | after_scores(study)
    )


@contextmanager
def edited(folder, *paths):
    """The folder, in which these files are as before afterwards, also in their time."""
    kept = folder / ".kept"
    for path in paths:
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, kept / path)
    try:
        yield folder
    finally:
        for path in paths:
            shutil.copy2(kept / path, folder / path)


STATISTICS = batches("embedded", "find_signals") | after_finemap() | after_priors()
DIAGNOSED = batches("embedded", "diagnose_ld") | STATISTICS
"""What a diagnosis of z and LD leads to; `finemap.coverage`, or a prior, makes none again."""
CONFIG, STUDIES, TRACKS = "config/config.yaml", "config/studies.tsv", "config/tracks.tsv"
WITHOUT_NEWER_FILES = ("--rerun-triggers", "params", "input", "code")
"""The rule simulate_tracks makes one file less of fewer tracks; what follows would read the others again."""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"finemap": {"coverage": 0.9}}, after_finemap(), id="1 coverage"),
        pytest.param({"finemap": {"min_purity": 0.95}}, after_finemap(), id="1 purity"),
        pytest.param(
            {"finemap": {"max_fst": 0.02}}, batches("embedded", "find_signals") | after_finemap() | after_priors(),
            id="largest F_ST",
        ),
        pytest.param({"finemap": {"posterior": "susie", "refine": True}}, after_finemap(), id="1 posterior"),
        pytest.param({"priors": {"uniform_weight": 0.1}}, after_priors(), id="2 prior"),
        pytest.param({"head": {"l2": 0.001}}, HEAD | after_scores(), id="3 training"),
        pytest.param(
            {"evaluation": {"curve_sizes": 3}},
            {("evaluate_head", "head=disease")} | of("embedded", "report") | PROJECT,
            id="evaluation",
        ),
        pytest.param({"evaluation": {"min_r": 0.2}}, after_scores(), id="smallest r"),
        pytest.param({"scores": {"magnitude": "sad"}}, after_scores(), id="scores"),
        pytest.param(
            {"finemap": {"coverage": 0.95, "max_effects": 10, "posterior": "search"}, "seed": 1,
             "harmonise": {"min_maf": 0.01}}, set(), id="4 defaults written out",
        ),
        pytest.param(
            {"windows": {"shift": 3}}, batches("embedded", "extract_sequences", "embed_variants") | after_scores(),
            id="6 window",
        ),
        pytest.param(
            {"backbone": {"precision": "bf16"}},
            {("embed_regions", "")} | HEAD | batches("embedded", "embed_variants") | after_scores(), id="6 precision",
        ),
        pytest.param(
            {"ld": {"max_memory_mb": 5000}},
            batches("embedded", "compute_ld", "diagnose_ld", "find_signals") | after_finemap() | after_priors(),
            id="LD trimmed",
        ),
        pytest.param({"finemap": {"panel_size": 400}}, DIAGNOSED, id="panel size"),
        pytest.param({"store": "elsewhere"}, PROJECT, id="place of the store"),
        pytest.param({"report": {"max_locus_plots": 3}}, of("embedded", "report") | PROJECT, id="report"),
    ],
)  # fmt: skip
def test_a_setting_reruns_exactly(finished, change, expected):
    with edited(finished, CONFIG):
        edit_config(finished, change)
        assert set(planned_jobs(finished)) == expected


def test_4_order_comments_and_notes_rerun_nothing(finished):
    with edited(finished, CONFIG, STUDIES, TRACKS):
        blocks = (finished / CONFIG).read_text().split("\n\n")
        (finished / CONFIG).write_text("# another comment\n" + "\n\n".join(reversed(blocks)) + "\n")
        for sheet in (STUDIES, TRACKS):
            text = (finished / sheet).read_text().replace("simulated", "another note")
            (finished / sheet).write_text(text)
        assert not planned_jobs(finished)


def test_3_a_track_less_reruns_the_head_and_embeds_nothing(finished):
    with edited(finished, TRACKS):
        lines = (finished / TRACKS).read_text().splitlines(keepends=True)
        (finished / TRACKS).write_text("".join(line for line in lines if "disease3" not in line))
        planned = set(planned_jobs(finished, *WITHOUT_NEWER_FILES))
    assert planned - {("simulate_tracks", "")} == HEAD | after_scores()


def test_a_new_head_embeds_nothing(finished):
    """Another head for the study, of tracks that are there."""
    with edited(finished, TRACKS, STUDIES):
        tracks = pd.read_csv(finished / TRACKS, sep="\t")
        own = tracks[tracks["head"] == "general"].assign(head="second")
        own["track"] = "second_" + own["track"]
        pd.concat([tracks, own]).to_csv(finished / TRACKS, sep="\t", index=False)
        change_study(finished, "embedded", head="second")
        planned = set(planned_jobs(finished))
    assert planned == {("train_head", "head=second"), ("evaluate_head", "head=second")} | after_scores()


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        pytest.param("finemap/susie.py", STATISTICS, id="5 susie"),
        pytest.param("finemap/ld_mismatch.py", DIAGNOSED, id="5 diagnosis"),
        pytest.param(
            "steps/compare_panel.py",
            of("embedded", "compare_panel") | batches("embedded", "compute_ld") | DIAGNOSED,
            id="5 panel",
        ),
        pytest.param("finemap/rds.py", gathered("embedded", PRIORS) | summary("embedded"), id="5 rds"),
        pytest.param("priors/enrichment.py", after_priors() | of("embedded", "assess_shift"), id="5 enrichment"),
        pytest.param("genome/excluded_regions.py", of("embedded", "define_loci") | after_loci("embedded"), id="5 loci"),
        pytest.param("report/plots.py", of("embedded", "report") | PROJECT, id="10 plots"),
        pytest.param("cli.py", set(), id="10 cli"),
    ],
)
def test_editing_the_library_reruns_what_imports_it(finished, module, expected):
    name = f"scripts/fineprior/{module}"
    with edited(finished, name):
        path = finished / name
        path.write_text(path.read_text().replace('"""', '"""A word more. ', 1))
        assert set(planned_jobs(finished)) == expected


SIMULATED = {"calibrate": {"scenarios": ["noise"], "replicates": 1, "ld": ["in_sample", "panel", "undrifted_panel"]}}


def simulated(*questions):
    """Jobs of the simulated studies of these questions, and of their summary."""
    jobs = {("calibrate", f"study=embedded, ld={one}, scenario=noise, replicate=0") for one in questions}
    return jobs | of("embedded", "summarise_calibration")


@pytest.mark.parametrize(
    ("change", "questions"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"calibrate": {"fst": 0.01}}, ("panel",), id="drift"),
        pytest.param({"calibrate": {"max_causal": 1}}, ("in_sample", "panel", "undrifted_panel"), id="causal variants"),
    ],
)
def test_each_question_of_the_calibration_reruns_for_what_it_depends_on(finished, change, questions):
    target = "results/embedded/calibrate/summary.tsv"
    with edited(finished, CONFIG):
        edit_config(finished, SIMULATED)
        made = simulated("in_sample", "panel", "undrifted_panel")
        if not (finished / target).exists():
            assert set(planned_jobs(finished, target)) == made
            done = snakemake(finished, "--cores", "2", target)
            assert done.returncode == 0, done.stdout
            rows = tables.CALIBRATE_SUMMARY.read(finished / target)
            assert list(dict.fromkeys(rows["ld"])) == SIMULATED["calibrate"]["ld"]
            assert rows["causal"].nunique() == 1
        edit_config(finished, change)
        assert set(planned_jobs(finished, target)) == (simulated(*questions) if questions else set())


def test_6_other_weights_of_the_backbone(finished):
    name = "resources/backbone/model.safetensors"
    with edited(finished, name):
        content = (finished / name).read_bytes()
        (finished / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        planned = set(planned_jobs(finished))
    expected = {("embed_regions", "")} | HEAD | batches("embedded", "embed_variants") | after_scores()
    assert planned == expected


def test_11_resources_rerun_nothing(finished):
    assert not planned_jobs(
        finished,
        *("--set-resources", "embed_variants:batch_size=32", "finemap:mem_mb=9000", "report:runtime=99"),
        *("embed_regions:slurm_partition=gpu", "--default-resources", "slurm_partition=long", "mem_mb=1234"),
        *("--set-threads", "finemap=2", "compute_ld=4", "--cores", "4"),
    )


def test_12_touched_inputs_rerun_nothing(finished):
    names = ("resources/backbone/config.json", "resources/embedded/regions.bed", "resources/embedded/gwas.tsv.gz")
    with edited(finished, *names):
        for name in names:
            os.utime(finished / name)
        assert not planned_jobs(finished)


def test_12_results_copied_into_a_fresh_clone_are_kept_as_documented(finished, tmp_path):
    """Scripts are newer than the results there, and the backbone, which is too large for a checksum."""
    folder = tmp_path / "clone"
    shutil.copytree(finished, folder)
    for path in (folder / "scripts").glob("*.py"):
        os.utime(path)
    assert len(planned_jobs(folder)) > 30
    without_code = ("--rerun-triggers", "params", "input", "software-env")
    assert not planned_jobs(folder, *without_code)
    edit_config(folder, {"finemap": {"coverage": 0.9}})
    assert set(planned_jobs(folder, *without_code)) == after_finemap()
    edit_config(folder, {"finemap": {"coverage": 0.95}})
    os.utime(folder / "resources/backbone/model.safetensors")
    assert ("embed_variants", "study=embedded, batch=0") in planned_jobs(folder, *without_code)
    assert snakemake(folder, "--cores", "4", "--touch").returncode == 0
    assert not planned_jobs(folder)


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


def test_another_source_of_the_prior_is_planned_by_chromosome(finished):
    path = finished / "config/config.yaml"
    before = path.read_text()
    chromosomes = write_annotations(finished)
    source = {"source": "heritability", "heritability_annotations": "annotations/x.{chrom}.annot.parquet"}
    try:
        edit_config(finished, {"priors": source})
        assert set(planned_jobs(finished)) == (
            {("compute_ld_scores", f"study=embedded, chrom={chrom}") for chrom in chromosomes}
            | {("fit_heritability", "study=embedded")}
            | batches("embedded", "annotate_variants")
            | after_priors()
        )
        edit_config(finished, {"priors": source | {"heritability_ld_scores": "annotations/y.{chrom}.l2.ldscore.gz"}})
        done = snakemake(finished, "-n")
        assert "priors.heritability_ld_scores: no file fits 'annotations/y.{chrom}.l2.ldscore.gz'" in done.stdout
    finally:
        path.write_text(before)


def test_14_genes_are_planned_without_a_fit(finished):
    path = finished / "resources/genes.bed"
    path.write_text("chr1\t1000\t2000\ta\t0\t+\t1000\t1000\t0\t1\t1000,\t0,\n")
    with edited(finished, CONFIG):
        edit_config(finished, {"genome": {"genes": "resources/genes.bed"}})
        assert set(planned_jobs(finished)) == (
            of("embedded", "annotate_genes") | gathered("embedded", PRIORS) | summary("embedded")
        )
    path.unlink()


def test_annotations_and_controls_are_planned(finished):
    """An annotation enters the functional prior; a control is annotated too, and is a prior of its own all the way."""
    sheet, bed = finished / "config/annotations.tsv", finished / "annotations/peaks.bed"
    bed.parent.mkdir(exist_ok=True)
    bed.write_text("chr1\t1000\t2000\n")
    sheet.write_text(
        "name\tkind\tpath\tcolumn\npeaks\tbed\tannotations/peaks.bed\t\nnear\ttss\tannotations/peaks.bed\t\n"
    )
    with edited(finished, CONFIG):
        edit_config(finished, {"priors": {"annotations": "config/annotations.tsv", "controls": ["near"]}})
        assert set(planned_jobs(finished)) == (
            batches("embedded", "annotate_variants")
            | after_priors()
            | under("embedded", ["near"], "assign_prior")
            | under("embedded", ["near"], "finemap")
            | gathered("embedded", ["near"])
        )
        edit_config(finished, {"priors": {"controls": ["far"]}})
        done = snakemake(finished, "-n")
        assert done.returncode != 0
        assert "far" in done.stdout
    sheet.unlink()


BED_STUDY = {"study": "placed", "head": "disease", "sumstats": "inputs/gwas.tsv.gz", "loci": "inputs/loci.bed",
             "panel": "resources/embedded/panel"}  # fmt: skip


@pytest.fixture(scope="module")
def two_studies(finished, tmp_path_factory):
    """The finished miniature with a second study whose loci are of a BED file.

    That study's results are copies, and what Snakemake knows of them (settings, inputs, checksums) is as after a run.
    """
    folder = tmp_path_factory.mktemp("two") / "studies"
    shutil.copytree(finished, folder)
    (folder / "inputs").mkdir()
    for name in ("gwas.tsv.gz", "gwas.tsv.gz-meta.yaml"):
        shutil.copy(folder / "resources/embedded" / name, folder / "inputs" / name)
    loci = tables.LOCI.read(folder / "results/embedded/loci.tsv")
    loci[["chrom", "start", "end"]].to_csv(folder / "inputs/loci.bed", sep="\t", header=False, index=False)
    add_study(folder, **BED_STUDY)
    pretend_results(folder, "placed", like="embedded")
    assert not planned_jobs(folder)
    return folder


def test_9_a_study_more_reruns_nothing_of_another(finished):
    with edited(finished, STUDIES):
        add_study(finished, **BED_STUDY | {"sumstats": "resources/embedded/gwas.tsv.gz", "loci": ""})
        planned = set(planned_jobs(finished))
    assert planned == of("placed", "harmonise_sumstats", "compare_panel", "define_loci") | after_loci("placed")


def test_7_new_summary_statistics_rerun_their_study(two_studies):
    with edited(two_studies, "inputs/gwas.tsv.gz"):
        (two_studies / "inputs/gwas.tsv.gz").write_bytes(b"others")
        planned = set(planned_jobs(two_studies))
    first = of("placed", "harmonise_sumstats", "compare_panel", "list_loci") | batches("placed", "collect_variants")
    assert planned == first | after_loci("placed")


@pytest.mark.parametrize("line", ["1\t5000\t9000\n", "1\t7000\t9900\tname\n"])
def test_8_a_locus_more_reruns_its_batch_and_the_gathers(two_studies, line):
    """The functional prior is fitted on all loci, so that it is a gather as well, and with it what follows from it."""
    batch = str(batch_of("chr" + "_".join(line.split()[:3]), 2))
    with edited(two_studies, "inputs/loci.bed"):
        bed = two_studies / "inputs/loci.bed"
        bed.write_text(line + bed.read_text())
        planned = set(planned_jobs(two_studies))
    own = ("collect_variants", "compute_ld", "diagnose_ld", "extract_sequences", "embed_variants", "score_variants",
           "find_signals")  # fmt: skip
    assert planned == (
        batches("placed", *own, batch=batch)
        | under("placed", ("uniform",), "assign_prior", batch)
        | under("placed", ("uniform",), "finemap", batch)
        | of("placed", "list_loci", "gather_scores", "assess_shift")
        | gathered("placed", ("uniform",))
        | after_priors("placed")
    )


def test_8_order_and_names_in_a_bed_rerun_the_list_alone(two_studies):
    with edited(two_studies, "inputs/loci.bed"):
        bed = two_studies / "inputs/loci.bed"
        lines = bed.read_text().splitlines()
        bed.write_text("".join(f"{line}\tlocus\n" for line in reversed(lines)))
        planned = set(planned_jobs(two_studies))
    assert planned == of("placed", "list_loci") | gathered("placed", PRIORS) | summary("placed")


def explained(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "fineprior.cli", "explain", *arguments], cwd=folder, capture_output=True, text=True,
        env=environment() | {"PYTHONPATH": str(folder / "scripts")}, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_explain_says_that_there_is_nothing_to_do(finished):
    code, lines, _ = explained(finished)
    assert code == 0
    assert lines == ["Nothing would run: the results of all 44 jobs are there and up to date."]


def test_explain_names_settings_code_and_files(finished):
    with edited(finished, CONFIG, TRACKS, "scripts/fineprior/report/plots.py", "results/embedded/ld/0.npz"):
        edit_config(finished, {"finemap": {"coverage": 0.9}, "scores": {"magnitude": "sad"}})
        tracks = (finished / TRACKS).read_text().splitlines(keepends=True)
        (finished / TRACKS).write_text("".join(line for line in tracks if "disease3" not in line))
        plots = finished / "scripts/fineprior/report/plots.py"
        plots.write_text(plots.read_text() + "\n# a comment\n")
        (finished / "results/embedded/ld/0.npz").unlink()
        code, lines, error = explained(finished, "--directory", ".", "--", *WITHOUT_NEWER_FILES, "mtime")
    assert (code, error) == (0, "")
    text = "\n".join(lines)
    for part in (
        "Not as in the last whole run:",
        "  scores.magnitude: l2 -> sad",
        "  finemap.coverage: 0.95 -> 0.9",
        "  tracks.tsv, disease/disease3: there -> not there",
        "  code: report/plots.py, behind report",
        "batch=0): not there: results/embedded/ld/0.npz",
        "  train_head, 1 job: ",
        "reads no longer resources/embedded/tracks/disease3.bw",
        "finemap.coverage: 0.95 -> 0.9; reads what diagnose_ld, compute_ld would make",
        "  compare_priors, 1 job: reads what gather would make",
        "harmonise_sumstats (1), compare_panel (1), define_loci (1)",
    ):
        assert part in text, f"{part}\n{text}"
    assert lines[0].endswith(" of 44 jobs would run.")


def test_explain_of_a_target_and_of_a_mistake(finished):
    with edited(finished, CONFIG):
        edit_config(finished, {"finemap": {"coverage": 0.9}})
        code, lines, _ = explained(finished, "results/embedded/uniform/loci_status.tsv", "-s", "Snakefile")
        assert (code, lines[0]) == (0, "3 of 14 jobs would run.")
        assert "  finemap, 2 of 2 jobs: finemap.coverage: 0.95 -> 0.9" in lines
        edit_config(finished, {"finemap": {"covrage": 0.9}})
        code, lines, error = explained(finished)
    assert (code, lines) == (2, [])
    assert error.startswith(
        "fineprior explain: error: snakemake stops: config: finemap: unknown key 'covrage'; allowed"
    )


def test_snakemake_keeps_what_explain_reads(finished):
    """The form of Snakemake's own records, which no document promises."""
    records = (
        json.loads(path.read_text()) for path in Path(finished, ".snakemake/metadata").iterdir() if path.is_file()
    )
    assert {record["record_format_version"] for record in records} == {6}
