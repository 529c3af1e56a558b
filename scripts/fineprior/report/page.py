"""The report of one study: one HTML page that opens offline and asks nothing of any other machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from fineprior import __version__
from fineprior.foundation.settings import ReportSettings
from fineprior.foundation.table import Table
from fineprior.foundation.tables import (
    CALIBRATION,
    COMPARISON,
    CREDIBLE_SETS,
    HEAD_FOLDS,
    HEAD_METRICS,
    SHIFT,
    SUMSTATS_QC,
    TRUTH_COMPARISON,
    low_tracks,
)
from fineprior.report.head_plots import SHOWN_TRACKS, curve_figure, scatter_figure
from fineprior.report.plots import (
    calibration_figure,
    data_uri,
    enrichment_figure,
    history_figure,
    locus_figure,
    prior_steps_figure,
    shortened,
    windows_figure,
)

SHOWN_PRIORS = ("uniform", "functional")
_TEMPLATE = Path(__file__).with_name("page.html.j2")
_ABSENT = "\N{EN DASH}"
_LISTED_VARIANTS = 12
_MODELS = {
    "transfer": "transfer", "scratch": "from scratch", "kmer_ridge": "k-mer ridge", "own_track": "backbone's own track",
}  # fmt: skip
_QUALITY = {
    "track": "track", "bins": "test bins", "pearson_r": "r over bins", "regions": "test regions",
    "pearson_r_regions": "r over regions", "r2": "R²", "auroc": "auROC", "auprc": "auPRC", "threshold": "threshold",
    "precision": "precision", "recall": "recall", "f1": "F1", "true_positive": "true +", "false_positive": "false +",
    "false_negative": "false \N{MINUS SIGN}", "true_negative": "true \N{MINUS SIGN}",
}  # fmt: skip


@dataclass(frozen=True)
class StudyTables:
    """What a report is made of; tables as in `fineprior.foundation.tables`, without rows where there is none.

    `variants` (FINEMAP_VARIANTS), `credible_sets` and `status` (LOCI_STATUS) hold a table for each of `SHOWN_PRIORS`.
    """

    study: str
    verdict: pd.DataFrame
    enrichment: pd.DataFrame
    steps: pd.DataFrame
    loci: pd.DataFrame
    qc: pd.DataFrame
    comparison: pd.DataFrame
    variants: Mapping[str, pd.DataFrame]
    credible_sets: Mapping[str, pd.DataFrame]
    status: Mapping[str, pd.DataFrame]
    head_metrics: pd.DataFrame
    baselines: pd.DataFrame
    history: pd.DataFrame
    curve: pd.DataFrame
    folds: pd.DataFrame
    scatter: pd.DataFrame
    shift: pd.DataFrame
    windows: pd.DataFrame
    truth_comparison: pd.DataFrame
    calibration: pd.DataFrame
    min_r: float = -1.0


@dataclass(frozen=True)
class PageTable:
    """A table as it is shown: headers are (label, meaning, is a number), cells are texts."""

    caption: str
    headers: list[tuple[str, str, bool]]
    rows: list[list[str]]


def number(value: Any) -> str:
    """A value as the page shows it: integers whole, other numbers to three significant digits, missing as a dash."""
    if isinstance(value, float | np.floating):
        return _significant(float(value))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    return _ABSENT if value is None or value is pd.NA else str(value)


def _significant(value: float) -> str:
    size = abs(value)
    if np.isnan(value):
        return _ABSENT
    if size == 0 or np.isinf(value):
        return f"{value:g}"
    if 1e-3 <= size < 999.5:
        return f"{value:#.3g}".rstrip(".")
    return f"{value:,.0f}" if 999.5 <= size < 1e6 else f"{value:.2e}"


def page_table(frame: pd.DataFrame, caption: str, labels: Mapping[str, str], table: Table | None = None) -> PageTable:
    """The columns of `labels` (name to label), with their meanings from `table` as explanations of the headers."""
    meanings = {column.name: column.meaning for column in table.columns} if table else {}
    headers = [
        (label, meanings.get(name, ""), pd.api.types.is_numeric_dtype(frame[name])) for name, label in labels.items()
    ]
    columns = [[number(value) for value in frame[name]] for name in labels]
    return PageTable(caption, headers, [list(row) for row in zip(*columns, strict=True)])


def render_page(tables: StudyTables, settings: ReportSettings) -> str:
    """The report of a study as the text of an HTML document; same tables, same text."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    environment.filters["shortened"] = shortened
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    loci = _loci(tables, settings)
    return template.render(
        study=tables.study,
        version=__version__,
        input=_input(tables),
        verdict=_verdict(tables),
        head=_head(tables),
        windows=_windows(tables),
        changes=_changes(tables),
        truth=_truth(tables),
        loci=loci,
        plots_left_out=sum(locus["left_out"] for locus in loci),
        max_locus_plots=settings.max_locus_plots,
    )


