"""The figure of `fineprior calibrate`."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fineprior.report.calibrate import MEASURES
from fineprior.report.plots import GREY, PRIOR_STYLES, PURPLE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = {**PRIOR_STYLES, "true": (PURPLE, "^")}


def calibrate_figure(summary: pd.DataFrame, pips: pd.DataFrame) -> "Figure":
    """For each scenario claimed against observed PIP, then pip_credible; below, hits at PIP > 0.95 and false ones.

    Parameters
    ----------
    summary, pips
        Tables CALIBRATE_SUMMARY and CALIBRATE_PIP.
    """
    scenarios = list(dict.fromkeys(summary["scenario"]))
    width = 1.0 + 2.3 * len(scenarios)
    figure = new_figure(width, 7.6)
    panels = figure.subplots(
        3, len(scenarios), squeeze=False, sharey="row",
        gridspec_kw={"left": 0.7 / width, "right": 0.99, "bottom": 0.08, "top": 0.96, "hspace": 0.35},
    )  # fmt: skip
    for column, scenario in zip(panels.T, scenarios, strict=True):
        here = summary[(summary["scenario"] == scenario) & (summary["measure"] == "pip")]
        of_scenario = pips[(pips["scenario"] == scenario) & (pips["variants"] > 0)]
        for axes, measure in zip(column, MEASURES, strict=False):
            _claims(axes, of_scenario[of_scenario["measure"] == measure], list(here["prior"]), measure)
        for place, (_, row) in enumerate(here.iterrows()):
            colour = _STYLES.get(row["prior"], (GREY, "o"))[0]
            column[2].bar(place, row["hits_95"] - row["false_95"], color=colour, width=0.7)
            column[2].bar(place, -row["false_95"], color=colour, width=0.7, alpha=0.5)
        column[0].set_title(scenario.replace("_", " "))
        column[2].axhline(0, color="#888888", linewidth=0.8)
        column[2].set_xticks(range(len(here)), list(here["prior"]), rotation=25)
    for axes in panels[:2, 0]:
        axes.set_ylabel("observed: share causal")
    panels[0, 0].legend(loc="upper left")
    panels[2, 0].set_ylabel("PIP > 0.95: causal; false below 0")
    return figure


def _claims(axes: "Axes", bins: pd.DataFrame, priors: list[str], measure: str) -> None:
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--")
    for place, prior in enumerate(priors):
        colour, marker = _STYLES.get(prior, (GREY, "o"))
        mine = bins[bins["prior"] == prior]
        observed = mine["observed"].to_numpy()
        bars = np.clip([observed - mine["lower"], mine["upper"] - observed], 0, None)
        axes.errorbar(mine["mean_pip"] + 0.012 * (place - 1), observed, yerr=bars, fmt=marker, color=colour,
                      markersize=4, elinewidth=1.1, label=prior)  # fmt: skip
    axes.set(xlabel=f"claimed: mean {measure}", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
