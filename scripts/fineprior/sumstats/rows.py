"""The rows of summary statistics in few bytes each, gathered chunk by chunk.

About 100 bytes a row: contigs and alleles are numbers, positions 32-bit integers, and the text that only the list of
left-out rows needs stays as it came.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

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
    number_of,
)

NUMBERS = ("beta", "se", "z", "neg_log10_p", "eaf", "n")
TEXTS = ("source_pos", "rsid")
MARKS = "marks"
"""Column of a chunk beside the standard ones: the bits of `sumstats.agreement`; a frame may be without it."""
_NEEDED = ("chrom", "pos", "effect_allele", "other_allele", "z", "neg_log10_p", "n")
_LARGEST = np.iinfo(np.int32).max


@dataclass
class Rows:
    """All rows of a source.

    `chrom` is a number into `chroms`, -1 when missing; `effect` and `other` are numbers of `alleles`; `reason` is 0 for
    a row that is still in; `pos` is 0 when it is not a whole number above 0; `marks`: bits of `sumstats.agreement`.
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

    def __len__(self) -> int:
        return len(self.row)

    def text(self, name: str, rows: NDArray[np.intp]) -> pd.Series:
        """A column of text at some rows."""
        return pd.Series(self.texts[name].take(pa.array(rows)).to_pandas()).astype("str")


def gather_rows(chunks: Iterable[pd.DataFrame], settings: HarmoniseSettings, source: str) -> Rows:
    """Gather chunks of the columns `sumstats.sumstats.STANDARD`; what a row lacks by itself is noted in `reason`.

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
