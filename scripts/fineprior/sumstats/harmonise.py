"""Summary statistics brought to the alleles of the FASTA and of the reference panel.

After it the effect allele is ALT, REF is the FASTA's, and each variant has one row and one row in the panel. A row
that cannot be brought there is left out under the first of `outcomes.REASONS` that applies to it.
"""

import logging
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.genome.alleles import compare, flip
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.genotypes.panels import match
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats import outcomes
from fineprior.sumstats.build_check import check_build
from fineprior.sumstats.harmonised import Harmonised, actions
from fineprior.sumstats.locate import Places, locate
from fineprior.sumstats.rows import gather_rows
from fineprior.sumstats.settle import settle
from fineprior.sumstats.standing import Standing

PALINDROMIC_POLICIES = ("frequency", "drop", "trust", "keep")
"""`keep` is the earlier name of `trust`."""

_ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_AT_LEAST, _ERRORS = 0.5, 4.0
"""Correlation of frequencies below which a file is warned of, and standard errors below 0 at which it is refused."""
_AWAY, _FEW, _MOST_OPPOSITE = 0.08, 3, 0.05
"""Frequencies this far from 0.5 on opposite sides, in this many rows and in more than this share of those that are so
far from it, make all frequencies doubtful."""
_SAME_RESULT, _SHARE_OF_RESULT, _ERRORS_OF_PART, _SIGNED = 1.0, 0.1, 5.0, 2.0
"""What z of two rows of one variant may differ by: so much, this share of z, and so many standard errors of a smaller
sample that is part of the larger one; opposite signs contradict from the last |z| of both."""
_CLEARLY_CLOSER = 0.1
"""Difference of frequencies from which one of two variants is the one meant."""
_ROUNDING = 1e-9
_AT_ONCE = 1_000_000
_BASES = 4

logger = logging.getLogger(__name__)


class VariantSource(Protocol):
    """What rows are matched to: a panel, or LD files, which have no `allele_frequencies`."""

    @property
    def variants(self) -> pd.DataFrame:
        """All variants: chrom, pos (1-based), a1, a2 (upper case)."""
        ...


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
        Columns `sumstats.sumstats.STANDARD`, whole or in pieces. Of a row about 100 bytes are kept.
    genome, panel
        The reference genome, and the panel, whose alleles must be those of the FASTA's strand. LD files take the
        place of a panel; they have no frequencies, so those of the source stand for them where it has any.
    settings
        `palindromic` says what becomes of A/T and C/G variants. `frequency`: those with a minor allele frequency of
        at most `palindromic_max_maf` in GWAS and panel are taken on the strand on which the two agree, the others
        are left out; `drop`: all are left out; `trust`: the file is believed to be on the FASTA's strand.
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
    settle(rows)
    standing = Standing(rows)
    lifted = locate(standing, genome, liftover, plink_chromosomes)
    check_build(standing, genome, build, liftover, source_build)
    _orient(standing, genome)
    _match(standing, genome, panel)
    _add_frequencies(standing, panel, source)
    doubtful = _check_frequencies(standing, source)
    _choose_twin(standing, panel, doubtful)
    _settle_reference(standing)
    _leave_out_constant(standing, panel)
    if not doubtful:
        _leave_out_other_twins(standing)
    maf = np.minimum(standing["panel_af"], 1 - standing["panel_af"])
    standing.drop(maf < settings.min_maf - _ROUNDING, outcomes.LOW_MAF)
    _settle_palindromic(standing, settings, doubtful)
    _leave_out_duplicates(standing)
    places = Places(rows, genome, liftover, plink_chromosomes)
    return Harmonised(standing, genome, panel.variants, lifted, places)


def _orient(standing: Standing, genome: Genome) -> None:
    """Bring rows to the FASTA's strand and its reference allele as the other allele.

    Adds `reversed` and `turned` (what was done), `palindromic` (taken as written here: the panel settles the strand),
    `longer` (alleles of more than one base), `unsettled` (both alleles agree with the FASTA) and `aligned` (in another
    spelling now).
    """
    alleles = standing.rows.alleles
    effect, other = standing["effect"], standing["other"]
    single = np.maximum(effect, other) < _BASES
    standing["longer"], standing["palindromic"] = ~single, single & (effect + other == _BASES - 1)
    here = compare(genome, standing["contig"], standing["pos"], effect, other, alleles)
    effect_agrees, other_agrees = here.first_agrees, here.second_agrees
    rest = single & ~effect_agrees & ~other_agrees
    effect_reversed = rest & (here.base == _BASES - 1 - effect)
    reverse = effect_reversed | (rest & (here.base == _BASES - 1 - other))
    turned = (effect_agrees & ~other_agrees) | effect_reversed
    effect = np.where(reverse, _BASES - 1 - effect, here.first)
    other = np.where(reverse, _BASES - 1 - other, here.second)
    standing["aligned"] = (here.first != standing["effect"]) | (here.pos != standing["pos"])
    standing["pos"], standing["turned"], standing["reversed"] = here.pos, turned, reverse
    standing["unsettled"] = effect_agrees & other_agrees
    standing["effect"], standing["other"] = np.where(turned, other, effect), np.where(turned, effect, other)
    standing.drop(~(effect_agrees | other_agrees | reverse), outcomes.REFERENCE_MISMATCH)


