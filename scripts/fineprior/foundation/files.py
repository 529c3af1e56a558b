"""Files that are either whole or absent."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fineprior.foundation.errors import InputError

_REMEDIES = {
    errno.ENOSPC: "no space left to write it ({}); make space and run again, finished work is kept",
    errno.EDQUOT: "no space left to write it ({}); make space and run again, finished work is kept",
    errno.EFBIG: "too large to be written ({}); raise the limit (ulimit -f) and run again, finished work is kept",
    errno.EROFS: "cannot be written ({}); choose another folder, or mount the file system for writing",
}
_IN_WORDS = re.compile("os error ([0-9]+)|inline_container.*unexpected pos|PytorchStreamWriter failed")
"""How safetensors and torch, which raise errors of their own, say that writing stopped short."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffixes of `path`, so that writers which choose a format by suffix work.

    Raises
    ------
    InputError
        The file system is full, or the user's share of it; it is read-only; or files may not be as large.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except Exception as error:
        if why := not_written(error):
            raise InputError(f"{path}: {why}") from None
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def not_written(error: Exception) -> str:
    """Why a file could not be written, by an exception, and what to do; empty where it is about something else."""
    code = error.errno if isinstance(error, OSError) else None
    if code is None and (found := _IN_WORDS.search(str(error))):
        code = int(found[1]) if found[1] else errno.ENOSPC
    return _REMEDIES[code].format(os.strerror(code)) if code in _REMEDIES else ""


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as a hexadecimal string."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
