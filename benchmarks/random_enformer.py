"""An Enformer of any size whose random weights are not degenerate: speed and precision need no trained ones.

As enformer-pytorch starts it, attention adds exactly zero and batch norm knows nothing of its input, so that much of
what a variant does would not be seen. Here attention has weights, its logits a standard deviation of about 2, and each
batch norm the statistics of a random sequence.
"""

import torch
from enformer_pytorch import Enformer
from enformer_pytorch.modeling_enformer import Attention, AttentionPool
from torch import Tensor, nn
from torch.nn.functional import one_hot

FULL = {"dim": 1536, "depth": 11, "heads": 8, "target_length": 896, "use_tf_gamma": True}
"""The published model's size; its window has 196,608 bp, 1,536 tokens."""
SMALL = {"dim": 192, "depth": 4, "heads": 4, "target_length": 896, "dim_divisible_by": 32}
_CALIBRATION_BASES = 8192


def random_enformer(seed: int = 0, **size: object) -> Enformer:
    """Build one in evaluation mode, frozen; `size` as in `FULL`."""
    torch.manual_seed(seed)
    enformer = Enformer.from_hparams(**{"output_heads": {"human": 16}} | size)
    with torch.no_grad():
        for module in enformer.modules():
            if isinstance(module, Attention):
                _fill(module.to_q, 2.0)
                _fill(module.to_rel_k, 0.3)
                for linear in (module.to_k, module.to_v, module.to_out):
                    _fill(linear, 1.0)
                for bias in (module.rel_content_bias, module.rel_pos_bias):
                    bias.normal_(0, 0.1)
            elif isinstance(module, AttentionPool):
                weight = module.to_attn_logits.weight
                weight.add_(torch.randn_like(weight), alpha=0.5 * len(weight) ** -0.5)
            elif isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.7, 1.3)
                module.bias.normal_(0, 0.2)
        _calibrate(enformer.eval(), random_bases(_CALIBRATION_BASES, seed))
    return enformer.requires_grad_(False)


def random_bases(length: int, seed: int = 0) -> Tensor:
    """One-hot bases (length, 4), float32."""
    return one_hot(torch.randint(4, (length,), generator=torch.Generator().manual_seed(seed)), 4).float()


def _fill(linear: nn.Linear, scale: float) -> None:
    linear.weight.normal_(0, scale * linear.in_features**-0.5)


def _calibrate(enformer: Enformer, bases: Tensor) -> None:
    """Give batch norms the mean and variance that they see; TensorFlow's gammas do not fit so short a sequence."""
    norms = [module for module in enformer.modules() if isinstance(module, nn.BatchNorm1d)]
    attentions = [module for module in enformer.modules() if isinstance(module, Attention)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for attention in attentions:
        attention.use_tf_gamma = False
    tokens = enformer.conv_tower(enformer.stem(bases.T[None])).transpose(1, 2)
    enformer.final_pointwise(enformer.transformer(tokens))
    for attention in attentions:
        attention.use_tf_gamma = enformer.use_tf_gamma
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()
