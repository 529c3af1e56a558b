"""Where rows lie in the genome; those that are excluded have a place too, so that a locus can name them."""

import numpy as np
import pytest

from fineprior.genome.fasta import Genome
from fineprior.genome.liftover import Liftover
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.located import Coordinates, locate
from fineprior.sumstats.outcomes import reason_names
from fineprior.sumstats.rows import gather_rows
from sumstats.test_rows import frame

CHAIN = "chain 9 1 200 + 0 50 chr1 100 + 10 60 1\n50\n\nchain 5 1 200 + 40 50 chr2 60 + 0 10 2\n10\n\n"


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{'A' * 100}\n>chr2\n{'C' * 60}\n")
    with Genome(tmp_path / "g.fa") as opened:
        yield opened


def rows_of(*places):
    chrom, pos = zip(*places, strict=True)
    return gather_rows([frame(len(places), chrom=list(chrom), pos=list(map(float, pos)))], HarmoniseSettings(), "g.tsv")


def test_rows_are_sorted_by_their_place_and_what_has_none_is_excluded(genome):
    located, table = locate(rows_of(("2", 5), ("1", 70), ("chr1", 20), ("7", 1), ("2", 61)), genome, None, plink=False)
    assert located.index.tolist() == [2, 1, 0]
    assert located.contig.tolist() == [0, 0, 1]
    assert located.pos.tolist() == [20, 70, 5]
    assert [reason_names()[number] for number in located.rows.reason[3:]] == ["contig_missing", "position_outside"]
    assert table.empty


def test_coordinates_of_all_rows_whatever_became_of_them(genome):
    rows = rows_of(("2", 5), ("1", 70), ("7", 1), ("2", 61), ("1", 0.5))
    contig, pos = Coordinates(rows, genome, None, plink=False).of(np.arange(5))
    assert contig.tolist() == [1, 0, -1, 1, 0]
    assert pos.tolist() == [5, 70, 0, 0, 0]
    contig, pos = Coordinates(rows, genome, None, plink=False).of(np.array([1]))
    assert (contig.tolist(), pos.tolist()) == ([0], [70])


def test_the_first_and_the_last_base_of_a_contig_are_places(genome):
    rows = rows_of(("1", 1), ("1", 100), ("1", 101), ("2", 1), ("2", 60))
    assert Coordinates(rows, genome, None, plink=False).of(np.arange(5))[1].tolist() == [1, 100, 0, 1, 60]
    assert locate(rows, genome, None, plink=False)[0].index.tolist() == [0, 1, 3, 4]


def test_coordinates_are_lifted_over_and_of_several_the_best_is_taken(genome, tmp_path):
    (tmp_path / "c.chain").write_text(CHAIN)
    rows = rows_of(("1", 5), ("1", 45), ("1", 70), ("2", 3))
    contig, pos = Coordinates(rows, genome, Liftover(tmp_path / "c.chain"), plink=False).of(np.arange(4))
    assert contig.tolist() == [0, 0, -1, -1]
    assert pos.tolist() == [15, 55, 0, 0]


def test_lifted_rows_are_sorted_by_their_new_place_and_complemented_on_a_turned_stretch(genome, tmp_path):
    chain = "chain 9 1 200 + 0 50 chr1 100 - 0 50 1\n50\n\nchain 5 1 200 + 60 80 chr2 60 + 0 20 2\n20\n\n"
    (tmp_path / "c.chain").write_text(chain)
    rows = rows_of(("1", 65), ("1", 2), ("1", 1), ("1", 55))
    located, table = locate(rows, genome, Liftover(tmp_path / "c.chain"), plink=False)
    assert located.index.tolist() == [1, 2, 0]
    assert located.contig.tolist() == [0, 0, 1]
    assert located.pos.tolist() == [99, 100, 5]
    assert located.lift_reversed.tolist() == [True, True, False]
    assert [rows.alleles.spellings[number] for number in located.effect] == ["T", "T", "A"]
    assert table[["row", "outcome"]].to_numpy().tolist() == [
        [3, "lifted_reversed"], [4, "lifted_reversed"], [5, "not_lifted"]
    ]  # fmt: skip
