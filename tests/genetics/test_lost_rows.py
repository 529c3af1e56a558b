"""Rows that harmonising left out, locus by locus."""

import pandas as pd
import pytest

from fineprior.foundation.tables import DROPPED, LOST, lost_beside
from fineprior.genetics.genome import Genome
from fineprior.genetics.liftover import Liftover
from fineprior.genetics.loci import Interval
from fineprior.genetics.lost_rows import lost_in_loci, read_lost, write_lost

LENGTH = 10_000
LOCI = [Interval("chr2", 100, 200), Interval("chr2", 150, 300), Interval("chr1", 0, 50)]


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">chr2\n{'A' * LENGTH}\n>chr1\n{'C' * 500}\n")
    return Genome(path)


def dropped(*rows):
    frame = pd.DataFrame(rows, columns=["chrom", "pos", "neg_log10_p", "reason"])
    frame = frame.assign(row=range(2, len(rows) + 2), effect_allele="C", other_allele="A")
    return DROPPED.checked(frame, "test")


def test_rows_are_those_of_the_windows(genome):
    rows = dropped(("2", "200", 1.0, "a"), ("chr2", "101", 2.0, "b"), ("2", "100", 3.0, "c"), ("02", "201", 4.0, "d"),
                   ("1", "50", 5.0, "e"), ("1", "51", 6.0, "f"), ("3", "20", 7.0, "g"))  # fmt: skip
    found = LOST.checked(lost_in_loci(rows, LOCI, genome), "test")
    assert list(zip(found["locus"], found["reason"], strict=True)) == [
        ("chr2_100_200", "b"), ("chr2_100_200", "a"),
        ("chr2_150_300", "a"), ("chr2_150_300", "d"),
        ("chr1_0_50", "e"),
    ]  # fmt: skip
    assert found["variant"].tolist()[0] == "chr2:101:A:C"
    assert found["row"].tolist() == [3, 2, 2, 5, 6]


@pytest.mark.parametrize("pos", ["", "x", "150.5", "-150", "0", "nan", "99999999999", None])
def test_a_row_without_a_place_is_in_no_locus(genome, pos):
    assert lost_in_loci(dropped(("2", pos, 1.0, "a")), LOCI, genome).empty
    assert lost_in_loci(dropped((None, "150", 1.0, "a")), LOCI, genome).empty


def test_a_position_is_a_number_however_it_is_written(genome):
    assert lost_in_loci(dropped(("2", "1.2e2", 1.0, "a")), LOCI, genome)["pos"].tolist() == [120]


def test_rows_without_alleles_are_named_by_their_place(genome):
    nameless = DROPPED.checked(dropped(("2", "120", 1.0, "a")).assign(effect_allele=None), "test")
    found = lost_in_loci(nameless, LOCI, genome)
    assert found["variant"].tolist() == ["chr2:120"]


def test_rows_of_another_build_are_lifted(genome, tmp_path):
    chain = tmp_path / "c.chain"
    chain.write_text("chain 9 chr2 20000 + 1000 2000 chr2 10000 + 0 1000 1\n1000\n\n")
    found = lost_in_loci(dropped(("2", "1120", 1.0, "a"), ("2", "120", 1.0, "b")), LOCI, genome, Liftover(str(chain)))
    assert found[["locus", "pos", "reason"]].to_numpy().tolist() == [["chr2_100_200", 120, "a"]]


def test_files(genome, tmp_path):
    DROPPED.write(dropped(("2", "120", 1.0, "a"), ("1", "20", float("inf"), "b")), tmp_path / "dropped.tsv.gz")
    rows = read_lost(str(tmp_path / "dropped.tsv.gz"), LOCI, genome)
    path = lost_beside(tmp_path / "0.tsv.gz")
    assert path.name == "0.lost.tsv.gz"
    write_lost(rows, ["chr1_0_50"], path)
    assert LOST.read(path)[["locus", "neg_log10_p"]].to_numpy().tolist() == [["chr1_0_50", float("inf")]]
    assert read_lost(None, LOCI, genome) is None
    write_lost(None, ["chr1_0_50"], path)
    assert not path.exists(), "what an earlier run knew is not this run's"
