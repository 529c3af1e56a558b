"""The figure of simulated studies."""

import pytest

from calibrate_counts import FALSE, HITS, counted
from fineprior.report.calibration import observed_pips, summary_of
from fineprior.report.plots import calibrate_figure, encoded


@pytest.mark.slow
def test_bars_are_true_and_false_hits_and_the_bytes_are_the_same():
    counts, bins = counted(HITS, FALSE)
    tables = summary_of(counts, bins), observed_pips(bins)
    upper, middle, lower = calibrate_figure(*tables).axes
    assert upper.get_title() == "enrichment 10"
    assert [axes.get_xlabel() for axes in (upper, middle)] == ["claimed: mean pip", "claimed: mean pip_credible"]
    assert [bar.get_height() for bar in lower.patches] == pytest.approx([80, 0, 100, -20, 76, -4, 140, 0])
    assert [text.get_text() for text in lower.get_xticklabels()] == ["uniform", "functional", "shuffled", "true"]
    first = encoded(calibrate_figure, *tables)
    assert first.startswith(b"<?xml")
    assert first == encoded(calibrate_figure, *tables)
