"""Genotypes of a panel and a GWAS from one population, simulated by the coalescent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.whole import atomic_path
from fineprior.sequence.motifs import UNKNOWN

MUTATION_RATE = 1.25e-8
RECOMBINATION_RATE = 2e-8
"""Mean over hotspots and the rest, per bp and generation: that of the smallest human chromosomes."""
_COLD_SHARE = 0.05
_HOTSPOT_WIDTH = 2_000
_HOTSPOT_SPACING = 25_000
_TRANSITIONS = 0.68
_HISTORY = ((0, 17_000), (1_300, 6_000), (3_500, 7_800))
"""(generations ago, size): a bottleneck, then growth, as of the populations that left Africa."""


@dataclass(frozen=True)
class Population(ReadOnly):
    """Single-nucleotide variants of one chromosome in a population.

    positions (p,) are 0-based and unique, ref and alt (p,) codes of bases, dosages (p, samples) copies of alt.
    """

    positions: NDArray[np.int64]
    ref: NDArray[np.uint8]
    alt: NDArray[np.uint8]
    dosages: NDArray[np.int8]


def simulate_population(
    codes: NDArray[np.uint8], pieces: Sequence[tuple[int, int]], samples: int, min_maf: float, rng: np.random.Generator
) -> Population:
    """Genotypes of `samples` diploid samples by msprime (Kelleher et al., PLoS Comput Biol 2016).

    One population of human size with a bottleneck; recombination is concentrated in hotspots. The pieces of the
    chromosome are independent, as if they lay far apart. Otherwise, with a strong locus every 0.2 Mb, weak LD with many
    other loci would shift each statistic, which it does not in a real genome of 3 Gb.
    The ancestral allele is the base of the sequence; two thirds of mutations are transitions. Sites with several
    mutations, on N, or of a minor allele frequency below `min_maf` in all samples together are excluded.

    Parameters
    ----------
    codes
        Bases (length,) of the chromosome.
    pieces
        Start and end (0-based, half-open) of each piece, in order, without overlap.
    samples
        Number of diploid samples.
    min_maf
        Minor allele frequency.
    rng
        Source of randomness.
    """
    simulated = [_simulate_piece(codes[start:end], samples, min_maf, rng) for start, end in pieces]
    positions = np.concatenate([start + where for (start, _), (where, _) in zip(pieces, simulated, strict=True)])
    return Population(
        positions, codes[positions], _derived(codes[positions], rng), np.concatenate([table for _, table in simulated])
    )


def _simulate_piece(
    codes: NDArray[np.uint8], samples: int, min_maf: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Positions (p,) within the piece and dosages (p, samples) of the derived allele."""
    import msprime

    ancestry, mutation = (int(number) for number in rng.integers(1, 2**31, size=2))
    history = msprime.Demography()
    history.add_population(name="simulated", initial_size=_HISTORY[0][1])
    for generation, size in _HISTORY[1:]:
        history.add_population_parameters_change(time=generation, initial_size=size, population="simulated")
    trees = msprime.sim_ancestry(
        samples=samples, demography=history, recombination_rate=_recombination_map(len(codes), rng),
        random_seed=ancestry, record_provenance=False,
    )  # fmt: skip
    trees = msprime.sim_mutations(
        trees, rate=MUTATION_RATE, model=msprime.BinaryMutationModel(), random_seed=mutation, record_provenance=False
    )
    positions, dosages = [], []
    for variant in trees.variants():
        position = int(variant.site.position)
        if len(variant.site.mutations) > 1 or codes[position] >= UNKNOWN:
            continue
        copies = (variant.genotypes[::2] + variant.genotypes[1::2]).astype(np.int8)
        frequency = copies.sum(dtype=np.int64) / (2 * samples)
        if min_maf <= frequency <= 1 - min_maf:
            positions.append(position)
            dosages.append(copies)
    table = np.stack(dosages) if dosages else np.empty((0, samples), dtype=np.int8)
    return np.array(positions, dtype=np.int64), table


