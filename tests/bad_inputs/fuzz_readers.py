"""The readers of users' files, each with a small sound input and the reading of it."""

import gzip
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pgenlib
import pyarrow as pa
import pyBigWig
import pysam
import scipy.sparse
import yaml

from bad_inputs import world as small
from fineprior.engine.loading import load_enformer
from fineprior.finemap.fits import load_fits, save_fits
from fineprior.finemap.locus_input import read_correlations, read_prior, read_z
from fineprior.finemap.susie import susie_rss
from fineprior.genome.consequences import consequences
from fineprior.genome.fasta import Genome
from fineprior.genome.gene_reader import read_gene_file
from fineprior.genome.genes import placed
from fineprior.genome.intervals import Intervals, read_intervals
from fineprior.genome.liftover import Liftover
from fineprior.genotypes.ld_files import LdSource, read_variants
from fineprior.genotypes.ld_matrix import read_matrix
from fineprior.genotypes.plink_panel import PgenPanel, PlinkPanel
from fineprior.genotypes.samples import kept_samples, read_cohort
from fineprior.genotypes.vcf_panel import VcfPanel
from fineprior.heads.head import Head, load_head, write_head
from fineprior.heads.variant_head import read_labels
from fineprior.priors.annotation import distance_to_tss, interval_overlap, track_signal
from fineprior.priors.annotation_files import AnnotationFiles, read_sizes
from fineprior.priors.given import read_values
from fineprior.project.settings import BackboneSettings, TrackSettings
from fineprior.sequence.motifs import read_motifs
from fineprior.sequence.tracks import read_regions, read_targets
from fineprior.steps.calibrate_study import read_project
from fineprior.sumstats.reader import open_sumstats
from gene_models import Model, bed12, gff3, gtf

PLAIN = "plain text"
READERS = {}
ROWS = 40


@dataclass
class Reader:
    """A reader: what it reads, and which formats have no checksum, so that another value cannot be told."""

    name: str
    files: list[str]
    build: Callable[[Path], Any]
    read: Callable[[Path], Any]
    no_checksum: str = ""
    there: set[str] = field(default_factory=set)
    made: dict[str, bytes] = field(default_factory=dict)


def reader(name, files, build, no_checksum=""):
    """Register a function that reads what `build` writes."""

    def register(read):
        READERS[name] = Reader(name, files, build, read, no_checksum)
        return read

    return register


def in_gzip(content):
    return gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0)


def writes(name, content):
    """A builder of one file."""

    def build(folder):
        made = content() if callable(content) else content
        (folder / name).write_bytes(made.encode() if isinstance(made, str) else made)

    return build


def of_world(*names):
    """A builder that takes files of the small project."""

    def build(folder):
        whole = folder / "all"
        whole.mkdir()
        world = small.build(whole)
        for name in names:
            shutil.copy(world / name, folder / Path(name).name)
        shutil.rmtree(whole)

    return build


def variants():
    rng = np.random.default_rng(1)
    pos = np.sort(rng.choice(np.arange(10, 900), ROWS, replace=False))
    ref, alt = np.array(list("ACGT") * 10), np.array(list("CGTA") * 10)
    ids = [f"1:{p}:{r}:{a}" for p, r, a in zip(pos, ref, alt, strict=True)]
    return pd.DataFrame({"variant_id": ids, "chrom": "1", "pos": pos, "ref": ref, "alt": alt})


# Summary statistics.


def gwas():
    table, rng = variants(), np.random.default_rng(2)
    beta = rng.normal(size=ROWS).round(4)
    return pd.DataFrame({
        "chromosome": table["chrom"], "base_pair_location": table["pos"], "effect_allele": table["alt"],
        "other_allele": table["ref"], "beta": beta, "standard_error": 0.5, "effect_allele_frequency": 0.3,
        "p_value": 0.1, "rsid": [f"rs{i}" for i in range(ROWS)], "n": 1000,
    })  # fmt: skip


