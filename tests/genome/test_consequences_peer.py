"""Consequences beside those of `bcftools csq`: 3,000 variants about real transcripts on their real sequence.

Substitutions of one base agree without exception. What the programs see differently in others is listed, with reasons.
"""

import shutil

import pandas as pd
import pytest

from csq_peer import PLACES, compared, most_severe, of_bcftools, of_ours
from fineprior.genome.codons import BIT, terms_of
from fineprior.genome.fasta import Genome
from gene_models import gff3, refseq

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bcftools") is None, reason="no bcftools"),
]
SEEN_DIFFERENTLY = {
    # An insertion on the border of exon and intron is neither in the exon nor in the site (Ensembl); csq takes a side.
    ("splice_region_variant", "splice_acceptor_variant"),
    ("splice_region_variant", "splice_donor_variant"),
    ("splice_region_variant", "inframe_insertion"),
    ("splice_region_variant", "frameshift_variant"),
    ("splice_region_variant", "stop_gained"),
    ("5_prime_UTR_variant", "splice_region_variant"),
    ("3_prime_UTR_variant", "splice_region_variant"),
    # A stop codon within the changed codons: csq names it only where it is the first of them.
    ("stop_gained", "frameshift_variant"),
    ("stop_gained", "missense_variant"),
    ("frameshift_variant", "stop_gained"),
    # A deletion across the edge of a UTR: csq gives the frame beside it, or nothing but the UTR.
    ("start_lost", "frameshift_variant"),
    ("start_lost", "coding_sequence_variant"),
    ("start_lost", "splice_region_variant"),
    ("stop_lost", "frameshift_variant"),
    ("stop_lost", "coding_sequence_variant"),
    ("stop_lost", "splice_region_variant"),
    ("splice_donor_variant", "5_prime_UTR_variant"),
    ("splice_donor_variant", "3_prime_UTR_variant"),
    ("splice_donor_variant", "coding_sequence_variant"),
    ("splice_acceptor_variant", "5_prime_UTR_variant"),
    ("splice_acceptor_variant", "3_prime_UTR_variant"),
    ("splice_acceptor_variant", "coding_sequence_variant"),
    # A start or stop codon that is there again after the change.
    ("inframe_deletion", "start_lost"),
    ("inframe_insertion", "start_lost"),
    ("frameshift_variant", "start_lost"),
    ("start_retained_variant", "start_lost"),
    ("start_retained_variant", "frameshift_variant"),
    ("5_prime_UTR_variant", "start_retained_variant"),
    ("stop_retained_variant", "stop_lost"),
    ("stop_retained_variant", "frameshift_variant"),
    ("stop_retained_variant", "inframe_insertion"),
    ("stop_retained_variant", "coding_sequence_variant"),
    # A codon of which the annotation has a part.
    ("coding_sequence_variant", "inframe_deletion"),
    ("incomplete_terminal_codon_variant", "coding_sequence_variant"),
}
"""Most severe term here and there."""


@pytest.mark.parametrize("chrom", PLACES)
def test_consequences_agree_with_those_of_bcftools(tmp_path, shared_data, chrom):
    found = compared(tmp_path, shared_data, chrom, 1000, seed=int(chrom))
    assert found["variant_id"].nunique() > 900
    pairs = pd.DataFrame({name: found[name].map(most_severe) for name in ("ours", "theirs")})
    differ = pairs["ours"] != pairs["theirs"]
    of_one_base = found["kind"] == "substitution"
    assert of_one_base.sum() > 800
    assert found[differ & of_one_base].empty
    assert differ.mean() < 0.04
    assert set(pairs[differ].itertuples(index=False, name=None)) <= SEEN_DIFFERENTLY
    # all terms of substitutions, but for the intron that csq names in no transcript
    intron = BIT["intron_variant"] | BIT["splice_region_variant"]
    assert not [
        (row.variant_id, row.transcript, terms_of(row.ours), terms_of(row.theirs))
        for row in found[of_one_base].itertuples() if row.ours & ~intron != row.theirs & ~intron
    ]  # fmt: skip


def test_splice_region_of_substitutions_agrees_with_that_of_bcftools(tmp_path, shared_data):
    """Every base within 20 of an exon's edge."""
    fasta, models = shared_data / "prostate_chr17/reference.fa", refseq("17")
    (tmp_path / "g.gff3").write_text(gff3(models))
    places = sorted({at for one in models for pair in one.exons for edge in pair for at in range(edge - 20, edge + 20)})
    with Genome(fasta) as genome:
        codes = genome.codes("17", 0, genome.contigs["17"])
        known = [(at, int(codes[at])) for at in places if at > 0 and codes[at] < 4]
        rows = [("17", at + 1, "ACGT"[code], "ACGT"[code - 1]) for at, code in known]
        variants = pd.DataFrame(rows, columns=["chrom", "pos", "ref", "alt"])
        theirs = of_bcftools(tmp_path, fasta, variants, "17", genome.contigs["17"])
        ours = of_ours(tmp_path / "g.gff3", genome, variants)
    region = BIT["splice_region_variant"]
    assert sum(bool(ours[key] & region) for key in theirs) > 1000
    assert not [variants.loc[key[0]] for key, bits in theirs.items() if bool(ours[key] & region) != bool(bits & region)]
