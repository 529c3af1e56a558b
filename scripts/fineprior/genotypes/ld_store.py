"""The file of LD: for each locus genotypes or R, its variants, and those that lack LD; the panel's size and F_ST."""

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import Archive, ReadOnly, read_only
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path
from fineprior.genotypes.dosage_sums import correlation

NO_LD, TRIMMED = "no_ld", "trimmed"
"""Why a variant is excluded: the LD does not have it, or the locus would take too much memory."""

FORMS = ("R", "genotypes")
"""What LD of a locus is stored as."""


@dataclass(frozen=True)
class LocusLd(ReadOnly):
    """LD of one locus.

    Attributes
    ----------
    locus : str
    stored : ndarray, float32, shape (p, p), or int8, shape (p, n)
        Correlations of alternative-allele dosages; or the copies of the alternative allele that n samples have, -1
        where missing, which is taken as the mean of the variant.
    variant_ids : ndarray of str, shape (p,)
    left_out : dict
        Variants of the locus that it does not have, each with the reason: no_ld or trimmed.
    note : str
        What a reader of the results should know about this LD; empty when nothing.
    """

    locus: str
    stored: NDArray[np.float32] | NDArray[np.int8]
    variant_ids: NDArray[np.str_]
    left_out: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def counts(self) -> NDArray[np.int8] | None:
        """The copies of the alternative allele (p, n), where these are stored."""
        return self.stored.view(np.int8) if self.stored.dtype == np.int8 else None

    @cached_property
    def r(self) -> NDArray[np.float32]:
        """Correlations of alternative-allele dosages (p, p)."""
        if self.counts is None:
            return self.stored.view(np.float32)
        return read_only(correlation(np.where(self.counts < 0, np.float32(np.nan), self.counts).T))

    def of(self, rows: NDArray[np.integer]) -> "LocusLd":
        """LD of some of its variants, in this order; not copied when these are all."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        stored = self.stored[np.ix_(rows, rows)] if self.counts is None else self.stored[rows]
        return replace(self, stored=stored, variant_ids=self.variant_ids[rows])


def write_ld(
    path: str | Path, loci: Iterable[LocusLd], panel_size: float | None = None, fst: tuple[float, float] | None = None
) -> None:
    """Write LD locus by locus, with one locus in memory at a time, as an .npz that `numpy.load` reads.

    Parameters
    ----------
    path
        The .npz; it holds `<locus>/R` (p, p) float32 or `<locus>/genotypes` (p, n) int8, and `<locus>/variant_id` (p,),
        and where variants were left out `<locus>/left_out` and `<locus>/left_out_reason`, and `<locus>/note` where it
        has one.
    loci
        LD of each locus.
    panel_size
        Samples that R is of, stored as `panel_size`; not stored when it is None.
    fst
        F_ST between these samples and the GWAS, and its standard error, stored as `fst` and `fst_error`; not stored
        when it is None.
    """
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        if panel_size is not None:
            _write_array(archive, "panel_size", np.array(panel_size))
        if fst is not None:
            _write_array(archive, "fst", np.array(fst[0]))
            _write_array(archive, "fst_error", np.array(fst[1]))
        for one in loci:
            if one.counts is None:
                _write_array(archive, f"{one.locus}/R", np.ascontiguousarray(one.stored, np.float32))
            else:
                _write_array(archive, f"{one.locus}/genotypes", np.ascontiguousarray(one.counts))
            _write_array(archive, f"{one.locus}/variant_id", np.asarray(one.variant_ids, dtype=np.str_))
            if one.left_out:
                _write_array(archive, f"{one.locus}/left_out", np.array(list(one.left_out), np.str_))
                _write_array(archive, f"{one.locus}/left_out_reason", np.array(list(one.left_out.values()), np.str_))
            if one.note:
                _write_array(archive, f"{one.locus}/note", np.array(one.note))


def _write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    # a fixed date: same LD, same bytes
    entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    with archive.open(entry, "w", force_zip64=True) as handle:
        np.lib.format.write_array_header_1_0(handle, np.lib.format.header_data_from_array_1_0(array))
        if array.size:
            handle.write(array.reshape(-1).view(np.uint8).data)  # not through a copy


def read_ld(path: str | Path, locus: str) -> LocusLd:
    """LD of one locus of a file that `write_ld` wrote; the others are not read.

    Raises
    ------
    InputError
        If the file is absent or damaged, or does not hold the locus.
    """
    with _readable(path) as stored:
        form = next((name for name in FORMS if f"{locus}/{name}" in stored), None)
        if form is not None:
            left_out: dict[str, str] = {}
            if f"{locus}/left_out" in stored:
                names, reasons = stored[f"{locus}/left_out"], stored[f"{locus}/left_out_reason"]
                left_out = dict(zip(names.tolist(), reasons.tolist(), strict=True))
            note = str(stored[f"{locus}/note"]) if f"{locus}/note" in stored else ""
            return LocusLd(locus, stored[f"{locus}/{form}"], stored[f"{locus}/variant_id"], left_out, note)
    raise InputError(f"{path}: no LD of locus '{locus}'")


def read_panel_size(path: str | Path) -> float | None:
    """Samples that the LD of a file is of; None when the file does not say."""
    with _readable(path) as stored:
        return float(stored["panel_size"]) if "panel_size" in stored else None


def read_fst(path: str | Path) -> tuple[float, float] | None:
    """F_ST between the samples of the LD and the GWAS, and its standard error; None when it is not known."""
    with _readable(path) as stored:
        return (float(stored["fst"]), float(stored["fst_error"])) if "fst" in stored else None


@contextmanager
def _readable(path: str | Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of an LD file; an InputError where it is absent or damaged."""
    with checked(path, "a readable LD file", once=True), Archive(path) as stored:
        yield stored


def read_locus_ld(path: str | Path, locus: str, variant_ids: Sequence[str]) -> tuple[LocusLd, NDArray[np.bool_]]:
    """LD of those k of the variants that have it, in their order, and which of all (p,) they are.

    Raises
    ------
    InputError
        A variant has no LD, and the file does not list it as excluded.
    """
    found = read_ld(path, locus)
    rows = pd.Index(found.variant_ids).get_indexer(pd.Index(variant_ids))
    known = rows >= 0
    lost = ~known & ~pd.Index(variant_ids).isin(list(found.left_out))
    if lost.any():
        raise InputError(f"{path}: no LD of variant {variant_ids[int(lost.argmax())]}")
    return found.of(rows[known]), known
