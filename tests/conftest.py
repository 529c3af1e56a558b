"""Fixtures for all tests, and the promise that tests on real data run where the data are."""

import os
from pathlib import Path

import pytest

# As the drivers do, before numpy is loaded: two threads that wait for one another over a matrix of ten columns take
# eight times the CPU. A workflow sets its own for each job.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from small_world import world  # noqa: F401 (a fixture)
from workflow_runs import MINIATURE, SMALLEST, copy_repository, edit_config, snakemake

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
ran_on_real_data = []


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real loci, panels and tracks; developers have it, users do not."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_reference():
    """Folder of the reference programs' answers."""
    return _shared("reference")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A copy of the repository in which the miniature of the embedded study has run."""
    return _finished(tmp_path_factory.mktemp("miniature"), MINIATURE)


@pytest.fixture(scope="session")
def finished_smallest(tmp_path_factory):
    """The same with a study that is smaller still."""
    return _finished(tmp_path_factory.mktemp("smallest"), SMALLEST)


def _finished(folder, study):
    edit_config(copy_repository(folder), study)
    done = snakemake(folder, "--cores", "2")
    if done.returncode:
        pytest.fail(done.stdout[-6000:])
    (folder / "first_run.txt").write_text(done.stdout)
    return folder


def _shared(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"no folder {SHARED / name}")
    ran_on_real_data.append(name)
    return SHARED / name


def pytest_sessionfinish(session, exitstatus):
    """A whole run that had the data and used none of them has lost its tests on real data."""
    whole = session.config.args == ["tests"] or str(ROOT / "tests") in session.config.args
    if (
        whole
        and not session.config.option.collectonly
        and (SHARED / "data").is_dir()
        and "data" not in ran_on_real_data
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.pluginmanager.get_plugin("terminalreporter").write_line(
            "the folder with real data is there, but no test used it", red=True
        )
