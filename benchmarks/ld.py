"""LD from file to file: genotypes in a .bed, a matrix out, beside PLINK on the same files with as many threads.

    python benchmarks/ld.py --variants 2000 5000 10000 --people 500 5000 --threads 2

Each run is a fresh process, whose wall and CPU seconds and peak memory are taken; the best of `--repeat` counts.
fineprior runs the step of the rule compute_ld (table of variants and .bed in, .npz of float32 out); `work` is its time
without the start of Python and its libraries, which a rule pays once for a batch of loci. PLINK 1.9 writes
`--r square bin4` (float32 too) and `--r square` (text, its default); PLINK 2 `--r-unphased square bin4` and
`--r-phased square bin4`, where the build has them (from alpha 6 on; Debian 12 has alpha 3.5). Only r is compared that
is the same quantity: phased r is not. Allowed memory is 1.3 times 4 p² bytes, the genotypes (4 n p bytes), and what
the program takes before it reads anything. Prints a table and, last, `ratio NAME VALUE goal GOAL`.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SOURCE))  # of the processes that are spawned, too
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
OURS = """
import sys, time
from fineprior.project.settings import LdSettings
from fineprior.steps.compute_ld import compute_ld
start = time.perf_counter()
if len(sys.argv) > 1:
    variants, panel, output = sys.argv[1:]
    compute_ld(variants=variants, panel=panel, output=output, settings=LdSettings(max_memory_mb=1 << 30))
print(time.perf_counter() - start)
"""
SWITCH_RATE = 0.05
MAX_DIFFERENCE = 1e-5


def apart(function: Callable, *arguments: object) -> object:
    """A call in a process of its own: the peak memory of a child begins with that of its parent, which stays small."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def simulate(folder: Path, people: int, variants: int, seed: int) -> Path:
    """A panel whose haplotypes are mosaics of 40 founders, so that neighbours are in LD; MAF above 1%."""
    import numpy as np
    import pandas as pd

    from fineprior.files.tables import LOCUS_VARIANTS
    from fineprior.simulate.population import write_panel

    rng = np.random.default_rng(seed)
    frequency = rng.beta(0.6, 0.6, variants).clip(0.02, 0.98)
    founders = (rng.random((40, variants)) < frequency).astype(np.int8)
    founders[0], founders[1] = 0, 1
    copied = rng.integers(0, 40, 2 * people)
    dosages = np.empty((people, variants), np.int8)
    for column in range(variants):
        switched = rng.random(2 * people) < SWITCH_RATE
        copied[switched] = rng.integers(0, 40, int(switched.sum()))
        haplotypes = founders[copied, column]
        dosages[:, column] = haplotypes[:people] + haplotypes[people:]
    position = np.arange(1, variants + 1) * 200
    bim = pd.DataFrame({"chrom": "1", "pos": position, "snp_id": [f"rs{i}" for i in range(variants)], "a1": "C",
                        "a2": "A"})  # fmt: skip
    write_panel(folder / "panel", bim, [dosages])
    table = pd.DataFrame({
        "locus": "locus", "variant_id": [f"1:{pos}:A:C" for pos in position], "chrom": "1", "pos": position, "ref": "A",
        "alt": "C", "beta": 0.0, "se": 1.0, "z": 0.0, "neg_log10_p": 0.0, "eaf": 0.5, "n": 1e5, "panel_af": 0.5,
        "panel_index": np.arange(variants),
    })  # fmt: skip
    LOCUS_VARIANTS.write(table, folder / "variants.tsv.gz")
    return folder / "panel"


def spawn(command: list, threads: int) -> tuple[str, dict[str, float]]:
    """Output of a process, its wall and CPU seconds, and its peak memory (MB)."""
    environment = os.environ | dict.fromkeys(THREADS, str(threads)) | {"PYTHONPATH": str(SOURCE)}
    with tempfile.TemporaryFile("w+") as printed:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=printed, stderr=subprocess.STDOUT,
                                   env=environment)  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(str(word) for word in command)}: exit status {process.returncode}\n{text[-2000:]}")
    return text, {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}


def best(command: list, threads: int, repeat: int) -> tuple[str, dict[str, float]]:
    """The fastest of several runs."""
    return min((spawn(command, threads) for _ in range(repeat)), key=lambda run: run[1]["wall"])


