"""What variants do to the transcripts that they lie in: terms of the Sequence Ontology.

Where a variant lies in a transcript follows Ensembl's definitions: a splice site is two bases of an intron, the splice
region the three bases of the exon before it and the third to eighth of the intron; an intron of up to twelve bases is
taken for a gap of an alignment and has neither; upstream and downstream reach 5,000 bases. What it does to the protein
is in `codons`. Alleles are taken where they stand: an insertion or deletion within a repeat is not moved.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fineprior.files.arrays import Integers
from fineprior.genome.codons import BIT, MITOCHONDRIAL, STANDARD, Codes, Message, coding_terms, terms_of
from fineprior.genome.contigs import plain_name
from fineprior.genome.fasta import Genome, codes_of, reverse_complement
from fineprior.genome.genes import Genes
from fineprior.genome.stretches import Stretches

NEAR = 5000
"""Bases beyond a transcript in which a variant counts as upstream or downstream of it."""
_GAP, _SITE, _OF_EXON, _OF_INTRON = 12, 2, 3, 8
_CODING = 1 << 40
"""Bit of coding bases, which is not a term."""
_SITES = BIT["splice_donor_variant"] | BIT["splice_acceptor_variant"]
_UNTRANSLATED = BIT["5_prime_UTR_variant"] | BIT["3_prime_UTR_variant"]
_NMD = "nonsense_mediated_decay"


def consequences(variants: pd.DataFrame, genes: Genes, genome: Genome) -> pd.DataFrame:
    """Nearest gene and most severe consequence of each variant.

    Parameters
    ----------
    variants
        Columns chrom (as the FASTA names it), pos (1-based), ref, alt; n rows.

    Returns
    -------
    Table of n rows with the index of `variants`. gene: name of the nearest gene, NA on a contig without one;
    gene_distance: bp to it, 0 within it; transcript: the one with the most severe term, of several the nearest, then
    the first in the order of `Genes.transcripts` (canonical first), NA where there is none within 5,000 bases;
    consequence: its terms joined by `&`, the most severe first, or `intergenic_variant`. A variant within several genes
    has the gene of the transcript.
    """
    count = len(variants)
    gene, distance = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    best, chosen = np.full(count, BIT["intergenic_variant"]), np.full(count, -1, np.int64)
    away = np.full(count, NEAR + 1)
    for contig, rows, first, last, alternative in by_contig(variants):
        gene[rows], distance[rows] = genes.nearest(contig, first, last)
        for transcript, here, bits, far in effects(contig, first, last, alternative, genes, genome):
            at = rows[here]
            severe, known = np.frexp(bits)[1], np.frexp(best[at])[1]
            better = (severe > known) | ((severe == known) & (far < away[at]))
            at = at[better]
            best[at], chosen[at], away[at] = bits[better], transcript, far[better]
    inside = (chosen >= 0) & (away == 0)
    gene[inside], distance[inside] = genes.transcripts["gene"].to_numpy()[chosen[inside]], 0
    names = {int(bits): terms_of(int(bits)) for bits in np.unique(best)}
    return pd.DataFrame(
        {
            "gene": _picked(genes.genes["gene"], gene),
            "gene_distance": pd.array(np.where(gene >= 0, distance, 0), "Int64"),
            "consequence": [names[int(bits)] for bits in best],
            "transcript": _picked(genes.transcripts["transcript"], chosen),
        },
        index=variants.index,
    ).assign(gene_distance=lambda made: made["gene_distance"].mask(gene < 0))


def effects(
    contig: str, first: Integers, last: Integers, alternative: list[str], genes: Genes, genome: Genome
) -> Iterator[tuple[int, Integers, Integers, Integers]]:
    """Terms of variants of a contig in each transcript that is within 5,000 bases of one.

    Parameters
    ----------
    first, last
        Bases (n,) that are replaced: 0-based, last exclusive, equal for an insertion before `first`.
    alternative
        What stands in their place.

    Yields
    ------
    Row of the transcript; which variants are near it; their terms as bits; and their distance, 0 within it. Transcripts
    are in their order of preference.
    """
    table = genes.transcripts
    rows = np.flatnonzero((table["contig"] == contig).to_numpy())
    starts, ends = table["start"].to_numpy()[rows], table["end"].to_numpy()[rows]
    stretches = Stretches(first, last)
    begin, stop = stretches.ranges(starts - NEAR, ends + NEAR)
    for at in np.flatnonzero(begin < stop):
        row, start, end = int(rows[at]), int(starts[at]), int(ends[at])
        here = stretches.overlapping((begin[at], stop[at]), start - NEAR, end + NEAR)
        if not len(here):
            continue
        before, behind = last[here] <= start, first[here] >= end
        far = np.where(before, start - last[here] + 1, np.where(behind, first[here] - end + 1, 0))
        upstream = before if genes.columns["strand"][row] == "+" else behind
        bits = np.where(upstream, BIT["upstream_gene_variant"], BIT["downstream_gene_variant"])
        inside = np.flatnonzero(far == 0)
        if len(inside):
            bits[inside] = _Transcript(genes, row, genome).terms(here[inside], first, last, alternative)
        yield row, here, bits, far


class _Transcript:
    """A transcript as disjoint pieces from edge to edge, each with the bits of what it is."""

    def __init__(self, genes: Genes, row: int, genome: Genome) -> None:
        self._record = {name: values[row] for name, values in genes.columns.items()}
        self._starts, self._ends = genes.exons_of(row)
        self._genome = genome
        self._forward = self._record["strand"] == "+"
        self._message: Message | None = None
        self._edges, self._bits = self._pieces()

    def terms(self, rows: Integers, first: Integers, last: Integers, alternative: list[str]) -> Integers:
        """Bits of the variants of some rows, all of which lie in the transcript with a base or between two bases."""
        start, end = int(self._starts[0]), int(self._ends[-1])
        low, high = np.maximum(first[rows], start), np.minimum(last[rows], end)
        bits = self._bits[self._at(low)]
        for place in np.flatnonzero(high - low > 1):
            pieces = slice(self._at(low[place]), self._at(high[place] - 1) + 1)
            bits[place] = np.bitwise_or.reduce(self._bits[pieces])
        inserted = low == high
        bits[inserted] = _between(self._bits[self._at(low[inserted] - 1)], bits[inserted])
        for place in np.flatnonzero((bits & _CODING) > 0):
            row = int(rows[place])
            bits[place] |= self._coding(int(first[row]), int(last[row]), alternative[row])
        bits &= ~np.int64(_CODING)
        if self._record["kind"] == _NMD:
            bits |= BIT["NMD_transcript_variant"]
        bits[(first[rows] <= start) & (last[rows] >= end)] = BIT["transcript_ablation"]
        return bits

    def _at(self, positions: Integers) -> Integers:
        """Which piece each base lies in."""
        return np.searchsorted(self._edges, positions, "right") - 1

    def _pieces(self) -> tuple[Integers, Integers]:
        """Edges and bits of the pieces."""
        parts = [(start[start < end], end[start < end], bit) for start, end, bit in self._parts()]
        kind = np.repeat(np.arange(len(parts)), [len(start) for start, _, _ in parts])
        edges, place = np.unique(np.concatenate([*(part[0] for part in parts), *(part[1] for part in parts)]),
                                 return_inverse=True)  # fmt: skip
        depth = np.zeros((len(parts), len(edges)), np.int64)
        np.add.at(depth, (kind, place[: len(kind)]), 1)
        np.add.at(depth, (kind, place[len(kind) :]), -1)
        bits = np.array([[bit] for _, _, bit in parts])
        return edges, np.bitwise_or.reduce(np.where(np.cumsum(depth, axis=1) > 0, bits, 0))

    def _parts(self) -> Iterator[tuple[Integers, Integers, int]]:
        """Starts, ends and bit of each kind of stretch."""
        starts, ends = self._starts, self._ends
        begin, stop = int(self._record["coding_start"]), int(self._record["coding_end"])
        if begin < 0:
            yield starts, ends, BIT["non_coding_transcript_exon_variant"]
        else:
            left, right = ("5_prime_UTR_variant", "3_prime_UTR_variant")[:: 1 if self._forward else -1]
            yield starts, np.minimum(ends, begin), BIT[left]
            yield np.maximum(starts, begin), np.minimum(ends, stop), _CODING
            yield np.maximum(starts, stop), ends, BIT[right]
        intron = BIT["intron_variant"] | (BIT["non_coding_transcript_variant"] if begin < 0 else 0)
        low, high = ends[:-1], starts[1:]
        gaps = high - low <= _GAP
        yield low[gaps], high[gaps], intron
        low, high = low[~gaps], high[~gaps]
        yield low + _SITE, high - _SITE, intron
        left, right = ("splice_donor_variant", "splice_acceptor_variant")[:: 1 if self._forward else -1]
        yield low, low + _SITE, BIT[left]
        yield high - _SITE, high, BIT[right]
        region = BIT["splice_region_variant"]
        yield np.maximum(low - _OF_EXON, starts[:-1][~gaps]), low, region
        yield low + _SITE, low + _OF_INTRON, region
        yield high - _OF_INTRON, high - _SITE, region
        yield high, np.minimum(high + _OF_EXON, ends[1:][~gaps]), region

    def _coding(self, first: int, last: int, alternative: str) -> int:
        """Bits of a change of coding bases: coding_sequence_variant where it reaches into an intron."""
        start, end = int(self._starts[0]), int(self._ends[-1])
        if first < start or last > end:  # only what lies in the transcript is of interest
            if len(alternative) == last - first:
                alternative = alternative[max(start - first, 0) : len(alternative) - max(last - end, 0)]
            elif alternative:
                return BIT["coding_sequence_variant"]
            first, last = max(first, start), min(last, end)
        exon = int(np.searchsorted(self._ends, first, "right"))
        if first == last and exon > 0 and first == self._ends[exon - 1]:
            exon -= 1
        if exon >= len(self._ends) or first < self._starts[exon] or last > self._ends[exon]:
            return BIT["coding_sequence_variant"]
        offset = int((self._ends - self._starts)[:exon].sum() - self._starts[exon])
        message = self._spliced()
        begin, end, codes = first + offset, last + offset, codes_of(alternative)
        if not self._forward:
            begin, end, codes = len(message.codes) - end, len(message.codes) - begin, reverse_complement(codes)
        return coding_terms(message, begin, end, codes)

    def _spliced(self) -> Message:
        if self._message is None:
            contig = str(self._record["contig"])
            exons = zip(self._starts, self._ends, strict=True)
            codes: Codes = np.concatenate([self._genome.codes(contig, int(start), int(end)) for start, end in exons])
            begin, stop = int(self._record["coding_start"]), int(self._record["coding_end"])
            before, behind = self._bases_to(begin), len(codes) - self._bases_to(stop)
            if not self._forward:
                codes, before, behind = reverse_complement(codes), behind, before
            code = MITOCHONDRIAL if plain_name(contig) == "MT" else STANDARD
            self._message = Message(codes, before, before + int(self._record["phase"]), len(codes) - behind,
                                    not self._record["cut_start"], code)  # fmt: skip
        return self._message

    def _bases_to(self, position: int) -> int:
        """Bases of the exons before a position of the contig."""
        return int(np.maximum(np.minimum(self._ends, position) - self._starts, 0).sum())


def _between(left: Integers, right: Integers) -> Integers:
    """Bits of insertions between two bases: what both are part of, and the borders of splice sites, UTRs and gaps."""
    both, either = left & right, left | right
    border = ((left ^ right) & _SITES) > 0
    both = np.where(border, both | BIT["splice_region_variant"] | (either & BIT["intron_variant"]), both)
    edge = ((either & _CODING) > 0) & ((both & _CODING) == 0)
    both = np.where(edge, both | (either & _UNTRANSLATED), both)
    return np.where(both == 0, either & ~np.int64(_CODING), both)


def by_contig(variants: pd.DataFrame) -> Iterator[tuple[str, Integers, Integers, Integers, list[str]]]:
    """Contig, rows, first and last (exclusive) changed base, and what stands there, of the variants of each contig."""
    first = variants["pos"].to_numpy(np.int64) - 1
    last = first + variants["ref"].str.len().to_numpy(np.int64)
    alternative = variants["alt"].astype(str).to_numpy(object)
    long = np.flatnonzero(((last - first > 1) | (variants["alt"].str.len() > 1)).to_numpy())
    first, alternative = first.copy(), alternative.copy()
    for row, ref, alt in zip(long, variants["ref"].to_numpy()[long], variants["alt"].to_numpy()[long], strict=True):
        begin, end = _shared(str(ref), str(alt))
        first[row] += begin
        last[row] -= end
        alternative[row] = alt[begin : len(alt) - end]
    chroms = variants["chrom"].astype(str).to_numpy(object)
    for contig in dict.fromkeys(chroms):
        rows = np.flatnonzero(chroms == contig)
        yield str(contig), rows, first[rows], last[rows], list(alternative[rows])


def _shared(ref: str, alt: str) -> tuple[int, int]:
    """How many bases two alleles share at their end, and then at their begin; returned as (begin, end).

    In this order an insertion or deletion in a repeat stands at its left end, as in left-aligned variants.
    """
    most = min(len(ref), len(alt))
    end = next((at for at in range(most) if ref[-1 - at] != alt[-1 - at]), most)
    begin = next((at for at in range(most - end) if ref[at] != alt[at]), most - end)
    return begin, end


def _picked(names: pd.Series, rows: Integers) -> list[str | None]:
    known: list[str] = names.tolist()
    return [known[row] if row >= 0 else None for row in rows]
