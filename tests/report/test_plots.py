import base64
import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from fineprior.report import plots
from fineprior.report.plots import (
    calibration_figure,
    data_uri,
    enrichment_figure,
    history_figure,
    locus_figure,
    prior_steps_figure,
    shortened,
)


def locus(r_lead=(1.0, 0.95, 0.7, 0.5, 0.3, 0.1), **columns):
    count = len(r_lead)
    frame = pd.DataFrame({
        "variant_id": [f"chr2:{1_000 + 10 * i}:A:G" for i in range(count)],
        "pos": 1_000 + 10 * np.arange(count),
        "neg_log10_p": np.linspace(20, 1, count),
        "z": np.linspace(9, 1, count),
        "r_lead": r_lead,
        "pip_uniform": 1 / count,
        "pip_functional": np.linspace(0.8, 0.0, count),
        "in_set_uniform": False,
        "in_set_functional": np.arange(count) == 0,
        "set_functional": ["L1"] + [None] * (count - 1),
        "prior_ratio": np.linspace(4, 0.5, count),
    })  # fmt: skip
    return frame.assign(**columns)


def drawn(axes):
    """Position in bp -> colour of the marker drawn there."""
    return {
        round(x * 1e6): to_hex(collection.get_facecolor()[0])
        for collection in axes.collections
        for x, _ in collection.get_offsets()
    }


@pytest.mark.parametrize(
    ("r", "colour"),
    [(0.1, "#0072b2"), (-0.1, "#0072b2"), (0.5, "#56b4e9"), (-0.7, "#009e73"), (0.8, "#e69f00"), (-0.95, "#d55e00"),
     (1.0, "#d55e00"), (np.nan, "#bbbbbb")],
)  # fmt: skip
def test_colour_is_that_of_the_bin_of_r_squared(r, colour):
    colours = drawn(locus_figure(locus(r_lead=(1.0, r)), 900, 1_100).axes[0])
    assert colours == {1_000: plots.PURPLE, 1_010: colour}


@pytest.mark.slow
def test_every_ld_colour_survives_the_palette_of_the_png():
    uri = data_uri(locus_figure, locus(), 900, 1_100, kind="png")
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))).convert("RGB")
    seen = np.array([colour for _, colour in image.getcolors(256)])
    wanted = [plots.PURPLE, plots.PALE_GREY, "white", *(colour for _, colour, _ in plots.LD_BINS)]
    for colour in wanted:
        assert np.abs(seen - 255 * np.array(to_rgb(colour))).max(axis=1).min() <= 2, colour


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_same_bytes_whatever_style_the_user_has(kind):
    first = data_uri(locus_figure, locus(), 900, 1_100, kind=kind)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.hashsalt": None}):
        assert data_uri(locus_figure, locus(), 900, 1_100, kind=kind) == first
    if kind == "svg":
        assert b"<dc:date>" not in base64.b64decode(first.split(",")[1])


def test_panels_share_the_span_of_the_locus_in_mb():
    figure = locus_figure(locus(), 900, 1_100)
    for axes in figure.axes:
        lower, upper = axes.get_xlim()
        assert 0.0008 < lower <= 0.0009
        assert 0.0011 <= upper < 0.0012
    assert "chr2" in figure.axes[2].get_xlabel()


def test_lead_and_sets_are_labelled():
    figure = locus_figure(locus(), 900, 1_100)
    assert [text.get_text() for text in figure.axes[0].texts] == ["chr2:1000:A:G"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["L1"]


def test_a_uniform_functional_prior_is_drawn_flat_at_one():
    lower, upper = locus_figure(locus(prior_ratio=1.0), 900, 1_100).axes[2].get_ylim()
    assert lower <= 1 / 3
    assert upper >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "columns",
    [{"pip_uniform": np.nan, "pip_functional": np.nan}, {"prior_ratio": np.nan}, {"r_lead": [np.nan] * 6},
     {"neg_log10_p": np.nan, "z": np.nan}],
)  # fmt: skip
def test_missing_values_leave_a_figure(columns):
    assert data_uri(locus_figure, locus(**columns), 900, 1_100, kind="png").startswith("data:image/png")


def test_one_variant_is_enough():
    assert len(locus_figure(locus(r_lead=(1.0,)), 900, 1_100).axes) == 3


def test_enrichment_intervals_and_order(study_tables):
    table = study_tables(1).enrichment.iloc[::-1]
    figure = enrichment_figure(table)
    left = figure.axes[0]
    assert [label.get_text() for label in left.get_yticklabels()][-1] == "all loci"
    segments = {round(s[0][1]): s[:, 0] for c in left.collections for s in c.get_segments() if len(s)}
    np.testing.assert_allclose(segments[4], [0.53, 1.2])
    heights = [bar.get_width() for bar in figure.axes[1].patches]
    np.testing.assert_allclose(heights, [0.9, -0.3, 0.7, 1.2])


def test_steps_of_the_prior_stand_beside_shuffled_scores(study_tables):
    axes = prior_steps_figure(study_tables(1).steps, -1.1).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["marginal", "signals (used)", "shuffled"]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [1.8, 2.5, -1.1])
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [1.6, 2.2])


def test_calibration_leaves_out_empty_bins_and_draws_the_intervals(study_tables):
    calibration = study_tables(1).calibration
    figure = calibration_figure(calibration)
    assert [axes.get_title() for axes in figure.axes] == ["uniform prior", "functional prior", "shuffled prior"]
    shown = [len(axes.collections[0].get_segments()) for axes in figure.axes]
    assert shown == [4, 5, 5]
    ends = np.array(figure.axes[1].collections[0].get_segments())[:, :, 1]
    own = calibration[calibration["prior"] == "functional"]
    np.testing.assert_allclose(ends, own[["lower", "upper"]].to_numpy())


def test_history_marks_the_kept_epoch(study_tables):
    figure = history_figure(study_tables(1).history)
    assert all(9 in axes.lines[-1].get_xdata() for axes in figure.axes)


def test_long_alleles_are_shortened():
    long = "chr1:5:" + "A" * 100 + ":T"
    assert len(shortened(long)) == 40
    assert shortened("chr1:5:A:T") == "chr1:5:A:T"
