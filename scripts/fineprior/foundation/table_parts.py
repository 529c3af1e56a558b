"""Tables that come in pieces, of which one is in memory at a time, and pieces of tables."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute
from pyarrow.parquet import ParquetWriter

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path
from fineprior.foundation.integrity import checked
from fineprior.foundation.table import Table, opened


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


def read_places(table: Table, path: str | Path, places: Sequence[tuple[str, int, int]]) -> pd.DataFrame:
    """Read the rows of a parquet table whose `chrom` and `pos` lie in places, without the rest of it in memory.

    Parameters
    ----------
    table, path
        A table with columns chrom and pos, and its file.
    places
        Chromosome, start (0-based) and end (exclusive); they may overlap. A row is read once.

    Returns
    -------
    By chromosome in the order in which `places` names them first, and within one in the order of the file.

    Raises
    ------
    InputError
        The file is absent, damaged or not this table.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    found = []
    with checked(path, f"a readable {table.name} table"):
        for chrom in dict.fromkeys(place[0] for place in places):
            pos = compute.field("pos")
            inside = reduce(or_, ((pos > start) & (pos <= end) for name, start, end in places if name == chrom))
            found.append(pd.read_parquet(path, filters=(compute.field("chrom") == chrom) & inside))
    filled = [frame for frame in found if len(frame)]
    return table.checked(pd.concat(filled, ignore_index=True), path) if filled else table.empty()