def sumstats(name):
    def read(folder):
        return [frame for frame in open_sumstats(folder / name).chunks()]

    return read


def gwas_text():
    return gwas().to_csv(sep="\t", index=False)


reader("sumstats: text", ["g.tsv"], writes("g.tsv", gwas_text), PLAIN)(sumstats("g.tsv"))
reader("sumstats: gzip", ["g.tsv.gz"], writes("g.tsv.gz", lambda: in_gzip(gwas_text())))(sumstats("g.tsv.gz"))
reader("sumstats: parquet", ["g.parquet"], lambda folder: gwas().to_parquet(folder / "g.parquet"),
       "parquet without checksums of its pages")(sumstats("g.parquet"))  # fmt: skip
reader("sumstats: meta file", ["g.tsv-meta.yaml"], lambda folder: (
    writes("g.tsv", gwas_text)(folder),
    writes("g.tsv-meta.yaml", "genome_assembly: GRCh37\ncoordinate_system: 1-based\nsamples:\n  - sample_size: 5000\n"
           "    case_control_study: false\n")(folder)), PLAIN)(sumstats("g.tsv"))  # fmt: skip


def gwas_vcf():
    head = ('##fileformat=VCFv4.2\n##contig=<ID=1,length=1000,assembly=GRCh37>\n'
            '##FORMAT=<ID=ES,Number=A,Type=Float,Description="b">\n##FORMAT=<ID=SE,Number=A,Type=Float,Description="s">\n'
            '##FORMAT=<ID=LP,Number=A,Type=Float,Description="p">\n##FORMAT=<ID=SS,Number=A,Type=Integer,'
            'Description="n">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ttrait\n')  # fmt: skip
    rows = [f"1\t{v.pos}\trs{i}\t{v.ref}\t{v.alt}\t.\tPASS\t.\tES:SE:LP:SS\t0.{i + 1}:0.5:1:1000"
            for i, v in enumerate(variants().itertuples())]  # fmt: skip
    return head + "\n".join(rows) + "\n"


def through_htslib(text, name, index=False):
    def build(folder):
        plain = folder / "plain.vcf"
        plain.write_text(text())
        with (
            pysam.VariantFile(str(plain)) as source,
            pysam.VariantFile(str(folder / name), "wb" if name.endswith("bcf") else "wz", header=source.header) as to,
        ):
            for record in source:
                to.write(record)
        plain.unlink()
        if index:
            pysam.tabix_index(str(folder / name), preset="vcf", force=True)

    return build


reader("sumstats: VCF", ["g.vcf"], writes("g.vcf", gwas_vcf), PLAIN)(sumstats("g.vcf"))
reader("sumstats: VCF in bgzip", ["g.vcf.gz"], through_htslib(gwas_vcf, "g.vcf.gz"))(sumstats("g.vcf.gz"))

# Genotypes and people.

PLINK = ["panel.bed", "panel.bim", "panel.fam"]


def read_panel(panel):
    table = panel.variants
    half = np.arange(0, panel.count, 2)
    return [table, panel.sample_ids, panel.dosages(half), panel.genotype_counts(), panel.allele_frequencies(half)]


@reader("panel: PLINK 1", PLINK, of_world(*PLINK), "PLINK 1 binary, plain text")
def _(folder):
    return read_panel(PlinkPanel(folder / "panel"))


def pgen(folder):
    rng = np.random.default_rng(3)
    rows = "".join(f"1\t{10 * i + 10}\trs{i}\tA\t{'C,T' if i % 9 == 0 else 'G'}\n" for i in range(ROWS))
    (folder / "p.pvar").write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n" + rows)
    (folder / "p.psam").write_text("#IID\tSEX\n" + "".join(f"p{i}\tNA\n" for i in range(50)))
    with pgenlib.PgenWriter(str(folder / "p.pgen").encode(), 50, variant_ct=ROWS, nonref_flags=False,
                            allele_ct_limit=3, dosage_present=True) as writer:  # fmt: skip
        for i in range(ROWS):
            if i % 9 == 0:
                writer.append_alleles(rng.integers(0, 3, 100).astype(np.int32), allele_ct=3)
            elif i % 4 == 0:
                writer.append_dosages(rng.uniform(0, 2, 50).astype(np.float32))
            else:
                writer.append_biallelic(
                    (rng.random(50) < 0.1).astype(np.int8) if i % 3 else rng.integers(0, 3, 50).astype(np.int8)
                )