def _recombination_map(length: int, rng: np.random.Generator) -> Any:
    """A cold background with hotspots of 2 kb about every 25 kb; the mean is RECOMBINATION_RATE."""
    import msprime

    mean_gap = _HOTSPOT_SPACING - _HOTSPOT_WIDTH
    gaps = rng.integers(mean_gap // 2, mean_gap * 3 // 2, size=2 * length // mean_gap + 2)
    starts = np.cumsum(gaps + _HOTSPOT_WIDTH) - _HOTSPOT_WIDTH
    starts = starts[starts + _HOTSPOT_WIDTH < length]
    breaks = np.concatenate([[0], np.stack([starts, starts + _HOTSPOT_WIDTH], axis=1).ravel(), [length]])
    cold = _COLD_SHARE * RECOMBINATION_RATE
    hot = (1 - _COLD_SHARE) * RECOMBINATION_RATE * _HOTSPOT_SPACING / _HOTSPOT_WIDTH
    rates = np.full(len(breaks) - 1, cold)
    rates[1::2] = hot
    return msprime.RateMap(position=breaks, rate=rates)


def _derived(ancestral: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Another base each: the transition (A-G, C-T: two codes apart) or one of the two transversions."""
    draw = rng.random(len(ancestral))
    step = np.where(draw < _TRANSITIONS, 2, np.where(draw < (1 + _TRANSITIONS) / 2, 1, 3))
    derived: NDArray[np.uint8] = ((ancestral + step) % 4).astype(np.uint8)
    return derived


_MAGIC = b"\x6c\x1b\x01"
_BIM = ["chrom", "snp_id", "cm", "pos", "a1", "a2"]


def write_panel(
    prefix: str | Path, variants: pd.DataFrame, chunks: Iterable[NDArray[np.int8]], names: list[str] | None = None
) -> None:
    """Write PLINK .bed, .bim and .fam.

    Parameters
    ----------
    prefix
        Path without suffix.
    variants
        Columns chrom, pos, snp_id, a1, a2: one row for each column of the chunks.
    chunks
        Arrays (n, k) of copies of A1: 0, 1, 2, or -1 for missing; consecutive runs of variants.
    names
        Names of the n samples; 1, 2, ... when None.

    Raises
    ------
    ValueError
        If the chunks do not fit one another or `variants`.
    """
    code_of_copies = np.array([3, 2, 0, 1], np.uint8)  # of 0, 1, 2 and (index -1) missing
    written, samples = 0, len(names) if names is not None else -1
    with atomic_path(f"{prefix}.bed") as bed, atomic_path(f"{prefix}.bim") as bim, atomic_path(f"{prefix}.fam") as fam:
        with bed.open("wb") as handle:
            handle.write(_MAGIC)
            for chunk in chunks:
                samples = len(chunk) if samples < 0 else samples
                if len(chunk) != samples or not np.isin(chunk, [-1, 0, 1, 2]).all():
                    raise ValueError(f"chunk of shape {chunk.shape}: needs {samples} rows of -1, 0, 1, 2")
                codes = np.zeros((chunk.shape[1], (samples + 3) // 4 * 4), np.uint8)
                codes[:, :samples] = code_of_copies[chunk.T]
                grouped = codes.reshape(len(codes), (samples + 3) // 4, 4) << np.array([0, 2, 4, 6], np.uint8)
                handle.write(np.bitwise_or.reduce(grouped, axis=2).tobytes())
                written += len(codes)
        if written != len(variants):
            raise ValueError(f"{written} variants in the chunks, {len(variants)} in the table")
        variants.assign(cm=0)[_BIM].to_csv(bim, sep="\t", header=False, index=False)
        names = [str(i + 1) for i in range(samples)] if names is None else names
        fam.write_text("".join(f"{name}\t{name}\t0\t0\t0\t-9\n" for name in names))
