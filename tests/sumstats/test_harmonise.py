import logging
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fineprior.files.errors import InputError
from fineprior.files.tables import DROPPED, LIFTOVER, SUMSTATS, SUMSTATS_QC
from fineprior.genome.alleles import complement, flip
from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import HarmoniseSettings
from fineprior.simulate.population import write_panel
from fineprior.sumstats import harmonised, outcomes
from fineprior.sumstats.file_checks import ENOUGH_ROWS
from fineprior.sumstats.harmonise import harmonise
from fineprior.sumstats.outcomes import ACTIONS, REASONS, REMARKS
from fineprior.sumstats.reader import STANDARD

SETTINGS = HarmoniseSettings()
WHAT_WAS_DONE = ["action"]


def run(world, frame, settings=SETTINGS):
    return harmonise(frame, world.genome, world.panel, settings, "gwas.tsv")


def of_kind(world, kind):
    return (world.variants["kind"] == kind).to_numpy()


def exchanged(frame, rows):
    """The same effects, told of the other allele."""
    return flip(frame, np.asarray(rows))


def on_other_strand(frame, rows):
    turned = frame.copy()
    for allele in ("effect_allele", "other_allele"):
        turned[allele] = turned[allele].where(~np.asarray(rows), turned[allele].map(complement))
    return turned


def same(first, second):
    pd.testing.assert_frame_equal(
        first.drop(columns=WHAT_WAS_DONE), second.drop(columns=WHAT_WAS_DONE), rtol=0, atol=1e-12
    )


def subset(world):
    return st.lists(st.booleans(), min_size=len(world.gwas), max_size=len(world.gwas))


def reason_of(result, row):
    return result.dropped.set_index("row")["reason"].get(row)


def test_a_clean_gwas_is_kept_whole_and_sorted(world):
    result = run(world, world.gwas)
    assert result.dropped.empty
    table, truth = result.sumstats, world.variants
    assert table["variant_id"].to_list() == [f"{r.chrom}:{r.pos}:{r.ref}:{r.alt}" for r in truth.itertuples()]
    assert table["z"].to_list() == world.gwas["z"].to_list()
    assert np.allclose(table["panel_af"], truth["af"])
    assert table["panel_index"].to_list() == list(range(len(truth)))
    assert (table["action"] == "kept").all()
    assert result.qc[result.qc["rows"] > 0][["outcome", "reason", "rows"]].to_numpy().tolist() == [
        ["kept", "kept", len(truth)],
        ["of those kept", "palindromic", of_kind(world, "palindromic").sum()],
        ["of those kept", "indel", of_kind(world, "deletion").sum()],
        ["of those kept", "left_aligned", (truth["ref"].str[-1] == truth["alt"])[of_kind(world, "deletion")].sum()],
    ]
    for schema, frame in ((SUMSTATS, result.sumstats), (SUMSTATS_QC, result.qc), (DROPPED, result.dropped)):
        schema.checked(frame, "here")


@pytest.mark.slow
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_alleles_exchanged_strands_turned_rows_shuffled_case_lowered_change_nothing(world, data):
    expected = run(world, world.gwas)
    swapped = np.array(data.draw(subset(world)))
    turned = np.array(data.draw(subset(world))) & ~of_kind(world, "deletion")
    frame = on_other_strand(exchanged(world.gwas, swapped), turned)
    frame["effect_allele"] = frame["effect_allele"].str.lower()
    order = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).permutation(len(frame))
    result = run(world, frame.iloc[order])
    same(result.sumstats, expected.sumstats)
    names = np.array([["kept", "swapped"], ["strand", "strand_swapped"]])
    told = ~of_kind(world, "palindromic")  # of A/T and C/G nobody can tell an exchange from the other strand
    assert (result.sumstats["action"].to_numpy() == names[turned.astype(int), swapped.astype(int)])[told].all()


@pytest.mark.slow
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_harmonising_twice_is_harmonising_once(world, data):
    frame = exchanged(world.gwas, data.draw(subset(world)))
    frame.loc[data.draw(subset(world)), "eaf"] = np.nan
    once = run(world, frame).sumstats
    again = once.rename(columns={"alt": "effect_allele", "ref": "other_allele"})
    again = again.assign(row=np.arange(2, len(once) + 2), source_pos=once["pos"].astype("str"), info=np.nan)
    twice = run(world, again[list(STANDARD)])
    assert twice.dropped.empty
    same(twice.sumstats, once)
    assert (twice.sumstats["action"] == "kept").all()


def test_which_allele_the_panel_calls_a1_plays_no_role(world, tmp_path):
    panel = world.panel
    turn = ~of_kind(world, "deletion")
    bim = panel.variants.copy()
    bim.loc[turn, ["a1", "a2"]] = bim.loc[turn, ["a2", "a1"]].to_numpy()
    dosages = panel.dosages(np.arange(len(bim))).astype(np.int8)
    write_panel(tmp_path / "turned", bim, [np.where(turn, 2 - dosages, dosages).astype(np.int8)])
    result = harmonise(world.gwas, world.genome, PlinkPanel(tmp_path / "turned"), SETTINGS)
    pd.testing.assert_frame_equal(result.sumstats, run(world, world.gwas).sumstats)


