"""Time and memory of fine-mapping: fineprior, susieR and pysusie on the same simulated loci in the same run.

    python benchmarks/susie.py                      # p = 2,000, 5,000 and 10,000, six loci each (peers take long)
    python benchmarks/susie.py --quick              # two small loci
    python benchmarks/susie.py --sizes 30000 --loci 2 --only fineprior

Every fit runs in a fresh process on one thread: it reads R (float32) and z from disk, fits, and writes PIPs and
credible sets. Measured are the CPU seconds of the fit alone with R in memory (checks of R, purity and sets included),
the wall and CPU seconds of the whole process, and its largest resident memory: of fineprior the median of three
runs, of the others, which take seconds, one run. All have L = 10, tol = 1e-4 and at most 100 iterations.
Loci have 1, 3 or 10 causal variants among msprime genotypes; z is that of 50,000 people with the LD of 2,500; R is
that of these 2,500 ("in-sample") or of 2,500 others ("mismatched"); the prior is uniform or favours the causal ones.

susieR is used where Rscript finds it, pysusie where Python does (`--pysusie FOLDER` adds a folder to look in).
"""

import argparse
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "scripts"
N, PANEL = 50_000, 2_500
MEASURES = ("seconds", "wall", "cpu", "memory")
# Causal variants, LD, prior of each locus; a seventh locus is the first with other causal variants, and so on.
LOCI = [
    (1, "in-sample", "uniform"),
    (1, "mismatched", "weighted"),
    (3, "in-sample", "weighted"),
    (3, "mismatched", "uniform"),
    (10, "in-sample", "uniform"),
    (10, "mismatched", "weighted"),
]
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
cat(sprintf('{"seconds": %.6f, "niter": %d}', seconds, fit$niter))
"""
FINEPRIOR = """
import sys, time
folder, out, source, exact = sys.argv[1:]
sys.path.insert(0, source)
import numpy as np
from fineprior.finemap import ibss
from fineprior.finemap.susie import susie_rss
R, z, prior = (np.load(f"{folder}/{name}.npy") for name in ("R", "z", "prior"))
if exact:
    ibss.LBF_TOLERANCE, R = 0.0, R.astype(np.float64)
before = time.process_time()
fit = susie_rss(z, R, 50000, L=10, prior_weights=prior, tol=1e-4, max_iter=100)
seconds = time.process_time() - before
with open(f"{out}/pip.txt", "w") as handle:
    handle.writelines(f"{pip:.17g}\\n" for pip in fit.pip)
with open(f"{out}/sets.txt", "w") as handle:
    handle.writelines(",".join(map(str, sorted(found.variables))) + "\\n" for found in fit.sets.sets)
print(f'{{"seconds": {seconds}, "niter": {fit.niter}}}')
"""
# Loci of a batch, and LD of a panel of 500 people with and without its matrix: fineprior alone.
OTHER = """
import sys, time
root, what, source = sys.argv[1:4]
sys.path.insert(0, source)
import numpy as np
from fineprior.finemap.batch import fit_loci
from fineprior.finemap.correlation import Correlation, PanelCorrelation
from fineprior.finemap.susie import susie_rss
def fit(locus, R=None):
    folder = f"{root}/locus{locus}"
    R = np.load(f"{folder}/R.npy", mmap_mode="r") if R is None else R
    return susie_rss(np.load(f"{folder}/z.npy"), R, 50000).pip
before, busy = time.perf_counter(), time.process_time()
if what == "batch":
    list(fit_loci(fit, [int(locus) for locus in sys.argv[4].split(",")], int(sys.argv[5])))
elif what == "check":
    R = np.load(f"{root}/locus0/R.npy")
    read = time.process_time() - busy
    Correlation.from_matrix(R, len(R))
    print(read, time.process_time() - busy - read, end=" ")
else:
    R = PanelCorrelation.from_genotypes(np.load(f"{root}/panel500.npy"))
    fit(0, R.matrix(np.float32) if what == "matrix" else R)
    print(time.process_time() - busy, end=" ")
