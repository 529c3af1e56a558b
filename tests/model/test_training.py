from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import HeadSettings
from fineprior.foundation.tables import HEAD_HISTORY
from fineprior.genetics.genome import reverse_complement
from fineprior.model import training_loop
from fineprior.model.backbone import load_backbone
from fineprior.model.embeddings import RegionEmbeddings
from fineprior.model.frozen import train_cached
from fineprior.model.head import load_head, train_head, write_head
from fineprior.model.readout import Readout, training_loss, training_statistics
from fineprior.model.training import augmented, train
from fineprior.model.training_data import Tracks, embed_rows
from fineprior.model.tuned import load_tuned_backbone, predict
from toy_enformer import BIN_SIZE, CONTEXT, TARGET_BINS, save_toy

NAMES = Tracks.of(["gc", "a"])
QUICK = HeadSettings(mode="last_blocks", epochs=2, freeze_epochs=3, unfreeze_blocks=1, trunk_learning_rate=1e-3, rank=2,
                     warmup=2, scouts=2, learning_rate=0.02, batch_bins=64, hidden=8, augment_shift=2)  # fmt: skip
MODES = ("linear", "mlp", "last_blocks", "lora", "full", "guided")


@dataclass(frozen=True)
class Arrays:
    codes: np.ndarray
    targets: np.ndarray
    split: np.ndarray


