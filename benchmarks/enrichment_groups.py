"""Many scores, shapes that do not rise, and missing scores: what `priors.grouped_enrichment` has of the oracle's gain.

    python benchmarks/enrichment_groups.py --panel PREFIX --output enrichment_groups.tsv    # twenty minutes

The world is that of enrichment_truth.py, with one causal variant a locus, exact Bayes factors, and effects per
standardised genotype. A study is fitted, and its prior is judged on the causal variants of 100 other loci: log10 prior
over uniform, as a share of what the true odds have.

groups    60 scores in four groups (correlated 0.4 within a group), 100 loci: one score matters (0.8 per standard
          deviation), one group (15 times 0.08), or none.
shapes    One score with odds 6 in both 5% tails, odds 6 in the top 5%, 0.5 per standard deviation, or none, as one
          linear feature, as linear feature and steps at quantiles (two groups), at 40, 100 and 300 loci.
missing   A tenth of the variants has odds 12; the score is missing for 30%, twice as often in that tenth. The oracle
          knows the odds of what can be seen.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import pandas as pd  # noqa: E402
from enrichment_truth import VARIANTS, Generator, Window, exact_signals, study_of, windows_of  # noqa: E402

from fineprior.files.arrays import Floats  # noqa: E402
from fineprior.priors.blocks import Block, log_softmax  # noqa: E402
from fineprior.priors.grouped_enrichment import fit_groups, missing_of, steps_of  # noqa: E402

FRESH = 100
Score = Callable[[int, Generator], tuple[Floats, Floats]]
"""Of m loci: scores (m, p, d), and log odds (m, p)."""
Design = Callable[[Floats], tuple[Floats, npt.NDArray[np.int64]]]
"""Features (n, f) of scores (n, d), and the group of each feature."""


def in_groups(odds: Floats) -> Score:
    """60 scores in groups of 15, correlated 0.4 within a group."""

    def draw(m: int, rng: Generator) -> tuple[Floats, Floats]:
        shared = np.repeat(rng.standard_normal((m, VARIANTS, 4)), 15, axis=2)
        x = np.sqrt(0.4) * shared + np.sqrt(0.6) * rng.standard_normal((m, VARIANTS, 60))
        return x, x @ odds

    return draw


def ranked(odds: Callable[[Floats], Floats]) -> Score:
    """One score, uniform on 0 to 1, with log odds that are a function of it."""

    def draw(m: int, rng: Generator) -> tuple[Floats, Floats]:
        u = rng.random((m, VARIANTS))
        return u[:, :, None], odds(u)

    return draw


def partly_missing(m: int, rng: Generator) -> tuple[Floats, Floats]:
    """A score of 0 or 1, missing (NaN) for 30%; log odds are those of what can be seen."""
    share = 0.3 / 1.1
    high = rng.random((m, VARIANTS)) < 0.1
    missing = rng.random((m, VARIANTS)) < np.where(high, 2 * share, share)
    return np.where(missing, np.nan, high)[:, :, None], np.log(12.0) * high


def standardised(values: Floats) -> Floats:
    """Features (n, d) of mean 0 and standard deviation 1; 0 where a value is missing."""
    return np.asarray(np.nan_to_num((values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)), dtype=float)


def linear(x: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Each score as it is."""
    return standardised(x), np.zeros(x.shape[1], dtype=np.int64)


