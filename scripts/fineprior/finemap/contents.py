"""What a locus lacks: rows of the GWAS that were not fitted, places without variants, and the consequences.

A PIP is a comparison with the other variants that were fitted. What is not among them gets nothing, and what it would
get goes to its neighbours; so few or thin data make large PIPs of nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.finemap.locus import LocusFit
from fineprior.genome.bed import place_of
from fineprior.genotypes.ld_store import NO_LD, TRIMMED
from fineprior.project.settings import FinemapSettings
from fineprior.sumstats.outcomes import MISSING_VALUE, REASONS

SWITCHED = "switched"
INCOMPLETE = "incomplete"
# An end or a gap is empty when it is so many times as wide as variants are apart on average.
WIDE = 10
BASES_PER_KB = 1000
# A row of such a p-value would make a locus, which is not without signal when that row alone was lost.
GENOME_WIDE = -np.log10(5e-8)
_MEANINGS = REASONS | {
    SWITCHED: "its alleles look switched",
    NO_LD: "there is no LD of it",
    TRIMMED: "too far from the lead for ld.max_memory_mb",
}
_ALONE = "a variant alone has no rival"
_FEW = "so few variants have few rivals"


@dataclass(frozen=True)
class Contents:
    """What of the GWAS in the window of a locus was fitted, and what was not.

    Attributes
    ----------
    gwas_rows : int
        Rows of the GWAS in the window.
    fitted : int
        Of these, variants that were fitted.
    lost : dict of str to int
        Rows that were not, by reason, most frequent first; empty when none is known of.
    lost_lead, lost_reason : str
        The row of the smallest p-value among these, and why it was lost; empty when none has a p-value.
    lost_neg_log10_p, lead_neg_log10_p : float
        -log10 p of that row, and the largest among the fitted variants; NaN when there is none.
    width : int
        Bases of the window; of the variants' span where the window is not known, 0 where positions are not.
    empty_start, empty_end : float
        Bases before the first and after the last fitted variant; NaN when the window is not known.
    largest_gap : float
        Bases between two neighbouring fitted variants, at most; NaN for fewer than two, or without positions.
    lost_start, lost_end, lost_gap : int
        Rows of the GWAS, known to be lost, in each of these three places.
    """

    gwas_rows: int
    fitted: int
    lost: Mapping[str, int]
    lost_lead: str
    lost_reason: str
    lost_neg_log10_p: float
    lead_neg_log10_p: float
    width: int
    empty_start: float
    empty_end: float
    largest_gap: float
    lost_start: int = 0
    lost_end: int = 0
    lost_gap: int = 0

    @property
    def share(self) -> float:
        """Share of the rows that was fitted."""
        return self.fitted / self.gwas_rows

    @property
    def per_kb(self) -> float:
        """Fitted variants per 1000 bases; NaN when the width is not known."""
        return self.fitted / self.width * BASES_PER_KB if self.width else np.nan

    @property
    def reasons(self) -> str:
        """Reasons and rows as text, `not_lifted:3; low_maf:2`; empty when none was lost."""
        return "; ".join(f"{reason}:{count}" for reason, count in self.lost.items())

    def columns(self) -> dict[str, Any]:
        """Columns of LOCI_STATUS."""
        return {
            "gwas_rows": self.gwas_rows,
            "fitted": self.fitted,
            "fitted_share": self.share if self.gwas_rows else np.nan,
            "lost_rows": sum(self.lost.values()),
            "lost": self.reasons.replace(" ", "") or None,
            "lost_lead": self.lost_lead or None,
            "lost_neg_log10_p": self.lost_neg_log10_p,
            "variants_per_kb": self.per_kb,
            "empty_start": self.empty_start,
            "empty_end": self.empty_end,
            "largest_gap": self.largest_gap,
        }


def contents_of(
    locus: str,
    table: pd.DataFrame,
    reasons: Mapping[str, str],
    lost: pd.DataFrame | None = None,
    *,
    fitted: bool = True,
) -> Contents:
    """What a locus holds and what it does not.

    Parameters
    ----------
    locus
        Its name, from which the window is read where it is made of chromosome, start and end.
    table
        Its variants: columns variant_id, pos (0: not known) and neg_log10_p, as in LOCUS_VARIANTS.
    reasons
        Variants of the table that were not fitted, and why.
    lost
        Rows of LOST of the locus: what harmonising left out. None or no row: nothing is known of such rows.
    fitted
        Whether there is a fit: without one no variant is fitted.
    """
    out = table["variant_id"].isin(list(reasons))
    kept = table[~out] if fitted else table.iloc[:0]
    columns = {"variant": table["variant_id"], "neg_log10_p": table["neg_log10_p"], "pos": table["pos"]}
    gone = [pd.DataFrame(columns)[out].assign(reason=table["variant_id"][out].map(reasons))]
    if lost is not None and len(lost):
        gone.append(lost[["variant", "neg_log10_p", "pos", "reason"]])
    rows = pd.concat([part for part in gone if len(part)] or gone[:1], ignore_index=True)
    counts = rows["reason"].value_counts()
    ordered = sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
    strongest = rows.loc[rows["neg_log10_p"].idxmax()] if rows["neg_log10_p"].notna().any() else None
    gwas_rows = len(table) + (0 if lost is None else len(lost))
    return Contents(
        gwas_rows=gwas_rows,
        fitted=len(kept),
        lost={str(reason): int(count) for reason, count in ordered},
        lost_lead="" if strongest is None else str(strongest["variant"]),
        lost_reason="" if strongest is None else str(strongest["reason"]),
        lost_neg_log10_p=np.nan if strongest is None else float(strongest["neg_log10_p"]),
        lead_neg_log10_p=float(kept["neg_log10_p"].max()),
        **_spaces(locus, kept["pos"].to_numpy(np.int64), rows["pos"].to_numpy(np.int64)),
    )


def _spaces(locus: str, pos: npt.NDArray[np.int64], lost: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Width of the window, where it is empty, and how many of the lost rows (by position) would be there."""
    unknown: dict[str, Any] = {"width": 0, "empty_start": np.nan, "empty_end": np.nan, "largest_gap": np.nan}
    window = _window(locus)
    if not len(pos):
        return unknown | {"width": window[1] - window[0] if window else 0}
    if (pos < 1).any():
        return unknown
    pos = np.sort(pos)
    gap: dict[str, Any] = {}
    if len(pos) > 1:
        first = int(np.diff(pos).argmax())
        within = int(((lost > pos[first]) & (lost < pos[first + 1])).sum())
        gap = {"largest_gap": float(pos[first + 1] - pos[first]), "lost_gap": within}
    if window is None or pos[0] <= window[0] or pos[-1] > window[1]:
        return unknown | {"width": int(pos[-1] - pos[0]) + 1} | gap
    start, end = window
    return (
        unknown
        | gap
        | {
            "width": end - start,
            "empty_start": float(pos[0] - 1 - start),
            "empty_end": float(end - pos[-1]),
            "lost_start": int((lost < pos[0]).sum()),
            "lost_end": int((lost > pos[-1]).sum()),
        }
    )


