r"""How far is a panel's correlation from that of the GWAS? Measured on simulated and real pairs of populations.

    python benchmarks/panel_shape.py --windows 24 --founders ../shared/data/panel_chr20/panel \
        --populations ../shared/data/ancestries/plink/EUR ../shared/data/ancestries/plink/EAS

Prints, for each pair of groups of people, the mean of (r_panel - r)² x 1000 in bins of |r_panel|, with what
`fineprior.finemap.panel_error.Shape` expects behind it, and F_ST; then, of the simulated pairs, the kurtosis of
errors of |r| from 0.3 to 0.7, and how many times as large their variance is where the rarer variant has a frequency
below 3% as above 10%; last the coefficients of that function by least squares. Groups: "matched" (one simulated
population), "split F" and "founders F" (panels of populations that have drifted by F_ST, see ld_simulation.py),
"halves" (people of --founders against the others), "drawn F" (panels that `fineprior calibrate` draws from --founders,
DRAWS in each window, against all people of --founders), and each two of --populations, both ways (real ones). Both
groups have a finite size: the variance of sampling is that of 1 / B of the panel and 1 / B of the other group together,
or of the panel alone where it is drawn.
"""

import argparse
import os
import sys
from itertools import pairwise, permutations
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
from ld_simulation import (  # noqa: E402
    MIN_MAF,
    PANELS,
    WINDOW,
    common_in_both,
    correlations,
    gwas_and_panels,
    hudson_parts,
    read_founders,
    read_plink,
)

from fineprior.finemap.panel_error import Shape  # noqa: E402
from fineprior.genotypes.panels import open_panel  # noqa: E402
from fineprior.simulate.drawn_panel import drifted_panel  # noqa: E402
from fineprior.sumstats.panel_fst import differ_between, sampling_variance  # noqa: E402

BINS = (0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995, 1.0)
SEED = 11
DRAWN, DRAWS = (0.002, 0.005, 0.01), 4
MIDDLING, RARE, COMMON = (0.3, 0.7), 0.03, 0.1


