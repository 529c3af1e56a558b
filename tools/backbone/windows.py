"""Training windows for the shipped backbone: planted motif sites, and real DNase hypersensitive sites (DHS).

Two kinds of windows, one vocabulary. Synthetic windows hold planted sites and come in pairs, the second with
one base changed in some of the sites, so that the model learns effects of single bases. DHS windows hold real
200-bp DHS of four cell types and dinucleotide shuffles of them. Motif occupancy is the target in both.
Bases are codes: 0-3 for A, C, G, T and 4 for N, which a model reads as four zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.sequence.motifs import UNKNOWN, Motif, occupancy, site_thresholds

BIN = 128
"""Width of a bin (bp): seven downsamplings by 2."""
OFFSET = 0.05
"""Added to occupancies before the logarithm: about the background of one motif in one bin."""
SPLITS = ("train", "validation", "test")
_SLOT = 512


@dataclass(frozen=True)
class PretrainSettings:
    """What the shipped backbone depends on besides its data."""

    seed: int = 2026
    context_length: int = 2048
    dim: int = 96
    depth: int = 2
    heads: int = 4
    attn_dim_key: int = 24
    dim_divisible_by: int = 8
    dropout: float = 0.05
    steps: int = 3400
    synthetic_windows: int = 16
    dhs_windows: int = 24
    learning_rate: float = 3e-3
    stem_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    head_windows: int = 3000
    test_windows: int = 128


@dataclass(frozen=True)
class DhsSites:
    """Real DHS sequences: codes (n, 200), cell type (n,) as index into `cell_types`, split (n,) as name."""

    codes: NDArray[np.uint8]
    cell_type: NDArray[np.int64]
    split: NDArray[np.str_]
    cell_types: tuple[str, ...]

    def part(self, split: str) -> "DhsSites":
        """The sites of one split: train, validation (chromosome 2) or test (chromosome 1)."""
        kept = self.split == split
        return DhsSites(self.codes[kept], self.cell_type[kept], self.split[kept], self.cell_types)


@dataclass(frozen=True)
class Windows:
    """Windows with their targets.

    codes (n, length); log_occupancy (n, bins, motifs); dhs (n, bins) the fraction of each bin inside a DHS;
    cell_type (n, bins) of that DHS; elements: window, first of the two bins around its centre, and cell type
    (-1 for a shuffled one) of each element (k, 3).
    """

    codes: NDArray[np.uint8]
    log_occupancy: NDArray[np.float32]
    dhs: NDArray[np.float32]
    cell_type: NDArray[np.int64]
    elements: NDArray[np.int64]


@dataclass(frozen=True)
class PlantedSite:
    """Where a motif's site was written: window, leftmost base, index of the motif."""

    window: int
    start: int
    motif: int


def encode(sequences: Sequence[str]) -> NDArray[np.uint8]:
    """Codes (n, length) of sequences of one length; everything that is not A, C, G or T is N."""
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    for code, base in enumerate("ACGT"):
        table[[ord(base), ord(base.lower())]] = code
    return table[np.frombuffer("".join(sequences).encode("ascii"), dtype=np.uint8)].reshape(len(sequences), -1)


def read_dhs_sites(path: str | Path) -> DhsSites:
    """Read the table that `fetch_pretraining_data` writes: sequence, cell_type and split of each DHS.

    Raises
    ------
    InputError
        If a column is missing, a split is unknown, or sequences differ in length.
    """
    table = pd.read_csv(path, sep="\t", dtype=str)
    missing = {"sequence", "cell_type", "split"} - set(table.columns)
    if missing:
        raise InputError(f"{path}: column {sorted(missing)[0]} is missing")
    unknown = set(table["split"]) - set(SPLITS)
    if unknown:
        raise InputError(f"{path}: split '{sorted(unknown)[0]}' is not one of {', '.join(SPLITS)}")
    if table["sequence"].str.len().nunique() != 1:
        raise InputError(f"{path}: sequences differ in length")
    cell_types = tuple(sorted(table["cell_type"].unique()))
    return DhsSites(
        encode(table["sequence"].tolist()),
        np.array([cell_types.index(cell) for cell in table["cell_type"]]),
        table["split"].to_numpy(dtype=str),
        cell_types,
    )


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reverse complement along the last axis; N stays N."""
    return np.where(codes < UNKNOWN, 3 - codes, codes)[..., ::-1].astype(np.uint8)


def dinucleotide_shuffle(rng: np.random.Generator, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Random sequence with exactly the dinucleotide counts of `codes` (length,) (Altschul & Erickson 1985).

    A walk through the graph of base steps; each base's last exit is drawn until the exits lead to the end.
    """
    end = int(codes[-1])
    exits = [rng.permutation(codes[1:][codes[:-1] == base]).tolist() for base in range(5)]
    used = [base for base in range(5) if exits[base]]
    while not all(_leads_to(end, base, exits) for base in used):
        exits = [rng.permutation(steps).astype(int).tolist() for steps in exits]
    positions, base, walk = [0] * 5, int(codes[0]), [int(codes[0])]
    for _ in range(len(codes) - 1):
        positions[base] += 1
        base = int(exits[base][positions[base] - 1])
        walk.append(base)
    return np.array(walk, dtype=np.uint8)


def _leads_to(end: int, base: int, exits: list[list[int]]) -> bool:
    for _ in range(5):
        if base == end:
            return True
        base = exits[base][-1]
    return base == end


def random_background(rng: np.random.Generator, windows: int, length: int) -> NDArray[np.uint8]:
    """Independent bases with a GC content of 0.35 to 0.60 for each window."""
    gc = rng.uniform(0.35, 0.60, (windows, 1))
    strong, second = rng.random((windows, length)) < gc, rng.random((windows, length)) < 0.5
    return np.where(strong, 1 + second, 3 * second).astype(np.uint8)


