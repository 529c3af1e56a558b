"""What the workflow costs beside its science, and how all of it grows with loci.

    python benchmarks/scale.py                          # everything; parts: --only dry_run overhead growth example
    python benchmarks/scale.py --only growth --loci 10 20 40 80

dry_run    `snakemake -n` of 50 studies with 3,000 loci each, in 10 batches.
overhead   The embedded study on one core. In each Python process, time on its processor is counted from its start, and
           that of import statements, wherever they stand. Science is what a rule's process spends besides its start and
           its imports; all the rest is overhead: Snakemake, and the start of Python and its libraries in each job.
growth     The embedded study's data, with as many loci in a BED file as said, from its statistics to the report: total
           and science, and the exponents that fit them. Beside them time and memory of each rule's processes.
example    A study of 10 million variants and 1,500 loci: the loci are found in all variants, one batch of 1/50 of them
           goes through LD, signals, prior and fine-mapping; what is 50 batches is extrapolated, and says so.

Times are of processors (user and system, of a command and all that it starts), as other work on a machine changes them
least. Prints tables and, last, `ratio NAME VALUE goal GOAL`.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import yaml  # noqa: E402

from fineprior.files.table_parts import write_parts  # noqa: E402
from fineprior.files.tables import LOCI, LOCUS_VARIANTS, SUMSTATS  # noqa: E402
from fineprior.simulate.population import write_panel  # noqa: E402

PARTS = ("dry_run", "overhead", "growth", "example")
COPIED = ("Snakefile", "workflow", "scripts", "config", "resources/backbone", "resources/long_range_ld.tsv", "envs")
STATISTICS = (
    "chromosome base_pair_location effect_allele other_allele beta standard_error effect_allele_frequency p_value n"
)
# Of each process: its rule, seconds of its processor, those before and within its imports, and its peak memory.
MEASURE = """
import atexit, builtins, json, os, resource, sys, time
begin, inside, spent, whole = time.process_time(), False, 0.0, builtins.__import__

def counted(*arguments, **options):
    global inside, spent
    if inside:
        return whole(*arguments, **options)
    inside, start = True, time.process_time()
    try:
        return whole(*arguments, **options)
    finally:
        inside, spent = False, spent + time.process_time() - start

def written():
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    with open("/proc/self/status") as handle:  # ru_maxrss would be that of the process that started this one
        peak = next(int(line.split()[1]) for line in handle if line.startswith("VmHWM"))
    row = {"program": sys.argv[0], "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
           "start": begin + spent, "mb": peak / 1024}
    with open(os.path.join(os.environ["SCALE_FOLDER"], f"{os.getpid()}.json"), "w") as handle:
        json.dump(row, handle)

if os.environ.get("SCALE_FOLDER"):
    builtins.__import__ = counted
    atexit.register(written)
"""

STEPS = {
    "define_loci": "define_loci(sumstats='s.parquet', fasta='g.fa', bed='loci.bed', output='loci.tsv', "
    "excluded='x.tsv', settings=LociSettings(batches=1))",
    "collect_variants": "collect_variants(sumstats='s.parquet', fasta='g.fa', loci=loci_by_batch('batch.bed', 1)[0], "
    "output='own.tsv.gz')",
    "compute_ld": "compute_ld(variants='v.tsv.gz', panel='panel', output='ld.npz', settings=LdSettings())",
    "find_signals": "find_signals(variants='v.tsv.gz', ld='ld.npz', output='f.npz', settings=FinemapSettings())",
    "assign_prior": "assign_prior(prior='uniform', variants='v.tsv.gz', output='p.tsv.gz')",
    "finemap": "finemap(variants='v.tsv.gz', ld='ld.npz', prior='p.tsv.gz', output='o.tsv.gz', credible_sets='c.tsv', "
    "status='t.tsv', fits='n.npz', settings=FinemapSettings())",
}
"""Each in a process of its own, as its rule's job."""
IMPORTS = """
from fineprior.genome.bed import loci_by_batch
from fineprior.project.settings import FinemapSettings, LdSettings, LociSettings
"""
MODULES = {"define_loci": "study", "collect_variants": "study", "compute_ld": "study", "find_signals": "signals",
           "assign_prior": "prior", "finemap": "finemap"}  # fmt: skip
CHROMOSOMES, LENGTH, BATCHES, PEOPLE, SAMPLE = 22, 130_000_000, 50, 2000, 400_000
_FLANK = 250_000


