"""Summary statistics and their meta file, as they come."""

import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from bad_inputs.world import gzipped, harmonise

GIANT_LINE = 200 << 20


def lines(world):
    return world.text("gwas.tsv").splitlines(keepends=True)


def renamed(old, new):
    return lambda world: world.edit("gwas.tsv", old, new, 1)


def numbers(column, function):
    """Change a column of numbers."""
    return lambda world: world.gwas(**{column: lambda table: function(table[column].astype(float))})


def with_meta(text):
    return lambda world: world.write("gwas.tsv-meta.yaml", text)


def as_bytes(change):
    return lambda world: world.write("gwas.tsv", change((world / "gwas.tsv").read_bytes()))


def giant_line(world):
    """Hundreds of MB in one line, of which 300 kB are on disk."""
    with gzip.open(world / "gwas.tsv.gz", "wb", compresslevel=1) as handle:
        handle.write("".join(lines(world)[:5]).encode() + b"1\t")
        for _ in range(GIANT_LINE >> 20):
            handle.write(b"9" * (1 << 20))


def half_a_gzip(world):
    packed = gzipped(world.text("gwas.tsv"))
    world.write("gwas.tsv.gz", packed[: len(packed) // 2])


def damaged_gzip(world):
    packed = bytearray(gzipped(world.text("gwas.tsv")))
    packed[len(packed) // 2] ^= 0xFF
    world.write("gwas.tsv.gz", bytes(packed))


def in_a_zip(world):
    with zipfile.ZipFile(world / "gwas.zip", "w") as archive:
        archive.write(world / "gwas.tsv", "gwas.tsv")


def exchanged(world):
    table = pd.read_csv(world / "gwas.tsv", sep="\t", dtype="str")
    world.gwas(effect_allele=table["other_allele"], other_allele=table["effect_allele"])


def zero_based(world):
    numbers("base_pair_location", lambda pos: pos.astype(int) - 1)(world)


def of_another_build(world):
    numbers("base_pair_location", lambda pos: pos.astype(int) - 13)(world)


def parquet(**columns):
    def write(world):
        table = pd.read_csv(world / "gwas.tsv", sep="\t", dtype={"chromosome": "str"})
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        for name, values in columns.items():
            arrow = arrow.set_column(arrow.column_names.index(name), name, values(len(table)))
        pa.parquet.write_table(arrow, world / "gwas.parquet")

    return write


def half_a_parquet(world):
    parquet()(world)
    whole = (world / "gwas.parquet").read_bytes()
    world.write("gwas.parquet", whole[: len(whole) // 2])


def gwas_vcf(formats="ES:SE:LP:SS", columns="1\t33\t.\tA\tC\t.\tPASS\t.", values="0.1:0.1:1:500", samples="trait"):
    def write(world):
        header = "##fileformat=VCFv4.2\n##contig=<ID=1>\n" + "".join(
            f'##FORMAT=<ID={name},Number=A,Type=Float,Description="">\n' for name in formats.split(":")
        )
        names = f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{samples}\n"
        people = "\t".join([values] * len(samples.split("\t")))
        world.write("gwas.vcf", f"{header}{names}{columns}\t{formats}\t{people}\n")

    return write


GZ, PARQUET, VCF = {"sumstats": "gwas.tsv.gz"}, {"sumstats": "gwas.parquet"}, {"sumstats": "gwas.vcf"}
DOOR = harmonise
CASES = [
    # the file
    ("no such file", None, "gwaz.tsv: no such file", {"sumstats": "gwaz.tsv"}),
    ("a folder", lambda w: (w / "gwas.d").mkdir(), "gwas.d: a folder, not a file", {"sumstats": "gwas.d"}),
    (
        "truncated gzip",
        half_a_gzip,
        "gwas.tsv.gz: not a file of summary statistics, or damaged (Compressed file ended before",
        GZ,
    ),
    (
        "damaged gzip",
        damaged_gzip,
        "gwas.tsv.gz: not a file of summary statistics, or damaged (CRC check failed",
        GZ,
    ),
    ("gzip with nothing in it", lambda w: w.write("gwas.tsv.gz", gzipped("")), "gwas.tsv.gz: the file is empty", GZ),
    (
        "zip",
        in_a_zip,
        "gwas.zip: a zip archive or an Excel file: unpack it, or save it as text",
        {"sumstats": "gwas.zip"},
    ),
    ("bzip2", as_bytes(bz2.compress), "gwas.tsv: compressed by bzip2: unpack it, or compress it by gzip"),
    ("xz", as_bytes(lzma.compress), "gwas.tsv: compressed by xz: unpack it, or compress it by gzip"),
    ("empty file", as_bytes(lambda _: b""), "gwas.tsv: the file is empty"),
    ("blank lines only", as_bytes(lambda _: b"\n\n\n"), "gwas.tsv: the file is empty"),
    ("header only", as_bytes(lambda text: text.split(b"\n")[0] + b"\n"), "gwas.tsv: no rows after the header"),
    (
        "random bytes",
        as_bytes(lambda _: np.random.default_rng(1).bytes(5000)),
        "gwas.tsv, line 2: not a text file in UTF-8 (there is a byte of 0)",
    ),
    ("UTF-16", as_bytes(lambda text: text.decode().encode("utf-16")), "gwas.tsv: text in UTF-16: save it as UTF-8"),
    (
        "Latin-1",
        as_bytes(lambda text: text.replace(b"rs40", "K\xf6ln40".encode("latin-1"))),
        "gwas.tsv, line 42: not text in UTF-8",
    ),
    (
        "a byte of 0 in the middle",
        as_bytes(lambda text: text.replace(b"rs40", b"r\0s40")),
        "gwas.tsv, line 42: not a text file in UTF-8 (there is a byte of 0)",
    ),
    (
        "a byte of 0 in a number",
        as_bytes(lambda text: text.replace(b"\trs40\t", b"\trs40\0\t")),
        "gwas.tsv, line 42: not a text file in UTF-8 (there is a byte of 0)",
    ),
    (
        "a line of hundreds of megabytes",
        giant_line,
        "gwas.tsv.gz, line 6: megabytes long; is it a table with one variant a line?",
        GZ,
    ),
    (
        "an HTML page",
        as_bytes(lambda _: b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"),
        "gwas.tsv: no column holds alleles (columns: <!DOCTYPE, html>); effects without effect and other",
    ),
    (
        "an Excel workbook",
        lambda w: w.write("gwas.tsv", b"PK\x03\x04" + bytes(100)),
        "gwas.tsv: a zip archive or an Excel file: unpack it, or save it as text",
    ),
    # lines and columns
    (
        "semicolons",
        as_bytes(lambda text: text.replace(b"\t", b";")),
        "gwas.tsv: one column; columns must be separated by tabs, commas or spaces (';' in the header is",
    ),
    (
        "header in tabs, rows in commas",
        lambda w: w.write("gwas.tsv", lines(w)[0] + "".join(lines(w)[1:]).replace("\t", ",")),
        "gwas.tsv, line 2: 1 columns, but the header has 10; is it cut off, or set apart by another sign",
    ),
    (
        "last line cut off",
        as_bytes(lambda text: text[:-30]),
        "gwas.tsv, line 121: 6 columns, but the header has 10; is the file cut off there?",
    ),
    (
        "row names without a header",
        lambda w: w.write("gwas.tsv", lines(w)[0] + "".join(f"{i}\t{x}" for i, x in enumerate(lines(w)[1:]))),
        "gwas.tsv, line 2: 11 columns, but the header has 10; a column of row names needs a name in the",
    ),
    (
        "no header",
        lambda w: w.write("gwas.tsv", "".join(lines(w)[1:])),
        "gwas.tsv: the first line holds numbers (1, 32, C, T, 0.02062, 0.0142, 0.456, 0.1464, rs0,",
    ),
    (
        "header again in the middle",
        lambda w: w.write("gwas.tsv", "".join(lines(w)[:60] + lines(w)[:1] + lines(w)[60:])),
        "gwas.tsv, line 61: the header again; were files put after one another? Keep the first header",
    ),
    (
        "header again and short",
        lambda w: w.write("gwas.tsv", "".join([*lines(w)[:60], "chromosome\tbeta\n", *lines(w)[60:]])),
        "gwas.tsv, line 61: 2 columns, but the header has 10; is the file cut off there?",
    ),
    ("a column twice", renamed("rsid", "beta"), "gwas.tsv: column 'beta' is there 2 times"),
    (
        "a quotation mark that does not close",
        lambda w: w.write(
            "gwas.tsv",
            '"' + w.text("gwas.tsv").replace("chromosome", 'chromosome"', 1).replace("\trs40\t", '\t"rs40\t'),
        ),
        "gwas.tsv, line 42: a quotation mark that is not closed in its line",
    ),
    (
        "unknown columns",
        renamed("effect_allele\tother_allele", "a\tb"),
        "gwas.tsv: no column holds alleles (columns: chromosome, base_pair_location, a, b, beta,",
    ),
    (
        "ambiguous columns",
        renamed("effect_allele\tother_allele", "A1\tA2"),
        "gwas.tsv: columns chromosome, base_pair_location, A1, A2, beta, standard_error,",
    ),
    (
        "no effect column",
        renamed("beta", "b2"),
        "gwas.tsv: no effect column (gwas-ssf: beta, odds_ratio, hazard_ratio, z_score)",
    ),
    (
        "no position column",
        renamed("base_pair_location", "where"),
        "gwas.tsv: columns chromosome, where, effect_allele, other_allele, beta, standard_error,",
    ),
    (
        "neither se nor p",
        lambda w: w.edit("gwas.tsv", "standard_error", "x") or w.edit("gwas.tsv", "p_value", "y"),
        "gwas.tsv: neither a standard error ('standard_error') nor a p-value ('p_value') is there; one",
    ),
    (
        "no sample size",
        renamed("\tn\n", "\tm\n"),
        "gwas.tsv: no sample size; give n (or cases and controls) in the studies sheet, a column n, or",
    ),
    (
        "unknown format",
        None,
        "gwas.tsv: format 'plink3' is not known; allowed: gwas-catalog-hm, gwas-ssf, plink2, regenie,",
        {"layout": "plink3"},
    ),
    (
        "another format than it is",
        None,
        "gwas.tsv: chromosome (regenie: column 'CHROM') is missing",
        {"layout": "regenie"},
    ),
    (
        "columns that it has not",
        None,
        "gwas.tsv: column 'A1', which `columns:` names as effect_allele, is missing",
        {"layout": {"effect_allele": "A1", "other_allele": "A2"}},
    ),
    (
        "columns of an unknown kind",
        None,
        "gwas.tsv: columns: 'alelle' is not known; allowed: base_pair_location, beta, odds_ratio,",
        {"layout": {"alelle": "A1"}},
    ),
    # numbers
    (
        "negative standard errors",
        numbers("standard_error", lambda se: -se),
        "gwas.tsv: standard error is not above 0 in 120 of 120 rows, first in line 2 (-0.0142); is it",
    ),
    (
        "standard errors of 0",
        numbers("standard_error", lambda se: 0 * se),
        "gwas.tsv: standard error is not above 0 in 120 of 120 rows, first in line 2 (0); is it the",
    ),
    (
        "standard errors that are variances of ratios",
        numbers("standard_error", lambda se: np.random.default_rng(1).uniform(0.1, 900, len(se))),
        "gwas.tsv: p-values and effects contradict one another (correlation of -log10 p with that of",
    ),
    (
        "p above 1",
        numbers("p_value", lambda p: p * 0 + 1.2),
        "gwas.tsv: p-value is not within 0 to 1 in 120 of 120 rows, first in line 2 (1.2); is it the",
    ),
    (
        "p below 0",
        numbers("p_value", lambda p: -p),
        "gwas.tsv: p-value is not within 0 to 1 in 120 of 120 rows, first in line 2 (below 0); is it the",
    ),
    (
        "p that are -log10 p",
        numbers("p_value", lambda p: -np.log10(p)),
        "gwas.tsv: p-values and effects contradict one another (correlation of -log10 p with that of",
    ),
    (
        "p that are chi2",
        numbers("p_value", lambda p: 1 + 20 * p),
        "gwas.tsv: p-value is not within 0 to 1 in 120 of 120 rows, first in line 2 (3.928); is it the",
    ),
    (
        "z of NaN",
        lambda w: w.edit("gwas.tsv", "beta", "z_score", 1) or w.gwas(z_score="NaN", standard_error="NA", p_value="NA"),
        "gwas.tsv: none of 120 rows is left (120 missing_value). missing_value: chromosome, position, an",
    ),
    (
        "decimal commas",
        lambda w: w.gwas(**{c: (lambda t, c=c: t[c].str.replace(".", ",")) for c in ("beta", "standard_error")}),
        "gwas.tsv: beta is no number in 119 of 120 rows, first in line 2 ('0,02062'); numbers are",
    ),
    (
        "a negative odds ratio",
        renamed("beta", "odds_ratio"),
        "gwas.tsv, line 3: odds_ratio is -0.0058; a ratio is never below 0: is it a beta?",
    ),
    (
        "betas that are odds ratios",
        numbers("beta", lambda beta: np.exp(beta)),
        "gwas.tsv: every beta is above 0 and they lie around 1; are they odds ratios?",
    ),
    (
        "infinite effects",
        lambda w: w.gwas(beta="inf"),
        "gwas.tsv: none of 120 rows is left (120 bad_value). bad_value: a number is out of its range: a",
    ),
    (
        "frequencies in percent",
        numbers("effect_allele_frequency", lambda eaf: 100 * eaf),
        "gwas.tsv: frequency of the effect allele is not within 0 to 1 in 120 of 120 rows, first in line",
    ),
    (
        "frequencies of the other allele",
        numbers("effect_allele_frequency", lambda eaf: 1 - eaf),
        "gwas.tsv: effect_allele_frequency runs against the panel's frequencies (correlation -1.00 over",
    ),
    (
        "sample size of 0",
        lambda w: w.gwas(n="0"),
        "gwas.tsv: none of 120 rows is left (120 bad_value). bad_value: a number is out of its range: a",
    ),
    (
        "sample size in words",
        lambda w: w.gwas(n="many"),
        "gwas.tsv: n is no number in 120 of 120 rows, first in line 2 ('many'); numbers are written like",
    ),
    # alleles and places
    (
        "effect and other allele exchanged",
        exchanged,
        "gwas.tsv: effect_allele_frequency runs against the panel's frequencies (correlation -1.00 over",
    ),
    (
        "alleles 1 and 2",
        lambda w: w.gwas(effect_allele="1", other_allele="2"),
        "gwas.tsv: none of 120 rows is left (120 bad_alleles). bad_alleles: an allele is not written in",
    ),
    (
        "alleles I and D",
        lambda w: w.gwas(effect_allele="I", other_allele="D"),
        "gwas.tsv: none of 120 rows is left (120 coded_alleles). coded_alleles: an insertion or deletion",
    ),
    (
        "one allele",
        lambda w: w.gwas(effect_allele="A", other_allele="A"),
        "gwas.tsv: none of 120 rows is left (120 bad_alleles). bad_alleles: an allele is not written in",
    ),
    (
        "another build",
        of_another_build,
        "gwas.tsv: only 53% of the A/T and C/G rows have an allele that genome.fa (GRCh37) has at their",
    ),
    (
        "positions from 0",
        zero_based,
        "gwas.tsv: only 50% of the A/T and C/G rows have an allele that genome.fa (GRCh37) has at their",
    ),
    (
        "positions with thousands separators",
        lambda w: w.gwas(base_pair_location=lambda t: "1," + t["base_pair_location"].str.zfill(3)),
        "gwas.tsv: base_pair_location is no number in 120 of 120 rows, first in line 2 ('1,032');",
    ),
    (
        "positions in megabases",
        numbers("base_pair_location", lambda pos: pos / 1e6),
        "gwas.tsv: none of 120 rows is left (120 position_outside). position_outside: the position is",
    ),
    (
        "negative positions",
        numbers("base_pair_location", lambda pos: -pos.astype(int)),
        "gwas.tsv: none of 120 rows is left (120 position_outside). position_outside: the position is",
    ),
    (
        "positions beyond the chromosome",
        numbers("base_pair_location", lambda pos: pos.astype(int) + 9_000_000),
        "gwas.tsv: none of 120 rows is left (120 position_outside). position_outside: the position is",
    ),
    (
        "unknown chromosomes",
        lambda w: w.gwas(chromosome="NC_000001.10"),
        "gwas.tsv: none of 120 rows is left (120 contig_missing). contig_missing: the FASTA has no such",
    ),
    (
        "empty chromosomes",
        lambda w: w.gwas(chromosome=""),
        "gwas.tsv: none of 120 rows is left (120 missing_value). missing_value: chromosome, position, an",
    ),
    (
        "nothing of it in the panel",
        lambda w: w.edit("panel.bim", "1\trs", "2\trs"),
        "gwas.tsv: none of 120 rows is left (120 absent_from_panel). absent_from_panel: the panel has no",
    ),
    # meta file
    (
        "meta file that is not YAML",
        with_meta("genome_assembly: [GRCh37\n"),
        "gwas.tsv-meta.yaml, line 2: not YAML (expected ',' or ']', but got '<stream end>')",
    ),
    (
        "meta file with a tab",
        with_meta("genome_assembly:\tGRCh37\n\tsample_size: 5\n"),
        "gwas.tsv-meta.yaml, line 1: not YAML (found character '\\t' that cannot start any token)",
    ),
    (
        "meta file that runs code",
        with_meta("genome_assembly: !!python/object/apply:os.system ['touch out/owned']\n"),
        "gwas.tsv-meta.yaml, line 1: a tag (!!python/object/apply:os.system) may not stand here",
    ),
    (
        "meta file that is a list",
        with_meta("- GRCh37\n"),
        "gwas.tsv-meta.yaml: must hold `key: value` lines, not a list",
    ),
    (
        "meta file in another encoding",
        with_meta("# K\xf6ln\ngenome_assembly: GRCh37\n".encode("latin-1")),
        "gwas.tsv-meta.yaml, line 1: not UTF-8 text (byte 3); save it as UTF-8",
    ),
    (
        "meta file of another build",
        with_meta("genome_assembly: GRCh38\n"),
        "gwas.tsv: genome_assembly is 'GRCh38' (meta file, header or format), but genome.build of the",
    ),
    (
        "meta file with an unknown coordinate system",
        with_meta("coordinate_system: interbase\n"),
        "gwas.tsv-meta.yaml: coordinate_system 'interbase' is not known; allowed: 0-based, 1-based",
    ),
    (
        "meta file with a size in words",
        with_meta("sample_size: about 5000\n"),
        "gwas.tsv-meta.yaml: sample_size is 'about 5000'; allowed: a number above 0",
    ),
    (
        "meta file whose anchors grow without end",
        with_meta(
            "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" if i else "a0: &a0 [x, x]\n" for i in range(30))
            + "sample_size: *a29\n"
        ),
        "gwas.tsv-meta.yaml, line 5: more than 10,000 values; do anchors (&) and aliases (*) repeat one",
    ),
    (
        "meta file with a build of anchors",
        with_meta(
            "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" if i else "a0: &a0 [x, x]\n" for i in range(30))
            + "genome_assembly: *a29\n"
        ),
        "gwas.tsv-meta.yaml, line 5: more than 10,000 values; do anchors (&) and aliases (*) repeat one",
    ),
    (
        "meta file with a size twice",
        with_meta("sample_size: 5000\nsamples: []\nsample_size: 6000\n"),
        "gwas.tsv-meta.yaml, line 3: sample_size occurs twice; it is there in line 1 already",
    ),
    (
        "meta file with an octal size",
        with_meta("samples:\n  - sample_size: 010000\n"),
        "gwas.tsv-meta.yaml, line 2: 010000 is a number to the base 2, 8 or 16 to YAML; write it in",
    ),
    (
        "meta file with a flag for a build",
        with_meta("genome_assembly: no\n"),
        "gwas.tsv-meta.yaml: genome_assembly must be one word, not several and not true or false",
    ),
    # parquet and VCF
    (
        "parquet cut off",
        half_a_parquet,
        "gwas.parquet: not a file of summary statistics, or damaged (Parquet magic bytes not found in footer. Either",
        PARQUET,
    ),
    (
        "parquet with lists",
        parquet(beta=lambda n: pa.array([[0.1]] * n)),
        "gwas.parquet: column 'beta' holds list<element: double>; numbers or text are needed",
        PARQUET,
    ),
    (
        "parquet with dates",
        parquet(beta=lambda n: pa.array([pd.Timestamp("2020-01-01")] * n)),
        "gwas.parquet: column 'beta' holds timestamp[us]; numbers or text are needed",
        PARQUET,
    ),
    (
        "parquet with bytes for alleles",
        parquet(effect_allele=lambda n: pa.array([b"\xff\xfe"] * n)),
        "gwas.parquet: not a file of summary statistics, or damaged (Invalid UTF8 payload)",
        PARQUET,
    ),
    (
        "parquet with flags for alleles",
        parquet(effect_allele=lambda n: pa.array([True] * n)),
        "gwas.parquet: column 'effect_allele' holds bool; numbers or text are needed",
        PARQUET,
    ),
    (
        "VCF without effects",
        gwas_vcf("GT", values="0/1"),
        "gwas.vcf: a VCF without effects; a GWAS-VCF has them as ES (or EZ) of each record",
        VCF,
    ),
    (
        "VCF of two traits",
        gwas_vcf(samples="a\tb"),
        "gwas.vcf: the VCF holds 2 traits (a, b); give one (bcftools view -s TRAIT)",
        VCF,
    ),
    (
        "VCF with text for a number",
        gwas_vcf(values="high:0.1:1:500"),
        "gwas.vcf: not a VCF that can be read, or damaged (unable to parse next record)",
        VCF,
    ),
    (
        "VCF with a short line",
        gwas_vcf(columns="1\t33"),
        "gwas.vcf: not a VCF that can be read, or damaged (truncated file)",
        VCF,
    ),
    (
        "VCF without a header",
        lambda w: w.write("gwas.vcf", "##fileformat=VCFv4.2\n1\t33\t.\tA\tC\n"),
        "gwas.vcf: not a VCF that can be read, or damaged (file `b'gwas.vcf'` does not have valid header",
        VCF,
    ),
    # genome and lift-over
    ("no FASTA", None, "no.fa: no such file; genome.fasta must be a FASTA file, plain or bgzip", {"fasta": "no.fa"}),
    (
        "FASTA compressed by gzip",
        lambda w: w.write("genome.fa.gz", gzipped(w.text("genome.fa"))),
        "genome.fa.gz: compressed by gzip, not bgzip, or damaged; unpack it, or compress it by bgzip;",
        {"fasta": "genome.fa.gz"},
    ),
    (
        "FASTA that is none",
        lambda w: w.write("other.fa", "chr1 ACGT\n"),
        "other.fa: not a FASTA file (it does not begin with >); allowed: FASTA, plain or bgzip, with",
        {"fasta": "other.fa"},
    ),
    (
        "empty FASTA",
        lambda w: w.write("other.fa", ""),
        "other.fa: not a FASTA file (it is empty); allowed: FASTA, plain or bgzip, with other.fa.fai",
        {"fasta": "other.fa"},
    ),
    (
        "FASTA whose index cannot be written",
        lambda w: (w.write("other.fa", w.text("genome.fa")), (w / "other.fa.fai").symlink_to(w / "no_folder/x")),
        "other.fa: no other.fa.fai can be made (its folder cannot be written, or a sequence has lines of",
        {"fasta": "other.fa"},
    ),
    (
        "FASTA with lines of different lengths",
        lambda w: w.write("other.fa", ">1\nACGT\nAC\nACGTA\n"),
        "other.fa: no other.fa.fai can be made (its folder cannot be written, or a sequence has lines of",
        {"fasta": "other.fa"},
    ),
    (
        "FASTA with the index of another",
        lambda w: w.write("genome.fa.fai", "1\t4000\t3\t60\t61\n"),
        "genome.fa.fai: sequence '1' is not where this index says; it is that of another FASTA file or",
    ),
    (
        "FASTA with an index that is none",
        lambda w: w.write("genome.fa.fai", "hello\n"),
        "genome.fa.fai, line 1: 'hello' is no name, length, offset, bases and bytes of a line; delete this file",
    ),
    (
        "FASTA with an index of lines without bases",
        lambda w: w.write("genome.fa.fai", "1\t4000\t3\t0\t1\n"),
        "genome.fa.fai, line 1: lines of 0 bases in 1 bytes cannot be; delete this file (it is then made again)",
    ),
    (
        "FASTA with an index that claims more than it holds",
        lambda w: w.write("genome.fa.fai", "1\t4000000000\t3\t4000000000\t4000000001\n"),
        "genome.fa.fai: sequence '1' is not where this index says; it is that of another FASTA file or",
    ),
    (
        "rows on two contigs of one plain name",
        lambda w: (
            w.write(
                "genome.fa", w.text("genome.fa") + w.text("genome.fa").split("\n>2")[0].replace(">1", ">chr1") + "\n"
            ),
            (w / "genome.fa.fai").unlink(),
            w.gwas(chromosome=lambda t: np.where(t.index < 60, "1", "chr1")),
        ),
        "genome.fa: 1 and chr1 are one chromosome by name; keep one of them",
    ),
    (
        "no chain file",
        None,
        "no.over: no such file; a chain file is needed to lift positions over",
        {"chain": "no.over", "source_build": "GRCh38"},
    ),
    (
        "chain file that is none",
        None,
        "gwas.tsv, line 1: a chain begins with 'chain', not 'chromosome'",
        {"chain": "gwas.tsv", "source_build": "GRCh38"},
    ),
    (
        "empty chain file",
        lambda w: w.write("chain.over", ""),
        "chain.over: no chain in this file; a UCSC chain file (.over.chain, plain or gzip) is needed",
        {"chain": "chain.over", "source_build": "GRCh38"},
    ),
    (
        "chain file cut off",
        lambda w: w.write("chain.over.gz", gzipped(w.text("chain.over") * 500)[:60]),
        "chain.over.gz: not a chain file, or damaged (Compressed file ended before the",
        {"chain": "chain.over.gz", "source_build": "GRCh38"},
    ),
    (
        "chain that does not add up",
        lambda w: w.edit("chain.over", "\n4000\n", "\n3999\n"),
        "chain.over, line 1: the blocks of this chain do not add up to its ends",
        {"chain": "chain.over", "source_build": "GRCh38"},
    ),
    (
        "chain with a bad block",
        lambda w: w.edit("chain.over", "\n4000\n", "\nx 1\n"),
        "chain.over, line 2: 'x 1' is not a block of a chain",
        {"chain": "chain.over", "source_build": "GRCh38"},
    ),
    (
        "chain from another build",
        lambda w: w.edit("chain.over", "1 4000 + 0 4000 1\n4000", "1 5000 + 1000 5000 1\n4000"),
        "gwas.tsv: only 57% of the A/T and C/G rows have an allele that genome.fa (GRCh37) has at their",
        {"chain": "chain.over", "source_build": "GRCh38"},
    ),
]
