"""Small faults put into the library one at a time: which of them no test notices.

    python tests/mutations.py --rooms finemap priors sumstats sequence --sample 50 --seed 1 --output mutations.tsv

The faults are cosmic-ray's (`pip install cosmic-ray`): another operator, comparison, number or constant, a loop that
does nothing. Of each room a sample is tried, in a copy of the repository. A fault is killed by the tests of its module,
else by those of its room, of the steps and of the catalogue of bad inputs. Slow tests and Snakemake's are not run. What
survives is printed with its line. Look at each survivor: often a test is missing, sometimes both lines mean the same.
"""

import argparse
import importlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("scripts", "tests", "workflow", "resources", "config", "docs", "envs", "pyproject.toml", "Snakefile")
ALIKE = ({"Add", "Sub"}, {"Mul", "Div"}, {"Lt", "LtE"}, {"Gt", "GtE"}, {"Lt", "Gt"}, {"Eq", "NotEq"},
         {"BitAnd", "BitOr"})  # fmt: skip
OTHERS = {"ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Invert", "ReplaceUnaryOperator_Delete_Not",
          "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd",
          "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "NumberReplacer", "ZeroIterationForLoop"}  # fmt: skip
SECONDS = 240


@dataclass(frozen=True)
class Mutation:
    """One fault: module, operator of cosmic-ray, and which of its places."""

    path: Path
    operator: str
    occurrence: int

    @property
    def own_tests(self) -> str:
        """File that tests the module."""
        return f"tests/{self.path.parent.name}/test_{self.path.stem}.py"


def is_used(operator: str) -> bool:
    """Whether an operator makes faults that a person could make."""
    replaced = re.fullmatch(r"Replace(?:Binary|Comparison)Operator_(\w+?)_(\w+)", operator)
    return operator in OTHERS or (replaced is not None and set(replaced.groups()) in ALIKE)


def mutations_of(path: Path) -> list[Mutation]:
    """All faults of a module but those in its docstrings and annotations, which are none."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    code, found = path.read_text(encoding="utf-8"), []
    for name in operator_names():
        operator = get_operator(name)
        if not is_used(name.split("/")[1]):
            continue
        occurrence = 0
        while mutated := mutate_code(code, operator(), occurrence):
            if " | None" not in changed_line(code, mutated):
                found.append(Mutation(path, name, occurrence))
            occurrence += 1
    return found


def changed_line(code: str, mutated: str) -> str:
    """The line that a fault changes, before and after."""
    pairs = enumerate(zip(code.splitlines(), mutated.splitlines(), strict=False), 1)
    return next((f"{number}: {one.strip()}  ->  {two.strip()}" for number, (one, two) in pairs if one != two), "")


def passes(folder: Path, tests: list[str], deselected: str, seconds: float) -> bool:
    """Whether tests pass, in a child process that has loaded the libraries already and none of ours."""
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(folder)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        sys.path[:0] = [str(folder / "scripts"), str(folder / "tests")]
        os.environ["PYTHONPATH"] = str(folder / "scripts")
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", deselected, *tests])) not in {0, 5})
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def survives(folder: Path, mutation: Mutation) -> bool:
    """Whether no test notices the fault, which is in the copy now."""
    chosen = "not slow and not workflow"
    own = [mutation.own_tests] if (folder / mutation.own_tests).is_file() else []
    if own and not passes(folder, own, chosen, SECONDS):
        return False
    room = mutation.path.parent.name
    further = [f"tests/{room}", "tests/steps", "tests/test_properties.py", "tests/bad_inputs"]
    return passes(folder, further, chosen, 2 * SECONDS)


def main() -> None:
    """Try the faults and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", nargs="+", default=["finemap", "priors", "sumstats", "sequence"])
    parser.add_argument("--sample", type=int, default=50, help="faults of each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="table of all faults tried (TSV)")
    options = parser.parse_args()
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    for library in (
        "h5py",
        "matplotlib",
        "msprime",
        "pandas",
        "pyarrow.compute",
        "pysam",
        "pytest",
        "scipy.stats",
        "torch",
    ):
        importlib.import_module(library)  # once, for all children

    counts: Counter[tuple[str, bool]] = Counter()
    lines = ["room\tmodule\tline\toutcome\n"]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "copy"
        folder.mkdir()
        (Path(made) / "shared").symlink_to(ROOT.parent / "shared")
        for name in COPIED:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
        for room in options.rooms:
            modules = sorted((folder / "scripts/fineprior" / room).glob("*.py"))
            every = [one for path in modules for one in mutations_of(path)]
            chosen = random.Random(options.seed).sample(every, min(options.sample, len(every)))
            for mutation in chosen:
                code = mutation.path.read_text(encoding="utf-8")
                mutated = mutate_code(code, get_operator(mutation.operator)(), mutation.occurrence)
                mutation.path.write_text(mutated, encoding="utf-8")
                survived = survives(folder, mutation)
                mutation.path.write_text(code, encoding="utf-8")
                counts[room, survived] += 1
                where = f"{room}/{mutation.path.name}\t{changed_line(code, mutated)}"
                lines.append(f"{room}\t{where.split('/', 1)[1]}\t{'survived' if survived else 'killed'}\n")
                if survived:
                    print(where.replace("\t", ":"), flush=True)
            print(f"{room}: {counts[room, False]} killed, {counts[room, True]} survived, of {len(every)} faults "
                  f"{len(chosen)} tried", flush=True)  # fmt: skip
    if options.output:
        options.output.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
