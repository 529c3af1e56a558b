"""Genotypes of a reference panel in PLINK 1 binary files: `<prefix>.bed`, `.bim`, `.fam`.

The .bed file holds one variant after another, four people in a byte, the first in the lowest two bits:
00 two copies of A1, 01 missing, 10 one copy, 11 none (https://www.cog-genomics.org/plink/1.9/formats#bed).
A1 is whatever the file says it is: neither the minor nor the alternative allele.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path

_MAGIC = b"\x6c\x1b\x01"
_BIM = ["chrom", "snp_id", "cm", "pos", "a1", "a2"]
_BYTES_AT_ONCE = 1 << 24
_CODES = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
_A1_COPIES = np.array([2, np.nan, 1, 0], np.float32)[_CODES]
"""(256, 4): copies of A1 of the four people of a byte."""
_FIELD = 21
_PACKED_COUNTS = np.array([0, 1, 1 << _FIELD, 1 << 2 * _FIELD], np.uint64)[_CODES].sum(1, dtype=np.uint64)
"""(256,): people of a byte with code 01, 10, 11, counted in three fields of 21 bits."""


class PlinkPanel:
    """A reference panel; nothing but the sizes is read until it is asked for.

    Raises
    ------
    InputError
        If one of the three files is absent or malformed, or the size of the .bed is not variants x people.
    """

    def __init__(self, prefix: str | Path) -> None:
        self.prefix = str(prefix)
        for suffix in (".bed", ".bim", ".fam"):
            if not Path(self.prefix + suffix).is_file():
                raise InputError(
                    f"{self.prefix}{suffix}: no such file; a panel is the prefix of PLINK .bed, .bim and .fam"
                )
        self.samples = _count_samples(Path(self.prefix + ".fam"))
        """Number of people."""
        if self.samples >= 1 << _FIELD:
            raise InputError(f"{self.prefix}.fam: {self.samples:,} people; at most {1 << _FIELD:,} can be read")

    @cached_property
    def variants(self) -> pd.DataFrame:
        """Table of the .bim: chrom, pos (1-based), snp_id, a1, a2 (upper case), in the order of the file."""
        return _read_bim(Path(self.prefix + ".bim"))

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        path = Path(self.prefix + ".bed")
        with path.open("rb") as handle:
            magic = handle.read(3)
        if magic[:2] != _MAGIC[:2]:
            raise InputError(f"{path}: not a PLINK 1 .bed file (it begins with 0x{magic.hex()}, not 0x6c1b01)")
        if magic != _MAGIC:
            raise InputError(f"{path}: individual-major .bed; only variant-major is read (plink --make-bed)")
        count, width = len(self.variants), (self.samples + 3) // 4
        size = path.stat().st_size
        if size != 3 + count * width:
            raise InputError(
                f"{path}: {size:,} bytes, but {count:,} variants (.bim) of {self.samples:,} people (.fam) make "
                f"{3 + count * width:,}; do the three files belong together?"
            )
        return np.memmap(path, np.uint8, "r", offset=3, shape=(count, width))

    def dosages(self, index: NDArray[np.integer]) -> NDArray[np.float32]:
        """Copies of A1 of each person at the variants `index` (p rows of the .bim, from 0).

        Returns
        -------
        float32 array of shape (n, p), NaN where missing, in column order (each variant contiguous).
        """
        index = self._checked(index)
        by_variant = np.empty((len(index), self.samples), np.float32)
        step = self._variants_at_once
        for first in range(0, len(index), step):
            packed = self._bytes[index[first : first + step]]
            by_variant[first : first + step] = _A1_COPIES[packed].reshape(len(packed), -1)[:, : self.samples]
        return by_variant.T

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """People (p, 4) with two, one and no copies of A1, and missing; all variants when `index` is None."""
        index = np.arange(len(self.variants)) if index is None else self._checked(index)
        counts = np.empty((len(index), 4), np.int64)
        step, padding, field = self._variants_at_once, -self.samples % 4, (1 << _FIELD) - 1
        for first in range(0, len(index), step):
            packed = np.array(self._bytes[index[first : first + step]])
            packed[:, -1] &= 0xFF >> 2 * padding  # writers should leave these bits 0; some do not
            sums = _PACKED_COUNTS[packed].sum(1, dtype=np.uint64).astype(np.int64)
            missing, one, none = sums & field, (sums >> _FIELD) & field, sums >> 2 * _FIELD
            two = self.samples - missing - one - none
            counts[first : first + step] = np.column_stack([two, one, none, missing])
        return counts

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1 among the called alleles; NaN where nobody is called; all when `index` is None."""
        two, one, none, _ = self.genotype_counts(index).T
        with np.errstate(invalid="ignore"):
            frequencies: NDArray[np.float64] = (2 * two + one) / (2 * (two + one + none))
        return frequencies

    @property
    def _variants_at_once(self) -> int:
        return max(_BYTES_AT_ONCE // (self.samples + 3), 1)

    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        index = np.asarray(index, dtype=np.int64)
        if len(index) and (index.min() < 0 or index.max() >= len(self.variants)):
            raise InputError(
                f"{self.prefix}.bim: variant {index.max()} asked for, but there are {len(self.variants):,}; "
                "was the panel changed after harmonisation?"
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


def _count_samples(path: Path) -> int:
    with path.open("rb") as handle:
        count = sum(1 for line in handle if line.strip())
    if not count:
        raise InputError(f"{path}: no people in this file")
    return count


def _read_bim(path: Path) -> pd.DataFrame:
    text = dict.fromkeys(["chrom", "snp_id", "a1", "a2"], "str")
    try:
        frame = pd.read_csv(path, sep=r"\s+", names=_BIM, dtype=text, keep_default_na=False, quoting=3)
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a .bim file ({str(error).strip()})") from None
    if frame.empty:
        raise InputError(f"{path}: no variants in this file")
    short = np.flatnonzero((frame["a2"] == "").to_numpy())
    if len(short) or not isinstance(frame.index, pd.RangeIndex):  # a longer first line becomes an index
        line = short[0] + 1 if len(short) else 1
        raise InputError(f"{path}, line {line}: not 6 columns; a .bim has {', '.join(_BIM)}")
    position = pd.to_numeric(frame["pos"], errors="coerce")
    wrong = np.flatnonzero(~((position % 1 == 0) & (position >= 0)))
    if len(wrong):
        shown = frame["pos"].iloc[wrong[0]]
        raise InputError(f"{path}, line {wrong[0] + 1}: position '{shown}' is not a whole number")
    frame["pos"] = position.astype("int64")
    for allele in ("a1", "a2"):
        frame[allele] = frame[allele].str.upper()
    return frame[["chrom", "pos", "snp_id", "a1", "a2"]]
