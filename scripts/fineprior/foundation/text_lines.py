"""Lines of a user's text file, one at a time, whatever its compression, byte-order mark and line ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fineprior.foundation.errors import InputError
from fineprior.foundation.reading import text_of

_LONGEST_LINE = 1 << 20


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