def _match(standing: Standing, genome: Genome, panel: VariantSource) -> None:
    """Find each row's variant in the panel; add `panel_index`, and `a1_is_alt`."""
    found = match(
        panel.variants, genome, standing.rows.alleles, standing["contig"], standing["pos"], standing["effect"],
        standing["other"],
    )  # fmt: skip
    standing["panel_index"], standing["a1_is_alt"] = found.panel_index, found.a1_is_effect
    standing["second"] = found.second
    # two variants of the same letters, an insertion and a deletion: the frequencies tell which of them is meant
    standing["twins"] = standing["unsettled"] & found.opposite & ~found.several
    standing.drop(found.panel_index < 0, outcomes.ABSENT_FROM_PANEL)
    standing.drop((standing["second"] >= 0) & ~standing["twins"], outcomes.PANEL_DUPLICATE)


def _settle_reference(standing: Standing) -> None:
    """Where the FASTA cannot tell the reference allele, it is A2 of the panel."""
    exchange = standing["unsettled"] & ~standing["a1_is_alt"]
    if standing["unsettled"].any():
        logger.info("%d insertions and deletions have two alleles that agree with the FASTA; their reference allele "
                    "is A2 of the panel", standing["unsettled"].sum())  # fmt: skip
    standing["turned"] = standing["turned"] ^ exchange
    standing["a1_is_alt"] = standing["a1_is_alt"] | exchange


def _choose_twin(standing: Standing, panel: VariantSource, doubtful: bool) -> None:
    """Of the insertion and the deletion of the same letters, take the one whose frequency is clearly closer.

    Doubtful frequencies tell neither.
    """
    twins = np.flatnonzero(standing["twins"])
    if not len(twins):
        return
    ambiguous = standing["twins"].copy()
    index, second, first_is_effect = (standing[name][twins] for name in ("panel_index", "second", "a1_is_alt"))
    frequencies = [_a1_frequencies(panel, which) for which in (index, second)]
    if frequencies[0] is not None and frequencies[1] is not None and not doubtful:
        first = np.where(first_is_effect, frequencies[0], 1 - frequencies[0])
        other = np.where(first_is_effect, 1 - frequencies[1], frequencies[1])
        eaf = standing.number("eaf")[twins]
        eaf = np.where(standing["turned"][twins], 1 - eaf, eaf)
        closer = np.abs(eaf - first) - np.abs(eaf - other)
        take = closer > 0
        ambiguous[twins] = ~(np.abs(closer) >= _CLEARLY_CLOSER)
        for name, values in (("panel_index", second), ("a1_is_alt", ~first_is_effect), ("a1_af", frequencies[1])):
            column = standing[name].copy()
            column[twins[take]] = values[take]
            standing[name] = column
    standing.drop(ambiguous, outcomes.INDEL_AMBIGUOUS)


def _a1_frequencies(panel: Any, index: NDArray[np.integer]) -> NDArray[np.float64] | None:
    """Frequencies of A1 in the panel; None when it has none."""
    if not hasattr(panel, "allele_frequencies"):
        return None
    found = np.empty(len(index))
    for first in range(0, len(index), _AT_ONCE):
        found[first : first + _AT_ONCE] = panel.allele_frequencies(index[first : first + _AT_ONCE])
    return found


def _add_frequencies(standing: Standing, panel: Any, source: str) -> None:
    """Add `a1_af`, the frequency of A1 in the panel, and `known_af`, whether there are any."""
    frequencies = _a1_frequencies(panel, standing["panel_index"])
    standing["known_af"] = np.full(len(standing), frequencies is not None)
    standing["a1_af"] = np.full(len(standing), np.nan) if frequencies is None else frequencies
    if frequencies is None:
        logger.warning(
            "%s: the LD has no allele frequencies: harmonise.min_maf goes by those of the source where it has any, and "
            "frequencies tell neither the strand of A/T and C/G variants nor an exchange of the alleles", source,
        )  # fmt: skip


