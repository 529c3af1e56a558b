import json
import traceback
from pathlib import Path

import pytest
import torch
from enformer_pytorch import Enformer
from safetensors.torch import load_file, save_file

from fineprior.engine.backbone import load_backbone
from fineprior.engine.loading import load_enformer, load_torch
from fineprior.files.errors import InputError
from fineprior.files.reading import reading
from fineprior.files.whole import sha256
from fineprior.project.settings import BackboneSettings
from toy_enformer import CONFIG, save_toy, toy_enformer, toy_settings


@pytest.fixture
def saved(tmp_path):
    return save_toy(tmp_path / "toy")


@pytest.mark.slow
def test_digest_is_of_weights_and_configuration(tmp_path):
    first = load_enformer(save_toy(tmp_path / "a"))[1]
    assert load_enformer(save_toy(tmp_path / "b"))[1] == first
    assert load_enformer(save_toy(tmp_path / "c", toy_enformer(2)))[1] != first
    assert load_enformer(save_toy(tmp_path / "d", config=CONFIG | {"tracks": []}))[1] != first


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
        load_enformer(toy_settings(saved.weights, **changes))


def test_context_length_must_be_whole_bins(tmp_path):
    config = {name: value for name, value in CONFIG.items() if name != "context_length"}
    settings = save_toy(tmp_path, config=config)
    with pytest.raises(InputError, match="context_length: 500 is not a multiple of 32 bp"):
        load_enformer(toy_settings(settings.weights, context_length=500))


def test_weights_that_were_saved_with_gamma_positions_need_them(tmp_path):
    settings = save_toy(tmp_path, config=CONFIG | {"use_tf_gamma": True})
    with pytest.raises(InputError, match="use_tf_gamma: false, but"):
        load_enformer(settings)


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
        load_enformer(saved)


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
    with pytest.raises(InputError, match="not a readable weights file"):
        load_enformer(settings)
    assert "ran" not in capsys.readouterr().out


def test_truncated_safetensors(saved):
    path = f"{saved.weights}/model.safetensors"
    with open(path, "r+b") as handle:
        handle.truncate(1000)
    with pytest.raises(InputError, match="not a readable weights file"):
        load_enformer(saved)


@pytest.mark.parametrize("name", ["", "./nothing", "/nothing/here", "one/two/three"])
def test_neither_a_directory_nor_a_hub_name(name):
    with pytest.raises(InputError, match=r"backbone\.weights"):
        load_enformer(BackboneSettings(weights=name))


def test_directory_without_weights(tmp_path):
    with pytest.raises(InputError, match=r"has no config\.json"):
        load_enformer(toy_settings(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(InputError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_enformer(toy_settings(tmp_path))


@pytest.mark.parametrize(("text", "message"), [("{dim: 24", "not JSON"), ("[24]", "must be one JSON object")])
def test_configuration_that_is_none(saved, text, message):
    Path(saved.weights, "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_enformer(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 0}, "heads = 0 must be a whole number from 1 to 1,024"),
        ({"heads": True}, "heads = true must be a whole number"),
        ({"heads": 5}, "dim = 24 and heads = 5: dim must be a multiple of 6 times heads"),
        ({"dim": "24"}, 'dim = "24" must be a whole number from 1 to 65,536'),
        ({"dim": 24.0}, "dim = 24.0 must be a whole number"),
        ({"dim": 10**9}, "dim = 1000000000 must be a whole number from 1 to 65,536"),
        ({"dim": None}, "dim = null must be a whole number"),
        ({"dim": [24]}, r"dim = \[24\] must be a whole number"),
        ({"depth": -1}, "depth = -1 must be a whole number from 1 to 200"),
        ({"depth": 10**6}, "depth = 1000000 must be a whole number"),
        ({"num_downsamples": 60}, "num_downsamples = 60 must be a whole number from 2 to 16"),
        ({"attn_dim_key": 0}, "attn_dim_key = 0 must be a whole number"),
        ({"target_length": 10**12}, "target_length = 1000000000000 must be a whole number"),
        ({"context_length": "512"}, 'context_length = "512" must be a whole number'),
        ({"dropout_rate": 1.5}, "dropout_rate = 1.5 must be a number from 0 to 0.99"),
        ({"use_convnext": "no"}, 'use_convnext = "no" must be true or false'),
        ({"output_heads": [5]}, r"output_heads = \[5\] must be names with numbers"),
        ({"output_heads": {"human": -5}}, "output_heads.human = -5 must be a whole number"),
        ({"output_heads": {"a.b": 5}}, "output_heads: 'a.b' is no name"),
    ],
)
def test_a_configuration_that_no_model_can_have(tmp_path, change, message, monkeypatch):
    settings = save_toy(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | change))
    monkeypatch.setattr("fineprior.engine.loading.Enformer", None)  # nothing is built
    with pytest.raises(InputError, match=rf"config\.json: {message}"):
        load_enformer(settings)


@pytest.mark.slow
def test_weights_of_another_size_take_no_memory(saved, monkeypatch):
    """A configuration that asks for more than the file has is refused by names and shapes."""
    Path(saved.weights, "config.json").write_text(json.dumps(CONFIG | {"dim": 49_152, "heads": 64, "depth": 150}))
    built = []
    monkeypatch.setattr("fineprior.engine.loading.load_file", built.append)
    with pytest.raises(InputError, match=r"missing weights|has shape"):
        load_enformer(saved)
    assert not built


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_weights_that_are_whole_numbers(tmp_path, form):
    settings = save_toy(tmp_path, form=form)
    if form == "bin":
        tensors = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
        torch.save(tensors | {"stem.0.bias": tensors["stem.0.bias"].to(torch.int8)}, tmp_path / "pytorch_model.bin")
    else:
        edit_weights(settings, lambda t: t.update({"stem.0.bias": t["stem.0.bias"].to(torch.int8)}))
    with pytest.raises(
        InputError, match=r"'stem\.0\.bias' is of type (I8|int8); allowed: weights of F64, F32, F16, BF16"
    ):
        load_enformer(settings)


def test_no_advice_to_load_unsafely(tmp_path):
    settings = save_toy(tmp_path, form="bin")
    torch.save({"stem.0.bias": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError) as caught:
        load_enformer(settings)
    logged = "".join(traceback.format_exception(caught.value))
    assert "weights_only" not in logged
    assert "trusted source" not in logged


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "denied"), "may not be read"),
        (torch.OutOfMemoryError("CUDA out of memory"), "needs more memory than there is"),
        (MemoryError(), "needs more memory than there is"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (RuntimeError("Weights only load failed"), "cannot read it as tensors alone"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_a_checkpoint_that_may_be_whole_is_not_called_damaged(tmp_path, monkeypatch, error, said):
    def fail(*given, **more):
        raise error

    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"x")
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(InputError, match=said), reading(path, "a checkpoint"):
        load_torch(path)


def test_weights_that_are_not_finite(saved):
    edit_weights(saved, lambda tensors: tensors["stem.0.bias"].fill_(float("nan")))
    with pytest.raises(InputError, match=r"'stem\.0\.bias' has values that are not finite"):
        load_enformer(saved)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("stem.0.bias", lambda value: value.double() + 1e300, "not finite, or too large for torch.float32"),
        ("conv_tower.0.0.0.running_var", lambda value: value - 100, "has variances below 0"),
    ],
)
def test_weights_that_the_model_cannot_hold(saved, name, change, message):
    path = Path(saved.weights) / "model.safetensors"
    tensors = load_file(path)
    tensors[name] = change(tensors[name])
    save_file(tensors, path)
    with pytest.raises(InputError, match=message):
        load_enformer(saved)


