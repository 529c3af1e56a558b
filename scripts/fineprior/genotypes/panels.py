"""A reference panel, whatever its files are: PLINK 1, PLINK 2, VCF or BCF, whole or one for each chromosome."""

from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.contigs import Contigs, is_part_of_x, plain_name
from fineprior.foundation.errors import InputError
from fineprior.foundation.panel_files import CHROM, chromosomes_of, panel_files
from fineprior.genotypes.genotypes import PlinkPanel, checked_index


class Panel(Protocol):
    """Genotypes of n people; A1 is the allele whose copies are counted.

    Attributes
    ----------
    name : str
        Path as the user gave it.
    people : list of str
        Names of the people.
    """

    name: str
    people: list[str]

    @property
    def samples(self) -> int:
        """Number of people, n."""
        ...

    @property
    def variants(self) -> pd.DataFrame:
        """All variants: chrom, pos (1-based), snp_id, a1, a2 (upper case). Its rows, from 0, are the panel_index."""
        ...

    @property
    def count(self) -> int:
        """Number of rows of `variants`."""
        ...

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants` for a table with panel_index, chrom, pos, ref, alt; the rest is not read where it pays."""
        ...

    def dosages(self, index: NDArray[np.integer], people: slice = ...) -> NDArray[np.float32]:
        """Copies (n, p) of A1 at rows of `variants`, in column order, NaN where missing; of a part of the people."""
        ...

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """People (p, 4) with two, one and no copies of A1, and missing; dosages are rounded."""
        ...

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency (p,) of A1; NaN where nobody has a genotype."""
        ...


def open_panel(path: str, samples: str | None = None) -> Panel:
    """Open a panel by the files that are there.

    Parameters
    ----------
    path
        Prefix of .bed, .bim, .fam or of .pgen, .pvar[.zst], .psam (or the .bed or .pgen itself); or a .vcf, .vcf.gz,
        .vcf.bgz or .bcf file. `{chrom}` in it stands for the name of a chromosome: one panel for each.
    samples
        File with one person on a line: the people to keep.

    Raises
    ------
    InputError
        There is no such panel, a part of it is absent or malformed, or the list names people whom it has not.
    """
    if CHROM in path:
        panel_files(path)
        return ChromosomePanels(path, samples)
    first = panel_files(path)[0]
    if first.endswith(".bed"):
        return PlinkPanel(first.removesuffix(".bed"), samples)
    if first.endswith(".pgen"):
        from fineprior.genotypes.pgen_panel import PgenPanel

        return PgenPanel(first.removesuffix(".pgen"), samples)
    from fineprior.genotypes.vcf_panel import VcfPanel

    return VcfPanel(first, samples)


class ChromosomePanels:
    """Panels of the same people, one for each chromosome, as one. Attributes as of `Panel`.

    Raises
    ------
    InputError
        The panels do not have the same people in the same order, or two of them are of one chromosome. X may have
        several: PLINK keeps its pseudo-autosomal regions apart.
    """

    def __init__(self, pattern: str, samples: str | None = None) -> None:
        self.name = pattern
        names = chromosomes_of(pattern)
        Contigs(pattern, [name for name in names if not is_part_of_x(name)]).by_plain_name()
        self._several_of_x = sum(plain_name(name, plink=True) == "X" for name in names) > 1
        self.parts = [open_panel(pattern.replace(CHROM, name), samples) for name in names]
        self.people = self.parts[0].people
        self._found: dict[int, int] = {}
        for part in self.parts[1:]:
            if part.people != self.people:
                raise InputError(
                    f"{part.name}: {part.samples:,} people, not the same as the {self.samples:,} of "
                    f"{self.parts[0].name}, or in another order; name those to keep in `samples`, in files of one order"
                )

    @property
    def samples(self) -> int:
        """Number of people."""
        return len(self.people)

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        return np.cumsum([0, *(part.count for part in self.parts)])

    @property
    def count(self) -> int:
        """Number of rows of `variants`."""
        return int(self._offsets[-1])

    @cached_property
    def variants(self) -> pd.DataFrame:
        """The tables of all parts, one below the other."""
        return pd.concat([part.variants for part in self.parts], ignore_index=True)

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants`; only the parts that hold them are read."""
        if wanted.empty:
            return self.variants.iloc[:0]
        if all(getattr(part, "indexed", False) for part in self.parts) and not self._several_of_x:
            return self._find_by_name(wanted)
        index = self._checked(wanted["panel_index"].to_numpy(np.int64))
        found = [
            self.parts[number].find(wanted.iloc[rows].assign(panel_index=own)).set_axis(rows)
            for number, rows, own in self._by_part(index)
        ]
        return pd.concat(found).loc[np.arange(len(index))]

    def _find_by_name(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """As `find`, by the chromosomes in the names of the files: nothing has to be counted in the others."""
        names = Contigs(self.name, chromosomes_of(self.name), plink=True)
        found = []
        for chrom, rows in wanted.reset_index(drop=True).groupby("chrom", sort=False):
            name = names.find(str(chrom))
            if name is None:
                raise InputError(f"{self.name}: no file for chromosome '{chrom}'")
            number = names.names.index(name)
            found.append(self.parts[number].find(rows).set_axis(rows.index))
            self._found |= dict.fromkeys(rows["panel_index"].tolist(), number)
        return pd.concat(found).loc[np.arange(len(wanted))]

    def dosages(self, index: NDArray[np.integer], people: slice = slice(None)) -> NDArray[np.float32]:
        """Copies of A1, as of `Panel`."""
        pieces = self._by_part(index)
        if len(pieces) == 1:
            return self.parts[pieces[0][0]].dosages(pieces[0][2], people)
        found = np.empty((len(index), len(self.people[people])), np.float32)
        for number, rows, own in pieces:
            found[rows] = self.parts[number].dosages(own, people).T
        return found.T

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """Genotypes counted, as of `Panel`."""
        index = np.arange(self.count) if index is None else np.asarray(index, np.int64)
        counts = np.empty((len(index), 4), np.int64)
        for number, rows, own in self._by_part(index):
            counts[rows] = self.parts[number].genotype_counts(own)
        return counts

    def allele_frequencies(self, index: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Frequency of A1, as of `Panel`."""
        index = np.arange(self.count) if index is None else np.asarray(index, np.int64)
        frequencies = np.empty(len(index))
        for number, rows, own in self._by_part(index):
            frequencies[rows] = self.parts[number].allele_frequencies(own)
        return frequencies

    def _by_part(self, index: NDArray[np.integer]) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Number of each part that is asked for, places in `index`, and rows of the part."""
        index = np.asarray(index, np.int64)
        by_name = bool(self._found) and all(row in self._found for row in index.tolist())
        if by_name:
            part = np.array([self._found[row] for row in index.tolist()], np.int64)
        else:
            part = np.searchsorted(self._offsets, self._checked(index), side="right") - 1
        pieces = []
        for number in np.unique(part).tolist():
            rows = np.flatnonzero(part == number)
            pieces.append((number, rows, index[rows] - (0 if by_name else self._offsets[number])))
        return pieces

    def _checked(self, index: NDArray[np.integer]) -> NDArray[np.integer]:
        return checked_index(index, self.count, self.name)
