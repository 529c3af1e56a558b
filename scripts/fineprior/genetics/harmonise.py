"""Summary statistics brought to the alleles of the FASTA and of the reference panel.

After it the effect allele is ALT, REF is the FASTA's, and each variant has one row and one row in the panel. A row
that cannot be brought there is left out under the first of `REASONS` that applies to it.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import HarmoniseSettings
from fineprior.foundation.tables import DROPPED, SUMSTATS, SUMSTATS_QC
from fineprior.genetics.genome import Genome, codes_of
from fineprior.genetics.genotypes import PlinkPanel
from fineprior.genetics.variants import complement, flip, variant_id

KEPT, SWAPPED, STRAND, STRAND_SWAPPED = "kept", "swapped", "strand", "strand_swapped"
ACTIONS = {
    KEPT: "the effect allele is the alternative allele, the other allele the FASTA's",
    SWAPPED: "the effect allele was the FASTA's; alleles exchanged, signs and frequency turned",
    STRAND: "the alleles were those of the other strand; complemented",
    STRAND_SWAPPED: "the alleles were those of the other strand, and exchanged; both were turned",
}

MISSING_VALUE = "missing_value"
BAD_VALUE = "bad_value"
BAD_ALLELES = "bad_alleles"
CONTIG_MISSING = "contig_missing"
POSITION_OUTSIDE = "position_outside"
LOW_INFO = "low_info"
REFERENCE_MISMATCH = "reference_mismatch"
ABSENT_FROM_PANEL = "absent_from_panel"
PANEL_DUPLICATE = "panel_duplicate"
MONOMORPHIC_IN_PANEL = "monomorphic_in_panel"
LOW_MAF = "low_maf"
PALINDROMIC_AMBIGUOUS = "palindromic_ambiguous"
DUPLICATE = "duplicate"
REASONS = {
    MISSING_VALUE: "chromosome, position, an allele, the effect with its standard error or p-value, or the sample "
    "size is missing or not a number",
    BAD_VALUE: "a number is out of its range: a standard error or sample size not above 0, a p-value or frequency "
    "outside of 0 to 1, an infinite effect",
    BAD_ALLELES: "an allele is not written in A, C, G, T, or both are the same",
    CONTIG_MISSING: "the FASTA has no such chromosome",
    POSITION_OUTSIDE: "the position is not a whole number within the chromosome",
    LOW_INFO: "the imputation quality is below harmonise.min_info",
    REFERENCE_MISMATCH: "neither allele is the FASTA's, on either strand",
    ABSENT_FROM_PANEL: "the panel has no variant with this position and these alleles",
    PANEL_DUPLICATE: "the panel has several variants with this position and these alleles",
    MONOMORPHIC_IN_PANEL: "everybody in the panel has the same genotype",
    LOW_MAF: "the minor allele frequency in the panel is below harmonise.min_maf",
    PALINDROMIC_AMBIGUOUS: "alleles A and T, or C and G, and harmonise.palindromic drops them, or the frequencies do "
    "not tell the strand",
    DUPLICATE: "another row is the same variant and has a larger sample, or else a smaller p-value",
}

PALINDROMIC_POLICIES = ("frequency", "drop", "keep")

_NEEDED = ("chrom", "pos", "effect_allele", "other_allele", "z", "neg_log10_p", "n")
_ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_LEAST_AGREEMENT = 0.75
"""Share of rows with an allele of the FASTA: near 1 for the right build, near 0.5 for a wrong one."""
_CLEARLY_NEGATIVE = -0.5
_GENOME_WIDE = 7.3
_ROUNDING = 1e-9

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Harmonised:
    """Tables SUMSTATS, SUMSTATS_QC and DROPPED."""

    sumstats: pd.DataFrame
    qc: pd.DataFrame
    dropped: pd.DataFrame


class _Sieve:
    """The rows that are still in (`rows`), and why the others went (`reasons`, empty for those still in)."""

    def __init__(self, frame: pd.DataFrame, source: str) -> None:
        self.rows = frame
        self.source = source
        self.reasons = pd.Series("", index=frame.index, dtype="object")

    def drop(self, which: pd.Series | NDArray[np.bool_], reason: str) -> None:
        """Leave out the rows marked in `which` (one boolean for each row still in); stop if none is left."""
        which = np.asarray(which, bool)
        if which.any():
            self.reasons.loc[self.rows.index[which]] = reason
            self.rows = self.rows[~which]
        if self.rows.empty:
            counts = ", ".join(f"{count:,} {name}" for name, count in self.reasons.value_counts().items())
            raise InputError(f"{self.source}: none of {len(self.reasons):,} rows is left ({counts})")


def harmonise(
    frame: pd.DataFrame,
    genome: Genome,
    panel: PlinkPanel,
    settings: HarmoniseSettings,
    source: str = "summary statistics",
) -> Harmonised:
    """Bring summary statistics to the FASTA's strand and reference allele, and to the variants of the panel.

    The result does not depend on the order of the rows, nor on which allele a row calls its effect allele. Which
    allele the panel calls A1 plays no role, except for an insertion or deletion of which both alleles agree with the
    FASTA, as they do in a repeat: there A2 is taken as the reference allele, as PLINK 2 writes it.

    Parameters
    ----------
    frame
        Columns `genetics.sumstats.STANDARD`.
    genome, panel
        The reference genome, and the panel, whose alleles must be those of the FASTA's strand.
    settings
        `palindromic` says what becomes of A/T and C/G variants. `frequency`: those with a minor allele frequency of
        at most `palindromic_max_maf` in GWAS and panel are taken on the strand on which the two agree, the others
        are left out; `drop`: all are left out; `keep`: the file is believed to be on the FASTA's strand.
    source
        Name of the file, for messages.

    Raises
    ------
    InputError
        If no row is left, if too few rows agree with the FASTA (wrong build), or if the effect allele frequencies
        run against the panel's (effect and other allele exchanged).
    """
    if settings.palindromic not in PALINDROMIC_POLICIES:
        allowed = ", ".join(PALINDROMIC_POLICIES)
        raise InputError(f"harmonise.palindromic: '{settings.palindromic}' is not known; allowed: {allowed}")
    frame = frame.reset_index(drop=True)
    sieve = _Sieve(frame, source)
    _check_rows(sieve, genome, settings)
    _orient(sieve, genome)
    _match(sieve, genome, panel)
    _describe(sieve, panel)
    _check_frequencies(sieve.rows, source)
    sieve.drop(np.minimum(sieve.rows["panel_af"], 1 - sieve.rows["panel_af"]) < settings.min_maf - _ROUNDING, LOW_MAF)
    _settle_palindromic(sieve, settings)
    _leave_out_duplicates(sieve)
    dropped = frame.assign(pos=frame["source_pos"], reason=sieve.reasons.astype("str"))[sieve.reasons != ""]
    _warn_of_lost_hits(dropped, source)
    kept = sieve.rows.sort_values(["contig", "pos", "variant_id"])[SUMSTATS.names]
    qc = _counts(kept["action"], dropped["reason"])
    return Harmonised(kept.reset_index(drop=True), qc, dropped[DROPPED.names].reset_index(drop=True))


def _check_rows(sieve: _Sieve, genome: Genome, settings: HarmoniseSettings) -> None:
    """What can be said of a row by itself; alleles in upper case, `chrom` as the FASTA names it, and its number."""
    sieve.drop(sieve.rows[list(_NEEDED)].isna().any(axis=1), MISSING_VALUE)
    rows = sieve.rows
    bad = (rows["se"] <= 0) | (rows["n"] <= 0) | (rows["neg_log10_p"] < 0) | (rows["eaf"] < 0) | (rows["eaf"] > 1)
    infinite = np.isinf(rows[["beta", "se", "z", "neg_log10_p", "n"]].to_numpy()).any(axis=1)
    sieve.drop(bad | infinite, BAD_VALUE)
    contigs = {name: genome.find(name) for name in sieve.rows["chrom"].unique()}
    sieve.drop(sieve.rows["chrom"].map({name: contig is None for name, contig in contigs.items()}), CONTIG_MISSING)
    rows = sieve.rows.assign(chrom=sieve.rows["chrom"].map(contigs))
    rows["contig"] = rows["chrom"].map({name: number for number, name in enumerate(genome.contigs)}).astype("int64")
    sieve.rows = rows
    inside = (rows["pos"] % 1 == 0) & (rows["pos"] >= 1) & (rows["pos"] <= rows["chrom"].map(genome.contigs))
    sieve.drop(~inside, POSITION_OUTSIDE)
    rows = sieve.rows.assign(pos=sieve.rows["pos"].astype("int64"))
    for allele in ("effect_allele", "other_allele"):
        rows[allele] = rows[allele].str.upper()
    sieve.rows = rows
    spelled = {a: bool(a) and set(a) <= set("ACGT") for a in pd.unique(_both_alleles(rows))}
    good = rows["effect_allele"].map(spelled) & rows["other_allele"].map(spelled)
    sieve.drop(~good.astype(bool) | (rows["effect_allele"] == rows["other_allele"]), BAD_ALLELES)
    sieve.drop(sieve.rows["info"] < settings.min_info, LOW_INFO)


def _orient(sieve: _Sieve, genome: Genome) -> None:
    """Bring rows to the FASTA's strand and its reference allele as the other allele.

    Adds `reverse` and `swapped` (what was done), `palindromic` (taken as written here: the panel settles the strand)
    and `unsettled` (both alleles agree with the FASTA).
    """
    rows = sieve.rows
    complements = {allele: complement(allele) for allele in pd.unique(_both_alleles(rows))}
    turned = rows.assign(
        effect_allele=rows["effect_allele"].map(complements), other_allele=rows["other_allele"].map(complements)
    )
    single = ((rows["effect_allele"].str.len() == 1) & (rows["other_allele"].str.len() == 1)).to_numpy(bool)
    palindromic = single & (rows["effect_allele"] == turned["other_allele"]).to_numpy(bool)
    effect_agrees, other_agrees = _agrees(rows, "effect_allele", genome), _agrees(rows, "other_allele", genome)
    forward = effect_agrees | other_agrees
    rest = np.flatnonzero(single & ~forward)
    turned_effect_agrees = _agrees(turned.iloc[rest], "effect_allele", genome)
    reverse, swapped = np.zeros(len(rows), bool), effect_agrees & ~other_agrees
    reverse[rest] = turned_effect_agrees | _agrees(turned.iloc[rest], "other_allele", genome)
    swapped[rest] = turned_effect_agrees
    _check_build(forward, reverse, single, palindromic, genome, sieve.source)
    rows = rows.assign(
        effect_allele=rows["effect_allele"].mask(reverse, turned["effect_allele"]),
        other_allele=rows["other_allele"].mask(reverse, turned["other_allele"]),
        reverse=reverse, swapped=swapped, palindromic=palindromic, unsettled=effect_agrees & other_agrees,
    )  # fmt: skip
    sieve.rows = flip(rows, swapped)
    sieve.drop(~forward & ~reverse, REFERENCE_MISMATCH)


def _agrees(rows: pd.DataFrame, allele: str, genome: Genome) -> NDArray[np.bool_]:
    """Whether the FASTA has this allele at each row's position."""
    agrees = np.zeros(len(rows), bool)
    positions, alleles = rows["pos"].to_numpy(), rows[allele]
    lengths = alleles.str.len().to_numpy(np.int64)
    for chrom, group in rows.groupby("chrom", sort=False).indices.items():
        first, last = positions[group].min() - 1, positions[group].max() - 1
        reference = genome.codes(str(chrom), first, last + lengths[group].max())
        for length in np.unique(lengths[group]):
            same = group[lengths[group] == length]
            numbers, spellings = pd.factorize(alleles.iloc[same])
            spelled = codes_of("".join(spellings)).reshape(len(spellings), length)[numbers]
            agrees[same] = (reference[(positions[same] - 1 - first)[:, None] + np.arange(length)] == spelled).all(1)
    return agrees


