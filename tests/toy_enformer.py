"""A toy Enformer whose weights are not degenerate: as the library starts it, its attention adds exactly zero."""

import json

import torch
from enformer_pytorch import Enformer
from safetensors.torch import save_file

from fineprior.project.settings import BackboneSettings

CONTEXT, TARGET_BINS, BIN_SIZE, DIM = 512, 12, 32, 48
CONFIG = {
    "dim": 24,
    "depth": 2,
    "heads": 2,
    "output_heads": {"human": 2},
    "target_length": -1,
    "attn_dim_key": 8,
    "num_downsamples": 5,
    "dim_divisible_by": 4,
    "architectures": ["Enformer"],
    "tracks": ["one", "two"],
    "context_length": CONTEXT,
}


def toy_enformer(seed=1, **changes):
    """The library's own module, in evaluation mode."""
    torch.manual_seed(seed)
    known = {name: CONFIG[name] for name in list(CONFIG)[:8]}
    enformer = Enformer.from_hparams(**known | changes).eval()
    with torch.no_grad():
        for parameter in enformer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        for name, buffer in enformer.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
            elif name.endswith("running_mean"):
                buffer.normal_(0, 0.3)
    return enformer


def save_toy(directory, enformer=None, form="safetensors", config=None):
    """Save in the hub's format and return the settings that load it; `form` is safetensors, bin or duplicated."""
    directory.mkdir(parents=True, exist_ok=True)
    state = (enformer or toy_enformer()).state_dict()
    (directory / "config.json").write_text(json.dumps(config or CONFIG))
    if form == "safetensors":
        kept = {name: value.clone() for name, value in state.items() if not name.startswith("_trunk.")}
        save_file(kept, directory / "model.safetensors")
    elif form == "duplicated":
        save_file({name: value.clone() for name, value in state.items()}, directory / "model.safetensors")
    else:
        torch.save(state, directory / "pytorch_model.bin")
    return toy_settings(directory)


def toy_settings(directory, **changes):
    return BackboneSettings(
        **{"weights": str(directory), "context_length": CONTEXT, "target_bins": TARGET_BINS} | changes
    )
