"""Reading users' files: one guard against damage, one way to open text, one definition of a missing value.

`reading` turns whatever goes wrong while a file is parsed into one line. `text_of` and `text_lines` open a text file
whatever its compression, byte-order mark and line ends. `is_missing` knows what programs write where there is no value:

| written by | words |
| --- | --- |
| PLINK, REGENIE, SAIGE, BOLT-LMM | NA, nan, `.`, and -9 for phenotypes, covariates and frequencies |
| others | -99, -999; -1 for frequencies and imputation qualities |
| R | NA, NaN, `<NA>`, NULL, and an empty field (`na = ""`) |
| pandas and Python | an empty field, nan, NaN, None, `<NA>`, NaT |
| SAS and Stata | `.` |
| spreadsheets, SQL, GWAS-SSF | an empty field, N/A, #N/A, NULL, #NA |

Words are the same in capitals and small letters, with blanks or quotation marks around them. Codes are numbers: -9,
-9.0 and -9e0 are the same. A code is missing only where a negative number has no meaning of its own, or PLINK takes it
so.
"""

import gzip
import io
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import IO

from fineprior.files.errors import InputError

_LONGEST, _LONGEST_LINE = 200, 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_LONGEST_START = 18
_OTHER = {
    b"BZh": "compressed by bzip2: unpack it, or compress it by gzip",
    b"\xfd7zXZ": "compressed by xz: unpack it, or compress it by gzip",
    _ZSTD: "compressed by zstd: unpack it, or compress it by gzip",
    b"PK\x03\x04": "a zip archive or an Excel file: unpack it, or save it as text",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}
_BOMB_BYTES, _BOMB_RATIO = 1 << 28, 200
"""Tables pack to a fifth or a twentieth of their size; deflate packs one byte, repeated, to a 1032nd."""


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
        As `reading` and `unpacked`; the file is not in UTF-8.
    """
    with reading(path, what, remedy), unpacked(path) as data, io.TextIOWrapper(data, "utf-8-sig", newline=None) as text:
        try:
            yield text
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not a text file in UTF-8 ({error.reason}); is it {what}?") from error


def unpacked(path: str | Path) -> io.BufferedReader:
    """Open a file of the user for its bytes: as they are, or unpacked where they begin as gzip.

    Raises
    ------
    InputError
        The file, or what is packed in it, is compressed in another way or in UTF-16; it is of bgzip and cut off, also
        where that is between two blocks; while it is read: it unpacks to more than 256 MB and to more than 200 times
        its size.
    """
    handle = Path(path).open("rb")  # noqa: SIM115 (the caller closes it)
    try:
        start = handle.peek(_LONGEST_START)
        _refuse_other(path, start)
        if not start.startswith(_GZIP):
            return handle
        if is_bgzip(start) and not _ends_as_bgzip(Path(path)):
            raise InputError(
                f"{path}: cut off: the last block of a file of bgzip is not there; copy it, or pack it, again"
            )
        data: io.BufferedReader = io.BufferedReader(_Unpacked(handle, path), 1 << 16)
        _refuse_other(path, data.peek(_LONGEST_START))
        return data
    except BaseException:
        handle.close()
        raise


def is_bgzip(start: bytes) -> bool:
    """Whether a file with these first 18 bytes is of bgzip."""
    return start.startswith(_GZIP + b"\x08\x04") and start[12:14] == b"BC"


def is_zstd(path: str | Path) -> bool:
    """Whether a file is compressed by zstd, which a few readers can unpack."""
    with Path(path).open("rb") as handle:
        return handle.read(len(_ZSTD)) == _ZSTD


def _ends_as_bgzip(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - len(_BGZIP_END)))
        return handle.read() == _BGZIP_END


def _refuse_other(path: str | Path, start: bytes) -> None:
    for mark, what in _OTHER.items():
        if start.startswith(mark):
            raise InputError(f"{path}: {what}")


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a gzip file, up to an implausible number of them."""

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
    if text.casefold().startswith("weights only load failed"):
        # What torch.load says next is how to load the file in a way that may run code.
        text = "it does not hold tensors alone"
    text = f"{type(error).__name__}: {text}" if isinstance(error, KeyError) else text
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def text_lines(path: str | Path, what: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, without its end; blank lines too. No more than a line is in memory.

    Parameters
    ----------
    what
        What the file should be, with its article, for messages: "a BED file".

    Raises
    ------
    InputError
        As `text_of`; a line is longer than a million characters, or holds a byte of 0.
    """
    with text_of(path, what, "is the file whole?") as text:
        number = 0
        while line := _next(text, path, number + 1, what):
            number += 1
            yield number, line.rstrip("\n").lstrip("\ufeff")


def _next(text: IO[str], path: str | Path, number: int, what: str) -> str:
    line = text.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE and not line.endswith("\n"):
        raise InputError(f"{path}, line {number}: longer than {_LONGEST_LINE:,} characters; is it {what}?")
    if "\0" in line:
        raise InputError(f"{path}, line {number}: not text in UTF-8 (a byte is 0); is it {what}?")
    return line


PLINK_CODES = (-9.0,)
"""Of phenotypes and covariates, which may be below 0."""
CODES = (-9.0, -99.0, -999.0, -9999.0)
"""Of what is never below 0: sizes, standard errors, p-values."""
CODES_OF_SHARES = (*CODES, -1.0, 9.0, 99.0, 999.0, 9999.0)
"""Of what lies within 0 to 1, or not far above: frequencies, imputation qualities."""
CODES_OF_EFFECTS = (*CODES, 99.0, 999.0, 9999.0)
"""Of effects and z-scores, which can have these values too: `sumstats.values.coded_effects` tells which it is."""
WORDS = frozenset({
    "", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "+nan", "-nan", "1.#qnan", "-1.#ind", "nat", "null", "none",
})  # fmt: skip
"""In small letters."""
SPELLINGS = sorted({"".join(one) for word in WORDS for one in product(*zip(word, word.upper(), strict=True))})
"""The words in capitals, small letters and mixtures of them, for readers of tables that compare them to the letter."""


def is_missing(value: object, codes: Collection[float] = ()) -> bool:
    """Whether a field of a user's file holds no value.

    Parameters
    ----------
    value
        The field as text, or what a reader made of it: None, a number, nan.
    codes
        Numbers that mean missing, too: `PLINK_CODES`, `CODES` or `CODES_OF_SHARES`.
    """
    if value is None:
        return True
    text = str(value).strip().strip("\"'").strip()
    return text.casefold() in WORDS or is_code(text, codes)


def is_code(value: object, codes: Collection[float]) -> bool:
    """Whether a field is one of these numbers, however it is written."""
    try:
        return bool(codes) and float(str(value).strip().strip("\"'")) in codes
    except ValueError:
        return False


def missing_among(values: Iterable[object], codes: Collection[float] = ()) -> set[object]:
    """The values that are missing, to look up a whole column by its distinct values."""
    return {value for value in values if is_missing(value, codes)}
