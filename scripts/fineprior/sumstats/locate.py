"""Where rows lie in the reference genome: contig by name, position as it is or lifted over from another build."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.tables import LIFTOVER
from fineprior.genome.contigs import Contigs, plain_name
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.sumstats import outcomes
from fineprior.sumstats.rows import Rows
from fineprior.sumstats.standing import Standing

_BASES = 4


class Places:
    """Where any row of the source lies in the reference genome, whatever became of it."""

    def __init__(self, rows: Rows, genome: Genome, liftover: Liftover | None, plink: bool) -> None:
        self._rows, self._liftover = rows, liftover
        numbers = {name: number for number, name in enumerate(genome.contigs)}
        self._contigs = np.array([numbers.get(genome.find(name, plink) or "", -1) for name in rows.chroms] + [-1])
        self._sizes = np.array([*genome.contigs.values(), 0], np.int64)
        if liftover is not None:
            self._plain = [plain_name(name, plink) for name in rows.chroms]
            self._lifted = np.array([numbers.get(genome.find(name) or "", -1) for name in liftover.contigs] + [-1])

    def of(self, index: NDArray[np.intp]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Number of the contig (-1: none) and position (0: none) of some rows."""
        chrom, pos = self._rows.chrom[index], self._rows.pos[index]
        if self._liftover is None:
            contig = self._contigs[chrom].astype(np.int32)
        else:
            contig = np.full(len(index), -1, np.int32)
            source, pos = pos, np.zeros_like(pos)
            for number in np.unique(chrom[chrom >= 0]):
                which = np.flatnonzero(chrom == number)
                there = self._liftover.places(self._plain[number], source[which])
                contig[which], pos[which] = self._lifted[there.contig], there.pos
        known = (contig >= 0) & (pos > 0) & (pos <= self._sizes[contig])
        return contig, np.where(known, pos, 0).astype(np.int32)


def locate(standing: Standing, genome: Genome, liftover: Liftover | None, plink: bool) -> pd.DataFrame:
    """Sort rows by their place in the genome; add `contig`, and how they came there.

    Parameters
    ----------
    standing
        The rows.
    genome
        The reference genome; `contig` is a number into its contigs.
    liftover
        When positions are of another build.
    plink
        Chromosome 25 is that of PLINK.

    Returns
    -------
    Table LIFTOVER: positions without a place of their own, and those on a stretch that changed its strand.

    Raises
    ------
    InputError
        A chromosome may be any of several contigs of the FASTA, or rows lie on two contigs of one plain name.
    """
    numbers = {name: number for number, name in enumerate(genome.contigs)}
    names = standing.rows.chroms
    contigs = np.array([numbers.get(genome.find(name, plink) or "", -1) for name in names] or [-1], np.int32)
    standing["source_contig"], standing["source_pos"] = contigs[standing["chrom"]], standing["pos"]
    standing["strand_changed"] = np.zeros(len(standing), bool)
    standing["lifted"] = np.full(len(standing), liftover is not None)
    lifted = LIFTOVER.empty()
    if liftover is None:
        standing["contig"] = standing["source_contig"]
    else:
        lifted = _lift(standing, genome, liftover, plink)
    used = np.unique(standing["contig"])
    # Loci, exports and files of priors know a chromosome by its plain name, so that two contigs would be taken for one.
    Contigs(genome.path, [list(genome.contigs)[number] for number in used[used >= 0]]).by_plain_name()
    standing.drop(standing["contig"] < 0, outcomes.CONTIG_MISSING)
    sizes = np.array(list(genome.contigs.values()), np.int64)
    standing.drop(standing["pos"] > sizes[standing["contig"]], outcomes.POSITION_OUTSIDE)
    place = (standing["contig"].astype(np.int64) << 32) + standing["pos"]
    if (place[1:] < place[:-1]).any():
        standing.take(np.argsort(place, kind="stable"))
    return lifted


def _lift(standing: Standing, genome: Genome, liftover: Liftover, plink: bool) -> pd.DataFrame:
    names = standing.rows.chroms
    numbers = {name: number for number, name in enumerate(genome.contigs)}
    found = [genome.find(name) or "" for name in liftover.contigs]
    contigs = np.array([*(numbers.get(name, -1) for name in found), -1], np.int32)
    count = len(standing)
    contig, pos = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    reverse, places = np.zeros(count, bool), np.zeros(count, np.int32)
    for chrom in np.unique(standing["chrom"]):
        rows = np.flatnonzero(standing["chrom"] == chrom)
        there = liftover.places(names[chrom], standing["pos"][rows], plink)
        contig[rows], pos[rows] = there.contig, there.pos
        reverse[rows], places[rows] = there.reverse, there.places
    together = (places == 1) & _shared(standing, [plain_name(name, plink) for name in names], contig, pos)
    longer = np.maximum(standing["effect"], standing["other"]) >= _BASES
    conditions = {
        outcomes.NOT_LIFTED: places == 0, outcomes.LIFTED_TWICE: places > 1, outcomes.LIFTED_TOGETHER: together,
        outcomes.LIFTED_INDEL: reverse & longer,
    }  # fmt: skip
    lifted = _table(standing, liftover, conditions | {outcomes.LIFTED_REVERSED: reverse & ~longer}, contig, pos)
    standing["contig"], standing["pos"], standing["strand_changed"] = contigs[contig], pos, reverse
    for name in ("effect", "other"):
        standing[name] = np.where(reverse & ~longer, _BASES - 1 - standing[name], standing[name]).astype(np.int32)
    standing["loss"] = np.select(list(conditions.values()), range(len(conditions)), -1)
    for number, reason in enumerate(conditions):
        standing.drop(standing["loss"] == number, reason)
    return lifted


def _shared(
    standing: Standing, names: list[str], contig: NDArray[np.int32], pos: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Whether another position of the source has the same place; the same position in several rows is no other."""
    of_name = {name: number for number, name in enumerate(dict.fromkeys(names))}
    own = np.array([of_name[name] for name in names], np.int64)[standing["chrom"]] << 32 | standing["pos"]
    place = contig.astype(np.int64) << 32 | pos
    order = np.lexsort((own, place))
    place, own = place[order], own[order]
    group = np.cumsum(np.diff(place, prepend=place[:1]) != 0)
    several = np.zeros(group[-1] + 1, bool)
    several[group[1:][(np.diff(place) == 0) & (np.diff(own) != 0)]] = True
    shared = np.empty(len(place), bool)
    shared[order] = several[group]
    return shared


def _table(
    standing: Standing,
    liftover: Liftover,
    conditions: dict[str, NDArray[np.bool_]],
    contig: NDArray[np.int32],
    pos: NDArray[np.int32],
) -> pd.DataFrame:
    outcome = np.select(list(conditions.values()), list(conditions), "")
    rows = np.flatnonzero(outcome != "")
    source = standing.rows
    rows = rows[np.argsort(source.row[standing.index[rows]], kind="stable")]
    index = standing.index[rows]
    targets = [f"{liftover.contigs[c]}:{p}" if c >= 0 else None for c, p in zip(contig[rows], pos[rows], strict=True)]
    return pd.DataFrame({
        "row": source.row[index], "chrom": [source.chroms[chrom] for chrom in standing["chrom"][rows]],
        "pos": source.text("source_pos", index).to_numpy(), "outcome": outcome[rows],
        "target": pd.Series(targets, dtype="str"),
    })[LIFTOVER.names]  # fmt: skip
