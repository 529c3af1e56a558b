import numpy as np
import pytest

from fineprior.files.tables import HEAD_METRICS
from fineprior.heads.metrics import (
    Agreement,
    auprc,
    auroc,
    best_threshold,
    pearson_r,
    quality_table,
)

REGIONS, BINS = 40, 6


def signal(seed=1, tracks=2):
    rng = np.random.default_rng(seed)
    observed = rng.gamma(1, 1, (REGIONS, BINS, tracks)) + 100
    return (observed + rng.normal(0, 0.5, observed.shape)).astype(np.float32), observed.astype(np.float32)


def test_moments_in_pieces_are_those_of_the_whole():
    predicted, observed = (array.reshape(-1, 2) for array in signal())
    found = Agreement(2)
    for part in (slice(0, 1), slice(1, 100), slice(100, None)):
        found.add(predicted[part], observed[part])
    expected = [np.corrcoef(predicted[:, t], observed[:, t])[0, 1] for t in range(2)]
    assert found.pearson_r == pytest.approx(expected, abs=1e-9)
    error = ((predicted - observed).astype(float) ** 2).sum(0) / (observed.astype(float).var(0) * len(observed))
    assert found.r2 == pytest.approx(1 - error, abs=1e-6)


def test_a_constant_has_no_correlation():
    found = Agreement(1)
    found.add(np.ones((5, 1)), np.arange(5.0)[:, None])
    assert np.isnan(found.pearson_r[0])
    assert found.r2[0] < 0


def test_quality_does_not_depend_on_the_pieces():
    predicted, observed = signal()
    whole = quality_table(["a", "b"], [("test", predicted, observed)])
    pieces = quality_table(["a", "b"], [("test", predicted[i : i + 7], observed[i : i + 7]) for i in range(0, 40, 7)])
    numbers = HEAD_METRICS.checked(whole, "whole").select_dtypes("number").columns
    assert np.allclose(whole[numbers].astype(float), pieces[numbers].astype(float), equal_nan=True, atol=1e-6)
    expected = np.corrcoef(predicted.mean(1)[:, 0], observed.mean(1)[:, 0])[0, 1]
    assert whole["pearson_r_regions"][0] == pytest.approx(expected, abs=1e-6)
    assert whole["regions"].tolist() == [REGIONS] * 2
    assert whole["auroc"].isna().all()


def test_bins_without_observation_are_left_out():
    predicted, observed = signal()
    short = [array[:, :4] for array in (predicted, observed)]
    observed[:, 4:] = np.nan
    found, expected = (quality_table(["a", "b"], [("test", *pair)]) for pair in ((predicted, observed), short))
    assert found["bins"].tolist() == [REGIONS * 4] * 2
    assert np.allclose(found["pearson_r_regions"], expected["pearson_r_regions"])
    assert np.allclose(found["r2"], expected["r2"])
    observed[: REGIONS // 2, 1:] = np.nan  # a region of few bins weighs as much as another
    means = [[array[row, : 1 if row < REGIONS // 2 else 4, 0].mean() for row in range(REGIONS)] for array in
             (predicted, observed)]  # fmt: skip
    found = quality_table(["a", "b"], [("test", predicted, observed)])
    assert found["pearson_r_regions"][0] == pytest.approx(np.corrcoef(*means)[0, 1], abs=1e-5)


def test_a_track_of_two_values_is_judged_as_labels():
    rng = np.random.default_rng(2)
    label = rng.random((2 * REGIONS, BINS, 1)) < 0.2
    predicted = np.exp(label + rng.normal(0, 0.7, label.shape)).astype(np.float32)
    observed = 2 * label.astype(np.float32)
    chunks = [("valid", predicted[:REGIONS], observed[:REGIONS]), ("test", predicted[REGIONS:], observed[REGIONS:])]
    valid, test = quality_table(["peaks"], chunks).to_dict("records")
    assert (
        test["threshold"] == valid["threshold"] == best_threshold(predicted[:REGIONS].ravel(), label[:REGIONS].ravel())
    )
    called = predicted[REGIONS:] >= test["threshold"]
    truth = label[REGIONS:]
    assert test["true_positive"] == (called & truth).sum()
    assert (
        sum(test[name] for name in ("true_positive", "false_positive", "false_negative", "true_negative")) == truth.size
    )
    assert test["precision"] == pytest.approx(truth[called].mean())
    assert test["recall"] == pytest.approx(called[truth].mean())
    assert test["f1"] == pytest.approx(2 / (1 / test["precision"] + 1 / test["recall"]))


def test_ranks_of_known_cases():
    label = np.array([True, False, True, False, False])
    assert auroc(np.array([5.0, 4, 3, 2, 1]), label) == pytest.approx(5 / 6)
    assert auprc(np.array([5.0, 4, 3, 2, 1]), label) == pytest.approx((1 + 2 / 3) / 2)
    assert auroc(np.zeros(5), label) == 0.5
    assert auprc(np.zeros(5), label) == pytest.approx(0.4)
    assert best_threshold(np.array([5.0, 4, 3, 2, 1]), label) == 3


@pytest.mark.slow
@pytest.mark.parametrize("rounded", [8, 1])
def test_labels_are_judged_as_scikit_learn_does(rounded):
    """Where it is installed; with scores that are tied, too."""
    reference = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    label = rng.random((REGIONS, BINS, 1)) < 0.3
    predicted = np.round(np.abs(label + rng.normal(0, 0.8, label.shape)), rounded)
    found = quality_table(["a"], [("valid", predicted, label.astype(float))]).iloc[0]
    truth, score = label.ravel(), predicted.ravel()
    called = score >= found["threshold"]
    negative, false, missed, hits = reference.confusion_matrix(truth, called).ravel()
    expected = {
        "auroc": reference.roc_auc_score(truth, score), "auprc": reference.average_precision_score(truth, score),
        "precision": reference.precision_score(truth, called), "recall": reference.recall_score(truth, called),
        "f1": reference.f1_score(truth, called), "r2": reference.r2_score(truth, score), "true_negative": negative,
        "false_positive": false, "false_negative": missed, "true_positive": hits,
    }  # fmt: skip
    assert found[list(expected)].astype(float).to_dict() == pytest.approx(expected)


def test_threshold_has_the_largest_f1():
    rng = np.random.default_rng(3)
    label = rng.random(60) < 0.4
    score = rng.normal(size=60) + label

    def f1(cut):
        called = score >= cut
        return 2 * (called & label).sum() / (called.sum() + label.sum())

    assert f1(best_threshold(score, label)) == max(f1(cut) for cut in score)


def test_correlation():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 100, 2))
    first[:, 1] = 3
    found = pearson_r(first, second)
    assert found[0] == pytest.approx(np.corrcoef(first[:, 0], second[:, 0])[0, 1])
    assert np.isnan(found[1])