@reader("panel: PLINK 2", ["p.pgen", "p.pgen", "p.pvar", "p.psam"], pgen, "PLINK 2 binary, plain text")
def _(folder):
    return read_panel(PgenPanel(folder / "p"))


def pgen_packed(folder):
    pgen(folder)
    plain = folder / "p.pvar"
    with pa.output_stream(str(folder / "p.pvar.zst"), compression="zstd") as packed:
        packed.write(plain.read_bytes())
    plain.unlink()


@reader("panel: PLINK 2, .pvar.zst", ["p.pvar.zst"], pgen_packed, "zstd without a checksum")
def _(folder):
    return read_panel(PgenPanel(folder / "p"))


def genotypes():
    rng = np.random.default_rng(4)
    head = ('##fileformat=VCFv4.2\n##contig=<ID=1,length=1000>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
            '##FORMAT=<ID=DS,Number=A,Type=Float,Description="d">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\t'
            "FORMAT\t") + "\t".join(f"p{i}" for i in range(20)) + "\n"  # fmt: skip
    calls = np.array(["0|0:0.1", "0/1:1", "1|1:1.9", "./.:."])
    rows = [f"1\t{v.pos}\trs{i}\t{v.ref}\t{v.alt}\t.\t.\t.\tGT:DS\t" + "\t".join(calls[rng.integers(0, 4, 20)])
            for i, v in enumerate(variants().itertuples())]  # fmt: skip
    return head + "\n".join(rows) + "\n"


def vcf_panel(name):
    def read(folder):
        panel = VcfPanel(folder / name)
        wanted = variants().assign(panel_index=np.arange(ROWS))
        found = [panel.find(wanted).reset_index(drop=True), panel.dosages(np.arange(ROWS))]
        return found if name == "p.vcf.gz" else [*found, *read_panel(panel)]

    return read


reader("panel: VCF", ["p.vcf"], writes("p.vcf", genotypes), PLAIN)(vcf_panel("p.vcf"))
reader("panel: VCF in bgzip", ["p.vcf.gz"], through_htslib(genotypes, "p.vcf.gz"))(vcf_panel("p.vcf.gz"))
reader("panel: VCF with index", ["p.vcf.gz", "p.vcf.gz.tbi", "p.vcf.gz.tbi"],
       through_htslib(genotypes, "p.vcf.gz", index=True))(vcf_panel("p.vcf.gz"))  # fmt: skip
reader("panel: BCF", ["p.bcf"], through_htslib(genotypes, "p.bcf"))(vcf_panel("p.bcf"))


@reader("people to keep", ["keep"], writes("keep", "".join(f"p{i}\n" for i in range(30))), PLAIN)
def _(folder):
    return kept_samples(folder / "keep", [("0", f"p{i}") for i in range(50)], "panel")


@reader("phenotype and covariates", ["trait.txt", "age.txt"], of_world("trait.txt", "age.txt"), PLAIN)
def _(folder):
    people = [str(i + 1) for i in range(small.PEOPLE)]
    cohort = read_cohort(people, folder / "trait.txt", folder / "age.txt")
    return [cohort.rows, cohort.trait, cohort.covariates.round(9)]


# LD.


def correlations():
    rng = np.random.default_rng(5)
    return np.corrcoef(rng.normal(size=(60, ROWS)), rowvar=False).astype(np.float32)


