"""The shipped backbone, and a miniature of the pretraining that made it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from enformer_pytorch import Enformer
from safetensors.torch import load_file

from backbone.training import build_backbone, embed, one_hot
from backbone.windows import PretrainSettings, random_background, reverse_complement
from fineprior.sequence.motifs import site_thresholds

SHIPPED = Path(__file__).parents[2] / "resources" / "backbone"


def test_config_names_the_tracks(motifs):
    config = json.loads((SHIPPED / "config.json").read_text())
    cell_types = ["DHS:GM12878", "DHS:HepG2", "DHS:K562", "DHS:hESC"]
    assert config["tracks"] == [motif.name for motif in motifs] + cell_types
    assert config["output_heads"] == {"human": len(config["tracks"])}
    assert (config["context_length"], config["target_length"], config["use_tf_gamma"]) == (2048, -1, False)


def test_every_weight_is_loaded(shipped):
    _, report = Enformer.from_pretrained(SHIPPED, use_tf_gamma=False, output_loading_info=True)
    assert report["unexpected_keys"] == report["mismatched_keys"] == []
    # enformer_pytorch lists the trunk twice; the aliases share memory with what is loaded.
    assert all(key.startswith("_trunk.") for key in report["missing_keys"])
    saved, loaded = load_file(SHIPPED / "model.safetensors"), shipped.state_dict()
    assert saved.keys() == {key for key in loaded if not key.startswith("_trunk.")}
    assert all(torch.equal(loaded[key], value) for key, value in saved.items())
    assert shipped._trunk[1][0].weight.data_ptr() == shipped.stem[0].weight.data_ptr()


def test_the_faster_pooling_is_the_library_s_pooling(motifs, small):
    fast = build_backbone(motifs, 3, small)
    plain = Enformer(fast.config)
    plain.load_state_dict(fast.state_dict())
    codes = random_background(np.random.default_rng(1), 2, 1024)
    plain.eval()
    with torch.inference_mode():
        expected = plain(one_hot(codes), return_only_embeddings=True)
    torch.testing.assert_close(embed(fast, codes), expected, atol=1e-5, rtol=1e-4)


def test_the_stem_reads_the_motifs(motifs):
    model = build_backbone(motifs, 3, PretrainSettings())
    thresholds = site_thresholds(motifs)
    for channel, motif in enumerate(motifs):
        codes = np.full((1, 64), 4, dtype=np.uint8)
        codes[0, 30 : 30 + motif.width] = motif.consensus
        with torch.inference_mode():
            out = model.stem[0](one_hot(codes).transpose(1, 2))[0]
            turned = model.stem[0](one_hot(reverse_complement(codes)).transpose(1, 2))[0]
        centre = 30 + motif.width // 2
        expected = 0.5 * (motif.log_odds.max(1).sum() - thresholds[channel]) + 1
        assert float(out[channel, centre]) == pytest.approx(expected, abs=1e-4)
        assert float(turned[len(motifs) + channel, 63 - centre]) == pytest.approx(expected, abs=1e-4)
