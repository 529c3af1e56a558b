import gzip

import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.project.settings import Settings
from fineprior.steps.write_methods import methods
from small_study import write_results


@pytest.mark.slow
def test_the_format_is_that_of_the_file(tmp_path):
    results = write_results(tmp_path, "mine")
    with gzip.open(tmp_path / "gwas.gz", "wt") as handle:
        handle.write("CHR\tBP\tSNP\tA1\tA2\tZ\tN\n1\t5\trs1\tA\tC\t1.0\t100\n")
    metrics = pd.DataFrame({"track": ["t1"], "split": "test", "bins": 100, "regions": 10, "pearson_r": 0.5})
    tables.HEAD_METRICS.write(metrics.reindex(columns=tables.HEAD_METRICS.names), tmp_path / "metrics.tsv")
    functional = results / "functional"
    for _ in range(2):
        methods(
            study="mine", qc=str(results / "sumstats_qc.tsv"), loci=str(results / "loci.tsv"),
            status=str(functional / "loci_status.tsv"), credible_sets=str(functional / "credible_sets.tsv"),
            uniform_sets=str(results / "uniform/credible_sets.tsv"), verdict=str(results / "prior/verdict.tsv"),
            head_metrics=str(tmp_path / "metrics.tsv"), output=str(tmp_path / "methods.md"), settings=Settings(),
            versions={"fineprior": "0.1.0", "snakemake": "9.19"}, sumstats=str(tmp_path / "gwas.gz"),
        )  # fmt: skip
    page = (tmp_path / "methods.md").read_text()
    assert "Summary statistics (polyfun)" in page
    assert "2 loci with 80 variants" in page
    assert "There were 2 credible sets" in page
