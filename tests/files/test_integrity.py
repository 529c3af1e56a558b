"""A file that is not as it was written is refused, wherever one bit of it was turned."""

import gzip
import logging
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save

from fineprior.files import integrity
from fineprior.files.errors import InputError
from fineprior.files.integrity import DamagedError, check, check_shared, recorded, strictly
from fineprior.files.tables import PRIOR
from fineprior.files.whole import atomic_path

FRAME = pd.DataFrame({"a": np.arange(400) / 7, "b": [f"rs{number}" for number in range(400)]})
X = FRAME["a"].to_numpy()


def write_gz(path):
    with gzip.open(path, "wb") as handle:
        FRAME.to_csv(handle, sep="\t", index=False)


SEALED = {
    "a.tsv.gz": (write_gz, lambda path: pd.read_csv(path, sep="\t")["a"]),
    "a.parquet": (FRAME.to_parquet, lambda path: pd.read_parquet(path)["a"]),
    "a.npz": (lambda path: np.savez(path, x=X), lambda path: np.load(path)["x"]),
    "b.npz": (lambda path: np.savez_compressed(path, x=X), lambda path: np.load(path)["x"]),
    "a.npy": (lambda path: np.save(path, X), lambda path: np.load(path, mmap_mode="r")),
    "a.pt": (
        lambda path: torch.save({"x": torch.tensor(X)}, path),
        lambda path: torch.load(path, weights_only=True)["x"].numpy(),
    ),
    "a.safetensors": (
        lambda path: path.write_bytes(save({"x": X}, metadata={"all": f'{{"seal": "{integrity.OPEN_SEAL}"}}'})),
        lambda path: load_file(path)["x"],
    ),
}


def written(path, shared=False):
    write = SEALED[path.name][0] if path.name in SEALED else lambda temporary: temporary.write_text("a\tb\n1\t2\n")
    with atomic_path(path, shared=shared) as temporary:
        write(temporary)
    return path


def spoiled(path, into, change):
    content = bytearray(path.read_bytes())
    change(content)
    into.write_bytes(content)


def turn(content, place, bit):
    content[place] ^= 1 << bit


@pytest.mark.parametrize("name", SEALED)
def test_other_programs_read_past_the_seal(tmp_path, name):
    path = written(tmp_path / name)
    assert b"fineprior-sha256:" in path.read_bytes()
    assert np.allclose(SEALED[name][1](path), X, rtol=1e-12, atol=0)
    check(path, required=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEALED)
def test_each_turned_bit_of_a_copy_is_found(tmp_path, name):
    path, copy = written(tmp_path / name), tmp_path / f"copy{name}"
    rng, size = np.random.default_rng(1), path.stat().st_size
    # All places at the ends, where formats have their structure and the seal is, and some of the rest.
    places = {*range(min(size, 150)), *range(max(0, size - 400), size), *rng.integers(size, size=300).tolist()}
    for place in sorted(places):
        spoiled(path, copy, lambda content, place=place: turn(content, place, int(rng.integers(8))))
        with pytest.raises(DamagedError, match=f"copy{name}: damaged"):
            check(copy)


def zeroed(content):
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)


def doubled(content):
    content += bytes(content)


@pytest.mark.parametrize("name", SEALED)
@pytest.mark.parametrize("change", [zeroed, doubled, lambda c: c.extend(b"\0" * 100), lambda c: c.insert(0, 0)])
def test_stretches_of_zeros_and_appended_bytes_are_found(tmp_path, name, change):
    path, copy = written(tmp_path / name), tmp_path / f"copy{name}"
    spoiled(path, copy, change)
    with pytest.raises(DamagedError):
        check(copy, required=True)


def test_a_member_behind_the_seal_of_a_gzip_file_is_found(tmp_path):
    path = written(tmp_path / "a.tsv.gz")
    path.write_bytes(path.read_bytes() + gzip.compress(np.random.default_rng(1).bytes(200_000)))
    with pytest.raises(DamagedError):
        check(path)


def test_text_is_compared_with_its_record(tmp_path):
    path = written(tmp_path / "a.tsv")
    assert path.read_text() == "a\tb\n1\t2\n"  # not a byte more, for whoever reads it
    check(path)
    spoiled(path, path, lambda content: turn(content, 5, 1))
    with pytest.raises(DamagedError, match=r"a\.tsv: damaged, or changed .*delete it and run again"):
        check(path)
    written(path)
    check(path)


