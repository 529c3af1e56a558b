"""From scores and annotations to the features of the enrichment: joining, saturating, standardising.

Calibrated probabilities of a classifier of variants, brought to the base rate of causal variants.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError

CAUSAL_PER_LOCUS = 1.8
"""Causal variants in a locus: the base rate that published supervised priors were moved to."""


def shifted_probabilities(probabilities: Floats, training_rate: float | Floats, base_rate: float | Floats) -> Floats:
    """Probabilities (n,) of a classifier at another base rate; NaN stays NaN.

    odds' = odds * [pi0 / (1 - pi0)] / [pit / (1 - pit)] (Saerens, Latinne and Decaestecker 2002, equation 2.4): right
    when only the share of causal variants differs between training and here.

    Parameters
    ----------
    probabilities
        (n,) calibrated probabilities in the training data, from 0 to 1.
    training_rate
        pit, share of positives in the training data, or (n,) of each variant; strictly between 0 and 1.
    base_rate
        pi0, share of causal variants here, or (n,) of each variant; strictly between 0 and 1.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    values = np.asarray(probabilities, dtype=float)
    wrong = ~np.isnan(values) & ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise InputError(f"a probability must be from 0 to 1, not {values[wrong][0]:g} ({wrong.sum()} are not)")
    for name, rate in (("training rate", training_rate), ("base rate", base_rate)):
        if not (np.asarray(rate) > 0).all() or not (np.asarray(rate) < 1).all():
            raise InputError(f"the {name} of a supervised prior must be above 0 and below 1")
    training, base = np.asarray(training_rate, dtype=float), np.asarray(base_rate, dtype=float)
    # Both sides of odds = p / (1 - p) multiplied out, so that p = 1 stays finite.
    positive = values * base / training
    return np.asarray(positive / (positive + (1 - values) * (1 - base) / (1 - training)), dtype=float)


def base_rates(sizes: Floats, causal_per_locus: float = CAUSAL_PER_LOCUS) -> Floats:
    """Share of causal variants (n,) in loci of so many variants (n,), at most one half.

    Raises
    ------
    InputError
        Not above 0.
    """
    if not causal_per_locus > 0:
        raise InputError(f"causal variants per locus must be above 0, not {causal_per_locus}")
    return np.minimum(causal_per_locus / np.asarray(sizes, dtype=float), 0.5)


log = logging.getLogger(__name__)

_KEY = ["locus", "variant_id"]
MAGNITUDES = ("score", "ramp")
RAMPS = (0.75, 0.9, 0.97)
"""Quantiles of a score at which its enrichment may rise faster than `t` of the kind score does."""
MAX_SHAPED = 5
"""Scores of one model up to which they get ramps (time grows with the square of the number of features)."""
_STEEPNESS = 4.0
_NEAR = 10_000.0
_LARGEST = 5.0


@dataclass(frozen=True)
class Feature:
    """How a column becomes a feature: x = (t - mean) / sd, with t by its kind.

    score
        t = |v| / (|v| + scale), scale being the ninth decile of the positive |v|. Scores of sequence models have a
        heavy tail, and causal variants are enriched among the top few per cent rather than ever more so with the
        score. `t` goes from 0 to 1, hardly tells small scores apart, lets no outlier run away, and does not depend on
        the score's unit. Its enrichment is not negative.
    ramp
        t = |v|^4 / (|v|^4 + scale^4): a step that begins near a third quarter, ninth decile or 97th percentile of the
        positive |v|, for the shape of a score's enrichment (`shaped`). Not negative either.
    value
        t = v, and x is kept within five standard deviations.
    distance
        t = 1 / (1 + v / 10 kb), near 1 close by.
    log
        t = log v of a prior weight, its coefficient fixed so that odds are proportional to v. A weight of 0 counts as
        a millionth of the smallest positive one (kept in `scale`), so that no prior is 0.
    """

    name: str
    kind: str
    scale: float
    mean: float
    sd: float

    @classmethod
    def of(cls, name: str, kind: str, values: Floats, quantile: float = 0.9) -> "Feature":
        """Scale of the values (n,); NaN is left out. Values that do not vary get sd 0.

        `quantile` of the positive |v| is the scale of the kinds score and ramp.
        """
        known = values[np.isfinite(values)]
        sizes = np.abs(known[known != 0])
        scale = 1.0
        if len(sizes) and kind in MAGNITUDES:
            scale = float(np.quantile(sizes, quantile))
        elif len(sizes) and kind == "log":
            scale = float(sizes.min()) * 1e-6
        if len(known) == 0:
            return cls(name, kind, scale, 0.0, 0.0)
        made = cls(name, kind, scale, 0.0, 1.0)._transformed(known)
        sd = float(made.std())
        return cls(name, kind, scale, float(made.mean()), sd if sd > 1e-9 else 0.0)

    def values(self, values: Floats) -> Floats:
        """Standardised feature (n,); NaN where the value is missing, 0 for all when the values do not vary."""
        if self.sd == 0:
            return np.where(np.isfinite(values), 0.0, np.nan)
        made = (self._transformed(values) - self.mean) / self.sd
        return np.asarray(np.clip(made, -_LARGEST, _LARGEST) if self.kind == "value" else made, dtype=float)

    def _transformed(self, values: Floats) -> Floats:
        if self.kind in MAGNITUDES:
            size = np.abs(values) / self.scale
            with np.errstate(over="ignore", divide="ignore"):
                return np.asarray(1 / (1 + size ** -(_STEEPNESS if self.kind == "ramp" else 1.0)), dtype=float)
        if self.kind == "log":
            return np.asarray(np.log(np.maximum(values, self.scale)), dtype=float)
        return np.asarray(1 / (1 + values / _NEAR) if self.kind == "distance" else values, dtype=float)


