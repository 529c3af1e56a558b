"""Time and memory of fine-mapping: fineprior, susieR and pysusie on the same simulated loci in the same run.

    python benchmarks/susie.py                      # p = 2,000, 5,000 and 10,000, six loci each (peers take long)
    python benchmarks/susie.py --quick              # two small loci
    python benchmarks/susie.py --sizes 30000 --loci 2 --only susie_rss

Every fit runs in a fresh process on one thread: it reads R (float32) and z from disk, fits, and writes PIPs and
credible sets. Measured are the CPU seconds of the fit alone with R in memory (checks of R, purity and sets included),
the wall and CPU seconds of the whole process, and its largest resident memory: of susie_rss, which takes
milliseconds, the median of three runs, of the others one run. Of fineprior there are four rows:

    susie_rss  the model of susieR and pysusie: L = 10, tol = 1e-4 and at most 100 iterations, as theirs here
    default    `fit_locus` with the default settings and the size of the panel: diagnostics, a plain fit, a fit with the
               error of the panel; the others do one plain fit
    study      the default path for the signals and three priors (uniform, shuffled, its own) with one diagnosis of the
               locus, as in the workflow: the mean of the four fits, diagnosis included
    command    `fineprior finemap` on a table of z-scores, R and a table of priors, with all the files that it writes

Loci have 1, 3 or 10 causal variants among msprime genotypes; z is that of 50,000 people with the LD of 2,500; R is
that of these 2,500 ("in-sample") or of 2,500 others ("mismatched"); the prior is uniform or favours the causal ones.
Last come the goals that were missed, and lines `ratio NAME VALUE goal GOAL`: "times faster" is against the fastest
other program of each locus. The goals were set for susie_rss; default and command are held to the same ones.

With --panel R is that of 500 other people for all programs, and study and command read these people's genotypes in its
place, as the workflow keeps the LD of a panel that is small beside the locus.

susieR is used where Rscript finds it, pysusie where Python does (`--pysusie FOLDER` adds a folder to look in).
"""

