"""Stretches that overlap an interval, beside a comparison of each with each."""

import numpy as np

from fineprior.genome.stretches import Stretches


def test_overlapping_stretches_are_those_that_share_a_base_or_lie_between_two():
    rng = np.random.default_rng(3)
    first = rng.integers(0, 60, 300)
    last = first + rng.choice([0, 1, 1, 4, 30], 300)
    starts = rng.integers(0, 60, 40)
    ends = starts + rng.integers(1, 12, 40)
    stretches = Stretches(first, last)
    for start, end, *span in zip(starts, ends, *stretches.ranges(starts, ends), strict=True):
        # an insertion at f stands between the bases f - 1 and f: both must be in the interval
        expected = [i for i, (f, t) in enumerate(zip(first, last, strict=True))
                    if set(range(f, t) if t > f else (f - 1, f)) & set(range(start, end))
                    and (t > f or {f - 1, f} <= set(range(start, end)))]  # fmt: skip
        np.testing.assert_array_equal(np.sort(stretches.overlapping(tuple(span), start, end)), expected)
