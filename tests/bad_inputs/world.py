"""A small project in which everything works, and the doors through which a user's files come in.

A case of the catalogue spoils one thing of a copy of it.
"""

import contextlib
import dataclasses
import gzip
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from fineprior import cli
from fineprior.files.errors import InputError
from fineprior.files.integrity import RECORDS
from fineprior.files.tables import LOCUS_VARIANTS
from fineprior.files.yaml_files import read_yaml
from fineprior.genotypes.dosage_sums import correlation
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.plan.check import check_formats, check_intervals
from fineprior.project.project import load_project
from fineprior.project.settings import HarmoniseSettings, LdSettings, LociSettings
from fineprior.simulate.population import write_panel
from fineprior.steps.associate import associate
from fineprior.steps.compute_ld import compute_ld
from fineprior.steps.define_loci import define_loci
from fineprior.steps.harmonise_sumstats import harmonise_sumstats
from fineprior.sumstats.values import neg_log10_p_of

PEOPLE, VARIANTS, LENGTH = 80, 120, 4_000
OTHER = {"A": "CGCT", "C": "ATAG", "G": "ATAC", "T": "CGCA"}
"""Alternative alleles; the last one makes a palindrome."""
HARMONISED = {"output": "sumstats.parquet", "qc": "qc.tsv", "dropped": "dropped.tsv.gz", "liftover": "liftover.tsv.gz"}
CONFIG = {
    "genome": {"fasta": "genome.fa", "build": "GRCh37"},
    "regions": "regions.bed",
    "harmonise": {"min_maf": 0.0},
    "loci": {"flank": 2_000, "max_width": 4_000, "batches": 1},
    "backbone": {"weights": "backbone", "target_bins": 12},
}


class World:
    """A folder with the project's files; `out` below it is where everything is written."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __truediv__(self, name):
        return self.folder / name

    def at(self, name):
        return str(self.folder / name)

    def write(self, name, content):
        path = self / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / RECORDS / path.name).unlink(missing_ok=True)  # a user's file, whoever wrote the one before
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def text(self, name):
        return (self / name).read_text()

    def edit(self, name, old, new, count=-1):
        text = self.text(name)
        assert old in text, f"{name} has no {old!r}"
        self.write(name, text.replace(old, new, count))

    def gwas(self, **columns):
        """Change columns of the summary statistics: values, or a function of the table."""
        table = pd.read_csv(self / "gwas.tsv", sep="\t", dtype="str", keep_default_na=False)
        changed = {name: value(table) if callable(value) else value for name, value in columns.items()}
        table.assign(**changed).to_csv(self / "gwas.tsv", sep="\t", index=False)

    def config(self, **blocks):
        self.write("config/config.yaml", yaml.safe_dump(CONFIG | blocks, sort_keys=False))

    def studies(self, **columns):
        """Set fields of the sheet's only row."""
        row = {"study": "trait", "sumstats": "gwas.tsv", "panel": "panel", "head": "disease", "note": "mine"} | columns
        self.write("config/studies.tsv", "\t".join(row) + "\n" + "\t".join(row.values()) + "\n")

    def written(self):
        """All that a step left at its outputs or beside them, and temporary files anywhere."""
        out = {str(path.relative_to(self.folder)) for path in (self / "out").rglob("*") if path.is_file()}
        return out | {path.name for path in self.folder.rglob(".*") if path.is_file()}


def harmonise(world, **change):
    settings = dataclasses.replace(HarmoniseSettings(min_maf=0.0), **change.pop("settings", {}))
    given = {"sumstats": "gwas.tsv", "fasta": "genome.fa", "panel": "panel"}
    given |= {name: f"out/{file}" for name, file in HARMONISED.items()}
    given |= {name: change.pop(name) for name in list(change) if name in (*given, "ld", "samples", "chain")}
    paths = {name: world.at(path) if path else path for name, path in given.items()}
    harmonise_sumstats(settings=settings, **{"build": "GRCh37"} | paths | change)


def loci(world, **change):
    bed, dropped = change.pop("bed", None), world / "out/dropped.tsv.gz"
    names = {name: world.at(path) for name, path in change.items()}
    define_loci(
        sumstats=world.at("sumstats.parquet"), fasta=world.at("genome.fa"), bed=bed and world.at(bed),
        output=world.at("out/loci.tsv"), excluded=world.at("out/excluded.tsv"), batches=[world.at("out/0.tsv.gz")],
        dropped=str(dropped) if dropped.is_file() else None,
        settings=LociSettings(flank=2_000, max_width=4_000, exclude="none", batches=1, **names),
    )  # fmt: skip


def ld(world, path="ld/ld.tsv", **change):
    where = {name: world.at(file) for name, file in change.items()} or {"ld": world.at(path)}
    compute_ld(variants=world.at("variants.tsv.gz"), output=world.at("out/ld.npz"), settings=LdSettings(), **where)


def association(world, **change):
    given = {"genotypes": "panel", "phenotype": "trait.txt", "covariates": "age.txt", "output": "out/a.tsv.gz",
             "meta": "out/a.tsv.gz-meta.yaml", "people": "out/people.txt"} | change  # fmt: skip
    associate(**{name: path and world.at(path) for name, path in given.items()})


