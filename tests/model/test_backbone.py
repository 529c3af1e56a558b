import json
from pathlib import Path

import pytest
import torch
from enformer_pytorch import Enformer
from safetensors.torch import load_file, save_file

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import BackboneSettings
from fineprior.model.backbone import load_backbone
from toy_enformer import BIN_SIZE, CONFIG, CONTEXT, DIM, TARGET_BINS, save_toy, toy_enformer, toy_settings


@pytest.fixture(scope="module")
def windows():
    generator = torch.Generator().manual_seed(5)
    codes = torch.randint(0, 4, (3, CONTEXT), generator=generator)
    one_hot = torch.nn.functional.one_hot(codes, 4).float()
    one_hot[1, :100] = 0
    return one_hot


@pytest.fixture
def saved(tmp_path):
    return save_toy(tmp_path / "toy")


@pytest.mark.parametrize("form", ["safetensors", "duplicated", "bin"])
def test_embeddings_are_those_of_the_library(tmp_path, windows, form):
    enformer = toy_enformer()
    backbone = load_backbone(save_toy(tmp_path, enformer, form))
    with torch.no_grad():
        expected = enformer(windows, return_only_embeddings=True, target_length=TARGET_BINS)
    found = backbone.embed(windows)
    assert found.shape == (3, TARGET_BINS, DIM)
    assert (backbone.dim, backbone.bin_size, backbone.context_length) == (DIM, BIN_SIZE, CONTEXT)
    assert torch.allclose(found, expected, atol=1e-4)
    assert expected.std() > 0.1


def test_the_toy_has_attention_that_matters(saved, windows):
    backbone = load_backbone(saved)
    changed = windows.clone()
    changed[:, 0] = changed[:, 0].roll(1, -1)
    effect = (backbone.embed(changed) - backbone.embed(windows))[[0, 2], TARGET_BINS // 2]
    assert effect.abs().max() > 1e-4


def test_frozen_and_without_dropout(saved, windows):
    backbone = load_backbone(saved)
    found = backbone.embed(windows)
    assert torch.equal(found, backbone.embed(windows))
    assert not found.requires_grad


def test_batches_do_not_matter(saved, windows):
    backbone = load_backbone(saved)
    many = windows.repeat(50, 1, 1)
    assert torch.allclose(backbone.embed(many)[-3:], backbone.embed(windows), atol=1e-4)


def test_digest_is_of_weights_and_configuration(tmp_path):
    first = load_backbone(save_toy(tmp_path / "a")).digest
    assert load_backbone(save_toy(tmp_path / "b")).digest == first
    assert load_backbone(save_toy(tmp_path / "c", toy_enformer(2))).digest != first
    assert load_backbone(save_toy(tmp_path / "d", config=CONFIG | {"tracks": []})).digest != first


def test_tensorflow_gamma_positions_are_switched_on_from_a_directory(tmp_path):
    changes = {"dim": 192, "heads": 1, "depth": 1, "num_downsamples": 3}
    enformer = toy_enformer(**changes, use_tf_gamma=True)
    config = {**CONFIG, **changes, "context_length": 1536 * 8}
    settings = save_toy(tmp_path, enformer, config=config)
    sizes = {"context_length": 1536 * 8, "target_bins": 8}
    codes = torch.randint(0, 4, (1, 1536 * 8), generator=torch.Generator().manual_seed(1))
    window = torch.nn.functional.one_hot(codes, 4).float()
    with torch.no_grad():
        expected = enformer(window, return_only_embeddings=True, target_length=8)
    with_gamma = load_backbone(toy_settings(settings.weights, use_tf_gamma=True, **sizes)).embed(window)
    without = load_backbone(toy_settings(settings.weights, **sizes)).embed(window)
    assert (with_gamma - expected).abs().max() < 1e-4 * expected.std()
    assert (without - expected).abs().max() > 1e-2 * expected.std()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context_length": 500}, "context_length: 500, but .* was trained with 512"),
        ({"target_bins": 17}, "target_bins: 17 of the 16 bins"),
        ({"target_bins": 11}, "as many bins at the left as at the right"),
        ({"target_bins": 0}, "target_bins: 0"),
        ({"use_tf_gamma": True}, "use_tf_gamma: needs 1536 bins.* here 16 and 12"),
    ],
)
def test_settings_that_do_not_fit(saved, changes, message):
    with pytest.raises(InputError, match=message):
        load_backbone(toy_settings(saved.weights, **changes))