def test_numbers_of_an_exchanged_row_are_turned(world):
    effect, other = world.gwas.loc[0, ["effect_allele", "other_allele"]]
    numbers = {"beta": 0.5, "se": 0.1, "z": 5.0, "eaf": 0.3}
    row = world.gwas.head(1).assign(effect_allele=other, other_allele=effect, **numbers)
    kept = run(world, row).sumstats.iloc[0]
    assert (kept["beta"], kept["se"], kept["z"], kept["eaf"], kept["action"]) == (-0.5, 0.1, -5.0, 0.7, "swapped")
    assert (kept["ref"], kept["alt"]) == (world.variants["ref"][0], world.variants["alt"][0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chrom": np.nan}, "missing_value"),
        ({"pos": np.nan}, "missing_value"),
        ({"effect_allele": np.nan}, "missing_value"),
        ({"z": np.nan}, "missing_value"),
        ({"n": np.nan}, "missing_value"),
        ({"se": 0.0}, "bad_value"),
        ({"se": -0.1}, "bad_value"),
        ({"n": 0.0}, "bad_value"),
        ({"eaf": 1.2}, "bad_value"),
        ({"eaf": -0.1}, "bad_value"),
        ({"neg_log10_p": -1.0}, "bad_value"),
        ({"beta": -np.inf}, "bad_value"),
        ({"chrom": "9"}, "contig_missing"),
        ({"pos": 0.0}, "position_outside"),
        ({"pos": 901.0}, "position_outside"),
        ({"pos": 20.5}, "position_outside"),
        ({"effect_allele": "N"}, "bad_alleles"),
        ({"effect_allele": "A,C"}, "bad_alleles"),
        ({"effect_allele": "<DEL>"}, "coded_alleles"),
        ({"other_allele": "-"}, "coded_alleles"),
        ({"effect_allele": "I", "other_allele": "D"}, "coded_alleles"),
        ({"effect_allele": "d"}, "coded_alleles"),
        ({"effect_allele": "R", "other_allele": "I"}, "coded_alleles"),
        ({"effect_allele": "A", "other_allele": "a"}, "bad_alleles"),
        ({"info": 0.59}, "low_info"),
        ({"effect_allele": "ACCCCCC", "other_allele": "CCCCCCCC"}, "reference_mismatch"),
    ],
)
def test_a_row_that_cannot_be_harmonised_is_left_out_with_its_reason(world, change, reason):
    frame = world.gwas.copy()
    for name, value in change.items():
        frame.loc[3, name] = value
    result = run(world, frame)
    assert reason_of(result, 5) == reason
    assert result.qc.set_index("reason")["rows"][reason] == 1
    assert len(result.sumstats) == len(frame) - 1 == result.qc.loc[result.qc["outcome"] == "kept", "rows"].sum()
    assert result.dropped["pos"].iloc[0] == frame["source_pos"][3]


def test_info_that_is_missing_or_at_the_limit_is_kept(world):
    frame = world.gwas.assign(info=np.where(np.arange(len(world.gwas)) % 2, 0.6, np.nan))
    assert run(world, frame).dropped.empty


@pytest.fixture
def tiny(tmp_path):
    """ACGTTTTACAG...: one plain variant, A/T variants of several frequencies, and rows of the panel to stumble over."""
    fasta = tmp_path / "g.fa"
    fasta.write_text(">1\nACGTTTTACAGATTACA\n")
    lines = [  # pos, a1, a2, copies of a1 among 10 samples
        (1, "A", "T", [1, 1] + [0] * 8), (4, "T", "A", [1, 1] + [0] * 8), (5, "T", "A", [1] * 9 + [0]),
        (8, "A", "C", [2] * 5 + [0] * 5), (8, "G", "A", [1] * 4 + [0] * 6), (9, "C", "A", [1] * 10),
        (10, "A", "G", [0] * 10), (11, "G", "A", [1] + [0] * 9), (11, "A", "G", [2] + [0] * 9),
        (12, "A", "C", [-1] * 10), (3, "GT", "G", [1] * 3 + [0] * 7), (13, "T", "TT", [1] * 3 + [0] * 7),
        (14, "T", "TACA", [1] * 3 + [0] * 7),
    ]  # fmt: skip
    bim = pd.DataFrame([(pos, a1, a2) for pos, a1, a2, _ in lines], columns=["pos", "a1", "a2"])
    write_panel(tmp_path / "p", bim.assign(chrom="1", snp_id="."), [np.array([d for *_, d in lines], np.int8).T])
    return Genome(fasta), PlinkPanel(tmp_path / "p")


