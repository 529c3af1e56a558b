"""The figures of the documentation, each from the table beside it.

    python benchmarks/figures.py

docs/method/calibration.tsv, docs/performance/susie.tsv and docs/performance/transfer.tsv hold what `calibration.py`,
`susie.py` and `transfer.py` of this folder print. Each becomes an SVG of the same name.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
PRIORS = {"uniform": "#7f7f7f", "functional": "#1f6fb4", "shuffled": "#d98c21", "true": "#3a8f5c"}
PROGRAMS = {"fineprior": "#1f6fb4", "susier": "#d98c21", "pysusie": "#3a8f5c"}
SPELLED = {"susier": "susieR"}
SOURCES = {"embedded": "LD of the embedded study", "founders": "real genotypes"}


def calibration(table: pd.DataFrame) -> Figure:
    """Found variants over uniform, and observed and claimed FDR, by source, scenario and prior."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for column, (source, title) in zip(panels.T, SOURCES.items(), strict=True):
        rows = table[table["source"] == source]
        scenarios = list(dict.fromkeys(rows["scenario"]))
        for shift, (prior, colour) in enumerate(PRIORS.items()):
            own = rows[rows["prior"] == prior].set_index("scenario").loc[scenarios]
            x = np.arange(len(scenarios)) + (shift - 1.5) * 0.18
            for axes, name, lower, upper in (
                (column[0], "found_ratio", "found_ratio_lower", "found_ratio_upper"),
                (column[1], "fdr_90", "fdr_lower_90", "fdr_upper_90"),
            ):
                axes.vlines(x, own[lower], own[upper], color=colour, linewidth=2)
                axes.plot(x, own[name], "o", color=colour, label=prior, markersize=6)
            column[1].plot(x, own["claimed_fdr_90"], "_", color="black", markersize=11, markeredgewidth=2,
                           label="claimed" if prior == "true" else None)  # fmt: skip
        column[0].set_title(title)
        column[0].axhline(1, color="#bbbbbb", linewidth=1, zorder=0)
        column[1].set_xticks(range(len(scenarios)), [name.replace("_", " ") for name in scenarios])
    panels[0, 0].set_ylabel("causal variants with PIP > 0.95,\nover the uniform prior (95% interval)")
    panels[1, 0].set_ylabel("false discovery rate\nat PIP > 0.9 (95% interval)")
    figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def susie(table: pd.DataFrame) -> Figure:
    """CPU seconds of a fit and memory, by program and number of variants."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = sorted(table["p"].unique())
    for shift, (program, colour) in enumerate(PROGRAMS.items()):
        x = table["p"].map({size: number for number, size in enumerate(sizes)}) + (shift - 1) * 0.2
        left.plot(x, table[f"{program}_cpu_s"], "o", color=colour, alpha=0.75, label=SPELLED.get(program, program))
        right.plot(x, table[f"{program}_mb"], "o", color=colour, alpha=0.75)
    for axes, label in ((left, "CPU seconds of a fit"), (right, "memory (MB)")):
        axes.set(yscale="log", ylabel=label, xlabel="variants of the locus")
        axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def transfer(table: pd.DataFrame) -> Figure:
    """Correlation on the test regions and CPU seconds, by mode."""
    modes = table[table["r_bins"].notna()].iloc[::-1]
    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for column, marker, colour, label in (("r_bins", "o", "#1f6fb4", "over bins"),
                                          ("r_regions", "s", "#d98c21", "over regions")):  # fmt: skip
        left.plot(modes[column], modes["mode"], marker, color=colour, label=label)
    left.set_xlabel("r on the test regions")
    left.legend(frameon=False, loc="upper left")
    right.barh(modes["mode"], modes["seconds"], color="#9dbfdd", label="training")
    right.barh(modes["mode"], modes["embedding_seconds"], color="#1f6fb4", label="of these embedding")
    right.set_xlabel("CPU seconds")
    right.legend(frameon=False)
    return figure


FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "method/calibration": calibration,
    "performance/susie": susie,
    "performance/transfer": transfer,
}
"""Table without its ending, in docs/ -> what draws it."""


def draw(folder: Path) -> list[Path]:
    """Draw each table of docs/ into an SVG below a folder; the files."""
    made = []
    style = {"svg.hashsalt": "fineprior", "svg.fonttype": "path", "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(style):
        for name, figure in FIGURES.items():
            path = folder / f"{name}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure(pd.read_table(DOCS / f"{name}.tsv")).savefig(path, metadata={"Date": None, "Creator": None})
            made.append(path)
    return made


if __name__ == "__main__":
    print(*draw(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS), sep="\n")
