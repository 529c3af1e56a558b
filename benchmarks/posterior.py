"""Are PIPs what they say? The search of configurations beside SuSiE, SuSiE with refinement, and FINEMAP.

    python benchmarks/posterior.py --founders PREFIX --output posterior.tsv            # may be killed and run again
    python benchmarks/posterior.py --founders PREFIX --output large.tsv --cells founders:5000/10/40/uniform --loci 12
    python benchmarks/posterior.py ... --finemap PROGRAM --susier --pysusie FOLDER     # other programs, on fewer loci
    python benchmarks/posterior.py --report posterior.tsv large.tsv

A cell is SOURCE/CAUSAL/CHI2/PRIOR.

SOURCE   founders: windows of real genotypes of a PLINK panel (about 300 variants); msprime (200 variants); with ":1000"
         behind it, windows of so many variants (of founders then also rare ones)
CAUSAL   how many variants are causal
CHI2     mean n b^2 of a causal variant
PRIOR    uniform; true: causal variants are drawn by weights that all programs get; useless: weights without meaning

--effects: normal, as all programs assume; equal, all of one size; or t, with heavy tails (Student, 3 degrees of
freedom).

z is drawn as N(sqrt(n) R b, R) from the R that programs get: LD of the GWAS itself. Measured are variants with PIP
above 0.9 and 0.5, how many of them are not causal, and how many the PIPs claim; coverage, power and size of 95% sets,
and of the search's with sets of less probability; the log score (log probability of what is causal, variants taken as
independent; nearer to 0 is better); CPU seconds. --exact compares the first loci of cells with one to three causal
variants with all configurations of up to three.

Loci are made one by one, each with all cells, and appended to the output: a run that is killed goes on where it was.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("scripts", "tests")]

from finemap_program import run_finemap  # noqa: E402
from ld_simulation import MIN_MAF, coalescent_people, read_founders  # noqa: E402
from susie_programs import run  # noqa: E402

from fineprior.finemap.search import Posterior, effect_variance, search  # noqa: E402
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


BY = ("source", "causal", "chi2", "prior")
LEVELS = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Least probability of the search's sets, where they cannot grow to 95%."""


@dataclass(frozen=True)
class Given:
    """What is run: founders (common variants; all), and which programs."""

    founders: tuple[np.ndarray, np.ndarray] | None
    every: tuple[np.ndarray, np.ndarray] | None
    seed: int
    effects: str
    exact: int
    finemap: str | None
    susier: bool
    pysusie: str | None


