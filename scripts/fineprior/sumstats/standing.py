"""The rows that are still in while summary statistics are harmonised, and what is known of each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.sumstats.outcomes import REASONS, reason_names
from fineprior.sumstats.rows import Rows


class Standing:
    """Columns of the rows that are still in; `index` are their numbers in `rows`."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.index = np.flatnonzero(rows.reason == 0)
        plain = rows.alleles.plain
        self._columns: dict[str, NDArray[Any]] = {
            "chrom": rows.chrom[self.index], "pos": rows.pos[self.index],
            "effect": plain(rows.effect[self.index]), "other": plain(rows.other[self.index]),
        }  # fmt: skip
        self._stop_if_empty()

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    def __setitem__(self, name: str, values: NDArray[Any]) -> None:
        self._columns[name] = values

    def number(self, name: str) -> NDArray[np.float64]:
        """A number as the source has it."""
        return self.rows.numbers[name][self.index]

    def take(self, order: NDArray[np.intp]) -> None:
        """Bring the rows into another order."""
        self.index = self.index[order]
        for name in self._columns:
            self._columns[name] = self._columns[name][order]

    def drop(self, which: NDArray[np.bool_], reason: str) -> None:
        """Leave out the rows marked in `which`.

        Raises
        ------
        InputError
            If no row is left.
        """
        if which.any():
            self.rows.reason[self.index[which]] = reason_names().index(reason)
            self.take(np.flatnonzero(~which))
            self._stop_if_empty()

    def _stop_if_empty(self) -> None:
        if not len(self):
            names, counts = reason_names(), np.bincount(self.rows.reason)
            order = [number for number in np.argsort(-counts, kind="stable") if counts[number]]
            listed = ", ".join(f"{counts[number]:,} {names[number]}" for number in order)
            first = int(np.flatnonzero(self.rows.reason == order[0])[0])
            raise InputError(
                f"{self.rows.source}: none of {len(self.rows):,} rows is left ({listed}). {names[order[0]]}: "
                f"{REASONS[names[order[0]]]}; for example {self._described(first)}"
            )

    def _described(self, row: int) -> str:
        """A row of the source in words."""
        rows = self.rows
        spelled = [rows.alleles.spellings[number] if number >= 0 else "none" for number in
                   (rows.effect[row], rows.other[row])]  # fmt: skip
        chrom = rows.chroms[rows.chrom[row]] if rows.chrom[row] >= 0 else "none"
        pos = rows.text("source_pos", np.array([row])).iloc[0]
        return f"line {rows.row[row]}, chromosome {chrom}, position {pos}, alleles {spelled[0]} and {spelled[1]}"