def rows(*lines):
    """Rows (pos, effect, other, z, eaf) as a standard frame."""
    frame = pd.DataFrame(lines, columns=["pos", "effect_allele", "other_allele", "z", "eaf"])
    frame = frame.assign(row=np.arange(2, len(frame) + 2), chrom="chr1", source_pos=frame["pos"].astype("str"))
    frame = frame.assign(beta=frame["z"] / 10, se=0.1, neg_log10_p=np.abs(frame["z"]), n=100.0, info=np.nan, rsid="rs")
    return frame.reindex(columns=list(STANDARD)).astype({"pos": "float64"})


def outcome(tiny, *lines, settings=SETTINGS):
    """(variant_id, z, action) of what is kept, and the reasons of what is not."""
    result = harmonise(rows(*lines), *tiny, settings)
    kept = result.sumstats[["variant_id", "z", "action"]].to_numpy().tolist()
    return kept, result.dropped["reason"].to_list()


GOOD = (8, "C", "A", 1.0, 0.5)


@pytest.mark.parametrize(
    ("row", "expected"),
    [  # panel: T at 1 has frequency 0.9; A at 4 has 0.9; A at 5 has 0.55
        ((1, "T", "A", 2.0, 0.88), ["1:1:A:T", 2.0, "kept"]),
        ((1, "A", "T", 2.0, 0.12), ["1:1:A:T", -2.0, "swapped"]),
        ((1, "A", "T", 2.0, 0.88), ["1:1:A:T", 2.0, "strand"]),
        ((1, "T", "A", 2.0, 0.12), ["1:1:A:T", -2.0, "strand_swapped"]),
        ((4, "A", "T", 2.0, 0.9), ["1:4:T:A", 2.0, "kept"]),
        ((4, "T", "A", 2.0, 0.9), ["1:4:T:A", 2.0, "strand"]),
        ((1, "T", "A", 2.0, 0.58), ["1:1:A:T", 2.0, "kept"]),
        ((1, "T", "A", 2.0, 0.57), "palindromic_ambiguous"),
        ((1, "A", "T", 2.0, 0.57), "palindromic_ambiguous"),
        ((1, "T", "A", 2.0, np.nan), "palindromic_ambiguous"),
        ((5, "A", "T", 2.0, 0.9), "palindromic_ambiguous"),
    ],
)
def test_the_strand_of_palindromic_variants_follows_the_frequencies(tiny, row, expected):
    kept, dropped = outcome(tiny, row, GOOD)
    if isinstance(expected, str):
        assert dropped == [expected]
    else:
        assert (kept[0], dropped) == (expected, [])


@pytest.mark.parametrize(
    ("policy", "kept_z", "reasons"),
    [
        ("drop", [], ["palindromic_ambiguous"] * 2),
        ("trust", [2.0, -3.0], []),
        ("keep", [2.0, -3.0], []),
        ("frequency", [-2.0, 3.0], []),
    ],
)
def test_policies_of_palindromic_variants(tiny, policy, kept_z, reasons):
    frame = [(1, "T", "A", 2.0, 0.12), (4, "T", "A", 3.0, 0.9), GOOD]
    kept, dropped = outcome(tiny, *frame, settings=HarmoniseSettings(palindromic=policy))
    assert [line[1] for line in kept] == [*kept_z, 1.0]
    assert dropped == reasons


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((8, "C", "A", 2.0, 0.5), ["1:8:A:C", 2.0, "kept"]),
        ((8, "G", "A", 2.0, 0.5), ["1:8:A:G", 2.0, "kept"]),
        ((8, "T", "G", 2.0, 0.5), ["1:8:A:C", -2.0, "strand_swapped"]),
        ((8, "C", "T", 2.0, 0.5), ["1:8:A:G", 2.0, "strand"]),
        ((8, "C", "G", 2.0, 0.5), "reference_mismatch"),
        ((9, "A", "C", 2.0, 0.5), "monomorphic_in_panel"),
        ((10, "G", "A", 2.0, 0.5), "monomorphic_in_panel"),
        ((12, "C", "A", 2.0, 0.5), "monomorphic_in_panel"),
        ((11, "A", "G", 2.0, 0.5), "panel_duplicate"),
        ((2, "A", "C", 2.0, 0.5), "absent_from_panel"),
        ((2, "A", "T", 2.0, 0.5), "reference_mismatch"),
        ((8, "AC", "A", 2.0, 0.5), "absent_from_panel"),
    ],
)
def test_multi_allelic_sites_and_what_the_panel_lacks(tiny, row, expected):
    kept, dropped = outcome(tiny, row, (1, "T", "A", 1.0, 0.9))
    if isinstance(expected, str):
        assert dropped == [expected]
    else:
        assert (kept[1], dropped) == (expected, [])


