"""The few lines that a run prints when it has ended."""

from pathlib import Path

from fineprior.foundation import tables


def headline(results: Path, studies: list[str]) -> list[str]:
    """Where the results of each study are, and the three most interesting lines of them.

    A study whose tables are not there (another target was asked for) is passed over.
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
        f"  credible sets: {len(sets['uniform'])} under the uniform prior, mean size "
        f"{sets['uniform']['variants'].mean():.1f}; {len(sets['functional'])} under the functional prior, mean size "
        f"{sets['functional']['variants'].mean():.1f}; "
        f"variants with PIP > 0.9: {high['uniform']} and {high['functional']}",
    ]
    if len(both):
        top = both.loc[(both["pip_x"] - both["pip_y"]).idxmax()]
        findings.append(
            f"  largest gain: {top['variant_id']} ({top['locus']}), PIP {top['pip_y']:.2f} -> {top['pip_x']:.2f}"
        )
    return findings
