"""Features of the enrichment: scores and annotations saturated and standardised, and what constrains each.

Stage 2 of the walk from scores to a prior: study, features, candidates, folds, gains, choice, prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.priors.batches import head_columns
from fineprior.priors.blocks import Flags
from fineprior.project.settings import PriorSettings

MAGNITUDES = ("score", "ramp")
RAMPS = (0.75, 0.9, 0.97)
"""Quantiles of a score at which its enrichment may rise faster than `t` of the kind score does."""
MAX_SHAPED = 5
"""Scores of one prior up to which they get ramps (time grows with the square of the number of features)."""
# Kind of the feature that an annotation of the sheet makes.
_FEATURE_KINDS = {"bed": "value", "bigwig": "value", "value": "value", "tss": "distance", "score": "score"}
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
        """Feature with the scale of the values (n,), without the NaN among them. Values that do not vary get sd 0.

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


def feature_kinds(
    variants: pd.DataFrame, settings: PriorSettings, annotations: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """For each prior, functional first, the columns of the variants that it is made of, with their kinds of feature."""
    if settings.source == "enrichment":
        first = dict.fromkeys(head_columns(variants, settings), "score")
    else:
        scored = settings.source == "given" and settings.given_as == "score"
        first = {"given": "score"} if scored else {"prior": "log"}
    kinds = {name: _FEATURE_KINDS[kind] for name, kind in annotations.items()}
    rest = {name: kind for name, kind in kinds.items() if name not in settings.controls}
    return {"functional": first | rest} | {name: {name: kinds[name]} for name in settings.controls}


def features_of(frame: pd.DataFrame, columns: Mapping[str, str]) -> list[Feature]:
    """One feature of each column (name to kind) of the variants."""
    return [Feature.of(name, kind, frame[name].to_numpy(dtype=float)) for name, kind in columns.items()]


def shaped(frame: pd.DataFrame, features: Sequence[Feature]) -> list[Feature]:
    """The features, followed by the ramps of the scores; without ramps where scores are too many (`MAX_SHAPED`).

    Enrichment rises with a score, but its shape is unknown: causal variants may be among the top tenth or the top
    fiftieth, or become steadily more frequent. A sum of non-negative multiples of one gradual feature and three steep
    ones never falls with the score and may rise anywhere; the ridge shrinks the multiples towards each other and to 0.
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


@dataclass(frozen=True)
class Model(ReadOnly):
    """What constrains the coefficients (d,): which must not be negative, and which are fixed (else NaN).

    The enrichment of a score, which is a magnitude, is not negative. The coefficient of a feature of kind log is its
    standard deviation, so that it enters as log v.
    """

    nonnegative: Flags
    fixed: Floats

    @classmethod
    def of(cls, features: Sequence[Feature]) -> "Model":
        """Model of these features."""
        return cls(
            np.array([feature.kind in MAGNITUDES for feature in features], dtype=bool),
            np.array([feature.sd if feature.kind == "log" else np.nan for feature in features], dtype=float),
        )


@dataclass(frozen=True)
class Design(ReadOnly):
    """Features of all variants: X (n, d), and `missing` (n,): NaN where no value of a variant is known, else 0."""

    features: Sequence[Feature]
    X: npt.NDArray[Any]
    missing: Floats

    @classmethod
    def of(cls, variants: pd.DataFrame, features: Sequence[Feature]) -> "Design":
        """Design of these features for variants."""
        return cls(features, *feature_matrix(variants, features))

    @property
    def model(self) -> Model:
        """What constrains the coefficients of the features."""
        return Model.of(self.features)

    def first(self, count: int) -> "Design":
        """The first features, without a copy of them."""
        return Design(self.features[:count], self.X[:, :count], self.missing)
