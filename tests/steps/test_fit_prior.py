"""From scores, annotations and uniform fits on disk to estimates on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fineprior.files.tables import (
    ANNOTATIONS,
    COEFFICIENTS,
    ENRICHMENT,
    LOCUS_VARIANTS,
    PRIOR_STEPS,
    VERDICT,
)
from scored_study import SETTINGS, SIZE, TABLES, assigned, fitted_prior, given, inputs_of, study

pytestmark = pytest.mark.slow


def test_the_tables_say_what_was_estimated(fitted):
    enrichment, verdict = ENRICHMENT.read(fitted["enrichment"]), VERDICT.read(fitted["verdict"])
    assert enrichment["left_out"].tolist() == ["none", "chr1", "chr2", "chr3", "chr4"]
    assert enrichment["loci"].tolist() == [40, 30, 30, 30, 30]
    assert (enrichment["signals"] > enrichment["loci"]).all()
    assert (enrichment["weight"] > 0).all()
    assert enrichment["reason"].isna().all()
    assert verdict["prior"].tolist() == ["functional"]
    row = verdict.iloc[0]
    assert row["held_out_gain"] == pytest.approx(enrichment["held_out_gain"].sum(), rel=1e-5)
    assert row["held_out_gain"] > 3 > row["shuffled_gain"]
    assert row["sentence"].startswith("One standard deviation of the score multiplies the prior odds by")
    coefficients = COEFFICIENTS.read(fitted["coefficients"])
    assert coefficients["feature"].tolist() == ["score"] * 20
    assert coefficients["kind"].tolist() == ["score", "ramp", "ramp", "ramp"] * 5
    assert (coefficients["log_enrichment"] >= 0).all()
    assert (coefficients["standard_error"] > 0).all()


def test_refits_see_the_prior(fitted):
    """Signals fitted again under a prior are not those of the uniform one, so neither is what they say of it."""
    steps = PRIOR_STEPS.read(fitted["steps"]).set_index("step")
    before, after = (steps.loc[name, "unmixed_gain"] for name in ("shaped", "iterated"))
    assert 0 < abs(after - before) < 0.1 * before


def test_each_shuffle_is_another_one(tmp_path, monkeypatch):
    """The gain of shuffled scores is the mean of shuffles with a seed each."""
    files = study(tmp_path / "study", effect=3.0, loci=12)

    def shuffled_gain(shuffles, seed):
        monkeypatch.setattr("fineprior.priors.gains.SHUFFLES", shuffles)
        found = fitted_prior(files, tmp_path / f"{shuffles}_{seed}", replace(SETTINGS, rounds=0), seed=seed)
        return VERDICT.read(found["verdict"])["shuffled_gain"][0]

    each = [shuffled_gain(1, seed) for seed in (1, 2, 3)]
    assert len(set(each)) == 3
    assert shuffled_gain(3, 1) == pytest.approx(np.mean(each), rel=1e-5)  # tables hold seven digits


def test_one_feature_of_a_score_and_its_error(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("fineprior.priors.features.MAX_SHAPED", 0)
    found = fitted_prior(inputs_of(fitted), tmp_path / "gradual", replace(SETTINGS, rounds=0))
    assert PRIOR_STEPS.read(found["steps"])["step"].tolist() == ["marginal", "signals"]
    coefficients = COEFFICIENTS.read(found["coefficients"])
    assert coefficients["kind"].tolist() == ["score"] * 5
    assert (coefficients["log_enrichment"] / coefficients["standard_error"] > 3).all()


def test_the_steps_say_what_each_bought(fitted):
    steps = PRIOR_STEPS.read(fitted["steps"])
    assert steps["step"].tolist() == ["marginal", "signals", "shaped", "iterated"]
    assert steps["signals"][1] > steps["signals"][0] == 40
    used = steps[steps["used"]].iloc[0]
    assert used["held_out_gain"] == pytest.approx(VERDICT.read(fitted["verdict"])["held_out_gain"][0])
    reference = steps.loc[steps["step"].isin(["signals", "shaped"]), "held_out_gain"].max()
    np.testing.assert_allclose(steps["difference"], steps["held_out_gain"] - reference, atol=1e-4)
    assert not (steps["difference"] > steps["difference_error"]).any() or used["difference"] > 0


def test_annotations_enter_beside_the_score_and_controls_do_not(fitted, tmp_path):
    kinds = {"peak": "bed"}
    found = fitted_prior(inputs_of(fitted),
                         tmp_path / "with", replace(SETTINGS, rounds=0), kinds)  # fmt: skip
    steps = PRIOR_STEPS.read(found["steps"]).set_index("step")
    assert list(steps.index) == ["marginal", "signals", "annotations", "shaped"]
    assert steps["features"].tolist() == [1, 1, 2, 2]
    assert steps.loc["annotations", "held_out_gain"] > steps.loc["signals", "held_out_gain"]
    coefficients = COEFFICIENTS.read(found["coefficients"]).query("left_out == 'none'").set_index("feature")
    assert coefficients.loc["peak", "log_enrichment"] > 2 * coefficients.loc["peak", "standard_error"]
    settings = replace(SETTINGS, controls=["peak"], rounds=0)
    held = fitted_prior(inputs_of(fitted),
                        tmp_path / "control", settings, kinds)  # fmt: skip
    table = COEFFICIENTS.read(held["coefficients"])
    assert table.groupby("prior")["feature"].unique().map(list).to_dict() == {"functional": ["score"], "peak": ["peak"]}
    prior = assigned(held, "peak", tmp_path / "peak.tsv.gz", settings=settings, kinds=kinds)
    both = prior.merge(ANNOTATIONS.read(fitted["annotations"][0]), on=["locus", "variant_id"])
    means = both.groupby("peak")["prior"].mean()
    assert means[1] > 1.5 * means[0]


def test_tracks_may_enter_one_by_one(fitted, tmp_path):
    files = inputs_of(fitted)
    found = fitted_prior(files, tmp_path / "tracks", replace(SETTINGS, scores="tracks", rounds=0))
    rows = COEFFICIENTS.read(found["coefficients"]).query("left_out == 'none'")
    sums = rows.groupby("feature")["log_enrichment"].sum()
    assert sums["dnase.l2"] > 0.5 > sums["rna.l2"]


def test_the_reason_is_that_of_the_weight_where_a_fold_alone_has_too_few_loci(tmp_path):
    found = fitted_prior(study(tmp_path / "study", effect=3.0, loci=12), tmp_path, replace(SETTINGS, rounds=0))
    enrichment = ENRICHMENT.read(found["enrichment"])
    assert enrichment["loci"].tolist() == [12, 9, 9, 9, 9]
    assert (enrichment["weight"] > 0).all()
    assert enrichment["reason"].isna().all()


def test_the_fit_does_not_depend_on_the_batches_or_the_workers(fitted, tmp_path):
    found = fitted_prior(study(tmp_path / "study", batches=5), tmp_path, workers=2)
    for name in TABLES:
        assert Path(found[name]).read_bytes() == Path(fitted[name]).read_bytes(), name


def test_a_given_score_goes_through_the_enrichment(fitted, tmp_path):
    _, outputs = given(fitted, tmp_path / "g", lambda score: {"given": -score}, source="given", given_as="score")
    found, own = (COEFFICIENTS.read(path) for path in (outputs["coefficients"], fitted["coefficients"]))
    assert found["feature"].unique().tolist() == ["given"]
    np.testing.assert_allclose(found["log_enrichment"], own["log_enrichment"], rtol=1e-5)


def test_a_given_prior_of_0_is_remarked_on(fitted, tmp_path):
    """Of the first variant of each locus, whether or not it is the strongest."""
    zeros = lambda score: {"given": np.where(np.arange(len(score)) % SIZE == 0, 0.0, score)}  # noqa: E731
    table, outputs = given(fitted, tmp_path / "g", zeros, source="given", max_ratio=50.0)
    sentence = VERDICT.read(outputs["verdict"])["sentence"][0]
    frames = [LOCUS_VARIANTS.read(path) for path in fitted["variants"]]
    strongest = sum(int(rows["z"].abs().argmax() == 0) for frame in frames for _, rows in frame.groupby("locus"))
    loci, count = sum(frame["locus"].nunique() for frame in frames), sum(map(len, frames))
    assert f"gives {loci} of {count} variants a weight of 0, {strongest} of them the strongest of their" in sentence
    assert "1/50 of the largest of its locus, so that no prior is 0" in sentence
    assert (table["prior"] > 0).all()
    _, outputs = given(fitted, tmp_path / "h", lambda score: {"given": score}, source="given", max_ratio=50.0)
    assert "a weight of 0" not in VERDICT.read(outputs["verdict"])["sentence"][0]
