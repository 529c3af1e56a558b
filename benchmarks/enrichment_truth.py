"""Intervals, tests and gain of the prior's curves (`priors.enrichment_curve`) where the truth is known.

    python benchmarks/enrichment_truth.py --panel PREFIX --output enrichment_truth.tsv    # all parts, an hour
    python benchmarks/enrichment_truth.py --panel PREFIX --parts exact --studies 20
    python benchmarks/enrichment_truth.py --table enrichment_truth.tsv --write docs/method/prior.md

The world is not the simulator of the project. Loci are WINDOWS windows of VARIANTS common variants of a PLINK panel
with its own LD. Variants get scores of one of three shapes, causal variants are drawn by the true odds, their effects
are normal with K times the variance of an estimate, z ~ N(R effects, R), and a locus is kept where the largest |z|
exceeds 5.45. Shapes, the unit of the odds being 1:

binary    5% of the variants are annotated;
heavy     exponential ** 1.5, the unit being the mean of the top 5% less that of the rest;
ramp      0 below the ninth decile, then linear to 1 at the top.

exact     One causal variant a locus, exact Bayes factors. Cover of the 95% interval, and the share of the oracle's
          gain in PIP (log10 of the causal variant's PIP over that under the uniform prior; the oracle knows the odds),
          with 1, 2, 4 and 22 chromosomes, each left out in turn.
susie     One to three causal variants, the signals being SuSiE's. The PIP is that of a signal's nearest causal variant.
kept      Whether intervals are too short because loci are selected by z. The probability that a locus is kept is
          simulated for each of its candidates (DRAWS z a candidate), and put into the denominator or not.
detect    Effects per standardised genotype and per allele, scores that follow MAF and LD: how often they are called,
          with and without the probability of detection in the denominator; K and its exponent are estimated.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import pandas as pd  # noqa: E402
from ld_simulation import read_founders  # noqa: E402
from scipy.special import logsumexp  # noqa: E402

from fineprior.files.arrays import Floats  # noqa: E402
from fineprior.finemap.susie import susie_rss  # noqa: E402
from fineprior.priors.blocks import Block, log_softmax  # noqa: E402
from fineprior.priors.coefficient_posterior import (  # noqa: E402
    CoefficientPrior,
    groups_left_out,
    left_out_posteriors,
    mixed_prior,
)
from fineprior.priors.detection import (  # noqa: E402
    detected_curves,
    given_detection,
    log_bayes_factor,
)
from fineprior.priors.enrichment import log_bayes_factors  # noqa: E402
from fineprior.priors.enrichment_curve import curves  # noqa: E402
from fineprior.priors.statements import Statement, statement  # noqa: E402

WINDOWS, VARIANTS, K, THRESHOLD = 40, 200, 40.0, 5.45
SIZES, USED_SIZES, CHROMOSOMES = (20, 40, 100, 300, 1000), (20, 40, 100), (1, 2, 4, 22)
ODDS = (1.0, 3.0, 10.0)
CAUSAL_COUNTS = (0.6, 0.3, 0.1)
SAMPLES, DRAWS = 50_000, 800
PARTS = ["exact", "susie", "kept", "detect"]
TWO_SIGNS, ONE_SIGN = CoefficientPrior(), CoefficientPrior(nonnegative=True)
MARKS = ("<!-- benchmarks/enrichment_truth.py -->", "<!-- end of benchmarks/enrichment_truth.py -->")
Generator = np.random.Generator


@dataclass(frozen=True)
class Window:
    """LD (p, p) of a window, a square root of it, and of each variant 2 f (1 - f), MAF and LD, standardised."""

    R: Floats
    root: Floats
    heterozygosity: Floats
    maf: Floats
    log_ld: Floats


@dataclass(frozen=True)
class Study:
    """Loci that were kept: scores and z (loci, p), causal variants of each, and its window's number."""

    x: Floats
    z: Floats
    causal: list[npt.NDArray[np.int64]]
    window: npt.NDArray[np.int64]

    def first(self, start: int, end: int) -> "Study":
        """Some of the loci."""
        return Study(self.x[start:end], self.z[start:end], self.causal[start:end], self.window[start:end])


Shape = Callable[[Window, int, Generator], tuple[Floats, Floats]]
"""Scores (m, p) of m loci of a window, and log odds (m, p)."""


