"""What is said of a file as a whole, and for what it is refused: text, codes, bounds, signs, p-values."""

import logging

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fineprior.files.errors import InputError
from fineprior.sumstats.file_checks import FileChecks
from fineprior.sumstats.reader import read_sumstats

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


@pytest.mark.parametrize("word", ["NA", " NA ", "n/a", "-NaN", "Null", "#N/A", "."])
def test_every_word_for_missing_is_missing_and_no_text(tmp_path, said, word):
    frame = read(tmp_path / "g", *[{"effect_allele_frequency": word}] * 20, of=20)
    assert frame["eaf"].isna().all()
    assert "is no number" not in said.text


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


def effects(path, beta, se, p=None, n="20000", name="beta"):
    """A file of these effects (numbers or text), each with its standard error and, perhaps, p-value."""
    header = [name, "standard_error", "p_value", "n"]
    p = ["NA"] * len(beta) if p is None else p
    rows = zip(beta, [se] * len(beta) if isinstance(se, str | float) else se, p, [n] * len(beta), strict=True)
    frame = pd.DataFrame(rows, columns=header).astype("str")
    frame = frame.assign(
        chromosome="1", effect_allele="A", other_allele="G", base_pair_location=range(1, len(beta) + 1)
    )
    frame.drop(columns=[column for column in header if frame[column].eq("NA").all()]).to_csv(
        path, sep="\t", index=False
    )
    return read_sumstats(path)


def signed(count=60):
    """Effects with standard error 0.1 and both signs, and their p-values."""
    z = np.random.default_rng(2).normal(0, 1.5, count).round(3)
    z[:2] = 8.5, -7.25
    return z / 10, 2 * norm.sf(np.abs(z))


@pytest.mark.parametrize("code", ["9", "99", "999.0", "-1", "-9999"])
def test_a_frequency_that_is_a_code_costs_no_row(tmp_path, said, code):
    frame = read(tmp_path / "g", {}, *[{"effect_allele_frequency": code}] * 8)
    assert f"effect_allele_frequency is {code} in 8 of 40 rows, first in line 3; that is taken as missing" in said.text
    assert frame["eaf"].isna().sum() == 8
    assert frame["z"].notna().all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["beta", "z_score"])
def test_effects_of_one_sign_are_said(tmp_path, said, name, sign):
    betas, _ = signed()
    effects(tmp_path / "g", 10 * betas, 1.0 if name == "beta" else "NA", name=name)
    assert "all effects are" not in said.text
    effects(tmp_path / "h", sign * 10 * np.abs(betas), 1.0 if name == "beta" else "NA", name=name)
    assert f"all effects are {'above' if sign > 0 else 'below'} 0 (" in said.text
    assert "are they absolute values" in said.text


@pytest.mark.parametrize("n", ["20", "20.000"])
def test_a_z_beyond_the_root_of_the_sample_size_is_said(tmp_path, said, n):
    betas, p_values = signed()
    effects(tmp_path / "g", betas, 0.1, p_values)
    assert "root of the sample size" not in said.text
    effects(tmp_path / "h", betas, 0.1, p_values, n=n)
    assert "|z| is larger than the root of the sample size" in said.text
    assert "in 2 of 60 rows; the strongest: line 2 (8.5 and 4.472)" in said.text


def test_p_values_in_the_column_of_their_logarithms_are_refused(tmp_path):
    path, (betas, p_values) = tmp_path / "g", signed()
    frame = pd.DataFrame({"chromosome": "1", "base_pair_location": range(1, 61), "effect_allele": "A",
                          "other_allele": "G", "beta": betas, "n": 20000})  # fmt: skip
    frame.assign(neg_log_10_p_value=p_values).to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match=r"-log10 p is at most 0\.\d+ in 60 rows; is that column a p-value"):
        read_sumstats(path)
    frame.assign(neg_log_10_p_value=-np.log10(p_values)).to_csv(path, sep="\t", index=False)
    assert read_sumstats(path)["z"].to_numpy() == pytest.approx(10 * betas)


def test_many_p_values_of_one_are_said(tmp_path, said):
    betas, p_values = signed()
    effects(tmp_path / "g", betas, "NA", p_values)
    assert "corrected" not in said.text
    effects(tmp_path / "h", betas, "NA", np.minimum(60 * p_values, 1))
    assert "the p-value is 1 in " in said.text
    assert "is it corrected for the number of tests" in said.text


def test_a_file_without_p_whose_z_are_too_small_is_said(tmp_path, said):
    betas, p_values = signed()
    for se, p in ((0.1, None), (0.1, p_values)):
        effects(tmp_path / "g", betas, se, p)
        assert "as chance does not make it" not in said.text
    effects(tmp_path / "h", betas, 0.1 * 14, None)
    assert "is the standard error that of the effect, and not a standard deviation" in said.text


@pytest.mark.parametrize("chunks", [1, 3])
def test_agreement_of_a_file_is_the_correlation_over_all_its_chunks(tmp_path, chunks):
    """Of -log10 p with that of z, from 20 rows on; the message tells it."""
    expected, other = np.random.default_rng(4).exponential(3.0, (2, 60))
    claimed = 0.3 * expected + other
    r = np.corrcoef(expected, claimed)[0, 1]
    assert 0.1 < r < 0.45
    frame = pd.DataFrame({"n": 100.0, "beta": -1.0, "se": 1.0, "z": -1.0, "eaf": 0.2, "neg_log10_p": claimed, "row": 2})
    checks = FileChecks(tmp_path / "g.tsv")
    for rows in np.array_split(np.arange(60), chunks):
        checks.add(frame.iloc[rows], claimed[rows], expected[rows])
    with pytest.raises(InputError, match=f"effect / standard error: {r:.2f}"):
        checks.finish("")


def test_a_ratio_and_a_logarithm_of_p_that_are_codes_are_missing(tmp_path, said):
    frame = read(tmp_path / "g", {}, {"odds_ratio": "999"}, {"odds_ratio": "99", "standard_error": "99"})
    assert frame["z"].isna().tolist() == [False, True, True, *[False] * 37]
    assert "odds_ratio is 999 in 2 of 40 rows, first in line 3; that is taken as missing" in said.text
    betas, p_values = signed()
    path = tmp_path / "h"
    logarithms = np.where(np.arange(60) == 0, 999, -np.log10(p_values))
    pd.DataFrame({"chromosome": "1", "base_pair_location": range(1, 61), "effect_allele": "A", "other_allele": "G",
                  "beta": betas, "standard_error": 0.1, "neg_log_10_p_value": logarithms, "n": 20000}
                 ).to_csv(path, sep="\t", index=False)  # fmt: skip
    frame = read_sumstats(path)
    assert frame["neg_log10_p"].iloc[0] == pytest.approx(-np.log10(2 * norm.sf(8.5)))
    assert "neg_log_10_p_value is 999.0 in 1 of 60 rows, first in line 2; that is taken as missing" in said.text
