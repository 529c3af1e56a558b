"""Files are whole or absent."""

import errno
import os
import re
import subprocess
import sys

import pytest

from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path, sha256


def test_a_finished_file_is_there_and_nothing_else(tmp_path):
    with atomic_path(tmp_path / "new/a.tsv") as temporary:
        assert temporary.name.endswith(".tsv")
        temporary.write_bytes(b"abc")
        assert not (tmp_path / "new/a.tsv").exists()
    assert [path.name for path in (tmp_path / "new").iterdir() if path.name != ".digests"] == ["a.tsv"]
    assert sha256(tmp_path / "new/a.tsv") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_interrupted_one_leaves_the_old_file(tmp_path):
    (tmp_path / "a.tsv").write_text("old")

    def interrupted():
        with atomic_path(tmp_path / "a.tsv") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def write_with(error, path):
    with atomic_path(path):
        raise OSError(error, os.strerror(error))


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line(tmp_path, error):
    with pytest.raises(InputError, match=r"a\.npz: no space left to write it \(.*\); make space and run again"):
        write_with(error, tmp_path / "a.npz")
    with pytest.raises(PermissionError):
        write_with(errno.EACCES, tmp_path / "a.npz")


LIMITED = """
import resource, signal, sys
import numpy as np, pandas as pd
from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
values = np.random.default_rng(0).normal(size=100_000)
def safetensors(path):
    from safetensors.numpy import save_file
    save_file({"a": values}, path)
def torch(path):
    import torch
    torch.save({"a": torch.tensor(values)}, path)
WRITERS = {
    "parquet": lambda path: pd.DataFrame({"a": values}).to_parquet(path), "npz": lambda path: np.savez(path, a=values),
    "csv.gz": lambda path: pd.DataFrame({"a": values}).to_csv(path), "safetensors": safetensors, "pt": torch,
}
form, folder = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with atomic_path(f"{folder}/a.{form}") as temporary:
        WRITERS[form](temporary)
except InputError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "npz", "csv.gz", "safetensors", "pt"])
def test_a_limit_of_the_size_of_files_is_one_line(tmp_path, form):
    command = [sys.executable, "-c", LIMITED, form, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert re.match(
        rf"{tmp_path}/a\.{form}: (too large|no space left) to (be written|write it) \(.*; .* run again", done.stdout
    )
    assert done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_read_only_file_system_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"a\.npz: cannot be written \(Read-only file system\); choose another folder"):
        write_with(errno.EROFS, tmp_path / "a.npz")


@pytest.mark.parametrize("harm", ["folder", "file"])
def test_something_else_in_its_place_is_one_line(tmp_path, harm):
    path = tmp_path / "made/a.npy"
    if harm == "folder":
        (path / "x").mkdir(parents=True)
    else:
        path.parent.write_text("")

    def write():
        with atomic_path(path) as temporary:
            temporary.write_text("x")

    with pytest.raises(InputError, match=r"a\.npy: cannot be written, for a (folder|file) has .*move that away"):
        write()


def test_an_error_about_another_file_stays_what_it_is(tmp_path):
    def write():
        with atomic_path(tmp_path / "a.tsv"):
            raise PermissionError(errno.EACCES, "no", str(tmp_path / "input.tsv"))

    with pytest.raises(PermissionError):
        write()


def test_a_place_without_permission_is_one_line(tmp_path):
    def write():
        with atomic_path(tmp_path / "a.tsv") as temporary:
            raise PermissionError(errno.EACCES, "no", str(temporary))

    with pytest.raises(InputError, match=r"a\.tsv: may not be written"):
        write()
