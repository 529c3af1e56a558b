"""Consequences beside those of `bcftools csq` (Danecek, McCarthy 2017, https://doi.org/10.1093/bioinformatics/btx100).

3,000 made-up variants about real RefSeq transcripts on their real sequence, each in each transcript that holds it.
Substitutions of one base agree without exception. What the programs see differently in others is listed, with reasons.
"""

import random
import shutil
import subprocess

import pandas as pd
import pytest

from fineprior.genome.alleles import left_align
from fineprior.genome.codons import BIT, TERMS, terms_of
from fineprior.genome.consequences import by_contig, effects
from fineprior.genome.fasta import Genome
from fineprior.genome.genes import read_genes
from gene_models import gff3, refseq

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bcftools") is None, reason="no bcftools"),
]
PLACES = {"17": "prostate_chr17", "1": "dnase_chr1", "20": "panel_chr20"}
NAMES = {
    "missense": "missense_variant", "synonymous": "synonymous_variant", "frameshift": "frameshift_variant",
    "3_prime_utr": "3_prime_UTR_variant", "5_prime_utr": "5_prime_UTR_variant", "intron": "intron_variant",
    "splice_region": "splice_region_variant", "splice_acceptor": "splice_acceptor_variant",
    "splice_donor": "splice_donor_variant", "coding_sequence": "coding_sequence_variant",
    "stop_retained": "stop_retained_variant", "start_retained": "start_retained_variant",
    "inframe_altering": "protein_altering_variant",
}  # fmt: skip
"""Terms of bcftools that are not named as in the Sequence Ontology."""
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


def made_up(genome, models, count, rng):
    """Substitutions, insertions and deletions about the edges and within the exons of coding transcripts."""
    coding = [one for one in models if one.is_coding]
    edges = [place for one in coding for pair in (*one.exons, *[one.coding] * 3) for place in pair]
    exons = [pair for one in coding for pair in one.exons]
    (contig, length), found = next(iter(genome.contigs.items())), set()
    while len(found) < count:
        at = rng.choice(edges) + rng.randint(-12, 12) if rng.random() < 0.5 else rng.randint(*rng.choice(exons))
        if not 200 < at < length - 100:
            continue
        letters = "".join("ACGTN"[code] for code in genome.codes(contig, at, at + 50))
        kind = rng.random()
        replaced = rng.choice([2, 3]) if kind > 0.9 else 1
        ref, alt = (
            letters[:replaced],
            "".join(rng.choice([base for base in "ACGT" if base != one]) for one in letters[:replaced]),
        )
        if kind < 0.25:
            ref, alt = letters[: 1 + rng.choice([1, 2, 3, 3, 4, 6, 9, 20])], letters[0]
        elif kind < 0.5:
            ref, alt = letters[0], letters[0] + "".join(rng.choices("ACGT", k=rng.choice([1, 2, 3, 3, 4, 6])))
        if "N" in ref:
            continue
        pos, ref, alt = left_align(at + 1, ref, alt, genome.codes(contig, at - 200, at + 60), at - 200)
        found.add((contig, pos, ref, alt))
    return pd.DataFrame(sorted(found), columns=["chrom", "pos", "ref", "alt"])


def of_bcftools(folder, fasta, variants, contig, length):
    """Bits of the terms of each variant and transcript."""
    with (folder / "v.vcf").open("w") as out:
        out.write(f"##fileformat=VCFv4.2\n##contig=<ID={contig},length={length}>\n")
        out.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for row in variants.itertuples():
            out.write(f"{row.chrom}\t{row.pos}\t{row.Index}\t{row.ref}\t{row.alt}\t.\t.\t.\n")
    command = ["bcftools", "csq", "--local-csq", "--ncsq", "64", "-f", fasta, "-g", folder / "g.gff3", folder / "v.vcf"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("#") or "BCSQ=" not in line:
            continue
        fields = line.split("\t")
        for one in fields[7].split("BCSQ=")[1].split(";")[0].split(","):
            terms, _, transcript, *_ = one.lstrip("*").split("|")
            if transcript:
                bits = sum(BIT[NAMES.get(term, term)] for term in terms.split("&"))
                key = int(fields[2]), transcript
                found[key] = found.get(key, 0) | bits
    return found


def most_severe(bits):
    return next(name for name in TERMS if bits & BIT[name])


@pytest.mark.parametrize("chrom", PLACES)
def test_consequences_agree_with_those_of_bcftools(tmp_path, shared_data, chrom):
    fasta = shared_data / PLACES[chrom] / "reference.fa"
    models = refseq(chrom)
    (tmp_path / "g.gff3").write_text(gff3(models))
    with Genome(fasta) as genome:
        variants = made_up(genome, models, 1000, random.Random(int(chrom)))
        theirs = of_bcftools(tmp_path, fasta, variants, chrom, genome.contigs[chrom])
        genes = read_genes(tmp_path / "g.gff3", genome)
        (_, rows, first, last, alternative), *rest = by_contig(variants)
        assert not rest
        ours = {
            (int(rows[at]), genes.transcripts["transcript"].iat[transcript]): int(bits)
            for transcript, here, terms, far in effects(chrom, first, last, alternative, genes, genome)
            for at, bits, away in zip(here, terms, far, strict=True)
            if away == 0
        }
    assert len(theirs) > 2000
    is_snv = (variants["ref"].str.len() == 1) & (variants["alt"].str.len() == 1)
    differ = {
        key: (most_severe(ours[key]), most_severe(bits))
        for key, bits in theirs.items() if most_severe(ours[key]) != most_severe(bits)
    }  # fmt: skip
    assert not [key for key in differ if is_snv[key[0]]]
    assert len(differ) < 0.04 * len(theirs)
    assert {pair for pair in differ.values() if pair not in SEEN_DIFFERENTLY} == set()
    # all terms of substitutions, but for the intron that csq names in no transcript
    intron = BIT["intron_variant"] | BIT["splice_region_variant"]
    assert not [
        (key, terms_of(ours[key]), terms_of(bits)) for key, bits in theirs.items()
        if is_snv[key[0]] and ours[key] & ~intron != bits & ~intron
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
        genes = read_genes(tmp_path / "g.gff3", genome)
        (_, rows, first, last, alternative), *_ = by_contig(variants)
        region = BIT["splice_region_variant"]
        seen = 0
        for transcript, here, terms, far in effects("17", first, last, alternative, genes, genome):
            for at, bits, away in zip(here, terms, far, strict=True):
                key = int(rows[at]), genes.transcripts["transcript"].iat[transcript]
                if away == 0 and key in theirs:
                    assert bool(bits & region) == bool(theirs[key] & region), (key, variants.loc[key[0]])
                    seen += bool(bits & region)
    assert seen > 1000
