"""Panels, lists of people, own genotypes with phenotype and covariates, loci."""

import shutil

import numpy as np
import pandas as pd
import pgenlib

from bad_inputs.world import PEOPLE, VARIANTS, association, gzipped, harmonise, loci

DOOR = harmonise


def edited(name, old, new, count=1):
    return lambda world: world.edit(name, old, new, count)


def text(name, content):
    return lambda world: world.write(name, content)


def cut(name, size):
    return lambda world: world.write(name, (world / name).read_bytes()[:size])


def bim(change):
    """Change the lines of the .bim."""
    return lambda world: world.write("panel.bim", "".join(change(world.text("panel.bim").splitlines(keepends=True))))


def pgen(world, bytes_kept=None, people=PEOPLE, header="#CHROM\tPOS\tID\tREF\tALT\n"):
    table = pd.read_csv(world / "panel.bim", sep="\t", names=["chrom", "id", "cm", "pos", "alt", "ref"], dtype="str")
    columns = table[["chrom", "pos", "id", "ref", "alt"]]
    world.write("p2.pvar", header + columns.to_csv(sep="\t", header=False, index=False))
    world.write("p2.psam", "#IID\n" + "".join(f"{i}\n" for i in range(1, people + 1)))
    with pgenlib.PgenWriter(world.at("p2.pgen").encode(), PEOPLE, variant_ct=VARIANTS, nonref_flags=False) as file:
        for row in range(VARIANTS):
            file.append_biallelic(np.full(PEOPLE, row % 3, np.int8))
    if bytes_kept:
        cut("p2.pgen", bytes_kept)(world)


def vcf(form="GT", value="0/1", name="panel.vcf", line="1\t32\tx\tC\tT", pack=bytes):
    def write(world):
        known = {"GT": ("1", "String"), "DS": ("A", "Float"), "PL": ("G", "Integer")}
        number, kind = known[form]
        world.write(name, pack((
            f'##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID={form},Number={number},Type={kind},Description="">\n'
            f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n{line}\t.\t.\t.\t{form}\t{value}\t{value}\n"
        ).encode()))  # fmt: skip

    return write


