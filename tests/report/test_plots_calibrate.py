"""The figure of simulated studies."""

import pandas as pd
import pytest

from calibrate_counts import FALSE, HITS, counted
from fineprior.report.calibration import observed_pips, summary_of
from fineprior.report.plots import calibrate_figure, encoded


@pytest.mark.slow
def test_bars_are_true_and_false_hits_and_the_bytes_are_the_same():
    made = [counted(HITS, FALSE), counted(HITS, FALSE | {"uniform": 5}, ld="panel")]
    counts, bins = (pd.concat(frames, ignore_index=True) for frames in zip(*made, strict=True))
    tables = summary_of(counts, bins), observed_pips(bins)
    upper, middle, lower, title, _, panel = calibrate_figure(*tables).axes
    assert upper.get_title() == "LD of the GWAS itself\nenrichment 10"
    assert title.get_title() == "panel LD\nenrichment 10"
    assert [bar.get_height() for bar in panel.patches][:2] == pytest.approx([70, -10])
    assert [axes.get_xlabel() for axes in (upper, middle)] == ["claimed: mean pip", "claimed: mean pip_credible"]
    assert [bar.get_height() for bar in lower.patches] == pytest.approx([80, 0, 100, -20, 76, -4, 140, 0])
    assert [text.get_text() for text in lower.get_xticklabels()] == ["uniform", "functional", "shuffled", "true"]
    first = encoded(calibrate_figure, *tables)
    assert first.startswith(b"<?xml")
    assert first == encoded(calibrate_figure, *tables)
