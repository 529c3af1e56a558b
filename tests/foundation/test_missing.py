import math

import pytest

from fineprior.foundation.missing import is_minus_nine, is_missing, missing_among


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "NA", "na", "N/A", "n/a", "#N/A", "#NA", "<NA>", "nan", "NaN", "NAN", "-nan", "NULL", "null", "None",
     '"NA"', " NA ", "NaT", None, float("nan")],
)  # fmt: skip
def test_words_for_missing(text):
    assert is_missing(text)
    assert is_missing(text, minus_nine=True)


@pytest.mark.parametrize("text", ["-9", "-9.0", "-9.00", "-9.", "-9e0", "-9.0E+00", "-0.9e1", " -9 ", '"-9"', -9, -9.0])
def test_minus_nine_is_a_number_and_missing_only_where_it_is_asked_for(text):
    assert is_minus_nine(text)
    assert is_missing(text, minus_nine=True)
    assert not is_missing(text)


@pytest.mark.parametrize(
    "text", ["0", "9", "-9.5", "-90", "-99", "--9", "9-", "NA12878", "inf", "N", "-", "X", 0, math.inf]
)
def test_what_is_not_missing(text):
    assert not is_missing(text, minus_nine=True)


def test_the_missing_among_different_values():
    assert missing_among(["1", "-9.0", "NA", "2", "-9"], minus_nine=True) == {"-9.0", "NA", "-9"}
    assert missing_among(["1", "-9.0", "NA"]) == {"NA"}
