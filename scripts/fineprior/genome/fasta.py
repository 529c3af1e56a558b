"""The reference genome: a FASTA file read as codes of bases, through an index that is checked first.

htslib takes an index (.fai, and .gzi of a bgzip file) as it is; with that of another file, bases would be read from
wrong places. The check looks at where each sequence begins and ends, which takes milliseconds; only where the index is
older than the FASTA file does it make the index anew and compare.
"""

import logging
import tempfile
import zlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.reading import is_bgzip, reading
from fineprior.files.whole import sha256
from fineprior.genome.contigs import Contigs
from fineprior.genome.fasta_index import IndexLine, index_of, read_index

BASES = "ACGT"
UNKNOWN = 4
"""Code of everything that is not A, C, G or T, and of positions outside of a contig."""

_CODE_OF_BYTE = np.full(256, UNKNOWN, np.uint8)
_CODE_OF_BYTE[np.frombuffer(BASES.encode(), np.uint8)] = np.arange(4)
_CODE_OF_BYTE[np.frombuffer(BASES.lower().encode(), np.uint8)] = np.arange(4)
_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN], np.uint8)

_LONGEST_HEADER = 1 << 14
_BEHIND = 1 << 9
_BLOCK = 1 << 16
_LOOKED_AT = 64
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = "\ufeff".encode()
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_AGAIN = "delete that (it is then made again)"

log = logging.getLogger(__name__)


def codes_of(sequence: str) -> NDArray[np.uint8]:
    """Codes of a sequence's letters: 0, 1, 2, 3 for A, C, G, T in either case, 4 for all others."""
    codes: NDArray[np.uint8] = _CODE_OF_BYTE[np.frombuffer(sequence.encode("latin-1", "replace"), np.uint8)]
    return codes


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes (..., length) of the other strand, read in its own direction."""
    turned: NDArray[np.uint8] = _COMPLEMENT[codes[..., ::-1]]
    return turned


class Genome:
    """A reference genome in a FASTA file, plain or bgzip; an index (.fai) is made beside it when there is none.

    Use it as a context manager.

    Raises
    ------
    InputError
        If the file is absent, not FASTA, compressed with gzip instead of bgzip, or cannot be indexed, or begins with a
        byte-order mark; or an index that is there is malformed, or not that of this file as it is now.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        import pysam  # here, so that the codes of bases can be had without it

        if not self.path.is_file():
            raise InputError(f"{path}: no such file; genome.fasta must be a FASTA file, plain or bgzip")
        _check_text(self.path)
        if index_of(path).is_file():
            read_index(path)
        check_block_index(self.path)
        quiet = pysam.set_verbosity(0)
        try:
            self._file = pysam.FastaFile(str(path))
        except (OSError, ValueError):
            raise InputError(
                f"{path}: {_why_unreadable(self.path)}; allowed: FASTA, plain or bgzip, with {self.path.name}.fai "
                "beside it or in a folder that can be written"
            ) from None
        finally:
            pysam.set_verbosity(quiet)
        check_index(self.path)
        self.contigs: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))
        """Length (bp) of each contig, in the order of the file."""
        if not self.contigs:
            raise InputError(f"{path}: no sequence in this FASTA file")
        self.names = Contigs(path, self.contigs)
        """Which contig a name means."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def find(self, chrom: str, plink: bool = False) -> str | None:
        """Name of the contig that `chrom` means, or None when absent (see `Contigs.find`).

        Raises
        ------
        InputError
            No contig has this very name, and several have the same plain name.
        """
        return self.names.find(chrom, plink)

    def resolve(self, chrom: str) -> str:
        """As `find`, for a contig that must be there.

        Raises
        ------
        InputError
            If the genome has no such contig.
        """
        contig = self.find(chrom)
        if contig is None:
            raise InputError(f"{self.path}: no contig '{chrom}'; there are {self.names}")
        return contig

    def codes(self, chrom: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes of the bases from `start` to `end` (0-based, half-open).

        Returns
        -------
        uint8 array of shape (end - start,): 0, 1, 2, 3 for A, C, G, T; 4 for other letters and for positions
        outside of the contig.

        Raises
        ------
        InputError
            If the genome has no such contig, or the file is damaged there.
        """
        contig = self.resolve(chrom)
        codes = np.full(max(end - start, 0), UNKNOWN, np.uint8)
        first, last = max(start, 0), min(end, self.contigs[contig])
        if first < last:
            with reading(self.path, "a FASTA file", "is the file whole?"):
                bases = self._file.fetch(contig, first, last)
            if len(bases) != last - first:
                raise InputError(
                    f"{self.path}: only {len(bases)} of {last - first} bases at {contig}:{first}-{last}; the file is "
                    "damaged or was changed"
                )
            codes[first - start : last - start] = codes_of(bases)
        return codes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the FASTA file; takes some seconds for a human genome."""
        return sha256(self.path)


def _check_text(path: Path) -> None:
    """Stop at a text that htslib would refuse, or index, without saying what is wrong with it.

    Raises
    ------
    InputError
        The file is in UTF-16, begins with a byte-order mark, or has line ends of CR alone.
    """
    with reading(path, "a FASTA file"), path.open("rb") as handle:
        start = handle.read(_BLOCK)
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(31).decompress(start)
        except zlib.error:
            return  # damaged, which is said where it is read
    if start.startswith(_BYTE_ORDER_MARK):
        raise InputError(f"{path}: begins with a byte-order mark; save it as UTF-8 without one")
    if start.startswith(_UTF_16):
        raise InputError(f"{path}: text in UTF-16: save it as UTF-8")
    if start.startswith(b">") and b"\r" in start and b"\n" not in start:
        raise InputError(f"{path}: lines end with CR alone; write them with LF (tr '\\r' '\\n')")


def _why_unreadable(path: Path) -> str:
    """What htslib does not say of a FASTA file that it cannot open."""
    with path.open("rb") as handle:
        start = handle.read(16)
    index = index_of(path)
    if start.startswith(_GZIP):
        return "compressed by gzip, not bgzip, or damaged; unpack it, or compress it by bgzip"
    if not start.startswith(b">"):
        return f"not a FASTA file ({'it does not begin with >' if start else 'it is empty'})"
    if index.exists():
        return f"its index {index} is not one; delete that (it is then made again)"
    return f"no {index.name} can be made (its folder cannot be written, or a sequence has lines of different lengths)"


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
