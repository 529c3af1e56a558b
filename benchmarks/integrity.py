"""What it costs to check every byte: CPU time of sealing all results and of checking all inputs of all jobs.

    snakemake --cores 2 && python benchmarks/integrity.py            # on the finished embedded study

Each file of the study is written once more through the layer (digest, record, fsync), and each input of each job is
checked as the job does it; both by this process, in CPU seconds. The share is of the CPU time of those jobs that
Snakemake measures (logs/benchmarks), so of less than the whole study: the true share is smaller. The embeddings of the
training regions count twice, for they are written in parts before. Prints a table and, last, `ratio NAME VALUE goal
GOAL`.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import pandas as pd  # noqa: E402

from fineprior.files import integrity  # noqa: E402
from fineprior.files import whole as files  # noqa: E402

GOAL = 0.02
TWICE = "regions/embeddings.npz"


def seconds(work: Callable[[], None]) -> float:
    """CPU seconds of this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def written(project: Path, scratch: Path) -> tuple[float, int, int]:
    """CPU seconds of writing all results again, their number and bytes."""
    total, count, size = 0.0, 0, 0
    for path in sorted((project / "results").rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(project).parts):
            continue
        times = 2 if str(path).endswith(TWICE) else 1
        shared = "store" in path.parts
        for _ in range(times):
            temporary = scratch / f".new{path.suffix}"
            shutil.copy(path, temporary)
            final = scratch / f"{count}{path.suffix}"
            total += seconds(lambda new=temporary, final=final, shared=shared: files._publish(new, final, shared))
            final.unlink()
            count, size = count + 1, size + path.stat().st_size
    return total, count, size


def read(project: Path) -> tuple[float, int, int]:
    """CPU seconds of checking all inputs of all jobs, their number and bytes."""
    jobs = set()
    for path in (project / ".snakemake/metadata").rglob("*"):
        if path.is_file():
            known = json.loads(path.read_text())
            jobs.add((known.get("rule"), *(known.get("log") or []), *(known.get("input") or [])))
    paths = [project / name for job in sorted(jobs, key=str) for name in job[1:]]
    paths = [path for path in paths if path.is_file() and path.suffix != ".log"]
    paths += [path for path in paths if str(path).endswith(TWICE)][:1]
    paths += sorted((project / "results/store").rglob("*.np?"))
    with integrity.strictly():
        total = sum(seconds(lambda path=path: checked(path)) for path in paths)
    return total, len(paths), sum(path.stat().st_size for path in paths)


def checked(path: Path) -> None:
    """As a job does."""
    if "store" in path.parts:
        integrity.check(path, integrity.shared_salt(path))
    else:
        integrity.check(path)


def main() -> int:
    """Measure and print; 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=ROOT, help="folder with the finished study (%(default)s)")
    project = parser.parse_args().project.resolve()
    os.chdir(project)
    tables = [pd.read_csv(path, sep="\t") for path in (project / "logs/benchmarks").rglob("*.tsv")]
    whole = float(sum(table["cpu_time"].sum() for table in tables))
    if not whole:
        raise SystemExit(f"{project}: no finished study (logs/benchmarks has no times)")
    with tempfile.TemporaryDirectory(dir=project) as scratch:
        rows = [("written", *written(project, Path(scratch))), ("checked", *read(project))]
    sys.stdout.write("| | files | MB | CPU s |\n|---|---|---|---|\n")
    for name, cost, count, size in rows:
        sys.stdout.write(f"| {name} | {count:,} | {size / 1e6:,.0f} | {cost:.2f} |\n")
    sys.stdout.write(f"| measured jobs of the study | {len(tables)} | | {whole:.0f} |\n")
    share = sum(row[1] for row in rows) / whole
    sys.stdout.write(f"ratio integrity_share_of_cpu {share:.4f} goal {GOAL}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
