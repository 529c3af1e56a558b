"""Text where a number belongs: what is read, what is a bound, what is missing, and what is said of it."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import norm

from fineprior.foundation.errors import InputError
from fineprior.sumstats.sumstats import read_sumstats
from fineprior.sumstats.values import FileChecks, bounds, complete, floats, neg_log10_of_p, places_written

HEADER = ["chromosome", "base_pair_location", "effect_allele", "other_allele", "odds_ratio", "standard_error",
          "effect_allele_frequency", "p_value", "info", "n"]  # fmt: skip
ROW = dict(zip(HEADER, ["1", "10", "A", "G", "1.2", "0.0456", "0.3", "6.4e-5", "0.9", "20000"], strict=True))


def read(path, *rows, of=40):
    """Rows on top of ROW, the rest being as it is."""
    lines = [ROW | row for row in rows] + [ROW] * (of - len(rows))
    path.write_text("\n".join("\t".join(line) for line in [HEADER, *(row.values() for row in lines)]) + "\n")
    return read_sumstats(path)


@pytest.fixture(autouse=True)
def said(caplog):
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.parametrize("column", ["odds_ratio", "standard_error", "effect_allele_frequency", "p_value", "info", "n"])
@pytest.mark.parametrize(
    "text", ["1.2*", "*", "0,05", "p<0.001 ns", "1.2.3", "1 234", "12%", "0x10", "1_000", "#DIV/0!"]
)
def test_text_is_missing_and_named_once_with_column_count_and_first_line(tmp_path, said, column, text):
    frame = read(tmp_path / "g", {}, {column: text}, {}, {column: text})
    told = [
        line for line in said.messages if f"{column} is no number in 2 of 40 rows, first in line 3 ('{text}')" in line
    ]
    assert len(told) == 1
    names = {"odds_ratio": "beta", "effect_allele_frequency": "eaf", "info": "info", "n": "n"}
    if column in names:
        assert np.flatnonzero(frame[names[column]].isna()).tolist() == [1, 3]
    with pytest.raises(InputError, match="is no number in 20 of 20 rows"):
        read(tmp_path / "h", *[{column: text}] * 20, of=20)


@pytest.mark.parametrize("text", ["<2e-16", "< 2e-16", "<=2e-16", "p<2e-16", "P < 2E-16", "&lt;2e-16", "\u22642e-16"])
def test_a_p_value_that_is_a_bound_keeps_it(tmp_path, said, text):
    frame = read(tmp_path / "g", {"p_value": text, "standard_error": "NA"}, {"p_value": text, "odds_ratio": "2"})
    assert np.isnan(frame["z"].iloc[0])
    assert frame["neg_log10_p"].iloc[0] == pytest.approx(-np.log10(2e-16))
    assert frame["neg_log10_p"].iloc[1] == pytest.approx(-(norm.logsf(np.log(2) / 0.0456) + np.log(2)) / np.log(10))
    assert f"p_value is only a bound in 2 of 40 rows, first in line 2 ('{text}')" in said.text


def test_many_bounds_refuse_no_file(tmp_path):
    assert len(read(tmp_path / "g", *[{"p_value": "<2e-16"}] * 20)) == 40


@pytest.mark.parametrize("code", ["-9", "-9.0", "-99", "-999.00"])
@pytest.mark.parametrize("column", ["effect_allele_frequency", "standard_error", "p_value", "info", "n", "odds_ratio"])
def test_a_code_for_missing_is_no_number_and_costs_what_lacks_only(tmp_path, said, column, code):
    frame = read(tmp_path / "g", {}, *[{column: code}] * 8)
    assert f"{column} is {code} in 8 of 40 rows, first in line 3; that is taken as missing" in said.text
    needed = "z" if column == "odds_ratio" else "n" if column == "n" else None
    assert frame["z"].isna().sum() == (8 if needed == "z" else 0)
    assert frame["n"].isna().sum() == (8 if needed == "n" else 0)
    assert frame["eaf"].isna().sum() == (8 if column == "effect_allele_frequency" else 0)


def test_thousands_are_read_in_sizes_only(tmp_path):
    assert read(tmp_path / "g", {"n": "20,000"}, {"n": "1,234,567"})["n"].to_list()[:3] == [20000, 1234567, 20000]
    assert np.isnan(floats(pa.array(["20,000"]), 1))[0]
    assert floats(pa.array(["20,000", "2,00", "2000,5", ",000"]), 4, thousands=True).tolist()[:1] == [20000]
    assert np.isnan(floats(pa.array(["2,00", "2000,5", ",000"]), 3, thousands=True)).all()


def test_what_a_number_is_does_not_depend_on_its_neighbours():
    """Text among the numbers makes them be read in another way."""
    texts = ["1.", ".5", "+0.5", "1e400", "-inf", " 5 ", "1.5d-3", "1E+05", "nan", "-0"]
    alone = [floats(pa.array([text]), 1)[0] for text in texts]
    together = floats(pa.array([*texts, "x"]), len(texts) + 1)
    assert np.array_equal([*alone, np.nan], together, equal_nan=True)
    assert together[:8].tolist() == [1, 0.5, 0.5, np.inf, -np.inf, 5, 0.0015, 1e5]


def test_p_values_from_their_text():
    texts = pa.array(["1e-400", "2.5d-1000", "0", "0.0e-9", "-0.1", "1.5", "NAN*", None])
    found = neg_log10_of_p(texts, 8)
    assert found[:4] == pytest.approx([400, 1000 - np.log10(2.5), np.inf, np.inf])
    assert found[4] == -np.inf
    assert found[5] < 0
    assert np.isnan(found[6:]).all()


def test_bounds_of_both_kinds_of_p_value():
    texts = pa.array(["<1e-5", ">300", "< 0", "<x", "5"])
    assert np.array_equal(bounds(texts, floats(texts, 5), logarithm=False), [5, *[np.nan] * 4], equal_nan=True)
    assert np.array_equal(bounds(texts, floats(texts, 5), logarithm=True), [np.nan, 300, *[np.nan] * 3], equal_nan=True)


def test_places_that_are_written():
    texts = pa.array(["0.00012", "1.2e-8", "5", "1.50", None, "-3.1D+2"])
    assert np.array_equal(places_written(texts, np.arange(6)), [5, 9, 0, 2, np.nan, -1], equal_nan=True)
    assert places_written(pa.array([0.05, 0.25]), np.array([0, 1])).tolist() == [2, 2]
    assert places_written(pa.array([float(np.float32(0.05))]), np.array([0])).tolist() == [2]


def test_z_is_effect_over_standard_error_then_that_of_the_file_then_that_of_p():
    beta, se = np.array([0.6, 0.6, -0.6, 0.0, 0.0]), np.array([0.1, *[np.nan] * 4])
    z, p = np.array([9.0, 9.0, *[np.nan] * 3]), -np.log10(2 * norm.sf([3.0, 3.0, 3.0, 3.0, 1.0]))
    nothing = np.full(5, np.nan)
    found = complete(beta, se, z, p, nothing, nothing)
    assert found["z"] == pytest.approx([6.0, 9.0, -3.0, np.nan, 0.0], nan_ok=True)  # an effect of 0 has no sign
    assert found["se"][2] == pytest.approx(0.2)
    assert found["neg_log10_p"] == pytest.approx(p)
    assert found["expected"] == pytest.approx([-np.log10(2 * norm.sf(6)), -np.log10(2 * norm.sf(9)), *[np.nan] * 3],
                                              nan_ok=True)  # fmt: skip


@pytest.mark.parametrize("chunks", [1, 3])
def test_agreement_of_a_file_is_the_correlation_over_all_its_chunks(tmp_path, chunks):
    """Of -log10 p with that of z, from 20 rows on; the message tells it."""
    expected, other = np.random.default_rng(4).exponential(3.0, (2, 60))
    claimed = 0.3 * expected + other
    r = np.corrcoef(expected, claimed)[0, 1]
    assert 0.1 < r < 0.45
    frame = pd.DataFrame({"n": 100.0, "beta": -1.0, "se": 1.0, "eaf": 0.2, "neg_log10_p": claimed, "row": 2})
    checks = FileChecks(tmp_path / "g.tsv")
    for rows in np.array_split(np.arange(60), chunks):
        checks.add(frame.iloc[rows], claimed[rows], expected[rows])
    with pytest.raises(InputError, match=f"effect / standard error: {r:.2f}"):
        checks.finish("")
