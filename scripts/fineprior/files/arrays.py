"""Arrays of .npy and .npz files, checked before memory is taken for them; and arrays that are read-only."""

import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError

_NPY, _ZIP, _EMPTY_ZIP = b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06"
DEFLATE = 1032
"""The most bytes that one byte of deflate unpacks to."""
_ENCRYPTED = 1
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_PLAIN = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE}

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
_Kind = TypeVar("_Kind", bound=np.generic)


def read_only(array: NDArray[_Kind]) -> NDArray[_Kind]:
    """A view of an array that cannot be written to. Whoever holds the array itself still can."""
    view = array.view()
    view.flags.writeable = False
    return view


class ReadOnly:
    """Base of frozen dataclasses whose arrays several holders share: none of them can write to an array.

    Arrays in plain lists, tuples and dicts are locked as well; the container is then a copy. All this also holds for
    objects that another process sends, though numpy forgets it on the way.
    """

    def __post_init__(self) -> None:
        self._lock()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock()

    def _lock(self) -> None:
        for name, value in list(vars(self).items()):
            locked = _locked(value)
            if locked is not value:
                object.__setattr__(self, name, locked)


def _locked(value: Any) -> Any:
    """A read-only view of an array, and of a plain list, tuple or dict one whose arrays are; others as they are."""
    if isinstance(value, np.ndarray):
        return read_only(value) if value.flags.writeable else value
    if type(value) is dict:
        kept = {key: _locked(one) for key, one in value.items()}
        return kept if any(kept[key] is not one for key, one in value.items()) else value
    if type(value) in (list, tuple):
        held = [_locked(one) for one in value]
        changed = any(new is not old for new, old in zip(held, value, strict=True))
        return type(value)(held) if changed else value
    return value


class Archive(Mapping[str, Array]):
    """The arrays of an .npz file by name, each read (and its CRC-32 checked) when it is needed.

    Use it as a context manager, and within `files.reading.reading`: what zipfile and NumPy make of damage can be
    any exception.

    Raises
    ------
    InputError
        An array is encrypted, compressed in another way than by deflate, holds Python objects, is said to be larger or
        smaller than the file can hold, or occurs twice; or the archive's list of arrays is lost.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        if not is_archive(path):
            raise ValueError("not an .npz by its content")
        self._zip = zipfile.ZipFile(path)
        entries = self._zip.infolist()
        if not entries and is_archive(path, filled=True):
            raise InputError(f"{path}: its list of arrays is lost, though it holds some; is it damaged?")
        self._entries = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        if len(self._entries) < len(entries):
            names = [entry.filename.removesuffix(".npy") for entry in entries]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path}: array '{twice}' occurs twice; one of a name is needed")
        for name, entry in self._entries.items():
            if entry.flag_bits & _ENCRYPTED:
                raise InputError(f"{path}: array '{name}' is encrypted; unpack the archive and write it without")
            if entry.compress_type not in _PLAIN:
                raise InputError(f"{path}: array '{name}' is compressed in a way that NumPy does not write")
            if entry.file_size > entry.compress_size * _PLAIN[entry.compress_type]:
                raise InputError(f"{path}: array '{name}' is said to be larger than the file can hold")

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __getitem__(self, name: str) -> Array:
        entry = self._entries[name]
        if entry.file_size > machine_memory_mb() * 2**20:
            raise InputError(
                f"{self._path}: array '{name}' has {entry.file_size >> 20:,} MB, more than this machine's memory"
            )
        with self._zip.open(entry) as handle:
            header = _header(handle, f"{self._path}: array '{name}'")
            _check(header, entry.file_size - handle.tell(), f"{self._path}: array '{name}'")
            # To its end, for the checksum is looked at there.
            return _filled(header, handle.read())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array as its header says, without the array."""
        with self._zip.open(self._entries[name]) as handle:
            return _header(handle, f"{self._path}: array '{name}'")[0]

    @property
    def unpacked_size(self) -> int:
        """Bytes of all arrays."""
        return sum(entry.file_size for entry in self._entries.values())


def is_archive(path: str | Path, filled: bool = False) -> bool:
    """Whether a file begins as a zip archive, as an .npz does; with `filled`, as an archive that is not empty."""
    with Path(path).open("rb") as handle:
        return handle.read(4) in ((_ZIP,) if filled else (_ZIP, _EMPTY_ZIP))


def mapped_array(path: str | Path) -> Array:
    """The array of a .npy file, mapped into memory and read-only; use it within `reading`, as `Archive`.

    Raises
    ------
    InputError
        It holds Python objects, or holds fewer or more numbers than it says.
    """
    with Path(path).open("rb") as handle:
        if handle.read(len(_NPY)) != _NPY:
            raise ValueError("not a .npy by its content")
        handle.seek(0)
        header = _header(handle, path)
        begin = handle.tell()
    _check(header, Path(path).stat().st_size - begin, path)
    shape, fortran, kind = header
    if not math.prod(shape):
        return np.zeros(shape, kind)
    return np.memmap(path, kind, "r", begin, shape, "F" if fortran else "C")


def machine_memory_mb() -> float:
    """Memory (MB) of the machine, or of the control group that this process may use."""
    limits = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):
            limits.append(float(Path(path).read_text()))
    return min(limits) / 2**20


_Header = tuple[tuple[int, ...], bool, "np.dtype[Any]"]


def _header(handle: IO[bytes], where: object) -> _Header:
    """Shape, whether columns come first, and type of the numbers of an open .npy; they begin at its place then."""
    version = np.lib.format.read_magic(handle)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise InputError(f"{where}: version {version} of .npy is not read; write it with numpy.save")
    shape, fortran, kind = read(handle)
    if kind.hasobject:
        raise InputError(
            f"{where}: holds pickled objects, which could run any code when they are read; write it again with "
            "numpy.save or scipy.sparse.save_npz from plain numbers"
        )
    if kind.kind not in "biufcUS" or min(shape, default=0) < 0:
        raise InputError(f"{where}: shape {shape} of {kind}, an array of numbers or text is needed")
    return shape, bool(fortran), kind


def _check(header: _Header, found: int, where: object) -> None:
    shape, _, kind = header
    claimed = math.prod(shape) * kind.itemsize
    if claimed != found:
        raise InputError(
            f"{where}: shape {shape} of {kind} makes {claimed:,} bytes, but it holds {found:,}; is it damaged or cut "
            "off?"
        )


def _filled(header: _Header, data: bytes) -> Array:
    shape, fortran, kind = header
    if not kind.itemsize:  # text without a letter
        return np.zeros(shape, kind)
    flat = np.frombuffer(data, kind)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