@pytest.mark.parametrize(
    ("row", "expected"),
    [  # FASTA: GT at 3 (both G and GT agree), TT at 13 (both agree), T ACA at 14; GT and T are at 0.15
        ((3, "GT", "G", 2.0, 0.1), ["1:3:G:GT", 2.0, "kept"]),
        ((3, "G", "GT", 2.0, 0.9), ["1:3:G:GT", -2.0, "swapped"]),
        ((3, "G", "GT", 2.0, np.nan), ["1:3:G:GT", -2.0, "swapped"]),
        ((3, "G", "GT", 2.0, 0.1), "indel_ambiguous"),
        ((13, "TT", "T", 2.0, 0.9), ["1:13:TT:T", -2.0, "swapped"]),
        ((13, "T", "TT", 2.0, 0.1), ["1:13:TT:T", 2.0, "kept"]),
        ((12, "A", "AT", 2.0, 0.1), ["1:13:TT:T", 2.0, "kept"]),
        ((12, "ATT", "AT", 2.0, 0.9), ["1:13:TT:T", -2.0, "swapped"]),
        ((14, "T", "TACA", 2.0, 0.1), ["1:14:TACA:T", 2.0, "kept"]),
        ((14, "A", "TGTA", 2.0, 0.1), "reference_mismatch"),
        ((7, "T", "TT", 2.0, 0.9), ["1:3:G:GT", -2.0, "swapped"]),
        ((5, "TTT", "TTTT", 2.0, 0.9), ["1:3:G:GT", -2.0, "swapped"]),
        ((8, "A", "AA", 2.0, 0.1), "absent_from_panel"),
    ],
)
def test_insertions_and_deletions_need_the_panels_letters_and_take_its_a2_as_reference(tiny, row, expected):
    kept, dropped = outcome(tiny, GOOD, row)
    if isinstance(expected, str):
        assert dropped == [expected]
    else:
        assert expected in kept


def test_low_maf_is_that_of_the_panel(tiny):
    row = (4, "A", "T", 2.0, 0.9)  # panel: 0.1
    assert outcome(tiny, row, GOOD, settings=HarmoniseSettings(min_maf=0.1))[1] == []
    assert outcome(tiny, row, GOOD, settings=HarmoniseSettings(min_maf=0.11))[1] == ["low_maf"]


def test_of_two_rows_of_one_variant_the_larger_sample_then_the_smaller_p_stays(tiny):
    frame = rows((8, "C", "A", -4.8, 0.5), (8, "A", "C", 5.0, 0.5), (8, "C", "A", -4.9, 0.5))
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        result = harmonise(frame.iloc[order], *tiny, SETTINGS)
        assert result.sumstats["z"].to_list() == [-5.0]
        assert result.dropped["reason"].to_list() == ["duplicate"] * 2
    frame.loc[0, "n"] = 101
    assert harmonise(frame, *tiny, SETTINGS).sumstats["z"].to_list() == [-4.8]


@pytest.mark.parametrize(
    ("z", "n", "contradict"),
    [
        ((6.0, -6.0), (100, 100), True),
        ((6.0, 3.0), (100, 100), True),
        ((6.0, 6.4), (100, 100), False),
        ((8.0, 5.4), (100, 50), False),  # half of the sample: 5.7 is expected
        ((6.0, -2.5), (100, 50), True),
        ((0.4, -0.3), (100, 100), False),
        ((9.0, 0.0), (100, 99), True),
    ],
)
def test_twins_that_contradict_one_another_are_both_left_out_and_said(tiny, caplog, z, n, contradict):
    frame = rows((8, "C", "A", z[0], 0.5), (8, "A", "C", -z[1], 0.5), (1, "T", "A", 1.0, 0.9))
    frame["n"] = [*map(float, n), 100.0]
    for order in ([0, 1, 2], [2, 1, 0]):
        caplog.clear()
        result = harmonise(frame.iloc[order], *tiny, SETTINGS)
        if contradict:
            assert result.sumstats["pos"].to_list() == [1]
            assert result.dropped["reason"].to_list() == ["contradictory_twins"] * 2
            assert "2 rows of 1 variants contradict other rows of the same variant" in caplog.text
            assert f"line 2 (z {z[0]:.2f}), line 3 (z {-z[1]:.2f})" in caplog.text
        else:
            assert result.dropped["reason"].to_list() == ["duplicate"]


@pytest.mark.parametrize("z", [5.0, -5.0])
@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_row_on_the_strand_of_the_fasta_wins_over_its_complement(tiny, z, order):
    """FASTA A: A/C is as it is written there, G/T only as its complement, whatever its sample and p-value."""
    frame = rows((8, "C", "A", 2.0, 0.5), (8, "G", "T", z, 0.5)).assign(n=[100.0, 1000.0])
    result = harmonise(frame.iloc[order], *tiny, SETTINGS)
    assert result.sumstats[["z", "action"]].to_numpy().tolist() == [[2.0, "kept"]]
    assert result.dropped[["row", "reason"]].to_numpy().tolist() == [[3, "other_strand"]]


def test_a_complement_stays_where_nothing_else_is_of_its_variant(tiny):
    frame = rows((8, "C", "A", 2.0, 0.5), (8, "G", "T", 5.0, 0.5))
    frame.loc[0, "info"] = 0.1  # excluded for another reason
    assert harmonise(frame, *tiny, SETTINGS).sumstats[["z", "action"]].to_numpy().tolist() == [[5.0, "strand"]]


