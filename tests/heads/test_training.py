from dataclasses import replace

import numpy as np
import pytest

from fineprior.engine.backbone import load_backbone
from fineprior.files.errors import InputError
from fineprior.genome.fasta import reverse_complement
from fineprior.heads.head import load_head, write_head
from fineprior.heads.readout import train_linear
from fineprior.heads.training import augmented, train
from fineprior.heads.training_regions import Tracks, embed_rows
from fineprior.project.settings import HeadSettings
from toy_training import NAMES, QUICK, Arrays


@pytest.mark.slow
def test_linear_is_the_head_of_the_embeddings_byte_for_byte(trained, data, backbone, tmp_path):
    cached = embed_rows(data, np.arange(len(data.split)), backbone)
    head, _ = train_linear(cached, data.targets.reshape(-1, 2), ["gc", "a"], replace(QUICK, mode="linear"), 1)
    write_head(head, tmp_path / "one")
    write_head(trained["linear"][0], tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.slow
def test_the_backbone_is_left_as_it_was_where_nothing_was_better(data, backbone):
    wrong = Arrays(data.codes, data.targets.copy(), data.split)
    wrong.targets[data.split == "valid"] = wrong.targets[data.split == "valid"][:, ::-1]
    settings = replace(QUICK, mode="full", trunk_learning_rate=0.1, clip_norm=0.0)
    head, history = train(wrong, backbone, NAMES, settings, 1)
    assert history.loc[history["best"], "epoch"].item() <= 3
    before = dict(load_backbone(backbone)._transformer.layers[0].feed_in.named_parameters())["weight"]
    assert np.array_equal(head.trunk["transformer.0.1.fn.1.weight"], before.numpy())


@pytest.mark.slow
def test_bf16_is_close_and_not_the_same(data, backbone):
    settings = replace(QUICK, mode="full", epochs=1)
    plain, rough = (
        train(data, backbone, NAMES, replace(settings, precision=kind), 1)[1] for kind in ("float32", "bf16")
    )
    assert rough["valid_loss"].iloc[-1] != plain["valid_loss"].iloc[-1]
    assert rough["valid_loss"].iloc[-1] == pytest.approx(plain["valid_loss"].iloc[-1], rel=0.05)


@pytest.mark.slow
def test_dropped_bins_have_no_say(data, backbone):
    holed = Arrays(data.codes, data.targets.copy(), data.split)
    holed.targets[:, 3] = np.nan
    wild = Arrays(data.codes, data.targets.copy(), data.split)
    wild.targets[:, 3] = 50
    settings = replace(QUICK, epochs=1)
    for mode in ("linear", "lora"):
        head, history = train(holed, backbone, NAMES, replace(settings, mode=mode), 1)
        assert np.isfinite(head.weight).all()
        assert np.isfinite(history["valid_loss"]).all()
        other = train(wild, backbone, NAMES, replace(settings, mode=mode), 1)[1]
        assert abs(other["valid_loss"].iloc[0] - history["valid_loss"].iloc[0]) > 0.1


@pytest.mark.parametrize("mode", ["linear", "mlp", "lora"])
def test_multinomial_training_of_each_kind_of_mode(data, backbone, mode):
    head, history = train(
        data, backbone, NAMES, replace(QUICK, mode=mode, loss="poisson_multinomial", learning_rate=0.002), 1
    )
    assert history["valid_loss"].min() < history["valid_loss"].iloc[0]
    assert np.isfinite(head.weight).all()


def test_weights_of_tracks_decide_what_is_learned(data, backbone):
    heavy = Tracks.of(["gc", "a"], [1.0, 0.0])
    head, _ = train(data, backbone, heavy, replace(QUICK, mode="linear", epochs=5), 1)
    assert np.abs(head.weight[0]).max() > 0
    assert np.abs(head.weight[1]).max() == 0


def test_augmentation_turns_and_moves_sequence_with_its_targets():
    rng = np.random.default_rng(3)
    codes, targets = rng.integers(0, 4, (40, 64)).astype(np.uint8), rng.random((40, 4, 2)).astype(np.float32)
    turned, signal = augmented(codes, targets, np.array([1, 0]), HeadSettings(augment_shift=0), rng)
    other = (signal != targets).any((1, 2))
    assert 5 < other.sum() < 35
    assert np.array_equal(turned[other], reverse_complement(codes[other]))
    assert np.array_equal(signal[other], targets[other][:, ::-1, ::-1])
    moved, same = augmented(codes, targets, np.array([0, 1]), HeadSettings(augment_rc=False, augment_shift=3), rng)
    assert np.array_equal(same, targets)
    shifts = [next(s for s in range(-3, 4) if np.array_equal(one[3:-3], two[3 - s : 61 - s])) for one, two in
              zip(moved, codes, strict=True)]  # fmt: skip
    assert set(shifts) == set(range(-3, 4))
    assert all((row == 4).sum() == abs(shift) for row, shift in zip(moved, shifts, strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unfreeze_blocks": 3}, r"head.unfreeze_blocks: 3, but the backbone has 2 transformer blocks"),
        ({"mode": "full", "trunk_learning_rate": 1e30, "clip_norm": 0.0}, r"trunk_learning_rate: training diverged"),
    ],
)
def test_settings_that_do_not_fit(data, backbone, settings, message):
    with pytest.raises(InputError, match=message):
        train(data, backbone, NAMES, replace(QUICK, **settings), 1)


@pytest.mark.slow
def test_validation_regions_without_a_usable_bin(data, backbone):
    holed = Arrays(data.codes, data.targets.copy(), data.split)
    holed.targets[data.split == "valid"] = np.nan
    with pytest.raises(InputError, match="no validation region has a usable bin"):
        train(holed, backbone, NAMES, replace(QUICK, mode="full", freeze_epochs=0), 1)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["linear", "lora"])
def test_a_head_knows_its_strand_pairs(data, backbone, trained, tmp_path, mode):
    pairs = Tracks.of(["gc", "a"], pairs=["a", "gc"])
    head, _ = train(data, backbone, pairs, replace(QUICK, mode=mode, epochs=1), 1)
    write_head(head, tmp_path / "head.safetensors")
    assert load_head(tmp_path / "head.safetensors").other_strand == (1, 0)
    assert trained[mode][0].other_strand == ()
