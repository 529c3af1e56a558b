"""The comparison tables, against numbers counted by hand."""

import logging

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import (
    CALIBRATION,
    COMPARISON,
    CREDIBLE_SETS,
    FINEMAP_VARIANTS,
    TRUTH,
    TRUTH_COMPARISON,
)
from fineprior.report.compare import calibration_by_bin, compare_with_truth, compare_with_uniform, wilson_interval


def variants(*rows):
    """Rows of locus, pos, prior, pip."""
    frame = pd.DataFrame(rows, columns=["locus", "pos", "prior", "pip"])
    frame["variant_id"] = [f"1:{pos}:A:C" for pos in frame["pos"]]
    frame = frame.assign(chrom="1", ref="A", alt="C", credible_set=None, z=1.0, neg_log10_p=1.0, r_lead=0.5,
                         posterior_mean=0.0, posterior_sd=0.1,
                         pip_susie=np.nan, pip_credible=np.nan, z_expected=np.nan, ld_flag=None)  # fmt: skip
    return FINEMAP_VARIANTS.checked(frame, "test")


def credible_sets(*rows):
    """Rows of locus, name, positions."""
    if not rows:
        return CREDIBLE_SETS.empty()
    frame = pd.DataFrame(rows, columns=["locus", "credible_set", "positions"])
    frame["variants"] = frame["positions"].map(len)
    frame["variant_ids"] = [",".join(f"1:{pos}:A:C" for pos in positions) for positions in frame["positions"]]
    frame = frame.drop(columns="positions").assign(coverage=0.95, min_abs_r=0.9, mean_abs_r=0.9, median_abs_r=0.9,
                                                   log10_bf=5.0, lead_variant="x", lead_pip=0.5, chrom="1", start=0,
                                                   end=9, requested_coverage=0.95, main=True,
                                                   shared_with=None, partners=None)  # fmt: skip
    return CREDIBLE_SETS.checked(frame, "test")


def truth(*positions, effects=None):
    frame = pd.DataFrame({"pos": positions, "effect": effects or [0.1] * len(positions)})
    frame["variant_id"] = [f"1:{pos}:A:C" for pos in positions]
    return TRUTH.checked(frame.assign(chrom="1", ref="A", alt="C", track_effect=1.0, functional=True), "test")


UNIFORM = variants(("b", 1, 0.5, 0.6), ("b", 2, 0.5, 0.4), ("a", 11, 0.25, 0.95), ("a", 12, 0.25, 0.2),
                   ("a", 13, 0.25, 0.92), ("a", 14, 0.25, 0.0))  # fmt: skip
FUNCTIONAL = variants(("b", 1, 0.2, 0.1), ("b", 2, 0.8, 0.91), ("a", 14, 0.1, 0.01), ("a", 13, 0.1, 0.5),
                      ("a", 12, 0.7, 0.75), ("a", 11, 0.1, 0.93))  # fmt: skip
UNIFORM_SETS = credible_sets(("b", "L1", [1, 2]), ("a", "L1", [11]), ("a", "L2", [13, 12, 14]))
FUNCTIONAL_SETS = credible_sets(("a", "L2", [12, 13]))


def test_what_the_prior_changed():
    table = compare_with_uniform(
        {"functional": FUNCTIONAL, "uniform": UNIFORM, "shuffled": UNIFORM},
        {"functional": FUNCTIONAL_SETS, "uniform": UNIFORM_SETS, "shuffled": UNIFORM_SETS},
    )
    table = COMPARISON.checked(table, "test")
    assert list(zip(table["locus"], table["prior"], strict=True)) == [
        ("b", "functional"), ("b", "shuffled"), ("a", "functional"), ("a", "shuffled")]  # fmt: skip
    b, same, a, _ = (row._asdict() for row in table.itertuples(index=False))
    assert (b["sets_uniform"], b["sets"], b["mean_size_uniform"]) == (1, 0, 2.0)
    assert np.isnan(b["mean_size"])
    assert (b["top_variant_uniform"], b["top_pip_uniform"]) == ("1:1:A:C", 0.6)
    assert (b["top_variant"], b["top_pip"], b["top_prior_ratio"]) == ("1:2:A:C", 0.91, pytest.approx(1.6))
    assert (b["max_pip_change"], b["high_pip_uniform"], b["high_pip"]) == (pytest.approx(0.51), 0, 1)
    assert (a["sets_uniform"], a["sets"], a["mean_size_uniform"], a["mean_size"]) == (2, 1, 2.0, 2.0)
    assert (a["top_variant"], a["top_prior_ratio"]) == ("1:11:A:C", pytest.approx(0.4))
    assert (a["max_pip_change"], a["high_pip_uniform"], a["high_pip"]) == (pytest.approx(0.55), 2, 1)
    assert (same["max_pip_change"], same["top_prior_ratio"]) == (0, 1)


