"""Step find_signals: SuSiE under the uniform prior on a batch of loci, for what the prior is estimated on."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files import tables
from fineprior.finemap.fits import save_fits
from fineprior.finemap.locus import LocusFit, fit_loci, fit_locus
from fineprior.genotypes.ld_store import read_panel_size
from fineprior.project.settings import FinemapSettings
from fineprior.steps.prior_data import read_locus_ld


def find_signals(*, variants: str, ld: str, output: str, settings: FinemapSettings, workers: int = 1) -> None:
    """Fit each locus of a batch under the uniform prior, for its signals.

    These fits are the prior's own, with SuSiE's default settings whatever `finemap` of the config says: how results are
    fine-mapped in the end has no say in what the scores are worth.

    Parameters
    ----------
    variants, ld
        LOCUS_VARIANTS and LD of the batch.
    output
        Fits (npz) to write.
    settings
        SuSiE's defaults, with whose LD it is.
    workers
        Processes; the result does not depend on it.
    """
    loci = dict(iter(tables.LOCUS_VARIANTS.read(variants).groupby("locus", sort=False)))
    found = fit_loci(lambda name: fit_signals(ld, name, loci[name], None, settings), list(loci), workers)
    fitted = {str(name): one for name, one in zip(loci, found, strict=True) if one.fit is not None}
    save_fits(
        output,
        {name: one.fit for name, one in fitted.items() if one.fit is not None},
        {name: one.variant_ids for name, one in fitted.items()},
    )


def fit_signals(
    path: str, locus: str, rows: pd.DataFrame, prior: npt.NDArray[np.float64] | None, settings: FinemapSettings
) -> LocusFit:
    """Fit a locus from the LD that it has; without any, one effect on all its variants."""
    R, known = read_locus_ld(path, locus, rows["variant_id"].tolist())
    table = rows[known] if known.any() else rows
    return fit_locus(
        table["variant_id"].tolist(),
        table["z"].to_numpy(),
        R if known.any() else None,
        table["n"].to_numpy(),
        None if prior is None else prior[known] if known.any() else prior,
        settings,
        panel_size=read_panel_size(path),
    )
