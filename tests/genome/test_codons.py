"""Translation, and what changes of a spliced transcript do, each worked out by hand."""

import numpy as np
import pytest

from fineprior.genome.codons import BIT, MITOCHONDRIAL, STANDARD, TERMS, Message, coding_terms, terms_of, translate
from fineprior.genome.fasta import codes_of


def protein(sequence, code=STANDARD):
    return translate(codes_of(sequence), code).tobytes().decode()


def test_translation_is_that_of_the_genetic_code():
    assert (
        protein("ATGTTTCTTATTGTTTCTCCTACTGCTTATCATCAAAATAAAGATGAATGTTGGCGTAGTGGTTAATAGTGA")
        == "MFLIVSPTAYHQNKDECWRSG***"
    )
    assert protein("AGAAGGATATGAATT") == "RRI*I"
    assert protein("AGAAGGATATGAATT", MITOCHONDRIAL) == "**MWI"
    assert protein("ATGANGAC") == "MX"


def test_all_codons_of_an_amino_acid():
    """Numbers of codons by amino acid (NCBI, code 1)."""
    bases = "ACGT"
    counts = {}
    for codon in (a + b + c for a in bases for b in bases for c in bases):
        counts[protein(codon)] = counts.get(protein(codon), 0) + 1
    assert counts == {"A": 4, "R": 6, "N": 2, "D": 2, "C": 2, "Q": 2, "E": 2, "G": 4, "H": 2, "I": 3, "L": 6, "K": 2,
                      "M": 1, "F": 2, "P": 4, "S": 6, "T": 4, "W": 1, "Y": 2, "V": 4, "*": 3}  # fmt: skip


def test_a_set_with_a_more_severe_term_is_greater():
    assert [BIT[name] for name in TERMS] == sorted(BIT.values(), reverse=True)
    bits = BIT["missense_variant"] | BIT["splice_region_variant"] | BIT["stop_gained"]
    assert terms_of(bits) == "stop_gained&missense_variant&splice_region_variant"


UTR5, UTR3 = "GGCTA", "GCTTGAC"
CODING = "ATGGCTTGGAAATGCTAA"
"""M A W K C stop."""


def message(coding=CODING, phase=0, whole=True, code=STANDARD, utrs=(UTR5, UTR3)):
    start = len(utrs[0])
    return Message(codes_of(utrs[0] + coding + utrs[1]), start, start + phase, start + len(coding), whole, code)


def change(first, last, alternative, **more):
    """Terms of a change; positions count from the first coding base."""
    made = message(**more)
    return terms_of(coding_terms(made, made.start + first, made.start + last, codes_of(alternative)))


@pytest.mark.parametrize(
    ("first", "last", "alternative", "terms"),
    [
        (5, 6, "A", "synonymous_variant"),  # GCT, GCA: A
        (3, 4, "A", "missense_variant"),  # GCT, ACT
        (8, 9, "A", "stop_gained"),  # TGG, TGA
        (11, 14, "TAA", "missense_variant"),  # AAA TGC, AAT AAC
        (11, 13, "AG", "missense_variant"),  # AAA TGC, AAA GGC
        (14, 16, "AA", "stop_gained"),  # TGC TAA: TGA AAA
        (0, 1, "G", "start_lost"),
        (2, 3, "A", "start_lost"),
        (17, 18, "G", "stop_retained_variant"),  # TAA, TAG
        (15, 16, "C", "stop_lost"),  # TAA, CAA
        (3, 6, "", "inframe_deletion"),
        (4, 7, "", "inframe_deletion"),  # G|CTT|GG: GGG
        (6, 8, "", "frameshift_variant"),
        (9, 10, "", "frameshift_variant"),
        (6, 6, "GAC", "inframe_insertion"),
        (7, 7, "GCC", "inframe_insertion"),  # T|GCC|GG: TGC CGG
        (7, 7, "GAC", "stop_gained&inframe_insertion"),  # T|GAC|GG: TGA CGG
        (6, 6, "TAA", "stop_gained&inframe_insertion"),
        (7, 7, "AATC", "stop_gained&frameshift_variant"),  # T|AATC|GG: TAA TCG G
        (6, 6, "G", "frameshift_variant"),
        (4, 6, "AAAAA", "protein_altering_variant"),
        (15, 18, "", "stop_lost&inframe_deletion"),
        (16, 17, "", "stop_retained_variant"),  # T[A]A G: TAG
        (16, 16, "A", "stop_retained_variant"),  # T|A|AA: TAA
        (16, 16, "C", "frameshift_variant&stop_lost"),  # T|C|AA GC: TCA AGC TTG AC
        (15, 15, "GGC", "inframe_insertion"),
        (13, 16, "", "inframe_deletion&stop_retained_variant"),  # T[GCT]AA: TAA
        (14, 18, "GTAG", "missense_variant"),  # TGC TAA, TGG TAG
        (-3, 1, "", "start_lost"),
        (1, 2, "", "start_lost"),
        (-2, 1, "", "start_lost"),
        (2, 2, "GGCATG", "inframe_insertion"),  # AT|GGCATG|G: ATG GCA TGG
        (1, 1, "TGA", "start_retained_variant"),  # A|TGA|TGG...: the coding sequence is whole behind it
        (3, 3, "GG", "frameshift_variant"),
        (16, 20, "", "stop_lost"),  # T[AAGC]TTGAC
    ],
)
def test_changes_of_a_coding_sequence(first, last, alternative, terms):
    assert change(first, last, alternative) == terms


