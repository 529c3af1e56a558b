"""The config, the sheets and the file names in them; and what the command line gets."""

import numpy as np

from bad_inputs.world import finemap, project

DOOR = project


def config(**blocks):
    return lambda world: world.config(**blocks)


def yaml_text(text):
    return lambda world: world.write("config/config.yaml", text)


def further(text):
    return lambda world: world.write("config/config.yaml", world.text("config/config.yaml") + text)


def row(**columns):
    return lambda world: world.studies(**columns)


def sheet(change, name="config/studies.tsv"):
    return lambda world: world.write(name, change(world.text(name)))


def anchors(kind):
    """Lists or blocks that hold one another: 9^29 values in 30 lines."""
    lines = ["a0: &a0 [x, x]\n" if kind == "list" else "a0: &a0 {x: 1}\n"]
    for i in range(1, 30):
        parts = [f"*a{i - 1}" if kind == "list" else f"k{j}: *a{i - 1}" for j in range(9)]
        lines.append(f"a{i}: &a{i} " + ("[{}]" if kind == "list" else "{{{}}}").format(", ".join(parts)) + "\n")
    return "".join(lines)


def z_table(change):
    return lambda world: world.write("z.tsv", change(world.text("z.tsv")))


def matrix(change, name="ld.npy"):
    return lambda world: np.save(world / name, change(np.load(world / "ld.npy")), allow_pickle=True)


