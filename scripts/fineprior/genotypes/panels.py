"""Panels of any format (PLINK 1, PLINK 2, VCF, BCF; whole or by chromosome), and rows matched to variants.

Rows are matched by a key, an integer made of position and both alleles, which is sorted and searched. The alleles of a
key have no order, so a row matches whichever allele it or the panel counts. Insertions and deletions are compared in
their shortest and leftmost spelling.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.alleles import Alleles, Numbers, compare
from fineprior.genome.contigs import Contigs, is_part_of_x, plain_name
from fineprior.genome.fasta import Genome
from fineprior.genotypes.dosages import checked_index
from fineprior.project.panel_files import CHROM, chromosomes_of, panel_files


class Genotypes(Protocol):
    """Genotypes of n samples, as LD needs them; A1 is the allele whose copies are counted.

    Attributes
    ----------
    name : str
        Path as the user gave it.
    """

    name: str

    @property
    def samples(self) -> int:
        """Number of samples, n."""
        ...

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of `variants` for a table with panel_index, chrom, pos, ref, alt; the rest is not read where it pays."""
        ...

    def dosages(self, index: NDArray[np.integer], samples: slice = ...) -> NDArray[np.float32]:
        """Copies (n, p) of A1 at rows of `variants`, in column order, NaN where missing; of a part of the samples."""
        ...


