"""Counts of two simulated studies for tests."""

from itertools import pairwise

import pandas as pd

from fineprior.files.tables import CALIBRATE_BINS, CALIBRATE_COUNTS
from fineprior.report.calibration import PIP_BINS

PRIORS = ("uniform", "functional", "shuffled", "true")
HITS = {"uniform": 40, "functional": 60, "shuffled": 40, "true": 70}
FALSE = {"uniform": 0, "functional": 10, "shuffled": 2, "true": 0}


def counted(hits, false, claimed=0.97, scenario="enrichment_10", ld="in_sample"):
    """Counts and bins of two studies; `hits` and `false` of each prior are those at PIP > 0.95 in the first study."""
    counts, bins = [], []
    for replicate in (0, 1):
        for prior in PRIORS:
            head = {"ld": ld, "scenario": scenario, "replicate": replicate, "prior": prior}
            counts.append(head | {"loci": 10, "causal": 20, "failed": 0, "sets": 20, "covered": 19, "found": 15,
                                  "size": 60, "weight": 0.5, "panel_size": 503.0 if ld != "in_sample" else float("nan"),
                                  "fst": {"panel": 0.004, "undrifted_panel": 0.0}.get(ld, float("nan"))})  # fmt: skip
            for lower, upper in pairwise(PIP_BINS):
                n = hits[prior] if lower == 0.95 else 1000 if lower == 0 else 10 if lower == 0.9 else 0
                causal = n - false[prior] if lower == 0.95 else 9 if lower == 0.9 else 0
                row = {"pip_lower": lower, "pip_upper": upper, "variants": n, "causal": causal}
                row |= {"claimed": claimed * n if lower >= 0.9 else 0.0}
                bins += [head | row | {"measure": "pip"}, head | row | {"measure": "pip_credible", "claimed": 0.0}]
    counts, bins = pd.DataFrame(counts), pd.DataFrame(bins)
    return CALIBRATE_COUNTS.checked(counts, "x"), CALIBRATE_BINS.checked(bins, "x")