class WindowSampler:
    """Draws windows and computes their targets; one seeded generator, so one seed gives one sequence of draws."""

    def __init__(self, motifs: Sequence[Motif], settings: PretrainSettings, rng: np.random.Generator) -> None:
        self.motifs, self.rng = motifs, rng
        self.length = settings.context_length
        self.thresholds = site_thresholds(motifs)

    def log_occupancy(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """log(occupancy + 0.05) of windows (n, length): (n, bins, motifs); no site crosses windows."""
        spaced = np.pad(codes, ((0, 0), (0, BIN)), constant_values=UNKNOWN)
        result = occupancy(spaced.ravel(), self.motifs, BIN, self.thresholds)
        return np.log(result.reshape(len(codes), -1, len(self.motifs))[:, :-1] + np.float32(OFFSET))

    def plant(self, codes: NDArray[np.uint8], sites: int = 24, cluster: float = 0.3) -> list[PlantedSite]:
        """Write sites into windows, in place; a later site may overwrite part of an earlier one.

        `cluster` is the fraction of sites that stand within 100 bp of the one before and are of the same motif
        half of the time, so that pairs and clusters are seen.
        """
        planted: list[PlantedSite] = []
        for window in range(len(codes)):
            index, start = 0, 0
            for number in range(sites):
                near = number > 0 and self.rng.random() < cluster
                if not (near and self.rng.random() < 0.5):
                    index = int(self.rng.integers(len(self.motifs)))
                last = self.length - self.motifs[index].width
                if near:
                    start = int(np.clip(start + self.rng.integers(-100, 101), 0, last))
                else:
                    start = int(self.rng.integers(last + 1))
                planted.append(self.write_site(codes[window], window, start, index))
        return planted

    def write_site(self, codes: NDArray[np.uint8], window: int, start: int, index: int) -> PlantedSite:
        """Write one site, sampled from the motif's probabilities, on a random strand at `start`."""
        draws = self.rng.random((self.motifs[index].width, 1))
        columns = np.cumsum(self.motifs[index].probabilities, axis=1)[:, :3]
        site = (draws > columns).sum(1).astype(np.uint8)
        codes[start : start + len(site)] = reverse_complement(site) if self.rng.random() < 0.5 else site
        return PlantedSite(window, start, index)

    def mutate(self, codes: NDArray[np.uint8], planted: Sequence[PlantedSite], rate: float = 0.5) -> None:
        """Change one base in a fraction `rate` of the planted sites, in place."""
        for site in planted:
            if self.rng.random() < rate:
                position = site.start + int(self.rng.integers(self.motifs[site.motif].width))
                old = codes[site.window, position]
                codes[site.window, position] = (old + self.rng.integers(1, 4)) % 4

    def synthetic(self, windows: int) -> Windows:
        """Windows with planted sites; the second half are copies of the first with single-base changes."""
        original = random_background(self.rng, (windows + 1) // 2, self.length)
        planted = self.plant(original)
        changed = original[: windows // 2].copy()
        self.mutate(changed, [site for site in planted if site.window < len(changed)])
        codes = np.concatenate([original, changed])
        bins = self.length // BIN
        return Windows(
            codes,
            self.log_occupancy(codes),
            np.zeros((windows, bins), np.float32),
            np.zeros((windows, bins), np.int64),
            np.zeros((0, 3), np.int64),
        )

    def with_dhs(self, sites: DhsSites, windows: int, shuffled: float = 1 / 3, unknown: float = 0.1) -> Windows:
        """Windows with one element in each 512 bp, on a random strand at a random place.

        A fraction `shuffled` of the elements are dinucleotide shuffles; a fraction `unknown` of the windows has
        N instead of random bases around its elements.
        """
        codes = random_background(self.rng, windows, self.length)
        codes[self.rng.random(windows) < unknown] = UNKNOWN
        slots, width = self.length // _SLOT, sites.codes.shape[1]
        chosen = self.rng.integers(len(sites.codes), size=(windows, slots))
        offsets = self.rng.integers(_SLOT - width + 1, size=(windows, slots))
        decoy = self.rng.random((windows, slots)) < shuffled
        reverse = self.rng.random((windows, slots)) < 0.5
        inside = np.full((windows, self.length), -1, dtype=np.int64)
        elements = []
        for window, slot in np.ndindex(windows, slots):
            element = sites.codes[chosen[window, slot]]
            if decoy[window, slot]:
                element = dinucleotide_shuffle(self.rng, element)
            if reverse[window, slot]:
                element = reverse_complement(element)
            start = slot * _SLOT + int(offsets[window, slot])
            codes[window, start : start + width] = element
            cell_type = -1 if decoy[window, slot] else int(sites.cell_type[chosen[window, slot]])
            inside[window, start : start + width] = cell_type
            elements.append((window, centre_bin(start + width // 2), cell_type))
        binned = inside.reshape(windows, -1, BIN)
        dhs = (binned >= 0).mean(2).astype(np.float32)
        return Windows(codes, self.log_occupancy(codes), dhs, binned.max(2).clip(0), np.array(elements))


def centre_bin(position: int) -> int:
    """First of the two bins nearest to a position in a window."""
    return max(0, (position - BIN // 2) // BIN)


def join_windows(first: Windows, second: Windows) -> Windows:
    """Windows of both, in this order."""
    moved = second.elements + np.array([len(first.codes), 0, 0])
    return Windows(
        np.concatenate([first.codes, second.codes]),
        np.concatenate([first.log_occupancy, second.log_occupancy]),
        np.concatenate([first.dhs, second.dhs]),
        np.concatenate([first.cell_type, second.cell_type]),
        np.concatenate([first.elements, moved]),
    )
