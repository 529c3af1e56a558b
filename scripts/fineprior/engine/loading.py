"""Enformers in the format of the Hugging Face hub: loaded with every weight accounted for, and saved."""

import hashlib
import inspect
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from enformer_pytorch import Enformer
from enformer_pytorch.config_enformer import EnformerConfig
from enformer_pytorch.modeling_enformer import Attention
from safetensors.torch import load_file, save_file
from torch import Tensor

from fineprior.engine.enformer import use_pair_pools
from fineprior.engine.hub import CONFIG, SAFETENSORS, check_digest, find_folder, read_json, weights_file
from fineprior.engine.tensor_files import check_kind, check_shapes, read_header
from fineprior.files.errors import InputError, shown
from fineprior.files.reading import reading
from fineprior.files.whole import atomic_path, sha256
from fineprior.project.settings import BackboneSettings

_ORIGINAL = {"dim": 1536, "depth": 11, "heads": 8, "output_heads": {"human": 5313, "mouse": 1643}}
"""What the published Enformer has; EleutherAI's configuration of its weights does not say that they need the gammas."""
_ALLOWED: dict[str, tuple[type, float, float]] = {
    "dim": (int, 1, 65_536), "depth": (int, 1, 200), "heads": (int, 1, 1024), "attn_dim_key": (int, 1, 4096),
    "num_downsamples": (int, 2, 16), "dim_divisible_by": (int, 1, 4096), "context_length": (int, 1, 100_000_000),
    "target_length": (int, -1, 1_000_000), "dropout_rate": (float, 0, 0.99), "attn_dropout": (float, 0, 0.99),
    "pos_dropout": (float, 0, 0.99),
}  # fmt: skip
"""What numbers of a configuration may be."""
_POSITIONS = 6
_VARIANCE = "running_var"
_KINDS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
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
    check_config(config, folder / CONFIG)
    _check_trained(config, folder, settings)
    weights = weights_file(folder)
    found = sha256(weights)
    check_digest(weights, found, settings)
    tensors = _read_weights(weights, _wanted(config, settings, folder / CONFIG))
    enformer = build_enformer(config, settings, folder / CONFIG)
    _load_weights(enformer, tensors, weights)
    digest = hashlib.sha256((folder / CONFIG).read_bytes() + bytes.fromhex(found)).hexdigest()
    logger.info("backbone %s: %d parameters, digest %s", folder,
                sum(parameter.numel() for parameter in enformer.trunk.parameters()), digest[:12])  # fmt: skip
    return enformer, digest


