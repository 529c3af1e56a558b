"""Are PIPs what they say? The search of configurations beside SuSiE, SuSiE with refinement, and FINEMAP.

    python benchmarks/posterior.py --founders PREFIX --loci 300 --jobs 2 --output posterior.tsv
    python benchmarks/posterior.py --founders PREFIX --cells founders/3/40/uniform --exact --loci 150
    python benchmarks/posterior.py ... --finemap PROGRAM       # FINEMAP 1.4 as another row; it takes seconds a locus
    python benchmarks/posterior.py --report posterior.tsv

A cell is SOURCE/CAUSAL/CHI2/PRIOR.

SOURCE   founders: windows of real genotypes of a PLINK panel (about 300 variants); msprime (about 200); with ":1000"
         behind it, windows of so many variants
CAUSAL   how many variants are causal
CHI2     mean n b^2 of a causal variant
PRIOR    uniform; true: causal variants are drawn by weights that all programs get; useless: weights without meaning

--effects: normal, as all programs assume; equal, all of one size; or t, with heavy tails (Student, 3 degrees of
freedom).

z is drawn as N(sqrt(n) R b, R) from the R that programs get: LD of the GWAS itself. Measured are variants with PIP
above 0.9 and 0.5, how many of them are not causal, and how many the PIPs claim; coverage, power and size of 95% sets;
the log score (log probability of what is causal, variants taken as independent; nearer to 0 is better); CPU seconds.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("scripts", "tests")]

from ld_simulation import coalescent_people, read_founders  # noqa: E402

from fineprior.finemap.search import effect_variance, search  # noqa: E402
from fineprior.finemap.susie import SusieFit, susie_rss  # noqa: E402

N = 50_000
WINDOW = 100_000
PEOPLE = 2_500
CELLS = [
    f"{source}/{causal}/{chi2}/uniform"
    for source in ("founders", "msprime")
    for causal in (1, 2, 3, 5, 10)
    for chi2 in (20, 40, 100)
] + [f"founders/{causal}/40/{prior}" for causal in (1, 3, 5) for prior in ("true", "useless")]


@dataclass(frozen=True)
class Locus:
    """z (p,), R (p, p), prior weights (p,) and rows of the causal variants."""

    z: np.ndarray
    R: np.ndarray
    prior: np.ndarray
    causal: np.ndarray


def main() -> None:
    """Run the cells that the output does not have yet, and report."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--founders", metavar="PREFIX", help="PLINK panel without missing genotypes")
    top.add_argument("--cells", nargs="+", default=CELLS)
    top.add_argument("--loci", type=int, default=300, help="loci of each cell")
    top.add_argument("--effects", choices=("normal", "equal", "t"), default="normal")
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--jobs", type=int, default=2)
    top.add_argument("--exact", action="store_true", help="compare with all configurations of up to three variants")
    top.add_argument("--finemap", metavar="PROGRAM")
    top.add_argument("--output", default="posterior.tsv")
    top.add_argument("--report", metavar="FILE", help="only report")
    given = top.parse_args()
    if not given.report:
        founders = read_founders(given.founders) if given.founders else None
        done = pd.read_csv(given.output, sep="\t") if Path(given.output).exists() else pd.DataFrame({"cell": []})
        run = partial(_one, founders, given.seed, given.effects, given.exact, given.finemap)
        with ProcessPoolExecutor(given.jobs) as pool:
            for cell in given.cells:
                name = cell if given.effects == "normal" else f"{cell}/{given.effects}"
                if name in set(done["cell"]):
                    continue
                rows = [row for some in pool.map(run, [cell] * given.loci, range(given.loci)) for row in some]
                table = pd.DataFrame(rows).assign(cell=name)
                table.to_csv(given.output, sep="\t", index=False, mode="a", header=not Path(given.output).exists())
                sys.stdout.writelines(f"{line}\n" for line in _report(table))
                sys.stdout.flush()
    table = pd.read_csv(given.report or given.output, sep="\t")
    sys.stdout.writelines(f"{line}\n" for line in [*_report(table), *_ratios(table)])


