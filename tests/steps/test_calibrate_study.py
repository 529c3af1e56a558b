"""`fineprior calibrate` on the results of a study, from the command line."""

import pytest

from calibrate_study import study_files, study_panel
from fineprior import cli
from fineprior.files.tables import CALIBRATE_SUMMARY

CONFIG = """
studies: studies.tsv
tracks: tracks.tsv
regions: resources/embedded/regions.bed
genome: {fasta: resources/embedded/genome.fa, build: synthetic}
loci: {batches: 2, flank: 50000}
backbone: {weights: owner/model, revision: abc, context_length: 2048, target_bins: 12}
priors: {rounds: 0}
finemap: {max_effects: 3}
calibrate: {scenarios: [enrichment_10, noise], replicates: 5}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "studies.tsv").write_text(
        "study\tsumstats\tpanel\thead\ndisease\tresources/embedded/gwas.tsv.gz\tresources/embedded/panel\thead\n"
    )
    (tmp_path / "tracks.tsv").write_text("head\ttrack\tbigwig\nhead\tone\tresources/embedded/tracks/one.bw\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, study="disease"):
    return cli.main(["calibrate", "--study", study, "--config", "config.yaml", *arguments])


@pytest.mark.slow
def test_scenarios_are_run_and_said(project, capsys):
    study_panel(study_files(project / "results/disease"), project / "resources/embedded/panel")
    twice = ("--ld", "in_sample", "panel", "panel", "--scenarios", "enrichment_10", "noise", "noise")
    assert run("--replicates", "1", "--jobs", "2", "--max-causal", "1", *twice) == 0
    summary = CALIBRATE_SUMMARY.read(project / "results/disease/calibrate/summary.tsv")
    assert list(dict.fromkeys(summary["scenario"])) == ["enrichment_10", "noise"]
    assert list(dict.fromkeys(summary["ld"])) == ["in_sample", "panel"]
    assert set(summary["studies"]) == {1}
    assert set(summary["causal"]) == {6}
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "LD of the GWAS itself, enrichment_10", "LD of the GWAS itself, noise", "panel LD, enrichment_10",
        "panel LD, noise", "written",
    ]  # fmt: skip
    assert lines[-1] == "written: results/disease/calibrate/summary.tsv and beside it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--study", "other"), "study 'other' is not in studies.tsv; it has: disease"),
        (("--config", "none.yaml"), "none.yaml: no such file"),
        ((), "results/disease/loci/0.tsv.gz: no such file; make it with snakemake (study 'disease')"),
    ],
)
def test_what_is_missing_is_one_line(project, capsys, arguments, message):
    assert run(*arguments) == 2
    assert capsys.readouterr().err.startswith(f"fineprior calibrate: error: {message}")


def test_unknown_scenarios_are_found_before_any_is_run(project, capsys):
    study_files(project / "results/disease")
    assert run("--scenarios", "enrichment_10", "upside_down") == 2
    assert "'upside_down' is not a scenario" in capsys.readouterr().err
    assert not list((project / "results/disease/calibrate").glob("*.tsv"))
