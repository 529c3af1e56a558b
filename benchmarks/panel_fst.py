"""F_ST between panel and GWAS by allele frequencies: its error beside the spread of repeated studies, and real people.

    python benchmarks/panel_fst.py --founders PANEL --populations FOLDER

Simulated studies have WINDOWS windows of 300 kb by `ld_simulation` (a GWAS of PEOPLE, a panel of 500), of one
population ("matched") or of two that split 250 generations ago ("drifted"). PANEL is a PLINK panel of one population,
whose halves are compared; FOLDER has a PLINK panel of each of several populations, which are compared in pairs.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from ld_simulation import MIN_MAF, PANEL_PEOPLE, WIDTH, coalescent_people

from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.sumstats.panel_fst import PanelFst, panel_fst

PEOPLE, WINDOWS = 3_000, 20


def compared(table: pd.DataFrame, people: int, panel: int) -> PanelFst:
    """F_ST over the variants that are common in the panel; a table with chrom, pos, eaf and panel_af."""
    common = (table["panel_af"] - 0.5).abs() < 0.5 - MIN_MAF
    return panel_fst(table[common].assign(n=float(people), neg_log10_p=0.0), panel)


def simulated_study(rng: np.random.Generator, *, drifted: bool) -> PanelFst:
    """F_ST of one study; its windows are far from one another."""
    windows = []
    for place in range(WINDOWS):
        genotypes = coalescent_people(PEOPLE + PANEL_PEOPLE, rng, drifted=drifted)
        eaf, panel_af = (group.mean(0) / 2 for group in np.split(genotypes, [PEOPLE]))
        pos = 1 + place * 10_000_000 + np.linspace(0, WIDTH, len(eaf), endpoint=False).astype(np.int64)
        windows.append(pd.DataFrame({"chrom": "1", "pos": pos, "eaf": eaf, "panel_af": panel_af}))
    return compared(pd.concat(windows, ignore_index=True), PEOPLE, PANEL_PEOPLE)


def halves(panel: PlinkPanel, rng: np.random.Generator) -> PanelFst:
    """F_ST of one random half of the people and the other."""
    order = np.array_split(rng.permutation(panel.samples), 2)
    dosages = panel.dosages(np.arange(panel.count))
    eaf, panel_af = (dosages[half].mean(0) / 2 for half in order)
    return compared(panel.variants.assign(eaf=eaf, panel_af=panel_af), len(order[0]), len(order[1]))


def pair(first: PlinkPanel, second: PlinkPanel) -> PanelFst:
    """F_ST of two populations over the variants that both have."""
    key = ["chrom", "pos", "a1", "a2"]
    one, two = (
        panel.variants.assign(af=panel.allele_frequencies(np.arange(panel.count))).set_index(key)["af"]
        for panel in (first, second)
    )
    table = pd.concat([one, two], axis=1, keys=["eaf", "panel_af"]).dropna().reset_index()
    return compared(table, first.samples, second.samples)


def line(name: str, found: list[PanelFst]) -> str:
    """A row of the printed table: percent, and the spread where there are several."""
    values, errors = (100 * np.array([getattr(one, field) for one in found]) for field in ("value", "error"))
    spread = f"{values.std(ddof=1):.4f}" if len(found) > 1 else ""
    variants = f"{np.mean([one.variants for one in found]):,.0f}"
    return f"| {name} | {len(found)} | {variants} | {values.mean():.4f} | {errors.mean():.4f} | {spread} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=6, help="simulated studies of each kind, and pairs of halves")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--founders", metavar="PANEL")
    parser.add_argument("--populations", metavar="FOLDER", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    print("| GWAS and panel | comparisons | variants | F_ST, % | its error | spread |\n|---|---|---|---|---|---|")
    for name, drifted in (("simulated, matched", False), ("simulated, drifted", True)):
        studies = [simulated_study(rng, drifted=drifted) for _ in range(arguments.studies)]
        print(line(name, studies), flush=True)
    if arguments.founders:
        founders = PlinkPanel(arguments.founders)
        print(line("halves of one panel", [halves(founders, rng) for _ in range(arguments.studies)]))
    if arguments.populations:
        panels = {path.stem: PlinkPanel(str(path.with_suffix(""))) for path in arguments.populations.glob("*.bed")}
        for first, second in combinations(sorted(panels), 2):
            print(line(f"{first} and {second}", [pair(panels[first], panels[second])]))


if __name__ == "__main__":
    main()
