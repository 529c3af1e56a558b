"""Small faults put into the library one at a time: which of them no test notices.

    python tests/mutations.py --rooms finemap priors sumstats sequence --sample 50 --seed 1 --output mutations.tsv
    python tests/mutations.py --sample 50 --seed 1 --again mutations.tsv

The faults are cosmic-ray's (`pip install cosmic-ray`): another operator, comparison, number or constant, a loop that
does nothing. Of each room a sample is tried, in a copy of the repository. None are put where they change nothing but
words: annotations and their classes' options, decorators, errors that are raised, calls of a logger, `strict=` of a
zip, `__repr__`.

A fault is killed by the tests of its module, else by those of its room and all that import the module, directly or
through one other; for sumstats by the catalogue of bad inputs too. Snakemake's tests and the fuzzers are not run. All
tests must pass on the library as it is. They run in the order of the time that they took then, and a fault that makes
them take five times as long is killed, too.

What survives is printed with its line. Look at each survivor: mostly a test is missing, sometimes both lines mean the
same. `--again` tries what survived in a table once more, when tests have been written.
"""

import argparse
import ast
import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

ROOT = Path(__file__).parents[1]
COPIED = ("scripts", "tests", "benchmarks", "workflow", "resources", "config", "docs", "envs", "pyproject.toml",
          "Snakefile")  # fmt: skip
LOADED = ("h5py", "hypothesis", "matplotlib", "msprime", "pandas", "pyarrow.compute", "pysam", "pytest", "scipy.stats",
          "torch")  # fmt: skip
ALIKE = ({"Add", "Sub"}, {"Mul", "Div"}, {"Lt", "LtE"}, {"Gt", "GtE"}, {"Lt", "Gt"}, {"Eq", "NotEq"},
         {"BitAnd", "BitOr"})  # fmt: skip