def main() -> None:
    """Run the loci that the output does not have yet, and report."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--founders", metavar="PREFIX", help="PLINK panel without missing genotypes")
    top.add_argument("--cells", nargs="+", default=CELLS)
    top.add_argument("--loci", type=int, default=300, help="loci of each cell")
    top.add_argument("--effects", choices=("normal", "equal", "t"), default="normal")
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--jobs", type=int, default=1)
    top.add_argument("--exact", type=int, default=0, metavar="LOCI", help="loci of a cell with all configurations")
    top.add_argument("--finemap", metavar="PROGRAM")
    top.add_argument("--susier", action="store_true")
    top.add_argument("--pysusie", metavar="FOLDER", help="where pysusie is installed")
    top.add_argument("--output", default="posterior.tsv")
    top.add_argument("--report", nargs="+", metavar="FILE", help="only report")
    top.add_argument("--by", nargs="+", choices=BY, help="report cells together that are alike in these")
    given = top.parse_args()
    if not given.report:
        _run(given)
    table = pd.concat([pd.read_csv(path, sep="\t") for path in given.report or [given.output]])
    ratios = list(_ratios(table))
    if given.by:
        fields = table["cell"].str.split("/", expand=True)
        table["cell"] = fields[[BY.index(name) for name in BY if name in given.by]].agg("/".join, axis=1)
    sys.stdout.writelines(f"{line}\n" for line in [*_report(table), *ratios])


def _run(given: argparse.Namespace) -> None:
    panels = [read_founders(given.founders, least) for least in (MIN_MAF, 0.0)] if given.founders else [None, None]
    options = Given(*panels, given.seed, given.effects, given.exact, given.finemap, given.susier, given.pysusie)
    output = Path(given.output)
    done = set()
    if output.exists():
        done = set(pd.read_csv(output, sep="\t", usecols=["cell", "locus"]).itertuples(index=False, name=None))
    ending = "" if given.effects == "normal" else f"/{given.effects}"
    tasks = [
        (number, cells)
        for number in range(given.loci)
        if (cells := [cell for cell in given.cells if (cell + ending, number) not in done])
    ]
    with ProcessPoolExecutor(given.jobs) as pool:
        for rows in pool.map(partial(_loci, options), tasks):
            table = pd.DataFrame(rows).reindex(columns=ROW)
            table["cell"] += ending
            table.to_csv(output, sep="\t", index=False, mode="a", header=not output.exists(), float_format="%.5g")


def _loci(options: Given, task: tuple[int, list[str]]) -> list[dict[str, object]]:
    """All cells of one number; their simulated people are the same."""
    number, cells = task
    people: dict[str, np.ndarray] = {}
    return [row for cell in cells for row in _one(options, cell, number, people)]


def _locus(options: Given, cell: str, rng: np.random.Generator, people: Callable[[], np.ndarray]) -> Locus:
    source, causal, chi2, prior = cell.split("/")
    source, _, wanted = source.partition(":")
    if source == "founders":
        panel = options.every if wanted else options.founders
        if panel is None:
            raise SystemExit("--founders is needed")
        dosages, positions = panel
        if wanted:
            first = int(rng.integers(len(positions) - int(wanted) + 1))
            inside = np.arange(first, first + int(wanted))
        else:
            start = rng.integers(positions[0], positions[-1] - WINDOW)
            inside = np.flatnonzero((positions >= start) & (positions < start + WINDOW))
        genotypes = dosages[:, inside]
    else:
        genotypes = people()
        size = int(wanted or 200)
        first = int(rng.integers(max(genotypes.shape[1] - size, 0) + 1))
        genotypes = genotypes[:, first : first + size]
    standard = genotypes - genotypes.mean(0)
    standard /= np.sqrt((standard**2).sum(0))
    R = standard.T @ standard
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
    }[options.effects]
    b = np.zeros(p)
    b[chosen] = np.sqrt(float(chi2)) * draw()
    noise = standard.T @ rng.standard_normal(len(standard))  # its covariance is R
    return Locus(R @ b + noise, R, np.full(p, 1 / p) if prior == "uniform" else weights, np.sort(chosen))


def _one(options: Given, cell: str, number: int, people: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """One row for each method."""

    def simulated() -> np.ndarray:
        if "msprime" not in people:
            people["msprime"] = coalescent_people(PEOPLE, np.random.default_rng([options.seed, number]))
        return people["msprime"]

    locus = _locus(options, cell, np.random.default_rng([options.seed, number, *cell.encode()]), simulated)
    rows: list[dict[str, object]] = []

    def measured(method: str, run: Callable[[], tuple[np.ndarray, list[np.ndarray], dict[str, float]]]) -> None:
        start = _cpu()
        pip, sets, more = run()
        seconds = _cpu() - start
        rows.append({"cell": cell, "locus": number, "method": method, "p": len(pip), "seconds": seconds}
                    | _counts(pip, sets, locus.causal) | more)  # fmt: skip

    fits: dict[bool, SusieFit] = {}
    z = locus.z * np.sqrt((N - 1) / (locus.z**2 + N - 2))
    found: list[Posterior] = []

    def susie(refine: bool) -> tuple[np.ndarray, list[np.ndarray], dict[str, float]]:
        fit = fits[refine] = susie_rss(
            locus.z, locus.R, N, prior_weights=locus.prior, refine=refine, zero_excludes=True
        )
        return fit.pip, [found.variables for found in fit.sets.sets], {}

    def searched() -> tuple[np.ndarray, list[np.ndarray], dict[str, float]]:
        found.append(search(z, locus.R, effect_variance(fits[False], N), prior_weights=locus.prior))
        return found[0].pip, [one.variables for one in found[0].sets()], {"gap": found[0].gap, "met": found[0].met}

    measured("susie", lambda: susie(False))
    measured("refine", lambda: susie(True))
    measured("search", searched)
    for level in LEVELS:
        counts = _counts(found[0].pip, [one.variables for one in found[0].sets(least=level)], locus.causal)
        rows[-1] |= {f"{name}_{level}": counts[name] for name in ("sets", "covered", "found")}
    if number < options.exact and len(locus.causal) <= 3 and cell.startswith("founders/") and cell.endswith("uniform"):
        from exact_posterior import exact_posterior

        W = effect_variance(fits[False], N)
        start = _cpu()
        truth, _ = exact_posterior(z, locus.R, W, locus.prior)
        seconds = _cpu() - start
        three = search(z, locus.R, W, prior_weights=locus.prior, most=3)
        error = float(np.abs(three.pip - truth).max())
        rows.append({"cell": cell, "locus": number, "method": "exact", "p": len(z), "seconds": seconds, "error": error,
                     "gap": three.gap} | _counts(truth, [], locus.causal))  # fmt: skip
        rows.append({"cell": cell, "locus": number, "method": "search of 3", "p": len(z), "seconds": 0.0}
                    | _counts(three.pip, [], locus.causal))  # fmt: skip
    if options.finemap:
        program = options.finemap
        measured("finemap", lambda: run_finemap(program, locus.z, locus.R, N, locus.prior))
    for name, wanted in (("susieR", options.susier), ("pysusie", options.pysusie is not None)):
        if wanted:
            pip, sets, seconds = _other(name, locus, options.pysusie or "")
            rows.append({"cell": cell, "locus": number, "method": name, "p": len(pip), "seconds": seconds}
                        | _counts(pip, sets, locus.causal))  # fmt: skip
    return rows


def _other(program: str, locus: Locus, pysusie: str) -> tuple[np.ndarray, list[np.ndarray], float]:
    """PIPs, sets and CPU seconds of the fit of another implementation of SuSiE, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, array in (("R", locus.R.astype(np.float32)), ("z", locus.z), ("prior", locus.prior)):
            np.save(Path(folder) / f"{name}.npy", array)
        used = run(program, Path(folder), len(locus.z), pysusie)
    sets = [np.array(line.split(","), np.intp) for line in used["sets"]]
    return np.array(used["pip"]), sets, used["seconds"]


