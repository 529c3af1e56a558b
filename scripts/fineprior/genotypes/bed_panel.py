"""Genotypes of a reference panel in PLINK 1 binary files: `<prefix>.bed`, `.bim`, `.fam`.

The .bed file holds one variant after another, four people in a byte, the first in the lowest two bits:
00 two copies of A1, 01 missing, 10 one copy, 11 none (https://www.cog-genomics.org/plink/1.9/formats#bed).
A1 is whatever the file says it is: neither the minor nor the alternative allele.
"""

import io
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.reading import reading, unpacked
from fineprior.files.whole import atomic_path
from fineprior.genotypes.samples import kept_people, read_fam, read_men

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAGIC = b"\x6c\x1b\x01"
_COLUMNS = ["chrom", "pos", "snp_id", "a1", "a2"]
_BIM = ["chrom", "snp_id", "cm", "pos", "a1", "a2"]
_BYTES_AT_ONCE = 1 << 24
_LAST_POSITION = (1 << 31) - 2
"""The largest that PLINK takes."""
_WHOLE_BIM = 1 << 22
"""Bytes up to which a .bim is read whole."""
_CODES = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
_A1_COPIES = np.array([2, np.nan, 1, 0], np.float32)[_CODES]
"""(256, 4): copies of A1 of the four people of a byte."""
_FIELD = 21
_PACKED_COUNTS = np.array([0, 1, 1 << _FIELD, 1 << 2 * _FIELD], np.uint64)[_CODES].sum(1, dtype=np.uint64)
"""(256,): people of a byte with code 01, 10, 11, counted in three fields of 21 bits."""


