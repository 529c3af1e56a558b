"""The header of a file of tensors, checked before a tensor is read; and strict JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.reading import reading

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_COUNTER = "num_batches_tracked"
"""The one kind of weight that is a whole number: how many batches a normalisation has seen."""
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class TensorEntry:
    """Type (as safetensors names it: F32 ...) and shape of a tensor."""

    kind: str
    shape: tuple[int, ...]


def read_header(path: str | Path, what: str = "a safetensors file") -> dict[str, TensorEntry]:
    """Types and shapes of the tensors of a safetensors file, by name; `what` it should be, for messages.

    Raises
    ------
    InputError
        The header is malformed, claims more or less than the file has, or a tensor is not of floating type.
    """
    path = Path(path)
    with reading(path, what):
        size = path.stat().st_size
        with path.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise ValueError(f"its header claims {length:,} bytes, the file has {size:,}")
            content = parse_json(handle.read(length).decode(), str(path))
        content.pop("__metadata__", None)
        found, ends = {}, []
        for name, entry in content.items():
            kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
                raise ValueError(f"'{name}' has a size that is not a whole number")
            check_kind(path, name, str(kind))
            if end - begin != math.prod(shape) * _BYTES.get(kind, 8):
                raise ValueError(f"'{name}' has {end - begin:,} bytes, which is not its shape {shape} of {kind}")
            found[name] = TensorEntry(kind, shape)
            ends.append((begin, end))
        place = 0
        for begin, end in sorted(ends):
            if begin != place:
                raise ValueError("its tensors do not follow one another")
            place = end
        if place != size - 8 - length:
            raise ValueError(f"its tensors claim {place:,} bytes, the file has {size - 8 - length:,}")
    return found


def check_kind(path: str | Path, name: str, kind: str) -> None:
    """Stop at a tensor that is not of floating type.

    Raises
    ------
    InputError
        Its type, and what is allowed.
    """
    if kind not in _BYTES and not (kind == "I64" and name.endswith(_COUNTER)):
        raise InputError(f"{path}: '{name}' is of type {kind}; allowed: weights of {', '.join(_BYTES)}")


def check_shapes(path: str | Path, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]],
                 config: str) -> None:  # fmt: skip
    """Compare names and shapes of weights with those that a configuration requires.

    Raises
    ------
    InputError
        One is missing, unexpected or of another shape.
    """
    for what, names in (("missing", set(wanted) - set(found)), ("unexpected", set(found) - set(wanted))):
        if names:
            shown = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
            raise InputError(f"{path}: {len(names)} {what} weights: {shown}; does {config} belong to them?")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise InputError(f"{path}: '{name}' has shape {found[name]}, but {config} requires {shape}")


def parse_json(text: str, where: str) -> dict[str, Any]:
    """One JSON object, of finite numbers and without a key that occurs twice.

    Raises
    ------
    InputError
        It is not that.
    """

    def block(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InputError(f"{where}: '{key}' occurs twice")
            found[key] = value
        return found

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"{text[:40]} is not a finite number")
        return value

    with reading(where, "JSON"):
        content = json.loads(text, object_pairs_hook=block, parse_float=number, parse_constant=number)
    if not isinstance(content, dict):
        raise InputError(f"{where}: must be one JSON object")
    return content
