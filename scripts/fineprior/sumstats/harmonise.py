"""Summary statistics brought to the alleles of the FASTA and the panel: the walk, and its last filters.

After it the effect allele is ALT, REF is the FASTA's, and each variant has one row and one row in the panel. A row
that cannot be brought there is excluded under the first of `outcomes.REASONS` that applies to it.

Rows pass through three stages, each a frozen class of its module: `Located` (contig and position), `Oriented` (strand
and reference allele), `Matched` (variant of the panel). Then come the filters, of `Matched` to `Matched`.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.genome.alleles import flip
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats import outcomes
from fineprior.sumstats.harmonised import Harmonised
from fineprior.sumstats.located import Coordinates, check_build, locate
from fineprior.sumstats.matched import CLEARLY_CLOSER, ROUNDING, Matched, VariantSource, match_panel
from fineprior.sumstats.oriented import orient
from fineprior.sumstats.rows import gather_rows
from fineprior.sumstats.z_and_p import reconcile

PALINDROMIC_POLICIES = ("frequency", "drop", "trust", "keep")
"""`keep` is the earlier name of `trust`."""

_SAME_RESULT, _SHARE_OF_RESULT, _ERRORS_OF_PART, _SIGNED = 1.0, 0.1, 5.0, 2.0
"""What z of two rows of one variant may differ by: so much, this share of z, and so many standard errors of a smaller
sample that is part of the larger one; opposite signs contradict from the last |z| of both."""

logger = logging.getLogger(__name__)


def harmonise(
    chunks: pd.DataFrame | Iterable[pd.DataFrame],
    genome: Genome,
    panel: VariantSource,
    settings: HarmoniseSettings,
    source: str = "summary statistics",
    *,
    build: str = "",
    liftover: Liftover | None = None,
    source_build: str = "",
    plink_chromosomes: bool = False,
) -> Harmonised:
    """Bring summary statistics to the FASTA's strand and reference allele, and to the variants of the panel.

    The result does not depend on the order of the rows, nor on which allele a row calls its effect allele. Which
    allele the panel calls A1 plays no role, except for an insertion or deletion of which both alleles agree with the
    FASTA, as they do in a repeat: there A2 is taken as the reference allele, as PLINK 2 writes it. Insertions and
    deletions are compared in their shortest and leftmost spelling, and named as the panel spells them.

    Parameters
    ----------
    chunks
        Columns `reader.STANDARD`, whole or in pieces. Of a row about 100 bytes are kept.
    genome, panel
        The reference genome, and the panel, whose alleles must be those of the FASTA's strand. LD files take the
        place of a panel; they have no frequencies, so those of the source stand for them where it has any.
    settings
        `palindromic` says what becomes of A/T and C/G variants. `frequency`: those with a minor allele frequency of
        at most `palindromic_max_maf` in GWAS and panel are taken on the strand on which the two agree, the others
        are excluded; `drop`: all are excluded; `trust`: the file is taken to be on the FASTA's strand.
    source
        Name of the file, for messages.
    build, source_build
        Genome builds of the FASTA and of the positions, for messages.
    liftover
        From the build of the positions to that of the FASTA, when they differ.
    plink_chromosomes
        Chromosome 25 of the source is the pseudo-autosomal region of X (PLINK), not MT (GWAS-SSF).

    Raises
    ------
    InputError
        If no row is left, if too few rows agree with the FASTA (wrong build), or if the effect allele frequencies
        run against the panel's (effect and other allele exchanged).
    """
    if settings.palindromic not in PALINDROMIC_POLICIES:
        allowed = ", ".join(PALINDROMIC_POLICIES[:3])
        raise InputError(f"harmonise.palindromic: '{settings.palindromic}' is not known; allowed: {allowed}")
    rows = gather_rows([chunks] if isinstance(chunks, pd.DataFrame) else chunks, settings, source)
    rows = reconcile(rows)
    located, table = locate(rows, genome, liftover, plink_chromosomes)
    check_build(located, genome, build, liftover, source_build, plink_chromosomes)
    oriented = orient(located, genome)
    del located  # a stage may be as large as the source: one at a time stays in memory
    matched = match_panel(oriented, genome, panel)
    del oriented
    matched = _without_other_twins(matched)
    matched = _without_rare(matched, settings)
    matched = _decide_strand(matched, settings)
    matched = _without_complements(matched)
    matched = _without_duplicates(matched)
    coordinates = Coordinates(rows, genome, liftover, plink_chromosomes)
    return Harmonised(matched, genome, panel.variants, table, coordinates)


def _without_other_twins(matched: Matched) -> Matched:
    """Exclude insertions and deletions in a repeat of which the panel has the other one: frequencies are exchanged.

    G>GT and GT>G at one place have the same letters; matched to one another, z and LD would be of two variants.
    """
    if matched.doubtful or not matched.panel_has_frequencies:
        return matched
    eaf, panel_af = matched.source_af(), matched.alt_af
    other = np.abs(eaf - panel_af) - np.abs(eaf - (1 - panel_af)) >= CLEARLY_CLOSER
    return matched.without({outcomes.INDEL_AMBIGUOUS: matched.orientation.either_reference & other})


def _without_rare(matched: Matched, settings: HarmoniseSettings) -> Matched:
    """Exclude rows below the least minor allele frequency."""
    maf = np.minimum(matched.alt_af, 1 - matched.alt_af)
    return matched.without({outcomes.LOW_MAF: maf < settings.min_maf - ROUNDING})


def _decide_strand(matched: Matched, settings: HarmoniseSettings) -> Matched:
    """Apply the policy to A/T and C/G rows; a row on the other strand describes the other allele."""
    orientation = matched.orientation
    if settings.palindromic == "drop":
        return matched.without({outcomes.PALINDROMIC_AMBIGUOUS: orientation.palindromic})
    if settings.palindromic != "frequency":
        return matched
    largest = settings.palindromic_max_maf + ROUNDING
    eaf, panel_af = matched.source_af(), matched.alt_af
    told = (np.minimum(eaf, 1 - eaf) <= largest) & (np.minimum(panel_af, 1 - panel_af) <= largest)
    told &= matched.panel_has_frequencies and not matched.doubtful
    opposite = orientation.palindromic & told & ((eaf > 0.5) != (panel_af > 0.5))
    decided = replace(
        orientation, swapped=orientation.swapped ^ opposite, complemented=orientation.complemented ^ opposite
    )
    return replace(matched, orientation=decided).without({
        outcomes.PALINDROMIC_AMBIGUOUS: orientation.palindromic & ~told
    })  # fmt: skip


def _without_complements(matched: Matched) -> Matched:
    """Exclude rows that fit as their complement only, where another row of the variant is on the FASTA's strand.

    Of A/T and C/G rows that is not known.
    """
    rows = _repeated(matched)
    told = ~matched.orientation.palindromic[rows]
    index, complemented = matched.panel_index[rows], matched.orientation.complemented[rows]
    which = np.zeros(len(matched), bool)
    which[rows[told & complemented & np.isin(index, index[told & ~complemented])]] = True
    return matched.without({outcomes.OTHER_STRAND: which})


def _without_duplicates(matched: Matched) -> Matched:
    """Keep one row for each variant; which one depends on all that is written in them, never on their order.

    Rows whose effects contradict that of the row that would be kept are excluded with it.
    """
    rows = _repeated(matched)
    rank = ["n", "neg_log10_p", "se", "beta", "z", "eaf", "rsid", "action"]
    index = matched.index[rows]
    numbers = {name: matched.rows.numbers[name][index] for name in rank[:5]} | {"eaf": matched.eaf[rows]}
    again = flip(pd.DataFrame(numbers), matched.orientation.swapped[rows])
    again["rsid"] = matched.rows.text("rsid", index).to_numpy()
    again["action"] = matched.orientation.actions(rows).to_numpy()
    again["panel_index"] = matched.panel_index[rows]
    ordered = again.sort_values(rank, ascending=[False, False, *[True] * (len(rank) - 2)], kind="stable")
    first = ordered.drop_duplicates("panel_index").set_index("panel_index")[["z", "n"]]
    best = first.loc[ordered["panel_index"]].to_numpy()
    contradicts = _contradict(ordered["z"].to_numpy(), ordered["n"].to_numpy(), best[:, 0], best[:, 1])
    lost = ordered["panel_index"].isin(ordered["panel_index"][contradicts]).to_numpy()
    if lost.any():
        _warn_of_contradictions(matched, rows[ordered.index[lost]])
    excluded = {}
    for reason, which in (
        (outcomes.CONTRADICTORY_TWINS, lost),
        (outcomes.DUPLICATE, ordered.duplicated("panel_index").to_numpy() & ~lost),
    ):
        excluded[reason] = np.zeros(len(matched), bool)
        excluded[reason][rows[ordered.index[which]]] = True
    return matched.without(excluded)


def _repeated(matched: Matched) -> NDArray[np.intp]:
    """Rows of variants that have several rows."""
    order = np.argsort(matched.panel_index, kind="stable")
    same = np.diff(matched.panel_index[order]) == 0
    return np.sort(order[np.append(same, False) | np.insert(same, 0, False)])


def _contradict(z: Floats, n: Floats, best_z: Floats, best_n: Floats) -> NDArray[np.bool_]:
    """Whether z of a variant's rows is not that of its best row.

    With one sample size the two are one result, but for rounding; in a part of the sample z is that times the root of
    its share, give or take some standard errors.
    """
    expected = best_z * np.sqrt(n / best_n)
    share = np.clip(n / best_n, 0, 1)
    allowed = _SAME_RESULT + _SHARE_OF_RESULT * np.abs(best_z) + _ERRORS_OF_PART * np.sqrt(1 - share)
    opposite = (np.sign(z) != np.sign(best_z)) & (np.minimum(np.abs(z), np.abs(best_z)) > _SIGNED)
    return np.asarray((np.abs(z - expected) > allowed) | opposite)


def _warn_of_contradictions(matched: Matched, rows: NDArray[np.intp]) -> None:
    """Name the strongest variant of these rows."""
    index = matched.index[rows]
    z, variant, line = matched.rows.numbers["z"][index], matched.panel_index[rows], matched.rows.row[index]
    same = np.flatnonzero(variant == variant[np.abs(z).argmax()])
    same = same[np.argsort(line[same], kind="stable")]
    logger.warning(
        "%s: %d rows of %d variants contradict other rows of the same variant, and all of them are excluded; the "
        "strongest: %s", matched.rows.source, len(rows), len(np.unique(variant)),
        ", ".join(f"line {line[row]} (z {z[row]:.2f})" for row in same),
    )  # fmt: skip
