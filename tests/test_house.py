"""House rules: order, names and sizes of the rooms, thin steps and drivers, a light start, and the linters."""

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
TOOLS = sorted((ROOT / "tools").glob("*/*.py"))
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


def test_the_library_does_without_tools():
    tools = {path.parent.name for path in TOOLS}
    for path in LIBRARY.rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] in tools}, path


def names_of(path):
    """Names that a module has at its top: definitions, values and imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_every_import_of_our_own_is_there():
    """Also within functions and in benchmarks; mypy takes a module that is missing for one without types."""
    missing = []
    for folder in ("scripts", "tools", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fineprior."):
                    place = ROOT / "scripts" / node.module.replace(".", "/")
                    names = {alias.name for alias in node.names}
                    there = (
                        names_of(place.with_suffix(".py"))
                        if place.with_suffix(".py").is_file()
                        else {one.stem for one in place.glob("*.py")}
                    )
                    missing += [f"{path.relative_to(ROOT)}: {node.module}.{name}" for name in names - there]
    assert not missing


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
        "import fineprior.plan.check, fineprior.plan.inputs, fineprior.plan.params\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'scipy', 'matplotlib', 'pysam', 'snakemake'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MODULES = sorted(LIBRARY.rglob("*.py"))


def lines(path):
    return path.read_text().count("\n")


def test_file_names_are_unique():
    names = [path.name for path in MODULES if path.name != "__init__.py"]
    assert not {name: names.count(name) for name in names if names.count(name) > 1}


def test_no_module_is_longer_than_500_lines():
    """But for the catalogue of all tables, which is read by looking a name up."""
    long = {str(path.relative_to(LIBRARY)): lines(path) for path in MODULES if lines(path) > 500}
    assert set(long) == {"files/tables.py"}, long


def test_no_room_has_more_than_15_percent_of_the_library():
    of_rooms = {room: sum(map(lines, (LIBRARY / room).rglob("*.py"))) for room in ROOMS}
    shares = {room: count / sum(of_rooms.values()) for room, count in of_rooms.items()}
    assert not {room: share for room, share in shares.items() if share > 0.15}


def exists(name, room):
    """Whether a room, a module (of `room`, or `other_room.module`), or something in a module has a name."""
    first, *rest = name.removesuffix(".py").split(".")
    path = LIBRARY / room / f"{first}.py"
    if path.is_file():
        return all(re.search(rf"^(def|class) {one}\b|^{one}\b.* = ", path.read_text(), re.MULTILINE) for one in rest)
    return first in ROOMS and (not rest or (first != room and exists(".".join(rest), first)))


def test_every_room_says_its_question_and_its_entry():
    """A question in the first line, then `Entry:` with names in backticks that exist."""
    offenders = {}
    for room in ROOMS:
        text = ast.get_docstring(ast.parse((LIBRARY / room / "__init__.py").read_text())) or ""
        entry = text.partition("\n\nEntry: ")[2]
        if not text.split("\n")[0].endswith("?"):
            offenders[room] = "no question"
        elif not re.search(r"`|function of the rule's name", entry):
            offenders[room] = "no entry"
        elif missing := [name for name in re.findall(r"`([^`]+)`", text) if not exists(name, room)]:
            offenders[room] = f"no {missing}"
    assert not offenders


NUMERICS = {"numpy", "scipy", "torch", "math", "statistics", "random"}
STATISTICS = {"mean", "std", "var", "median", "quantile", "corr", "cov", "cumsum", "cumprod", "dot", "sum", "argsort",
              "clip", "round"}  # fmt: skip
"""Methods of arrays and frames that compute."""
PATHS = {"str", "Path", "Sequence", "Mapping", "list", "tuple", "dict"}
"""What types of the fields of a bundle of paths are made of."""


def is_text(node):
    """Whether an operand is text, a path, a set or a sequence by the way it is written."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.BinOp(left=left, right=right):
            return is_text(left) or is_text(right)
        case ast.Call(func=ast.Name(id=name)):
            return name in {"Path", "str", "list", "sorted", "set"}
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.endswith(("folder", "path"))
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp | ast.Dict | ast.Set)


def numerics(tree):
    """What a step computes, and where: imports, arithmetic on anything but texts and paths, methods of statistics.

    What only a line of the log says may be counted or summed where it is logged.
    """
    match tree:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logger"))):
            return
        case ast.Import(names=names) if {alias.name.split(".")[0] for alias in names} & NUMERICS:
            yield f"import in line {tree.lineno}"
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] in NUMERICS:
            yield f"import in line {tree.lineno}"
        case ast.BinOp(op=op) if not isinstance(op, ast.BitOr) and not is_text(tree):
            yield f"arithmetic in line {tree.lineno}"
        case ast.AugAssign(op=op, value=value) if not isinstance(op, ast.BitOr) and not is_text(value):
            yield f"arithmetic in line {tree.lineno}"
        case ast.Call(func=ast.Attribute(attr=name)) if name in STATISTICS:
            yield f"{name} in line {tree.lineno}"
    for node in ast.iter_child_nodes(tree):
        yield from numerics(node)


