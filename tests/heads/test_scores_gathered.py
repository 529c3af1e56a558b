import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import VARIANT_SCORES
from fineprior.heads.scores import Components, gathered_scores, quantiles
from fineprior.project.settings import ScoreSettings

RNG = np.random.default_rng(1)


def test_quantiles_by_hand():
    found = quantiles(np.array([0.0, 1.0, 1.5, 3.0, 9.0, np.nan]), np.array([1.0, 3.0, 2.0, 1.0]))
    assert found[:5] == pytest.approx([0, 0.25, 0.5, 0.875, 1])
    assert np.isnan(found[5])
    assert np.isnan(quantiles(np.array([1.0]), np.array([]))).all()


def test_components_are_those_of_a_singular_value_decomposition():
    scores = RNG.normal(size=(40, 5)) @ RNG.normal(size=(5, 5))
    fitted = Components.fit(scores, 3)
    scaled = scores / np.sqrt((scores**2).mean(0))
    _, _, directions = np.linalg.svd(scaled)
    assert np.allclose(np.abs(fitted.of(scores)), np.abs(scaled @ directions[:3].T))
    assert (np.take_along_axis(fitted.loadings, np.abs(fitted.loadings).argmax(0)[None], 0) > 0).all()


def test_exchanged_alleles_negate_components_whoever_is_exchanged():
    scores = RNG.normal(size=(30, 4))
    signs = RNG.choice([-1, 1], 30)[:, None]
    first, second = Components.fit(scores, 2), Components.fit(signs * scores, 2)
    assert np.allclose(first.of(scores), signs * second.of(signs * scores))


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (2, 2), (10, 3)])
def test_no_more_components_than_there_can_be(rows, expected):
    assert Components.fit(np.zeros((rows, 3)), 5).loadings.shape == (3, expected)


def study(count=40):
    rng = np.random.default_rng(2)
    names = [f"{'chr1' if row % 2 else 'chr2'}:{row}:A:C" for row in range(count)]
    frame = pd.DataFrame([name.split(":") for name in names], columns=["chrom", "pos", "ref", "alt"])
    frame = frame.assign(locus="L", variant_id=names, pos=frame["pos"].astype(int))
    scores = frame.assign(status="scored", score=rng.exponential(size=count))
    for track in ("a", "b"):
        scores[f"{track}.sad"] = rng.normal(size=count)
        scores[f"{track}.l2"] = np.abs(scores[f"{track}.sad"])
    scores.loc[3, ["status", "score", "a.sad", "a.l2", "b.sad", "b.l2"]] = ["all_n", *[np.nan] * 5]
    return scores, frame.assign(panel_af=rng.uniform(size=count), eaf=np.nan)


def gathered(scores, variants, training=("1",), **changes):
    halves = [slice(0, 15), slice(15, None)]
    settings = ScoreSettings(**{"components": 2, "background_maf": 0.2} | changes)
    return gathered_scores([scores[part] for part in halves], [variants[part] for part in halves], set(training),
                           settings)  # fmt: skip


def test_quantiles_refer_to_common_variants():
    scores, variants = study()
    table = VARIANT_SCORES.checked(gathered(scores, variants), "scores")
    maf = np.minimum(variants["panel_af"], 1 - variants["panel_af"])
    common = (maf >= 0.2) & (scores["status"] == "scored")
    assert table["common"].tolist() == common.tolist()
    for row in (0, 7, 20):
        expected = (scores["score"][common] < scores["score"][row]).mean()
        assert table["quantile"][row] == pytest.approx(expected + common[row] / 2 / common.sum())
    assert table["quantile"].isna().tolist() == (table["status"] != "scored").tolist()
    assert table.columns[-4:].tolist() == ["pc1", "pc2", "a.quantile", "b.quantile"]
    assert table["a.quantile"][scores["a.l2"].argsort()[:-1]].is_monotonic_increasing


def test_tracks_that_were_left_out_have_components_and_no_quantile_of_their_magnitude():
    scores, variants = study()
    table = gathered(scores.drop(columns="a.l2"), variants)
    assert table.columns[-3:].tolist() == ["pc1", "pc2", "b.quantile"]
    assert "a.quantile" in gathered(scores.drop(columns="a.l2"), variants, magnitude="sad")


def test_frequencies_of_the_gwas_where_the_panel_has_none():
    scores, variants = study()
    known = variants["panel_af"].where(np.arange(len(variants)) % 3 > 0)
    moved = variants.assign(panel_af=known, eaf=variants["panel_af"].where(known.isna(), 0.0))
    assert gathered(scores, moved).equals(gathered(scores, variants))


def test_components_are_fitted_on_common_variants_of_training_chromosomes():
    scores, variants = study()
    table = gathered(scores, variants)
    tracks = scores[["a.sad", "b.sad"]].to_numpy()
    rows = table["common"].to_numpy() & (scores["chrom"] == "chr1").to_numpy()
    expected = Components.fit(tracks[rows], 2).of(tracks)
    assert np.allclose(table[["pc1", "pc2"]], expected, equal_nan=True)
    everywhere = gathered(scores, variants, training=["chr7"])
    fitted = Components.fit(tracks[table["common"].to_numpy()], 2).of(tracks)
    assert np.allclose(everywhere[["pc1", "pc2"]], fitted, equal_nan=True)


def test_a_variant_of_two_loci_counts_once_in_the_background():
    scores, variants = study()
    twice = pd.concat([scores, scores.assign(locus="M")])
    table = gathered_scores([twice], [variants, variants.assign(locus="M")], {"chr1"}, ScoreSettings())
    alone = gathered_scores([scores], [variants], {"chr1"}, ScoreSettings())
    assert np.allclose(table["quantile"][: len(scores)], alone["quantile"], equal_nan=True)


def test_without_common_variants_there_are_scores_but_no_quantiles():
    scores, variants = study()
    table = gathered(scores, variants.assign(panel_af=0.01))
    assert table["quantile"].isna().all()
    assert not table["common"].any()
    assert "pc1" not in table
