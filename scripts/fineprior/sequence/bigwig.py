"""Values of a bigWig file, read without a library: the usual one trusts the offsets and sizes in the file.

The format is that of Kent et al., Bioinformatics 2010 (https://doi.org/10.1093/bioinformatics/btq351, supplement). The
index of the file is held against its size and order once, when it is opened; blocks of values are read when they are
asked for, and what zlib has packed is checked by its checksum. Zoomed summaries are not looked at.
"""

import struct
import zlib
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.reading import reading

_BIGWIG, _BIGBED, _CHROMS, _INDEX = 0x888FFC26, 0x8789F2EB, 0x78CA8C91, 0x2468ACE0
_HEADER, _TREE_HEADER, _INDEX_HEADER = 64, 32, 48
_LONGEST_BLOCK = 1 << 24
_DEEPEST = 32
_KEPT = 64
"""Blocks that are kept unpacked."""
_BLOCK = np.dtype([("chrom", "<u4"), ("start", "<u4"), ("end", "<u4"), ("step", "<u4"), ("span", "<u4"), ("kind", "u1"),
                   ("reserved", "u1"), ("count", "<u2")])  # fmt: skip
_LEAF = np.dtype([("first_chrom", "<u4"), ("start", "<u4"), ("last_chrom", "<u4"), ("end", "<u4"), ("offset", "<u8"),
                  ("size", "<u8")])  # fmt: skip
_BRANCH = np.dtype([("first_chrom", "<u4"), ("start", "<u4"), ("last_chrom", "<u4"), ("end", "<u4"),
                    ("offset", "<u8")])  # fmt: skip
_ITEMS = {
    1: np.dtype([("start", "<u4"), ("end", "<u4"), ("value", "<f4")]),
    2: np.dtype([("start", "<u4"), ("value", "<f4")]),
    3: np.dtype([("value", "<f4")]),
}
"""Values with their places: each with its own; of one width; of one width and distance."""

_WHAT = "a bigWig file that is whole"
Intervals = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


