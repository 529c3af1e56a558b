"""Files are whole or absent."""

import errno
import os

import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path, sha256


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
