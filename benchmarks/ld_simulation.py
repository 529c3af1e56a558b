"""Loci of a GWAS with the LD of other people: the data of the benchmarks of the wrong LD.

Two sources of genotypes. "coalescent": msprime, one population with a bottleneck and growth, GWAS and panel drawn
from it together. "mosaic": real genotypes; every simulated person is a mosaic of the people of a PLINK panel, copied
as whole diploid genotypes (so no phasing is needed) that change to another person at SWITCHES per base pair, the rate
of Li and Stephens (doi:10.1093/genetics/165.4.2213) for 1 cM per Mb and about a thousand haplotypes. Panel and GWAS
are different people in both.

The trait follows Zou et al. 2022 (doi:10.1371/journal.pgen.1010299): one to three causal variants per locus with
normal effects, 50,000 people; the variance that a locus explains is log-uniform in EXPLAINED, theirs is 0.5%. The
z-scores are those of regressions on the people themselves. "drifted" is the coalescent with a panel from a population
that split off SPLIT generations ago (F_ST about 0.6%, as between regions of Europe).

`gwas_and_panels` and `drawn_locus` are the cheaper way to many loci: one GWAS population and panels of PANELS in one
simulated window of WINDOW, and z drawn from the LD of the GWAS. "split" populations drift apart for some generations at
the size SPLIT_SIZE; a "founders" panel has been as small as FOUNDERS since. F_ST is about generations / (2 size), half
of it where only the panel drifts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

GWAS_PEOPLE = 50_000
PANEL_PEOPLE = 500
WIDTH = 300_000
MIN_MAF = 0.01
EXPLAINED = (0.001, 0.03)
SWITCHES = 0.45e-6
SPLIT, SPLIT_SIZE = 250, 20_000
BLOCK = 5_000
WINDOW = 100_000
GWAS_LD_PEOPLE = 4_000
FOUNDERS = 2_500
PANELS: Mapping[str, tuple[int, int]] = {
    "matched": (0, 0),
    "split 0.2%": (105, SPLIT_SIZE),
    "split 0.5%": (265, SPLIT_SIZE),
    "split 1%": (480, SPLIT_SIZE),
    "founders 0.2%": (16, FOUNDERS),
    "founders 0.5%": (50, FOUNDERS),
    "founders 1%": (85, FOUNDERS),
}
"""Panel: generations since it split off the GWAS's population, and its size since; (0, 0) for the same population."""
CAUSAL_CHI2 = 40.0
HIDING = (0.3, 0.9)
_HISTORY = ((0, 100_000), (500, 12_000), (2_000, 3_000), (3_000, 12_000))
"""(generations ago, size)."""

Genotypes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class SimulatedLocus:
    """A locus: z (p,) of the GWAS, correlations (p, p) in panel and GWAS, causal variants, variance explained."""

    z: npt.NDArray[np.float64]
    R_panel: npt.NDArray[np.floating]
    R_gwas: npt.NDArray[np.floating] | None
    causal: npt.NDArray[np.intp]
    explained: float
    n: int = GWAS_PEOPLE
    panel_size: int = PANEL_PEOPLE


def coalescent_people(people: int, rng: np.random.Generator, *, drifted: bool = False) -> Genotypes:
    """Genotypes (people, p) of common variants in a window, by msprime; the panel's people are the last."""
    import msprime

    history = msprime.Demography()
    history.add_population(name="people", initial_size=_HISTORY[0][1])
    samples: dict[str, int] = {"people": people}
    if drifted:
        for name in ("gwas", "panel"):
            history.add_population(name=name, initial_size=SPLIT_SIZE)
        history.add_population_split(time=SPLIT, derived=["gwas", "panel"], ancestral="people")
        samples = {"gwas": people - PANEL_PEOPLE, "panel": PANEL_PEOPLE}
    for generation, size in _HISTORY[1:]:
        history.add_population_parameters_change(time=generation, initial_size=size, population="people")
    seeds = rng.integers(1, 2**31, size=2)
    trees = msprime.sim_ancestry(samples, demography=history, sequence_length=WIDTH, recombination_rate=1e-8,
                                 random_seed=int(seeds[0]), record_provenance=False)  # fmt: skip
    trees = msprime.sim_mutations(trees, rate=1.25e-8, model=msprime.BinaryMutationModel(), random_seed=int(seeds[1]))
    columns = []
    for variant in trees.variants():
        copies = variant.genotypes
        if MIN_MAF / 2 < copies.mean() < 1 - MIN_MAF / 2 and len(variant.site.mutations) == 1:
            columns.append((copies[::2] + copies[1::2]).astype(np.int8))
    return np.stack(columns, axis=1)


