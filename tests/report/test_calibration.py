"""Counts of simulated studies, and what is made of them."""

import numpy as np
import pandas as pd
import pytest

from calibrate_counts import FALSE, HITS, PRIORS, counted
from fineprior.files.tables import CALIBRATE_SUMMARY
from fineprior.report.calibration import PIP_BINS, observed_pips, sentences, summary_of, tallied
from fineprior.report.compare import wilson_interval


def test_what_was_found_is_counted_by_locus_and_variant():
    variants = pd.DataFrame({
        "locus": ["a"] * 3 + ["b"] * 2 + ["c"],
        "variant_id": ["1", "2", "3", "1", "4", "5"],
        "pip": [0.97, 0.95, np.nan, 0.6, 0.0, np.nan],
        "pip_credible": [0.97, 0.95, np.nan, 0.05, 0.0, np.nan],
    })  # fmt: skip
    sets = pd.DataFrame({"locus": ["a", "a", "b"], "credible_set": ["L1", "L2", "L1"], "variants": [2, 1, 2],
                         "variant_ids": ["1,2", "3", "1,4"]})  # fmt: skip
    causal = pd.DataFrame({"locus": ["a", "a", "b", "c"], "variant_id": ["1", "2", "4", "5"]})
    found = tallied("uniform", variants, sets, causal)
    assert found.counts == {"prior": "uniform", "loci": 3, "causal": 4, "failed": 1, "sets": 3, "covered": 2,
                            "found": 3, "size": 5}  # fmt: skip
    bins, credible = (rows for _, rows in found.bins.groupby("measure", sort=False))
    assert bins["variants"].tolist() == [3, 0, 0, 1, 1, 1]
    assert bins["causal"].tolist() == [2, 0, 0, 0, 1, 1]
    assert bins["claimed"].tolist() == pytest.approx([0, 0, 0, 0.6, 0.95, 0.97])
    assert credible["variants"].tolist() == [3, 1, 0, 0, 1, 1]


def test_the_summary_adds_up_studies():
    summary = summary_of(*counted(HITS, FALSE))
    CALIBRATE_SUMMARY.checked(summary, "x")
    assert summary["measure"].tolist() == ["pip", "pip_credible"] * len(PRIORS)
    rows = summary[summary["measure"] == "pip"].set_index("prior")
    assert list(rows.index) == list(PRIORS)
    row = rows.loc["functional"]
    assert (row["studies"], row["loci"], row["sets"]) == (2, 20, 40)
    assert row["coverage"] == pytest.approx(0.95)
    assert (row["coverage_lower"], row["coverage_upper"]) == pytest.approx(wilson_interval(38, 40))
    assert (row["power"], row["mean_size"]) == pytest.approx((0.75, 3))
    assert (row["hits_95"], row["false_95"], row["hits_90"], row["false_90"]) == (120, 20, 140, 22)
    assert row["hits_50"] == row["hits_90"]
    assert row["fdr_90"] == pytest.approx(22 / 140)
    assert (row["fdr_lower_90"], row["fdr_upper_90"]) == pytest.approx(wilson_interval(22, 140))
    assert row["claimed_fdr_90"] == pytest.approx(0.03)
    assert row["found_ratio"] == pytest.approx(50 / 40)
    assert row["found_ratio_lower"] == row["found_ratio_upper"] == pytest.approx(50 / 40)
    assert rows.loc["uniform", "found_ratio"] == 1
    credible = summary[summary["measure"] == "pip_credible"].set_index("prior")
    assert (credible.loc["functional", "hits_90"], credible.loc["functional", "claimed_fdr_90"]) == (140, 1.0)


@pytest.mark.slow
def test_sentences_say_what_is_found_and_whether_the_claims_hold():
    (line,) = sentences(summary_of(*counted(HITS, FALSE)))
    assert line.startswith("LD of the GWAS itself, enrichment_10: the functional prior finds 100 of 40 causal variants")
    assert "(+25.0% against uniform)" in line
    assert "15.7% of its variants with PIP > 0.9 are false, above the 3.0%" in line
    assert "with shuffled scores -5.0%, with the true prior +75.0%)" in line
    assert line.endswith("LD is right: what remains is due to the model and the search for its configurations")
    (honest,) = sentences(summary_of(*counted(HITS, FALSE | {"functional": 1})))
    assert "are false, not above the 3.0%" in honest
    assert honest.endswith("LD is right, and nothing beyond chance remains")


def together(*lds):
    """A summary of several questions: of a panel 10 of 60 are false in place of the number given."""
    made = [counted(HITS, FALSE | {"functional": false}, ld=ld) for ld, false in lds]
    return summary_of(*(pd.concat(tables, ignore_index=True) for tables in zip(*made, strict=True)))


