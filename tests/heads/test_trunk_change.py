"""A backbone that a head's training has changed."""

import numpy as np
import pytest

from fineprior.engine.backbone import load_backbone
from fineprior.engine.loading import load_enformer
from fineprior.files.errors import InputError
from fineprior.heads.head import load_head, write_head
from fineprior.heads.trunk import LORA_A, LORA_B, apply_change, load_tuned_backbone, tuned_digest
from toy_training import MODES


@pytest.mark.slow
def test_a_head_that_changed_the_backbone_has_a_backbone_of_its_own(trained, backbone):
    base = load_backbone(backbone).digest
    digests = {mode: trained[mode][0].backbone for mode in MODES}
    assert digests["linear"] == digests["mlp"] == base
    assert len(set(digests.values())) == 5
    assert all(load_tuned_backbone(backbone, trained[mode][0]).digest == digests[mode] for mode in MODES)


def test_a_low_rank_change_is_added_and_a_new_value_replaces(backbone):
    enformer, _ = load_enformer(backbone)
    name, other = "transformer.0.0.fn.1.to_q.weight", "transformer.0.1.fn.1.bias"
    weights = dict(enformer.named_parameters())
    before = weights[name].detach().clone()
    rng = np.random.default_rng(1)
    rows, columns = before.shape
    a, b = rng.normal(size=(2, columns)).astype(np.float32), rng.normal(size=(rows, 2)).astype(np.float32)
    bias = np.full(weights[other].shape, 0.25, np.float32)
    apply_change(enformer, {name + LORA_A: a, name + LORA_B: b, other: bias}, "head")
    np.testing.assert_allclose(weights[name].detach().numpy(), before.numpy() + b @ a, rtol=1e-5, atol=1e-6)
    assert np.array_equal(weights[other].detach().numpy(), bias)


@pytest.mark.parametrize("name", ["transformer.7.0.fn.1.to_q.weight", "transformer.0.1.fn.1.bias"])
def test_a_weight_that_the_model_has_not_is_named(backbone, name):
    with pytest.raises(InputError, match=rf"h.safetensors: '{name}' is not a weight of this backbone"):
        apply_change(load_enformer(backbone)[0], {name: np.zeros(3, np.float32)}, "h.safetensors")


def test_the_digest_is_of_names_values_and_base():
    change = {"b": np.ones(2, np.float32), "a": np.zeros(2, np.float32)}
    digests = {
        tuned_digest("base", change), tuned_digest("other", change), tuned_digest("base", change | {"c": change["a"]}),
        tuned_digest("base", {"a": change["b"], "b": change["a"]}),
    }  # fmt: skip
    assert len(digests) == 4
    assert tuned_digest("base", dict(sorted(change.items()))) in digests


def test_a_file_says_what_was_changed(trained, tmp_path):
    head = trained["last_blocks"][0]
    write_head(head, tmp_path / "head")
    again = load_head(tmp_path / "head")
    assert (again.backbone, again.base) == (head.backbone, head.base)
    assert again.trunk.keys() == head.trunk.keys()
    assert all(np.array_equal(again.trunk[name], value) for name, value in head.trunk.items())
    assert again.backbone == tuned_digest(again.base, again.trunk)


def test_a_file_that_is_absent_is_named(backbone, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_tuned_backbone(backbone, tmp_path / "absent")
