"""What results rest on: the code behind each rule, the software, and the content of the user's files.

Code. Snakemake does not see what a script imports. So each rule has `code=code_digest(<rule>)` among its params, which
changes when its function in `fineprior.steps` changes, or a module that this imports, and with nothing else.

Files. Snakemake runs a job again when an input is newer than its results. A file that replaces another one and is older
than the results would go unseen; with its digest among the params (`Fingerprints`) it does not. A file that was only
touched, or moved away and back, has the digest that it had. A file of the same size and times is not read again.

All digests of a user's file are those of `file_digest`. Files that fineprior itself wrote have theirs in
`files.integrity`.
"""

import ast
import atexit
import csv
import hashlib
import json
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from fineprior import __version__
from fineprior.files.errors import InputError
from fineprior.files.whole import sha256
from fineprior.plan.stages import module_of

PACKAGE_ROOT = Path(__file__).resolve().parents[2]

PACKAGES = (
    "snakemake", "numpy", "scipy", "pandas", "pyarrow", "pysam", "pyBigWig", "Pgenlib", "torch", "enformer-pytorch",
    "safetensors", "peft", "msprime", "matplotlib", "jinja2",
)  # fmt: skip
"""Packages that results can depend on."""
WHOLE_UP_TO = 64 * 2**20
"""Larger files, of which there may be thousands, are digested by samples."""
_PIECES, _PIECE = 64, 256 * 2**10