class Run(NamedTuple):
    """A finished command: its seconds of wall and processors, and a row for each Python process."""

    wall: float
    cpu: float
    processes: pd.DataFrame

    @property
    def rules(self) -> pd.DataFrame:
        """The processes of rules, with `rule` and `science` (seconds)."""
        found = self.processes["program"].str.extract(r"\.snakemake/scripts/tmp[^.]*\.(\w+)\.py$")[0]
        rows = self.processes.assign(rule=found, science=self.processes["cpu"] - self.processes["start"])
        return rows[rows["rule"].notna()]


def run(command: list, folder: Path) -> Run:
    """Run a command with this Python in a folder; its processes find their modules compiled."""
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "sitecustomize.py").write_text(MEASURE)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= {
            "PYTHONPATH": f"{temporary}:{ROOT / 'scripts'}",
            "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "fineprior_pycache"),
            "SCALE_FOLDER": temporary,
            "OMP_NUM_THREADS": "1",
        }
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([sys.executable, *map(str, command)], cwd=folder, env=environment, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(done.stdout[-4000:])
        rows = [json.loads(path.read_text()) for path in Path(temporary).glob("*.json")]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, pd.DataFrame(rows, columns=["program", "cpu", "start", "mb"]))


def snakemake(folder: Path, *arguments: str) -> Run:
    """Run the workflow of a copy of the repository."""
    return run(["-m", "snakemake", "-s", folder / "Snakefile", *arguments], folder)


def copy_repository(folder: Path, change: dict) -> Path:
    """The repository's workflow with the embedded study, settings changed block by block."""
    for part in COPIED:
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, target)
    edit_config(folder, change)
    return folder


def edit_config(folder: Path, change: dict) -> None:
    """Lay a change over config.yaml, block by block."""
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    for block, values in change.items():
        config[block] = {**config.get(block, {}), **values} if isinstance(values, dict) else values
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def write_large_project(folder: Path, studies: int, loci: int, batches: int) -> None:
    """A project of which only the names matter: its files are empty."""
    (folder / "config").mkdir(parents=True)
    for name in ("genome.fa", "regions.bed", "track.bw", "panel.bed", "panel.bim", "panel.fam"):
        (folder / name).write_text("")
    rows = ["study\tsumstats\tpanel\thead\tloci"]
    for number in range(studies):
        (folder / f"{number}.tsv").write_text(STATISTICS.replace(" ", "\t") + "\n")
        lines = [f"{1 + locus % 22}\t{locus * 100_000}\t{locus * 100_000 + 90_000}\n" for locus in range(loci)]
        (folder / f"{number}.bed").write_text("".join(lines))
        rows.append(f"study{number}\t{number}.tsv\tpanel\tdisease\t{number}.bed")
    (folder / "config/studies.tsv").write_text("\n".join(rows) + "\n")
    (folder / "config/tracks.tsv").write_text("head\ttrack\tbigwig\ndisease\tone\ttrack.bw\n")
    backbone = {"weights": str(ROOT / "resources/backbone"), "context_length": 2048, "target_bins": 12}
    config = {"regions": "regions.bed", "genome": {"fasta": "genome.fa"}, "loci": {"batches": batches},
              "backbone": backbone}  # fmt: skip
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))