def windows_of(prefix: str, rng: Generator) -> list[Window]:
    """Windows of the panel's common variants."""
    genotypes = read_founders(prefix)[0].astype(float)
    found = []
    for start in rng.choice(genotypes.shape[1] - VARIANTS, WINDOWS, replace=False):
        here = genotypes[:, start : start + VARIANTS]
        R = np.corrcoef(here.T)
        values, vectors = np.linalg.eigh(R)
        f = here.mean(axis=0) / 2
        found.append((R, vectors * np.sqrt(np.maximum(values, 0)), 2 * f * (1 - f), np.minimum(f, 1 - f),
                      np.log((R**2).sum(axis=0))))  # fmt: skip
    mafs, lds = np.array([one[3] for one in found]), np.array([one[4] for one in found])
    return [Window(R, root, h, (maf - mafs.mean()) / mafs.std(), (ld - lds.mean()) / lds.std())
            for R, root, h, maf, ld in found]  # fmt: skip


def binary(odds: float) -> Shape:
    """Annotated or not."""

    def draw(_: Window, m: int, rng: Generator) -> tuple[Floats, Floats]:
        x = (rng.random((m, VARIANTS)) < 0.05).astype(float)
        return x, np.log(odds) * x

    return draw


def heavy(odds: float) -> Shape:
    """A heavy tail."""
    u = np.sort(np.random.default_rng(0).exponential(size=200_000) ** 1.5)
    unit = u[190_000:].mean() - u[:190_000].mean()

    def draw(_: Window, m: int, rng: Generator) -> tuple[Floats, Floats]:
        x = (rng.exponential(size=(m, VARIANTS)) ** 1.5 - u.mean()) / unit
        return x, np.log(odds) * x

    return draw


def ramp(odds: float) -> Shape:
    """Nothing below the ninth decile."""

    def draw(_: Window, m: int, rng: Generator) -> tuple[Floats, Floats]:
        x = np.maximum(0, (rng.random((m, VARIANTS)) - 0.9) / 0.1)
        return x, np.log(odds) * x

    return draw


def follows(slope: float) -> Shape:
    """A score that follows LD and MAF."""

    def draw(window: Window, m: int, rng: Generator) -> tuple[Floats, Floats]:
        x = (0.8 * window.log_ld + 0.5 * window.maf + 0.6 * rng.standard_normal((m, VARIANTS))) / 1.2
        return x, slope * x

    return draw


SHAPES: dict[str, Callable[[float], Shape]] = {"binary": binary, "heavy": heavy, "ramp": ramp}


def study_of(windows: list[Window], loci: int, shape: Shape, rng: Generator, *, per_allele: bool = False,
             counts: tuple[float, ...] = (1.0,)) -> Study:  # fmt: skip
    """Loci that were kept, of windows at random; `counts` are probabilities of one causal variant, of two, ..."""
    mean = np.mean([window.heterozygosity.mean() for window in windows])
    parts: list[tuple[Floats, Floats, list[npt.NDArray[np.int64]], int]] = []
    kept = 0
    while kept < loci:
        number = int(rng.integers(len(windows)))
        window, m = windows[number], 24
        x, log_odds = shape(window, m, rng)
        drawn = -(log_odds + rng.gumbel(size=log_odds.shape))
        order = np.argpartition(drawn, range(len(counts)), axis=1)[:, : len(counts)]
        many = 1 + rng.choice(len(counts), m, p=counts)
        ratio = K * (window.heterozygosity / mean if per_allele else np.ones(VARIANTS))
        z = rng.standard_normal((m, VARIANTS)) @ window.root.T
        for rank, chosen in enumerate(order.T):
            effect = np.sqrt(ratio[chosen]) * rng.standard_normal(m) * (many > rank)
            z += effect[:, None] * window.R[chosen]
        there = np.flatnonzero(np.abs(z).max(axis=1) > THRESHOLD)[: loci - kept]
        parts.append((x[there], z[there], [order[row, : many[row]] for row in there], number))
        kept += len(there)
    return Study(
        np.concatenate([one[0] for one in parts]),
        np.concatenate([one[1] for one in parts]),
        [causal for one in parts for causal in one[2]],
        np.concatenate([np.full(len(one[0]), one[3]) for one in parts]),
    )


def block_of(log_bf: Floats) -> Block:
    """Loci of log Bayes factors (loci, p, signals)."""
    n = log_bf.shape[0] * log_bf.shape[1]
    return Block.of(np.zeros((n, 0)), log_bf.reshape(n, -1), np.arange(log_bf.shape[0]) * log_bf.shape[1])


def exact_signals(study: Study) -> tuple[Floats, list[npt.NDArray[np.int64]]]:
    """Exact log Bayes factors (loci, p, 1), and the causal variant of each signal."""
    log_bf = log_bayes_factor(study.z, np.full(study.z.shape, K))
    return log_bf[:, :, None], study.causal


