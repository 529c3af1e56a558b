import numpy as np
import pyBigWig
import pytest

from fineprior.simulate.grammar import BACKGROUND, DEPTH, simulate_coverage, write_bigwig


@pytest.mark.slow
def test_coverage_has_the_mean_and_variance_of_poisson_reads():
    for level in (0.0, 2.0, 25.0):
        values = simulate_coverage(np.full(40_000, level), np.random.default_rng(1))
        assert values.dtype == np.float32
        assert values.mean() == pytest.approx(level + BACKGROUND, rel=0.05)
        assert values.var() == pytest.approx((level + BACKGROUND) / DEPTH, rel=0.05)


def test_noise_of_one_bin_does_not_depend_on_the_activity_of_another():
    activity = np.full(100, 3.0)
    changed = activity.copy()
    changed[0] = 30.0
    first, second = (simulate_coverage(a, np.random.default_rng(2)) for a in (activity, changed))
    np.testing.assert_array_equal(first[1:], second[1:])
    assert second[0] > first[0]


def test_bigwig_holds_one_value_for_each_whole_bin(tmp_path):
    contigs = {"chr1": 1_000, "chr2": 256}
    signal = {"chr1": np.arange(8, dtype=np.float32) + 0.5, "chr2": np.array([3, 4], np.float32)}
    write_bigwig(tmp_path / "a.bw", contigs, signal)
    write_bigwig(tmp_path / "b.bw", contigs, signal)
    assert (tmp_path / "a.bw").read_bytes() == (tmp_path / "b.bw").read_bytes()
    handle = pyBigWig.open(str(tmp_path / "a.bw"))
    assert handle.chroms() == contigs
    values = handle.values("chr1", 0, 1_000, numpy=True)
    np.testing.assert_array_equal(values[:896], np.repeat(signal["chr1"][:7], 128))
    assert np.isnan(values[896:]).all()
    np.testing.assert_array_equal(handle.values("chr2", 0, 256, numpy=True), np.repeat(signal["chr2"], 128))
