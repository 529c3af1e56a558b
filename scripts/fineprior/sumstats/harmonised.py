"""Results of harmonising: the tables SUMSTATS, SUMSTATS_QC, DROPPED and LIFTOVER, in pieces or whole."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.tables import DROPPED, SUMSTATS, SUMSTATS_QC
from fineprior.genome.alleles import flip, variant_id
from fineprior.genome.fasta import Genome
from fineprior.sumstats import outcomes
from fineprior.sumstats.agreement import FROM_P, TWO_VALUES
from fineprior.sumstats.located import Coordinates
from fineprior.sumstats.matched import Matched
from fineprior.sumstats.rows import Rows, names_at

_GENOME_WIDE = -np.log10(5e-8)
_AT_ONCE = 500_000
_SHOWN = 5

logger = logging.getLogger(__name__)


class Harmonised:
    """The rows that were kept, sorted, and those that were excluded.

    `sumstats_parts` and `dropped_parts` give SUMSTATS and DROPPED in pieces; `sumstats` and `dropped` are they whole.
    `qc` is SUMSTATS_QC, `liftover` is LIFTOVER.
    """

    def __init__(
        self,
        matched: Matched,
        genome: Genome,
        variants: pd.DataFrame,
        liftover: pd.DataFrame,
        coordinates: Coordinates,
    ) -> None:
        self._variants, self._contigs, self._coordinates = variants, list(genome.contigs), coordinates
        self.liftover = liftover
        self._matched, self._multi_allelic = _sorted(matched, variants)
        self.qc = self._counts()
        _warn_of_lost_hits(matched.rows)

    def __len__(self) -> int:
        return len(self._matched)

    @property
    def rows_dropped(self) -> int:
        """Number of rows of DROPPED."""
        return len(self._matched.rows) - len(self._matched)

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
        matched = self._matched
        for first in range(0, len(matched), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            index, panel_index = matched.index[rows], matched.panel_index[rows]
            known = self._variants.iloc[panel_index]
            a1, a2 = known["a1"].reset_index(drop=True), known["a2"].reset_index(drop=True)
            a1_is_alt = matched.a1_is_alt[rows]
            numbers = {name: values[index] for name, values in matched.rows.numbers.items()}
            part = flip(pd.DataFrame(numbers | {"eaf": matched.eaf[rows]}), matched.orientation.swapped[rows])
            part["chrom"] = names_at(matched.contig[rows], self._contigs)
            part["pos"] = known["pos"].to_numpy(np.int64)
            part["ref"], part["alt"] = a2.where(a1_is_alt, a1), a1.where(a1_is_alt, a2)
            part["variant_id"] = variant_id(part["chrom"], part["pos"], part["ref"], part["alt"])
            part["rsid"] = matched.rows.text("rsid", index)
            part["panel_af"] = matched.alt_af[rows] if matched.panel_has_frequencies else np.nan
            part["panel_index"] = panel_index.astype(np.int64)
            part["action"] = matched.orientation.actions(rows)
            yield part[SUMSTATS.names]

    def dropped_parts(self) -> Iterator[pd.DataFrame]:
        """Table DROPPED in pieces, in the order of the source."""
        rows = self._matched.rows
        out = np.flatnonzero(rows.reason)
        if (np.diff(rows.row[out]) < 0).any():
            out = out[np.argsort(rows.row[out], kind="stable")]
        for first in range(0, max(len(out), 1), _AT_ONCE):
            index = out[first : first + _AT_ONCE]
            contig, pos = self._coordinates.of(index)
            part = {
                "row": rows.row[index], "chrom": names_at(rows.chrom[index], rows.chroms),
                "pos": rows.text("source_pos", index),
                "effect_allele": names_at(rows.effect[index], rows.alleles.spellings),
                "other_allele": names_at(rows.other[index], rows.alleles.spellings),
                "neg_log10_p": rows.numbers["neg_log10_p"][index],
                "reason": names_at(rows.reason[index].astype(np.int32), outcomes.reason_names()),
                "genome_chrom": names_at(contig, self._contigs), "genome_pos": np.maximum(pos, 0),
            }  # fmt: skip
            yield pd.DataFrame(part)[DROPPED.names]

    def _counts(self) -> pd.DataFrame:
        """Table SUMSTATS_QC: every action, and the reasons and remarks that were met."""
        matched, rows = self._matched, self._matched.rows
        strong = matched.number("neg_log10_p") > _GENOME_WIDE
        lines: list[tuple[object, ...]] = []
        strongly = matched.orientation.count_actions(strong)
        for name, count in matched.orientation.count_actions().items():
            lines.append(("kept", name, count, strongly[name], outcomes.ACTIONS[name]))
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
        """Which rows each of `outcomes.REMARKS` is true of, in its order."""
        orientation = self._matched.orientation
        marks = self._matched.rows.marks[self._matched.index]
        return {
            outcomes.PALINDROMIC: orientation.palindromic,
            outcomes.MULTI_ALLELIC: self._multi_allelic,
            outcomes.INDEL: orientation.indel,
            outcomes.LEFT_ALIGNED: orientation.left_aligned,
            outcomes.LIFTED: np.full(len(self), self._coordinates.liftover is not None),
            outcomes.LIFTED_REVERSED: orientation.lift_reversed,
            outcomes.Z_FROM_P: (marks & FROM_P) > 0,
            outcomes.TWO_VALUES: (marks & TWO_VALUES) > 0,
        }


def _sorted(matched: Matched, variants: pd.DataFrame) -> tuple[Matched, NDArray[np.bool_]]:
    """Rows by contig, position and name in the panel's spelling; which (n,) share their position with another."""
    place = (matched.contig.astype(np.int64) << 32) + variants["pos"].to_numpy()[matched.panel_index]
    if (place[1:] < place[:-1]).any():
        order = np.argsort(place, kind="stable")
        matched, place = matched.take(order), place[order]
    same = np.diff(place) == 0
    shared = np.append(same, False) | np.insert(same, 0, False)
    ties = np.flatnonzero(shared)
    if len(ties):
        known = variants.iloc[matched.panel_index[ties]]
        alleles, a1_is_alt = matched.rows.alleles, matched.a1_is_alt[ties]
        a1, a2 = (alleles.ranks(alleles.encode(known[name])) for name in ("a1", "a2"))
        ref, alt = np.where(a1_is_alt, a2, a1), np.where(a1_is_alt, a1, a2)
        order = np.arange(len(place))
        order[ties] = ties[np.lexsort((alt, ref, place[ties]))]
        matched = matched.take(order)
    return matched, shared


def _warn_of_lost_hits(rows: Rows) -> None:
    """Name the strongest rows that were excluded; a row whose variant has another row that was kept is not lost."""
    p = rows.numbers["neg_log10_p"]
    kept_elsewhere = [outcomes.number_of(reason) for reason in (outcomes.DUPLICATE, outcomes.OTHER_STRAND)]
    hits = np.flatnonzero((rows.reason > 0) & (p > _GENOME_WIDE))
    hits = hits[~np.isin(rows.reason[hits], kept_elsewhere)]
    if len(hits):
        top = hits[np.lexsort((rows.row[hits], -p[hits]))[:_SHOWN]]
        chrom, pos = names_at(rows.chrom[top], rows.chroms), rows.text("source_pos", top)
        shown = "; ".join(
            f"{where}:{place} (-log10 p {_shown(value)}), as {outcomes.reason_names()[reason]}"
            for where, place, value, reason in zip(chrom, pos, p[top], rows.reason[top], strict=True)
        )
        logger.warning("%s: %d rows with p < 5e-8 were left out; the strongest, %s", rows.source, len(hits), shown)


def _shown(neg_log10_p: float) -> str:
    return "unknown, for p is 0" if np.isinf(neg_log10_p) else f"{neg_log10_p:.1f}"
