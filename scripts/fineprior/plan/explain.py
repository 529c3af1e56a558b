"""Explain a dry-run in words: which jobs would run, and which setting, sheet, file or code changed."""

import argparse
import csv
import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from fineprior.plan.dry_run import Plan, PlannedJob, plan, recorded_inputs
from fineprior.plan.provenance import LAST_MODULES, PREFIX, module_digests, modules_of_step
from fineprior.plan.stages import STAGES
from fineprior.project.settings import Settings

EXPLAIN = """Say in words what Snakemake would run and what not, and why: which setting, sheet, file or code differs
from the last run. Nothing is run."""
_SHOWN = 3
_DIGEST = re.compile(r"[0-9a-f]{12}")
_STEPS = tuple(step for steps in STAGES.values() for step in steps)
_BLOCKS = {
    name: {field.name for field in dataclasses.fields(kind)}
    for name, kind in get_type_hints(Settings).items()
    if dataclasses.is_dataclass(kind)
}
_DERIVED = {"list_loci": "define_loci"}
"""Rules made with `use rule`, and the rules whose script and code they have."""
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """A value that changed: where it stands (empty when that is unknown), what it was and what it is now."""

    where: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """In words: `finemap.coverage: 0.95 -> 0.9`."""
        if str(self.new).startswith(PREFIX) and str(self.old).startswith(PREFIX):
            return f"{self.where}: other content"
        place = f"{self.where}: " if self.where else "a value: "
        if isinstance(self.old, list) and isinstance(self.new, list):
            more, less = ([x for x in a if x not in b] for a, b in ((self.new, self.old), (self.old, self.new)))
            parts = [f"{word} {_some([str(x) for x in some])}" for word, some in (("with", more), ("without", less))
                     if some]  # fmt: skip
            return (place if self.where else "") + "now " + (" and ".join(parts) or "in another order")
        return f"{place}{_shown(self.old)} -> {_shown(self.new)}"