def save_enformer(model: Enformer, folder: Path, context_length: int, tracks: Sequence[str]) -> dict[str, Any]:
    """Write config.json and model.safetensors so that `Enformer.from_pretrained(folder)` reads them.

    Each tensor is written once: enformer_pytorch lists those of the trunk a second time as `_trunk.*`.
    """
    tensors = {
        name: tensor.detach().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("_trunk.")
    }
    with atomic_path(folder / SAFETENSORS) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
        temporary.chmod(0o644)
    fields = set(inspect.signature(EnformerConfig.__init__).parameters) - {"self", "kwargs"}
    config: dict[str, Any] = {
        **model.config.to_diff_dict(),
        # The architecture in full: the library's defaults may change.
        **{name: getattr(model.config, name) for name in fields if hasattr(model.config, name)},
        "architectures": ["Enformer"],
        "context_length": context_length,
        "tracks": list(tracks),
    }
    with atomic_path(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return config


def read_config(settings: BackboneSettings) -> dict[str, Any]:
    """Read a backbone's config.json."""
    return read_json(find_folder(settings) / CONFIG)


def check_config(config: dict[str, Any], where: str | Path = CONFIG) -> None:
    """Check what a configuration says of the architecture; keys that the architecture does not have may be anything.

    Raises
    ------
    InputError
        A value of another kind or out of its range, heads that do not share the features evenly.
    """
    for name, (kind, low, high) in _ALLOWED.items():
        _check_number(f"{where}: {name}", config.get(name, low), kind, low, high)
    for name in ("use_checkpointing", "use_convnext", "use_tf_gamma"):
        if not isinstance(config.get(name, False), bool):
            raise InputError(f"{where}: {name} = {shown(json.dumps(config[name]))} must be true or false")
    outputs = config.get("output_heads", _ORIGINAL["output_heads"])
    if not isinstance(outputs, dict):
        raise InputError(f"{where}: output_heads = {shown(json.dumps(outputs))} must be names with numbers of tracks")
    for name, tracks in outputs.items():
        if not re.fullmatch(r"\w{1,100}", name):
            raise InputError(f"{where}: output_heads: '{shown(name)}' is no name of letters, digits and '_'")
        _check_number(f"{where}: output_heads.{name}", tracks, int, 1, 1_000_000)
    dim, heads = config.get("dim", _ORIGINAL["dim"]), config.get("heads", _ORIGINAL["heads"])
    if dim % heads or dim // heads % _POSITIONS:
        raise InputError(
            f"{where}: dim = {dim} and heads = {heads}: dim must be a multiple of {_POSITIONS} times heads (each head "
            "gets positions in three ways and two directions)"
        )


def _check_number(place: str, value: Any, kind: type, low: float, high: float) -> None:
    whole = kind is int
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and low <= value <= high
    if not right:
        what = f"a {'whole ' if whole else ''}number from {low} to {high:,}"
        raise InputError(f"{place} = {shown(json.dumps(value))} must be {what}")


def build_enformer(config: dict[str, Any], settings: BackboneSettings, where: str | Path = CONFIG) -> Enformer:
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
    with reading(where, "the configuration of an Enformer"):
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


def _wanted(config: dict[str, Any], settings: BackboneSettings, where: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights that a configuration requires; they take no memory."""
    with torch.device("meta"):
        state = build_enformer(config, settings, where).state_dict()
    return {name: tuple(value.shape) for name, value in state.items() if not name.startswith("_trunk.")}


@torch.no_grad()
def _load_weights(enformer: Enformer, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy every tensor of a weights file into the model."""
    for name, value in enformer.state_dict().items():
        if name.startswith("_trunk."):
            continue
        value.copy_(tensors[name])
        if not torch.isfinite(value).all():  # looked at as the model has them: float64 holds more than float32
            raise InputError(f"{path}: '{name}' has values that are not finite, or too large for {value.dtype}")
        if name.endswith(_VARIANCE) and (value < 0).any():
            raise InputError(f"{path}: '{name}' has variances below 0")


def _read_weights(path: Path, wanted: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Tensors of a weights file, with duplicates under one name; types and shapes are checked before they are read."""
    if path.name == SAFETENSORS:
        shapes = {
            _plain_name(name): entry.shape for name, entry in read_header(path, "a readable weights file").items()
        }
        check_shapes(path, shapes, wanted, CONFIG)
        with reading(path, "a readable weights file"):
            found = load_file(path)
    else:
        found = _read_bin(path)
    tensors: dict[str, Tensor] = {}
    for name, tensor in found.items():
        plain = _plain_name(name)
        if plain in tensors and not torch.equal(tensors[plain], tensor):
            raise InputError(f"{path}: two different values of '{plain}' (the `_trunk.` entries must be duplicates)")
        tensors[plain] = tensor
    check_shapes(path, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, wanted, CONFIG)
    return tensors


def _read_bin(path: Path) -> dict[str, Tensor]:
    with reading(path, "a readable weights file", f"allowed: what torch.save makes of a state_dict, or {SAFETENSORS}"):
        found = load_torch(path)
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise InputError(f"{path}: not a readable weights file, it holds more than tensors by name")
    for name, value in found.items():
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            raise InputError(f"{path}: '{name}' is a tensor of another kind (sparse, quantised or without values)")
        check_kind(path, name, _KINDS.get(value.dtype, str(value.dtype).removeprefix("torch.")))
    return found


def load_torch(path: Path, device: torch.device | str = "cpu") -> Any:
    """What `torch.save` wrote, if that is tensors and plain values alone.

    Raises
    ------
    ValueError
        It is not. PyTorch's own message is dropped: it advises to load the file in a way that may run code.
    """
    try:
        return torch.load(path, device, weights_only=True)
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except MemoryError:
        raise
    except OSError:  # as with memory, the file may be whole
        raise
    except Exception:
        raise ValueError("PyTorch cannot read it as tensors alone") from None


def _plain_name(name: str) -> str:
    """The one name of a weight that the library registers twice."""
    for duplicate, original in _TRUNK.items():
        if name.startswith(f"{duplicate}."):
            return original + name.removeprefix(duplicate)
    return name
