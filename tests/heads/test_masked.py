from dataclasses import replace

import numpy as np
import pytest
import torch

from fineprior.engine.backbone import load_backbone
from fineprior.files.errors import InputError
from fineprior.heads import masked, optimisation
from fineprior.heads.masked import hide, pretrain_masked, save_masked
from fineprior.project.settings import BackboneSettings, MaskedSettings
from fineprior.sequence.windows import one_hot

LENGTH = 256
SMALL = MaskedSettings(dim=24, depth=1, heads=2, attn_dim_key=8, dim_divisible_by=4, num_downsamples=3, steps=60,
                       batch_regions=8, learning_rate=5e-3, mask_span=1)  # fmt: skip


def windows():
    """Sequence of period 4 from a random phase: any hidden base is told by the others."""
    rng = np.random.default_rng(1)
    codes = (np.arange(LENGTH) + rng.integers(0, 4, (60, 1))) % 4
    return codes.astype(np.uint8), np.repeat(["train", "valid"], [45, 15])


@pytest.fixture(scope="module")
def pretrained():
    return pretrain_masked(*windows(), LENGTH, SMALL, 1)


@pytest.mark.slow
def test_hidden_bases_are_learned(pretrained):
    _, figures = pretrained
    assert figures["loss_composition"] == pytest.approx(np.log(4), abs=0.01)
    assert figures["loss"] < 0.7 * figures["loss_composition"]


def test_the_encoder_is_a_backbone(pretrained, tmp_path):
    encoder, figures = pretrained
    save_masked(encoder, figures, LENGTH, tmp_path)
    backbone = load_backbone(BackboneSettings(weights=str(tmp_path), context_length=LENGTH, target_bins=16))
    assert (backbone.bin_size, backbone.dim) == (8, 48)
    codes, _ = windows()
    x = torch.from_numpy(one_hot(codes[:3]))
    with torch.no_grad():
        expected = encoder(x, return_only_embeddings=True)[:, 8:24]
    assert torch.allclose(backbone.embed(x), expected, atol=1e-4)


def test_same_input_same_bytes(pretrained, tmp_path):
    quick = replace(SMALL, steps=3)
    for name in ("one", "two"):
        save_masked(*pretrain_masked(*windows(), LENGTH, quick, 1), LENGTH, tmp_path / name)
    for file in ("model.safetensors", "config.json", "metrics.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_a_killed_run_ends_like_one_that_was_not(tmp_path, monkeypatch):
    short = replace(SMALL, steps=6)
    expected, figures = pretrain_masked(*windows(), LENGTH, short, 1)
    monkeypatch.setattr(optimisation, "CHECKPOINT_SECONDS", 0.0)
    real, seen = masked.masked_loss, []

    def killed(*arguments):
        seen.append(None)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as context:
        context.setattr(masked, "masked_loss", killed)
        with pytest.raises(KeyboardInterrupt):
            pretrain_masked(*windows(), LENGTH, short, 1, checkpoint=tmp_path / "a/last.pt")
    again, same = pretrain_masked(*windows(), LENGTH, short, 1, checkpoint=tmp_path / "a/last.pt")
    assert same == figures
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in expected.state_dict().items())
    (tmp_path / "a/last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match=r"last.pt: damaged, or written by an older version .*delete it and run again"):
        pretrain_masked(*windows(), LENGTH, short, 1, checkpoint=tmp_path / "a/last.pt")


def test_hiding():
    codes = np.random.default_rng(2).integers(0, 5, (50, 2000)).astype(np.uint8)
    seen, hidden = hide(codes, 0.15, 6, np.random.default_rng(3))
    assert (seen[hidden] == 4).all()
    assert np.array_equal(seen[~hidden], codes[~hidden])
    assert not hidden[codes == 4].any()
    assert hidden[codes < 4].mean() == pytest.approx(0.15, abs=0.03)
    _, few = hide(np.zeros((50, 2000), np.uint8), 0.003, 6, np.random.default_rng(4))
    edges = np.diff(np.pad(few[:, :-6], ((0, 0), (1, 0))).astype(int), axis=1)
    ends = np.argwhere(edges == -1)
    assert len(ends) > 10
    assert all(few[row, end - 6 : end].all() for row, end in ends)
    assert np.median([few[row, :end][::-1].argmin() for row, end in ends]) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_downsamples": 9}, r"256 is not a multiple of 512 bp \(masked.num_downsamples\)"),
        ({"heads": 3}, r"masked.dim: 24 / masked.heads 3 must be a multiple of 6"),
        ({"learning_rate": 1e30}, r"masked.learning_rate: training diverged in step \d+"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(InputError, match=message):
        pretrain_masked(*windows(), LENGTH, replace(SMALL, **changes), 1)


def test_no_training_regions():
    codes, split = windows()
    with pytest.raises(InputError, match="needs training and validation regions"):
        pretrain_masked(codes, np.full(len(split), "train"), LENGTH, SMALL, 1)
