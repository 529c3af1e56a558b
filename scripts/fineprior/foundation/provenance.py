"""Which code, software and files a result depends on.

Snakemake does not see what a script imports, so each rule carries `code=code_digest(<its step module>)` in its params:
the digest changes when that module or anything of this package that it imports changes, and with nothing else.
"""

import ast
import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from fineprior import __version__
from fineprior.foundation.files import sha256

PACKAGE_ROOT = Path(__file__).resolve().parents[2]

PACKAGES = (
    "snakemake", "numpy", "scipy", "pandas", "pyarrow", "pysam", "pyBigWig", "Pgenlib", "torch", "enformer-pytorch",
    "safetensors", "peft", "msprime", "matplotlib", "jinja2",
)  # fmt: skip
"""What results can depend on."""
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
    """Modules of this package that a piece of code names in its import statements, wherever they stand."""
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

    A step module holds several rules' functions: another public function is another rule's affair, and an import that
    only it uses as well; constants and private functions are taken as shared.
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


def modules_of_step(step: str, root: Path = PACKAGE_ROOT) -> list[str]:
    """Source files, below the package, that `code_digest` of a step looks at: its own and those that it imports."""
    module, function = step.split(".")
    path = root / "fineprior" / "steps" / f"{module}.py"
    found = [path, *imported_modules(_step_code(path, function)[0], root)]
    return sorted({source.relative_to(root / "fineprior").as_posix() for source in found})


def module_digests(root: Path = PACKAGE_ROOT) -> dict[str, str]:
    """Digest of each source file of the package, with its template, by its place below it."""
    package = root / "fineprior"
    digests = {}
    for source in sorted(package.rglob("*.py")):
        template = source.with_suffix(".html.j2")
        content = source.read_bytes() + (template.read_bytes() if template.is_file() else b"")
        digests[source.relative_to(package).as_posix()] = hashlib.sha256(content).hexdigest()[:12]
    return digests


@cache
def code_digest(step: str, root: Path = PACKAGE_ROOT) -> str:
    """Digest of the code behind one rule.

    Parameters
    ----------
    step
        `<module of fineprior.steps>.<function>`, for example `finemap.finemap`.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    module, function = step.split(".")
    path = root / "fineprior" / "steps" / f"{module}.py"
    imports, own_source = _step_code(path, function)
    digest = hashlib.sha256(own_source)
    for source in imported_modules(imports, root):
        digest.update(source.relative_to(root).as_posix().encode())
        digest.update(source.read_bytes())
        for beside in (source.with_suffix(".html.j2"), source.with_suffix(".js")):
            if beside.is_file():
                digest.update(beside.read_bytes())
    return digest.hexdigest()[:12]