def _check_build(
    forward: NDArray[np.bool_],
    reverse: NDArray[np.bool_],
    single: NDArray[np.bool_],
    palindromic: NDArray[np.bool_],
    genome: Genome,
    source: str,
) -> None:
    """Stop if the positions are not those of this genome.

    A/T and C/G rows do not depend on the strand, so they judge where there are enough of them; else the other
    single-base rows do, on the strand that most of them are on.
    """
    others = single & ~palindromic
    if palindromic.sum() >= _ENOUGH_ROWS:
        agreement, judged = forward[palindromic].mean(), "A/T and C/G rows"
    elif others.sum() >= _ENOUGH_ROWS:
        agreement, judged = max(forward[others].mean(), reverse[others].mean()), "single-base rows"
    else:
        return
    if agreement < _LEAST_AGREEMENT:
        raise InputError(
            f"{source}: only {agreement:.0%} of the {judged} have an allele that {genome.path} has at their position; "
            "are the positions of another genome build, or counted from 0?"
        )


def _match(sieve: _Sieve, genome: Genome, panel: PlinkPanel) -> None:
    """Find each row's variant in the panel, by position and letters; add panel_index."""
    rows = sieve.rows
    numbers = {name: number for number, name in enumerate(genome.contigs)}
    contigs = {name: numbers.get(genome.find(name) or "", -1) for name in panel.variants["chrom"].unique()}
    places = _place(panel.variants["chrom"].map(contigs), panel.variants["pos"])
    row_places = _place(rows["contig"], rows["pos"])
    candidates = np.flatnonzero(np.isin(places, row_places))
    known = panel.variants.iloc[candidates]
    codes, _ = pd.factorize(pd.concat([rows["effect_allele"], rows["other_allele"], known["a1"], known["a2"]]))
    effect, other, a1, a2 = np.split(codes, np.cumsum([len(rows), len(rows), len(known)]))
    keys = ["place", "low", "high"]
    right = pd.DataFrame({"place": places[candidates], "low": np.minimum(a1, a2), "high": np.maximum(a1, a2),
                          "panel_index": candidates})  # fmt: skip
    right["several"] = right.duplicated(keys, keep=False)
    left = pd.DataFrame({"place": row_places, "low": np.minimum(effect, other), "high": np.maximum(effect, other)})
    found = left.merge(right.drop_duplicates(keys), on=keys, how="left")
    panel_index = found["panel_index"].fillna(-1).astype("int64").to_numpy()
    sieve.rows = rows.assign(panel_index=panel_index, several=found["several"].eq(True).to_numpy())
    sieve.drop(panel_index < 0, ABSENT_FROM_PANEL)
    sieve.drop(sieve.rows["several"], PANEL_DUPLICATE)


