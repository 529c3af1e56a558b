"""z against p-value over a whole file: what each fault of a file looks like, and what becomes of the rows."""

import logging

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from fineprior.files.errors import InputError
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.agreement import DISAGREES, FROM_P
from fineprior.sumstats.metadata import SampleSizes
from fineprior.sumstats.reader import open_sumstats
from fineprior.sumstats.rows import gather_rows
from fineprior.sumstats.z_and_p import reconcile

ROWS = 60


def table(**columns):
    """Rows with effects, standard errors and p-values that are of one another."""
    rng = np.random.default_rng(3)
    z = rng.normal(0, 2.5, ROWS)
    z[:2] = 7.0, -6.0
    se = rng.uniform(0.05, 0.15, ROWS)
    frame = pd.DataFrame({
        "chromosome": "1", "base_pair_location": np.arange(1, ROWS + 1) * 10, "effect_allele": "A", "other_allele": "G",
        "beta": z * se, "standard_error": se, "p_value": 2 * norm.sf(np.abs(z)), "n": 20000,
    })  # fmt: skip
    return frame.assign(**columns), z


def reconciled(path, frame, digits=6):
    """The rows after all was reconciled, from a file whose numbers have so many digits."""
    frame.to_csv(path, sep="\t", index=False, float_format=f"%.{digits}g", na_rep="NA")
    rows = gather_rows(
        open_sumstats(path, sizes=SampleSizes(n=20000)).chunks(marked=True), HarmoniseSettings(), "g.tsv"
    )
    before = {name: values.copy() for name, values in (rows.numbers | {"marks": rows.marks}).items()}
    found = reconcile(rows)
    for name, values in (rows.numbers | {"marks": rows.marks}).items():
        np.testing.assert_array_equal(values, before[name], "the rows that were given stay as they are")
    return found


@pytest.fixture
def path(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    return tmp_path / "g.tsv"


@pytest.mark.parametrize("digits", [2, 3, 4, 7])
def test_a_file_in_which_all_agree_is_left_as_it_is_however_it_is_rounded(path, caplog, digits):
    frame, z = table()
    rows = reconciled(path, frame, digits)
    assert rows.numbers["z"] == pytest.approx(z, rel=0.12)
    assert "disagree" not in caplog.text
    assert "throughout" not in caplog.text


def ratio_of(frame):
    return frame.drop(columns="beta").assign(odds_ratio=np.exp(frame["beta"]))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            lambda f: f.assign(standard_error=f["standard_error"] * f["odds_ratio"]),
            "is that of the ratio, not of its log",
        ),
        (lambda f: f.assign(standard_error=f["standard_error"] ** 2), "the standard error is a variance"),
        (
            lambda f: f.assign(standard_error=(f["standard_error"] * f["odds_ratio"]) ** 2),
            "is the variance of the ratio",
        ),
        (lambda f: f.assign(standard_error=1 / f["standard_error"]), "is one over itself"),
    ],
    ids=["of the ratio", "variance", "variance of the ratio", "precision"],
)
def test_a_standard_error_that_is_something_else_in_the_whole_file_is_corrected_with_a_sentence(
    path, caplog, fault, words
):
    frame, z = table(beta=lambda f: f["beta"] * 2, standard_error=lambda f: f["standard_error"] * 2)
    frame = fault(ratio_of(frame)).astype({"p_value": object})
    frame.loc[5, "p_value"] = np.nan  # of this row only the standard error can tell
    try:
        rows = reconciled(path, frame)
    except InputError as error:  # so far off that nothing correlates
        assert "contradict one another" in str(error)  # noqa: PT017
        return
    assert words in caplog.text
    assert rows.numbers["z"] == pytest.approx(z, rel=1e-3)
    assert rows.numbers["beta"] / rows.numbers["se"] == pytest.approx(z, rel=1e-3)
    assert rows.numbers["neg_log10_p"][5] == pytest.approx(-np.log10(2 * norm.sf(abs(z[5]))), rel=1e-2)


