"""The trunk as it is trained: what moves, what stays, and memory that is saved without a trace."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fineprior.engine.backbone import load_backbone
from fineprior.engine.loading import load_enformer
from fineprior.files.errors import InputError
from fineprior.heads.training import train
from fineprior.heads.trunk import Trunk
from fineprior.sequence.windows import one_hot
from toy_training import MODES, NAMES, QUICK


def test_what_each_mode_changes(trained):
    names = {mode: set(trained[mode][0].trunk) for mode in MODES}
    assert not names["linear"] | names["mlp"]
    assert {name.split(".")[0] for name in names["last_blocks"]} == {"transformer", "final_pointwise"}
    assert all(name.startswith(("transformer.1.", "final_pointwise.")) for name in names["last_blocks"])
    assert "transformer.0.0.fn.1.to_q.weight.lora_a" in names["lora"]
    assert all(".lora_" in name for name in names["lora"])
    assert names["full"] == names["guided"] > names["last_blocks"]
    assert trained["lora"][0].parameters < trained["last_blocks"][0].parameters < trained["full"][0].parameters


@pytest.mark.slow
def test_checkpointing_and_accumulation_change_nothing_but_memory(data, backbone):
    settings = replace(QUICK, mode="full", epochs=1, freeze_epochs=0, augment_rc=False, augment_shift=0)
    plain = train(data, backbone, NAMES, replace(settings, batch_regions=14), 1)[0]
    for changes in ({"checkpointing": True, "batch_regions": 14}, {"accumulate": 2, "batch_regions": 7}):
        other = train(data, backbone, NAMES, replace(settings, **changes), 1)[0]
        assert np.allclose(other.weight, plain.weight, atol=1e-5)
        assert all(np.allclose(other.trunk[name], value, atol=2e-5) for name, value in plain.trunk.items())


@pytest.mark.parametrize("mode", MODES[2:])
def test_before_training_it_is_the_backbone_and_only_what_is_trained_has_gradients(data, backbone, mode):
    windows = torch.from_numpy(one_hot(data.codes[:3]))
    trunk = Trunk(load_enformer(backbone)[0], replace(QUICK, mode=mode, dropout=0.5))
    found = trunk(windows)
    expected = load_backbone(backbone).embed(windows)
    # float32 through all layers; the backbone's own attention multiplies in another order
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    found.square().sum().backward()
    with_gradient = {name for name, weight in trunk.enformer.named_parameters() if weight.grad is not None}
    assert with_gradient <= set(trunk.trained)
    assert with_gradient
    trunk.drop(True)
    assert not torch.allclose(trunk(windows), found)
    trunk.drop(False)
    assert torch.equal(trunk(windows), found)


def test_more_blocks_than_there_are_cannot_be_trained(backbone):
    with pytest.raises(InputError, match=r"head.unfreeze_blocks: 3, but the backbone has 2 transformer blocks"):
        Trunk(load_enformer(backbone)[0], replace(QUICK, mode="last_blocks", unfreeze_blocks=3))