def test_nothing_left_says_what_became_of_the_rows(tiny):
    frame = rows((2, "A", "C", 1.0, 0.5), (2, "T", "C", 1.0, 0.5), GOOD)
    frame.loc[2, "chrom"] = "5"
    with pytest.raises(InputError, match=r"none of 3 rows is left \(2 absent_from_panel, 1 contig_missing\)"):
        harmonise(frame, *tiny, SETTINGS)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("z", np.nan, "missing_value"), ("se", -1.0, "bad_value"), ("chrom", "chr5", "contig_missing"),
     ("pos", 99.0, "position_outside"), ("effect_allele", "N", "bad_alleles"), ("info", 0.1, "low_info"),
     ("other_allele", "GGGG", "reference_mismatch"), ("chrom", np.nan, "missing_value")],
)  # fmt: skip
def test_every_row_may_go_at_any_stage(tiny, column, value, reason):
    frame = rows(*[(8, "TC", "A", 1.0, 0.5)] * 3).assign(**{column: value})
    with pytest.raises(InputError, match=rf"none of 3 rows is left \(3 {reason}\)"):
        harmonise(frame, *tiny, SETTINGS)


def test_an_unknown_policy_is_named(tiny):
    with pytest.raises(InputError, match="palindromic: 'guess' is not known; allowed: frequency, drop, trust"):
        outcome(tiny, GOOD, settings=HarmoniseSettings(palindromic="guess"))


@pytest.mark.parametrize("shift", [-3, -1, 1, 7])
@pytest.mark.parametrize("kinds", [["plain"], ["plain", "palindromic"]])
def test_positions_of_another_build_are_noticed(world, shift, kinds):
    frame = world.gwas[world.variants["kind"].isin(kinds)]
    frame = frame.assign(pos=frame["pos"] + shift)
    remedy = "but 100% one base further; are the positions counted from 0" if shift == -1 else "are the positions of"
    with pytest.raises(InputError, match=rf"have an allele that .*genome\.fa has at their position[;,] {remedy}"):
        run(world, frame)


def test_a_file_on_the_other_strand_is_no_other_build(world):
    plain = ~of_kind(world, "deletion")
    every = run(world, on_other_strand(world.gwas, plain)[plain])
    half = run(world, on_other_strand(world.gwas, plain & (np.arange(len(plain)) % 2 == 0))[plain])
    assert every.dropped.empty
    same(half.sumstats, every.sumstats)


def test_exchanged_allele_columns_are_noticed(world):
    names = {"effect_allele": "other_allele", "other_allele": "effect_allele"}
    frame = world.gwas.rename(columns=names)[list(STANDARD)]
    with pytest.raises(InputError, match=r"runs against the panel.* \(correlation -[01]\.\d+ over \d+ variants\)"):
        run(world, frame)
    few = frame[of_kind(world, "plain")].head(ENOUGH_ROWS - 1)
    assert len(run(world, few).sumstats) == ENOUGH_ROWS - 1
    assert len(run(world, frame.assign(eaf=np.nan)).sumstats) > 0
    assert len(run(world, frame.assign(eaf=0.5)).sumstats) > 0


def test_frequencies_that_agree_poorly_are_told_and_negative_ones_refused(world, caplog):
    eaf = np.random.default_rng(1).permutation(world.gwas["eaf"])
    run(world, world.gwas)
    assert "agrees poorly" not in caplog.text
    plain = of_kind(world, "plain")
    run(world, world.gwas.assign(eaf=eaf)[plain])
    assert "agrees poorly with the panel's frequencies" in caplog.text
    several = [world.gwas[plain].assign(n=5000.0 + i) for i in range(8)]  # enough rows for a weak correlation
    mixed = pd.concat(several).assign(eaf=lambda t: np.where(np.arange(len(t)) % 8 < 5, 1 - t["eaf"], t["eaf"]))
    with pytest.raises(InputError, match=r"correlation -0\.[1-4]\d over"):
        run(world, mixed)


