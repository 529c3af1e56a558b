"""Curves of the likelihood against sums that are written out locus by locus."""

import dataclasses

import numpy as np
import pytest
from scipy.special import logsumexp

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.detection import given_detection
from fineprior.priors.enrichment_curve import GRID, ZERO, curves

STARTS = np.array([0, 5, 6, 10])  # loci of 5, 1, 4 and 7 variants, with 2, 1, 0 and 1 signals
SIZES = (5, 1, 4, 7)
SIGNALS = (2, 1, 0, 1)


def data(seed):
    """Scores (17,) and log Bayes factors (17, 2), zeros where a locus has no such signal."""
    rng = np.random.default_rng(seed)
    x, log_bf = rng.normal(0, 2, 17), rng.normal(0, 4, (17, 2))
    for start, size, count in zip(STARTS, SIZES, SIGNALS, strict=True):
        log_bf[start : start + size, count:] = 0
    return x, log_bf


def by_hand(x, log_bf, d, b):
    found = []
    for start, size, count in zip(STARTS, SIZES, SIGNALS, strict=True):
        rows, total = slice(start, start + size), 0.0
        for s in range(count):
            total += logsumexp(b * x[rows] + log_bf[rows, s]) - logsumexp(b * x[rows] + np.log(d[rows]))
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("selected", [False, True])
def test_curves_are_the_sums_written_out(seed, selected):
    x, log_bf = data(seed)
    d = np.random.default_rng(seed).uniform(0.01, 1, 17) if selected else np.ones(17)
    block = Block.of(np.zeros((17, 1)), log_bf, STARTS)
    found = curves(given_detection(block, np.log(d)) if selected else block, x)
    for number in (0, 13, ZERO - 1, ZERO, ZERO + 1, 100, len(GRID) - 1):
        expected = by_hand(x, log_bf, d, GRID[number]) - by_hand(x, log_bf, d, 0.0)
        np.testing.assert_allclose(found[:, number], expected, rtol=1e-9, atol=1e-9)


def test_a_locus_without_signals_or_of_one_variant_says_nothing():
    x, log_bf = data(4)
    found = curves(Block.of(np.zeros((17, 1)), log_bf, STARTS), x)
    np.testing.assert_allclose(found[[1, 2]], 0, atol=1e-12)
    assert not np.allclose(found[[0, 3]], 0)


def test_a_row_that_represents_several_counts_as_often():
    """As rows of thinned loci do."""
    x, log_bf = data(6)
    copies = np.array([1, 3] + [1] * 12 + [2, 1, 5])
    whole = Block.of(np.zeros((copies.sum(), 1)), np.repeat(log_bf, copies, axis=0), np.array([0, 7, 8, 12]))
    fewer = dataclasses.replace(Block.of(np.zeros((17, 1)), log_bf, STARTS), log_weight=np.log(copies))
    np.testing.assert_allclose(curves(fewer, x), curves(whole, np.repeat(x, copies)), rtol=1e-9, atol=1e-9)


def test_extreme_scores_leave_the_curve_finite():
    x = np.array([0.0, 300.0, 1.0, 0.0])
    for log_bf, expected in (([9.0, 0, 0, 0], -np.log((np.exp(9) + 3) / 4)), ([9.0, -900, 0, 0], -705.0)):
        found = curves(Block.of(np.zeros((4, 1)), np.array(log_bf)[:, None], np.array([0])), x)
        assert np.isfinite(found).all()
        assert found[0, -1] == pytest.approx(expected, rel=0.01)  # 1e-308 is the least likelihood ratio that is told


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused(bad):
    x, log_bf = data(5)
    x[3] = bad
    with pytest.raises(InputError, match="must be finite; 1 of 17 are not"):
        curves(Block.of(np.zeros((17, 1)), log_bf, STARTS), x)
