"""One guard for all readers of users' files: whatever goes wrong while a file is parsed becomes one line."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fineprior.foundation.errors import InputError

_LONGEST = 200
_GZIP = b"\x1f\x8b"
_OTHER = {
    b"BZh": "compressed by bzip2: unpack it, or compress it by gzip",
    b"\xfd7zXZ": "compressed by xz: unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it, or compress it by gzip",
    b"PK\x03\x04": "a zip archive or an Excel file: unpack it, or save it as text",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}
_BOMB_BYTES, _BOMB_RATIO = 1 << 28, 200
"""Tables pack to a fifth or a twentieth; deflate's best, of one byte again and again, is 1:1032."""


@contextmanager
def reading(path: str | Path, what: str, remedy: str = "") -> Iterator[None]:
    """Turn any exception of the block into an InputError with file, what it should be, the reason and the remedy.

    Readers have no list of exceptions of their own: a library that meets a damaged file may raise anything. The
    original exception is the cause of the InputError, so that the traceback goes to the log (`logs.log_to`).

    Parameters
    ----------
    path
        The file, with the place within it where it is known.
    what
        What the file should be, with its article: "a bigWig file".
    remedy
        What the user can do about it.

    Raises
    ------
    InputError
        In place of every other exception; one that is an InputError already passes as it is.
    """
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{path}: needs more memory than there is, or claims more than it holds; is it {what}?"
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: a folder, not a file") from error
    except PermissionError as error:
        raise InputError(f"{path}: may not be read (permissions)") from error
    except Exception as error:
        raise InputError(f"{path}: not {what}, or damaged ({_reason(error)}){remedy and '; ' + remedy}") from error


@contextmanager
def text_of(path: str | Path, what: str, remedy: str = "") -> Iterator[IO[str]]:
    """Open a text file of the user within `reading`; lines end in a line feed, however they end in the file.

    Plain or gzip, by its first bytes and not by its name; UTF-8 with or without a byte-order mark; line ends of Unix,
    Windows and the old Mac. It is unpacked while it is read.

    Raises
    ------
    InputError
        As `reading`; the file is compressed in another way, is in UTF-16, or unpacks to far more than a table does.
    """
    with reading(path, what, remedy), unpacked(path) as data, io.TextIOWrapper(data, "utf-8-sig", newline=None) as text:
        yield text


def unpacked(path: str | Path) -> io.BufferedReader:
    """Open a file of the user for its bytes: as they are, or unpacked where they begin as gzip.

    Raises
    ------
    InputError
        The file is compressed in another way or in UTF-16; while it is read: it unpacks to more than 256 MB and to
        more than 200 times its size.
    """
    handle = Path(path).open("rb")  # noqa: SIM115 (the caller closes it)
    start = handle.peek(8)
    for mark, what in _OTHER.items():
        if start.startswith(mark):
            handle.close()
            raise InputError(f"{path}: {what}")
    return io.BufferedReader(_Unpacked(handle, path), 1 << 16) if start.startswith(_GZIP) else handle


class _Unpacked(io.RawIOBase):
    """The bytes of a gzip file, as long as there are not absurdly many."""

    def __init__(self, handle: io.BufferedReader, path: str | Path) -> None:
        self._handle, self._path = handle, path
        self._gzip = gzip.GzipFile(fileobj=handle)
        self._most = max(_BOMB_BYTES, _BOMB_RATIO * Path(path).stat().st_size)
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self._gzip.read1(len(buffer))
        buffer[: len(data)] = data
        self._done += len(data)
        if self._done > self._most:
            raise InputError(
                f"{self._path}: unpacks to more than {_BOMB_RATIO} times its size; is it the right file? (unpacked, it "
                "is read whatever its size)"
            )
        return len(data)

    def close(self) -> None:
        self._gzip.close()
        self._handle.close()
        super().close()


def _reason(error: Exception) -> str:
    """The first line of what the library says, or the kind of error where it says nothing."""
    said = error.args[0] if error.args and isinstance(error.args[0], bytes) else b""
    lines = [line.strip() for line in (said.decode(errors="replace") or str(error)).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    text = f"{type(error).__name__}: {text}" if isinstance(error, KeyError) else text
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
