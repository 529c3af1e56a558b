"""The programs that susie.py compares: each fits one locus in a fresh process, from files to files.

A folder of a locus holds R.npy (float32), z.npy, prior.npy and, for the command, z.tsv and prior.tsv. A program writes
PIPs and credible sets, and prints the CPU seconds of the fit.
"""

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "scripts"
N, PANEL = 50_000, 2_500
# susie_rss is the peers' own model; the default path allows for a panel's LD; the command is that path, from tables.
# A study is that path for the signals and three priors, with one diagnosis of the locus: seconds are those of a fit.
OURS = ("susie_rss", "default", "study", "command")
PEERS = ("susieR", "pysusie")
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
# Python programs find their modules compiled, as from the second run on.
COMPILED = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "fineprior-pycache"),
}
SUSIER = """
folder <- commandArgs(TRUE)[1]; p <- as.integer(commandArgs(TRUE)[2]); out <- commandArgs(TRUE)[3]
suppressMessages(library(susieR))
numbers <- function(name, count, size) {
  con <- file(file.path(folder, name), "rb"); on.exit(close(con))
  header <- readBin(con, "raw", 10)
  invisible(readBin(con, "raw", readBin(header[9:10], "integer", size = 2, signed = FALSE)))
  readBin(con, "numeric", count, size = size)
}
R <- matrix(numbers("R.npy", p * p, 4), p, p)
z <- numbers("z.npy", p, 8); w <- numbers("prior.npy", p, 8)
before <- proc.time()
fit <- susie_rss(z, R, n = 50000, L = 10, prior_weights = w, tol = 1e-4, max_iter = 100)
seconds <- sum((proc.time() - before)[1:2])
writeLines(sprintf("%.17g", fit$pip), file.path(out, "pip.txt"))
sets <- vapply(fit$sets$cs, function(set) paste(sort(set) - 1, collapse = ","), "")
writeLines(as.character(sets), file.path(out, "sets.txt"))
cat(sprintf('{"seconds": %.6f, "iterations": %d}', seconds, fit$niter))
"""
READ = """
import sys, time
folder, out = sys.argv[1:3]
import numpy as np
R, z, prior = (np.load(f"{folder}/{name}.npy") for name in ("R", "z", "prior"))
"""
WRITE = """
with open(f"{out}/pip.txt", "w") as handle:
    handle.writelines(f"{pip:.17g}\\n" for pip in fit.pip)
with open(f"{out}/sets.txt", "w") as handle:
    handle.writelines(",".join(map(str, sorted(found.variables))) + "\\n" for found in fit.sets.sets)
print(f'{{"seconds": {seconds}, "iterations": {fit.niter}}}')
"""
SUSIE_RSS = f"""{READ}
from fineprior.finemap import ibss
from fineprior.finemap.susie import susie_rss
if len(sys.argv) > 3:
    ibss.LBF_TOLERANCE, R = 0.0, R.astype(np.float64)
before = time.process_time()
fit = susie_rss(z, R, {N}, L=10, prior_weights=prior, tol=1e-4, max_iter=100)
seconds = time.process_time() - before
{WRITE}"""
DEFAULT = f"""{READ}
from fineprior.finemap.locus import fit_locus
from fineprior.project.settings import FinemapSettings
ids = [str(j) for j in range(len(z))]
before = time.process_time()
fit = fit_locus(ids, z, R, {N}, prior, FinemapSettings(), panel_size={PANEL}).fit
seconds = time.process_time() - before
{WRITE}"""
STUDY = f"""
import os, sys, time
folder, out = sys.argv[1:3]
import numpy as np
from fineprior.finemap.correlation import PanelCorrelation
from fineprior.finemap.diagnoses import diagnosis_of
from fineprior.finemap.locus import fit_locus
from fineprior.project.settings import FinemapSettings
few = os.path.exists(f"{{folder}}/ld.npz")
LD = np.load(f"{{folder}}/ld.npz")["genotypes"] if few else np.load(f"{{folder}}/R.npy")
z, prior = (np.load(f"{{folder}}/{{name}}.npy") for name in ("z", "prior"))
ids, settings, people = [str(j) for j in range(len(z))], FinemapSettings(), LD.shape[1] if few else {PANEL}
shuffled = np.random.default_rng(1).permutation(prior)
before = time.process_time()
known = diagnosis_of(z, PanelCorrelation.from_counts(LD) if few else LD, {N}, settings, people)
for weights in (None, None, shuffled, prior):
    R = PanelCorrelation.from_counts(LD) if few else LD
    fit = fit_locus(ids, z, R, {N}, weights, settings, panel_size=people, diagnostics=known).fit
seconds = (time.process_time() - before) / 4
{WRITE}"""
PYSUSIE = """
import sys, time
folder, out, source = sys.argv[1:]
sys.path[:0] = [source] if source else []
import numpy as np
from pysusie import susie_rss
R, z, prior = (np.load(f"{folder}/{name}.npy") for name in ("R", "z", "prior"))
before = time.process_time()
fit = susie_rss(z=z, R=R, n=50000, L=10, prior_weights=prior, tol=1e-4, max_iter=100)
seconds = time.process_time() - before
with open(f"{out}/pip.txt", "w") as handle:
    handle.writelines(f"{pip:.17g}\\n" for pip in fit["pip"])
with open(f"{out}/sets.txt", "w") as handle:
    for found in (fit["sets"] or {}).get("cs") or []:
        handle.write(",".join(map(str, sorted(map(int, found)))) + "\\n")
print(f'{{"seconds": {seconds}, "iterations": {fit["niter"]}}}')
"""


