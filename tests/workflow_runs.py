"""Running the workflow in tests: a copy of the repository with a miniature embedded study."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "scripts", "config", "resources/backbone", "envs")
MINIATURE = {
    "embedded": {
        "chromosome_length": 400_000,
        "panel_size": 300,
        "gwas_size": 3_000,
        "causal_loci": 12,
    },
    "loci": {"p_threshold": 5.0e-8, "flank": 20_000, "batches": 2},
}


def copy_repository(folder):
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return folder


def edit_config(folder, change):
    """Lay a change over config.yaml, block by block."""
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    for block, values in change.items():
        config[block] = {**config.get(block, {}), **values} if isinstance(values, dict) else values
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def snakemake(folder, *arguments, directory=None):
    """Run Snakemake on a copy of the repository; returns the finished process with stdout and stderr as one text."""
    command = [sys.executable, "-m", "snakemake", "-s", str(folder / "Snakefile"), *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    return subprocess.run(
        command,
        cwd=directory or folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def planned_jobs(folder, *arguments):
    """The jobs that a dry-run would start, as a Counter of (rule, wildcards text)."""
    done = snakemake(folder, "-n", *arguments)
    if done.returncode:
        raise RuntimeError(done.stdout)
    jobs = Counter()
    for block in re.split(r"\n(?=(?:local)?rule )", done.stdout):
        name = re.match(r"(?:local)?rule (\w+):", block)
        if name:
            wildcards = re.search(r"^    wildcards: (.*)$", block, flags=re.MULTILINE)
            jobs[name.group(1), wildcards.group(1) if wildcards else ""] += 1
    return jobs
