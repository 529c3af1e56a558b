"""The same results on one core and on two, with one thread for each job and with two."""

import re

import pytest

from workflow_runs import ROOT, SMALLEST, copy_repository, digests, edit_config, snakemake

pytestmark = pytest.mark.workflow
RULES = re.findall(
    r"^rule (\w+):", "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")), re.MULTILINE
)
TWO_THREADS = ("--cores", "2", "--set-threads", *(f"{rule}=2" for rule in RULES))


@pytest.mark.parametrize("arguments", [("--cores", "1"), TWO_THREADS], ids=["one core", "two threads a job"])
def test_results_do_not_depend_on_cores_and_threads(finished_smallest, tmp_path, arguments, monkeypatch):
    """Beside a run with `--cores 2`, byte by byte; Snakemake tells libraries how many threads a job has."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    folder = copy_repository(tmp_path / "project")
    edit_config(folder, SMALLEST)
    done = snakemake(folder, *arguments)
    assert done.returncode == 0, done.stdout[-3000:]
    found, expected = digests(folder), digests(finished_smallest)
    assert len(found) > 50
    assert {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)} == set()