def test_a_locus_that_failed_under_one_prior_is_named_and_not_compared(caplog):
    failed = FUNCTIONAL.assign(pip=FUNCTIONAL["pip"].where(FUNCTIONAL["locus"] != "b"))
    table = compare_with_uniform({"uniform": UNIFORM, "functional": failed},
                                 {"uniform": UNIFORM_SETS, "functional": FUNCTIONAL_SETS})  # fmt: skip
    assert list(table["locus"]) == ["a"]
    assert "functional: 1 loci without PIPs are not compared: b" in caplog.text
    assert "locus b is fine-mapped under only one of uniform and functional" in caplog.text


def without(frame, *names):
    """The variants, some of which the fit excluded."""
    return frame.assign(pip=frame["pip"].where(~frame["variant_id"].isin(names)))


def test_a_locus_with_an_excluded_variant_is_compared(caplog):
    """Also the first variant, which a position of NaN would make the top one."""
    priors = {"uniform": without(UNIFORM, "1:1:A:C"), "functional": without(FUNCTIONAL, "1:1:A:C", "1:11:A:C")}
    table = compare_with_uniform(priors, {"uniform": UNIFORM_SETS, "functional": FUNCTIONAL_SETS})
    assert list(table["locus"]) == ["b", "a"]
    b, a = (row._asdict() for row in COMPARISON.checked(table, "test").itertuples(index=False))
    assert (b["top_variant_uniform"], b["top_pip_uniform"], b["top_variant"]) == ("1:2:A:C", 0.4, "1:2:A:C")
    assert (b["max_pip_change"], b["high_pip"]) == (pytest.approx(0.51), 1)
    assert (a["top_variant_uniform"], a["top_variant"]) == ("1:11:A:C", "1:12:A:C")
    assert (a["top_pip"], a["top_prior_ratio"]) == (0.75, pytest.approx(2.8))
    assert (a["max_pip_change"], a["high_pip_uniform"], a["high_pip"]) == (pytest.approx(0.55), 2, 0)
    assert "left out" not in caplog.text


def test_variants_that_no_two_fits_share_have_no_change():
    priors = {"uniform": without(UNIFORM, "1:1:A:C"), "functional": without(FUNCTIONAL, "1:2:A:C")}
    table = compare_with_uniform(priors, {"uniform": UNIFORM_SETS, "functional": FUNCTIONAL_SETS})
    assert table["max_pip_change"].isna().tolist() == [True, False]


def test_the_truth_is_held_against_what_was_fitted():
    """A causal variant that was left out of the fit is none that a fit could have found; its locus stays."""
    frames = {"uniform": without(UNIFORM, "1:13:A:C")}
    row = compare_with_truth(frames, {"uniform": UNIFORM_SETS}, truth(1, 13)).iloc[0]
    assert (row["loci"], row["causal"], row["hits_90"], row["false_90"]) == (2, 1, 1, 1)
    table = calibration_by_bin(frames, truth(1, 13))
    assert table["variants"].sum() == len(UNIFORM) - 1
    assert table["variants"].iloc[-1] == 1


def test_nothing_to_compare():
    empty = compare_with_uniform({"uniform": UNIFORM}, {"uniform": UNIFORM_SETS})
    assert COMPARISON.checked(empty, "test").empty


