"""Sequence windows around variants: one slab of bases per locus, of which every window is a slice."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path
from fineprior.genetics.genome import UNKNOWN, Genome, codes_of

SCORED, INDEL, ALL_N = "scored", "indel", "all_n"
_ONE_HOT = np.eye(5, 4, dtype=np.float32)
_SHOWN = 10


@dataclass(frozen=True)
class LocusSequences:
    """The bases around the variants of a batch of loci.

    Attributes
    ----------
    sequence
        Codes (bases,) of the slabs of all loci, one after the other.
    variant_id, ref, alt
        Text arrays (variants,); a variant that two loci share occurs once.
    status
        (variants,) `scored`, or why the variant has no score: `indel` (alleles of different length) or
        `all_n` (no base around the alleles is known).
    offset
        (variants,) first base of each variant's window in `sequence`.
    context_length
        Length of a window (bp).
    """

    sequence: NDArray[np.uint8]
    variant_id: NDArray[np.str_]
    ref: NDArray[np.str_]
    alt: NDArray[np.str_]
    status: NDArray[np.str_]
    offset: NDArray[np.int64]
    context_length: int

    def reference(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Codes (rows, context_length) of the windows with the reference allele."""
        windows: NDArray[np.uint8] = sliding_window_view(self.sequence, self.context_length)[self.offset[rows]]
        return windows

    def alternative(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Codes (rows, context_length) of the windows with the alternative allele."""
        windows = self.reference(rows)
        for window, row in zip(windows, rows, strict=True):
            place(window, str(self.alt[row]))
        return windows


def window_start(pos: NDArray[np.int64], context_length: int) -> NDArray[np.int64]:
    """First base (0-based) of the windows centred on variants at `pos` (1-based).

    The variant's first base stands at index `context_length // 2`, the first base right of the middle. Basenji and
    DeepMind's Enformer notebook have it one base further left. The reverse complement of a window has it there, so
    that the two strands together read the sequence symmetrically around the variant.
    """
    return np.asarray(pos, np.int64) - 1 - context_length // 2


def place(window: NDArray[np.uint8], allele: str) -> None:
    """Write an allele's bases into a variant's window (context_length,), in place."""
    centre = len(window) // 2
    codes = codes_of(allele)[: len(window) - centre]
    window[centre : centre + len(codes)] = codes


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Codes (...) as float32 (..., 4) in the order A, C, G, T.

    N and what lies beyond a contig are zeros, as in DeepMind's enformer.py; its usage notebook has 0.25 (kipoiseq).
    Zeros stay zeros in the reverse complement, which is the array with both of its last axes reversed.
    """
    encoded: NDArray[np.float32] = _ONE_HOT[codes]
    return encoded


def locus_sequences(variants: pd.DataFrame, genome: Genome, context_length: int) -> LocusSequences:
    """Cut the slab of each locus and place the windows of its variants in it.

    Parameters
    ----------
    variants
        Table LOCUS_VARIANTS.
    genome
        Reference genome; what a window has beyond the ends of a contig counts as unknown.
    context_length
        Length of a window (bp).

    Raises
    ------
    InputError
        A reference allele is not what the genome has there (count and the first ten), or the genome has no
        such contig.
    """
    variants = variants.drop_duplicates("variant_id")
    slabs = [np.full(context_length, UNKNOWN, np.uint8)]  # so that a batch without variants has a window too
    offset = np.zeros(len(variants), np.int64)
    begin = context_length
    row = 0
    for _, locus in variants.groupby("locus", sort=False):
        starts = window_start(locus["pos"].to_numpy(), context_length)
        first, last = int(starts.min()), int(starts.max()) + context_length
        slabs.append(genome.codes(locus["chrom"].iloc[0], first, last))
        offset[row : row + len(locus)] = begin + starts - first
        begin, row = begin + last - first, row + len(locus)
    sequence = np.concatenate(slabs)
    ref, alt = (variants[name].to_numpy(dtype=np.str_) for name in ("ref", "alt"))
    names = variants["variant_id"].to_numpy(dtype=np.str_)
    centre = offset + context_length // 2
    check_reference(names, ref, sequence, centre, str(genome.path))
    status = np.where(np.char.str_len(ref) == np.char.str_len(alt), SCORED, INDEL)
    known = np.concatenate([[0], np.cumsum(sequence != UNKNOWN)])
    allele_end = np.minimum(centre + np.char.str_len(ref), offset + context_length)
    around = known[offset + context_length] - known[allele_end] + known[centre] - known[offset]
    status = np.where((status == SCORED) & (around == 0), ALL_N, status)
    return LocusSequences(sequence, names, ref, alt, status, offset, context_length)


def check_reference(
    variant_id: NDArray[np.str_],
    ref: NDArray[np.str_],
    sequence: NDArray[np.uint8],
    index: NDArray[np.int64],
    where: str,
) -> None:
    """Hold reference alleles (variants,) against the bases at their `index` in a sequence of codes.

    Raises
    ------
    InputError
        If any differs: how many, and the first ten with the bases found.
    """
    wrong = []
    for name, allele, at in zip(variant_id, ref, index, strict=True):
        found = sequence[at : at + len(allele)]
        if not np.array_equal(codes_of(str(allele))[: len(found)], found):
            wrong.append(f"{name} has {''.join('ACGTN'[code] for code in found)}")
    if wrong:
        more = ", ..." if len(wrong) > _SHOWN else ""
        raise InputError(
            f"{where}: the reference allele of {len(wrong)} of {len(variant_id)} variants is not what the genome has "
            f"there: {', '.join(wrong[:_SHOWN])}{more}; another genome build, or alleles not aligned to this FASTA"
        )


def write_sequences(sequences: LocusSequences, path: str | Path) -> None:
    """Write as npz; the same sequences give the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(sequences))


def read_sequences(path: str | Path) -> LocusSequences:
    """Read what `write_sequences` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        fields = {name: arrays[name] for name in arrays.files}
    return LocusSequences(**fields | {"context_length": int(fields["context_length"])})
