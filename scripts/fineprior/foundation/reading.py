"""One guard for all readers of users' files: whatever goes wrong while a file is parsed becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fineprior.foundation.errors import InputError

_LONGEST = 200


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
    except Exception as error:
        raise InputError(f"{path}: not {what}, or damaged ({_reason(error)}){remedy and '; ' + remedy}") from error


def _reason(error: Exception) -> str:
    """The first line of what the library says, or the kind of error where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    text = f"{type(error).__name__}: {text}" if isinstance(error, KeyError) else text
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
