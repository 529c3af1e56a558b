"""Stratified LD-score regression: the truth where it is known, independence of what is left out, bins."""

from collections.abc import Iterator

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.heritability import (
    HeritabilityRegression,
    RegressionRows,
    constrained,
    fit_regression,
    heritability_bins,
    split_halves,
)

CHROMOSOMES = [str(number) for number in range(1, 9)]
SIZES = np.array([40_000.0, 4_000.0, 2_000.0])
TAU = np.array([2e-6, 3e-5, 0.0])


def _rows(chrom: str, tau: np.ndarray = TAU, noise: bool = True) -> RegressionRows:
    rng = np.random.default_rng(int(chrom))
    scores = np.column_stack([rng.gamma(4, 20, 4000), rng.gamma(0.5, 10, 4000), rng.gamma(0.5, 5, 4000)])
    n = rng.choice([90_000.0, 100_000.0], 4000)
    expected = 1 + n * (scores @ tau) / 5
    chi2 = expected * rng.chisquare(1, 4000) if noise else expected
    return RegressionRows(chrom, chi2, n, scores[:, 0], scores)


def _fit(rows: dict[str, RegressionRows], level_of_other_half: bool = False) -> HeritabilityRegression:
    return fit_regression(lambda: rows.values(), SIZES, split_halves(rows), level_of_other_half=level_of_other_half)


def test_noiseless_coefficients_are_found_exactly() -> None:
    rows = {chrom: _rows(chrom, noise=False) for chrom in CHROMOSOMES}
    fit = _fit(rows)
    np.testing.assert_allclose(fit.nonnegative("3"), TAU / 5, atol=1e-9)
    tau, penalty = fit.ridge("3")
    np.testing.assert_allclose(tau, TAU / 5, rtol=1e-3, atol=1e-9)
    assert penalty < 1e-6


def test_noise_is_penalised_and_signs_are_kept() -> None:
    fit = _fit({chrom: _rows(chrom) for chrom in CHROMOSOMES})
    tau, _ = fit.ridge("2")
    assert tau[1] == pytest.approx(TAU[1] / 5, rel=0.5)
    assert abs(tau[2]) < tau[1] / 3
    assert (fit.nonnegative("2") >= 0).all()


