"""What a run leaves beside tables and report: exports, methods for a paper, provenance."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from fineprior.files import tables
from fineprior.files.whole import sha256
from fineprior.plan.results import EXPORTS
from fineprior.project.project import load_project
from fineprior.project.settings import from_dict
from workflow_runs import edit_config, planned_jobs, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def exported(finished):
    """The finished miniature with all its exports, which are asked for by name."""
    done = snakemake(finished, "--cores", "1", *(f"results/embedded/export/{form}" for form in EXPORTS))
    if done.returncode:
        pytest.fail(done.stdout[-6000:])
    return finished / "results/embedded/export"


def test_exports_hold_the_study(exported, finished):
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(finished / "results/embedded/functional/credible_sets.tsv"))
    assert len(sets) > 2
    assert len(pd.read_csv(exported / "flames/indexfile.txt", sep="\t")) == len(sets)
    assert pq.read_table(exported / "open_targets/study_locus.parquet").num_rows == len(sets)
    assert len((exported / "bed/credible_sets.bed").read_text().splitlines()) == sets["variants"].sum()
    polyfun = pd.read_csv(exported / "polyfun/finemapped.tsv.gz", sep="\t", dtype={"CREDIBLE_SET": "str"})
    variants = tables.FINEMAP_VARIANTS.read(finished / "results/embedded/functional/variants.tsv.gz")
    assert len(polyfun) == variants["pip"].notna().sum()
    ssf = pd.read_csv(exported / "ssf/embedded.tsv.gz", sep="\t")
    assert len(ssf) == len(tables.SUMSTATS.read(finished / "results/embedded/sumstats.parquet"))


def test_another_form_of_export_makes_only_that(exported, finished):
    path = finished / "config/config.yaml"
    before = path.read_text()
    try:
        edit_config(finished, {"exports": ["bed", "ssf"]})
        assert {rule for rule, _ in planned_jobs(finished)} == {"provenance", "all"}
        edit_config(finished, {"exports": ["pdf"]})
        done = snakemake(finished, "-n")
    finally:
        path.write_text(before)
    assert 'config: exports.0 = "pdf" must be one of' in done.stdout


def test_methods_say_what_the_tables_say(finished):
    results = finished / "results/embedded"
    page = (results / "methods.md").read_text()
    loci = tables.LOCI.read(results / "loci.tsv")
    qc = tables.SUMSTATS_QC.read(results / "sumstats_qc.tsv").query("outcome != 'of those kept'")
    kept = qc.loc[qc["outcome"] == "kept", "rows"].sum()
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(results / "functional/credible_sets.tsv"))
    assert f"{len(loci)} loci with {loci['variants'].sum():,} variants" in page
    assert f"Of {qc['rows'].sum():,} rows, {kept:,} were kept" in page
    assert f"There were {len(sets)} credible sets" in page
    assert "it is not Enformer" in page
    assert "GWAS-SSF [1]" in page
    assert "a reference panel of 300 samples" in page
    assert "windows of 20,000 bp" in page


def test_provenance_is_what_went_in(finished):
    folder = finished / "results/provenance"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    project = load_project(yaml.safe_load((finished / "config/config.yaml").read_text()), finished)
    assert from_dict(type(project.settings), config) == project.settings
    assert load_project(config, finished) == project
    files = tables.USED_FILES.read(folder / "files.tsv")
    assert set(files["role"]) == {"weights", "genome", "regions", "tracks", "studies"}
    assert files["sha256"].to_list() == [sha256(finished / path) for path in files["file"]]
    assert set(files["read"]) == {"whole"}
    sheets = yaml.safe_load((folder / "sheets.yaml").read_text())
    assert [row["study"] for row in sheets["studies"]] == ["embedded"]
    assert {row["head"] for row in sheets["tracks"]} == {"disease", "general"}
    versions = tables.SOFTWARE.read(folder / "software.tsv").set_index("package")["version"]
    assert versions["snakemake"].startswith("9.")
    digests = tables.RULE_CODE.read(folder / "code.tsv").set_index("rule")["digest"]
    assert digests["finemap"] != digests["gather"]
