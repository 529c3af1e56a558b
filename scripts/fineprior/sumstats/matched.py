"""Third stage of harmonising: each row matched to one variant that is polymorphic in the reference panel.

Frequencies distinguish an insertion and a deletion of the same letters in a repeat, and the strand of A/T and C/G
variants. So all frequencies of the file are compared with the panel's first, and are not used where they disagree.
"""

import logging
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.genotypes.panels import match
from fineprior.sumstats import outcomes
from fineprior.sumstats.file_checks import ENOUGH_ROWS
from fineprior.sumstats.oriented import Orientation, Oriented
from fineprior.sumstats.rows import Remaining, with_values

ROUNDING = 1e-9
CLEARLY_CLOSER = 0.1
"""Difference of frequencies from which one of two variants is the one meant."""
_AT_LEAST, _ERRORS = 0.5, 4.0
"""Correlation of frequencies below which a file is warned of, and standard errors below 0 at which it is refused."""
_AWAY, _FEW, _MOST_OPPOSITE = 0.08, 3, 0.05
"""Frequencies this far from 0.5 on opposite sides, in this many rows and in more than this share of those that are so
far from it, make all frequencies doubtful."""
_AT_ONCE = 1_000_000

logger = logging.getLogger(__name__)


class Frequencies(Enum):
    """What the effect allele frequencies of a source are, compared with the panel's."""

    AGREE = "they agree with the panel's, or too few can be compared"
    DOUBTFUL = "too doubtful to show a strand or a variant"
    MINOR_ALLELE = "those of the minor allele, whichever that is"


class VariantSource(Protocol):
    """What rows are matched to: a panel, or LD files, which have no `allele_frequencies`."""

    @property
    def variants(self) -> pd.DataFrame:
        """All variants: chrom, pos (1-based), a1, a2 (upper case)."""
        ...


@dataclass(frozen=True, eq=False)
class PanelCandidates(Remaining):
    """Rows with the variant of the panel that they are, or the two that they may be.

    Attributes
    ----------
    contig : (n,) int32
        As of `Located`.
    panel_index : (n,) int32
        Row of the panel's variants.
    second : (n,) int32
        The other variant of the same letters where there is one, else -1.
    a1_is_alt : (n,) bool
        Whether A1 of the variant is the row's effect allele, which becomes the alternative one; of `second` it is the
        other way round.
    a1_af : (n,) float64
        Frequency of A1 in the panel; NaN where it has none.
    orientation : Orientation
        As of `Oriented`.
    """

    contig: NDArray[np.int32]
    panel_index: NDArray[np.int32]
    second: NDArray[np.int32]
    a1_is_alt: NDArray[np.bool_]
    a1_af: Floats
    orientation: Orientation


@dataclass(frozen=True, eq=False)
class Matched(Remaining):
    """Rows with their variant of the panel; statistics are those of its alternative allele.

    Attributes
    ----------
    contig : (n,) int32
        As of `Located`.
    panel_index : (n,) int32
        Row of the panel's variants.
    a1_is_alt : (n,) bool
        Whether the alternative allele is A1 of the variant.
    alt_af : (n,) float64
        Frequency of the alternative allele in the panel; where the panel has none, that of the source.
    eaf : (n,) float64
        Frequency of the source's effect allele; NaN where it has none, or only that of the minor allele.
    orientation : Orientation
        As of `Oriented`; `swapped` is decided also where either allele may be the reference.
    panel_has_frequencies : bool
        Whether `alt_af` is of the panel.
    doubtful : bool
        Whether the frequencies of the source are too doubtful to show a strand or a variant.
    """

    contig: NDArray[np.int32]
    panel_index: NDArray[np.int32]
    a1_is_alt: NDArray[np.bool_]
    alt_af: Floats
    eaf: Floats
    orientation: Orientation
    panel_has_frequencies: bool
    doubtful: bool

    def source_af(self) -> Floats:
        """Frequency (n,) of the alternative allele as the source has it."""
        return _exchanged(self.eaf, self.orientation.swapped)