print(time.perf_counter() - before)
"""
PYSUSIE = """
import sys, time
folder, out, source, _ = sys.argv[1:]
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
print(f'{{"seconds": {seconds}, "niter": {fit["niter"]}}}')
"""


def main() -> None:
    """Measure, print the table, and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000, 10000], help="variants of a locus")
    parser.add_argument("--loci", type=int, default=6, help="loci of each size")
    parser.add_argument("--quick", action="store_true", help="two loci of 500 variants")
    parser.add_argument("--only", nargs="+", choices=["fineprior", "susieR", "pysusie"], help="leave the others out")
    parser.add_argument("--pysusie", default="", help="folder with pysusie")
    parser.add_argument("--folder", type=Path, help="keep the simulated loci here, and use those that are here")
    parser.add_argument("--simulate", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.simulate:
        simulate(*arguments.simulate)
        return
    if arguments.quick:
        arguments.sizes, arguments.loci = [500], 2
    programs = [name for name in available(arguments.pysusie) if not arguments.only or name in arguments.only]
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for p in arguments.sizes:
            folders = simulated(arguments.folder or Path(scratch), p, arguments.loci)
            if not rows:
                warm_up(programs, folders[0], p, arguments.pysusie)
            for number, folder in enumerate(folders):
                row = {"p": p, "locus": LOCI[number % len(LOCI)]}
                row |= {name: median_run(name, folder, p, arguments.pysusie) for name in programs}
                if p <= 10_000 and "fineprior" in programs:
                    exact = run("exact", folder, p, arguments.pysusie)
                    row["error"] = max(abs(a - b) for a, b in zip(row["fineprior"]["pip"], exact["pip"], strict=True))
                rows.append(row)
                print_row(row, programs)
            if "fineprior" in programs:
                print_others(folders)
        print_ratios(rows, [name for name in programs if name != "fineprior"])


def available(pysusie: str) -> list[str]:
    """Programs at hand; the others are named."""
    programs = ["fineprior"]
    probe = ["Rscript", "-e", 'cat(as.character(packageVersion("susieR")))']
    done = subprocess.run(probe, capture_output=True, text=True, check=False) if shutil.which("Rscript") else None
    if done is not None and done.returncode == 0:
        programs.append("susieR")
        print(f"susieR {done.stdout}")
    else:
        print("susieR: absent")
    sys.path[:0] = [pysusie] if pysusie else []
    if importlib.util.find_spec("pysusie"):
        programs.append("pysusie")
        print("pysusie: at hand")
    else:
        print("pysusie: absent")
    return programs


def simulated(folder: Path, p: int, loci: int) -> list[Path]:
    """Folders of the loci of one size, simulated where they are not there yet (in a process of its own)."""
    root = folder / f"p{p}"
    folders = [root / f"locus{number}" for number in range(loci)]
    if not all((one / "prior.npy").exists() for one in folders):
        spawn([sys.executable, __file__, "--simulate", str(root), str(p), str(loci)])
    return folders


def simulate(root: str, p: str, loci: str) -> None:
    """Write R, z and prior of loci that share the genotypes of one coalescent simulation."""
    import numpy as np

    count, rng = int(p), np.random.default_rng(int(p))
    genotypes = coalescent_genotypes(2 * PANEL, count, seed=int(p))
    panels = {"in-sample": genotypes[:PANEL], "mismatched": genotypes[PANEL:]}
    Path(root).mkdir(parents=True, exist_ok=True)
    np.save(Path(root) / "panel500.npy", genotypes[-500:].astype(np.int8))
    for name, panel in panels.items():
        panel -= panel.mean(axis=0)
        panel /= np.maximum(np.sqrt((panel**2).sum(axis=0)), 1e-6)
        R = panel.T @ panel
        np.fill_diagonal(R, 1.0)
        np.save(Path(root) / f"{name}.npy", R)
        del R
    X = panels["in-sample"]
    for number in range(int(loci)):
        causal_count, ld, prior = LOCI[number % len(LOCI)]
        causal = rng.choice(count, causal_count, replace=False)
        signal = rng.choice([-1, 1], causal_count) * rng.uniform(6, 20, causal_count)
        z = X.T @ (X[:, causal] @ signal + rng.standard_normal(PANEL))
        weights = np.ones(count)
        if prior == "weighted":
            weights = rng.lognormal(0, 1.5, count)
            weights[causal] *= 10
        folder = Path(root) / f"locus{number}"
        folder.mkdir(exist_ok=True)
        (folder / "R.npy").unlink(missing_ok=True)
        (folder / "R.npy").symlink_to(Path(root).resolve() / f"{ld}.npy")
        np.save(folder / "z.npy", z.astype(np.float64))
        np.save(folder / "prior.npy", weights / weights.sum())


def coalescent_genotypes(people: int, p: int, seed: int):
    """Allele counts of p consecutive variants above 1% frequency, shape (people, p), float32."""
    import msprime
    import numpy as np

    length = 600 * p + 200_000
    while True:
        trees = msprime.sim_ancestry(
            people, population_size=10_000, sequence_length=length, recombination_rate=1e-8, random_seed=seed
        )
        trees = msprime.sim_mutations(trees, rate=1.3e-8, random_seed=seed, model=msprime.BinaryMutationModel())
        kept = []
        for variant in trees.variants():
            frequency = variant.genotypes.mean()
            if 0.01 < frequency < 0.99:
                kept.append(variant.genotypes.reshape(people, 2).sum(axis=1).astype(np.float32))
            if len(kept) == p:
                return np.stack(kept, axis=1)
        length *= 2


def warm_up(programs: list[str], folder: Path, p: int, pysusie: str) -> None:
    """Run each program once, so that the first that is measured does not pay for cold files."""
    for name in programs:
        run(name, folder, p, pysusie)


def median_run(program: str, folder: Path, p: int, pysusie: str) -> dict:
    """The medians of three runs of fineprior, one run of another program."""
    runs = [run(program, folder, p, pysusie) for _ in range(3 if program == "fineprior" else 1)]
    return runs[0] | {name: sorted(one[name] for one in runs)[len(runs) // 2] for name in MEASURES}


def run(program: str, folder: Path, p: int, pysusie: str) -> dict:
    """One fit in a fresh process: seconds of the fit, of the process, its memory in MB, PIPs."""
    with tempfile.TemporaryDirectory() as out:
        script = Path(out) / "fit.R"
        script.write_text(SUSIER)
        command = {
            "fineprior": [sys.executable, "-c", FINEPRIOR, str(folder), out, str(SOURCE), ""],
            "exact": [sys.executable, "-c", FINEPRIOR, str(folder), out, str(SOURCE), "exact"],
            "pysusie": [sys.executable, "-c", PYSUSIE, str(folder), out, pysusie, ""],
            "susieR": ["Rscript", str(script), str(folder), str(p), out],
        }[program]
        printed, used = spawn(command)
        pip = [float(line) for line in (Path(out) / "pip.txt").read_text().split()]
        sets = [line for line in (Path(out) / "sets.txt").read_text().split("\n") if line]
    return used | {"pip": pip, "sets": sets} | json.loads(printed.strip().splitlines()[-1])


def spawn(command: list[str]) -> tuple[str, dict]:
    """Output of a process on one thread; its wall and CPU seconds and peak memory (MB)."""
    with tempfile.TemporaryFile("w+") as printed:
        before = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, env=os.environ | ONE_THREAD | COMPILED)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
        printed.seek(0)
        used = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}
        return printed.read(), used


def print_row(row: dict, programs: list[str]) -> None:
    """One line per program and locus."""
    causal, ld, prior = row["locus"]
    for name in programs:
        found = row[name]
        print(
            f"p {row['p']:6d}  {causal:2d} causal {ld:10s} {prior:8s}  {name:9s}  fit {found['seconds']:8.4f} s CPU  "
            f"file to file {found['wall']:7.3f} s ({found['cpu']:.3f} s CPU)  memory {found['memory']:7.0f} MB  "
            f"{found['niter']:3d} iterations  {len(found['sets'])} sets",
            flush=True,
        )
    if "error" in row:
        print(f"  largest difference to PIPs of float64 throughout: {row['error']:.2g}", flush=True)


def print_others(folders: list[Path]) -> None:
    """A panel with and without its matrix; the check of R beside reading it; a batch on one and on two cores."""
    root = folders[0].parent
    for what in ("matrix", "low-rank"):
        printed, used = spawn([sys.executable, "-c", OTHER, str(root), what, str(SOURCE)])
        seconds = float(printed.split()[0])
        print(f"{root.name}: panel of 500 people, R as {what}, fitted in {seconds:.3f} s CPU, {used['memory']:.0f} MB")
    printed, _ = spawn([sys.executable, "-c", OTHER, str(root), "check", str(SOURCE)])
    read, checked = map(float, printed.split()[:2])
    print(f"ratio check_to_reading_{root.name} {checked / read:.2f} goal 1 (at most; R read in {read:.3f} s CPU)")
    # As many loci as take a second or more.
    loci = [str(number) for number in range(len(folders))] * max(1, 20_000 // int(root.name[1:]))
    command = [sys.executable, "-c", OTHER, str(root), "batch", str(SOURCE), ",".join(loci)]
    one, two = (float(spawn([*command, workers])[0]) for workers in ("1", "2"))
    print(f"ratio batch_{root.name}_two_processes {one / two:.2f} goal 1.6 ({len(loci)} loci in {two:.2f} s)")


def print_ratios(rows: list[dict], peers: list[str]) -> None:
    """Lines `ratio NAME VALUE goal GOAL`, with the fastest peer of each locus."""
    for p in dict.fromkeys(row["p"] for row in rows):
        ours = [row for row in rows if row["p"] == p and "fineprior" in row]
        for measure, name in (("seconds", "fit"), ("wall", "files"), ("cpu", "files_cpu")) if peers else ():
            ratios = [min(row[peer][measure] for peer in peers) / row["fineprior"][measure] for row in ours]
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"ratio {name}_p{p}_geometric_mean {mean:.1f} goal {30 if name == 'fit' else 10}")
            print(f"ratio {name}_p{p}_smallest {min(ratios):.1f} goal 10")
        for row in ours[:1]:
            most, allowed = max(row["fineprior"]["memory"] for row in ours), 1.25 * 4 * p * p / 2**20 + 200
            print(f"ratio memory_p{p}_of_allowed {most / allowed:.2f} goal 1 (at most; {most:.0f} of {allowed:.0f} MB)")
        errors = [row["error"] for row in ours if "error" in row]
        if errors:
            print(f"ratio pip_error_p{p} {max(errors):.1g} goal 1e-06 (at most)")


if __name__ == "__main__":
    main()
