"""First stage of harmonising: rows located in the reference genome, and whether their build is the genome's.

A row's contig is found by its name. Its position is taken as it is, or lifted over from another build.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.tables import LIFTOVER
from fineprior.genome.alleles import compare
from fineprior.genome.contigs import Contigs, plain_name
from fineprior.genome.fasta import BASES, Genome
from fineprior.genome.liftover import Liftover
from fineprior.project.sheets import plain_build
from fineprior.sumstats import outcomes
from fineprior.sumstats.file_checks import ENOUGH_ROWS
from fineprior.sumstats.rows import Remaining, Rows

_BASES = len(BASES)
_LEAST_AGREEMENT = 0.75
"""Share of rows with an allele of the FASTA: near 1 for the right build, near 0.5 for a wrong one."""
_RUNS, _RUN = 40, 5000
"""Of a large file these many runs of rows are looked at: a small part of the genome has to be read for them."""
_OTHER = {"grch37": "GRCh38", "grch38": "GRCh37"}


@dataclass(frozen=True, eq=False)
class Located(Remaining):
    """Rows that have a place in the reference genome, sorted by it.

    Attributes
    ----------
    contig : (n,) int32
        Number of the contig in the genome.
    pos : (n,) int32
        Position, 1-based, within the contig.
    effect, other : (n,) int32
        The two alleles as numbers of `rows.alleles`, in upper case, on the strand that the place is on.
    lift_reversed : (n,) bool
        Whether the position was lifted over to the other strand, so that the alleles are complemented.
    """

    contig: NDArray[np.int32]
    pos: NDArray[np.int32]
    effect: NDArray[np.int32]
    other: NDArray[np.int32]
    lift_reversed: NDArray[np.bool_]


def locate(rows: Rows, genome: Genome, liftover: Liftover | None, plink: bool) -> tuple[Located, pd.DataFrame]:
    """Find the place of each row in the genome; a row without one is excluded.

    Parameters
    ----------
    rows
        The rows of the source.
    genome
        The reference genome.
    liftover
        From the build of the positions to the genome's; None where they are of one build.
    plink
        Whether chromosome 25 is that of PLINK (see `Contigs.find`).

    Returns
    -------
    The located rows; and table LIFTOVER: positions without a place of their own, and those on a stretch that changed
    its strand.

    Raises
    ------
    InputError
        A chromosome may be any of several contigs of the FASTA, rows lie on two contigs of one plain name, or no row
        has a place.
    """
    index = rows.remaining()
    plain = rows.alleles.plain
    located = Located(
        rows, index, contig_numbers(rows.chroms, genome, plink)[rows.chrom[index]], rows.pos[index],
        plain(rows.effect[index]), plain(rows.other[index]), np.zeros(len(index), bool),
    )  # fmt: skip
    table = LIFTOVER.empty()
    if liftover is not None:
        located, table = _lift(located, genome, liftover, plink)
    used = np.unique(located.contig)
    # Loci, exports and files of priors know a chromosome by its plain name, so that two contigs would be taken for one.
    Contigs(genome.path, [list(genome.contigs)[number] for number in used[used >= 0]]).by_plain_name()
    sizes = np.array(list(genome.contigs.values()), np.int64)
    located = located.without({
        outcomes.CONTIG_MISSING: located.contig < 0, outcomes.POSITION_OUTSIDE: located.pos > sizes[located.contig]
    })  # fmt: skip
    place = (located.contig.astype(np.int64) << 32) + located.pos
    if (place[1:] < place[:-1]).any():
        located = located.take(np.argsort(place, kind="stable"))
    return located, table


def contig_numbers(names: Sequence[str], genome: Genome, plink: bool = False) -> NDArray[np.int32]:
    """Number (names + 1,) of the genome's contig for each name, -1 where it has none; the last one, -1, is of no name.

    Raises
    ------
    InputError
        A name may be any of several contigs.
    """
    numbers = {name: number for number, name in enumerate(genome.contigs)}
    return np.array([*(numbers.get(genome.find(name, plink) or "", -1) for name in names), -1], np.int32)


def _lift(located: Located, genome: Genome, liftover: Liftover, plink: bool) -> tuple[Located, pd.DataFrame]:
    """Lift positions over; a row that loses its place, or shares it with another one, is excluded."""
    rows, count = located.rows, len(located)
    chrom = rows.chrom[located.index]
    contig, pos = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    reverse, places = np.zeros(count, bool), np.zeros(count, np.int32)
    for number in np.unique(chrom):
        own = np.flatnonzero(chrom == number)
        there = liftover.places(rows.chroms[number], located.pos[own], plink)
        contig[own], pos[own] = there.contig, there.pos
        reverse[own], places[own] = there.reverse, there.places
    by_name = {name: number for number, name in enumerate(dict.fromkeys(plain_name(one, plink) for one in rows.chroms))}
    names = np.array([by_name[plain_name(one, plink)] for one in rows.chroms], np.int64)
    together = (places == 1) & _shared(names[chrom] << 32 | located.pos, contig.astype(np.int64) << 32 | pos)
    longer = np.maximum(located.effect, located.other) >= _BASES
    excluded = {
        outcomes.NOT_LIFTED: places == 0, outcomes.LIFTED_TWICE: places > 1, outcomes.LIFTED_TOGETHER: together,
        outcomes.LIFTED_INDEL: reverse & longer,
    }  # fmt: skip
    table = _liftover_table(
        located, liftover, excluded | {outcomes.LIFTED_REVERSED: reverse & ~longer}, contig, pos
    )  # fmt: skip
    effect, other = (
        np.where(reverse & ~longer, _BASES - 1 - allele, allele).astype(np.int32)
        for allele in (located.effect, located.other)
    )
    contigs = contig_numbers(liftover.contigs, genome)
    lifted = replace(located, contig=contigs[contig], pos=pos, effect=effect, other=other, lift_reversed=reverse)
    return lifted.without(excluded), table


def _shared(own: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether another position of the source has the same place; the same position in several rows is no other."""
    order = np.lexsort((own, place))
    place, own = place[order], own[order]
    group = np.cumsum(np.diff(place, prepend=place[:1]) != 0)
    several = np.zeros(group[-1] + 1, bool)
    several[group[1:][(np.diff(place) == 0) & (np.diff(own) != 0)]] = True
    shared = np.empty(len(place), bool)
    shared[order] = several[group]
    return shared


