"""The workflow as a user runs it: a miniature of the embedded study from nothing to the report, and its mistakes."""

import pytest

from fineprior.foundation import tables
from workflow_runs import MINIATURE, copy_repository, edit_config, planned_jobs, snakemake

pytestmark = pytest.mark.workflow
EVERY_PRIOR = [f"study=embedded, prior={prior}" for prior in ("uniform", "functional", "shuffled")]


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A copy of the repository in which the miniature has run."""
    folder = copy_repository(tmp_path_factory.mktemp("miniature"))
    edit_config(folder, MINIATURE)
    done = snakemake(folder, "--cores", "2")
    if done.returncode:
        pytest.fail(done.stdout[-6000:])
    (folder / "first_run.txt").write_text(done.stdout)
    return folder


def batches(rule, *priors):
    if priors:
        return {(rule, f"study=embedded, prior={prior}, batch={batch}") for prior in priors for batch in "01"}
    return {(rule, f"study=embedded, batch={batch}") for batch in "01"}


def per_prior(rule, *priors):
    return {(rule, f"study=embedded, prior={prior}") for prior in priors}


SUMMARY = {(rule, "study=embedded") for rule in ("compare_priors", "compare_truth", "report")} | {("all", "")}
INFORMED = ("functional", "shuffled")
PRIORS = ("uniform", *INFORMED)
AFTER_PRIORS = (
    {("fit_prior", "study=embedded")}
    | batches("assign_prior", *INFORMED)
    | batches("finemap", *INFORMED)
    | per_prior("gather", *INFORMED)
    | SUMMARY
)
# The prior is estimated from the uniform fits, so what changes those goes through it.
AFTER_FINEMAP = batches("finemap", *PRIORS) | per_prior("gather", *PRIORS) | AFTER_PRIORS
AFTER_HEAD = {("train_head", "head=disease"), ("evaluate_head", "head=disease")} | batches("score_variants")


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
        ({"report": {"max_locus_plots": 3}}, {("report", "study=embedded"), ("all", "")}),
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


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("finemap/susie.py", AFTER_FINEMAP),
        ("report/plots.py", {("report", "study=embedded"), ("all", "")}),
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