CLI = {"door": finemap}
CASES = [
    # config.yaml
    ("no genome", config(genome={}), "config: genome: 'fasta' is missing"),
    (
        "unknown block",
        config(finemapp={}),
        "config: unknown key 'finemapp'; allowed: studies, tracks, regions, ",
    ),
    (
        "unknown key",
        config(finemap={"covrage": 0.9}),
        "config: finemap: unknown key 'covrage'; allowed: max_effects, coverage, further_coverage,",
    ),
    (
        "number as text",
        config(loci={"p_threshold": "5e-8"}),
        'config: loci.p_threshold = "5e-8" must be a number (YAML reads 5e-8 as text: write 5.0e-8)',
    ),
    ("text as number", config(genome={"fasta": 5}), "config: genome.fasta = 5 must be text"),
    ("number out of range", config(finemap={"coverage": 95}), "config: finemap.coverage = 95 must be below 1"),
    (
        "not a number",
        further("seed: .nan\n"),
        "config/config.yaml, line 14: .nan is no number that can be used (text is put in quotes)",
    ),
    (
        "whole number with a fraction",
        config(finemap={"max_effects": 2.5}),
        "config: finemap.max_effects = 2.5 must be a whole number",
    ),
    ("null for a block", config(finemap=None), "config: finemap = null must be a block of keys and values"),
    ("null for a value", config(finemap={"coverage": None}), "config: finemap.coverage = null must be a number"),
    ("list for a block", config(finemap=[1, 2]), "config: finemap = [1, 2] must be a block of keys and values"),
    (
        "a flag in words",
        config(finemap={"fallback": "yes please"}),
        'config: finemap.fallback = "yes please" must be true or false',
    ),
    (
        "anchors that grow without end, in a list",
        lambda w: w.write("config/config.yaml", anchors("list") + w.text("config/config.yaml") + "seed: *a29\n"),
        "config/config.yaml, line 5: more than 10,000 values; do anchors (&) and aliases (*) repeat one another?",
    ),
    (
        "an anchor that holds itself",
        further("columns: &a\n  mine: *a\n"),
        "config/config.yaml, line 15: alias *a has no anchor &a that ends before it",
    ),
    *[
        (f"{what} in the config", further(text), f"config/config.yaml, line {line}: {words}")
        for what, text, line, words in (
            (
                "a block twice",
                "harmonise: {palindromic: drop}\n",
                14,
                "harmonise occurs twice; it is there in line 5 already",
            ),
            ("a date", "seed: 2020-01-01\n", 14, "2020-01-01 is a date to YAML"),
            ("a date that is none", "seed: 2020-13-45\n", 14, "2020-13-45 is a date to YAML"),
            ("a key no", "no: 1\n", 14, "the key no is true or false to YAML; put it in quotes"),
            ("an octal number", "seed: 010\n", 14, "010 is a number to the base 2, 8 or 16 to YAML"),
            ("a sexagesimal number", "seed: 20:30:40\n", 14, "20:30:40 is a number to the base 60 to YAML"),
            ("a number of 600 digits", f"seed: {'9' * 600}\n", 14, "9999999999"),
            (
                "5000 brackets",
                f"seed: {'[' * 5000}{']' * 5000}\n",
                14,
                "more than 20 lists or blocks within one another",
            ),
            ("a tag", "seed: !!set {1}\n", 14, "a tag (!!set) may not stand here"),
            ("a second document", "---\nseed: 2\n", 14, "a second document (---) begins; one is allowed"),
            ("a template", "__use_yte__: true\n", 14, "__use_yte__ would let the file run code; it may not stand here"),
        )
    ],
    (
        "a config in UTF-16",
        lambda w: w.write("config/config.yaml", w.text("config/config.yaml").encode("utf-16")),
        "config/config.yaml, line 1: not UTF-8 text (byte 0); save it as UTF-8",
    ),
    ("an empty config", yaml_text(""), "config/config.yaml: must hold `key: value` lines, not nothing"),
    ("a flag for text", config(regions=False), "config: regions = false must be text (YAML reads yes, no, on and off"),
    (
        "text of two lines",
        config(regions="a\nb"),
        "config: regions = a\\nb has characters that cannot be seen, such as",
    ),
    ("a path with a brace", config(regions="{x}.bed"), "config: regions: '{x}.bed' has '{', which file names may not"),
    (
        "a path with a pointed bracket",
        row(sumstats="<logs>.tsv"),
        "config/studies.tsv, line 2 (study 'trait'): sumstats: '<logs>.tsv' has '<', ",
    ),
    (
        "a panel with another hole",
        row(panel="{x}_{chrom}"),
        "config/studies.tsv, line 2 (study 'trait'): panel: '{x}_{chrom}' has '{' (but for",
    ),
    (
        "a path that begins with a blank",
        config(regions=" regions.bed"),
        "config: regions: ' regions.bed' begins or ends with",
    ),
    (
        "a path in the home",
        row(sumstats="~/gwas.tsv"),
        "(study 'trait'): sumstats: file '~/gwas.tsv' does not exist (looked in ",
    ),
    ("a pattern for one file", row(sumstats="gw*.tsv"), "sumstats: file 'gw*.tsv' does not exist (looked in "),
    ("a path that is too long", row(sumstats="g" * 300), f"sumstats: file '{'g' * 300}' does not exist"),
    (
        "columns of an unknown kind",
        config(columns={"mine": {"alelle": "A1"}}),
        "config: columns.mine: unknown key 'alelle'; allowed: base_pair_location, beta, odds_ratio,",
    ),
    (
        "columns with the name of a format",
        config(columns={"plink2": {"effect_allele": "A1"}}),
        "config: columns.plink2: a known format has this name; take another",
    ),
    (
        "columns with a number",
        config(columns={"mine": {"effect_allele": 1}}),
        "config: columns.mine.effect_allele = 1 must be text",
    ),
    (
        "no such FASTA",
        config(genome={"fasta": "hg38.fa", "build": "GRCh38"}),
        "config: genome.fasta: file 'hg38.fa' does not exist",
    ),
    (
        "no such file of genes",
        config(genome={"fasta": "genome.fa", "genes": "gencode.gtf.gz"}),
        "config: genome.genes: file 'gencode.gtf.gz' does not exist",
    ),
    ("no such sheet", config(studies="config/study.tsv"), "config: file 'config/study.tsv' does not exist"),
    ("a sheet that is a folder", config(studies="backbone"), "config: file 'backbone' does not exist"),
    ("no backbone", config(backbone={"weights": "bakbone"}), "config: backbone.weights = 'bakbone' has no config.json"),
    # studies.tsv
    (
        "studies that differ in case only",
        sheet(lambda t: t + t.splitlines()[1].replace("trait", "Trait") + "\n"),
        "config/studies.tsv, line 3: study 'Trait' and 'trait' of line 2 differ in case only; many file systems",
    ),
    (
        "heads that differ in case only",
        sheet(lambda t: t + "Disease\tatac\tdnase.bw\n", "config/tracks.tsv"),
        "config/tracks.tsv, line 3: head 'Disease' and 'disease' of line 2 differ in case only; many file",
    ),
    (
        "tracks that differ in case only",
        sheet(lambda t: t + "disease\tDNase\tdnase.bw\n", "config/tracks.tsv"),
        "config/tracks.tsv, line 3: track 'DNase' and 'dnase' of line 2 differ in case only; many file",
    ),
    ("a study that is a folder", row(study="Heads"), "study 'Heads' has the name of a folder that results/ needs"),
    (
        "a study that is a device",
        row(study="nul.x"),
        "config/studies.tsv, line 2: study 'nul.x' is a name that Windows keeps",
    ),
    (
        "a study of 101 letters",
        row(study="a" * 101),
        "aaa... has 101 characters; at most 100 are allowed",
    ),
    (
        "a study with a slash",
        row(study="a/b"),
        'config/studies.tsv, line 2: study = "a/b" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$ (letters,',
    ),
    (
        "a study that is the folder above",
        row(study=".."),
        'config/studies.tsv, line 2: study = ".." must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$ (letters,',
    ),
    (
        "a study with an absolute path",
        row(study="/tmp/x"),
        'config/studies.tsv, line 2: study = "/tmp/x" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$ (letters,',
    ),
    (
        "a study that is hidden",
        row(study=".x"),
        'config/studies.tsv, line 2: study = ".x" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$ (letters,',
    ),
    (
        "a study with a blank",
        row(study="my trait"),
        'config/studies.tsv, line 2: study = "my trait" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$',
    ),
    (
        "a study with a wildcard",
        row(study="{study}"),
        'config/studies.tsv, line 2: study = "{study}" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$ (letters,',
    ),
    (
        "a study with the name of a folder",
        row(study="heads"),
        "config/studies.tsv: study 'heads' has the name of a folder that results/ needs",
    ),
    ("a study without a name", row(study=""), "config/studies.tsv, line 2: 'study' is missing"),
    (
        "a head with a path",
        row(head="../disease"),
        'config/studies.tsv, line 2: head = "../disease" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$',
    ),
    (
        "a study twice",
        sheet(lambda t: t + t.splitlines()[1] + "\n"),
        "config/studies.tsv, line 3: study 'trait' occurs twice",
    ),
    (
        "an unknown head",
        row(head="other"),
        "config/studies.tsv, line 2 (study 'trait'): head 'other' has no track in config/tracks.tsv; it",
    ),
    (
        "unknown column",
        row(pannel="panel"),
        "config/studies.tsv, line 2: unknown key 'pannel'; allowed: study, head, sumstats, format,",
    ),
    (
        "no such summary statistics",
        row(sumstats="gwaz.tsv"),
        "config/studies.tsv, line 2 (study 'trait'): sumstats: file 'gwaz.tsv' does not exist",
    ),
    (
        "summary statistics that are a folder",
        row(sumstats="backbone"),
        "config/studies.tsv, line 2 (study 'trait'): sumstats: file 'backbone' does not exist",
    ),
    (
        "no such panel",
        row(panel="../panel"),
        "config/studies.tsv, line 2 (study 'trait'): panel '../panel': neither .bed nor .pgen exists",
    ),
    (
        "a panel of two kinds",
        lambda w: w.write("panel.pgen", ""),
        "config/studies.tsv, line 2 (study 'trait'): panel 'panel': both .bed and .pgen exist",
    ),
    (
        "a part of a panel is absent",
        lambda w: (w / "panel.fam").unlink(),
        "config/studies.tsv, line 2 (study 'trait'): panel 'panel': file 'panel.fam' does not exist",
    ),
    (
        "a panel by chromosome of which there is none",
        row(panel="kg_{chrom}"),
        "config/studies.tsv, line 2 (study 'trait'): no file fits the panel 'kg_{chrom}'",
    ),
    (
        "a locus beyond its chromosome, before the run",
        lambda w: (w.write("loci.bed", "1\t3000\t5000\n"), w.studies(loci="loci.bed")),
        "loci.bed, line 1: 3000-5000 must have start < end <= 4000 (length of 1)",
    ),
    (
        "excluded regions on an unknown chromosome, before the run",
        lambda w: (w.write("mask.bed", "7\t0\t9\n"), w.config(loci={"exclude_bed": "mask.bed"})),
        "mask.bed, line 1: genome.fa has no contig '7'; there are 1, 2",
    ),
    (
        "panel and LD",
        row(ld="ld/ld.tsv"),
        "config/studies.tsv, line 2 (study 'trait'): panel and ld are both given; a study with sumstats",
    ),
    (
        "neither panel nor LD",
        row(panel=""),
        "config/studies.tsv, line 2 (study 'trait'): panel and ld are both empty; a study with sumstats",
    ),
    (
        "LD of an unknown number of people",
        row(panel="", ld="ld/ld.tsv"),
        "config/studies.tsv, line 2 (study 'trait'): panel_size is needed beside ld: the number of",
    ),
    (
        "LD that is not there",
        row(panel="", ld="ldd", panel_size="100"),
        "config/studies.tsv, line 2 (study 'trait'): 'ldd' is neither a table of LD files nor a folder",
    ),
    (
        "LD table with a file that is absent",
        lambda w: (w.edit("ld/ld.tsv", "r.npy", "../../R.npy"), w.studies(panel="", ld="ld/ld.tsv", panel_size="100")),
        "config/studies.tsv, line 2 (study 'trait'): ld/ld.tsv: file 'ld/../../R.npy' does not exist",
    ),
    ("sample size in words", row(n="many"), 'config/studies.tsv, line 2: n = "many" must be a number above 0'),
    ("sample size without end", row(n="inf"), 'config/studies.tsv, line 2: n = "inf" must be a number above 0'),
    (
        "cases without controls",
        row(cases="100"),
        "config/studies.tsv, line 2 (study 'trait'): cases and controls belong together; one of them is",
    ),
    (
        "sizes that do not add up",
        row(n="100", cases="100", controls="100"),
        "config/studies.tsv, line 2 (study 'trait'): n = 100 is not cases + controls = 200; leave n empty",
    ),
    (
        "a flag that is none",
        row(in_sample="maybe"),
        'config/studies.tsv, line 2: in_sample = "maybe" must be true or false',
    ),
    (
        "another build without a chain",
        row(build="GRCh38"),
        "config/studies.tsv, line 2 (study 'trait'): build = GRCh38, but genome.build is GRCh37: a chain",
    ),
    (
        "a chain without a build",
        row(chain="chain.over"),
        "config/studies.tsv, line 2 (study 'trait'): there is a chain, but build is empty and",
    ),
    (
        "genotypes without a phenotype",
        row(sumstats="", panel="", genotypes="panel"),
        "config/studies.tsv, line 2 (study 'trait'): genotypes need a phenotype file",
    ),
    (
        "neither summary statistics nor genotypes",
        row(sumstats=""),
        "config/studies.tsv, line 2 (study 'trait'): sumstats and genotypes are both empty; a study has",
    ),
    (
        "unknown format",
        row(format="plink3"),
        "config/studies.tsv (study 'trait'): format 'plink3' is not known; allowed: gwas-catalog-hm,",
    ),
    (
        "no such BED file",
        row(loci="loci.bed"),
        "config/studies.tsv, line 2 (study 'trait'): loci: file 'loci.bed' does not exist",
    ),
    (
        "sheet without rows",
        sheet(lambda t: t.splitlines()[0] + "\n"),
        "config/studies.tsv: no row below the header; the columns are study, head, sumstats, format,",
    ),
    (
        "empty sheet",
        sheet(lambda t: ""),
        "config/studies.tsv: no row below the header; the columns are study, head, sumstats, format,",
    ),
    (
        "sheet in commas",
        sheet(lambda t: t.replace("\t", ",")),
        "config/studies.tsv: one column, 'study,sumstats,panel,head,note'; the columns of a sheet are",
    ),
    (
        "sheet with a short row",
        sheet(lambda t: t.replace("\tmine", "")),
        "config/studies.tsv, line 2: not as many fields as the header has (they are separated by tabs)",
    ),
    (
        "sheet with a column twice",
        sheet(lambda t: t.replace("note", "head")),
        "config/studies.tsv: column 'head' is there twice",
    ),
    (
        "sheet with a quotation mark that does not close",
        sheet(lambda t: t.replace("mine", '"mine') + "b\tgwas.tsv\tpanel\tdisease\tnote\n"),
        "config/studies.tsv, line 2: a quotation mark that is not closed in its line",
    ),
    (
        "sheet in UTF-16",
        lambda w: w.write("config/studies.tsv", w.text("config/studies.tsv").encode("utf-16")),
        "config/studies.tsv: text in UTF-16: save it as UTF-8",
    ),
    (
        "sheet that is an Excel workbook",
        lambda w: w.write("config/studies.tsv", b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256))),
        "config/studies.tsv: a zip archive or an Excel file: unpack it, or save it as text",
    ),
    (
        "sheet with a byte of 0",
        sheet(lambda t: t.replace("mine", "mi\0ne").replace("trait", "tra\0it")),
        'config/studies.tsv, line 2: study = "tra\\u0000it" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$',
    ),
    (
        "tracks without a bigWig",
        lambda w: (w / "dnase.bw").unlink(),
        "config/tracks.tsv, line 2 (track 'dnase'): file 'dnase.bw' does not exist",
    ),
    (
        "a track with a path",
        lambda w: w.edit("config/tracks.tsv", "\tdnase\t", "\t../dnase\t"),
        'config/tracks.tsv, line 2: track = "../dnase" must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$ (letters,',
    ),
    # fineprior finemap
    ("z: no such file", None, "no.tsv: no such file", CLI | {"--z": "no.tsv"}),
    (
        "z: no column",
        z_table(lambda t: t.replace("variant_id", "id")),
        "z.tsv: no column variant_id; it has id, z (tabs between columns?)",
        CLI,
    ),
    (
        "z: NaN",
        z_table(
            lambda t: "".join(
                x if i != 9 else x.split("\t")[0] + "\tNaN\n" for i, x in enumerate(t.splitlines(keepends=True))
            )
        ),
        "z.tsv, line 10: z of 1:288:T:C is 'NaN', a number is needed",
        CLI,
    ),
    (
        "z: a variant twice",
        z_table(lambda t: t + t.splitlines()[5] + "\n"),
        "z.tsv: variant 1:160:C:A is there more than once",
        CLI,
    ),
    (
        "z: UTF-16",
        lambda w: w.write("z.tsv", w.text("z.tsv").encode("utf-16")),
        "z.tsv: text in UTF-16: save it as UTF-8",
        CLI,
    ),
    ("z: empty", z_table(lambda t: ""), "z.tsv: not a readable table, or damaged (No columns to parse from file)", CLI),
    (
        "ld: of fewer variants",
        matrix(lambda m: m[1:, 1:]),
        "ld.npy: 119 variants, but 120 z-scores; say which they are with --ld-variants",
        CLI,
    ),
    (
        "ld: objects",
        matrix(lambda m: m.astype(object)),
        "ld.npy: holds pickled objects, which could run any code when they are read; write it again",
        CLI,
    ),
    (
        "ld: complex",
        matrix(lambda m: m + 1j),
        "ld.npy: shape (120, 120) of complex64, a square matrix of numbers is needed",
        CLI,
    ),
    (
        "ld: cut off",
        lambda w: w.write("ld.npy", (w / "ld.npy").read_bytes()[:500]),
        "ld.npy: shape (120, 120) of float32 makes 57,600 bytes, but it holds 372; is it damaged or cut off?",
        CLI,
    ),
    (
        "ld: names of others",
        lambda w: w.write("names", "\n".join(f"rs{i}" for i in range(120))),
        "names: no LD of variant 1:32:T:C and 119 more",
        CLI | {"--ld-variants": "names"},
    ),
    (
        "prior: negative",
        lambda w: w.write(
            "prior.tsv", "variant_id\tprior\n" + "".join(f"{x}\t-1\n" for x in w.text("ld/v.txt").split())
        ),
        "prior.tsv, line 2: prior of 1:32:T:C is '-1', 0 or more is needed (120 such rows)",
        CLI | {"--prior": "prior.tsv"},
    ),
    (
        "prior: of others",
        lambda w: w.write("prior.tsv", "variant_id\tprior\nrs1\t1\n"),
        "prior.tsv: no prior of variant 1:32:T:C and 119 more; every variant needs one",
        CLI | {"--prior": "prior.tsv"},
    ),
]