OTHERS = {"ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Invert", "ReplaceUnaryOperator_Delete_Not",
          "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd",
          "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "NumberReplacer", "ZeroIterationForLoop"}  # fmt: skip
LONGER = 5
"""Times the usual CPU time after which a fault counts as noticed, and ..."""
LEAST_SECONDS = 10
"""... the least such time. Waiting for other programs does not count, up to ..."""
WAITING = 20
"""... times that time."""


@dataclass(frozen=True)
class Mutation:
    """One fault: module, operator of cosmic-ray, and which of its places."""

    path: Path
    operator: str
    occurrence: int

    def mutated(self, code: str) -> str:
        """Code of the module with the fault."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        return mutate_code(code, get_operator(self.operator)(), self.occurrence)


def is_used(operator: str) -> bool:
    """Whether an operator makes faults that a person could make."""
    replaced = re.fullmatch(r"Replace(?:Binary|Comparison)Operator_(\w+?)_(\w+)", operator)
    return operator in OTHERS or (replaced is not None and set(replaced.groups()) in ALIKE)


def is_wording(node) -> bool:
    """Whether a place (a node of parso) decides nothing but words: see the module's docstring."""
    while (parent := node.parent) is not None:
        first = getattr(parent, "children", [node])[0]
        if (
            parent.type in {"raise_stmt", "decorator", "tfpdef"}
            or (parent.type == "annassign" and node is parent.children[1])
            or (parent.type == "parameters" and node.type == "operator")  # of *, and /
            or (parent.type == "funcdef" and (node is parent.annotation or parent.name.value == "__repr__"))
            or (parent.type == "argument" and getattr(first, "value", "") in {"kw_only", "repr", "strict", "total"})
            or (parent.type == "atom_expr" and getattr(first, "value", "") == "logger")
        ):
            return True
        node = parent
    return False


def mutations_of(path: Path) -> list[Mutation]:
    """All faults of a module but those in words."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
    found = []
    for name in operator_names():
        if is_used(name.split("/")[1]):
            operator = get_operator(name)()
            places = [node for node in nodes for _ in operator.mutation_positions(node)]
            found += [Mutation(path, name, number) for number, node in enumerate(places) if not is_wording(node)]
    return found


def changed_line(code: str, mutated: str) -> str:
    """The line that a fault changes, before and after."""
    pairs = enumerate(zip(code.splitlines(), mutated.splitlines(), strict=False), 1)
    return next((f"{number}: {one.strip()}  ->  {two.strip()}" for number, (one, two) in pairs if one != two), "")


def imports_of(folder: Path) -> dict[Path, set[Path]]:
    """Files of library and tests that each of them imports."""
    files = {
        ".".join(path.relative_to(folder / root).with_suffix("").parts): path
        for root in ("scripts", "tests")
        for path in (folder / root).rglob("*.py")
    }
    found: dict[Path, set[Path]] = {}
    for path in files.values():
        names: list[str] = []
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names += [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                names += [str(node.module), *(f"{node.module}.{each.name}" for each in node.names)]
        found[path] = {files[name] for name in names if name in files}
    return found


class Trial:
    """A copy of the repository, in which tests run in child processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.imports = imports_of(folder)
        self.usual: dict[str, float] = {}

    def further_tests(self, module: Path) -> list[str]:
        """Files of tests for a fault that the module's own tests do not notice, the quickest first."""
        near = {path for path, imported in self.imports.items() if module in imported}
        near |= {path for path, imported in self.imports.items() if imported & near}
        rooms = [module.parent.name, *(["bad_inputs"] if module.parent.name == "sumstats" else [])]
        near |= {path for room in rooms for path in (self.folder / "tests" / room).glob("*.py")}
        names = [str(path.relative_to(self.folder)) for path in near if path.name.startswith("test_")]
        return sorted(names, key=lambda name: (self.usual.get(name, 0.0), name))

    def measure(self, names: Sequence[str]) -> list[str]:
        """Run files of tests on the library as it is, and keep their times; those that fail."""
        failed = []
        for name in names:
            if name not in self.usual:
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                if not self.passes([name], 600, keeping=True):
                    failed.append(name)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                self.usual[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return failed

    def survives(self, module: Path) -> bool:
        """Whether no test notices the fault, which is in the copy now."""
        own = f"tests/{module.parent.name}/test_{module.stem}.py"
        further = [name for name in self.further_tests(module) if name != own]
        stages = [[own] if own in self.usual else [], further]
        return all(
            self.passes(names, max(LONGER * sum(self.usual[name] for name in names), LEAST_SECONDS))
            for names in stages
            if names
        )

    def passes(self, names: list[str], seconds: float, keeping: bool = False) -> bool:
        """Whether files of tests pass in this CPU time, in a child that has loaded the libraries and none of ours.

        keeping: whether compiled modules stay, which they must not where a module changes more often than its date.
        """
        child = os.fork()
        if not child:
            try:
                _be_tested(self.folder, names, seconds, keeping)
            finally:
                os._exit(1)
        until = time.monotonic() + WAITING * seconds
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status == 0
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False


def _be_tested(folder: Path, names: list[str], seconds: float, keeping: bool) -> None:
    os.setsid()
    os.chdir(folder)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    sys.path[:0] = [str(folder / "scripts"), str(folder / "tests")]
    os.environ["PYTHONPATH"] = str(folder / "scripts")
    sys.dont_write_bytecode = not keeping
    if not keeping:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    import hypothesis
    import pytest

    # What fails need not be made small, and fails the next time as well.
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("faults", phases=phases, derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("faults")
    chosen = ["-m", "not workflow", "--ignore=tests/bad_inputs/test_fuzz.py"]
    ended = pytest.main(["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *chosen, *names])
    ours = sys.modules.get("fineprior")
    if ours is not None and not Path(str(ours.__file__)).is_relative_to(folder):
        ended = 1  # not the copy was tested
    os._exit(int(ended) not in {0, 5})


def copy_repository(made: Path) -> Path:
    """A copy to put faults into; `shared` beside it is that of the repository."""
    folder = made / "copy"
    folder.mkdir()
    (made / "shared").symlink_to(ROOT.parent / "shared")
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, folder / name)
    return folder


def try_room(trial: Trial, room: str, options: argparse.Namespace, again: set[str]) -> list[str]:
    """Rows of the faults of a room."""
    modules = sorted((trial.folder / "scripts/fineprior" / room).glob("*.py"))
    every = [one for path in modules for one in mutations_of(path)]
    random.Random(options.seed).shuffle(every)  # a larger sample holds the smaller
    rows, counts = [], Counter[str]()
    wanted = []
    for mutation in every[: options.sample]:
        code = mutation.path.read_text(encoding="utf-8")
        where = f"{room}\t{mutation.path.name}\t{changed_line(code, mutation.mutated(code))}"
        if not options.again or where in again:
            wanted.append((mutation, where))
    failed = trial.measure(sorted({name for one, _ in wanted for name in trial.further_tests(one.path)}))
    if failed:
        raise SystemExit(f"These tests fail without a fault, so that they tell nothing: {' '.join(failed)}")
    for mutation, where in wanted:
        before, code = mutation.path.stat(), mutation.path.read_text(encoding="utf-8")
        mutation.path.write_text(mutation.mutated(code), encoding="utf-8")
        outcome = "survived" if trial.survives(mutation.path) else "killed"
        mutation.path.write_text(code, encoding="utf-8")
        os.utime(mutation.path, ns=(before.st_atime_ns, before.st_mtime_ns))  # what was compiled is right again
        counts[outcome] += 1
        rows.append(f"{where}\t{outcome}\n")
        if outcome == "survived":
            print(where.replace("\t", ": "), flush=True)
    print(f"{room}: {counts['killed']} killed, {counts['survived']} survived, of {len(every)} faults "
          f"{len(wanted)} tried", flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Try the faults and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", nargs="+", default=["finemap", "priors", "sumstats", "sequence"])
    parser.add_argument("--sample", type=int, default=50, help="faults of each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="table of all faults tried (TSV)")
    parser.add_argument("--again", type=Path, help="table of such a run: try what survived in it, and no other")
    options = parser.parse_args()
    again = set()
    if options.again:
        lines = options.again.read_text(encoding="utf-8").splitlines()
        again = {line.removesuffix("\tsurvived") for line in lines if line.endswith("\tsurvived")}
    for library in LOADED:
        importlib.import_module(library)  # once, for all children
    with tempfile.TemporaryDirectory() as made:
        trial = Trial(copy_repository(Path(made)))
        rows = ["room\tmodule\tline\toutcome\n"]
        for room in options.rooms:
            rows += try_room(trial, room, options, again)
            if options.output:
                options.output.write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
