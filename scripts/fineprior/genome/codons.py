"""Codons: translation, and what a change of a spliced transcript does to its protein.

Terms are those of the Sequence Ontology, in Ensembl's order of severity
(https://www.ensembl.org/info/genome/variation/prediction/predicted_data.html). A set of terms is a number with a bit
for each, the more severe the higher: sets are joined by `|`, and of two the one with the more severe term is greater.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.genome.fasta import BASES, UNKNOWN

Codes = NDArray[np.uint8]

TERMS = (
    "transcript_ablation", "splice_acceptor_variant", "splice_donor_variant", "stop_gained", "frameshift_variant",
    "stop_lost", "start_lost", "inframe_insertion", "inframe_deletion", "missense_variant", "protein_altering_variant",
    "splice_region_variant", "incomplete_terminal_codon_variant", "start_retained_variant", "stop_retained_variant",
    "synonymous_variant", "coding_sequence_variant", "5_prime_UTR_variant", "3_prime_UTR_variant",
    "non_coding_transcript_exon_variant", "intron_variant", "NMD_transcript_variant", "non_coding_transcript_variant",
    "upstream_gene_variant", "downstream_gene_variant", "intergenic_variant",
)  # fmt: skip
"""The terms that a variant can have, the most severe first."""
BIT = {name: 1 << place for place, name in enumerate(reversed(TERMS))}

_STOP, _START, _UNKNOWN_AMINO_ACID = ord("*"), ord("M"), ord("X")
_AMINO_ACIDS = b"KNKNTTTTRSRSIIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSS*CWCLFLF"
"""Of the codons AAA, AAC, AAG, AAT, ACA to TTT."""


def _code(changed: dict[str, str]) -> Codes:
    amino_acids = np.frombuffer(_AMINO_ACIDS, np.uint8).copy()
    for codon, amino_acid in changed.items():
        first, second, third = (BASES.index(base) for base in codon)
        amino_acids[16 * first + 4 * second + third] = ord(amino_acid)
    return amino_acids


STANDARD = _code({})
MITOCHONDRIAL = _code({"AGA": "*", "AGG": "*", "ATA": "M", "TGA": "W"})
"""Amino acid of each codon in the genetic codes 1 and 2 of the NCBI."""


def terms_of(bits: int) -> str:
    """Names of the terms of a set, the most severe first, joined by `&`."""
    return "&".join(name for name in TERMS if bits & BIT[name])


def translate(codes: Codes, code: Codes = STANDARD) -> Codes:
    """Amino acids (n // 3,), as ASCII, of a sequence of n bases: X where a base is unknown; a rest is left out."""
    codons = codes[: len(codes) // 3 * 3].reshape(-1, 3).astype(np.intp)
    known = (codons < UNKNOWN).all(axis=1)
    return np.where(known, code[np.where(known, codons @ np.array([16, 4, 1]), 0)], _UNKNOWN_AMINO_ACID).astype(
        np.uint8
    )


def is_start(codon: Codes, code: Codes = STANDARD) -> bool:
    """Whether three bases are a start codon: one of methionine."""
    return bool((translate(codon, code) == _START).any())


@dataclass(frozen=True)
class Message(ReadOnly):
    """A spliced transcript, from 5' to 3': codes of its bases (n,), and which of them are coding.

    `start`: first coding base; `begin`: first base of the first whole codon; `end`: behind the last coding base
    (of the stop codon); `whole_start`: the annotation has the coding sequence from its start; `code`: genetic code.
    """

    codes: Codes
    start: int
    begin: int
    end: int
    whole_start: bool
    code: Codes

    @cached_property
    def has_start(self) -> bool:
        """Whether the coding sequence is known from its start, and begins with a start codon."""
        return self.whole_start and is_start(self.codes[self.begin : self.begin + 3], self.code)

    @cached_property
    def last(self) -> int:
        """First base behind the last whole codon."""
        return self.begin + max(self.end - self.begin, 0) // 3 * 3

    @cached_property
    def has_stop(self) -> bool:
        """Whether the last whole codon is a stop codon."""
        return bool((self.translated(self.codes, self.last - 3, self.last) == _STOP).any())

    def translated(self, codes: Codes, first: int, last: int) -> Codes:
        """Amino acids from a base to another, in this transcript's genetic code."""
        return translate(codes[max(first, 0) : max(last, 0)], self.code)


def coding_terms(message: Message, first: int, last: int, alternative: Codes) -> int:
    """Terms of a change of which one base at least is coding.

    Parameters
    ----------
    message
        The transcript.
    first, last
        The bases that are replaced, in the transcript: last is exclusive, and equal to first for an insertion.
    alternative
        Codes of the bases in their place, from 5' to 3'; without what they have in common with those at either end.

    Returns
    -------
    Bits of terms. A change of the start codon that leaves none is start_lost alone, for nothing behind it is translated
    as before. A stop codon within the coding sequence (selenocysteine) is an amino acid as any other.
    """
    changed = np.concatenate([message.codes[:first], alternative, message.codes[last:]])
    shift = len(alternative) - (last - first)
    if message.has_start and first < message.begin + 3 and (started := _start_terms(message, changed, first)):
        return started
    if first < message.begin:  # within a codon of which the annotation has no more
        return BIT["frameshift_variant" if shift % 3 and first >= message.start else "coding_sequence_variant"]
    begin = message.begin + (first - message.begin) // 3 * 3
    end = message.begin - (message.begin - last) // 3 * 3
    if message.has_stop and last > message.last - 3:
        return _stop_terms(message, changed, begin, last, shift)
    if end > message.last:
        return BIT["incomplete_terminal_codon_variant"] | BIT["coding_sequence_variant"]
    before = message.translated(message.codes, begin, end)
    after = message.translated(changed, begin, end + shift)
    return _protein_terms(before, after, shift, first < last and len(alternative) > 0)


def _protein_terms(before: Codes, after: Codes, shift: int, replaced: bool) -> int:
    """Terms of the amino acids of some codons, before and after a change that makes the sequence longer by `shift`."""
    gained = BIT["stop_gained"] if (after == _STOP).sum() > (before == _STOP).sum() else 0
    if shift % 3:
        return gained | BIT["frameshift_variant"]
    if _UNKNOWN_AMINO_ACID in before or _UNKNOWN_AMINO_ACID in after:
        return BIT["coding_sequence_variant"]
    if shift == 0:
        return BIT["synonymous_variant"] if (before == after).all() else gained or BIT["missense_variant"]
    kind = "protein_altering_variant" if replaced else "inframe_insertion" if shift > 0 else "inframe_deletion"
    return gained | BIT[kind]


def _start_terms(message: Message, changed: Codes, first: int) -> int:
    """start_lost, start_retained_variant, or 0 where a start codon is as it was and what follows is to be looked at."""
    behind = message.codes[message.begin :]
    if len(changed) >= len(behind) and (changed[len(changed) - len(behind) :] == behind).all():
        return BIT["start_retained_variant"]
    if first < message.begin or not is_start(changed[message.begin : message.begin + 3], message.code):
        return BIT["start_lost"]
    return 0


def _stop_terms(message: Message, changed: Codes, begin: int, last: int, shift: int) -> int:
    """Terms of a change that touches the stop codon, the last of the coding sequence."""
    before = message.translated(message.codes, begin, message.last)
    after = message.translated(changed, begin, len(changed))
    stops = np.flatnonzero(after == _STOP)
    if len(stops) and len(before) == stops[0] + 1 and (after[: stops[0] + 1] == before).all():
        return BIT["stop_retained_variant"]
    window = after[: max(message.last + shift - begin + 2, 0) // 3]
    if shift == 0 and (window[:-1] == _STOP).any():
        return BIT["stop_gained"]
    if shift == 0 and last <= message.end and window[-1] == _STOP:
        return BIT["missense_variant"]
    terms = BIT["stop_retained_variant" if (window == _STOP).any() else "stop_lost"]
    if last > message.end or shift == 0:
        return terms
    return terms | BIT["frameshift_variant" if shift % 3 else "inframe_insertion" if shift > 0 else "inframe_deletion"]
