"""What harmonising leaves: the tables SUMSTATS, SUMSTATS_QC, DROPPED and LIFTOVER, in pieces or whole."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fineprior.files.tables import DROPPED, SUMSTATS, SUMSTATS_QC
from fineprior.genome.alleles import flip, variant_id
from fineprior.genome.fasta import Genome
from fineprior.sumstats import outcomes
from fineprior.sumstats.agreement import FROM_P, TWO_VALUES
from fineprior.sumstats.locate import Places
from fineprior.sumstats.rows import Rows
from fineprior.sumstats.standing import Standing

_GENOME_WIDE = -np.log10(5e-8)
_AT_ONCE = 500_000
_SHOWN = 5
_ACTIONS = (outcomes.KEPT, outcomes.SWAPPED, outcomes.STRAND, outcomes.STRAND_SWAPPED)

logger = logging.getLogger(__name__)


def actions(standing: Standing, rows: slice | NDArray[np.intp]) -> pd.Series:
    """What was done to some rows."""
    return _texts(_numbers_of_actions(standing)[rows], _ACTIONS)


def _numbers_of_actions(standing: Standing) -> NDArray[np.int32]:
    return 2 * standing["reversed"].astype(np.int32) + standing["turned"]


class Harmonised:
    """The rows that were kept, sorted, and those that were left out.

    `sumstats_parts` and `dropped_parts` give SUMSTATS and DROPPED in pieces; `sumstats` and `dropped` are they whole.
    `qc` is SUMSTATS_QC, `liftover` is LIFTOVER.
    """

    def __init__(
        self, standing: Standing, genome: Genome, variants: pd.DataFrame, liftover: pd.DataFrame, places: Places
    ) -> None:
        self._standing, self._variants, self._contigs = standing, variants, list(genome.contigs)
        self._places = places
        self.liftover = liftover
        self._sort()
        self.qc = self._counts()
        _warn_of_lost_hits(standing.rows)

    def __len__(self) -> int:
        return len(self._standing)

    @property
    def rows_dropped(self) -> int:
        """Number of rows of DROPPED."""
        return len(self._standing.rows) - len(self._standing)

    @property
    def sumstats(self) -> pd.DataFrame:
        """Table SUMSTATS."""
        return pd.concat(self.sumstats_parts(), ignore_index=True)

    @property
    def dropped(self) -> pd.DataFrame:
        """Table DROPPED."""
        return pd.concat(self.dropped_parts(), ignore_index=True)

    def sumstats_parts(self) -> Iterator[pd.DataFrame]:
        """Table SUMSTATS in pieces, sorted by chromosome, position and name."""
        standing = self._standing
        for first in range(0, len(standing), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            index = standing.index[rows]
            known = self._variants.iloc[standing["panel_index"][rows]]
            a1, a2 = known["a1"].reset_index(drop=True), known["a2"].reset_index(drop=True)
            a1_is_alt = standing["a1_is_alt"][rows]
            part = pd.DataFrame({name: numbers[index] for name, numbers in standing.rows.numbers.items()})
            part = flip(part, standing["turned"][rows])
            part["chrom"] = _texts(standing["contig"][rows], self._contigs)
            part["pos"] = known["pos"].to_numpy(np.int64)
            part["ref"], part["alt"] = a2.where(a1_is_alt, a1), a1.where(a1_is_alt, a2)
            part["variant_id"] = variant_id(part["chrom"], part["pos"], part["ref"], part["alt"])
            part["rsid"] = standing.rows.text("rsid", index)
            part["panel_af"] = np.where(standing["known_af"][rows], standing["panel_af"][rows], np.nan)
            part["panel_index"] = standing["panel_index"][rows].astype(np.int64)
            part["action"] = actions(standing, rows)
            yield part[SUMSTATS.names]

    def dropped_parts(self) -> Iterator[pd.DataFrame]:
        """Table DROPPED in pieces, in the order of the source."""
        rows = self._standing.rows
        out = np.flatnonzero(rows.reason)
        if (np.diff(rows.row[out]) < 0).any():
            out = out[np.argsort(rows.row[out], kind="stable")]
        for first in range(0, max(len(out), 1), _AT_ONCE):
            index = out[first : first + _AT_ONCE]
            contig, pos = self._places.of(index)
            part = {
                "row": rows.row[index], "chrom": _texts(rows.chrom[index], rows.chroms),
                "pos": rows.text("source_pos", index),
                "effect_allele": _texts(rows.effect[index], rows.alleles.spellings),
                "other_allele": _texts(rows.other[index], rows.alleles.spellings),
                "neg_log10_p": rows.numbers["neg_log10_p"][index],
                "reason": _texts(rows.reason[index].astype(np.int32), outcomes.reason_names()),
                "genome_chrom": _texts(contig, self._contigs), "genome_pos": np.maximum(pos, 0),
            }  # fmt: skip
            yield pd.DataFrame(part)[DROPPED.names]

    def _sort(self) -> None:
        """By contig, position and name in the panel's spelling."""
        standing = self._standing
        pos = self._variants["pos"].to_numpy()[standing["panel_index"]]
        place = (standing["contig"].astype(np.int64) << 32) + pos
        if (place[1:] < place[:-1]).any():
            order = np.argsort(place, kind="stable")
            standing.take(order)
            place = place[order]
        same = np.diff(place) == 0
        standing["shared"] = np.append(same, False) | np.insert(same, 0, False)
        ties = np.flatnonzero(standing["shared"])
        if len(ties):
            known = self._variants.iloc[standing["panel_index"][ties]]
            alleles, a1_is_alt = standing.rows.alleles, standing["a1_is_alt"][ties]
            a1, a2 = (alleles.ranks(alleles.encode(known[name])) for name in ("a1", "a2"))
            ref, alt = np.where(a1_is_alt, a2, a1), np.where(a1_is_alt, a1, a2)
            order = np.arange(len(place))
            order[ties] = ties[np.lexsort((alt, ref, place[ties]))]
            standing.take(order)

    def _counts(self) -> pd.DataFrame:
        """Table SUMSTATS_QC: every action, and the reasons and remarks that were met."""
        standing, rows = self._standing, self._standing.rows
        strong = standing.number("neg_log10_p") > _GENOME_WIDE
        done = _numbers_of_actions(standing)
        lines: list[tuple[object, ...]] = []
        for number, name in enumerate(_ACTIONS):
            which = done == number
            lines.append(("kept", name, int(which.sum()), int((which & strong).sum()), outcomes.ACTIONS[name]))
        everywhere = rows.numbers["neg_log10_p"] > _GENOME_WIDE
        counts = np.bincount(rows.reason, minlength=len(outcomes.REASONS) + 1)
        strong_counts = np.bincount(rows.reason[everywhere], minlength=len(counts))
        for number, (name, meaning) in enumerate(outcomes.REASONS.items(), start=1):
            if counts[number]:
                lines.append(("dropped", name, int(counts[number]), int(strong_counts[number]), meaning))
        for name, which in self._remarks().items():
            if which.any():
                lines.append(("of those kept", name, int(which.sum()), int((which & strong).sum()),
                              outcomes.REMARKS[name]))  # fmt: skip
        return pd.DataFrame(lines, columns=SUMSTATS_QC.names)

    def _remarks(self) -> dict[str, NDArray[np.bool_]]:
        standing = self._standing
        marks = standing.rows.marks[standing.index]
        return {
            outcomes.PALINDROMIC: standing["palindromic"],
            outcomes.MULTI_ALLELIC: standing["shared"],
            outcomes.INDEL: standing["longer"],
            outcomes.LEFT_ALIGNED: standing["aligned"],
            outcomes.LIFTED: standing["lifted"],
            outcomes.LIFTED_REVERSED: standing["strand_changed"],
            outcomes.Z_FROM_P: (marks & FROM_P) > 0,
            outcomes.TWO_VALUES: (marks & TWO_VALUES) > 0,
        }


