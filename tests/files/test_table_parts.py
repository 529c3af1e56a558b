import numpy as np
import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.files.table_parts import read_places, write_parts

ROW = dict.fromkeys(tables.TRUTH.names, 1) | dict.fromkeys(("variant_id", "chrom", "ref", "alt"), "a")
FRAME = pd.DataFrame([ROW | {"functional": True}, ROW | {"functional": False}, ROW | {"functional": True, "pos": 7}])


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz", "t.parquet"])
def test_pieces_are_one_table(tmp_path, name):
    write_parts(tables.TRUTH, (FRAME.iloc[row : row + 1] for row in range(3)), tmp_path / name)
    tables.TRUTH.write(FRAME, tmp_path / "whole" / name)
    pd.testing.assert_frame_equal(tables.TRUTH.read(tmp_path / name), tables.TRUTH.read(tmp_path / "whole" / name))
    if name == "t.tsv":
        assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz", "t.parquet"])
def test_a_bad_piece_leaves_nothing(tmp_path, name):
    with pytest.raises(InputError, match="column 'effect' is missing"):
        write_parts(tables.TRUTH, [FRAME, FRAME.drop(columns="effect")], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


PLACED = pd.DataFrame([
    {column.name: {"text": "a", "integer": 1, "number": 1.0}[column.kind] for column in tables.SUMSTATS.columns}
    | {"chrom": chrom, "pos": pos}
    for chrom, pos in [("2", 10), ("2", 20), ("2", 30), ("1", 10), ("1", 20)]
])  # fmt: skip


@pytest.mark.parametrize(
    ("places", "rows"),
    [
        ([("2", 9, 20)], [0, 1]),
        ([("2", 10, 19)], []),
        ([("1", 0, 15), ("2", 0, 15), ("2", 5, 25)], [3, 0, 1]),
        ([("X", 0, 99)], []),
        ([], []),
    ],
)
@pytest.mark.parametrize("name", ["t.parquet", "t.tsv", "t.tsv.gz"])
def test_places_are_read_once_each_half_open(tmp_path, places, rows, name):
    parts = (PLACED[PLACED["chrom"] == chrom] for chrom in ("2", "1"))
    write_parts(tables.SUMSTATS, parts, tmp_path / name)
    found = read_places(tables.SUMSTATS, tmp_path / name, places)
    expected = tables.SUMSTATS.checked(PLACED.iloc[rows], "") if rows else tables.SUMSTATS.empty()
    pd.testing.assert_frame_equal(found, expected)


def test_what_is_no_table_has_no_places(tmp_path):
    with pytest.raises(InputError, match=r"t.parquet: no such file"):
        read_places(tables.SUMSTATS, tmp_path / "t.parquet", [("1", 0, 9)])
    (tmp_path / "t.parquet").write_text("text")
    with pytest.raises(InputError, match=r"t.parquet: not a readable sumstats table"):
        read_places(tables.SUMSTATS, tmp_path / "t.parquet", [("1", 0, 9)])


def test_texts_are_read_as_they_were_written(tmp_path):
    odd = ['say "ah"', "a\ttab", "two\nlines", "", "1e3", None]
    frame = pd.DataFrame({"row": range(6), "chrom": "1", "pos": odd, "effect_allele": "A", "other_allele": "C",
                          "neg_log10_p": [1.0, np.nan, np.inf, 0.5, 2.0, 3.0], "reason": "low_maf",
                          "genome_chrom": ["1", "1", "1", "1", "1", None], "genome_pos": 123_456_789})  # fmt: skip
    frame = tables.DROPPED.checked(frame, "")
    tables.DROPPED.write(frame, tmp_path / "d.tsv.gz")
    found = read_places(tables.DROPPED, tmp_path / "d.tsv.gz", [("1", 0, 2**30)], "genome_chrom", "genome_pos")
    pd.testing.assert_frame_equal(found, frame.iloc[:5])
