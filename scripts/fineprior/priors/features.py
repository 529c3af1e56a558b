"""From scores and annotations to the features of the enrichment: joining, saturating, standardising."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.foundation.errors import InputError
from fineprior.priors.blocks import Floats

log = logging.getLogger(__name__)

_KEY = ["locus", "variant_id"]
_NEAR = 10_000.0
_LARGEST = 5.0


@dataclass(frozen=True)
class Feature:
    """How a column becomes a feature: x = (t - mean) / sd, with t by its kind.

    score
        t = |v| / (|v| + scale), scale being the ninth decile of the positive |v|. Scores of sequence models have a
        heavy tail, and causal variants are enriched among the top few per cent rather than ever more so with the
        score. `t` goes from 0 to 1, hardly tells small scores apart, lets no outlier run away, and does not depend on
        the score's unit. In simulations (50 loci of 200 variants, 1-3 causal; 2 % of variants functional at 30-fold
        enrichment, 5 % at 15, 10 % at 10, 25 % at 5, or a smooth relation; scores that correlate at 0.6-0.95 with the
        truth on the log scale, log-normal with sd 0.7 or 1.5) its likelihood on new loci was the best or close to the
        best everywhere; log(score), ranks and an indicator of the top tenth each lost 20 % or more of the gain
        somewhere, and the raw score lost to uniform. Its enrichment is not negative.
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
    def of(cls, name: str, kind: str, values: Floats) -> "Feature":
        """Scale of the values (n,); NaN is left out. Values that do not vary get sd 0."""
        known = values[np.isfinite(values)]
        sizes = np.abs(known[known != 0])
        scale = 1.0
        if len(sizes) and kind in ("score", "log"):
            scale = float(np.quantile(sizes, 0.9)) if kind == "score" else float(sizes.min()) * 1e-6
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
        if self.kind == "score":
            size = np.abs(values)
            return np.asarray(size / (size + self.scale), dtype=float)
        if self.kind == "log":
            return np.asarray(np.log(np.maximum(values, self.scale)), dtype=float)
        return np.asarray(1 / (1 + values / _NEAR) if self.kind == "distance" else values, dtype=float)


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
    """(d,) whether the enrichment of a feature must not be negative: that of a score, which is a magnitude."""
    return np.array([feature.kind == "score" for feature in features], dtype=bool)
