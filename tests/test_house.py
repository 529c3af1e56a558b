"""House rules: the rooms' order, thin drivers, a light start, and the linters."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "scripts/fineprior"
ROOMS = [  # in order
    "files",
    "project",
    "genome",
    "genotypes",
    "sumstats",
    "sequence",
    "engine",
    "heads",
    "finemap",
    "priors",
    "report",
    "simulate",
    "plan",
    "steps",
]


@functools.cache
def imports(path, top_level=False):
    tree, found = ast.parse(path.read_text()), []
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room):
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for path in (LIBRARY / room).glob("*.py"):
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("fineprior.")}
        assert ours <= set(allowed), path
        if room not in {"engine", "heads"}:
            assert not {name for name in imports(path) if name.split(".")[0] in {"torch", "enformer_pytorch"}}, path


def test_every_room_is_known():
    assert sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py")) == sorted(ROOMS)


def test_the_command_line_is_above_all_rooms():
    assert sorted(path.stem for path in LIBRARY.glob("*.py")) == ["__init__", "cli"]
    code = (
        "import sys; sys.path.insert(0, 'scripts'); import fineprior.cli\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'scipy', 'matplotlib', 'pysam'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_drivers_are_thin_and_belong_to_a_rule():
    rules = set(re.findall(r"^rule (\w+):", "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")),
                           flags=re.MULTILINE))  # fmt: skip
    drivers = {path.stem: path.read_text() for path in (ROOT / "scripts").glob("*.py")}
    assert set(drivers) == rules
    for name, text in drivers.items():
        assert text.count("\n") <= 30, name
        assert "snakemake.config" not in text, name


def test_parsing_the_workflow_loads_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "import fineprior.project.project, fineprior.plan.provenance, fineprior.project.settings\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'scipy', 'matplotlib', 'pysam'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WITHOUT_A_FILE_OF_TESTS: dict[str, str] = {}
OF_NO_MODULE = {
    "bad_inputs/catalogue": "wrong files and settings through the whole workflow",
    "bad_inputs/dressed": "texts with a byte-order mark, other line ends or compression, through every reader",
    "bad_inputs/fuzz": "damaged files of every kind through their readers",
    "finemap/prostate": "all of fine-mapping on a real locus",
    "finemap/susie_reference": "against susieR's answers",
    "priors/polyfun_reference": "against PolyFun's answers",
}


def test_tests_mirror_the_library():
    """tests/ROOM/test_MODULE.py for scripts/fineprior/ROOM/MODULE.py, and the other way round.

    What a large module does may be tested in several files: test_MODULE_TOPIC.py.
    """
    modules = {f"{path.parent.name}/{path.stem}" for path in LIBRARY.glob("*/*.py") if path.stem != "__init__"}
    tests = {f"{path.parent.name}/{path.stem.removeprefix('test_')}" for path in (ROOT / "tests").glob("*/test_*.py")}
    untested = sorted(modules - tests - set(WITHOUT_A_FILE_OF_TESTS))
    assert not untested, f"modules without tests/ROOM/test_MODULE.py: {', '.join(untested)}"
    strangers = sorted(
        test
        for test in tests - modules - set(OF_NO_MODULE)
        if not any(test.startswith(f"{module}_") for module in modules)
    )
    assert not strangers, f"files of tests that are of no module: {', '.join(strangers)}"
    needless = sorted((set(WITHOUT_A_FILE_OF_TESTS) & tests) | (set(WITHOUT_A_FILE_OF_TESTS) - modules)
                      | (set(OF_NO_MODULE) - tests))  # fmt: skip
    assert not needless, f"exceptions that are none any more: {', '.join(needless)}"


LISTS_OF_EXCEPTIONS = {
    "cli.py": "the end of every command, where what was not foreseen is said",
    "finemap/correlation.py": "an argument of a function, no file",
    "finemap/ladder.py": "how a fit fails, no file",
    "finemap/locus.py": "how a fit fails, no file",
    "finemap/sufficient.py": "an argument of a function, no file",
    "plan/dry_run.py": "what Snakemake prints and keeps, no file of the user",
    "genome/fasta_index.py": "an index that may be absent; where the genome is opened its fault is said",
    "plan/provenance.py": "its own records, which are made again",
    "files/whole.py": "its own marks, which are made again",
    "files/table.py": "values of a frame, no file",
    "plan/verify.py": "it goes on with the next file, and counts",
    "files/yaml_files.py": "names the line, which only some exceptions know",
    "genome/fasta.py": "looks itself for the reason, which htslib does not say",
    "engine/backbone.py": "how a batch does not fit into memory",
}
"""Modules that catch several kinds of exceptions by name, and why they may."""


def lists_of_exceptions(path):
    """Lines at which exceptions are caught by a list of their names, or by a name that is such a list."""
    tree = ast.parse(path.read_text())
    lists = {target.id for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
             for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and (
            isinstance(node.type, ast.Tuple) or (isinstance(node.type, ast.Name) and node.type.id in lists)
        ):
            yield node.lineno


def test_readers_have_no_lists_of_exceptions():
    """What can go wrong with a file is not foreseen: `files.reading.reading` takes all of it."""
    found = {str(path.relative_to(LIBRARY)): list(lists_of_exceptions(path)) for path in LIBRARY.rglob("*.py")}
    assert not {name: lines for name, lines in found.items() if lines and name not in LISTS_OF_EXCEPTIONS}
    needless = [name for name in LISTS_OF_EXCEPTIONS if not found.get(name)]
    assert not needless, f"reasons that no module needs: {', '.join(needless)}"


def imported_packages(rule):
    """Packages outside of the standard library that a rule's driver imports, directly or through the library.

    torch and what is imported beside it stand within functions where a step also serves rules without it.
    """
    found, waiting, seen = set(), [ROOT / f"scripts/{rule}.py"], set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        for name in imports(path, top_level=path.parent.name == "steps"):
            if name.startswith("fineprior"):
                waiting += [ROOT / "scripts" / f"{name.replace('.', '/')}.py"]
            else:
                found.add(name.split(".")[0])
    return found - set(sys.stdlib_module_names)


def test_environments_hold_what_their_rules_import():
    names = {"yaml": "pyyaml", "pyBigWig": "pybigwig", "matplotlib": "matplotlib-base", "PIL": "pillow",
             "enformer_pytorch": "enformer-pytorch", "huggingface_hub": "enformer-pytorch"}  # fmt: skip
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = dict(re.findall(r"^rule (\w+):.*?envs/(\w+)\.yaml", text, flags=re.MULTILINE | re.DOTALL))
    for rule, env in rules.items():
        entries = yaml.safe_load((ROOT / f"envs/{env}.yaml").read_text())["dependencies"]
        lines = [line for entry in entries for line in (entry["pip"] if isinstance(entry, dict) else [entry])]
        held = {re.match(r"[A-Za-z0-9_.-]+", line).group() for line in lines}
        needed = {names.get(package, package) for package in imported_packages(rule)}
        assert needed - {"jsonschema"} <= held, f"{rule} in envs/{env}.yaml"


def test_environments_agree_with_pyproject():
    import tomllib

    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ranges = dict(re.match(r"([A-Za-z0-9_.-]+)(.*)", line).groups() for line in pyproject)
    ranges = {name.lower(): bounds for name, bounds in ranges.items()} | {"matplotlib-base": ranges["matplotlib"]}
    for path in (ROOT / "envs").glob("*.yaml"):
        for entry in yaml.safe_load(path.read_text())["dependencies"]:
            for line in entry["pip"] if isinstance(entry, dict) else [entry]:
                name, bounds = re.match(r"([A-Za-z0-9_.-]+)(.*)", line).groups()
                if name not in {"python", "pip"}:
                    assert bounds.strip() == ranges[name], f"{path.name}: {line}"


@pytest.mark.workflow
@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["snakefmt", "--check", "Snakefile", "workflow"],
        ["snakemake", "--lint"],
    ],
    ids=" ".join,
)
def test_linters(command):
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