def _liftover_table(
    located: Located,
    liftover: Liftover,
    found: dict[str, NDArray[np.bool_]],
    contig: NDArray[np.int32],
    pos: NDArray[np.int32],
) -> pd.DataFrame:
    """Table LIFTOVER, in the order of the source; `found`: outcome -> which rows, of which the first counts."""
    outcome = np.select(list(found.values()), list(found), "")
    at = np.flatnonzero(outcome != "")
    rows = located.rows
    at = at[np.argsort(rows.row[located.index[at]], kind="stable")]
    index = located.index[at]
    targets = [f"{liftover.contigs[c]}:{p}" if c >= 0 else None for c, p in zip(contig[at], pos[at], strict=True)]
    return pd.DataFrame({
        "row": rows.row[index], "chrom": [rows.chroms[chrom] for chrom in rows.chrom[index]],
        "pos": rows.text("source_pos", index).to_numpy(), "outcome": outcome[at],
        "target": pd.Series(targets, dtype="str"),
    })[LIFTOVER.names]  # fmt: skip


class Coordinates:
    """Where any row of the source lies in the reference genome, whatever became of it."""

    def __init__(self, rows: Rows, genome: Genome, liftover: Liftover | None, plink: bool) -> None:
        self.liftover = liftover
        self._rows = rows
        self._contigs = contig_numbers(rows.chroms, genome, plink)
        self._sizes = np.array([*genome.contigs.values(), 0], np.int64)
        if liftover is not None:
            self._plain = [plain_name(name, plink) for name in rows.chroms]
            self._lifted = contig_numbers(liftover.contigs, genome)

    def of(self, index: NDArray[np.intp]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Number of the contig (-1: none) and position (0: none) of some rows."""
        chrom, pos = self._rows.chrom[index], self._rows.pos[index]
        if self.liftover is None:
            contig = self._contigs[chrom]
        else:
            contig = np.full(len(index), -1, np.int32)
            source, pos = pos, np.zeros_like(pos)
            for number in np.unique(chrom[chrom >= 0]):
                which = np.flatnonzero(chrom == number)
                there = self.liftover.places(self._plain[number], source[which])
                contig[which], pos[which] = self._lifted[there.contig], there.pos
        known = (contig >= 0) & (pos > 0) & (pos <= self._sizes[contig])
        return contig, np.where(known, pos, 0).astype(np.int32)


def check_assembly(source: str, assembly: str | None, build: str, source_build: str = "") -> None:
    """Compare the assembly that a file names for itself with the build that was declared.

    Parameters
    ----------
    source
        Name of the file.
    assembly
        What the file or its meta file says; None when nothing.
    build, source_build
        Builds of the FASTA and, where it is another one, of the positions.

    Raises
    ------
    InputError
        They differ; hg19 is GRCh37 and hg38 GRCh38, patches (GRCh38.p14) do not count.
    """
    declared = source_build or build
    if assembly and declared and plain_build(assembly) != plain_build(declared):
        where = "`build` of the study" if source_build else "genome.build of the config"
        raise InputError(
            f"{source}: genome_assembly is '{assembly}' (meta file, header or format), but {where} is '{declared}'; "
            "name the build of the positions as `build` of the study, with a `chain` file where it is not genome.build"
        )


def check_build(
    located: Located,
    genome: Genome,
    build: str = "",
    liftover: Liftover | None = None,
    source_build: str = "",
    plink: bool = False,
) -> None:
    """Stop if the positions are not those of this genome.

    A/T and C/G rows do not depend on the strand, so they judge where there are enough of them; else the other
    single-base rows do, on the strand that most of them are on. At most 200,000 rows are looked at, in runs.

    Parameters
    ----------
    located
        The rows.
    genome, build
        The reference genome, and the name of its build.
    liftover, source_build, plink
        As of `locate`, and the name of the build of the positions.

    Raises
    ------
    InputError
        If fewer than three quarters of these rows have an allele that the FASTA has at their position; it names
        the builds and the shares.
    """
    single = np.maximum(located.effect, located.other) < _BASES
    palindromic = single & (located.effect + located.other == _BASES - 1)
    judged, at = "A/T and C/G rows", np.flatnonzero(palindromic)
    if len(at) < ENOUGH_ROWS:
        judged, at = "single-base rows", np.flatnonzero(single & ~palindromic)
    if len(at) < ENOUGH_ROWS:
        return
    if len(at) > _RUNS * _RUN:
        starts = np.linspace(0, len(at) - _RUN, _RUNS).astype(np.int64)
        at = at[(starts[:, None] + np.arange(_RUN)).ravel()]
    contig, pos = located.contig[at], located.pos[at]
    share = _share(located, genome, at, contig, pos)
    if share >= _LEAST_AGREEMENT:
        return
    rows = located.rows
    fasta = f"{genome.path} ({build})" if build else str(genome.path)
    text = f"{rows.source}: only {share:.0%} of the {judged} have an allele that {fasta} has at their position"
    if liftover is not None:
        index = located.index[at]
        written = contig_numbers(rows.chroms, genome, plink)[rows.chrom[index]]
        without = _share(located, genome, at, written, rows.pos[index])
        raise InputError(
            f"{text} when they are lifted over from {source_build or 'the declared build'} with {liftover.path}, and "
            f"{without:.0%} when they are not; "
            + (
                f"they are of {build or 'the build of the FASTA'} already: leave `build` and `chain` empty"
                if without >= _LEAST_AGREEMENT
                else "is `build` right, and is this the chain file from it?"
            )
        )
    later = _share(located, genome, at, contig, pos + 1)
    if later >= _LEAST_AGREEMENT:
        raise InputError(
            f"{text}, but {later:.0%} one base further; are the positions counted from 0? Then say "
            "`coordinate_system: 0-based` in the meta file"
        )
    guess = _OTHER.get(plain_build(build), "")
    remedy = f" If of {guess}, name it as `build` of the study, with a `chain` file to {build}" if guess else ""
    raise InputError(f"{text}; are the positions of another genome build?{remedy}")


def _share(
    located: Located,
    genome: Genome,
    at: NDArray[np.intp],
    contig: NDArray[np.int32],
    pos: NDArray[np.int32],
) -> float:
    """Share of single-base rows with an allele that the genome has at these places, on the strand that most are on.

    `at` (k,) are the rows, `contig` and `pos` (k,) their places.
    """
    known = np.flatnonzero(contig >= 0)
    order = known[np.lexsort((pos[known], contig[known]))]
    if not len(order):
        return 0.0
    effect, other = located.effect[at[order]], located.other[at[order]]
    here = compare(genome, contig[order], pos[order], effect, other, located.rows.alleles)
    reverse = (here.base == _BASES - 1 - effect) | (here.base == _BASES - 1 - other)
    return float(max((here.first_agrees | here.second_agrees).mean(), reverse.mean()))
