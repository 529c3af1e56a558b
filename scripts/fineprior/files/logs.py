"""Logging of a rule's driver: to the rule's log file and to the terminal, and progress of long computations."""

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fineprior.files.errors import InputError
from fineprior.files.integrity import strictly
from fineprior.files.whole import not_written

_SECONDS_BETWEEN_LINES = 10
_HOUR, _LONG = 3600, 5400

logger = logging.getLogger(__name__)


@contextmanager
def log_to(path: str | Path, name: str) -> Iterator[None]:
    """Log the block to a file and to stderr; a user's mistake ends it with one line, anything else with a traceback.

    After the block logging is as it was before.

    Parameters
    ----------
    path
        Log file of the rule.
    name
        What runs, for the reader of the terminal: rule and wildcards.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter(f"[{name}] %(message)s"))
    loggers = logging.getLogger(), logging.getLogger("fineprior")
    levels = [one.level for one in loggers]
    with path.open("w") as handle:
        file = logging.StreamHandler(handle)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        for one, level in zip(loggers, (logging.WARNING, logging.INFO), strict=True):
            one.setLevel(level)
        for handler in (terminal, file):
            loggers[0].addHandler(handler)
        try:
            with strictly():
                yield
        except InputError as error:
            logging.getLogger(name).error("error: %s", error)
            if error.__cause__ is not None:  # for whoever looks into it; the terminal gets the sentence alone
                traceback.print_exc(file=handle)
            sys.exit(1)
        except Exception as error:
            traceback.print_exc(file=handle)
            denied = f"{error.filename}: {error.strerror}" if isinstance(error, PermissionError) else ""
            if why := denied or not_written(error):
                logging.getLogger(name).error("error: %s", why)
                sys.exit(1)
            raise
        finally:
            for handler in (terminal, file):
                loggers[0].removeHandler(handler)
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)


class Progress:
    """Progress of a long computation: a line about every ten seconds, with its rate and the time left."""

    def __init__(self, count: int, what: str) -> None:
        self._count, self._what, self._done = count, what, 0
        self._begin = self._spoken = time.monotonic()

    def advance(self, number: int) -> None:
        """Count so many more as done."""
        self._done += number
        now = time.monotonic()
        if now - self._spoken > _SECONDS_BETWEEN_LINES and self._done:
            self._spoken = now
            rate = self._done / (now - self._begin)
            left = (self._count - self._done) / rate
            logger.info("%d of %d %s, %.3g per second, %s left", self._done, self._count, self._what, rate,
                        f"{left:.0f} s" if left < _LONG else f"{left / _HOUR:.1f} h")  # fmt: skip

    def leave_out(self, number: int) -> None:
        """Take so many off the total: they need not be done."""
        self._count -= number

    def finish(self) -> None:
        """Log how long it took."""
        logger.info("%d %s in %.1f s", self._count, self._what, time.monotonic() - self._begin)
