"""Rule summarise_calibration: all simulated studies of a study in two tables and a figure."""

from collections.abc import Sequence

import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS, CALIBRATE_PIP, CALIBRATE_SUMMARY
from fineprior.files.whole import atomic_path
from fineprior.report.calibration import observed_pips, summary_of
from fineprior.report.plots import calibrate_figure, encoded


def summarise_calibration(
    *, counts: Sequence[str], bins: Sequence[str], summary: str, pip: str, plot: str, seed: int = 0
) -> pd.DataFrame:
    """Put the simulated studies of a study together: CALIBRATE_SUMMARY, CALIBRATE_PIP, and their figure (SVG).

    Returns
    -------
    DataFrame
        CALIBRATE_SUMMARY.
    """
    if not counts:
        raise InputError(
            "calibrate: no scenarios, or no question of `ld` is one for this study's LD: there is nothing to summarise"
        )
    every = pd.concat([CALIBRATE_BINS.read(path) for path in bins], ignore_index=True)
    found = summary_of(pd.concat([CALIBRATE_COUNTS.read(path) for path in counts], ignore_index=True), every, seed)
    pips = observed_pips(every)
    CALIBRATE_SUMMARY.write(found, summary)
    CALIBRATE_PIP.write(pips, pip)
    with atomic_path(plot) as temporary:
        temporary.write_bytes(encoded(calibrate_figure, found, pips))
    return found