def of_paths_alone(node):
    """Whether a class is a frozen dataclass whose fields are paths, without methods."""
    frozen = any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)
    fields = [one for one in node.body if not isinstance(one, ast.Expr)]
    types = [set(re.findall(r"[A-Za-z]\w*", ast.unparse(one.annotation))) - {"None"} for one in fields
             if isinstance(one, ast.AnnAssign)]  # fmt: skip
    return frozen and len(types) == len(fields) and all(names <= PATHS for names in types)


STEPS = sorted((LIBRARY / "steps").glob("[!_]*.py"))


def test_steps_are_short():
    assert not {path.stem: lines(path) for path in STEPS if lines(path) >= 150}


def test_steps_read_call_and_write():
    """What a step computes belongs to a room, where it is tested without files."""
    found = {path.stem: list(numerics(ast.parse(path.read_text()))) for path in STEPS}
    assert not {name: where for name, where in found.items() if where}


COMPUTES = ["import numpy as np", "from scipy.stats import norm", "import numpy.typing", "a = b * 2", "a += b",
            "a = frame['pip'].sum()", "a = x / y", "a = b & c"]  # fmt: skip
DOES_NOT = ["a = -b", "log.info(a.sum())", "a = folder / 'x.tsv'", "a = folder / f'{n}.tsv'", "a = 'x' + name",
            "a += [b]", "a = Path(b) / c", "a = one.folder / b", "a = set(b) - set(c)", "a = b | c",
            "def f(x: int | None): ..."]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "found"), [*((code, True) for code in COMPUTES), *((code, False) for code in DOES_NOT)]
)
def test_numerics_are_seen(code, found):
    assert bool(list(numerics(ast.parse(code)))) == found


def test_steps_have_no_class_but_bundles_of_paths():
    offenders = {
        path.stem: node.name
        for path in STEPS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not of_paths_alone(node)
    }
    assert not offenders


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("@dataclass(frozen=True)\nclass A:\n    a: str\n    b: Mapping[str, str]", True),
        ("@dataclass(frozen=True)\nclass A:\n    a: Sequence[str] | None = None", True),
        ("@dataclass\nclass A:\n    a: str", False),
        ("@dataclass(frozen=True)\nclass A:\n    a: int", False),
        ("@dataclass(frozen=True)\nclass A:\n    a: str\n    def b(self): ...", False),
    ],
)
def test_bundles_of_paths_are_seen(code, found):
    assert of_paths_alone(ast.parse(code).body[0]) == found


def test_a_driver_calls_one_step():
    """Imports, environment variables, and one call of one step in the log; nothing is defined or repeated there."""
    for path in sorted((ROOT / "scripts").glob("*.py")):
        tree = ast.parse(path.read_text())
        steps = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                 and (node.module or "").startswith("fineprior.steps.")]  # fmt: skip
        names = [alias.name for node in steps for alias in node.names]
        assert [name for name in names if not name[0].isupper()] == [path.stem], path.name  # others are its files
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("fineprior.")}
        assert rooms <= {"files", "project", "plan", "steps"}, path.name
        kinds = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)], path.name