def _describe(sieve: _Sieve, panel: PlinkPanel) -> None:
    """Settle which allele is the reference where the FASTA cannot; add panel_af and variant_id."""
    rows = sieve.rows
    known = panel.variants.iloc[rows["panel_index"].to_numpy()]
    exchange = rows["unsettled"].to_numpy() & (known["a2"].to_numpy() == rows["effect_allele"].to_numpy())
    rows = flip(rows, exchange).assign(swapped=rows["swapped"] ^ exchange)
    if rows["unsettled"].any():
        logger.info("%d insertions and deletions have two alleles that agree with the FASTA; their reference allele "
                    "is A2 of the panel", rows["unsettled"].sum())  # fmt: skip
    counts = panel.genotype_counts(rows["panel_index"].to_numpy())
    two, one, none, _ = counts.T
    a1_is_alt = known["a1"].to_numpy() == rows["effect_allele"].to_numpy()
    called = np.maximum(two + one + none, 1)
    rows["panel_af"] = np.where(a1_is_alt, 2 * two + one, 2 * none + one) / (2 * called)
    rows["variant_id"] = variant_id(rows["chrom"], rows["pos"], rows["other_allele"], rows["effect_allele"])
    sieve.rows = rows
    sieve.drop((counts[:, :3] > 0).sum(1) < 2, MONOMORPHIC_IN_PANEL)


