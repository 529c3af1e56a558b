"""Rows of the summary statistics that harmonising left out, by the locus in whose window they lie."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fineprior.foundation.table_parts import read_places
from fineprior.foundation.tables import DROPPED, LOST
from fineprior.genetics.loci import Interval

ELSEWHERE = ("duplicate", "other_strand")
"""Reasons (`sumstats.outcomes`) of rows whose variant is there in another row."""


def read_lost(dropped: str | None, intervals: Sequence[Interval]) -> pd.DataFrame | None:
    """Table LOST of loci, from a file of DROPPED; None when it is not known what was dropped.

    Raises
    ------
    InputError
        The file is absent, damaged or not this table.
    """
    if dropped is None:
        return None
    places = [(interval.chrom, interval.start, interval.end) for interval in intervals]
    return lost_in_loci(read_places(DROPPED, dropped, places, "genome_chrom", "genome_pos"), intervals)


def write_lost(rows: pd.DataFrame | None, loci: Iterable[str], path: str | Path) -> None:
    """Write the rows of some loci; where nothing is known of such rows (None), remove what an earlier run wrote."""
    if rows is None:
        Path(path).unlink(missing_ok=True)
    else:
        LOST.write(rows[rows["locus"].isin(list(loci))], path)


def lost_in_loci(dropped: pd.DataFrame, intervals: Sequence[Interval]) -> pd.DataFrame:
    """Table LOST: the rows that lie in loci, by locus (chromosome by chromosome, in the order given) and position.

    Parameters
    ----------
    dropped
        Table DROPPED. A row without a place in the genome is in no locus, and one whose variant is there in another
        row (`ELSEWHERE`) is not lost.
    intervals
        Loci; a row is listed with each that holds it.

    Returns
    -------
    A frame of LOST.
    """
    gone = dropped[~dropped["reason"].isin(ELSEWHERE)].sort_values("genome_pos", kind="stable")
    by_chrom = {str(chrom): rows for chrom, rows in gone.groupby("genome_chrom", sort=False)}
    found = [LOST.empty()]
    for chrom in dict.fromkeys(interval.chrom for interval in intervals):
        own = by_chrom.get(chrom, gone.iloc[:0])
        pos = own["genome_pos"].to_numpy()
        for interval in (one for one in intervals if one.chrom == chrom):
            first, last = np.searchsorted(pos, [interval.start + 1, interval.end + 1])
            if last > first:
                found.append(own.iloc[first:last].assign(locus=interval.name))
    rows = pd.concat(found[1:] or found, ignore_index=True)
    if rows.empty:
        return LOST.empty()
    place = rows["genome_chrom"] + ":" + rows["genome_pos"].astype("str")
    alleles = ":" + rows["other_allele"] + ":" + rows["effect_allele"]
    return rows.assign(pos=rows["genome_pos"], variant=place + alleles.fillna(""))[LOST.names]
