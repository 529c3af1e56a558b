"""A backbone that the training of a head has changed: what a head's file says of it, and loading it.

A head's file holds only what was changed: new values under the name of the weight, or the factors of a low-rank change
as `<weight>.lora_a` (rank, in) and `<weight>.lora_b` (out, rank), whose product is added to the weight.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from enformer_pytorch import Enformer
from numpy.typing import NDArray
from safetensors import safe_open

from fineprior.foundation.errors import InputError
from fineprior.foundation.integrity import checked
from fineprior.foundation.settings import BackboneSettings
from fineprior.model.backbone import Backbone, EnformerBackbone, device_for, load_backbone
from fineprior.model.loading import load_enformer
from fineprior.model.tensor_files import read_header

METADATA, TRUNK = "fineprior", "trunk."
"""Of a head's file: its entry of metadata, and what stands before the names of the backbone's weights."""
LORA_A, LORA_B = ".lora_a", ".lora_b"


@dataclass(frozen=True)
class Change:
    """Digests of a backbone after and before a head's training, and what that has changed by name.

    For a head on the frozen backbone `base` and `trunk` are empty.
    """

    digest: str
    base: str
    trunk: Mapping[str, NDArray[np.float32]]


def tuned_digest(base: str, trunk: Mapping[str, NDArray[np.float32]]) -> str:
    """Digest of a backbone with this digest after a change."""
    digest = hashlib.sha256(base.encode())
    for name in sorted(trunk):
        digest.update(name.encode() + np.ascontiguousarray(trunk[name]).tobytes())
    return digest.hexdigest()


def read_change(path: str | Path) -> Change:
    """Read from a head's file which backbone it belongs to.

    Raises
    ------
    InputError
        The file is absent or no head of this program.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    read_header(path, "a head written by fineprior")
    with checked(path, "a head written by fineprior"), safe_open(path, framework="numpy") as file:
        metadata = json.loads((file.metadata() or {})[METADATA])
        names = [name for name in file.keys() if name.startswith(TRUNK)]  # noqa: SIM118 (no mapping)
        trunk = {name.removeprefix(TRUNK): file.get_tensor(name) for name in names}
        return Change(metadata["backbone"], metadata.get("base", ""), trunk)


@torch.no_grad()
def apply_change(enformer: Enformer, trunk: Mapping[str, NDArray[np.float32]], where: str | Path) -> None:
    """Put changed weights into a model.

    Raises
    ------
    InputError
        A weight that the model has not, or of another shape.
    """
    weights = dict(enformer.named_parameters())
    for name, value in trunk.items():
        if name.endswith(LORA_B):
            continue
        weight = weights.get(name.removesuffix(LORA_A))
        change = torch.from_numpy(np.ascontiguousarray(value))
        if name.endswith(LORA_A):
            change = torch.from_numpy(np.ascontiguousarray(trunk[name.removesuffix(LORA_A) + LORA_B])) @ change
        if weight is None or weight.shape != change.shape:
            raise InputError(f"{where}: '{name}' is no weight of this backbone; was the head trained on another one?")
        weight.copy_(weight + change if name.endswith(LORA_A) else change)


def load_changed_backbone(
    settings: BackboneSettings, change: Change, where: str | Path = "head", job: int = 0
) -> Backbone:
    """Load a backbone as it was after a head's training, onto the GPU of a job or the CPU (see `load_backbone`).

    Parameters
    ----------
    settings
        Of the backbone before.

    Raises
    ------
    InputError
        The head is of another backbone.
    """
    if not change.base:
        backbone = load_backbone(settings, job)
        _check(backbone.digest, change.digest, where)
        return backbone
    enformer, digest = load_enformer(settings)
    _check(digest, change.base, where)
    apply_change(enformer, change.trunk, where)
    return EnformerBackbone(enformer, change.digest, settings, device_for(job))


def _check(found: str, wanted: str, where: str | Path) -> None:
    if found != wanted:
        raise InputError(
            f"{where}: trained on backbone {wanted[:12]}, but backbone.weights are {found[:12]}; train a head on these"
        )
