"""Tracks and regions that heads are trained on."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.heads import training_regions
from fineprior.heads.training_regions import Tracks, embed_rows, embeddings_of, flat_targets, rows_of_split, sample_of
from toy_enformer import TARGET_BINS
from toy_training import Arrays


def test_a_strand_pair_must_be_a_track():
    assert Tracks.of(["plus", "minus"], pairs=["minus", "plus"]).other_strand.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"track 'plus': strand_pair 'minus' is no track of the same head"):
        Tracks.of(["plus"], pairs=["minus"])
    with pytest.raises(InputError, match=r"track 'plus': strand_pair 'minus' does not name 'plus'"):
        Tracks.of(["plus", "minus"], pairs=["minus", ""])
    assert Tracks.of(["both"], pairs=["both"]).other_strand.tolist() == [0]


def test_a_head_needs_a_track_with_a_weight():
    with pytest.raises(InputError, match="tracks plus, minus: all have weight 0"):
        Tracks.of(["plus", "minus"], [0.0, 0.0])


def test_a_sample_has_both_splits_and_is_not_larger_than_asked(monkeypatch):
    split = np.repeat(["train", "valid", "test"], [60, 30, 10])
    regions = Arrays(np.zeros((100, 4), np.uint8), np.zeros((100, 5, 2), np.float32), split)
    assert sample_of(regions).tolist() == list(range(90))
    monkeypatch.setattr(training_regions, "SAMPLE_BINS", 100)
    found = sample_of(regions)
    assert np.bincount(np.unique(split[found], return_inverse=True)[1]).tolist() == [15, 4]
    assert len(found) * 5 <= 100
    assert (np.diff(found) > 0).all()


def test_a_split_without_regions_is_named():
    assert rows_of_split(np.array(["train", "valid", "train"]), "train").tolist() == [0, 2]
    with pytest.raises(InputError, match="regions: none has the split 'valid'"):
        rows_of_split(np.array(["train"]), "valid")


def test_weights_are_relative():
    assert Tracks.of(["a", "b"], [1.0, 3.0]).weights.tolist() == [0.5, 1.5]
    assert Tracks.of(["a", "b"]).pairs == ()


def test_embeddings_of_some_regions_are_those_of_all(data, backbone):
    everything = embed_rows(data, np.arange(6), backbone)
    some = embed_rows(data, np.array([4, 1]), backbone)
    chosen = embeddings_of(everything, np.array([4, 1]), 6)
    # float32 of windows in another batch
    np.testing.assert_allclose(chosen.embedding, some.embedding, rtol=1e-5, atol=1e-5 * np.abs(some.embedding).max())
    assert chosen.split.tolist() == some.split.tolist() == ["train"] * 2 * TARGET_BINS
    assert flat_targets(data, np.array([4])).tolist() == data.targets[4].tolist()
