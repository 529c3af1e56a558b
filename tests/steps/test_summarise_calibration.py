"""Tables of simulated studies on disk, put together."""

import pandas as pd
import pytest

from calibrate_counts import FALSE, HITS, counted
from fineprior.files.errors import InputError
from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS, CALIBRATE_PIP, CALIBRATE_SUMMARY
from fineprior.steps.summarise_calibration import summarise_calibration


@pytest.mark.slow
def test_studies_are_put_together(tmp_path):
    files = {"counts": [], "bins": []}
    for scenario in ("noise", "enrichment_10"):
        made = dict(zip(files, counted(HITS, FALSE, scenario=scenario), strict=True))
        for kind, table in (("counts", CALIBRATE_COUNTS), ("bins", CALIBRATE_BINS)):
            for replicate, rows in made[kind].groupby("replicate"):
                files[kind].append(str(tmp_path / f"{scenario}.{replicate}.{kind}.tsv"))
                table.write(rows, files[kind][-1])
    outputs = {"summary": tmp_path / "summary.tsv", "pip": tmp_path / "pip.tsv", "plot": tmp_path / "plot.svg"}
    found = summarise_calibration(**files, **{name: str(path) for name, path in outputs.items()})
    summary = CALIBRATE_SUMMARY.read(outputs["summary"])
    assert summary["scenario"].tolist() == ["noise"] * 8 + ["enrichment_10"] * 8
    pd.testing.assert_series_equal(summary["sentence"], found["sentence"])
    assert set(summary["studies"]) == {2}
    assert CALIBRATE_PIP.read(outputs["pip"])["scenario"].nunique() == 2
    assert b"<svg" in outputs["plot"].read_bytes()


def test_nothing_to_put_together():
    with pytest.raises(InputError, match="calibrate: no scenarios, or no question of `ld`"):
        summarise_calibration(counts=[], bins=[], summary="s", pip="p", plot="x")