def _window(locus: str) -> tuple[int, int] | None:
    """Start and end of a locus by its name, None where that is no such name."""
    try:
        _, start, end = place_of(locus)
    except ValueError:
        return None
    return (start, end) if 0 <= start < end else None


def switched(fit: LocusFit) -> dict[str, str]:
    """Variants that a fit left out for their alleles, with that as the reason."""
    if fit.ladder is None:
        return {}
    return {fit.variant_ids[row]: SWITCHED for row in fit.ladder.left_out.tolist()}


def with_contents(fit: LocusFit, contents: Contents, settings: FinemapSettings) -> LocusFit:
    """The fit with what a reader should know of what it was made of.

    It is `incomplete` where what is missing decides the result: a row that was lost is stronger than all that were
    fitted, or so few variants are left that they have no rivals. Without credible sets the status stays unless that
    row is genome-wide significant, and the reason says it.
    """
    if fit.fit is None:
        return fit
    decisive: list[str] = []
    remarks: list[str] = []
    stronger = bool(contents.lost_lead) and contents.lost_neg_log10_p > contents.lead_neg_log10_p
    if stronger:
        decisive.append(_stronger(contents))
    thin = contents.share < settings.min_fitted
    if contents.fitted < settings.min_variants:
        text = f"{_fitted(contents)}, which makes PIPs large: {_ALONE if contents.fitted == 1 else _FEW}"
        (decisive if contents.fitted == 1 or thin else remarks).append(text)
    elif thin:
        remarks.append(f"{_fitted(contents)}, the others were left out of the fit ({contents.reasons})")
    remarks += _thin_places(contents, settings)
    signal = fit.status != "no_signal" or (stronger and contents.lost_neg_log10_p > GENOME_WIDE)
    status = INCOMPLETE if decisive and signal else fit.status
    parts = (*decisive, fit.reason) if status == INCOMPLETE else (fit.reason, *decisive)
    reason = "; ".join(text for text in parts if text)
    return replace(fit, status=status, reason=reason, remarks=(*fit.remarks, *remarks))


