"""A transferred head beside simpler models, on test regions: what the transfer is worth.

Every model sees the same training, validation and test regions. The budget of the network that starts from scratch is
stated, not its time: `SCRATCH_EPOCHS` passes over at most `SCRATCH_REGIONS` training regions, in steps of
`SCRATCH_BATCH` regions, that is at most 12,000 windows (about a minute on one CPU core for windows of 2 kb), and the
epoch with the smallest validation loss is kept. The k-mer model has its penalty chosen on the validation regions.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import solve
from torch import Tensor, nn

from fineprior.foundation.settings import BackboneSettings
from fineprior.genetics.genome import Genome
from fineprior.model.embeddings import RegionEmbeddings, batches, region_codes
from fineprior.model.head import Head, pearson_r, poisson_loss, poisson_losses
from fineprior.model.loading import build_enformer, read_config
from fineprior.sequence.windows import one_hot

SCRATCH_EPOCHS, SCRATCH_REGIONS, SCRATCH_BATCH, SCRATCH_LEARNING_RATE = 3, 4000, 16, 2e-3
SCRATCH_VALID_REGIONS = 500
KMER, KMER_FLANK = 6, 64
KMER_PENALTIES = tuple(10.0**power for power in range(-4, 4))
_REGIONS_AT_ONCE = 128

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegionData:
    """Codes (regions, length), targets (regions, bins, tracks) and split (regions,) of training regions."""

    codes: NDArray[np.uint8]
    targets: NDArray[np.float32]
    split: NDArray[np.str_]

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of one split."""
        return np.flatnonzero(self.split == split)


def region_data(genome: Genome, regions: pd.DataFrame, targets: NDArray[np.float32]) -> RegionData:
    """Sequences of regions beside the targets (bins, tracks) of their bins, region by region."""
    shaped = targets.reshape(len(regions), -1, targets.shape[-1])
    return RegionData(region_codes(genome, regions), shaped, regions["split"].to_numpy(dtype=np.str_))


