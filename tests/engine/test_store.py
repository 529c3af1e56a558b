"""Finished embeddings are never lost, never computed again, and the same whatever happened on the way."""

import errno
import json
import logging
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from fineprior.engine import store as stores
from fineprior.engine.store import BLOCK, Store, in_blocks, store_identity, variant_keys
from fineprior.files.errors import InputError
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.sequence.windows import LocusSequences

SHAPE = (2, 4, 3)
IDENTITY = store_identity("digest", BackboneSettings(), WindowSettings())
FORK = multiprocessing.get_context("fork")


def names(count, first=0):
    return np.array([f"{number:032x}" for number in range(first, first + count)], "S32")


class Embedder:
    """Numbers that depend, a little, on what is computed together, as those of a real model do."""

    def __init__(self, keys, journal=None, pause=0.0):
        self.keys, self.journal, self.pause, self.computed = keys, journal, pause, []

    def __call__(self, rows):
        time.sleep(self.pause)
        self.computed += rows.tolist()
        if self.journal:
            with self.journal.open("a") as handle:
                handle.write("".join(f"{row}\n" for row in rows))
        numbers = np.array([int(key, 16) for key in self.keys[rows]], np.float64)
        values = np.sin(numbers)[:, None, None, None] * np.arange(1, 25).reshape(SHAPE) + 1e-5 * numbers.mean()
        return values.astype(np.float32), (values / 7).astype(np.float32)


def fill(folder, keys, journal=None, pause=0.0, flush_seconds=0.0, output=None):
    embedder = Embedder(keys, journal, pause)
    found = Store(folder, IDENTITY, SHAPE, flush_seconds).embeddings(keys, embedder)
    if output:
        np.savez(output, *found)
    return found, embedder.computed


@pytest.fixture
def keys():
    return names(10 * BLOCK + 5)


@pytest.fixture
def expected(keys):
    return in_blocks(keys, SHAPE, Embedder(keys), None)


def same(found, expected):
    return all(np.array_equal(one, two) for one, two in zip(found, expected, strict=True))


def parts(folder):
    return sorted(folder.glob("*/part-*.npz"))


def finished(folder, keys):
    """Indices of the keys that a complete part holds."""
    held = set()
    for path in parts(folder):
        with np.load(path, allow_pickle=False) as part:
            held |= set(part["keys"].tolist())
    return {index for index, key in enumerate(keys.tolist()) if key in held}


@pytest.mark.parametrize("flush_seconds", [0.0, 1000.0])
def test_what_is_there_is_not_computed_again(tmp_path, keys, expected, flush_seconds):
    found, computed = fill(tmp_path, keys, flush_seconds=flush_seconds)
    assert same(found, expected)
    assert sorted(computed) == list(range(len(keys)))
    assert len(parts(tmp_path)) == (11 if flush_seconds == 0 else 1)
    again, computed = fill(tmp_path, keys)
    assert same(again, expected)
    assert not computed


