"""Variants of batches: the order of loci, and values joined to them."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.batches import genome_order, join_columns


def test_loci_are_in_genome_order_whatever_the_batches():
    rows = [("x", "chr10", 5), ("a", "chr2", 9), ("a", "chr2", 11), ("b", "chr2", 3), ("b", "chr2", 4)]
    frame = pd.DataFrame(rows, columns=["locus", "chrom", "pos"])
    assert genome_order(frame)["locus"].tolist() == ["b", "b", "a", "a", "x"]


def table(ids, scores=None, locus="a"):
    frame = pd.DataFrame({"locus": locus, "variant_id": ids})
    return frame if scores is None else frame.assign(score=scores)


def test_join_is_by_name_not_by_row():
    variants = table(["1:1:A:C", "1:2:A:C", "1:3:A:C"])
    scores = table(["1:3:A:C", "1:1:A:C", "1:2:A:C"], [3.0, 1.0, np.nan])
    np.testing.assert_array_equal(join_columns(variants, scores, ["score"], "s.tsv")["score"], [1, np.nan, 3])


@pytest.mark.parametrize(
    ("ids", "scores", "match"),
    [
        (["1:1:A:C"], [1.0], r"s.tsv: variant 1:2:A:C of locus a has no row \(1 of 2 variants\)"),
        (["1:1:A:C", "1:2:A:C", "1:2:A:C"], [1.0, 2, 2], "s.tsv: variant 1:2:A:C of locus a is there twice"),
        (["1:1:A:C", "1:2:A:C"], [1.0, np.inf], "s.tsv: score inf of variant 1:2:A:C"),
    ],
)
def test_join_refuses(ids, scores, match):
    with pytest.raises(InputError, match=match):
        join_columns(table(["1:1:A:C", "1:2:A:C"]), table(ids, scores), ["score"], "s.tsv")


def test_join_refuses_a_variant_twice_in_its_locus_and_an_unknown_column():
    with pytest.raises(InputError, match="1:1:A:C of locus a is there twice"):
        join_columns(table(["1:1:A:C", "1:1:A:C"]), table(["1:1:A:C"], [1.0]), ["score"], "s.tsv")
    with pytest.raises(InputError, match=r"s.tsv: no column 'cadd'; there are score"):
        join_columns(table(["1:1:A:C"]), table(["1:1:A:C"], [1.0]), ["cadd"], "s.tsv")


def test_join_says_how_many_rows_were_not_used(caplog):
    join_columns(table(["1:1:A:C"]), table(["1:1:A:C", "1:2:A:C"], [1.0, 2.0]), ["score"], "s.tsv")
    assert "s.tsv: 1 rows are of variants that are in no locus" in caplog.text
