"""Genotypes of a reference panel in a VCF (plain or bgzip) or BCF file: the field DS, or GT where there is none.

A1 is the alternative allele, A2 the reference; a record with several alternatives is one row for each. What a call and
a dosage count is in `genotypes.dosages`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.reading import is_bgzip, reading
from fineprior.genome.contigs import Contigs
from fineprior.genotypes.dosages import checked_index, copies_in, mean_of_called
from fineprior.genotypes.samples import check_text, kept_samples

_VALUES_AT_ONCE = 1 << 24
_FORMAT = 8
"""With which bgzip ends a file."""
_Site = tuple[str, int, str, str, str]

logger = logging.getLogger(__name__)


class VcfPanel:
    """A reference panel; nothing but the header is read until it is needed. Attributes as of `PlinkPanel`.

    With an index (.tbi, .csi) `find` and then `dosages` read the part of the file that holds the variants. Without
    one they read from its beginning; rows in increasing order are read in one pass.

    Parameters
    ----------
    path
        The file.
    samples
        File with one sample on a line: the samples to keep.

    Raises
    ------
    InputError
        If the file is absent, cannot be read or has no samples.
    """

    def __init__(self, path: str | Path, samples: str | Path | None = None) -> None:
        self.name = str(path)
        with self._opened() as handle, reading(self.name, "a VCF or BCF file"):
            everybody = [("0", name) for name in handle.header.samples]
            self.indexed = handle.index is not None
            self._contigs = Contigs(self.name, map(str, handle.header.contigs))
        if not everybody:
            raise InputError(f"{self.name}: no samples in this file; LD needs their genotypes")
        self._kept = kept_samples(samples, everybody, self.name)
        self.sample_ids = [everybody[row][1] for row in self._kept]
        self._warned: set[str] = set()
        self._places: dict[int, _Site] = {}
        self._pass: Iterator[tuple[int, Any]] | None = None
        self._current: tuple[int, Any] = (0, None)
        self._next = 0

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._kept)

    @cached_property
    def variants(self) -> pd.DataFrame:
        """Table of the records: chrom, pos (1-based), snp_id, a1 (alternative), a2 (reference), upper case."""
        with self._opened(drop_samples=True) as handle:
            sites = [site for record in self._records(handle) for site in self._sites(record)]
        if not sites:
            raise InputError(f"{self.name}: no variants in this file")
        return _table(sites)

    @property
    def count(self) -> int:
        """Number of rows of `variants`."""
        return len(self.variants)

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants` for a table with columns panel_index, chrom, pos, ref and alt.

        With an index they are found by position and alleles, and nothing else is read.
        """
        index = wanted["panel_index"].to_numpy(np.int64)
        if not self.indexed or "variants" in self.__dict__ or wanted.empty:
            return self.variants.iloc[checked_index(index, self.count, self.name)]
        self._places = {}
        for chrom, rows in wanted.groupby("chrom", sort=False):
            sites: dict[tuple[int, str, str], _Site] = {}
            with self._opened(drop_samples=True) as handle:
                for record in self._region(handle, str(chrom), int(rows["pos"].min()), int(rows["pos"].max())):
                    sites |= {(site[1], site[4], site[3]): site for site in self._sites(record)}
            for row, pos, ref, alt in zip(rows["panel_index"], rows["pos"], rows["ref"], rows["alt"], strict=True):
                site = sites.get((pos, ref, alt)) or sites.get((pos, alt, ref))
                if site is None:
                    raise InputError(
                        f"{self.name}: no record of {chrom}:{pos}:{ref}:{alt}; was the panel changed after "
                        "harmonisation?"
                    )
                self._places[int(row)] = site
        return _table([self._places[row] for row in index.tolist()])

    def dosages(self, index: NDArray[np.integer], samples: slice = slice(None)) -> NDArray[np.float32]:
        """Copies of A1 (whole, or dosages) of each sample at the rows `index`; shape and order as of `PlinkPanel`."""
        wanted = np.asarray(index, np.int64)
        kept = self._kept[samples]
        found = np.empty((len(wanted), len(kept)), np.float32)
        if len(wanted) and set(wanted.tolist()) <= self._places.keys():
            self._read_places(wanted, kept, found)
            return found.T
        order = np.argsort(checked_index(wanted, self.count, self.name), kind="stable")
        read, copies = -1, np.empty((0, 0), np.float32)
        for place in order.tolist():
            first, record = self._record(int(wanted[place]))
            if first != read:
                read, copies = first, self._copies(record)
            found[place] = copies[int(wanted[place]) - first][kept]
        return found.T

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """Samples (p, 4) with two, one and no copies of A1 (dosages are rounded), and missing; all for None."""
        parts = [
            np.column_stack([*((np.rint(dosages) == copies).sum(0) for copies in (2, 1, 0)), np.isnan(dosages).sum(0)])
            for dosages in self._parts(index)
        ]
        return np.concatenate(parts) if parts else np.empty((0, 4), np.int64)

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1 by the dosages; NaN where nobody has any; all variants when `index` is None."""
        parts = [mean_of_called(dosages) / 2 for dosages in self._parts(index)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _parts(self, index: NDArray[np.integer] | None) -> Iterator[NDArray[np.float32]]:
        index = np.arange(self.count) if index is None else np.asarray(index, np.int64)
        step = max(_VALUES_AT_ONCE // self.samples, 1)
        return (self.dosages(index[first : first + step]) for first in range(0, len(index), step))

    def _read_places(self, wanted: NDArray[np.int64], kept: NDArray[np.int64], found: NDArray[np.float32]) -> None:
        """Fill rows of `found` from the parts of the file that hold them."""
        rows_of: dict[_Site, list[int]] = {}
        for row, number in enumerate(wanted.tolist()):
            rows_of.setdefault(self._places[number], []).append(row)
        for chrom in dict.fromkeys(site[0] for site in rows_of):
            positions = [site[1] for site in rows_of if site[0] == chrom]
            with self._opened() as handle:
                for record in self._region(handle, chrom, min(positions), max(positions)):
                    hits = [(k, rows_of[site]) for k, site in enumerate(self._sites(record)) if site in rows_of]
                    copies = self._copies(record)[:, kept] if hits else None
                    for k, rows in hits:
                        found[rows] = copies[k]  # type: ignore[index]

    def _record(self, row: int) -> tuple[int, Any]:
        """First row and record that holds a row of the table; rows in increasing order are one pass of the file."""
        first, record = self._current
        if not first <= row < self._next:
            if row < self._next or self._pass is None:
                self._pass, self._next = self._whole_file(), 0
            for first, record in self._pass:
                self._current, self._next = (first, record), first + len(self._sites(record))
                if row < self._next:
                    break
            else:
                raise InputError(f"{self.name}: the file ends before variant {row}; was it changed?")
        return first, record

    def _whole_file(self) -> Iterator[tuple[int, Any]]:
        first = 0
        with self._opened() as handle:
            for record in self._records(handle):
                yield first, record
                first += len(self._sites(record))

    @contextmanager
    def _opened(self, drop_samples: bool = False) -> Iterator[pysam.VariantFile]:
        _check_packing(Path(self.name))
        quiet = pysam.set_verbosity(0)  # htslib writes to stderr that there is no index
        try:
            with reading(self.name, "a VCF or BCF file"):
                handle = pysam.VariantFile(self.name, drop_samples=drop_samples)
        finally:
            pysam.set_verbosity(quiet)
        try:
            yield handle
        except BaseException:
            with suppress(Exception):  # the first error is the one to report; a damaged file cannot be closed either
                handle.close()
            raise
        with reading(self.name, "a whole VCF or BCF file"):
            handle.close()

    def _sites(self, record: Any) -> list[_Site]:
        """Chromosome, position, name, alternative and reference allele for each alternative of a record."""
        try:
            ref = record.ref.upper()
            return [(record.chrom, record.pos, record.id or ".", alt.upper(), ref) for alt in record.alts or ()]
        except Exception:  # the guard itself would cost as much as the record
            with reading(f"{self.name}, position {record.pos}", "a record of a VCF or BCF file"):
                raise

    def _copies(self, record: Any) -> NDArray[np.float32]:
        """Copies (alternatives, everybody) of each alternative allele of a record, NaN where missing."""
        with reading(f"{self.name}, position {record.pos}", "a record of a VCF or BCF file"):
            place = f"{self.name}, {record.chrom}:{record.pos}"
            # Text is several times faster than a Python object for each sample.
            columns = str(record).rstrip("\n").split("\t")
            found = copies_in(columns[_FORMAT], columns[_FORMAT + 1 :], len(record.alts), record.chrom, place)
        for count, what in ((found.half, "one allele of their call is missing"),
                            (found.untold, "no call says whether their dosage is haploid")):  # fmt: skip
            if count and what not in self._warned:
                self._warned.add(what)
                logger.warning(
                    "%s: %d samples are taken as missing: %s; further records of this kind are not named",
                    place,
                    count,
                    what,
                )
        return found.copies

    def _region(self, handle: pysam.VariantFile, chrom: str, first: int, last: int) -> Iterator[Any]:
        """Records that begin between two positions (1-based, both within)."""
        contig = self._contigs.find(chrom)
        if contig is None:
            raise InputError(f"{self.name}: no contig '{chrom}' in its header")
        yield from (one for one in self._records(handle, contig, first - 1, last) if one.pos >= first)

    def _records(self, handle: pysam.VariantFile, *region: Any) -> Iterator[Any]:
        quiet = pysam.set_verbosity(0)
        last = None
        try:
            for last in handle.fetch(*region) if region else handle:
                yield last
        except Exception:
            where = f"after position {last.pos}" if last is not None else "at its first record"
            with reading(f"{self.name}, {where}", "a whole VCF or BCF file"):
                raise
        finally:
            pysam.set_verbosity(quiet)


def _check_packing(path: Path) -> None:
    """Stop at a file that htslib would read a part of, or read slowly, without a word."""
    check_text(path)
    with reading(path, "a VCF or BCF file"), path.open("rb") as handle:
        start = handle.read(18)
    if start.startswith(b"\x1f\x8b") and not is_bgzip(start):
        raise InputError(f"{path}: packed by gzip: unpack it, and pack it with bgzip")


def _table(sites: list[_Site]) -> pd.DataFrame:
    chrom, pos, snp_id, a1, a2 = zip(*sites, strict=True)
    text = {"chrom": chrom, "snp_id": snp_id, "a1": a1, "a2": a2}
    columns: dict[str, Any] = {name: pd.Series(values, dtype="str") for name, values in text.items()}
    return pd.DataFrame(columns | {"pos": np.array(pos, np.int64)})[["chrom", "pos", "snp_id", "a1", "a2"]]
