"""Genotypes of a panel in PLINK 1 (.bed, .bim, .fam) or PLINK 2 files (.pgen, .pvar, .psam), by pgenlib.

A1 is the allele whose copies are counted: in a .bim its fifth column, neither the minor nor the alternative allele by
rule (https://www.cog-genomics.org/plink/1.9/formats#bed); in a .pvar the alternative allele, and a variant with several
alternatives is one row for each (https://www.cog-genomics.org/plink/2.0/formats#pgen). Dosages are read where a .pgen
has them, hard calls otherwise.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pgenlib
import pyarrow as pa
from numpy.typing import NDArray

from fineprior.files.arrays import read_only
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, unpacked
from fineprior.genotypes.dosages import checked_index, mean_of_called
from fineprior.genotypes.samples import check_text, kept_samples, read_fam, read_males, read_psam

COLUMNS = ["chrom", "pos", "snp_id", "a1", "a2"]
"""Columns of the variants of every panel."""
_VALUES_AT_ONCE = 1 << 20
"""Dosages that are read at once: they stay in the cache until they are checked."""
_MOST_COPIES = 2 + 1e-4

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAGIC = b"\x6c\x1b\x01"
_BIM = ["chrom", "snp_id", "cm", "pos", "a1", "a2"]
_BYTES_AT_ONCE = 1 << 24
_LAST_POSITION = (1 << 31) - 2
"""The largest that PLINK takes."""
_WHOLE_BIM = 1 << 22
"""Bytes up to which a .bim is read whole."""

_ROWS_AT_ONCE = 1 << 18
_FIRST_DIGIT = 10


class _PlinkFiles(ABC):
    """What both formats share: the samples, and genotypes through pgenlib."""

    _genotypes: str
    """Suffix of the file of genotypes."""
    _reader: pgenlib.PgenReader
    count: int

    def __init__(self, prefix: str, everybody: list[tuple[str, str]], sexes: str, samples: str | Path | None) -> None:
        self.name = prefix
        """Path without suffix."""
        self._everybody, self._sexes = len(everybody), sexes
        self._kept = kept_samples(samples, everybody, self.name)
        self.sample_ids = [everybody[row][1] for row in self._kept]
        """Names of the samples, in the order of the panel."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._kept)

    @cached_property
    def males(self) -> NDArray[np.bool_]:
        """(n,): whose sex is male in the .fam or .psam."""
        return read_only(read_males(self.name + self._sexes)[self._kept])

    def _opened(self, what: str, **known: Any) -> pgenlib.PgenReader:
        """A reader of the genotypes; `what` the file should be, with its article, for messages."""
        path = self.name + self._genotypes
        subset = None if self.samples == self._everybody else self._kept.astype(np.uint32)
        with reading(path, what), _text_of_errors():
            return pgenlib.PgenReader(path.encode(), raw_sample_ct=self._everybody, sample_subset=subset, **known)

    def _located(self, index: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Variant of the file, and number of its counted allele, of rows of `variants`."""
        return index, np.ones(len(index), np.int64)

    def dosages(self, index: NDArray[np.integer], samples: slice = slice(None)) -> NDArray[np.float32]:
        """Copies of A1 (whole, or dosages) of each sample at the variants `index` (p rows of `variants`, from 0).

        Returns
        -------
        float32 array of shape (n, p), NaN where missing, in column order (each variant contiguous); with `samples` of
        that part of them.
        """
        variants, alleles = self._located(self._checked(index))
        kept = self._kept[samples]
        found = np.empty((len(variants), len(kept)), np.float32)
        if not found.size:
            return found.T
        reader, step = self._reader, max(_VALUES_AT_ONCE // len(kept), 1)
        if samples != slice(None):
            reader.change_sample_subset(kept.astype(np.uint32))
        try:
            with reading(self.name + self._genotypes, f"a whole {self._genotypes} file"), _text_of_errors():
                for allele in np.unique(alleles).tolist():
                    rows = np.flatnonzero(alleles == allele)
                    for first in range(0, len(rows), step):
                        part = rows[first : first + step]
                        together = part[-1] - part[0] == len(part) - 1  # as nearly always: read into its place
                        values = found[part[0] : part[-1] + 1] if together else np.empty_like(found[part])
                        reader.read_dosages_list(variants[part].astype(np.uint32), values, allele_idx=allele)
                        values[values < 0] = np.nan
                        if (values > _MOST_COPIES).any():
                            raise InputError(f"{self.name}{self._genotypes}: damaged: a dosage above 2")
                        if not together:
                            found[part] = values
        finally:
            if samples != slice(None):
                reader.change_sample_subset(self._kept.astype(np.uint32))
        return found.T

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """Samples (p, 4) with two, one and no copies of A1, and missing, by calls; of all variants without `index`."""
        index = np.arange(self.count) if index is None else self._checked(index)
        variants, alleles = self._located(index)
        counts = np.empty((len(index), 4), np.int64)
        counted, calls = np.empty(4, np.uint32), np.empty(self.samples, np.int8)
        several = self._has_several(variants)
        reader = self._reader
        with reading(self.name + self._genotypes, f"a whole {self._genotypes} file"), _text_of_errors():
            for row, (variant, allele) in enumerate(zip(variants.tolist(), alleles.tolist(), strict=True)):
                if several[row]:  # pgenlib 0.95 counts other alleles than the one that is required
                    reader.read(variant, calls, allele_idx=allele)
                    counts[row] = [(calls == copies).sum() for copies in (2, 1, 0, -9)]
                else:
                    reader.count(variant, counted)
                    counts[row] = counted
        counts[~several] = counts[~several][:, [2, 1, 0, 3]]
        return counts

    def _has_several(self, variants: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which variants of the file have several alternatives."""
        return np.zeros(len(variants), bool)

    @abstractmethod
    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        """The rows that are asked for, none of them outside of the file."""


class PlinkPanel(_PlinkFiles):
    """A panel in PLINK 1 files; nothing but the samples is read until it is needed.

    Parameters
    ----------
    prefix
        Path without suffix.
    samples
        File with one sample on a line: those to keep, see `genotypes.samples`. All without it.

    Raises
    ------
    InputError
        If one of the three files is absent or malformed, or the size of the .bed is not variants x samples.
    """

    _genotypes = ".bed"

    def __init__(self, prefix: str | Path, samples: str | Path | None = None) -> None:
        for suffix in (".bed", ".bim", ".fam"):
            if not Path(f"{prefix}{suffix}").is_file():
                raise InputError(f"{prefix}{suffix}: no such file; a panel is the prefix of PLINK .bed, .bim and .fam")
        super().__init__(str(prefix), read_fam(f"{prefix}.fam"), ".fam", samples)

    @cached_property
    def variants(self) -> pd.DataFrame:
        """Table of the .bim: chrom, pos (1-based), snp_id, a1, a2 (upper case), in the order of the file."""
        return _read_bim(Path(self.name + ".bim"))

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        """Number of variants; .bed, .bim and .fam must agree on it."""
        path, bim = Path(self.name + ".bed"), Path(self.name + ".bim")
        with reading(path, "a PLINK 1 .bed file"), path.open("rb") as handle:
            magic = handle.read(3)
        if magic[:2] != _MAGIC[:2]:
            raise InputError(f"{path}: not a PLINK 1 .bed file (it begins with 0x{magic.hex()}, not 0x6c1b01)")
        if magic != _MAGIC:
            raise InputError(f"{path}: individual-major .bed; only variant-major is read (plink --make-bed)")
        size, width = path.stat().st_size, (self._everybody + 3) // 4
        count = len(self.variants) if bim.stat().st_size <= _WHOLE_BIM else _lines_at(bim, np.array([], np.int64))[1]
        if size != 3 + count * width:
            count = len(self.variants)  # a large .bim may have empty lines
        if size != 3 + count * width:
            raise InputError(
                f"{path}: {size:,} bytes, but {count:,} variants (.bim) of {self._everybody:,} samples (.fam) make "
                f"{3 + count * width:,}; do the three files belong together?"
            )
        return count

    @cached_property
    def _reader(self) -> pgenlib.PgenReader:  # type: ignore[override]
        return self._opened("a PLINK 1 .bed file", variant_ct=self.count)

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
        return _read_bim(path, _lines_at(path, index)[0]) if len(index) else pd.DataFrame(columns=COLUMNS)

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1 among the called alleles; NaN where nobody is called; all variants without `index`."""
        two, one, none, _ = self.genotype_counts(index).T
        with np.errstate(invalid="ignore"):
            frequencies: NDArray[np.float64] = (2 * two + one) / (2 * (two + one + none))
        return frequencies

    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        return checked_index(index, self.count, f"{self.name}.bim")


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
    return frame[COLUMNS]


class PgenPanel(_PlinkFiles):
    """A panel in PLINK 2 files; nothing but the samples is read until it is needed.

    Parameters
    ----------
    prefix
        Path without suffix.
    samples
        File with one sample on a line: those to keep.

    Raises
    ------
    InputError
        If a file is absent or malformed, or the files disagree on the number of variants or samples.
    """

    _genotypes = ".pgen"

    def __init__(self, prefix: str | Path, samples: str | Path | None = None) -> None:
        found = [path for suffix in (".pvar", ".pvar.zst") if (path := Path(f"{prefix}{suffix}")).is_file()]
        for path in (Path(f"{prefix}.pgen"), Path(f"{prefix}.psam")):
            if not path.is_file():
                raise InputError(f"{path}: no such file; a PLINK 2 panel is the prefix of .pgen, .pvar[.zst] and .psam")
        if not found:
            raise InputError(f"{prefix}.pvar: no such file, nor {prefix}.pvar.zst")
        self._pvar_path = found[0]
        super().__init__(str(prefix), read_psam(f"{prefix}.psam"), ".psam", samples)

    @cached_property
    def _pvar(self) -> pgenlib.PvarReader:
        check_text(self._pvar_path)
        with reading(self._pvar_path, "a .pvar file"), _text_of_errors():
            return pgenlib.PvarReader(str(self._pvar_path).encode())

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        """Rows (variants + 1) of the table at which the alternatives of each variant of the file begin."""
        alleles = np.asarray(self._pvar.get_allele_idx_offsets(), np.int64)
        offsets: NDArray[np.int64] = alleles - np.arange(len(alleles))
        return offsets

    @cached_property
    def _reader(self) -> pgenlib.PgenReader:  # type: ignore[override]
        pvar = self._pvar
        return self._opened(
            f"a .pgen file of {pvar.get_variant_ct():,} variants (.pvar) and {self._everybody:,} samples (.psam)",
            pvar=pvar,
        )

    @property
    def count(self) -> int:  # type: ignore[override]
        """Number of rows of `variants`."""
        return int(self._offsets[-1])

    @cached_property
    def variants(self) -> pd.DataFrame:
        """Table of the .pvar: chrom, pos (1-based), snp_id, a1 (alternative), a2 (reference), upper case."""
        if self._reader.get_variant_ct() != self._pvar.get_variant_ct():
            raise InputError(f"{self.name}.pgen and {self._pvar_path} have different numbers of variants")
        steps = range(0, self.count, _ROWS_AT_ONCE)
        parts = [self._rows(np.arange(first, min(first + _ROWS_AT_ONCE, self.count))) for first in steps]
        return pd.concat(parts, ignore_index=True)

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants` for a table with a column panel_index; a table of the others is not made."""
        return self._rows(self._checked(wanted["panel_index"].to_numpy(np.int64)))

    def _rows(self, index: NDArray[np.integer]) -> pd.DataFrame:
        with reading(self._pvar_path, "a .pvar file"), _text_of_errors():
            table = self._table(index)
        if (table["pos"] < _FIRST_DIGIT).any():
            self._check_positions()
        return table

    def _check_positions(self) -> None:
        """Stop at a position like 1e+05, of which pgenlib takes the first digit."""
        compression = "zstd" if self._pvar_path.suffix == ".zst" else None
        with reading(self._pvar_path, "a .pvar file"), pa.input_stream(str(self._pvar_path), compression) as packed:
            for number, line in enumerate(io.BufferedReader(packed), 1):
                position = b"0" if line.startswith(b"#") else line.split(None, 2)[1]
                if not position.isdigit():
                    raise InputError(
                        f"{self._pvar_path}, line {number}: position '{position.decode()}' is not a whole number"
                    )

    def _table(self, index: NDArray[np.integer]) -> pd.DataFrame:
        pvar, (variants, alleles) = self._pvar, self._located(index)
        texts = [
            (pvar.get_variant_chrom(i), pvar.get_variant_pos(i), pvar.get_variant_id(i),
             pvar.get_allele_code(i, k).upper(), pvar.get_allele_code(i, 0).upper())
            for i, k in zip(variants.tolist(), alleles.tolist(), strict=True)
        ]  # fmt: skip
        columns = list(zip(*texts, strict=True)) or [()] * len(COLUMNS)
        return pd.DataFrame({
            name: np.array(values, np.int64) if name == "pos" else
            pd.Series([value.decode(errors="replace") for value in values], dtype="str")
            for name, values in zip(COLUMNS, columns, strict=True)
        }).set_axis(index)  # fmt: skip

    def _located(self, index: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Variant of the file, and number of the alternative allele, of rows of the table."""
        variants = np.searchsorted(self._offsets, index, side="right") - 1
        return variants, index - self._offsets[variants] + 1

    def _has_several(self, variants: NDArray[np.integer]) -> NDArray[np.bool_]:
        return np.diff(self._offsets)[variants] > 1

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1 by the dosages; NaN where nobody has any; all variants without `index`."""
        index = np.arange(self.count) if index is None else self._checked(index)
        means = np.empty(len(index))
        step = max(_VALUES_AT_ONCE // self.samples, 1)
        for first in range(0, len(index), step):
            means[first : first + step] = mean_of_called(self.dosages(index[first : first + step]))
        return means / 2

    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        return checked_index(index, self.count, str(self._pvar_path))


@contextmanager
def _text_of_errors() -> Iterator[None]:
    """Make text of the messages of pgenlib, which may be bytes."""
    try:
        yield
    except RuntimeError as error:
        text = error.args[0] if error.args else ""
        raise RuntimeError(text.decode(errors="replace") if isinstance(text, bytes) else text) from error
