"""Digests: each file that fineprior writes carries one, and readers check it.

`files.whole.atomic_path` seals what it writes. Readers call `check`, or read within `checked`.

- Formats that have room for it hold their digest themselves, so that a copy is checked as well (the seal): a .gz as the
  name of an empty last member, a .npz and a .pt as the archive's comment, a .parquet between its pages and its footer,
  a .npy behind its end, a .safetensors in its metadata. Other programs pass over it.
- The digest of every file also stands in `.digests/<name>` beside it (the record). Text has only the record, for a
  comment or a further line would reach whoever reads the table.

The digest is the SHA-256 of the whole file with 64 zeros where the seal has it. Neither seal nor record holds a time:
the same content gives the same bytes.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fineprior.files.errors import InputError
from fineprior.files.reading import reading

RECORDS = ".digests"
"""Folder beside files with the digest of each."""
REMEDY = "if fineprior made it, delete it and run again: it is made anew"
_PREFIX, _END = b"fineprior-sha256:", b";"
_HEX = 64
_BLANK = b"0" * _HEX
OPEN_SEAL = (_PREFIX + _BLANK + _END).decode()
"""A seal that is not filled in yet, for writers of .safetensors to put into the metadata."""
_SEAL = re.compile(re.escape(_PREFIX) + b"([0-9a-f]{64})" + re.escape(_END))
_REMAINS = re.compile(b"fineprior-sha256|:[0-9a-f]{64};")
"""What is left of a seal of which a part was damaged."""
_WINDOW = 1 << 16
_PIECE = 1 << 20
_MEMBER = (b"\x1f\x8b\x08\x08\0\0\0\0\0\xff", b"\0\x03\0" + bytes(8))
"""An empty gzip member, before and behind its name."""
_ZIP_END = b"PK\x05\x06"
_SEALED = (".gz", ".npz", ".parquet", ".npy", ".pt", ".safetensors")
_SETTLED = 2_000_000_000
"""Nanoseconds after which a file that is changed again has another time for certain, on any file system."""
_strict = False
_whole: dict[Path, tuple[int, ...]] = {}

logger = logging.getLogger(__name__)


class DamagedError(InputError):
    """A file is not as it was written."""


@contextmanager
def strictly() -> Iterator[None]:
    """Within a rule, a sealed file must also be the one that was written at its place, not another one."""
    global _strict
    before, _strict = _strict, True
    try:
        yield
    finally:
        _strict = before


@contextmanager
def checked(path: str | Path, what: str, once: bool = False) -> Iterator[None]:
    """Check a file, then read it: whatever goes wrong is one line with a remedy.

    Parameters
    ----------
    what
        What the file should be, with its article: "a readable sumstats table".
    once
        As for `check`.

    Raises
    ------
    InputError
        The file is damaged, or cannot be read.
    """
    check(path, once=once)
    with reading(path, what, REMEDY):
        yield


def check(path: str | Path, salt: str = "", required: bool = False, once: bool = False) -> None:
    """Compare a file's bytes with its digest.

    A file without one is taken as it is: users' files have none, and stages take tables of the user's own making. Text
    is compared with its record. A sealed file is compared with its seal, and in a rule with its record as well.

    Parameters
    ----------
    salt
        As when it was written (see `seal`).
    required
        Whether a file without a seal is damaged too: where only this program writes such files.
    once
        Whether a file that this process has found whole need not be looked at again while its size and time stay: for
        large files of which a part is read at a time.

    Raises
    ------
    DamagedError
        The digest differs, or what is there of it is not whole.
    """
    path = Path(path)
    if not path.is_file():
        return
    state = _state(path)
    if once and _whole.get(path) == state:
        return
    try:
        known = recorded(path) if _strict or path.suffix not in _SEALED else ()
        stands, computed = digests(path, salt, needed=bool(known))
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    if stands is not None and stands != computed:
        raise DamagedError(f"{path}: damaged, its bytes are not those that were written (digest differs); {REMEDY}")
    if stands is None and required:
        raise DamagedError(f"{path}: damaged, or written by an older version (it has no digest); {REMEDY}")
    if known and computed not in known:
        raise DamagedError(
            f"{path}: damaged, or changed since it was written (digest differs from {RECORDS}/{path.name}); {REMEDY}"
        )
    if _strict and stands is None and not known and (path.parent / RECORDS).is_dir():
        logger.warning("%s: has no digest, so its bytes are not checked", path)
    if once and time.time_ns() - state[-1] > _SETTLED:
        _whole[path] = state


def digests(path: Path, salt: str = "", needed: bool = True) -> tuple[str | None, str]:
    """The digest that stands in a file (None without a seal, empty when the seal is broken), and that of its bytes.

    Without a seal the latter is only computed where it is `needed`.
    """
    with path.open("rb") as file:
        place = _place(file, path.suffix)
        if place is None:
            return None, _computed(file, None, salt) if needed else ""
        if place < 0:
            return "", _computed(file, None, salt) if needed else "?"
        return _text(file, place, _HEX).decode("ascii"), _computed(file, place, salt)


def check_shared(path: str | Path, once: bool = False) -> None:
    """As `check`, for a file that `atomic_path` wrote as `shared`: in a folder that several projects work in."""
    check(path, shared_salt(Path(path)), required=True, once=once)


def shared_salt(path: Path) -> str:
    """Text that the digest of a file in a shared folder also depends on: the name of the file."""
    return f"{path.parent.name}/{path.name}\n"


def seal(path: str | Path, suffix: str, salt: str = "") -> str:
    """Give a finished file its digest, where its format has room for it, and return the digest.

    Parameters
    ----------
    suffix
        Of its final name, which says what format it is in.
    salt
        Text that the digest also depends on: where a file of the same kind in its place would be taken for it.
    """
    with Path(path).open("r+b") as file:
        place = _make_room(file, suffix)
        digest = _computed(file, place, salt)
        if place is not None:
            file.seek(place)
            file.write(digest.encode())
    return digest


def record(path: Path, digest: str, beside: tuple[str, ...] = ()) -> None:
    """Note a file's digest, and further ones that it may have for the moment, in the folder `.digests` beside it."""
    place = path.parent / RECORDS / path.name
    place.parent.mkdir(exist_ok=True)
    place.write_text("".join(f"{each}\n" for each in dict.fromkeys((digest, *beside))))