def doubtful(world, change):
    """The GWAS with other frequencies, and which rows are A/T or C/G."""
    return world.gwas.assign(eaf=change(world.gwas["eaf"])), of_kind(world, "palindromic")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda eaf: np.minimum(eaf, 1 - eaf), "never above 0.5, .* it is that of the minor allele, and is not used"),
        (
            lambda eaf: np.where(np.arange(len(eaf)) % 9 == 0, 0.5, np.minimum(eaf, 1 - eaf)),
            "never above 0.5, .* it is that of the minor allele, and is not used",
        ),
        (lambda eaf: np.random.default_rng(1).permutation(eaf), "agrees poorly .* It tells no strand"),
        (
            lambda eaf: np.where(np.arange(len(eaf)) % 8 == 0, 1 - eaf, eaf),
            "another allele is the minor one.* no strand",
        ),
    ],
    ids=["of the minor allele", "of it, up to a half", "of nothing", "of the other allele in some rows"],
)
@pytest.mark.parametrize("policy", ["frequency", "trust"])
def test_doubtful_frequencies_decide_no_strand(world, caplog, change, words, policy):
    exchange = np.arange(len(world.gwas)) % 2 == 0  # half of the effect alleles are the major ones
    frame, palindromic = doubtful(world, change)
    frame = exchanged(frame.assign(eaf=world.gwas["eaf"]), exchange)
    frame["eaf"] = change(frame["eaf"])
    result = run(world, frame, HarmoniseSettings(palindromic=policy))
    assert re.search(words, caplog.text)
    truth = dict(zip(result_ids(world), world.gwas["z"], strict=True))
    assert result.sumstats["z"].to_list() == [truth[name] for name in result.sumstats["variant_id"]], (
        "no sign is turned"
    )
    lost = result.qc.set_index("reason")["rows"].get("palindromic_ambiguous", 0)
    assert lost == (palindromic.sum() if policy == "frequency" else 0)
    assert result.sumstats["eaf"].isna().all() == ("minor allele, and" in words)


def result_ids(world):
    return [f"{row.chrom}:{row.pos}:{row.ref}:{row.alt}" for row in world.variants.itertuples()]


def test_frequencies_that_are_right_decide_strands_although_few_rows_are_odd(world):
    eaf = world.gwas["eaf"].to_numpy().copy()
    odd = np.flatnonzero(of_kind(world, "plain") & (np.abs(eaf - 0.5) > 0.2))[:2]
    eaf[odd] = 1 - eaf[odd]
    result = run(world, world.gwas.assign(eaf=eaf))
    told = np.minimum(eaf, 1 - eaf)[of_kind(world, "palindromic")] <= SETTINGS.palindromic_max_maf
    assert (result.sumstats["ref"] + result.sumstats["alt"]).isin(["AT", "TA", "CG", "GC"]).sum() == told.sum() > 5


def test_a_lost_hit_is_told_loudly(world, caplog):
    frame = world.gwas.copy()
    frame.loc[2, ["neg_log10_p", "info"]] = [30.0, 0.1]
    with caplog.at_level(logging.WARNING):
        run(world, frame)
    assert "1 rows with p < 5e-8 were left out; the strongest, chr1:40 (-log10 p 30.0), as low_info" in caplog.text


def test_every_reason_and_action_has_a_name_and_a_sentence():
    constants = {value for name, value in vars(outcomes).items() if name.isupper() and isinstance(value, str)}
    assert constants == set(REASONS) | set(ACTIONS) | set(REMARKS)
    assert len(constants) == len(REASONS) + len(ACTIONS) + len(REMARKS)
    assert all(len(sentence) > 20 for sentence in (REASONS | ACTIONS | REMARKS).values())


def test_empty_contigs_of_the_panel_do_not_disturb(tiny, tmp_path):
    genome, panel = tiny
    bim = pd.concat([panel.variants.assign(chrom="chrUn_7"), panel.variants])
    dosages = np.nan_to_num(panel.dosages(np.arange(len(panel.variants))), nan=-1).astype(np.int8)
    write_panel(tmp_path / "q", bim, [dosages, dosages])
    kept = harmonise(rows(GOOD), genome, PlinkPanel(tmp_path / "q"), SETTINGS).sumstats
    assert kept["panel_index"].to_list() == [len(panel.variants) + 3]


# Accidents that users of other programs ran into, one by one.


def test_chunks_are_as_good_as_one_frame(world):
    whole = run(world, world.gwas)
    pieces = run(world, (world.gwas.iloc[first : first + 7] for first in range(0, len(world.gwas), 7)))
    pd.testing.assert_frame_equal(pieces.sumstats, whole.sumstats)
    pd.testing.assert_frame_equal(pieces.qc, whole.qc)


@pytest.mark.slow
def test_tables_in_pieces_are_the_tables(world, monkeypatch):
    frame = world.gwas.copy()
    frame.loc[::5, "info"] = 0.1
    whole = run(world, frame)
    monkeypatch.setattr(harmonised, "_AT_ONCE", 10)
    pieces = run(world, frame)
    assert len(list(pieces.sumstats_parts())) > 5
    pd.testing.assert_frame_equal(pieces.sumstats, whole.sumstats)
    pd.testing.assert_frame_equal(pieces.dropped, whole.dropped)
    assert pieces.dropped["row"].is_monotonic_increasing
    assert (len(pieces), pieces.rows_dropped) == (len(whole.sumstats), len(whole.dropped))


def test_one_variant_twice_with_swapped_alleles_is_one_variant(tiny):
    kept, dropped = outcome(tiny, (8, "C", "A", 2.0, 0.5), (8, "A", "C", -2.0, 0.5))
    assert kept == [["1:8:A:C", 2.0, "kept"]]
    assert dropped == ["duplicate"]


