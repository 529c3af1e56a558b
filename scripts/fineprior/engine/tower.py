"""Enformer's stem and convolutional tower on any stretch of bases, and how far a base reaches in it."""

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from enformer_pytorch import Enformer
from enformer_pytorch.modeling_enformer import AttentionPool
from torch import Tensor, nn


class PairPool(nn.Module):
    """Enformer's attention pooling over pairs of positions, exactly, at about a tenth of the time on a CPU.

    A softmax over two logits is the logistic function of their difference, and the logits are linear, so that one
    convolution of the differences suffices. Keeps the parameter of the library's module under its name.
    """

    def __init__(self, pool: AttentionPool) -> None:
        super().__init__()
        self.to_attn_logits = pool.to_attn_logits

    def forward(self, x: Tensor) -> Tensor:
        """Pool (batch, channels, length), of even length, to (batch, channels, length / 2)."""
        first, second = x[..., 0::2], x[..., 1::2]
        difference = first - second
        share = torch.sigmoid(F.conv1d(difference, self.to_attn_logits.weight[..., 0]))
        return torch.addcmul(second, share, difference)


def use_pair_pools(module: nn.Module) -> None:
    """Replace all attention pools over pairs within a module; their weights stay."""
    for parent in module.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, AttentionPool) and child.pool_size == 2:
                setattr(parent, name, PairPool(child))


class Tower:
    """Stem and tower of an enformer-pytorch model whose pools are `PairPool`s, in evaluation mode.

    Attributes
    ----------
    token_size
        Bases of a token.
    reach
        Bases to either side of a token that it depends on: 259 for Enformer. What is changed in bases [a, b) can
        change tokens from floor((a - reach) / token_size) to ceil((b + reach) / token_size) and no others.
    """

    def __init__(self, enformer: Enformer) -> None:
        self._stages = [enformer.stem, *enformer.conv_tower]
        self.token_size = 2 ** len(self._stages)
        self.reach = 0
        for level, stage in enumerate(self._stages):
            convolution = stage[0] if level == 0 else stage[0][2]
            self.reach += convolution.kernel_size[0] // 2 * 2**level

    def __call__(self, one_hot: Tensor) -> Tensor:
        """Tokens (batch, bases / token_size, width) of bases (batch, bases, 4), whose ends are ends of the DNA.

        Beyond the ends each layer sees zeros, so that the tokens within `reach` of an end are not those of the same
        bases in the middle of a longer sequence.
        """
        x = one_hot.transpose(1, 2)
        for stage in self._stages:
            x = stage(x)
        return x.transpose(1, 2)
