"""HDF5 files that are damaged or claim what they do not hold, and the process that reads them."""

import os
import signal

import h5py
import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.priors import hdf5_scores
from fineprior.priors.hdf5_scores import read_scores

POS = np.arange(10, 60)


def write(path, **change):
    fields = {"chr": np.full(50, b"chr1"), "pos": POS, "ref": np.full(50, b"A"), "alt": np.full(50, b"CT"),
              "SAD": np.arange(100.0).reshape(50, 2)} | change  # fmt: skip
    with h5py.File(path, "w") as stored:
        for name, values in fields.items():
            if callable(values):
                values(stored, name)
            elif values is not None:
                stored[name] = values
    return path


def rows(path, column="", positions=(12, 30, 59)):
    parts = list(read_scores(path, column, np.array(positions)))
    return {name: np.concatenate([part[name] for part in parts]) for name in ("chr", "pos", "alt", "SAD")}


def test_rows_at_the_positions(tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5")
    found = rows(path, "1")
    assert found["pos"].tolist() == [12, 30, 59]
    assert found["SAD"].tolist() == [[5], [41], [99]]
    assert found["alt"].tolist() == ["CT"] * 3
    assert rows(path)["SAD"].tolist() == [[4, 5], [40, 41], [98, 99]]
    assert len(rows(path, positions=())["pos"]) == 0


def huge(stored, name):
    """As large as can be said, of which nothing is there."""
    stored.create_dataset(name, shape=(10**12,), dtype="i8", chunks=(1 << 20,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SAD": np.where(np.arange(100).reshape(50, 2) == 4, np.inf, 1)}, "SAD of row 2 .* is not finite"),
        ({"SAD": np.full((50, 2), b"a")}, "pos and SAD must be numbers"),
        ({"SAD": np.ones(50)}, r"SAD must be \(variants, targets\)"),
        ({"SAD": np.ones((49, 2))}, r"SAD must be \(variants, targets\)"),
        ({"SAD": None}, "no dataset SAD; there are alt, chr, pos, ref"),
        ({"SAD": lambda stored, name: stored.create_group(name)}, "no dataset SAD"),
        ({"pos": huge}, r"pos has shape \(1000000000000,\) .* but the file holds 0 of it"),
        ({"pos": -POS}, "pos must be whole numbers"),
        ({"pos": POS + 0.5}, "pos must be whole numbers"),
        ({"ref": np.arange(50)}, "ref must hold text"),
        ({"alt": np.full(50, b"\xff\xfe")}, "an HDF5 file .*or damaged .*codec"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    with pytest.raises(InputError, match=rf"a\.h5: .*{message}"):
        rows(write(tmp_path / "a.h5", **change))
    assert rows(write(tmp_path / "b.h5"))["pos"].tolist() == [12, 30, 59]


@pytest.mark.parametrize("column", ["2", "-1", "x", "0,", "\u00b2", "9" * 30])
def test_targets_that_are_not_there(tmp_path, column):
    with pytest.raises(InputError, match="must be numbers of targets from 0 to 1"):
        rows(write(tmp_path / "a.h5"), column)


def test_a_library_that_dies_is_the_file_s_fault_and_the_next_file_is_read(tmp_path, monkeypatch):
    path, program = write(tmp_path / "a.h5"), tmp_path / "program"
    program.write_text("#!/bin/sh\nhead -c 8 > /dev/null\nkill -SEGV $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(hdf5_scores, "_server", None)
    monkeypatch.setattr(hdf5_scores.sys, "executable", str(program))
    with pytest.raises(InputError, match=r"a\.h5: not an HDF5 file .* \(its library died of signal 11\)"):
        rows(path)
    monkeypatch.undo()
    assert len(rows(path)["pos"]) == 3


@pytest.mark.slow
def test_a_process_that_has_ended_in_between_is_started_again(tmp_path):
    path = write(tmp_path / "a.h5")
    assert len(rows(path)["pos"]) == 3
    os.kill(hdf5_scores._server._process.pid, signal.SIGKILL)
    hdf5_scores._server._process.wait()
    assert len(rows(path)["pos"]) == 3


@pytest.mark.slow
def test_a_library_that_hangs_is_ended(tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5")
    assert len(rows(path)["pos"]) == 3
    child = hdf5_scores._server._process
    os.kill(child.pid, signal.SIGSTOP)
    monkeypatch.setattr(hdf5_scores, "PATIENCE", 0.2)
    with pytest.raises(InputError, match=r"nothing was read of it in 0 s"):
        rows(path)
    assert child.returncode == -signal.SIGKILL
    monkeypatch.undo()
    assert len(rows(path)["pos"]) == 3


@pytest.mark.slow
def test_part_of_a_file_leaves_nothing_for_the_next(tmp_path):
    path, other = write(tmp_path / "a.h5"), write(tmp_path / "b.h5", SAD=np.ones((50, 2)))
    parts = read_scores(path, "", POS)
    first = next(parts)
    assert (rows(other)["SAD"] == 1).all()
    assert np.concatenate([first["SAD"], *(part["SAD"] for part in parts)]).sum() == np.arange(100).sum()
    next(read_scores(path, "", POS))
    assert (rows(other)["SAD"] == 1).all()


def elsewhere(way):
    """SAD whose values are in another file."""

    def make(stored, name):
        other = f"{stored.filename}.other"
        with h5py.File(other, "w") as source:
            source["x"] = np.zeros((50, 2))
        if way == "link":
            stored[name] = h5py.ExternalLink(other, "x")
        elif way == "virtual":
            layout = h5py.VirtualLayout((50, 2), "f8")
            layout[:] = h5py.VirtualSource(other, "x", (50, 2))
            stored.create_virtual_dataset(name, layout)
        else:
            stored.create_dataset(name, (50, 2), "f8", external=[(other, 0, 800)])

    return make


@pytest.mark.parametrize("way", ["link", "virtual", "bytes"])
def test_values_in_another_file_are_not_read(tmp_path, way):
    with pytest.raises(InputError, match=r"a\.h5: SAD lies in another file"):
        rows(write(tmp_path / "a.h5", SAD=elsewhere(way)))