def four_groups(x: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The scores in their groups."""
    return standardised(x), np.arange(x.shape[1]) // 15


def with_steps(x: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The score and its steps, in two groups."""
    steps = steps_of(x[:, 0])
    return np.hstack([standardised(x), steps]), np.r_[0, np.ones(steps.shape[1], dtype=np.int64)]


def with_missing(x: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The score and whether it is missing, in two groups."""
    gone = missing_of(x[:, 0])
    return np.hstack([standardised(x), gone]), np.r_[0, np.ones(gone.shape[1], dtype=np.int64)]


def both_tails(u: Floats) -> Floats:
    """Odds 6 in both 5% tails."""
    return np.log(6) * ((u < 0.05) | (u > 0.95))


def top_step(u: Floats) -> Floats:
    """Odds 6 in the top 5%."""
    return np.log(6) * (u > 0.95)


def straight(u: Floats) -> Floats:
    """0.5 per standard deviation."""
    return 0.5 * (u - 0.5) * np.sqrt(12)


ONE, GROUP, NONE = 0.8 * np.eye(60)[3], np.r_[np.full(15, 0.08), np.zeros(45)], np.zeros(60)
WAYS = {
    "one scale": (linear, False),
    "a scale a group": (four_groups, False),
    "a scale a group, sign known": (four_groups, True),
}
SHAPED = {"linear": (linear, False), "linear and steps": (with_steps, False)}
TERMS = {"at the mean": (linear, False), "at the mean, and a term": (with_missing, False)}
CASES: dict[str, tuple[Score, dict[str, tuple[Design, bool]], tuple[int, ...]]] = {
    "one score of 60": (in_groups(ONE), WAYS, (100,)),
    "one group of four": (in_groups(GROUP), WAYS, (100,)),
    "none of 60": (in_groups(NONE), WAYS, (100,)),
    "both tails": (ranked(both_tails), SHAPED, (40, 100, 300)),
    "top step": (ranked(top_step), SHAPED, (40, 100, 300)),
    "linear": (ranked(straight), SHAPED, (40, 100, 300)),
    "none": (ranked(np.zeros_like), SHAPED, (40, 100, 300)),
    "missing": (partly_missing, TERMS, (40, 100, 300)),
}


class Recorded:
    """A shape for `study_of` whose score of a variant is its row in `scores`: a study keeps one number a variant."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._drawn: list[Floats] = []

    def __call__(self, _: Window, m: int, rng: Generator) -> tuple[Floats, Floats]:
        """Rows of the scores (m, p), and log odds (m, p)."""
        x, odds = self._score(m, rng)
        first = sum(one.shape[0] * VARIANTS for one in self._drawn)
        self._drawn.append(x)
        return first + np.arange(m * VARIANTS, dtype=float).reshape(m, -1), odds

    def scores(self, rows: Floats) -> Floats:
        """Scores (n, d) of rows (n,)."""
        return np.concatenate([one.reshape(-1, one.shape[2]) for one in self._drawn])[rows.astype(int)]


def judge(log_odds: Floats, causal: npt.NDArray[np.int64]) -> float:
    """Mean log10 prior over uniform of the causal variants of the fresh loci."""
    own = log_softmax(log_odds, np.arange(FRESH) * VARIANTS)[causal]
    return float((own.mean() + np.log(VARIANTS)) / np.log(10))


def rows_of(windows: list[Window], studies: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each case, number of loci and way of fitting."""
    for case, (score, designs, sizes) in CASES.items():
        for size in sizes:
            rng = np.random.default_rng([seed, *map(ord, case), size])
            gains: dict[str, list[float]] = {}
            for _ in range(studies):
                shape = Recorded(score)
                study = study_of(windows, size + FRESH, shape, rng)
                x = shape.scores(study.x.ravel())
                log_bf, starts = exact_signals(study)[0], np.arange(size) * VARIANTS
                causal = np.array([one[0] for one in study.causal[size:]]) + np.arange(FRESH) * VARIANTS
                gains.setdefault("oracle", []).append(judge(seen_odds(case, x[size * VARIANTS :]), causal))
                for way, (design, known) in designs.items():
                    X, group = design(x)
                    block = Block.of(X[: size * VARIANTS], log_bf[:size].reshape(-1, 1), starts)
                    fit = fit_groups([block], group, nonnegative=np.full(X.shape[1], known))
                    gains.setdefault(way, []).append(judge(X[size * VARIANTS :] @ fit.coefficients, causal))
            best = np.array(gains["oracle"])
            for way, each in gains.items():
                own = np.array(each)
                row = {"case": case, "loci": size, "way": way, "studies": studies, "gain": own.mean(),
                       "gain_error": own.std(ddof=1) / np.sqrt(studies)}  # fmt: skip
                if best.mean() > 1e-9:
                    share = own.sum() / best.sum()
                    error = np.std(own - share * best, ddof=1) * np.sqrt(studies) / best.sum()
                    row |= {"share": share, "share_error": error}
                yield row


def seen_odds(case: str, x: Floats) -> Floats:
    """The oracle's log odds (n,) of scores (n, d)."""
    if case == "missing":
        among = 0.1 * 2 / 1.1  # how many of the missing are of the tenth
        return np.where(np.isnan(x[:, 0]), np.log(1 + 11 * among), np.log(12.0) * np.nan_to_num(x[:, 0]))
    if x.shape[1] == 60:
        return x @ {"one score of 60": ONE, "one group of four": GROUP}.get(case, NONE)
    shapes = {"both tails": both_tails, "top step": top_step, "linear": straight}
    return shapes[case](x[:, 0]) if case in shapes else np.zeros(len(x))


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", required=True, help="prefix of PLINK files without missing genotypes")
    parser.add_argument("--studies", type=int, default=30, help="a case and number of loci")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--output", type=Path, help="table to write")
    given = parser.parse_args()
    windows, rows, began = windows_of(given.panel, np.random.default_rng(0)), [], time.process_time()
    for row in rows_of(windows, given.studies, given.seed):
        rows.append(row)
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        if given.output:
            pd.DataFrame(rows).to_csv(given.output, sep="\t", index=False, float_format="%.5g")
    print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
