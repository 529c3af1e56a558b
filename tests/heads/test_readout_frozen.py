from dataclasses import dataclass, replace

import numpy as np
import pytest

from fineprior.engine.region_embeddings import RegionEmbeddings, read_region_embeddings
from fineprior.engine.variant_embeddings import write_embeddings
from fineprior.heads import readout
from fineprior.heads.head import Head, write_head
from fineprior.heads.metrics import quality_table
from fineprior.heads.readout import train_frozen
from fineprior.heads.training_regions import Tracks
from fineprior.project.settings import HeadSettings

BINS, DIM = 8, 6
TRACKS = Tracks.of(["one", "two"])
SETTINGS = HeadSettings(epochs=8, batch_bins=8 * BINS, learning_rate=0.02, hidden=8)


class Read:
    """Targets that remember how many regions were read at once."""

    def __init__(self, values):
        self.values, self.most = values, 0

    def __getitem__(self, rows):
        self.most = max(self.most, len(rows))
        return self.values[rows]


@dataclass
class Data:
    targets: Read
    split: np.ndarray


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(1)
    split = np.repeat(["train", "valid", "test"], [120, 30, 30])
    embedding = (rng.normal(size=(len(split) * BINS, DIM)) + 3).astype(np.float32)
    truth = Head(0.5 * rng.normal(size=(2, DIM)).astype(np.float32), np.ones(2, np.float32), TRACKS.names, "b", 128)
    targets = rng.poisson(truth.predict(embedding)).astype(np.float32).reshape(len(split), BINS, 2)
    cached = RegionEmbeddings(np.full(len(embedding), "chr1"), 128 * np.arange(len(embedding)), np.repeat(split, BINS),
                              embedding, "b", 128)  # fmt: skip
    write_embeddings(cached, tmp_path / "regions.npz")
    return Data(Read(targets), split), cached, tmp_path / "regions.npz"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "loss"), [("linear", "poisson"), ("mlp", "poisson"), ("linear", "poisson_multinomial")]
)
def test_what_does_not_fit_into_memory_is_read_a_few_regions_at_a_time(study, monkeypatch, mode, loss):
    data, cached, path = study
    settings = replace(SETTINGS, mode=mode, loss=loss)
    whole, _ = train_frozen(data, cached, TRACKS, settings, 1)
    data.targets.most = 0
    monkeypatch.setattr(readout, "IN_MEMORY", cached.embedding.nbytes - 1)
    monkeypatch.setattr(readout, "sample_of", lambda data: np.arange(0, 150, 5))
    streamed, history = train_frozen(data, read_region_embeddings(path), TRACKS, settings, 1)
    assert data.targets.most == 30
    assert history["best"].sum() == 1
    test = cached.split == "test"
    observed = data.targets.values[data.split == "test"]
    r = [quality_table(TRACKS.names, [("test", head.predict(cached.embedding[test]).reshape(-1, BINS, 2), observed)])
         ["pearson_r"].mean() for head in (whole, streamed)]  # fmt: skip
    assert r[1] == pytest.approx(r[0], abs=0.02)
    assert r[1] > 0.3


@pytest.mark.slow
def test_where_embeddings_lie_does_not_matter(study, tmp_path):
    data, cached, path = study
    for mode in ("linear", "mlp"):
        for name, found in (("memory", cached), ("file", read_region_embeddings(path))):
            write_head(train_frozen(data, found, TRACKS, replace(SETTINGS, mode=mode), 1)[0], tmp_path / name)
        assert (tmp_path / "memory").read_bytes() == (tmp_path / "file").read_bytes()