def run(program: str, folder: Path, p: int, pysusie: str) -> dict:
    """One fit in a fresh process: its wall and CPU seconds, memory (MB), PIPs, sets; but for the command the fit's."""
    with tempfile.TemporaryDirectory() as out:
        script = Path(out) / "fit.R"
        script.write_text(SUSIER)
        python = [sys.executable, "-c"]
        few = (folder / "ld.npz").exists()
        ld, people = (folder / "ld.npz", []) if few else (folder / "R.npy", ["--panel-size", PANEL])
        files = ["--z", folder / "z.tsv", "--ld", ld, "--prior", folder / "prior.tsv", "--out", f"{out}/fit", *people]
        command = {
            "susie_rss": [*python, SUSIE_RSS, folder, out],
            "exact": [*python, SUSIE_RSS, folder, out, "exact"],
            "default": [*python, DEFAULT, folder, out],
            "command": [sys.executable, "-m", "fineprior.cli", "finemap", *files],
            "study": [*python, STUDY, folder, out],
            "pysusie": [*python, PYSUSIE, folder, out, pysusie],
            "susieR": ["Rscript", script, folder, p, out],
        }[program]
        printed, used = spawn(command)
        if program == "command":
            return used | _tables(f"{out}/fit")
        pip = [float(line) for line in (Path(out) / "pip.txt").read_text().split()]
        sets = [line for line in (Path(out) / "sets.txt").read_text().split("\n") if line]
        return used | {"pip": pip, "sets": sets} | json.loads(printed.strip().splitlines()[-1])


def _tables(prefix: str) -> dict:
    """PIPs (0 of variants left out) and sets of the main coverage, as the command writes them."""
    with gzip.open(f"{prefix}.variants.tsv.gz", "rt") as handle:
        pip = [0.0 if row["pip"] == "NA" else float(row["pip"]) for row in csv.DictReader(handle, delimiter="\t")]
    with open(f"{prefix}.credible_sets.tsv") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return {"pip": pip, "sets": [row["variant_ids"] for row in rows if row["main"] == "TRUE"]}


def spawn(command: list) -> tuple[str, dict]:
    """Output of a process on one thread; its wall and CPU seconds and peak memory (MB)."""
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryFile("w+") as printed:
        before = time.perf_counter()
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdout=printed, env=os.environ | ONE_THREAD | COMPILED | {"PYTHONPATH": path})
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)}: exit status {process.returncode}")
        printed.seek(0)
        used = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}
        return printed.read(), used
