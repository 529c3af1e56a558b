"""Rows of the summary statistics that harmonising left out, by the locus in whose window they lie."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.tables import DROPPED, LOST
from fineprior.genetics.genome import Genome
from fineprior.genetics.liftover import Liftover
from fineprior.genetics.loci import Interval

_LARGEST = np.iinfo(np.int32).max

log = logging.getLogger(__name__)


def read_lost(
    dropped: str | None, intervals: Sequence[Interval], genome: Genome, chain: str | None = None
) -> pd.DataFrame | None:
    """Table LOST of loci; None when it is not known what was dropped.

    Parameters
    ----------
    dropped, chain
        File of DROPPED, and the chain file where its positions are of another build.
    intervals, genome
        As of `lost_in_loci`.

    Raises
    ------
    InputError
        A file is absent, or not of its kind.
    """
    if dropped is None:
        return None
    return lost_in_loci(DROPPED.read(dropped), intervals, genome, Liftover(chain) if chain else None)


def write_lost(rows: pd.DataFrame | None, loci: Iterable[str], path: str | Path) -> None:
    """Write the rows of some loci; where nothing is known of such rows (None), remove what an earlier run wrote."""
    if rows is None:
        Path(path).unlink(missing_ok=True)
    else:
        LOST.write(rows[rows["locus"].isin(list(loci))], path)


def lost_in_loci(
    dropped: pd.DataFrame, intervals: Sequence[Interval], genome: Genome, liftover: Liftover | None = None
) -> pd.DataFrame:
    """Table LOST: the rows that lie in loci, by locus (chromosome by chromosome, in the order given) and position.

    Parameters
    ----------
    dropped
        Table DROPPED. A row without a place (no whole number as its position, no such chromosome, or no single place
        in the build of the FASTA) is in no locus.
    intervals
        Loci; a row is listed with each that holds it.
    genome
        The reference genome.
    liftover
        From the build of the rows to that of the FASTA, when they differ.

    Returns
    -------
    A frame of LOST.
    """
    contig, pos = _places(dropped, genome, liftover)
    inside, holders = [np.empty(0, np.intp)], []
    for chrom in dict.fromkeys(interval.chrom for interval in intervals):
        own = np.flatnonzero(contig == chrom)
        own = own[np.argsort(pos[own], kind="stable")]
        there = pos[own]
        for interval in (one for one in intervals if one.chrom == chrom):
            first, last = np.searchsorted(there, [interval.start + 1, interval.end + 1])
            inside.append(own[first:last])
            holders += [interval] * int(last - first)
    if unplaced := int((contig == "").sum()):
        log.info("%d of %d rows that harmonising left out have no place in this genome", unplaced, len(dropped))
    index = np.concatenate(inside)
    rows = dropped.iloc[index].reset_index(drop=True)
    place = pd.Series(
        [f"{interval.chrom}:{here}" for interval, here in zip(holders, pos[index], strict=True)], dtype="str"
    )
    alleles = ":" + rows["other_allele"] + ":" + rows["effect_allele"]
    names = pd.Series([interval.name for interval in holders], dtype="str")
    return rows.assign(locus=names, pos=pos[index], variant=place + alleles.fillna(""))[LOST.names]


def _places(
    dropped: pd.DataFrame, genome: Genome, liftover: Liftover | None
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Contig of each row, empty where it has no place, and position."""
    number = pd.to_numeric(dropped["pos"], errors="coerce").to_numpy(np.float64)
    whole = (number >= 1) & (number <= _LARGEST) & (number == np.floor(number))
    pos = np.where(whole, number, 0).astype(np.int64)
    contig = np.full(len(dropped), "", object)
    codes, names_of = pd.factorize(dropped["chrom"])
    for code, name in enumerate(names_of):
        rows = np.flatnonzero(whole & (codes == code))
        if liftover is None:
            contig[rows] = genome.find(str(name)) or ""
            continue
        there = liftover.places(str(name), pos[rows].astype(np.int32))
        single = there.places == 1
        names = np.array([*(genome.find(target) or "" for target in liftover.contigs), ""], object)
        contig[rows] = np.where(single, names[there.contig], "")
        pos[rows] = there.pos
    return contig, pos