def add_explain_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `fineprior explain`, without `--` and what follows it."""
    command.add_argument("targets", nargs="*", metavar="target", help="results that are required (default: all)")
    command.add_argument("-s", "--snakefile", metavar="FILE", help="the workflow (./Snakefile)")
    command.add_argument("--configfile", action="append", default=[], metavar="FILE", help="as for snakemake")
    command.add_argument("-d", "--directory", metavar="DIR", default=".", help="the project's folder (%(default)s)")


def explain(given: argparse.Namespace, further: Sequence[str] = ()) -> list[str]:
    """Lines of `fineprior explain` with these arguments, and with further ones for snakemake."""
    options = ["--snakefile", str(Path(given.snakefile).resolve())] if given.snakefile else []
    options += ["--configfile", *(str(Path(file).resolve()) for file in given.configfile)] if given.configfile else []
    return explanation(plan(given.targets, [*options, *further], given.directory), given.directory)


def explanation(plan: Plan, folder: str | Path = ".") -> list[str]:
    """Lines that say what would run and why.

    Parameters
    ----------
    plan
        What Snakemake would do.
    folder
        Working directory of the workflow.
    """
    folder, total = Path(folder), sum(plan.all_jobs.values())
    jobs = [job for job in plan.jobs if job.rule != "all"]
    total -= plan.all_jobs["all"]
    if not jobs:
        return [f"Nothing would run: the results of all {total} jobs are there and up to date."]
    project = changes(plan.project.before, plan.project.now) if plan.project else []
    named = [change for change in project if change.where not in _STEPS]
    rules = [change.where for change in project if change.where in _STEPS]
    code = _changed_code(plan.repository / "scripts", folder)
    lines = [f"{len(jobs)} of {total} jobs would run."]
    if project:
        lines += ["", "Not as in the last whole run:", *(f"  {change}" for change in named)]
        if rules:
            changed = sorted({name for rule in rules for name in code[rule]})
            lines.append(f"  code: {_some(changed) or 'changed'}, behind {_some(rules)}")
    makers = {path: job.rule for job in jobs for path in job.output}
    lines += ["", "Would run:"]
    for rule in dict.fromkeys(job.rule for job in jobs):
        groups: dict[str, list[PlannedJob]] = {}
        for job in (job for job in jobs if job.rule == rule):
            groups.setdefault(_own_reasons(job, named, code, folder), []).append(job)
        for words, some in groups.items():
            number = _how_many(some, plan.all_jobs[rule], bool(words))
            lines.append(f"  {rule}, {number}: {_because(words, some, makers)}")
    counted = {rule: count - sum(job.rule == rule for job in jobs) for rule, count in plan.all_jobs.items()}
    left = [f"{rule} ({count})" for rule, count in counted.items() if count and rule != "all"]
    return [*lines, "", f"Would not run: {', '.join(left) or 'nothing'}."]


def changes(before: Sequence[Any], now: Sequence[Any]) -> list[Change]:
    """Differences between the values of a job's params, whose names are not known.

    Dicts are paired by the keys that they share, other values by their type and order. Digests of code are skipped.
    """
    old, new = ([_by_name(value) for value in values if not _is_digest(value)] for values in (before, now))
    found = []
    for value in list(new):
        others = [other for other in old if isinstance(other, type(value)) or isinstance(value, type(other))]
        if isinstance(value, dict):
            others.sort(key=lambda other: -len(other.keys() & value.keys()))
        if others:
            found += _differences(_block(value), others[0], value)
            old.remove(others[0])
            new.remove(value)
    pairs = [*zip(old, new, strict=False)]
    rest = [Change("", x, "nothing") for x in old[len(pairs) :]] + [Change("", "nothing", x) for x in new[len(pairs) :]]
    return found + [Change("", x, y) for x, y in pairs] + rest


def _how_many(jobs: list[PlannedJob], count: int, named: bool) -> str:
    if count == 1:
        return "1 job"
    which = [job.wildcards for job in jobs if job.wildcards] if named and len(jobs) < count else []
    return f"{len(jobs)} of {count} jobs" + (f" ({_some(which, '; ')})" if which else "")


def _because(own: str, jobs: list[PlannedJob], makers: dict[str, str]) -> str:
    """Why jobs would run: their own reasons, and the rules that make their inputs again."""
    files = {path for job in jobs for path in job.causes.get("made", [])}
    rules = dict.fromkeys(makers.get(path, "another job") for path in sorted(files))
    made = [f"reads what {_some(list(rules))} would make"] if rules else []
    return "; ".join([*([own] if own else []), *made]) or "Snakemake gives no reason"


def _own_reasons(job: PlannedJob, named: list[Change], code: dict[str, list[str]], folder: Path) -> str:
    """Why a job would run even if no other job did."""
    rule = _DERIVED.get(job.rule, job.rule)
    found = [change for change in changes(job.before, job.now) if not _is_content(change)]
    words = _replaced(job, folder)
    words += [str(_with_name(change, named)) for change in found if change.where not in _STEPS]
    behind = [change.where for change in found if change.where in _STEPS]
    words += [f"the code of {_some(behind)} changed"] if behind else []
    if any(_is_digest(value) for value in job.now):
        words.append(f"its code changed ({_some(code[rule])})" if code.get(rule) else "its code changed")
    if "params" in job.causes and not words:
        words.append("a setting changed, and which cannot be told")
    if "other_inputs" in job.causes:
        words.append(_other_inputs(job, folder))
    for kind, text in (
        ("missing", "not there: {}"),
        ("incomplete", "a run was stopped that wrote {}"),
        ("updated", "changed: {}"),
    ):
        if kind in job.causes:
            words.append(text.format(_some(sorted(job.causes[kind]))))
    if "script" in job.causes:
        words.append(f"scripts/{rule}.py is newer than its results")
    if "software" in job.causes:
        words.append("its software environment (conda, container) is another one")
    if "forced" in job.causes:
        words.append("forced")
    return "; ".join(words)


def _is_content(change: Change) -> bool:
    return any(str(side).startswith(PREFIX) for side in (change.old, change.new))


def _replaced(job: PlannedJob, folder: Path) -> list[str]:
    """Words on inputs whose content changed, except for those that Snakemake names because they are newer."""
    newer = job.causes.get("updated", [])
    paths = [change.where for change in changes(job.before, job.now) if _is_content(change)]
    times = {path: _time(folder / path) for path in (*paths, *job.output[:1])}
    made = times.get(job.output[0], 0) if job.output else 0
    older = [path for path in paths if path not in newer and times[path] <= made]
    others = [path for path in paths if path not in newer and path not in older]
    texts = (("an older file is in the place of: {}", older), ("other content: {}", others))
    return [text.format(_some(some)) for text, some in texts if some]


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _other_inputs(job: PlannedJob, folder: Path) -> str:
    known = recorded_inputs(job.output[0], folder) if job.output else None
    if known is None:
        return "reads other files than before"
    more, less = ([path for path in a if path not in b] for a, b in ((job.input, known), (known, job.input)))
    parts = [f"{word} {_some(some)}" for word, some in (("also", more), ("no longer", less)) if some]
    return f"reads {', '.join(parts)}" if parts else "reads other files than before"


def _with_name(change: Change, named: Iterable[Change]) -> Change:
    """The change, with its place in the config or a sheet where a change there is the same."""
    leaf = change.where.rpartition(".")[2]
    for other in named:
        if (other.old, other.new) == (change.old, change.new) and leaf in ("", other.where.rpartition(".")[2]):
            return other
    return change


def _differences(where: str, old: Any, new: Any) -> list[Change]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [Change(where, old, new)]
    found = []
    for key in dict.fromkeys([*new, *old]):
        place = f"{where}.{key}" if where else str(key)
        values = (side.get(key, _ABSENT) for side in (old, new))
        found += _differences(place, *values)
    return found


def _block(value: Any) -> str:
    """The block of config.yaml that has a dict's keys; empty when there is none."""
    keys = set(value) if isinstance(value, dict) else set()
    fitting = [name for name, fields in _BLOCKS.items() if keys and keys <= fields]
    return min(fitting, key=lambda name: len(_BLOCKS[name])) if fitting else ""


def _by_name(value: Any) -> Any:
    """The rows of the sheets by name, so that an added or moved row changes no other one."""
    if not (isinstance(value, dict) and set(value) == {"studies", "tracks"} and isinstance(value["studies"], list)):
        return value
    rows = {f"studies.tsv, study {row['study']}": row for row in value["studies"]}
    return rows | {f"tracks.tsv, {row['head']}/{row['track']}": row for row in value["tracks"]}


def _changed_code(root: Path, folder: Path) -> dict[str, list[str]]:
    """For each rule the modules behind it that changed since the last whole run; none without a list of that run."""
    path = folder / LAST_MODULES
    if not path.is_file():
        return {rule: [] for rule in _STEPS}
    with path.open(newline="") as handle:
        known = {row["module"]: row["digest"] for row in csv.DictReader(handle, delimiter="\t")}
    changed = {name for name, digest in module_digests(root).items() if known.get(name) != digest}
    return {step: sorted(changed & set(modules_of_step(step, root))) for step in _STEPS}


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not there"
    if isinstance(value, dict):
        return "there" if value else "empty"
    return str(value) if value != "" else "empty"


def _some(names: list[str], separator: str = ", ") -> str:
    more = len(names) - _SHOWN
    return separator.join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
