"""Scores of variants in HDF5 files, read in a separate process: a damaged file can crash the HDF5 library.

The process is started for the first file and serves later ones; it sends plain arrays. It ends with the process that
started it, or when a file crashes it.
"""

import importlib
import importlib.util
import io
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import DEFLATE
from fineprior.files.errors import InputError
from fineprior.files.reading import reading

PATIENCE = 120.0
"""Seconds without an answer of the process, after which a file counts as damaged."""
_ROWS_AT_ONCE, _SCORES_AT_ONCE = 1 << 20, 4096
_TEXTS = ("chr", "ref", "alt")
_WHAT = "an HDF5 file with chr, pos, ref, alt and SAD"
_PART, _WRONG, _END = b"part", b"odds", b"done"

Arrays = dict[str, NDArray[Any]]


def read_scores(path: str | Path, column: str, positions: NDArray[np.int64]) -> Iterator[Arrays]:
    """Rows of an HDF5 file at these positions, some at a time: chr, ref and alt (text), pos, and SAD (k, targets).

    Parameters
    ----------
    column
        Numbers of the targets, from 0, separated by commas; all when empty.

    Raises
    ------
    InputError
        The file is absent or damaged, lacks a dataset, says that it holds more than it can, or a score is infinite or
        no number.
    """
    global _server
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    if importlib.util.find_spec("h5py") is None:
        raise InputError(f"{path}: reading HDF5 needs the package h5py")
    server, whole = _server if _server is not None and _server.is_there() else _Server(), False
    _server = None  # a file that is opened meanwhile gets another one
    try:
        with reading(path, _WHAT):
            server.ask(str(Path(path).resolve()), column, positions)
        while True:
            with reading(path, _WHAT):
                kind, content = server.answer()
            if kind == _WRONG:
                whole = True
                raise InputError(f"{path}: {content.decode()}")
            if kind == _END:
                whole = True
                return
            with np.load(io.BytesIO(content), allow_pickle=False) as part:
                yield dict(part)
    finally:
        if whole:
            _server = server
        else:
            server.close()


