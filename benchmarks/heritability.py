"""Time and memory of the regression of the source heritability on LD scores in files, out of core.

    python benchmarks/heritability.py                                  # 1 million variants x 50 annotations
    python benchmarks/heritability.py --variants 10000000 --annotations 200 --folder /some/disk

Files of LD scores (PolyFun's parquet, 22 chromosomes) and summary statistics are simulated in a folder, and the step's
own reader and regression run on them in a process of their own: matching of variants, constant columns, sums,
penalised and non-negative coefficients of every chromosome, and per-SNP heritabilities of all. Measured are its
CPU seconds (one thread) and largest resident memory. From a smaller size than the goal's (10 million x 200 under 8 GB)
seconds are extrapolated in rows and in the square of the annotations, and memory in rows, by its growth from a tenth
of them; this is said.

The naive way holds all LD scores in memory and solves one weighted least squares anew for each chromosome left out; it
is timed on a tenth of the rows. Last come lines `ratio NAME VALUE goal GOAL`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np
import pandas as pd

from fineprior.files.table_parts import write_parts
from fineprior.files.tables import SUMSTATS
from fineprior.priors.annotation_files import AnnotationFiles
from fineprior.priors.heritability import fit_regression, split_halves
from fineprior.priors.heritability_study import ScoreRows, StudyVariants

CHROMOSOMES = 22
GIGABYTES, GOAL, TIMES = 8.0, (10_000_000, 200), 3.0
N = 300_000.0
NAIVE_SHARE = 10


def simulate(folder: Path, variants: int, annotations: int) -> None:
    """Write LD scores by chromosome and the summary statistics of the same variants."""
    rng = np.random.default_rng(1)
    tau = np.r_[3e-8, rng.gamma(0.2, 2e-7, annotations - 1)]
    parts = []
    for chrom in range(1, CHROMOSOMES + 1):
        count = variants // CHROMOSOMES + (chrom <= variants % CHROMOSOMES)
        pos = np.cumsum(rng.integers(1, 500, count))
        alleles = np.array(["AC", "AG", "CT", "GT"])[rng.integers(0, 4, count)]
        total = rng.gamma(2, 40, count).astype(np.float32)
        scores = total[:, None] * rng.random((count, annotations), dtype=np.float32) ** 3
        scores[:, 0] = total
        chi2 = (1 + N * (scores @ tau) / 10) * rng.chisquare(1, count)
        first, second = (pd.Series([pair[side] for pair in alleles]) for side in (0, 1))
        table = pd.DataFrame({"CHR": chrom, "SNP": "rs", "BP": pos, "A1": first, "A2": second})
        values = pd.DataFrame(scores, columns=["base", *(f"a{number}" for number in range(1, annotations))])
        pd.concat([table, values], axis=1).to_parquet(folder / f"x.{chrom}.l2.ldscore.parquet", row_group_size=100_000)
        ids = f"chr{chrom}:" + pd.Series(pos).astype("str") + ":" + second + ":" + first
        parts.append(pd.DataFrame({"variant_id": ids, "chrom": f"chr{chrom}", "pos": pos, "ref": second,
                                   "alt": first, "z": np.sqrt(chi2)}))  # fmt: skip
    frame = pd.concat(parts, ignore_index=True).assign(
        rsid="rs", beta=0.0, se=1.0, neg_log10_p=0.0, eaf=0.5, n=N, panel_af=0.5, panel_index=0, action="kept"
    )
    # in as many pieces as harmonising leaves of 10 million rows
    pieces = (frame.iloc[rows] for rows in np.array_split(np.arange(len(frame)), 20))
    write_parts(SUMSTATS, pieces, folder / "sumstats.parquet")


def out_of_core(folder: Path) -> None:
    """The step's work; prints rows, seconds, megabytes and seconds of matching."""
    start = time.process_time()
    files = AnnotationFiles(str(folder / "x.{chrom}.l2.ldscore.parquet"))
    study = StudyVariants(str(folder / "sumstats.parquet"))
    rows = ScoreRows(study, list(files.paths), files, files, files.columns)
    matched = time.process_time() - start
    constant = rows.constant()
    fit = fit_regression(rows, np.ones(len(files.columns)) * 1e5, split_halves(rows.chromosomes), rows.largest_n)
    tau = {chrom: (fit.ridge(chrom)[0], fit.nonnegative(chrom)) for chrom in fit.halves}
    for chrom, (own, _) in tau.items():
        for _, part in files.values(chrom, files.columns):
            part @ own
    seconds = time.process_time() - start
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if constant:
        raise SystemExit(f"LD scores of {constant[0]} do not vary")
    print(f"measured {fit.rows + fit.removed} {seconds} {megabytes} {matched}")