def programs(plink1: str | None, plink2: str | None) -> tuple[dict[str, list], list[str]]:
    """Commands (to be followed by --bfile, --out) of the PLINKs that there are, and what is missing."""
    found: dict[str, list] = {}
    missing = []
    if plink1:
        found["plink1.9 bin4"] = [plink1, "--r", "square", "bin4", "--keep-allele-order"]
        found["plink1.9 text"] = [plink1, "--r", "square", "--keep-allele-order"]
    else:
        missing.append("plink1.9 is not installed")
    for option in ("--r-unphased", "--r-phased"):
        done = plink2 and subprocess.run([plink2, "--help", option], capture_output=True, text=True, check=False)
        if done and f"No help entry for '{option}'" not in done.stdout + done.stderr:
            found[f"plink2 {option[4:]}"] = [plink2, option, "square", "bin4"]
        else:
            missing.append(f"plink2 {option}: {'not in this build of ' + str(plink2) if plink2 else 'no plink2'}")
    return found, missing


def difference(ours: Path, prefix: Path, count: int) -> float:
    """Largest difference between the matrix that fineprior wrote and PLINK's."""
    import numpy as np

    with np.load(ours) as stored:
        r = stored["locus/R"]
    for file in prefix.parent.glob(f"{prefix.name}.*"):
        if file.name.endswith(".bin") and file.stat().st_size == 4 * count**2:
            return max(
                float(np.abs(a - b).max())
                for a, b in zip(r, np.memmap(file, "<f4", "r", shape=(count, count)), strict=True)
            )
    with (prefix.parent / f"{prefix.name}.ld").open() as handle:
        return max(
            float(np.abs(a - np.array(line.split(), np.float32)).max()) for a, line in zip(r, handle, strict=True)
        )


def measure(people: int, count: int, tools: dict[str, list], arguments: argparse.Namespace) -> dict:
    """Seconds and memory of each program for one panel, and the largest difference of r from each PLINK."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        panel = apart(simulate, folder, people, count, arguments.seed)
        ours = [sys.executable, "-c", OURS, folder / "variants.tsv.gz", panel, folder / "ld.npz"]
        text, used = best(ours, arguments.threads, arguments.repeat)
        rows = {"fineprior": used | {"work": float(text)}}
        for tool, words in tools.items():
            out = folder / "plink"
            command = [*words, "--bfile", panel, "--threads", arguments.threads, "--out", out]
            rows[tool] = best(command, arguments.threads, arguments.repeat)[1]
            if "--r-phased" not in words:
                rows[tool]["difference"] = apart(difference, folder / "ld.npz", out, count)
            for file in folder.glob("plink*"):
                file.unlink()
    return rows


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, nargs="+", default=[2000, 5000, 10_000])
    parser.add_argument("--people", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the files are written")
    parser.add_argument("--plink1", default=shutil.which("plink1.9"))
    parser.add_argument("--plink2", default=shutil.which("plink2"))
    arguments = parser.parse_args()
    tools, missing = programs(arguments.plink1, arguments.plink2)
    _, started = best([sys.executable, "-c", OURS], arguments.threads, arguments.repeat)
    print(f"fineprior before it reads anything: {started['wall']:.2f} s, {started['memory']:.0f} MB; "
          f"{arguments.threads} threads for each program")  # fmt: skip
    print("| people | variants | program | seconds | CPU seconds | of these work | memory (MB) | difference of r |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    measured = {}
    for people in arguments.people:
        for count in arguments.variants:
            measured[people, count] = rows = measure(people, count, tools, arguments)
            for tool, row in rows.items():
                work = f"{row['work']:.2f}" if "work" in row else ""
                off = f"{row['difference']:.1e}" if "difference" in row else ""
                print(f"| {people} | {count} | {tool} | {row['wall']:.2f} | {row['cpu']:.2f} | {work} | "
                      f"{row['memory']:.0f} | {off} |", flush=True)  # fmt: skip
    for line in missing:
        print(f"Not compared: {line}.")
    for line in ratios(measured, started["memory"]):
        print(line)


def ratios(measured: dict, start_memory: float) -> list[str]:
    """Lines of what was reached beside the goals."""
    lines = []
    for (people, count), rows in measured.items():
        ours, case = rows["fineprior"], f"n{people}_p{count}"
        for tool, row in rows.items():
            name = tool.replace(" ", "_")
            if row is ours:
                allowed = (1.3 * 4 * count**2 + 4 * people * count) / 2**20 + start_memory
                lines.append(f"ratio memory_of_allowed_{case} {ours['memory'] / allowed:.3g} goal 1")
                continue
            lines.append(f"ratio files_{name}_{case} {row['wall'] / ours['wall']:.3g} goal 1")
            lines.append(f"ratio work_{name}_{case} {row['wall'] / ours['work']:.3g} goal 1")
            if "difference" in row:
                lines.append(f"ratio difference_{name}_{case} {row['difference']:.3g} goal {MAX_DIFFERENCE:g}")
    return lines


if __name__ == "__main__":
    main()
