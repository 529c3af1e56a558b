import numpy as np
import pandas as pd
import pytest

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.tables import HEAD_METRICS, HEAD_SCATTER
from fineprior.heads import evaluation
from fineprior.heads.evaluation import metrics_of_head, predicted_test, scatter_table
from fineprior.heads.head import Head
from fineprior.heads.training_regions import RegionData
from fineprior.project.settings import BackboneSettings
from fineprior.sequence.target_parts import RegionFiles

BINS = 5


@pytest.fixture
def study():
    rng = np.random.default_rng(1)
    split = np.repeat(["train", "valid", "test"], [40, 10, 10])
    embedding = rng.normal(size=(len(split) * BINS, 6)).astype(np.float32)
    head = Head(rng.normal(size=(2, 6)).astype(np.float32), np.zeros(2, np.float32), ("liver", "kidney"), "b", 128)
    targets = rng.poisson(head.predict(embedding)).astype(np.float32).reshape(len(split), BINS, 2)
    bins = np.arange(len(embedding))
    cached = RegionEmbeddings(np.full(len(bins), "chr1"), bins, np.repeat(split, BINS), embedding, "b", 128)
    return head, cached, RegionFiles(None, targets, split, "")


def test_metrics_table(study):
    head, cached, data = study
    metrics = HEAD_METRICS.checked(metrics_of_head(head, cached, data, BackboneSettings(target_bins=BINS)), "metrics")
    assert metrics["bins"].tolist() == [200] * 2 + [50] * 4
    assert metrics["regions"].tolist() == (metrics["bins"] // BINS).tolist()
    predicted = head.predict(cached.embedding[cached.split == "test"])
    row = metrics[(metrics["track"] == "kidney") & (metrics["split"] == "test")].iloc[0]
    observed = data.targets[data.split == "test"].reshape(-1, 2)
    assert row["pearson_r"] == pytest.approx(np.corrcoef(predicted[:, 1], observed[:, 1])[0, 1], abs=1e-6)


def test_regions_that_come_in_pieces_have_the_same_metrics(study, monkeypatch):
    head, cached, data = study
    whole = metrics_of_head(head, cached, data, BackboneSettings(target_bins=BINS))
    monkeypatch.setattr(evaluation, "_BINS_AT_ONCE", 3 * BINS)
    pieces = metrics_of_head(head, cached, data, BackboneSettings(target_bins=BINS))
    pd.testing.assert_frame_equal(pieces, whole, rtol=1e-6)


REGIONS = 64
SPLIT = np.repeat(["train", "valid", "test"], [48, 8, 8])
TARGETS = np.random.default_rng(1).gamma(1, 1, (REGIONS, BINS, 2)).astype(np.float32)


class InFile:
    """Embeddings that are read when they are indexed; keeps how many at once."""

    def __init__(self, array):
        self.array, self.most = array, 0

    def __getitem__(self, rows):
        self.most = max(self.most, len(rows))
        return self.array[rows]


def test_embeddings_of_test_regions_are_read_some_at_a_time(monkeypatch):
    monkeypatch.setattr(evaluation, "_TEST_BINS_AT_ONCE", 7)
    rng = np.random.default_rng(4)
    file = InFile(rng.normal(size=(REGIONS * BINS, 6)).astype(np.float32))
    regions = RegionEmbeddings(np.full(REGIONS * BINS, "1"), np.arange(REGIONS * BINS), np.repeat(SPLIT, BINS), file,
                               "b", 1)  # fmt: skip
    head = Head(rng.normal(size=(2, 6)).astype(np.float32), np.zeros(2, np.float32), ("a", "b"), "b", 1)
    data = RegionData(np.zeros((REGIONS, 4), np.uint8), TARGETS, SPLIT)
    found = predicted_test(head, data, regions, BackboneSettings())
    assert file.most <= 7
    assert found == pytest.approx(head.predict(file.array[-8 * BINS :]).reshape(8, BINS, 2), abs=1e-6)


def test_scatter_is_a_sample_of_known_bins():
    rng = np.random.default_rng(1)
    observed, predicted = rng.random((2, 5000, 2))
    observed[:4000] = np.nan
    table = HEAD_SCATTER.checked(scatter_table(predicted, observed, ["a", "b"], 1), "scatter")
    assert table["track"].value_counts().tolist() == [1000, 1000]
    first = table[table["track"] == "a"]
    assert first["observed"].tolist() == observed[4000:, 0].tolist()
    assert first["predicted"].tolist() == predicted[4000:, 0].tolist()
    whole = scatter_table(predicted, predicted, ["a", "b"], 1)
    assert whole["track"].value_counts().tolist() == [2000, 2000]
