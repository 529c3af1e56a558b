"""Reference numbers of PolyFun's own regression, for tests/priors/test_polyfun_reference.py.

    python benchmarks/polyfun_reference.py --polyfun FOLDER      # needs scikit-learn and tqdm beside numpy and pandas

FOLDER is a checkout of PolyFun (https://github.com/omerwe/polyfun). Rows are drawn from a seed (`rows`, which the test
imports), given to PolyFun's `regressions.Hsq` as polyfun.py gives them (`--compute-h2-L2` with two sets of chromosomes,
and `--compute-h2-bins` with exact non-negative least squares), and its coefficients are written as JSON.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np

SEED, VARIANTS, CHROMOSOMES = 31, 2_000, 22
TAU = np.array([4e-8, 6e-7, 2e-7, 0.0, -2e-8])
"""Per-SNP heritability of the annotations: one of all variants, four of some."""
SHARE = np.array([1.0, 0.05, 0.1, 0.2, 0.3])
N = 300_000.0
OUTPUT = Path(__file__).parents[1] / "tests/reference/polyfun/regression.json"


def rows() -> dict[str, np.ndarray]:
    """Chromosome, chi2, LD scores (variants, annotations) and weights of all variants; sizes of the annotations."""
    rng = np.random.default_rng(SEED)
    count = VARIANTS * CHROMOSOMES
    total = rng.gamma(2.0, 40.0, count)
    of_some = rng.beta(2, 2 / SHARE[1:] - 2, (count, len(SHARE) - 1))
    scores = np.column_stack([total, total[:, None] * of_some]).astype(np.float32)
    chi2 = np.maximum(1 + N * (scores @ TAU), 0.5) * rng.chisquare(1, count)
    return {
        "chrom": np.repeat(np.arange(1, CHROMOSOMES + 1), VARIANTS),
        "chi2": chi2.astype(np.float32).astype(float),
        "scores": scores,
        "weight": np.maximum(total, 1),
        "sizes": 10_000.0 * CHROMOSOMES * SHARE,
    }


def polyfun_coefficients(folder: Path) -> dict[str, list[list[float]]]:
    """Coefficients tau of PolyFun's program: of each half, penalised; of each left-out chromosome, non-negative."""
    sys.path.insert(0, str(folder))
    from ldsc_polyfun import regressions

    data = rows()
    used = data["chi2"] < max(0.001 * N, 80)
    column = lambda values: np.asarray(values, float).reshape(-1, 1)  # noqa: E731
    arguments = (column(data["chi2"][used]), data["scores"][used], column(data["weight"][used]),
                 column(np.full(used.sum(), N)), data["sizes"].reshape(1, -1))  # fmt: skip
    common = {"n_blocks": 2, "intercept": None, "twostep": None, "old_weights": True, "chr_num": data["chrom"][used],
              "keep_large": False, "nnls_exact": True, "num_chr": CHROMOSOMES}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ridge = regressions.Hsq(*arguments, **common, loco=True, ridge_lambda=None, standardize_ridge=True,
                                approx_ridge=True, num_chr_sets=2, evenodd_split=False, nn=False)  # fmt: skip
        nonnegative = regressions.Hsq(*arguments, **common, loco=False, nn=True, evenodd_split=True)
    halves = ridge.jknife_ridge.chromosome_sets
    # est_loco_ridge[i] was fitted on what is not in set i; number it by the parity that it was fitted on
    of_half = {int(next(iter(halves[1 - i]))) % 2: ridge.jknife_ridge.est_loco_ridge[i][:-1] for i in (0, 1)}
    return {
        "penalised": [(of_half[half] / ridge.Nbar).tolist() for half in (0, 1)],
        "nonnegative": (nonnegative.jknife.est_loco[:, :-1] / nonnegative.Nbar).tolist(),
    }


def main() -> None:
    """Write the reference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polyfun", type=Path, required=True, help="folder of PolyFun's program")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    found = polyfun_coefficients(options.polyfun)
    made = "PolyFun's regressions.Hsq on the rows of benchmarks/polyfun_reference.py, by that script"
    text = json.dumps({"made": made, "seed": SEED, "checksum": float(rows()["chi2"].sum())} | found, indent=1)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
