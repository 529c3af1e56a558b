"""A folder that several jobs work in goes with the last of them."""

import os
import subprocess
import sys
import time

import pytest

from fineprior.files import whole as leases
from fineprior.files.whole import shared_folder


def test_a_folder_goes_when_its_job_ends_well_and_stays_otherwise(tmp_path):
    with shared_folder(tmp_path / "a/b") as folder:
        (folder / "part").write_text("x")
    assert not (tmp_path / "a/b").exists()
    assert list((tmp_path / "a").iterdir()) == []

    def killed():
        with shared_folder(tmp_path / "a/b") as folder:
            (folder / "part").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["part"]


def test_who_ends_first_takes_nothing_from_the_other(tmp_path):
    with shared_folder(tmp_path / "a") as folder:
        with shared_folder(tmp_path / "a"):
            (folder / "part").write_text("x")
        assert (folder / "part").read_text() == "x"
    assert not (tmp_path / "a").exists()


def lease_of(folder, pid, age=0.0, machine=None):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".lease-{machine or leases._machine()}-{pid}-00000000"
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_lease_of_a_killed_job_does_not_hold(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lease_of(tmp_path / "a", ended.pid)
    with shared_folder(tmp_path / "a"):
        pass
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("age", "stays"), [(leases.STALE_SECONDS / 2, True), (leases.STALE_SECONDS * 2, False)])
def test_a_lease_of_another_machine_holds_while_it_is_fresh(tmp_path, age, stays):
    lease_of(tmp_path / "a", 2**22 + 5, age, machine="0123456789ab")  # no such process here
    with shared_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").exists() == stays


def test_a_job_that_comes_while_the_folder_goes_keeps_it(tmp_path, monkeypatch):
    looks = []
    original = leases._others

    def others(folder, own):
        looks.append(folder)
        if len(looks) == 2:  # behind the step that puts the folder aside
            lease_of(folder, os.getpid())
        return original(folder, own)

    monkeypatch.setattr(leases, "_others", others)
    with shared_folder(tmp_path / "a") as folder:
        (folder / "part").write_text("x")
    assert (tmp_path / "a/part").read_text() == "x"


def test_a_lease_beats_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.01)
    with shared_folder(tmp_path / "a") as folder:
        (lease,) = folder.iterdir()
        lease.unlink()
        deadline = time.monotonic() + 20
        while not lease.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lease.exists()
