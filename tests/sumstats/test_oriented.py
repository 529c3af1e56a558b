"""Alleles brought to the genome's strand and reference allele."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.located import locate
from fineprior.sumstats.oriented import Orientation, orient
from fineprior.sumstats.outcomes import ACTIONS
from fineprior.sumstats.rows import gather_rows
from sumstats.test_rows import frame

TURNED = {("C", "A"): "kept", ("A", "C"): "swapped", ("G", "T"): "strand", ("T", "G"): "strand_swapped"}


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(">1\nACGTTTTACAGATTACA\n")
    with Genome(tmp_path / "g.fa") as opened:
        yield opened


def oriented(genome, *lines):
    """Rows (pos, effect, other) in the order of their positions."""
    pos, effect, other = zip(*lines, strict=True)
    rows = frame(len(lines), pos=list(map(float, pos)), effect_allele=list(effect), other_allele=list(other))
    return orient(locate(gather_rows([rows], HarmoniseSettings(), "g.tsv"), genome, None, plink=False)[0], genome)


def spelled(stage):
    names = stage.rows.alleles.spellings
    return [(names[effect], names[other]) for effect, other in zip(stage.effect, stage.other, strict=True)]


@pytest.mark.parametrize(("alleles", "action"), TURNED.items())
def test_a_row_comes_to_the_strand_and_the_reference_allele_of_the_genome(genome, alleles, action):
    found = oriented(genome, (8, *alleles))
    assert spelled(found) == [("C", "A")]
    assert found.orientation.actions(slice(None)).to_list() == [action]
    assert not found.orientation.palindromic[0]


def test_palindromic_rows_are_taken_as_they_are_written(genome):
    found = oriented(genome, (8, "T", "A"), (9, "G", "C"), (15, "A", "T"))
    assert spelled(found) == [("T", "A"), ("G", "C"), ("T", "A")]
    assert found.orientation.palindromic.all()
    assert found.orientation.swapped.tolist() == [False, False, True]


def test_what_fits_on_no_strand_is_excluded(genome):
    found = oriented(genome, (8, "C", "A"), (8, "C", "G"), (14, "A", "TGTA"))
    assert len(found) == 1
    assert ACTIONS.keys() >= set(found.orientation.actions(slice(None)))
    with pytest.raises(InputError, match="1 reference_mismatch"):
        oriented(genome, (8, "C", "G"))


def test_insertions_and_deletions_are_left_aligned_and_may_have_two_references(genome):
    found = oriented(genome, (5, "TTT", "TTTT"), (14, "TACA", "T"))
    assert found.pos.tolist() == [3, 14]
    assert spelled(found) == [("GT", "G"), ("TACA", "T")]
    assert found.orientation.either_reference.tolist() == [False, True]  # as they are written
    assert found.orientation.left_aligned.tolist() == [True, False]
    assert found.orientation.indel.all()


def test_actions_are_counted_of_all_rows_or_of_some():
    no = np.zeros(4, bool)
    kind = Orientation(np.array([0, 1, 0, 1], bool), np.array([0, 0, 1, 1], bool), no, no, no, no, no)
    assert kind.actions(np.array([3, 0])).to_list() == ["strand_swapped", "kept"]
    assert kind.count_actions() == dict.fromkeys(ACTIONS, 1)
    assert list(kind.count_actions(np.array([1, 1, 0, 0], bool)).values()) == [1, 1, 0, 0]
