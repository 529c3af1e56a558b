import runpy
from pathlib import Path

import pytest

from fineprior.files import tables as t
from fineprior.files.errors import InputError
from fineprior.project.settings import ReportSettings
from fineprior.steps.write_report import report

SYNTHETIC = runpy.run_path(str(Path(__file__).parents[1] / "report" / "study_tables.py"))
SINGLE = {
    "verdict": t.VERDICT, "enrichment": t.ENRICHMENT, "steps": t.PRIOR_STEPS, "loci": t.LOCI, "qc": t.SUMSTATS_QC,
    "comparison": t.COMPARISON, "head_metrics": t.HEAD_METRICS, "baselines": t.HEAD_BASELINES,
    "history": t.HEAD_HISTORY, "curve": t.LEARNING_CURVE, "folds": t.HEAD_FOLDS, "scatter": t.HEAD_SCATTER,
    "shift": t.SHIFT, "windows": t.WINDOW_COMPARISON, "truth_comparison": t.TRUTH_COMPARISON,
    "calibration": t.CALIBRATION, "fst": t.PANEL_FST,
}  # fmt: skip
BY_PRIOR = {"variants": t.FINEMAP_VARIANTS, "credible_sets": t.CREDIBLE_SETS, "status": t.LOCI_STATUS}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """The tables of a study as files; the arguments of `report` that name them."""
    folder = tmp_path_factory.mktemp("study")
    study = SYNTHETIC["study_tables"](4, 30)
    written = {}
    for name, table in SINGLE.items():
        written[name] = str(folder / f"{name}.tsv")
        table.write(getattr(study, name), written[name])
    for name, table in BY_PRIOR.items():
        written[name] = {prior: str(folder / f"{prior}.{name}.tsv.gz") for prior in getattr(study, name)}
        for prior, path in written[name].items():
            table.write(getattr(study, name)[prior], path)
    return written


@pytest.mark.slow
def test_report_from_files(paths, tmp_path):
    output = tmp_path / "study" / "report.html"
    report(study="demo", **paths, output=str(output), settings=ReportSettings(max_locus_plots=1), min_r=0.3)
    page = output.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Priors compared with the truth" in page
    assert "<p>F_ST in &lt;words&gt;.</p>" in page
    assert [path.name for path in output.parent.glob("[!.]*")] == ["report.html"]


@pytest.mark.slow
def test_a_panel_that_is_far_from_the_gwas_is_a_note(paths, tmp_path):
    table = t.PANEL_FST.read(paths["fst"]).assign(fst=0.02)
    t.PANEL_FST.write(table, tmp_path / "fst.tsv")
    output, settings = tmp_path / "report.html", ReportSettings(max_locus_plots=0)
    report(study="demo", **(paths | {"fst": str(tmp_path / "fst.tsv")}), output=str(output), settings=settings,
           min_r=0.3)  # fmt: skip
    assert '<p class="note">F_ST in &lt;words&gt;.</p>' in output.read_text(encoding="utf-8")


@pytest.mark.slow
def test_sets_of_the_further_coverage_are_not_shown(paths, tmp_path):
    sets = t.CREDIBLE_SETS.read(paths["credible_sets"]["uniform"])
    sets = sets.assign(main=False, lead_variant="1:424242:A:C")
    changed = paths["credible_sets"] | {"uniform": str(tmp_path / "sets.tsv")}
    t.CREDIBLE_SETS.write(sets, changed["uniform"])
    output = tmp_path / "report.html"
    report(
        study="demo", **(paths | {"credible_sets": changed}), output=str(output), settings=ReportSettings(), min_r=0.3
    )
    assert "1:424242:A:C" not in output.read_text(encoding="utf-8")


@pytest.mark.slow
def test_optional_tables_may_be_absent(paths, tmp_path):
    optional = ("baselines", "head_metrics", "history", "curve", "folds", "scatter", "shift", "windows",
                "truth_comparison", "calibration", "fst")  # fmt: skip
    absent = dict.fromkeys(optional)
    output = tmp_path / "report.html"
    report(study="demo", **(paths | absent), output=str(output), settings=ReportSettings(max_locus_plots=0), min_r=0.3)
    assert "F_ST" not in output.read_text(encoding="utf-8")
    assert "Shared windows" not in output.read_text(encoding="utf-8")
    assert "Priors compared with the truth" not in output.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"loci": "nowhere.tsv"}, "nowhere.tsv: no such file"), ({"variants": {"uniform": "x"}}, "prior 'functional'")],
)
def test_what_is_missing_is_named_and_nothing_is_written(paths, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        report(study="demo", **(paths | change), output=str(tmp_path / "r.html"), settings=ReportSettings(), min_r=0.3)
    assert list(tmp_path.iterdir()) == []
