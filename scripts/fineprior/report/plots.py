"""Figures of the report page and of `fineprior calibrate`, and their style.

A figure is made by a function of tables; `encoded` draws it as SVG or PNG, and `data_uri` as text for a page that needs
no other file. Colours are those of Okabe and Ito (Color Universal Design, 2008), which readers with the common colour
vision deficiencies tell apart; priors also differ in the shape of their markers.
"""

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from fineprior.report.calibration import MEASURES, QUESTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY, BLUE, ORANGE, PURPLE = "#4d4d4d", "#0072b2", "#e69f00", "#8b2f7f"
PALE_GREY, PALE_BLUE, EDGE = "#c4c4c4", "#a9cfe6", "#333333"
PRIOR_STYLES = {"uniform": (GREY, "o"), "functional": (BLUE, "D"), "shuffled": (ORANGE, "s"), "true": (PURPLE, "^")}
"""Colour and marker of each prior; `true` is that of simulated studies."""

# Bins of r^2 with the lead variant, as in LocusZoom (Pruim et al. 2010), in Okabe-Ito colours of the same order.
LD_BINS = (
    (0.0, "#0072b2", "< 0.2"),
    (0.2, "#56b4e9", "0.2 - 0.4"),
    (0.4, "#009e73", "0.4 - 0.6"),
    (0.6, "#e69f00", "0.6 - 0.8"),
    (0.8, "#d55e00", "0.8 - 1"),
)
GENOME_WIDE = 5e-8
CHANGE_SHOWN = 0.02
"""Changes of a PIP above this are drawn as a line between the two."""
SHOWN_TRACKS = 6
_MARKERS = "osD^v"

# On top of matplotlib's own defaults, so that no style file of the machine has an effect. The salt fixes ids in SVG.
_STYLE = {
    "svg.hashsalt": "fineprior",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": "#222222",
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "legend.frameon": False,
    "axes.axisbelow": True,
}
_PNG_DPI = 140


def data_uri(draw: Callable[..., "Figure"], *args: Any, kind: Literal["svg", "png"] = "svg") -> str:
    """Draw a figure in the report's style as a data URI; parameters as for `encoded`."""
    media = "image/svg+xml" if kind == "svg" else "image/png"
    return f"data:{media};base64,{base64.b64encode(encoded(draw, *args, kind=kind)).decode('ascii')}"


def encoded(draw: Callable[..., "Figure"], *args: Any, kind: Literal["svg", "png"] = "svg") -> bytes:
    """Draw a figure in the report's style and encode it; the same arguments give the same bytes.

    Parameters
    ----------
    draw
        One of the figure functions below, called with `args`.
    kind
        svg for figures with few marks; png (indexed colours, 140 dpi) where thousands of marks would make an SVG
        of megabytes.
    """
    from matplotlib import style

    buffer = io.BytesIO()
    with style.context(["default", _STYLE]):
        figure = draw(*args)
        if kind == "svg":
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        else:
            _save_indexed(figure, buffer)
    return buffer.getvalue()


