"""A simulated study through the pipeline's own steps."""

from pathlib import Path

import numpy as np
import pytest

from calibrate_study import SIZE, study_files
from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.steps.calibrate import calibrate

pytestmark = pytest.mark.slow
FINEMAP = FinemapSettings(max_effects=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return study_files(tmp_path_factory.mktemp("study"))


def made(files, folder, scenario="enrichment_30", replicate=0, **change):
    given = {"settings": CalibrateSettings(), "priors": PriorSettings(rounds=0), "kinds": {}, "seed": 1} | change
    paths = {kind: str(folder / f"{scenario}.{replicate}.{kind}.tsv") for kind in ("counts", "bins")}
    own = {name: value for name, value in vars(files).items() if name != "diagnoses"}
    calibrate(scenario=scenario, replicate=replicate, finemap=FINEMAP, signals=FINEMAP, **own, **paths, **given)
    return paths


@pytest.fixture(scope="module")
def runs(files, tmp_path_factory):
    """A study with enriched scores; one with noise, whose annotation is a control and so no part of the prior."""
    folder = tmp_path_factory.mktemp("runs")
    control = PriorSettings(source="given", given_as="score", controls=["peak"], rounds=0)
    return [made(files, folder), made(files, folder, "noise", priors=control, kinds={"peak": "bed"})]


def test_a_simulated_study_is_counted_under_each_prior(runs):
    counts, bins = CALIBRATE_COUNTS.read(runs[0]["counts"]), CALIBRATE_BINS.read(runs[0]["bins"])
    assert counts["prior"].tolist() == ["uniform", "functional", "shuffled", "true"]
    assert counts["loci"].tolist() == [6] * 4
    assert counts["causal"].nunique() == 1
    assert (counts["failed"] == 0).all()
    assert (counts["covered"] > 0.7 * counts["sets"]).all()
    rows = counts.set_index("prior")
    assert rows.loc["uniform", "weight"] == 0
    assert rows.loc["true", "weight"] == 1
    assert rows.loc["functional", "weight"] == rows.loc["shuffled", "weight"]
    sums = bins.groupby(["measure", "prior"])[["variants", "causal", "claimed"]].sum()
    assert (sums["variants"] == 6 * SIZE).all()
    assert (sums["causal"] == counts["causal"].iloc[0]).all()
    claimed = sums["claimed"]["pip"]
    assert (sums["claimed"]["pip_credible"] <= claimed + 1e-9).all()
    assert claimed["true"] != pytest.approx(claimed["uniform"], abs=1e-6)


def test_the_same_study_again_and_another_replicate(files, runs, tmp_path):
    again, other = made(files, tmp_path), made(files, tmp_path, replicate=1)
    assert Path(again["bins"]).read_bytes() == Path(runs[0]["bins"]).read_bytes()
    claimed = [CALIBRATE_BINS.read(one["bins"])["claimed"].to_numpy() for one in (again, other)]
    assert not np.allclose(*claimed)


def test_scores_that_mean_nothing_get_no_weight(runs):
    """With fewer loci than a prior can be tested on, all priors but the true one are the uniform one."""
    counts = CALIBRATE_COUNTS.read(runs[1]["counts"]).set_index("prior")
    assert counts["weight"].tolist() == [0, 0, 0, 1]
    assert counts.loc["functional", "sets"] == counts.loc["uniform", "sets"]
