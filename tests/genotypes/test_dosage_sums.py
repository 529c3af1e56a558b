"""Correlations of dosages beside numpy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dosages import genotypes
from fineprior.genotypes import dosage_sums
from fineprior.genotypes.dosage_sums import correlation


def test_correlation_is_numpys_after_mean_imputation():
    dosages = genotypes(200, 15, 1, missing=0.05)
    filled = np.where(np.isnan(dosages), np.nanmean(dosages, 0), dosages)
    before = dosages.copy()
    r = correlation(dosages)
    assert r.dtype == np.float32
    assert np.allclose(r, np.corrcoef(filled.T), atol=2e-6)
    assert np.array_equal(dosages, before, equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
def test_correlation_is_symmetric_bounded_and_one_with_itself(people, count, seed, missing):
    dosages = genotypes(people, count, seed, missing)
    dosages = np.hstack([dosages, 2 - dosages[:, :1]])
    r = correlation(dosages)
    assert np.array_equal(r, r.T)
    assert (np.diag(r) == 1).all()
    assert np.abs(r).max() <= 1
    assert not np.isnan(r).any()
    # the other allele is counted: the sign turns, the size stays
    turned = correlation(np.hstack([2 - dosages[:, :1], dosages[:, 1:]]))
    assert np.allclose(turned[0, 1:], -r[0, 1:], atol=1e-6)
    assert np.allclose(turned[1:, 1:], r[1:, 1:], atol=1e-6)


def test_blocks_do_not_show(monkeypatch):
    dosages = genotypes(60, 17, 3)
    r = correlation(dosages)
    monkeypatch.setattr(dosage_sums, "_STRIP", 5)
    monkeypatch.setattr(dosage_sums, "_TILE", 4)
    monkeypatch.setattr(dosage_sums, "_WIDE_TILE", 6)
    monkeypatch.setattr(dosage_sums, "_VALUES_AT_ONCE", 130)
    assert np.array_equal(correlation(dosages), r)


def test_a_perfect_copy_has_correlation_1_and_its_complement_minus_1():
    dosages = genotypes(343, 1, 2)
    r = correlation(np.hstack([dosages, dosages, 2 - dosages]))
    assert np.allclose(r[0], [1, 1, -1], atol=1e-6)


@pytest.mark.parametrize("constant", [[2, 2, 2, 2], [np.nan] * 4, [np.nan, 1, 1, np.nan]])
def test_a_variant_without_variance_has_no_ld_and_a_warning(constant, caplog):
    dosages = np.array([[0, 1, 2, 1], constant, [2, 2, 1, 0]], np.float32).T
    r = correlation(dosages)
    assert r[1].tolist() == [0, 1, 0]
    assert np.isfinite(r).all()
    assert "1 of 3 variants do not vary" in caplog.text


def test_rare_variants_are_exact():
    # products of small deviations from the mean, all rounded alike, would be off by 1e-5
    dosages = np.zeros((5_000, 3), np.float32)
    dosages[:2, :2] = 1
    dosages[7, 2] = 1
    r = correlation(dosages)
    assert r[0, 1] == 1
    assert abs(r[0, 2] - np.corrcoef(dosages.T)[0, 2]) < 1e-9
