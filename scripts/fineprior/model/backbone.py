"""The sequence model whose frozen trunk turns a window of DNA into embeddings of its bins."""

import hashlib
import inspect
import json
import logging
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from enformer_pytorch import Enformer
from enformer_pytorch.config_enformer import EnformerConfig
from enformer_pytorch.modeling_enformer import Attention, AttentionPool
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import BackboneSettings

CONFIG, SAFETENSORS, TORCH_BIN = "config.json", "model.safetensors", "pytorch_model.bin"
_NEEDS_TF_GAMMA = "EleutherAI/enformer-official-rough"
_TF_GAMMA_TOKENS, _TF_GAMMA_FEATURES = 1536, 192
_BASES_AT_ONCE = 1 << 15
"""In one pass on a CPU: 16 windows of 2 kb, one window of 196 kb; larger batches are slower (memory traffic)."""
_TRUNK = {"_trunk.1": "stem", "_trunk.2": "conv_tower", "_trunk.4": "transformer", "_trunk.6": "final_pointwise"}

logger = logging.getLogger(__name__)


class Backbone(Protocol):
    """What the rest of the program knows of a sequence model; another model is another class with these members.

    Attributes
    ----------
    digest
        SHA-256 of the configuration and the weights.
    dim
        Length of an embedding.
    bin_size, context_length, target_bins
        Width of a bin (bp), length of a window (bp), number of bins at its centre that are embedded.
    """

    digest: str
    dim: int
    bin_size: int
    context_length: int
    target_bins: int

    def embed(self, one_hot: Tensor) -> Tensor:
        """Embed windows (batch, context_length, 4), float32, as (batch, target_bins, dim)."""


class EnformerBackbone:
    """The trunk of an enformer-pytorch model in evaluation mode (see `Backbone`)."""

    def __init__(self, enformer: Enformer, digest: str, settings: BackboneSettings) -> None:
        self.digest = digest
        self.dim = 2 * enformer.config.dim
        self.bin_size = 2**enformer.config.num_downsamples
        self.context_length = settings.context_length
        self.target_bins = settings.target_bins
        self._trunk = enformer.trunk.eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(self, one_hot: Tensor) -> Tensor:
        """Embed windows (batch, context_length, 4), float32, as (batch, target_bins, dim)."""
        at_once = max(1, _BASES_AT_ONCE // self.context_length)
        return torch.cat([self._trunk(windows) for windows in torch.split(one_hot, at_once)])


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


def build_enformer(config: dict[str, Any], settings: BackboneSettings) -> Enformer:
    """Build an Enformer as a hub configuration describes it, with the library's random start.

    Keys of the configuration that the architecture does not have are ignored. `target_bins` and `use_tf_gamma` come
    from the settings, never from the file: enformer-pytorch ignores the gamma flag of a local directory.

    Raises
    ------
    InputError
        The context length is not whole bins, has fewer of them than `target_bins` or cannot be cropped evenly,
        or the TensorFlow gamma positions are asked of an architecture that they do not fit.
    """
    known = set(inspect.signature(EnformerConfig.__init__).parameters) - {"self", "kwargs"}
    chosen = {name: value for name, value in config.items() if name in known}
    enformer_config = EnformerConfig(**chosen | {"target_length": settings.target_bins, "use_tf_gamma": False})
    _check_sizes(enformer_config, settings)
    enformer = Enformer(enformer_config)
    # Both ways to the flag: the constructor's, and what the official weights' loader does to built modules.
    for module in enformer.modules():
        if isinstance(module, Attention):
            module.use_tf_gamma = settings.use_tf_gamma
        for name, child in list(module.named_children()):
            if isinstance(child, AttentionPool) and child.pool_size == 2:
                setattr(module, name, PairPool(child))
    return enformer


def load_backbone(settings: BackboneSettings) -> Backbone:
    """Load a frozen backbone.

    `weights` is a directory in the format of the Hugging Face hub (config.json and model.safetensors or
    pytorch_model.bin, with or without the library's `_trunk.*` duplicates) or a hub name such as
    `EleutherAI/enformer-official-rough`.

    Raises
    ------
    InputError
        No such directory or hub model; a file that cannot be read; weights that are missing, unexpected or of
        another shape; settings that do not fit the architecture.
    """
    directory = _directory(settings)
    config = _parse_config(directory / CONFIG)
    trained = config.get("context_length", settings.context_length)
    if trained != settings.context_length:
        raise InputError(
            f"backbone.context_length: {settings.context_length}, but {directory} was trained with {trained}"
        )
    if config.get("use_tf_gamma") and not settings.use_tf_gamma:
        raise InputError(f"backbone.use_tf_gamma: false, but {directory / CONFIG} says that these weights need it")
    enformer = build_enformer(config, settings)
    weights = _weights_file(directory)
    _load_weights(enformer, weights)
    digest = hashlib.sha256((directory / CONFIG).read_bytes())
    with weights.open("rb") as handle:
        digest.update(hashlib.file_digest(handle, "sha256").digest())
    backbone = EnformerBackbone(enformer, digest.hexdigest(), settings)
    logger.info("backbone %s: %d parameters, digest %s", directory,
                sum(p.numel() for p in enformer.trunk.parameters()), backbone.digest[:12])  # fmt: skip
    return backbone


def read_config(settings: BackboneSettings) -> dict[str, Any]:
    """Read a backbone's config.json."""
    return _parse_config(_directory(settings) / CONFIG)


def _parse_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: must be one JSON object with the hyperparameters of an Enformer")
    return config


def _check_sizes(config: EnformerConfig, settings: BackboneSettings) -> None:
    bin_size = 2**config.num_downsamples
    tokens, rest = divmod(settings.context_length, bin_size)
    if rest or tokens < 1:
        raise InputError(f"backbone.context_length: {settings.context_length} is not a multiple of {bin_size} bp")
    if not 1 <= settings.target_bins <= tokens or (tokens - settings.target_bins) % 2:
        raise InputError(
            f"backbone.target_bins: {settings.target_bins} of the {tokens} bins of a window; it must be at most "
            f"{tokens} and leave as many bins at the left as at the right"
        )
    if settings.use_tf_gamma and (tokens, config.dim // config.heads) != (_TF_GAMMA_TOKENS, _TF_GAMMA_FEATURES):
        raise InputError(
            f"backbone.use_tf_gamma: needs {_TF_GAMMA_TOKENS} bins (context_length {_TF_GAMMA_TOKENS * bin_size}) and "
            f"{_TF_GAMMA_FEATURES} values per head; here {tokens} and {config.dim // config.heads}"
        )


def _directory(settings: BackboneSettings) -> Path:
    name = settings.weights
    directory = Path(name)
    if name and not directory.is_dir():
        directory = _from_hub(name)
    if not name or not (directory / CONFIG).is_file():
        raise InputError(
            f"backbone.weights: '{name}' has no {CONFIG}; allowed: a directory with {CONFIG} and {SAFETENSORS} or "
            f"{TORCH_BIN}, or a hub name"
        )
    if name == _NEEDS_TF_GAMMA and not settings.use_tf_gamma:
        raise InputError(f"backbone.use_tf_gamma: must be true for {name}, which was trained with these positions")
    return directory


def _from_hub(name: str) -> Path:
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise InputError(f"backbone.weights: '{name}' is neither a directory nor a hub name (owner/model)")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, SAFETENSORS, TORCH_BIN]))
    except Exception as error:  # the hub's client raises errors of four libraries when it is offline
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"backbone.weights: '{name}' is not a directory, and could not be fetched from the hub: "
            f"{type(error).__name__}: {reason}; without a network, give the path of a downloaded copy"
        ) from None


