"""From a folder in the format of the Hugging Face hub to a model with these weights, every one accounted for."""

import hashlib
import inspect
import logging
from pathlib import Path
from typing import Any

import torch
from enformer_pytorch import Enformer
from enformer_pytorch.config_enformer import EnformerConfig
from enformer_pytorch.modeling_enformer import Attention
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import sha256
from fineprior.foundation.settings import BackboneSettings
from fineprior.model.hub import CONFIG, SAFETENSORS, check_digest, find_folder, read_json, weights_file
from fineprior.model.tower import use_pair_pools

_ORIGINAL = {"dim": 1536, "depth": 11, "heads": 8, "output_heads": {"human": 5313, "mouse": 1643}}
"""What the published Enformer has; EleutherAI's configuration of its weights does not say that they need the gammas."""
_TF_GAMMA_TOKENS, _TF_GAMMA_FEATURES = 1536, 192
_TRUNK = {"_trunk.1": "stem", "_trunk.2": "conv_tower", "_trunk.4": "transformer", "_trunk.6": "final_pointwise"}
"""The library registers its modules twice, under these names as well."""

logger = logging.getLogger(__name__)


def load_enformer(settings: BackboneSettings) -> tuple[Enformer, str]:
    """Load a backbone's weights.

    `weights` is a folder in the format of the Hugging Face hub (config.json and model.safetensors or
    pytorch_model.bin, with or without the library's `_trunk.*` duplicates) or a hub name such as
    `EleutherAI/enformer-official-rough`, which must have been fetched.

    Returns
    -------
    The model, and the digest of configuration and weights.

    Raises
    ------
    InputError
        No such folder or not fetched; a file that cannot be read or has another digest; weights that are missing,
        unexpected, of another shape or not finite; settings that do not fit the architecture or the weights.
    """
    folder = find_folder(settings)
    config = read_json(folder / CONFIG)
    _check_trained(config, folder, settings)
    enformer = build_enformer(config, settings)
    weights = weights_file(folder)
    found = sha256(weights)
    check_digest(weights, found, settings)
    _load_weights(enformer, weights)
    digest = hashlib.sha256((folder / CONFIG).read_bytes() + bytes.fromhex(found)).hexdigest()
    logger.info("backbone %s: %d parameters, digest %s", folder,
                sum(parameter.numel() for parameter in enformer.trunk.parameters()), digest[:12])  # fmt: skip
    return enformer, digest


def read_config(settings: BackboneSettings) -> dict[str, Any]:
    """Read a backbone's config.json."""
    return read_json(find_folder(settings) / CONFIG)


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
    use_pair_pools(enformer)
    return enformer


def _check_trained(config: dict[str, Any], folder: Path, settings: BackboneSettings) -> None:
    """Whether the settings are those that the weights were trained with, as far as the configuration tells."""
    trained = config.get("context_length", settings.context_length)
    if trained != settings.context_length:
        raise InputError(f"backbone.context_length: {settings.context_length}, but {folder} was trained with {trained}")
    original = "use_tf_gamma" not in config and all(config.get(name) == value for name, value in _ORIGINAL.items())
    if settings.use_tf_gamma:
        return
    if config.get("use_tf_gamma"):
        raise InputError(f"backbone.use_tf_gamma: false, but {folder / CONFIG} says that these weights need it")
    if original:
        raise InputError(
            f"backbone.use_tf_gamma: must be true for {folder}: its configuration is the published Enformer's, which "
            f'needs these positions; if these weights do not, write "use_tf_gamma": false into its {CONFIG}'
        )


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


def _load_weights(enformer: Enformer, path: Path) -> None:
    """Copy every tensor of a weights file into the model, and see that none is missing or left over."""
    tensors = _read_weights(path)
    expected = {name: value for name, value in enformer.state_dict().items() if not name.startswith("_trunk.")}
    for what, names in (("missing", set(expected) - set(tensors)), ("unexpected", set(tensors) - set(expected))):
        if names:
            shown = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
            raise InputError(f"{path}: {len(names)} {what} weights: {shown}; does {CONFIG} belong to them?")
    for name, value in expected.items():
        if value.shape != tensors[name].shape:
            shapes = tuple(tensors[name].shape), tuple(value.shape)
            raise InputError(f"{path}: '{name}' has shape {shapes[0]}, but {CONFIG} asks for {shapes[1]}")
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{path}: '{name}' has values that are not finite")
        value.copy_(tensors[name])


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a weights file, with duplicates under one name."""
    try:
        found = load_file(path) if path.name == SAFETENSORS else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path}: not a readable weights file ({str(error).split(chr(10))[0]})") from None
    except Exception as error:  # torch's restricted unpickler has an error class of the standard pickle module
        raise InputError(f"{path}: refused, it holds more than tensors ({str(error).split(chr(10))[0]})") from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"{path}: refused, it holds more than tensors by name")
    tensors: dict[str, Tensor] = {}
    for name, tensor in found.items():
        for duplicate, original in _TRUNK.items():
            if name.startswith(f"{duplicate}."):
                name = original + name.removeprefix(duplicate)
        if name in tensors and not torch.equal(tensors[name], tensor):
            raise InputError(f"{path}: two different values of '{name}' (the `_trunk.` entries must be duplicates)")
        tensors[name] = tensor
    return tensors
