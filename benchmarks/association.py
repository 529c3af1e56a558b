"""Association of the embedded study's people: the step of the rule associate beside `plink2 --glm` on the same files.

    python benchmarks/association.py --people 12000 --threads 2

The people are drawn by the embedded study's own simulation (as a panel of that many), with a quantitative trait, a
disease and four covariates; in half of the variants `--missing` of the genotypes are missing. Each program is a fresh
process, the best of `--repeat` counts. PLINK 2 writes 6 digits, and we 7: a difference is what is left beyond the
rounding, as a share of the number itself. Version 2.00a3.5 of PLINK 2 fits a disease in single precision, and its
standard errors are then wrong where genotypes are missing; so a disease is compared in variants without missing
genotypes (effects in standard errors), and `--glm` variants with missing ones are fitted by R's glm too, in double
precision. Prints a table and, last, `ratio NAME VALUE goal GOAL`.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from fineprior.files.tables import ASSOCIATION  # noqa: E402
from fineprior.genotypes.plink_panel import PlinkPanel  # noqa: E402
from fineprior.project.settings import EmbeddedSettings  # noqa: E402
from fineprior.simulate.population import write_panel  # noqa: E402
from fineprior.steps.simulate_study import simulate_genome, simulate_study  # noqa: E402

MOTIFS = ROOT / "resources/backbone/motifs.meme"
OURS = """
import sys
from fineprior.steps.associate import associate
names = ("genotypes", "phenotype", "covariates", "output", "meta", "people")
associate(**dict(zip(names, sys.argv[1:])))
"""
R = """
files <- commandArgs(TRUE)
table <- read.delim(files[1])
found <- t(sapply(grep("^g[0-9]", names(table), value = TRUE), function(name) {
  model <- as.formula(paste("disease ~", name, "+ c0 + c1 + c2 + c3"))
  summary(glm(model, binomial, table, control = list(epsilon = 1e-14, maxit = 50)))$coefficients[2, 1:2]
}))
colnames(found) <- c("BETA", "SE")
write.table(format(found, digits = 15), files[2], sep = "\\t", quote = FALSE, row.names = FALSE)
"""
CAUSAL, BLOCK, GOAL = 20, 1000, 1e-6


def write_study(folder: Path, people: int, missing: float, seed: int) -> None:
    """Genotypes, trait.txt, disease.txt and covariates.txt of the embedded study's population."""
    settings = replace(EmbeddedSettings(), panel_size=people, gwas_size=200)
    simulate_genome(motifs=MOTIFS, fasta=folder / "g.fa", regions=folder / "r.bed", settings=settings,
                    context_length=2048, target_bins=12, seed=seed)  # fmt: skip
    simulate_study(motifs=MOTIFS, fasta=folder / "g.fa", panel=folder / "all", sumstats=folder / "gwas.tsv.gz",
                   truth=folder / "truth.tsv", settings=settings, seed=seed)  # fmt: skip
    panel, rng = PlinkPanel(folder / "all"), np.random.default_rng(seed)

    def chunks():
        for first in range(0, panel.count, BLOCK):
            copies = panel.dosages(np.arange(first, min(first + BLOCK, panel.count)))
            some = rng.random(copies.shape[1]) < 0.5
            copies[(rng.random(copies.shape) < missing) & some] = np.nan
            yield np.nan_to_num(copies, nan=-1).astype(np.int8)

    write_panel(folder / "genotypes", panel.variants, chunks(), panel.sample_ids)
    covariates = rng.normal(size=(people, 4)).round(5)
    causal = np.sort(rng.choice(panel.count, CAUSAL, replace=False))
    value = panel.dosages(causal) @ rng.normal(0, 0.2, CAUSAL) + covariates @ [0.3, 0.2, 0.1, 0.1]
    trait = value + rng.normal(size=people)
    chance = 1 / (1 + np.exp(-(value - value.mean())))
    ids = pd.DataFrame({"FID": panel.sample_ids, "IID": panel.sample_ids})
    ids.assign(trait=trait.round(6)).to_csv(folder / "trait.txt", sep="\t", index=False)
    ids.assign(disease=1 + (rng.random(people) < chance)).to_csv(folder / "disease.txt", sep="\t", index=False)
    ids.join(pd.DataFrame(covariates, columns=[f"c{i}" for i in range(4)])).to_csv(
        folder / "covariates.txt", sep="\t", index=False
    )


