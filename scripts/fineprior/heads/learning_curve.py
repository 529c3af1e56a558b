"""The learning curve of a mode of training, and nested cross-validation of modes and penalties."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import HEAD_FOLDS, LEARNING_CURVE
from fineprior.heads.evaluation import predicted_test
from fineprior.heads.metrics import Agreement
from fineprior.heads.training import train
from fineprior.heads.training_regions import RegionData, Tracks
from fineprior.project.settings import FEWEST_FOLDS, BackboneSettings, HeadSettings

Trainer = Callable[[HeadSettings, NDArray[np.str_]], NDArray[np.floating]]
"""Trains with these settings on a new split (regions,), "" for excluded regions; the signal
(regions, bins, tracks) that it predicts in the test regions, in their order."""

_PENALTIES = (0.1, 1.0, 10.0)
_FEWEST_REGIONS = 4

logger = logging.getLogger(__name__)


def trainer(
    data: RegionData,
    embeddings: RegionEmbeddings,
    backbone: BackboneSettings,
    tracks: Tracks,
    seed: int,
    threads: int = 1,
) -> Trainer:
    """Training in any mode (see `training.train`) on regions and their embeddings by the frozen backbone."""
    bins = data.shape[1]
    groups = embeddings.chrom[::bins]

    def train_on(settings: HeadSettings, split: NDArray[np.str_]) -> NDArray[np.floating]:
        changed = dataclasses.replace(data, split=split)
        cached = dataclasses.replace(embeddings, split=np.repeat(split, bins))
        head, _ = train(changed, backbone, tracks, settings, seed, embeddings=cached, groups=groups, threads=threads)
        return predicted_test(head, changed, cached, backbone)

    return train_on


def learning_curve(
    train_on: Trainer,
    settings: HeadSettings,
    split: NDArray[np.str_],
    targets: Any,
    tracks: Sequence[str],
    whole: NDArray[np.floating],
    sizes: int,
    seed: int,
) -> pd.DataFrame:
    """Table LEARNING_CURVE: r on the test regions against the number of training regions, each half of the next.

    Parameters
    ----------
    split, targets
        Split (regions,) and signal (regions, bins, tracks), an array or what reads files by row numbers.
    whole
        What the head that was trained on all of them predicts in the test regions: the last point.
    sizes
        Points of the curve; sizes below 4 regions are excluded. Smaller sets are within the larger ones.
    """
    training = np.flatnonzero(split == "train")
    order = np.random.default_rng(seed).permutation(training)
    observed = targets[np.flatnonzero(split == "test")]
    rows = []
    for step in reversed(range(sizes)):
        kept = len(training) >> step
        if kept < _FEWEST_REGIONS and step:
            continue
        fewer = split.copy()
        fewer[order[kept:]] = ""
        try:
            found = _pearson_r(whole if step == 0 else train_on(settings, fewer), observed)
        except InputError as error:
            logger.warning("learning curve: %d regions are too few (%s)", kept, error)
            found = np.full(len(tracks), np.nan)
        rows += [(settings.mode, kept, track, r) for track, r in zip(tracks, found, strict=True)]
        logger.info("learning curve: %d regions, mean r %.4f", kept, np.mean(found))
    return pd.DataFrame(rows, columns=LEARNING_CURVE.names)


def region_folds(chrom: NDArray[np.str_], start: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Fold (regions,) of each region: whole chromosomes, the largest first to the smallest fold.

    With fewer chromosomes than folds, stretches of regions that follow one another on a chromosome, not in the list.
    """
    names, counts = np.unique(chrom, return_counts=True)
    if len(names) < folds:
        logger.warning(
            "%d chromosomes are too few for %d folds; stretches of regions are used instead", len(names), folds
        )
        place = np.empty(len(chrom), np.int64)
        place[np.lexsort([start, chrom])] = np.arange(len(chrom))
        return place * folds // len(chrom)
    sizes = np.zeros(folds, np.int64)
    fold = {}
    for name, count in sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda each: (-each[1], each[0])):
        fold[name] = int(sizes.argmin())
        sizes[fold[name]] += count
    return np.array([fold[name] for name in chrom.tolist()], np.int64)


def nested_folds(
    train_on: Trainer, settings: HeadSettings, fold: NDArray[np.int64], targets: Any, modes: Sequence[str]
) -> pd.DataFrame:
    """Table HEAD_FOLDS: which mode and penalty do best within each set of training folds, and the r of that choice.

    For each fold in turn as the outer test, candidates (`modes` x a tenth, one and ten times `l2`) are compared by the
    mean r over the other folds, each of them once the inner test; the best is trained on these folds and meets the
    outer test, which chose nothing (Varma & Simon 2006). One further fold always decides when training stops.

    Raises
    ------
    InputError
        Fewer than 4 folds: one each for the outer and the inner test, for stopping, and to train on.
    """
    number = int(fold.max()) + 1
    if number < FEWEST_FOLDS:
        raise InputError(f"evaluation.folds: {number} are too few; at least {FEWEST_FOLDS}, or 0 for none")
    candidates = [
        dataclasses.replace(settings, mode=mode, l2=settings.l2 * factor) for mode in modes for factor in _PENALTIES
    ]

    def mean_r(candidate: HeadSettings, test: int, left_out: int = -1) -> float:
        others = [each for each in range(number) if each not in (test, left_out)]
        split = np.full(len(fold), "train", "U5")
        split[fold == left_out] = ""
        split[fold == test] = "test"
        split[fold == min(others, key=lambda each: (each - test) % number)] = "valid"
        reached = _pearson_r(train_on(candidate, split), targets[np.flatnonzero(fold == test)])
        known = reached[np.isfinite(reached)]
        return float(known.mean()) if len(known) else float("nan")

    rows = []
    for outer in range(number):
        inner = [
            float(np.mean([mean_r(candidate, test, outer) for test in range(number) if test != outer]))
            for candidate in candidates
        ]
        best = int(np.argmax(np.nan_to_num(inner, nan=-np.inf)))
        reached = mean_r(candidates[best], outer)
        logger.info("fold %d: %s, l2 %g; r %.4f on it", outer, candidates[best].mode, candidates[best].l2, reached)
        rows += [
            (outer, candidate.mode, candidate.l2, r, place == best, reached if place == best else np.nan)
            for place, (candidate, r) in enumerate(zip(candidates, inner, strict=True))
        ]
    return pd.DataFrame(rows, columns=HEAD_FOLDS.names)


def _pearson_r(predicted: NDArray[np.floating], observed: NDArray[np.floating]) -> NDArray[np.float64]:
    """Over the bins that are known."""
    known = np.isfinite(observed).all(-1)
    found = Agreement(observed.shape[-1])
    found.add(predicted[known], observed[known])
    return found.pearson_r
