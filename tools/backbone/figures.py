"""Held-out figures of the shipped backbone: motif tracks, effects of single bases, real DHS of chromosome 1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from enformer_pytorch import Enformer
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from backbone.training import predict
from backbone.windows import (
    BIN,
    OFFSET,
    DhsSites,
    PretrainSettings,
    WindowSampler,
    centre_bin,
    dinucleotide_shuffle,
    random_background,
)
from fineprior.sequence.motifs import UNKNOWN, Motif

ARRANGEMENTS = ("single", "pair", "cluster")
"""Of the sites around the changed base: alone, with a second of the same motif, or with four neighbours."""
GOALS = {
    "motif_r_planted": 0.9,
    "motif_r_unplanted": 0.9,
    "effect_r_single": 0.8,
    "effect_r_pair": 0.8,
    "effect_r_cluster": 0.8,
    "auroc_lowest": 0.88,
    "auroc_given_dhs_lowest": 0.88,
}


@dataclass(frozen=True)
class SiteEffects:
    """Change of log(occupancy + 0.05) of a site's own motif, summed over bins, when one base changes.

    motif (n,) index; predicted and true (n,).
    """

    motif: NDArray[np.int64]
    predicted: NDArray[np.float64]
    true: NDArray[np.float64]


def auroc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve from ranks; ties count half."""
    ranks = rankdata(scores)
    positives = int(positive.sum())
    above = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(scores) - positives)))


def motif_correlations(model: Enformer, sampler: WindowSampler, windows: int, sites: int) -> NDArray[np.float64]:
    """Pearson r of each motif (motifs,) between predicted and true log(occupancy + 0.05) over bins.

    Windows have random bases and `sites` planted sites each; 0 means that only chance matches are left.
    """
    codes = random_background(sampler.rng, windows, sampler.length)
    if sites:
        sampler.plant(codes, sites)
    motifs = len(sampler.motifs)
    predicted = np.log(predict(model, codes)[..., :motifs].numpy() + OFFSET).reshape(-1, motifs)
    true = sampler.log_occupancy(codes).reshape(-1, motifs)
    return np.array([np.corrcoef(predicted[:, j], true[:, j])[0, 1] for j in range(motifs)])


def site_effects(
    model: Enformer, sampler: WindowSampler, sites_per_motif: int, arrangement: str, changes: int = 4
) -> SiteEffects:
    """Effects of single bases in sites, predicted by the track of the motif, and the motif's own.

    A site of each motif is written near the middle of a window in the company that `arrangement` says, then
    `changes` positions of it are changed, one at a time.
    """
    rng, middle = sampler.rng, sampler.length // 2
    motif = np.repeat(np.arange(len(sampler.motifs)), sites_per_motif)
    reference = random_background(rng, len(motif), sampler.length)
    alternative = np.empty((len(motif), changes, sampler.length), dtype=np.uint8)
    for row, index in enumerate(motif.tolist()):
        start = middle + int(rng.integers(-BIN, BIN))
        same = 0 if arrangement == "single" else 1
        for neighbour in range({"single": 0, "pair": 1, "cluster": 4}[arrangement]):
            other = index if neighbour < same else int(rng.integers(len(sampler.motifs)))
            distance = int(rng.integers(16, 100)) * int(rng.choice((-1, 1)))
            sampler.write_site(reference[row], row, start + distance, other)
        sampler.write_site(reference[row], row, start, index)
        alternative[row] = reference[row]
        offsets = rng.choice(sampler.motifs[index].width, size=changes, replace=False)
        for change, position in enumerate(start + offsets):
            old = reference[row, position]
            alternative[row, change, position] = (old + rng.integers(1, 4)) % 4
    codes = np.concatenate([reference[:, None], alternative], axis=1).reshape(-1, sampler.length)
    predicted = np.log(predict(model, codes)[..., : len(sampler.motifs)].numpy() + OFFSET).sum(1)
    true = sampler.log_occupancy(codes).sum(1)
    rows = np.arange(len(motif))
    effects = []
    for values in (predicted, true):
        by_site = values.reshape(len(motif), changes + 1, -1)[rows, :, motif].astype(np.float64)
        effects.append((by_site[:, 1:] - by_site[:, :1]).ravel())
    return SiteEffects(np.repeat(motif, changes), effects[0], effects[1])