def test_every_alternative_of_a_site_keeps_its_row(tiny):
    result = harmonise(rows((8, "C", "A", 2.0, 0.5), (8, "G", "A", 3.0, 0.2)), *tiny, SETTINGS)
    assert result.sumstats["variant_id"].to_list() == ["1:8:A:C", "1:8:A:G"]
    assert result.qc.set_index("reason")["rows"]["multi_allelic"] == 2


@pytest.fixture
def twins(tmp_path):
    """GT in the FASTA, and both variants of it in the panel: G>GT (alternative 0.2) and GT>G (alternative 0.45)."""
    fasta = tmp_path / "twins.fa"
    fasta.write_text(">1\nACGTTTTACAGATTACA\n")
    copies = np.array([[1] * 4 + [0] * 6, [1] * 9 + [0]], np.int8).T
    bim = pd.DataFrame({"chrom": "1", "pos": 3, "snp_id": ".", "a1": ["GT", "G"], "a2": ["G", "GT"]})
    write_panel(tmp_path / "t", bim, [copies])
    return Genome(fasta), PlinkPanel(tmp_path / "t")


@pytest.mark.parametrize(
    ("row", "expected"),
    [  # frequency of GT: 0.2 as the insertion, 0.55 as the deletion
        ((3, "GT", "G", 2.0, 0.22), ["1:3:G:GT", 2.0, "kept"]),
        ((3, "G", "GT", 2.0, 0.78), ["1:3:G:GT", -2.0, "swapped"]),
        ((3, "GT", "G", 2.0, 0.53), ["1:3:GT:G", -2.0, "swapped"]),
        ((3, "G", "GT", 2.0, 0.47), ["1:3:GT:G", 2.0, "kept"]),
        ((6, "TT", "T", 2.0, 0.22), ["1:3:G:GT", 2.0, "kept"]),
        ((3, "GT", "G", 2.0, 0.38), "indel_ambiguous"),
        ((3, "GT", "G", 2.0, np.nan), "indel_ambiguous"),
    ],
)
def test_an_insertion_and_a_deletion_of_the_same_letters_are_two_variants(twins, row, expected):
    good = (3, "GT", "G", 1.0, 0.2) if expected != ["1:3:G:GT", 2.0, "kept"] else (3, "GT", "G", 1.0, 0.55)
    frame = rows(row, good).assign(n=[200.0, 100.0])
    result = harmonise(frame, *twins, SETTINGS)
    kept = result.sumstats[["variant_id", "z", "action"]].to_numpy().tolist()
    if isinstance(expected, str):
        assert result.dropped["reason"].to_list() == [expected]
    else:
        assert expected in kept


def test_both_twins_are_kept_side_by_side(twins):
    frame = rows((3, "GT", "G", 2.0, 0.2), (3, "G", "GT", 3.0, 0.45))
    for order in ([0, 1], [1, 0]):
        result = harmonise(frame.iloc[order], *twins, SETTINGS)
        assert result.sumstats[["variant_id", "z"]].to_numpy().tolist() == [["1:3:G:GT", 2.0], ["1:3:GT:G", 3.0]]
        assert result.dropped.empty


class WithoutFrequencies:
    """What LD files are: variants, and no genotypes."""

    def __init__(self, panel):
        self.variants = panel.variants


def test_ld_without_frequencies_says_what_cannot_be_told(world, caplog):
    source = WithoutFrequencies(world.panel)
    with caplog.at_level(logging.WARNING):
        result = harmonise(world.gwas, world.genome, source, HarmoniseSettings(min_maf=0.2))
    assert "the LD has no allele frequencies" in caplog.text
    counts = result.qc.set_index("reason")["rows"]
    rare = np.minimum(world.gwas["eaf"], 1 - world.gwas["eaf"]) < 0.2
    assert counts["low_maf"] == rare.sum()
    assert counts["palindromic_ambiguous"] == (of_kind(world, "palindromic") & ~rare).sum()
    assert result.sumstats["panel_af"].isna().all()
    trusted = harmonise(world.gwas, world.genome, source, HarmoniseSettings(palindromic="trust", min_maf=0.0))
    expected = run(world, world.gwas).sumstats
    pd.testing.assert_frame_equal(trusted.sumstats.drop(columns="panel_af"), expected.drop(columns="panel_af"))


@pytest.mark.parametrize(("chrom", "plink", "kept"), [("23", False, 1), ("X", True, 1), ("chrX", False, 1),
                                                      ("25", True, 1), ("25", False, 0), ("XY", False, 1)])  # fmt: skip
def test_what_chromosome_25_is_depends_on_the_format(tmp_path, chrom, plink, kept):
    (tmp_path / "x.fa").write_text(">chrX\nACGTTTTACAG\n>chrM\nTTTTTTTT\n")
    bim = pd.DataFrame({"chrom": ["25", "26"], "pos": [8, 2], "snp_id": ".", "a1": ["C", "A"], "a2": ["A", "T"]})
    write_panel(tmp_path / "x", bim, [np.array([[1, 1], [0, 0]], np.int8)])
    frame = rows((8, "C", "A", 2.0, 0.5), (2, "A", "T", 3.0, 0.25)).assign(chrom=[chrom, "MT"])
    result = harmonise(frame, Genome(tmp_path / "x.fa"), PlinkPanel(tmp_path / "x"), SETTINGS, plink_chromosomes=plink)
    assert result.sumstats["chrom"].to_list() == ["chrX"] * kept + ["chrM"]


