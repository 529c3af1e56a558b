"""What a locus does not hold: the counts, and what is said of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import LOST
from fineprior.finemap.contents import contents_of, switched, with_contents
from fineprior.finemap.locus import fit_locus
from fineprior.project.settings import FinemapSettings

SETTINGS = FinemapSettings(ld="in_sample")
LOCUS = "chr1_1000_11000"


def variants(pos, neg_log10_p=None):
    pos = np.asarray(pos)
    strength = np.linspace(1, 5, len(pos)) if neg_log10_p is None else neg_log10_p
    return pd.DataFrame({"variant_id": [f"1:{p}:A:C" for p in pos], "pos": pos, "neg_log10_p": strength})


def lost(*rows):
    """Rows of variant (chrom:pos:...), -log10 p, reason."""
    frame = pd.DataFrame(rows, columns=["variant", "neg_log10_p", "reason"])
    pos = [int([*str(name).split(":"), "2000"][1]) for name in frame["variant"]]
    return LOST.checked(frame.assign(locus=LOCUS, row=2, pos=pos), "test")


DENSE = variants(np.arange(1001, 11001, 100))


def told(table, gone=None, reasons=None, locus=LOCUS, settings=SETTINGS, z=None):
    """The fit of a table's variants, the first of which has a signal, with what it was made of."""
    contents = contents_of(locus, table, reasons or {}, gone)
    z = np.where(np.arange(len(table)) == 0, 9.0, 0.1) if z is None else z
    fit = fit_locus(table["variant_id"], z, np.eye(len(table)), 20_000, None, SETTINGS)
    return with_contents(fit, contents, settings), contents


def test_a_dense_and_whole_locus_needs_no_word():
    fit, contents = told(DENSE, lost(("1:1500:A:G", 2.0, "low_maf")))
    assert (fit.status, fit.reason, fit.remarks) == ("ok", "", ())
    assert contents.columns() == {
        "gwas_rows": 101, "fitted": 100, "fitted_share": 100 / 101, "lost_rows": 1, "lost": "low_maf:1",
        "lost_lead": "1:1500:A:G", "lost_neg_log10_p": 2.0, "variants_per_kb": 10.0, "empty_start": 0.0,
        "empty_end": 99.0, "largest_gap": 100.0,
    }  # fmt: skip


def test_rows_lost_on_every_way_are_counted_by_reason():
    reasons = {"1:1001:A:C": "no_ld", "1:1101:A:C": "trimmed", "1:1201:A:C": "no_ld"}
    gone = lost(("a", 1.0, "low_maf"), ("b", np.nan, "no_ld"), ("c", 0.2, "low_maf"), ("d", 0.1, "palindromic"))
    contents = contents_of(LOCUS, DENSE, reasons, gone)
    assert contents.lost == {"low_maf": 2, "no_ld": 3, "palindromic": 1, "trimmed": 1}
    assert list(contents.lost) == ["no_ld", "low_maf", "palindromic", "trimmed"]
    assert (contents.gwas_rows, contents.fitted) == (104, 97)
    assert contents.columns()["lost"] == "no_ld:3;low_maf:2;palindromic:1;trimmed:1"
    assert contents.lost_lead == "1:1201:A:C", "the strongest of all that were lost, wherever"


@pytest.mark.parametrize(
    ("gone", "reasons", "words"),
    [
        (lost(("1:77:A:G", 5.1, "absent_from_panel")), {}, "1:77:A:G (-log10 p 5.1, above 5.0 of the strongest"),
        (lost(("1:77:A:G", np.inf, "missing_value")), {}, "(p = 0, above -log10 p 5.0 of the strongest that was"),
        (lost(("1:77:A:G", np.inf, "missing_value")), {}, "as missing_value: a p-value of 0 alone gives no z"),
        (lost(("1:77:A:G", 5.1, "low_info")), {}, "as low_info: the imputation quality is below harmonise.min_info"),
        (None, {"1:10901:A:C": "no_ld"}, "1:10901:A:C (-log10 p 5.0, above 5.0 of the strongest that was fitted)"),
        (None, {"1:10901:A:C": "switched"}, "as switched: its alleles look switched"),
    ],
)
def test_a_lost_row_that_beats_the_lead_decides(gone, reasons, words):
    fit, _ = told(DENSE, gone, reasons)
    assert fit.status == "incomplete"
    assert words in fit.reason
    assert f"was left out of the fit as {next(iter(reasons.values()), None) or gone['reason'][0]}: " in fit.reason


@pytest.mark.parametrize(("strength", "status"), [(7.2, "no_signal"), (7.4, "incomplete"), (np.inf, "incomplete")])
def test_a_locus_whose_only_signal_was_lost_is_not_one_without_signal(strength, status):
    fit, _ = told(DENSE, lost(("1:77:A:G", strength, "absent_from_panel")), z=np.zeros(100))
    assert fit.status == status
    assert "the strongest row of the GWAS in the window, 1:77:A:G" in fit.reason


@pytest.mark.parametrize("row", [("1:77:A:G", 5.0, "low_maf"), ("1:77:A:G", np.nan, "missing_value")])
def test_a_lost_row_that_does_not_beat_it_is_counted_only(row):
    fit, contents = told(DENSE, lost(row))
    assert (fit.status, fit.remarks) == ("ok", ())
    assert contents.columns()["lost_rows"] == 1


