"""A miniature of the pretraining that made the shipped backbone."""

import pytest
import torch
from enformer_pytorch import Enformer

from backbone.run import pretrain


@pytest.mark.slow
def test_a_miniature_run_is_deterministic_and_loadable(motifs, sites, small, tmp_path):
    metrics = pretrain(motifs, sites, small, tmp_path / "a")
    again = pretrain(motifs, sites, small, tmp_path / "b")
    assert metrics["sha256"] == again["sha256"]
    assert metrics["figures"] == again["figures"]
    assert metrics["figures"]["sites"] == 20
    assert metrics["history"][0]["step"] == small.steps
    assert (tmp_path / "a" / "config.json").read_bytes() == (tmp_path / "b" / "config.json").read_bytes()
    assert metrics["sha256"] in (tmp_path / "a" / "MODEL_CARD.md").read_text()
    model = Enformer.from_pretrained(tmp_path / "a", use_tf_gamma=False).eval()
    assert model(torch.zeros(1, 2048, 4))["human"].shape == (1, 16, 26)