def _cpu() -> float:
    """CPU seconds of this process and of programs that it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


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


ROW = ["cell", "locus", "method", "p", "seconds", "causal", "sets", "covered", "found", "size", "log_score",
       *(f"{name}_{level}" for level in (0.5, 0.9) for name in ("above", "false", "claimed")), "gap", "met", "error",
       *(f"{name}_{level}" for level in LEVELS for name in ("sets", "covered", "found"))]  # fmt: skip
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
    """The goals of the search, against SuSiE with refinement in the same run."""
    parts = {key: part.sum(numeric_only=True) for key, part in table.groupby(["cell", "method"], sort=False)}
    cells = [cell for cell, method in parts if method == "search"]
    small = [cell for cell in cells if ":" not in cell]
    few = [cell for cell in small if int(cell.split("/")[1]) <= 5]
    for level in (0.9, 0.5):
        above = []
        for cell in few:
            high = parts[cell, "search"][f"above_{level}"]
            false, claimed = (parts[cell, "search"][f"{name}_{level}"] for name in ("false", "claimed"))
            if _wilson(false, high)[0] > _share(claimed, high):
                above.append(cell)
        yield f"of {len(few)} cells with up to 5 causal variants, FDR at PIP > {level} above the claim: {above}"
        yield f"ratio cells_with_fdr_above_claim_at_{level} {len(above)} goal 0"
    covered = {cell: _share(parts[cell, "search"]["covered"], parts[cell, "search"]["sets"]) for cell in small}
    least = min(covered, key=lambda cell: covered[cell])
    below = [cell for cell, share in covered.items() if share < 0.95]
    yield f"coverage of 95% sets is least in {least}; below 0.95 in {below}"
    yield f"ratio coverage_of_the_least_cell {covered[least]:.3f} goal 0.95"
    for name, some in (("up_to_5_causal", few), ("10_causal", [cell for cell in small if cell not in few])):
        if some:
            ours, refine = (sum(parts[cell, method] for cell in some) for method in ("search", "refine"))
            coverage, power = refine["covered"] / refine["sets"], refine["found"] / refine["causal"]
            curve = [(ours[f"covered_{level}"] / ours[f"sets_{level}"], ours[f"found_{level}"] / ours["causal"])
                     for level in LEVELS]  # fmt: skip
            at_equal = float(np.interp(coverage, *zip(*curve, strict=True)))
            said = "; ".join(f"{level}: {one:.3f}, {two:.3f}" for level, (one, two) in zip(LEVELS, curve, strict=True))
            yield f"{name}: refine covers {coverage:.3f} with power {power:.3f}"
            yield f"{name}: search by the least probability of a set (coverage, power): {said}"
            yield f"ratio power_less_refines_at_equal_coverage_{name} {at_equal - power:.3f} goal -0.01"
            seconds = ours["seconds"] / refine["seconds"]
            yield f"ratio search_over_refine_seconds_{name} {seconds:.2f} goal 1"
    exact = table[table["method"] == "exact"]
    if len(exact):
        three = table[table["method"] == "search of 3"]
        difference = three["log_score"].mean() - exact["log_score"].mean()
        yield f"{len(exact)} loci against all configurations: {(exact['error'] > 0.05).sum()} errors above 0.05"
        yield f"ratio largest_error_against_all_configurations {exact['error'].max():.3f} goal 0.05"
        yield f"ratio log_score_less_exact {difference:.3f} goal -0.1"
    for cell in cells:
        if cell.startswith("founders:5000/10/"):
            seconds = table[(table["cell"] == cell) & (table["method"] == "search")]["seconds"]
            yield f"ratio seconds_at_p_5000_with_10_causal {seconds.mean():.2f} goal 0.5"
    theirs = [cell for cell, method in parts if method == "finemap"]
    if theirs:
        seconds = [sum(parts[cell, method]["seconds"] for cell in theirs) for method in ("finemap", "search")]
        yield f"ratio times_faster_than_finemap {seconds[0] / seconds[1]:.0f} goal 30"


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
