"""Values of bigWig files as the usual library reads them, and what is said of files that would end that library."""

import struct
import zlib

import numpy as np
import pyBigWig
import pytest

from fineprior.files.errors import InputError
from fineprior.sequence.bigwig import BigWig

LENGTHS = {"chr10": 60_000, "chr2": 5_000, "chrX": 900}


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(1)
    with pyBigWig.open(str(tmp_path / "a.bw"), "w") as track:
        track.addHeader(list(LENGTHS.items()))
        starts = np.cumsum(rng.integers(5, 12, 6000))
        values = rng.gamma(1, 2, 6000)
        track.addEntries(["chr10"] * 6000, starts.tolist(), ends=(starts + 5).tolist(), values=values.tolist())
        track.addEntries("chr2", 100, values=values[:300].tolist(), span=10, step=15)
        track.addEntries("chrX", [5, 50, 99], values=[1.0, 2.0, 3.0], span=7)
    return tmp_path / "a.bw"


@pytest.mark.slow
def test_values_are_those_of_the_usual_library(path):
    rng = np.random.default_rng(2)
    with BigWig(path) as found, pyBigWig.open(str(path)) as known:
        assert found.chroms() == known.chroms() == LENGTHS
        for chrom, length in LENGTHS.items():
            assert np.array_equal(found.values(chrom, 0, length), known.values(chrom, 0, length), equal_nan=True)
            for _ in range(100):
                start, end = np.sort(rng.choice(length + 1, 2, replace=False)).tolist()
                expected = np.array(known.values(chrom, start, end))
                assert np.array_equal(found.values(chrom, start, end), expected, equal_nan=True)


def test_a_file_without_values_and_one_without_compression(tmp_path, path):
    with pyBigWig.open(str(tmp_path / "none.bw"), "w") as track:
        track.addHeader([("chr1", 100)])
    with BigWig(tmp_path / "none.bw") as found:
        assert np.isnan(found.values("chr1", 0, 100)).all()
    with BigWig(by_hand(tmp_path / "plain.bw")) as found:
        assert np.nan_to_num(found.values("c", 8, 22), nan=-1).tolist() == [-1, -1, *[1.5] * 5, *[-1] * 5, 2.5, 2.5]


def by_hand(path, packed=False, items=((10, 15, 1.5), (20, 30, 2.5)), leaf=None, claims=None):
    """A bigWig of one block, as the format's description says; parts of it can be other than they should be."""
    block = struct.pack("<IIIIIBBH", 0, 10, 30, 0, 0, 1, 0, len(items))
    block += b"".join(struct.pack("<IIf", *item) for item in items)
    stored = zlib.compress(block) if packed else block
    chroms = struct.pack("<IIIIQQBBH", 0x78CA8C91, 1, 1, 8, 1, 0, 1, 0, 1) + b"c" + struct.pack("<II", 0, 100)
    data = 64 + len(chroms)
    index = data + 4 + len(stored)
    head = {"magic": 0x888FFC26, "version": 4, "zooms": 0, "chroms": 64, "data": data, "index": index} | (claims or {})
    header = struct.pack("<IHHQQQHHQQIQ", *head.values(), 0, 0, 0, 0, 1 << 15 if packed else 0, 0)
    where = leaf or (0, 10, 0, 30, data + 4, len(stored))
    tree = struct.pack("<IIQIIIIQII", 0x2468ACE0, 1, 1, 0, 10, 0, 30, index, 1, 0)
    tree += struct.pack("<BBH", 1, 0, 1) + struct.pack("<IIIIQQ", *where)
    path.write_bytes(header + chroms + struct.pack("<I", 1) + stored + tree)
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"claims": {"index": 1 << 40}},
        {"claims": {"chroms": 70}},
        {"claims": {"zooms": 500}},
        {"claims": {"data": 1 << 62, "index": 1 << 63}},
        {"leaf": (0, 10, 0, 30, 1 << 62, 48)},
        {"leaf": (0, 10, 0, 30, 90, 1 << 31)},
        {"leaf": (0, 10, 7, 30, 90, 48)},
        {"leaf": (0, 10, 0, 5000, 90, 48)},
        {"leaf": (0, 10, 0, 18, 81, 48)},
        {"items": ((10, 15, 1.5), (12, 30, 2.5))},
        {"items": ((15, 10, 1.5), (20, 30, 2.5))},
    ],
    ids=str,
)
@pytest.mark.parametrize("packed", [False, True])
def test_claims_that_cannot_be_are_named(tmp_path, change, packed):
    with pytest.raises(InputError, match=r"a\.bw: not a bigWig file that is whole"), BigWig(
        by_hand(tmp_path / "a.bw", packed, **change)
    ) as found:  # fmt: skip
        found.values("c", 0, 100)