def match_panel(oriented: Oriented, genome: Genome, panel: VariantSource) -> Matched:
    """Find the variant of each row in the panel.

    Parameters
    ----------
    oriented
        The rows.
    genome
        The reference genome.
    panel
        The panel, whose alleles are those of the genome's strand; or LD without frequencies.

    Raises
    ------
    InputError
        The frequencies of the source run against the panel's, or no row is left.
    """
    has_frequencies = hasattr(panel, "allele_frequencies")
    candidates = _candidates(oriented, genome, panel)
    frequencies = _compare_frequencies(candidates)
    trust = has_frequencies and frequencies is Frequencies.AGREE
    chosen = _decide_reference(_choose(candidates, panel, trust))
    swapped, a1_is_alt, a1_af = chosen.orientation.swapped, chosen.a1_is_alt, chosen.a1_af
    known = frequencies is not Frequencies.MINOR_ALLELE
    eaf = chosen.number("eaf") if known else np.full(len(chosen), np.nan)
    alt_af = _exchanged(a1_af, ~a1_is_alt) if has_frequencies else _exchanged(eaf, swapped)
    matched = Matched(
        chosen.rows, chosen.index, chosen.contig, chosen.panel_index, a1_is_alt, alt_af, eaf, chosen.orientation,
        has_frequencies, doubtful=frequencies is not Frequencies.AGREE,
    )  # fmt: skip
    if not has_frequencies:
        return matched
    return matched.without({outcomes.MONOMORPHIC_IN_PANEL: _is_constant(a1_af, chosen.panel_index, panel)})


def _exchanged(frequency: Floats, which: NDArray[np.bool_]) -> Floats:
    """Frequencies of the other allele in some rows."""
    return np.where(which, 1 - frequency, frequency)


def _candidates(oriented: Oriented, genome: Genome, panel: Any) -> PanelCandidates:
    """Find rows in the panel; one that has no variant there, or several of the same alleles, is excluded."""
    found = match(
        panel.variants, genome, oriented.rows.alleles, oriented.contig, oriented.pos, oriented.effect, oriented.other
    )
    # two variants of the same letters, an insertion and a deletion: frequencies show which of them is meant
    twins = oriented.orientation.either_reference & found.opposite & ~found.several
    candidates = PanelCandidates(
        oriented.rows, oriented.index, oriented.contig, found.panel_index, found.second, found.a1_is_effect,
        np.full(len(oriented), np.nan), oriented.orientation,
    ).without({
        outcomes.ABSENT_FROM_PANEL: found.panel_index < 0, outcomes.PANEL_DUPLICATE: (found.second >= 0) & ~twins
    })  # fmt: skip
    if not hasattr(panel, "allele_frequencies"):
        logger.warning(
            "%s: the LD has no allele frequencies: harmonise.min_maf goes by those of the source where it has any, and "
            "frequencies tell neither the strand of A/T and C/G variants nor an exchange of the alleles",
            oriented.rows.source,
        )  # fmt: skip
        return candidates
    return replace(candidates, a1_af=_a1_frequencies(panel, candidates.panel_index))


def _a1_frequencies(panel: Any, index: NDArray[np.integer]) -> Floats:
    """Frequencies of A1 in the panel."""
    found = np.empty(len(index))
    for first in range(0, len(index), _AT_ONCE):
        found[first : first + _AT_ONCE] = panel.allele_frequencies(index[first : first + _AT_ONCE])
    return found


