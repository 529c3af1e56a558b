"""What a row has twice: which of the two counts, and what is said when they disagree."""

import logging

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from fineprior.files.errors import InputError
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.agreement import CONTRADICTS, HAS_P, TWO_VALUES, WALD, is_floor, of_t
from fineprior.sumstats.outcomes import reason_names
from fineprior.sumstats.reader import open_sumstats, read_sumstats
from fineprior.sumstats.rows import gather_rows

ROWS, SE = 50, 0.123457


def write(path, **columns):
    """Rows of z = 2, that of row 3 being 6, with further columns."""
    z = np.where(np.arange(ROWS) == 3, 6.0, 2.0)
    frame = pd.DataFrame({
        "chromosome": "1", "base_pair_location": np.arange(1, ROWS + 1), "effect_allele": "A", "other_allele": "G",
        "beta": SE * z, "standard_error": SE, "n": 20000, "p_value": 2 * norm.sf(z),
    })  # fmt: skip
    frame.assign(**columns).to_csv(path, sep="\t", index=False, na_rep="NA", float_format="%.6g")
    return path


def marked(path):
    return pd.concat(open_sumstats(path).chunks(marked=True))


@pytest.fixture(autouse=True)
def said(caplog):
    caplog.set_level(logging.WARNING)
    return caplog


def test_effect_over_standard_error_goes_before_the_z_of_the_file_and_that_before_p(tmp_path, said):
    z_score = np.full(ROWS, 2.0)
    z_score[3] = 9.0
    path = write(tmp_path / "g.tsv", z_score=z_score)
    frame = marked(path)
    assert frame["z"].iloc[3] == pytest.approx(6.0)
    assert frame["marks"].iloc[3] & TWO_VALUES
    assert (
        "z_score and effect / standard error disagree, the latter counts, in 1 of 50 rows; the strongest: line 5 (9 "
        in (said.text)
    )
    gone = write(tmp_path / "h.tsv", z_score=z_score, standard_error=np.nan)
    assert read_sumstats(gone)["z"].iloc[3] == 9.0
    alone = write(tmp_path / "i.tsv", standard_error=np.nan)
    assert read_sumstats(alone)["z"].iloc[3] == pytest.approx(6.0, rel=1e-4)


def test_signs_that_contradict_leave_the_row_out_and_many_of_them_refuse_the_file(tmp_path, said):
    z_score = np.where(np.arange(ROWS) == 3, -6.0, 2.0)
    rows = gather_rows(marked(write(tmp_path / "g.tsv", z_score=z_score)).pipe(lambda f: [f]), HarmoniseSettings(), "g")
    assert reason_names()[rows.reason[3]] == "contradiction"
    assert (rows.reason > 0).sum() == 1
    assert (
        "z_score and effect / standard error have opposite signs, so the row is excluded, in 1 of 50 rows" in said.text
    )
    with pytest.raises(InputError, match=r"opposite signs, .* in 50 of 50 rows; .* which of the two is meant"):
        read_sumstats(write(tmp_path / "h.tsv", z_score=-2.0))


@pytest.mark.parametrize("name", ["odds_ratio", "hazard_ratio"])
def test_beta_and_a_ratio_are_held_against_one_another(tmp_path, said, name):
    beta = SE * np.where(np.arange(ROWS) == 3, 6.0, 2.0)
    ratio = np.exp(beta)
    write(tmp_path / "g.tsv", **{name: np.round(ratio, 2)})
    assert not (marked(tmp_path / "g.tsv")["marks"] & (CONTRADICTS | TWO_VALUES)).any()
    assert not said.text
    ratio[3], ratio[7] = 1.2, 0.8
    frame = marked(write(tmp_path / "g.tsv", **{name: ratio}))
    assert frame["marks"].iloc[[3, 7]].to_list() == [WALD | HAS_P | TWO_VALUES, WALD | HAS_P | CONTRADICTS]
    assert frame["beta"].iloc[3] == pytest.approx(6 * SE, rel=1e-5)
    assert (
        f"beta and the logarithm of {name} disagree, the former counts, in 1 of 50 rows; the strongest: line 5"
        in said.text
    )
    with pytest.raises(InputError, match=f"beta and the logarithm of {name} have opposite signs"):
        marked(write(tmp_path / "g.tsv", **{name: 1 / ratio}))