def measured(folder: Path) -> list[float]:
    """Rows, CPU seconds, megabytes and CPU seconds of matching, of the work in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()[1:]]


def naive(folder: Path) -> tuple[int, float]:
    """Rows and seconds of least squares in memory, anew for each chromosome left out, on a share of the rows."""
    start = time.process_time()
    sumstats = pd.read_parquet(folder / "sumstats.parquet")
    merged = []
    for chrom in range(1, CHROMOSOMES + 1):
        scores = pd.read_parquet(folder / f"x.{chrom}.l2.ldscore.parquet")
        scores = scores.iloc[: len(scores) // NAIVE_SHARE]
        here = sumstats[sumstats["chrom"] == f"chr{chrom}"][["pos", "ref", "alt", "z"]]
        merged.append(scores.merge(here, left_on=["BP", "A1", "A2"], right_on=["pos", "alt", "ref"]))
    columns = [name for name in merged[0] if name == "base" or (name[0] == "a" and name[1:].isdigit())]
    blocks = [table[columns].to_numpy(float) for table in merged]
    targets = [np.square(table["z"].to_numpy()) for table in merged]
    for left_out in range(CHROMOSOMES):
        X = np.concatenate([block for number, block in enumerate(blocks) if number != left_out])
        y = np.concatenate([block for number, block in enumerate(targets) if number != left_out])
        weight = 1 / (np.maximum(X[:, 0], 1) * (1 + X[:, 0] / 50))
        X = np.column_stack([X, np.ones(len(X))])
        np.linalg.lstsq(X * weight[:, None], y * weight, rcond=None)
    return sum(map(len, targets)), time.process_time() - start


def main() -> None:
    """Simulate, measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=1_000_000)
    parser.add_argument("--annotations", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where to simulate (a temporary folder by default)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        out_of_core(options.measure)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        simulate(folder, options.variants // 10, options.annotations)
        few_megabytes = measured(folder)[2]
        simulate(folder, options.variants, options.annotations)
        rows, seconds, megabytes, matched = measured(folder)
        naive_rows, naive_seconds = naive(folder)
    print(f"{rows:,.0f} rows x {options.annotations} annotations: {seconds:.1f} s of CPU "
          f"({rows / seconds:,.0f} rows/s; {matched:.1f} s of it to match variants), "
          f"{megabytes:,.0f} MB at most")  # fmt: skip
    print(f"naive, {naive_rows:,} rows: {naive_seconds:.1f} s of CPU ({naive_rows / naive_seconds:,.0f} rows/s)")
    gigabytes = megabytes / 1024
    if (options.variants, options.annotations) != GOAL:
        times = GOAL[0] / options.variants * (GOAL[1] / options.annotations) ** 2
        # LD scores are never all in memory: what grows is what is kept of each row, whatever the annotations
        growth = (megabytes - few_megabytes) / (0.9 * options.variants)
        gigabytes += growth * (GOAL[0] - options.variants) / 1024
        print(f"extrapolated to {GOAL[0]:,} x {GOAL[1]} (not measured): at most {seconds * times / 60:.0f} minutes and "
              f"{gigabytes:.1f} GB")  # fmt: skip
    print(f"ratio heritability_memory_gb {gigabytes:.3g} goal {GIGABYTES:g}")
    print(f"ratio heritability_study_per_second_over_naive {rows / seconds / (naive_rows / naive_seconds):.3g} "
          f"goal {TIMES:g}")  # fmt: skip


if __name__ == "__main__":
    main()