def _check_frequencies(rows: pd.DataFrame, source: str) -> None:
    """Stop if effect allele frequencies run against the panel's."""
    usable = rows[~rows["palindromic"] & rows["eaf"].notna()]
    if len(usable) < _ENOUGH_ROWS or min(usable["eaf"].std(), usable["panel_af"].std()) == 0:
        return
    r = np.corrcoef(usable["eaf"], usable["panel_af"])[0, 1]
    logger.info("%s: correlation of allele frequencies with the panel's over %d rows: %.3f", source, len(usable), r)
    if r < _CLEARLY_NEGATIVE:
        raise InputError(
            f"{source}: effect_allele_frequency runs against the panel's frequencies (correlation {r:.2f} over "
            f"{len(usable):,} variants); are effect_allele and other_allele exchanged?"
        )


def _settle_palindromic(sieve: _Sieve, settings: HarmoniseSettings) -> None:
    """Apply the policy to A/T and C/G rows; a row on the other strand describes the other allele."""
    rows = sieve.rows
    palindromic = rows["palindromic"].to_numpy()
    if settings.palindromic == "drop":
        sieve.drop(palindromic, PALINDROMIC_AMBIGUOUS)
    elif settings.palindromic == "frequency":
        largest = settings.palindromic_max_maf + _ROUNDING
        eaf, panel_af = rows["eaf"].to_numpy(), rows["panel_af"].to_numpy()
        told = (np.minimum(eaf, 1 - eaf) <= largest) & (np.minimum(panel_af, 1 - panel_af) <= largest)
        opposite = palindromic & told & ((eaf > 0.5) != (panel_af > 0.5))
        statistics = flip(rows.drop(columns=["effect_allele", "other_allele"]), opposite)
        alleles = rows[["effect_allele", "other_allele"]]
        sieve.rows = pd.concat([statistics, alleles], axis=1).assign(
            reverse=rows["reverse"] ^ opposite, swapped=rows["swapped"] ^ opposite
        )
        sieve.drop(palindromic & ~told, PALINDROMIC_AMBIGUOUS)
    rows = sieve.rows
    names = np.array([[KEPT, SWAPPED], [STRAND, STRAND_SWAPPED]])
    action = names[rows["reverse"].to_numpy(int), rows["swapped"].to_numpy(int)]
    sieve.rows = rows.assign(action=action, ref=rows["other_allele"], alt=rows["effect_allele"])


