"""The signals of loci that a prior is estimated on: SuSiE's effects with a credible set, as log Bayes factors.

SuSiE is run under the uniform prior, whatever settings the results are fine-mapped with. A locus may be fitted again
under an estimated prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.finemap.correlation import correlations_of
from fineprior.finemap.diagnoses import read_diagnosis
from fineprior.finemap.fits import FitFiles
from fineprior.finemap.locus import LocusFit, fit_locus
from fineprior.finemap.susie import SusieFit
from fineprior.finemap.workers import fit_loci
from fineprior.genotypes.ld_store import read_fst, read_locus_ld, read_panel_size
from fineprior.project.settings import FinemapSettings
from fineprior.sumstats.panel_fst import usable_fst

Signals = Mapping[str, npt.NDArray[np.float32]]
"""Log Bayes factors (signals, p) of each locus, by its name."""


def fit_signals(
    path: str,
    locus: str,
    rows: pd.DataFrame,
    prior: Floats | None,
    settings: FinemapSettings,
    diagnoses: str | None = None,
) -> LocusFit:
    """Fit a locus on the LD that it has; without any, one effect on all its variants.

    Parameters
    ----------
    path
        File of LD.
    locus, rows
        Name of the locus, and its p variants: variant_id, z, n.
    prior
        (p,) prior causal probabilities; uniform by default.
    settings
        Of SuSiE; signals are its effects, so no search follows.
    diagnoses
        File of diagnoses, of `diagnose_ld`; without it the fit makes its own.
    """
    found, known = read_locus_ld(path, locus, rows["variant_id"].tolist())
    table = rows[known] if known.any() else rows
    ids = table["variant_id"].tolist()
    return fit_locus(
        ids,
        table["z"].to_numpy(),
        correlations_of(found) if known.any() else None,
        table["n"].to_numpy(),
        None if prior is None else prior[known] if known.any() else prior,
        replace(settings, posterior="susie"),
        panel_size=read_panel_size(path),
        diagnostics=read_diagnosis(diagnoses, locus, ids) if diagnoses and known.any() else None,
        drift=usable_fst(read_fst(path)),
    )


def fits_of_batch(
    variants: pd.DataFrame, ld: str, settings: FinemapSettings, workers: int, diagnoses: str | None = None
) -> dict[str, LocusFit]:
    """Fit each locus under the uniform prior; a locus whose fit failed is absent.

    Parameters
    ----------
    variants
        Table LOCUS_VARIANTS of a batch.
    ld
        File of its LD.
    settings
        Of SuSiE.
    workers
        Processes; the result does not depend on their number.
    diagnoses
        File of the diagnoses of the batch; without it each fit makes its own.
    """
    loci = dict(iter(variants.groupby("locus", sort=False)))
    found = fit_loci(lambda name: fit_signals(ld, name, loci[name], None, settings, diagnoses), list(loci), workers)
    return {str(name): one for name, one in zip(loci, found, strict=True) if one.fit is not None}


def read_signals(fits: FitFiles, loci: Mapping[str, Sequence[str]]) -> dict[str, npt.NDArray[np.float32]]:
    """Log Bayes factors (signals, p) of the credible sets of each locus, in the order of its variants.

    A locus without a fit or without a credible set has no signal: (0, p).
    """
    found = {}
    for locus, variant_ids in loci.items():
        if locus not in fits.files:
            found[locus] = np.zeros((0, len(variant_ids)), dtype=np.float32)
            continue
        fit, names = fits[locus]
        found[locus] = placed_signals(fit, names, variant_ids)
    return found


def placed_signals(fit: SusieFit, names: Sequence[str], variant_ids: Sequence[str]) -> npt.NDArray[np.float32]:
    """Log Bayes factors (signals, p), without the prior, of the effects of a fit that have a credible set.

    `names` are the variants of the fit. A variant that was not fitted, because it has no LD, is uninformative: its log
    Bayes factor is 0.
    """
    own = fit.lbf_variable[[one.effect - 1 for one in fit.sets.sets]].astype(np.float32)
    rows = pd.Index(names).get_indexer(pd.Index(variant_ids))
    placed = np.zeros((len(own), len(rows)), dtype=np.float32)
    placed[:, rows >= 0] = own[:, rows[rows >= 0]]
    return placed