def test_other_files_are_named(tmp_path, path):
    for content, words in (
        (path.read_bytes()[:64], "it ends before what its header or its index names"),
        (b"", "not a bigWig file that is whole"),
        (b"text and more of it", "not a bigWig file$"),
        (struct.pack("<I", 0x8789F2EB) + bytes(80), "a bigBed file; a track must be bigWig"),
        (struct.pack(">I", 0x888FFC26) + bytes(80), "of a big-endian machine"),
    ):
        (tmp_path / "b.bw").write_bytes(content)
        with pytest.raises(InputError, match=words):
            BigWig(tmp_path / "b.bw")
    with pytest.raises(InputError, match="no such bigWig file"):
        BigWig(tmp_path / "absent.bw")


def test_a_tree_that_bites_its_own_tail_ends(tmp_path):
    data = bytearray(by_hand(tmp_path / "a.bw").read_bytes())
    root = data.index(struct.pack("<I", 0x2468ACE0)) + 48
    data[root:] = struct.pack("<BBH", 0, 0, 1) + struct.pack("<IIIIQ", 0, 10, 0, 30, root) + bytes(8)
    (tmp_path / "a.bw").write_bytes(data)
    with pytest.raises(InputError, match="its index is damaged"):
        BigWig(tmp_path / "a.bw")


@pytest.mark.parametrize("place", ["header", "root", "leaf"])
def test_an_index_that_is_blanked_is_not_that_of_a_file_without_values(tmp_path, path, place):
    if place == "leaf":  # more blocks than one node of the index names
        starts = np.arange(250_000) * 2
        with pyBigWig.open(str(path), "w") as track:
            track.addHeader([("chr1", 500_000)])
            track.addEntries(
                ["chr1"] * len(starts), starts.tolist(), ends=(starts + 1).tolist(), values=[1.0] * len(starts)
            )
    content = bytearray(path.read_bytes())
    (index,) = struct.unpack_from("<Q", content, 24)
    at = {"header": 24, "root": index + 48, "leaf": index + 48}[place]
    if place == "leaf":
        leaf, _, _ = struct.unpack_from("<BBH", content, at)
        assert not leaf  # a branch, whose first item ends with the place of a leaf
        (at,) = struct.unpack_from("<Q", content, at + 4 + 16)
    content[at : at + 8] = bytes(8)
    (tmp_path / "b.bw").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        BigWig(tmp_path / "b.bw")


@pytest.mark.slow
@pytest.mark.parametrize(("count", "inner"), [(300, False), (70_000, True)])
def test_inner_nodes_of_the_tree_of_chromosomes(tmp_path, count, inner):
    """libBigWig keeps chromosomes in one leaf while 16 bits count them, and in leaves below inner nodes beyond that."""
    lengths = {f"scaffold_{number}": 100 + number % 50 for number in range(count)}
    with pyBigWig.open(str(tmp_path / "a.bw"), "w") as track:
        track.addHeader(list(lengths.items()), maxZooms=0)
        chosen = sorted({0, 1, 255, 256, count // 2, count - 1})
        for number in chosen:
            track.addEntries([f"scaffold_{number}"], [10], ends=[20], values=[float(number)])
    with BigWig(tmp_path / "a.bw") as found, pyBigWig.open(str(tmp_path / "a.bw")) as known:
        (root,) = struct.unpack("<Q", (tmp_path / "a.bw").read_bytes()[8:16])
        leaf, _, items = struct.unpack("<BBH", (tmp_path / "a.bw").read_bytes()[root + 32 : root + 36])
        assert (leaf, items > 1) == (not inner, True)
        assert found.chroms() == known.chroms() == lengths
        for number in [*chosen, 2]:
            name = f"scaffold_{number}"
            expected = np.array(known.values(name, 0, lengths[name]))
            assert np.array_equal(found.values(name, 0, lengths[name]), expected, equal_nan=True)
            assert np.isfinite(expected).sum() == (10 if number in chosen else 0)