LD = {
    "npy": lambda path: np.save(path, correlations()),
    "npz": lambda path: np.savez(path, R=correlations()),
    "npz compressed": lambda path: np.savez_compressed(path, R=correlations()),
    "npz sparse": lambda path: scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(np.tril(correlations()))),
    "npz sparse coo": lambda path: scipy.sparse.save_npz(path, scipy.sparse.coo_matrix(np.tril(correlations()))),
    "bin": lambda path: correlations().astype("<f8").tofile(path),
    "txt": lambda path: np.savetxt(path, correlations(), fmt="%.5f"),
    "txt.gz": lambda path: path.write_bytes(in_gzip("\n".join(" ".join(map(str, r)) for r in correlations().tolist()))),
}
for _kind, _write in LD.items():
    _file = "m." + _kind.split()[0]
    reader(f"LD matrix: {_kind}", [_file], lambda folder, file=_file, write=_write: write(folder / file),
           "" if "npz" in _kind or "gz" in _kind else "binary without checksum, plain text")(
        lambda folder, file=_file: read_matrix(folder / file, np.arange(0, ROWS, 2), ROWS, 500)
    )  # fmt: skip
    if _kind in {"npy", "npz", "npz compressed", "txt", "txt.gz"}:
        reader(f"finemap, LD: {_kind}", [_file], lambda folder, file=_file, write=_write: write(folder / file),
               "" if "npz" in _kind or "gz" in _kind else "binary without checksum, plain text")(
            lambda folder, file=_file: list(read_correlations(folder / file, variants()["variant_id"]))
        )  # fmt: skip


def ld_list():
    return variants()[["variant_id", "chrom", "pos", "alt", "ref"]].set_axis(
        ["rsid", "chromosome", "position", "allele1", "allele2"], axis=1).to_csv(sep="\t", index=False)  # fmt: skip


@reader("LD list of variants", ["v.txt"], writes("v.txt", ld_list), PLAIN)
def _(folder):
    return read_variants.__wrapped__(str(folder / "v.txt"))


@reader("LD list of variants: gzip", ["v.gz"], writes("v.gz", lambda: in_gzip(ld_list())))
def _(folder):
    return read_variants.__wrapped__(str(folder / "v.gz"))


@reader("LD table of windows", ["ld.tsv"], of_world("ld/ld.tsv", "ld/r.npy", "ld/v.txt"), PLAIN)
def _(folder):
    return LdSource(folder / "ld.tsv").windows


# Files of one locus.


@reader("finemap, z and prior", ["z.tsv", "prior.tsv"], lambda folder: (
    variants().assign(z=np.linspace(-4, 4, ROWS), n=1000).to_csv(folder / "z.tsv", sep="\t", index=False),
    variants()[["variant_id"]].assign(prior=0.1).to_csv(folder / "prior.tsv", sep="\t", index=False),
), PLAIN)  # fmt: skip
def _(folder):
    return [read_z(folder / "z.tsv", None), read_prior(folder / "prior.tsv", variants()["variant_id"])]


def fits(folder):
    fit = susie_rss(np.random.default_rng(6).normal(size=ROWS) * 3, correlations(), 1000, L=2)
    save_fits(folder / "f.npz", {"a": fit}, {"a": variants()["variant_id"].tolist()})


@reader("fits", ["f.npz"], fits)
def _(folder):
    return load_fits(folder / "f.npz")


# Genome and places.


def fasta(folder):
    rng = np.random.default_rng(7)
    text = "".join(
        f">{name}\n" + "".join("".join(rng.choice(list("ACGT"), 60)) + "\n" for _ in range(20)) for name in "12"
    )
    (folder / "g.fa").write_text(text)
    pysam.faidx(str(folder / "g.fa"))


def bgzipped(folder):
    fasta(folder)
    pysam.tabix_compress(str(folder / "g.fa"), str(folder / "g.fa.gz"))
    pysam.faidx(str(folder / "g.fa.gz"))


def read_genome(name):
    def read(folder):
        with Genome(folder / name) as genome:
            return [genome.contigs, *(genome.codes(chrom, 0, size) for chrom, size in genome.contigs.items())]

    return read


