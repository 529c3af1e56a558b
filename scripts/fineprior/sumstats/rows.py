"""The rows of summary statistics in few bytes each, and those of them that no stage has excluded yet.

About 100 bytes a row: contigs and alleles are numbers, positions 32-bit integers, and the text that only the list of
excluded rows needs stays as it came. Each stage of harmonising (`located`, `oriented`, `matched`) is a frozen class of
arrays over the rows that remain; why a row was excluded is noted in `Rows.reason`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly, read_only
from fineprior.files.errors import InputError
from fineprior.genome.alleles import BAD, CODED, Alleles
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.agreement import CONTRADICTS
from fineprior.sumstats.outcomes import (
    BAD_ALLELES,
    BAD_VALUE,
    CODED_ALLELES,
    CONTRADICTION,
    LOW_INFO,
    MISSING_VALUE,
    NO_SIGN,
    POSITION_OUTSIDE,
    REASONS,
    number_of,
    reason_names,
)

NUMBERS = ("beta", "se", "z", "neg_log10_p", "eaf", "n")
TEXTS = ("source_pos", "rsid")
MARKS = "marks"
"""Column of a chunk beside the standard ones: the bits of `sumstats.agreement`; a frame may be without it."""
_NEEDED = ("chrom", "pos", "effect_allele", "other_allele", "z", "neg_log10_p", "n")
_LARGEST = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a source, as it has them; arrays are (rows,), and read-only but for `reason`.

    `chrom` is a number into `chroms`, -1 when missing; `pos` (1-based) is 0 when it is not a whole number above 0;
    `effect` and `other` are numbers of `alleles`; `reason` is 0 for a row that remains, else the number of the reason
    (`outcomes.number_of`) for which it is excluded; `marks`: bits of `sumstats.agreement`.
    """

    source: str
    alleles: Alleles
    chroms: list[str]
    row: NDArray[np.int64]
    chrom: NDArray[np.int32]
    pos: NDArray[np.int32]
    effect: NDArray[np.int32]
    other: NDArray[np.int32]
    reason: NDArray[np.uint8]
    marks: NDArray[np.uint8]
    numbers: dict[str, NDArray[np.float64]]
    texts: dict[str, pa.Array]

    def __post_init__(self) -> None:
        for name in ("row", "chrom", "pos", "effect", "other", "marks"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        object.__setattr__(self, "numbers", {name: read_only(values) for name, values in self.numbers.items()})

    def __len__(self) -> int:
        return len(self.row)

    def text(self, name: str, rows: NDArray[np.intp]) -> pd.Series:
        """A column of text at some rows."""
        return pd.Series(self.texts[name].take(pa.array(rows)).to_pandas()).astype("str")

    def remaining(self) -> NDArray[np.intp]:
        """Numbers of the rows without a reason to be excluded.

        Raises
        ------
        InputError
            There is none; the message counts the reasons and shows a row.
        """
        index = np.flatnonzero(self.reason == 0)
        if not len(index):
            names, counts = reason_names(), np.bincount(self.reason)
            order = [number for number in np.argsort(-counts, kind="stable") if counts[number]]
            listed = ", ".join(f"{counts[number]:,} {names[number]}" for number in order)
            first = int(np.flatnonzero(self.reason == order[0])[0])
            raise InputError(
                f"{self.source}: none of {len(self):,} rows is left ({listed}). {names[order[0]]}: "
                f"{REASONS[names[order[0]]]}; for example {self._described(first)}"
            )
        return index

    def _described(self, row: int) -> str:
        """A row of the source in words."""
        effect, other = (
            self.alleles.spellings[number] if number >= 0 else "none" for number in (self.effect[row], self.other[row])
        )
        chrom = self.chroms[self.chrom[row]] if self.chrom[row] >= 0 else "none"
        pos = self.text("source_pos", np.array([row])).iloc[0]
        return f"line {self.row[row]}, chromosome {chrom}, position {pos}, alleles {effect} and {other}"


@dataclass(frozen=True, eq=False)
class Columns(ReadOnly):
    """Values of some rows: in a subclass every array is (rows,), and other fields are the same for all rows."""

    def take(self, order: NDArray[np.intp]) -> Self:
        """The rows at these places, in this order."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        taken: dict[str, Any] = {
            name: value.take(order) if isinstance(value, Columns) else value[order]
            for name, value in values
            if isinstance(value, Columns | np.ndarray)
        }
        return replace(self, **taken)


@dataclass(frozen=True, eq=False)
class Remaining(Columns):
    """What a stage knows of the rows that remain; `index` (n,) are their numbers in `rows`."""

    rows: Rows
    index: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.index)

    def number(self, name: str) -> NDArray[np.float64]:
        """A number (n,) as the source has it: one of `NUMBERS`."""
        return self.rows.numbers[name][self.index]

    def without(self, excluded: Mapping[str, NDArray[np.bool_]]) -> Self:
        """The same without rows that are excluded, which is noted in `rows.reason`.

        Parameters
        ----------
        excluded
            Reason -> which rows (n,) it excludes; of several reasons for one row the first counts.

        Raises
        ------
        InputError
            No row is left.
        """
        out = np.zeros(len(self), bool)
        for reason, which in excluded.items():
            self.rows.reason[self.index[which & ~out]] = number_of(reason)
            out |= which
        if not out.any():
            return self
        if out.all():
            self.rows.remaining()
        return self.take(np.flatnonzero(~out))


def with_values(values: NDArray[Any], at: NDArray[np.intp], new: NDArray[Any] | int) -> NDArray[Any]:
    """A copy of an array with other values at some places."""
    changed = values.copy()
    changed[at] = new
    return changed


def names_at(numbers: NDArray[np.integer], names: Sequence[str]) -> pd.Series:
    """Names by number; missing below 0."""
    taken = pa.array(names, pa.large_string()).take(pa.array(numbers, mask=numbers < 0))
    return pd.Series(taken.to_pandas()).astype("str")


def gather_rows(chunks: Iterable[pd.DataFrame], settings: HarmoniseSettings, source: str) -> Rows:
    """Gather chunks of the columns `reader.STANDARD`; what a row lacks by itself is noted in `reason`.

    Raises
    ------
    InputError
        If there is no row.
    """
    alleles, chroms = Alleles(), dict[str, int]()
    parts: dict[str, list[Any]] = {}
    for chunk in chunks:
        for name, values in _compact(chunk, alleles, chroms, settings).items():
            parts.setdefault(name, []).append(values)
    if not parts:
        raise InputError(f"{source}: no rows")
    texts = {name: pa.concat_arrays(parts.pop(name)) for name in TEXTS}
    whole = {name: np.concatenate(parts.pop(name)) for name in list(parts)}  # popped: one column twice in memory
    numbers = {name: whole.pop(name) for name in NUMBERS}
    return Rows(source, alleles, list(chroms), numbers=numbers, texts=texts, **whole)


def _compact(
    chunk: pd.DataFrame, alleles: Alleles, chroms: dict[str, int], settings: HarmoniseSettings
) -> dict[str, Any]:
    codes, found = pd.factorize(chunk["chrom"])
    numbers = np.array([*(chroms.setdefault(str(name), len(chroms)) for name in found), -1], np.int32)
    position = chunk["pos"].to_numpy(np.float64)
    whole = (position >= 1) & (position <= _LARGEST) & (position % 1 == 0)
    compact: dict[str, Any] = {name: chunk[name].to_numpy(np.float64, copy=True) for name in NUMBERS}
    compact |= {
        "row": chunk["row"].to_numpy(np.int64, copy=True),
        "chrom": numbers[codes],
        "pos": np.where(whole, position, 0).astype(np.int32),
        "effect": alleles.encode(chunk["effect_allele"]),
        "other": alleles.encode(chunk["other_allele"]),
    }
    compact["marks"] = chunk[MARKS].to_numpy(np.uint8) if MARKS in chunk else np.zeros(len(chunk), np.uint8)
    for name in TEXTS:
        text = pa.array(chunk[name].astype("str"), pa.large_string(), from_pandas=True)
        compact[name] = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    compact["reason"] = _reasons(chunk, compact, alleles, settings)
    return compact


def _reasons(
    chunk: pd.DataFrame, compact: dict[str, Any], alleles: Alleles, settings: HarmoniseSettings
) -> NDArray[np.uint8]:
    """Return what can be said of a row by itself."""
    beta, se, z, p, eaf, n = (compact[name] for name in NUMBERS)
    effect, other = alleles.plain(compact["effect"]), alleles.plain(compact["other"])
    coded = np.isin([effect, other], CODED).any(0)
    known = ~np.isnan(p) & np.isfinite(p)
    conditions = {
        NO_SIGN: (beta == 0) & np.isnan(z) & known,
        CONTRADICTION: (compact["marks"] & CONTRADICTS) > 0,
        MISSING_VALUE: chunk[list(_NEEDED)].isna().to_numpy().any(1),
        BAD_VALUE: (se <= 0) | (n <= 0) | (p < 0) | (eaf < 0) | (eaf > 1) | np.isinf([beta, se, z, p, n]).any(0),
        POSITION_OUTSIDE: compact["pos"] == 0,
        CODED_ALLELES: coded,
        BAD_ALLELES: (effect == other) | (np.minimum(effect, other) == BAD),
        LOW_INFO: chunk["info"].to_numpy(np.float64) < settings.min_info,
    }
    reasons = [number_of(reason) for reason in conditions]
    return np.select(list(conditions.values()), reasons, 0).astype(np.uint8)
