"""Simulated disease: causal variants, their effects, cases and controls."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError

FUNCTIONAL_SHARE = 0.10
"""Share of the common variants, those that change the disease tracks most, that counts as functional."""
FUNCTIONAL_FLOOR = 0.3
"""Smallest change of the disease tracks (L2 norm of log2 ratios) that counts."""
CAUSAL_MIN_MAF = 0.05
"""Common variants, among which the causal ones are, have this minor allele frequency in panel and GWAS."""
_CAUSAL_NUMBERS = (0.65, 0.25, 0.10)
_RADIUS = 12_500
_MIN_PIECE = 10_000


@dataclass(frozen=True)
class Causal(ReadOnly):
    """Causal variants: rows (k,) of the table of variants, locus (k,) from 0."""

    rows: NDArray[np.int64]
    locus: NDArray[np.int64]


def divide_into_pieces(lengths: dict[str, int], loci: int) -> dict[str, list[tuple[int, int]]]:
    """Equal pieces (start, end) of each chromosome, one for each of its loci, which are spread evenly.

    A chromosome without a locus is one piece.

    Raises
    ------
    InputError
        If a piece would be shorter than 10 kb.
    """
    shares = [len(part) for part in np.array_split(np.arange(loci), len(lengths))]
    pieces = {}
    for (chrom, length), share in zip(lengths.items(), shares, strict=True):
        bounds = np.linspace(0, length, max(share, 1) + 1).astype(int).tolist()
        pieces[chrom] = list(pairwise(bounds))
        if length < _MIN_PIECE * share:
            raise InputError(
                f"embedded.causal_loci: {loci} is too many for chromosome_length {length}; "
                f"allowed: {_MIN_PIECE} bp or more for each locus"
            )
    return pieces


def functional_variants(track_effect: NDArray[np.float64], common: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Flag (variants,): track effect at least FUNCTIONAL_FLOOR and among the top tenth of common variants.

    Parameters
    ----------
    track_effect
        Change of the disease tracks (variants,).
    common
        Flags (variants,) of the common variants.
    """
    if not common.any():
        return np.zeros(len(track_effect), dtype=bool)
    threshold = max(FUNCTIONAL_FLOOR, float(np.quantile(track_effect[common], 1 - FUNCTIONAL_SHARE)))
    flags: NDArray[np.bool_] = track_effect >= threshold
    return flags


def choose_causal(
    variants: pd.DataFrame, lengths: dict[str, int], loci: int, enrichment: float, rng: np.random.Generator
) -> Causal:
    """Draw causal variants: 1 to 3 within 25 kb in each locus, `enrichment` times as often when functional.

    A locus lies about the middle of its piece. Whether a draw is functional is decided by systematic sampling over
    all draws: each has its own probability, the weight of the functional candidates over that of all, and the total
    is the sum of these within one, so that a small study has the required enrichment.

    Parameters
    ----------
    variants
        chrom, pos, eligible (flag), functional (flag).
    lengths
        Length (bp) of each chromosome.
    loci
        Number of loci.
    enrichment
        Weight of a functional variant; others have 1.
    rng
        Source of randomness.

    Raises
    ------
    InputError
        If there is no eligible variant near the middle of a piece.
    """
    functional = variants["functional"].to_numpy()
    rows: list[int] = []
    locus_of: list[int] = []
    phase = float(rng.random())
    places = [(chrom, *piece) for chrom, pieces in divide_into_pieces(lengths, loci).items() for piece in pieces]
    for number, (chrom, start, end) in enumerate(places[:loci]):
        centre = start + (0.5 + rng.uniform(-0.1, 0.1)) * (end - start)
        near = (variants["chrom"] == chrom) & ((variants["pos"] - centre).abs() <= min(_RADIUS, (end - start) / 4))
        candidates = np.flatnonzero(near & variants["eligible"])
        if not len(candidates):
            raise InputError(
                f"embedded: no common variant near {chrom}:{centre:.0f} to be causal; fewer causal_loci ({loci}) "
                f"or a larger chromosome_length ({lengths[chrom]}) leave more to choose from"
            )
        wanted = 1 + int(rng.choice(len(_CAUSAL_NUMBERS), p=_CAUSAL_NUMBERS))
        for _ in range(min(wanted, len(candidates))):
            weight = np.where(functional[candidates], enrichment, 1.0)
            phase += float(weight[functional[candidates]].sum() / weight.sum())
            chosen = int(rng.choice(candidates[functional[candidates] == (phase >= 1)]))
            phase %= 1
            candidates = candidates[candidates != chosen]
            rows.append(chosen)
            locus_of.append(number)
    return Causal(np.array(rows, dtype=np.int64), np.array(locus_of, dtype=np.int64))


def draw_effects(
    causal: Causal, dosages: NDArray[np.int8], heritability: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Effects (k,) of one alternative allele on a liability of variance 1, independent of function.

    Each locus draws its share of the variance (a constant plus an exponential variate), which its causal variants
    divide. Signs are random. Then all effects are scaled so that the genetic values have variance `heritability`.

    Parameters
    ----------
    causal
        The causal variants.
    dosages
        Their copies (k, samples) of the alternative allele.
    heritability
        Variance of the genetic values.
    rng
        Source of randomness.
    """
    share = np.empty(len(causal.rows))
    for locus in range(int(causal.locus.max()) + 1):
        members = np.flatnonzero(causal.locus == locus)
        size = (0.75 + rng.exponential(0.25)) * len(members) ** 0.5
        share[members] = size * rng.dirichlet(np.full(len(members), 4.0))
    # Sums of integers, so that no order of summation shows in the last digit.
    total, squares = dosages.sum(1, dtype=np.int64), np.einsum("ij,ij->i", dosages, dosages, dtype=np.int64)
    samples = dosages.shape[1]
    variance = squares / samples - (total / samples) ** 2
    effects = np.sqrt(share / variance) * rng.choice([-1.0, 1.0], len(share))
    return effects * np.sqrt(heritability / genetic_values(dosages, effects).var())


def genetic_values(dosages: NDArray[np.int8], effects: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum (samples,) of copies times effects, variant by variant: without BLAS, every machine gives the same."""
    values = np.zeros(dosages.shape[1])
    for copies, effect in zip(dosages, effects, strict=True):
        values += effect * copies
    return values


def draw_cases(values: NDArray[np.float64], heritability: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Flag (samples,): the half with the larger liability, genetic value plus a normal of variance 1 - h2."""
    liability = values + rng.normal(0, np.sqrt(1 - heritability), len(values))
    cases = np.zeros(len(values), dtype=bool)
    cases[np.argsort(liability, kind="stable")[len(values) // 2 :]] = True
    return cases
