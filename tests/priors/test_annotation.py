"""Scores on their way to the enrichment."""

import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.priors.annotation import ScoreScale, join_scores, shuffle_within_loci
from fineprior.priors.enrichment import locus_starts


def table(ids, scores=None, locus="a"):
    frame = pd.DataFrame({"locus": locus, "variant_id": ids})
    return frame if scores is None else frame.assign(score=scores)


def test_feature_is_standardised_saturating_and_rises_with_the_score():
    scores = np.sort(np.random.default_rng(1).lognormal(0, 2, 500))
    scale = ScoreScale.of(scores)
    feature = scale.feature(scores)
    assert feature.mean() == pytest.approx(0, abs=1e-12)
    assert feature.std() == pytest.approx(1)
    assert (np.diff(feature) > 0).all()
    half = scale.feature(np.array([np.quantile(scores, 0.9)]))[0]
    zero, infinite = scale.feature(np.array([0.0, 1e12]))
    assert half == pytest.approx((zero + infinite) / 2)


def test_feature_does_not_depend_on_the_unit_of_the_score():
    scores = np.random.default_rng(1).lognormal(0, 2, 100)
    scores[:10] = np.nan
    expected = ScoreScale.of(scores).feature(scores)
    np.testing.assert_allclose(ScoreScale.of(scores * 1000).feature(scores * 1000), expected)
    assert np.isnan(expected[:10]).all()


@pytest.mark.parametrize("scores", [[], [np.nan, np.nan], [0.0, 0.0, np.nan], [2.0, 2.0, 2.0]])
def test_scores_that_do_not_vary_say_nothing(scores):
    scores = np.array(scores)
    scale = ScoreScale.of(scores)
    assert scale.sd == 0
    np.testing.assert_array_equal(scale.feature(scores), np.where(np.isnan(scores), np.nan, 0.0))


def test_mostly_zero_scores_still_tell_the_others_apart():
    scores = np.r_[np.zeros(95), 1.0, 2, 3, 4, 5]
    assert (np.diff(ScoreScale.of(scores).feature(scores)[94:]) > 0).all()


def test_join_is_by_name_not_by_row():
    variants = table(["1:1:A:C", "1:2:A:C", "1:3:A:C"])
    scores = table(["1:3:A:C", "1:1:A:C", "1:2:A:C"], [3.0, 1.0, np.nan])
    np.testing.assert_array_equal(join_scores(variants, scores, "s.tsv"), [1, np.nan, 3])


@pytest.mark.parametrize(
    ("ids", "scores", "match"),
    [
        (["1:1:A:C"], [1.0], r"s.tsv: variant 1:2:A:C of locus a has no row \(1 of 2 variants\)"),
        (["1:1:A:C", "1:2:A:C", "1:2:A:C"], [1.0, 2, 2], "s.tsv: variant 1:2:A:C of locus a is there twice"),
        (["1:1:A:C", "1:2:A:C"], [1.0, -2], "s.tsv: score -2 of variant 1:2:A:C; a score is a magnitude"),
        (["1:1:A:C", "1:2:A:C"], [1.0, np.inf], "s.tsv: score inf of variant 1:2:A:C"),
    ],
)
def test_join_refuses(ids, scores, match):
    with pytest.raises(InputError, match=match):
        join_scores(table(["1:1:A:C", "1:2:A:C"]), table(ids, scores), "s.tsv")


def test_join_refuses_a_variant_that_is_twice_in_its_locus():
    with pytest.raises(InputError, match="1:1:A:C of locus a is there twice"):
        join_scores(table(["1:1:A:C", "1:1:A:C"]), table(["1:1:A:C"], [1.0]), "s.tsv")


def test_join_says_how_many_scores_were_not_used(caplog):
    join_scores(table(["1:1:A:C"]), table(["1:1:A:C", "1:2:A:C"], [1.0, 2.0]), "s.tsv")
    assert "s.tsv: 1 rows are of variants that are in no locus" in caplog.text


def shuffled(locus, scores, seed=1):
    return shuffle_within_loci(np.asarray(scores, dtype=float), locus, locus_starts(locus), seed)


def test_shuffling_keeps_the_scores_of_a_locus_and_where_they_are_missing():
    rng = np.random.default_rng(1)
    locus = ["a"] * 40 + ["b"] * 25
    scores = rng.random(65)
    scores[[3, 50]] = np.nan
    moved = shuffled(locus, scores)
    for part in (slice(0, 40), slice(40, 65)):
        np.testing.assert_array_equal(np.sort(moved[part]), np.sort(scores[part]))
        assert np.mean(moved[part] == scores[part]) < 0.3
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(scores))


def test_shuffling_depends_on_seed_and_locus_but_not_on_the_batch():
    scores = np.arange(60.0)
    together = shuffled(["a"] * 30 + ["b"] * 30, scores)
    np.testing.assert_array_equal(shuffled(["b"] * 30, scores[30:]), together[30:])
    assert (shuffled(["a"] * 30, scores[:30], seed=2) != together[:30]).any()
    assert (shuffled(["c"] * 30, scores[:30]) != together[:30]).any()
