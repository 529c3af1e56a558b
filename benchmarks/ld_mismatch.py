"""Fine-mapping with the LD of 500 other people: are PIPs and sets what they say? And allele switches.

    python benchmarks/ld_mismatch.py --windows 500 --loci 0 --jobs 2                 # PIPs and sets by population
    python benchmarks/ld_mismatch.py --loci 250 --founders ../shared/data/panel_chr20/panel --jobs 2    # switches too

Prints the tables and, last, what was reached beside the goals, as `ratio NAME VALUE goal GOAL`. `--output` keeps the
counts of each locus and method; a run that was stopped goes on from there, and another seed can use the same file.
What is simulated is told in ld_simulation.py. A set is true when it holds a causal variant; coverage is the share of
true sets, power the share of causal variants in a set, and false sets are counted per locus.

--windows: z is drawn from the LD of the GWAS in simulated windows of 100 kb, with panels of the GWAS's population
("matched"; "hidden": with two or three causal variants in LD with one another) and of populations that have drifted
from it. FDR is the share of false variants among those with a PIP above 0.9 and 0.5, beside what the PIPs claim; the
log score is the log probability of what is causal, variants taken as independent (nearer to 0 is better). F_ST is one
number per panel, from STUDY windows. Methods: "SuSiE" as given; "Wishart, F_ST unknown", the error (1 + r²) (1 / B +
lambda) of a Wishart matrix with the rule of own z; "F_ST unknown" and "F_ST known", the default; "search", which
averages the evidence of configurations over the panel's error, in the first --search windows. All methods run in the
cells that have a goal for power; in the others only the default with F_ST known.
"""

import argparse
import csv
import io
import math
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from ld_simulation import (  # noqa: E402
    PANELS,
    SimulatedLocus,
    common_in_both,
    correlations,
    drawn_locus,
    gwas_and_panels,
    hudson_parts,
    people_of,
    read_founders,
    simulate_locus,
)

from fineprior.files.errors import InputError  # noqa: E402
from fineprior.finemap import ladder  # noqa: E402
from fineprior.finemap.locus import fit_locus  # noqa: E402
from fineprior.finemap.panel_error import PanelError, Shape, excess_drift  # noqa: E402
from fineprior.finemap.panel_search import panel_search  # noqa: E402
from fineprior.finemap.search import effect_variance  # noqa: E402
from fineprior.finemap.susie import SusieFit, susie_rss  # noqa: E402
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
PIPS = ("above_0.9", "false_0.9", "claimed_0.9", "above_0.5", "false_0.5", "claimed_0.5", "log_score")
STUDY = 30
CELLS = ("matched", "hidden", *(name for name in PANELS if name != "matched"))
GOALS = {"matched": 0.94, "hidden": 0.87, "split 0.5%": 0.82}
"""Power that is asked for, as a share of that of SuSiE with the LD of the GWAS."""
SWITCHES = ("harmful", "harmful_flagged", "unswitched", "falsely_flagged")
COLUMNS = ("source", "locus", "seed", "explained", "data", "method", "status", *COUNTS, *SWITCHES, *PIPS)


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
        fst = _study_fst(arguments.seed) if arguments.windows else {}
        wanted = [window for window in range(arguments.windows) if (CELLS[-1], window, arguments.seed) not in done]
        for found in pool.map(partial(_count_window, fst, arguments.seed, arguments.search), wanted):
            writer.writerows(found)
            handle.flush()
            rows += found
    # Read back as numbers, as a run that goes on from a file would see them.
    table = pd.read_csv(path, sep="\t") if arguments.output else _as_read(rows)
    table = table[table["seed"] == arguments.seed]
    cells = table[table["source"].isin(CELLS)]
    lines = [*_cells(cells), "", *_cell_ratios(cells)] if len(cells) else []
    table = table[~table["source"].isin(CELLS)]
    lines += _report(table) if len(table) else []
    for line in lines:
        print(line)
    if not len(table):
        return
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
    parser.add_argument("--windows", type=int, default=0, help="simulated windows with panels of seven populations")
    parser.add_argument("--search", type=int, default=0, help="of these with the search of configurations")
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


class _WishartError(PanelError):
    """The error of a Wishart matrix, (1 + r²) (1 / B + lambda)."""

    def residual_variance(self, expected_z: np.ndarray, explained: float, sigma2: float) -> np.ndarray:
        return sigma2 + (1 / self.panel_size + self.drift) * (expected_z**2 + max(explained, 0.0))

    def after_sweep(self, residual_z: np.ndarray, expected_z: np.ndarray, explained: float, sigma2: float) -> None:
        scale = expected_z**2 + max(explained, 0.0)
        self.drift = excess_drift(residual_z, scale, sigma2 + scale / self.panel_size)


def _study_fst(seed: int) -> dict[str, float]:
    """F_ST of each panel over STUDY windows."""
    windows = [gwas_and_panels(np.random.default_rng([seed, window, 99])) for window in range(STUDY)]
    found = {}
    for name in PANELS:
        above, below = zip(*(hudson_parts(window["gwas"], window[name]) for window in windows), strict=True)
        found[name] = max(sum(above) / sum(below), 0.0)
    return found