class PlinkPanel:
    """A reference panel; nothing but the people is read until it is asked for.

    Parameters
    ----------
    prefix
        Path without suffix.
    samples
        File with one person on a line: the people to keep, see `genotypes.people`. All without it.

    Raises
    ------
    InputError
        If one of the three files is absent or malformed, or the size of the .bed is not variants x people.
    """

    def __init__(self, prefix: str | Path, samples: str | Path | None = None) -> None:
        self.name = str(prefix)
        """Path without suffix."""
        for suffix in (".bed", ".bim", ".fam"):
            if not Path(self.name + suffix).is_file():
                raise InputError(
                    f"{self.name}{suffix}: no such file; a panel is the prefix of PLINK .bed, .bim and .fam"
                )
        everybody = read_fam(self.name + ".fam")
        if len(everybody) >= 1 << _FIELD:
            raise InputError(f"{self.name}.fam: {len(everybody):,} people; at most {1 << _FIELD:,} can be read")
        self._everybody, self._width = len(everybody), (len(everybody) + 3) // 4
        self._kept = kept_people(samples, everybody, self.name)
        self.people = [everybody[row][1] for row in self._kept]
        """Names of the people, in the order of the panel."""

    @property
    def samples(self) -> int:
        """Number of people."""
        return len(self._kept)

    @cached_property
    def men(self) -> NDArray[np.bool_]:
        """(n,): whose sex is 1 in the .fam."""
        return read_men(self.name + ".fam")[self._kept]

    @cached_property
    def variants(self) -> pd.DataFrame:
        """Table of the .bim: chrom, pos (1-based), snp_id, a1, a2 (upper case), in the order of the file."""
        return _read_bim(Path(self.name + ".bim"))

    @cached_property
    def count(self) -> int:
        """Number of variants; .bed, .bim and .fam must agree on it."""
        path, bim = Path(self.name + ".bed"), Path(self.name + ".bim")
        with reading(path, "a PLINK 1 .bed file"), path.open("rb") as handle:
            magic = handle.read(3)
        if magic[:2] != _MAGIC[:2]:
            raise InputError(f"{path}: not a PLINK 1 .bed file (it begins with 0x{magic.hex()}, not 0x6c1b01)")
        if magic != _MAGIC:
            raise InputError(f"{path}: individual-major .bed; only variant-major is read (plink --make-bed)")
        size = path.stat().st_size
        count = len(self.variants) if bim.stat().st_size <= _WHOLE_BIM else _lines_at(bim, np.array([], np.int64))[1]
        if size != 3 + count * self._width:
            count = len(self.variants)  # a large .bim may have empty lines
        if size != 3 + count * self._width:
            raise InputError(
                f"{path}: {size:,} bytes, but {count:,} variants (.bim) of {self._everybody:,} people (.fam) make "
                f"{3 + count * self._width:,}; do the three files belong together?"
            )
        return count

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        shape = (self.count, self._width)
        with reading(self.name + ".bed", "a PLINK 1 .bed file"):
            return np.memmap(Path(self.name + ".bed"), np.uint8, "r", offset=3, shape=shape)

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants` for a table with a column panel_index; of a large .bim no others are kept.

        Raises
        ------
        InputError
            There is no such row, or .bim and .bed disagree.
        """
        index, path = self._checked(wanted["panel_index"].to_numpy(np.int64)), Path(self.name + ".bim")
        if "variants" in self.__dict__:
            return self.variants.iloc[index]
        return _read_bim(path, _lines_at(path, index)[0]) if len(index) else pd.DataFrame(columns=_COLUMNS)

    def dosages(self, index: NDArray[np.integer], people: slice = slice(None)) -> NDArray[np.float32]:
        """Copies of A1 of each person at the variants `index` (p rows of the .bim, from 0).

        Returns
        -------
        float32 array of shape (n, p), NaN where missing, in column order (each variant contiguous); with `people`
        of that part of them.
        """
        index, kept = self._checked(index), self._kept[people]
        by_variant = np.empty((len(index), len(kept)), np.float32)
        if not len(kept):
            return by_variant.T
        first_byte, last_byte = int(kept[0]) // 4, int(kept[-1]) // 4 + 1
        columns = kept - 4 * first_byte
        every = len(kept) == kept[-1] - kept[0] + 1
        chosen = slice(int(columns[0]), int(columns[-1]) + 1) if every else columns
        step = max(_BYTES_AT_ONCE // (64 * (last_byte - first_byte)), 1)  # 4 MB of dosages: they stay in the cache
        for first in range(0, len(index), step):
            packed = self._bytes[index[first : first + step], first_byte:last_byte]
            by_variant[first : first + step] = _A1_COPIES[packed].reshape(len(packed), -1)[:, chosen]
        return by_variant.T

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """People (p, 4) with two, one and no copies of A1, and missing; all variants when `index` is None."""
        index = np.arange(self.count) if index is None else self._checked(index)
        counts = np.empty((len(index), 4), np.int64)
        codes = np.zeros(4 * self._width, np.uint8)
        codes[self._kept] = 3
        # People who are not kept, and bits beyond the last person (some writers fill them), become code 00.
        mask = np.bitwise_or.reduce(codes.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8), axis=1)
        step, field = max(_BYTES_AT_ONCE // (4 * self._width), 1), (1 << _FIELD) - 1
        for first in range(0, len(index), step):
            packed = self._bytes[index[first : first + step]] & mask
            sums = _PACKED_COUNTS[packed].sum(1, dtype=np.uint64).astype(np.int64)
            missing, one, none = sums & field, (sums >> _FIELD) & field, sums >> 2 * _FIELD
            two = self.samples - missing - one - none
            counts[first : first + step] = np.column_stack([two, one, none, missing])
        return counts

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1 among the called alleles; NaN where nobody is called; all when `index` is None."""
        return frequencies_of(self.genotype_counts(index))

    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        return checked_index(index, self.count, f"{self.name}.bim")


def frequencies_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Frequency (p,) of the counted allele, from people (p, 4) with two, one, no copies and missing."""
    two, one, none, _ = counts.T
    with np.errstate(invalid="ignore"):
        frequencies: NDArray[np.float64] = (2 * two + one) / (2 * (two + one + none))
    return frequencies


def checked_index(index: NDArray[np.integer], count: int, where: str) -> NDArray[np.integer]:
    """The rows of a panel as integers.

    Raises
    ------
    InputError
        One is not below `count`.
    """
    index = np.asarray(index, dtype=np.int64)
    if len(index) and (index.min() < 0 or index.max() >= count):
        raise InputError(
            f"{where}: variant {index.max()} asked for, but there are {count:,}; was the panel changed after "
            "harmonisation?"
        )
    return index


def write_panel(
    prefix: str | Path, variants: pd.DataFrame, chunks: Iterable[NDArray[np.int8]], people: list[str] | None = None
) -> None:
    """Write PLINK .bed, .bim and .fam.

    Parameters
    ----------
    prefix
        Path without suffix.
    variants
        Columns chrom, pos, snp_id, a1, a2: one row for each column of the chunks.
    chunks
        Arrays (n, k) of copies of A1: 0, 1, 2, or -1 for missing; consecutive runs of variants.
    people
        Names of the n people; 1, 2, ... when None.

    Raises
    ------
    ValueError
        If the chunks do not fit one another or `variants`.
    """
    code_of_copies = np.array([3, 2, 0, 1], np.uint8)  # of 0, 1, 2 and (index -1) missing
    written, samples = 0, len(people) if people is not None else -1
    with atomic_path(f"{prefix}.bed") as bed, atomic_path(f"{prefix}.bim") as bim, atomic_path(f"{prefix}.fam") as fam:
        with bed.open("wb") as handle:
            handle.write(_MAGIC)
            for chunk in chunks:
                samples = len(chunk) if samples < 0 else samples
                if len(chunk) != samples or not np.isin(chunk, [-1, 0, 1, 2]).all():
                    raise ValueError(f"chunk of shape {chunk.shape}: needs {samples} rows of -1, 0, 1, 2")
                codes = np.zeros((chunk.shape[1], (samples + 3) // 4 * 4), np.uint8)
                codes[:, :samples] = code_of_copies[chunk.T]
                grouped = codes.reshape(len(codes), (samples + 3) // 4, 4) << np.array([0, 2, 4, 6], np.uint8)
                handle.write(np.bitwise_or.reduce(grouped, axis=2).tobytes())
                written += len(codes)
        if written != len(variants):
            raise ValueError(f"{written} variants in the chunks, {len(variants)} in the table")
        variants.assign(cm=0)[_BIM].to_csv(bim, sep="\t", header=False, index=False)
        names = people if people is not None else [str(i + 1) for i in range(samples)]
        fam.write_text("".join(f"{name}\t{name}\t0\t0\t0\t-9\n" for name in names))


def _lines_at(path: Path, rows: NDArray[np.integer]) -> tuple[list[bytes], int]:
    """The lines `rows` of a file (from 0), and how many lines it has; no other line is kept."""
    wanted, place = np.unique(rows, return_inverse=True)
    lines: list[bytes] = []
    done, rest = 0, b""
    with reading(path, "a .bim file"), unpacked(path) as handle:
        while block := handle.read(_BYTES_AT_ONCE):
            block = rest + block if done or rest else block.removeprefix(_BYTE_ORDER_MARK)
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            starts = np.concatenate([[0], ends + 1])
            here = wanted[np.searchsorted(wanted, done) : np.searchsorted(wanted, done + len(ends))] - done
            lines += [block[starts[row] : ends[row]] for row in here]
            done += len(ends)
            rest = block[starts[-1] :]
    if rest:
        lines += [rest] if done in wanted else []
        done += 1
    lines += [b""] * (len(wanted) - len(lines))
    return [lines[row] for row in place], done


def _read_bim(path: Path, lines: list[bytes] | None = None) -> pd.DataFrame:
    """Table of a .bim, or of some lines of it."""
    text = dict.fromkeys(["chrom", "snp_id", "a1", "a2"], "str")
    with reading(path, "a .bim file"), unpacked(path) if lines is None else io.BytesIO(b"\n".join(lines)) as source:
        frame = pd.read_csv(source, sep=r"\s+", names=_BIM, dtype=text, keep_default_na=False, quoting=3)
    if frame.empty:
        raise InputError(f"{path}: no variants in this file")
    short = np.flatnonzero((frame["a2"] == "").to_numpy())
    if len(short) or not isinstance(frame.index, pd.RangeIndex):  # a longer first line becomes an index
        line = short[0] + 1 if len(short) else 1
        raise InputError(f"{path}, line {line}: not 6 columns; a .bim has {', '.join(_BIM)}")
    if frame.iloc[0].astype("str").str.startswith('"').any():  # as R writes text
        frame = frame.apply(lambda column: column if column.dtype.kind in "if" else column.astype("str").str.strip('"'))
    position = pd.to_numeric(frame["pos"], errors="coerce")
    wrong = np.flatnonzero(~((position % 1 == 0) & (position >= 0) & (position <= _LAST_POSITION)))
    if len(wrong):
        shown = frame["pos"].iloc[wrong[0]]
        raise InputError(
            f"{path}, line {wrong[0] + 1}: position '{shown}' is not a whole number from 0 to {_LAST_POSITION}"
        )
    frame["pos"] = position.astype("int64")
    for allele in ("a1", "a2"):
        frame[allele] = frame[allele].str.upper()
    return frame[_COLUMNS]
