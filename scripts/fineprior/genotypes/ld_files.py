"""Precomputed LD: windows of a matrix, each with a list of its variants, instead of a panel.

Either a folder in PolyFun's UK Biobank naming (chr1_1_3000001.npz and .gz: chromosome, first position, last position),
or a table of windows (tab-separated: chrom, start and end as in BED, matrix, variants). The first of the two alleles
of a list is the one whose copies were counted (thread omerwe/polyfun#138: neither ref nor alt by rule).
"""

import csv
import logging
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of
from fineprior.genome.contigs import plain_name
from fineprior.genotypes.ld import nearest_to_lead, note_of, variants_that_fit
from fineprior.genotypes.ld_matrix import checked_matrix, read_matrix, without_gaps
from fineprior.genotypes.ld_store import NO_LD, TRIMMED, LocusLd

_NAME = re.compile(r"(?:chr)?(?P<chrom>\w+)_(?P<start>\d+)_(?P<end>\d+)")
_COLUMNS = ("chrom", "start", "end", "matrix", "variants")
_ALIASES = {
    "chrom": ("chrom", "#chrom", "chromosome", "chr"),
    "pos": ("pos", "position", "bp", "base_pair_location"),
    "snp_id": ("rsid", "snp", "snp_id", "id", "variant_id"),
    "a1": ("allele1", "a1", "alt", "effect_allele"),
    "a2": ("allele2", "a2", "ref", "other_allele"),
}
_BIM = ["chrom", "snp_id", "cm", "pos", "a1", "a2"]
_TABLE = ["chrom", "pos", "snp_id", "a1", "a2"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """A matrix and its variants; start and end are 0-based, half-open."""

    chrom: str
    start: int
    end: int
    matrix: str
    variants: str


class LdSource:
    """Windows of LD.

    Raises
    ------
    InputError
        The folder has no window, or the table is malformed or names a file that is absent.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        place = Path(path)
        self.windows = _windows_of_folder(place) if place.is_dir() else _windows_of_table(place)

    @cached_property
    def variants(self) -> pd.DataFrame:
        """All variants, as a panel's: chrom, pos, snp_id, a1 (counted), a2; each place of overlapping windows once."""
        parts, ends = [], dict[str, int]()
        for window in sorted(self.windows, key=lambda one: (plain_name(one.chrom), one.start, -one.end)):
            chrom = plain_name(window.chrom)
            done = ends.get(chrom, 0)
            if window.end > done:
                table = read_variants(window.variants)
                parts.append(table[table["pos"] > done])
                ends[chrom] = window.end
        return pd.concat(parts, ignore_index=True)

    def window_of(self, variants: pd.DataFrame) -> Window | None:
        """The window that holds a locus most centrally; if none holds all of it, the one with most of its variants.

        None when no window holds its lead. Parameters as of `locus`.
        """
        chrom, positions = plain_name(str(variants["chrom"].iloc[0])), variants["pos"].to_numpy()
        lead = positions[int(variants["z"].abs().to_numpy().argmax())]

        def rank(window: Window) -> tuple[int, int]:
            inside = (positions > window.start) & (positions <= window.end)
            return int(inside.sum()), min(int(positions.min()) - window.start, window.end - int(positions.max()))

        able = [one for one in self.windows if plain_name(one.chrom) == chrom and one.start < lead <= one.end]
        return max(able, key=rank, default=None)

    def locus(self, locus: str, variants: pd.DataFrame, memory_mb: float) -> LocusLd:
        """LD of a locus, its alternative alleles counted.

        A variant is excluded that is not in the window's list, is there twice, or has NaN in the matrix; and where
        the locus is too large, those farthest from its lead (the largest |z|).

        Parameters
        ----------
        locus
            Its name.
        variants
            Columns chrom, pos, variant_id, ref, alt, z: the variants of one locus.
        memory_mb
            Limit of `ld_memory_mb`.

        Raises
        ------
        InputError
            A file cannot be read, or its matrix is not one of signed correlations.
        """
        ids = variants["variant_id"].to_numpy(np.str_)
        window = self.window_of(variants)
        if window is None:
            note = f"no window of {self.name} holds its lead"
            logger.warning("locus %s: %s", locus, note)
            return LocusLd(locus, np.empty((0, 0), np.float32), ids[:0], dict.fromkeys(ids.tolist(), NO_LD), note)
        known = read_variants(window.variants)
        rows, signs = match(variants, known)
        left_out = dict.fromkeys(ids[rows < 0].tolist(), NO_LD)
        kept = np.flatnonzero(rows >= 0)
        fitting = variants_that_fit(memory_mb, 0)
        if len(kept) > fitting:
            near = nearest_to_lead(variants.iloc[kept], fitting)
            left_out |= dict.fromkeys(ids[kept[~near]].tolist(), TRIMMED)
            kept = kept[near]
        r = checked_matrix(read_matrix(window.matrix, rows[kept], len(known), memory_mb), ids[kept], window.matrix)
        whole = without_gaps(r)
        if not whole.all():
            left_out |= dict.fromkeys(ids[kept[~whole]].tolist(), NO_LD)
            logger.warning("locus %s: %d variants have NaN in %s", locus, (~whole).sum(), window.matrix)
            kept, r = kept[whole], r[np.ix_(whole, whole)]
        own = signs[kept].astype(np.float32)
        r *= own[:, None]
        r *= own
        return LocusLd(locus, r, ids[kept], left_out, note_of(left_out, variants, window.matrix))


def match(variants: pd.DataFrame, known: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of each variant in a list, -1 when there is none or several, and the sign that its r takes.

    The sign is -1 where the list counts the reference allele. A row with the same alleles in the same roles goes
    before one with them exchanged: TG>T and T>TG at one place are two variants.

    Parameters
    ----------
    variants
        Columns chrom, pos, ref, alt.
    known
        Columns chrom, pos, a1 (counted), a2.
    """

    def table(frame: pd.DataFrame, counted: str, other: str) -> pd.DataFrame:
        chrom = frame["chrom"].map({name: plain_name(str(name)) for name in frame["chrom"].unique()})
        return pd.DataFrame({"chrom": chrom, "pos": frame["pos"], "counted": frame[counted], "other": frame[other]})

    keys = ["chrom", "pos", "counted", "other"]
    listed = table(known, "a1", "a2").reset_index(drop=True)
    listed["row"] = np.arange(len(listed))
    listed.loc[listed.duplicated(keys, keep=False), "row"] = -1
    listed = listed.drop_duplicates(keys)
    same, other = (
        table(variants, *names).merge(listed, on=keys, how="left")["row"].to_numpy()
        for names in (("alt", "ref"), ("ref", "alt"))
    )
    rows = np.where(np.isnan(same), other, same)
    return np.nan_to_num(rows, nan=-1).astype(np.int64), np.where(np.isnan(same), -1, 1)


@lru_cache(maxsize=2)
def read_variants(path: str) -> pd.DataFrame:
    """The variants of a matrix: chrom, pos, snp_id, a1 (counted), a2 (upper case), in the order of its rows.

    Read are tables with a header (PolyFun's rsid, chromosome, position, allele1, allele2; or alt and ref), PLINK's
    .bim, and one name chrom:pos:ref:alt on each line; plain or gz.

    Raises
    ------
    InputError
        The file is absent, or is none of these.
    """
    with text_of(path, "a readable list of variants") as text:
        frame = pd.read_csv(text, sep=r"\s+", header=None, dtype="str", keep_default_na=False, quoting=3)
    head = [value.lower() for value in frame.iloc[0]]
    columns = {name: head.index(found[0]) for name, aliases in _ALIASES.items()
               if (found := [alias for alias in aliases if alias in head])}  # fmt: skip
    first = 1
    if {"chrom", "pos", "a1", "a2"} <= set(columns):
        table = pd.DataFrame({name: frame.iloc[1:, column] for name, column in columns.items()})
        first = 2
    elif frame.shape[1] == len(_BIM):
        table = frame.set_axis(_BIM, axis=1)
    elif frame.shape[1] == 1:
        table = frame[0].str.extract(r"^(?P<chrom>[^:]+):(?P<pos>\d+):(?P<a2>[^:]+):(?P<a1>[^:]+)$")
        table["snp_id"] = frame[0]
    else:
        raise InputError(
            f"{path}: the columns {', '.join(frame.iloc[0])} are neither chromosome, position, allele1 (counted), "
            "allele2, nor those of a .bim, nor names chrom:pos:ref:alt"
        )
    return _checked_variants(table.reset_index(drop=True), path, first)


def _checked_variants(table: pd.DataFrame, path: str, first_line: int) -> pd.DataFrame:
    position = pd.to_numeric(table["pos"], errors="coerce")
    whole = (position >= 0) & (position < 2**31) & (position % 1 == 0)
    wrong = np.flatnonzero(~whole | table["a1"].isin(["", np.nan]) | table["a2"].isin(["", np.nan]))
    if len(wrong):
        raise InputError(f"{path}, line {wrong[0] + first_line}: no position and alleles of a variant")
    text: dict[str, Any] = {name: table[name].str.upper() for name in ("a1", "a2")}
    snp_id = table.get("snp_id", ".")
    return table.assign(**text, pos=position.astype("int64"), snp_id=snp_id)[_TABLE]


def _windows_of_folder(folder: Path) -> list[Window]:
    windows = []
    for matrix in sorted(folder.glob("*.npz")):
        found = _NAME.fullmatch(matrix.stem)
        variants = matrix.with_suffix(".gz")
        if found and not variants.is_file():
            raise InputError(f"{variants}: no such file; it must list the variants of {matrix.name}")
        if found:
            start, end = int(found["start"]) - 1, int(found["end"])
            windows.append(Window(found["chrom"], start, end, str(matrix), str(variants)))
    if not windows:
        raise InputError(f"{folder}: no LD in this folder; files are named like chr1_1_3000001.npz and .gz")
    return windows


def _windows_of_table(path: Path) -> list[Window]:
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    with text_of(path, "a tab-separated table", f"columns {', '.join(_COLUMNS)}") as text:
        rows = list(csv.DictReader(text, delimiter="\t"))
    windows = []
    for number, row in enumerate(rows, start=2):
        where = f"{path}, line {number}"
        missing = [name for name in _COLUMNS if not row.get(name)]
        if missing:
            raise InputError(f"{where}: no value of '{missing[0]}'; the columns are {', '.join(_COLUMNS)}")
        if not (row["start"].isdecimal() and row["end"].isdecimal() and int(row["start"]) < int(row["end"])):
            raise InputError(f"{where}: {row['start']}-{row['end']} are not a start (0-based) and an end behind it")
        files = [str(path.parent / row[name]) for name in ("matrix", "variants")]
        for file in files:
            with reading(where, f"the name of a file: '{file[:100]}'"):
                if not Path(file).is_file():
                    raise InputError(f"{where}: file '{file}' does not exist")
        windows.append(Window(row["chrom"], int(row["start"]), int(row["end"]), *files))
    if not windows:
        raise InputError(f"{path}: no row below the header; the columns are {', '.join(_COLUMNS)}")
    return windows
