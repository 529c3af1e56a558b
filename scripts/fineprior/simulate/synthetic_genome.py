"""Synthetic chromosomes: background sequence, regulatory elements, and training windows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
from fineprior.sequence.motifs import UNKNOWN, Motif
from fineprior.simulate.grammar import BIN_SIZE, DISEASE_RULES, GENERAL_GROUPS

TELOMERE = 2_000
"""Length (bp) of the run of N at either end of a chromosome; shorter on a chromosome below 200 kb."""
MAX_UNKNOWN = 0.05
"""A training window with a larger share of N is excluded."""
_SEGMENT = 1_000
_CPG_DEPLETION = 0.25
_ELEMENT_SPACING = 900.0
_SHARPNESS = (0.7, 1.0, 2.0)
_BYTES = np.frombuffer(b"ACGTN", dtype=np.uint8)
_LINE = 60


def simulate_sequence(length: int, motifs: Sequence[Motif], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One chromosome.

    The background is a first-order Markov chain with few CpG, whose GC content varies along the chromosome from
    0.35 to 0.55 (isochores of about 100 kb, and by 1 kb within them). Regulatory elements, clusters of motif
    instances, are laid over it about every 0.9 kb; both ends are N.

    Parameters
    ----------
    length
        Length (bp).
    motifs
        All motifs that the grammar names.
    rng
        Source of randomness.

    Returns
    -------
    codes
        Bases (length,): 0-3 for A, C, G, T and 4 for N.
    """
    codes = _background(length, rng)
    by_name = {motif.name: motif for motif in motifs}
    start = int(rng.exponential(_ELEMENT_SPACING))
    while start < length:
        element = _element(by_name, codes[start:], rng)
        start += element + int(rng.exponential(_ELEMENT_SPACING))
    telomere = min(TELOMERE, length // 100)
    codes[:telomere] = codes[length - telomere :] = UNKNOWN
    return codes


def _background(length: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Markov chains of 1 kb, one for each segment; all chains advance together, base by base."""
    segments = -(-length // _SEGMENT)
    isochores = np.repeat(rng.uniform(0.37, 0.51, -(-segments // 100)), 100)[:segments]
    gc = np.clip(isochores + rng.normal(0, 0.03, segments), 0.35, 0.55)
    base = np.stack([(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2], axis=1)
    transition = np.repeat(base[:, None, :], 4, axis=1)
    transition[:, 1, 2] *= _CPG_DEPLETION
    cumulative = np.cumsum(transition / transition.sum(2, keepdims=True), axis=2)
    every = np.arange(segments)
    state = (rng.random(segments)[:, None] > np.cumsum(base, axis=1)[:, :3]).sum(1)
    codes = np.empty((segments, _SEGMENT), dtype=np.uint8)
    for step in range(_SEGMENT):
        state = (rng.random(segments)[:, None] > cumulative[every, state, :3]).sum(1)
        codes[:, step] = state
    return codes.ravel()[:length]


def _element(by_name: dict[str, Motif], codes: NDArray[np.uint8], rng: np.random.Generator) -> int:
    """Lay one regulatory element over the start of `codes`, in place; its length (bp) is returned."""
    names = _composition(rng)
    position = 0
    for name in names:
        site = _instance(by_name[name], rng)
        end = position + len(site)
        if end > len(codes):
            break
        codes[position:end] = site
        position = end + int(rng.integers(2, 16))
    return position


def _composition(rng: np.random.Generator) -> list[str]:
    """Names of an element's motifs in order: of the disease rules in full or in part, or of a cell type.

    Some elements have only one group of a rule, or its repressor too: without them the combination would not matter.
    """
    if rng.random() < 0.25:
        names = list(rng.choice(list(GENERAL_GROUPS.values())[rng.integers(len(GENERAL_GROUPS))], rng.integers(3, 7)))
    else:
        rule = DISEASE_RULES[rng.integers(len(DISEASE_RULES))]
        kind = rng.choice(["both", "drivers", "partners", "repressed"], p=[0.55, 0.15, 0.15, 0.15])
        names = []
        if kind != "partners":
            names += list(rng.choice(rule.drivers, rng.integers(2, 4)))
        if kind != "drivers":
            names += list(rng.choice(rule.partners, rng.integers(2, 4)))
        if kind == "repressed":
            names += [rule.repressor] * int(rng.integers(1, 3))
    rng.shuffle(names)
    return [str(name) for name in names]


def _instance(motif: Motif, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A site drawn from the weight matrix, sharpened or flattened so that affinities vary; either strand."""
    probabilities = motif.probabilities ** rng.choice(_SHARPNESS)
    cumulative = np.cumsum(probabilities / probabilities.sum(1, keepdims=True), axis=1)
    site = (rng.random(motif.width)[:, None] > cumulative[:, :3]).sum(1).astype(np.uint8)
    return site if rng.random() < 0.5 else 3 - site[::-1]


def write_fasta(path: str | Path, contigs: dict[str, NDArray[np.uint8]]) -> None:
    """Write the bases of chromosomes as FASTA with 60 bases to a line, and its index beside it."""
    import pysam

    with atomic_path(path) as temporary:
        with temporary.open("wb") as handle:
            for name, codes in contigs.items():
                handle.write(f">{name}\n".encode())
                text = _BYTES[codes]
                whole = len(text) // _LINE * _LINE
                lines = np.full((whole // _LINE, _LINE + 1), ord("\n"), dtype=np.uint8)
                lines[:, :_LINE] = text[:whole].reshape(-1, _LINE)
                handle.write(lines.tobytes())
                if whole < len(text):
                    handle.write(text[whole:].tobytes() + b"\n")
        with atomic_path(f"{path}.fai") as index:
            pysam.faidx(str(temporary), "--fai-idx", str(index))  # type: ignore[attr-defined]


def tile_regions(
    contigs: dict[str, NDArray[np.uint8]], splits: dict[str, str], context_length: int, target_bins: int
) -> pd.DataFrame:
    """Windows whose central target bins tile each chromosome.

    Parameters
    ----------
    contigs
        Bases of each chromosome.
    splits
        train, valid or test for each chromosome.
    context_length
        Length (bp) of a window.
    target_bins
        Bins of 128 bp at its centre that are predicted.

    Returns
    -------
    regions
        chrom, start, end, split; windows lie within the chromosome and have at most 5% N.

    Raises
    ------
    InputError
        If the targets do not lie at the centre of a window, in whole bins.
    """
    crop, rest = divmod(context_length - target_bins * BIN_SIZE, 2 * BIN_SIZE)
    if crop < 0 or rest or target_bins < 1:
        raise InputError(
            f"backbone: target_bins {target_bins} does not fit context_length {context_length}: the rest must be a "
            f"multiple of {2 * BIN_SIZE} bp, half on either side"
        )
    rows = []
    for chrom, codes in contigs.items():
        unknown = np.concatenate([[0], np.cumsum(codes >= UNKNOWN)])
        starts = np.arange(0, len(codes) - context_length + 1, target_bins * BIN_SIZE)
        share = (unknown[starts + context_length] - unknown[starts]) / context_length
        rows += [(chrom, start, start + context_length, splits[chrom]) for start in starts[share <= MAX_UNKNOWN]]
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "split"])
