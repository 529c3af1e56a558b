"""Rows in few bytes, and what is said of each by itself."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.agreement import CONTRADICTS, TWO_VALUES
from fineprior.sumstats.outcomes import LOW_MAF, MONOMORPHIC_IN_PANEL, number_of, reason_names
from fineprior.sumstats.reader import STANDARD
from fineprior.sumstats.rows import MARKS, Columns, Remaining, gather_rows, names_at


def frame(count=4, **columns):
    rows = pd.DataFrame({
        "row": np.arange(2, count + 2), "chrom": "1", "source_pos": [str(10 * i) for i in range(1, count + 1)],
        "pos": 10.0 * np.arange(1, count + 1), "effect_allele": "A", "other_allele": "G", "beta": 0.2, "se": 0.1,
        "z": 2.0, "neg_log10_p": 1.3, "eaf": 0.3, "n": 100.0, "info": 0.9, "rsid": "rs1",
    })  # fmt: skip
    return rows[list(STANDARD)].assign(**columns)


def reasons(rows):
    return [reason_names()[number] for number in rows.reason]


def test_chunks_become_one_table_with_their_text():
    first, second = frame(2), frame(3, chrom=["1", "X", "1"], effect_allele=["t", "AT", "A"], rsid=[None, "b", "c"])
    rows = gather_rows([first, second], HarmoniseSettings(), "g.tsv")
    assert len(rows) == 5
    assert [rows.chroms[number] for number in rows.chrom] == ["1", "1", "1", "X", "1"]
    assert [rows.alleles.spellings[number] for number in rows.effect] == ["A", "A", "t", "AT", "A"]
    assert rows.text("rsid", np.array([1, 2, 3])).fillna("none").to_list() == ["rs1", "none", "b"]
    assert rows.pos.tolist() == [10, 20, 10, 20, 30]
    assert not rows.reason.any()
    assert not rows.marks.any()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"beta": 0.0, "z": np.nan}, "no_sign"),
        ({"z": np.nan}, "missing_value"),
        ({"beta": 0.0, "z": np.nan, "neg_log10_p": np.nan}, "missing_value"),
        ({"z": np.nan, "neg_log10_p": np.inf}, "missing_value"),
        ({"n": np.nan}, "missing_value"),
        ({"eaf": np.nan}, ""),
        ({"eaf": 0.0}, ""),
        ({"eaf": 1.0}, ""),
        ({"eaf": 1.01}, "bad_value"),
        ({"eaf": -0.01}, "bad_value"),
        ({"se": 0.0}, "bad_value"),
        ({"n": 0.0}, "bad_value"),
        ({"neg_log10_p": 0.0}, ""),
        ({"neg_log10_p": -0.1}, "bad_value"),
        *[({name: np.inf}, "bad_value") for name in ("beta", "se", "z", "neg_log10_p", "n")],
        ({"pos": 1.0}, ""),
        ({"pos": 0.0}, "position_outside"),
        ({"pos": 1.5}, "position_outside"),
        ({"pos": 2.0**31 - 1}, ""),
        ({"pos": 2.0**31}, "position_outside"),
        ({"other_allele": "<INS>"}, "coded_alleles"),
        ({"other_allele": "A"}, "bad_alleles"),
        ({"info": 0.1}, "low_info"),
        ({"info": HarmoniseSettings().min_info}, ""),
        ({MARKS: np.uint8(CONTRADICTS)}, "contradiction"),
        ({MARKS: np.uint8(TWO_VALUES)}, ""),
    ],
)
def test_what_a_row_lacks_by_itself(change, reason):
    rows = gather_rows([frame(2), frame(1, **change)], HarmoniseSettings(), "g.tsv")
    assert reasons(rows) == ["", "", reason]


def test_marks_stay_with_their_rows():
    chunks = [frame(2, **{MARKS: np.array([1, 2], np.uint8)}), frame(1), frame(1, **{MARKS: np.array([3], np.uint8)})]
    assert gather_rows(chunks, HarmoniseSettings(), "g.tsv").marks.tolist() == [1, 2, 0, 3]


def test_nothing_is_an_error():
    with pytest.raises(InputError, match=r"g\.tsv: no rows"):
        gather_rows([], HarmoniseSettings(), "g.tsv")


@dataclass(frozen=True, eq=False)
class Kinds(Columns):
    letter: np.ndarray


@dataclass(frozen=True, eq=False)
class Stage(Remaining):
    pos: np.ndarray
    kinds: Kinds
    name: str = "one"


@pytest.fixture
def stage():
    rows = gather_rows([frame(5, info=[0.9, 0.1, 0.9, 0.9, 0.9])], HarmoniseSettings(), "g.tsv")
    index = rows.remaining()
    return Stage(rows, index, rows.pos[index], Kinds(np.array(list("acde"))))


def test_only_rows_without_a_reason_remain(stage):
    assert stage.index.tolist() == [0, 2, 3, 4]
    assert stage.pos.tolist() == [10, 30, 40, 50]


def test_columns_follow_their_rows_when_these_are_excluded_or_moved(stage):
    moved = stage.take(np.array([3, 2, 1, 0]))
    kept = moved.without({LOW_MAF: moved.pos == 40})
    assert kept.kinds.letter.tolist() == ["e", "c", "a"]
    assert kept.index.tolist() == [4, 2, 0]
    assert kept.number("n").tolist() == [100] * 3
    assert kept.name == "one"
    assert kept.rows.reason[3] == number_of(LOW_MAF)
    assert (len(kept), len(stage)) == (3, 4)


def test_of_several_reasons_the_first_counts(stage):
    kept = stage.without({LOW_MAF: stage.pos <= 30, MONOMORPHIC_IN_PANEL: stage.pos <= 40})
    assert kept.index.tolist() == [4]
    assert reasons(stage.rows) == ["low_maf", "low_info", "low_maf", "monomorphic_in_panel", ""]
    assert kept.without({LOW_MAF: np.array([False])}) is kept


def test_the_last_row_does_not_go_without_a_word(stage):
    last = stage.without({LOW_MAF: stage.pos < 50})
    with pytest.raises(InputError, match=r"none of 5 rows is left \(3 low_maf, 1 low_info, 1 mono.*for example line 2, "
                                         "chromosome 1, position 10, alleles A and G"):  # fmt: skip
        last.without({MONOMORPHIC_IN_PANEL: np.array([True])})


def test_names_by_number():
    assert names_at(np.array([1, -1, 0]), ["a", "b"]).fillna("none").to_list() == ["b", "none", "a"]
