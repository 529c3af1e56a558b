"""How far is a panel's correlation from that of the GWAS? Measured by r, on simulated and real pairs of populations.

    python benchmarks/panel_shape.py --windows 24 --founders ../shared/data/panel_chr20/panel \\
        --populations ../shared/data/ancestries/plink/EUR ../shared/data/ancestries/plink/EAS

Prints, for each pair of groups of people, the mean of (r_panel - r)² x 1000 in bins of |r_panel|, with what
`fineprior.finemap.panel_error.error_of_r` expects behind it, and F_ST; then the coefficients of that function by least
squares over the simulated pairs. Groups: "matched" (one simulated population), "split F" and "founders F" (panels of
populations that have drifted by F_ST, see ld_simulation.py), "halves" (people of --founders against the others), and
each two of --populations (real ones). Both groups have a finite size: the variance of sampling is that of 1 / B of the
panel and 1 / B of the other group together.
"""

import argparse
import os
import sys
from itertools import combinations
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
from ld_simulation import MIN_MAF, PANELS, panels_of_one_gwas, read_plink  # noqa: E402

from fineprior.finemap.panel_error import error_of_r  # noqa: E402

BINS = (0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995, 1.0)
GWAS, PANEL, WINDOW = 4_000, 500, 100_000
SEED = 11
