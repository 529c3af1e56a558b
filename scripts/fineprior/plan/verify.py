"""Whether results and inputs are, byte by byte, what they were: `fineprior verify`."""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fineprior.files import integrity
from fineprior.files.errors import InputError
from fineprior.plan.provenance import file_digest

DESCRIPTION = """Read each byte of the results and compare it with the digests that were noted when they were written
(in the files themselves, and in .digests/ beside them), and read the inputs and compare them with
results/provenance/files.tsv. The list names files that differ, are missing, or are not known (not written by
fineprior, or by an older version). Nothing is changed.

Ends with 0 when nothing differs or is missing, with 1 otherwise."""
_DIFFERS, _MISSING, _UNKNOWN = "differs", "missing", "not known"
_STORED = (".npz", ".npy", ".pt")


class Finding(NamedTuple):
    """What is to be said of a file: `what` is differs, missing or not known."""

    what: str
    path: str
    reason: str


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What `fineprior verify` takes."""
    command.add_argument("-d", "--directory", metavar="DIR", default=".", help="the project's folder (%(default)s)")
    command.add_argument("--results", metavar="DIR", default="results", help="the results in it (%(default)s)")


def verify(given: argparse.Namespace) -> tuple[list[str], int]:
    """Lines of `fineprior verify`, and its exit code."""
    folder = Path(given.directory)
    results = folder / given.results
    if not results.is_dir():
        raise InputError(f"{results}: no such folder; --directory is the project's, --results that of its results")
    findings, checked = [], 0
    for found in (*_results(results), *_inputs(folder, results / "provenance/files.tsv")):
        checked += 1
        if found:
            findings.append(found)
    order = (_DIFFERS, _MISSING, _UNKNOWN)
    findings.sort(key=lambda found: (order.index(found.what), found.path))
    lines = [f"{found.what}: {found.path} ({found.reason})" for found in findings]
    counts = {what: sum(found.what == what for found in findings) for what in order}
    told = ", ".join(
        f"{count} {what if count == 1 or what != _DIFFERS else 'differ'}" for what, count in counts.items()
    )
    lines.append(f"{checked - len(findings)} of {checked} files are as they were written or read; {told}")
    return lines, int(bool(counts[_DIFFERS] or counts[_MISSING]))


def _results(results: Path) -> Iterator[Finding | None]:
    """A finding, or nothing where all is well, for each file of the results."""
    store = results / "store"
    recorded = {place.parent.parent / place.name for place in results.rglob(f"{integrity.RECORDS}/*")}
    for path in sorted(recorded):
        yield _of_record(path)
    folders = [path for path in recorded if path.is_dir()]
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results).parts
        hidden = any(part.startswith(".") for part in inside)
        if path.is_dir() or hidden or path in recorded or any(folder in path.parents for folder in folders):
            continue
        yield _of_store(path) if store in path.parents else _unrecorded(path)


def _of_record(path: Path) -> Finding | None:
    remedy = "the rule that made it makes it anew when snakemake runs"
    if not path.exists():
        return Finding(_MISSING, str(path), f"its digest is in {integrity.RECORDS}; {remedy}")
    known = integrity.recorded(path)
    if not known:
        return Finding(_UNKNOWN, str(path), "its digest was not written to the end")
    try:
        stands, computed = (None, integrity.folder_digest(path)) if path.is_dir() else integrity.digests(path)
    except OSError as error:
        return Finding(_DIFFERS, str(path), f"cannot be read: {error.strerror}")
    if computed not in known or stands not in (None, computed):
        return Finding(_DIFFERS, str(path), f"not the bytes that were written; delete it, and {remedy}")
    return None


def _of_store(path: Path) -> Finding | None:
    """The store's files hold their digests themselves, and what differs there is made again where it is needed."""
    if path.suffix not in _STORED:
        return None
    try:
        stands, computed = integrity.digests(path, integrity.shared_salt(path), needed=False)
    except OSError as error:
        return Finding(_DIFFERS, str(path), f"cannot be read: {error.strerror}")
    if stands is None:
        return Finding(_UNKNOWN, str(path), "it has no digest")
    return None if stands == computed else Finding(_DIFFERS, str(path), "damaged; it is made again where it is needed")


def _unrecorded(path: Path) -> Finding | None:
    try:
        stands, computed = integrity.digests(path, needed=False)
    except OSError as error:
        return Finding(_DIFFERS, str(path), f"cannot be read: {error.strerror}")
    if stands is not None and stands != computed:
        return Finding(_DIFFERS, str(path), "damaged")
    return Finding(_UNKNOWN, str(path), f"its digest is not in {integrity.RECORDS}")


def _inputs(folder: Path, table: Path) -> Iterator[Finding | None]:
    """A finding, or nothing, for each input that the last whole run has noted."""
    if not table.is_file():
        yield Finding(_UNKNOWN, str(table), "no whole run has noted the inputs yet")
        return
    try:
        with table.open(newline="") as handle:
            rows = [(row["file"], row["read"], row["sha256"]) for row in csv.DictReader(handle, delimiter="\t")]
    except (OSError, KeyError, ValueError, csv.Error) as error:
        yield Finding(_DIFFERS, str(table), f"not a table of inputs: {error}")
        return
    for name, read, digest in rows:
        path = folder / name
        if not path.is_file():
            yield Finding(_MISSING, name, "an input of the results")
            continue
        try:
            differs = file_digest(path, whole=read == "whole")[0] != digest
        except OSError as error:
            yield Finding(_DIFFERS, name, f"cannot be read: {error.strerror}")
            continue
        yield Finding(_DIFFERS, name, "an input that is not the one the results were made of") if differs else None
