"""The lines at the end of a run."""

import numpy as np
import pytest

from fineprior.files import tables
from fineprior.report.headline import headline


@pytest.fixture
def study(study_tables):
    return study_tables(4)


@pytest.fixture
def results(tmp_path, study):
    """Tables of one finished study as the pipeline leaves them."""
    folder = tmp_path / "trait"
    folder.mkdir()
    (folder / "report.html").write_text("<html>")
    tables.VERDICT.write(study.verdict, folder / "prior/verdict.tsv")
    for prior in ("uniform", "functional"):
        tables.CREDIBLE_SETS.write(study.credible_sets[prior], folder / prior / "credible_sets.tsv")
        tables.FINEMAP_VARIANTS.write(study.variants[prior], folder / prior / "variants.tsv.gz")
        tables.LOCI_STATUS.write(study.status[prior], folder / prior / "loci_status.tsv")
    return tmp_path


@pytest.mark.slow
def test_names_the_report_and_three_findings(results, study):
    lines = headline(results, ["trait", "not_run"])
    assert lines[0] == f"trait: {results}/trait/report.html (tables beside it)"
    assert lines[1] == f"  prior: {study.verdict['sentence'].item()}"
    assert f"{len(study.credible_sets['uniform'])} (mean size" in lines[2]
    assert lines[3].startswith("  largest gain: ")
    assert len(lines) == 4


@pytest.mark.slow
def test_no_set_and_failed_loci(results, study):
    for prior in ("uniform", "functional"):
        tables.CREDIBLE_SETS.write(tables.CREDIBLE_SETS.empty(), results / "trait" / prior / "credible_sets.tsv")
        failed = study.variants[prior].assign(pip=np.nan, credible_set=None)
        tables.FINEMAP_VARIANTS.write(failed, results / "trait" / prior / "variants.tsv.gz")
    lines = headline(results, ["trait"])
    assert "none under the uniform prior, none under the functional prior" in lines[2]
    assert len(lines) == 3


@pytest.mark.slow
def test_incomplete_loci_are_counted(results, study):
    status = study.status["functional"].assign(status=["incomplete", "ok", "incomplete", "failed"])
    tables.LOCI_STATUS.write(status, results / "trait/functional/loci_status.tsv")
    assert headline(results, ["trait"])[3].startswith("  incomplete: 2 of 4 loci")