def test_one_sided_p_values_are_taken_from_z(path, caplog):
    frame, z = table()
    for p in (norm.sf(z), norm.sf(-z), norm.sf(np.abs(z))):
        caplog.clear()
        rows = reconciled(path, frame.assign(p_value=p))
        assert "p-values are one-sided" in caplog.text
        assert rows.numbers["z"] == pytest.approx(z, rel=1e-4)
        assert rows.numbers["neg_log10_p"][0] == pytest.approx(-np.log10(2 * norm.sf(7)), rel=1e-3)


def test_p_values_after_genomic_control_leave_z_as_it_is(path, caplog):
    frame, z = table(p_value=lambda f: 2 * norm.sf(np.abs(f["beta"] / f["standard_error"]) / 1.2**0.5))
    rows = reconciled(path, frame)
    assert "genomic control with lambda 1.20" in caplog.text
    assert rows.numbers["z"] == pytest.approx(z, rel=1e-4)
    assert not (rows.marks & FROM_P).any()


def test_effects_of_another_scale_are_refused(path):
    frame, _ = table(beta=lambda f: f["beta"] / np.log(10))  # log10 of the odds, its standard error of the logarithm
    with pytest.raises(InputError, match=r"g.tsv: p-values are those of 2\.3 times effect / standard error throughout"):
        reconciled(path, frame)


@pytest.mark.parametrize(("factor", "refused"), [(0.45, True), (0.55, False), (1.9, False), (2.1, True)])
def test_p_values_of_z_times_a_factor_are_told_up_to_twice_or_half_and_refused_beyond(path, caplog, factor, refused):
    frame, z = table()
    frame["p_value"] = 2 * norm.sf(factor * np.abs(z))
    if refused:
        with pytest.raises(InputError, match=rf"p-values are those of {factor:.3g} times effect / standard error"):
            reconciled(path, frame)
    else:
        reconciled(path, frame)
        assert f"p-values are those of {factor:.3f} times z" in caplog.text


def test_rows_of_which_the_p_value_is_another_are_named_and_z_takes_it(path, caplog):
    """As of SAIGE and REGENIE: Wald z of rare variants beside saddlepoint or Firth p-values."""
    frame, z = table()
    frame.loc[[3, 8], "beta"] = [9 * frame["standard_error"][3], -3 * frame["standard_error"][8]]
    frame.loc[[3, 8], "p_value"] = 2 * norm.sf([4.0, 5.5])
    rows = reconciled(path, frame)
    assert rows.numbers["z"][[3, 8]] == pytest.approx([4.0, -5.5], rel=1e-4)
    assert (rows.numbers["beta"] / rows.numbers["se"])[[3, 8]] == pytest.approx([4.0, -5.5], rel=1e-4)
    others = np.setdiff1d(np.arange(ROWS), [3, 8])
    assert rows.numbers["z"][others] == pytest.approx(z[others], rel=1e-4)
    assert np.flatnonzero(rows.marks & FROM_P).tolist() == [3, 8]
    assert "disagree in 2 of 60 rows; z takes the p-value there" in caplog.text
    assert "line 5, 1:40 (|z| 9.00, by p 4.00), line 10, 1:90 (|z| 3.00, by p 5.50)" in caplog.text


def test_few_rows_are_reconciled_as_well(path, caplog):
    frame = table()[0].head(3)
    frame.loc[0, "p_value"] = 1e-3
    assert reconciled(path, frame).numbers["z"][0] == pytest.approx(norm.isf(5e-4), rel=1e-4)
    assert "disagree in 1 of 3 rows" in caplog.text


def test_an_effect_of_0_has_no_sign_to_give_to_a_p_value(path, caplog):
    frame, _ = table()
    frame.loc[[2, 4], "beta"] = 0
    frame.loc[[2, 4], "p_value"] = [1e-20, 0.9]
    rows = reconciled(path, frame)
    assert (rows.reason[2] > 0, rows.reason[4]) == (True, 0)
    without = reconciled(path, frame.drop(columns="standard_error"))
    assert np.isnan(without.numbers["z"][2])
    assert without.numbers["z"][4] == 0
    assert (without.reason[2], without.reason[4]) == (rows.reason[2], 0)