import argparse
import importlib.util
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from susie_programs import OURS, PANEL, PEERS, N, run, spawn

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
# Loci of a batch (plain or by the default path), and LD of a panel of 500 people with and without its matrix.
OTHER = """
import sys, time
root, what = sys.argv[1:3]
import numpy as np
from fineprior.finemap.workers import fit_loci
from fineprior.finemap.correlation import Correlation, PanelCorrelation
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.susie import susie_rss
from fineprior.project.settings import FinemapSettings
def fit(locus, R=None):
    folder = f"{root}/locus{locus}"
    R = np.load(f"{folder}/R.npy", mmap_mode="r") if R is None else R
    z = np.load(f"{folder}/z.npy")
    if what == "batch_default":
        return fit_locus([str(j) for j in range(len(z))], z, R, 50000, None, FinemapSettings(), panel_size=2500).status
    return susie_rss(z, R, 50000).pip
before, busy = time.perf_counter(), time.process_time()
if what.startswith("batch"):
    list(fit_loci(fit, [int(locus) for locus in sys.argv[3].split(",")], int(sys.argv[4])))
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


class Ratio(NamedTuple):
    """What is reported last: a number beside its goal, at least which (or at most) it is to be."""

    name: str
    value: float
    goal: float
    at_most: bool = False

    @property
    def missed(self) -> bool:
        """Whether the goal is not reached."""
        return not (self.value <= self.goal if self.at_most else self.value >= self.goal)


def main() -> None:
    """Measure, print the table, and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000, 10000], help="variants of a locus")
    parser.add_argument("--loci", type=int, default=6, help="loci of each size")
    parser.add_argument("--quick", action="store_true", help="two loci of 500 variants")
    parser.add_argument("--only", nargs="+", choices=[*OURS, *PEERS], help="leave the others out")
    parser.add_argument("--pysusie", default="", help="folder with pysusie")
    parser.add_argument("--folder", type=Path, help="keep the simulated loci here, and use those that are here")
    parser.add_argument("--write", type=Path, help="tab-separated file for the fits (docs/performance/susie.tsv)")
    parser.add_argument("--panel", action="store_true", help="LD of 500 people, for ours as genotypes")
    parser.add_argument("--simulate", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.simulate:
        simulate(*arguments.simulate)
        return
    if arguments.quick:
        arguments.sizes, arguments.loci = [500], 2
    programs = [name for name in available(arguments.pysusie) if not arguments.only or name in arguments.only]
    with tempfile.TemporaryDirectory() as scratch:
        rows, others = [], []
        for p in arguments.sizes:
            folders = simulated(arguments.folder or Path(scratch), p, arguments.loci)
            if arguments.panel:
                folders = [with_panel(one) for one in folders]
            for name in programs if not rows else ():
                run(name, folders[0], p, arguments.pysusie)  # So that the first that is measured finds warm files.
            for number, folder in enumerate(folders):
                rows.append(measure(programs, folder, p, LOCI[number % len(LOCI)], arguments.pysusie))
                print_row(rows[-1], programs)
            others += [] if arguments.panel else other_ratios(folders, programs)
    if arguments.write:
        arguments.write.write_text("".join(f"{line}\n" for line in table(rows)))
    report([*ratios(rows, programs), *others], [name for name in PEERS if name not in programs])


def available(pysusie: str) -> list[str]:
    """Programs at hand; the others are named."""
    programs = list(OURS)
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
    if not all((one / "prior.tsv").exists() for one in folders):
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
        weights /= weights.sum()
        np.save(folder / "prior.npy", weights)
        rows = [(f"1:{j + 1}:A:G", z[j], weights[j]) for j in range(count)]
        lines = {"z": [f"{name}\t{score:.17g}\t{N}\n" for name, score, _ in rows],
                 "prior": [f"{name}\t{weight:.17g}\n" for name, _, weight in rows]}  # fmt: skip
        (folder / "z.tsv").write_text("variant_id\tz\tn\n" + "".join(lines["z"]))
        (folder / "prior.tsv").write_text("variant_id\tprior\n" + "".join(lines["prior"]))


def with_panel(folder: Path) -> Path:
    """A folder of the same locus with the LD of 500 people: R.npy, and ld.npz with their genotypes."""
    import numpy as np

    panel, made = np.load(folder.parent / "panel500.npy").T, folder.parent / "panel" / folder.name
    made.mkdir(parents=True, exist_ok=True)
    R = np.nan_to_num(np.corrcoef(panel))
    np.fill_diagonal(R, 1.0)
    np.save(made / "R.npy", R.astype(np.float32))
    names = np.array([f"1:{j + 1}:A:G" for j in range(len(panel))])
    np.savez(made / "ld.npz", genotypes=panel, variant_id=names, panel_size=panel.shape[1])
    for name in ("z.npy", "prior.npy", "z.tsv", "prior.tsv"):
        (made / name).unlink(missing_ok=True)
        (made / name).symlink_to((folder / name).resolve())
    return made


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


def measure(programs: list[str], folder: Path, p: int, locus: tuple, pysusie: str) -> dict:
    """What each program takes for a locus, and how far PIPs of susie_rss are from those of float64 throughout."""
    row = {"p": p, "locus": locus} | {name: median_run(name, folder, p, pysusie) for name in programs}
    if p <= 10_000 and "susie_rss" in programs:
        exact = run("exact", folder, p, pysusie)
        row["error"] = max(abs(a - b) for a, b in zip(row["susie_rss"]["pip"], exact["pip"], strict=True))
    return row


def median_run(program: str, folder: Path, p: int, pysusie: str) -> dict:
    """The medians of three runs of susie_rss, one run of another program."""
    runs = [run(program, folder, p, pysusie) for _ in range(3 if program == "susie_rss" else 1)]
    return runs[0] | {name: sorted(one[name] for one in runs)[len(runs) // 2] for name in MEASURES if name in runs[0]}


def print_row(row: dict, programs: list[str]) -> None:
    """One line per program and locus."""
    causal, ld, prior = row["locus"]
    for name in programs:
        found = row[name]
        fit = f"fit {found['seconds']:8.4f} s CPU" if "seconds" in found else " " * 18
        iterations = f"{found['iterations']:3d} iterations" if "iterations" in found else " " * 14
        print(
            f"p {row['p']:6d}  {causal:2d} causal {ld:10s} {prior:8s}  {name:9s}  {fit}  "
            f"file to file {found['wall']:7.3f} s ({found['cpu']:.3f} s CPU)  memory {found['memory']:7.0f} MB  "
            f"{iterations}  {len(found['sets'])} sets",
            flush=True,
        )
    if "error" in row:
        print(f"  largest difference to PIPs of float64 throughout: {row['error']:.2g}", flush=True)


def table(rows: list[dict]) -> Iterator[str]:
    """Tab-separated lines: seconds and memory of each program on each locus; NA for a program that was not run."""
    names = {"fineprior": "susie_rss", "susier": "susieR", "pysusie": "pysusie"}
    measures = {"cpu_s": "seconds", "wall_s": "wall", "mb": "memory"}
    columns = [f"{name}_{measure}" for measure in measures for name in names]
    yield "\t".join(["p", "causal", "ld", "prior", *columns[:3], "times_faster", *columns[3:]])
    for row in rows:
        digits = {"seconds": 2, "wall": 2, "memory": 0}
        cells = [_number(row, program, key, 4 if (program, key) == ("susie_rss", "seconds") else digits[key])
                 for key in measures.values() for program in names.values()]  # fmt: skip
        peers = [row[program]["seconds"] for program in ("susieR", "pysusie") if program in row]
        faster = f"{min(peers) / row['susie_rss']['seconds']:.0f}" if peers and "susie_rss" in row else "NA"
        yield "\t".join([str(row["p"]), *map(str, row["locus"]), *cells[:3], faster, *cells[3:]])


def _number(row: dict, program: str, key: str, digits: int) -> str:
    return f"{row[program][key]:.{digits}f}" if program in row else "NA"


def other_ratios(folders: list[Path], programs: list[str]) -> list[Ratio]:
    """A panel with and without its matrix; the check of R beside reading it; batches on one and on two cores."""
    root, found = folders[0].parent, []
    if "susie_rss" in programs:
        for what in ("matrix", "low-rank"):
            printed, used = spawn([sys.executable, "-c", OTHER, root, what])
            seconds = float(printed.split()[0])
            print(
                f"{root.name}: panel of 500 people, R as {what}, fitted in {seconds:.3f} s CPU, {used['memory']:.0f} MB"
            )
        read, checked = map(float, spawn([sys.executable, "-c", OTHER, root, "check"])[0].split()[:2])
        print(f"{root.name}: R read in {read:.3f} s CPU, checked in {checked:.3f} s CPU")
        found.append(Ratio(f"check_to_reading_{root.name}", checked / read, 1, at_most=True))
    # As many loci as take a second or more; those of the default path take longer.
    for program, what, times in (("susie_rss", "batch", 20_000), ("default", "batch_default", 4_000)):
        if program in programs:
            loci = [str(number) for number in range(len(folders))] * max(2, times // int(root.name[1:]))
            command = [sys.executable, "-c", OTHER, root, what, ",".join(loci)]
            one, two = (float(spawn([*command, workers])[0]) for workers in (1, 2))
            print(f"{root.name}: {what}, {len(loci)} loci: one process {one:.2f} s, two {two:.2f} s", flush=True)
            found.append(Ratio(f"{what}_{root.name}_two_processes", one / two, 1.6))
    return found


def ratios(rows: list[dict], programs: list[str]) -> list[Ratio]:
    """Each of ours beside the fastest peer of each locus, memory beside what is allowed, errors of PIPs."""
    found, peers = [], [name for name in PEERS if name in programs]
    for p in dict.fromkeys(row["p"] for row in rows):
        here = [row for row in rows if row["p"] == p]
        for ours in (name for name in OURS if name in programs):
            for measured, name in (("seconds", "fit"), ("wall", "files"), ("cpu", "files_cpu")) if peers else ():
                if measured in here[0][ours]:
                    times = [min(row[peer][measured] for peer in peers) / row[ours][measured] for row in here]
                    mean = math.exp(sum(map(math.log, times)) / len(times))
                    found.append(Ratio(f"{name}_{ours}_p{p}_geometric_mean", mean, 30 if name == "fit" else 10))
                    found.append(Ratio(f"{name}_{ours}_p{p}_smallest", min(times), 10))
            most, allowed = max(row[ours]["memory"] for row in here), 1.25 * 4 * p * p / 2**20 + 200
            found.append(Ratio(f"memory_{ours}_p{p}_of_allowed", most / allowed, 1, at_most=True))
        errors = [row["error"] for row in here if "error" in row]
        if errors:
            found.append(Ratio(f"pip_error_p{p}", max(errors), 1e-6, at_most=True))
    return found


def report(found: list[Ratio], absent: list[str]) -> None:
    """Say what was not compared and which goals were missed; last, lines `ratio NAME VALUE goal GOAL`."""
    print()
    if absent:
        others = "so no times are compared" if len(absent) == len(PEERS) else "so times are compared without it"
        print(f"Not run: {' and '.join(absent)}, {others}.")
    missed = [one.name for one in found if one.missed]
    print(f"Goals (which are for p = 2,000, 5,000 and 10,000) missed: {', '.join(missed) or 'none'}")
    for one in found:
        print(f"ratio {one.name} {one.value:.4g} goal {one.goal:g}")


if __name__ == "__main__":
    main()