def _input(tables: StudyTables) -> dict[str, Any]:
    rows = tables.qc.groupby("outcome")["rows"].sum()
    kept, dropped = int(rows.get("kept", 0)), int(rows.get("dropped", 0))
    labels = {"outcome": "outcome", "reason": "reason", "rows": "rows", "significant": "p < 5e-8", "meaning": "meaning"}
    counts = pd.DataFrame(
        {prior: tables.status[prior]["status"].value_counts() for prior in SHOWN_PRIORS}
    ).fillna(0).astype(int)  # fmt: skip
    order = {status: i for i, status in enumerate(("ok", "corrected", "single_effect", "no_signal", "failed"))}
    counts = counts.loc[sorted(counts.index, key=lambda status: (order.get(status, len(order)), status))]
    counts = counts.reset_index(names="status")
    return {
        "rows": kept + dropped,
        "kept": kept,
        "dropped": dropped,
        "loci": len(tables.loci),
        "variants": int(tables.loci["variants"].sum()),
        "chromosomes": tables.loci["chrom"].nunique(),
        "qc": page_table(tables.qc, "Rows of the summary statistics, by what happened to them", labels, SUMSTATS_QC),
        "status": page_table(
            counts,
            "How fine-mapping of the loci ended, under two priors",
            {"status": "status", "uniform": "uniform: loci", "functional": "functional: loci"},
        ),
    }


def _verdict(tables: StudyTables) -> dict[str, Any] | None:
    if tables.verdict.empty:
        return None
    verdict: dict[str, Any] = {str(name): value for name, value in tables.verdict.iloc[0].items()}
    verdict["fold"] = float(np.exp(verdict["log_enrichment"]))
    verdict["fold_lower"], verdict["fold_upper"] = float(np.exp(verdict["lower"])), float(np.exp(verdict["upper"]))
    verdict["plot"] = verdict["steps_plot"] = ""
    own = tables.enrichment[tables.enrichment["prior"] == "functional"].reset_index(drop=True)
    if not tables.steps.empty:
        verdict["steps_plot"] = data_uri(prior_steps_figure, tables.steps, verdict["shuffled_gain"])
        gains = zip(tables.steps["step"], tables.steps["held_out_gain"], strict=True)
        verdict["steps_alt"] = "Held-out gain by step: " + ", ".join(f"{name} {number(gain)}" for name, gain in gains)
    if not own.empty:
        verdict["plot"] = data_uri(enrichment_figure, own)
        verdict["alt"] = (
            f"Log enrichment with 95% intervals, leaving out one chromosome at a time; on all loci "
            f"{number(verdict['log_enrichment'])} ({number(verdict['lower'])} to {number(verdict['upper'])}). "
            f"Beside it the held-out gain by chromosome; in sum {number(verdict['held_out_gain'])}."
        )
    return verdict


