"""Tables in parts: written part by part, read only where a place is wanted, and put together."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute, csv
from pyarrow.parquet import ParquetWriter

from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.table import MISSING, Table, opened
from fineprior.files.whole import atomic_path

_ARROW = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.string()}


def stacked(table: Table, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of a table one below the other; the empty table where none has a row."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else table.empty()


def write_parts(table: Table, parts: Iterable[pd.DataFrame], path: str | Path) -> None:
    """As `Table.write`, for a table in pieces: at least one.

    Raises
    ------
    InputError
        A column of a piece is missing, unknown, or not of its type.
    """
    path = Path(path)
    frames = (table.checked(part, path) for part in parts)
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            first = pa.Table.from_pandas(next(frames), preserve_index=False)
            with ParquetWriter(temporary, first.schema, compression="zstd") as writer:
                writer.write_table(first)
                for frame in frames:
                    writer.write_table(pa.Table.from_pandas(frame, first.schema, preserve_index=False))
            return
        with opened(temporary, path.suffix == ".gz") as handle:
            for number, frame in enumerate(frames):
                table.write_text(frame, handle, header=not number)


def read_places(
    table: Table, path: str | Path, places: Sequence[tuple[str, int, int]], chrom: str = "chrom", pos: str = "pos"
) -> pd.DataFrame:
    """Read the rows of a table that lie in places, without the rest of it in memory.

    Parameters
    ----------
    table, path
        A table and its file.
    places
        Chromosome, start (0-based) and end (exclusive); they may overlap. A row is read once.
    chrom, pos
        The columns of chromosome and position (1-based, integer).

    Returns
    -------
    By chromosome in the order in which `places` names them first, and within one in the order of the file.

    Raises
    ------
    InputError
        The file is absent, damaged or not this table.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    chroms = list(dict.fromkeys(place[0] for place in places))
    if path.suffix != ".parquet":
        rows = _text_in_places(table, path, places, chrom, pos)
        return rows.sort_values(chrom, key=lambda names: names.map(chroms.index), kind="stable", ignore_index=True)
    found = []
    with checked(path, f"a readable {table.name} table"):
        for own in chroms:
            at = compute.field(pos)
            inside = reduce(or_, ((at > start) & (at <= end) for name, start, end in places if name == own))
            found.append(pd.read_parquet(path, filters=(compute.field(chrom) == own) & inside))
    return table.checked(stacked(table, found), path)


def _text_in_places(
    table: Table, path: Path, places: Sequence[tuple[str, int, int]], chrom: str, pos: str
) -> pd.DataFrame:
    """Rows of a table of text that lie in places, in the order of the file."""
    found = []
    with checked(path, f"a readable {table.name} table"):
        parts = csv.open_csv(
            path,
            parse_options=csv.ParseOptions(delimiter="\t", newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={column.name: _ARROW[column.kind] for column in table.columns},
                null_values=[MISSING], strings_can_be_null=True,
            ),
        )  # fmt: skip
        for part in parts:
            contigs = part.column(chrom).dictionary_encode()
            at = part.column(pos).to_numpy()
            rows = np.zeros(len(at), bool)
            codes = contigs.indices.fill_null(-1).to_numpy()
            for code, name in enumerate(contigs.dictionary.to_pylist()):
                own = np.flatnonzero(codes == code)
                rows[own] = _inside(at[own], [(start, end) for other, start, end in places if other == name])
            if rows.any():
                found.append(part.filter(pa.array(rows)).to_pandas())
    return table.checked(stacked(table, found), path)


def _inside(pos: NDArray[np.int64], places: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Whether each position (1-based) lies in one of the places, which may overlap."""
    if not places:
        return np.zeros(len(pos), bool)
    starts, ends = np.array(sorted(places)).T
    before = np.searchsorted(starts, pos)  # places that start before it; the farthest end of these counts
    return (before > 0) & (np.maximum.accumulate(ends)[before - 1] >= pos)
