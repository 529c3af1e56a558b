"""Consequences of `bcftools csq` (Danecek, McCarthy 2017, https://doi.org/10.1093/bioinformatics/btx100) beside ours.

Made-up variants about real RefSeq transcripts on their real sequence, each in each transcript that holds it.
"""

import random
import subprocess

import pandas as pd

from fineprior.genome.alleles import left_align
from fineprior.genome.codons import BIT, TERMS
from fineprior.genome.consequences import by_contig, effects
from fineprior.genome.fasta import Genome
from fineprior.genome.genes import read_genes
from gene_models import gff3, refseq

PLACES = {"17": "prostate_chr17", "1": "dnase_chr1", "20": "panel_chr20"}
"""Folder of the shared data with the sequence of a chromosome's stretch."""
NAMES = {
    "missense": "missense_variant", "synonymous": "synonymous_variant", "frameshift": "frameshift_variant",
    "3_prime_utr": "3_prime_UTR_variant", "5_prime_utr": "5_prime_UTR_variant", "intron": "intron_variant",
    "splice_region": "splice_region_variant", "splice_acceptor": "splice_acceptor_variant",
    "splice_donor": "splice_donor_variant", "coding_sequence": "coding_sequence_variant",
    "stop_retained": "stop_retained_variant", "start_retained": "start_retained_variant",
    "inframe_altering": "protein_altering_variant",
}  # fmt: skip
"""Terms of bcftools that are not named as in the Sequence Ontology."""


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


def compared(folder, data, chrom, count, seed):
    """A row for each of `count` variants in each transcript: ours and theirs (bits), kind of variant, variant_id.

    Parameters
    ----------
    folder
        Where files are written.
    data
        The shared data.
    """
    fasta, models = data / PLACES[chrom] / "reference.fa", refseq(chrom)
    (folder / "g.gff3").write_text(gff3(models))
    with Genome(fasta) as genome:
        variants = made_up(genome, models, count, random.Random(seed))
        theirs = of_bcftools(folder, fasta, variants, chrom, genome.contigs[chrom])
        ours = of_ours(folder / "g.gff3", genome, variants)
    long = variants[["ref", "alt"]].apply(lambda alleles: alleles.str.len())
    kinds = ["substitution" if ref == alt == 1 else "several substitutions" if ref == alt else
             "deletion" if ref > alt else "insertion" for ref, alt in long.to_numpy()]  # fmt: skip
    rows = [(kinds[variant], ":".join(map(str, variants.loc[variant])), transcript, ours[variant, transcript], bits)
            for (variant, transcript), bits in theirs.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["kind", "variant_id", "transcript", "ours", "theirs"])


def of_ours(path, genome, variants):
    """Bits of the terms of each variant and transcript that holds it; the variants are of one contig."""
    genes = read_genes(path, genome)
    ((contig, rows, first, last, alternative),) = by_contig(variants)
    return {
        (int(rows[at]), genes.transcripts["transcript"].iat[transcript]): int(bits)
        for transcript, here, terms, far in effects(contig, first, last, alternative, genes, genome)
        for at, bits, away in zip(here, terms, far, strict=True)
        if away == 0
    }
