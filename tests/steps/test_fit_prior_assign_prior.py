"""From estimates on disk to priors on disk."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import (
    COEFFICIENTS,
    ENRICHMENT,
    LOCUS_VARIANTS,
    PRIOR,
    PRIOR_STEPS,
    SCORES,
    VERDICT,
)
from fineprior.steps.fit_prior import assign_prior
from scored_study import SETTINGS, SIZE, assigned, fitted_prior, given, inputs_of, study

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("ramps_up_to", "used"), [(5, "shaped"), (0, "iterated")])
def test_a_chromosome_never_informs_its_own_log_odds(fitted, tmp_path, monkeypatch, ramps_up_to, used):
    """All that is used on a chromosome was made without it, but for the study's one weight and one step."""
    monkeypatch.setattr("fineprior.priors.features.MAX_SHAPED", ramps_up_to)
    monkeypatch.setattr(
        "fineprior.priors.estimate.chosen",
        lambda steps, reference: next(step for step in steps if step.name == used),
    )
    fitted = fitted_prior(inputs_of(fitted), tmp_path / "before")
    planted = fitted_prior(study(tmp_path / "study", planted="chr2"), tmp_path)
    for name, table in (("enrichment", ENRICHMENT), ("coefficients", COEFFICIENTS)):
        before, after = (table.read(files[name]).drop(columns=["held_out_gain", "weight", "reason"], errors="ignore")
                         .set_index("left_out") for files in (fitted, planted))  # fmt: skip
        pd.testing.assert_frame_equal(before.loc[["chr2"]], after.loc[["chr2"]])
        assert not before.loc[["chr1"]].equals(after.loc[["chr1"]])
    for prior in ("functional", "shuffled"):
        one, two = (assigned(files, prior, tmp_path / f"{prior}.{number}.tsv.gz", batch=1)
                    .drop(columns=["weight", "prior"]) for number, files in enumerate((fitted, planted)))  # fmt: skip
        here = one["variant_id"].str.startswith("chr2:")
        pd.testing.assert_frame_equal(one[here], two[here])
        assert not one[~here].equals(two[~here])


