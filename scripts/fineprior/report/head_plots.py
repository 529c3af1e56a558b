"""The figures on the quality of a head, drawn as those of `fineprior.report.plots`."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fineprior.report.plots import BLUE, GREY, LD_BINS, PALE_GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_TRACKS = 6
_MARKERS = "osD^v"


def curve_figure(curve: pd.DataFrame) -> "Figure":
    """Pearson r on the test regions against the number of training regions: tracks thin, their mean strong.

    Parameters
    ----------
    curve
        Table LEARNING_CURVE; more than `SHOWN_TRACKS` tracks are drawn in one grey.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(9.2, 3.0))
    axes = figure.subplots(gridspec_kw={"left": 0.08, "right": 0.75, "bottom": 0.17, "top": 0.95})
    tracks = list(dict.fromkeys(curve["track"]))
    for number, track in enumerate(tracks):
        rows = curve[curve["track"] == track]
        few = len(tracks) <= SHOWN_TRACKS
        colour = LD_BINS[number % len(LD_BINS)][1] if few else PALE_GREY
        axes.plot(rows["regions"], rows["pearson_r"], color=colour, linewidth=1, markersize=4,
                  marker=_MARKERS[number % len(_MARKERS)], label=track if few else None)  # fmt: skip
    mean = curve.groupby("regions")["pearson_r"].mean()
    axes.plot(mean.index, mean, color="#1a1a1a", linewidth=2, label="mean over tracks")
    axes.set_xscale("log", base=2)
    axes.set_xticks(mean.index, [f"{size:,}" for size in mean.index])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training regions")
    axes.set_ylabel("Pearson r, test regions")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    return figure


def scatter_figure(scatter: pd.DataFrame) -> "Figure":
    """Predicted against observed signal of test bins, a panel for each of the first `SHOWN_TRACKS` tracks.

    Parameters
    ----------
    scatter
        Table HEAD_SCATTER. Both axes are log(1 + signal).
    """
    from matplotlib.figure import Figure

    tracks = list(dict.fromkeys(scatter["track"]))[:SHOWN_TRACKS]
    columns = min(3, len(tracks))
    rows = -(-len(tracks) // columns)
    figure = Figure(figsize=(9.2, 3.2 * rows))
    panels = figure.subplots(
        rows, columns, squeeze=False,
        gridspec_kw={"left": 0.07, "right": 0.98, "bottom": 0.16 / rows, "top": 1 - 0.1 / rows, "wspace": 0.2,
                     "hspace": 0.4},
    ).ravel()  # fmt: skip
    for axes, track in zip(panels, tracks, strict=False):
        bins = scatter[scatter["track"] == track]
        x, y = np.log1p(bins["observed"].to_numpy()), np.log1p(bins["predicted"].to_numpy())
        top = 1.05 * max(x.max(), y.max(), 1e-3)
        axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, linestyle="--")
        axes.scatter(x, y, s=5, c=BLUE, linewidths=0)
        axes.set(xlim=(-0.02 * top, top), ylim=(-0.02 * top, top))
        axes.set_title(track)
        axes.set_xlabel("observed, log(1 + signal)")
    panels[0].set_ylabel("predicted, log(1 + signal)")
    for axes in panels[len(tracks) :]:
        axes.set_visible(False)
    return figure
