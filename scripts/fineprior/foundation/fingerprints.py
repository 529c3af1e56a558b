"""Digests of the user's files, for the params of the rules that read them.

Snakemake runs a job again when an input is newer than its results. A file that was put in the place of another and is
older than the results would go unseen; with its digest among the params it does not. A file that was only touched, or
moved back and forth, has the digest that it had. A file of the same size and time is not read again.
"""

import atexit
import csv
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fineprior.foundation.provenance import WHOLE_UP_TO, file_digest

CACHE = Path(".snakemake/fineprior/inputs.json")
USED_FILES = "results/provenance/files.tsv"
PREFIX = "content "
"""How a value begins that is a digest of a file among the params of a rule."""
_DIGITS = 16


class Fingerprints:
    """Digests of files (see `provenance.file_digest`); those that were computed are kept in a file.

    Parameters
    ----------
    cache
        That file; without it, or where it cannot be read or written, digests are computed again.
    """

    def __init__(self, cache: Path = CACHE) -> None:
        self._cache = cache.absolute()  # it is written at the end, wherever the process is then
        self._known: dict[str, list[Any]] = self._read()
        self._asked: dict[str, str] = {}
        self._new: dict[str, list[Any]] = {}

    def __getitem__(self, path: str) -> str:
        """SHA-256 of a file as `file_digest` gives it; empty where there is none."""
        if path not in self._asked:
            self._asked[path] = self._digest(path)
        return self._asked[path]

    def of(self, paths: Iterable[str]) -> dict[str, str]:
        """What a rule's params say of its inputs."""
        return {path: PREFIX + self[path][:_DIGITS] for path in paths}

    def save(self) -> None:
        """Keep what was computed, beside what other processes have kept meanwhile."""
        if not self._new:
            return
        temporary = self._cache.with_name(f"{self._cache.name}.{os.getpid()}")
        with suppress(OSError):
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._read() | self._new, indent=0) + "\n")
            temporary.replace(self._cache)
            self._new = {}

    def _digest(self, path: str) -> str:
        try:
            found = os.stat(path)
            # The time of change, which no program can set, tells a file that was put here with another's size and time.
            state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns]
            known = self._known.get(path)
            if isinstance(known, list) and known[:-1] == state and isinstance(known[-1], str):
                return known[-1]
            digest = file_digest(path)[0]
        except OSError:
            return ""
        if not self._new:
            atexit.register(self.save)
        self._new[path] = [*state, digest]
        return digest

    def _read(self) -> dict[str, list[Any]]:
        try:
            found = json.loads(self._cache.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def older_replacements(known: Fingerprints, used_files: str | Path = USED_FILES) -> list[str]:
    """A sentence for each input of the last whole run that was replaced since by a file older than its results.

    Snakemake itself names those that are newer.
    """
    sentences = []
    with suppress(OSError, KeyError, ValueError, csv.Error), open(used_files, newline="") as handle:
        made = os.stat(used_files).st_mtime_ns
        for row in csv.DictReader(handle, delimiter="\t"):
            path = row["file"]
            digest = known[path]
            comparable = row["read"] == "sampled" or int(row["bytes"]) <= WHOLE_UP_TO
            if digest and comparable and digest != row["sha256"] and os.stat(path).st_mtime_ns <= made:
                sentences.append(
                    f"{path}: was replaced by an older file since the last whole run; what reads it is made anew"
                )
    return sentences