@pytest.mark.parametrize(
    ("priors", "match"),
    [
        ({"functional": FUNCTIONAL}, "needs the uniform prior; there are functional"),
        ({"uniform": UNIFORM, "functional": FUNCTIONAL.iloc[1:]}, "locus b: the variants under the functional prior"),
    ],
)
def test_comparison_refuses(priors, match):
    with pytest.raises(InputError, match=match):
        compare_with_uniform(priors, dict.fromkeys(priors, UNIFORM_SETS))


def test_against_the_truth(caplog):
    caplog.set_level(logging.INFO)
    # causal: 1 (in a set), 13 (in L2), 11 has no effect; 5 is in no locus; 12 lies in locus a as another variant
    causal = truth(1, 13, 11, 5, 12, effects=[0.1, -0.2, 0.0, 0.1, 0.1])
    causal.loc[4, "variant_id"] = "1:12:A:G"
    table = compare_with_truth({"uniform": UNIFORM, "functional": FUNCTIONAL},
                               {"uniform": UNIFORM_SETS, "functional": FUNCTIONAL_SETS}, causal)  # fmt: skip
    table = TRUTH_COMPARISON.checked(table, "test")
    columns = ["loci", "causal", "sets", "coverage", "power", "mean_size", "hits_50", "false_50", "hits_90", "false_90"]
    assert table["prior"].tolist() == ["uniform", "functional"]
    assert table.loc[0, columns].tolist() == [2, 2, 3, pytest.approx(2 / 3), 1.0, 2.0, 3, 1, 2, 1]
    assert table.loc[1, columns].tolist() == [2, 2, 1, 1.0, 0.5, 2.0, 3, 3, 2, 2]
    assert (
        "of 4 causal variants 2 are fine-mapped, 1 lie in a locus but were filtered out, 1 in no locus" in caplog.text
    )


def test_a_set_with_two_causal_variants_counts_once():
    table = compare_with_truth({"uniform": UNIFORM}, {"uniform": UNIFORM_SETS}, truth(12, 13, 14))
    assert table.loc[0, "coverage"] == pytest.approx(1 / 3)
    assert table.loc[0, "power"] == 1


def test_without_sets_and_without_causal_variants():
    table = compare_with_truth({"uniform": UNIFORM}, {"uniform": credible_sets()}, truth(99))
    row = TRUTH_COMPARISON.checked(table, "test").loc[0]
    assert (row["sets"], row["causal"]) == (0, 0)
    assert row[["coverage", "power", "mean_size"]].isna().all()


def test_calibration_counts():
    rows = [(0.0, 1), (0.01, 2), (0.010001, 3), (0.5, 4), (0.9, 5), (0.95, 6), (1.0, 7)]
    frame = variants(*[("a", pos, 0.1, pip) for pip, pos in rows])
    table = CALIBRATION.checked(calibration_by_bin({"uniform": frame}, truth(4, 6, 7)), "test")
    assert table["variants"].tolist() == [2, 1, 1, 1, 2]
    assert table["pip_lower"].tolist() == [0, 0.01, 0.1, 0.5, 0.9]
    assert table["observed"].tolist() == [0, 0, 1, 0, 1]
    np.testing.assert_allclose(table["mean_pip"], [0.005, 0.010001, 0.5, 0.9, 0.975])
    hits = compare_with_truth({"uniform": frame}, {"uniform": credible_sets()}, truth(4))["hits_90"]
    assert table["variants"].iloc[-1] == hits.iloc[0]


def test_calibration_keeps_empty_bins():
    table = calibration_by_bin({"uniform": variants(("a", 1, 1.0, 1.0))}, truth(1))
    assert table["variants"].tolist() == [0, 0, 0, 0, 1]
    assert table.loc[:3, ["mean_pip", "observed", "lower", "upper"]].isna().all(axis=None)


def test_wilson_interval_against_published_values():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for successes, n, expected in [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0, 0.1611)),
                                   (1, 29, (0.0061, 0.1718))]:  # fmt: skip
        np.testing.assert_allclose(wilson_interval(successes, n), expected, atol=6e-5)
    assert wilson_interval(20, 20)[1] == 1