def test_direct_regression_gives_the_same_coefficients() -> None:
    """Sums by chromosome against one weighted least squares on the stacked rows, without penalty."""
    from scipy.optimize import nnls

    rows = {chrom: _rows(chrom) for chrom in CHROMOSOMES}
    fit = _fit(rows)
    train = [rows[chrom] for chrom in ("3", "5", "7")]
    half = [rows[chrom] for chrom in ("1", "3", "5", "7")]
    chi2, n, ld = (np.concatenate([getattr(r, name) for r in half]) for name in ("chi2", "n", "ld_scores"))
    used = chi2 < 100
    h2 = SIZES.sum() * (chi2[used].mean() - 1) / (ld.sum(1) * n)[used].mean()
    mean_n = n[used].mean()
    design, target = [], []
    for r in train:
        keep = r.chi2 < 100
        total = np.maximum(r.ld_scores[keep].sum(1), 1)
        spread = 2 * (1 + np.clip(h2, 0, 1) * r.n[keep] / SIZES.sum() * total) ** 2
        weight = 1 / np.sqrt(spread * np.maximum(r.weight_ld[keep], 1))
        columns = np.column_stack([r.ld_scores[keep] * (r.n[keep] / mean_n)[:, None], np.ones(keep.sum())])
        design.append(columns * weight[:, None])
        target.append(r.chi2[keep] * weight)
    direct = nnls(np.vstack(design), np.concatenate(target))[0][:-1] / mean_n
    np.testing.assert_allclose(fit.nonnegative("1"), direct, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("step", ["ridge", "nonnegative"])
def test_a_chromosome_never_informs_itself(step: str) -> None:
    """Whatever is planted on a chromosome, its own coefficients stay as they are; others' move."""
    rows = {chrom: _rows(chrom) for chrom in CHROMOSOMES}
    planted = rows | {"4": _rows("4", tau=np.array([1e-6, 0.0, 9e-5]))}

    def coefficients(chrom: str, data: dict[str, RegressionRows]) -> np.ndarray:
        found = getattr(_fit(data, level_of_other_half=step == "nonnegative"), step)(chrom)
        return found[0] if step == "ridge" else found

    # rows of large chi2 are left out, which changes the mean n that columns are scaled with, and back
    np.testing.assert_allclose(coefficients("4", rows), coefficients("4", planted), rtol=1e-9, atol=1e-15)
    if step == "ridge":
        assert not np.allclose(coefficients("3", rows), coefficients("3", planted), rtol=1e-3)
    else:
        assert not np.allclose(coefficients("2", rows), coefficients("2", planted), rtol=0.2, atol=2e-7)


def test_rows_may_come_in_pieces() -> None:
    rows = {chrom: _rows(chrom) for chrom in CHROMOSOMES}

    def pieces() -> Iterator[RegressionRows]:
        for r in rows.values():
            for start in range(0, 4000, 700):
                part = slice(start, start + 700)
                yield RegressionRows(r.chrom, r.chi2[part], r.n[part], r.weight_ld[part], r.ld_scores[part])

    streamed = fit_regression(pieces, SIZES, split_halves(rows))
    np.testing.assert_allclose(streamed.ridge("5")[0], _fit(rows).ridge("5")[0], rtol=1e-9)


def test_extreme_chi2_is_left_out() -> None:
    rows = {chrom: _rows(chrom) for chrom in CHROMOSOMES}
    chi2 = rows["1"].chi2.copy()
    chi2[7] = 5_000
    fit = _fit(rows | {"1": rows["1"]._replace(chi2=chi2)})
    usual = _fit(rows)
    assert fit.removed == usual.removed + (rows["1"].chi2[7] < 100)


def test_bad_input() -> None:
    rows = {chrom: _rows(chrom) for chrom in ("1", "2", "4")}
    with pytest.raises(InputError, match="one half has 1"):
        _fit(rows)
    wrong = _rows("6")._replace(n=np.full(4000, np.nan))
    with pytest.raises(InputError, match="chromosome 6 has a n that is not finite"):
        _fit({chrom: _rows(chrom) for chrom in CHROMOSOMES} | {"6": wrong})
    with pytest.raises(InputError, match="chromosome X has no LD scores"):
        _fit({chrom: _rows(chrom) for chrom in CHROMOSOMES}).ridge("X")


def test_halves() -> None:
    assert split_halves(["chr1", "chr2", "3", "X", "Y"]) == {"chr1": 1, "chr2": 0, "3": 1, "X": 0, "Y": 1}


def test_bins_are_intervals_and_optimal() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(centre, 0.01, 50) for centre in (0, 1, 5, 5.5)])
    order = rng.permutation(len(values))
    bins = heritability_bins(values[order], 4)
    assert [set(bins[np.argsort(order)][start : start + 50]) for start in range(0, 200, 50)] == [{0}, {1}, {2}, {3}]


def test_bins_brute_force() -> None:
    from itertools import combinations

    rng = np.random.default_rng(11)
    values = np.sort(rng.gamma(1, 1, 14))
    bins = heritability_bins(values, 3, smallest=1)

    def distance(parts: list[np.ndarray]) -> float:
        return sum(np.abs(part - np.median(part)).sum() for part in parts)

    best = min(distance(np.split(values, list(cuts))) for cuts in combinations(range(1, 14), 2))
    assert distance([values[bins == number] for number in range(3)]) == pytest.approx(best)


def test_small_bins_are_joined() -> None:
    values = np.r_[np.zeros(50), np.full(3, 9.0), np.full(40, 20.0)]
    bins = heritability_bins(values, 3)
    assert bins.max() == 1
    assert np.bincount(bins).min() >= 10


def test_few_distinct_values() -> None:
    assert set(heritability_bins(np.r_[np.zeros(30), np.ones(30)], 20)) == {0, 1}


def test_constrained() -> None:
    values = np.array([-1.0, 0.0, 2.0, 100.0, 50.0])
    raised = constrained(values, 10)
    assert raised.sum() == pytest.approx(values.sum())
    assert raised.max() / raised.min() == pytest.approx(10)
    with pytest.raises(InputError, match="no variant"):
        constrained(-np.ones(3), 100)
