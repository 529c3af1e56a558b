"""The trunk of a backbone that training a head changes: its weights in training, its change, and loading.

A head's file holds only what was changed: new values under the name of the weight, or the factors of a low-rank change
as `<weight>.lora_a` (rank, in) and `<weight>.lora_b` (out, rank), whose product is added to the weight.

Batch normalisation keeps the statistics that the backbone came with, in every mode: a batch of few windows has no
statistics worth having, and training then computes what is computed afterwards.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from enformer_pytorch import Enformer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fineprior.engine.backbone import Backbone, EnformerBackbone, device_for, load_backbone
from fineprior.engine.loading import load_enformer
from fineprior.files.errors import InputError
from fineprior.heads.head import Head, load_head
from fineprior.project.settings import BackboneSettings, HeadSettings
from fineprior.sequence.windows import one_hot

LORA_A, LORA_B = ".lora_a", ".lora_b"
_ADAPTED = r"transformer\.\d+\.0\.fn\.1\.(to_q|to_k|to_v|to_out)"
_REGIONS_AT_ONCE = 64


def load_tuned_backbone(settings: BackboneSettings, head: Head | str | Path, job: int = 0) -> Backbone:
    """The backbone that makes a head's embeddings: as it was loaded, or as the head's training has changed it.

    It is on the GPU of a job or the CPU (see `load_backbone`).

    Parameters
    ----------
    settings
        Of the backbone before training.
    head
        A head, or its file.

    Raises
    ------
    InputError
        The head is of another backbone, or its file cannot be read.
    """
    where = "head" if isinstance(head, Head) else head
    head = head if isinstance(head, Head) else load_head(head)
    if not head.base:
        backbone = load_backbone(settings, job)
        _check(backbone.digest, head.backbone, where)
        return backbone
    enformer, digest = load_enformer(settings)
    _check(digest, head.base, where)
    apply_change(enformer, head.trunk, where)
    return EnformerBackbone(enformer, head.backbone, settings, device_for(job))


def _check(found: str, wanted: str, where: str | Path) -> None:
    if found != wanted:
        raise InputError(
            f"{where}: trained on backbone {wanted[:12]}, but backbone.weights are {found[:12]}; train a head on these"
        )


@torch.no_grad()
def apply_change(enformer: Enformer, trunk: Mapping[str, NDArray[np.float32]], where: str | Path) -> None:
    """Put changed weights into a model.

    Raises
    ------
    InputError
        A weight that the model does not have, or of another shape.
    """
    weights = dict(enformer.named_parameters())
    for name, value in trunk.items():
        if name.endswith(LORA_B):
            continue
        weight = weights.get(name.removesuffix(LORA_A))
        change = torch.from_numpy(np.array(value, order="C", ndmin=1))
        if name.endswith(LORA_A):
            change = torch.from_numpy(np.array(trunk[name.removesuffix(LORA_A) + LORA_B], order="C", ndmin=1)) @ change
        if weight is None or weight.shape != change.shape:
            raise InputError(
                f"{where}: '{name}' is not a weight of this backbone; was the head trained on another one?"
            )
        weight.copy_(weight + change if name.endswith(LORA_A) else change)


def tuned_digest(base: str, trunk: Mapping[str, NDArray[np.float32]]) -> str:
    """Digest of a backbone with this digest after a change."""
    digest = hashlib.sha256(base.encode())
    for name in sorted(trunk):
        digest.update(name.encode() + np.ascontiguousarray(trunk[name]).tobytes())
    return digest.hexdigest()


def predict(head: Head, backbone: Backbone, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Signal (regions, bins, tracks) of windows (regions, length), by a head of any mode and its backbone.

    Where the backbone is frozen and embeddings are at hand, `head.predict(embeddings)` is the same.

    Parameters
    ----------
    backbone
        From `load_tuned_backbone`.
    codes
        uint8 codes of bases.
    """
    shape = (len(codes), backbone.target_bins, len(head.tracks))
    signal = np.empty(shape, np.float32)
    for start in range(0, len(codes), _REGIONS_AT_ONCE):
        part = slice(start, start + _REGIONS_AT_ONCE)
        signal[part] = head.predict(backbone.embed(torch.from_numpy(one_hot(codes[part]))).numpy())
    return signal


class Trunk(nn.Module):
    """From windows to embeddings, with gradients for what a mode trains and for nothing else.

    Low-rank changes are peft's, injected into the library's own linear layers of attention: queries, keys, values and
    output; the keys of relative positions stay.

    Raises
    ------
    InputError
        More blocks are to be trained than there are.
    """

    def __init__(self, enformer: Enformer, settings: HeadSettings) -> None:
        super().__init__()
        depth = len(enformer.transformer)
        if settings.mode == "last_blocks" and settings.unfreeze_blocks > depth:
            raise InputError(
                f"head.unfreeze_blocks: {settings.unfreeze_blocks}, but the backbone has {depth} transformer blocks"
            )
        self.enformer = enformer.requires_grad_(False).eval()
        self._low_rank = settings.mode == "lora"
        self._checkpointing = settings.checkpointing
        tower: list[Callable[[Tensor], Tensor]] = [lambda x: enformer.stem(x.transpose(1, 2)), *enformer.conv_tower]
        blocks = list(enformer.transformer)
        last = [lambda x: enformer.final_pointwise(enformer.crop_final(x))]
        self._stages = [*tower, lambda x: x.transpose(1, 2), *blocks, *last]
        self._frozen = len(self._stages) - 1
        trained = blocks
        if settings.mode == "last_blocks":
            trained = blocks[depth - settings.unfreeze_blocks :]
            for module in (*trained, enformer.final_pointwise):
                module.requires_grad_(requires_grad=True)
            self._frozen -= settings.unfreeze_blocks
        elif self._low_rank:
            _inject(enformer, settings.rank)
            self._frozen -= depth
        else:
            for module in (enformer.stem, enformer.conv_tower, enformer.transformer, enformer.final_pointwise):
                module.requires_grad_(requires_grad=True)
            self._frozen = 0
        self._dropouts = [module for block in trained for module in block.modules() if isinstance(module, nn.Dropout)]
        for module in self._dropouts:
            module.p = settings.dropout

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """What is trained, by name."""
        return {name: weight for name, weight in self.enformer.named_parameters() if weight.requires_grad}

    def forward(self, windows: Tensor) -> Tensor:
        """Embeddings (batch, bins, dim) of windows (batch, length, 4)."""
        x = windows
        with torch.no_grad():
            for stage in self._stages[: self._frozen]:
                x = stage(x)
        for stage in self._stages[self._frozen :]:
            if self._checkpointing and torch.is_grad_enabled():
                x = checkpoint(stage, x, use_reentrant=False)
            else:
                x = stage(x)
        return x

    def drop(self, dropping: bool) -> None:
        """Switch dropout in the blocks that are trained; all else stays in evaluation mode."""
        for module in self._dropouts:
            module.train(dropping)

    def change(self) -> dict[str, NDArray[np.float32]]:
        """What is trained, as a head's file holds it."""
        found = {}
        for name, weight in self.trained.items():
            for ours, theirs in ((LORA_A, ".lora_A.default.weight"), (LORA_B, ".lora_B.default.weight")):
                name = name.replace(theirs, f".weight{ours}")
            found[name] = weight.detach().cpu().numpy().copy()
        return found


def _inject(enformer: Enformer, rank: int) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=_ADAPTED), enformer)
