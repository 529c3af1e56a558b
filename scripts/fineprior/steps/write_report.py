"""Rule report: the report page of a study."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.files.table import Table
from fineprior.files.whole import atomic_path
from fineprior.project.settings import ReportSettings
from fineprior.report.locus_sections import SHOWN_PRIORS
from fineprior.report.page import StudyTables, render_page


def report(
    *,
    study: str,
    verdict: str,
    enrichment: str,
    steps: str | None,
    loci: str,
    qc: str,
    comparison: str,
    variants: Mapping[str, str],
    credible_sets: Mapping[str, str],
    status: Mapping[str, str],
    head_metrics: str | None,
    baselines: str | None,
    history: str | None,
    curve: str | None,
    folds: str | None,
    scatter: str | None,
    shift: str | None,
    windows: str | None,
    truth_comparison: str | None,
    calibration: str | None,
    fst: str | None = None,
    output: str,
    settings: ReportSettings,
    min_r: float,
) -> None:
    """Write the report of a study as one self-contained HTML page.

    Parameters
    ----------
    study
        Name of the study.
    verdict, enrichment, steps, loci, qc, comparison, head_metrics, baselines, history, curve, folds, scatter, shift, \
windows, truth_comparison, calibration, fst
        Paths of the tables VERDICT, ENRICHMENT, PRIOR_STEPS, LOCI, SUMSTATS_QC, COMPARISON, HEAD_METRICS,
        HEAD_BASELINES, HEAD_HISTORY, LEARNING_CURVE, HEAD_FOLDS, HEAD_SCATTER, SHIFT, WINDOW_COMPARISON,
        TRUTH_COMPARISON, CALIBRATION and PANEL_FST; None where a study has no such table.
    variants, credible_sets, status
        For each prior the path of FINEMAP_VARIANTS, CREDIBLE_SETS and LOCI_STATUS; uniform and functional are shown
        locus by locus (the shuffled prior is in `comparison`).
    output
        Path of the HTML page.
    min_r
        Pearson r below which a track of the head is flagged.

    Raises
    ------
    InputError
        A table is absent or has other columns, or one of the two shown priors is missing.
    """
    study_tables = StudyTables(
        study=study,
        verdict=_read(tables.VERDICT, verdict),
        enrichment=_read(tables.ENRICHMENT, enrichment),
        steps=_read(tables.PRIOR_STEPS, steps),
        loci=_read(tables.LOCI, loci),
        qc=_read(tables.SUMSTATS_QC, qc),
        comparison=_read(tables.COMPARISON, comparison),
        variants=_read_shown(tables.FINEMAP_VARIANTS, variants),
        credible_sets={p: tables.main_sets(t) for p, t in _read_shown(tables.CREDIBLE_SETS, credible_sets).items()},
        status=_read_shown(tables.LOCI_STATUS, status),
        head_metrics=_read(tables.HEAD_METRICS, head_metrics),
        baselines=_read(tables.HEAD_BASELINES, baselines),
        history=_read(tables.HEAD_HISTORY, history),
        curve=_read(tables.LEARNING_CURVE, curve),
        folds=_read(tables.HEAD_FOLDS, folds),
        scatter=_read(tables.HEAD_SCATTER, scatter),
        shift=_read(tables.SHIFT, shift),
        min_r=min_r,
        windows=_read(tables.WINDOW_COMPARISON, windows),
        truth_comparison=_read(tables.TRUTH_COMPARISON, truth_comparison),
        calibration=_read(tables.CALIBRATION, calibration),
        fst=_read(tables.PANEL_FST, fst),
    )
    with atomic_path(output) as temporary:
        Path(temporary).write_text(render_page(study_tables, settings), encoding="utf-8")


def _read(table: Table, path: str | None) -> pd.DataFrame:
    return table.read(path) if path else table.empty()


def _read_shown(table: Table, paths: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    missing = [prior for prior in SHOWN_PRIORS if prior not in paths]
    if missing:
        raise InputError(
            f"report: no {table.name} table for the prior '{missing[0]}'; required: {', '.join(SHOWN_PRIORS)}"
        )
    return {prior: table.read(paths[prior]) for prior in SHOWN_PRIORS}