def test_context_length_must_be_whole_bins(tmp_path):
    config = {name: value for name, value in CONFIG.items() if name != "context_length"}
    settings = save_toy(tmp_path, config=config)
    with pytest.raises(InputError, match="context_length: 500 is not a multiple of 32 bp"):
        load_backbone(toy_settings(settings.weights, context_length=500))


def test_weights_that_were_saved_with_gamma_positions_need_them(tmp_path):
    settings = save_toy(tmp_path, config=CONFIG | {"use_tf_gamma": True})
    with pytest.raises(InputError, match="use_tf_gamma: false, but"):
        load_backbone(settings)


def edit_weights(settings, edit):
    path = f"{settings.weights}/model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("stem.0.bias"), r"1 missing weights: stem\.0\.bias"),
        (lambda t: t.update({"stem.9.bias": torch.zeros(2)}), r"1 unexpected weights: stem\.9\.bias"),
        (lambda t: t.update({"stem.0.bias": torch.zeros(5)}), r"'stem\.0\.bias' has shape \(5,\), but .*\(12,\)"),
        (lambda t: t.update({"_trunk.1.0.bias": t["stem.0.bias"] + 1}), r"two different values of 'stem\.0\.bias'"),
    ],
)
def test_every_weight_is_accounted_for(saved, edit, message):
    edit_weights(saved, edit)
    with pytest.raises(InputError, match=message):
        load_backbone(saved)


class Evil:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("content", [{"stem.0.bias": Evil()}, None])
def test_files_that_hold_more_or_less_than_tensors_are_refused(tmp_path, content, capsys):
    settings = save_toy(tmp_path, form="bin")
    if content is None:
        (tmp_path / "pytorch_model.bin").write_bytes(b"not weights")
    else:
        torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"refused|not a readable weights file"):
        load_backbone(settings)
    assert "ran" not in capsys.readouterr().out


def test_truncated_safetensors(saved):
    path = f"{saved.weights}/model.safetensors"
    with open(path, "r+b") as handle:
        handle.truncate(1000)
    with pytest.raises(InputError, match="not a readable weights file"):
        load_backbone(saved)


@pytest.mark.parametrize("name", ["", "./nothing", "/nothing/here", "one/two/three"])
def test_neither_a_directory_nor_a_hub_name(name):
    with pytest.raises(InputError, match=r"backbone\.weights"):
        load_backbone(BackboneSettings(weights=name))


def test_directory_without_weights(tmp_path):
    with pytest.raises(InputError, match=r"has no config\.json"):
        load_backbone(toy_settings(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(InputError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_backbone(toy_settings(tmp_path))


@pytest.mark.parametrize(("text", "message"), [("{dim: 24", "not JSON"), ("[24]", "must be one JSON object")])
def test_configuration_that_is_none(saved, text, message):
    Path(saved.weights, "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_backbone(saved)


def test_hub_name(tmp_path, monkeypatch):
    settings = save_toy(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **_: settings.weights)
    assert load_backbone(toy_settings("owner/model")).digest == load_backbone(settings).digest
    with pytest.raises(InputError, match="use_tf_gamma: must be true for EleutherAI"):
        load_backbone(toy_settings("EleutherAI/enformer-official-rough"))


def test_hub_name_offline(monkeypatch):
    def offline(name, **_):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(InputError, match=r"'owner/model' is not a directory, and could not be fetched .*no route"):
        load_backbone(toy_settings("owner/model"))


def test_the_library_reads_the_same_directory(saved, windows):
    """The hub's format is theirs: what we load, `from_pretrained` loads to the same model."""
    enformer = Enformer.from_pretrained(saved.weights).eval()
    with torch.no_grad():
        expected = enformer(windows, return_only_embeddings=True, target_length=TARGET_BINS)
    assert torch.allclose(load_backbone(saved).embed(windows), expected, atol=1e-4)
