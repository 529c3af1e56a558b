"""Values on other variants that could have had them as well."""

import numpy as np
import pandas as pd

from fineprior.priors.blocks import locus_starts
from fineprior.priors.controls import (
    LD_BINS,
    MAF_BINS,
    frequencies,
    ld_scores,
    matching_bins,
    shuffle_within_bins,
)


def made(sizes, seed=1):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    locus = np.repeat([f"locus{number}" for number in range(len(sizes))], sizes).astype(object)
    return locus, locus_starts(locus), rng.uniform(0.01, 0.99, n), rng.uniform(1, 50, n), rng.lognormal(size=n)


def test_ld_score_by_hand():
    np.testing.assert_allclose(
        ld_scores(np.array([[1, 0.5, 0], [0.5, 1, -1], [0, -1, 1]], np.float32)), [1.25, 2.25, 2]
    )


def test_bins_are_of_like_frequency_and_ld_and_of_like_size():
    _, starts, frequency, ld, _ = made([60, 30])
    bins = matching_bins(frequency, ld, starts)
    maf = np.minimum(frequency, 1 - frequency)
    for part in (slice(0, 60), slice(60, 90)):
        counts = np.bincount(bins[part], minlength=MAF_BINS * LD_BINS)
        assert counts.tolist() == [len(bins[part]) // 6] * 6
        for number in range(MAF_BINS - 1):
            low, high = (bins[part] // LD_BINS == one for one in (number, number + 1))
            assert maf[part][low].max() <= maf[part][high].min()
        for number in range(MAF_BINS):
            low, high = (bins[part] == number * LD_BINS + one for one in (0, 1))
            assert ld[part][low].max() <= ld[part][high].min()


def test_missing_frequencies_do_not_matter():
    bins = matching_bins(np.array([np.nan, 0.1, 0.9, 0.4]), np.full(4, np.nan), np.array([0]))
    assert len(bins) == 4


def test_a_shuffle_stays_within_locus_and_bin_and_leaves_missing_values():
    locus, starts, frequency, ld, values = made([60, 40])
    values[[3, 70]] = np.nan
    bins = matching_bins(frequency, ld, starts)
    taken = shuffle_within_bins(values, locus, starts, bins, 1)
    np.testing.assert_array_equal(np.sort(taken), np.arange(100))
    assert (locus[taken] == locus).all()
    assert (bins[taken] == bins).all()
    assert (taken[[3, 70]] == [3, 70]).all()
    assert np.mean(taken == np.arange(100)) < 0.4


def test_a_shuffle_depends_on_seed_and_locus_but_not_on_the_batch():
    locus, starts, frequency, ld, values = made([30, 30])
    bins = matching_bins(frequency, ld, starts)
    together = shuffle_within_bins(values, locus, starts, bins, 1)
    alone = shuffle_within_bins(values[30:], locus[30:], np.array([0]), bins[30:], 1)
    np.testing.assert_array_equal(alone + 30, together[30:])
    assert (shuffle_within_bins(values, locus, starts, bins, 2) != together).any()


def test_frequencies_of_the_gwas_and_else_of_the_panel():
    frame = pd.DataFrame({"eaf": [0.2, np.nan], "panel_af": [0.3, 0.4]})
    assert frequencies(frame).tolist() == [0.2, 0.4]
