"""Sequence windows around variants: one slab of bases per locus, of which every window is a slice."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path
from fineprior.genome.fasta import UNKNOWN, Genome, codes_of
from fineprior.project.settings import WindowSettings

SCORED, TOO_LONG, NOT_ACGT, UNKNOWN_BASE, ALL_N = "scored", "too_long", "not_acgt", "unknown_base", "all_n"
SCREENED = "screened"
_ONE_HOT = np.eye(5, 4, dtype=np.float32)
_SHOWN = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocusSequences(ReadOnly):
    """The bases around the variants of a batch of loci.

    Attributes
    ----------
    sequence
        Codes (bases,) of the slabs of all loci, one after the other; each goes on beyond its windows on both sides.
    variant_id
        Text array (variants,); a variant that two loci share occurs once.
    status
        (variants,) `scored`, or why the variant has no score: `too_long` (an allele is longer than
        `windows.max_indel_length`), `not_acgt` (an allele has other letters), `unknown_base` (the genome has N or an
        IUPAC code within the reference allele), `all_n` (no base around the alleles is known).
    swapped
        (variants,) the genome has the alternative allele: `removed` is then its, `inserted` the reference allele's.
    offset
        (variants,) first base of each variant's window in `sequence`.
    origin
        (variants,) 0-based position on the chromosome of `sequence[0]`, if the variant's slab went on that far.
    site, removed, inserted
        (variants,) what changes, without the bases that both alleles share at their ends: index of the first base in
        `sequence`, number of bases that go, and the bases that come instead (text, may be empty).
    context_length
        Length of a window (bp).
    """

    sequence: NDArray[np.uint8]
    variant_id: NDArray[np.str_]
    status: NDArray[np.str_]
    swapped: NDArray[np.bool_]
    offset: NDArray[np.int64]
    origin: NDArray[np.int64]
    site: NDArray[np.int64]
    removed: NDArray[np.int64]
    inserted: NDArray[np.str_]
    context_length: int

    def reference(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Codes (rows, context_length) of the windows with the allele that the genome has."""
        windows: NDArray[np.uint8] = sliding_window_view(self.sequence, self.context_length)[self.offset[rows]]
        return windows

    def alternative(self, rows: NDArray[np.int64], anchor: Literal["left", "right"] = "left") -> NDArray[np.uint8]:
        """Codes (rows, context_length) of the windows with the other allele.

        An insertion or deletion moves one side of its window: `anchor` names the side that stays where it is in the
        reference window. The other side is made up by what the genome has there; nothing is padded.
        """
        windows = np.empty((len(rows), self.context_length), np.uint8)
        for window, row in zip(windows, rows, strict=True):
            allele = codes_of(str(self.inserted[row]))
            site, start, removed = int(self.site[row]), int(self.offset[row]), int(self.removed[row])
            end = start + self.context_length
            net = len(allele) - removed
            first, last = (start, end - net) if anchor == "left" else (start + net, end)
            window[:] = np.concatenate([self.sequence[first:site], allele, self.sequence[site + removed : last]])
        return windows

    def net(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bases (rows,) that the other allele has more than the genome's."""
        return np.char.str_len(self.inserted[rows]).astype(np.int64) - self.removed[rows]

    def left_bins(self, rows: NDArray[np.int64], bin_size: int) -> NDArray[np.int64]:
        """How many bins (rows,), from the window's first, are read from the left-anchored window (stitching).

        Bins left of the variant are, and bins right of it are read from the right-anchored one: the other allele then
        has in each of them what the genome has. Of the variant's own bin, a deletion leaves the larger part in place in
        one of the two windows, which is taken. An insertion is read where all of it is in that bin: left-anchored it
        grows to the right, right-anchored to the left, and between the two a motif that it brings would be lost.
        """
        middle = self.site[rows] + self.removed[rows] // 2 - self.offset[rows]
        own, within = np.divmod(middle, bin_size)
        bins: NDArray[np.int64] = own + ((within < bin_size // 2) == (self.net(rows) > 0))
        return bins

    def first_bin(
        self, rows: NDArray[np.int64], bin_size: int, target_bins: int, centre_bins: int
    ) -> NDArray[np.int64]:
        """First (rows,) of the `centre_bins` target bins that are read: those around the variant."""
        crop = (self.context_length // bin_size - target_bins) // 2
        place = (self.site[rows] - self.offset[rows] + 0.5) / bin_size - crop - centre_bins / 2
        # A variant in the middle of its window has the middle bins, whichever base of its allele changes first.
        close = np.abs(self.site[rows] - self.offset[rows] - self.context_length // 2) < bin_size // 2
        first = np.where(close, (target_bins - centre_bins) // 2, np.floor(place + 0.5).astype(np.int64))
        return np.clip(first, 0, target_bins - centre_bins)

    def moved(self, shift: int) -> "LocusSequences":
        """The same variants in windows that begin `shift` bases further left."""
        return dataclasses.replace(self, offset=self.offset - shift)


def window_start(pos: NDArray[np.int64], context_length: int, max_offset: int = 0) -> NDArray[np.int64]:
    """First base (0-based) of the windows of variants at `pos` (1-based).

    With `max_offset` 0 the variant's first base stands at index `context_length // 2`, the first base right of the
    middle. Basenji and DeepMind's Enformer notebook have it one base further left. The reverse complement of a window
    has it there, so that the two strands together read the sequence symmetrically around the variant.

    Otherwise windows begin at multiples of 2 `max_offset` on the chromosome, whatever variants there are, and the
    variant is at most `max_offset` from that place: neighbours share a window.
    """
    centred = np.asarray(pos, np.int64) - 1 - context_length // 2
    if max_offset == 0:
        return centred
    step = 2 * max_offset
    return (centred + max_offset) // step * step


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Codes (...) as float32 (..., 4) in the order A, C, G, T.

    N, IUPAC codes and what lies beyond a contig are zeros, as in DeepMind's enformer.py; its usage notebook has 0.25
    (kipoiseq). Zeros stay zeros in the reverse complement, which is the array with both of its last axes reversed.
    """
    encoded: NDArray[np.float32] = _ONE_HOT[codes]
    return encoded


def locus_sequences(
    variants: pd.DataFrame, genome: Genome, context_length: int, settings: WindowSettings | None = None
) -> LocusSequences:
    """Cut the slab of each locus and place the windows of its variants in it.

    Parameters
    ----------
    variants
        Table LOCUS_VARIANTS.
    genome
        Reference genome; what a window has beyond the ends of a contig counts as unknown.
    context_length
        Length of a window (bp).
    settings
        Defaults of `windows` when there are none.

    Raises
    ------
    InputError
        A reference allele is not what the genome has there (count and the first ten), a variant lies beyond its
        contig, the genome has no such contig, or the settings leave too little of a window.
    """
    settings = settings or WindowSettings()
    if settings.max_offset + settings.max_indel_length + settings.shift > context_length // 4:
        raise InputError(
            f"windows: max_offset {settings.max_offset} + max_indel_length {settings.max_indel_length} + shift "
            f"{settings.shift} are more than a quarter of a window of {context_length} bp"
        )
    variants = variants.drop_duplicates("variant_id")
    if len(variants):
        _check_inside(variants, genome)
    flank = settings.max_indel_length + settings.shift
    slabs = [np.full(context_length, UNKNOWN, np.uint8)]  # so that a batch without variants has a window too
    offset, origin = np.zeros(len(variants), np.int64), np.zeros(len(variants), np.int64)
    begin = context_length
    row = 0
    for _, locus in variants.groupby("locus", sort=False):
        starts = window_start(locus["pos"].to_numpy(), context_length, settings.max_offset)
        first, last = int(starts.min()) - flank, int(starts.max()) + context_length + flank
        slabs.append(genome.codes(locus["chrom"].iloc[0], first, last))
        offset[row : row + len(locus)] = begin + starts - first
        origin[row : row + len(locus)] = first - begin
        begin, row = begin + last - first, row + len(locus)
    sequence = np.concatenate(slabs)
    site = variants["pos"].to_numpy(np.int64) - 1 - origin
    alleles = _Alleles.of(variants, sequence, site, str(genome.path), settings)
    status = alleles.status(sequence, settings.max_indel_length)
    known = np.concatenate([[0], np.cumsum(sequence != UNKNOWN)])
    end = offset + context_length
    beside = np.minimum(alleles.site + alleles.removed, end)
    around = known[end] - known[beside] + known[np.minimum(alleles.site, end)] - known[offset]
    status = np.where((status == SCORED) & (around == 0), ALL_N, status)
    for reason in (TOO_LONG, NOT_ACGT, UNKNOWN_BASE, ALL_N):
        if count := int((status == reason).sum()):
            logger.warning("%d of %d variants are not scored: %s", count, len(status), reason)
    names = variants["variant_id"].to_numpy(dtype=np.str_)
    return LocusSequences(sequence, names, status, alleles.swapped, offset, origin, alleles.site, alleles.removed,
                          alleles.inserted, context_length)  # fmt: skip


@dataclass(frozen=True)
class _Alleles:
    """What the genome has and what comes instead, trimmed (see `LocusSequences`)."""

    swapped: NDArray[np.bool_]
    site: NDArray[np.int64]
    removed: NDArray[np.int64]
    inserted: NDArray[np.str_]
    plain: NDArray[np.bool_]

    @classmethod
    def of(
        cls, variants: pd.DataFrame, sequence: NDArray[np.uint8], site: NDArray[np.int64], where: str,
        settings: WindowSettings,
    ) -> "_Alleles":  # fmt: skip
        ref, alt = (variants[name].str.upper().to_numpy(dtype=object) for name in ("ref", "alt"))
        plain = np.array([not set(one + two) - set("ACGT") for one, two in zip(ref, alt, strict=True)], bool)
        swapped = np.zeros(len(site), bool)
        wrong = []
        for row in np.flatnonzero(plain).tolist():
            if _agrees(ref[row], sequence, site[row]):
                continue
            swapped[row] = settings.reference_mismatch == "swap" and _agrees(alt[row], sequence, site[row])
            if not swapped[row]:
                wrong.append(row)
        _stop_at_wrong(wrong, variants, sequence, site, where)
        if swapped.any():
            logger.info("%d of %d variants: the genome has the alternative allele, scored with exchanged alleles",
                        int(swapped.sum()), len(swapped))  # fmt: skip
        trimmed = [
            _trim(*((two, one) if turn else (one, two))) if good else (0, 0, "")
            for one, two, turn, good in zip(ref, alt, swapped, plain, strict=True)
        ]
        shared, removed, inserted = ([row[part] for row in trimmed] for part in range(3))
        return cls(swapped, site + np.array(shared, np.int64), np.array(removed, np.int64),
                   np.array(inserted, np.str_), plain)  # fmt: skip

    def status(self, sequence: NDArray[np.uint8], longest: int) -> NDArray[np.str_]:
        """Status (variants,) as far as the alleles decide it."""
        arriving = np.char.str_len(self.inserted)
        single = (self.removed == 1) & (arriving == 1)
        too_long = ~single & (np.maximum(self.removed, arriving) > longest)
        known = np.concatenate([[0], np.cumsum(sequence != UNKNOWN)])
        last = np.minimum(self.site + self.removed, len(sequence))
        unknown = known[last] - known[self.site] < last - self.site
        return np.select([~self.plain, too_long, unknown], [NOT_ACGT, TOO_LONG, UNKNOWN_BASE], SCORED)


def _agrees(allele: str, sequence: NDArray[np.uint8], at: int) -> bool:
    """Whether the genome has this allele; an unknown base contradicts nothing."""
    found = sequence[at : at + len(allele)]
    expected = codes_of(allele)[: len(found)]
    return bool(((found == expected) | (found == UNKNOWN)).all())


def _trim(old: str, new: str) -> tuple[int, int, str]:
    """Bases shared at the left, then the length of the rest of `old` and the rest of `new`, without shared ends."""
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    shared = 0
    while shared < min(len(old), len(new)) and old[shared] == new[shared]:
        shared += 1
    return shared, len(old) - shared, new[shared:]


def _check_inside(variants: pd.DataFrame, genome: Genome) -> None:
    lengths = {chrom: genome.contigs[genome.resolve(chrom)] for chrom in variants["chrom"].unique()}
    end = variants["pos"] + variants["ref"].str.len() - 1
    outside = variants[(variants["pos"] < 1) | (end > variants["chrom"].map(lengths))]
    if len(outside):
        name, chrom = outside[["variant_id", "chrom"]].iloc[0]
        raise InputError(
            f"{genome.path}: {len(outside)} of {len(variants)} variants lie beyond the end of their contig, the first "
            f"is {name} ('{chrom}' has {lengths[chrom]} bp); another genome build?"
        )


def _stop_at_wrong(
    wrong: list[int], variants: pd.DataFrame, sequence: NDArray[np.uint8], index: NDArray[np.int64], where: str
) -> None:
    if not wrong:
        return
    shown = [
        f"{variants['variant_id'].iloc[row]} has "
        + "".join("ACGTN"[code] for code in sequence[index[row] : index[row] + len(variants["ref"].iloc[row])])
        for row in wrong[:_SHOWN]
    ]
    raise InputError(
        f"{where}: the reference allele of {len(wrong)} of {len(variants)} variants is not what the genome has there: "
        f"{', '.join(shown)}{', ...' if len(wrong) > _SHOWN else ''}; another genome build, or alleles not aligned to "
        "this FASTA (windows.reference_mismatch: swap scores those whose alternative allele it has)"
    )


def write_sequences(sequences: LocusSequences, path: str | Path) -> None:
    """Write as npz; the same sequences give the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(sequences))


def read_sequences(path: str | Path) -> LocusSequences:
    """Read what `write_sequences` wrote; an InputError where the file is damaged."""
    with checked(path, "a file of sequences"), np.load(path, allow_pickle=False) as arrays:
        fields = {name: arrays[name] for name in arrays.files}
        return LocusSequences(**fields | {"context_length": int(fields["context_length"])})