def susie_signals(study: Study, windows: list[Window]) -> tuple[Floats, list[npt.NDArray[np.int64]]]:
    """Log Bayes factors (loci, p, 3) of SuSiE's signals, and the causal variant of each: -1 where none is near."""
    log_bf = np.zeros((*study.z.shape, len(CAUSAL_COUNTS)))
    causal = []
    for row, (z, number) in enumerate(zip(study.z, study.window, strict=True)):
        R = windows[number].R
        fit = susie_rss(z, R, SAMPLES, L=len(CAUSAL_COUNTS))
        effects = [one.effect - 1 for one in fit.sets.sets]
        log_bf[row, :, : len(effects)] = fit.lbf_variable[effects].T
        near = [np.abs(R[np.argmax(fit.alpha[effect]), study.causal[row]]) for effect in effects]
        causal.append(np.array([study.causal[row][np.argmax(r)] if r.max() > 0.5 else -1 for r in near], dtype=int))
    return log_bf, causal


def log_pips(prior: Floats, log_bf: Floats, causal: list[npt.NDArray[np.int64]]) -> Floats:
    """Log10 PIP, within its signal, of the causal variant of each signal that has one; prior (loci, p)."""
    found = []
    for signal in range(log_bf.shape[2]):
        rows = [k for k, variants in enumerate(causal) if len(variants) > signal and variants[signal] >= 0]
        joint = np.log(prior[rows]) + log_bf[rows, :, signal]
        own = joint[np.arange(len(rows)), [causal[k][signal] for k in rows]]
        found.append((own - logsumexp(joint, axis=1)) / np.log(10))
    return np.concatenate(found)