def by_ld(summary):
    return summary[(summary["measure"] == "pip") & (summary["prior"] == "functional")].set_index("ld")


def test_questions_are_counted_apart_and_compared_in_the_same_studies():
    summary = together(("in_sample", 1), ("panel", 10), ("undrifted_panel", 4))
    CALIBRATE_SUMMARY.checked(summary, "x")
    rows = by_ld(summary)
    assert rows["false_90"].to_dict() == {"in_sample": 4, "panel": 22, "undrifted_panel": 10}
    assert rows["panel_size"].isna().tolist() == [True, False, False]
    assert rows["compared_ld"].fillna("").to_list() == ["", "undrifted_panel", "in_sample"]
    assert np.isnan(rows.loc["in_sample", "fdr_added_90"])
    assert rows.loc["undrifted_panel", "fdr_added_90"] == pytest.approx((10 - 4) / 140)
    # both studies are alike, so the interval has no width
    for end in ("", "_lower", "_upper"):
        assert rows.loc["panel", f"fdr_added{end}_90"] == pytest.approx((22 - 10) / 140)
    assert rows.loc["panel", "cause"] == (
        "drift adds +8.6 points (95% interval +8.6 to +8.6) to the share that is false with panel LD without drift"
    )
    assert rows.loc["undrifted_panel", "cause"].startswith("a panel of 503 samples adds +4.3 points")
    first, *_ = by_ld(together(("panel", 10), ("in_sample", 1)))["cause"]
    assert first.startswith("a panel of 503 samples at F_ST 0.40% from the GWAS adds +12.9 points")
    assert first.endswith("to the share that is false with LD of the GWAS itself")
    (alone,) = by_ld(together(("panel", 10)))["cause"]
    assert alone.endswith("F_ST 0.40% from the GWAS; without in_sample its part cannot be told")


def test_five_of_seventy_are_chance_and_one_study_has_no_interval():
    """The binomial probability of 5 or more of 70 at 3% is 0.059, though Wilson's interval begins at 3.1%."""
    made = [counted(HITS, FALSE | {"functional": 4}, ld=ld) for ld in ("in_sample", "panel")]
    one = [pd.concat(tables, ignore_index=True) for tables in zip(*made, strict=True)]
    rows = by_ld(summary_of(*(table[table["replicate"] == table["replicate"].min()] for table in one)))
    row = rows.loc["in_sample"]
    assert (row["studies"], row["hits_90"], row["false_90"]) == (1, 70, 5)
    assert row["fdr_lower_90"] > row["claimed_fdr_90"] == pytest.approx(0.03)
    assert row["cause"] == "LD is right, and nothing beyond chance remains"
    assert "adds +0.0 points (one study, so without an interval) to the share" in rows.loc["panel", "cause"]


def test_without_hits_there_are_no_shares():
    none = dict.fromkeys(PRIORS, 0)
    counts, bins = counted(none, none)
    bins = bins.assign(variants=bins["variants"].where(bins["pip_lower"] < 0.9, 0), causal=0, claimed=0.0)
    summary = summary_of(counts, bins)
    assert summary[["fdr_90", "claimed_fdr_95", "found_ratio", "found_ratio_lower"]].isna().all(axis=None)
    (line,) = sentences(summary)
    assert "no hits" in line
    assert line.endswith("LD is right; there are no variants with PIP > 0.9 to judge")
    panel = [frame.assign(ld="panel", panel_size=503.0, fst=0.0) for frame in (counts, bins.assign(panel_size=0))]
    panel[1] = panel[1][bins.columns]
    both = summary_of(*(pd.concat(pair, ignore_index=True) for pair in zip((counts, bins), panel, strict=True)))
    assert by_ld(both).loc["panel", "cause"].endswith("there are no variants with PIP > 0.9 to compare")


def test_pips_are_of_all_studies_together():
    _, bins = counted(HITS, FALSE)
    table = observed_pips(bins)
    assert len(table) == 2 * len(PRIORS) * (len(PIP_BINS) - 1)
    table = table[table["measure"] == "pip"]
    top = table[(table["prior"] == "functional") & (table["pip_lower"] == 0.95)].iloc[0]
    assert (top["variants"], top["mean_pip"], top["observed"]) == pytest.approx((120, 0.97, 100 / 120))
    assert (top["lower"], top["upper"]) == pytest.approx(wilson_interval(100, 120))
    assert table.loc[table["variants"] == 0, "mean_pip"].isna().all()