def test_functional_prior_follows_the_scores_within_a_locus(fitted, tmp_path):
    table = assigned(fitted, "functional", tmp_path / "prior.tsv.gz")
    variants = LOCUS_VARIANTS.read(fitted["variants"][0])
    assert table["variant_id"].tolist() == variants["variant_id"].tolist()
    expected = np.zeros(len(table))
    for _, rows in COEFFICIENTS.read(fitted["coefficients"]).groupby(["kind", "scale"]):
        each = rows.set_index("left_out").loc[variants["chrom"]].reset_index()
        power = np.where(each["kind"] == "ramp", 4, 1)
        t = table["score"] ** power / (table["score"] ** power + each["scale"] ** power)
        expected += (t - each["mean"]) / each["sd"] * each["log_enrichment"]
    np.testing.assert_allclose(table["log_odds"], expected.fillna(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        table["prior"], table["weight"] * table["softmax"] + (1 - table["weight"]) / SIZE, rtol=1e-5
    )
    for _, one in table.groupby("locus"):
        assert one["prior"].sum() == pytest.approx(1, abs=1e-5)
        ranked = one.dropna(subset="score").sort_values("score")
        assert (np.diff(ranked["prior"]) >= 0).all()
        missing = one[one["score"].isna()]
        assert missing["prior"].tolist() == [pytest.approx(1 / SIZE)]
        assert missing["log_odds"].tolist() == [0]


def test_shuffled_prior_has_the_same_priors_on_other_variants(fitted, tmp_path):
    functional = assigned(fitted, "functional", tmp_path / "functional.tsv.gz")
    shuffled = assigned(fitted, "shuffled", tmp_path / "shuffled.tsv.gz")
    assert (shuffled["score"] - functional["score"]).abs().gt(0).mean() > 0.6
    for name, rows in shuffled.groupby("locus"):
        before = functional[functional["locus"] == name]
        for column in ("score", "prior", "log_odds"):
            np.testing.assert_allclose(np.sort(rows[column]), np.sort(before[column]), rtol=1e-6)
    assigned(fitted, "shuffled", tmp_path / "again.tsv.gz")
    assert (tmp_path / "again.tsv.gz").read_bytes() == (tmp_path / "shuffled.tsv.gz").read_bytes()
    assert not assigned(fitted, "shuffled", tmp_path / "seed.tsv.gz", seed=2).equals(shuffled)


def test_uniform_prior_needs_nothing_else(fitted, tmp_path):
    output = str(tmp_path / "prior.tsv.gz")
    assign_prior(prior="uniform", variants=fitted["variants"][0], output=output)
    table = PRIOR.read(output)
    np.testing.assert_allclose(table["prior"], 1 / SIZE)
    assert table["score"].isna().all()
    assert (table["log_odds"] == 0).all()


def test_a_given_prior_is_proportional_to_its_column(fitted, tmp_path):
    table, outputs = given(fitted, tmp_path / "g", lambda score: {"given": score}, source="given", max_ratio=0.0)
    assert VERDICT.read(outputs["verdict"])["weight"][0] > 0
    known = table.dropna(subset="score")
    ratio = known["softmax"] / known["score"]
    assert (ratio.groupby(known["locus"]).std() < 1e-5 * ratio.groupby(known["locus"]).mean()).all()
    assert COEFFICIENTS.read(outputs["coefficients"])["feature"].unique().tolist() == ["prior"]
    assert PRIOR_STEPS.read(outputs["steps"])["step"].tolist() == ["signals"]


def test_a_useless_given_prior_is_not_used(fitted, tmp_path):
    rng = np.random.default_rng(1)
    table, outputs = given(
        fitted, tmp_path / "g", lambda score: {"given": rng.lognormal(size=len(score))}, source="given"
    )
    verdict = VERDICT.read(outputs["verdict"]).iloc[0]
    assert verdict["weight"] == 0
    assert "the prior stays uniform because" in verdict["sentence"]
    np.testing.assert_allclose(table["prior"], 1 / SIZE)


def test_supervised_probabilities_are_moved_to_the_base_rate(fitted, tmp_path):
    def values(score):
        p = (score / (score + 1)).clip(0.01, 0.99)
        return {"probability": p, "training_rate": 0.5}

    table, _ = given(fitted, tmp_path / "s", values, source="supervised", max_ratio=0.0)
    rate, known = 1.8 / SIZE, table.dropna(subset="score")
    p = SCORES.read(fitted["scores"][0]).loc[known.index, "score"]
    odds = (p / (p + 1)).clip(0.01, 0.99)
    odds = odds / (1 - odds) * rate / (1 - rate)
    np.testing.assert_allclose(known["score"], odds / (1 + odds), rtol=1e-5)
    ratio = known["softmax"] / known["score"]
    assert (ratio.groupby(known["locus"]).std() < 1e-5 * ratio.groupby(known["locus"]).mean()).all()


def test_without_support_every_prior_is_uniform(tmp_path):
    files = study(tmp_path / "study", effect=0.0)
    found = fitted_prior(files, tmp_path)
    table = assigned(found, "functional", tmp_path / "prior.tsv.gz")
    np.testing.assert_allclose(table["prior"], 1 / SIZE)
    assert "the prior stays uniform because" in VERDICT.read(found["verdict"])["sentence"].iloc[0]


def test_a_study_on_one_chromosome_stays_uniform(tmp_path):
    files = study(tmp_path / "study", batches=4, loci=12)
    found = fitted_prior({name: paths[:1] for name, paths in files.items()}, tmp_path, remark="There is no panel.")
    sentence = VERDICT.read(found["verdict"])["sentence"].iloc[0]
    assert "too few chromosomes" in sentence
    assert sentence.endswith(". There is no panel.")
    assert (assigned(found, "functional", tmp_path / "prior.tsv.gz")["prior"] == 1 / SIZE).all()


def test_a_study_without_loci_and_an_empty_batch(tmp_path):
    files = study(tmp_path / "study", batches=2, loci=1)
    found = fitted_prior({name: paths[1:] for name, paths in files.items()}, tmp_path)
    assert VERDICT.read(found["verdict"])["weight"].tolist() == [0]
    assert ENRICHMENT.read(found["enrichment"])["left_out"].tolist() == ["none"]
    for name in ("uniform", "functional", "shuffled"):
        assert assigned(found, name, tmp_path / f"{name}.tsv.gz").empty


def test_refusals(fitted, tmp_path):
    output = tmp_path / "prior.tsv.gz"
    with pytest.raises(InputError, match="prior 'flat' is unknown; allowed: uniform, functional, shuffled"):
        assigned(fitted, "flat", output)
    with pytest.raises(InputError, match="functional prior needs enrichment, coefficients and settings"):
        assigned(fitted, "functional", output, coefficients=None)
    with pytest.raises(InputError, match="the source enrichment needs scores"):
        assigned(fitted, "functional", output, scores=None)
    with pytest.raises(InputError, match="annotations of the variants are needed: given"):
        assigned(fitted, "functional", output, settings=replace(SETTINGS, source="given"))
    with pytest.raises(InputError, match=r"1.scores.tsv.gz: variant chr\d.* has no row"):
        assigned(fitted, "functional", output, scores=fitted["scores"][1])
    fewer = tmp_path / "fewer.tsv"
    COEFFICIENTS.write(COEFFICIENTS.read(fitted["coefficients"]).query("left_out != 'chr3'"), fewer)
    with pytest.raises(
        InputError, match="no estimate of functional that leaves out chromosome chr3; there are none, chr1"
    ):
        assigned(fitted, "functional", output, coefficients=str(fewer))
    with pytest.raises(
        InputError, match="2 files of variants; fits, LD, scores, annotations and diagnoses must be as many"
    ):
        fitted_prior(fitted, tmp_path, scores=fitted["scores"][:1])
    assert not output.exists()


def test_what_is_wrong_with_a_variant_is_named(fitted, tmp_path):
    frame = LOCUS_VARIANTS.read(fitted["variants"][0])
    frame.loc[5, "z"] = np.nan
    LOCUS_VARIANTS.write(frame, tmp_path / "variants.tsv.gz")
    with pytest.raises(InputError, match=r"variants.tsv.gz: z of variant chr1:5:A:C is nan"):
        assigned(fitted, "functional", tmp_path / "prior.tsv.gz", variants=str(tmp_path / "variants.tsv.gz"))
    scores = SCORES.read(fitted["scores"][0])
    scores.loc[7, "score"] = -2
    SCORES.write(scores, tmp_path / "scores.tsv.gz")
    with pytest.raises(InputError, match=r"scores.tsv.gz: score -2 of variant chr1:7:A:C; it is a magnitude"):
        assigned(fitted, "functional", tmp_path / "prior.tsv.gz", scores=str(tmp_path / "scores.tsv.gz"))
