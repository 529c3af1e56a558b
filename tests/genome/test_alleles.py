import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fineprior.genome import alleles as module
from fineprior.genome.alleles import BAD, CODED, Alleles, compare, left_align
from fineprior.genome.fasta import Genome, codes_of


def test_bases_are_0_to_3_and_case_does_not_matter():
    alleles = Alleles()
    numbers = alleles.encode(pd.Series(["A", "c", "G", "t", None, "AC", "ac", "N", "<DEL>", "-", "d", "A,C", ""]))
    assert numbers[[0, 2, 4]].tolist() == [0, 2, -1]
    known = numbers[numbers >= 0]
    plain = alleles.plain(known)
    assert plain[:4].tolist() == [0, 1, 2, 3]
    assert plain[4] == plain[5] == alleles.number("AC")
    assert plain[6:].tolist() == [BAD, CODED, CODED, CODED, BAD, BAD]
    assert [alleles.spellings[number] for number in known][:6] == ["A", "c", "G", "t", "AC", "ac"]
    assert alleles.encode(pd.Series(["ac", "A"])).tolist() == [known[5], 0]


def test_numbers_met_later_are_known_by_every_table():
    alleles = Alleles()
    first = alleles.encode(pd.Series(["AC"]))
    assert alleles.lengths(first).tolist() == [2]
    second = alleles.encode(pd.Series(["AACC"]))
    assert alleles.lengths(second).tolist() == [4]
    assert alleles.ranks(np.concatenate([first, second])).tolist() == [2, 1]


REFERENCE = "ACGTTTTACAGCACACAGGN"


@pytest.mark.parametrize(
    ("pos", "first", "second", "expected"),
    [
        (7, "T", "TT", (3, "G", "GT")),
        (4, "TT", "T", (3, "GT", "G")),
        (3, "G", "GT", (3, "G", "GT")),
        (5, "TTA", "TTTA", (3, "G", "GT")),
        (14, "CAC", "C", (11, "GCA", "G")),
        (15, "A", "ACA", (11, "G", "GCA")),
        (8, "ACA", "AGA", (9, "C", "G")),
        (2, "CG", "CT", (3, "G", "T")),
        (1, "A", "AA", (1, "A", "AA")),
        (8, "AC", "GT", (8, "AC", "GT")),
    ],
)
def test_the_shortest_and_leftmost_spelling(pos, first, second, expected):
    assert left_align(pos, first, second, codes_of(REFERENCE)) == expected
    start, one, other = left_align(pos, second, first, codes_of(REFERENCE))
    assert (start, other, one) == expected


def test_an_unknown_base_ends_the_way_to_the_left():
    assert left_align(4, "T", "TT", codes_of("ANTT")) == (3, "T", "TT")


def haplotype(reference, pos, ref, alt):
    assert reference[pos - 1 : pos - 1 + len(ref)] == ref
    return reference[: pos - 1] + alt + reference[pos - 1 + len(ref) :]


@pytest.mark.slow
@given(st.text("AC", min_size=12, max_size=30), st.data())
def test_every_spelling_of_a_change_becomes_the_same_one(reference, data):
    pos = data.draw(st.integers(2, len(reference) - 6))
    ref = reference[pos - 1 : pos - 1 + data.draw(st.integers(1, 4))]
    alt = data.draw(st.text("AC", min_size=1, max_size=4).filter(lambda allele: allele != ref))
    start, short_ref, short_alt = left_align(pos, ref, alt, codes_of(reference))
    changed = haplotype(reference, pos, ref, alt)
    assert haplotype(reference, start, short_ref, short_alt) == changed
    assert left_align(start, short_ref, short_alt, codes_of(reference)) == (start, short_ref, short_alt)
    others = [  # all spellings of the same change with up to four bases of context on each side
        (pos - left, reference[pos - 1 - left : pos - 1] + ref + reference[pos - 1 + len(ref) :][:right],
         reference[pos - 1 - left : pos - 1] + alt + reference[pos - 1 + len(ref) :][:right])
        for left in range(min(pos, 5)) for right in range(5)
    ]  # fmt: skip
    assert {left_align(*other, codes_of(reference)) for other in others} == {(start, short_ref, short_alt)}


def test_comparison_with_the_genome_across_blocks_and_contigs(tmp_path, monkeypatch):
    sequences = {"1": "ACGT" * 200 + "T" * 5000 + "ACG", "2": "GATTACA"}
    text = "".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items())
    (tmp_path / "g.fa").write_text(text)
    monkeypatch.setattr(module, "_BLOCK", 64)
    monkeypatch.setattr(module, "_MARGIN", 8)
    lines = [(0, 1, "A", "C"), (0, 64, "T", "A"), (0, 126, "CGT", "C"), (0, 5800, "T", "TT"), (1, 2, "AT", "A"),
             (1, 7, "AC", "A")]  # fmt: skip
    alleles = Alleles()
    contig, pos, first, second = map(list, zip(*lines, strict=True))
    with Genome(tmp_path / "g.fa") as genome:
        found = compare(
            genome, np.array(contig, np.int32), np.array(pos, np.int32), alleles.encode(pd.Series(first)),
            alleles.encode(pd.Series(second)), alleles,
        )  # fmt: skip
    assert found.first_agrees.tolist() == [True, True, True, True, True, False]
    assert found.second_agrees.tolist() == [False, False, True, False, True, True]
    spelled = [(p, alleles.spellings[a], alleles.spellings[b])
               for p, a, b in zip(found.pos, found.first, found.second, strict=True)]  # fmt: skip
    assert spelled[3] == (799, "G", "GT")  # moved over thousands of bases, whatever the blocks
    assert spelled[:3] == [(1, "A", "C"), (64, "T", "A"), (126, "CGT", "C")]
    assert spelled[4:] == [(2, "AT", "A"), (7, "AC", "A")]
