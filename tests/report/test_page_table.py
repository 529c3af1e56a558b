import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import LOCI
from fineprior.report.page_table import Header, number, page_table

DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12, "12"), (1_234_567, "1,234,567"), (0.5, "0.500"), (0.99996, "1.00"), (1.0, "1.00"), (123.4, "123"),
     (999.7, "1,000"), (51_234.5, "51,234"), (3.2e-7, "3.20e-07"), (0.0, "0"), (-0.0123, "-0.0123"),
     (float("nan"), DASH), (None, DASH), (float("-inf"), "-inf"), (np.float64(2.5), "2.50"),
     (2.5e7, "2.50e+07"), ("text", "text")],
)  # fmt: skip
def test_number(value, shown):
    assert number(value) == shown


def test_columns_are_explained(study_tables):
    table = page_table(study_tables(4, 30).loci, "loci", "x", {"locus": "name", "variants": "size"}, LOCI)
    assert table.headers == [
        Header("locus", "name", "name: chromosome, start, end", False),
        Header("variants", "size", "harmonised variants in the locus", True),
    ]
    assert [row[1] for row in table.rows] == [("30", None)] * 4


def test_a_cell_keeps_what_rounding_hides():
    frame = pd.DataFrame({"value": [1 / 3, np.nan, 20_920.0], "text": ["a", None, "b"]})
    count = frame.assign(rows=pd.array([7, None, 1_234], dtype="Int64"))
    table = page_table(count, "x", "x", {name: name for name in count})
    assert table.rows == [
        [("0.333", str(1 / 3)), ("a", None), ("7", None)],
        [(DASH, ""), (DASH, ""), (DASH, "")],
        [("20,920", "20920.0"), ("b", None), ("1,234", "1234")],
    ]
