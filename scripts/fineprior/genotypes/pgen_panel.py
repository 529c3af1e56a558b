"""Genotypes of a reference panel in PLINK 2 files: `<prefix>.pgen`, `.pvar` or `.pvar.zst`, `.psam`.

Dosages are read where the file has them, hard calls otherwise. A1 is the alternative allele, A2 the reference; a
variant with several alternatives is one row for each (https://www.cog-genomics.org/plink/2.0/formats#pgen).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pgenlib
import pyarrow as pa
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.reading import reading
from fineprior.genotypes.bed_panel import checked_index
from fineprior.genotypes.samples import check_text, kept_people, read_men, read_psam

_ROWS_AT_ONCE = 1 << 18
_VALUES_AT_ONCE = 1 << 24
_FIRST_DIGIT = 10
_MOST_COPIES = 2 + 1e-4
_COLUMNS = ["chrom", "pos", "snp_id", "a1", "a2"]


class PgenPanel:
    """A reference panel; nothing but the people is read until it is asked for. Attributes as of `PlinkPanel`.

    Parameters
    ----------
    prefix
        Path without suffix.
    samples
        File with one person on a line: the people to keep.

    Raises
    ------
    InputError
        If a file is absent or malformed, or the files disagree on the number of variants or people.
    """

    def __init__(self, prefix: str | Path, samples: str | Path | None = None) -> None:
        self.name = str(prefix)
        found = [path for suffix in (".pvar", ".pvar.zst") if (path := Path(self.name + suffix)).is_file()]
        for path in (Path(self.name + ".pgen"), Path(self.name + ".psam")):
            if not path.is_file():
                raise InputError(f"{path}: no such file; a PLINK 2 panel is the prefix of .pgen, .pvar[.zst] and .psam")
        if not found:
            raise InputError(f"{self.name}.pvar: no such file, nor {self.name}.pvar.zst")
        self._pvar_path = found[0]
        everybody = read_psam(self.name + ".psam")
        self._everybody = len(everybody)
        self._kept = kept_people(samples, everybody, self.name)
        self.people = [everybody[row][1] for row in self._kept]

    @property
    def samples(self) -> int:
        """Number of people."""
        return len(self._kept)

    @cached_property
    def men(self) -> NDArray[np.bool_]:
        """(n,): whose sex is 1 in the .psam."""
        return read_men(self.name + ".psam")[self._kept]

    @cached_property
    def _pvar(self) -> pgenlib.PvarReader:
        check_text(self._pvar_path)
        with reading(self._pvar_path, "a .pvar file"), _said():
            return pgenlib.PvarReader(str(self._pvar_path).encode())

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        """Rows (variants + 1) of the table at which the alternatives of each variant of the file begin."""
        alleles = np.asarray(self._pvar.get_allele_idx_offsets(), np.int64)
        offsets: NDArray[np.int64] = alleles - np.arange(len(alleles))
        return offsets

    @cached_property
    def _pgen(self) -> pgenlib.PgenReader:
        subset = None if self.samples == self._everybody else self._kept.astype(np.uint32)
        pvar, path = self._pvar, self.name + ".pgen"
        what = f"a .pgen file of {pvar.get_variant_ct():,} variants (.pvar) and {self._everybody:,} people (.psam)"
        with reading(path, what), _said():
            return pgenlib.PgenReader(path.encode(), raw_sample_ct=self._everybody, sample_subset=subset, pvar=pvar)

    @property
    def count(self) -> int:
        """Number of rows of `variants`."""
        return int(self._offsets[-1])

    @cached_property
    def variants(self) -> pd.DataFrame:
        """Table of the .pvar: chrom, pos (1-based), snp_id, a1 (alternative), a2 (reference), upper case."""
        if self._pgen.get_variant_ct() != self._pvar.get_variant_ct():
            raise InputError(f"{self.name}.pgen and {self._pvar_path} have different numbers of variants")
        steps = range(0, self.count, _ROWS_AT_ONCE)
        parts = [self._rows(np.arange(first, min(first + _ROWS_AT_ONCE, self.count))) for first in steps]
        return pd.concat(parts, ignore_index=True)

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants` for a table with a column panel_index; a table of the others is not made."""
        return self._rows(self._checked(wanted["panel_index"].to_numpy(np.int64)))

    def _rows(self, index: NDArray[np.integer]) -> pd.DataFrame:
        with reading(self._pvar_path, "a .pvar file"), _said():
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
        columns = list(zip(*texts, strict=True)) or [()] * len(_COLUMNS)
        return pd.DataFrame({
            name: np.array(values, np.int64) if name == "pos" else
            pd.Series([value.decode(errors="replace") for value in values], dtype="str")
            for name, values in zip(_COLUMNS, columns, strict=True)
        }).set_axis(index)  # fmt: skip

    def _located(self, index: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Variant of the file, and number of the alternative allele, of rows of the table."""
        variants = np.searchsorted(self._offsets, index, side="right") - 1
        return variants, index - self._offsets[variants] + 1

    def dosages(self, index: NDArray[np.integer], people: slice = slice(None)) -> NDArray[np.float32]:
        """Copies of A1 (whole, or dosages) of each person at the rows `index`; shape and order as of `PlinkPanel`."""
        variants, alleles = self._located(self._checked(index))
        kept = self._kept[people]
        found = np.empty((len(variants), len(kept)), np.float32)
        if not found.size:
            return found.T
        if people != slice(None):
            self._pgen.change_sample_subset(kept.astype(np.uint32))
        try:
            with reading(self.name + ".pgen", "a whole .pgen file"), _said():
                for allele in np.unique(alleles):
                    rows = np.flatnonzero(alleles == allele)
                    step = max(_VALUES_AT_ONCE // len(kept), 1)
                    for part in np.array_split(rows, -(-len(rows) // step)):
                        # in the order of the file; a run of all rows is read straight into its place
                        values = found if len(part) == len(found) else np.empty((len(part), len(kept)), np.float32)
                        self._pgen.read_dosages_list(variants[part].astype(np.uint32), values, allele_idx=int(allele))
                        if values is not found:
                            found[part] = values
        finally:
            if people != slice(None):
                self._pgen.change_sample_subset(self._kept.astype(np.uint32))
        for first in range(0, len(found), step):
            part_of_it = found[first : first + step]
            part_of_it[part_of_it < 0] = np.nan
            if (part_of_it > _MOST_COPIES).any():
                raise InputError(f"{self.name}.pgen: damaged: a dosage above 2")
        return found.T

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """People (p, 4) with two, one and no copies of A1, and missing, by hard calls; all when `index` is None."""
        index = np.arange(self.count) if index is None else self._checked(index)
        variants, alleles = self._located(index)
        counts = np.empty((len(index), 4), np.int64)
        counted, calls = np.empty(4, np.uint32), np.empty(self.samples, np.int8)
        several = np.diff(self._offsets)[variants] > 1
        with reading(self.name + ".pgen", "a whole .pgen file"), _said():
            for row, (variant, allele) in enumerate(zip(variants.tolist(), alleles.tolist(), strict=True)):
                if several[row]:  # pgenlib 0.95 counts other alleles than those it is asked for
                    self._pgen.read(variant, calls, allele_idx=allele)
                    counts[row] = [(calls == copies).sum() for copies in (2, 1, 0, -9)]
                else:
                    self._pgen.count(variant, counted)
                    counts[row] = counted[[2, 1, 0, 3]]
        return counts

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1 by the dosages; NaN where nobody has any; all variants when `index` is None."""
        index = np.arange(self.count) if index is None else self._checked(index)
        means = np.empty(len(index))
        step = max(_VALUES_AT_ONCE // self.samples, 1)
        for first in range(0, len(index), step):
            means[first : first + step] = mean_of_called(self.dosages(index[first : first + step]))
        return means / 2

    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        return checked_index(index, self.count, str(self._pvar_path))


def mean_of_called(dosages: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean (p,) of the dosages (n, p) that are there; NaN where there is none."""
    missing = np.isnan(dosages)
    with np.errstate(invalid="ignore"):
        return np.where(missing, 0, dosages).sum(0, dtype=np.float64) / (len(dosages) - missing.sum(0))


@contextmanager
def _said() -> Iterator[None]:
    """Make text of what pgenlib says, which may be bytes."""
    try:
        yield
    except RuntimeError as error:
        text = error.args[0] if error.args else ""
        raise RuntimeError(text.decode(errors="replace") if isinstance(text, bytes) else text) from error
