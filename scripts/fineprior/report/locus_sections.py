"""Loci on the report page: index, plots with the variants behind them, credible sets, candidate variants."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fineprior.files.tables import CREDIBLE_SETS, FINEMAP_VARIANTS, LOCI, LOCI_STATUS
from fineprior.finemap.configurations import AGREED
from fineprior.report.page_table import PageTable, number, page_table
from fineprior.report.plots import data_uri, locus_figure, shortened

SHOWN_PRIORS = ("uniform", "functional")
OPEN_UP_TO = 12
"""Above this number, loci start folded."""
CANDIDATE_PIP = 0.1
MOST_CANDIDATES = 500
_LISTED_VARIANTS = 12
_STATUSES = ("ok", "corrected", "single_effect", "incomplete", "no_signal", "failed")
_SETS = {
    "credible_set": "set", "variants": "variants", "coverage": "coverage", "min_abs_r": "purity (min |r|)",
    "log10_bf": "log10 BF", "lead_variant": "lead", "lead_pip": "its PIP", "gene": "its gene",
    "genes": "genes in the span", "members": "variants, most probable first",
}  # fmt: skip


_GENE = {"gene": "nearest gene", "gene_distance": "its distance", "consequence": "consequence"}


def in_genome_order(loci: pd.DataFrame) -> pd.DataFrame:
    """Sort table LOCI by position, with the chromosomes in their order of appearance."""
    rank = {chrom: i for i, chrom in enumerate(dict.fromkeys(loci["chrom"]))}
    return loci.assign(rank=loci["chrom"].map(rank)).sort_values(["rank", "start"], kind="stable")


def joined_variants(variants: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join FINEMAP_VARIANTS of the shown priors: a row for each variant, with what `locus_figure` needs."""
    key = ["locus", "variant_id", "pos", "z", "neg_log10_p", "r_lead", *_GENE]
    both = pd.concat([variants[prior][key] for prior in SHOWN_PRIORS]).drop_duplicates(["locus", "variant_id"])
    for prior in SHOWN_PRIORS:
        names = ("prior", "pip", "pip_susie", "credible_set")
        own = variants[prior][["locus", "variant_id", *names]].rename(
            columns={name: f"{name}_{prior}" for name in names}
        )
        both = both.merge(own, on=["locus", "variant_id"], how="left")
    for prior in SHOWN_PRIORS:
        both[f"in_set_{prior}"] = both[f"credible_set_{prior}"].notna()
    both["set_functional"] = both["credible_set_functional"]
    both["prior_ratio"] = both["prior_functional"] / both["prior_uniform"]
    return both


def locus_sections(
    loci: pd.DataFrame,
    variants: pd.DataFrame,
    credible_sets: pd.DataFrame,
    status: Mapping[str, pd.DataFrame],
    change: pd.Series,
    most: int,
) -> list[dict[str, Any]]:
    """Content of the page for each locus.

    Parameters
    ----------
    loci
        As from `in_genome_order`.
    variants
        As from `joined_variants`.
    credible_sets
        As from `shown_sets`.
    status
        LOCI_STATUS under each shown prior.
    change
        Largest change of a PIP by locus. Of more than `most` loci, those with the largest change get a plot.
    """
    by_locus, sets = _split_by_locus(variants), _split_by_locus(credible_sets)
    plotted = _plotted(change, loci["locus"], by_locus, most)
    indexed = {prior: status[prior].set_index("locus") for prior in SHOWN_PRIORS}
    shown = []
    for i, row in enumerate(loci.to_dict("records"), start=1):
        name = row["locus"]
        fits = {prior: _fit(indexed[prior], name) for prior in SHOWN_PRIORS}
        locus: dict[str, Any] = {str(key): value for key, value in row.items()}
        locus |= {"id": f"locus-{i}", "fits": fits, "plot": "", "alt": "", "data": "", "sets": None}
        locus["without_plot"] = name in by_locus and name not in plotted
        locus["reasons"] = sorted({fit["reason"] for fit in fits.values() if fit["reason"]})
        rows = [status[prior] for prior in SHOWN_PRIORS]
        remarks = {text for row in rows for text in row.loc[row["locus"] == name, "remarks"].dropna()}
        locus["remarks"] = sorted(remarks)
        locus["holds"] = _holds(indexed[SHOWN_PRIORS[0]], name)
        if name in sets:
            labels = {"prior": "prior"} | _without_empty(_SETS, credible_sets)
            locus["sets"] = page_table(sets[name], "credible_sets", f"Credible sets of {name}", labels)
        if name in plotted:
            own = by_locus[name]
            locus["plot"] = data_uri(locus_figure, own, row["start"], row["end"], kind="png")
            locus["alt"] = _locus_alt(locus, own)
            locus["data"] = packed_variants(own)
        shown.append(locus)
    return shown


