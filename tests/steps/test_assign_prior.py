"""From scores, annotations and uniform fits on disk to priors on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import (
    ANNOTATIONS,
    COEFFICIENTS,
    ENRICHMENT,
    LOCUS_VARIANTS,
    PRIOR,
    PRIOR_STEPS,
    SCORES,
    VERDICT,
)
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps.assign_prior import annotate_variants, assign_prior, fit_prior
from fineprior.steps.find_signals import find_signals

pytestmark = pytest.mark.slow
SETTINGS = PriorSettings(rounds=1)
FINEMAP = FinemapSettings(ld="in_sample", max_effects=3)
SIZE = 40
TABLES = ("enrichment", "coefficients", "verdict", "steps")


def locus(number, effect, planted=False):
    """One locus with one or two causal variants, chosen by `effect` times the log score; its variants and scores."""
    rng = np.random.default_rng(number)
    chrom = f"chr{1 + number % 4}"
    pos = 1000 * number + np.arange(SIZE)
    ids = [f"{chrom}:{p}:A:C" for p in pos]
    strength, peak = rng.standard_normal(SIZE), rng.random(SIZE) < 0.2
    odds = np.exp(effect * strength + 1.5 * peak)
    z = rng.standard_normal(SIZE)
    z[rng.choice(SIZE, 1 + number % 2, replace=False, p=odds / odds.sum())] += 7
    if planted:
        z = 1 - z[::-1]
    frame = pd.DataFrame({"locus": f"{chrom}_{pos[0]}", "variant_id": ids, "chrom": chrom, "pos": pos})
    frame = frame.assign(ref="A", alt="C", status="scored", score=np.exp(strength), peak=peak.astype(float), z=z,
                         beta=z / 50, se=0.02, neg_log10_p=1.0, eaf=rng.uniform(0.05, 0.95, SIZE), n=1000.0,
                         panel_af=0.3, panel_index=pos)  # fmt: skip
    frame["dnase.l2"], frame["rna.l2"] = frame["score"], rng.lognormal(size=SIZE)
    frame.loc[3, ["score", "status", "dnase.l2", "rna.l2"]] = [np.nan, "indel", np.nan, np.nan]
    return frame


def study(folder, batches=2, effect=1.5, loci=40, planted=""):
    """Write the batches of a study, with their signals; return the files that fit_prior reads."""
    folder.mkdir()
    made = [locus(number, effect, planted == f"chr{1 + number % 4}") for number in range(loci)]
    files = {"variants": [], "scores": [], "annotations": [], "fits": [], "ld": []}
    suffixes = {"fits": ".fits.npz", "ld": ".npz"}
    for batch in range(batches):
        mine = [frame for number, frame in enumerate(made) if number % batches == batch]
        frame = pd.concat(mine) if mine else made[0].iloc[:0]
        paths = {name: str(folder / f"{batch}.{name}{suffixes.get(name, '.tsv.gz')}") for name in files}
        for name, path in paths.items():
            files[name].append(path)
        LOCUS_VARIANTS.write(frame[LOCUS_VARIANTS.names], paths["variants"])
        SCORES.write(frame[[*SCORES.names, "dnase.l2", "rna.l2"]], paths["scores"])
        ANNOTATIONS.write(frame[["locus", "variant_id", "peak"]], paths["annotations"])
        eye = np.eye(SIZE, dtype=np.float32)
        write_ld(paths["ld"], [LocusLd(one["locus"].iloc[0], eye, one["variant_id"].to_numpy(np.str_)) for one in mine])
        find_signals(variants=paths["variants"], ld=paths["ld"], output=paths["fits"], settings=FINEMAP)
    return files


def inputs_of(fitted):
    return {name: fitted[name] for name in ("variants", "scores", "annotations", "fits", "ld")}


def fitted_prior(files, folder, settings=SETTINGS, kinds=None, seed=1, **change):
    folder.mkdir(exist_ok=True)
    outputs = {name: str(folder / f"{name}.tsv") for name in TABLES}
    files = {name: files[name] for name in ("variants", "scores", "annotations", "fits", "ld")}
    inputs = files | {"annotations": files["annotations"] if kinds else None} | change
    fit_prior(**inputs, kinds=kinds or {}, settings=settings, finemap=FINEMAP, seed=seed, **outputs)
    return files | outputs


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prior")
    return fitted_prior(study(folder / "study"), folder)


def assigned(fitted, name, output, batch=0, seed=1, settings=SETTINGS, kinds=None, **change):
    files = {key: fitted[key][batch] for key in ("variants", "scores", "ld")}
    files |= {"annotations": fitted["annotations"][batch] if kinds else None}
    files |= {key: fitted[key] for key in ("enrichment", "coefficients")} | change
    assign_prior(prior=name, output=str(output), settings=settings, seed=seed, kinds=kinds or {}, **files)
    return PRIOR.read(output)


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
        monkeypatch.setattr("fineprior.steps.prior_fit.SHUFFLES", shuffles)
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


@pytest.mark.parametrize(("ramps_up_to", "used"), [(5, "shaped"), (0, "iterated")])
def test_a_chromosome_never_informs_its_own_log_odds(fitted, tmp_path, monkeypatch, ramps_up_to, used):
    """All that is used on a chromosome was made without it, but for the study's one weight and one step."""
    monkeypatch.setattr("fineprior.priors.features.MAX_SHAPED", ramps_up_to)
    monkeypatch.setattr(
        "fineprior.steps.prior_fit.chosen_step",
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


def test_the_fit_does_not_depend_on_the_batches_or_the_workers(fitted, tmp_path):
    found = fitted_prior(study(tmp_path / "study", batches=5), tmp_path, workers=2)
    for name in TABLES:
        assert Path(found[name]).read_bytes() == Path(fitted[name]).read_bytes(), name


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


def given(fitted, folder, values, **settings):
    """The study with a column of the user's own; the functional prior of its first batch."""
    files = {name: list(fitted[name]) for name in ("variants", "annotations", "fits", "ld")} | {"scores": None}
    folder.mkdir()
    for number, variants in enumerate(fitted["variants"]):
        frame = LOCUS_VARIANTS.read(variants)[["locus", "variant_id"]]
        scores = SCORES.read(fitted["scores"][number])["score"]
        files["annotations"][number] = str(folder / f"{number}.tsv.gz")
        ANNOTATIONS.write(frame.assign(**values(scores)), files["annotations"][number])
    settings = replace(SETTINGS, **settings)
    outputs = {name: str(folder / f"{name}.tsv") for name in TABLES}
    fit_prior(**files, kinds={}, settings=settings, finemap=FINEMAP, seed=1, **outputs)
    output = folder / "prior.tsv.gz"
    assign_prior(prior="functional", variants=files["variants"][0], annotations=files["annotations"][0], kinds={},
                 enrichment=outputs["enrichment"], coefficients=outputs["coefficients"], output=str(output),
                 settings=settings)  # fmt: skip
    return PRIOR.read(output), outputs


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


def test_a_given_score_goes_through_the_enrichment(fitted, tmp_path):
    _, outputs = given(fitted, tmp_path / "g", lambda score: {"given": -score}, source="given", given_as="score")
    found, own = (COEFFICIENTS.read(path) for path in (outputs["coefficients"], fitted["coefficients"]))
    assert found["feature"].unique().tolist() == ["given"]
    np.testing.assert_allclose(found["log_enrichment"], own["log_enrichment"], rtol=1e-5)


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


def test_annotations_of_a_batch(fitted, tmp_path):
    frame = LOCUS_VARIANTS.read(fitted["variants"][0])
    pos = int(frame["pos"][5])
    (tmp_path / "peaks.bed").write_text(f"{frame['chrom'][5]}\t{pos - 1}\t{pos}\n")
    frame[["variant_id"]].assign(p=0.25).to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    source = {"source": "supervised", "supervised": str(tmp_path / "q.tsv"), "training_rate": 0.1}
    frame[["variant_id"]].assign(probability=0.5).to_csv(tmp_path / "q.tsv", sep="\t", index=False)
    rows = [{"name": "peaks", "kind": "bed", "path": str(tmp_path / "peaks.bed"), "column": ""},
            {"name": "tss", "kind": "tss", "path": str(tmp_path / "peaks.bed"), "column": ""},
            {"name": "cadd", "kind": "value", "path": str(tmp_path / "p.tsv"), "column": "p"}]  # fmt: skip
    annotate_variants(variants=fitted["variants"][0], output=str(tmp_path / "a.tsv.gz"), rows=rows, source=source)
    table = ANNOTATIONS.read(tmp_path / "a.tsv.gz")
    assert list(table)[2:] == ["peaks", "tss", "cadd", "probability", "training_rate"]
    assert (table["peaks"].sum(), table["tss"][5]) == (1, 0)
    assert (table["cadd"].eq(0.25).all(), table["training_rate"].eq(0.1).all()) == (True, True)
    known = source | {"supervised": ""}
    annotate_variants(variants=fitted["variants"][0], output=str(tmp_path / "b.tsv.gz"), rows=rows, source=known,
                      causal=str(tmp_path / "q.tsv"))  # fmt: skip
    assert (tmp_path / "b.tsv.gz").read_bytes() == (tmp_path / "a.tsv.gz").read_bytes()


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
    with pytest.raises(InputError, match="2 files of variants; fits, LD, scores and annotations must be as many"):
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
