"""A simulated study through the pipeline's own steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibrate_study import SIZE, study_files, study_panel
from fineprior.files.errors import InputError
from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS, LOCUS_VARIANTS
from fineprior.genotypes.ld_store import read_ld, write_ld
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.steps.calibrate import calibrate

pytestmark = pytest.mark.slow
FINEMAP = FinemapSettings(max_effects=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return study_files(tmp_path_factory.mktemp("study"))


def made(files, folder, scenario="enrichment_30", replicate=0, question="in_sample", **change):
    given = {"settings": CalibrateSettings(), "priors": PriorSettings(rounds=0), "kinds": {}, "seed": 1} | change
    paths = {kind: str(folder / f"{question}.{scenario}.{replicate}.{kind}.tsv") for kind in ("counts", "bins")}
    given |= {"question": question, "scenario": scenario, "replicate": replicate}
    own = {name: value for name, value in vars(files).items() if name != "diagnoses"}
    calibrate(finemap=FINEMAP, signals=FINEMAP, **own, **paths, **given)
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


@pytest.fixture(scope="module")
def of_panels(files, tmp_path_factory):
    """The first study under in_sample, and with a panel that has drifted far and one that has not."""
    folder = tmp_path_factory.mktemp("of_panels")
    panel = study_panel(files, folder / "panel")
    settings = CalibrateSettings(fst=0.05)
    return {question: made(files, folder, question=question, panel=panel, settings=settings)
            for question in ("in_sample", "panel", "undrifted_panel")}  # fmt: skip


def test_the_questions_have_one_truth_and_a_panel_of_the_size_and_the_drift_of_theirs(runs, of_panels):
    tables = {question: CALIBRATE_COUNTS.read(paths["counts"]) for question, paths in of_panels.items()}
    assert Path(of_panels["in_sample"]["bins"]).read_bytes() == Path(runs[0]["bins"]).read_bytes()
    assert {tuple(table["causal"]) for table in tables.values()} == {tuple(tables["in_sample"]["causal"])}
    sizes = {question: set(table["panel_size"]) for question, table in tables.items()}
    assert (sizes["panel"], sizes["undrifted_panel"]) == ({400.0}, {400.0})
    assert tables["in_sample"][["panel_size", "fst"]].isna().all(axis=None)
    assert [set(tables[question]["fst"]) for question in ("panel", "undrifted_panel")] == [{0.05}, {0.0}]
    claimed = [CALIBRATE_BINS.read(paths["bins"])["claimed"].to_numpy() for paths in of_panels.values()]
    assert not np.allclose(claimed[0], claimed[2])
    assert not np.allclose(claimed[1], claimed[2])


def test_a_panel_of_unknown_size_cannot_be_drawn(files, tmp_path):
    unknown = str(tmp_path / "unknown.npz")
    names = LOCUS_VARIANTS.read(files.variants[0])["locus"].unique()
    write_ld(unknown, [read_ld(files.ld[0], str(name)) for name in names])
    with pytest.raises(InputError, match=r"calibrate.ld: panel needs the size of the panel, which .*unknown.npz does"):
        made(replace(files, ld=[unknown, files.ld[1]]), tmp_path, question="panel")