def dhs_tracks(
    model: Enformer, codes: NDArray[np.uint8], length: int, rng: np.random.Generator | None, cell_types: int
) -> NDArray[np.float32]:
    """Cell-type tracks (n, cell types) of elements (n, width) in the middle of windows, mean of two bins.

    Around an element are random bases, or N where `rng` is None.
    """
    if rng is None:
        windows = np.full((len(codes), length), UNKNOWN, dtype=np.uint8)
    else:
        windows = random_background(rng, len(codes), length)
    start = (length - codes.shape[1]) // 2
    windows[:, start : start + codes.shape[1]] = codes
    first = centre_bin(length // 2)
    tracks = predict(model, windows)[:, first : first + 2, -cell_types:]
    return tracks.mean(1).numpy().astype(np.float32)


def dhs_figures(
    model: Enformer, sites: DhsSites, length: int, rng: np.random.Generator
) -> dict[str, float | dict[str, float]]:
    """How well the cell-type tracks tell real DHS of one cell type from those of the others, and from shuffles.

    `auroc` ranks DHS by the track itself, `auroc_given_dhs` by its share in the sum of the tracks: the answer to
    "which cell type" once it is known that there is a DHS.
    """
    cells = len(sites.cell_types)
    tracks = dhs_tracks(model, sites.codes, length, rng, cells)
    shuffles = np.stack([dinucleotide_shuffle(rng, codes) for codes in sites.codes])
    background = dhs_tracks(model, shuffles, length, rng, cells)
    figures: dict[str, float | dict[str, float]] = {"sites": float(len(sites.codes))}
    for name, scores in (
        ("auroc", tracks),
        ("auroc_given_dhs", tracks / tracks.sum(1, keepdims=True)),
        ("auroc_flank_n", dhs_tracks(model, sites.codes, length, None, cells)),
    ):
        by_cell = {
            cell: auroc(scores[:, index], sites.cell_type == index) for index, cell in enumerate(sites.cell_types)
        }
        figures |= {name: by_cell, f"{name}_lowest": min(by_cell.values())}
    is_dhs = np.repeat([True, False], len(sites.codes))
    figures["accuracy"] = float((tracks.argmax(1) == sites.cell_type).mean())
    figures["auroc_against_shuffled"] = auroc(np.concatenate([tracks.sum(1), background.sum(1)]), is_dhs)
    return figures


def held_out_figures(
    model: Enformer, motifs: Sequence[Motif], test_sites: DhsSites, settings: PretrainSettings
) -> dict[str, object]:
    """All figures of the model card, on windows and DHS that no training step saw."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng([settings.seed, 3])
    sampler = WindowSampler(motifs, settings, rng)
    figures: dict[str, object] = {}
    for name, planted in (("planted", 16), ("unplanted", 0)):
        r = motif_correlations(model, sampler, settings.test_windows, planted)
        figures[f"motif_r_{name}"] = float(r.mean())
        figures[f"motif_r_{name}_lowest"] = float(r.min())
    for arrangement in ARRANGEMENTS:
        effects = site_effects(model, sampler, 1 + settings.test_windows // 12, arrangement)
        strong = np.abs(effects.true) > 0.5
        figures[f"effect_r_{arrangement}"] = float(np.corrcoef(effects.predicted, effects.true)[0, 1])
        figures[f"effect_spearman_{arrangement}"] = float(spearmanr(effects.predicted, effects.true)[0])
        figures[f"effect_slope_{arrangement}"] = float(
            (effects.predicted * effects.true).sum() / (effects.true**2).sum()
        )
        figures[f"effect_sign_agreement_strong_{arrangement}"] = float(
            (np.sign(effects.predicted) == np.sign(effects.true))[strong].mean()
        )
    return figures | dhs_figures(model, test_sites, settings.context_length, rng)