def test_the_digest_of_the_settings_is_checked(saved):
    digest = sha256(f"{saved.weights}/model.safetensors")
    load_enformer(toy_settings(saved.weights, sha256=digest))
    with pytest.raises(InputError, match=rf"SHA-256 is {digest}, but backbone\.sha256 says 0000"):
        load_enformer(toy_settings(saved.weights, sha256="0" * 64))


ORIGINAL = {"dim": 1536, "depth": 11, "heads": 8, "output_heads": {"human": 5313, "mouse": 1643}}


def test_a_copy_of_the_published_weights_needs_their_positions(tmp_path):
    """Their config.json does not say so, and the library asks for the hub's name."""
    (tmp_path / "config.json").write_text(json.dumps(ORIGINAL))
    settings = BackboneSettings(weights=str(tmp_path))
    with pytest.raises(InputError, match=r"use_tf_gamma: must be true for .*published Enformer's"):
        load_enformer(settings)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a backbone of the hub in it, as the rule fetch_backbone leaves it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("resources/backbones/owner--model@abc")
    save_toy(folder)
    record = {"sha256": {"model.safetensors": sha256(folder / "model.safetensors")}}
    (folder / "fetched.json").write_text(json.dumps(record))
    return folder


def test_a_fetched_backbone_is_loaded_without_a_network(project, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", None)
    found = load_enformer(toy_settings("owner/model", revision="abc"))[1]
    assert found == load_enformer(toy_settings(str(project)))[1]


def test_weights_that_changed_since_they_were_fetched(project):
    edit_weights(toy_settings(project), lambda tensors: tensors["stem.0.bias"].add_(1))
    with pytest.raises(
        InputError, match=r"SHA-256 is \w+, but resources/backbones/owner--model@abc/fetched\.json says"
    ):
        load_enformer(toy_settings("owner/model", revision="abc"))


@pytest.mark.slow
def test_the_published_architecture_at_an_eighth_of_its_width(tmp_path, monkeypatch):
    """1,536 tokens, 11 blocks, TensorFlow's positions, saved by the library itself, loaded by the hub's name."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    enformer = Enformer.from_hparams(dim=192, heads=1, depth=11, dim_divisible_by=16, output_heads={"human": 2}).eval()
    with torch.no_grad():
        for parameter in enformer.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif not parameter.any():  # the library starts the attention's output at zero
                parameter.normal_(0, 0.05)
        for name, buffer in enformer.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
    folder = Path("resources/backbones/owner--model@abc")
    enformer.save_pretrained(folder, safe_serialization=False)
    (folder / "fetched.json").write_text("{}")
    codes = torch.randint(0, 4, (1, 196_608), generator=torch.Generator().manual_seed(1))
    window = torch.nn.functional.one_hot(codes, 4).float()
    settings = BackboneSettings(weights="owner/model", revision="abc", use_tf_gamma=True)
    found = load_backbone(settings).embed(window)
    oracle = Enformer.from_pretrained(folder, use_tf_gamma=True).eval()
    with torch.no_grad():
        expected = oracle(window, return_only_embeddings=True, target_length=896)
    assert found.shape == (1, 896, 384)
    assert (found - expected).abs().max() < 1e-4 * expected.std()
