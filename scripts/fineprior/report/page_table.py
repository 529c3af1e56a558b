"""Tables and numbers as the report page shows them, with the exact values that a download has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fineprior.files.table import Table

_ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Header:
    """A column of a shown table: its name in a download, label, meaning, and whether it is numeric."""

    name: str
    label: str
    meaning: str
    numeric: bool


@dataclass(frozen=True)
class PageTable:
    """A shown table: each cell is its text, and its exact value where the text is rounded or a dash."""

    name: str
    caption: str
    headers: list[Header]
    rows: list[list[tuple[str, str | None]]]


def number(value: Any) -> str:
    """Format a value: integers in full, other numbers to three significant digits, missing values as a dash."""
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
    """Select the columns of `labels` (name to label), with meanings from `table`; a download has this `name`."""
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