def _leave_out_duplicates(sieve: _Sieve) -> None:
    """Keep one row for each variant; equal rows are told apart by all that is written, never by their order."""
    rank = ["n", "neg_log10_p", "se", "beta", "z", "eaf", "rsid", "action"]
    again = sieve.rows[sieve.rows.duplicated("variant_id", keep=False)]
    ordered = again.sort_values(rank, ascending=[False, False, *[True] * (len(rank) - 2)], kind="stable")
    sieve.drop(sieve.rows.index.isin(ordered.index[ordered.duplicated("variant_id")]), DUPLICATE)


def _warn_of_lost_hits(dropped: pd.DataFrame, source: str) -> None:
    hits = dropped[(dropped["neg_log10_p"] >= _GENOME_WIDE) & (dropped["reason"] != DUPLICATE)]
    if len(hits):
        top = hits.iloc[int(hits["neg_log10_p"].argmax())]
        logger.warning("%s: %d rows with p < 5e-8 were left out; the strongest, %s:%s (-log10 p %.1f), as %s", source,
                       len(hits), top["chrom"], top["source_pos"], top["neg_log10_p"], top["reason"])  # fmt: skip


def _counts(actions: pd.Series, reasons: pd.Series) -> pd.DataFrame:
    """Table SUMSTATS_QC: every action, and the reasons that were met."""
    kept = [("kept", name, int((actions == name).sum()), meaning) for name, meaning in ACTIONS.items()]
    lost = [("dropped", name, int((reasons == name).sum()), meaning) for name, meaning in REASONS.items()]
    return pd.DataFrame(kept + [line for line in lost if line[2]], columns=SUMSTATS_QC.names)


def _place(contig: pd.Series, pos: pd.Series) -> NDArray[np.int64]:
    """Contig number and position as one integer."""
    place: NDArray[np.int64] = (contig.to_numpy(np.int64) << 40) + pos.to_numpy(np.int64)
    return place


def _both_alleles(rows: pd.DataFrame) -> pd.Series:
    return pd.concat([rows["effect_allele"], rows["other_allele"]])
