"""A population's haplotypes after drift: phased out of genotypes, and copied with recombination for some generations.

Drift of a correlation is a matter of haplotypes. Copies of whole people would carry on which two haplotypes happened to
meet in a person, and where r is small its error would have twice the variance.

`one_haplotype` phases roughly. The difference of a person's two haplotypes is 0 where both are alike, and 1 or -1 at
heterozygous variants. It has the correlations R of the genotypes, and its signs are drawn one variant after another,
each given all those before it, as if the difference were normal. Where r is large the phase is nearly certain; where it
is not, R hardly depends on it. The haplotypes are good for correlations and for nothing else.

`descend` is the model of Wright and Fisher. H haplotypes are drawn from the population, and H from those, and so on for
g generations in all. A frequency p becomes p + e with var(e) = p (1 - p) (1 - (1 - 1 / H)^g), so that Hudson's F_ST
between the two populations, E[e^2] / (2 p (1 - p)), is half of the last factor.
"""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats, Integers
from fineprior.genotypes.panels import Genotypes

FULL_DRIFT = 0.5
"""F_ST at which one haplotype has replaced all others."""
RECOMBINATION = 1e-8
"""Crossovers per base pair and generation: 1 cM per Mb."""
POPULATION = 10_000
"""People in the population whose drift this stands for; it says for how many generations haplotypes recombine."""
_HAPLOTYPES, _GENERATIONS = 1_000, 10
"""About as many haplotypes are drawn, and in as many generations at most. More of either costs time."""
_RIDGE = 0.05
"""Share of the identity in R when phases are drawn: R of a panel is singular, and as certain as its size allows."""
_BLOCK = 64


def lineages_of(fst: float) -> tuple[int, int]:
    """Haplotypes and generations, at least 2 and 1, that make this F_ST (above 0, below `FULL_DRIFT`)."""
    generations = min(max(round(2 * fst * _HAPLOTYPES), 1), _GENERATIONS)
    return max(round(1 / -math.expm1(math.log1p(-2 * fst) / generations)), 2), generations


def descend(positions: Integers, fst: float, rng: np.random.Generator) -> Integers:
    """Which of H founding haplotypes each haplotype of the last generation has at each variant, (H, p).

    The first generation is the draw of the founders, which the caller makes. In each later one a haplotype comes from
    two of the generation before, with crossovers. Together they stand for the generations that F_ST takes in a
    population of `POPULATION` people, -2 N log(1 - 2 F_ST): two hundred for 0.5%, with two crossovers in 1 Mb. Where
    one generation makes all of the drift (F_ST below 0.075%), nothing recombines.

    Parameters
    ----------
    positions
        (p,) in base pairs, not decreasing.
    fst
        Hudson's F_ST of the last generation from the founders' population.
    """
    haplotypes, generations = lineages_of(fst)
    label = np.tile(np.arange(haplotypes)[:, None], (1, len(positions)))
    crossovers = RECOMBINATION * float(np.ptp(positions)) * -2 * POPULATION * math.log1p(-2 * fst)
    for _ in range(generations - 1):
        before, (first, second) = label, rng.integers(haplotypes, size=(2, haplotypes))
        label = before[first]
        counts = rng.poisson(crossovers / (generations - 1), haplotypes)
        for child in np.flatnonzero(counts).tolist():
            points = np.sort(rng.uniform(positions[0], positions[-1], counts[child]))
            other = np.searchsorted(points, positions) % 2 == 1
            label[child, other] = before[second[child], other]
    return label


def one_haplotype(copies: Floats, R: Floats, rng: np.random.Generator) -> Floats:
    """One of the two haplotypes (n, p) of each person; NaN where the genotype is missing.

    Parameters
    ----------
    copies
        (n, p) of an allele, 0 to 2, NaN where missing.
    R
        (p, p), correlations of the copies of these alleles in the population.
    """
    apart = np.nan_to_num(1 - np.abs(copies - 1)).T
    scale = np.sqrt(np.maximum((apart**2).mean(1, keepdims=True), 1 / len(copies)))
    L = np.linalg.cholesky((R + _RIDGE * np.eye(len(R))) / (1 + _RIDGE))
    difference, signs = apart / scale, np.empty_like(apart)
    # The difference is L e, e independent and of variance 1; what e before this variant say of it is its mean.
    e = np.zeros_like(apart)
    for start in range(0, len(L), _BLOCK):
        stop = min(start + _BLOCK, len(L))
        known = L[start:stop, :start] @ e[:start]
        for row in range(start, stop):
            mean = known[row - start] + L[row, start:row] @ e[start:row]
            certainty = np.clip(2 * mean * difference[row] / L[row, row] ** 2, -50, 50)
            signs[row] = np.where(rng.random(len(mean)) * (1 + np.exp(-certainty)) < 1, 1, -1)
            e[row] = (signs[row] * difference[row] - mean) / L[row, row]
    return np.asarray((copies + (signs * apart).T) / 2, dtype=float)


class PairedHaplotypes:
    """People who have two of some haplotypes each; as `Genotypes`, of the variants of one locus.

    Parameters
    ----------
    panel
        Whose variants they are.
    index
        (p,) rows of the variants in it.
    haplotypes
        (H, p) copies of A1, 0 or 1, NaN where missing.
    pairs
        (2, n), two haplotypes for each person.
    """

    def __init__(self, panel: Genotypes, index: Integers, haplotypes: Floats, pairs: Integers) -> None:
        self._panel, self._column = panel, pd.Index(index)
        self._haplotypes, self._pairs = haplotypes.astype(np.float32), pairs
        self.name = panel.name

    @property
    def samples(self) -> int:
        """Number of people."""
        return self._pairs.shape[1]

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of the variants, as of `Genotypes`."""
        return self._panel.find(wanted)

    def dosages(self, index: npt.NDArray[np.integer], samples: slice = slice(None)) -> npt.NDArray[np.float32]:
        """Copies of A1, as of `Genotypes`."""
        columns = self._column.get_indexer(pd.Index(index))
        one, two = self._pairs[:, samples]
        of_locus = self._haplotypes[:, columns]
        return np.asfortranarray(of_locus[one] + of_locus[two])