def test_a_users_file_has_no_digest_and_is_read(tmp_path):
    (tmp_path / "own.tsv").write_text("x\n1\n")
    FRAME.to_parquet(tmp_path / "own.parquet")
    write_gz(tmp_path / "own.tsv.gz")
    for name in ("own.tsv", "own.parquet", "own.tsv.gz", "not there.tsv"):
        check(tmp_path / name)
    with pytest.raises(DamagedError, match="older version"):
        check(tmp_path / "own.parquet", required=True)


def test_in_a_rule_a_file_must_be_the_one_of_its_place(tmp_path, caplog):
    first, second = written(tmp_path / "a.npz"), tmp_path / "second/a.npz"
    with atomic_path(second) as temporary:
        np.savez(temporary, x=X + 1)
    shutil.copy(second, first)
    check(first)
    with strictly(), pytest.raises(DamagedError, match=r"differs from \.digests/a\.npz"):
        check(first)
    (tmp_path / "other.tsv").write_text("x\n")
    with strictly(), caplog.at_level(logging.WARNING):
        check(tmp_path / "other.tsv")
    assert "other.tsv: has no digest" in caplog.text


def test_a_shared_file_is_bound_to_its_name_and_has_no_record(tmp_path):
    one, two = (written(tmp_path / name / "a.npy", shared=True) for name in ("one", "two"))
    check_shared(one)
    assert not (tmp_path / "one/.digests").exists()
    shutil.copy(two, one)
    with pytest.raises(DamagedError):
        check_shared(one)


def test_a_killed_job_leaves_no_file_that_seems_damaged(tmp_path, monkeypatch):
    path = written(tmp_path / "a.tsv")
    before = recorded(path)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "replace", killed)
        with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
            temporary.write_text("new\n")
    check(path)
    assert path.read_text() != "new\n"
    with atomic_path(path) as temporary:
        temporary.write_text("new\n")
    check(path)
    assert len(recorded(path)) == 1
    assert recorded(path) != before


def test_a_record_that_a_power_cut_left_empty_is_none(tmp_path):
    path = written(tmp_path / "a.tsv")
    (tmp_path / ".digests/a.tsv").write_text("")
    check(path)
    assert recorded(path) == ()


def test_a_folder_has_a_digest_of_all_its_files(tmp_path):
    with atomic_path(tmp_path / "export") as folder:
        folder.mkdir()
        (folder / "a.txt").write_text("a")
    known = recorded(tmp_path / "export")
    assert known == (integrity.folder_digest(tmp_path / "export"),)
    (tmp_path / "export/a.txt").rename(tmp_path / "export/b.txt")
    assert known != (integrity.folder_digest(tmp_path / "export"),)


def test_a_large_file_is_looked_at_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    path = written(tmp_path / "a.npz")
    looked = []
    original = integrity.digests
    monkeypatch.setattr(integrity, "digests", lambda *rest, **more: looked.append(1) or original(*rest, **more))
    for expected in (1, 2):  # so young a file could change within the same tick of the clock
        check(path, once=True)
        assert len(looked) == expected
    os.utime(path, (1, 1))
    for _ in range(3):
        check(path, once=True)
    assert len(looked) == 3
    spoiled(path, path, lambda content: turn(content, 200, 1))
    with pytest.raises(DamagedError):
        check(path, once=True)


@pytest.mark.parametrize("name", ["prior.tsv", "prior.tsv.gz", "prior.parquet"])
def test_a_damaged_table_is_one_line_or_the_same_table(tmp_path, name):
    row = dict.fromkeys(PRIOR.names, 0.5) | {"locus": "l", "variant_id": "v"}
    PRIOR.write(pd.DataFrame([row] * 200), tmp_path / name)
    whole, content = PRIOR.read(tmp_path / name), (tmp_path / name).read_bytes()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        broken = bytearray(content)
        turn(broken, int(rng.integers(len(content))), int(rng.integers(8)))
        (tmp_path / name).write_bytes(broken)
        try:
            assert PRIOR.read(tmp_path / name).equals(whole)
        except InputError as error:
            assert "delete it and run again" in str(error)  # noqa: PT017
