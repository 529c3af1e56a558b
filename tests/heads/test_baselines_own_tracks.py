import numpy as np
import pytest
import torch

from fineprior.engine.loading import load_enformer
from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.heads.baselines import OwnTracks, best_matching, own_tracks
from toy_enformer import CONFIG, DIM, save_toy


def test_own_tracks_are_those_of_the_model(tmp_path):
    settings = save_toy(tmp_path / "toy")
    own, digest = own_tracks(settings)
    enformer, expected_digest = load_enformer(settings)
    assert digest == expected_digest
    assert own.names == ("one", "two")
    embedding = torch.randn(5, DIM, generator=torch.Generator().manual_seed(1))
    expected = enformer.heads["human"](embedding).detach().numpy()
    assert own.predict(embedding.numpy(), 1) == pytest.approx(expected[:, 1], abs=1e-6)


def test_names_that_do_not_fit_are_numbers(tmp_path):
    own, _ = own_tracks(save_toy(tmp_path / "toy", config=CONFIG | {"tracks": ["one"]}))
    assert own.names == ("human 0", "human 1")


def test_a_backbone_without_heads(tmp_path):
    enformer, _ = load_enformer(save_toy(tmp_path / "first"))
    enformer.heads.clear()
    settings = save_toy(tmp_path / "second", enformer, config=CONFIG | {"output_heads": {}})
    assert own_tracks(settings)[0] is None


def test_the_best_match_is_chosen_without_the_test_bins():
    rng = np.random.default_rng(1)
    embedding = rng.normal(size=(400, 4)).astype(np.float32)
    own = OwnTracks(tuple("abcd"), np.eye(4, dtype=np.float32), np.zeros(4, np.float32))
    split = np.repeat(["train", "valid", "test"], [60, 40, 300])
    targets = np.stack(
        [embedding[:, 2] + rng.normal(0, 0.3, 400), np.where(split == "test", embedding[:, 0], embedding[:, 3])], 1
    )
    targets[0] = np.nan  # the other three bins of its region count
    regions = RegionEmbeddings(np.full(400, "chr1"), np.arange(400), split, embedding, "b", 1)
    best, r = best_matching(own, regions, targets.astype(np.float32).reshape(100, 4, 2))
    assert best.tolist() == [2, 3]
    seen = slice(1, 100)
    expected = np.corrcoef(np.logaddexp(embedding[seen, 2], 0), targets[seen, 0])[0, 1]
    assert r[0] == pytest.approx(expected, abs=0.01)