class Panel(Genotypes, Protocol):
    """A panel of any format.

    Attributes
    ----------
    sample_ids : list of str
        Names of the samples.
    """

    sample_ids: list[str]

    @property
    def variants(self) -> pd.DataFrame:
        """All variants: chrom, pos (1-based), snp_id, a1, a2 (upper case). Its rows, from 0, are the panel_index."""
        ...

    @property
    def count(self) -> int:
        """Number of rows of `variants`."""
        ...

    def genotype_counts(self, index: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """Samples (p, 4) with two, one and no copies of A1, and missing; dosages are rounded."""
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
        File with one sample on a line: the samples to keep.

    Raises
    ------
    InputError
        There is no such panel, a part of it is absent or malformed, or the list names samples that it has not.
    """
    if CHROM in path:
        panel_files(path)
        return ChromosomePanels(path, samples)
    first = panel_files(path)[0]
    if first.endswith((".bed", ".pgen")):
        from fineprior.genotypes.plink_panel import PgenPanel, PlinkPanel

        panel, suffix = (PlinkPanel, ".bed") if first.endswith(".bed") else (PgenPanel, ".pgen")
        return panel(first.removesuffix(suffix), samples)
    from fineprior.genotypes.vcf_panel import VcfPanel

    return VcfPanel(first, samples)


class ChromosomePanels:
    """Panels of the same samples, one for each chromosome, as one. Attributes as of `Panel`.

    Raises
    ------
    InputError
        The panels do not have the same samples in the same order, or two of them are of one chromosome. X may have
        several: PLINK keeps its pseudo-autosomal regions apart.
    """

    def __init__(self, pattern: str, samples: str | None = None) -> None:
        self.name = pattern
        names = chromosomes_of(pattern)
        Contigs(pattern, [name for name in names if not is_part_of_x(name)]).by_plain_name()
        self._several_of_x = sum(plain_name(name, plink=True) == "X" for name in names) > 1
        self.parts = [open_panel(pattern.replace(CHROM, name), samples) for name in names]
        self.sample_ids = self.parts[0].sample_ids
        self._found: dict[int, int] = {}
        for part in self.parts[1:]:
            if part.sample_ids != self.sample_ids:
                raise InputError(
                    f"{part.name}: {part.samples:,} samples, not the same as the {self.samples:,} of "
                    f"{self.parts[0].name}, or in another order; name those to keep in `samples`, in files of one order"
                )

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.sample_ids)

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

    def dosages(self, index: NDArray[np.integer], samples: slice = slice(None)) -> NDArray[np.float32]:
        """Copies of A1, as of `Panel`."""
        pieces = self._by_part(index)
        if len(pieces) == 1:
            return self.parts[pieces[0][0]].dosages(pieces[0][2], samples)
        found = np.empty((len(index), len(self.sample_ids[samples])), np.float32)
        for number, rows, own in pieces:
            found[rows] = self.parts[number].dosages(own, samples).T
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
        """Number of each required part, places in `index`, and rows of the part."""
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


@dataclass(frozen=True)
class Matches(ReadOnly):
    """For each row: `panel_index`, its variant in the panel (-1: none), and `second`, another one (-1: none).

    `several`: there are more than these two. `a1_is_effect`: A1 of the variant is the row's effect allele. `opposite`:
    there is a second one, and its A1 is the other allele of the two.
    """

    panel_index: Numbers
    second: Numbers
    several: NDArray[np.bool_]
    a1_is_effect: NDArray[np.bool_]
    opposite: NDArray[np.bool_]


def match(
    variants: pd.DataFrame, genome: Genome, alleles: Alleles, contig: Numbers, pos: Numbers, effect: Numbers,
    other: Numbers,
) -> Matches:  # fmt: skip
    """Find rows in a panel.

    Parameters
    ----------
    variants
        The panel's variants: columns chrom, pos, a1, a2.
    genome
        The reference genome.
    alleles
        The alleles; those of the panel are added.
    contig, pos, effect, other
        For each row the number of its contig in the genome, and position and alleles in their shortest and leftmost
        spelling.
    """
    panel_contig, panel_pos, a1, a2 = _aligned(variants, genome, alleles)
    usable = np.flatnonzero(panel_contig >= 0).astype(np.int32)
    lengths = np.array([0, *genome.contigs.values()], np.int64)
    offsets = np.cumsum(lengths)[:-1]
    pairs, panel_pairs, count = _pair_numbers((effect, other), (a1[usable], a2[usable]))
    keys = (offsets[panel_contig[usable]] + panel_pos[usable]) * count + panel_pairs
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        keys, usable = keys[order], usable[order]
    wanted = (offsets[contig] + pos) * count + pairs
    at = np.searchsorted(keys, wanted)
    # three further keys that nothing equals, so that the next ones can be looked at
    keys, usable = np.append(keys, [-1] * 3), np.append(usable, np.array([-1] * 3, np.int32))
    found = [np.where(keys[at + step] == wanted, usable[at + step], -1).astype(np.int32) for step in range(3)]
    first, second = found[0], found[1]
    a1_is_effect = a1[first] == effect
    opposite = (second >= 0) & ((a1[second] == effect) != a1_is_effect)
    return Matches(first, second, found[2] >= 0, a1_is_effect & (first >= 0), opposite)


def _aligned(variants: pd.DataFrame, genome: Genome, alleles: Alleles) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Contig (-1 where the genome has no such place, or an allele is none), position and alleles of the panel."""
    codes, found = pd.factorize(variants["chrom"])
    numbers = {name: number for number, name in enumerate(genome.contigs)}
    contig_of = {str(name): genome.find(str(name), plink=True) or "" for name in found}
    _check_names(contig_of)
    known = np.array([*(numbers.get(name, -1) for name in contig_of.values()), -1], np.int32)
    contig: Numbers = known[codes]
    pos = np.clip(variants["pos"].to_numpy(np.int64), 0, np.iinfo(np.int32).max).astype(np.int32)  # a copy
    a1, a2 = alleles.plain(alleles.encode(variants["a1"])), alleles.plain(alleles.encode(variants["a2"]))
    sizes = np.array([*genome.contigs.values(), 0], np.int64)
    contig[(np.minimum(a1, a2) < 0) | (pos < 1) | (pos > sizes[contig])] = -1
    longer = np.flatnonzero((np.maximum(a1, a2) > 3) & (contig >= 0))
    rows = longer[alleles.movable(a1[longer], a2[longer])]
    if len(rows):
        rows = rows[np.lexsort((pos[rows], contig[rows]))]
        compared = compare(genome, contig[rows], pos[rows], a1[rows], a2[rows], alleles)
        pos[rows], a1[rows], a2[rows] = compared.pos, compared.first, compared.second
    return contig, pos, a1, a2


def _check_names(contig_of: dict[str, str]) -> None:
    """Stop if a panel has two names of one contig, of which nobody can say whether they are of one species.

    PLINK's names of the parts of X are no such names.
    """
    seen: dict[str, str] = {}
    for name, contig in contig_of.items():
        if contig and not is_part_of_x(name) and seen.setdefault(contig, name) != name:
            raise InputError(
                f"panel: it has variants on '{seen[contig]}' and on '{name}', which are both {contig} of the FASTA; "
                "rename or remove those of one of them"
            )


def _pair_numbers(*sets: tuple[Numbers, Numbers]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Numbers of unordered pairs of alleles, the same in both sets, and their count; single bases come first."""
    numbers, longer = [], []
    for first, second in sets:
        low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
        rows = np.flatnonzero(high > 3)
        longer.append((rows, low[rows] << 32 | high[rows]))
        numbers.append(low * 4 + high)
    known = np.unique(np.concatenate([pairs for _, pairs in longer]))
    for number, (rows, pairs) in zip(numbers, longer, strict=True):
        number[rows] = 16 + np.searchsorted(known, pairs)
    return numbers[0], numbers[1], 16 + len(known)