def seconds(command: list, threads: int, repeat: int) -> tuple[float, float]:
    """Wall and CPU seconds of the fastest of several runs."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    environment |= {"PYTHONPATH": str(ROOT / "scripts")}
    times = []
    for _ in range(repeat):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([str(part) for part in command], check=True, env=environment, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(times)


def beyond_rounding(given: pd.Series, own: pd.Series, digits: int, unit: pd.Series | None = None) -> float:
    """Largest difference of numbers, the first written with some digits, the second with 7, as a share of `unit`."""
    size = np.floor(np.log10(np.maximum(np.abs(given), 1e-300)))
    rounding = 0.5 * 10.0 ** (size - digits + 1) + 0.5 * 10.0 ** (size - 6)
    return float((np.maximum(np.abs(given - own) - rounding, 0) / np.abs(own if unit is None else unit)).max())


def differences(ours: pd.DataFrame, theirs: pd.DataFrame, linear: bool, people: int) -> tuple[int, float, float]:
    """Variants compared with PLINK 2, and the largest difference of effects and of standard errors."""
    rows = theirs["BETA"].notna().to_numpy() & (ours["status"] == "ok").to_numpy()
    rows &= linear | (ours["n"] == people).to_numpy()
    theirs, ours = theirs[rows], ours[rows]
    unit = None if linear else ours["standard_error"]
    effect = beyond_rounding(theirs["BETA"], ours["beta"], 6, unit)
    return int(rows.sum()), effect, beyond_rounding(theirs["SE"], ours["standard_error"], 6)


def against_r(folder: Path, ours: pd.DataFrame, count: int) -> float:
    """Largest difference from R's glm of a disease, in variants with missing genotypes."""
    panel = PlinkPanel(folder / "genotypes")
    some = np.flatnonzero((ours["n"] < panel.samples) & (ours["status"] == "ok"))
    some = some[np.linspace(0, len(some) - 1, min(count, len(some))).astype(int)]
    dosages = pd.DataFrame(panel.dosages(some), columns=[f"g{i}" for i in range(len(some))])
    disease = pd.read_csv(folder / "disease.txt", sep="\t")["disease"] - 1
    covariates = pd.read_csv(folder / "covariates.txt", sep="\t").drop(columns=["FID", "IID"])
    pd.concat([disease, covariates, dosages], axis=1).to_csv(folder / "r.tsv", sep="\t", index=False, na_rep="NA")
    subprocess.run(["Rscript", "-e", R, folder / "r.tsv", folder / "r.out.tsv"], check=True)
    found, own = pd.read_csv(folder / "r.out.tsv", sep="\t"), ours.iloc[some].reset_index(drop=True)
    pairs = (("BETA", "beta"), ("SE", "standard_error"))
    return max(beyond_rounding(found[theirs], own[name], 12) for theirs, name in pairs)


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=EmbeddedSettings().gwas_size)
    parser.add_argument("--missing", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--glm", type=int, default=50, help="variants that R fits too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default=None, help="where the files are written; a temporary folder without it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_study(folder, arguments.people, arguments.missing, arguments.seed)
        print(
            "| trait | variants compared | fineprior, wall, CPU (s) | plink2 | difference: effects | standard errors |"
        )
        print("| --- | --- | --- | --- | --- | --- |")
        lines = []
        for name in ("trait", "disease"):
            own = [folder / part for part in ("genotypes", f"{name}.txt", "covariates.txt", f"{name}.tsv.gz",
                                              f"{name}.yaml", "people.txt")]  # fmt: skip
            glm = ["--glm", "hide-covar", "no-firth", "omit-ref", "cols=+beta", "--threads", arguments.threads]
            plink = ["plink2", "--bfile", own[0], "--pheno", own[1], "--covar", own[2], "--out", folder / "plink", *glm]
            ours = seconds([sys.executable, "-c", OURS, *own], arguments.threads, arguments.repeat)
            theirs = seconds(plink, arguments.threads, arguments.repeat)
            linear = name == "trait"
            written = pd.read_csv(folder / f"plink.{name}.glm.{'linear' if linear else 'logistic'}", sep="\t")
            table = ASSOCIATION.read(own[3])
            count, effect, se = differences(table, written, linear, arguments.people)
            times = " | ".join(f"{wall:.2f}, {cpu:.2f}" for wall, cpu in (ours, theirs))
            print(f"| {name} | {count} | {times} | {effect:.1e} | {se:.1e} |", flush=True)
            lines.append(f"ratio difference_{name}_plink2 {max(effect, se):.3g} goal {GOAL:g}")
            if not linear and shutil.which("Rscript"):
                lines.append(f"ratio difference_{name}_glm {against_r(folder, table, arguments.glm):.3g} goal {GOAL:g}")
        print("\n".join(lines))


if __name__ == "__main__":
    main()
