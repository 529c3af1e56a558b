"""Whether the index of a FASTA file is the index of that file; otherwise bases would be read from wrong places.

htslib takes an index (.fai, and .gzi of a bgzip file) as it is. The check looks at where each sequence begins and ends,
which takes milliseconds; only where the index is older than the FASTA file does it make the index anew and compare.
"""

import logging
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.fasta_index import IndexLine, index_of, read_index
from fineprior.foundation.reading import is_bgzip

_LONGEST_HEADER = 1 << 14
_BEHIND = 1 << 9
_BLOCK = 1 << 16
_LOOKED_AT = 64
_GZIP = b"\x1f\x8b"
_AGAIN = "delete that (it is then made again)"

log = logging.getLogger(__name__)


def check_block_index(path: Path) -> None:
    """Check the form of the index of a bgzip file (.gzi) that is there.

    Raises
    ------
    InputError
        It is no such index, or that of another file.
    """
    index = Path(f"{path}.gzi")
    if _starts_as_gzip(path) and index.is_file():
        _BgzipBytes(path, index)


def check_index(path: Path) -> None:
    """Check that the sequences of an index are where it says, and that it holds all of the FASTA file.

    A sequence with bases that is not in the index is a warning: some cut the index down to what they use.

    Raises
    ------
    InputError
        The index is that of another file or of an earlier state, or two sequences have the same name.
    """
    lines = read_index(path)
    index = index_of(path)
    size, read = _bytes_of(path)
    heads: dict[int, str] = {}
    for line in lines:
        if line.end > size or not _lines_fit(line, read) or (head := _head(line, read)) is None:
            raise _wrong(index, line)
        heads[head] = line.name
    unknown = []
    names = set(heads.values())
    for before in [None, *lines]:
        place = before.end if before else 0
        while (found := _next_head(place, read)) is not None:
            at, name, place = found
            if not name and before:
                raise _wrong(index, before)
            if not name or at in heads:
                break
            if name in names:
                raise InputError(f"{path}: two sequences are named '{name}'; names must differ (or delete {index}, if "
                                 "it is that of an earlier state)")  # fmt: skip
            if not _is_empty(place, read):
                unknown.append(name)
                break
    if index.stat().st_mtime_ns < path.stat().st_mtime_ns:
        _compare_with_new(path, lines)
    if unknown:
        log.warning("%s: sequence '%s'%s of the FASTA file is not in this index, and nothing of it is read; if that is "
                    "not meant, delete the index", index, unknown[0],
                    f" (and {len(unknown) - 1} further)" * (len(unknown) > 1))  # fmt: skip


def _wrong(index: Path, line: IndexLine) -> InputError:
    return InputError(
        f"{index}: sequence '{line.name}' is not where this index says; it is that of another FASTA file or of an "
        f"earlier state: {_AGAIN}"
    )


def _head(line: IndexLine, read: Callable[[int, int], bytes]) -> int | None:
    """Where the header of a sequence begins; None when it does not stand right before its first base."""
    begin = max(line.offset - _LONGEST_HEADER, 0)
    text = read(begin, line.offset - begin)
    at = text[:-1].rfind(b"\n") + 1
    header = text[at:-1].split()
    named = header[:1] == [b">" + line.name.encode("latin-1")]
    return begin + at if text[-1:] == b"\n" and named else None


def _lines_fit(line: IndexLine, read: Callable[[int, int], bytes]) -> bool:
    """Whether the first line of a sequence ends, and the last one begins and ends, where the index says."""
    if not line.length:
        return True
    last = line.offset + (line.length - 1) // line.bases * line.width
    begin, end = read(last - 1, 2), read(line.end - 1, 2)
    fits = begin[:1].isspace() and not begin[1:].isspace() and not end[:1].isspace() and end[1:].strip() == b""
    if line.length > line.bases:
        around = read(line.offset + line.bases - 1, line.width - line.bases + 2)
        fits &= not around[:1].isspace() and around[1:-1].isspace() and not around[-1:].isspace()
    return fits


def _next_head(place: int, read: Callable[[int, int], bytes]) -> tuple[int, str, int] | None:
    """Where the next header begins behind the end of a sequence, its name and where it ends; None at the end.

    The name is empty where something else than a header comes next.
    """
    text = read(place, _BEHIND)
    rest = text.lstrip()
    if not rest:
        return None
    at = place + len(text) - len(rest)
    if not rest.startswith(b">"):
        return at, "", at
    header = read(at, _LONGEST_HEADER).split(b"\n", 1)[0]
    return at, (header[1:].split() or [b"?"])[0].decode("latin-1"), at + len(header) + 1


