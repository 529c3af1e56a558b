"""The trunk of an Enformer as it is trained: which weights move, what is computed without gradients, what has changed.

Batch normalisation keeps the statistics that the backbone came with, in every mode: a batch of few windows has no
statistics worth having, and training then computes what is computed afterwards.
"""

from collections.abc import Callable

import numpy as np
import torch
from enformer_pytorch import Enformer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import HeadSettings
from fineprior.model.tuned_backbone import LORA_A, LORA_B

_ADAPTED = r"transformer\.\d+\.0\.fn\.1\.(to_q|to_k|to_v|to_out)"


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
