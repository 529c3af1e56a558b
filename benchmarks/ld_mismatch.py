"""Fine-mapping with the LD of 500 other people: coverage, false sets and power of each step, and allele switches.

    python benchmarks/ld_mismatch.py --loci 250 --founders ../shared/data/panel_chr20/panel --jobs 2

Prints the tables and, last, what was reached beside the goals, as `ratio NAME VALUE goal GOAL`. `--output` keeps the
counts of each locus and method; a run that was stopped goes on from there, and another seed can use the same file.
What is simulated is told in ld_simulation.py. A set is true when it holds a causal variant; coverage is the share of
true sets, power the share of causal variants in a set, and false sets are counted per locus.
"""

import argparse
import csv
import io
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from ld_simulation import SimulatedLocus, people_of, read_founders, simulate_locus  # noqa: E402

from fineprior.files.errors import InputError  # noqa: E402
from fineprior.finemap.locus import fit_locus  # noqa: E402
from fineprior.finemap.susie import susie_rss  # noqa: E402
from fineprior.project.settings import FinemapSettings  # noqa: E402

SOURCES = ("coalescent", "mosaic", "drifted")
DEFAULT = FinemapSettings()
UNFILTERED = FinemapSettings(min_set_z=0.0, min_own_share=0.0)
METHODS = {
    "fineprior": DEFAULT,
    "  all sets kept": UNFILTERED,
    "  and no drift": FinemapSettings(min_set_z=0.0, min_own_share=0.0, estimate_drift=False),
    "SuSiE-inf": FinemapSettings(model="susie_inf", min_set_z=0.0, min_own_share=0.0),
    "one effect, no LD": FinemapSettings(ld="none"),
}
SWITCHED_SHARE, HARMFUL_Z = 0.01, 3.0
STRATA = (0.001, 0.003, 0.01, 0.03)
COUNTS = ("causal", "found", "sets", "true", "size")
SWITCHES = ("harmful", "harmful_flagged", "unswitched", "falsely_flagged")
COLUMNS = ("source", "locus", "seed", "explained", "data", "method", "status", *COUNTS, *SWITCHES)


def main() -> None:
    """Simulate, fit, count, print."""
    arguments = _arguments()
    path = arguments.output or Path(os.devnull)
    done = _done(path)
    sources = [source for source in SOURCES if source != "mosaic" or arguments.founders]
    tasks = [
        (source, locus, arguments.seed, arguments.founders, arguments.in_sample)
        for locus in range(arguments.loci)
        for source in sources
        if (source, locus, arguments.seed) not in done and (source != "drifted" or locus < arguments.drifted)
    ]
    rows = []
    with path.open("a", newline="") as handle, ProcessPoolExecutor(arguments.jobs) as pool:
        writer = csv.DictWriter(handle, COLUMNS, delimiter="\t")
        if handle.tell() == 0:
            writer.writeheader()
        for found in pool.map(_count_locus, *zip(*tasks, strict=True)) if tasks else ():
            writer.writerows(found)
            handle.flush()
            rows += found
    # Read back as numbers, as a run that goes on from a file would see them.
    table = pd.read_csv(path, sep="\t") if arguments.output else _as_read(rows)
    table = table[table["seed"] == arguments.seed]
    for line in _report(table):
        print(line)
    print()
    if not arguments.founders:
        print("--founders is not given: no loci of real genotypes were simulated, which the goals are for as well")
    for name, value, goal in _ratios(table):
        print(f"ratio {name} {value:.4f} goal {goal}")


def _as_read(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of counts as if they had been written to a file and read."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t")
    writer.writeheader()
    writer.writerows(rows)
    text.seek(0)
    return pd.read_csv(text, sep="\t")


