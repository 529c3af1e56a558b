"""A transferred head compared with simpler models on test regions.

Every model sees the same training, validation and test regions. The small network that starts from scratch has the
backbone's architecture, or that of `SMALL` where the backbone is larger. Its budget is stated, not its time:
`SCRATCH_EPOCHS` passes over at most `SCRATCH_REGIONS` training regions (`SCRATCH_LONG_REGIONS` where these would have
more than `SCRATCH_BASES`), in steps of `SCRATCH_BATCH` regions, that is at most 12,000 windows (about a minute on one
CPU core for windows of 2 kb), and the epoch with the smallest validation loss is kept. The k-mer model has its penalty
chosen on the validation regions; the backbone's own track that matches best is found on these and the training regions.
"""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import solve
from torch import Tensor, nn
from torch.nn import Linear

from fineprior.engine.loading import build_enformer, load_enformer, read_config
from fineprior.engine.region_embeddings import RegionEmbeddings, batches
from fineprior.files.arrays import ReadOnly
from fineprior.files.tables import HEAD_BASELINES
from fineprior.heads.metrics import Agreement, quality_table
from fineprior.heads.readout import poisson_loss, poisson_losses
from fineprior.heads.training_regions import RegionData
from fineprior.project.settings import BackboneSettings
from fineprior.sequence.windows import one_hot

SCRATCH_EPOCHS, SCRATCH_REGIONS, SCRATCH_BATCH, SCRATCH_LEARNING_RATE = 3, 4000, 16, 2e-3
SCRATCH_VALID_REGIONS, SCRATCH_LONG_REGIONS, SCRATCH_BASES = 500, 500, 1 << 24
SMALL = {"dim": 96, "depth": 2, "heads": 4, "attn_dim_key": 24, "dim_divisible_by": 8}
KMER, KMER_FLANK = 6, 64
KMER_PENALTIES = tuple(10.0**power for power in range(-4, 4))
_REGIONS_AT_ONCE, _BINS_AT_ONCE = 128, 1 << 14
_OWN_BINS_AT_ONCE, _BINS_TO_MATCH = 4096, 200_000

logger = logging.getLogger(__name__)