def features_of(frame: pd.DataFrame, columns: Mapping[str, str]) -> list[Feature]:
    """One feature of each column (name to kind) of a frame."""
    return [Feature.of(name, kind, frame[name].to_numpy(dtype=float)) for name, kind in columns.items()]


def shaped(frame: pd.DataFrame, features: Sequence[Feature]) -> list[Feature]:
    """The features, those of scores with their ramps; none where scores are too many (`MAX_SHAPED`).

    That more is likelier says not how: causal variants may be among the top tenth or the top fiftieth of a score, or
    ever more frequent. Log odds that are a sum of non-negative multiples of one gradual feature and three steep ones
    never fall with the score and may rise anywhere; the ridge holds the multiples near to one another, and near to 0.
    """
    scores = [feature for feature in features if feature.kind == "score"]
    if len(scores) > MAX_SHAPED:
        return list(features)
    values = {feature.name: frame[feature.name].to_numpy(dtype=float) for feature in scores}
    ramps = [Feature.of(name, "ramp", each, quantile) for name, each in values.items() for quantile in RAMPS]
    return [*features, *ramps]


def feature_matrix(frame: pd.DataFrame, features: Sequence[Feature]) -> tuple[npt.NDArray[np.float32], Floats]:
    """Features X (n, d), 0 where a value is missing, and (n,) 0.0, or NaN where all of a variant are missing."""
    X = np.zeros((len(frame), len(features)), dtype=np.float32)
    missing = np.ones(len(frame), dtype=bool)
    for number, feature in enumerate(features):
        column = feature.values(frame[feature.name].to_numpy(dtype=float))
        missing &= np.isnan(column)
        X[:, number] = np.nan_to_num(column, nan=0.0)
    return X, np.where(missing, np.nan, 0.0)


def join_columns(variants: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str], where: str) -> pd.DataFrame:
    """The columns (n rows) of the variants, by locus and variant_id; NaN where a variant has no value.

    Raises
    ------
    InputError
        A column is absent; a variant without a row, twice in either table, or with an infinite value.
    """
    absent_columns = [name for name in columns if name not in table]
    if absent_columns:
        there = ", ".join(name for name in table if name not in _KEY)
        raise InputError(f"{where}: no column '{absent_columns[0]}'; there are {there}")
    for frame in (variants, table):
        repeated = frame[frame.duplicated(_KEY)]
        if len(repeated):
            raise InputError(f"{where}: variant {repeated['variant_id'].iloc[0]} of locus "
                             f"{repeated['locus'].iloc[0]} is there twice; a variant has one row")  # fmt: skip
    joined = variants[_KEY].merge(table[[*_KEY, *columns]], on=_KEY, how="left", indicator=True)
    absent = joined[joined["_merge"] == "left_only"]
    if len(absent):
        row = absent.iloc[0]
        raise InputError(f"{where}: variant {row['variant_id']} of locus {row['locus']} has no row "
                         f"({len(absent)} of {len(joined)} variants); write NA where there is no value")  # fmt: skip
    values = joined[list(columns)].to_numpy(dtype=float)
    wrong = np.isinf(values)
    if wrong.any():
        row_number, column = (int(index[0]) for index in np.nonzero(wrong))
        raise InputError(f"{where}: {columns[column]} {values[row_number, column]:g} of variant "
                         f"{joined['variant_id'].iloc[row_number]}; a value is a finite number, or NA")  # fmt: skip
    if unused := len(table) - len(joined):
        log.warning("%s: %d rows are of variants that are in no locus; they are not used", where, unused)
    return pd.DataFrame(dict(zip(columns, values.T, strict=True)))


def fixed_coefficients(features: Sequence[Feature]) -> Floats:
    """(d,) coefficients that are not estimated, NaN for the others: of kind log, so that it enters as log v."""
    return np.array([feature.sd if feature.kind == "log" else np.nan for feature in features], dtype=float)


def nonnegative_flags(features: Sequence[Feature]) -> npt.NDArray[Any]:
    """(d,) whether the enrichment of a feature must not be negative: those of a score, which is a magnitude."""
    return np.array([feature.kind in MAGNITUDES for feature in features], dtype=bool)
