"""A table is what its definition says, whatever table it is."""

import gzip

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.table import define

TABLE = define("demo", "One row for each thing.", """
    name | text | what it is called | by us
    count | integer | how many
    size | number | how large
    kept | flag | whether it stays
""")  # fmt: skip
OPEN = define("open", "More.", "name | text | a name", "one column for each track")
FRAME = pd.DataFrame({"kept": [True, False], "size": [0.5, np.nan], "count": [3, 4], "name": ["NAN", "007"]})


def test_a_definition_is_a_line_for_each_column():
    assert TABLE.names == ["name", "count", "size", "kept"]
    assert TABLE.columns[0].meaning == "what it is called | by us"
    assert [column.kind for column in TABLE.columns] == ["text", "integer", "number", "flag"]


def test_a_column_that_a_later_stage_fills_is_missing_until_then(tmp_path):
    later = define("demo", "Rows.", "name | text | a name\nsize | number | later\nword | text | later",
                   later=("size", "word"))  # fmt: skip
    later.write(pd.DataFrame({"name": ["a", "b"]}), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text() == "name\tsize\tword\na\tNA\tNA\nb\tNA\tNA\n"
    found = later.read(tmp_path / "t.tsv")
    assert found[["size", "word"]].isna().all(axis=None)
    assert found.dtypes.equals(later.empty().dtypes)
    (tmp_path / "u.tsv").write_text("name\tword\na\tx\n")
    assert later.read(tmp_path / "u.tsv")["word"].tolist() == ["x"]
    with pytest.raises(InputError, match="column 'name' is missing"):
        later.checked(pd.DataFrame({"size": [1.0]}), "x")


def test_columns_come_in_their_order_and_type():
    found = TABLE.checked(FRAME.iloc[::-1], "x")
    assert list(found) == TABLE.names
    assert found.index.tolist() == [0, 1]
    assert [str(kind) for kind in found.dtypes[1:]] == ["int64", "float64", "bool"]
    assert found.dtypes.equals(TABLE.empty().dtypes)


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz", ".parquet"])
def test_a_file_gives_back_what_was_written(tmp_path, suffix):
    TABLE.write(FRAME, tmp_path / f"t{suffix}")
    found = TABLE.read(tmp_path / f"t{suffix}")
    assert found["name"].tolist() == ["NAN", "007"]
    assert found["count"].tolist() == [3, 4]
    assert found["size"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert found["kept"].tolist() == [True, False]


def test_the_same_rows_are_the_same_bytes_whatever_the_file_is_called(tmp_path):
    TABLE.write(FRAME, tmp_path / "a.tsv.gz")
    TABLE.write(FRAME, tmp_path / "b.tsv.gz")
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.tsv.gz").read_bytes()).startswith(b"name\tcount\tsize\tkept\n")


def test_only_an_open_table_takes_further_columns_and_these_are_numbers():
    frame = pd.DataFrame({"name": ["a"], "track": ["1.5"]})
    assert OPEN.checked(frame, "x")["track"].tolist() == [1.5]
    with pytest.raises(InputError, match="x: column 'track' must hold values of kind number, not 'high'"):
        OPEN.checked(frame.assign(track="high"), "x")
    with pytest.raises(InputError, match="x: unknown column 'more'; demo has name, count, size, kept"):
        TABLE.checked(FRAME.assign(more=1), "x")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("count", [1, "a"], "column 'count' must hold values of kind integer, not 'a'"),
        ("count", [1, np.nan], "column 'count' must hold values of kind integer, not nan"),
        ("size", [1, "large"], "column 'size' must hold values of kind number, not 'large'"),
        ("kept", ["TRUE", "yes"], "column 'kept' must hold values of kind flag, not 'yes'"),
    ],
)
def test_a_value_of_another_kind_is_named(tmp_path, column, values, message):
    with pytest.raises(InputError, match=message):
        TABLE.write(FRAME.assign(**{column: pd.Series(values, dtype=object)}), tmp_path / "t.tsv")
    assert list(tmp_path.iterdir()) == []