def test_another_study_computes_what_is_new(tmp_path, keys):
    fill(tmp_path, keys)
    other = np.concatenate([keys[5:50], names(70, 10**6), keys[500:501]])[::-1]
    found, computed = fill(tmp_path, other)
    assert {other[row] for row in computed} == set(names(70, 10**6))
    assert np.allclose(found[0], in_blocks(other, SHAPE, Embedder(other), None)[0], atol=100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(tmp_path, keys, expected, seed):
    rng = np.random.default_rng(seed)
    kills, left = 0, 60
    while left := left - 1:
        before = finished(tmp_path, keys)
        journal = tmp_path / f"journal{left}"
        job = FORK.Process(target=fill, args=(tmp_path, keys, journal, 0.004, 0.0, tmp_path / "out.npz"))
        job.start()
        job.join(rng.uniform(0.0, 0.02) + 0.002 * kills)
        if job.is_alive():
            job.kill()
            kills += 1
        job.join()
        computed = [int(line) for line in journal.read_text().split()] if journal.is_file() else []
        assert not before & set(computed)
        if job.exitcode == 0:
            break
        lost = set(computed) - finished(tmp_path, keys)
        assert len(lost) <= 2 * BLOCK  # what was being computed, and what was being written
    assert kills > 1
    with np.load(tmp_path / "out.npz") as out:
        assert same((out["arr_0"], out["arr_1"]), expected)


@pytest.mark.slow
def test_two_jobs_at_once(tmp_path, keys, expected):
    outputs = [tmp_path / f"{job}.npz" for job in "ab"]
    journals = [tmp_path / f"journal{job}" for job in "ab"]
    jobs = [
        FORK.Process(target=fill, args=(tmp_path / "store", keys, journal, 0.02, 0.0, output))
        for journal, output in zip(journals, outputs, strict=True)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        assert job.exitcode == 0
    for output in outputs:
        with np.load(output) as out:
            assert same((out["arr_0"], out["arr_1"]), expected)
    computed = sum(len(journal.read_text().split()) for journal in journals)
    assert len(keys) <= computed < 1.7 * len(keys)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def foreign(path):
    with np.load(path) as part:
        arrays = dict(part)
    np.savez(path, **arrays | {"identity": json.dumps({"backbone": "other"})})


def of_other_shape(path):
    with np.load(path) as part:
        arrays = dict(part)
    np.savez(path, **arrays | {"reference": arrays["reference"][:, :, :2]})


@pytest.mark.parametrize(
    "harm",
    [
        truncate,
        flip,
        foreign,
        of_other_shape,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("text"),
        lambda path: np.savez(path, something=np.zeros(3)),
    ],
)
def test_damaged_and_foreign_parts_are_named_and_computed_again(tmp_path, keys, expected, harm, caplog):
    fill(tmp_path, keys)
    victim = parts(tmp_path)[3]
    with np.load(victim) as part:
        lost = len(part["keys"])
    harm(victim)
    with caplog.at_level(logging.WARNING):
        found, computed = fill(tmp_path, keys)
    assert same(found, expected)
    assert len(computed) == lost
    assert f"{victim}: not a usable part of the store" in caplog.text
    caplog.clear()
    assert not fill(tmp_path, keys)[1]
    assert "not a usable part" not in caplog.text


def test_a_damaged_part_goes_although_another_grouping_takes_its_place(tmp_path, keys, expected, caplog):
    fill(tmp_path, keys)
    victim = parts(tmp_path)[3]
    with np.load(victim) as part:
        wanted = part["keys"]
    flip(victim)
    rows = np.flatnonzero(np.isin(keys, wanted))
    fill(tmp_path, keys[rows[: len(rows) // 2]])  # a study with half of its variants: the part gets another name
    assert f"{victim}: not a usable part of the store, removed" in caplog.text
    assert not victim.exists()
    caplog.clear()
    found, computed = fill(tmp_path, keys)
    assert len(computed) == len(rows) - len(rows) // 2
    assert np.allclose(found[0], expected[0], rtol=0, atol=1e-2)
    assert "not a usable part" not in caplog.text


@pytest.mark.slow
def test_a_bit_of_a_part_is_never_read_as_another_number(tmp_path, keys, expected):
    fill(tmp_path, keys[:BLOCK])
    (part,) = parts(tmp_path)
    content, rng = part.read_bytes(), np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(content)
        broken[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        part.write_bytes(broken)
        found, _ = fill(tmp_path, keys[:BLOCK])
        assert all(np.array_equal(one, two[:BLOCK]) for one, two in zip(found, expected, strict=True))


def test_a_part_that_cannot_be_got_at_stays(tmp_path, keys, monkeypatch, caplog):
    fill(tmp_path, keys[:BLOCK])
    (part,) = parts(tmp_path)

    def failing(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", failing)
        _, computed = fill(tmp_path, keys[:BLOCK])
    assert len(computed) == BLOCK
    assert "ignored (" in caplog.text
    assert part.exists()


def test_a_job_without_variants_on_a_store_with_some(tmp_path, keys):
    fill(tmp_path, keys)
    found, computed = fill(tmp_path, keys[:0])
    assert found[0].shape == (0, *SHAPE)
    assert not computed


def test_other_files_in_the_store_are_named(tmp_path, keys, caplog):
    fill(tmp_path, keys)
    (parts(tmp_path)[0].parent / "notes.txt").write_text("mine")
    assert not fill(tmp_path, keys)[1]
    assert "notes.txt: not a usable part" in caplog.text


def test_another_backbone_or_setting_has_another_store(tmp_path, keys):
    fill(tmp_path, keys)
    for other in (
        store_identity("other", BackboneSettings(), WindowSettings()),
        store_identity("digest", BackboneSettings(use_tf_gamma=True), WindowSettings()),
        store_identity("digest", BackboneSettings(), WindowSettings(shift=3)),
    ):
        embedder = Embedder(keys)
        Store(tmp_path, other, SHAPE).embeddings(keys, embedder)
        assert len(embedder.computed) == len(keys)


def test_which_variants_there_are_does_not_change_the_store():
    settings = WindowSettings(max_indel_length=9, max_offset=64, reference_mismatch="swap")
    assert store_identity("digest", BackboneSettings(weights="elsewhere", revision="x"), settings) == IDENTITY


def test_description_of_another_backbone(tmp_path, keys):
    fill(tmp_path, keys)
    (next(tmp_path.glob("*/store.json"))).write_text("{}")
    with pytest.raises(InputError, match=r"store\.json: damaged, or describes another backbone"):
        Store(tmp_path, IDENTITY, SHAPE)


def test_a_store_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"the store cannot be used \(Not a directory"):
        Store(tmp_path / "file", IDENTITY, SHAPE)


def test_disk_full(tmp_path, keys, monkeypatch):
    whole, calls = np.savez, []

    def full(path, **arrays):
        calls.append(path)
        if len(calls) == 3:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(path, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match=r"part-\w+\.npz: no space left .* finished work is kept"):
        fill(tmp_path, keys[: 8 * BLOCK])
    assert len(list(parts(tmp_path)[0].parent.iterdir())) == 3
    assert len(finished(tmp_path, keys)) == 2 * BLOCK


def test_an_error_of_the_model_keeps_what_was_finished(tmp_path, keys):
    class Broken(Embedder):
        def __call__(self, rows):
            if len(self.computed) == 3 * BLOCK:
                raise ZeroDivisionError
            return super().__call__(rows)

    keys = keys[: 8 * BLOCK]
    with pytest.raises(ZeroDivisionError):
        Store(tmp_path, IDENTITY, SHAPE, 1000).embeddings(keys, Broken(keys))
    assert len(finished(tmp_path, keys)) == 3 * BLOCK


def test_embeddings_that_are_not_finite_are_not_kept(tmp_path, keys):
    def compute(rows):
        values = np.zeros((len(rows), *SHAPE), np.float32)
        values[1] = np.nan
        return values, values

    with pytest.raises(InputError, match=rf"embeddings of 1 of {BLOCK} variants are not finite"):
        Store(tmp_path, IDENTITY, SHAPE).embeddings(keys[: 8 * BLOCK], compute)
    assert not parts(tmp_path)


def test_leftovers_of_killed_jobs_are_removed_when_old(tmp_path, keys):
    fill(tmp_path, keys)
    folder = parts(tmp_path)[0].parent
    for name, age in (("old", 2), ("new", 0)):
        (folder / f".{name}.npz").write_text("")
        os.utime(folder / f".{name}.npz", (time.time() - age * 86_400,) * 2)
    Store(tmp_path, IDENTITY, SHAPE)
    assert [path.name for path in folder.glob(".*")] == [".new.npz"]


def test_progress_is_told(tmp_path, keys, caplog):
    fill(tmp_path, keys[: 2 * BLOCK])
    with caplog.at_level(logging.INFO, logger="fineprior"):
        fill(tmp_path, keys)
    assert f"{2 * BLOCK} of {len(keys)} variants are in the store" in caplog.text
    assert f"{len(keys) - 2 * BLOCK} variants in" in caplog.text


def window(sequence, offset=10, site=42, removed=1, inserted="A"):
    return LocusSequences(
        sequence, np.array(["v"]), np.array(["scored"]), np.array([False]), np.array([offset]), np.array([0]),
        np.array([site]), np.array([removed]), np.array([inserted]), 64,
    )  # fmt: skip


def key(sequences, shift=0):
    return variant_keys(sequences, np.array([0]), shift)[0]


def test_keys_are_of_what_a_window_can_show():
    rng = np.random.default_rng(1)
    bases = rng.integers(0, 4, 100).astype(np.uint8)
    first = key(window(bases))
    assert key(window(np.concatenate([rng.integers(0, 4, 7), bases]).astype(np.uint8), 17, 49)) == first
    beyond, within = bases.copy(), bases.copy()
    beyond[[9, 74]] = 4
    within[73] = (within[73] + 1) % 4
    assert key(window(beyond)) == first
    others = [window(within), window(bases, inserted="C"), window(bases, site=43), window(bases, offset=9, site=41),
              window(bases, removed=2), window(bases, inserted="AA")]  # fmt: skip
    assert len({first, *map(key, others)}) == 7
    assert key(window(beyond, removed=2)) != key(window(bases, removed=2))  # a deletion shows one base more
    assert key(window(beyond), 1) != key(window(bases), 1)
    assert len(variant_keys(window(bases), np.array([], int))) == 0


def test_block_size_is_part_of_no_key():
    assert stores.BLOCK not in IDENTITY.values()


@pytest.mark.parametrize("harm", ["pipe", "not finite"])
def test_a_part_that_is_no_file_or_has_no_numbers_is_named_and_computed_again(tmp_path, keys, expected, harm, caplog):
    fill(tmp_path, keys)
    part = parts(tmp_path)[0]
    with np.load(part) as stored:
        held = dict(stored)
    if harm == "pipe":
        os.mkfifo(part.with_name("part-pipe.npz"))
    else:  # of an older version, which had no digests
        np.savez(part, **held | {"reference": held["reference"] * np.nan})
        os.utime(part, (1, 1))
    assert same(fill(tmp_path, keys)[0], expected)
    assert "not a usable part of the store" in caplog.text


def test_a_description_that_is_no_text_is_one_line(tmp_path, keys):
    fill(tmp_path, keys)
    next(tmp_path.glob("*/store.json")).write_bytes(b"\xff{}")
    with pytest.raises(InputError, match=r"store\.json: damaged, or .*delete it and run again"):
        fill(tmp_path, keys)
