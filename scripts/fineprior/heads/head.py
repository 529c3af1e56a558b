"""The head: a map from embeddings to tracks, with what its training has changed of the backbone; and its file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.engine.tensor_files import read_header
from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import OPEN_SEAL, checked
from fineprior.files.whole import atomic_path

METADATA, TRUNK = "fineprior", "trunk."
"""Of a head's file: its entry of metadata, and what stands before the names of the backbone's weights."""


@dataclass(frozen=True)
class Head(ReadOnly):
    """A trained head.

    Attributes
    ----------
    weight, bias
        float32 (tracks, dim) and (tracks,), for embeddings as the backbone gives them; (tracks, hidden) with a hidden
        layer.
    tracks
        Names.
    backbone, bin_size
        Digest of the backbone that makes its embeddings, width of its bins (bp). Where the head's training has changed
        the backbone, it is the digest of the changed one.
    hidden_weight, hidden_bias
        Of a hidden layer with ReLU, (hidden, dim) and (hidden,); empty (0, 0) and (0,) without one.
    trunk, base
        What training has changed of the backbone (see `heads.trunk`), and the digest of the backbone before;
        empty for a head on the frozen backbone.
    other_strand
        For each track the number of the one that holds the other strand's signal; empty where each is its own.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    tracks: tuple[str, ...]
    backbone: str
    bin_size: int
    hidden_weight: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    hidden_bias: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    trunk: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    base: str = ""
    other_strand: tuple[int, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        arrays = (self.weight, self.bias, self.hidden_weight, self.hidden_bias, *self.trunk.values())
        return sum(array.size for array in arrays)

    def predict(self, embedding: NDArray[np.floating]) -> NDArray[np.floating]:
        """Signal (..., tracks) of embeddings (..., dim) by the backbone `backbone`, in their precision."""
        kind = embedding.dtype
        if len(self.hidden_bias):
            hidden = embedding @ self.hidden_weight.T.astype(kind) + self.hidden_bias.astype(kind)
            embedding = np.maximum(hidden, 0, out=hidden)
        signal: NDArray[np.floating] = embedding @ self.weight.T.astype(kind) + self.bias.astype(kind)
        return np.logaddexp(signal, 0, out=signal)


def write_head(head: Head, path: str | Path) -> None:
    """Write as safetensors; the same head gives the same bytes."""
    from safetensors.numpy import save

    # One entry: the library writes several in an order that changes from process to process.
    metadata = {"tracks": head.tracks, "backbone": head.backbone, "bin_size": head.bin_size, "seal": OPEN_SEAL}
    tensors = {"weight": head.weight, "bias": head.bias}
    if len(head.hidden_bias):
        tensors |= {"hidden_weight": head.hidden_weight, "hidden_bias": head.hidden_bias}
    if head.other_strand:
        metadata["other_strand"] = head.other_strand
    if head.base:
        metadata["base"] = head.base
        tensors |= {f"{TRUNK}{name}": value for name, value in head.trunk.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={METADATA: json.dumps(metadata)}))


def load_head(path: str | Path) -> Head:
    """Read a head.

    Raises
    ------
    InputError
        The file is absent, is no head of this program, or its parts do not fit one another.
    """
    from safetensors import safe_open

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    read_header(path, "a head written by fineprior")
    with checked(path, "a head written by fineprior"), safe_open(path, framework="numpy") as file:
        metadata = json.loads((file.metadata() or {})[METADATA])
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        weight, bias = found["weight"], found["bias"]
        tracks = tuple(metadata["tracks"])
        trunk = {name.removeprefix(TRUNK): value for name, value in found.items() if name.startswith(TRUNK)}
        hidden = {name: value for name, value in found.items() if name.startswith("hidden_")}
        pairs = tuple(metadata.get("other_strand", ()))
        head = Head(weight, bias, tracks, metadata["backbone"], int(metadata["bin_size"]), **hidden, trunk=trunk,
                    base=metadata.get("base", ""), other_strand=pairs)  # fmt: skip
    if weight.ndim != 2 or bias.shape != (len(tracks),) or len(weight) != len(tracks):
        raise InputError(f"{path}: weight {weight.shape} and bias {bias.shape} do not fit {len(tracks)} tracks")
    paired = not pairs or [pairs[other] for other in pairs if other in range(len(pairs))] == list(range(len(tracks)))
    if len(set(tracks)) < len(tracks) or head.bin_size < 1 or not isinstance(head.backbone, str) or not paired:
        raise InputError(f"{path}: tracks, their other strands, backbone or bin_size are not those of a head")
    for name, value in found.items():
        if not np.isfinite(value).all():
            raise InputError(f"{path}: '{name}' has values that are not finite")
    return head
