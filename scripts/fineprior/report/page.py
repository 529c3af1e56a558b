"""Report page of a study: one HTML file that opens offline and loads nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from fineprior import __version__
from fineprior.files.tables import (
    CALIBRATION,
    COMPARISON,
    HEAD_FOLDS,
    HEAD_METRICS,
    SHIFT,
    SUMSTATS_QC,
    TRUTH_COMPARISON,
    low_tracks,
)
from fineprior.project.settings import ReportSettings
from fineprior.report.locus_sections import (
    OPEN_UP_TO,
    candidate_table,
    in_genome_order,
    joined_variants,
    locus_index,
    locus_sections,
    posterior_sentence,
    set_table,
    shown_sets,
    status_table,
)
from fineprior.report.page_table import number, page_table
from fineprior.report.plots import (
    BLUE,
    EDGE,
    GREY,
    LD_BINS,
    PALE_BLUE,
    PALE_GREY,
    PURPLE,
    SHOWN_TRACKS,
    calibration_figure,
    curve_figure,
    data_uri,
    enrichment_figure,
    history_figure,
    prior_steps_figure,
    scatter_figure,
    shortened,
    windows_figure,
)
from fineprior.sumstats.panel_fst import FAR_FST

_PARTS = Path(__file__).with_name("page")
"""Template, style and scripts of the page; their digests are part of this module's (`plan.provenance`)."""
_MODELS = {
    "transfer": "transfer", "scratch": "from scratch", "kmer_ridge": "k-mer ridge", "own_track": "backbone's own track",
}  # fmt: skip
_QUALITY = {
    "track": "track", "bins": "test bins", "pearson_r": "r over bins", "regions": "test regions",
    "pearson_r_regions": "r over regions", "r2": "R²", "auroc": "auROC", "auprc": "auPRC", "threshold": "threshold",
    "precision": "precision", "recall": "recall", "f1": "F1", "true_positive": "true +", "false_positive": "false +",
    "false_negative": "false \N{MINUS SIGN}", "true_negative": "true \N{MINUS SIGN}",
}  # fmt: skip


_COLOURS = {
    "ld": [[lower, colour, text] for lower, colour, text in LD_BINS],
    "blue": BLUE, "paleBlue": PALE_BLUE, "grey": GREY, "paleGrey": PALE_GREY, "lead": PURPLE, "edge": EDGE,
}  # fmt: skip


