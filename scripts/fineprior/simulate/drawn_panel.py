"""Panels drawn anew from a population: what LD a study would have had from another panel of the same size.

The population is that of a panel's own people, whose LD is R. A panel without drift is a draw of people from it, with
replacement. A panel of a drifted population is of people with two haplotypes each, which descend from haplotypes of
the population (`drifted_haplotypes`). Genotypes of a panel come without phase, so its haplotypes are phased roughly.
That is good enough for correlations: their error is that of true haplotypes, and 0.5 to 1.8 times what fits expect of
two populations, by |r| (benchmarks/panel_shape.py --founders). It is not for anything that reads haplotypes.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats, Integers
from fineprior.files.errors import InputError
from fineprior.genotypes.ld import GENOTYPE_BYTES, is_turned, note_of, panel_ld
from fineprior.genotypes.ld_store import NO_LD, LocusLd, read_fst, read_panel_size
from fineprior.genotypes.panels import Genotypes, open_panel
from fineprior.project.settings import FinemapSettings
from fineprior.simulate.drifted_haplotypes import PairedHaplotypes, descend, one_haplotype
from fineprior.sumstats.panel_fst import usable_fst

LEAST_FST, LARGEST_FST = 1e-4, 0.2
"""Below the first nothing drifts: it is less than the sampling of a panel of 5,000 people does. From the second on LD
is of no use, and nothing is drawn."""


@dataclass(frozen=True)
class PanelDraw:
    """A panel to draw: its samples, its F_ST from the population, and whom they are drawn from.

    `told` is what fits are told of F_ST (without a standard error): nothing where the study's own fits do not know it.
    `source` is the panel whose LD is that of the population. Without one (LD was computed elsewhere) people are rows
    of normal variates with correlation R, and haplotypes too, where there is drift. Of such a panel the error of a
    correlation r has variance (1 - r^2)^2 / n, where genotypes have about (1 - r^2) / n: less near r = 1.
    """

    size: int
    fst: float = 0.0
    source: Genotypes | None = None
    told: tuple[float, float] | None = None


def settings_of_fits(question: str, settings: FinemapSettings) -> FinemapSettings:
    """A study's settings of fits as a question of `calibrate.ld` has them: with in_sample, `ld` is so."""
    return replace(settings, ld="in_sample") if question == "in_sample" else settings


def panel_to_draw(
    question: str, ld: str, panel: str, samples: str | None, fst: float, panel_size: float
) -> PanelDraw | None:
    """The panel that a question of `calibrate.ld` draws; None with in_sample.

    Parameters
    ----------
    ld
        An LD file of the study.
    panel, samples
        The study's panel and the samples kept of it; empty where LD is of LD files.
    fst
        F_ST of the question panel; 0 takes the one that the LD file says, and none where it does not know it.
    panel_size
        Samples in the study's panel; 0 takes what the LD file says.

    Raises
    ------
    InputError
        Nothing says how large the study's panel is, or the panel cannot be read; or an F_ST that cannot be drawn.
    """
    if question == "in_sample":
        return None
    size = panel_size or read_panel_size(ld)
    if size is None:
        raise InputError(
            f"calibrate.ld: {question} needs the size of the panel, which {ld} does not say; set finemap.panel_size"
        )
    known = read_fst(ld)
    drift = _drift_of(fst, known[0] if known else 0.0, ld) if question == "panel" else 0.0
    told = None if usable_fst(known) is None else (drift, math.nan)
    return PanelDraw(round(size), drift, open_panel(panel, samples) if panel else None, told)


def _drift_of(asked: float, own: float, ld: str) -> float:
    """F_ST to draw: what is asked for, or the study's own (0 where that is less than can be drawn)."""
    if 0 < asked < LEAST_FST:
        raise InputError(f"calibrate.fst: {asked:g} is less than can be drawn; allowed: 0, or {LEAST_FST:g} and more")
    if not asked and own >= LARGEST_FST:
        raise InputError(
            f"calibrate.ld: panel draws an F_ST below {LARGEST_FST:g}, and {ld} says {own:.3g}; set calibrate.fst, or "
            "leave panel out"
        )
    return asked or (own if own >= LEAST_FST else 0.0)