def project(world):
    """As the Snakefile does it: the strict check of the file, then Snakemake's own YAML reader."""
    from snakemake.common.configfile import load_configfile

    read_yaml(world.at("config/config.yaml"))
    found = load_project(load_configfile(world.at("config/config.yaml")), world.folder)
    check_formats(found)
    check_intervals(found, world.folder)
    return found


def finemap(world, **change):
    """The command line: status 2 and one line on stderr are an InputError here."""
    given = {"--z": "z.tsv", "--ld": "ld.npy", "--out": "out/x"} | change
    words = [word for option, file in given.items() for word in (option, world.at(file))]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = cli.main(["finemap", *words, "--n", "20000"])
    if status:
        start, _, message = said.getvalue().rstrip("\n").partition("error: ")
        assert (status, start) == (2, "fineprior finemap: "), said.getvalue()
        raise InputError(message)


def build(folder):
    """Write the project."""
    world, rng = World(folder), np.random.default_rng(11)
    (world / "config").mkdir()
    sequence = "".join(rng.choice(list("ACGT"), LENGTH))
    world.write("genome.fa", f">1\n{sequence}\n>2\n{sequence[:500][::-1]}\n")
    pos = np.arange(1, VARIANTS + 1) * (LENGTH // (VARIANTS + 2))
    ref = np.array([sequence[p - 1] for p in pos])
    alt = np.array([OTHER[base][i % 4] for i, base in enumerate(ref)])
    dosages = rng.binomial(2, rng.uniform(0.1, 0.9, VARIANTS), (PEOPLE, VARIANTS))
    for first in range(0, VARIANTS, 6):  # neighbours in LD
        same = rng.random(PEOPLE) < 0.7
        dosages[same, first + 1 : first + 6] = dosages[same, first][:, None]
    table = pd.DataFrame({"chrom": "1", "pos": pos, "snp_id": [f"rs{i}" for i in range(VARIANTS)], "a1": alt,
                          "a2": ref})  # fmt: skip
    write_panel(world / "panel", table, [dosages.astype(np.int8)])
    af, r = dosages.mean(0) / 2, correlation(dosages.astype(np.float32))
    z = 8 * r[30] + rng.normal(0, 1, VARIANTS)
    se = 0.01 / np.sqrt(2 * af * (1 - af))
    columns = {
        "chromosome": "1", "base_pair_location": pos, "effect_allele": alt, "other_allele": ref,
        "beta": np.round(z * se, 5), "standard_error": np.round(se, 5), "effect_allele_frequency": np.round(af, 3),
        "p_value": [f"{10**-p:.4g}" for p in neg_log10_p_of(z)], "rsid": table["snp_id"], "n": 20000,
    }  # fmt: skip
    pd.DataFrame(columns).to_csv(world / "gwas.tsv", sep="\t", index=False)
    _further(world, table, r, z, rng)
    return world


def _further(world, table, r, z, rng):
    """The files of the other doors."""
    people = PlinkPanel(world / "panel").sample_ids
    ids = table["chrom"] + ":" + table["pos"].astype(str) + ":" + table["a2"] + ":" + table["a1"]
    world.write("trait.txt", "IID height\n" + "".join(f"{p} {v:.3f}\n" for p, v in zip(people, rng.normal(size=PEOPLE),
                                                                                       strict=True)))  # fmt: skip
    world.write("age.txt", "IID age\n" + "".join(f"{p} {i % 7}\n" for i, p in enumerate(people)))
    world.write("chain.over", f"chain 1 1 {LENGTH} + 0 {LENGTH} 1 {LENGTH} + 0 {LENGTH} 1\n{LENGTH}\n\n")
    (world / "ld").mkdir()
    np.save(world / "ld/r.npy", r)
    world.write("ld/v.txt", "\n".join(ids) + "\n")
    world.write("ld/ld.tsv", f"chrom\tstart\tend\tmatrix\tvariants\n1\t0\t{LENGTH}\tr.npy\tv.txt\n")
    np.save(world / "ld.npy", r)
    pd.DataFrame({"variant_id": ids, "z": np.round(z, 4)}).to_csv(world / "z.tsv", sep="\t", index=False)
    world.config()
    world.studies()
    world.write("config/tracks.tsv", "head\ttrack\tbigwig\ndisease\tdnase\tdnase.bw\n")
    world.write("backbone/config.json", json.dumps({}))
    for name in ("regions.bed", "dnase.bw"):
        world.write(name, "")
    harmonise(world)
    shutil.move(world / "out/sumstats.parquet", world / "sumstats.parquet")
    loci(world)
    shutil.move(world / "out/0.tsv.gz", world / "variants.tsv.gz")
    shutil.rmtree(world / "out")
    assert len(LOCUS_VARIANTS.read(world / "variants.tsv.gz")) > 50


def gzipped(text):
    return gzip.compress(text if isinstance(text, bytes) else text.encode(), mtime=0)
