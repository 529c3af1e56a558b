"""Headline: the few lines that a run prints at its end."""

from pathlib import Path

import pandas as pd

from fineprior.files import tables


def headline(results: Path, studies: list[str]) -> list[str]:
    """Where the results of each study are, and its most important findings.

    A study without a report (another target was required) is skipped.
    """
    lines: list[str] = []
    for study in studies:
        folder = results / study
        if (folder / "report.html").is_file():
            lines += [f"{study}: {folder / 'report.html'} (tables beside it)", *_findings(folder)]
    return lines


def _findings(folder: Path) -> list[str]:
    verdict = tables.VERDICT.read(folder / "prior" / "verdict.tsv").iloc[0]
    sets = {
        prior: tables.main_sets(tables.CREDIBLE_SETS.read(folder / prior / "credible_sets.tsv"))
        for prior in ("uniform", "functional")
    }
    variants = {
        prior: tables.FINEMAP_VARIANTS.read(folder / prior / "variants.tsv.gz") for prior in ("uniform", "functional")
    }
    high = {prior: int((table["pip"] > 0.9).sum()) for prior, table in variants.items()}
    both = variants["functional"].merge(variants["uniform"][["locus", "variant_id", "pip"]], on=["locus", "variant_id"])
    findings = [
        f"  prior: {verdict['sentence']}",
        f"  credible sets: {_described(sets['uniform'])} under the uniform prior, {_described(sets['functional'])} "
        f"under the functional prior; variants with PIP > 0.9: {high['uniform']} and {high['functional']}",
    ]
    status = tables.LOCI_STATUS.read(folder / "functional" / "loci_status.tsv")["status"]
    incomplete = int((status == "incomplete").sum())
    if incomplete:
        findings.append(
            f"  incomplete: {incomplete} of {len(status)} loci, where missing variants decide the result "
            "(see functional/loci_status.tsv)"
        )
    gain = (both["pip_x"] - both["pip_y"]).dropna()
    if gain.max() > 0:
        top = both.loc[gain.idxmax()]
        findings.append(
            f"  largest gain: {top['variant_id']} ({top['locus']}), PIP {top['pip_y']:.2f} -> {top['pip_x']:.2f}"
        )
    return findings


def _described(sets: pd.DataFrame) -> str:
    return f"{len(sets)} (mean size {sets['variants'].mean():.1f})" if len(sets) else "none"
