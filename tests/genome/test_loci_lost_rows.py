"""Rows that harmonising left out, locus by locus."""

import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import DROPPED, LOST, lost_beside
from fineprior.genome.loci import ELSEWHERE, Interval, lost_in_loci, read_lost, write_lost
from fineprior.sumstats.outcomes import DUPLICATE, OTHER_STRAND

LOCI = [Interval("chr2", 100, 200), Interval("chr2", 150, 300), Interval("chr1", 0, 50)]


def dropped(*rows):
    """Rows of chromosome and position in the genome, -log10 p, reason; the source has them elsewhere."""
    frame = pd.DataFrame(rows, columns=["genome_chrom", "genome_pos", "neg_log10_p", "reason"])
    frame = frame.assign(row=range(2, len(rows) + 2), chrom="7", pos="1e3", effect_allele="C", other_allele="A")
    return DROPPED.checked(frame, "test")


def test_rows_are_those_of_the_windows():
    rows = dropped(("chr2", 200, 1.0, "a"), ("chr2", 101, 2.0, "b"), ("chr2", 100, 3.0, "c"), ("chr2", 201, 4.0, "d"),
                   ("chr1", 50, 5.0, "e"), ("chr1", 51, 6.0, "f"), ("chr3", 20, 7.0, "g"))  # fmt: skip
    found = LOST.checked(lost_in_loci(rows, LOCI), "test")
    assert list(zip(found["locus"], found["reason"], strict=True)) == [
        ("chr2_100_200", "b"), ("chr2_100_200", "a"),
        ("chr2_150_300", "a"), ("chr2_150_300", "d"),
        ("chr1_0_50", "e"),
    ]  # fmt: skip
    assert found["variant"].tolist()[0] == "chr2:101:A:C"
    assert found["pos"].tolist() == [101, 200, 200, 201, 50]
    assert found["row"].tolist() == [3, 2, 2, 5, 6]


def test_a_row_without_a_place_is_in_no_locus():
    whole = [Interval("chr2", 0, 10_000)]
    assert lost_in_loci(dropped(("chr2", 0, 1.0, "a"), (None, 150, 1.0, "a")), whole).empty
    assert LOST.checked(lost_in_loci(dropped(), whole), "test").empty


@pytest.mark.parametrize("reason", [DUPLICATE, OTHER_STRAND])
def test_what_is_there_in_another_row_is_not_lost(reason):
    assert reason in ELSEWHERE
    found = lost_in_loci(dropped(("chr2", 120, 9.0, reason), ("chr2", 120, 9.0, "contradictory_twins")), LOCI)
    assert found["reason"].tolist() == ["contradictory_twins"]


def test_rows_without_alleles_are_named_by_their_place():
    nameless = DROPPED.checked(dropped(("chr2", 120, 1.0, "a")).assign(effect_allele=None), "test")
    assert lost_in_loci(nameless, LOCI)["variant"].tolist() == ["chr2:120"]


def test_files(tmp_path):
    far = [*LOCI, Interval("chr9", 123_456_000, 123_457_000)]
    rows = dropped(("chr2", 120, 1.0, "a"), (None, 0, 2.0, "c"), ("chr9", 123_456_789, 3.0, "d"),
                   ("chr1", 20, float("inf"), "b"))  # fmt: skip
    DROPPED.write(rows, tmp_path / "dropped.tsv.gz")
    found = read_lost(str(tmp_path / "dropped.tsv.gz"), far)
    assert found["variant"].tolist() == ["chr2:120:A:C", "chr1:20:A:C", "chr9:123456789:A:C"]
    path = lost_beside(tmp_path / "0.tsv.gz")
    assert path.name == "0.lost.tsv.gz"
    write_lost(found, ["chr1_0_50"], path)
    assert LOST.read(path)[["locus", "neg_log10_p"]].to_numpy().tolist() == [["chr1_0_50", float("inf")]]
    assert read_lost(None, LOCI) is None
    write_lost(None, ["chr1_0_50"], path)
    assert not path.exists(), "what an earlier run knew is not this run's"


def test_a_file_that_is_no_such_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"dropped.tsv.gz: no such file"):
        read_lost(str(tmp_path / "dropped.tsv.gz"), LOCI)