reader("FASTA", ["g.fa", "g.fa.fai"], fasta, PLAIN)(read_genome("g.fa"))
reader("FASTA in bgzip", ["g.fa.gz", "g.fa.gz.fai", "g.fa.gz.gzi"], bgzipped,
       "the index of a FASTA is plain text and plain numbers")(read_genome("g.fa.gz"))  # fmt: skip

CHAIN = "chain 1000 1 1000 + 0 900 1 1000 + 10 910 1\n400 10 10\n490\n\nchain 900 1 1000 + 900 950 2 500 - 0 50 2\n50\n"


def read_chain(name):
    def read(folder):
        return Liftover(folder / name).places("1", np.arange(1, 1000, 7).astype(np.int32))

    return read


reader("chain file", ["c"], writes("c", CHAIN), PLAIN)(read_chain("c"))
reader("chain file: gzip", ["c.gz"], writes("c.gz", in_gzip(CHAIN)))(read_chain("c.gz"))
BED = "track name=x\n" + "".join(f"1\t{i * 20}\t{i * 20 + 15}\tpeak{i}\t0\t{'+-'[i % 2]}\n" for i in range(ROWS))


@reader("BED: overlap", ["x.bed"], writes("x.bed", BED), PLAIN)
def _(folder):
    return interval_overlap(variants(), folder / "x.bed")


@reader("BED: overlap, gzip", ["x.bed.gz"], writes("x.bed.gz", in_gzip(BED)))
def _(folder):
    return interval_overlap(variants(), folder / "x.bed.gz")


@reader("BED: peaks, gzip", ["x.bed.gz"], writes("x.bed.gz", in_gzip(BED)))
def _(folder):
    return Intervals.read(folder / "x.bed.gz").covered(np.array(["1"] * 30), np.arange(30) * 20, 20)


@reader("BED: loci", ["x.bed"], lambda folder: (fasta(folder), writes("x.bed", BED)(folder)), PLAIN)
def _(folder):
    with Genome(folder / "g.fa") as genome:
        return read_intervals(folder / "x.bed", genome)


@reader(
    "BED: training regions", ["r.bed"], writes("r.bed", "".join(f"1\t{i}\t{i + 100}\ttrain\n" for i in range(9))), PLAIN
)
def _(folder):
    return read_regions(folder / "r.bed", 100)


GTF = "".join(f'1\tx\ttranscript\t{i * 30 + 1}\t{i * 30 + 20}\t.\t+\t.\tgene_id "a";\n' for i in range(25))
reader("GTF", ["x.gtf"], writes("x.gtf", GTF), PLAIN)(lambda folder: distance_to_tss(variants(), folder / "x.gtf"))
reader("GTF: gzip", ["x.gtf.gz"], writes("x.gtf.gz", in_gzip(GTF)))(
    lambda folder: distance_to_tss(variants(), folder / "x.gtf.gz")
)

GENES = [
    Model(f"t{i}", "12"[i % 2], "+-"[i % 3 % 2], ((i * 30, i * 30 + 9), (i * 30 + 12, i * 30 + 22)),
          (i * 30 + 3, i * 30 + 18), f"g{i // 2}")
    for i in range(30)
]  # fmt: skip


@reader("genes: GTF", ["x.gtf"], lambda folder: (fasta(folder), writes("x.gtf", gtf(GENES))(folder)), PLAIN)
def _(folder):
    return genes_of(folder, "x.gtf")


@reader("genes: GFF3, gzip", ["x.gff"], lambda folder: (fasta(folder), writes("x.gff", in_gzip(gff3(GENES)))(folder)))
def _(folder):
    return genes_of(folder, "x.gff")


@reader("genes: BED12", ["x.bed"], lambda folder: (fasta(folder), writes("x.bed", bed12(GENES))(folder)), PLAIN)
def _(folder):
    return genes_of(folder, "x.bed")