@pytest.mark.parametrize("floor", [2.2e-16, 1e-300, 3e-12])
def test_p_values_in_place_of_smaller_ones_do_not_shrink_z(path, caplog, floor):
    frame, _ = table()
    size = 40 if floor < 1e-200 else 9.0
    frame.loc[[0, 1], "beta"] = [size, -size - 1] * frame["standard_error"][:2]
    frame["p_value"] = frame["p_value"].clip(lower=floor)
    frame.loc[[0, 1], "p_value"] = floor
    rows = reconciled(path, frame)
    assert rows.numbers["z"][:2] == pytest.approx([size, -size - 1], rel=1e-4)
    assert rows.numbers["neg_log10_p"][0] == pytest.approx(-(norm.logsf(size) + np.log(2)) / np.log(10), rel=1e-3)
    assert "rows have the p-value" in caplog.text


def test_a_rounded_p_value_is_no_disagreement(path):
    frame, z = table()
    sharp = frame["p_value"]
    frame["p_value"] = np.where(np.abs(z) < 2, np.round(sharp + 1e-9, 1), sharp)
    frame.loc[np.abs(z) > 5, "p_value"] = 0.0
    rows = reconciled(path, frame)
    assert rows.numbers["z"] == pytest.approx(z, rel=1e-4)
    assert not (rows.marks & DISAGREES).any()


def test_p_values_of_t_are_no_disagreement_in_small_samples(path):
    frame, z = table(n=60)
    frame.assign(p_value=2 * t.sf(np.abs(z), 58)).to_csv(path, sep="\t", index=False)
    rows = gather_rows(open_sumstats(path).chunks(marked=True), HarmoniseSettings(), "g.tsv")
    assert not (rows.marks & DISAGREES).any()


def test_numbers_rounded_beyond_use_leave_z_to_a_sharper_p_value(path, caplog):
    frame, _ = table()
    frame = frame.astype({"beta": object, "standard_error": object})
    frame.loc[0, ["beta", "standard_error"]] = ["0.02", "0.004"]  # 5, or anything from 3.3 to 7.1
    frame.loc[0, "p_value"] = 2 * norm.sf(6.5)
    rows = reconciled(path, frame)
    assert rows.numbers["z"][0] == pytest.approx(6.5, rel=1e-4)
    assert "rounded so far in 1 of 60 rows" in caplog.text


def test_natural_logarithms_of_p_values_are_known(path, caplog):
    frame, z = table()
    logarithms = -(norm.logsf(np.abs(z)) + np.log(2))
    rows = reconciled(path, frame.drop(columns="p_value").assign(neg_log_10_p_value=logarithms))
    assert rows.numbers["z"] == pytest.approx(z, rel=1e-4)
    assert rows.numbers["neg_log10_p"] == pytest.approx(logarithms / np.log(10), rel=1e-4)
    assert "-log10 p-values are natural logarithms" in caplog.text


@pytest.mark.parametrize(("floor", "rows"), [(1e-300, 1), (3e-17, 3)])
def test_a_floor_of_p_values_without_a_standard_error_is_said(path, caplog, floor, rows):
    frame, _ = table()
    frame = frame.drop(columns="standard_error")
    reconciled(path, frame.assign(p_value=np.where(np.arange(ROWS) < 2, [3.1e-17, 3e-17] * 30, frame["p_value"])))
    assert "in place of smaller ones" not in caplog.text
    reconciled(path, frame.assign(p_value=np.where(np.arange(ROWS) < rows, floor, frame["p_value"])))
    assert (
        f"{rows} rows have the p-value {floor:.3g}, which stands in place of smaller ones, and nothing" in caplog.text
    )


def test_many_rows_without_an_effect_do_not_hide_what_the_others_tell(path, caplog):
    """A row of p above 0.3 hardly moves with a factor of z; 600 of them are no sample of what is wrong."""
    z = np.r_[np.linspace(3.5, 5, 30), np.linspace(0.4, 0.9, 600)]
    frame = pd.DataFrame({
        "chromosome": "1", "base_pair_location": 10 * np.arange(1, len(z) + 1), "effect_allele": "A",
        "other_allele": "G", "beta": 0.1 * z, "standard_error": 0.1, "p_value": 2 * norm.sf(z / 1.02**0.5), "n": 20000,
    })  # fmt: skip
    reconciled(path, frame)
    assert "genomic control with lambda 1.02" in caplog.text
