import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fineprior.genome.alleles import complement, flip, is_palindromic, variant_id


def test_ids():
    frame = pd.DataFrame({"chrom": ["chr1", "2"], "pos": [5, 6], "ref": ["A", "CT"], "alt": ["G", "C"]})
    assert variant_id(**{name: frame[name] for name in frame}).to_list() == ["chr1:5:A:G", "2:6:CT:C"]


@given(st.text("ACGT", min_size=1, max_size=8))
def test_complement_is_its_own_inverse(allele):
    assert complement(complement(allele)) == allele
    assert len(complement(allele)) == len(allele)


@pytest.mark.parametrize(("first", "second", "palindromic"), [
    ("A", "T", True), ("G", "C", True), ("A", "G", False), ("C", "A", False), ("A", "A", False), ("AC", "GT", True),
    ("AT", "A", False), ("AT", "AT", False),
])  # fmt: skip
def test_palindromic(first, second, palindromic):
    assert is_palindromic(first, second) == is_palindromic(second, first) == palindromic


def test_flip_turns_alleles_with_their_numbers():
    frame = pd.DataFrame({"effect_allele": ["A", "C"], "other_allele": ["G", "T"], "beta": [0.5, -0.2],
                          "z": [2.0, 0.0], "eaf": [0.3, np.nan], "se": [0.25, 0.1]})  # fmt: skip
    before = frame.copy()
    flipped = flip(frame, np.array([True, False]))
    assert flipped.iloc[0].to_list() == ["G", "A", -0.5, -2.0, 0.7, 0.25]
    assert flipped.iloc[1].equals(frame.iloc[1])
    assert frame.equals(before)
    back = flip(flipped, np.array([True, False]))
    pd.testing.assert_frame_equal(back, frame)
    assert not np.signbit(flip(frame, np.array([True, True]))["z"].iloc[1])
