"""A small study killed at random moments and resumed as docs/running.md says: whole files at any moment, and in the end
the same bytes."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from workflow_runs import ROOT, SMALLEST, copy_repository, digests, edit_config

pytestmark = pytest.mark.workflow
KILLS = int(os.environ.get("FINEPRIOR_KILLS", "2"))
"""How often; 20 take some ten minutes."""
PAGE = (ROOT / "docs/running.md").read_text()


def documented_commands():
    """The commands that a user is told after a kill: what unlocks, and what goes on."""
    block = re.search(r"## After a kill.*?^```\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL).group(1)
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def in_python(command):
    assert command[0] == "snakemake"
    return [sys.executable, "-m", *command]


def test_killed_at_random_moments(finished_smallest, tmp_path):
    expected = digests(finished_smallest, "results", "resources/embedded")
    unlock, resume = map(in_python, documented_commands())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    rng = np.random.default_rng(8)
    folder = new_project(tmp_path / "killed")
    kills = 0
    while kills < KILLS:
        run, log = start(resume, folder, environment)
        # Mostly while jobs are at work, however long this machine takes to come to them; now and then before.
        while kills % 5 != 4 and run.poll() is None and "Execute " not in log.read_text():
            time.sleep(0.1)
        try:
            run.wait(timeout=float(rng.uniform(0.5, 15)))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            kills += 1
            assert not at_work_in(folder), "a job outlived its process group"
            there = digests(folder, "results", "resources/embedded")
            wrong = {name for name, digest in there.items() if digest != expected.get(name)}
            assert not wrong, f"partial or different after kill {kills}: {sorted(wrong)}"
            unlocked = subprocess.run(unlock, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert unlocked.returncode == 0, unlocked.stderr
        else:
            assert run.returncode == 0, log.read_text()[-4000:]
            assert digests(folder, "results", "resources/embedded") == expected
            folder = new_project(folder)
    done = subprocess.run(resume, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert digests(folder, "results", "resources/embedded") == expected


def start(command, folder, environment):
    """A process in a group of its own, and its log."""
    log = folder / "run.log"
    with log.open("w") as handle:
        run = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, stdout=handle,
                               stderr=subprocess.STDOUT)  # fmt: skip
    return run, log


def new_project(folder):
    shutil.rmtree(folder, ignore_errors=True)
    edit_config(copy_repository(folder), SMALLEST)
    return folder


def at_work_in(folder):
    """Processes of which this is the working directory, a moment after the kill."""
    time.sleep(0.5)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found