class _Server:
    """The process that reads."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fineprior.priors.hdf5_scores"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
        )
        self._in, self._out = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def is_there(self) -> bool:
        """Whether it is alive, and serves this process and not one from which this was forked."""
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(self, path: str, column: str, positions: NDArray[np.int64]) -> None:
        """Send what is wanted."""
        head = json.dumps({"path": path, "column": column, "positions": len(positions)}).encode()
        with suppress(BrokenPipeError):  # `answer` says why it ended
            self._in.write(struct.pack("<Q", len(head)) + head + positions.astype("<i8").tobytes())
            self._in.flush()

    def answer(self) -> tuple[bytes, bytes]:
        """The next that it sends: its kind and its content."""
        kind, size = struct.unpack("<4sQ", self._bytes(12))
        return kind, self._bytes(size)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def _bytes(self, count: int) -> bytes:
        place, parts = self._out.fileno(), []
        while count:
            if not select.select([place], [], [], PATIENCE)[0]:
                raise TimeoutError(f"nothing was read of it in {PATIENCE:.0f} s")
            part = os.read(place, min(count, 1 << 20))
            if not part:
                code = self._process.wait()
                self._said.seek(max(0, self._said.tell() - 2000))
                said = self._said.read().decode(errors="replace").strip().splitlines()[-1:]
                raise RuntimeError(f"its library died of signal {-code}" if code < 0 else "".join(said) or "it ended")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


_server: _Server | None = None


def _serve(asked: IO[bytes], out: IO[bytes]) -> None:
    """Answer until nobody asks any more."""

    def send(kind: bytes, content: bytes = b"") -> None:
        out.write(struct.pack("<4sQ", kind, len(content)) + content)
        out.flush()

    while size := asked.read(8):
        wanted = json.loads(asked.read(*struct.unpack("<Q", size)))
        positions = np.frombuffer(asked.read(8 * wanted["positions"]), "<i8")
        try:
            with reading("file", _WHAT):
                for part in _rows(wanted["path"], wanted["column"], positions):
                    content = io.BytesIO()
                    np.savez(content, allow_pickle=False, **part)
                    send(_PART, content.getvalue())
        except InputError as error:
            send(_WRONG, str(error).removeprefix("file: ").encode())
        else:
            send(_END)


def _rows(path: str, column: str, positions: NDArray[np.int64]) -> Iterator[Arrays]:
    h5py = importlib.import_module("h5py")  # not a package that the workflow needs
    with h5py.File(path, "r") as stored:
        for name in (*_TEXTS, "pos", "SAD"):
            if not isinstance(stored.get(name), h5py.Dataset):
                raise InputError(f"file: not {_WHAT} (no dataset {name}; there are {', '.join(stored) or 'none'})")
            _check_held(stored[name], name, path)
        scores, pos = stored["SAD"], stored["pos"]
        if scores.ndim != 2 or any(stored[name].shape != scores.shape[:1] for name in (*_TEXTS, "pos")):
            shapes = ", ".join(f"{name} {stored[name].shape}" for name in (*_TEXTS, "pos", "SAD"))
            raise InputError(f"file: SAD must be (variants, targets) and the others as long, not {shapes}")
        if scores.dtype.kind not in "fiu" or pos.dtype.kind not in "fiu":
            raise InputError(f"file: pos and SAD must be numbers, not {pos.dtype} and {scores.dtype}")
        targets = _targets(column, scores.shape[1])
        for first in range(0, len(scores), _ROWS_AT_ONCE):
            places = np.asarray(pos[first : first + _ROWS_AT_ONCE], np.float64)
            if not ((places >= 0) & (places < 2**31) & (places % 1 == 0)).all():
                raise InputError("file: pos must be whole numbers from 0 on")
            here = places.astype(np.int64)
            chosen = np.flatnonzero(np.isin(here, positions))
            yield {name: np.zeros(0, np.str_) for name in _TEXTS} | {
                "pos": here[:0],
                "SAD": np.zeros((0, len(targets))),
            }
            texts = {
                name: _texts(stored[name][first : first + len(here)][chosen], name) for name in _TEXTS if len(chosen)
            }
            for begin in range(0, len(chosen), _SCORES_AT_ONCE):
                rows = slice(begin, begin + _SCORES_AT_ONCE)
                values = np.asarray(scores[first + chosen[rows], :], np.float64)[:, targets]
                if (infinite := np.isinf(values).any(1)).any():
                    row = int(first + chosen[rows][infinite][0])
                    raise InputError(f"file: SAD of row {row} (counted from 0) is not finite")
                yield {name: text[rows] for name, text in texts.items()} | {"pos": here[chosen[rows]], "SAD": values}


def _check_held(dataset: Any, name: str, path: str) -> None:
    """Whether a file holds a dataset itself, and is large enough for what the dataset says that it holds."""
    size = os.path.getsize(path)
    if dataset.is_virtual or dataset.external or dataset.file.filename != path:
        raise InputError(f"file: {name} lies in another file (a link, or a virtual dataset); copy its values into one")
    if dataset.shape is None:
        raise InputError(f"file: {name} is without a shape and without values")
    claimed = dataset.size * dataset.dtype.itemsize
    held = dataset.id.get_storage_size()
    if held > size or claimed > held * (DEFLATE if dataset.chunks else 1):
        raise InputError(f"file: {name} has shape {dataset.shape} of {dataset.dtype}, {claimed:,} bytes, but the file "
                         f"holds {held:,} of it; is it damaged or cut off?")  # fmt: skip


def _targets(column: str, count: int) -> list[int]:
    numbers = [part.strip() for part in column.split(",")] if column else [str(number) for number in range(count)]
    if not numbers or not all(part.isascii() and part.isdigit() and int(part[:9]) < count for part in numbers):
        raise InputError(f"file: column '{column}' must be numbers of targets from 0 to {count - 1}, and commas")
    return [int(part) for part in numbers]


def _texts(values: NDArray[Any], name: str) -> NDArray[np.str_]:
    found = [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
    if not all(isinstance(text, str) for text in found):
        raise InputError(f"file: {name} must hold text, not {values.dtype}")
    return np.array(found, np.str_)


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
