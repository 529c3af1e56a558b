"""A small study on a real Slurm of one machine: cancelled and killed jobs, and the same bytes as a local run."""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest
import yaml

from workflow_runs import ROOT, SMALLEST, copy_repository, digests, edit_config, snakemake

pytestmark = pytest.mark.workflow
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")
PROFILE = ROOT / "workflow/profiles/slurm"
RULES = {
    name: body
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^(?:use )?rule |\Z)", path.read_text(), flags=re.M | re.S)
}
CANCELLED = "embed_variants_wildcards_embedded_0"
ON_THE_HEAD_NODE = {name for name, body in RULES.items() if "localrule: True" in body}
ON_A_CLUSTER = RULES.keys() - ON_THE_HEAD_NODE


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Environment of a running Slurm: a CPU node and a node with a (fake) GPU."""
    if os.environ.get("FINEPRIOR_SLURM") == "0":
        pytest.skip("FINEPRIOR_SLURM is 0")
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
    """Job id -> (state, comment, memory, GPUs) of jobs, finished ones too; the plugin's comment names the rule."""
    fields = ",".join(f"{name}:|" for name in ("JobID", "State", "Comment", "MinMemory", "tres-per-job"))
    done = subprocess.run(["squeue", "-h", "-t", "all", "-O", fields], env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    rows = [line.split("|") for line in done.stdout.splitlines()]
    return {row[0]: tuple(row[1:5]) for row in rows}


def test_cancelled_and_killed_jobs_end_in_the_same_bytes(slurm, finished_smallest, tmp_path):
    folder = copy_repository(tmp_path / "slurm")
    edit_config(folder, SMALLEST)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | slurm
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--workflow-profile", str(PROFILE), "--jobs", "6", "--latency-wait", "10",
         "--slurm-init-seconds-before-status-checks", "2",
         # The first attempt is too small for torch. (--set-resources replaces the profile's block of that name.)
         "--set-resources", "train_head:mem_mb=250*4**(attempt-1)", "embed_variants:slurm_partition=gpu",
         "embed_regions:slurm_partition=gpu"],
        cwd=folder, env=environment, stdout=(folder / "run.log").open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    cancelled, jobs = None, {}
    try:
        while run.poll() is None:
            jobs |= queue(environment)
            at_work = "variants are in the store" in read(folder / "logs/embed_variants/embedded.0.log")
            if cancelled is None and at_work:
                cancelled = next(job for job, (_, rule, *_) in jobs.items() if rule == "rule_" + CANCELLED)
                subprocess.run(["scancel", cancelled], env=environment, check=True)
            time.sleep(0.5)
    finally:
        run.kill()
    log = read(folder / "run.log")
    assert run.returncode == 0, log[-6000:]
    assert digests(folder) == digests(finished_smallest)
    assert {"embed_variants", "train_head"} <= set(re.findall(r"^Error in rule (\w+)", log, flags=re.MULTILINE))
    assert jobs[cancelled][0] == "CANCELLED"
    assert memory_of(jobs, "train_head") == {"250M", "1000M"}
    assert memory_of(jobs, "embed_variants") == {"8004M", "16008M"}, "the second attempt asks for more"
    with_gpu = {comment for _, comment, _, gpus in jobs.values() if "gpu" in gpus}
    assert len(with_gpu) == 3
    assert all(re.match("rule_embed_(variants|regions)", comment) for comment in with_gpu)
    assert len(jobs) < 35, "cheap rules share jobs"


def memory_of(jobs, rule):
    return {memory for _, comment, memory, _ in jobs.values() if rule in comment}


def read(path):
    return path.read_text() if path.exists() else ""


def test_the_profile_names_rules_that_there_are():
    profile = yaml.safe_load((PROFILE / "profile.yaml").read_text())
    with_gpu = {rule for rule, body in RULES.items() if re.search(r"^\s+gpu=1\b", body, flags=re.M)}
    assert set(profile["groups"]) <= set(re.findall(r"^(?:rule|use rule \w+ as) (\w+)", all_rules(), flags=re.M))
    assert not set(profile["groups"]) & ON_THE_HEAD_NODE
    assert set(profile["set-resources"]) == with_gpu


def all_rules():
    return "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))


def test_no_rule_repeats_itself_inside_a_job():
    """Only what runs on the head node may: a download."""
    assert {rule for rule, body in RULES.items() if "retries:" in body} <= ON_THE_HEAD_NODE


@pytest.mark.parametrize("resource", ["mem_mb", "runtime"])
def test_every_rule_on_a_cluster_says_what_it_needs_as_a_function(resource):
    for rule in ON_A_CLUSTER:
        assert re.search(rf"^        {resource}=(growing|memory_of_\w+)\b", RULES[rule], flags=re.M), rule


def test_a_second_attempt_asks_for_twice_as_much(finished_smallest):
    first, second = (planned_resources(finished_smallest, attempt) for attempt in (1, 2))
    assert first.keys() == second.keys() > {"finemap", "train_head", "embed_variants", "report"}
    for rule, (memory, runtime) in first.items():
        assert second[rule] == (2 * memory, 2 * runtime), rule


def test_memory_grows_with_threads_and_with_what_is_read(finished_smallest):
    first = planned_resources(finished_smallest, 1)
    assert (
        planned_resources(finished_smallest, 1, "--cores", "2", "--set-threads", "finemap=2")["finemap"][0]
        == 2 * first["finemap"][0] - 500
    )
    sizes = [path.stat().st_size for path in (finished_smallest / "results/embedded/embeddings").glob("*.npz")]
    assert first["score_variants"][0] in {2000 + int(3 * size / 1e6) for size in sizes}


def planned_resources(folder, attempt, *arguments):
    """Rule -> (mem_mb, runtime) of one of its jobs, of all jobs that run on a cluster."""
    done = snakemake(folder, "-n", "--forceall", "--attempt", str(attempt), *arguments)
    assert done.returncode == 0, done.stdout
    jobs = re.findall(r"^rule (\w+):\n((?:    .*\n)+)", done.stdout, flags=re.M)
    return {
        rule: tuple(int(re.search(rf"\b{name}=(\d+)", body).group(1)) for name in ("mem_mb", "runtime"))
        for rule, body in jobs
        if rule in ON_A_CLUSTER
    }
