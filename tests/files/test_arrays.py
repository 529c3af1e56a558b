"""Arrays that files claim to hold, against what they hold."""

import pickle
import tracemalloc
import zipfile
from dataclasses import dataclass, replace

import numpy as np
import pytest

from fineprior.files import arrays
from fineprior.files.arrays import Archive, ReadOnly, is_archive, mapped_array, read_only
from fineprior.files.errors import InputError

R = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def npy(shape, kind="<f4", data=b"\0" * 64):
    """A .npy that says what it holds."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + data


def npz(path, content, **change):
    with zipfile.ZipFile(path, "w", change.pop("compression", zipfile.ZIP_STORED)) as archive:
        archive.writestr("R.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote(tmp_path, save):
    kept = {"R": R, "F": np.asfortranarray(R), "text": np.array(["a", "bcd"]), "number": np.array(3.5),
            "none": np.zeros((0, 4)), "a/b": np.array([True, False]), "empty": np.array(["", ""])}  # fmt: skip
    save(tmp_path / "a.npz", **kept)
    with Archive(tmp_path / "a.npz") as stored:
        assert list(stored) == list(kept)
        assert stored.shape("F") == (6, 4)
        for name, array in kept.items():
            assert stored[name].dtype == array.dtype
            assert np.array_equal(stored[name], array)
    for name, array in kept.items():
        np.save(tmp_path / "one.npy", array)
        assert np.array_equal(mapped_array(tmp_path / "one.npy"), array), name
    assert is_archive(tmp_path / "a.npz")
    assert not is_archive(tmp_path / "one.npy")


HUGE = {
    "a billion rows and columns": npy((10**9, 10**9)),
    "more than there is": npy((4, 5)),
    "less than there is": npy((3, 5)),
}


@pytest.mark.parametrize("name", HUGE)
def test_claims_are_held_against_the_file_before_memory_is_taken(tmp_path, name):
    (tmp_path / "a.npy").write_bytes(HUGE[name])
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.npy: shape .* makes [0-9,]+ bytes, but it holds 64"):
        mapped_array(tmp_path / "a.npy")
    with (
        Archive(npz(tmp_path / "a.npz", HUGE[name])) as stored,
        pytest.raises(InputError, match=r"array 'R': shape .* makes [0-9,]+ bytes, but it holds 64"),
    ):
        stored["R"]
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_an_archive_cannot_unpack_to_more_than_deflate_can(tmp_path):
    path = npz(tmp_path / "a.npz", npy((1 << 20,), data=bytes(4 << 20)), compression=zipfile.ZIP_DEFLATED)
    with Archive(path) as stored:
        assert not stored["R"].any()
    size = path.read_bytes()
    true = (len(npy((1 << 20,), data=b"")) + (4 << 20)).to_bytes(4, "little")
    path.write_bytes(size.replace(true, (1 << 31).to_bytes(4, "little")))
    with pytest.raises(InputError, match="'R' is said to be larger than the file can hold"):
        Archive(path)


def test_more_than_the_machine_has_is_not_unpacked(tmp_path, monkeypatch):
    path = npz(tmp_path / "a.npz", npy((1 << 20,), data=bytes(4 << 20)), compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(arrays, "machine_memory_mb", lambda: 3)
    with Archive(path) as stored, pytest.raises(InputError, match="4 MB, more than this machine's memory"):
        stored["R"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy((4, 4), "|O"), "holds pickled objects"),
        (npy((8,), "<M8[s]"), "an array of numbers or text is needed"),
        (npy((4, 4))[:6] + b"\x09\x00" + npy((4, 4))[8:], r"version \(9, 0\) of \.npy is not read"),
    ],
)
def test_kinds_that_are_not_read(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=message):
        mapped_array(tmp_path / "a.npy")


@pytest.mark.parametrize(("place", "value", "message"), [(8, 1, "is encrypted"), (10, 12, "in a way that NumPy does")])
def test_archives_that_numpy_does_not_write(tmp_path, place, value, message):
    data = bytearray(npz(tmp_path / "a.npz", npy((4, 4))).read_bytes())
    data[data.index(b"PK\x01\x02") + place] = value
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match=message):
        Archive(tmp_path / "a.npz")


def test_a_damaged_number_is_told_by_its_checksum(tmp_path):
    path = npz(tmp_path / "a.npz", npy((4, 4)))
    data = bytearray(path.read_bytes())
    data[data.index(bytes(64)) + 3] = 1
    path.write_bytes(data)
    with Archive(path) as stored, pytest.raises(zipfile.BadZipFile, match="CRC"):
        stored["R"]


@pytest.mark.parametrize("names", [("R.npy", "R.npy"), ("R.npy", "R")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_arrays_of_a_name_neither_is_taken(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, last in zip(names, (b"\0", b"\1"), strict=True):
            archive.writestr(name, npy((4, 4), data=b"\0" * 63 + last))
    with pytest.raises(InputError, match=r"a\.npz: array 'R' occurs twice"):
        Archive(tmp_path / "a.npz")


def test_an_archive_whose_list_is_blanked_is_not_an_empty_one(tmp_path):
    np.savez(tmp_path / "none.npz")
    with Archive(tmp_path / "none.npz") as stored:
        assert not len(stored)
    np.savez(tmp_path / "a.npz", R=R)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:-18] + bytes(18))  # all of the end record but its mark
    with pytest.raises(InputError, match=r"a\.npz: its list of arrays is lost"):
        Archive(tmp_path / "a.npz")


@dataclass(frozen=True)
class Shared(ReadOnly):
    values: np.ndarray
    names: tuple[str, ...] = ("a",)
    further: np.ndarray | None = None


@dataclass(frozen=True)
class Holder(ReadOnly):
    some: list
    pair: tuple
    named: dict


def test_a_read_only_array_is_a_view_and_the_array_stays_its_owners():
    own = np.arange(3.0)
    view = read_only(own)
    own[0] = 7
    assert view.tolist() == [7, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def sent(protocol):
    return lambda one: pickle.loads(pickle.dumps(one, protocol))


@pytest.mark.parametrize("copied", [lambda one: one, lambda one: replace(one, names=("b",)), sent(2), sent(4), sent(5)])
def test_arrays_of_a_shared_result_cannot_be_written_to(copied):
    own = np.arange(3.0)
    shared = copied(Shared(own, further=np.zeros((2, 2))))
    assert shared.values.tolist() == [0, 1, 2]
    for array in (shared.values, shared.further):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert Shared(own).further is None
    own[0] = 1


@pytest.mark.parametrize("copied", [lambda one: one, sent(5)])
def test_arrays_in_containers_are_locked_and_the_owners_stay_as_they_are(copied):
    own = [np.arange(3.0), np.arange(2.0)]
    shared = copied(Holder(own, (own[0], "text"), {"a": own[1], "b": (own[0], own[1])}))
    for array in (*shared.some, shared.pair[0], shared.named["a"], *shared.named["b"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert shared.pair[1] == "text"
    assert (type(shared.some), type(shared.pair), list(shared.named)) == (list, tuple, ["a", "b"])
    own[0][0] = 1
    names = ["a", "b"]
    assert Holder(names, (), {}).some is names  # nothing to lock, no copy
