"""Regulatory grammar: activity of tracks from the motifs' occupancy of bins, and noisy coverage as bigWig.

A general track adds up the motifs of a cell type. A disease track follows a combination rule: a driver motif and a
partner motif must be occupied close to one another, and a repressor closes the element. No general track has the
drivers, so that general tracks explain only part of a disease track.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
from fineprior.sequence.motifs import UNKNOWN, Motif, occupancy, site_thresholds

BIN_SIZE = 128
"""Width (bp) of the bins of tracks."""
MAX_ACTIVITY = 30.0
"""Activity of a disease track where drivers and partners saturate."""
DEPTH = 2.0
"""Reads per unit of signal; more reads mean less noise."""
BACKGROUND = 0.1
"""Signal where nothing is active."""
_HALF_OCCUPANCY = 0.5
_COOPERATIVITY = 1.5
_REPRESSION = 2.0
_NEIGHBOUR = 0.1
_GENERAL_GAIN = 6.0
_CHUNK = 4096


@dataclass(frozen=True)
class Rule:
    """A disease track: active where any driver and any partner are occupied, and the repressor is not."""

    drivers: tuple[str, ...]
    partners: tuple[str, ...]
    repressor: str


DISEASE_RULES = (
    Rule(("AR",), ("FOXA1", "GATA2"), "NFYA"),
    Rule(("HOXB13",), ("FOXA1", "CEBPA"), "RUNX3"),
    Rule(("ERG",), ("GATA2", "FOSL1"), "SOX2"),
)
"""Rules of the disease tracks, in the order of the tracks."""

GENERAL_GROUPS = {
    "lymphoid": ("SPI1", "IRF1", "RUNX3", "EBF1", "NFKB1", "MEF2A"),
    "erythroid": ("GATA2", "TAL1::TCF3", "FOSL1", "CTCF"),
    "liver": ("HNF4A", "HNF1A", "FOXA1", "CEBPA", "ONECUT1"),
    "stem": ("POU5F1", "SOX2", "TEAD4", "SP1", "NRF1", "NFYA"),
}
"""Motifs of each general track, in the order of the tracks."""


def grammar_motifs(motifs: Sequence[Motif]) -> list[Motif]:
    """The motifs of the disease rules, each once, in the order of `motifs`.

    Raises
    ------
    InputError
        If a motif that the disease rules or the general groups name is absent.
    """
    disease = {name for rule in DISEASE_RULES for name in (*rule.drivers, *rule.partners, rule.repressor)}
    general = {name for group in GENERAL_GROUPS.values() for name in group}
    missing = sorted((disease | general) - {motif.name for motif in motifs})
    if missing:
        raise InputError(f"motif file: the embedded study's grammar needs the motif {missing[0]}, which is absent")
    return [motif for motif in motifs if motif.name in disease]


def disease_activity(
    occupied: NDArray[np.floating], motifs: Sequence[Motif], tracks: int = len(DISEASE_RULES)
) -> NDArray[np.float64]:
    """Activity of the disease tracks, without noise.

    MAX_ACTIVITY h(drivers) h(partners) / (1 + 2 repressor), h(x) = x^1.5 / (x^1.5 + 0.5^1.5), where drivers,
    partners and repressor are summed occupancies of a bin and, with weight 0.1, of either neighbour.

    Parameters
    ----------
    occupied
        (..., bins, motifs) occupancies of consecutive bins, as from `fineprior.sequence.motifs.occupancy`.
    motifs
        The motifs of the last axis; those that no rule names are ignored.
    tracks
        Number of tracks.

    Returns
    -------
    activity
        (..., bins, tracks), between 0 and MAX_ACTIVITY. Nothing is occupied beyond the first and the last bin.

    Raises
    ------
    InputError
        If there are not as many rules, or a motif is absent.
    """
    if not 1 <= tracks <= len(DISEASE_RULES):
        raise InputError(f"embedded.disease_tracks: {tracks} is not allowed; 1 to {len(DISEASE_RULES)}")
    activity = []
    for rule in DISEASE_RULES[:tracks]:
        driver, partner = (_saturated(_nearby(occupied, motifs, group)) for group in (rule.drivers, rule.partners))
        closed = 1 + _REPRESSION * _nearby(occupied, motifs, (rule.repressor,))
        activity.append(MAX_ACTIVITY * driver * partner / closed)
    return np.stack(activity, axis=-1)


def general_activity(occupied: NDArray[np.floating], motifs: Sequence[Motif], tracks: int) -> NDArray[np.float64]:
    """Activity (..., bins, tracks) of the general tracks, without noise: a sum over the motifs of a cell type.

    Raises
    ------
    InputError
        If there are not as many groups of motifs, or a motif is absent.
    """
    if not 1 <= tracks <= len(GENERAL_GROUPS):
        raise InputError(f"general tracks: {tracks} is not allowed; 1 to {len(GENERAL_GROUPS)}")
    groups = list(GENERAL_GROUPS.values())[:tracks]
    return _GENERAL_GAIN * np.stack([_nearby(occupied, motifs, group) for group in groups], axis=-1)


def _nearby(occupied: NDArray[np.floating], motifs: Sequence[Motif], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Summed occupancy (..., bins) of the named motifs in each bin, plus a part of that in both neighbours."""
    order = [motif.name for motif in motifs]
    missing = [name for name in names if name not in order]
    if missing:
        raise InputError(f"motif file: the embedded study's grammar needs the motif {missing[0]}, which is absent")
    own = occupied[..., [order.index(name) for name in names]].sum(-1, dtype=np.float64)
    nearby = own.copy()
    nearby[..., 1:] += _NEIGHBOUR * own[..., :-1]
    nearby[..., :-1] += _NEIGHBOUR * own[..., 1:]
    return nearby