def evaluate_head(
    head: Head,
    embeddings: RegionEmbeddings,
    data: RegionData,
    backbone: BackboneSettings,
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Table HEAD_BASELINES: Pearson r over test bins of the head, of the same architecture from scratch, of k-mers.

    Parameters
    ----------
    head, embeddings
        The transferred head, and the regions' embeddings that it was trained on.
    backbone
        Settings of the backbone; its configuration gives the architecture of the network from scratch.
    """
    tracks = list(head.tracks)
    test = data.rows("test")
    observed = data.targets[test].reshape(-1, len(tracks))
    rows = []

    def add(model: str, predicted: NDArray[np.floating], parameters: int) -> None:
        for track, correlation in zip(tracks, pearson_r(predicted.reshape(observed.shape), observed), strict=True):
            rows.append((model, track, correlation, parameters))
        logger.info("%s: mean r %.3f", model, np.mean([row[2] for row in rows[-len(tracks) :]]))

    add("transfer", head.predict(embeddings.embedding[embeddings.split == "test"]), head.weight.size + head.bias.size)
    torch.set_num_threads(threads)
    network = train_scratch(data, backbone, seed)
    add("scratch", network.predict(data.codes[test]), sum(p.numel() for p in network.parameters()))
    ridge = fit_kmer_ridge(data, embeddings.bin_size, KMER)
    add("kmer_ridge", ridge.predict(data.codes[test]), ridge.weight.size + ridge.intercept.size)
    return pd.DataFrame(rows, columns=["model", "track", "pearson_r", "parameters"])


class Scratch(nn.Module):
    """An Enformer of a backbone's configuration with the library's random start, and a head."""

    def __init__(self, backbone: BackboneSettings, tracks: int) -> None:
        super().__init__()
        enformer = build_enformer(read_config(backbone), backbone)
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
    network = Scratch(backbone, data.targets.shape[-1])
    train, valid = data.rows("train"), data.rows("valid")
    valid = rng.permutation(valid)[:SCRATCH_VALID_REGIONS]
    level = torch.from_numpy(data.targets[train].mean((0, 1))).clamp(min=1e-6)
    with torch.no_grad():
        network.head.bias.copy_(torch.where(level > 20, level, level.clamp(max=20).expm1().log()))
    optimiser = torch.optim.Adam(network.parameters(), lr=SCRATCH_LEARNING_RATE)
    steps = SCRATCH_EPOCHS * -(-min(len(train), SCRATCH_REGIONS) // SCRATCH_BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, SCRATCH_LEARNING_RATE, total_steps=steps)
    best, state = np.inf, network.state_dict()
    for epoch in range(1, SCRATCH_EPOCHS + 1):
        network.train()
        order = rng.permutation(train)[:SCRATCH_REGIONS]
        for part in batches(len(order), SCRATCH_BATCH, f"regions of epoch {epoch}, from scratch"):
            rows = order[part]
            predicted = network(torch.from_numpy(one_hot(data.codes[rows])))
            loss = poisson_loss(predicted, torch.from_numpy(data.targets[rows]))
            optimiser.zero_grad()
            torch.autograd.backward([loss])
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        predicted_valid = network.predict(data.codes[valid])
        valid_loss = float(poisson_losses(*(_flat(a) for a in (predicted_valid, data.targets[valid]))).mean())
        logger.info("from scratch, epoch %d: valid loss %.5f", epoch, valid_loss)
        if valid_loss < best:
            best = valid_loss
            state = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(state)
    return network


@dataclass(frozen=True)
class KmerRidge:
    """Ridge regression on k-mer counts: weight (kmers, tracks), intercept (tracks,), per track on log1p or not."""

    weight: NDArray[np.float64]
    intercept: NDArray[np.float64]
    logarithmic: NDArray[np.bool_]
    bin_size: int
    bins: int
    k: int

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Signal (regions, bins, tracks) of codes (regions, length)."""
        parts = (codes[part : part + _REGIONS_AT_ONCE] for part in range(0, len(codes), _REGIONS_AT_ONCE))
        fitted = [kmer_counts(part, self.bin_size, self.bins, self.k) @ self.weight for part in parts]
        linear = np.concatenate(fitted) + self.intercept
        signal = np.where(self.logarithmic, np.expm1(np.minimum(linear, 50)), linear)
        return signal.reshape(len(codes), self.bins, -1)


def fit_kmer_ridge(data: RegionData, bin_size: int, k: int = KMER) -> KmerRidge:
    """Ridge regression of signal, or of log1p of it, on counts of the k-mers of both strands around each bin.

    The penalty (as a multiple of the mean variance of a count) and the scale are those with the largest Pearson r on
    the validation bins, track by track.
    """
    bins = data.targets.shape[1]
    gram, cross, sums, target_sums, count = _moments(data, bin_size, k)
    mean, target_mean = sums / count, target_sums / count
    gram -= count * np.outer(mean, mean)
    cross -= count * np.outer(mean, target_mean)
    unit = np.trace(gram) / len(gram)
    valid = data.rows("valid")
    observed = _flat(data.targets[valid])
    tracks = observed.shape[1]
    best = np.full(tracks, -np.inf)
    weight, intercept, logarithmic = np.zeros((len(mean), tracks)), target_mean[:tracks].copy(), np.zeros(tracks, bool)
    ridges = [gram + np.diag(np.full(len(gram), penalty * unit)) for penalty in KMER_PENALTIES]
    columns = np.concatenate([solve(ridge, cross, assume_a="pos") for ridge in ridges], 1)
    intercepts = np.tile(target_mean, len(KMER_PENALTIES)) - mean @ columns
    log = np.tile(np.arange(2 * tracks) >= tracks, len(KMER_PENALTIES))
    predicted = _flat(KmerRidge(columns, intercepts, log, bin_size, bins, k).predict(data.codes[valid]))
    for column in range(columns.shape[1]):
        track = column % tracks
        reached = pearson_r(predicted[:, [column]], observed[:, [track]])[0]
        if reached > best[track]:
            best[track], weight[:, track], intercept[track] = reached, columns[:, column], intercepts[column]
            logarithmic[track] = log[column]
    return KmerRidge(weight, intercept, logarithmic, bin_size, bins, k)


def _moments(
    data: RegionData, bin_size: int, k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Sums over the training bins of counts x counts, counts x targets, counts, targets (signal and its log1p)."""
    train = data.rows("train")
    kmers, tracks = len(np.unique(_canonical(k))), data.targets.shape[-1]
    gram, cross = np.zeros((kmers, kmers)), np.zeros((kmers, 2 * tracks))
    sums, target_sums = np.zeros(kmers), np.zeros(2 * tracks)
    for part in _parts(train):
        counts = kmer_counts(data.codes[part], bin_size, data.targets.shape[1], k)
        signal = _flat(data.targets[part]).astype(np.float64)
        both = np.concatenate([signal, np.log1p(signal)], 1)
        gram += counts.T @ counts  # exact: sums of small integers
        cross += counts.T.astype(np.float64) @ both
        sums += counts.sum(0, dtype=np.float64)
        target_sums += both.sum(0)
    return gram, cross, sums, target_sums, len(train) * data.targets.shape[1]


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    yield from (rows[start : start + _REGIONS_AT_ONCE] for start in range(0, len(rows), _REGIONS_AT_ONCE))


def _flat(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return values.reshape(-1, values.shape[-1])


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