def _head(tables: StudyTables) -> dict[str, Any]:
    head: dict[str, Any] = {"metrics": None, "baselines": None, "history": "", "low": [], "folds": None, "shift": None}
    if not tables.head_metrics.empty:
        head["low"] = [f"{track} (r {number(r)})" for track, r in low_tracks(tables.head_metrics, tables.min_r).items()]
        held_out = tables.head_metrics[tables.head_metrics["split"] == "test"]
        known = {name: label for name, label in _QUALITY.items() if held_out[name].notna().any()}
        if known:
            head["quality"] = page_table(held_out, "The head on the test regions", known, HEAD_METRICS)
        head["metrics"] = page_table(
            *_by_track(tables.head_metrics, "split", {s: s for s in ("train", "valid", "test")}, "Pearson r by split")
        )
    if not tables.baselines.empty:
        frame, caption, labels = _by_track(tables.baselines, "model", _MODELS, "Pearson r on the test regions")
        parameters = tables.baselines.groupby("model")["parameters"].max()
        frame.loc[len(frame)] = {"track": "trained parameters"} | dict(parameters.items())
        head["baselines"] = page_table(frame, caption, labels)
        own = tables.baselines[tables.baselines["model"] == "own_track"]
        head["own"] = ", ".join(f"{track}: {note}" for track, note in zip(own["track"], own["note"], strict=True))
    if not tables.folds.empty:
        names = ("fold", "mode", "l2", "inner_r", "chosen", "outer_r")
        head["folds"] = page_table(tables.folds, "Nested cross-validation", {n: n for n in names}, HEAD_FOLDS)
    if not tables.shift.empty:
        names = ("kind", "measure", "training", "scored", "verdict", "sentence")
        head["shift"] = page_table(tables.shift, "Training regions and scored windows", {n: n for n in names}, SHIFT)
    head |= _head_pictures(tables)
    if not tables.history.empty:
        head["history"] = data_uri(history_figure, tables.history)
        best = tables.history[tables.history["best"]]
        kept = f"; kept: epoch {best['epoch'].iloc[0]}" if len(best) else ""
        head["alt"] = f"Loss and correlation on validation regions over {len(tables.history)} epochs{kept}."
    return head


def _head_pictures(tables: StudyTables) -> dict[str, Any]:
    """Learning curve and scatter plots as PNG, with what they show in words."""
    head: dict[str, Any] = {"curve": "", "scatter": ""}
    if tables.curve["pearson_r"].notna().any():
        mean = tables.curve.groupby("regions")["pearson_r"].mean()
        head["curve"] = data_uri(curve_figure, tables.curve, kind="png")
        points = ", ".join(f"{number(r)} with {size:,}" for size, r in mean.items())
        head["curve_alt"] = f"Mean Pearson r on the test regions by the number of training regions: {points}."
    if not tables.scatter.empty:
        tracks = tables.scatter["track"].nunique()
        head["scatter"] = data_uri(scatter_figure, tables.scatter, kind="png")
        head["scatter_alt"] = f"Predicted against observed signal of test bins for {min(tracks, SHOWN_TRACKS)} tracks."
        head["scatter_left_out"] = max(0, tracks - SHOWN_TRACKS)
    return head


def _by_track(
    frame: pd.DataFrame, columns: str, labels: dict[str, str], caption: str
) -> tuple[pd.DataFrame, str, dict[str, str]]:
    """Pearson r with tracks as rows, their mean last, and one column for each split or model."""
    wide = frame.pivot_table(index="track", columns=columns, values="pearson_r", sort=False)
    known = [name for name in labels if name in wide.columns]
    wide = wide[known + [name for name in wide.columns if name not in known]]
    wide.loc["mean over tracks"] = wide.mean()
    return wide.reset_index(), caption, {"track": "track"} | {n: labels.get(n, n) for n in wide.columns}


def _windows(tables: StudyTables) -> dict[str, Any] | None:
    """Scores in shared windows beside those in centred ones."""
    if tables.windows.empty:
        return None
    shared, centred = (tables.windows[f"score_{name}"].to_numpy() for name in ("shared", "centred"))
    larger = np.maximum(shared, centred)
    change = np.abs(shared - centred) / np.where(larger > 0, larger, 1)
    varied = min(np.ptp(shared), np.ptp(centred)) > 0
    return {
        "variants": len(shared),
        "farthest": int(tables.windows["offset"].abs().max()),
        "correlation": float(np.corrcoef(shared, centred)[0, 1]) if varied else float("nan"),
        "median": float(np.median(change)),
        "largest": float(change.max()),
        "plot": data_uri(windows_figure, tables.windows),
    }