def main() -> None:
    """Measure, print, fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=24, help="simulated windows")
    parser.add_argument("--founders", help="prefix of a PLINK panel, to be halved")
    parser.add_argument("--populations", nargs="*", default=[], help="prefixes of PLINK panels with variants in common")
    given = parser.parse_args()
    rng = np.random.default_rng(SEED)
    windows = [gwas_and_panels(rng) for _ in range(given.windows)]
    print(f"| panel | F_ST | {' | '.join(f'{low:g}-{high:g}' for low, high in pairwise(BINS))} |")
    print("|---" * (len(BINS) + 1) + "|")
    parts = []
    for name in PANELS:
        parts.append(_Measured(name, [(window["gwas"], window[name]) for window in windows]))
        print(parts[-1].row())
    if given.founders:
        people, positions = read_founders(given.founders)
        starts = np.arange(positions[0], positions[-1] - WINDOW, WINDOW)
        inside = [(positions >= start) & (positions < start + WINDOW) for start in starts]
        order = rng.permutation(len(people))
        half = len(people) // 2
        print(
            _Measured("halves", [(people[order[:half]][:, one], people[order[half:]][:, one]) for one in inside]).row()
        )
        drawing = np.random.default_rng(SEED)
        for fst in DRAWN:
            print(_Measured(f"drawn {fst:.1%}", _drawn(given.founders, fst, drawing), exact=True).row())
    real = {Path(prefix).name: read_plink(prefix) for prefix in given.populations}
    for one, two in permutations(real, 2):
        print(_Measured(f"{two} for {one}", [_in_common(real[one], real[two])]).row())
    for part in parts:
        print(part.tails())
    sampling, drift = _fit(parts)
    print(f"sampling: {sampling[0]:.3f} + {sampling[1]:.3f} (1 - r²), over B")
    print(f"drift: {drift[0]:.3f} + {drift[1]:.3f} (1 - r²) + {drift[2]:.3f} (1 - r²) r², times F_ST")


class _Measured:
    """Squared errors of the correlations of two groups of people, GWAS and panel, over some windows."""

    def __init__(self, name: str, windows: list[tuple[np.ndarray, np.ndarray]], *, exact: bool = False) -> None:
        """`exact`: the first group is the whole population of its own, not a sample."""
        self.name = name
        self.size = len(windows[0][1]) if exact else 1 / (1 / len(windows[0][0]) + 1 / len(windows[0][1]))
        parts = hudson_of_population if exact else hudson_parts
        above, below = zip(*(parts(gwas, panel) for gwas, panel in windows), strict=True)
        self.drift = max(sum(above) / sum(below), 0.0)
        r, square, rarer = [], [], []
        for gwas, panel in windows:
            both = common_in_both(gwas, panel)
            upper = np.triu_indices(int(both.sum()), 1)
            in_gwas, in_panel = (correlations(group[:, both])[upper] for group in (gwas, panel))
            r.append(in_panel)
            square.append((in_panel - in_gwas) ** 2)
            share = panel[:, both].mean(0) / 2
            rarer.append(np.minimum(share, 1 - share)[np.stack(upper)].min(0))
        self.rarer = np.concatenate(rarer)
        self.r2, self.square = np.concatenate(r) ** 2, np.concatenate(square)
        self.bin = np.digitize(np.sqrt(self.r2), BINS[1:-1])

    def means(self, values: np.ndarray) -> np.ndarray:
        """Mean of values in each bin."""
        count = np.bincount(self.bin, minlength=len(BINS) - 1)
        return np.bincount(self.bin, values, len(BINS) - 1) / np.maximum(count, 1)

    def row(self) -> str:
        """Measured and expected variance x 1000 in each bin."""
        pairs = zip(self.means(self.square), self.means(Shape(self.size, self.drift).of(self.r2)), strict=True)
        return f"| {self.name} | {self.drift:.2%} | {' | '.join(f'{1e3 * a:.2f} ({1e3 * b:.2f})' for a, b in pairs)} |"

    def tails(self) -> str:
        """Kurtosis of the errors of middling r, and how much larger they are for rare variants."""
        middle = (self.r2 > MIDDLING[0] ** 2) & (self.r2 < MIDDLING[1] ** 2)
        square, rare, common = self.square[middle], self.rarer[middle] < RARE, self.rarer[middle] > COMMON
        kurtosis = (square**2).mean() / square.mean() ** 2
        return (
            f"{self.name}: kurtosis {kurtosis:.1f}, rare over common {square[rare].mean() / square[common].mean():.1f}"
        )


def hudson_of_population(population: np.ndarray, panel: np.ndarray) -> tuple[float, float]:
    """As `hudson_parts`, where the frequencies of the first group are known."""
    one, two = population.mean(0) / 2, panel.mean(0) / 2
    within = sampling_variance(two, len(panel))
    return float(((one - two) ** 2 - within).sum()), float(differ_between(one, two).sum())


def _drawn(prefix: str, fst: float, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """People of a panel and those of panels drawn from it, in windows of common variants."""
    panel = open_panel(prefix, None)
    rows = panel.variants.rename(columns={"a1": "alt", "a2": "ref"}).reset_index(drop=True)
    rows["panel_index"] = np.arange(len(rows))
    rows["variant_id"] = rows["panel_index"].astype(str)
    share = panel.dosages(rows["panel_index"].to_numpy()).mean(0) / 2
    rows = rows[np.minimum(share, 1 - share) > MIN_MAF]
    found = []
    for _, window in rows.groupby((rows["pos"] - rows["pos"].iloc[0]) // WINDOW):
        index = window["panel_index"].to_numpy()
        people = panel.dosages(index)
        for _ in range(DRAWS):
            drawn = drifted_panel(window, correlations(people), panel, panel.samples, fst, rng)
            found.append((people, drawn.dosages(index)))
    return found


def _in_common(
    one: tuple[np.ndarray, list[list[str]]], two: tuple[np.ndarray, list[list[str]]]
) -> tuple[np.ndarray, ...]:
    """Dosages of the variants that two panels have both, of the same allele."""
    place = {row[1]: at for at, row in enumerate(two[1])}
    first = [at for at, row in enumerate(one[1]) if row[1] in place]
    second = [place[one[1][at][1]] for at in first]
    same = np.array([one[1][a][4] == two[1][b][4] for a, b in zip(first, second, strict=True)])
    return one[0][:, first], np.where(same, two[0][:, second], 2 - two[0][:, second])


def _fit(parts: list[_Measured]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of both parts of the error, by least squares of the bins' means, relative to each mean."""
    design, target = [], []
    for part in parts:
        ones, far = part.means(np.ones_like(part.r2)), part.means(1 - part.r2)
        both = part.means((1 - part.r2) * part.r2)
        mean = part.means(part.square)
        rows = np.stack([ones / part.size, far / part.size, part.drift * ones, part.drift * far, part.drift * both], 1)
        design.append(rows / mean[:, None])
        target.append(np.ones(len(mean)))
    found = np.linalg.lstsq(np.concatenate(design), np.concatenate(target), rcond=None)[0]
    return found[:2], found[2:]


if __name__ == "__main__":
    main()
