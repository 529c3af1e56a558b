"""The miniature on a real Slurm of one machine: cancelled and killed jobs, and the same bytes as a local run."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from workflow_runs import MINIATURE, ROOT, copy_repository, digests, edit_config

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Environment of a running Slurm: a CPU node and a node with a (fake) GPU."""
    if os.environ.get("FINEPRIOR_SLURM") != "1":
        pytest.skip("takes ten minutes: FINEPRIOR_SLURM=1 runs it")
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing or os.geteuid():
        pytest.skip(
            f"needs root and Debian's slurmctld, slurmd, slurm-client, munge (no {', '.join(missing) or 'root'})"
        )
    pytest.importorskip("snakemake_executor_plugin_slurm")
    folder = tmp_path_factory.mktemp("slurm")
    script = str(ROOT / "tests/slurm/one_node.sh")
    subprocess.run([script, "up", str(folder)], check=True, capture_output=True, timeout=120)
    yield {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    subprocess.run([script, "down", str(folder)], check=False, capture_output=True, timeout=120)


def queue(environment):
    """Rows (job id, state, comment) of Slurm's queue; the plugin's comment names the rule."""
    done = subprocess.run(["squeue", "-h", "-o", "%A|%T|%k"], env=os.environ | environment, capture_output=True,
                          text=True, check=False)  # fmt: skip
    return [line.split("|") for line in done.stdout.splitlines()]


def test_cancelled_and_killed_jobs_end_in_the_same_bytes(slurm, finished, tmp_path):
    folder = copy_repository(tmp_path / "slurm")
    edit_config(folder, MINIATURE)
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--workflow-profile", str(ROOT / "workflow/profiles/slurm"),
         "--jobs", "6", "--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "2",
         # the first attempt is too small for torch; memory doubles with each further one
         # (--set-resources replaces the profile's block of that name)
         "--set-resources", "train_head:mem_mb=250*2**(2*attempt-2)", "embed_variants:slurm_partition=gpu",
         "embed_regions:slurm_partition=gpu"],
        cwd=folder, env=os.environ | slurm, stdout=(folder / "run.log").open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    cancelled = None
    while run.poll() is None:
        for job, state, comment in queue(slurm):
            if cancelled is None and state == "RUNNING" and "embed_variants" in comment:
                cancelled = job
                subprocess.run(["scancel", job], env=os.environ | slurm, check=True)
        time.sleep(1)
    log = (folder / "run.log").read_text()
    assert run.returncode == 0, log[-4000:]
    assert cancelled, "no embed_variants job was seen running"
    assert "embed_variants" in failed_rules(log)
    assert "train_head" in failed_rules(log), "250 MB were enough for train_head"
    assert digests(folder) == digests(finished)


def failed_rules(log):
    return set(re.findall(r"^Error in rule (\w+)", log, flags=re.MULTILINE))


def test_the_profile_names_rules_that_there_are():
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/profile.yaml").read_text())
    text = "\n".join(Path(path).read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, flags=re.MULTILINE))
    with_gpu = {rule for rule, body in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, flags=re.M | re.S)
                if re.search(r"^\s+gpu=", body, flags=re.M)}  # fmt: skip
    assert set(profile["groups"]) <= rules
    assert set(profile["set-resources"]) == with_gpu


def test_no_rule_repeats_itself_inside_a_job():
    """Only what runs on the head node may: a download."""
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    bodies = re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, flags=re.M | re.S)
    repeating = {rule for rule, body in bodies if "retries:" in body and "localrule: True" not in body}
    assert not repeating
