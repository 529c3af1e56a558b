import numpy as np
import pandas as pd
import pytest

from fineprior.report.plots import curve_figure, data_uri, scatter_figure


def curve(tracks):
    rows = [("linear", size, f"t{i}", 0.5 + 0.01 * i - 1 / size) for size in (8, 16, 32) for i in range(tracks)]
    return pd.DataFrame(rows, columns=["mode", "regions", "track", "pearson_r"])


@pytest.mark.slow
@pytest.mark.parametrize(("tracks", "named"), [(2, 2), (9, 0)])
def test_curve_has_a_line_for_each_track_and_their_mean(tracks, named):
    table = curve(tracks)
    axes = curve_figure(table).axes[0]
    assert len(axes.lines) == tracks + 1
    mean = table.groupby("regions")["pearson_r"].mean()
    assert axes.lines[-1].get_xdata().tolist() == [8, 16, 32]
    assert axes.lines[-1].get_ydata().tolist() == mean.tolist()
    assert len(axes.get_legend().get_texts()) == named + 1


def test_scatter_has_a_panel_for_each_of_the_first_tracks():
    table = pd.DataFrame({"track": np.repeat([f"t{i}" for i in range(8)], 5), "observed": np.arange(40.0),
                          "predicted": np.arange(40.0) + 1})  # fmt: skip
    panels = scatter_figure(table).axes
    assert [axes.get_title() for axes in panels if axes.get_visible()] == [f"t{i}" for i in range(6)]
    points = np.asarray(panels[1].collections[0].get_offsets())
    assert points[:, 0] == pytest.approx(np.log1p(np.arange(5, 10)))
    assert points[:, 1] == pytest.approx(np.log1p(np.arange(6, 11)))


@pytest.mark.slow
def test_pictures_are_png_and_the_same_each_time():
    first, second = (data_uri(curve_figure, curve(3), kind="png") for _ in range(2))
    assert first == second
    assert first.startswith("data:image/png;base64,")