class BigWig:
    """An open bigWig file; use it as a context manager.

    Raises
    ------
    InputError
        The file is absent, no bigWig (a bigBed, say) or cut off, or its parts do not fit one another.
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._where = Path(path), str(path)
        if not self._path.is_file():
            raise InputError(f"{path}: no such bigWig file")
        with reading(path, _WHAT):
            self._size = self._path.stat().st_size
            self._file = self._path.open("rb")
            (magic,) = struct.unpack("<I", self._bytes(0, 4))
            if magic == _BIGBED:
                raise InputError(f"{path}: a bigBed file; a track must be bigWig, or peaks named .bed or .narrowPeak")
            if magic == int.from_bytes(_BIGWIG.to_bytes(4, "little"), "big"):
                raise InputError(f"{path}: a bigWig file of a big-endian machine, which is not read")
            if magic != _BIGWIG:
                raise InputError(f"{path}: not a bigWig file")
            version, zooms, chroms, data, index = struct.unpack("<HHQQQ", self._bytes(4, 28))
            (unpacked,) = struct.unpack("<I", self._bytes(52, 4))
            empty = index == 0  # as libBigWig leaves a file without values
            if not (_HEADER <= chroms <= data and (data <= index or empty)) or unpacked > _LONGEST_BLOCK:
                raise self._odd("its header")
            if empty and self._bytes(data, 4) != bytes(4):  # an index that is lost, not one that is not needed
                raise self._odd("its header")
            if version not in {3, 4, 5} or _HEADER + 24 * zooms > chroms:
                raise self._odd("its header")
            self._unpacked = unpacked
            self._chroms = self._read_chroms(chroms)
            self._numbers = {number: name for name, (number, _) in self._chroms.items()}
            self._lengths = {number: length for number, length in self._chroms.values()}
            self._leaves = np.zeros(0, _LEAF) if empty else self._read_index(index, data)
            self._first = {number: int(np.searchsorted(self._leaves["last_chrom"], number)) for number in self._numbers}
            self._blocks: OrderedDict[int, Intervals] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def chroms(self) -> dict[str, int]:
        """Length (bp) of each chromosome, by the name that the file has."""
        return {name: length for name, (_, length) in self._chroms.items()}

    def values(self, chrom: str, start: int, end: int) -> NDArray[np.float64]:
        """Values (end - start,) of the bases from start (0-based) to end (exclusive); NaN where there is none.

        Raises
        ------
        InputError
            A block of values is damaged.
        """
        number, _ = self._chroms[chrom]
        found = np.full(max(end - start, 0), np.nan)
        with reading(self._path, _WHAT):
            first, leaves = self._first[number], self._leaves
            own = leaves[first : int(np.searchsorted(leaves["first_chrom"], number, "right"))]
            here = np.flatnonzero((own["first_chrom"] < number) | (own["start"] < end))
            own = own[: here[-1] + 1 if len(here) else 0]
            for row in np.flatnonzero((own["last_chrom"] > number) | (own["end"] > start)).tolist():
                starts, ends, values = self._block(first + row, number)
                inside = slice(int(np.searchsorted(ends, start, "right")), int(np.searchsorted(starts, end)))
                begins, stops = np.maximum(starts[inside], start), np.minimum(ends[inside], end)
                if len(begins):  # values and the gaps behind them, in turn
                    steps = np.column_stack([stops - begins, np.append(begins[1:], stops[-1]) - stops]).ravel()
                    filled = np.column_stack([values[inside], np.full(len(begins), np.nan)]).ravel()
                    found[begins[0] - start : stops[-1] - start] = np.repeat(filled, steps)
        return found

    def _read_chroms(self, at: int) -> dict[str, tuple[int, int]]:
        """Number and length of each chromosome: the leaves of a B+ tree."""
        magic, most, width, value_size, count, _ = struct.unpack("<IIIIQQ", self._bytes(at, _TREE_HEADER))
        if magic != _CHROMS or value_size != 8 or not 0 < width <= 1024 or not most or count * (width + 8) > self._size:
            raise self._odd("its list of chromosomes")
        found: dict[str, tuple[int, int]] = {}
        for place, leaf, items in self._nodes(at + _TREE_HEADER, width + 8, width + 8, "its list of chromosomes"):
            data = self._bytes(place, items * (width + 8))
            for row in range(items):
                entry = data[row * (width + 8) : (row + 1) * (width + 8)]
                if leaf:
                    name = entry[:width].rstrip(b"\0").decode()
                    if name in found or not name.isprintable() or not name:
                        raise self._odd("its list of chromosomes")
                    found[name] = struct.unpack("<II", entry[width:])
        numbers = {number for number, _ in found.values()}
        if not found or len(found) != count or numbers != set(range(count)):
            raise self._odd("its list of chromosomes")
        if min(length for _, length in found.values()) < 1 or max(length for _, length in found.values()) > 2**31:
            raise self._odd("the length of a chromosome")
        return found

    def _nodes(self, root: int, leaf_size: int, branch_size: int, what: str) -> "list[tuple[int, bool, int]]":
        """Nodes of a tree from left to right: place of the first item, whether it is a leaf, number of items."""
        found: list[tuple[int, bool, int]] = []
        waiting, seen = [(root, 0)], set()
        while waiting:
            at, depth = waiting.pop()
            if at in seen or depth > _DEEPEST:
                raise self._odd(what)
            seen.add(at)
            leaf, _, items = struct.unpack("<BBH", self._bytes(at, 4))
            if leaf > 1 or (not items and depth):
                raise self._odd(what)
            found.append((at + 4, bool(leaf), items))
            if not leaf:
                data = self._bytes(at + 4, items * branch_size)
                places = [struct.unpack("<Q", data[(row + 1) * branch_size - 8 : (row + 1) * branch_size])[0]
                          for row in range(items)]  # fmt: skip
                waiting += [(place, depth + 1) for place in reversed(places)]
        return found

    def _read_index(self, at: int, data: int) -> NDArray[Any]:
        """Blocks of values in their order: the leaves of an R tree, all at once."""
        what = "its index"
        (magic,) = struct.unpack("<I", self._bytes(at, _INDEX_HEADER)[:4])
        if magic != _INDEX:
            raise self._odd(what)
        parts = [np.zeros(0, _LEAF)]
        spans = [np.zeros(0, _BRANCH)]
        for place, leaf, items in self._nodes(at + _INDEX_HEADER, _LEAF.itemsize, _BRANCH.itemsize, what):
            kind = _LEAF if leaf else _BRANCH
            (parts if leaf else spans).append(np.frombuffer(self._bytes(place, items * kind.itemsize), kind))
        leaves, branches = np.concatenate(parts), np.concatenate(spans)
        (blocks,) = struct.unpack("<I", self._bytes(data, 4))  # or the number of values, by the format's text
        if blocks < len(leaves) or (blocks and not len(leaves)):
            raise self._odd(what)
        for each in (leaves, branches):
            ordered = (each["first_chrom"] < each["last_chrom"]) | (each["start"] <= each["end"])
            if not ordered.all() or (len(each) and int(each["last_chrom"].max()) >= len(self._chroms)):
                raise self._odd(what)
        far = leaves["offset"].astype(np.float64) + leaves["size"] > self._size
        if far.any() or (leaves["offset"] < data).any() or (leaves["size"] > _LONGEST_BLOCK).any():
            raise self._odd(what)
        lengths = np.array([self._lengths[number] for number in range(len(self._lengths))])
        starts, ends = _places(leaves["first_chrom"], leaves["start"]), _places(leaves["last_chrom"], leaves["end"])
        backwards = (starts[1:] < starts[:-1]).any() or (ends[1:] < ends[:-1]).any()
        if backwards or (leaves["end"] > lengths[leaves["last_chrom"]]).any():
            raise self._odd(what)
        return leaves

    def _block(self, row: int, number: int) -> Intervals:
        """Starts, ends and values of the items of a block that lie on a chromosome."""
        if row in self._blocks:
            self._blocks.move_to_end(row)
            return self._blocks[row]
        leaf = self._leaves[row]
        data = self._bytes(int(leaf["offset"]), int(leaf["size"]))
        if self._unpacked:
            unpacking = zlib.decompressobj()
            data = unpacking.decompress(data, _LONGEST_BLOCK)
            if not unpacking.eof:
                raise self._odd("a block of its values")
        head = np.frombuffer(data, _BLOCK, 1)[0]
        if int(head["kind"]) not in _ITEMS:
            raise self._odd("a block of its values")
        items = np.frombuffer(data, _ITEMS[int(head["kind"])], int(head["count"]), _BLOCK.itemsize)
        same = (int(leaf["first_chrom"]), int(leaf["last_chrom"]), int(head["chrom"])) == (number,) * 3
        if not len(items):  # libBigWig writes such blocks
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
        if head["kind"] == 3:
            starts = int(head["start"]) + int(head["step"]) * np.arange(len(items), dtype=np.int64)
        else:
            starts = items["start"].astype(np.int64)
        ends = items["end"].astype(np.int64) if head["kind"] == 1 else starts + int(head["span"])
        ordered = (starts[1:] >= ends[:-1]).all() and (starts < ends).all()
        if not same or not ordered or starts[0] < leaf["start"] or ends[-1] > leaf["end"]:
            raise self._odd("a block of its values")
        self._blocks[row] = (starts, ends, items["value"])
        if len(self._blocks) > _KEPT:
            self._blocks.popitem(last=False)
        return self._blocks[row]

    def _bytes(self, at: int, count: int) -> bytes:
        if at + count > self._size:
            raise InputError(f"{self._where}: not {_WHAT} (it ends before what its header or its index names)")
        self._file.seek(at)
        return self._file.read(count)

    def _odd(self, what: str) -> InputError:
        return InputError(f"{self._where}: not {_WHAT} ({what} is damaged); make it again, or fetch it again")


def _places(chrom: NDArray[Any], base: NDArray[Any]) -> NDArray[np.int64]:
    return (chrom.astype(np.int64) << 32) + base.astype(np.int64)