def test_two_p_values_of_a_row_are_held_against_one_another(tmp_path, said):
    given = -np.log10(2 * norm.sf(np.where(np.arange(ROWS) == 3, 6.0, 2.0)))
    assert not (marked(write(tmp_path / "g.tsv", neg_log_10_p_value=given))["marks"] & TWO_VALUES).any()
    p = np.where(np.arange(ROWS) == 3, 1e-3, 2 * norm.sf(2))
    frame = marked(write(tmp_path / "g.tsv", neg_log_10_p_value=given, p_value=p))
    assert np.flatnonzero(frame["marks"] & TWO_VALUES).tolist() == [3]
    assert frame["neg_log10_p"].iloc[3] == pytest.approx(given[3], rel=1e-4)
    assert "disagree, the latter counts, in 1 of 50 rows; the strongest: line 5 (3 and 8.7" in said.text
    p[3] = 0  # underflowed: the other one knows better, and nothing disagrees
    assert not (marked(write(tmp_path / "g.tsv", neg_log_10_p_value=given, p_value=p))["marks"] & TWO_VALUES).any()


def test_a_z_that_does_not_reach_the_bound_of_its_p_value_contradicts_it(tmp_path, said):
    p = np.where(np.arange(ROWS) < 2, "<2e-16", "0.0455").astype(object)
    beta = SE * np.where(np.arange(ROWS) == 0, 9.0, 2.0)
    frame = marked(write(tmp_path / "g.tsv", beta=beta, p_value=p))
    assert (frame["marks"] & CONTRADICTS > 0).to_list()[:3] == [False, True, False]
    assert frame["neg_log10_p"].iloc[0] == pytest.approx(-np.log10(2 * norm.sf(9)), rel=1e-4)
    assert "z does not reach the bound of its p-value, so the row is excluded, in 1 of 50 rows" in said.text


def test_z_of_a_t_has_its_p_value():
    size = np.array([0.0, 1.0, 4.0, 9.0])
    assert of_t(size, np.full(4, 30.0)) == pytest.approx(norm.isf(t.sf(size, 30)), rel=5e-3)
    assert of_t(size, np.full(4, np.nan)).tolist() == size.tolist()


def test_floors_are_known():
    """R's epsilon in three lengths, powers of ten, the least normal number, the least of all; not their neighbours."""
    written = [2.2e-16, 2.22e-16, 2e-16, 1e-15, 1e-16, 1e-299, 1e-300, 1e-307, 2.225e-308, 1e-308, 4.94e-324]
    assert is_floor(-np.log10(written)).all()
    assert not is_floor(-np.log10([3e-16, 1.1e-16, 1e-14, 1.1e-300, 1e-8, 0.5])).any()


def test_a_z_that_rounding_may_have_made_anything_is_said_where_no_p_tells(tmp_path, said):
    z = np.where(np.arange(ROWS) == 3, 6.0, np.where(np.arange(ROWS) % 2, 2.0, -2.0))
    write(tmp_path / "g.tsv", beta=(0.0234567 * z).round(2), standard_error=0.02)
    read_sumstats(tmp_path / "g.tsv")
    assert "may be anything" not in said.text
    gone = {"beta": (0.0234567 * z).round(2), "standard_error": 0.02, "p_value": np.nan}
    read_sumstats(write(tmp_path / "h.tsv", **gone))
    # 0.14 +- 0.005 over 0.02 +- 0.005
    assert (
        "|z| may be anything between two numbers, in 50 of 50 rows; the strongest: line 5 (5.4 and 9.667)" in said.text
    )
    said.clear()
    read_sumstats(write(tmp_path / "i.tsv", beta=0.0234567 * z, standard_error=0.0234567, p_value=np.nan))
    assert "may be anything" not in said.text
