import math

import pytest

from fineprior.files.reading import (
    CODES,
    CODES_OF_SHARES,
    PLINK_CODES,
    SPELLINGS,
    is_code,
    is_missing,
    missing_among,
)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "NA", "na", "N/A", "n/a", "#N/A", "#NA", "<NA>", "nan", "NaN", "NAN", "-nan", "NULL", "null", "None",
     '"NA"', " NA ", "NaT", None, float("nan")],
)  # fmt: skip
def test_words_for_missing(text):
    assert is_missing(text)
    assert is_missing(text, PLINK_CODES)


@pytest.mark.parametrize("text", ["-9", "-9.0", "-9.00", "-9.", "-9e0", "-9.0E+00", "-0.9e1", " -9 ", '"-9"', -9, -9.0])
def test_minus_nine_is_a_number_and_missing_only_where_it_is_asked_for(text):
    assert is_code(text, PLINK_CODES)
    assert is_missing(text, PLINK_CODES)
    assert not is_missing(text)


@pytest.mark.parametrize(
    "text", ["0", "9", "-9.5", "-90", "-99", "--9", "9-", "NA12878", "inf", "N", "-", "X", 0, math.inf]
)
def test_what_is_not_missing(text):
    assert not is_missing(text, PLINK_CODES)


def test_the_missing_among_different_values():
    assert missing_among(["1", "-9.0", "NA", "2", "-9"], PLINK_CODES) == {"-9.0", "NA", "-9"}
    assert missing_among(["1", "-9.0", "NA"]) == {"NA"}


def test_codes_of_what_cannot_be_below_0():
    assert [is_missing(text, CODES) for text in ("-99.0", "-999", "-1", "-9")] == [True, True, False, True]
    assert is_missing("-1", CODES_OF_SHARES)


def test_spellings_hold_each_word_in_capitals_and_small_letters():
    assert {"NaN", "nan", "NAN", "-NaN", "Null", "NONE", "#N/A", "", "."} <= set(SPELLINGS)
    assert all(is_missing(word) for word in SPELLINGS)