def dry_run(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Seconds of a dry-run of many studies: the second one counts, as files are then in the machine's memory."""
    write_large_project(folder, arguments.studies, arguments.loci_of_study, arguments.batches)
    command = ["-m", "snakemake", "-s", ROOT / "Snakefile", "-n", "--quiet", "rules"]
    done = min((run(command, folder) for _ in range(2)), key=lambda one: one.cpu)
    print(f"\nDry-run of {arguments.studies} studies with {arguments.loci_of_study:,} loci in {arguments.batches} "
          f"batches: {done.cpu:.1f} s of a processor, {done.wall:.1f} s of wall time.")  # fmt: skip
    return [f"ratio dry_run_seconds {done.cpu:.3g} goal 15"]


def table_of_rules(done: Run) -> None:
    """Print time and memory of each rule's processes."""
    print("| rule | jobs | science, s a job | start and imports, s a job | peak memory, MB |\n|---|---|---|---|---|")
    for rule, rows in done.rules.groupby("rule", sort=False):
        means, most = rows[["science", "start"]].mean(), rows["mb"].max()
        print(f"| {rule} | {len(rows)} | {means['science']:.2f} | {means['start']:.2f} | {most:.0f} |")


def overhead(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """The share of the embedded study's time that is not science."""
    done = snakemake(copy_repository(folder, arguments.embedded), "--cores", "1")
    starts, science = done.rules["start"].sum(), done.rules["science"].sum()
    rest = done.cpu - starts - science
    print(
        f"\nThe embedded study on one core: {done.cpu:.0f} s of a processor ({done.wall:.0f} s of wall time), of which "
        f"science {science:.0f}, start and imports of {len(done.rules)} jobs {starts:.0f}, Snakemake {rest:.0f}.\n"
    )
    table_of_rules(done)
    return [f"ratio overhead_share {1 - science / done.cpu:.3g} goal 0.1"]


def growth(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """How the time of a study grows with its loci."""
    copy_repository(folder, arguments.embedded)
    snakemake(folder, "--cores", "1", "results/heads/disease/baselines.tsv", "resources/embedded/panel.bed")
    (folder / "results/provenance").mkdir(parents=True, exist_ok=True)
    contigs = pd.read_csv(folder / "resources/embedded/genome.fa.fai", sep="\t", header=None)
    width = int(contigs[1].sum() // (max(arguments.loci) + 4))
    places = [(chrom, start) for chrom, length in contigs[[0, 1]].itertuples(index=False)
              for start in range(0, int(length) - width, width)]  # fmt: skip
    order = np.random.default_rng(1).permutation(len(places))
    rows, last = [], None
    for count in arguments.loci:
        if count > len(places):
            sys.exit(f"{count} loci do not fit into the genome: {len(places)} do")
        chosen = [places[index] for index in order[:count]]
        (folder / "loci.bed").write_text("".join(f"{chrom}\t{start}\t{start + width}\n" for chrom, start in chosen))
        sheet = pd.read_csv(folder / "config/studies.tsv", sep="\t", dtype="str").iloc[:1]
        sheet.assign(study=f"loci{count}", loci="loci.bed").to_csv(folder / "config/studies.tsv", sep="\t", index=False)
        edit_config(folder, {"store": f"results/store_{count}"})
        last = snakemake(folder, "--cores", "1", f"results/loci{count}/report.html")
        variants = int(LOCI.read(folder / f"results/loci{count}/loci.tsv")["variants"].sum())
        rows.append((count, variants, last.cpu, last.rules["science"].sum()))
    table = pd.DataFrame(rows, columns=["loci", "variants", "cpu", "science"])
    slopes = {
        name: np.polyfit(np.log(table["loci"]), np.log(table[name]), 1)[0] for name in ("variants", "cpu", "science")
    }
    print(f"\nA study of loci of {width:,} bp, from its statistics to the report:\n")
    print("| loci | variants | CPU s | of which science |\n|---|---|---|---|")
    for row in table.itertuples():
        print(f"| {row.loci} | {row.variants:,} | {row.cpu:.1f} | {row.science:.1f} |")
    print(f"| exponent | {slopes['variants']:.2f} | {slopes['cpu']:.2f} | {slopes['science']:.2f} |\n")
    table_of_rules(last)
    return [f"ratio growth_exponent_{name} {slopes[name]:.3g} goal 1.05" for name in ("cpu", "science")]


def write_genome(path: Path) -> None:
    """A FASTA of which only the index is ever read: contigs of zeros, which take no space."""
    with path.open("wb") as handle, Path(f"{path}.fai").open("w") as index:
        for chrom in range(1, CHROMOSOMES + 1):
            handle.write(f">{chrom}\n".encode())
            index.write(f"{chrom}\t{LENGTH}\t{handle.tell()}\t{LENGTH}\t{LENGTH + 1}\n")
            handle.seek(LENGTH, os.SEEK_CUR)
            handle.write(b"\n")


def statistics(variants: int, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """SUMSTATS chromosome by chromosome, without association."""
    count = variants // CHROMOSOMES
    for chrom in range(1, CHROMOSOMES + 1):
        pos = np.sort(rng.choice(LENGTH - 1, count, replace=False)) + 1
        z = rng.normal(size=count)
        frame = pd.DataFrame({"chrom": str(chrom), "pos": pos, "ref": "A", "alt": "G", "rsid": None, "beta": z / 600})
        ids = frame["chrom"] + ":" + frame["pos"].astype("str") + ":A:G"
        yield frame.assign(variant_id=ids, se=1 / 600, z=z, neg_log10_p=z**2 / 4.6, eaf=0.3, n=float(SAMPLE),
                           panel_af=0.3, panel_index=np.arange(count), action="kept")  # fmt: skip


def write_batch(folder: Path, rng: np.random.Generator) -> tuple[int, int]:
    """The batch's variants with genotypes that are in LD, and z-scores of three causal variants in each locus."""
    table, chunks = LOCUS_VARIANTS.read(folder / "own.tsv.gz"), []
    z = table["z"].to_numpy(copy=True)
    for rows in table.groupby("locus", sort=False).indices.values():
        steps = rng.random((2 * PEOPLE, len(rows))) < 0.05  # a haplotype goes on, or another one does
        first = np.maximum.accumulate(np.where(steps, np.arange(len(rows)), 0), axis=1)
        founders = rng.random((40, len(rows))) < rng.uniform(0.02, 0.5, len(rows))
        copied = founders[
            rng.integers(0, 40, (2 * PEOPLE, len(rows)))[np.arange(2 * PEOPLE)[:, None], first], range(len(rows))
        ]
        copies = (copied[:PEOPLE].astype(np.int8) + copied[PEOPLE:]).astype(np.int8)
        x = copies - copies.mean(0)
        x /= np.maximum(x.std(0), 1e-6)
        causal = rng.choice(len(rows), 3, replace=False)
        z[rows] = x.T @ (x[:, causal] @ rng.normal(0, 12, 3)) / PEOPLE + x.T @ rng.normal(size=PEOPLE) / np.sqrt(PEOPLE)
        chunks.append(copies)
    table = table.assign(z=z, beta=z / 600, neg_log10_p=z**2 / 4.6, panel_index=np.arange(len(table)))
    LOCUS_VARIANTS.write(table, folder / "v.tsv.gz")
    columns = table[["chrom", "pos"]].assign(snp_id=table["variant_id"], a1=table["alt"], a2=table["ref"])
    write_panel(folder / "panel", columns, chunks)
    return table["locus"].nunique(), len(table)


def example(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Time and memory of the steps at the size of a biobank."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    write_genome(folder / "g.fa")
    write_parts(SUMSTATS, statistics(arguments.variants, rng), folder / "s.parquet")
    per_chromosome = -(-arguments.example_loci // CHROMOSOMES)
    starts = np.linspace(1, LENGTH - 2 * _FLANK - 1, per_chromosome).astype(int)
    lines = [f"{c}\t{start}\t{start + 2 * _FLANK}\n" for c in range(1, CHROMOSOMES + 1) for start in starts]
    lines = lines[: arguments.example_loci]
    (folder / "loci.bed").write_text("".join(lines))
    own = rng.choice(len(lines), max(len(lines) // BATCHES, 2), replace=False)
    (folder / "batch.bed").write_text("".join(lines[index] for index in sorted(own)))
    print(
        f"\n{arguments.variants:,} variants, {len(lines):,} loci of 500 kb; a batch of {len(own)} loci, LD of "
        f"{PEOPLE:,} people:\n\n| step | CPU s | memory, MB | jobs of the study | CPU hours of all |\n"
        "|---|---|---|---|---|"
    )
    for name, call in STEPS.items():
        if name == "compute_ld":
            write_batch(folder, rng)
        done = run(["-c", f"{IMPORTS}from fineprior.steps.{MODULES[name]} import {name}\n{call}"], folder)
        jobs = {"define_loci": 1, "finemap": 3 * BATCHES, "assign_prior": 3 * BATCHES}.get(name, BATCHES)
        how = "measured" if jobs == 1 else "extrapolated"
        most, hours = done.processes["mb"].max(), jobs * done.cpu / 3600
        print(f"| {name} | {done.cpu:.1f} | {most:.0f} | {jobs} | {hours:.2f} ({how}) |")
    variants = LOCUS_VARIANTS.read(folder / "v.tsv.gz").groupby("locus").size()
    print(f"\nVariants of a locus: {variants.median():.0f} (median), {variants.max()} (largest).")
    return []


@contextlib.contextmanager
def place(arguments: argparse.Namespace, part: str) -> Iterator[Path]:
    """A folder for a part, temporary unless --folder says otherwise."""
    if arguments.folder:
        shutil.rmtree(arguments.folder / part, ignore_errors=True)
        yield arguments.folder / part
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary) / part


def main() -> None:
    """Measure, print the tables, and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--studies", type=int, default=50)
    parser.add_argument("--loci-of-study", type=int, default=3000)
    parser.add_argument("--batches", type=int, default=10, help="of each of these studies")
    parser.add_argument("--loci", type=int, nargs="+", default=[10, 20, 40, 80], help="of the study that grows")
    parser.add_argument("--variants", type=int, default=10_000_000, help="of the example")
    parser.add_argument("--example-loci", type=int, default=1500)
    parser.add_argument(
        "--embedded", type=yaml.safe_load, default={}, help="changes of config.yaml of the embedded study"
    )
    parser.add_argument("--folder", type=Path, help="where to work, and leave everything")
    arguments = parser.parse_args()
    lines = []
    for part in arguments.only:
        with place(arguments, part) as folder:
            lines += {"dry_run": dry_run, "overhead": overhead, "growth": growth, "example": example}[part](
                folder, arguments
            )
        sys.stdout.flush()
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
