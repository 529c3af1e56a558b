"""The tracks that a backbone itself predicts: what one gets without any transfer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.nn import Linear

from fineprior.foundation.settings import BackboneSettings
from fineprior.model.embeddings import RegionEmbeddings
from fineprior.model.loading import load_enformer, read_config

_BINS_AT_ONCE, _BINS_TO_MATCH = 4096, 200_000


@dataclass(frozen=True)
class OwnTracks:
    """Names of a backbone's own tracks, weight (tracks, dim) and bias (tracks,) of softplus(W e + b)."""

    names: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def predict(self, embedding: NDArray[np.float32], track: int) -> NDArray[np.float32]:
        """Signal (bins,) of one track."""
        signal: NDArray[np.float32] = np.logaddexp(embedding @ self.weight[track] + self.bias[track], 0)
        return signal


def own_tracks(settings: BackboneSettings) -> tuple[OwnTracks | None, str]:
    """The tracks that a backbone came with, and its digest; None where it has no heads."""
    enformer, digest = load_enformer(settings)
    layers: dict[str, Linear] = {name: head[0] for name, head in enformer.heads.items()}
    if not layers:
        return None, digest
    names = [f"{head} {number}" for head, layer in layers.items() for number in range(layer.out_features)]
    told = read_config(settings).get("tracks", [])
    weight, bias = (
        np.concatenate([getattr(layer, part).detach().numpy() for layer in layers.values()])
        for part in ("weight", "bias")
    )
    return OwnTracks(tuple(told if len(told) == len(names) else names), weight, bias), digest


def best_matching(
    own: OwnTracks, regions: RegionEmbeddings, targets: Any
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each target track the own track with the largest Pearson r, (tracks,), and that r.

    It is chosen on training and validation regions, evenly spaced ones of at most 200,000 bins; the test regions have
    no say. `targets` (regions, bins, tracks) is an array, or reads files when it is indexed by row numbers.
    """
    bins = targets[np.array([0])].shape[1]
    rows = np.flatnonzero(np.isin(regions.split[::bins], ("train", "valid")))
    rows = rows[:: -(-len(rows) * bins // _BINS_TO_MATCH)]
    signal = targets[rows]
    known = np.isfinite(signal).all(-1)
    seen = (rows[:, None] * bins + np.arange(bins))[known]
    observed = signal[known].astype(np.float64)
    observed = (observed - observed.mean(0)) / np.maximum(observed.std(0), 1e-12)
    sums, squares = np.zeros(len(own.names)), np.zeros(len(own.names))
    products = np.zeros((len(own.names), observed.shape[1]))
    for start in range(0, len(seen), _BINS_AT_ONCE):
        part = slice(start, start + _BINS_AT_ONCE)
        predicted = np.logaddexp(regions.embedding[seen[part]] @ own.weight.T + own.bias, 0).astype(np.float64)
        sums, squares = sums + predicted.sum(0), squares + (predicted**2).sum(0)
        products += predicted.T @ observed[part]
    spread = np.sqrt(np.maximum(squares / len(seen) - (sums / len(seen)) ** 2, 0))
    r = products / len(seen) / np.where(spread > 1e-9, spread, np.inf)[:, None]
    best = r.argmax(0)
    return best, r[best, np.arange(observed.shape[1])]