def recorded(path: Path) -> tuple[str, ...]:
    """Digests that stand in a file's record; none when it has no record, or one that a power cut left empty."""
    try:
        lines = (path.parent / RECORDS / path.name).read_text("ascii", "replace").split()
    except OSError:
        return ()
    return tuple(line for line in lines if len(line) == _HEX)


def folder_digest(path: Path) -> str:
    """Digest of a folder: of the names and digests of the files below it."""
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")):
        digest.update(f"{file.relative_to(path).as_posix()}\n{digests(file)[1]}\n".encode())
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _computed(file: BinaryIO, place: int | None, salt: str) -> str:
    """Digest of a file with zeros at the place of its seal."""
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256(salt.encode())
    if place is None:
        _feed(digest, file, 0, size)
    else:
        _feed(digest, file, 0, place)
        digest.update(_BLANK)
        _feed(digest, file, place + _HEX, size)
    return digest.hexdigest()


def _feed(digest: "hashlib._Hash", file: BinaryIO, begin: int, end: int) -> None:
    file.seek(begin)
    while begin < end:
        piece = file.read(min(_PIECE, end - begin))
        if not piece:
            raise OSError(None, "it ends while it is read")
        digest.update(piece)
        begin += len(piece)


def _place(file: BinaryIO, suffix: str) -> int | None:
    """Where the digest of a seal begins; None without a seal, -1 when it is not whole."""
    if suffix not in _SEALED:
        return None
    size = file.seek(0, os.SEEK_END)
    begin, end = max(0, size - _WINDOW), size
    if suffix == ".safetensors":
        begin, end = 0, min(size, 8 + int.from_bytes(_text(file, 0, 8), "little"))
    elif suffix == ".parquet":
        footer = int.from_bytes(_text(file, size - 8, 4), "little")
        begin = max(0, min(begin, size - 8 - footer - len(OPEN_SEAL)))
    text = _text(file, begin, end - begin)
    found = list(_SEAL.finditer(text))
    if found:
        return begin + found[-1].start(1)
    broken = bool(_REMAINS.search(text))
    if suffix == ".gz" and not broken:  # another member behind a sealed one
        broken = _holds(file, _PREFIX, begin)
    return -1 if broken else None


def _holds(file: BinaryIO, text: bytes, end: int) -> bool:
    """Whether a text stands in the file before `end`."""
    file.seek(0)
    before = b""
    while end > 0 and (piece := file.read(min(_PIECE, end))):
        end -= len(piece)
        if text in before + piece:
            return True
        before = piece[-len(text) :]
    return False


def _make_room(file: BinaryIO, suffix: str) -> int | None:
    """Put an open seal into a finished file; where its digest begins, or None where the format has no room."""
    room = OPEN_SEAL.encode()
    size = file.seek(0, os.SEEK_END)
    begin = size
    if suffix == ".safetensors":  # the writer has put one into the metadata
        place = _place(file, suffix)
        return place if place is not None and place >= 0 else None
    if suffix == ".gz":
        file.write(_MEMBER[0] + room + _MEMBER[1])
        begin += len(_MEMBER[0])
    elif suffix == ".npy":
        file.write(room)
    elif suffix in (".npz", ".pt") and _text(file, size - 22, 4) == _ZIP_END:
        file.seek(size - 2)
        file.write(len(room).to_bytes(2, "little") + room)
    elif suffix == ".parquet":
        begin = size - 8 - int.from_bytes(_text(file, size - 8, 4), "little")
        tail = _text(file, begin, size - begin)
        file.seek(begin)
        file.write(room + tail)
    else:
        return None
    return begin + len(_PREFIX)


def _text(file: BinaryIO, begin: int, length: int) -> bytes:
    file.seek(max(0, begin))
    return file.read(length)
