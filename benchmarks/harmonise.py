"""Harmonising a GWAS of many rows, beside gwaslab on the same file: seconds, peak memory, and which variants are kept.

    python benchmarks/harmonise.py --rows 1000000 --gwaslab PATH_TO_A_PYTHON_WITH_GWASLAB

It makes a genome, a panel of 100 people and a GWAS-SSF file with the accidents of real files (harmonise_data.py)
in --folder, and runs each program in a process of its own. fineprior: the step of the rule harmonise_sumstats, from the
file to the written tables, with the panel. gwaslab: reading, basic_check, and harmonize against the FASTA; it has no
panel, and what it would write is not counted. Both keep all frequencies, and take A/T and C/G variants as they are
written. Last come lines `ratio NAME VALUE goal GOAL`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np
import pandas as pd
from harmonise_data import CONTIGS, make

LARGEST_GB, LEAST_SPEED, LEAST_SHARE = 6.0, 2.0, 0.999
_MEASURE = """
import json, os, resource, sys, time
def clocks():
    return time.perf_counter(), sum(os.times()[:4])
def report(start, **more):
    kib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds, cpu = (now - before for now, before in zip(clocks(), start))
    found = {"seconds": seconds, "cpu": cpu, "peak_gb": kib / 2**20} | more
    print("MEASURED " + json.dumps(found), flush=True)
folder = sys.argv[1]
"""
OURS = (
    _MEASURE
    + """
sys.path.insert(0, sys.argv[2])
from fineprior.project.settings import HarmoniseSettings
from fineprior.steps.harmonise_sumstats import harmonise_sumstats
start = clocks()
harmonise_sumstats(
    sumstats=f"{folder}/gwas.tsv.gz", fasta=f"{folder}/genome.fa", panel=f"{folder}/panel",
    output=f"{folder}/sumstats.parquet", qc=f"{folder}/qc.tsv", dropped=f"{folder}/dropped.tsv.gz",
    liftover=f"{folder}/liftover.tsv", settings=HarmoniseSettings(palindromic="trust", min_maf=0.0, min_info=0.0),
)
report(start)
"""
)
THEIRS = (
    _MEASURE
    + """
import gwaslab
start = clocks()
table = gwaslab.Sumstats(
    f"{folder}/gwas.tsv.gz", rsid="rsid", chrom="chromosome", pos="base_pair_location", ea="effect_allele",
    nea="other_allele", beta="beta", se="standard_error", eaf="effect_allele_frequency", p="p_value", n="n",
    build="38", verbose=False,
)
table.harmonize(ref_seq=f"{folder}/genome.fa", threads=int(sys.argv[2]), remove=False, verbose=False)
report(start, version=gwaslab.__version__)
data = table.data[["rsID", "CHR", "POS", "EA", "NEA", "BETA", "STATUS"]].copy()
for name in ("EA", "NEA", "rsID"):
    data[name] = data[name].astype(str)
data["STATUS"] = data["STATUS"].astype(str)
data.to_parquet(f"{folder}/gwaslab.parquet")
"""
)
_OPEN = "alleles that are both on the FASTA: fineprior asks the panel, gwaslab leaves them open without a VCF"
EXPLANATIONS = {
    "absent from panel": "fineprior keeps what the panel has, gwaslab has no panel",
    "duplicate": "fineprior keeps one row of a variant; gwaslab leaves both unless asked to remove them",
    "missing value": "fineprior leaves rows without an effect out",
    "not left-aligned": "gwaslab trims alleles but does not move them to the left; and " + _OPEN,
    "insertion": _OPEN,
    "deletion": _OPEN,
}
UNTELLABLE = ("strand", "strand and swapped")
"""Of A/T and C/G variants, without frequencies."""


def main() -> None:
    """Make the data, run both programs, compare."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.folder or temporary)
        rows = make(folder, arguments.rows, arguments.megabases, arguments.seed)
        print(f"{rows:,} rows, genome of {arguments.megabases} Mb, {os.cpu_count()} cores", flush=True)
        ours = _run([sys.executable, "-c", OURS, str(folder), str(Path(__file__).parents[1] / "scripts")])
        print(_line("fineprior", ours), flush=True)
        theirs = None
        if arguments.gwaslab:
            theirs = _run([arguments.gwaslab, "-c", THEIRS, str(folder), str(arguments.threads)])
            print(_line(f"gwaslab {theirs['version']}", theirs), flush=True)
        else:
            print("--gwaslab is not given (a Python that can import gwaslab): nothing to compare with")
        table = compare(folder, with_theirs=theirs is not None)
        print(table.to_csv(sep="\t", index=False))
        print()
        for line in ratios(ours, theirs, table):
            print(line)


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    if done.returncode or not lines:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return json.loads(lines[-1].removeprefix("MEASURED "))