def packed_variants(variants: pd.DataFrame) -> str:
    """Encode the variants of a locus for the interactive plot: columns as JSON, gzipped, in base64."""
    rows = variants.sort_values(["pos", "variant_id"], kind="stable")
    parts = rows["variant_id"].str.split(":", n=2)
    columns: dict[str, Any] = {"chrom": parts.iloc[0][0], "alleles": parts.str[2].tolist()}
    columns["steps"] = np.diff(rows["pos"], prepend=0).tolist()
    columns["z"] = _rounded(rows["z"], 2)
    columns["p"] = _rounded(rows["neg_log10_p"], 2)
    columns["r2"] = _rounded(rows["r_lead"] ** 2, 2)
    columns["uniform"] = _rounded(rows["pip_uniform"], 4)
    columns["functional"] = _rounded(rows["pip_functional"], 4)
    columns["ratio"] = _rounded(rows["prior_ratio"], 3)
    for prior in SHOWN_PRIORS:
        columns[f"set_{prior}"] = [name if isinstance(name, str) else "" for name in rows[f"credible_set_{prior}"]]
    text = json.dumps(columns, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode("ascii")


def _rounded(values: pd.Series, digits: int) -> list[float | None]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]


def locus_index(loci: list[dict[str, Any]]) -> PageTable:
    """All loci in one table, with the results under each prior."""
    labels = {"locus": "locus", "lead_variant": "lead variant", "lead_neg_log10_p": "\N{MINUS SIGN}log10 p",
              "variants": "variants"}  # fmt: skip
    frame = pd.DataFrame([{name: locus[name] for name in labels} for locus in loci])
    frame["lead_variant"] = frame["lead_variant"].map(shortened, na_action="ignore")  # none without variants
    frame["fitted_share"] = [_share_of(locus["fits"]) for locus in loci]
    labels["fitted_share"] = "share fitted"
    for name, label in (("credible_sets", "sets"), ("max_pip", "largest PIP"), ("status", "status")):
        for prior in SHOWN_PRIORS:
            frame[f"{name}_{prior}"] = [locus["fits"][prior][name] for locus in loci]
            labels[f"{name}_{prior}"] = f"{label}, {prior}"
    return page_table(frame, "loci", "Index of loci, in genomic order", labels, LOCI)


def shown_sets(credible_sets: Mapping[str, pd.DataFrame], loci: pd.DataFrame) -> pd.DataFrame:
    """CREDIBLE_SETS under both shown priors, in the order of the loci; column `members` lists the first variant ids."""
    sets = pd.concat([credible_sets[prior].assign(prior=prior) for prior in SHOWN_PRIORS], ignore_index=True)
    sets["members"] = sets["variant_ids"].map(_members)
    sets["genes"] = sets["genes"].map(_members, na_action="ignore")
    place = {name: i for i, name in enumerate(loci["locus"])}
    return sets.sort_values("locus", key=lambda names: names.map(place), kind="stable")


def set_table(sets: pd.DataFrame) -> PageTable:
    """The credible sets of all loci in one table."""
    labels = {"locus": "locus", "prior": "prior"} | _without_empty(_SETS, sets)
    del labels["members"]
    return page_table(sets, "credible_sets", "Credible sets of all loci, under both priors", labels, CREDIBLE_SETS)


def _without_empty(labels: Mapping[str, str], frame: pd.DataFrame) -> dict[str, str]:
    """Labels without those of genes where no gene is known: a study without `genome.genes`."""
    absent = {
        name for name in ("gene", "genes", "gene_distance", "consequence") if name in frame and frame[name].isna().all()
    }
    return {name: label for name, label in labels.items() if name not in absent}


def candidate_table(variants: pd.DataFrame) -> tuple[PageTable, int]:
    """Variants with a PIP of at least `CANDIDATE_PIP` under either prior, and the number of those not shown.

    Parameters
    ----------
    variants
        As from `joined_variants`.
    """
    high = variants[variants[["pip_uniform", "pip_functional"]].max(axis=1) >= CANDIDATE_PIP]
    high = high.sort_values(["pip_functional", "pip_uniform"], ascending=False, kind="stable")
    labels = {
        "locus": "locus", "variant_id": "variant", "pip_uniform": "PIP, uniform", "pip_functional": "PIP, functional",
        **_without_empty(_GENE, variants), "neg_log10_p": "\N{MINUS SIGN}log10 p", "z": "z", "r_lead": "r with lead",
        "prior_ratio": "prior / uniform", "pip_susie_functional": "PIP, functional, SuSiE",
        "credible_set_uniform": "set, uniform", "credible_set_functional": "set, functional",
    }  # fmt: skip
    shown = high.head(MOST_CANDIDATES)
    caption = f"Variants with a PIP of at least {CANDIDATE_PIP:g} under either prior, most probable first"
    return page_table(shown, "candidates", caption, labels, FINEMAP_VARIANTS), len(high) - len(shown)


