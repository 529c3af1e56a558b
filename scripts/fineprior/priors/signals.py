"""The signals of loci that a prior is estimated on: SuSiE's effects with a credible set, as log Bayes factors.

SuSiE is run under the uniform prior, whatever settings the results are fine-mapped with. A locus may be fitted again
under an estimated prior.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.fits import FitFiles
from fineprior.finemap.locus import LocusFit, fit_locus
from fineprior.finemap.susie import SusieFit
from fineprior.finemap.workers import fit_loci
from fineprior.genotypes.ld_store import read_ld, read_panel_size
from fineprior.priors.blocks import Integers
from fineprior.priors.enrichment import log_bayes_factors
from fineprior.project.settings import FinemapSettings

Signals = Mapping[str, npt.NDArray[np.float32]]
"""Log Bayes factors (signals, p) of each locus, by its name."""


def read_locus_ld(
    path: str, locus: str, variant_ids: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """R (k, k) of the variants that have LD, in their order, and which of all (p,) they are.

    Raises
    ------
    InputError
        A variant has no LD, and the file does not list it as excluded.
    """
    found = read_ld(path, locus)
    rows = pd.Index(found.variant_ids).get_indexer(pd.Index(variant_ids))
    known = rows >= 0
    lost = ~known & ~pd.Index(variant_ids).isin(list(found.left_out))
    if lost.any():
        raise InputError(f"{path}: no LD of variant {variant_ids[int(lost.argmax())]}")
    rows = rows[known]
    return found.r if np.array_equal(rows, np.arange(len(found.r))) else found.r[np.ix_(rows, rows)], known


def fit_signals(path: str, locus: str, rows: pd.DataFrame, prior: Floats | None, settings: FinemapSettings) -> LocusFit:
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
        Of SuSiE.
    """
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


def fits_of_batch(variants: pd.DataFrame, ld: str, settings: FinemapSettings, workers: int) -> dict[str, LocusFit]:
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
    """
    loci = dict(iter(variants.groupby("locus", sort=False)))
    found = fit_loci(lambda name: fit_signals(ld, name, loci[name], None, settings), list(loci), workers)
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


def marginal_signals(variants: pd.DataFrame, starts: Integers, signals: Signals, effect_variance: float) -> Signals:
    """One signal (1, p) from the z-scores alone in each locus that has any signal; (0, p) in the others.

    Parameters
    ----------
    variants
        Columns locus, z, se of all loci.
    starts
        (loci,) first rows of the loci.
    signals
        Signals of SuSiE.
    effect_variance
        See `enrichment.log_bayes_factors`.
    """
    found = log_bayes_factors(variants["z"].to_numpy(), variants["se"].to_numpy(), effect_variance).astype(np.float32)
    ends = np.append(starts[1:], len(variants))
    names = [str(name) for name, _ in variants.groupby("locus", sort=False)]
    return {
        name: found[start:end].T if len(signals[name]) else np.zeros((0, end - start), dtype=np.float32)
        for name, start, end in zip(names, starts, ends, strict=True)
    }