def _saturated(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hill function of an occupancy."""
    power = values**_COOPERATIVITY
    saturated: NDArray[np.float64] = power / (power + _HALF_OCCUPANCY**_COOPERATIVITY)
    return saturated


def track_effects(
    codes: NDArray[np.uint8],
    positions: NDArray[np.int64],
    alternatives: NDArray[np.uint8],
    motifs: Sequence[Motif],
    tracks: int = len(DISEASE_RULES),
) -> NDArray[np.float64]:
    """Change of the disease tracks by each substitution, without noise.

    Sites can change only in the bin of a variant and its neighbours, so only these occupancies are recomputed.

    Parameters
    ----------
    codes
        Bases (length,) of the chromosome.
    positions
        (variants,) 0-based positions.
    alternatives
        (variants,) codes of the alternative bases.
    motifs, tracks
        As for `disease_activity`.

    Returns
    -------
    effects
        (variants,) L2 norm over tracks and bins of log2((alternative + 1) / (reference + 1)).
    """
    motifs = grammar_motifs(motifs)
    thresholds = site_thresholds(motifs)
    beside = 3
    padded = np.full((-(-len(codes) // BIN_SIZE) + 2 * beside) * BIN_SIZE, UNKNOWN, dtype=np.uint8)
    padded[beside * BIN_SIZE :][: len(codes)] = codes
    everywhere = occupancy(padded, motifs, BIN_SIZE, thresholds)
    bins = positions // BIN_SIZE + beside
    effects = np.empty(len(positions))
    for first in range(0, len(positions), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        starts = (bins[chunk] - 1) * BIN_SIZE
        reference = padded[starts[:, None] + np.arange(3 * BIN_SIZE)]
        alternative = reference.copy()
        alternative[np.arange(len(starts)), positions[chunk] + beside * BIN_SIZE - starts] = alternatives[chunk]
        # Sites across the seams of the concatenation are in both and cancel.
        change = occupancy(alternative.ravel(), motifs, BIN_SIZE, thresholds)
        change -= occupancy(reference.ravel(), motifs, BIN_SIZE, thresholds)
        place = bins[chunk, None] + np.arange(-beside, beside + 1)
        before = everywhere[place]
        after = before.copy()
        after[:, 2:5] = np.maximum(after[:, 2:5] + change.reshape(len(starts), 3, -1), 0)
        # The outermost two bins lack a neighbour, but cannot change; bins beyond the chromosome do not count.
        inside = (place >= beside) & (place < len(everywhere) - beside)
        ratio = np.log2(disease_activity(after, motifs, tracks) + 1)
        ratio -= np.log2(disease_activity(before, motifs, tracks) + 1)
        effects[chunk] = np.sqrt(((ratio**2).sum(2) * inside)[:, 1:-1].sum(1))
    return effects


def simulate_coverage(activity: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Noisy signal: Poisson counts of reads over their depth.

    Each count comes from one uniform number by the inverse distribution function, so that a difference in the last
    digit of one activity does not change the noise of all later ones.
    """
    counts = poisson.ppf(rng.random(activity.shape), DEPTH * (activity + BACKGROUND))
    return np.asarray(counts / DEPTH, dtype=np.float32)


def write_bigwig(path: str | Path, contigs: dict[str, int], signal: dict[str, NDArray[np.float32]]) -> None:
    """Write one value for each whole bin of 128 bp; an incomplete last bin has no value.

    Parameters
    ----------
    path
        The bigWig file.
    contigs
        Length (bp) of each contig, for the header.
    signal
        Values (bins,) of contigs, in the order of `contigs`.
    """
    import pyBigWig

    with atomic_path(path) as temporary:
        handle = pyBigWig.open(str(temporary), "w")
        handle.addHeader(list(contigs.items()))
        for chrom, values in signal.items():
            whole = values[: contigs[chrom] // BIN_SIZE]
            handle.addEntries(chrom, 0, values=whole.tolist(), span=BIN_SIZE, step=BIN_SIZE)
        handle.close()
