"""Numbers from their text, and the numbers of a row completed from one another."""

import logging

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from fineprior.sumstats.values import bounds, complete, floats, neg_log10_of_p, places_written
from sumstats.test_file_checks import effects, read, signed


@pytest.fixture(autouse=True)
def said(caplog):
    caplog.set_level(logging.WARNING)
    return caplog


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


@pytest.mark.parametrize(
    ("beta", "se", "p"),
    [("-9", "-9", "1e-10"), ("-9.0", "NA", "1e-10"), ("-9", "0.1", "1e-10"), ("-99", "1", "0.5"), ("-9", "-9", "-9"),
     ("999", "999", "NA"), ("-999", "0.1", "NA")],
)  # fmt: skip
def test_an_effect_that_is_a_code_gives_no_sign(tmp_path, said, beta, se, p):
    betas, p_values = signed()
    frame = effects(tmp_path / "g", [*betas, beta], [*[0.1] * 60, se], [*p_values, p])
    assert np.isnan(frame["z"].iloc[-1])
    assert frame["z"].iloc[:-1].to_numpy() == pytest.approx(10 * betas)
    assert f"beta is {float(beta):g} in 1 of 61 rows, first in line 62; that is taken as missing" in said.text


@pytest.mark.parametrize(("beta", "se", "p"), [("-9", "3", 2 * norm.sf(3)), ("-9", "0.1", "0"), ("-9", "3", "NA")])
def test_an_effect_of_minus_nine_that_its_row_bears_out_is_one(tmp_path, said, beta, se, p):
    betas, p_values = signed()
    frame = effects(tmp_path / "g", [*betas, beta], [*[0.1] * 60, se], [*p_values, p])
    assert frame["z"].iloc[-1] == pytest.approx(float(beta) / float(se))
    assert "taken as missing" not in said.text


def test_a_z_that_is_a_code_is_missing(tmp_path, said):
    betas, p_values = signed()
    z = effects(tmp_path / "g", [*10 * betas, -9, -9], "NA", [*p_values, 0.2, "NA"], name="z_score")["z"]
    assert z.isna().tolist() == [False] * 60 + [True] * 2
    kept = effects(tmp_path / "h", [*10 * betas, -9], "NA", [*p_values, 2 * norm.sf(9)], name="z_score")["z"]
    assert kept.iloc[-1] == -9