def _line(name, measured):
    return (
        f"{name:<16} {measured['seconds']:8.1f} s ({measured['cpu']:.1f} s of CPU)   peak {measured['peak_gb']:.2f} GB"
    )


def _ours(folder, number):
    table = pd.read_parquet(folder / "sumstats.parquet", columns=["rsid", "pos", "ref", "alt", "beta"],
                            filters=[("chrom", "==", f"chr{number}")])  # fmt: skip
    return table.assign(rsid=table["rsid"].str[2:].astype("int64"))


def _theirs(folder, number):
    """Rows that gwaslab brought to the reference: digit 6 of its status is 0 to 2."""
    table = pd.read_parquet(folder / "gwaslab.parquet", filters=[("CHR", "==", number)])
    told = table["STATUS"].str[5].isin(["0", "1", "2"]) & table["EA"].str.fullmatch("[ACGT]+")
    table = table[told & table["rsID"].str.startswith("rs")]
    return pd.DataFrame({"rsid": table["rsID"].str[2:].astype("int64"), "pos": table["POS"].astype("int64"),
                         "ref": table["NEA"], "alt": table["EA"], "beta": table["BETA"].astype("float64")})  # fmt: skip


def compare(folder: Path, with_theirs: bool) -> pd.DataFrame:
    """Count rows by kind and accident: kept by each, by both, the same in both, right in each, and that differ."""
    parts = []
    for number in range(1, CONTIGS + 1):
        ours = _ours(folder, number)
        theirs = _theirs(folder, number) if with_theirs else ours.iloc[:0]
        parts.append(_counted(pd.read_parquet(folder / f"truth.{number}.parquet"), ours, theirs))
    table = pd.concat(parts).groupby(["kind", "accident"], observed=True).sum().reset_index()
    table["differ"] = table["in_ours"] + table["in_theirs"] - table["both"] - table["same"]
    why = [EXPLANATIONS.get(a, EXPLANATIONS.get(k, "")) for k, a in zip(table["kind"], table["accident"], strict=True)]
    return table.assign(explanation=np.where((table["differ"] > 0) & with_theirs, why, ""))


def _counted(frame, ours, theirs):
    for name, kept in (("ours", ours), ("theirs", theirs)):
        frame = frame.merge(kept, on="rsid", how="left", suffixes=("", f"_{name}"))
        frame[f"in_{name}"] = frame[f"pos_{name}"].notna()
        frame[f"right_{name}"] = _same(frame, "", f"_{name}")
    frame["both"] = frame["in_ours"] & frame["in_theirs"]
    frame["same"] = frame["both"] & _same(frame, "_ours", "_theirs")
    frame["rows"] = 1
    names = ["rows", "in_ours", "in_theirs", "both", "same", "right_ours", "right_theirs"]
    return frame.groupby(["kind", "accident"], observed=True)[names].sum()


def _same(frame, one, other):
    same = np.isclose(frame[f"beta{one}"], frame[f"beta{other}"], atol=1e-6)
    for name in ("pos", "ref", "alt"):
        same &= (frame[f"{name}{one}"] == frame[f"{name}{other}"]).to_numpy(bool)
    return same


def ratios(ours, theirs, table):
    """The lines that say what was reached beside the goals."""
    yield f"ratio peak_memory_gb {ours['peak_gb']:.3g} goal {LARGEST_GB:g}"
    told = table[(table["kind"] != "palindromic") | ~table["accident"].isin(UNTELLABLE)]
    yield f"ratio kept_rows_that_are_right {told['right_ours'].sum() / told['in_ours'].sum():.6g} goal {LEAST_SHARE:g}"
    if theirs:
        yield f"ratio speed_over_gwaslab {theirs['seconds'] / ours['seconds']:.3g} goal {LEAST_SPEED:g}"
        yield f"ratio cpu_time_below_gwaslab {theirs['cpu'] / ours['cpu']:.3g} goal {LEAST_SPEED:g}"
        yield f"ratio rows_that_differ_unexplained {table.loc[table['explanation'] == '', 'differ'].sum()} goal 0"


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--megabases", type=int, default=0, help="size of the genome; 0: 30 bases a row, at least 20 Mb"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="where the data are kept; a temporary folder without it")
    parser.add_argument("--gwaslab", help="a Python interpreter that can import gwaslab")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of gwaslab")
    arguments = parser.parse_args()
    arguments.megabases = arguments.megabases or max(20, arguments.rows * 30 // 1_000_000)
    return arguments


if __name__ == "__main__":
    main()