def _changes(tables: StudyTables) -> dict[str, Any]:
    """What the prior changed: a row for each prior, and the whole table."""
    rows: list[dict[str, Any]] = []
    for prior in dict.fromkeys(["functional", "shuffled", *tables.comparison["prior"]]):
        changed = tables.comparison[tables.comparison["prior"] == prior]
        if changed.empty:
            continue
        if not rows:
            rows.append(_summary("uniform", changed, "_uniform"))
        rows.append(_summary(prior, changed, ""))
    labels = {
        "locus": "locus", "prior": "prior", "sets": "sets", "mean_size": "mean size", "high_pip": "PIP > 0.9",
        "top_variant_uniform": "top variant, uniform", "top_pip_uniform": "its PIP", "top_variant": "top variant",
        "top_pip": "its PIP", "top_prior_ratio": "its prior / uniform", "max_pip_change": "largest change of a PIP",
    }  # fmt: skip
    beside = tables.comparison.copy()
    for name in ("sets", "mean_size", "high_pip"):
        pairs = zip(beside[f"{name}_uniform"], beside[name], strict=True)
        beside[name] = [f"{number(before)} \N{RIGHTWARDS ARROW} {number(after)}" for before, after in pairs]
    caption = "Each locus, from uniform to each other prior; shuffled and those of single annotations are controls"
    return {
        "summary": rows,
        "functional": next((row for row in rows if row["prior"] == "functional"), None),
        "table": page_table(beside, caption, labels, COMPARISON) if rows else None,
    }


def _summary(prior: str, rows: pd.DataFrame, suffix: str) -> dict[str, Any]:
    sets = rows[f"sets{suffix}"]
    sizes = rows[f"mean_size{suffix}"].where(sets > 0, 0.0)
    own = prior != "uniform"
    moved = rows["top_variant"].fillna("") != rows["top_variant_uniform"].fillna("")
    return {
        "prior": prior,
        "loci": len(rows),
        "sets": int(sets.sum()),
        "mean_size": float((sizes * sets).sum() / sets.sum()) if sets.sum() else float("nan"),
        "high_pip": int(rows[f"high_pip{suffix}"].sum()),
        "leads_changed": int(moved.sum()) if own else None,
        "pip_changed": int((rows["max_pip_change"] > 0.1).sum()) if own else None,
    }


def _truth(tables: StudyTables) -> dict[str, Any] | None:
    if tables.truth_comparison.empty:
        return None
    labels = {
        "prior": "prior", "loci": "loci", "causal": "causal variants", "sets": "sets", "coverage": "coverage",
        "power": "power", "mean_size": "mean size", "hits_50": "PIP > 0.5", "false_50": "of these false",
        "hits_90": "PIP > 0.9", "false_90": "of these false",
    }  # fmt: skip
    truth: dict[str, Any] = {
        "table": page_table(tables.truth_comparison, "Three priors against the truth", labels, TRUTH_COMPARISON),
        "plot": "",
    }
    if not tables.calibration.empty:
        bins = {"prior": "prior", "pip_lower": "PIP from", "pip_upper": "to", "variants": "variants",
                "mean_pip": "mean PIP", "observed": "share causal", "lower": "95% from", "upper": "to"}  # fmt: skip
        truth["plot"] = data_uri(calibration_figure, tables.calibration)
        truth["bins"] = page_table(tables.calibration, "Calibration, bin by bin", bins, CALIBRATION)
    return truth