def _locus(founders: tuple[np.ndarray, np.ndarray] | None, cell: str, effects: str, rng: np.random.Generator) -> Locus:
    source, causal, chi2, prior = cell.split("/")
    source, _, wanted = source.partition(":")
    if source == "founders":
        if founders is None:
            raise SystemExit("--founders is needed")
        dosages, positions = founders
        if wanted:
            first = int(rng.integers(len(positions) - int(wanted) + 1))
            inside = np.arange(first, first + int(wanted))
        else:
            start = rng.integers(positions[0], positions[-1] - WINDOW)
            inside = np.flatnonzero((positions >= start) & (positions < start + WINDOW))
        genotypes = dosages[:, inside]
    else:
        genotypes = coalescent_people(PEOPLE, rng)
        size = int(wanted or 200)
        first = int(rng.integers(max(genotypes.shape[1] - size, 0) + 1))
        genotypes = genotypes[:, first : first + size]
    R = np.corrcoef(genotypes.astype(float).T)
    R = np.clip((R + R.T) / 2, -1, 1)
    np.fill_diagonal(R, 1.0)
    p = len(R)
    weights = np.exp(1.2 * rng.standard_normal(p))
    weights /= weights.sum()
    chosen = rng.choice(p, int(causal), replace=False, p=weights if prior == "true" else None)
    draw = {
        "normal": lambda: rng.standard_normal(int(causal)),
        "equal": lambda: rng.choice([-1.0, 1.0], int(causal)),
        "t": lambda: rng.standard_t(3, int(causal)) / np.sqrt(3),
    }[effects]
    b = np.zeros(p)
    b[chosen] = np.sqrt(float(chi2)) * draw()
    values, vectors = np.linalg.eigh(R)
    noise = vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(p))
    return Locus(R @ b + noise, R, np.full(p, 1 / p) if prior == "uniform" else weights, np.sort(chosen))


def _one(
    founders: tuple[np.ndarray, np.ndarray] | None,
    seed: int,
    effects: str,
    exact: bool,
    finemap: str | None,
    cell: str,
    number: int,
) -> list[dict[str, object]]:
    """One row for each method."""
    rng = np.random.default_rng([seed, number, *cell.encode()])
    locus = _locus(founders, cell, effects, rng)
    rows: list[dict[str, object]] = []

    def measured(method: str, run: Callable[[], tuple[np.ndarray, list[np.ndarray], dict[str, float]]]) -> None:
        start = _cpu()
        pip, sets, more = run()
        seconds = _cpu() - start
        rows.append({"cell": cell, "locus": number, "method": method, "p": len(pip), "seconds": seconds}
                    | _counts(pip, sets, locus.causal) | more)  # fmt: skip

    fits: dict[bool, SusieFit] = {}

    def susie(refine: bool) -> tuple[np.ndarray, list[np.ndarray], dict[str, float]]:
        fit = fits[refine] = susie_rss(
            locus.z, locus.R, N, prior_weights=locus.prior, refine=refine, zero_excludes=True
        )
        return fit.pip, [found.variables for found in fit.sets.sets], {}

    def searched() -> tuple[np.ndarray, list[np.ndarray], dict[str, float]]:
        z = locus.z * np.sqrt((N - 1) / (locus.z**2 + N - 2))
        found = search(z, locus.R, effect_variance(fits[False], N), prior_weights=locus.prior)
        return found.pip, [one.variables for one in found.sets()], {"gap": found.gap, "met": found.met}

    measured("susie", lambda: susie(False))
    measured("refine", lambda: susie(True))
    measured("search", searched)
    if exact:
        from exact_posterior import exact_posterior

        W = effect_variance(fits[False], N)
        z = locus.z * np.sqrt((N - 1) / (locus.z**2 + N - 2))
        start = _cpu()
        truth, _ = exact_posterior(z, locus.R, W, locus.prior)
        seconds = _cpu() - start
        found = search(z, locus.R, W, prior_weights=locus.prior, most=3)
        error = float(np.abs(found.pip - truth).max())
        rows.append({"cell": cell, "locus": number, "method": "exact", "p": len(z), "seconds": seconds, "error": error,
                     "gap": found.gap} | _counts(truth, [], locus.causal))  # fmt: skip
        rows.append({"cell": cell, "locus": number, "method": "search of 3", "p": len(z), "seconds": 0.0}
                    | _counts(found.pip, [], locus.causal))  # fmt: skip
    if finemap:
        from finemap_program import run_finemap

        measured("finemap", lambda: run_finemap(finemap, locus.z, locus.R, N, locus.prior))
    return rows