def genes_of(folder, name):
    """Genes beside the genome, and what they make of variants; whether they are of its build is not asked."""
    with Genome(folder / "g.fa") as genome:
        genes = placed(read_gene_file(folder / name), genome)
        return genes, consequences(variants(), genes, genome)


# Tracks.


def bigwig(folder):
    rng = np.random.default_rng(8)
    with pyBigWig.open(str(folder / "t.bw"), "w") as track:
        track.addHeader([("1", 200_000), ("2", 5_000)])
        starts = np.arange(0, 190_000, 25)
        track.addEntries(["1"] * len(starts), starts.tolist(), ends=(starts + 20).tolist(),
                         values=rng.gamma(1, 2, len(starts)).tolist())  # fmt: skip
        track.addEntries("2", 100, values=rng.gamma(1, 2, 300).tolist(), span=10, step=15)


BIGWIG = "the header and the index of bigWig"


@reader("bigWig: targets", ["t.bw"], bigwig, BIGWIG)
def _(folder):
    chrom = np.array(["1"] * 200 + ["2"] * 20)
    start = np.concatenate([np.arange(200) * 900, np.arange(20) * 128])
    return read_targets([str(folder / "t.bw")], chrom, start, 128, TrackSettings())


@reader("bigWig: annotation", ["t.bw"], bigwig, BIGWIG)
def _(folder):
    return track_signal(variants(), folder / "t.bw")


# Values of variants.


def given(folder):
    variants()[["chrom", "pos", "ref", "alt"]].assign(prior=np.linspace(0.01, 0.2, ROWS)).to_csv(
        folder / "v.tsv", sep="\t", index=False)  # fmt: skip


reader("given values: text", ["v.tsv"], given, PLAIN)(lambda folder: read_values(variants(), folder / "v.tsv"))
reader("given values: gzip", ["v.tsv.gz"], lambda folder: (
    given(folder), (folder / "v.tsv.gz").write_bytes(in_gzip((folder / "v.tsv").read_bytes()))))(
    lambda folder: read_values(variants(), folder / "v.tsv.gz"))  # fmt: skip
reader("given values: parquet", ["v.parquet"], lambda folder: variants()[["chrom", "pos", "ref", "alt"]].assign(
    prior=np.linspace(0.01, 0.2, ROWS)).to_parquet(folder / "v.parquet"), "parquet without checksums of its pages")(
    lambda folder: read_values(variants(), folder / "v.parquet"))  # fmt: skip


def sad(folder):
    table = variants()
    with h5py.File(folder / "v.h5", "w") as stored:
        stored.create_dataset("chr", data=np.array(["chr1"] * ROWS, "S"))
        stored.create_dataset("pos", data=table["pos"].to_numpy(), compression="gzip", chunks=(16,))
        for name in ("ref", "alt"):
            stored.create_dataset(name, data=np.array(table[name], "S"))
        scores = np.random.default_rng(9).normal(size=(ROWS, 5)).astype(np.float16)
        stored.create_dataset("SAD", data=scores, chunks=(8, 5), compression="gzip")


@reader("given values: HDF5", ["v.h5"], sad, "HDF5 without checksums")
def _(folder):
    return read_values(variants(), folder / "v.h5", "0,1", signed=False)


# Annotations and LD scores.


def annotations(folder, name):
    table = variants().assign(SNP=[f"rs{i}" for i in range(ROWS)], base=1.0, coding=np.arange(ROWS) % 2 * 1.0)
    table = table.set_axis(["v", "CHR", "BP", "A2", "A1", "SNP", "base", "coding"], axis=1).drop(columns="v")
    if name.endswith("parquet"):
        table.to_parquet(folder / name)
    else:
        (folder / name).write_bytes(in_gzip(table.to_csv(sep="\t", index=False)))


