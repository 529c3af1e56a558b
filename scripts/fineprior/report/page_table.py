"""Numbers and tables as the report page shows them, with what a download of a table holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fineprior.files.table import Table

_ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Header:
    """A column as it is shown: name in a download, label, meaning, and whether it holds numbers."""

    name: str
    label: str
    meaning: str
    numeric: bool


@dataclass(frozen=True)
class PageTable:
    """A table as it is shown: a cell is its text, and the exact value where the text does not say it."""

    name: str
    caption: str
    headers: list[Header]
    rows: list[list[tuple[str, str | None]]]


def number(value: Any) -> str:
    """A value as the page shows it: integers whole, other numbers to three significant digits, missing as a dash."""
    if isinstance(value, float | np.floating):
        return _significant(float(value))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    return _ABSENT if value is None or value is pd.NA else str(value)


def _significant(value: float) -> str:
    size = abs(value)
    if np.isnan(value):
        return _ABSENT
    if size == 0 or np.isinf(value):
        return f"{value:g}"
    if 1e-3 <= size < 999.5:
        return f"{value:#.3g}".rstrip(".")
    return f"{value:,.0f}" if 999.5 <= size < 1e6 else f"{value:.2e}"


def page_table(
    frame: pd.DataFrame, name: str, caption: str, labels: Mapping[str, str], table: Table | None = None
) -> PageTable:
    """The columns of `labels` (name to label), with their meanings from `table`; `name` is that of a download."""
    meanings = {column.name: column.meaning for column in table.columns} if table else {}
    headers = [
        Header(column, label, meanings.get(column, ""), pd.api.types.is_numeric_dtype(frame[column]))
        for column, label in labels.items()
    ]
    columns = [[_cell(value) for value in frame[column]] for column in labels]
    return PageTable(name, caption, headers, [list(row) for row in zip(*columns, strict=True)])


def _cell(value: Any) -> tuple[str, str | None]:
    shown = number(value)
    exact = "" if shown == _ABSENT else str(value)
    return shown, None if exact == shown else exact
