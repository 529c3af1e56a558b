"""Running the workflow in tests: a copy of the repository with a miniature embedded study."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import sparse

from fineprior.genotypes.dosage_sums import correlation
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.simulate.population import write_panel

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "scripts", "config", "resources/backbone", "resources/long_range_ld.tsv", "envs")
MINIATURE = {
    "embedded": {
        "chromosome_length": 400_000,
        "panel_size": 300,
        "gwas_size": 3_000,
        "causal_loci": 12,
    },
    "loci": {"p_threshold": 5.0e-8, "flank": 20_000, "batches": 2},
}
SMALLEST = {
    "embedded": {"chromosome_length": 150_000, "panel_size": 200, "gwas_size": 4_000, "causal_loci": 12},
    "loci": {"p_threshold": 5.0e-8, "flank": 6_000, "batches": 2},
}
"""Where a whole run is what is tested, again and again: a dozen loci, enough for a prior that is not uniform."""


def copy_repository(folder):
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return folder


def edit_config(folder, change):
    """Lay a change over config.yaml, block by block."""
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    for block, values in change.items():
        config[block] = {**config.get(block, {}), **values} if isinstance(values, dict) else values
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def environment():
    """That of a user: each job is a Python of its own, which finds its modules compiled by the one before."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "fineprior_pycache")}


def snakemake(folder, *arguments, directory=None):
    """Run Snakemake on a copy of the repository; returns the finished process with stdout and stderr as one text."""
    command = [sys.executable, "-m", "snakemake", "-s", str(folder / "Snakefile"), *arguments]
    return subprocess.run(
        command,
        cwd=directory or folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def planned_jobs(folder, *arguments):
    """The jobs that a dry-run would start, as a Counter of (rule, wildcards text)."""
    done = snakemake(folder, "-n", *arguments)
    if done.returncode:
        raise RuntimeError(done.stdout)
    jobs = Counter()
    for block in re.split(r"\n(?=(?:local)?rule )", done.stdout):
        name = re.match(r"(?:local)?rule (\w+):", block)
        if name:
            wildcards = re.search(r"^    wildcards: (.*)$", block, flags=re.MULTILINE)
            jobs[name.group(1), wildcards.group(1) if wildcards else ""] += 1
    return jobs


def add_study(folder, **columns):
    """Add a row to studies.tsv."""
    path = folder / "config/studies.tsv"
    rows = pd.read_csv(path, sep="\t", dtype="str", keep_default_na=False)
    pd.concat([rows, pd.DataFrame([columns])]).fillna("").to_csv(path, sep="\t", index=False)


def change_study(folder, study, **columns):
    """Change columns of a row of studies.tsv."""
    path = folder / "config/studies.tsv"
    rows = pd.read_csv(path, sep="\t", dtype="str", keep_default_na=False).set_index("study", drop=False)
    for column, value in columns.items():
        rows.loc[study, column] = value
    rows.fillna("").to_csv(path, sep="\t", index=False)


def pretend_results(folder, study, like):
    """Let Snakemake take a study's results as made: copies of another study's, with its own records of them."""
    shutil.copytree(folder / "results" / like, folder / "results" / study)
    done = snakemake(folder, "--cores", "8", "--touch", "--forceall")
    if done.returncode:
        raise RuntimeError(done.stdout)


def write_people(folder):
    """The panel's people as a study of their own: genotypes of two chromosomes in two files, a trait, covariates.

    Returns the two causal variants; 10 of the 300 people have no trait.
    """
    panel = PlinkPanel(folder / "resources/embedded/panel")
    rng = np.random.default_rng(4)
    (folder / "people").mkdir()
    trait, causal = rng.normal(size=panel.samples), []
    for chrom, variants in panel.variants.groupby("chrom", sort=False):
        if len(causal) == 2:
            break
        dosages = panel.dosages(variants.index.to_numpy())
        write_panel(folder / f"people/{chrom}", variants, [dosages.astype(np.int8)], panel.sample_ids)
        common = int(np.abs(dosages.mean(0) - 1).argmin())
        trait += 0.9 * dosages[:, common]
        causal.append(f"chr{chrom}:{variants['pos'].iloc[common]}")
    ids = pd.DataFrame({"FID": panel.sample_ids, "IID": panel.sample_ids})
    ids.assign(height=trait.round(4)).iloc[10:].to_csv(folder / "people/trait.txt", sep="\t", index=False)
    ids.assign(age=rng.integers(30, 60, len(ids)), site=1).to_csv(folder / "people/age.txt", sep=" ", index=False)
    return causal


def write_ld_folder(folder):
    """LD of the panel as PolyFun's UK Biobank LD has it: a window a chromosome, lower triangle, half diagonal."""
    panel = PlinkPanel(folder / "resources/embedded/panel")
    (folder / "ukb").mkdir()
    for chrom, variants in panel.variants.groupby("chrom", sort=False):
        r = correlation(panel.dosages(variants.index.to_numpy()))
        name = folder / f"ukb/chr{chrom}_1_400001"
        sparse.save_npz(f"{name}.npz", sparse.csr_matrix(np.tril(r, -1) + np.eye(len(r)) / 2))
        columns = {"snp_id": "rsid", "chrom": "chromosome", "pos": "position", "a1": "allele1", "a2": "allele2"}
        table = variants.rename(columns=columns)[list(columns.values())]
        table.to_csv(f"{name}.gz", sep="\t", index=False)


def digests(folder, *parts):
    """SHA-256 of each file of results/ (or these parts) by its name, hidden files and the store left aside."""
    files = (path for part in parts or ("results",) for path in (folder / part).rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "store" not in path.parts and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
