"""Rows find their variant in a panel by place and alleles, whichever allele the panel counts."""

import numpy as np
import pandas as pd
import pytest

from fineprior.genome.alleles import Alleles
from fineprior.genome.fasta import Genome
from fineprior.genotypes.panels import match

#           1234567890123456
SEQUENCE = "ACGTACAAAATTGCCG"


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "genome.fa").write_text(f">chr1\n{SEQUENCE}\n>chr2\n{SEQUENCE}\n")
    with Genome(tmp_path / "genome.fa") as genome:
        yield genome


def found(genome, panel, *rows):
    """Matches of rows (chrom number, pos, effect, other) in a panel of (chrom, pos, a1, a2)."""
    alleles = Alleles()
    contig, pos, effect, other = (list(column) for column in zip(*rows, strict=True))
    numbers = [alleles.plain(alleles.encode(pd.Series(texts))) for texts in (effect, other)]
    variants = pd.DataFrame(panel, columns=["chrom", "pos", "a1", "a2"])
    return match(variants, genome, alleles, np.array(contig, np.int32), np.array(pos, np.int32), *numbers)


def test_either_allele_may_be_counted(genome):
    panel = [("1", 3, "G", "A"), ("chr2", 3, "A", "G"), ("1", 5, "A", "T")]
    got = found(genome, panel, (0, 3, "G", "A"), (0, 3, "A", "G"), (1, 3, "G", "A"), (0, 5, "A", "C"), (1, 5, "A", "T"))
    assert got.panel_index.tolist() == [0, 0, 1, -1, -1]
    assert got.a1_is_effect.tolist() == [True, False, False, False, False]
    assert got.second.tolist() == [-1] * 5
    assert not got.several.any()


def test_the_order_of_the_panel_does_not_matter(genome):
    panel = [("2", 9, "A", "C"), ("1", 9, "A", "C"), ("2", 3, "G", "T"), ("1", 3, "G", "T")]
    got = found(genome, panel, (0, 3, "G", "T"), (1, 3, "G", "T"), (0, 9, "A", "C"), (1, 9, "A", "C"))
    assert got.panel_index.tolist() == [3, 2, 1, 0]


def test_twins_are_told(genome):
    panel = [("1", 3, "G", "A"), ("1", 3, "A", "G"), ("1", 5, "A", "T"), ("1", 5, "A", "T"), ("1", 5, "T", "A")]
    got = found(genome, panel, (0, 3, "G", "A"), (0, 5, "A", "T"))
    assert got.panel_index.tolist() == [0, 2]
    assert got.second.tolist() == [1, 3]
    assert got.several.tolist() == [False, True]
    assert got.opposite.tolist() == [True, False]


def test_an_insertion_is_found_in_another_spelling(genome):
    """CA to C at 6 deletes one A of AAAA; the panel writes the last of them."""
    got = found(genome, [("1", 9, "AA", "A")], (0, 6, "C", "CA"), (0, 6, "CA", "C"), (0, 6, "CAA", "C"))
    assert got.panel_index.tolist() == [0, 0, -1]
    assert got.a1_is_effect.tolist() == [False, True, False]


def test_what_cannot_be_in_the_genome_matches_nothing(genome):
    panel = [("9", 3, "G", "A"), ("1", 0, "G", "A"), ("1", 99, "G", "A"), ("1", 3, "0", "A"), ("1", 3, "<DEL>", "A")]
    assert found(genome, panel, (0, 3, "G", "A")).panel_index.tolist() == [-1]