def _texts(numbers: NDArray[np.int32], names: list[str] | tuple[str, ...]) -> pd.Series:
    """Names by number; missing below 0."""
    taken = pa.array(names, pa.large_string()).take(pa.array(numbers, mask=numbers < 0))
    return pd.Series(taken.to_pandas()).astype("str")


def _warn_of_lost_hits(rows: Rows) -> None:
    """Name the strongest rows that were left out; one of whose variant another row was kept is not lost."""
    p = rows.numbers["neg_log10_p"]
    kept_elsewhere = [outcomes.number_of(reason) for reason in (outcomes.DUPLICATE, outcomes.OTHER_STRAND)]
    hits = np.flatnonzero((rows.reason > 0) & (p > _GENOME_WIDE))
    hits = hits[~np.isin(rows.reason[hits], kept_elsewhere)]
    if len(hits):
        top = hits[np.lexsort((rows.row[hits], -p[hits]))[:_SHOWN]]
        chrom, pos = _texts(rows.chrom[top], rows.chroms), rows.text("source_pos", top)
        shown = "; ".join(
            f"{where}:{place} (-log10 p {_shown(value)}), as {outcomes.reason_names()[reason]}"
            for where, place, value, reason in zip(chrom, pos, p[top], rows.reason[top], strict=True)
        )
        logger.warning("%s: %d rows with p < 5e-8 were left out; the strongest, %s", rows.source, len(hits), shown)


def _shown(neg_log10_p: float) -> str:
    return "unknown, for p is 0" if np.isinf(neg_log10_p) else f"{neg_log10_p:.1f}"
