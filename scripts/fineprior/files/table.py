"""Tables: columns with a kind and a meaning, checked where a file is read or written.

Every table is read and written here only, so a column that is missing, unknown or of another type is found where it
enters.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path

MISSING = "NA"
_DTYPES = {"text": "str", "integer": "int64", "number": "float64", "flag": "bool"}


@dataclass(frozen=True)
class Column:
    """One column: its kind is text, integer, number or flag (true/false)."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table's columns in their order; `open_ended` allows further number columns (one for each track, say).

    Columns that are in `later` are filled by a later stage: they are NA in a frame or a file that lacks them.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    open_ended: str = ""
    later: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def empty(self) -> pd.DataFrame:
        """The table without rows."""
        return pd.DataFrame({c.name: pd.Series(dtype=_DTYPES[c.kind]) for c in self.columns})

    def checked(self, frame: pd.DataFrame, where: str | Path) -> pd.DataFrame:
        """The frame with this table's columns in order and of their types.

        Raises
        ------
        InputError
            A column is missing, unknown, or not of its type.
        """
        frame = frame.assign(**{name: None for name in self.later if name not in frame.columns})
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise InputError(f"{where}: column '{missing[0]}' is missing; {self.name} needs {', '.join(self.names)}")
        further = [name for name in frame.columns if name not in self.names]
        if further and not self.open_ended:
            raise InputError(f"{where}: unknown column '{further[0]}'; {self.name} has {', '.join(self.names)}")
        kinds = {c.name: c.kind for c in self.columns} | dict.fromkeys(further, "number")
        columns = {name: _typed(frame[name], kind, f"{where}: column '{name}'") for name, kind in kinds.items()}
        return pd.DataFrame(columns).reset_index(drop=True)

    def write(self, frame: pd.DataFrame, path: str | Path) -> None:
        """Write as .tsv, .tsv.gz (same rows, same bytes) or .parquet, whole or not at all."""
        path = Path(path)
        frame = self.checked(frame, path)
        with atomic_path(path) as temporary:
            if path.suffix == ".parquet":
                frame.to_parquet(temporary, index=False, compression="zstd")
                return
            with opened(temporary, path.suffix == ".gz") as handle:
                self.write_text(frame, handle)

    def write_text(self, frame: pd.DataFrame, handle: IO[bytes] | gzip.GzipFile, header: bool = True) -> None:
        """Write a checked frame as tab-separated text."""
        for column in self.columns:
            if column.kind == "flag":
                frame[column.name] = frame[column.name].map({True: "TRUE", False: "FALSE"})
        frame.to_csv(handle, sep="\t", index=False, header=header, na_rep=MISSING, float_format="%.7g",
                     lineterminator="\n")  # fmt: skip

    def read(self, path: str | Path) -> pd.DataFrame:
        """Read what `write` wrote.

        Raises
        ------
        InputError
            The file is absent, empty or damaged, or its columns are not this table's.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        texts = [column.name for column in self.columns if column.kind == "text"]
        with checked(path, f"a readable {self.name} table"):
            if path.suffix == ".parquet":
                frame = pd.read_parquet(path)
            else:
                frame = pd.read_csv(path, sep="\t", dtype=dict.fromkeys(texts, "str"), na_values=[MISSING],
                                    keep_default_na=False)  # fmt: skip
        return self.checked(frame, path)


@contextmanager
def opened(path: Path, compressed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open for writing; a gzip header carries neither time nor name, so that the same rows are the same bytes."""
    with path.open("wb") as handle:
        if compressed:
            with gzip.GzipFile(filename="", mode="wb", fileobj=handle, mtime=0) as packed:
                yield packed
        else:
            yield handle


def _typed(values: pd.Series, kind: str, where: str) -> pd.Series:
    try:
        if kind == "flag" and values.dtype != bool:
            allowed = {"TRUE": True, "FALSE": False, True: True, False: False}
            if not set(values) <= set(allowed):
                raise ValueError
            return values.map(allowed).astype(bool)
        return values.astype(_DTYPES[kind])
    except (ValueError, TypeError):
        raise InputError(f"{where} must hold values of kind {kind}, not {_first_wrong(values, kind)!r}") from None


def _first_wrong(values: pd.Series, kind: str) -> object:
    if kind in {"integer", "number"}:
        numbers = pd.to_numeric(values, errors="coerce")
        wrong = numbers.isna() if kind == "integer" else numbers.isna() & values.notna()
    else:
        wrong = ~values.isin(["TRUE", "FALSE", True, False])
    return values[wrong].iloc[0] if wrong.any() else values.dtype


def define(name: str, meaning: str, columns: str, open_ended: str = "", later: tuple[str, ...] = ()) -> Table:
    """Return a table from lines `name | kind | meaning`, one for each column."""
    rows = [[part.strip() for part in line.split("|", 2)] for line in columns.strip().splitlines()]
    return Table(name, meaning, tuple(Column(*row) for row in rows), open_ended, later)
