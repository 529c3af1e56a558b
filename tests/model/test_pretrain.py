"""The shipped backbone, and a miniature of the pretraining that made it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from enformer_pytorch import Enformer
from safetensors.torch import load_file

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import sha256
from fineprior.model.pretrain import build_backbone, embed, one_hot
from fineprior.model.pretrain_data import (
    BIN,
    DhsSites,
    PretrainSettings,
    WindowSampler,
    centre_bin,
    dinucleotide_shuffle,
    encode,
    random_background,
    read_dhs_sites,
    reverse_complement,
)
from fineprior.model.pretrain_evaluate import ARRANGEMENTS, GOALS, auroc, site_effects
from fineprior.model.pretrain_run import pretrain
from fineprior.sequence.motifs import occupancy, read_motifs, site_thresholds

SHIPPED = Path(__file__).parents[2] / "resources" / "backbone"
SMALL = PretrainSettings(
    dim=48,
    depth=1,
    heads=2,
    attn_dim_key=12,
    steps=2,
    synthetic_windows=4,
    dhs_windows=4,
    head_windows=8,
    test_windows=8,
)


@pytest.fixture(scope="module")
def motifs():
    return read_motifs(SHIPPED / "motifs.meme")


@pytest.fixture(scope="module")
def shipped():
    torch.set_num_threads(1)
    return Enformer.from_pretrained(SHIPPED, use_tf_gamma=False).eval()


@pytest.fixture
def sampler(motifs):
    return WindowSampler(motifs, PretrainSettings(), np.random.default_rng(7))


@pytest.fixture(scope="module")
def sites():
    rng = np.random.default_rng(5)
    split = np.repeat(["train", "validation", "test"], [30, 10, 20])
    return DhsSites(rng.integers(0, 4, (60, 200)).astype(np.uint8), np.arange(60) % 2, split, ("A", "B"))


def test_card_metrics_and_weights_belong_together():
    metrics = json.loads((SHIPPED / "metrics.json").read_text())
    card = (SHIPPED / "MODEL_CARD.md").read_text()
    weights = SHIPPED / "model.safetensors"
    assert sha256(weights) == metrics["sha256"]
    assert metrics["sha256"] in card
    assert "not Enformer, no disease claims" in card
    assert f"{metrics['figures']['auroc_lowest']:.3f}" in card
    assert weights.stat().st_size < 3_000_000


def test_goals_are_met():
    figures = json.loads((SHIPPED / "metrics.json").read_text())["figures"]
    assert {name: figures[name] for name, goal in GOALS.items() if figures[name] < goal} == {}
    assert GOALS.keys() >= {"motif_r_planted", "effect_r_single", "auroc_lowest"}
    assert min(figures["auroc"].values()) == figures["auroc_lowest"]
    assert set(figures["auroc"]) == {"GM12878", "HepG2", "K562", "hESC"}


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


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_single_base_effects_are_the_motifs_own(shipped, motifs, arrangement):
    sampler = WindowSampler(motifs, PretrainSettings(), np.random.default_rng(11))
    effects = site_effects(shipped, sampler, 2, arrangement, changes=3)
    assert len(effects.true) == 24 * 2 * 3
    assert np.abs(effects.true).max() > 1
    assert np.corrcoef(effects.predicted, effects.true)[0, 1] >= 0.8


def test_a_miniature_run_is_deterministic_and_loadable(motifs, sites, tmp_path):
    metrics = pretrain(motifs, sites, SMALL, tmp_path / "a")
    again = pretrain(motifs, sites, SMALL, tmp_path / "b")
    assert metrics["sha256"] == again["sha256"]
    assert metrics["figures"] == again["figures"]
    assert metrics["figures"]["sites"] == 20
    assert metrics["history"][0]["step"] == SMALL.steps
    assert (tmp_path / "a" / "config.json").read_bytes() == (tmp_path / "b" / "config.json").read_bytes()
    assert metrics["sha256"] in (tmp_path / "a" / "MODEL_CARD.md").read_text()
    model = Enformer.from_pretrained(tmp_path / "a", use_tf_gamma=False).eval()
    assert model(torch.zeros(1, 2048, 4))["human"].shape == (1, 16, 26)


def test_the_faster_pooling_is_the_library_s_pooling(motifs):
    fast = build_backbone(motifs, 3, SMALL)
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


def test_pairs_differ_by_single_bases_in_a_few_places(sampler):
    windows = sampler.synthetic(8)
    differences = (windows.codes[:4] != windows.codes[4:]).sum(1)
    assert (differences > 0).all()
    assert (differences <= 16).all()
    assert np.abs(windows.log_occupancy[:4] - windows.log_occupancy[4:]).max() > 0.5


def test_windows_do_not_touch_each_other(sampler, motifs):
    codes = random_background(sampler.rng, 3, 2048)
    expected = np.stack([np.log(occupancy(window, motifs) + 0.05) for window in codes])
    np.testing.assert_allclose(sampler.log_occupancy(codes), expected, atol=1e-5)


def test_dhs_targets_are_where_the_elements_are(sampler, sites):
    windows = sampler.with_dhs(sites, 12, shuffled=0.5, unknown=0.5)
    real = windows.elements[windows.elements[:, 2] >= 0]
    assert 0 < len(real) < 48
    assert windows.dhs.sum() * BIN == pytest.approx(200 * len(real))
    for window, first, cell_type in real:
        assert windows.dhs[window, first : first + 2].sum() * BIN >= 164
        assert (windows.cell_type[window, first : first + 2] == cell_type).all()
    with_n = (windows.codes == 4).any(1)
    assert 0 < with_n.sum() < 12
    assert ((windows.codes < 4).sum(1)[with_n] == 800).all()


def test_centre_bin():
    assert [centre_bin(position) for position in (0, 100, 1024, 1948)] == [0, 0, 7, 14]


def test_dinucleotide_shuffle_keeps_dinucleotides():
    rng = np.random.default_rng(2)
    for _ in range(20):
        codes = rng.choice(4, size=200, p=[0.4, 0.1, 0.2, 0.3]).astype(np.uint8)
        shuffled = dinucleotide_shuffle(rng, codes)
        pairs = [np.bincount(4 * s[:-1].astype(int) + s[1:], minlength=16) for s in (codes, shuffled)]
        np.testing.assert_array_equal(*pairs)
        assert (codes != shuffled).mean() > 0.3


def test_encode_and_reverse_complement():
    codes = encode(["ACGTN", "ttgca"])
    np.testing.assert_array_equal(codes, [[0, 1, 2, 3, 4], [3, 3, 2, 1, 0]])
    np.testing.assert_array_equal(reverse_complement(codes), encode(["NACGT", "TGCAA"]))
    assert one_hot(codes)[0].tolist()[3:] == [[0, 0, 0, 1], [0, 0, 0, 0]]


def test_auroc_is_the_fraction_of_ordered_pairs():
    rng = np.random.default_rng(3)
    scores, positive = rng.integers(0, 9, 50).astype(float), rng.random(50) < 0.4
    above = scores[positive][:, None] - scores[~positive]
    assert auroc(scores, positive) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())


TABLE = pd.DataFrame({"sequence": ["ACGT", "AAAA"], "cell_type": ["K562", "HepG2"], "split": ["train", "test"]})


def test_read_dhs_sites(tmp_path):
    TABLE.to_csv(tmp_path / "dhs.tsv", sep="\t", index=False)
    sites = read_dhs_sites(tmp_path / "dhs.tsv")
    assert sites.cell_types == ("HepG2", "K562")
    assert sites.part("train").cell_type.tolist() == [1]
    assert len(sites.part("validation").codes) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": ["train", "held out"]}, "'held out' is not one of train"),
        ({"sequence": ["ACGT", "AAAAA"]}, "differ in length"),
        ({"cell_type": None}, "column cell_type is missing"),
    ],
)
def test_bad_dhs_tables(tmp_path, change, message):
    TABLE.assign(**change).dropna(axis=1).to_csv(tmp_path / "dhs.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=message):
        read_dhs_sites(tmp_path / "dhs.tsv")