def _compare_frequencies(candidates: PanelCandidates) -> Frequencies:
    """Compare effect allele frequencies with the panel's, in rows whose strand and reference allele the FASTA shows.

    Raises
    ------
    InputError
        They run against the panel's.
    """
    source, orientation = candidates.rows.source, candidates.orientation
    eaf, frequencies = candidates.number("eaf"), candidates.a1_af
    usable = ~orientation.palindromic & ~orientation.either_reference & ~np.isnan(eaf) & ~np.isnan(frequencies)
    swapped, a1_is_alt = orientation.swapped[usable], candidates.a1_is_alt[usable]
    written, panel_af = eaf[usable], np.where(a1_is_alt, frequencies[usable], 1 - frequencies[usable])
    eaf = _exchanged(written, swapped)
    if len(eaf) < ENOUGH_ROWS or min(eaf.std(), panel_af.std()) == 0:
        return Frequencies.AGREE
    r = np.corrcoef(eaf, panel_af)[0, 1]
    logger.info("%s: correlation of allele frequencies with the panel's over %d rows: %.3f", source, len(eaf), r)
    apart = (np.abs(eaf - 0.5) >= _AWAY) & (np.abs(panel_af - 0.5) >= _AWAY)
    opposite = apart & ((eaf > 0.5) != (panel_af > 0.5))
    common = _exchanged(panel_af, swapped) >= 0.5 + _AWAY  # effect alleles that are the panel's major ones
    folded = written.max() <= 0.5 + ROUNDING and common.sum() >= _FEW
    if folded and (opposite & common).sum() > 0.5 * common.sum():
        logger.warning(
            "%s: effect_allele_frequency is never above 0.5, though the effect allele is the panel's more frequent one "
            "in %d of %d rows: it is that of the minor allele, and is not used", source, common.sum(), len(eaf),
        )  # fmt: skip
        return Frequencies.MINOR_ALLELE
    if r < -min(_AT_LEAST, _ERRORS / np.sqrt(len(eaf))):
        raise InputError(
            f"{source}: effect_allele_frequency runs against the panel's frequencies (correlation {r:.2f} over "
            f"{len(eaf):,} variants); are effect_allele and other_allele exchanged?"
        )
    if r >= _AT_LEAST and (opposite.sum() < _FEW or opposite.sum() <= _MOST_OPPOSITE * apart.sum()):
        return Frequencies.AGREE
    logger.warning(
        "%s: effect_allele_frequency agrees poorly with the panel's frequencies (correlation %.2f over %d variants; in "
        "%d of them another allele is the minor one); is it that of the minor allele, or is the panel of another "
        "population? It tells no strand", source, r, len(eaf), opposite.sum(),
    )  # fmt: skip
    return Frequencies.DOUBTFUL


def _choose(candidates: PanelCandidates, panel: Any, trust: bool) -> PanelCandidates:
    """Of an insertion and a deletion of the same letters, take the one whose frequency is clearly closer.

    Where frequencies are not to be trusted, such rows are excluded.
    """
    at = np.flatnonzero(candidates.second >= 0)
    if not len(at):
        return candidates
    ambiguous = candidates.second >= 0
    if trust:
        second, a1_is_alt = candidates.second[at], candidates.a1_is_alt[at]
        second_af = _a1_frequencies(panel, second)
        eaf = _exchanged(candidates.number("eaf")[at], candidates.orientation.swapped[at])
        closer = np.abs(eaf - _exchanged(candidates.a1_af[at], ~a1_is_alt)) - np.abs(
            eaf - _exchanged(second_af, a1_is_alt)
        )
        ambiguous[at] = ~(np.abs(closer) >= CLEARLY_CLOSER)
        take = closer > 0
        taken = at[take]
        candidates = replace(
            candidates,
            panel_index=with_values(candidates.panel_index, taken, second[take]),
            a1_is_alt=with_values(candidates.a1_is_alt, taken, ~a1_is_alt[take]),
            a1_af=with_values(candidates.a1_af, taken, second_af[take]),
        )
    return candidates.without({outcomes.INDEL_AMBIGUOUS: ambiguous})


def _decide_reference(candidates: PanelCandidates) -> PanelCandidates:
    """Where both alleles agree with the genome, the reference allele is A2 of the panel."""
    orientation = candidates.orientation
    if orientation.either_reference.any():
        logger.info("%d insertions and deletions have two alleles that agree with the FASTA; their reference allele "
                    "is A2 of the panel", orientation.either_reference.sum())  # fmt: skip
    exchange = orientation.either_reference & ~candidates.a1_is_alt
    swapped = orientation.swapped ^ exchange
    return replace(
        candidates, a1_is_alt=candidates.a1_is_alt | exchange, orientation=replace(orientation, swapped=swapped)
    )


def _is_constant(a1_af: Floats, index: NDArray[np.int32], panel: Any) -> NDArray[np.bool_]:
    """Whether all samples of the panel have the same genotype."""
    constant = ~((a1_af > 0) & (a1_af < 1))
    half = np.flatnonzero(np.abs(a1_af - 0.5) < ROUNDING)  # may be one copy in every sample
    for first in range(0, len(half), _AT_ONCE):
        rows = half[first : first + _AT_ONCE]
        constant[rows] |= (panel.genotype_counts(index[rows])[:, :3] > 0).sum(1) < 2
    return constant