def _loci(tables: StudyTables, settings: ReportSettings) -> list[dict[str, Any]]:
    """What the page shows of each locus, in order of the genome."""
    rank = {chrom: i for i, chrom in enumerate(dict.fromkeys(tables.loci["chrom"]))}
    order = tables.loci.assign(rank=tables.loci["chrom"].map(rank)).sort_values(["rank", "start"], kind="stable")
    joined = _joined_variants(tables.variants)
    plotted = _plotted(tables.comparison, order["locus"], joined, settings.max_locus_plots)
    status = {prior: tables.status[prior].set_index("locus") for prior in SHOWN_PRIORS}
    sets = pd.concat([tables.credible_sets[prior].assign(prior=prior) for prior in SHOWN_PRIORS], ignore_index=True)
    sets["members"] = sets["variant_ids"].map(_members)
    by_locus = _split_by_locus(sets)
    shown = []
    for i, row in enumerate(order.to_dict("records"), start=1):
        name = row["locus"]
        fits = {prior: _fit(status[prior], name) for prior in SHOWN_PRIORS}
        locus: dict[str, Any] = {str(key): value for key, value in row.items()}
        locus |= {"id": f"locus-{i}", "fits": fits, "plot": "", "alt": "", "sets": None}
        locus["left_out"] = name in joined and name not in plotted
        locus["reasons"] = sorted({fit["reason"] for fit in fits.values() if fit["reason"]})
        if name in by_locus:
            locus["sets"] = _set_table(by_locus[name])
        if name in plotted:
            locus["plot"] = data_uri(locus_figure, joined[name], row["start"], row["end"], kind="png")
            locus["alt"] = _locus_alt(locus, joined[name])
        shown.append(locus)
    return shown


def _split_by_locus(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in frame.groupby("locus")}


def _joined_variants(variants: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """For each locus the variants with what `locus_figure` needs; joined by variant_id."""
    key = ["locus", "variant_id", "pos", "z", "neg_log10_p", "r_lead"]
    both = pd.concat([variants[prior][key] for prior in SHOWN_PRIORS]).drop_duplicates(["locus", "variant_id"])
    for prior in SHOWN_PRIORS:
        own = variants[prior][["locus", "variant_id", "prior", "pip", "credible_set"]]
        own = own.rename(columns={name: f"{name}_{prior}" for name in ("prior", "pip", "credible_set")})
        both = both.merge(own, on=["locus", "variant_id"], how="left")
    for prior in SHOWN_PRIORS:
        both[f"in_set_{prior}"] = both[f"credible_set_{prior}"].notna()
    both["set_functional"] = both["credible_set_functional"]
    both["prior_ratio"] = both["prior_functional"] / both["prior_uniform"]
    return _split_by_locus(both)


def _plotted(comparison: pd.DataFrame, loci: pd.Series, drawable: Mapping[str, Any], most: int) -> set[str]:
    """The loci that get a plot: all, or those in which the functional prior changed a PIP most."""
    change = comparison[comparison["prior"] == "functional"].set_index("locus")["max_pip_change"]
    rank = pd.DataFrame({"locus": [locus for locus in loci if locus in drawable]})
    rank["change"] = rank["locus"].map(change).fillna(-1.0)
    return set(rank.sort_values("change", ascending=False, kind="stable")["locus"].head(most))


def _fit(status: pd.DataFrame, locus: str) -> dict[str, Any]:
    if locus not in status.index:
        return {"status": "absent", "reason": "", "credible_sets": None, "max_pip": None}
    row: dict[Any, Any] = status.loc[locus].to_dict()
    return {name: row[name] for name in ("status", "credible_sets", "max_pip")} | {
        "reason": row["reason"] if isinstance(row["reason"], str) else ""
    }


def _members(variant_ids: str) -> str:
    ids = str(variant_ids).split(",")
    more = f" and {len(ids) - _LISTED_VARIANTS:,} more" if len(ids) > _LISTED_VARIANTS else ""
    return ", ".join(ids[:_LISTED_VARIANTS]) + more


def _set_table(sets: pd.DataFrame) -> PageTable:
    labels = {
        "prior": "prior", "credible_set": "set", "variants": "variants", "coverage": "coverage",
        "min_abs_r": "purity (min |r|)", "log10_bf": "log10 BF", "lead_variant": "lead", "lead_pip": "its PIP",
        "members": "variants, most probable first",
    }  # fmt: skip
    return page_table(sets, "Credible sets", labels, CREDIBLE_SETS)


def _locus_alt(locus: dict[str, Any], variants: pd.DataFrame) -> str:
    tops = " and ".join(f"{number(variants[f'pip_{prior}'].max())} under the {prior} prior" for prior in SHOWN_PRIORS)
    return (
        f"Locus {locus['locus']}: association of {len(variants):,} variants with lead {locus['lead_variant']} "
        f"(-log10 p {number(locus['lead_neg_log10_p'])}); below it PIPs, the largest {tops}; below these the "
        f"functional prior over the uniform one."
    )