@pytest.mark.parametrize(
    ("count", "missing", "status", "words"),
    [
        (1, 83, "incomplete", "1 of 84 rows of the GWAS in the window was fitted, which makes PIPs large: a"),
        (1, 0, "incomplete", "1 variant is all there is in the locus"),
        (9, 10, "incomplete", "9 of 19 rows of the GWAS in the window were fitted, which makes PIPs large: so few"),
        (9, 9, "ok", "9 of 18 rows of the GWAS in the window were fitted"),
        (2, 0, "ok", "2 variants are all there is in the locus"),
        (10, 11, "ok", "were fitted, the others were left out of the fit (low_maf:11)"),
    ],
)  # fmt: skip
def test_few_variants(count, missing, status, words):
    table = variants(np.linspace(1001, 11000, count).astype(int), np.full(count, 9.0))
    gone = lost(*[("1:77:A:G", 1.0, "low_maf")] * missing) if missing else None
    fit, _ = told(table, gone, settings=replace(SETTINGS, min_density=0.0))
    assert fit.status == status
    assert words in "; ".join([fit.reason, *fit.remarks])


def test_thresholds_are_settings():
    none = replace(SETTINGS, min_variants=0, min_fitted=0.0, min_density=0.0, max_empty=0.0)
    table = variants([1001, 1002, 9000])
    gone = lost(*[("1:77:A:G", 1.0, "low_maf")] * 20)
    assert told(table, gone, settings=none)[0].remarks == ()
    assert told(table, gone, settings=none)[0].status == "ok"
    for name, value in (("min_variants", 4), ("min_fitted", 0.2), ("min_density", 0.31)):
        changed = told(table, gone, settings=replace(none, **{name: value}))[0]
        assert len(changed.remarks) == 1, name
    assert not told(table, gone, settings=replace(none, min_variants=3, min_density=0.3, min_fitted=0.1))[0].remarks


def test_density_of_an_array_is_remarked_on():
    fit, contents = told(
        variants(np.arange(1001, 11001, 800), np.full(13, 9.0)), settings=replace(SETTINGS, min_density=2)
    )
    assert contents.per_kb == pytest.approx(1.3)
    assert fit.remarks[0].startswith("1.3 variants per kb, nearer to an array or HapMap3 (0.2 to 0.5) than to imputed")
    assert fit.status == "ok"


@pytest.mark.parametrize(
    ("pos", "words"),
    [
        (
            np.arange(1001, 6001, 50),
            "no variant in the last 5,049 of 10,000 bp of the window, as if the data ended there",
        ),
        (np.arange(6001, 11001, 50), "no variant in the first 5,000 of 10,000 bp"),
        (np.r_[np.arange(1001, 4001, 50), np.arange(8001, 11001, 50)], "no variant in 4,050 of 10,000 bp between two"),
    ],
)
def test_empty_places(pos, words):
    fit, _ = told(variants(pos, np.full(len(pos), 9.0)))
    assert len(fit.remarks) == 1
    assert words in fit.remarks[0]
    assert told(variants(pos, np.full(len(pos), 9.0)), settings=replace(SETTINGS, max_empty=0.6))[0].remarks == ()


@pytest.mark.parametrize(
    ("pos", "words"),
    [
        (DENSE["pos"][:70], "30 rows of the GWAS, none fitted, in the last 3,099 of 10,000 bp of the window"),
        (DENSE["pos"][30:], "30 rows of the GWAS, none fitted, in the first 3,000 of 10,000 bp of the window"),
        (DENSE["pos"].drop(range(40, 60)), "20 rows of the GWAS, none fitted, in 2,100 of 10,000 bp between two"),
    ],
)
def test_rows_that_were_lost_together_do_not_pass_for_the_end_of_the_data(pos, words):
    gone = [name for name, at in zip(DENSE["variant_id"], DENSE["pos"], strict=True) if at not in set(pos)]
    by_ld = contents_of(LOCUS, DENSE, dict.fromkeys(gone, "no_ld"))
    by_harmonising = contents_of(LOCUS, variants(pos), {}, lost(*[(name, 0.1, "low_maf") for name in gone]))
    for contents in (by_ld, by_harmonising):
        fit = fit_locus(variants(pos)["variant_id"], np.full(len(pos), 0.1), np.eye(len(pos)), 20_000, None, SETTINGS)
        remarks = with_contents(fit, contents, SETTINGS).remarks
        assert len(remarks) == 1
        assert remarks[0].startswith(words)


def test_dense_data_that_end_early_are_not_called_thin():
    table = variants(np.arange(1001, 2001, 125), np.full(8, 9.0))
    fit, contents = told(table, settings=replace(SETTINGS, min_variants=0))
    assert contents.per_kb == pytest.approx(0.8)
    assert list(fit.remarks) == ["no variant in the last 9,124 of 10,000 bp of the window, as if the data ended there"]


def test_without_a_window_the_span_of_the_variants_stands_for_it():
    contents = contents_of("locus", variants([101, 151, 200]), {})
    assert (contents.width, contents.largest_gap) == (100, 50)
    assert np.isnan([contents.empty_start, contents.empty_end]).all()
    assert contents_of("locus", variants([1, 51, 100]), {}).width == 100, "1 is the first base there is"
    elsewhere = contents_of("chr1_0_150", variants([101, 151, 200]), {})
    assert elsewhere.width == 100, "a name that is not the place of the variants is no window"


def test_without_positions_nothing_is_said_of_places():
    fit, contents = told(variants(DENSE["pos"]).assign(pos=0), locus="mine")
    assert (fit.status, fit.remarks) == ("ok", ())
    assert np.isnan([contents.per_kb, contents.largest_gap]).all()


def test_a_locus_that_failed_holds_nothing():
    fit = fit_locus(DENSE["variant_id"], np.full(100, np.nan), np.eye(100), 20_000, None, SETTINGS)
    contents = contents_of(LOCUS, DENSE, switched(fit), lost(("a", 99.0, "low_maf")), fitted=False)
    assert with_contents(fit, contents, SETTINGS) == fit
    assert (contents.gwas_rows, contents.fitted) == (101, 0)
