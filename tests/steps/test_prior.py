"""From scores on disk to priors on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import PriorSettings
from fineprior.foundation.tables import ENRICHMENT, LOCUS_VARIANTS, PRIOR, SCORES, VERDICT
from fineprior.priors.strength import cross_fit
from fineprior.steps import prior
from fineprior.steps.prior import assign_prior, fit_prior

SETTINGS = PriorSettings()
SIZE = 40


def locus(number, effect):
    """One locus with one causal variant, chosen by `effect` times the log score; its variants and its scores."""
    rng = np.random.default_rng(number)
    chrom = f"chr{1 + number % 4}"
    pos = 1000 * number + np.arange(SIZE)
    ids = [f"{chrom}:{p}:A:C" for p in pos]
    strength = rng.standard_normal(SIZE)
    odds = np.exp(effect * strength)
    z = rng.standard_normal(SIZE)
    z[rng.choice(SIZE, p=odds / odds.sum())] += 7
    frame = pd.DataFrame({"locus": f"{chrom}_{pos[0]}", "variant_id": ids, "chrom": chrom, "pos": pos})
    frame = frame.assign(ref="A", alt="C", status="scored", score=np.exp(strength), z=z, beta=z / 50, se=0.02,
                         neg_log10_p=1.0, eaf=0.3, n=1000.0, panel_af=0.3, panel_index=pos)  # fmt: skip
    frame.loc[3, ["score", "status"]] = [np.nan, "indel"]
    return frame


def study(folder, batches=2, effect=1.5, loci=40):
    """Write the batches of a study; return the files of variants and of scores."""
    folder.mkdir()
    made = [locus(number, effect) for number in range(loci)]
    paths = []
    for batch in range(batches):
        mine = [frame for number, frame in enumerate(made) if number % batches == batch]
        frame = pd.concat(mine) if mine else made[0].iloc[:0]
        paths.append((str(folder / f"{batch}.tsv.gz"), str(folder / f"{batch}.scores.tsv.gz")))
        LOCUS_VARIANTS.write(frame[LOCUS_VARIANTS.names], paths[-1][0])
        SCORES.write(frame[SCORES.names], paths[-1][1])
    return [variants for variants, _ in paths], [scores for _, scores in paths]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prior")
    variants, scores = study(folder / "study")
    tables = {"enrichment": str(folder / "enrichment.tsv"), "verdict": str(folder / "verdict.tsv")}
    fit_prior(variants=variants, scores=scores, settings=SETTINGS, **tables)
    return {"variants": variants, "scores": scores, **tables}


def assigned(fitted, name, output, batch=0, seed=1, **change):
    files = {"variants": fitted["variants"][batch], "scores": fitted["scores"][batch]}
    files |= {"enrichment": fitted["enrichment"], "verdict": fitted["verdict"]} | change
    assign_prior(prior=name, output=str(output), settings=SETTINGS, seed=seed, **files)
    return PRIOR.read(output)


def test_the_tables_say_what_was_estimated(fitted):
    enrichment, verdict = ENRICHMENT.read(fitted["enrichment"]), VERDICT.read(fitted["verdict"]).iloc[0]
    assert enrichment["left_out"].tolist() == ["none", "chr1", "chr2", "chr3", "chr4"]
    assert enrichment["loci"].tolist() == [40, 30, 30, 30, 30]
    assert verdict["log_enrichment"] == enrichment["log_enrichment"].iloc[0]
    assert verdict["held_out_gain"] == pytest.approx(enrichment["held_out_gain"].sum())
    assert np.isnan(enrichment["held_out_gain"].iloc[0])
    assert verdict["weight"] > 0
    assert verdict["sentence"].startswith("One standard deviation of the score multiplies the prior odds by")


def test_the_fit_does_not_depend_on_the_batches(fitted, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(prior, "cross_fit", lambda scores, *rest: seen.append(scores) or cross_fit(scores, *rest))
    for batches in (1, 5):
        variants, scores = study(tmp_path / str(batches), batches=batches)
        outputs = {"enrichment": str(tmp_path / f"{batches}.e.tsv"), "verdict": str(tmp_path / f"{batches}.v.tsv")}
        fit_prior(variants=variants, scores=scores, settings=SETTINGS, **outputs)
        for name, path in outputs.items():
            assert Path(path).read_bytes() == Path(fitted[name]).read_bytes()
    np.testing.assert_array_equal(seen[0], seen[1])


def test_functional_prior_follows_the_scores_within_a_locus(fitted, tmp_path):
    table = assigned(fitted, "functional", tmp_path / "prior.tsv.gz")
    variants = LOCUS_VARIANTS.read(fitted["variants"][0])
    assert table["variant_id"].tolist() == variants["variant_id"].tolist()
    enrichment = ENRICHMENT.read(fitted["enrichment"]).set_index("left_out").loc[variants["chrom"]]
    half = table["score"].to_numpy() / (table["score"].to_numpy() + enrichment["score_scale"].to_numpy())
    expected = (half - enrichment["score_mean"]) / enrichment["score_sd"] * enrichment["log_enrichment"]
    np.testing.assert_allclose(table["log_odds"], expected.fillna(0), rtol=1e-5, atol=1e-6)
    for _, rows in table.groupby("locus"):
        assert rows["prior"].sum() == pytest.approx(1, abs=1e-5)
        ranked = rows.dropna(subset="score").sort_values("score")
        assert (np.diff(ranked["prior"]) >= 0).all()
        missing = rows[rows["score"].isna()]
        assert missing["prior"].tolist() == [pytest.approx(1 / SIZE)]
        assert missing["log_odds"].tolist() == [0]


def test_shuffled_prior_has_the_same_priors_on_other_variants(fitted, tmp_path):
    functional = assigned(fitted, "functional", tmp_path / "functional.tsv.gz")
    shuffled = assigned(fitted, "shuffled", tmp_path / "shuffled.tsv.gz")
    assert (shuffled["score"] - functional["score"]).abs().gt(0).mean() > 0.8
    for name, rows in shuffled.groupby("locus"):
        before = functional[functional["locus"] == name]
        for column in ("score", "prior", "log_odds"):
            np.testing.assert_allclose(np.sort(rows[column]), np.sort(before[column]), rtol=1e-6)
    assigned(fitted, "shuffled", tmp_path / "again.tsv.gz")
    assert (tmp_path / "again.tsv.gz").read_bytes() == (tmp_path / "shuffled.tsv.gz").read_bytes()
    assert not assigned(fitted, "shuffled", tmp_path / "seed.tsv.gz", seed=2).equals(shuffled)


def test_uniform_prior_needs_no_scores(fitted, tmp_path):
    output = str(tmp_path / "prior.tsv.gz")
    assign_prior(prior="uniform", variants=fitted["variants"][0], output=output)
    table = PRIOR.read(output)
    np.testing.assert_allclose(table["prior"], 1 / SIZE)
    assert table["score"].isna().all()
    assert (table["log_odds"] == 0).all()


def test_without_support_every_prior_is_uniform(tmp_path):
    variants, scores = study(tmp_path / "study", effect=0.0)
    tables = {"enrichment": str(tmp_path / "e.tsv"), "verdict": str(tmp_path / "v.tsv")}
    fit_prior(variants=variants, scores=scores, settings=SETTINGS, **tables)
    table = assigned({"variants": variants, "scores": scores, **tables}, "functional", tmp_path / "prior.tsv.gz")
    np.testing.assert_allclose(table["prior"], 1 / SIZE)
    assert "the prior stays uniform because" in VERDICT.read(tables["verdict"])["sentence"].iloc[0]


def test_a_study_on_one_chromosome_stays_uniform(tmp_path):
    variants, scores = study(tmp_path / "study", batches=4, loci=12)
    one = {"variants": variants[:1], "scores": scores[:1]}
    tables = {"enrichment": str(tmp_path / "e.tsv"), "verdict": str(tmp_path / "v.tsv")}
    fit_prior(**one, settings=SETTINGS, **tables)
    assert "on one chromosome" in VERDICT.read(tables["verdict"])["sentence"].iloc[0]
    assert (assigned(one | tables, "functional", tmp_path / "prior.tsv.gz")["prior"] == 1 / SIZE).all()


def test_a_study_without_loci_and_an_empty_batch(tmp_path):
    variants, scores = study(tmp_path / "study", batches=2, loci=1)
    empty = {"variants": variants[1:], "scores": scores[1:]}
    tables = {"enrichment": str(tmp_path / "e.tsv"), "verdict": str(tmp_path / "v.tsv")}
    fit_prior(**empty, settings=SETTINGS, **tables)
    assert VERDICT.read(tables["verdict"])["weight"].tolist() == [0]
    assert ENRICHMENT.read(tables["enrichment"])["left_out"].tolist() == ["none"]
    for name in ("uniform", "functional", "shuffled"):
        assert assigned(empty | tables, name, tmp_path / f"{name}.tsv.gz").empty


def test_refusals(fitted, tmp_path):
    output = tmp_path / "prior.tsv.gz"
    with pytest.raises(InputError, match="prior 'flat' is unknown; allowed: uniform, functional, shuffled"):
        assigned(fitted, "flat", output)
    with pytest.raises(InputError, match="functional prior needs scores, enrichment, verdict and settings"):
        assigned(fitted, "functional", output, scores=None)
    with pytest.raises(InputError, match=r"1.scores.tsv.gz: variant chr\d.* has no row"):
        assigned(fitted, "functional", output, scores=fitted["scores"][1])
    fewer = tmp_path / "fewer.tsv"
    ENRICHMENT.write(ENRICHMENT.read(fitted["enrichment"]).query("left_out != 'chr3'"), fewer)
    with pytest.raises(
        InputError, match=r"fewer.tsv: no estimate that leaves out chromosome chr3; there are none, chr1"
    ):
        assigned(fitted, "functional", output, enrichment=str(fewer))
    with pytest.raises(InputError, match="2 files of variants and 1 of scores"):
        fit_prior(variants=fitted["variants"], scores=fitted["scores"][:1], settings=SETTINGS,
                  enrichment=str(output), verdict=str(output))  # fmt: skip
    assert not output.exists()


def test_a_variant_without_z_is_named(fitted, tmp_path):
    frame = LOCUS_VARIANTS.read(fitted["variants"][0])
    frame.loc[5, "z"] = np.nan
    LOCUS_VARIANTS.write(frame, tmp_path / "variants.tsv.gz")
    with pytest.raises(InputError, match=r"variants.tsv.gz: z of variant chr1:5:A:C is nan"):
        assigned(fitted, "functional", tmp_path / "prior.tsv.gz", variants=str(tmp_path / "variants.tsv.gz"))


def test_effect_variance_uses_the_standard_errors(fitted, tmp_path):
    outputs = {"enrichment": str(tmp_path / "e.tsv"), "verdict": str(tmp_path / "v.tsv")}
    fit_prior(variants=fitted["variants"], scores=fitted["scores"],
              settings=PriorSettings(effect_variance=0.04), **outputs)  # fmt: skip
    default, given = (VERDICT.read(path)["log_enrichment"].iloc[0] for path in (fitted["verdict"], outputs["verdict"]))
    assert given != default
    assert given == pytest.approx(default, abs=0.1)
