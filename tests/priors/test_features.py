"""Columns on their way to the enrichment."""

import numpy as np
import pandas as pd
import pytest

from fineprior.priors.features import (
    Feature,
    Model,
    feature_kinds,
    feature_matrix,
    features_of,
    shaped,
)
from fineprior.project.settings import PriorSettings

KINDS = {"peaks": "bed", "tss": "tss", "cadd": "value", "sad": "score"}


@pytest.mark.parametrize("kind", ["score", "ramp", "value", "distance", "log"])
def test_features_are_standardised_and_keep_the_order(kind):
    values = np.sort(np.random.default_rng(1).lognormal(0, 0.5, 500))
    x = Feature.of("a", kind, values).values(values)
    assert x.mean() == pytest.approx(0, abs=1e-2)
    assert x.std() == pytest.approx(1, abs=0.05)
    assert (np.diff(x) * (-1 if kind == "distance" else 1) >= 0).all()


def test_a_score_saturates_and_has_no_unit_and_no_sign():
    values = np.random.default_rng(1).lognormal(0, 2, 500)
    feature = Feature.of("a", "score", values)
    half = feature.values(np.array([np.quantile(values, 0.9)]))[0]
    zero, infinite = feature.values(np.array([0.0, 1e12]))
    assert half == pytest.approx((zero + infinite) / 2)
    np.testing.assert_allclose(Feature.of("a", "score", -1000 * values).values(-1000 * values), feature.values(values))


def test_the_ramps_of_a_score_are_steps_at_its_upper_quantiles():
    frame = pd.DataFrame({"a": np.random.default_rng(1).lognormal(0, 2, 500), "b": 1.0})
    features = shaped(frame, features_of(frame, {"a": "score", "b": "value"}))
    assert [feature.kind for feature in features] == ["score", "value", "ramp", "ramp", "ramp"]
    for feature, quantile in zip(features[2:], (0.75, 0.9, 0.97), strict=True):
        middle = frame["a"].quantile(quantile)
        t = feature.values(np.array([0.0, middle / 3, middle, middle * 3, 1e300])) * feature.sd + feature.mean
        np.testing.assert_allclose(t, [0, 1 / 82, 0.5, 81 / 82, 1], atol=1e-9)
    assert Model.of(features).nonnegative.tolist() == [True, False, True, True, True]


def test_many_scores_have_no_ramps():
    frame = pd.DataFrame(np.random.default_rng(1).lognormal(size=(50, 6)), columns=list("abcdef"))
    few, many = (features_of(frame, dict.fromkeys(names, "score")) for names in ("abcde", "abcdef"))
    assert len(shaped(frame, few)) == 20
    assert shaped(frame, many) == many


def test_a_value_far_out_is_held_and_a_distance_is_nearness():
    values = np.r_[np.zeros(999), 1.0]
    assert Feature.of("a", "value", values).values(values).max() == 5
    near = Feature.of("a", "distance", np.array([0.0, 10_000.0, 1e9]))
    x = near.values(np.array([0.0, 10_000.0, 1e9])) * near.sd + near.mean
    np.testing.assert_allclose(x, [1, 0.5, 0], atol=1e-4)


def test_a_given_weight_enters_as_its_logarithm_and_zero_is_not_nothing():
    values = np.array([0.0, 1e-3, 2e-3, np.nan])
    feature = Feature.of("prior", "log", values)
    log_odds = feature.values(values) * Model.of([feature]).fixed[0]
    assert log_odds[2] - log_odds[1] == pytest.approx(np.log(2))
    assert log_odds[1] - log_odds[0] == pytest.approx(np.log(1e6))
    assert np.isnan(log_odds[3])


@pytest.mark.parametrize("kind", ["score", "ramp", "value", "distance", "log"])
@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [2.0, 2.0, np.nan]])
def test_values_that_do_not_vary_say_nothing(kind, values):
    values = np.array(values)
    feature = Feature.of("a", kind, values)
    assert feature.sd == 0
    np.testing.assert_array_equal(feature.values(values), np.where(np.isnan(values), np.nan, 0.0))


def test_matrix_by_hand():
    frame = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [4.0, 6.0, np.nan]})
    features = [Feature("a", "value", 1.0, 0.0, 2.0), Feature("b", "value", 1.0, 5.0, 1.0)]
    X, missing = feature_matrix(frame, features)
    np.testing.assert_array_equal(X, [[0.5, -1], [0, 1], [0, 0]])
    np.testing.assert_array_equal(missing, [0, 0, np.nan])
    assert X.dtype == np.float32


def test_which_coefficients_are_held():
    features = [Feature(kind, kind, 1.0, 0.0, 2.0) for kind in ("score", "value", "distance", "log")]
    assert Model.of(features).nonnegative.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(Model.of(features).fixed, [np.nan, np.nan, np.nan, 2.0])


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, {"score": "score"}),
        ({"scores": "tracks"}, {"a.l2": "score", "b.l2": "score"}),
        ({"source": "given"}, {"prior": "log"}),
        ({"source": "given", "given_as": "score"}, {"given": "score"}),
        ({"source": "supervised"}, {"prior": "log"}),
        ({"source": "heritability"}, {"prior": "log"}),
    ],
)
def test_annotations_stand_beside_every_source(settings, first):
    frame = pd.DataFrame(columns=["score", "a.l2", "b.l2"])
    rest = {"peaks": "value", "tss": "distance", "cadd": "value", "sad": "score"}
    assert feature_kinds(frame, PriorSettings(**settings), KINDS) == {"functional": first | rest}
    held = feature_kinds(frame, PriorSettings(**settings, controls=["tss", "sad"]), KINDS)
    own = {"peaks": "value", "cadd": "value"}
    assert held == {"functional": first | own, "tss": {"tss": "distance"}, "sad": {"sad": "score"}}


def test_tracks_of_which_none_is_good_enough_leave_the_missing_score():
    frame = pd.DataFrame(columns=["score", "a.sad"])
    assert feature_kinds(frame, PriorSettings(scores="tracks"), {}) == {"functional": {"score": "score"}}