def _is_empty(place: int, read: Callable[[int, int], bytes]) -> bool:
    """Whether no base follows a header that ends here: the indexer passes over such a sequence."""
    return read(place, _BEHIND).lstrip()[:1] in (b"", b">")


def _compare_with_new(path: Path, lines: list[IndexLine]) -> None:
    import pysam

    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.resolve())
        quiet = pysam.set_verbosity(0)
        try:
            pysam.faidx(str(link))  # type: ignore[attr-defined]
            anew = {line.name: line for line in read_index(link)}
        except pysam.utils.SamtoolsError:
            raise InputError(
                f"{path}: no index can be made of it (is it whole, and has each sequence lines of one length?), and "
                f"{index_of(path)} is of an earlier state"
            ) from None
        finally:
            pysam.set_verbosity(quiet)
    known = {line.name: line for line in lines}
    for name in [*anew, *known]:
        if anew.get(name) != known.get(name):
            raise InputError(
                f"{index_of(path)}: older than the FASTA file, and not its index any more (sequence '{name}'); {_AGAIN}"
            )
    log.info("%s is older than the FASTA file, and still its index; `touch` it to save this check", index_of(path))


def _starts_as_gzip(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == _GZIP


def _bytes_of(path: Path) -> tuple[int, Callable[[int, int], bytes]]:
    """Number of (unpacked) bytes, and a function that reads some: first and number."""
    if _starts_as_gzip(path):
        packed = _BgzipBytes(path, Path(f"{path}.gzi"))
        return packed.size, packed.read

    def read(first: int, count: int) -> bytes:
        with path.open("rb", buffering=0) as handle:
            handle.seek(first)
            return handle.read(count)

    return path.stat().st_size, read


class _BgzipBytes:
    """Unpacked bytes of a bgzip file, by its index of blocks.

    Raises
    ------
    InputError
        The index is none, or that of another file.
    """

    def __init__(self, path: Path, index: Path) -> None:
        self._path, self._index = path, index
        self._last: tuple[int, int, bytes] = (-1, 0, b"")
        raw = index.read_bytes()
        count = int.from_bytes(raw[:8], "little")
        if len(raw) < 8 or len(raw) != 8 + 16 * count:
            raise InputError(f"{index}: not an index of a bgzip file, or damaged; {_AGAIN}")
        pairs = np.frombuffer(raw, "<u8", offset=8).reshape(-1, 2)
        packed = path.stat().st_size
        if (pairs >= 1 << 62).any():
            raise self._other()
        places = np.concatenate([np.zeros((1, 2), np.int64), pairs.astype(np.int64)])
        steps = np.diff(places, axis=0)
        if places[-1, 0] >= packed or (steps[:, 0] <= 0).any() or (steps[:, 1] < 0).any() or (steps > _BLOCK).any():
            raise self._other()
        self._places: NDArray[np.int64] = places
        for place in np.unique(np.linspace(0, len(places) - 1, _LOOKED_AT).astype(int)):
            self._block(int(places[place, 0]))
        at, self.size = places[-1].tolist()
        length, text = self._block(at)
        at, self.size = at + length, self.size + len(text)
        while at < packed:
            length, text = self._block(at)
            if text:  # a block that the index has not
                raise self._other()
            at += length

    def read(self, first: int, count: int) -> bytes:
        """Bytes from `first`, fewer at the end."""
        number = int(np.searchsorted(self._places[:, 1], first, "right")) - 1
        at, start = self._places[number].tolist()
        text, packed = b"", self._path.stat().st_size
        while start + len(text) < first + count and at < packed:
            length, block = self._block(at)
            text, at = text + block, at + length
        return text[first - start : first - start + count]

    def _block(self, at: int) -> tuple[int, bytes]:
        """Packed length and bytes of the block that begins at a place of the file."""
        if self._last[0] == at:
            return self._last[1:]
        with self._path.open("rb") as handle:
            handle.seek(at)
            raw = handle.read(_BLOCK)
        if not is_bgzip(raw):
            raise self._other()
        length = int.from_bytes(raw[16:18], "little") + 1
        try:
            self._last = (at, length, zlib.decompress(raw[:length], 31))
        except zlib.error:
            raise InputError(f"{self._path}: damaged or cut off at byte {at:,}; is the file whole?") from None
        return self._last[1:]

    def _other(self) -> InputError:
        return InputError(f"{self._index}: not the index of this FASTA file, or that of an earlier state; {_AGAIN}")