@pytest.fixture(scope="module")
def data():
    """Two tracks: GC content of each bin, and twice its A content."""
    rng = np.random.default_rng(1)
    regions = 24
    gc = np.repeat(rng.uniform(0.2, 0.8, (regions, CONTEXT // BIN_SIZE)), BIN_SIZE, axis=1)
    codes = np.where(rng.random(gc.shape) < gc, rng.integers(1, 3, gc.shape), 3 * rng.integers(0, 2, gc.shape))
    bins = codes.reshape(regions, -1, BIN_SIZE)[:, 2:-2]
    targets = np.stack([(bins % 3 > 0).mean(2), 2 * (bins == 0).mean(2)], -1).astype(np.float32)
    return Arrays(codes.astype(np.uint8), targets, np.repeat(["train", "valid", "test"], [14, 5, 5]))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return save_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def trained(data, backbone):
    return {mode: train(data, backbone, NAMES, replace(QUICK, mode=mode), 1) for mode in MODES}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_a_head_that_predicts_after_a_round_trip(trained, data, backbone, tmp_path, mode):
    head, history = trained[mode]
    HEAD_HISTORY.checked(history, "history")
    assert history["best"].sum() == 1
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    write_head(head, tmp_path / "head.safetensors")
    again = load_head(tmp_path / "head.safetensors")
    rows = np.flatnonzero(data.split == "valid")
    signal = predict(again, load_tuned_backbone(backbone, tmp_path / "head.safetensors"), data.codes[rows])
    assert signal.shape == (len(rows), TARGET_BINS, 2)
    loss = float(
        training_loss(torch.from_numpy(signal), torch.from_numpy(data.targets[rows]), "poisson", torch.ones(2))
    )
    assert loss == pytest.approx(history.loc[history["best"], "valid_loss"].item(), rel=1e-4)


def test_linear_is_the_head_of_the_embeddings_byte_for_byte(trained, data, backbone, tmp_path):
    cached = embed_rows(data, np.arange(len(data.split)), backbone)
    head, _ = train_head(cached, data.targets.reshape(-1, 2), ["gc", "a"], replace(QUICK, mode="linear"), 1)
    write_head(head, tmp_path / "one")
    write_head(trained["linear"][0], tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_head_that_changed_the_backbone_has_a_backbone_of_its_own(trained, backbone):
    base = load_backbone(backbone).digest
    digests = {mode: trained[mode][0].backbone for mode in MODES}
    assert digests["linear"] == digests["mlp"] == base
    assert len(set(digests.values())) == 5
    assert all(load_tuned_backbone(backbone, trained[mode][0]).digest == digests[mode] for mode in MODES)


def test_what_each_mode_changes(trained):
    names = {mode: set(trained[mode][0].trunk) for mode in MODES}
    assert not names["linear"] | names["mlp"]
    assert {name.split(".")[0] for name in names["last_blocks"]} == {"transformer", "final_pointwise"}
    assert all(name.startswith(("transformer.1.", "final_pointwise.")) for name in names["last_blocks"])
    assert "transformer.0.0.fn.1.to_q.weight.lora_a" in names["lora"]
    assert all(".lora_" in name for name in names["lora"])
    assert names["full"] == names["guided"] > names["last_blocks"]
    assert trained["lora"][0].parameters < trained["last_blocks"][0].parameters < trained["full"][0].parameters


def test_the_backbone_is_left_as_it_was_where_nothing_was_better(data, backbone):
    wrong = Arrays(data.codes, data.targets.copy(), data.split)
    wrong.targets[data.split == "valid"] = wrong.targets[data.split == "valid"][:, ::-1]
    settings = replace(QUICK, mode="full", trunk_learning_rate=0.1, clip_norm=0.0)
    head, history = train(wrong, backbone, NAMES, settings, 1)
    assert history.loc[history["best"], "epoch"].item() <= 3
    before = dict(load_backbone(backbone)._transformer.layers[0].feed_in.named_parameters())["weight"]
    assert np.array_equal(head.trunk["transformer.0.1.fn.1.weight"], before.numpy())


def killed_after(monkeypatch, steps):
    taken = []
    original = training_loop._step

    def step(*arguments):
        taken.append(1)
        if len(taken) > steps:
            raise KeyboardInterrupt
        original(*arguments)

    monkeypatch.setattr(training_loop, "_step", step)


@pytest.mark.parametrize(("mode", "steps"), [("mlp", 3), ("lora", 3), ("full", 5), ("guided", 3), ("guided", 7)])
def test_a_killed_run_ends_like_one_that_was_not(data, backbone, tmp_path, monkeypatch, mode, steps):
    settings = replace(QUICK, mode=mode, dropout=0.2, accumulate=2, batch_regions=2)
    whole, course = train(data, backbone, NAMES, settings, 1)
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as context:
        killed_after(context, steps)
        with pytest.raises(KeyboardInterrupt):
            train(data, backbone, NAMES, settings, 1, checkpoint=tmp_path)
    again, resumed = train(data, backbone, NAMES, settings, 1, checkpoint=tmp_path)
    write_head(whole, tmp_path / "one")
    write_head(again, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert resumed.equals(course)


def test_a_checkpoint_of_another_training_is_refused(data, backbone, tmp_path):
    train(data, backbone, NAMES, replace(QUICK, mode="mlp", epochs=1), 1, checkpoint=tmp_path)
    with pytest.raises(InputError, match=r"head.pt: not a checkpoint of this training"):
        train(data, backbone, NAMES, replace(QUICK, mode="mlp", hidden=5), 1, checkpoint=tmp_path)


def test_checkpointing_and_accumulation_change_nothing_but_memory(data, backbone):
    settings = replace(QUICK, mode="full", epochs=1, freeze_epochs=0, augment_rc=False, augment_shift=0)
    plain = train(data, backbone, NAMES, replace(settings, batch_regions=14), 1)[0]
    for changes in ({"checkpointing": True, "batch_regions": 14}, {"accumulate": 2, "batch_regions": 7}):
        other = train(data, backbone, NAMES, replace(settings, **changes), 1)[0]
        assert np.allclose(other.weight, plain.weight, atol=1e-5)
        assert all(np.allclose(other.trunk[name], value, atol=2e-5) for name, value in plain.trunk.items())


def test_bf16_is_close_and_not_the_same(data, backbone):
    settings = replace(QUICK, mode="full", epochs=1)
    plain, rough = (
        train(data, backbone, NAMES, replace(settings, precision=kind), 1)[1] for kind in ("float32", "bf16")
    )
    assert rough["valid_loss"].iloc[-1] != plain["valid_loss"].iloc[-1]
    assert rough["valid_loss"].iloc[-1] == pytest.approx(plain["valid_loss"].iloc[-1], rel=0.05)


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


@pytest.mark.parametrize("kind", ["poisson", "poisson_multinomial"])
def test_loss_is_that_of_the_usable_bins(kind):
    rng = np.random.default_rng(5)
    predicted, target = (torch.from_numpy(rng.gamma(2, size=(3, 5, 2)).astype(np.float32)) for _ in range(2))
    weights, keep = torch.tensor([0.5, 1.5]), [0, 1, 2, 4]
    holed = target.clone()
    holed[:, 3, 1] = np.nan
    fewer = training_loss(predicted[:, keep], target[:, keep], kind, weights)
    assert float(training_loss(predicted, holed, kind, weights)) == pytest.approx(float(fewer), rel=1e-5)


def test_multinomial_loss():
    rng = np.random.default_rng(2)
    predicted, target = (torch.from_numpy(rng.gamma(2, size=(3, 5, 2)).astype(np.float32)) for _ in range(2))
    ones = torch.ones(2)
    poisson = training_loss(predicted, target, "poisson", ones)
    assert float(poisson) == pytest.approx(float((predicted - target * predicted.log()).mean()), rel=1e-5)
    found = training_loss(predicted, target, "poisson_multinomial", ones)
    share = predicted / predicted.sum(1, keepdim=True)
    total, whole = predicted.sum(1), target.sum(1)
    expected = -(target * share.log()).sum() + 0.2 * (total - whole * total.log()).sum()
    assert float(found) == pytest.approx(float(expected) / target.numel(), rel=1e-5)
    # The shape of a region's signal decides; its level hardly does.
    louder = training_loss(2 * predicted, target, "poisson_multinomial", ones) - found
    assert abs(float(louder)) < 0.3 * abs(float(training_loss(2 * predicted, target, "poisson", ones) - poisson))


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


def test_a_folded_readout_says_what_it_said(data, backbone):
    cached = embed_rows(data, np.arange(len(data.split)), backbone)
    for mode in ("linear", "mlp"):
        head, _ = train_cached(cached, data.targets.reshape(-1, 2), TARGET_BINS, NAMES, replace(QUICK, mode=mode), 1)
        readout = Readout(*training_statistics(cached, data.targets.reshape(-1, 2), NAMES.names))
        if mode == "linear":
            readout.start_from(head)
            with torch.no_grad():
                signal = readout(torch.from_numpy(cached.embedding)).numpy()
            assert np.allclose(signal, head.predict(cached.embedding), atol=1e-4)
        else:
            assert head.hidden_weight.shape == (8, cached.embedding.shape[1])


@pytest.mark.parametrize("mode", ["linear", "mlp"])
def test_only_training_bins_normalise(data, backbone, mode):
    cached = embed_rows(data, np.arange(len(data.split)), backbone)
    other = RegionEmbeddings(**vars(cached) | {"embedding": cached.embedding.copy()})
    other.embedding[other.split == "test"] *= 100
    flat = data.targets.reshape(-1, 2)
    one, two = (train_cached(regions, flat, TARGET_BINS, NAMES, replace(QUICK, mode=mode), 1)[0]
                for regions in (cached, other))  # fmt: skip
    assert np.array_equal(one.weight, two.weight)
    assert np.array_equal(one.hidden_weight, two.hidden_weight)


@pytest.mark.parametrize(
    ("mode", "changes"),
    [("lora", {"l2": 1.0}), ("mlp", {"l2": 1.0}), ("full", {"clip_norm": 1e-9}), ("full", {"dropout": 0.5})],
)
def test_each_setting_of_the_loop_counts(data, backbone, trained, mode, changes):
    _, before = trained[mode]
    _, after = train(data, backbone, NAMES, replace(QUICK, mode=mode, **changes), 1)
    assert after["valid_loss"].iloc[-1] != before["valid_loss"].iloc[-1]


def test_training_stops_when_nothing_gets_better():
    losses = iter([3.0, 2.0, 2.5, 2.5, 1.0, 1.0])
    weight = torch.nn.Parameter(torch.zeros(1))
    task = training_loop.Task({"w": weight}, {"w": 0.1}, np.arange(2), 1, lambda *_: (weight - 1).square().sum(),
                              lambda: 0 * weight.sum(), lambda: (next(losses), 0.0))  # fmt: skip
    records, best = training_loop.run(task, training_loop.Plan(6, 1, patience=2))
    assert [record["valid_loss"] for record in records] == [3.0, 2.0, 2.5, 2.5]
    assert best == 2


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


def test_validation_regions_without_a_usable_bin(data, backbone):
    holed = Arrays(data.codes, data.targets.copy(), data.split)
    holed.targets[data.split == "valid"] = np.nan
    with pytest.raises(InputError, match="no validation region has a usable bin"):
        train(holed, backbone, NAMES, replace(QUICK, mode="full", freeze_epochs=0), 1)


def test_a_strand_pair_must_be_a_track():
    assert Tracks.of(["plus", "minus"], pairs=["minus", "plus"]).other_strand.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"track 'plus': strand_pair 'minus' is no track of the same head"):
        Tracks.of(["plus"], pairs=["minus"])
    with pytest.raises(InputError, match=r"track 'plus': strand_pair 'minus' does not name 'plus'"):
        Tracks.of(["plus", "minus"], pairs=["minus", ""])
    assert Tracks.of(["both"], pairs=["both"]).other_strand.tolist() == [0]


@pytest.mark.parametrize("mode", ["linear", "lora"])
def test_a_head_knows_its_strand_pairs(data, backbone, trained, tmp_path, mode):
    pairs = Tracks.of(["gc", "a"], pairs=["a", "gc"])
    head, _ = train(data, backbone, pairs, replace(QUICK, mode=mode, epochs=1), 1)
    write_head(head, tmp_path / "head.safetensors")
    assert load_head(tmp_path / "head.safetensors").other_strand == (1, 0)
    assert trained[mode][0].other_strand == ()


def test_a_head_needs_a_track_with_a_weight():
    with pytest.raises(InputError, match="tracks plus, minus: all have weight 0"):
        Tracks.of(["plus", "minus"], [0.0, 0.0])


def test_a_head_of_another_backbone_is_refused(trained, tmp_path):
    from toy_enformer import toy_enformer

    other = save_toy(tmp_path, toy_enformer(seed=2))
    for mode in ("linear", "lora"):
        with pytest.raises(InputError, match=r"trained on backbone \w{12}, but backbone.weights are"):
            load_tuned_backbone(other, trained[mode][0])