def _stronger(contents: Contents) -> str:
    known, fitted = bool(np.isfinite(contents.lost_neg_log10_p)), f"{contents.lead_neg_log10_p:.1f}"
    p = f"-log10 p {contents.lost_neg_log10_p:.1f}, above {fitted}" if known else f"p = 0, above -log10 p {fitted}"
    no_z = contents.lost_reason == MISSING_VALUE and not known
    why = "a p-value of 0 alone gives no z" if no_z else _MEANINGS.get(contents.lost_reason, "")
    return (
        f"the strongest row of the GWAS in the window, {contents.lost_lead} ({p} of the strongest that was fitted), "
        f"was left out of the fit as {contents.lost_reason}" + (f": {why}" if why else "")
    )


def _fitted(contents: Contents) -> str:
    one = contents.fitted == 1
    if not contents.lost:
        return f"{contents.fitted} variant{' is' if one else 's are'} all there is in the locus"
    verb = "was" if one else "were"
    return f"{contents.fitted:,} of {contents.gwas_rows:,} rows of the GWAS in the window {verb} fitted"


def _thin_places(contents: Contents, settings: FinemapSettings) -> list[str]:
    remarks, empty = [], 0.0
    if contents.fitted > 1 and settings.max_empty:
        apart = (contents.width - np.nansum([contents.empty_start, contents.empty_end])) / (contents.fitted - 1)
        least = max(settings.max_empty * contents.width, WIDE * apart)
        for size, lost, first, last in (
            (contents.empty_start, contents.lost_start, "the first ", "of the window, as if the data ended there"),
            (contents.empty_end, contents.lost_end, "the last ", "of the window, as if the data ended there"),
            (contents.largest_gap, contents.lost_gap, "", "between two neighbours"),
        ):
            if size > least:
                empty += size
                found = (
                    "no variant" if not lost else f"{lost:,} row{'' if lost == 1 else 's'} of the GWAS, none fitted,"
                )
                where = last.partition(",")[0] if lost else last
                remarks.append(f"{found} in {first}{size:,.0f} of {contents.width:,} bp {where}")
    # Where the data end, those that there are may be dense.
    if contents.fitted / max(contents.width - empty, 1) * BASES_PER_KB < settings.min_density:
        remarks.insert(
            0,
            f"{contents.per_kb:.2g} variants per kb, nearer to an array or HapMap3 (0.2 to 0.5) than to imputed data "
            "(2 and more): where the causal variant is missing, its neighbours have its PIP",
        )
    return remarks