def _leave_out_constant(standing: Standing, panel: Any) -> None:
    """Add `panel_af`, the frequency of the alternative allele; what does not vary in the panel is left out."""
    if not standing["known_af"].all():
        eaf = standing.number("eaf")
        standing["panel_af"] = np.where(standing["turned"], 1 - eaf, eaf)
        return
    frequencies, index = standing["a1_af"], standing["panel_index"]
    standing["panel_af"] = np.where(standing["a1_is_alt"], frequencies, 1 - frequencies)
    constant = ~((frequencies > 0) & (frequencies < 1))
    half = np.flatnonzero(np.abs(frequencies - 0.5) < _ROUNDING)  # may be one copy in everybody
    for first in range(0, len(half), _AT_ONCE):
        rows = half[first : first + _AT_ONCE]
        constant[rows] |= (panel.genotype_counts(index[rows])[:, :3] > 0).sum(1) < 2
    standing.drop(constant, outcomes.MONOMORPHIC_IN_PANEL)


def _check_frequencies(standing: Standing, source: str) -> bool:
    """Hold effect allele frequencies against the panel's; whether they are too doubtful to tell a strand.

    Rows are judged whose strand and reference allele the FASTA tells. Frequencies of the minor allele are those of no
    allele: they are taken away.

    Raises
    ------
    InputError
        They run against the panel's.
    """
    eaf, frequencies = standing.number("eaf"), standing["a1_af"]
    usable = ~standing["palindromic"] & ~standing["unsettled"] & ~np.isnan(eaf) & ~np.isnan(frequencies)
    turned, a1_is_alt = standing["turned"][usable], standing["a1_is_alt"][usable]
    written, panel_af = eaf[usable], np.where(a1_is_alt, frequencies[usable], 1 - frequencies[usable])
    eaf = np.where(turned, 1 - written, written)
    if len(eaf) < _ENOUGH_ROWS or min(eaf.std(), panel_af.std()) == 0:
        return False
    r = np.corrcoef(eaf, panel_af)[0, 1]
    logger.info("%s: correlation of allele frequencies with the panel's over %d rows: %.3f", source, len(eaf), r)
    apart = (np.abs(eaf - 0.5) >= _AWAY) & (np.abs(panel_af - 0.5) >= _AWAY)
    opposite = apart & ((eaf > 0.5) != (panel_af > 0.5))
    common = np.where(turned, 1 - panel_af, panel_af) >= 0.5 + _AWAY  # effect alleles that are the panel's major ones
    folded = written.max() <= 0.5 + _ROUNDING and common.sum() >= _FEW
    if folded and (opposite & common).sum() > 0.5 * common.sum():
        logger.warning(
            "%s: effect_allele_frequency is never above 0.5, though the effect allele is the panel's more frequent one "
            "in %d of %d rows: it is that of the minor allele, and is not used", source, common.sum(), len(eaf),
        )  # fmt: skip
        standing.rows.numbers["eaf"][:] = np.nan
        return True
    if r < -min(_AT_LEAST, _ERRORS / np.sqrt(len(eaf))):
        raise InputError(
            f"{source}: effect_allele_frequency runs against the panel's frequencies (correlation {r:.2f} over "
            f"{len(eaf):,} variants); are effect_allele and other_allele exchanged?"
        )
    if r >= _AT_LEAST and (opposite.sum() < _FEW or opposite.sum() <= _MOST_OPPOSITE * apart.sum()):
        return False
    logger.warning(
        "%s: effect_allele_frequency agrees poorly with the panel's frequencies (correlation %.2f over %d variants; in "
        "%d of them another allele is the minor one); is it that of the minor allele, or is the panel of other people? "
        "It tells no strand", source, r, len(eaf), opposite.sum(),
    )  # fmt: skip
    return True


def _leave_out_other_twins(standing: Standing) -> None:
    """Leave out insertions and deletions in a repeat of which the panel has the other one: frequencies are exchanged.

    G>GT and GT>G at one place have the same letters; matched to one another, z and LD would be of two variants.
    """
    eaf, panel_af = standing.number("eaf"), standing["panel_af"]
    eaf = np.where(standing["turned"], 1 - eaf, eaf)
    other = np.abs(eaf - panel_af) - np.abs(eaf - (1 - panel_af)) >= _CLEARLY_CLOSER
    standing.drop(standing["unsettled"] & standing["known_af"] & other, outcomes.INDEL_AMBIGUOUS)


def _settle_palindromic(standing: Standing, settings: HarmoniseSettings, doubtful: bool) -> None:
    """Apply the policy to A/T and C/G rows; a row on the other strand describes the other allele."""
    palindromic = standing["palindromic"]
    if settings.palindromic == "drop":
        standing.drop(palindromic, outcomes.PALINDROMIC_AMBIGUOUS)
    elif settings.palindromic == "frequency":
        largest = settings.palindromic_max_maf + _ROUNDING
        eaf, panel_af = standing.number("eaf"), standing["panel_af"]
        eaf = np.where(standing["turned"], 1 - eaf, eaf)
        told = (np.minimum(eaf, 1 - eaf) <= largest) & (np.minimum(panel_af, 1 - panel_af) <= largest)
        told &= standing["known_af"] & (not doubtful)
        opposite = palindromic & told & ((eaf > 0.5) != (panel_af > 0.5))
        standing["reversed"], standing["turned"] = standing["reversed"] ^ opposite, standing["turned"] ^ opposite
        standing.drop(palindromic & ~told, outcomes.PALINDROMIC_AMBIGUOUS)