CHAIN = """chain 900 chr1 900 + 0 500 chr1 900 + 0 500 1
500

chain 800 chr1 900 + 500 700 chr1 900 - 200 400 2
200

chain 700 chr1 900 + 700 800 chr1 900 + 700 800 3
100

chain 600 chr2 300 + 0 300 chr2 300 + 0 300 4
300

chain 500 chr5 300 + 0 200 chr2 300 + 0 200 5
200

chain 400 chr1 900 + 780 800 chr2 300 + 0 20 6
20
"""


def test_positions_are_lifted_and_what_is_lost_is_listed(world, tmp_path):
    (tmp_path / "c.chain").write_text(CHAIN)
    truth, frame = world.variants, world.gwas.copy()
    on_one = truth["chrom"] == "chr1"
    middle = on_one & (truth["pos"] > 500) & (truth["pos"] <= 700)
    # as the older build writes them: this stretch of chr1 turned round
    frame.loc[middle, "pos"] = 1201.0 - frame.loc[middle, "pos"]
    frame = on_other_strand(frame, middle & (truth["kind"] != "deletion"))
    frame["source_pos"] = frame["pos"].astype("int64").astype("str")
    copy = frame[(truth["chrom"] == "chr2") & (truth["pos"] == 100)].assign(chrom="chr5", row=999)
    result = harmonise(
        pd.concat([frame, copy]), world.genome, world.panel, SETTINGS,
        liftover=Liftover(tmp_path / "c.chain"), source_build="old", build="new",
    )  # fmt: skip
    lost = {
        "not_lifted": on_one & (truth["pos"] > 800),
        "lifted_twice": on_one & (truth["pos"] > 780) & (truth["pos"] <= 800),
        "lifted_together": (truth["chrom"] == "chr2") & (truth["pos"] == 100),
        "lifted_indel": middle & (truth["kind"] == "deletion"),
    }
    counts = result.qc.set_index("reason")["rows"]
    for reason, which in lost.items():
        assert counts[reason] == which.sum() + (reason == "lifted_together")
    stay = ~np.any(list(lost.values()), axis=0)
    turned = middle & (truth["kind"] != "deletion")
    assert (counts["lifted"], counts["lifted_reversed"]) == (stay.sum(), turned.sum())
    expected = run(world, world.gwas).sumstats.set_index("variant_id")
    found = result.sumstats.set_index("variant_id")
    assert len(found) == stay.sum()
    assert found["z"].equals(expected["z"].loc[found.index])
    outcomes_of = result.liftover["outcome"].value_counts()
    assert outcomes_of.to_dict() == {r: counts[r] for r in lost} | {"lifted_reversed": turned.sum()}
    LIFTOVER.checked(result.liftover, "here")
    assert result.liftover.set_index("row")["target"][999] == "chr2:100"
    gone = result.dropped.set_index("row")
    place = gone["genome_chrom"].fillna("") + ":" + gone["genome_pos"].astype("str")
    assert place[999] == "chr2:100"
    turned_over = frame["row"][lost["lifted_indel"]]
    assert place[turned_over].to_list() == ("chr1:" + truth["pos"][lost["lifted_indel"]].astype("str")).to_list()
    assert (gone.loc[gone["reason"] == "not_lifted", "genome_pos"] == 0).all()


def test_a_wrong_build_names_both_builds_and_the_shares(world, tmp_path):
    shifted = world.gwas.assign(pos=world.gwas["pos"] + 7)
    call = {"build": "GRCh38", "source": "gwas.tsv"}
    with pytest.raises(InputError, match=r"only \d+% of the .* \(GRCh38\) has .* If of GRCh37, name it as"):
        harmonise(shifted, world.genome, world.panel, SETTINGS, **call)
    chain = "chain 9 chr1 900 + 0 890 chr1 900 + 7 897 1\n890\n\nchain 9 chr2 300 + 0 290 chr2 300 + 7 297 2\n290\n"
    (tmp_path / "c.chain").write_text(chain)
    call |= {"source_build": "hg19", "liftover": Liftover(tmp_path / "c.chain")}
    with pytest.raises(InputError, match=r"only \d+% .* \(GRCh38\) .* lifted over from hg19 .* 100% when they are not; "
                                         "they are of GRCh38 already"):  # fmt: skip
        harmonise(world.gwas, world.genome, world.panel, SETTINGS, **call)
    with pytest.raises(InputError, match="is `build` right, and is this the chain file from it"):
        harmonise(world.gwas.assign(pos=world.gwas["pos"] + 3), world.genome, world.panel, SETTINGS, **call)