def annotation_values(name):
    def read(folder):
        # As sets of rows with the names of the variants: numbers of alleles depend on what was read before.
        files = AnnotationFiles(str(folder / name.replace("1", "{chrom}", 1)))
        keys = files.keys("1")
        return [files.columns, len(keys), keys.is_unique, list(files.values("1", ["coding", "base"]))]

    return read


for _name, _none in (("x.1.annot.gz", ""), ("x.1.annot.parquet", "parquet without checksums of its pages")):
    reader(f"annotations: {_name}", [_name], lambda folder, name=_name: annotations(folder, name), _none)(
        annotation_values(_name)
    )


@reader("sizes of annotations", ["x.1.l2.M"], lambda folder: (
    annotations(folder, "x.1.l2.ldscore.gz"), writes("x.1.l2.M", "1200.5 31.0\n")(folder)), PLAIN)  # fmt: skip
def _(folder):
    return read_sizes(str(folder / "x.{chrom}.l2.ldscore.gz"), ["1"], 2)


# Model.


@reader("labels", ["l.tsv"], lambda folder: variants()[["variant_id"]].assign(label=np.arange(ROWS) % 2).to_csv(
    folder / "l.tsv", sep="\t", index=False), PLAIN)  # fmt: skip
def _(folder):
    return read_labels(folder / "l.tsv")


def meme():
    """Two motifs as MEME text."""
    text = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
    text += "Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n"
    for name, row, width in (("M1 a", "0.700000 0.100000 0.100000 0.100000\n", 8),
                             ("M2 b", "0.100000 0.200000 0.300000 0.400000\n", 9)):  # fmt: skip
        text += f"MOTIF {name}\nletter-probability matrix: alength= 4 w= {width}\n{row * width}\n"
    return text


@reader("motifs", ["m.meme"], lambda folder: (folder / "m.meme").write_text(meme()), PLAIN)
def _(folder):
    return read_motifs(folder / "m.meme")


def head(folder):
    rng = np.random.default_rng(10)
    weight = rng.normal(size=(2, 8)).astype(np.float32)
    made = Head(weight, np.zeros(2, np.float32), ("one", "two"), "a" * 64, 128)
    write_head(made, folder / "h.safetensors")


reader("head", ["h.safetensors"], head, "safetensors")(lambda folder: vars(load_head(folder / "h.safetensors")))


def backbone(form):
    def build(folder):
        from toy_enformer import save_toy

        save_toy(folder, form=form)

    return build


def load(folder):
    enformer, _ = load_enformer(BackboneSettings(weights=str(folder), context_length=512, target_bins=12))
    return {name: value for name, value in enformer.state_dict().items() if not name.startswith("_trunk.")}


reader("backbone: safetensors", ["config.json", "model.safetensors"], backbone("safetensors"), "safetensors, JSON")(
    load
)
reader("backbone: PyTorch", ["pytorch_model.bin"], backbone("bin"), "PyTorch reads its zip archives without checksums")(
    load
)

# Settings and sheets.

SHEETS = {
    "config.yaml": yaml.safe_dump(small.CONFIG, sort_keys=False),
    "studies.tsv": "study\tsumstats\tpanel\thead\tnote\ntrait\tgwas.tsv\tpanel\tdisease\tmine\n",
    "tracks.tsv": "head\ttrack\tbigwig\ndisease\tdnase\tdnase.bw\n",
}


def project(folder):
    for name in ("gwas.tsv", "panel.bed", "panel.bim", "panel.fam", "genome.fa", "regions.bed", "dnase.bw"):
        (folder / name).write_text("x\n")
    for name, text in SHEETS.items():
        (folder / name).write_text(text)


@reader("config and sheets", list(SHEETS), project, PLAIN)
def _(folder):
    for name in ("config", "backbone"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "backbone/config.json").write_text(json.dumps({}))
    for name in ("studies.tsv", "tracks.tsv"):
        shutil.copy(folder / name, folder / "config" / name)
    before = Path.cwd()
    os.chdir(folder)
    try:
        return read_project(folder / "config.yaml")
    finally:
        os.chdir(before)
