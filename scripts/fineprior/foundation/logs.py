"""Logging of a rule's driver: to the rule's log file, and its progress to the terminal."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fineprior.foundation.errors import InputError


@contextmanager
def log_to(path: str | Path, name: str) -> Iterator[None]:
    """Log the block to a file and to stderr; a user's mistake ends it with one line, anything else with a traceback.

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
    logging.basicConfig(level=logging.WARNING, handlers=[terminal], force=True)
    logging.getLogger("fineprior").setLevel(logging.INFO)
    with path.open("w") as handle:
        file = logging.StreamHandler(handle)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger().addHandler(file)
        try:
            yield
        except InputError as error:
            logging.getLogger(name).error("error: %s", error)
            sys.exit(1)
        except Exception:
            traceback.print_exc(file=handle)
            raise
        finally:
            logging.getLogger().removeHandler(file)