def _done(path: Path) -> set[tuple[str, int, int]]:
    """Source, locus and seed of what a file of counts holds already."""
    if not path.is_file() or not path.stat().st_size:
        return set()
    table = pd.read_csv(path, sep="\t")
    if tuple(table) != COLUMNS:
        raise SystemExit(f"{path}: its columns are not those of this benchmark; name another --output")
    return set(zip(table["source"], table["locus"], table["seed"], strict=True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loci", type=int, default=250, help="loci of each source")
    parser.add_argument("--drifted", type=int, default=100, help="loci with a panel of another population")
    parser.add_argument("--founders", help="prefix of a PLINK panel of real genotypes, for the mosaics")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--in-sample", action="store_true", help="fit SuSiE with the LD of the GWAS too")
    parser.add_argument("--output", type=Path, help="counts of each locus and method, TSV")
    return parser.parse_args()


@cache
def _founders(prefix: str) -> tuple[np.ndarray, np.ndarray]:
    return read_founders(prefix)


def _count_locus(source: str, locus: int, seed: int, founders: str | None, in_sample: bool) -> list[dict[str, object]]:
    """Rows of one locus: each method on its z, and plain and default on its z with switched alleles."""
    rng = np.random.default_rng([seed, locus, SOURCES.index(source)])
    data = simulate_locus(people_of(source, _founders(founders) if founders else None, rng), rng, in_sample=in_sample)
    head = {"source": source, "locus": locus, "seed": seed, "explained": f"{data.explained:.5f}"}
    rows = [{**head, "data": "clean", "method": "SuSiE", **_plain(data, data.z, data.R_panel)}]
    if data.R_gwas is not None:
        rows.append({**head, "data": "clean", "method": "SuSiE, LD of GWAS", **_plain(data, data.z, data.R_gwas)})
    none = np.zeros(len(data.z), bool)
    for name, settings in METHODS.items():
        rows.append({**head, "data": "clean", "method": name, **_ladder(data, data.z, none, settings)})
    switched = none.copy()
    switched[rng.choice(len(none), max(1, round(SWITCHED_SHARE * len(none))), replace=False)] = True
    z = np.where(switched, -data.z, data.z)
    rows.append({**head, "data": "switched", "method": "SuSiE", **_plain(data, z, data.R_panel)})
    rows.append({**head, "data": "switched", "method": "fineprior", **_ladder(data, z, switched, DEFAULT)})
    return rows


def _plain(data: SimulatedLocus, z: np.ndarray, R: np.ndarray) -> dict[str, object]:
    try:
        fit = susie_rss(z, R, data.n)
    except (InputError, ArithmeticError):
        return {"status": "failed", **_sets([], data.causal)}
    status = "ok" if fit.converged else "not_converged"
    return {"status": status, **_sets([found.variables for found in fit.sets.sets], data.causal)}


def _ladder(data: SimulatedLocus, z: np.ndarray, switched: np.ndarray, settings: FinemapSettings) -> dict[str, object]:
    names = [f"v{j}" for j in range(len(z))]
    locus = fit_locus(names, z, data.R_panel, data.n, None, settings, panel_size=data.panel_size)
    sets = [found.variables for found in locus.fit.sets.sets] if locus.fit is not None else []
    counts = {"status": locus.status, **_sets(sets, data.causal)}
    if locus.ladder is not None and locus.ladder.diagnostics is not None:
        flagged, harmful = locus.ladder.diagnostics.switched, switched & (np.abs(z) > HARMFUL_Z)
        numbers = (harmful.sum(), (harmful & flagged).sum(), (~switched).sum(), (flagged & ~switched).sum())
        counts |= {name: int(number) for name, number in zip(SWITCHES, numbers, strict=True)}
    return counts


def _sets(sets: list[np.ndarray], causal: np.ndarray) -> dict[str, int]:
    true = sum(bool(np.isin(causal, members).any()) for members in sets)
    found = sum(any(variant in members for members in sets) for variant in causal)
    return dict(zip(COUNTS, (len(causal), found, len(sets), true, sum(map(len, sets))), strict=True))


def _report(table: pd.DataFrame) -> Iterator[str]:
    clean = table[table["data"] == "clean"]
    same = clean[clean["source"] != "drifted"]
    for source, part in [("panel of the same population", same), *clean.groupby("source")]:
        yield from _methods(source, part)
    for lower, upper in pairwise(STRATA):
        part = same[(same["explained"] >= lower) & (same["explained"] < upper)]
        yield from _methods(f"same population, variance explained {lower:.1%} to {upper:.1%}", part)
    yield from _methods("1% of alleles switched, same population", table[
        (table["data"] == "switched") & (table["source"] != "drifted")
    ])  # fmt: skip
    yield "\n| source | data | harmful switches | flagged | falsely flagged |\n|---|---|---|---|---|"
    counted = table[(table["method"] == "fineprior") & table["unswitched"].notna()]
    for (source, data), part in counted.groupby(["source", "data"]):
        harmful, flagged, unswitched, falsely = part[list(SWITCHES)].sum()
        share = f"{flagged / harmful:.1%}" if harmful else "-"
        yield f"| {source} | {data} | {harmful:.0f} | {share} | {falsely / unswitched:.3%} |"
    statuses = clean[clean["method"] == "fineprior"].groupby("source")["status"].value_counts()
    yield "\nStatus of the loci (fineprior): " + "; ".join(
        f"{source} {status} {count}" for (source, status), count in statuses.items()
    )


def _ratios(table: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Name, value and goal of what is asked for, over the loci with a panel of the same population.

    At least the goal: coverage, power_over_plain, switches_flagged; at most: false_sets_over_plain, false_flags.
    """
    same = table[table["source"] != "drifted"]
    clean = same[same["data"] == "clean"]
    (_, found, sets, true), (_, plain_found, plain_sets, plain_true) = (
        clean.loc[clean["method"] == method, list(COUNTS[:4])].sum() for method in ("fineprior", "SuSiE")
    )
    yield "coverage", _share(true, sets), 0.94
    yield "false_sets_over_plain", _share(sets - true, plain_sets - plain_true), 0.333
    yield "power_over_plain", _share(found, plain_found), 0.9
    flags = same[(same["data"] == "switched") & (same["method"] == "fineprior")]
    harmful, flagged, unswitched, falsely = flags[list(SWITCHES)].sum()
    yield "switches_flagged", _share(flagged, harmful), 0.8
    yield "false_flags", _share(falsely, unswitched), 0.01


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _methods(title: str, part: pd.DataFrame) -> Iterator[str]:
    yield f"\n**{title}**, {part[['source', 'locus']].drop_duplicates().shape[0]} loci\n"
    yield "| method | sets | coverage (95% interval) | false sets per locus | power | mean size |\n" + "|---" * 6 + "|"
    for method in part["method"].drop_duplicates():
        rows = part[part["method"] == method]
        causal, found, sets, true, size = rows[list(COUNTS)].sum()
        lower, upper = _wilson(true, sets)
        yield (
            f"| {method} | {sets} | {true / max(sets, 1):.3f} ({lower:.3f}-{upper:.3f}) | "
            f"{(sets - true) / len(rows):.3f} | {found / causal:.3f} | {size / max(sets, 1):.1f} |"
        )


def _wilson(successes: float, trials: float) -> tuple[float, float]:
    if not trials:
        return 0.0, 1.0
    z, share = 1.96, successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return middle - half, middle + half


if __name__ == "__main__":
    main()
