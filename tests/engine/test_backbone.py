import pytest
import torch
from enformer_pytorch import Enformer

from fineprior.engine.backbone import device_for, load_backbone
from toy_enformer import BIN_SIZE, CONFIG, CONTEXT, DIM, TARGET_BINS, save_toy, toy_enformer, toy_settings


@pytest.fixture(scope="module")
def windows():
    generator = torch.Generator().manual_seed(5)
    codes = torch.randint(0, 4, (3, CONTEXT), generator=generator)
    one_hot = torch.nn.functional.one_hot(codes, 4).float()
    one_hot[1, :100] = 0
    return one_hot


@pytest.fixture
def saved(tmp_path, device):
    return save_toy(tmp_path / "toy")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["safetensors", "duplicated", "bin"])
def test_embeddings_are_those_of_the_library(tmp_path, windows, device, form, slack):
    enformer = toy_enformer()
    backbone = load_backbone(save_toy(tmp_path, enformer, form))
    with torch.no_grad():
        expected = enformer(windows, return_only_embeddings=True, target_length=TARGET_BINS)
    found = backbone.embed(windows)
    assert found.shape == (3, TARGET_BINS, DIM)
    assert (backbone.dim, backbone.bin_size, backbone.context_length) == (DIM, BIN_SIZE, CONTEXT)
    assert torch.allclose(found, expected, atol=1e-4 * slack)
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


@pytest.mark.parametrize(
    ("gpus", "devices"), [(0, ["cpu"] * 3), (1, ["cuda:0"] * 3), (2, ["cuda:0", "cuda:1", "cuda:0"])]
)
def test_jobs_take_turns_through_gpus(monkeypatch, gpus, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert [device_for(job) for job in range(3)] == devices


def test_batches_do_not_matter(saved, windows, slack):
    backbone = load_backbone(saved)
    many = windows.repeat(50, 1, 1)
    assert torch.allclose(backbone.embed(many)[-3:], backbone.embed(windows), atol=1e-4 * slack)


@pytest.mark.slow
def test_tensorflow_gamma_positions_are_switched_on_from_a_directory(tmp_path, device, slack):
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
    assert (with_gamma - expected).abs().max() < 1e-4 * slack * expected.std()
    assert (without - expected).abs().max() > 1e-2 * expected.std()


def test_the_library_reads_the_same_directory(saved, windows, slack):
    """The hub's format is theirs: what we load, `from_pretrained` loads to the same model."""
    enformer = Enformer.from_pretrained(saved.weights).eval()
    with torch.no_grad():
        expected = enformer(windows, return_only_embeddings=True, target_length=TARGET_BINS)
    assert torch.allclose(load_backbone(saved).embed(windows), expected, atol=1e-4 * slack)
