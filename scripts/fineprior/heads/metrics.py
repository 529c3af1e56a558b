"""How well tracks are predicted, from predictions that come in pieces: not all regions are in memory."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from fineprior.files.tables import HEAD_METRICS

Values = NDArray[np.floating]
Chunk = tuple[str, Values, Values]
"""A split, and the predicted and the observed signal (regions, bins, tracks) of some of its regions."""
_TINY = 1e-7


class Agreement:
    """Running moments of predicted and observed values (n, tracks), merged exactly (Chan, Golub & LeVeque 1983)."""

    def __init__(self, tracks: int) -> None:
        self.count = 0
        self._mean = np.zeros((2, tracks))
        self._squares = np.zeros((2, tracks))
        self._product = np.zeros(tracks)
        self._error = np.zeros(tracks)

    def add(self, predicted: Values, observed: Values) -> None:
        """Take up values (n, tracks)."""
        count = len(observed)
        mean = np.stack([array.mean(0, dtype=np.float64) for array in (predicted, observed)])
        first, second = predicted - mean[0], observed - mean[1]
        step = mean - self._mean
        weight = self.count * count / (self.count + count)
        self._squares += np.stack([(first**2).sum(0), (second**2).sum(0)]) + weight * step**2
        self._product += (first * second).sum(0) + weight * step[0] * step[1]
        self._error += ((predicted - observed).astype(np.float64) ** 2).sum(0)
        self.count += count
        self._mean += step * (count / self.count)

    @property
    def pearson_r(self) -> NDArray[np.float64]:
        """Pearson correlation (tracks,); NaN where one of the two does not vary."""
        scale = np.sqrt(self._squares.prod(0))
        return self._product / np.where(scale > 0, scale, np.nan)

    @property
    def r2(self) -> NDArray[np.float64]:
        """1 - squared error / variance of the observed (tracks,): below 0 where the observed mean is nearer."""
        return 1 - self._error / np.where(self._squares[1] > 0, self._squares[1], np.nan)


def pearson_r(predicted: NDArray[np.floating], observed: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson correlation over bins (tracks,) of two arrays (bins, tracks); NaN where one does not vary."""
    first, second = (array - array.mean(0, dtype=np.float64) for array in (predicted, observed))
    scale = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    correlation: NDArray[np.float64] = (first * second).sum(0) / np.where(scale > 0, scale, np.nan)
    return correlation


class _Split:
    """What is kept of one split: moments over bins and over regions, loss, and the values of tracks that are 0 or c."""

    def __init__(self, tracks: int) -> None:
        self.bins, self.regions = Agreement(tracks), Agreement(tracks)
        self.loss = np.zeros(tracks)
        self.top = np.zeros(tracks)
        self.values: dict[int, list[tuple[Values, NDArray[np.bool_]]]] = {track: [] for track in range(tracks)}

    def add(self, predicted: Values, observed: Values) -> None:
        usable = np.asarray(np.isfinite(observed).all(-1))
        bins = usable.sum(1)
        if not bins.any():
            return
        flat = predicted[usable], observed[usable]
        self.bins.add(*flat)
        share = (usable / np.maximum(bins, 1)[:, None])[..., None]
        self.regions.add(*((np.nan_to_num(array) * share).sum(1)[bins > 0] for array in (predicted, observed)))
        self.loss += (flat[0] - flat[1] * np.log(flat[0] + _TINY)).sum(0, dtype=np.float64)
        for track in list(self.values):
            seen = flat[1][:, track]
            self.top[track] = max(self.top[track], float(seen.max()))
            if np.isin(seen, (0, self.top[track])).all():
                self.values[track].append((flat[0][:, track], seen > 0))
            else:
                del self.values[track]

    def binary(self, track: int) -> tuple[Values, NDArray[np.bool_]] | None:
        """Predicted values and labels of a track that is 0 or one other value; None for other tracks."""
        if track not in self.values:
            return None
        predicted, label = (np.concatenate(arrays) for arrays in zip(*self.values[track], strict=True))
        return (predicted, label) if 0 < label.sum() < len(label) else None


def quality_table(tracks: Sequence[str], chunks: Iterable[Chunk]) -> pd.DataFrame:
    """Table HEAD_METRICS, split by split, of predictions that come region by region.

    Pearson r and R² over bins, and r over regions (means of their bins); bins without observation are excluded. For a
    track of two values, 0 and another, in addition ranks (auROC, auPRC) and counts at the threshold with the largest F1
    on the validation regions.
    """
    splits: dict[str, _Split] = {}
    for split, predicted, observed in chunks:
        splits.setdefault(split, _Split(len(tracks))).add(predicted, observed)
    cuts: dict[int, float] = {}
    for track in range(len(tracks)):
        if chosen := next((v for s in ("valid", "train") if s in splits and (v := splits[s].binary(track))), None):
            cuts[track] = best_threshold(*chosen)
    rows: list[dict[str, object]] = [
        {
            "track": name, "split": split, "bins": found.bins.count, "pearson_r": found.bins.pearson_r[track],
            "poisson_loss": found.loss[track] / found.bins.count, "regions": found.regions.count,
            "pearson_r_regions": found.regions.pearson_r[track], "r2": found.bins.r2[track],
        }
        | _binary_columns(found.binary(track), cuts.get(track, float("nan")))
        for split, found in splits.items()
        if found.bins.count
        for track, name in enumerate(tracks)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=HEAD_METRICS.names)


def _binary_columns(values: tuple[Values, NDArray[np.bool_]] | None, threshold: float) -> dict[str, float]:
    if values is None:
        return {}
    predicted, label = values
    called = predicted >= threshold
    hits, false = int((called & label).sum()), int((called & ~label).sum())
    missed = int((~called & label).sum())
    return {
        "auroc": auroc(predicted, label), "auprc": auprc(predicted, label), "threshold": threshold,
        "precision": hits / max(hits + false, 1), "recall": hits / (hits + missed),
        "f1": 2 * hits / (2 * hits + false + missed), "true_positive": hits, "false_positive": false,
        "false_negative": missed, "true_negative": int((~called & ~label).sum()),
    }  # fmt: skip


def auroc(score: Values, label: NDArray[np.bool_]) -> float:
    """Probability that a positive (`label`) scores above a negative, ties counted half (Mann & Whitney 1947)."""
    positive = int(label.sum())
    ranks = rankdata(score)[label].sum() - positive * (positive + 1) / 2
    return float(ranks / (positive * (len(label) - positive)))


def auprc(score: Values, label: NDArray[np.bool_]) -> float:
    """Average precision: precision at each threshold, weighted by the recall that it adds; tied scores are one."""
    _, hits, called = _thresholds(score, label)
    return float((np.diff(hits, prepend=0) / hits[-1] * hits / called).sum())


def best_threshold(score: Values, label: NDArray[np.bool_]) -> float:
    """The score from which on calling positives gives the largest F1; the highest of several."""
    values, hits, called = _thresholds(score, label)
    return float(values[(2 * hits / (called + hits[-1])).argmax()])


def _thresholds(
    score: Values, label: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Distinct scores from the highest, positives among those at or above each, and how many these are."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order].astype(np.float64)
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    hits = np.cumsum(label[order])[last].astype(np.float64)
    return ordered[last], hits, (last + 1).astype(np.float64)
