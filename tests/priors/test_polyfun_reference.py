"""The regression against PolyFun's own program (benchmarks/polyfun_reference.py made its numbers)."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from fineprior.priors.heritability import HeritabilityRegression, RegressionRows, fit_regression, split_halves

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads((ROOT / "tests/reference/polyfun/regression.json").read_text())


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("polyfun_reference").rows()
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def fit(rows: dict[str, np.ndarray]) -> HeritabilityRegression:
    def stream():
        for chrom in range(1, 23):
            here = rows["chrom"] == chrom
            n = np.full(int(here.sum()), 300_000.0)
            yield RegressionRows(str(chrom), rows["chi2"][here], n, rows["weight"][here], rows["scores"][here])

    return fit_regression(stream, rows["sizes"], split_halves(str(chrom) for chrom in range(1, 23)))


def test_the_rows_are_those_of_the_reference(reference, rows):
    assert rows["chi2"].sum() == pytest.approx(reference["checksum"], rel=1e-9)


@pytest.mark.parametrize("half", [0, 1])
def test_penalised_coefficients(reference, rows, fit, half):
    """Ours for an odd chromosome are from the even ones (half 0), and the other way round.

    PolyFun weights rows with, and chooses the penalty on, the whole genome, so they are not the same: within 0.1%
    of the largest, and their per-SNP heritabilities correlate above 0.99999.
    """
    peer = np.array(reference["penalised"][half])
    tau, _ = fit.ridge("1" if half == 0 else "2")
    assert np.abs(tau - peer).max() < 0.001 * np.abs(peer).max()
    per_variant = rows["scores"] / rows["scores"][:, :1]
    assert np.corrcoef(per_variant @ tau, per_variant @ peer)[0, 1] > 0.99999


def test_nonnegative_coefficients(reference, fit):
    """From a chromosome's own half without it, as in PolyFun; its weights are from the whole genome: within 0.1%."""
    peer = np.array(reference["nonnegative"])
    ours = np.array([fit.nonnegative(str(chrom)) for chrom in range(1, 23)])
    np.testing.assert_array_equal(ours > 0, peer > 0)
    assert (np.abs(ours - peer).max(1) < 0.001 * peer.max(1)).all()