def mosaic_people(
    founders: Genotypes, positions: npt.NDArray[np.int64], people: int, rng: np.random.Generator
) -> Genotypes:
    """Genotypes (people, p) of mosaics of founders (m, q) in a random window of WIDTH."""
    first = rng.integers(positions[0], positions[-1] - WIDTH)
    inside = np.flatnonzero((positions >= first) & (positions < first + WIDTH))
    founders, positions = founders[:, inside], positions[inside]
    steps = 1 - np.exp(-SWITCHES * np.diff(positions))
    mosaics = np.empty((people, len(positions)), np.int8)
    current = rng.integers(len(founders), size=people)
    for column in range(len(positions)):
        if column:
            switch = np.flatnonzero(rng.random(people) < steps[column - 1])
            current[switch] = rng.integers(len(founders), size=len(switch))
        mosaics[:, column] = founders[current, column]
    return mosaics


def read_plink(prefix: str | Path) -> tuple[Genotypes, list[list[str]]]:
    """Dosages (m, q) of the first allele, and the rows of the .bim file, of a PLINK panel without missing genotypes."""
    bim = [line.split() for line in Path(f"{prefix}.bim").read_text().splitlines()]
    samples = len(Path(f"{prefix}.fam").read_text().splitlines())
    packed = np.fromfile(f"{prefix}.bed", np.uint8)[3:].reshape(len(bim), -1)
    codes = ((packed[:, :, None] >> np.array([0, 2, 4, 6])) & 3).reshape(len(bim), -1)[:, :samples]
    return np.array([2, 0, 1, 0], np.int8)[codes].T, bim


def read_founders(prefix: str | Path, min_maf: float = MIN_MAF) -> tuple[Genotypes, npt.NDArray[np.int64]]:
    """Dosages (m, q) and positions (q,) of the common variants of a PLINK panel without missing genotypes."""
    dosages, bim = read_plink(prefix)
    positions = np.array([int(row[3]) for row in bim])
    frequency = dosages.mean(0) / 2
    common = np.flatnonzero((frequency > min_maf) & (frequency < 1 - min_maf) & (np.diff(positions, prepend=-1) > 0))
    return dosages[:, common], positions[common]


def people_of(
    source: str, founders: tuple[Genotypes, npt.NDArray[np.int64]] | None, rng: np.random.Generator
) -> Genotypes:
    """GWAS and panel, (GWAS_PEOPLE + PANEL_PEOPLE, p), of one of the sources."""
    people = GWAS_PEOPLE + PANEL_PEOPLE
    if source == "mosaic":
        if founders is None:
            raise ValueError("mosaic: a panel of founders is needed")
        return mosaic_people(*founders, people, rng)
    return coalescent_people(people, rng, drifted=source == "drifted")


def simulate_locus(people: Genotypes, rng: np.random.Generator, *, in_sample: bool = False) -> SimulatedLocus:
    """A GWAS on all but the last PANEL_PEOPLE people, and the LD of these."""
    split = len(people) - PANEL_PEOPLE
    for group in (slice(split, None), slice(split)):
        frequency = people[group].mean(0) / 2
        people = people[:, np.minimum(frequency, 1 - frequency) > MIN_MAF]
    p = people.shape[1]
    mean, sd = people[:split].mean(0), people[:split].std(0)
    causal = np.sort(rng.choice(p, rng.integers(1, 4), replace=False))
    signal = ((people[:split, causal] - mean[causal]) / sd[causal]) @ rng.standard_normal(len(causal))
    explained = float(np.exp(rng.uniform(*np.log(EXPLAINED))))
    y = signal * np.sqrt(explained) / signal.std() + rng.standard_normal(split) * np.sqrt(1 - explained)
    y = (y - y.mean()) / y.std()
    Xty, XtX = np.zeros(p), np.zeros((p, p) if in_sample else (0, 0), np.float32)
    for start in range(0, split, BLOCK):
        block = ((people[start : min(start + BLOCK, split)] - mean) / sd).astype(np.float32)
        Xty += block.T @ y[start : start + BLOCK].astype(np.float32)
        if in_sample:
            XtX += block.T @ block
    r = Xty / split
    z = r * np.sqrt((split - 2) / (1 - r * r))
    R_panel = np.corrcoef(people[split:].T.astype(np.float64)).astype(np.float32)
    return SimulatedLocus(z, R_panel, XtX / split if in_sample else None, causal, explained, split)


