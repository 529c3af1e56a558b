"""Tables that come in pieces, of which one is in memory at a time."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from fineprior.foundation.files import atomic_path
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
