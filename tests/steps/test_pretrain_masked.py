"""Masked pretraining as a step: from a FASTA and regions to a backbone in the hub's format."""

import numpy as np
import pytest

from fineprior.engine.backbone import load_backbone
from fineprior.heads import masked
from fineprior.project.settings import BackboneSettings, MaskedSettings
from fineprior.steps.pretrain_masked import pretrain_masked

LENGTH = 256
SMALL = MaskedSettings(dim=24, depth=1, heads=2, attn_dim_key=8, dim_divisible_by=4, num_downsamples=3, steps=3,
                       batch_regions=4)  # fmt: skip


@pytest.fixture
def world(tmp_path):
    bases = "".join(np.random.default_rng(1).choice(list("ACGT"), 20 * LENGTH))
    (tmp_path / "genome.fa").write_text(f">chr1\n{bases}\n")
    splits = ["train"] * 12 + ["valid"] * 4 + ["test"] * 4
    lines = [f"chr1\t{i * LENGTH}\t{(i + 1) * LENGTH}\t{split}" for i, split in enumerate(splits)]
    (tmp_path / "regions.bed").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(folder, out, code="1"):
    (folder / out).mkdir()
    pretrain_masked(fasta=str(folder / "genome.fa"), regions=str(folder / "regions.bed"), folder=str(folder / out),
                    store=str(folder / "store"), context_length=LENGTH, settings=SMALL, seed=1, threads=1,
                    code=code)  # fmt: skip
    return folder / out


def test_the_folder_is_a_backbone_and_the_same_input_gives_the_same_bytes(world):
    one, two = run(world, "one"), run(world, "two")
    for name in ("config.json", "model.safetensors", "metrics.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    settings = BackboneSettings(weights=str(one), context_length=LENGTH, target_bins=16)
    assert load_backbone(settings).dim == 2 * SMALL.dim
    assert not list((world / "store/pretraining").iterdir())


@pytest.mark.parametrize(("code", "resumed"), [("1", True), ("2", False)])
def test_a_killed_run_goes_on_unless_the_code_is_another(world, monkeypatch, caplog, code, resumed):
    whole = run(world, "whole")
    real, steps = masked.masked_loss, []

    def killed(*arguments):
        steps.append(None)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("fineprior.heads.optimisation.CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as context:
        context.setattr(masked, "masked_loss", killed)
        with pytest.raises(KeyboardInterrupt):
            run(world, "killed")
    caplog.set_level("INFO")
    again = run(world, "again", code)
    assert ("continuing from" in caplog.text) == resumed
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