def posterior_sentence(status: pd.DataFrame) -> str:
    """Where PIPs and credible sets come from, of LOCI_STATUS under the functional prior; empty without a fit."""
    fitted = status[status["posterior"].notna()]
    searched = fitted[fitted["posterior"] == "search"]
    if fitted.empty:
        return ""
    if searched.empty:
        return "PIPs and credible sets are those of SuSiE."
    text = (
        "PIPs and credible sets are those of a search that weighs several modes of the posterior, in "
        f"{len(searched):,} of {len(fitted):,} loci (those with LD of the GWAS itself); under the functional prior it "
        f"expects {searched['expected_causal'].sum():.3g} causal variants in them."
    )
    apart = int((searched["search_gap"] >= AGREED).sum())
    if apart:
        text += f" In {apart:,} of these the halves of the search do not agree: a PIP differs by {AGREED:g} or more."
    return text


def status_table(status: Mapping[str, pd.DataFrame]) -> PageTable:
    """Number of loci by status, under each shown prior."""
    counts = pd.DataFrame({prior: status[prior]["status"].value_counts() for prior in SHOWN_PRIORS})
    order = {name: i for i, name in enumerate(_STATUSES)}
    counts = counts.loc[sorted(counts.index, key=lambda name: (order.get(name, len(order)), name))]
    counts = counts.fillna(0).astype(int).reset_index(names="status")
    labels = {"status": "status", "uniform": "loci, uniform", "functional": "loci, functional"}
    caption = "Outcome of fine-mapping, under two priors"
    return page_table(counts, "statuses", caption, labels, LOCI_STATUS)


def _split_by_locus(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in frame.groupby("locus")}


def _plotted(change: pd.Series, loci: pd.Series, drawable: Mapping[str, Any], most: int) -> set[str]:
    """Loci that get a plot: all, or those where the functional prior changed a PIP most."""
    rank = pd.DataFrame({"locus": [locus for locus in loci if locus in drawable]})
    rank["change"] = rank["locus"].map(change).fillna(-1.0)
    return set(rank.sort_values("change", ascending=False, kind="stable")["locus"].head(most))


def _holds(status: pd.DataFrame, locus: str) -> str:
    """How much of the GWAS in its window was fitted, in words."""
    if locus not in status.index:
        return ""
    row = status.loc[locus]
    text = f"Of {number(row['gwas_rows'])} rows of the GWAS in the window, {number(row['fitted'])} were fitted"
    text += f" ({row['fitted_share']:.1%})" if np.isfinite(row["fitted_share"]) else ""
    if isinstance(row["lost"], str):
        text += f"; not fitted: {row['lost'].replace(':', ' ').replace(';', ', ')}"
    if isinstance(row["lost_lead"], str):
        strength = row["lost_neg_log10_p"]
        p = "p = 0" if np.isinf(strength) else f"\N{MINUS SIGN}log10 p {number(strength)}"
        text += f", the strongest of them {shortened(row['lost_lead'])} ({p})"
    if np.isfinite(row["variants_per_kb"]):
        text += f". {row['variants_per_kb']:.3g} variants per kb"
    if np.isfinite(row["empty_start"]):
        text += f"; no variants in the first {row['empty_start']:,.0f} and the last {row['empty_end']:,.0f} bp"
    if np.isfinite(row["largest_gap"]):
        text += f"; neighbouring variants are at most {row['largest_gap']:,.0f} bp apart"
    return f"{text}."


def _share_of(fits: Mapping[str, dict[str, Any]]) -> float:
    """Share of the rows of the GWAS that was fitted, under the first prior that has the locus."""
    return next((fit["fitted_share"] for fit in fits.values() if fit["fitted_share"] is not None), np.nan)


def _fit(status: pd.DataFrame, locus: str) -> dict[str, Any]:
    if locus not in status.index:
        return {"status": "absent", "reason": "", "credible_sets": None, "max_pip": None, "fitted_share": None}
    row: dict[Any, Any] = status.loc[locus].to_dict()
    return {name: row[name] for name in ("status", "credible_sets", "max_pip", "fitted_share")} | {
        "reason": row["reason"] if isinstance(row["reason"], str) else ""
    }


def _members(variant_ids: str) -> str:
    ids = str(variant_ids).split(",")
    more = f" and {len(ids) - _LISTED_VARIANTS:,} more" if len(ids) > _LISTED_VARIANTS else ""
    return ", ".join(ids[:_LISTED_VARIANTS]) + more


def _locus_alt(locus: dict[str, Any], variants: pd.DataFrame) -> str:
    tops = " and ".join(f"{number(variants[f'pip_{prior}'].max())} under the {prior} prior" for prior in SHOWN_PRIORS)
    return (
        f"Locus {locus['locus']}: top, association of {len(variants):,} variants with lead {locus['lead_variant']} "
        f"(-log10 p {number(locus['lead_neg_log10_p'])}); middle, PIPs, the largest {tops}; bottom, ratio of the "
        f"functional prior to the uniform one."
    )