def baselines(
    predicted: NDArray[np.floating],
    parameters: int,
    tracks: Sequence[str],
    embeddings: RegionEmbeddings,
    data: RegionData,
    backbone: BackboneSettings,
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Table HEAD_BASELINES: a head beside a small network from scratch, k-mers and the backbone's own tracks.

    Parameters
    ----------
    predicted, parameters
        Signal (test regions, bins, tracks) that the head predicts, and how many parameters were trained for it.
    embeddings
        The regions' embeddings by the backbone.
    backbone
        Settings of the backbone; its configuration gives the architecture of the network from scratch.
    """
    test = data.rows("test")
    observed = data.targets[test]
    found = []

    def add(model: str, signal: NDArray[np.floating], parameters: int, notes: Sequence[str] = ()) -> None:
        quality = quality_table(tracks, [("test", signal.reshape(observed.shape), observed)])
        found.append(quality.assign(model=model, parameters=parameters, note=list(notes) or None))
        logger.info("%s: mean r %.3f", model, quality["pearson_r"].mean())

    add("transfer", predicted, parameters)
    torch.set_num_threads(threads)
    network = train_scratch(data, backbone, seed)
    add("scratch", network.predict(data.codes[test]), sum(p.numel() for p in network.parameters()))
    ridge = fit_kmer_ridge(data, embeddings.bin_size, KMER)
    add("kmer_ridge", ridge.predict(data.codes[test]), ridge.weight.size + ridge.intercept.size)
    add("own_track", *_own_track(tracks, embeddings, data, backbone))
    return pd.concat(found)[HEAD_BASELINES.names].reset_index(drop=True)


def _own_track(
    tracks: Sequence[str], embeddings: RegionEmbeddings, data: RegionData, backbone: BackboneSettings
) -> tuple[NDArray[np.floating], int, list[str]]:
    """Signal of the backbone's best-matching own tracks, no trained parameter, and which tracks; NaN without any."""
    rows = np.flatnonzero(embeddings.split == "test")
    own, digest = own_tracks(backbone)
    if own is None or digest != embeddings.backbone:
        reason = "not available: the backbone predicts no tracks of its own"
        return np.full((len(rows), len(tracks)), np.nan), 0, [reason] * len(tracks)
    best, _ = best_matching(own, embeddings, data.targets)
    signal = np.empty((len(rows), len(tracks)), np.float32)
    for start in range(0, len(rows), _BINS_AT_ONCE):
        part = slice(start, start + _BINS_AT_ONCE)
        embedding = embeddings.embedding[rows[part]]
        signal[part] = np.stack([own.predict(embedding, int(track)) for track in best], -1)
    return signal, 0, [own.names[track] for track in best]


@dataclass(frozen=True)
class OwnTracks(ReadOnly):
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
    for start in range(0, len(seen), _OWN_BINS_AT_ONCE):
        part = slice(start, start + _OWN_BINS_AT_ONCE)
        predicted = np.logaddexp(regions.embedding[seen[part]] @ own.weight.T + own.bias, 0).astype(np.float64)
        sums, squares = sums + predicted.sum(0), squares + (predicted**2).sum(0)
        products += predicted.T @ observed[part]
    spread = np.sqrt(np.maximum(squares / len(seen) - (sums / len(seen)) ** 2, 0))
    r = products / len(seen) / np.where(spread > 1e-9, spread, np.inf)[:, None]
    best = r.argmax(0)
    return best, r[best, np.arange(observed.shape[1])]


class Scratch(nn.Module):
    """An Enformer of a backbone's configuration, or a small one, with the library's random start, and a head."""

    def __init__(self, backbone: BackboneSettings, tracks: int) -> None:
        super().__init__()
        config = read_config(backbone)
        if config["dim"] > SMALL["dim"]:
            config, backbone = config | SMALL, dataclasses.replace(backbone, use_tf_gamma=False)
        enformer = build_enformer(config, backbone)
        self.trunk = enformer.trunk
        self.head = nn.Linear(2 * enformer.config.dim, tracks)

    def forward(self, windows: Tensor) -> Tensor:
        """Signal (batch, bins, tracks) of windows (batch, length, 4)."""
        return nn.functional.softplus(self.head(self.trunk(windows)))

    @torch.inference_mode()
    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Signal (regions, bins, tracks) of codes (regions, length)."""
        self.eval()
        parts = range(0, len(codes), SCRATCH_BATCH)
        signal = [self(torch.from_numpy(one_hot(codes[part : part + SCRATCH_BATCH]))).numpy() for part in parts]
        predicted: NDArray[np.float32] = np.concatenate(signal)
        return predicted


def train_scratch(data: RegionData, backbone: BackboneSettings, seed: int) -> Scratch:
    """Train an Enformer and its head end to end (Poisson likelihood, Adam, the budget of this module)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Scratch(backbone, data.shape[-1])
    train, valid = data.rows("train"), data.rows("valid")
    valid = rng.permutation(valid)[:SCRATCH_VALID_REGIONS]
    codes = data.codes[valid]
    observed, known = _known(data, valid)
    most = SCRATCH_REGIONS if SCRATCH_REGIONS * codes.shape[1] <= SCRATCH_BASES else SCRATCH_LONG_REGIONS
    level = torch.from_numpy(_known(data, train[:: -(-len(train) // most)])[0].mean(0)).clamp(min=1e-6)
    with torch.no_grad():
        network.head.bias.copy_(torch.where(level > 20, level, level.clamp(max=20).expm1().log()))
    optimiser = torch.optim.Adam(network.parameters(), lr=SCRATCH_LEARNING_RATE)
    steps = SCRATCH_EPOCHS * -(-min(len(train), most) // SCRATCH_BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, SCRATCH_LEARNING_RATE, total_steps=steps)
    best, state = np.inf, network.state_dict()
    for epoch in range(1, SCRATCH_EPOCHS + 1):
        network.train()
        order = rng.permutation(train)[:most]
        for part in batches(len(order), SCRATCH_BATCH, f"regions of epoch {epoch}, from scratch"):
            rows = order[part]
            signal, usable = _known(data, rows)
            if not len(signal):
                continue
            predicted = network(torch.from_numpy(one_hot(data.codes[rows])))
            loss = poisson_loss(predicted[usable], torch.from_numpy(signal))
            optimiser.zero_grad()
            torch.autograd.backward([loss])
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        valid_loss = float(poisson_losses(network.predict(codes)[known], observed).mean())
        logger.info("from scratch, epoch %d: valid loss %.5f", epoch, valid_loss)
        if valid_loss < best:
            best = valid_loss
            state = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(state)
    return network


@dataclass(frozen=True)
class KmerRidge(ReadOnly):
    """Ridge regression on k-mer counts: weight (kmers, tracks), intercept (tracks,), per track on log1p or not."""

    weight: NDArray[np.float64]
    intercept: NDArray[np.float64]
    logarithmic: NDArray[np.bool_]
    bin_size: int
    bins: int
    k: int

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Signal (regions, bins, tracks) of codes (regions, length)."""
        parts = _parts(np.arange(len(codes)), self.bins)
        fitted = [kmer_counts(codes[part], self.bin_size, self.bins, self.k) @ self.weight for part in parts]
        linear = np.concatenate(fitted) + self.intercept
        signal = np.where(self.logarithmic, np.expm1(np.minimum(linear, 50)), linear)
        return signal.reshape(len(codes), self.bins, -1)


def fit_kmer_ridge(data: RegionData, bin_size: int, k: int = KMER) -> KmerRidge:
    """Ridge regression of signal, or of log1p of it, on counts of the k-mers of both strands around each bin.

    The penalty (as a multiple of the mean variance of a count) and the scale are those with the largest Pearson r on
    the validation bins, track by track.
    """
    _, bins, tracks = data.shape
    gram, cross, sums, target_sums, count = _moments(data, bin_size, k)
    mean, target_mean = sums / count, target_sums / count
    gram -= count * np.outer(mean, mean)
    cross -= count * np.outer(mean, target_mean)
    unit = np.trace(gram) / len(gram)
    best = np.full(tracks, -np.inf)
    weight, intercept, logarithmic = np.zeros((len(mean), tracks)), target_mean[:tracks].copy(), np.zeros(tracks, bool)
    ridges = [gram + np.diag(np.full(len(gram), penalty * unit)) for penalty in KMER_PENALTIES]
    columns = np.concatenate([solve(ridge, cross, assume_a="pos") for ridge in ridges], 1)
    intercepts = np.tile(target_mean, len(KMER_PENALTIES)) - mean @ columns
    log = np.tile(np.arange(2 * tracks) >= tracks, len(KMER_PENALTIES))
    candidates = KmerRidge(columns, intercepts, log, bin_size, bins, k)
    agreement = Agreement(columns.shape[1])
    for part in _parts(data.rows("valid"), bins):
        observed, known = _known(data, part)
        agreement.add(candidates.predict(data.codes[part])[known], np.tile(observed, 2 * len(KMER_PENALTIES)))
    for column, reached in enumerate(agreement.pearson_r):
        track = column % tracks
        if reached > best[track]:
            best[track], weight[:, track], intercept[track] = reached, columns[:, column], intercepts[column]
            logarithmic[track] = log[column]
    return KmerRidge(weight, intercept, logarithmic, bin_size, bins, k)


def _moments(
    data: RegionData, bin_size: int, k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Sums over the training bins of counts x counts, counts x targets, counts, targets (signal and its log1p)."""
    train = data.rows("train")
    kmers, (_, bins, tracks) = len(np.unique(_canonical(k))), data.shape
    gram, cross = np.zeros((kmers, kmers)), np.zeros((kmers, 2 * tracks))
    sums, target_sums, count = np.zeros(kmers), np.zeros(2 * tracks), 0
    for part in _parts(train, bins):
        observed, known = _known(data, part)
        counts = kmer_counts(data.codes[part], bin_size, bins, k)[known.ravel()]
        signal = observed.astype(np.float64)
        both = np.concatenate([signal, np.log1p(signal)], 1)
        gram += counts.T @ counts  # exact: sums of small integers
        cross += counts.T.astype(np.float64) @ both
        sums += counts.sum(0, dtype=np.float64)
        target_sums += both.sum(0)
        count += len(signal)
    return gram, cross, sums, target_sums, count


def _known(data: RegionData, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Targets (n, tracks) of the bins of some regions that are known, and which (regions, bins) these are."""
    targets = data.targets[rows]
    known = np.isfinite(targets).all(-1)
    return targets[known], known


def _parts(rows: NDArray[np.int64], bins: int) -> Iterator[NDArray[np.int64]]:
    """Rows of regions, some at a time: counts of k-mers, and signal under all penalties, are of many columns."""
    size = max(1, min(_REGIONS_AT_ONCE, _BINS_AT_ONCE // bins))
    yield from (rows[start : start + size] for start in range(0, len(rows), size))


def kmer_counts(codes: NDArray[np.uint8], bin_size: int, bins: int, k: int) -> NDArray[np.float32]:
    """Counts (regions * bins, k-mers) of k-mers around the central bins of regions (regions, length).

    A k-mer and its reverse complement are one. Those that begin from `KMER_FLANK` bp before a bin to as far behind it,
    and lie within that stretch and the region, count; those with N do not.
    """
    regions, length = codes.shape
    index = np.zeros((regions, length - k + 1), np.int64)
    known = np.ones(index.shape, bool)
    for position in range(k):
        base = codes[:, position : position + index.shape[1]]
        index = index * 4 + (base & 3)
        known &= base < 4
    table = _canonical(k)
    numbers = np.unique(table)
    columns = np.searchsorted(numbers, table)[index]
    first = (length - bins * bin_size) // 2
    counts = np.zeros((regions * bins, len(numbers)), np.float32)
    for place in range(bins):
        begin = max(0, first + place * bin_size - KMER_FLANK)
        end = min(length, first + (place + 1) * bin_size + KMER_FLANK) - k + 1
        rows = (np.arange(regions) * bins + place)[:, None]
        cells = (rows * len(numbers) + columns[:, begin:end])[known[:, begin:end]]
        filled, times = np.unique(cells, return_counts=True)
        counts.ravel()[filled] = times
    return counts


def _canonical(k: int) -> NDArray[np.int64]:
    """For each k-mer (4**k,) the smaller of its number and that of its reverse complement."""
    numbers = np.arange(4**k)
    turned, rest = np.zeros_like(numbers), numbers.copy()
    for _ in range(k):
        turned, rest = turned * 4 + (3 - rest % 4), rest // 4
    return np.minimum(numbers, turned)