def test_rules_decide_nothing_themselves():
    """Which files and params a job has is library code (`fineprior.plan`), where unit tests and mypy reach it."""
    rules = {path.name: path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")}
    functions = {name: re.findall(r"\blambda\b|^ *def \w+", text, flags=re.MULTILINE) for name, text in rules.items()}
    assert {name: found for name, found in functions.items() if found} == {"common.smk": ["def item"]}
    assert rules["common.smk"].count("\n") <= 100


WITHOUT_A_FILE_OF_TESTS: dict[str, str] = {}
OF_NO_MODULE = {
    "tools/backbone": "the command that makes the shipped backbone",
    "bad_inputs/catalogue": "wrong files and settings through the whole workflow",
    "bad_inputs/dressed": "texts with a byte-order mark, other line ends or compression, through every reader",
    "bad_inputs/fuzz": "damaged files of every kind through their readers",
    "finemap/prostate": "all of fine-mapping on a real locus",
    "finemap/susie_reference": "against susieR's answers",
    "priors/polyfun_reference": "against PolyFun's answers",
}


def test_tests_mirror_the_library():
    """tests/ROOM/test_MODULE.py for scripts/fineprior/ROOM/MODULE.py, and the other way round.

    For tools/TOOL/MODULE.py it is tests/tools/test_TOOL_MODULE.py.

    What a large module does may be tested in several files: test_MODULE_TOPIC.py.
    """
    modules = {f"{path.parent.name}/{path.stem}" for path in LIBRARY.glob("*/*.py") if path.stem != "__init__"}
    modules |= {f"tools/{path.parent.name}_{path.stem}" for path in TOOLS if path.stem != "__init__"}
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
    "finemap/diagnoses.py": "how a diagnosis fails, no file",
    "finemap/ladder.py": "how a fit fails, no file",
    "finemap/locus.py": "how a fit fails, no file",
    "finemap/sufficient.py": "an argument of a function, no file",
    "plan/dry_run.py": "what Snakemake prints and keeps, no file of the user",
    "genome/fasta_index.py": "an index that may be absent; where the genome is opened its fault is said",
    "plan/provenance.py": "its own records, which are made again",
    "files/whole.py": "its own marks, which are made again",
    "files/table.py": "values of a frame, no file",
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


WRITABLE = {
    "finemap/single_effect.py SingleEffect": "an inner state of a fit, made thousands of times",
    "finemap/single_effect.py Evidence": "an inner state of a fit, made thousands of times",
    "engine/tokens.py Allele": "of one window while it is embedded, made for each variant",
    "engine/allele_embedder.py WindowGroup": "of one batch while it is embedded",
    "heads/optimisation.py Task": "of one training, with the weights that it changes",
    "sumstats/rows.py Rows": "its `reason` is written to as rows are excluded; it locks the others itself",
    "priors/annotation_files.py PanelChromosome": "of one chromosome, held by the function that reads it",
    "priors/annotation_files.py AnnotationLd": "of one chromosome, held by the function that writes it",
    "priors/study.py PriorStudy": "the signals of all loci in a mapping, which the stages of one rule read",
}
"""Public frozen dataclasses that hold arrays which may be written to, and why (see `files.arrays.ReadOnly`)."""


def words(node):
    return set(re.findall(r"\w+", ast.unparse(node)))


def names_of_arrays(trees):
    """NDArray and its aliases in all modules, also aliases of aliases."""
    found = {"NDArray", "ndarray"}
    aliases = [(target.id, words(node.value)) for tree in trees for node in tree.body
               if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript) for target in node.targets
               if isinstance(target, ast.Name) and "Callable" not in words(node.value)]  # fmt: skip
    while more := {name for name, used in aliases if used & found} - found:
        found |= more
    return found


def holders_of_arrays(tree, arrays):
    """Public frozen dataclasses with an array field."""
    for node in tree.body:
        if (
            isinstance(node, ast.ClassDef)
            and not node.name.startswith("_")
            and any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)
            and any(isinstance(one, ast.AnnAssign) and not one.target.id.startswith("_")
                    and "Callable" not in words(one.annotation) and words(one.annotation) & arrays
                    for one in node.body)
        ):  # fmt: skip
            yield node.name


def test_arrays_that_results_share_are_read_only():
    trees = {str(path.relative_to(LIBRARY)): ast.parse(path.read_text()) for path in MODULES}
    arrays = names_of_arrays(trees.values())
    held = [(module, one) for module, tree in trees.items() for one in holders_of_arrays(tree, arrays)]
    classes = [(module, node.name, set().union(*map(words, node.bases))) for module, tree in trees.items()
               for node in tree.body if isinstance(node, ast.ClassDef)]  # fmt: skip
    locked = {"ReadOnly"}
    while more := {name for _, name, bases in classes if bases & locked} - locked:
        locked |= more
    offenders = {f"{module} {name}" for module, name in held if name not in locked}
    assert sorted(offenders - set(WRITABLE)) == []
    assert not set(WRITABLE) - {f"{module} {name}" for module, name, _ in classes}, "exceptions that are no more"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("@dataclass(frozen=True)\nclass A:\n    a: NDArray[np.int64] | None", ["A"]),
        ("@dataclass(frozen=True)\nclass A(ReadOnly):\n    a: list[Own]", ["A"]),
        ("@dataclass(frozen=True)\nclass A:\n    a: Callable[[Own], None]", []),
        ("@dataclass(frozen=True)\nclass _A:\n    a: Own", []),
        ("@dataclass\nclass A:\n    a: Own", []),
    ],
)
def test_holders_of_arrays_are_seen(code, found):
    arrays = names_of_arrays([ast.parse("Own = NDArray[np.int8]\nOther = Callable[[NDArray[np.int8]], None]")])
    assert arrays == {"NDArray", "ndarray", "Own"}
    assert list(holders_of_arrays(ast.parse(code), arrays)) == found


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

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # An environment that Snakemake makes holds the extras too: nobody could add one to it.
    lines = project["dependencies"] + project["optional-dependencies"]["tensorboard"]
    ranges = dict(re.match(r"([A-Za-z0-9_.-]+)(.*)", line).groups() for line in lines)
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
        ["snakefmt", "--check", "Snakefile", "workflow", "tools"],
        ["snakemake", "--lint"],
    ],
    ids=" ".join,
)
def test_linters(command):
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
