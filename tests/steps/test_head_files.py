import numpy as np
import pandas as pd
import pytest

from fineprior.engine.embeddings import RegionEmbeddings
from fineprior.files.tables import HEAD_METRICS
from fineprior.heads.head import Head
from fineprior.project.settings import BackboneSettings
from fineprior.sequence.target_parts import RegionFiles
from fineprior.steps import head_files
from fineprior.steps.head_files import metrics_of_head

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
    monkeypatch.setattr(head_files, "_BINS_AT_ONCE", 3 * BINS)
    pieces = metrics_of_head(head, cached, data, BackboneSettings(target_bins=BINS))
    pd.testing.assert_frame_equal(pieces, whole, rtol=1e-6)