def _leave_out_duplicates(standing: Standing) -> None:
    """Keep one row for each variant; equal rows are told apart by all that is written, never by their order.

    A row that is on the FASTA's strand goes before one that fits as its complement only; of those that are left, rows
    whose effects contradict one another are all left out.
    """
    _leave_out_complements(standing)
    rows = _shared_rows(standing)
    rank = ["n", "neg_log10_p", "se", "beta", "z", "eaf", "rsid", "action"]
    index = standing.index[rows]
    again = pd.DataFrame({name: standing.number(name)[rows] for name in rank[:6]})
    again = flip(again, standing["turned"][rows]).assign(rsid=standing.rows.text("rsid", index).to_numpy())
    again["action"] = actions(standing, rows).to_numpy()
    again["panel_index"] = standing["panel_index"][rows]
    ordered = again.sort_values(rank, ascending=[False, False, *[True] * (len(rank) - 2)], kind="stable")
    first = ordered.drop_duplicates("panel_index").set_index("panel_index")[["z", "n"]]
    best = first.loc[ordered["panel_index"]].to_numpy()
    contradicts = _contradict(ordered["z"].to_numpy(), ordered["n"].to_numpy(), best[:, 0], best[:, 1])
    lost = ordered["panel_index"].isin(ordered["panel_index"][contradicts]).to_numpy()
    outs = {
        outcomes.CONTRADICTORY_TWINS: lost,
        outcomes.DUPLICATE: ordered.duplicated("panel_index").to_numpy() & ~lost,
    }
    if lost.any():
        _tell_twins(standing, rows[ordered.index[lost]])
    marked = {reason: standing.index[rows[ordered.index[which]]] for reason, which in outs.items()}
    for reason, numbers in marked.items():
        standing.drop(np.isin(standing.index, numbers), reason)


def _shared_rows(standing: Standing) -> NDArray[np.intp]:
    """Rows of variants that have several."""
    order = np.argsort(standing["panel_index"], kind="stable")
    same = np.diff(standing["panel_index"][order]) == 0
    return np.sort(order[np.append(same, False) | np.insert(same, 0, False)])


def _leave_out_complements(standing: Standing) -> None:
    """Leave out rows that fit as their complement only, where another row of the variant is on the FASTA's strand.

    Of A/T and C/G rows that is not known.
    """
    rows = _shared_rows(standing)
    told = ~standing["palindromic"][rows]
    index, complement = standing["panel_index"][rows], standing["reversed"][rows]
    which = np.zeros(len(standing), bool)
    which[rows[told & complement & np.isin(index, index[told & ~complement])]] = True
    standing.drop(which, outcomes.OTHER_STRAND)


def _contradict(
    z: NDArray[np.float64], n: NDArray[np.float64], best_z: NDArray[np.float64], best_n: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether z of a variant's rows is not that of its best row.

    With one sample size the two are one result, but for rounding; in a part of the sample z is that times the root of
    its share, give or take some standard errors.
    """
    expected = best_z * np.sqrt(n / best_n)
    share = np.clip(n / best_n, 0, 1)
    allowed = _SAME_RESULT + _SHARE_OF_RESULT * np.abs(best_z) + _ERRORS_OF_PART * np.sqrt(1 - share)
    opposite = (np.sign(z) != np.sign(best_z)) & (np.minimum(np.abs(z), np.abs(best_z)) > _SIGNED)
    return np.asarray((np.abs(z - expected) > allowed) | opposite)


def _tell_twins(standing: Standing, rows: NDArray[np.intp]) -> None:
    strongest = np.abs(standing.number("z")[rows]).argmax()
    same = rows[standing["panel_index"][rows] == standing["panel_index"][rows[strongest]]]
    source = standing.rows
    same = same[np.argsort(source.row[standing.index[same]], kind="stable")]
    shown = ", ".join(
        f"line {line} (z {z:.2f})"
        for line, z in zip(source.row[standing.index[same]], standing.number("z")[same], strict=True)
    )
    logger.warning(
        "%s: %d rows of %d variants contradict other rows of the same variant, and all of them are left out; the "
        "strongest: %s", source.source, len(rows), len(np.unique(standing["panel_index"][rows])), shown,
    )  # fmt: skip