def _cpu() -> float:
    """CPU seconds of this process and of programs that it ran."""
    return sum(os.times()[:4])


def _counts(pip: np.ndarray, sets: list[np.ndarray], causal: np.ndarray) -> dict[str, float]:
    truth = np.zeros(len(pip), bool)
    truth[causal] = True
    likely = np.clip(np.where(truth, pip, 1 - pip), 1e-10, 1)
    inside = np.zeros(len(pip), bool)
    for found in sets:
        inside[found] = True
    counts = {
        "causal": float(len(causal)),
        "sets": float(len(sets)),
        "covered": float(sum(truth[found].any() for found in sets)),
        "found": float(inside[causal].sum()),
        "size": float(sum(len(found) for found in sets)),
        "log_score": float(np.log(likely).sum()),
    }
    for level in (0.5, 0.9):
        above = pip > level
        counts |= {f"above_{level}": float(above.sum()), f"false_{level}": float((above & ~truth).sum()),
                   f"claimed_{level}": float((1 - pip[above]).sum())}  # fmt: skip
    return counts


COLUMNS = ("cell", "method", "loci", "PIP>0.9", "false", "FDR (95%)", "claimed", "PIP>0.5 FDR (claimed)", "coverage",
           "power", "size", "log score", "CPU s", "not agreed", "largest error")  # fmt: skip


def _report(table: pd.DataFrame) -> Iterator[str]:
    yield "\t".join(COLUMNS)
    for (cell, method), part in table.groupby(["cell", "method"], sort=False):
        total = part.sum(numeric_only=True)
        high, false, middle = total["above_0.9"], total["false_0.9"], total["above_0.5"]
        low, top = _wilson(false, high)
        sets = max(total["sets"], 1)
        gap = part["gap"] if "gap" in part else pd.Series(dtype=float)
        error = f"{part['error'].max():.3f}" if "error" in part and part["error"].notna().any() else ""
        found = [cell, method, f"{len(part)}", f"{high:.0f}", f"{false:.0f}",
                 f"{_share(false, high):.3f} ({low:.3f}-{top:.3f})", f"{_share(total['claimed_0.9'], high):.3f}",
                 f"{_share(total['false_0.5'], middle):.3f} ({_share(total['claimed_0.5'], middle):.3f})",
                 f"{total['covered'] / sets:.3f}", f"{total['found'] / total['causal']:.3f}",
                 f"{total['size'] / sets:.2f}", f"{part['log_score'].mean():.2f}", f"{part['seconds'].mean():.3f}",
                 f"{(gap > 0.01).mean():.2f}", error]  # fmt: skip
        yield "\t".join(found)


def _ratios(table: pd.DataFrame) -> Iterator[str]:
    """The goals: FDR, coverage, power and time of the search against SuSiE with refinement in the same run."""
    few = table[table["cell"].str.split("/").str[1].astype(int) <= 5]
    ours, refine = few[few["method"] == "search"], few[few["method"] == "refine"]
    total = ours.sum(numeric_only=True)
    for level, name in (("0.9", "fdr_above_claim_at_0.9_error"), ("0.5", "fdr_above_claim_at_0.5_error")):
        over = (total[f"false_{level}"] - total[f"claimed_{level}"]) / max(total[f"above_{level}"], 1)
        yield f"ratio {name} {over:.4f} goal 0"
    yield f"ratio coverage {total['covered'] / max(total['sets'], 1):.3f} goal 0.95"
    power = [part["found"].sum() / part["causal"].sum() for part in (ours, refine)]
    yield f"ratio power_over_refine {power[0] / power[1]:.3f} goal 0.99"
    yield f"ratio search_over_refine_seconds {ours['seconds'].sum() / refine['seconds'].sum():.2f} goal 1"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _wilson(successes: float, trials: float) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927)."""
    if not trials:
        return 0.0, 1.0
    z, share = 1.96, successes / trials
    middle = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return max((middle - spread) / (1 + z * z / trials), 0), min((middle + spread) / (1 + z * z / trials), 1)


if __name__ == "__main__":
    main()