@dataclass(frozen=True)
class StudyTables:
    """Tables of a report, as in `fineprior.files.tables`; one that a study does not have has no rows.

    `variants` (FINEMAP_VARIANTS), `credible_sets` and `status` (LOCI_STATUS) have a table for each of
    `locus_sections.SHOWN_PRIORS`; tracks with an r below `min_r` are flagged.
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
    fst: pd.DataFrame
    min_r: float = -1.0


def render_page(tables: StudyTables, settings: ReportSettings) -> str:
    """Render the report of a study as an HTML document; the same tables give the same text."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    environment.filters["shortened"] = shortened
    template = environment.from_string(_part("page.html.j2"))
    loci = _loci(tables, settings)
    script = _part("page.js") + _part("locus.js")
    return template.render(
        study=tables.study,
        version=__version__,
        style=_part("page.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        colours=_COLOURS,
        input=_input(tables),
        verdict=_verdict(tables),
        head=_head(tables),
        windows=_windows(tables),
        changes=_changes(tables),
        truth=_truth(tables),
        max_locus_plots=settings.max_locus_plots,
        **loci,
    )


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _input(tables: StudyTables) -> dict[str, Any]:
    rows = tables.qc.groupby("outcome")["rows"].sum()
    kept, dropped = int(rows.get("kept", 0)), int(rows.get("dropped", 0))
    labels = {"outcome": "outcome", "reason": "reason", "rows": "rows", "significant": "p < 5e-8", "meaning": "meaning"}
    return {
        "rows": kept + dropped,
        "kept": kept,
        "dropped": dropped,
        "loci": len(tables.loci),
        "variants": int(tables.loci["variants"].sum()),
        "fst": "" if tables.fst.empty else tables.fst["sentence"].iloc[0],
        "far": bool((tables.fst["fst"] > FAR_FST).any()),
        "chromosomes": tables.loci["chrom"].nunique(),
        "qc": page_table(tables.qc, "sumstats_qc", "Rows of the summary statistics, by outcome", labels, SUMSTATS_QC),
        "status": status_table(tables.status),
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
        verdict["steps_alt"] = "Held-out gains: " + ", ".join(f"{name} {number(gain)}" for name, gain in gains)
    if not own.empty:
        verdict["plot"] = data_uri(enrichment_figure, own)
        verdict["alt"] = (
            f"Log enrichment with 95% intervals, with one chromosome held out at a time; on all loci "
            f"{number(verdict['log_enrichment'])} ({number(verdict['lower'])} to {number(verdict['upper'])}). "
            f"To the right the held-out gain by chromosome; in sum {number(verdict['held_out_gain'])}."
        )
    return verdict


def _head(tables: StudyTables) -> dict[str, Any]:
    head: dict[str, Any] = {"metrics": None, "baselines": None, "history": "", "low": [], "folds": None, "shift": None}
    if not tables.head_metrics.empty:
        head["low"] = [f"{track} (r {number(r)})" for track, r in low_tracks(tables.head_metrics, tables.min_r).items()]
        held_out = tables.head_metrics[tables.head_metrics["split"] == "test"]
        known = {name: label for name, label in _QUALITY.items() if held_out[name].notna().any()}
        if known:
            head["quality"] = page_table(held_out, "head_metrics", "Quality on the test regions", known, HEAD_METRICS)
        head["metrics"] = page_table(
            *_by_track(tables.head_metrics, "split", {s: s for s in ("train", "valid", "test")}, "Pearson r by split")
        )
    if not tables.baselines.empty:
        frame, name, caption, labels = _by_track(tables.baselines, "model", _MODELS, "Pearson r on the test regions")
        parameters = tables.baselines.groupby("model")["parameters"].max()
        frame.loc[len(frame)] = {"track": "trained parameters"} | dict(parameters.items())
        head["baselines"] = page_table(frame, name, caption, labels)
        own = tables.baselines[tables.baselines["model"] == "own_track"]
        head["own"] = ", ".join(f"{track}: {note}" for track, note in zip(own["track"], own["note"], strict=True))
    if not tables.folds.empty:
        names = ("fold", "mode", "l2", "inner_r", "chosen", "outer_r")
        head["folds"] = page_table(tables.folds, "folds", "Nested cross-validation", {n: n for n in names}, HEAD_FOLDS)
    if not tables.shift.empty:
        names = ("kind", "measure", "training", "scored", "verdict", "sentence")
        head["shift"] = page_table(
            tables.shift, "shift", "Scored windows compared with training regions", {n: n for n in names}, SHIFT
        )
    head |= _head_pictures(tables)
    if not tables.history.empty:
        head["history"] = data_uri(history_figure, tables.history)
        best = tables.history[tables.history["best"]]
        kept = f"; kept: epoch {best['epoch'].iloc[0]}" if len(best) else ""
        head["alt"] = f"Loss and correlation on validation regions over {len(tables.history)} epochs{kept}."
    return head


def _head_pictures(tables: StudyTables) -> dict[str, Any]:
    """Learning curve and scatter plots as PNG, with alternative texts."""
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
        head["scatter_not_shown"] = max(0, tracks - SHOWN_TRACKS)
    return head


def _by_track(
    frame: pd.DataFrame, columns: str, labels: dict[str, str], caption: str
) -> tuple[pd.DataFrame, str, str, dict[str, str]]:
    """Pearson r: a row for each track, then their mean; a column for each split or model."""
    wide = frame.pivot_table(index="track", columns=columns, values="pearson_r", sort=False)
    known = [name for name in labels if name in wide.columns]
    wide = wide[known + [name for name in wide.columns if name not in known]]
    wide.loc["mean over tracks"] = wide.mean()
    shown = {"track": "track"} | {name: labels.get(name, name) for name in wide.columns}
    return wide.reset_index(), f"r_by_{columns}", caption, shown


def _windows(tables: StudyTables) -> dict[str, Any] | None:
    """Scores in shared windows compared with those in centred ones."""
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
    """What each prior changed: totals by prior, and the table of all loci."""
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
    caption = "Each locus under uniform and each other prior; shuffled and single annotations are controls"
    sums = {
        "prior": "prior", "loci": "loci", "sets": "credible sets", "mean_size": "mean size", "high_pip": "PIP > 0.9",
        "leads_changed": "different top variant", "pip_changed": "PIP changed by > 0.1",
    }  # fmt: skip
    integers = {"leads_changed": "Int64", "pip_changed": "Int64"}
    return {
        "before": rows[0] if rows else None,
        "summary": page_table(pd.DataFrame(rows).astype(integers), "priors", "Totals over all loci, by prior", sums)
        if rows
        else None,
        "functional": next((row for row in rows if row["prior"] == "functional"), None),
        "table": page_table(beside, "comparison", caption, labels, COMPARISON) if rows else None,
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
        "leads_changed": int(moved.sum()) if own else pd.NA,
        "pip_changed": int((rows["max_pip_change"] > 0.1).sum()) if own else pd.NA,
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
        "table": page_table(
            tables.truth_comparison, "truth_comparison", "Priors compared with the truth", labels, TRUTH_COMPARISON
        ),
        "plot": "",
    }
    if not tables.calibration.empty:
        bins = {"prior": "prior", "pip_lower": "PIP from", "pip_upper": "to", "variants": "variants",
                "mean_pip": "mean PIP", "observed": "share causal", "lower": "95% from", "upper": "to"}  # fmt: skip
        truth["plot"] = data_uri(calibration_figure, tables.calibration)
        truth["bins"] = page_table(tables.calibration, "calibration", "Calibration by bin of PIP", bins, CALIBRATION)
    return truth


def _loci(tables: StudyTables, settings: ReportSettings) -> dict[str, Any]:
    """Sections and tables of loci, in genomic order."""
    order = in_genome_order(tables.loci)
    variants = joined_variants(tables.variants)
    sets = shown_sets(tables.credible_sets, order)
    change = tables.comparison[tables.comparison["prior"] == "functional"].set_index("locus")["max_pip_change"]
    loci = locus_sections(order, variants, sets, tables.status, change, settings.max_locus_plots)
    candidates, more = candidate_table(variants)
    return {
        "loci": loci,
        "open_loci": len(loci) <= OPEN_UP_TO,
        "locus_ids": {locus["locus"]: locus["id"] for locus in loci},
        "index": locus_index(loci) if loci else None,
        "posterior": posterior_sentence(tables.status["functional"]),
        "candidates": candidates,
        "more_candidates": more,
        "sets": set_table(sets),
        "without_plot": sum(locus["without_plot"] for locus in loci),
    }