def gwas_and_panels(rng: np.random.Generator) -> dict[str, Genotypes]:
    """Genotypes (people, p) of GWAS_LD_PEOPLE of a GWAS, as "gwas", and of PANEL_PEOPLE of each of PANELS."""
    import msprime

    history = msprime.Demography()
    history.add_population(name="gwas", initial_size=SPLIT_SIZE)
    apart = {name: split for name, split in PANELS.items() if split[0]}
    for place, (_, size) in enumerate(apart.values()):
        history.add_population(name=f"panel_{place}", initial_size=size)
    for place, (generations, _) in enumerate(apart.values()):
        history.add_population_split(time=generations, derived=[f"panel_{place}"], ancestral="gwas")
    for generation, size in _HISTORY[1:]:
        history.add_population_parameters_change(time=generation, initial_size=size, population="gwas")
    history.sort_events()
    samples = {"gwas": GWAS_LD_PEOPLE + PANEL_PEOPLE} | {f"panel_{i}": PANEL_PEOPLE for i in range(len(apart))}
    seeds = rng.integers(1, 2**31, size=2)
    trees = msprime.sim_ancestry(samples, demography=history, sequence_length=WINDOW, recombination_rate=1e-8,
                                 random_seed=int(seeds[0]), record_provenance=False)  # fmt: skip
    trees = msprime.sim_mutations(trees, rate=1.25e-8, model=msprime.BinaryMutationModel(), random_seed=int(seeds[1]))
    copies = trees.genotype_matrix()
    copies = copies[np.array([len(site.mutations) == 1 for site in trees.sites()])]
    genotypes = np.ascontiguousarray((copies[:, ::2] + copies[:, 1::2]).astype(np.int8).T)
    groups = np.split(genotypes, np.cumsum([GWAS_LD_PEOPLE] + [PANEL_PEOPLE] * len(apart)))
    return dict(zip(["gwas", "matched", *apart], groups, strict=True))


def common_in_both(gwas: Genotypes, panel: Genotypes) -> npt.NDArray[np.bool_]:
    """Variants of MAF above MIN_MAF in both."""
    shares = np.stack([gwas.mean(0), panel.mean(0)]) / 2
    return np.asarray((np.minimum(shares, 1 - shares) > MIN_MAF).all(0))


def hudson_parts(gwas: Genotypes, panel: Genotypes) -> tuple[float, float]:
    """Sums over variants whose ratio is Hudson's F_ST (Bhatia et al. 2013, doi:10.1101/gr.154831.113)."""
    one, two = gwas.mean(0) / 2, panel.mean(0) / 2
    within = one * (1 - one) / (2 * len(gwas) - 1) + two * (1 - two) / (2 * len(panel) - 1)
    return float(((one - two) ** 2 - within).sum()), float((one * (1 - two) + two * (1 - one)).sum())


def correlations(genotypes: Genotypes) -> npt.NDArray[np.float64]:
    """R (p, p) of genotypes (people, p)."""
    R = np.corrcoef(genotypes.T.astype(np.float64))
    np.fill_diagonal(R, 1.0)
    return np.asarray(np.clip((R + R.T) / 2, -1, 1))


def drawn_locus(
    R_gwas: npt.NDArray[np.float64], R_panel: npt.NDArray[np.float64], rng: np.random.Generator, *, hidden: bool = False
) -> SimulatedLocus:
    """Z drawn as N(R b, R) with R of the GWAS, and one to three causal variants of n b² = CAUSAL_CHI2 on average.

    `hidden`: two or three, all with |r| in HIDING to the first.
    """
    p = len(R_gwas)
    count = int(rng.integers(1, 4))
    causal = rng.permutation(p)[:count]
    for first in rng.permutation(p).tolist() if hidden else ():
        near = np.flatnonzero((np.abs(R_gwas[first]) > HIDING[0]) & (np.abs(R_gwas[first]) < HIDING[1]))
        if len(near) >= 2:
            causal = np.append(rng.permutation(near)[: max(count, 2) - 1], first)
            break
    b = np.zeros(p)
    b[causal] = np.sqrt(CAUSAL_CHI2) * rng.standard_normal(len(causal))
    values, vectors = np.linalg.eigh(R_gwas)
    z = R_gwas @ b + vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(p))
    explained = float(b @ R_gwas @ b) / GWAS_PEOPLE
    return SimulatedLocus(z, R_panel, R_gwas, np.sort(causal), explained)
