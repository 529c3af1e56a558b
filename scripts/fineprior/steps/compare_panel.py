"""Rule compare_panel: how far the population of the panel is from that of the GWAS."""

import logging

import pandas as pd

from fineprior.files.tables import PANEL_FST, SUMSTATS
from fineprior.genotypes.panels import open_panel
from fineprior.sumstats.panel_fst import panel_fst

logger = logging.getLogger(__name__)


def compare_panel(*, sumstats: str, output: str, panel: str = "", samples: str | None = None) -> None:
    """F_ST between GWAS and panel, by the allele frequencies of all harmonised variants.

    Parameters
    ----------
    sumstats
        Table SUMSTATS.
    output
        Table PANEL_FST to write.
    panel, samples
        Panel that LD is computed from, and a file of the samples to keep; none for LD that is computed already, which
        has no frequencies.

    Raises
    ------
    InputError
        A file cannot be read.
    """
    size = open_panel(panel, samples or None).samples if panel else None
    found = panel_fst(SUMSTATS.read(sumstats), size)
    logger.log(logging.WARNING if found.far else logging.INFO, "%s: %s", sumstats, found.sentence)
    PANEL_FST.write(pd.DataFrame([found.row()]), output)