def prior_without(study: Study, every: Floats, signals: npt.NDArray[np.int64], chromosomes: int,
                  belief: CoefficientPrior) -> Floats:  # fmt: skip
    """Prior (loci, p) of each locus, made without its chromosome."""
    loci = len(study.x)
    groups = groups_left_out([str(k * chromosomes // loci) for k in range(loci)], signals)
    posteriors = left_out_posteriors(every, groups, belief)
    weights = np.stack([posteriors[name].weights for name in groups])
    return mixed_prior(study.x.ravel(), np.arange(loci) * VARIANTS, weights).reshape(loci, -1)


def exact_or_susie(windows: list[Window], part: str, studies: int, most: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of cover and of use for each shape, odds and number of loci."""
    sizes = [size for size in SIZES if size <= most]
    for shape, make in SHAPES.items():
        for odds in ODDS:
            truth, rng = np.log(odds), np.random.default_rng([seed, *map(ord, part + shape), int(odds)])
            stated: dict[int, list[Statement]] = {size: [] for size in sizes}
            gains: dict[tuple[int, int, str], list[Floats]] = {}
            for _ in range(studies):
                counts = CAUSAL_COUNTS if part == "susie" else (1.0,)
                study = study_of(windows, max(sizes), make(odds), rng, counts=counts)
                log_bf, causal = susie_signals(study, windows) if part == "susie" else exact_signals(study)
                block = block_of(log_bf)
                every = curves(block, study.x.ravel())
                for size in sizes:
                    signals = block.signal_counts[:size]
                    stated[size].append(statement(every[:size], int(signals.sum()), TWO_SIGNS))
                    if size not in USED_SIZES:
                        continue
                    own, here = study.first(0, size), log_bf[:size]
                    flat = log_pips(np.full_like(own.x, 1 / VARIANTS), here, causal[:size])
                    best = np.exp(log_softmax(truth * own.x.ravel(), np.arange(size) * VARIANTS)).reshape(size, -1)
                    gains.setdefault((size, 0, "oracle"), []).append(log_pips(best, here, causal[:size]) - flat)
                    for number in CHROMOSOMES if size == 40 else (4,):
                        for name, belief in (("two signs", TWO_SIGNS), ("sign known", ONE_SIGN)):
                            if name == "sign known" and number != 4:
                                continue
                            prior = prior_without(own, every[:size], signals, number, belief)
                            gained = log_pips(prior, here, causal[:size]) - flat
                            gains.setdefault((size, number, name), []).append(gained)
            cell = {"part": part, "shape": shape, "odds": odds}
            for size in sizes:
                yield cell | {"loci": size, "what": "interval"} | interval_row(stated[size], truth)
            for (size, number, name), found in gains.items():
                total, best = (
                    np.array([one.sum() for one in found]),
                    np.array([one.sum() for one in gains[size, 0, "oracle"]]),
                )
                count = sum(map(len, found))
                row = {
                    "loci": size,
                    "chromosomes": number,
                    "what": name,
                    "studies": studies,
                    "gain": total.sum() / count,
                }
                if odds > 1:
                    share = total.sum() / best.sum()
                    row |= {"share": share, "share_error": ratio_error(total, best)}
                yield cell | row


def interval_row(found: list[Statement], truth: float) -> dict[str, Any]:
    """Cover and its like over studies; a study in which nothing was tested covers (it claims nothing)."""
    lower = np.array([-np.inf if np.isnan(one.lower) else one.lower for one in found])
    upper = np.array([np.inf if np.isnan(one.upper) else one.upper for one in found])
    estimate = np.array([one.estimate for one in found])
    width = upper - lower
    closed = np.isfinite(width)
    return {
        "studies": len(found), "cover": np.mean((lower <= truth) & (truth <= upper)), "below": np.mean(upper < truth),
        "above": np.mean(lower > truth), "open": np.mean(~closed), "width": np.median(width),
        "called": np.mean([one.p_value <= 0.05 for one in found]), "estimate": np.median(estimate),
        "enriched": np.mean([one.direction == "enriched" for one in found]),
        "depleted": np.mean([one.direction == "depleted" for one in found]),
    }  # fmt: skip


def ratio_error(total: Floats, best: Floats) -> float:
    """Standard error of the ratio of two sums over studies (delta method)."""
    share = total.sum() / best.sum()
    return float(np.std(total - share * best, ddof=1) * np.sqrt(len(total)) / abs(best.sum()))


def detect(windows: list[Window], studies: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of what is called, with and without detection in the denominator."""
    cases: list[tuple[str, float, Shape, int]] = [
        ("follows MAF and LD", 0.0, follows(0.0), 60),
        ("follows MAF and LD", 0.5, follows(0.5), 60),
        ("binary", float(np.log(10)), binary(10.0), 60),
    ]
    for per_allele in (False, True):
        more = [("binary", float(np.log(10)), binary(10.0), 300)] if per_allele else []
        for name, truth, shape, size in cases + more:
            rng = np.random.default_rng([seed, per_allele, *map(ord, name), int(10 * truth), size])
            found: dict[str, list[Statement]] = {}
            sizes = []
            for _ in range(studies):
                study = study_of(windows, size, shape, rng, per_allele=per_allele)
                z, x, starts = study.z.ravel(), study.x.ravel(), np.arange(size) * VARIANTS
                h = np.concatenate([windows[number].heterozygosity for number in study.window])
                n = np.full(len(z), float(SAMPLES))
                together = detected_curves(z, x, h, n, starts, THRESHOLD)
                sizes.append((together.effects.variance, together.effects.exponent))
                flat = curves(block_of(log_bayes_factors(z).reshape(size, VARIANTS, 1)), x)
                found.setdefault("without", []).append(statement(flat, size, TWO_SIGNS))
                found.setdefault("detection", []).append(statement(together.curves, size, TWO_SIGNS, together.profile))
            for way, one in found.items():
                yield {"part": "detect", "shape": name, "odds": np.exp(truth), "loci": size, "what": way,
                       "effects": "per allele" if per_allele else "standardised", "truth": truth,
                       "K": np.median([each[0] for each in sizes]), "exponent": np.mean([each[1] for each in sizes])
                       } | interval_row(one, truth)  # fmt: skip


def kept(windows: list[Window], studies: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of cover with and without the simulated probability that a locus is kept."""
    rng = np.random.default_rng([seed, *map(ord, "kept")])
    shares = np.empty((len(windows), VARIANTS))
    for number, window in enumerate(windows):
        for causal in range(VARIANTS):
            effect = np.sqrt(K) * rng.standard_normal((DRAWS, 1))
            z = effect * window.R[causal] + rng.standard_normal((DRAWS, VARIANTS)) @ window.root.T
            shares[number, causal] = np.mean(np.abs(z).max(axis=1) > THRESHOLD)
    error = np.sqrt(shares.mean() * (1 - shares.mean()) / DRAWS)
    print(
        f"kept: {shares.mean():.3f}; spread within windows {shares.std(axis=1).mean():.4f}, of which chance {error:.4f}"
    )
    for odds, size in ((3.0, 300), (10.0, 1000)):
        found: dict[str, list[Statement]] = {"all as likely to be kept": [], "simulated probability": []}
        for _ in range(studies):
            study = study_of(windows, size, binary(odds), rng)
            block = block_of(exact_signals(study)[0])
            ways = (block, given_detection(block, np.log(shares[study.window]).ravel()))
            for one, way in zip(found.values(), ways, strict=True):
                one.append(statement(curves(way, study.x.ravel()), size, TWO_SIGNS))
        for what, one in found.items():
            yield {"part": "kept", "shape": "binary", "odds": odds, "loci": size, "what": what} | interval_row(
                one, np.log(odds))  # fmt: skip


def lines_of(table: pd.DataFrame) -> list[str]:
    """The tables of the page."""
    table = table.reindex(columns=[*table.columns, *{"chromosomes", "share", "share_error"} - set(table.columns)])
    found = [
        "Cover of the 95% interval, mean (least) over odds 1, 3 and 10:",
        "",
        "| signals | shape | " + " | ".join(f"{size} loci" for size in SIZES) + " |",
        "|---|---|" + "---|" * len(SIZES),
    ]
    stated = table[table["what"] == "interval"]
    for (part, shape), rows in stated.groupby(["part", "shape"], sort=False):
        by_size = [rows.loc[rows["loci"] == size, "cover"] for size in SIZES]
        cells = [f"{one.mean():.3f} ({one.min():.3f})" if len(one) else "" for one in by_size]
        found.append(f"| {part} | {shape} | " + " | ".join(cells) + " |")
    found += [
        "",
        "Share of the oracle's gain in PIP, and the change at odds 1 (log10 of the causal variant's PIP):",
        "",
        "| signals | shape | loci | chromosomes | odds 3 | odds 10 | odds 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    used = table[table["what"].isin(["two signs", "sign known"])]
    keys = ["part", "shape", "loci", "chromosomes", "what"]
    for (part, shape, loci, number, what), rows in used.groupby(keys, sort=False):
        own = rows.set_index("odds").reindex(ODDS)
        shares = [f"{own.loc[odds, 'share']:.0%} ± {own.loc[odds, 'share_error']:.0%}" for odds in ODDS[1:]]
        cells = [*shares, f"{own.loc[1.0, 'gain']:+.4f}"]
        name = f"{part} | {shape}, sign known" if what == "sign known" else f"{part} | {shape}"
        shown = " | ".join("" if "nan" in cell else cell for cell in cells)
        found.append(f"| {name} | {loci} | {number:.0f} | {shown} |")
    for row in table[table["part"] == "kept"].itertuples():
        found += [
            "",
            f"Odds {row.odds:g}, {row.loci} loci, {row.what}: cover {row.cover:.3f} of {row.studies} studies.",
        ]
    detected = table[table["part"] == "detect"]
    found += [
        "",
        "With and without the probability of detection:",
        "",
        "| effects | score | true log odds | loci | likelihood | p ≤ 0.05 | median estimate | cover |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in detected.itertuples():
        found.append(
            f"| {row.effects} | {row.shape} | {row.truth:.2g} | {row.loci} | {row.what} | {row.called:.1%} | "
            f"{row.estimate:.2f} | {row.cover:.3f} |"
        )
    return found


def main() -> None:
    """Run parts, or write the tables of a run into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", help="prefix of PLINK files without missing genotypes")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--studies", type=int, default=200, help="a cell")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="loci of the largest studies")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--output", type=Path, help="table to write")
    parser.add_argument("--table", type=Path, nargs="+", help="tables of earlier runs, in place of a run")
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    given = parser.parse_args()
    if given.table:
        table = pd.concat([pd.read_csv(path, sep="\t") for path in given.table], ignore_index=True)
    elif given.panel:
        windows, rows, began = windows_of(given.panel, np.random.default_rng(0)), [], time.process_time()
        for part in given.parts:
            if part in ("detect", "kept"):
                made = (detect if part == "detect" else kept)(windows, given.studies, given.seed)
            else:
                made = exact_or_susie(windows, part, given.studies, given.most, given.seed)
            for row in made:
                rows.append(row)
                print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
                if given.output:
                    pd.DataFrame(rows).to_csv(given.output, sep="\t", index=False, float_format="%.5g")
        print(f"{time.process_time() - began:.0f} CPU s")
        table = pd.DataFrame(rows)
    else:
        parser.error("--panel or --table is needed")
    print(*lines_of(table), sep="\n")
    if given.write:
        page = given.write.read_text()
        before, after = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
        given.write.write_text(page[:before] + "\n\n" + "\n".join(lines_of(table)) + "\n\n" + page[after:])


if __name__ == "__main__":
    main()
