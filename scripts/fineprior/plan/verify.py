"""Compare results and inputs, byte by byte, with the digests that were noted of them: `fineprior verify`."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fineprior.files import integrity
from fineprior.files.errors import InputError
from fineprior.plan.provenance import UsedFile, file_digest, used_files

VERIFY = """Read all results and compare them with the digests that were recorded when they were written (in the
files themselves, and in .digests/ beside them). Read the inputs and compare them with results/provenance/files.tsv. The
list names files that differ, are missing, or are not known (not written by fineprior, or by an older version). Nothing
is changed.

Ends with 0 when nothing differs or is missing, with 1 otherwise."""
_DIFFERS, _MISSING, _UNKNOWN = "differs", "missing", "not known"
_STORED = (".npz", ".npy", ".pt")


class Finding(NamedTuple):
    """What verification found about a file: `what` is differs, missing or not known."""

    what: str
    path: str
    reason: str


def add_verify_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `fineprior verify`."""
    command.add_argument("-d", "--directory", metavar="DIR", default=".", help="the project's folder (%(default)s)")
    command.add_argument("--results", metavar="DIR", default="results", help="the results in it (%(default)s)")


def verify(given: argparse.Namespace) -> tuple[list[str], int]:
    """Lines of `fineprior verify`, and its exit code.

    Raises
    ------
    InputError
        There is no folder of results.
    """
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
    """A finding for each file of the results; None for a file that is as it was written."""
    store = results / "store"
    recorded = {place.parent.parent / place.name for place in results.rglob(f"{integrity.RECORDS}/*")}
    for path in sorted(recorded):
        yield _read(str(path), _of_record, path)
    folders = [path for path in recorded if path.is_dir()]
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results).parts
        hidden = any(part.startswith(".") for part in inside)
        if path.is_dir() or hidden or path in recorded or any(folder in path.parents for folder in folders):
            continue
        yield _read(str(path), _of_store if store in path.parents else _unrecorded, path)


def _read(name: str, check: Callable[..., Finding | None], *arguments: Any) -> Finding | None:
    """What a check finds; a file that cannot be read is not what it was."""
    try:
        return check(*arguments)
    except OSError as error:
        return Finding(_DIFFERS, name, f"cannot be read: {error.strerror}")


def _of_record(path: Path) -> Finding | None:
    remedy = "the rule that made it makes it anew when snakemake runs"
    if not path.exists():
        return Finding(_MISSING, str(path), f"its digest is in {integrity.RECORDS}; {remedy}")
    known = integrity.recorded(path)
    if not known:
        return Finding(_UNKNOWN, str(path), "its digest was not written to the end")
    stands, computed = (None, integrity.folder_digest(path)) if path.is_dir() else integrity.digests(path)
    if computed not in known or stands not in (None, computed):
        return Finding(_DIFFERS, str(path), f"not the bytes that were written; delete it, and {remedy}")
    return None


def _of_store(path: Path) -> Finding | None:
    """Files of the store hold their digests themselves; a damaged one is made again where it is needed."""
    if path.suffix not in _STORED:
        return None
    stands, computed = integrity.digests(path, integrity.shared_salt(path), needed=False)
    if stands is None:
        return Finding(_UNKNOWN, str(path), "it has no digest")
    return None if stands == computed else Finding(_DIFFERS, str(path), "damaged; it is made again where it is needed")


def _unrecorded(path: Path) -> Finding | None:
    stands, computed = integrity.digests(path, needed=False)
    if stands is not None and stands != computed:
        return Finding(_DIFFERS, str(path), "damaged")
    return Finding(_UNKNOWN, str(path), f"its digest is not in {integrity.RECORDS}")


def _inputs(folder: Path, table: Path) -> Iterator[Finding | None]:
    """A finding, or None, for each input that the last whole run recorded."""
    if not table.is_file():
        yield Finding(_UNKNOWN, str(table), "no whole run has noted the inputs yet")
        return
    try:
        rows = used_files(table)
    except InputError as error:
        yield Finding(_DIFFERS, str(table), str(error))
        return
    for row in rows:
        yield _read(row.file, _of_input, folder, row)


def _of_input(folder: Path, row: UsedFile) -> Finding | None:
    path = folder / row.file
    if not path.is_file():
        return Finding(_MISSING, row.file, "an input of the results")
    if file_digest(path, whole=row.whole)[0] != row.sha256:
        return Finding(_DIFFERS, row.file, "an input that is not the one the results were made of")
    return None
