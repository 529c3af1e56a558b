"""Read a dry-run of Snakemake: the jobs that it would start, each with its causes."""

import ast
import json
import os
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.plan.provenance import LAST_CONFIG

_NOTHING = "<nothing exclusive>"
_PARAMS = (
    "Params have changed since last execution: Union of exclusive params before and now across all output: before: "
)
_CAUSES = {
    "Missing output files: ": "missing",
    "Incomplete output files: ": "incomplete",
    "Updated input files: ": "updated",
    "Input files updated by another job: ": "made",
    "Set of input files has changed": "other_inputs",
    "Code has changed": "script",
    "Software environment definition has changed": "software",
    "Forced execution": "forced",
}
_BLOCK = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?:    .*\n|\n(?=    ))+)", flags=re.MULTILINE)
_LINE = re.compile(r"^    (input|output|reason|wildcards): (.*)$", flags=re.MULTILINE)
_LONGEST_NAME = 254


@dataclass(frozen=True)
class PlannedJob:
    """A job that a dry-run lists.

    `causes` holds, by kind, the files that Snakemake names (`missing`, `updated`, `made` by another job ...). `before`
    has the values of params that only the last run had, `now` those that only the next run has, without their names.
    """

    rule: str
    wildcards: str
    input: list[str]
    output: list[str]
    causes: dict[str, list[str]]
    before: list[Any] = field(default_factory=list)
    now: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """Jobs that would run, the number of all jobs of each rule, and the repository of the workflow.

    `project` is the job of the rule provenance, if it would run. Its params hold all settings and sheets, by name.
    """

    jobs: list[PlannedJob]
    all_jobs: Counter[str]
    repository: Path
    project: PlannedJob | None = None


def plan(targets: Sequence[str], options: Sequence[str], folder: str | Path = ".") -> Plan:
    """Dry-run Snakemake, for the jobs that would run and for all jobs that there are.

    Parameters
    ----------
    targets, options
        Names of results (all without them) and further arguments of `snakemake`: --snakefile, --configfile ...
    folder
        Working directory of the workflow.

    Raises
    ------
    InputError
        Snakemake stops; its last lines say why.
    """
    alone = [*options, "--rerun-triggers", "params", "--allowed-rules", "provenance", "--", LAST_CONFIG]
    asked = [*options, "--", *targets] if targets else list(options)
    runs = [_started([*more, *given], folder) for more, given in
            ((["-n"], asked), (["-n", "--forceall", "--quiet", "rules"], asked), (["-n"], alone))]  # fmt: skip
    texts = ["".join(run.communicate()) for run in runs]
    for run, text in zip(runs[:2], texts, strict=False):
        if run.returncode:
            lines = [line for line in text.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("error: ")] or lines[-3:]
            raise InputError("snakemake stops: " + " ".join(" ".join(errors).split()).removeprefix("error: "))
    snakefile = re.search(r"^  Snakefile: (.*)$", texts[0], flags=re.MULTILINE)
    where = Path(snakefile.group(1)).parent if snakefile else Path.cwd()
    project = planned_jobs(texts[2]) if not runs[2].returncode else []
    return Plan(planned_jobs(texts[0]), job_counts(texts[1]), where, project[0] if project else None)


def planned_jobs(text: str) -> list[PlannedJob]:
    """The jobs of a dry-run's text, in its order."""
    jobs = []
    for rule, block in _BLOCK.findall(text):
        found = dict(_LINE.findall(block))
        causes, before, now = read_reason(found.get("reason", ""))
        names = {key: found[key].split(", ") if key in found else [] for key in ("input", "output")}
        jobs.append(PlannedJob(rule, found.get("wildcards", ""), **names, causes=causes, before=before, now=now))
    return jobs


def read_reason(reason: str) -> tuple[dict[str, list[str]], list[Any], list[Any]]:
    """Read a job's line `reason`: causes with their files, and the values of params before and now."""
    before: list[Any] = []
    now: list[Any] = []
    causes: dict[str, list[str]] = {}
    if _PARAMS in reason:
        causes["params"] = []
        reason, values = reason.split(_PARAMS, 1)
        for mark in re.finditer(" now: ", values):
            end = values.find("; Software environment", mark.end())
            parts = values[: mark.start()], values[mark.end() : end if end > 0 else None]
            try:
                before, now = (_literals(part) for part in parts)
            except (ValueError, SyntaxError):
                continue  # ` now: ` within a value, or a value that is no literal (inf)
            reason += values[end:] if end > 0 else ""
            break
    for part in reason.split("; "):
        for words, kind in _CAUSES.items():
            if part.startswith(words):
                causes[kind] = part.removeprefix(words).split(", ") if words.endswith(": ") else []
    return causes, before, now


def job_counts(text: str) -> Counter[str]:
    """Number of jobs of each rule, from the table `Job stats`."""
    table = text.split("Job stats:\n", 1)[-1].split("\n\n", 1)[0]
    return Counter({
        rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE) if rule != "total"
    })  # fmt: skip


def recorded_inputs(output: str, folder: Path = Path()) -> list[str] | None:
    """Inputs of the job that made a file, as Snakemake recorded them; None without a record."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[start : start + _LONGEST_NAME] for start in range(0, len(name), _LONGEST_NAME)]
    path = folder.joinpath(".snakemake", "metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])
    try:
        inputs: list[str] | None = json.loads(path.read_text()).get("input")
    except (OSError, ValueError):
        return None
    return inputs


def _started(arguments: list[str], folder: str | Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE_")}
    command = [sys.executable, "-m", "snakemake", "--nocolor", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
    )


def _literals(text: str) -> list[Any]:
    """The values of a list of reprs with commas between them."""
    text = text.strip()
    return [] if text == _NOTHING else list(ast.literal_eval(f"[{text}]"))
