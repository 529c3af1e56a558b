"""Time and memory of the enrichment: 3,000 loci of 3,000 variants with 50 scores, each chromosome left out in turn.

    python benchmarks/enrichment.py                  # the whole; two cores
    python benchmarks/enrichment.py --loci 300 --variants 1000 --scores 20

Loci lie on 22 chromosomes and have one to three signals; five of the scores are enriched. Measured are the wall
seconds of `cross_fit` (ridge, weight and coefficients of all 23 folds, chosen by leaving out parts), the CPU seconds
of the process in it (a machine that others use makes the first one longer), and the largest resident memory.

`naive` is EM in double precision, locus by locus. On a small study the coefficients of all 23 folds at one ridge,
without any choice, are timed (CPU): by it, and as `cross_fit` finds them, on thinned loci first and then on all
variants. Last come lines `ratio NAME VALUE goal GOAL`.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np

from fineprior.priors.blocks import Block, merged
from fineprior.priors.enrichment import fit_enrichment, log_bayes_factors
from fineprior.priors.features import Model
from fineprior.priors.folds import POLISHED, cross_fit
from fineprior.project.settings import PriorSettings

CHROMOSOMES = 22
TRUTH = (1.0, 0.7, 0.5, -0.5, 0.3)
SECONDS, GIGABYTES, TIMES, ERROR = 120, 8, 3, 0.1
NAIVE_RIDGE = 1.0
SMALL = (110, 2000, 30)


def simulated(loci: int, variants: int, scores: int, seed: int) -> dict[str, list[Block]]:
    """Blocks by chromosome; features are written once, in single precision."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(scores)
    truth[: len(TRUTH)] = TRUTH[:scores]
    made: dict[str, list[Block]] = {}
    for number, part in enumerate(np.array_split(np.arange(loci), CHROMOSOMES)):
        made[f"chr{number + 1}"] = [
            _block(rng, some, variants, truth) for some in np.array_split(part, max(1, len(part) * variants // 200_000))
        ]
    return made


def _block(rng: np.random.Generator, loci: np.ndarray, variants: int, truth: np.ndarray) -> Block:
    n = len(loci) * variants
    X = rng.standard_normal((n, len(truth)), dtype=np.float32)
    eta = (X @ truth.astype(np.float32)).reshape(len(loci), variants)
    log_bf = np.zeros((n, 3), dtype=np.float32)
    for row, odds in enumerate(eta):
        probability = np.exp(odds.astype(float) - odds.max())
        for signal in range(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1])):
            z = rng.standard_normal(variants)
            causal = rng.choice(variants, p=probability / probability.sum())
            z[causal] = 8 + rng.standard_normal()  # no LD, or BF of marginal z would not be those of the model
            log_bf[row * variants : (row + 1) * variants, signal] = log_bayes_factors(z)[:, 0]
    return Block.of(X, log_bf, np.arange(len(loci)) * variants, loci.astype(np.int64))


def naive(blocks: dict[str, list[Block]], ridge: float) -> dict[str, np.ndarray]:
    """EM of each fold, locus by locus in double precision: what the formulas say, without any care for speed."""
    loci = {name: [locus for block in here for locus in _loci(block)] for name, here in blocks.items()}
    found = {}
    for left_out in ["none", *blocks]:
        data = [locus for name, here in loci.items() if name != left_out for locus in here]
        b = np.zeros(data[0][0].shape[1])
        for _ in range(200):
            shares = [_softmax((X @ b)[:, None] + log_bf).sum(axis=1) for X, log_bf in data]
            slope, curvature = -ridge * b, ridge * np.eye(len(b))
            for (X, log_bf), share in zip(data, shares, strict=True):
                prior = _softmax((X @ b)[:, None])[:, 0]
                mean = prior @ X
                slope = slope + X.T @ (share - log_bf.shape[1] * prior)
                curvature += log_bf.shape[1] * ((X * prior[:, None]).T @ X - np.outer(mean, mean))
            step = np.linalg.solve(curvature, slope)
            b = b + step
            if np.abs(step).max() < 1e-4:
                break
        found[left_out] = b
    return found


def _loci(block: Block) -> list[tuple[np.ndarray, np.ndarray]]:
    ends = np.append(block.starts[1:], len(block.features))
    columns = []
    for signal in block.signals:
        column = np.zeros(len(block.features))
        column[signal.rows] = signal.log_bf
        columns.append(column)
    log_bf = np.stack(columns, axis=1)
    return [
        (block.features[start:end].astype(float), log_bf[start:end, : int(count)])
        for start, end, count in zip(block.starts, ends, block.signal_counts, strict=True)
    ]


def _softmax(values: np.ndarray) -> np.ndarray:
    weights = np.exp(values - values.max(axis=0))
    return np.asarray(weights / weights.sum(axis=0))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("loci", 3000), ("variants", 3000), ("scores", 50), ("workers", 2), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    settings = PriorSettings()

    small = simulated(*SMALL, arguments.seed)
    started = time.process_time()
    ours = {}
    for left_out in ["none", *small]:
        data = [one for name in small if name != left_out for one in small[name]]
        first = fit_enrichment([merged([one.thinned for one in data])], NAIVE_RIDGE)
        ours[left_out] = fit_enrichment(data, NAIVE_RIDGE, start=first.coefficients, tolerance=POLISHED)
    ours_seconds, started = time.process_time() - started, time.process_time()
    theirs = naive(small, NAIVE_RIDGE)
    naive_seconds = time.process_time() - started
    apart = max(float(np.abs(ours[name].coefficients - b).max()) for name, b in theirs.items())
    print(f"small study: {ours_seconds:.2f} CPU s, naive {naive_seconds:.2f}, coefficients at most {apart:.2g} apart")
    del small

    data = simulated(arguments.loci, arguments.variants, arguments.scores, arguments.seed)
    busy = time.process_time()
    model = Model(np.zeros(arguments.scores, dtype=bool), np.full(arguments.scores, np.nan))
    started = time.perf_counter()
    folds = cross_fit(data, model, settings, arguments.seed, workers=arguments.workers)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    b = folds["none"].coefficients
    error = float(np.abs(b[: len(TRUTH)] - TRUTH[: arguments.scores]).max())
    print(f"{arguments.loci} loci of {arguments.variants} variants, {arguments.scores} scores, "
          f"{arguments.workers} threads: {seconds:.1f} s, {busy:.1f} CPU s, {memory:.2f} GiB, "
          f"ridge {folds['none'].ridge:g}")  # fmt: skip
    print("TORUS was not run: no build of it is at hand")
    for name, value, goal in (
        ("enrichment_seconds", seconds, SECONDS),
        ("enrichment_cpu_seconds_over_threads", busy / arguments.workers, SECONDS),
        ("enrichment_gib", memory, GIGABYTES),
        ("enrichment_largest_error", error, ERROR),
        ("small_study_apart_from_naive", apart, 1e-2),
        ("small_study_times_faster_than_naive", naive_seconds / ours_seconds, TIMES),
    ):
        print(f"ratio {name} {value:.4g} goal {goal:g}")


if __name__ == "__main__":
    main()
