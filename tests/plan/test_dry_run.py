import json
from base64 import urlsafe_b64encode

import pytest

from fineprior.plan.dry_run import PlannedJob, job_counts, planned_jobs, read_reason, recorded_inputs

PARAMS = "Params have changed since last execution: Union of exclusive params before and now across all output: "
TEXT = f"""Building DAG of jobs...
Job stats:
job         count
--------  -------
all             1
finemap         6
total           7


[Fri Nov 20 11:24:09 2026]
rule finemap:
    input: a/ld.npz, a/prior.tsv.gz
    output: a/variants.tsv.gz, a/status.tsv
    log: logs/finemap.log
    jobid: 4
    reason: Updated input files: a/ld.npz; {PARAMS}before: {{'coverage': 0.95}} now: {{'coverage': 0.9}}
    wildcards: study=a, batch=0
    resources: tmpdir=/tmp
[Fri Nov 20 11:24:09 2026]
localrule all:
    input: a/variants.tsv.gz
    jobid: 0
    reason: Input files updated by another job: a/variants.tsv.gz
"""


def test_jobs_are_read_with_their_reasons():
    assert planned_jobs(TEXT) == [
        PlannedJob("finemap", "study=a, batch=0", ["a/ld.npz", "a/prior.tsv.gz"],
                   ["a/variants.tsv.gz", "a/status.tsv"], {"updated": ["a/ld.npz"], "params": []},
                   [{"coverage": 0.95}], [{"coverage": 0.9}]),
        PlannedJob("all", "", ["a/variants.tsv.gz"], [], {"made": ["a/variants.tsv.gz"]}),
    ]  # fmt: skip
    assert job_counts(TEXT) == {"all": 1, "finemap": 6}
    assert planned_jobs("Nothing to be done (all requested files are present and up to date).") == []


@pytest.mark.parametrize(
    ("values", "before", "now"),
    [
        ("before: 1 now: 2 ", [1], [2]),
        ("before: <nothing exclusive> now: 'x',None ", [], ["x", None]),
        ("before: 'it is now: 3',['a', 'b'] now: ['a; b'] ", ["it is now: 3", ["a", "b"]], [["a; b"]]),
        ("before: 1.0 now: <nothing exclusive> ; Software environment definition has changed", [1.0], []),
    ],
)
def test_values_are_read_whatever_they_hold(values, before, now):
    causes, *found = read_reason(f"Missing output files: a, b; {PARAMS}{values}")
    assert found == [before, now]
    assert causes["missing"] == ["a", "b"]
    assert ("software" in causes) == ("Software" in values)


@pytest.mark.parametrize("output", ["results/a.tsv", f"results/{'long/' * 80}a.tsv"])
def test_inputs_of_the_last_run_are_found(tmp_path, output):
    name = urlsafe_b64encode(output.encode()).decode()
    folder = tmp_path / ".snakemake/metadata"
    while len(name) > 254:
        folder, name = folder / f"@{name[:254]}", name[254:]
    folder.mkdir(parents=True)
    (folder / name).write_text(json.dumps({"input": ["x", "y"]}))
    assert recorded_inputs(output, tmp_path) == ["x", "y"]
    assert recorded_inputs("other", tmp_path) is None


def test_values_that_are_no_literals_are_a_cause_all_the_same():
    assert read_reason(f"{PARAMS}before: inf now: 2.0") == ({"params": []}, [], [])