def drawn_ld(locus: str, variants: pd.DataFrame, root: Floats, draw: PanelDraw, rng: np.random.Generator) -> LocusLd:
    """LD of a locus in a panel drawn anew; a variant that does not vary among the people drawn has none.

    Parameters
    ----------
    locus
        Its name.
    variants
        LOCUS_VARIANTS of the locus, p rows, all with LD.
    root
        (p, p), a root L of the population's R = L L'.
    draw
        The panel to draw.
    """
    names = variants["variant_id"].to_numpy(np.str_)
    if draw.source is None:
        people = _normal_people(variants, root, draw, rng)
        drawn = np.corrcoef(people, rowvar=False).reshape(len(names), len(names))
        return LocusLd(locus, drawn.astype(np.float32), names)
    panel: Genotypes
    if draw.fst > 0:
        panel = drifted_panel(variants, root @ root.T, draw.source, draw.size, draw.fst, rng)
    else:
        panel = RedrawnPanel(draw.source, draw_people(draw.source.samples, draw.size, rng))
    frequency = first_allele_frequencies(variants, panel)
    varies = (frequency > 0) & (frequency < 1)
    left_out = dict.fromkeys(names[~varies].tolist(), NO_LD)
    note = note_of(left_out, variants, "a panel drawn anew")
    return LocusLd(locus, panel_ld(variants[varies], panel), names[varies], left_out, note)


def _normal_people(variants: pd.DataFrame, root: Floats, draw: PanelDraw, rng: np.random.Generator) -> Floats:
    """People (n, p) of normal variates whose correlation is R, or R of a drifted population."""
    if not draw.fst > 0:
        return np.asarray(rng.standard_normal((draw.size, len(root))) @ root.T)
    founding = descend(variants["pos"].to_numpy(np.int64), draw.fst, rng)
    haplotypes = np.take_along_axis(rng.standard_normal((len(founding), len(root))) @ root.T, founding, 0)
    one, two = rng.integers(len(founding), size=(2, draw.size))
    return np.asarray(haplotypes[one] + haplotypes[two])


def draw_people(population: int, size: int, rng: np.random.Generator) -> Integers:
    """Numbers (size,), rising, of the people of a panel drawn with replacement from so many people."""
    return np.sort(rng.integers(population, size=size))


def drifted_panel(
    variants: pd.DataFrame, R: Floats, source: Genotypes, size: int, fst: float, rng: np.random.Generator
) -> PairedHaplotypes:
    """People of a population that has drifted from that of a panel.

    Parameters
    ----------
    variants
        LOCUS_VARIANTS of a locus, p rows, by position.
    R
        (p, p), LD of the panel, of alternative alleles.
    source
        The panel.
    size
        People wanted.
    fst
        Hudson's F_ST between the two populations, above 0 and below 0.5.
    """
    founding = descend(variants["pos"].to_numpy(np.int64), fst, rng)
    founders = RedrawnPanel(source, draw_people(source.samples, len(founding), rng))
    index = variants["panel_index"].to_numpy(np.int64)
    # Founders are read in parts, as all samples between two of them are read, too.
    parts = math.ceil(4 * source.samples * max(len(index), 1) / GENOTYPE_BYTES)
    ends = np.linspace(0, founders.samples, parts + 1).astype(int).tolist()
    copies = np.concatenate([founders.dosages(index, slice(*part)) for part in pairwise(ends)]).astype(float)
    turned = is_turned(variants, source)
    own = one_haplotype(np.where(turned, 2 - copies, copies), R, rng)
    haplotypes = np.take_along_axis(np.where(turned, 1 - own, own), founding, 0)
    return PairedHaplotypes(source, index, haplotypes, rng.integers(len(founding), size=(2, size)))


class RedrawnPanel:
    """People of a panel, some of them more than once and others not at all; as `Genotypes`.

    Parameters
    ----------
    panel
        The panel.
    people : (n,) of int, rising
        Numbers of its samples.
    """

    def __init__(self, panel: Genotypes, people: Integers) -> None:
        self._panel, self._people = panel, people
        self.name = panel.name

    @property
    def samples(self) -> int:
        """Number of people, each as often as drawn."""
        return len(self._people)

    def find(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """Rows of the variants, as of `Genotypes`."""
        return self._panel.find(wanted)

    def dosages(self, index: npt.NDArray[np.integer], samples: slice = slice(None)) -> npt.NDArray[np.float32]:
        """Copies of A1, as of `Genotypes`; the panel's samples are read from the first to the last that are wanted."""
        people = self._people[samples]
        if not len(people):
            return np.empty((0, len(index)), np.float32)
        first, last = int(people[0]), int(people[-1])
        read = self._panel.dosages(index, slice(first, last + 1))
        return np.asfortranarray(read[people - first])


def first_allele_frequencies(variants: pd.DataFrame, panel: Genotypes) -> Floats:
    """Frequency (p,) of A1, NaN where nobody has a genotype; of `variants` the column panel_index is used."""
    index = variants["panel_index"].to_numpy(np.int64)
    copies, called = np.zeros((2, len(index)))
    step = max(GENOTYPE_BYTES // (4 * max(len(index), 1)), 1)
    for first in range(0, panel.samples, step):
        part = panel.dosages(index, slice(first, first + step))
        copies += np.nansum(part, axis=0, dtype=np.float64)
        called += np.isfinite(part).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(copies / (2 * called), float)