def _save_indexed(figure: "Figure", buffer: io.BytesIO) -> None:
    """Save as a PNG with a palette: a quarter of the size, without a visible difference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(_PNG_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette().ravel().tolist())
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(buffer, "PNG")


def _palette() -> np.ndarray:
    """Colours (n, 3) uint8 of the figures, and their mixes with white and with the edge of a marker.

    A palette chosen from the picture itself (median cut) can merge two LD colours that few variants have.
    """
    from matplotlib.colors import to_rgb

    hues = np.array([to_rgb(colour) for colour in (PURPLE, PALE_BLUE, *(colour for _, colour, _ in LD_BINS))])
    mixes = [
        share * hues + (1 - share) * np.array(to_rgb(other))
        for other, shares in (("white", np.linspace(0.125, 1, 8)), (EDGE, np.linspace(0.2, 0.8, 4)))
        for share in shares
    ]
    greys = np.repeat(np.linspace(0, 1, 35)[:, None], 3, axis=1)
    return np.rint(255 * np.concatenate([greys, *mixes])).astype(np.uint8)


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of this size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def enrichment_figure(enrichment: pd.DataFrame) -> "Figure":
    """Log enrichment with 95% intervals and held-out gain, a row for each held-out chromosome.

    Parameters
    ----------
    enrichment
        Table ENRICHMENT of one prior; the row with `left_out` none (all loci) is drawn last.
    """
    total = (enrichment["left_out"] == "none").to_numpy()
    rows = pd.concat([enrichment[~total], enrichment[total]], ignore_index=True)
    total = (rows["left_out"] == "none").to_numpy()
    y = np.arange(len(rows))
    figure = new_figure(9.2, 1.1 + 0.27 * len(rows))
    share = 0.5 / (1.1 + 0.27 * len(rows))
    left, right = figure.subplots(
        1, 2, sharey=True,
        gridspec_kw={"left": 0.13, "right": 0.98, "bottom": share, "top": 1 - share / 1.6, "wspace": 0.1},
    )  # fmt: skip
    estimate = rows["log_enrichment"].to_numpy()
    bars = np.clip([estimate - rows["lower"], rows["upper"] - estimate], 0, None)
    for mask, marker, size in ((~total, "o", 5), (total, "D", 6.5)):
        left.errorbar(estimate[mask], y[mask], xerr=bars[:, mask], fmt=marker, color=BLUE,
                      markersize=size, elinewidth=1.4)  # fmt: skip
    left.axvline(0, color="#888888", linewidth=0.8, linestyle="--")
    left.set_xlabel("log enrichment per standard deviation of the score")
    left.set_yticks(y, ["all loci" if t else f"without {c}" for c, t in zip(rows["left_out"], total, strict=True)])
    left.set_ylim(len(rows) - 0.4, -0.6)
    gain = rows["held_out_gain"].to_numpy()
    right.barh(y[~total], gain[~total], height=0.55, color=np.where(gain[~total] < 0, ORANGE, BLUE))
    right.axvline(0, color="#888888", linewidth=0.8)
    right.set_xlabel("gain in log10 likelihood on held-out loci")
    right.tick_params(axis="y", length=0)
    return figure


def prior_steps_figure(steps: pd.DataFrame, shuffled_gain: float) -> "Figure":
    """Held-out gain of each candidate of the prior, as used and with weight 1, and of shuffled scores.

    Parameters
    ----------
    steps
        Table PRIOR_STEPS.
    shuffled_gain
        Column of VERDICT.
    """
    names = [*steps["step"], "shuffled"]
    y = np.arange(len(names))
    height = 1.1 + 0.34 * len(names)
    figure = new_figure(9.2, height)
    axes = figure.subplots(gridspec_kw={"left": 0.13, "right": 0.98, "bottom": 0.5 / height, "top": 1 - 0.3 / height})
    used = [*steps["used"], False]
    colours = [BLUE if one else PALE_BLUE for one in used[:-1]] + [ORANGE]
    axes.barh(y, [*steps["held_out_gain"], shuffled_gain], height=0.55, color=colours)
    axes.plot(steps["unmixed_gain"], y[:-1], linestyle="", marker="D", markersize=5, color=GREY, label="with weight 1")
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.set_yticks(y, [f"{name} (used)" if one else name for name, one in zip(names, used, strict=True)])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("gain in log10 likelihood on held-out chromosomes")
    axes.legend(loc="lower right")
    return figure


def history_figure(history: pd.DataFrame) -> "Figure":
    """Training of a head: Poisson loss and correlation by epoch; a line marks the epoch that was kept.

    Parameters
    ----------
    history
        Table HEAD_HISTORY.
    """
    figure = new_figure(9.2, 2.7)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.08, "right": 0.98, "bottom": 0.19, "top": 0.95, "wspace": 0.22}
    )
    epoch = history["epoch"]
    left.plot(epoch, history["train_loss"], color=GREY, marker="o", markersize=3.5, label="training regions")
    left.plot(epoch, history["valid_loss"], color=BLUE, marker="D", markersize=3.5, label="validation regions")
    left.set_ylabel("Poisson loss")
    left.legend()
    right.plot(epoch, history["valid_pearson_r"], color=BLUE, marker="D", markersize=3.5)
    right.set_ylabel("mean Pearson r, validation")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("epoch")
        for kept in epoch[history["best"]]:
            axes.axvline(kept, color=ORANGE, linewidth=1.2, linestyle="--", zorder=0)
    return figure


def windows_figure(windows: pd.DataFrame) -> "Figure":
    """Scores in shared windows against scores in windows centred on the variant.

    Parameters
    ----------
    windows
        Table WINDOW_COMPARISON.
    """
    figure = new_figure(9.2, 3.6)
    axes = figure.subplots(gridspec_kw={"left": 0.3, "right": 0.7, "bottom": 0.14, "top": 0.97})
    shared, centred = windows["score_shared"].to_numpy(), windows["score_centred"].to_numpy()
    top = 1.05 * max(float(shared.max()), float(centred.max())) or 1.0
    axes.plot([0, top], [0, top], color="#888888", linewidth=0.8, linestyle="--")
    axes.scatter(centred, shared, s=22, c=BLUE, edgecolors=EDGE, linewidths=0.3)
    axes.set(xlim=(-0.03 * top, top), ylim=(-0.03 * top, top), box_aspect=1)
    axes.set_xlabel("score, window centred on the variant")
    axes.set_ylabel("score, shared window")
    return figure


def calibration_figure(calibration: pd.DataFrame) -> "Figure":
    """Claimed PIP against observed share of causal variants, with 95% intervals; a panel for each prior.

    Parameters
    ----------
    calibration
        Table CALIBRATION; bins without variants are not drawn.
    """
    priors = list(dict.fromkeys(calibration["prior"]))
    figure = new_figure(9.2, 3.5)
    panels = figure.subplots(
        1, len(priors), sharex=True, sharey=True, squeeze=False,
        gridspec_kw={"left": 0.07, "right": 0.98, "bottom": 0.15, "top": 0.91, "wspace": 0.1},
    )[0]  # fmt: skip
    for axes, prior in zip(panels, priors, strict=True):
        bins = calibration[(calibration["prior"] == prior) & (calibration["variants"] > 0)]
        observed = bins["observed"].to_numpy()
        bars = np.clip([observed - bins["lower"], bins["upper"] - observed], 0, None)
        colour, marker = PRIOR_STYLES.get(prior, (GREY, "o"))
        axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--")
        axes.errorbar(bins["mean_pip"], observed, yerr=bars, fmt=marker, color=colour, markersize=5, elinewidth=1.3)
        axes.set_title(f"{prior} prior")
        axes.set_xlabel("claimed: mean PIP")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    panels[0].set_ylabel("observed: share causal")
    return figure


def locus_figure(variants: pd.DataFrame, start: int, end: int) -> "Figure":
    """Association coloured by LD, PIPs under both priors, and prior over uniform, in panels with one x axis.

    Parameters
    ----------
    variants
        One row per variant of the locus (at least one): variant_id, pos (1-based), neg_log10_p, r_lead, z,
        pip_uniform, pip_functional, in_set_uniform and in_set_functional (flags), set_functional (name or missing),
        prior_ratio (functional over uniform). NaN is drawn grey (r_lead) or not at all.
    start, end
        Span of the locus, 0-based half-open.
    """
    figure = new_figure(9.2, 6.3)
    panels = figure.subplots(3, 1, sharex=True, gridspec_kw={
        "height_ratios": [3, 2.4, 1.5], "left": 0.075, "right": 0.825, "top": 0.985, "bottom": 0.075, "hspace": 0.1,
    })  # fmt: skip
    chrom = str(variants["variant_id"].iloc[0]).split(":", maxsplit=1)[0]
    x = variants["pos"].to_numpy() / 1e6
    lead = int(np.nanargmax(variants["z"].abs())) if variants["z"].notna().any() else 0
    area = 26.0 if len(variants) <= 600 else 13.0
    _association_panel(panels[0], x, variants, lead, area)
    _pip_panel(panels[1], x, variants, area)
    _prior_panel(panels[2], x, variants, lead, area)
    margin = 0.01 * (end - start)
    panels[2].set_xlim((start - margin) / 1e6, (end + margin) / 1e6)
    panels[2].ticklabel_format(axis="x", useOffset=False, style="plain")
    panels[2].set_xlabel(f"position on {chrom} (Mb)")
    figure.align_ylabels(panels)
    return figure


def _association_panel(axes: "Axes", x: np.ndarray, variants: pd.DataFrame, lead: int, area: float) -> None:
    r2 = variants["r_lead"].to_numpy() ** 2
    y = variants["neg_log10_p"].to_numpy()
    others = np.arange(len(x)) != lead
    axes.scatter(x[others & np.isnan(r2)], y[others & np.isnan(r2)], s=area, c="#bbbbbb", linewidths=0)
    upper_ends = [lower for lower, _, _ in LD_BINS[1:]] + [np.inf]
    for (lower, colour, _), upper in zip(LD_BINS, upper_ends, strict=True):
        inside = others & (r2 >= lower) & (r2 < upper)
        axes.scatter(x[inside], y[inside], s=area, c=colour, edgecolors=EDGE, linewidths=0.3)
    axes.scatter(x[lead], y[lead], s=70, c=PURPLE, marker="D", edgecolors="black", linewidths=0.7, zorder=5)
    top = max(float(np.nanmax(y, initial=0.0)), 1.0)
    axes.set_ylim(-0.03 * top, 1.17 * top)
    if -np.log10(GENOME_WIDE) < 1.17 * top:
        axes.axhline(-np.log10(GENOME_WIDE), color="#888888", linewidth=0.8, linestyle=":")
    on_left = x[lead] < (x.min() + x.max()) / 2
    if np.isfinite(y[lead]):
        axes.annotate(
            shortened(variants["variant_id"].iloc[lead]), (x[lead], y[lead]), xytext=(7 if on_left else -7, 5),
            textcoords="offset points", ha="left" if on_left else "right", va="bottom", fontsize=9,
        )  # fmt: skip
    axes.set_ylabel(r"$-\log_{10}\,p$")
    entries = [("lead variant", "D", PURPLE), *((text, "o", colour) for _, colour, text in reversed(LD_BINS))]
    _legend(axes, [(*entry, entry[2]) for entry in entries], "$r^2$ with lead")


def _pip_panel(axes: "Axes", x: np.ndarray, variants: pd.DataFrame, area: float) -> None:
    """Both PIPs of each variant: pale outside credible sets, strong within, joined where they differ."""
    pips = {prior: variants[f"pip_{prior}"].to_numpy() for prior in ("uniform", "functional")}
    low, high = np.minimum(*pips.values()), np.maximum(*pips.values())
    changed = high - low > CHANGE_SHOWN
    axes.vlines(x[changed], low[changed], high[changed], colors=PALE_BLUE, linewidth=1, zorder=1)
    for level, inside in enumerate((False, True)):
        mask = variants["in_set_uniform"].to_numpy() == inside
        axes.scatter(x[mask], pips["uniform"][mask], s=area + 16 * level, facecolors="none", zorder=2 + level,
                     edgecolors=GREY if inside else PALE_GREY, linewidths=1.2 if inside else 0.6)  # fmt: skip
        mask = variants["in_set_functional"].to_numpy() == inside
        axes.scatter(x[mask], pips["functional"][mask], s=(0.8 if inside else 0.55) * area, marker="D",
                     c=BLUE if inside else PALE_BLUE, linewidths=0, zorder=2 + level)  # fmt: skip
    labelled = variants[variants["in_set_functional"] & variants["pip_functional"].notna()]
    for name, rows in labelled.groupby("set_functional"):
        top = rows.iloc[int(rows["pip_functional"].to_numpy().argmax())]
        axes.annotate(str(name), (top["pos"] / 1e6, top["pip_functional"]), xytext=(6, 0), color=BLUE,
                      textcoords="offset points", va="center", fontsize=8.5, fontweight="bold")  # fmt: skip
    axes.set_ylim(-0.05, 1.07)
    axes.set_ylabel("PIP")
    entries = [
        ("uniform, in a set", "o", "none", GREY),
        ("functional, in a set", "D", BLUE, BLUE),
        ("uniform, other", "o", "none", PALE_GREY),
        ("functional, other", "D", PALE_BLUE, PALE_BLUE),
    ]
    _legend(axes, entries, "Prior")


def _prior_panel(axes: "Axes", x: np.ndarray, variants: pd.DataFrame, lead: int, area: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ratio = variants["prior_ratio"].to_numpy()
    shown = np.isfinite(ratio) & (ratio > 0)
    axes.set_yscale("log")
    axes.axhline(1, color="#888888", linewidth=0.8, linestyle="--")
    for members, colour in ((False, PALE_BLUE), (True, BLUE)):
        mask = shown & (variants["in_set_functional"].to_numpy() == members)
        axes.scatter(x[mask], ratio[mask], s=0.6 * area, c=colour, marker="D", linewidths=0)
    if shown[lead]:
        axes.scatter(x[lead], ratio[lead], s=45, facecolors="none", edgecolors=PURPLE, marker="D", linewidths=1.2)
    # At least a factor of three each way, so that small differences do not look large.
    bottom, top = (float(ratio[shown].min()), float(ratio[shown].max())) if shown.any() else (1.0, 1.0)
    axes.set_ylim(min(bottom / 1.6, 1 / 3), max(top * 1.6, 3.0))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if top / bottom < 100 else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("prior / uniform")
    _legend(axes, [("lead variant", "D", "none", PURPLE)], "")


def _legend(axes: "Axes", entries: list[tuple[str, str, str, str]], title: str) -> None:
    """Add a legend to the right of a panel; entries are text, marker, face and edge colour."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="none", marker=marker, markersize=5.5, markerfacecolor=face, markeredgecolor=edge)
        for _, marker, face, edge in entries
    ]
    axes.legend(handles, [entry[0] for entry in entries], title=title or None, loc="upper left", alignment="left",
                bbox_to_anchor=(1.005, 1.02), borderaxespad=0, handletextpad=0.2, labelspacing=0.35)  # fmt: skip