def _weights_file(directory: Path) -> Path:
    for name in (SAFETENSORS, TORCH_BIN):
        if (directory / name).is_file():
            return directory / name
    raise InputError(f"{directory}: neither {SAFETENSORS} nor {TORCH_BIN}")


def _load_weights(enformer: Enformer, path: Path) -> None:
    """Copy every tensor of a weights file into the model, and see that none is missing or left over."""
    try:
        found = load_file(path) if path.name == SAFETENSORS else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path}: not a readable weights file ({str(error).split(chr(10))[0]})") from None
    except Exception as error:  # torch's restricted unpickler has an error class of the standard pickle module
        raise InputError(f"{path}: refused, it holds more than tensors ({str(error).split(chr(10))[0]})") from None
    tensors: dict[str, Tensor] = {}
    for name, tensor in found.items():
        for duplicate, original in _TRUNK.items():
            if name.startswith(f"{duplicate}."):
                name = original + name.removeprefix(duplicate)
        if name in tensors and not torch.equal(tensors[name], tensor):
            raise InputError(f"{path}: two different values of '{name}' (the `_trunk.` entries must be duplicates)")
        tensors[name] = tensor
    expected = {name: value for name, value in enformer.state_dict().items() if not name.startswith("_trunk.")}
    for what, names in (("missing", set(expected) - set(tensors)), ("unexpected", set(tensors) - set(expected))):
        if names:
            shown = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
            raise InputError(f"{path}: {len(names)} {what} weights: {shown}; does {CONFIG} belong to them?")
    for name, value in expected.items():
        if value.shape != tensors[name].shape:
            shapes = tuple(tensors[name].shape), tuple(value.shape)
            raise InputError(f"{path}: '{name}' has shape {shapes[0]}, but {CONFIG} asks for {shapes[1]}")
        value.copy_(tensors[name])
