"""The miniature killed at random moments and resumed: nothing partial at any moment, the same bytes at the end."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from workflow_runs import MINIATURE, copy_repository, digests, edit_config, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
KILLS = int(os.environ.get("FINEPRIOR_KILLS", "0"))
"""Moments; each takes up to half a minute."""


@pytest.mark.skipif(not KILLS, reason="FINEPRIOR_KILLS=20 runs it")
def test_killed_at_random_moments(finished, tmp_path):
    folder = copy_repository(tmp_path / "killed")
    edit_config(folder, MINIATURE)
    expected = digests(finished)
    rng = np.random.default_rng(8)
    command = [sys.executable, "-m", "snakemake", "-s", str(folder / "Snakefile"), "--cores", "2", "--rerun-incomplete"]
    for _ in range(KILLS):
        run = subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
        time.sleep(float(rng.uniform(3, 25)))
        if run.poll() is not None:
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        there = digests(folder)
        partial = {name for name, digest in there.items() if name in expected and digest != expected[name]}
        assert not partial, f"partial or different after a kill: {sorted(partial)}"
        # what Snakemake's own message tells the user to do
        assert snakemake(folder, "--unlock").returncode == 0
    done = snakemake(folder, "--cores", "2", "--rerun-incomplete")
    assert done.returncode == 0, done.stdout[-4000:]
    assert digests(folder) == expected
