"""Scores of a study's variants beside those of its common variants: quantiles, principal components."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.settings import ScoreSettings
from fineprior.foundation.tables import VARIANT_SCORES
from fineprior.genetics.genome import plain_name

logger = logging.getLogger(__name__)
_SIGNED = ".sad"


@dataclass(frozen=True)
class Components:
    """Principal components of signed track scores.

    Scores are scaled by their root mean square and not centred: which allele is called the alternative one is
    arbitrary, so zero is their centre, and exchanging the alleles negates a component.

    Attributes
    ----------
    scale
        (tracks,) root mean square of each track in the variants that it was fitted on; 1 where it is 0.
    loadings
        (tracks, components), the largest of each column positive.
    """

    scale: NDArray[np.float64]
    loadings: NDArray[np.float64]

    @classmethod
    def fit(cls, scores: NDArray[np.float64], number: int) -> "Components":
        """Fit to scores (variants, tracks) without missing values; at most as many components as tracks or variants."""
        scale = np.sqrt((scores**2).mean(0)) if len(scores) else np.zeros(scores.shape[1])
        scale = np.where(scale > 0, scale, 1.0)
        _, directions = np.linalg.eigh((scores / scale).T @ (scores / scale))
        loadings = directions[:, ::-1][:, : min(number, *scores.shape)]
        largest = np.take_along_axis(loadings, np.abs(loadings).argmax(0)[None], 0)
        return cls(scale, loadings * np.sign(largest))

    def of(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components (variants, components) of scores (variants, tracks)."""
        values: NDArray[np.float64] = scores / self.scale @ self.loadings
        return values


def quantiles(values: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share (n,) of the background (m,) below each value, ties counted half; NaN for NaN and without background."""
    if not len(background):
        return np.full(len(values), np.nan)
    ordered = np.sort(background)
    below, upto = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return np.where(np.isnan(values), np.nan, (below + upto) / (2 * len(ordered)))


def gathered_scores(
    scores: list[pd.DataFrame], variants: list[pd.DataFrame], training: set[str], settings: ScoreSettings
) -> pd.DataFrame:
    """Table VARIANT_SCORES of a study from the batches of SCORES and LOCUS_VARIANTS.

    Quantiles refer to the common variants, by their frequency in the panel, or in the GWAS where the panel has none.
    The components are fitted on those on the `training` chromosomes (those that heads are trained on), on all where
    there are none.
    """
    table = pd.concat(scores, ignore_index=True)
    known = pd.concat(variants, ignore_index=True)
    known = known.drop_duplicates("variant_id").set_index("variant_id")
    frequency = known["panel_af"].fillna(known["eaf"])
    af = table["variant_id"].map(frequency).to_numpy(np.float64)
    maf = np.minimum(af, 1 - af)
    gathered = table[VARIANT_SCORES.names[: VARIANT_SCORES.names.index("quantile")]].copy()
    gathered["common"] = table["status"].isin(["scored", "screened"]).to_numpy() & (maf >= settings.background_maf)
    once = gathered["common"].to_numpy() & ~table.duplicated("variant_id").to_numpy()
    logger.info("%d of %d variants are the common ones that quantiles refer to", int(once.sum()), len(table))
    gathered["quantile"] = _quantiles(table["score"], once)
    tracks = [name.removesuffix(_SIGNED) for name in table.columns if name.endswith(_SIGNED)]
    signed = table[[track + _SIGNED for track in tracks]].to_numpy(np.float64)
    plain = {plain_name(chrom) for chrom in training}
    fitted_on = once & table["chrom"].map(plain_name).isin(plain).to_numpy()
    fitted_on = fitted_on if fitted_on.any() else once
    components = Components.fit(signed[fitted_on], settings.components).of(signed)
    columns = {f"pc{number + 1}": values for number, values in enumerate(components.T)}
    magnitudes = {track: f"{track}.{settings.magnitude}" for track in tracks}
    columns |= {
        f"{track}.quantile": _quantiles(table[name].abs(), once) for track, name in magnitudes.items() if name in table
    }
    return pd.concat([gathered, pd.DataFrame(columns, index=gathered.index)], axis=1)


def _quantiles(values: pd.Series, background: NDArray[np.bool_]) -> NDArray[np.float64]:
    numbers = values.to_numpy(np.float64)
    return quantiles(numbers, numbers[background])