def shortened(variant_id: str, longest: int = 40) -> str:
    """Cut a variant id to fit into a panel: alleles of indels can be very long."""
    return variant_id if len(variant_id) <= longest else variant_id[: longest - 3] + "..."


def curve_figure(curve: pd.DataFrame) -> "Figure":
    """Pearson r on the test regions by number of training regions: a line for each track, a strong one for the mean.

    Parameters
    ----------
    curve
        Table LEARNING_CURVE; above `SHOWN_TRACKS` tracks, all of them are grey.
    """
    from matplotlib.ticker import NullLocator

    figure = new_figure(9.2, 3.0)
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
    """Predicted against observed signal of test bins; a panel for each of the first `SHOWN_TRACKS` tracks.

    Parameters
    ----------
    scatter
        Table HEAD_SCATTER. Both axes are log(1 + signal).
    """
    tracks = list(dict.fromkeys(scatter["track"]))[:SHOWN_TRACKS]
    columns = min(3, len(tracks))
    rows = -(-len(tracks) // columns)
    figure = new_figure(9.2, 3.2 * rows)
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


def calibrate_figure(summary: pd.DataFrame, pips: pd.DataFrame) -> "Figure":
    """Claimed against observed `pip` and `pip_credible`, and hits at PIP > 0.95: three rows for each LD of the fits.

    Parameters
    ----------
    summary, pips
        Tables CALIBRATE_SUMMARY and CALIBRATE_PIP.
    """
    scenarios, questions = (list(dict.fromkeys(summary[name])) for name in ("scenario", "ld"))
    width, height = 1.0 + 2.3 * len(scenarios), 7.6 * len(questions)
    figure = new_figure(width, height)
    panels = figure.subplots(3 * len(questions), len(scenarios), squeeze=False, sharey="row")
    figure.subplots_adjust(left=0.7 / width, right=0.99, bottom=0.6 / height, top=1 - 0.4 / height, hspace=0.4)
    for number, question in enumerate(questions):
        block = panels[3 * number : 3 * number + 3]
        of_question = summary[(summary["ld"] == question) & (summary["measure"] == "pip")]
        for column, scenario in zip(block.T, scenarios, strict=True):
            here = of_question[of_question["scenario"] == scenario]
            drawn = pips[(pips["ld"] == question) & (pips["scenario"] == scenario) & (pips["variants"] > 0)]
            for axes, measure in zip(column, MEASURES, strict=False):
                _claims(axes, drawn[drawn["measure"] == measure], list(here["prior"]), measure)
            _hits_and_false(column[2], here)
            column[0].set_title(f"{QUESTIONS[question]}\n{scenario.replace('_', ' ')}")
        for axes in block[:2, 0]:
            axes.set_ylabel("observed: share causal")
        block[2, 0].set_ylabel("PIP > 0.95: causal; false below 0")
    panels[0, 0].legend(loc="upper left")
    return figure


def _hits_and_false(axes: "Axes", rows: pd.DataFrame) -> None:
    for place, (_, row) in enumerate(rows.iterrows()):
        colour = PRIOR_STYLES.get(row["prior"], (GREY, "o"))[0]
        axes.bar(place, row["hits_95"] - row["false_95"], color=colour, width=0.7)
        axes.bar(place, -row["false_95"], color=colour, width=0.7, alpha=0.5)
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xticks(range(len(rows)), list(rows["prior"]), rotation=25)


def _claims(axes: "Axes", bins: pd.DataFrame, priors: list[str], measure: str) -> None:
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--")
    for place, prior in enumerate(priors):
        colour, marker = PRIOR_STYLES.get(prior, (GREY, "o"))
        mine = bins[bins["prior"] == prior]
        observed = mine["observed"].to_numpy()
        bars = np.clip([observed - mine["lower"], mine["upper"] - observed], 0, None)
        axes.errorbar(mine["mean_pip"] + 0.012 * (place - 1), observed, yerr=bars, fmt=marker, color=colour,
                      markersize=4, elinewidth=1.1, label=prior)  # fmt: skip
    axes.set(xlabel=f"claimed: mean {measure}", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