def _count_window(fst: dict[str, float], seed: int, search: int, window: int) -> list[dict[str, object]]:
    """Rows of one window: each method with each panel, on the same z where the panel has the same variants."""
    rng = np.random.default_rng([seed, window, 99])
    people = gwas_and_panels(rng)
    rows = []
    for place, cell in enumerate(CELLS):
        panel = "matched" if cell == "hidden" else cell
        both = common_in_both(people["gwas"], people[panel])
        R_gwas, R_panel = (correlations(people[group][:, both]) for group in ("gwas", panel))
        data = drawn_locus(R_gwas, R_panel, np.random.default_rng([seed, window, place, 98]), hidden=cell == "hidden")
        found = _cell_methods(data, fst[panel], every=cell in GOALS, searched=window < search)
        head = {"source": cell, "locus": window, "seed": seed, "explained": f"{data.explained:.5f}", "data": "drawn"}
        rows += [{**head, "method": method, "status": status, **_all_counts(pip, sets, data.causal)}
                 for method, (status, pip, sets) in found.items()]  # fmt: skip
    return rows


Found = tuple[str, np.ndarray, list[np.ndarray]]


def _cell_methods(data: SimulatedLocus, fst: float, *, every: bool, searched: bool) -> dict[str, Found]:
    """Status, PIPs and credible sets by each method."""

    def of(fit: SusieFit | None, status: str) -> Found:
        if fit is None:
            return status, np.zeros(len(data.z)), []
        return status, fit.pip, [found.variables for found in fit.sets.sets]

    def default(drift: float | None) -> tuple[Found, float]:
        names = [f"v{j}" for j in range(len(data.z))]
        locus = fit_locus(names, data.z, data.R_panel, data.n, None, DEFAULT, panel_size=data.panel_size, drift=drift)
        return of(locus.fit, locus.status), math.nan if locus.ladder is None else locus.ladder.drift

    found = {}
    if every:
        found["SuSiE, LD of GWAS"] = of(susie_rss(data.z, data.R_gwas, data.n), "ok")
        found["SuSiE"] = of(susie_rss(data.z, data.R_panel, data.n), "ok")
        ladder.PanelError = _WishartError  # type: ignore[misc]
        found["Wishart, F_ST unknown"], _ = default(None)
        ladder.PanelError = PanelError  # type: ignore[misc]
        found["F_ST unknown"], _ = default(None)
    found["F_ST known"], drift = default(fst)
    if searched and every:
        fit = susie_rss(data.z, data.R_panel, data.n, inflation=PanelError(data.panel_size, known_drift=fst),
                        convergence_method="pip", max_iter=300)  # fmt: skip
        z = data.z * np.sqrt((data.n - 1) / (data.z**2 + data.n - 2))
        shape = Shape(data.panel_size, fst if math.isnan(drift) else drift)
        posterior = panel_search(z, data.R_panel, effect_variance(fit, data.n), shape)
        status = "ok" if posterior.agreed else "not agreed"
        found["search"] = status, posterior.pip, [one.variables for one in posterior.sets()]
    return found


def _all_counts(pip: np.ndarray, sets: list[np.ndarray], causal: np.ndarray) -> dict[str, float]:
    truth = np.zeros(len(pip), bool)
    truth[causal] = True
    counts: dict[str, float] = dict(_sets(sets, causal))
    for level in (0.9, 0.5):
        above = pip > level
        counts |= {f"above_{level}": above.sum(), f"false_{level}": (above & ~truth).sum(),
                   f"claimed_{level}": (1 - pip[above]).sum()}  # fmt: skip
    return counts | {"log_score": np.log(np.clip(np.where(truth, pip, 1 - pip), 1e-10, 1)).sum()}


def _cells(table: pd.DataFrame) -> Iterator[str]:
    yield (
        "| panel | method | loci | PIP > 0.9: false | FDR (95%) | claimed | PIP > 0.5: FDR (claimed) "
        "| coverage (95%) | power | size | log score |\n" + "|---" * 11 + "|"
    )
    for cell in CELLS:
        for method in table["method"].drop_duplicates():
            rows = table[(table["source"] == cell) & (table["method"] == method)]
            if not len(rows):
                continue
            total = rows[[*COUNTS, *PIPS]].sum()
            high, middle, sets = total["above_0.9"], total["above_0.5"], total["sets"]
            (low, top), (worst, best) = _wilson(total["false_0.9"], high), _wilson(total["true"], sets)
            yield (
                f"| {cell} | {method} | {len(rows)} | {total['false_0.9']:.0f} of {high:.0f} "
                f"| {_share(total['false_0.9'], high):.1%} ({low:.1%}-{top:.1%}) "
                f"| {_share(total['claimed_0.9'], high):.1%} "
                f"| {_share(total['false_0.5'], middle):.1%} ({_share(total['claimed_0.5'], middle):.1%}) "
                f"| {_share(total['true'], sets):.3f} ({worst:.3f}-{best:.3f}) "
                f"| {_share(total['found'], total['causal']):.3f} | {_share(total['size'], sets):.1f} "
                f"| {total['log_score'] / len(rows):.2f} |"
            )


def _cell_ratios(table: pd.DataFrame) -> Iterator[str]:
    """What the default reaches beside the goals: FDR at most, coverage and power at least."""
    for cell in CELLS:
        total, best = (
            table[(table["source"] == cell) & (table["method"] == method)][[*COUNTS, *PIPS]].sum()
            for method in ("F_ST known", "SuSiE, LD of GWAS")
        )
        name = cell.replace(" ", "_").replace("%", "")
        yield f"ratio fdr_{name} {_share(total['false_0.9'], total['above_0.9']):.4f} goal 0.03"
        yield f"ratio coverage_{name} {_share(total['true'], total['sets']):.4f} goal 0.94"
        if cell in GOALS:
            yield f"ratio power_over_gwas_ld_{name} {_share(total['found'], best['found']):.4f} goal {GOALS[cell]}"


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
    return max(middle - half, 0.0), min(middle + half, 1.0)


if __name__ == "__main__":
    main()