def test_the_first_codon_of_a_sequence_that_is_cut_is_no_start_codon():
    assert change(0, 1, "G", whole=False) == "missense_variant"


def test_a_sequence_that_begins_with_another_codon_has_no_start_to_lose():
    assert change(0, 1, "A", coding="CTGGCTTGGTAA") == "missense_variant"


def test_bases_before_the_first_whole_codon_and_behind_the_last():
    cut = {"coding": "GGCTTGGAAATGCTA", "phase": 2, "whole": False}  # GG CTT GGA AAT GCT A
    assert change(0, 1, "T", **cut) == "coding_sequence_variant"
    assert change(0, 1, "", **cut) == "frameshift_variant"
    assert change(2, 3, "T", **cut) == "missense_variant"  # CTT, TTT
    assert change(4, 5, "C", **cut) == "synonymous_variant"  # CTT, CTC
    assert change(14, 15, "C", **cut) == "incomplete_terminal_codon_variant&coding_sequence_variant"
    assert change(11, 12, "T", **cut) == "missense_variant"  # GCT, TCT: no stop codon to lose


def test_selenocysteine_is_an_amino_acid():
    with_selenium = {"coding": "ATGGCTTGAAAATGCTAA"}  # M A U K C stop
    assert change(8, 9, "C", **with_selenium) == "missense_variant"
    assert change(7, 8, "A", **with_selenium) == "synonymous_variant"  # TGA, TAA
    assert change(9, 10, "T", **with_selenium) == "stop_gained"
    assert change(7, 7, "C", **with_selenium) == "frameshift_variant"


def test_unknown_bases_are_not_translated():
    assert change(3, 4, "A", coding="ATGGNTTGGTAA") == "coding_sequence_variant"


def test_mitochondria_have_their_own_code():
    mitochondrial = {"coding": "ATAGCTTGAAAATAA", "code": MITOCHONDRIAL}
    assert change(8, 9, "G", **mitochondrial) == "synonymous_variant"  # TGA, TGG: W
    assert change(2, 3, "G", **mitochondrial) == "synonymous_variant"  # ATA, ATG: M
    assert change(2, 3, "C", **mitochondrial) == "start_lost"
    assert change(10, 11, "G", **mitochondrial) == "stop_gained"  # AAA, AGA


def test_every_change_of_one_base_by_the_proteins(tmp_path):
    """All substitutions of a random coding sequence, beside its two proteins."""
    rng = np.random.default_rng(9)
    inner = "".join(
        codon for codon in ("".join(rng.choice(list("ACGT"), 3)) for _ in range(60)) if protein(codon) != "*"
    )
    coding = f"ATG{inner}TGA"
    for at in range(3, len(coding)):
        for base in set("ACGT") - {coding[at]}:
            changed = coding[:at] + base + coding[at + 1 :]
            before, after = protein(coding), protein(changed)
            if before == after:
                expected = "stop_retained_variant" if at >= len(coding) - 3 else "synonymous_variant"
            elif after[-1] != "*":
                expected = "stop_lost"
            else:
                expected = "stop_gained" if "*" in after[:-1] else "missense_variant"
            assert change(at, at + 1, base, coding=coding) == expected