def software_versions() -> dict[str, str]:
    """Versions of this environment, by package; empty where one is not installed."""
    versions = {"fineprior": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = ""
    return versions


def file_digest(path: str | Path, whole: bool = False) -> tuple[str, bool]:
    """SHA-256 of a file, and whether all of it was read.

    Of a file above 64 MiB, unless `whole`, the digest is that of its size (decimal digits) and of 64 pieces of
    256 KiB, evenly spaced from its start to its end.
    """
    size = Path(path).stat().st_size
    if whole or size <= WHOLE_UP_TO:
        return sha256(path), True
    digest = hashlib.sha256(str(size).encode())
    with Path(path).open("rb") as handle:
        for piece in range(_PIECES):
            handle.seek(piece * (size - _PIECE) // (_PIECES - 1))
            digest.update(handle.read(_PIECE))
    return digest.hexdigest(), False


def _source(module: str, root: Path) -> Path | None:
    base = root / Path(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imports(tree: ast.AST) -> set[str]:
    """Modules of this package that a piece of code imports, at its top or within functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "fineprior"}


@cache
def _file_imports(path: Path) -> set[str]:
    return _imports(ast.parse(path.read_text()))


@cache
def _step_code(path: Path, function: str) -> tuple[set[str], bytes]:
    """Imports and source that one rule's function needs of its step module.

    A step module holds the functions of several rules. Other public functions belong to other rules, and so do imports
    that only they use. Constants and private functions are taken as shared.
    """
    source = path.read_text()
    tree = ast.parse(source)
    own = [
        node
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name != function)
    ]
    trimmed = ast.Module(body=own, type_ignores=[])
    used = {node.id for node in ast.walk(trimmed) if isinstance(node, ast.Name)}
    kept: list[ast.stmt] = []
    for node in own:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in used]
            if not node.names:
                continue
        kept.append(node)
    trimmed = ast.Module(body=kept, type_ignores=[])
    return _imports(trimmed), ast.unparse(trimmed).encode()


def imported_modules(modules: set[str], root: Path = PACKAGE_ROOT) -> list[Path]:
    """Source files of the given modules of this package and of all that they import, sorted."""
    seen: set[Path] = set()
    waiting = set(modules)
    while waiting:
        path = _source(waiting.pop(), root)
        if path is None or path in seen:
            continue
        seen.add(path)
        waiting |= _file_imports(path)
    return sorted(seen)


def _path_of(step: str, root: Path) -> Path:
    steps = root / "fineprior" / "steps"
    return steps / f"{module_of(step, steps)}.py"


def modules_of_step(step: str, root: Path = PACKAGE_ROOT) -> list[str]:
    """Source files, below the package, that `code_digest` of a step covers: its own and those that it imports."""
    path = _path_of(step, root)
    found = [path, *imported_modules(_step_code(path, step)[0], root)]
    return sorted({source.relative_to(root / "fineprior").as_posix() for source in found})


def module_digests(root: Path = PACKAGE_ROOT) -> dict[str, str]:
    """Digest of each source file of the package, with its files of data, by its place below it."""
    package = root / "fineprior"
    return {
        source.relative_to(package).as_posix(): hashlib.sha256(_code(source)).hexdigest()[:12]
        for source in sorted(package.rglob("*.py"))
    }


def _code(source: Path) -> bytes:
    """A module's source, then its files of data: all in the folder of its own name beside it (page.py, page/)."""
    beside = sorted(path for path in source.with_suffix("").glob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in [source, *beside])


@cache
def code_digest(step: str, root: Path = PACKAGE_ROOT) -> str:
    """Digest of the code behind one rule.

    Parameters
    ----------
    step
        Name of the rule, which is that of its function in one of the modules of `fineprior.steps`.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    path = _path_of(step, root)
    imports, own_source = _step_code(path, step)
    digest = hashlib.sha256(own_source)
    for source in imported_modules(imports, root):
        digest.update(source.relative_to(root).as_posix().encode())
        digest.update(_code(source))
    return digest.hexdigest()[:12]


CACHE = Path(".snakemake/fineprior/inputs.json")
LAST_CONFIG = "results/provenance/config.yaml"
LAST_FILES = "results/provenance/files.tsv"
LAST_MODULES = "results/provenance/modules.tsv"
"""What the rule provenance leaves of a whole run: its settings, the files it used, the digests of all modules."""
PREFIX = "content "
"""Begins each value among a rule's params that is the digest of a file."""
_DIGITS = 16


class Fingerprints:
    """Digests of files (see `file_digest`); computed ones are kept in a cache.

    Parameters
    ----------
    cache
        File of the cache. Where it cannot be read or written, digests are computed again.
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
        """Digests of files by path, for the params of a rule."""
        return {path: PREFIX + self[path][:_DIGITS] for path in paths}

    def save(self) -> None:
        """Write the computed digests to the cache, beside those that other processes wrote meanwhile."""
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


class UsedFile(NamedTuple):
    """A row of the table USED_FILES: a file that results rest on."""

    role: str
    file: str
    bytes: int
    read: str
    sha256: str

    @property
    def whole(self) -> bool:
        """Whether the digest is that of all its bytes."""
        return self.read == "whole"


def used_file(role: str, path: str) -> UsedFile:
    """The row of a file; weights are read whole, others above 64 MiB are sampled."""
    digest, whole = file_digest(path, whole=role == "weights")
    return UsedFile(role, path, Path(path).stat().st_size, "whole" if whole else "sampled", digest)


def used_files(table: str | Path) -> list[UsedFile]:
    """Rows of a table USED_FILES.

    Raises
    ------
    InputError
        It cannot be read, or is no such table; the message does not name it.
    """
    try:
        with open(table, newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        return [UsedFile(row["role"], row["file"], int(row["bytes"]), row["read"], row["sha256"]) for row in rows]
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise InputError(f"not a table of inputs: {error}") from None


def older_replacements(known: Fingerprints, table: str | Path = LAST_FILES) -> list[str]:
    """A sentence for each input of the last whole run that was since replaced by a file older than the results.

    Snakemake itself names newer files.
    """
    sentences = []
    with suppress(OSError, InputError):
        made = os.stat(table).st_mtime_ns
        for row in used_files(table):
            digest = known[row.file]
            comparable = not row.whole or row.bytes <= WHOLE_UP_TO
            if digest and comparable and digest != row.sha256 and os.stat(row.file).st_mtime_ns <= made:
                sentences.append(
                    f"{row.file}: was replaced by an older file since the last whole run; what reads it is made anew"
                )
    return sentences
