"""Lines of a user's text file, one at a time, whatever its compression, byte-order mark and line ends."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fineprior.foundation.errors import InputError
from fineprior.foundation.reading import reading

_GZIP = b"\x1f\x8b"
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_PACKED = {
    b"BZh": "compressed by bzip2: unpack it, or compress it by gzip",
    b"\xfd7zXZ": "compressed by xz: unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it, or compress it by gzip",
    b"PK\x03\x04": "a zip archive or an Excel file: unpack it, or save it as text",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_LINE = 1 << 20


def text_lines(path: str | Path, what: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, without its end; blank lines too.

    Read are plain text, gzip and bgzip, by content and not by name, in UTF-8 with or without a byte-order mark; lines
    end as in Unix, Windows or the old Mac OS. No more than a line is in memory.

    Parameters
    ----------
    what
        What the file should be, with its article, for messages: "a BED file".

    Raises
    ------
    InputError
        The file is absent, no text in UTF-8, compressed in another way, damaged or cut off, or a line is longer than
        a million characters.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; it should be {what}")
    with reading(path, what, "is the file whole?"), _opened(path) as packed:
        start = packed.peek(8)[:8]
        if start.startswith(_UTF16):
            raise InputError(f"{path}: not a text file in UTF-8, but in UTF-16; save it in UTF-8")
        _refuse_packed(path, start)
        with io.TextIOWrapper(packed, encoding="utf-8-sig", newline=None) as text:
            number = 0
            while line := _next(text, path, number + 1, what):
                number += 1
                yield number, line.rstrip("\n").lstrip("\ufeff")


def _opened(path: Path) -> io.BufferedReader | gzip.GzipFile:
    with path.open("rb") as handle:
        start = handle.read(18)
        _refuse_packed(path, start)
        if start[:2] != _GZIP:
            return path.open("rb")
        if start[3:4] == b"\x04" and start[12:14] == b"BC":
            handle.seek(max(0, path.stat().st_size - len(_BGZIP_END)))
            if handle.read() != _BGZIP_END:
                raise InputError(f"{path}: cut off (the end mark of bgzip is absent); is the file whole?")
    return gzip.open(path, "rb")


def _refuse_packed(path: Path, start: bytes) -> None:
    for mark, message in _PACKED.items():
        if start.startswith(mark):
            raise InputError(f"{path}: {message}")


def _next(text: IO[str], path: Path, number: int, what: str) -> str:
    try:
        line = text.readline(_LONGEST_LINE)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason}); is it {what}?") from error
    if len(line) == _LONGEST_LINE and not line.endswith("\n"):
        raise InputError(f"{path}, line {number}: longer than {_LONGEST_LINE:,} characters; is it {what}?")
    if "\0" in line:
        raise InputError(f"{path}, line {number}: not text in UTF-8 (a byte is 0); is it {what}?")
    return line