PGEN, VCF, OWN, LOCI = {"panel": "p2"}, {"panel": "panel.vcf"}, {"door": association}, {"door": loci, "bed": "loci.bed"}
CASES = [
    # PLINK 1
    (
        "bed and bim of different sizes",
        bim(lambda rows: rows[:-1]),
        "panel.bed: 2,403 bytes, but 119 variants (.bim) of 80 samples (.fam) make 2,383; do the three",
    ),
    (
        "bed and fam of different sizes",
        edited("panel.fam", "80\t80\t0\t0\t0\t-9\n", "80\t80\t0\t0\t0\t-9\n" + "x\ty\n" * 9),
        "panel.bed: 2,403 bytes, but 120 variants (.bim) of 89 samples (.fam) make 2,763; do the three",
    ),
    (
        "bed cut off",
        cut("panel.bed", 900),
        "panel.bed: 900 bytes, but 120 variants (.bim) of 80 samples (.fam) make 2,403; do the three",
    ),
    (
        "bed of individuals",
        lambda w: w.write("panel.bed", b"\x6c\x1b\x00" + (w / "panel.bed").read_bytes()[3:]),
        "panel.bed: individual-major .bed; only variant-major is read (plink --make-bed)",
    ),
    (
        "bed that is none",
        text("panel.bed", b"hello"),
        "panel.bed: not a PLINK 1 .bed file (it begins with 0x68656c, not 0x6c1b01)",
    ),
    ("empty bed", text("panel.bed", b""), "panel.bed: not a PLINK 1 .bed file (it begins with 0x, not 0x6c1b01)"),
    ("no bim", lambda w: (w / "panel.bim").unlink(), "panel 'panel': file 'panel.bim' does not exist"),
    ("empty fam", text("panel.fam", ""), "panel.fam: no samples in this file"),
    (
        "fam of one column",
        text("panel.fam", "a\nb\n"),
        "panel.fam, line 1: one column; a .fam begins with family and sample",
    ),
    (
        "one person",
        lambda w: (w.write("panel.fam", "a a\n"), w.write("panel.bed", b"\x6c\x1b\x01" + b"\x02" * VARIANTS)),
        "gwas.tsv: none of 120 rows is left (120 monomorphic_in_panel). monomorphic_in_panel: everybody",
    ),
    (
        "nobody has a genotype",
        lambda w: w.write("panel.bed", b"\x6c\x1b\x01" + b"\x55" * (20 * VARIANTS)),
        "gwas.tsv: none of 120 rows is left (120 monomorphic_in_panel). monomorphic_in_panel: everybody",
    ),
    (
        "bim of 5 columns",
        bim(lambda rows: [row.replace("\t0\t", "\t", 1) for row in rows]),
        "panel.bim, line 1: not 6 columns; a .bim has chrom, snp_id, cm, pos, a1, a2",
    ),
    (
        "bim with a line of 5 columns",
        bim(lambda rows: [*rows[:10], rows[10].replace("\t0\t", "\t", 1), *rows[11:]]),
        "panel.bim, line 11: not 6 columns; a .bim has chrom, snp_id, cm, pos, a1, a2",
    ),
    (
        "bim with a header",
        bim(lambda rows: ["chrom\tid\tcm\tpos\ta1\ta2\n", *rows[1:]]),
        "panel.bim, line 1: position 'pos' is not a whole number",
    ),
    (
        "bim with text for a position",
        bim(lambda rows: [*rows[:10], rows[10].replace("\t352\t", "\t352bp\t"), *rows[11:]]),
        "panel.bim, line 11: position '352bp' is not a whole number",
    ),
    ("empty bim", text("panel.bim", ""), "panel.bim: no variants in this file"),
    (
        "bim in UTF-16",
        lambda w: w.write("panel.bim", w.text("panel.bim").encode("utf-16")),
        "panel.bim: text in UTF-16: save it as UTF-8",
    ),
    (
        "every variant twice in the panel",
        lambda w: (
            w.write("panel.bim", w.text("panel.bim") * 2),
            w.write("panel.bed", (w / "panel.bed").read_bytes() + (w / "panel.bed").read_bytes()[3:]),
        ),
        "gwas.tsv: none of 120 rows is left (120 panel_duplicate). panel_duplicate: the panel has",
    ),
    (
        "panel of another build",
        bim(lambda rows: [row.replace("\t0\t", "\t0\t9") for row in rows]),
        "gwas.tsv: none of 120 rows is left (120 absent_from_panel). absent_from_panel: the panel has no",
    ),
    ("no panel", None, "panel 'pannel': neither .bed nor .pgen exists", {"panel": "pannel"}),
    # PLINK 2
    (
        "pgen cut off",
        lambda w: pgen(w, 300),
        "p2.pgen: not a whole .pgen file, or damaged (read_range() error 4)",
        PGEN,
    ),
    (
        "pgen that is none",
        lambda w: (pgen(w), w.write("p2.pgen", b"hello there, no genotypes")),
        "p2.pgen: not a .pgen file of 120 variants (.pvar) and 80 samples (.psam), or damaged (p2.pgen is not a .pgen",
        PGEN,
    ),
    (
        "pgen and psam disagree",
        lambda w: pgen(w, people=77),
        "p2.pgen: not a .pgen file of 120 variants (.pvar) and 77 samples (.psam), or damaged (PgfiInitPhase1() was",
        PGEN,
    ),
    (
        "pvar without a header line",
        lambda w: pgen(w, header="chrom\tpos\n"),
        "p2.pvar: not a .pvar file, or damaged (No variants in p2.pvar.)",
        PGEN,
    ),
    (
        "pvar cut off",
        lambda w: (pgen(w), cut("p2.pvar", 700)(w)),
        "p2.pvar: not a .pvar file, or damaged (Fewer tokens than expected on line 47 of p2.pvar.)",
        PGEN,
    ),
    ("empty psam", lambda w: (pgen(w), w.write("p2.psam", "#IID\n")), "p2.psam: no samples in this file", PGEN),
    # VCF
    (
        "VCF panel without GT and DS",
        vcf("PL", "0,10,100"),
        "panel.vcf, 1:32: neither GT nor DS in its FORMAT (PL)",
        VCF,
    ),
    (
        "VCF panel without people",
        lambda w: w.write(
            "panel.vcf",
            "##fileformat=VCFv4.2\n##contig=<ID=1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t32\t.\tC\tT\t.\t.\t.\n",
        ),
        "panel.vcf: no samples in this file; LD needs their genotypes",
        VCF,
    ),
    ("VCF panel with dosages in percent", vcf("DS", "150"), "panel.vcf, 1:32: DS '150' is not between 0 and 2", VCF),
    (
        "VCF panel with a broken line",
        vcf(line="1\tx\tx\tC\tT"),
        "panel.vcf, at its first record: not a whole VCF or BCF file, or damaged (truncated file)",
        VCF,
    ),
    (
        "VCF panel in gzip",
        vcf(name="panel.vcf.gz", pack=gzipped),
        "panel.vcf.gz: packed by gzip: unpack it, and pack it with bgzip",
        {"panel": "panel.vcf.gz"},
    ),
    (
        "VCF panel without variants",
        lambda w: (
            vcf()(w),
            w.write("panel.vcf", "".join(x for x in w.text("panel.vcf").splitlines(keepends=True) if x[0] == "#")),
        ),
        "panel.vcf: no variants in this file",
        VCF,
    ),
    (
        "VCF panel that is none",
        text("panel.vcf", "hello\n"),
        "panel.vcf: not a VCF or BCF file, or damaged (invalid file `b'panel.vcf'` (mode=`b'r'`) - is it",
        VCF,
    ),
    (
        "VCF panel with deletions of nothing",
        vcf(line="1\t32\tx\tC\t*"),
        "gwas.tsv: none of 120 rows is left (120 absent_from_panel). absent_from_panel: the panel has no",
        VCF,
    ),
    # people
    (
        "people who are not in the panel",
        text("keep", "1\n2\nAnna\nBert\n"),
        "keep: 2 samples are not in panel: Anna, Bert; each line has a name of the panel's samples, or",
        {"samples": "keep"},
    ),
    ("nobody to keep", text("keep", "\n"), "keep: 0 samples; LD needs two or more", {"samples": "keep"}),
    ("one person to keep", text("keep", "1\n"), "keep: 1 samples; LD needs two or more", {"samples": "keep"}),
    (
        "a list of people that is binary",
        text("keep", b"\xff\xfe\x00"),
        "keep: text in UTF-16: save it as UTF-8",
        {"samples": "keep"},
    ),
    (
        "panels of different people",
        lambda w: (
            [
                (w / f"c{c}.{e}").write_bytes((w / f"panel.{e}").read_bytes())
                for c in "12"
                for e in ("bed", "bim", "fam")
            ]
            and w.edit("c2.fam", "80\t80", "80\tAnna")
        ),
        "c2: 80 samples, not the same as the 80 of c1, or in another order; name those to keep in",
        {"panel": "c{chrom}"},
    ),
    # own genotypes
    ("no phenotype", None, "no.txt: no such file", OWN | {"phenotype": "no.txt"}),
    (
        "empty phenotype",
        text("trait.txt", ""),
        "trait.txt: the first line must be a header that begins with IID, or with FID and IID",
        OWN,
    ),
    (
        "phenotype without a header",
        edited("trait.txt", "IID height\n", ""),
        "trait.txt: the first line must be a header that begins with IID, or with FID and IID",
        OWN,
    ),
    (
        "phenotype in words",
        edited("trait.txt", "\n7 ", "\n7 tall"),
        "trait.txt, line 8: height of sample '7' is 'tall-0.245'; a number or NA is needed (write categories as",
        OWN,
    ),
    (
        "phenotype of others",
        lambda w: w.write("trait.txt", "IID t\nAnna 1\nBert 2.5\n"),
        "trait.txt: nobody of it is in the genotypes; 'Anna' is not, for example",
        OWN,
    ),
    (
        "phenotype without variation",
        lambda w: w.write("trait.txt", "IID t\n" + "".join(f"{i} 4\n" for i in range(1, 81))),
        "trait.txt: trait t: everybody has the value 4",
        OWN,
    ),
    (
        "phenotype of 0, 1 and 2",
        lambda w: w.write("trait.txt", "IID t\n" + "".join(f"{i} {i % 3}\n" for i in range(1, 81))),
        "trait.txt: trait t: values 0, 1 and 2; write NA where 0 means missing, or other numbers for a",
        OWN,
    ),
    (
        "two phenotypes",
        lambda w: w.write("trait.txt", "IID t u\n" + "".join(f"{i} {i} {i}\n" for i in range(1, 81))),
        "trait.txt: one trait is needed beside FID and IID; there are 2: t, u",
        OWN,
    ),
    (
        "a person with two phenotypes",
        edited("trait.txt", "\n8 ", "\n7 "),
        "trait.txt, line 9: sample '7' is there twice",
        OWN,
    ),
    (
        "phenotype with a short line",
        edited("trait.txt", "\n8 ", "\n8\n9 "),
        "trait.txt, line 9: 1 fields, the header has 2",
        OWN,
    ),
    (
        "phenotype in UTF-16",
        lambda w: w.write("trait.txt", w.text("trait.txt").encode("utf-16")),
        "trait.txt: text in UTF-16: save it as UTF-8",
        OWN,
    ),
    (
        "covariates in words",
        edited("age.txt", "\n8 0\n", "\n8 male\n"),
        "age.txt, line 9: age of sample '8' is 'male'; a number or NA is needed (write categories as columns of",
        OWN,
    ),
    (
        "covariates of others",
        lambda w: w.write("age.txt", "IID age\nAnna 40\n"),
        "age.txt: nobody of it is in the genotypes; 'Anna' is not, for example",
        OWN,
    ),
    (
        "a covariate twice",
        edited("age.txt", "IID age", "IID age age"),
        "age.txt: a column is there twice; the header is IID age age",
        OWN,
    ),
    # loci
    ("no BED file", None, "loci.bed: no such file", LOCI),
    ("empty BED file", text("loci.bed", "# nothing\n"), "loci.bed: no interval in this BED file", LOCI),
    (
        "a locus that ends before it starts",
        text("loci.bed", "1\t10\t20\n1\t900\t800\n"),
        "loci.bed, line 2: 900-800 must have start < end (the start lies behind the end",
        LOCI,
    ),
    (
        "a locus beyond the chromosome",
        text("loci.bed", "1\t3000\t5000\n"),
        "loci.bed, line 1: 3000-5000 must have start < end <= 4000 (length of 1)",
        LOCI,
    ),
    (
        "a locus on an unknown chromosome",
        text("loci.bed", "chr9\t0\t500\n"),
        "loci.bed, line 1: genome.fa has no contig 'chr9'",
        LOCI,
    ),
    (
        "a locus twice",
        text("loci.bed", "1\t0\t500\nchr1\t0\t500\n"),
        "loci.bed, line 2: chr1_0_500 is there twice",
        LOCI,
    ),
    (
        "a locus of two columns",
        text("loci.bed", "1\t0\n"),
        "loci.bed, line 1: '1 0' is not chromosome, start (0-based), end as whole numbers",
        LOCI,
    ),
    (
        "a locus with a negative start",
        text("loci.bed", "1\t-5\t100\n"),
        "loci.bed, line 1: '1 -5 100' is not chromosome, start (0-based), end as whole numbers",
        LOCI,
    ),
    (
        "a locus in exponents",
        text("loci.bed", "1\t1e2\t2e3\n"),
        "loci.bed, line 1: '1 1e2 2e3' is not chromosome, start (0-based), end as whole numbers",
        LOCI,
    ),
    (
        "loci in UTF-16",
        lambda w: w.write("loci.bed", "1\t0\t500\n".encode("utf-16")),
        "loci.bed: text in UTF-16: save it as UTF-8",
        LOCI,
    ),
    (
        "loci with a header",
        text("loci.bed", "chrom\tstart\tend\n1\t0\t500\n"),
        "as whole numbers; a BED file has no header: remove that line, or begin it with #",
        LOCI,
    ),
    (
        "a locus with an empty field",
        text("loci.bed", "1\t\t0\t500\n"),
        "loci.bed, line 1: '1  0 500' has an empty start",
        LOCI,
    ),
    (
        "a locus of no base",
        text("loci.bed", "1\t500\t500\n"),
        "loci.bed, line 1: 500-500 must have start < end (which holds no base",
        LOCI,
    ),
    (
        "loci by accession numbers",
        text("loci.bed", "NC_000001.10\t0\t500\n"),
        "loci.bed, line 1: genome.fa has no contig 'NC_000001.10'; there are 1, 2",
        LOCI,
    ),
    (
        "loci packed and cut off",
        lambda w: w.write("loci.bed", gzipped("".join(f"1\t{i}\t{i + 9}\n" for i in range(900)))[:-20]),
        "loci.bed: not a BED file, or damaged (Compressed file ended before the end-of-stream marker",
        LOCI,
    ),
    (
        "an empty BED file of excluded regions",
        text("mask.bed", "track name=mask\n"),
        "mask.bed: no interval in this BED file",
        {"door": loci, "exclude_bed": "mask.bed"},
    ),
    (
        "a panel with two names of a chromosome",
        bim(lambda rows: [*rows[:60], *("chr" + row for row in rows[60:])]),
        "panel: it has variants on '1' and on 'chr1', which are both 1 of the FASTA; rename or remove those",
    ),
    (
        "a panel with a name that may mean two contigs",
        lambda w: (
            w.write("genome.fa", ">chr1\n" + w.text("genome.fa").split("\n")[1] + "\n>01\nACGT\n"),
            (w / "genome.fa.fai").unlink(),
        ),
        "genome.fa: '1' may mean 'chr1' or '01', which are one chromosome by name; keep the right one",
    ),
    (
        "panels by chromosome of which two are of one",
        lambda w: [
            shutil.copy(w / f"panel.{e}", w / f"{name}.{e}") for name in ("p1", "pchr1") for e in ("bed", "bim", "fam")
        ],
        "p{chrom}: 1 and chr1 are one chromosome by name; keep one of them",
        {"panel": "p{chrom}"},
    ),
    (
        "LD blocks that overlap",
        text("blocks.bed", "1\t0\t2000\n1\t1500\t3000\n"),
        "blocks.bed: the blocks chr1_0_2000 and chr1_1500_3000 overlap; blocks of loci.blocks must not",
        {"door": loci, "blocks": "blocks.bed"},
    ),
    (
        "summary statistics that are no table",
        text("sumstats.parquet", b"PAR1 no"),
        "sumstats.parquet: not a readable sumstats table, or damaged (Could not open Parquet input source",
        {"door": loci},
    ),
]
