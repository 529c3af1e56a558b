"""Consequences beside those of bcftools csq, and the time and memory of a file of genes with millions of lines.

    python benchmarks/genes.py --data ../shared/data                 # agreement, by kind of variant
    python benchmarks/genes.py --lines 10000000                      # reading a GTF of so many lines

The genes are the RefSeq transcripts of tests/reference/refseq; for --lines they are repeated along made-up chromosomes.
"""

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from csq_peer import PLACES, compared, most_severe  # noqa: E402
from fineprior.genome.contigs import Contigs  # noqa: E402
from fineprior.genome.fasta import UNKNOWN  # noqa: E402
from fineprior.genome.gene_reader import read_gene_file  # noqa: E402
from fineprior.genome.genes import placed  # noqa: E402
from gene_models import gtf, refseq  # noqa: E402

_LENGTH = 2_000_000_000


class Unknown:
    """A genome of unknown bases: what `placed` needs of one."""

    path = "unknown.fa"

    def __init__(self, names):
        self.contigs = dict.fromkeys(names, _LENGTH)
        self.names = Contigs(self.path, self.contigs)
        self.find = self.names.find

    def codes(self, chrom, start, end):
        """Unknown bases."""
        return np.full(end - start, UNKNOWN, np.uint8)


def agreement(data, variants, seed):
    """Rows of a table: kind of variant, pairs of variant and transcript, those with the same most severe term."""
    with tempfile.TemporaryDirectory() as folder:
        found = pd.concat([compared(Path(folder), data, chrom, variants, seed) for chrom in PLACES])
    found["same"] = found["ours"].map(most_severe) == found["theirs"].map(most_severe)
    table = found.groupby("kind").agg(variants=("variant_id", "nunique"), pairs=("same", "size"), same=("same", "sum"))
    table.loc["all"] = table.sum()
    print("| | variants | with a transcript | of these, same most severe term |\n| --- | ---: | ---: | ---: |")
    for kind, row in table.iterrows():
        print(f"| {kind} | {row.variants:,} | {row.pairs:,} | {row.same:,} ({row.same / row.pairs:.1%}) |")


def write(path, lines):
    """A GTF of about so many lines: the transcripts, again and again along each of 24 chromosomes."""
    models, written = refseq("17"), 0
    with path.open("w") as out:
        for number in count():
            chrom, place = number % 24, number // 24 * 1_000_000
            moved = [
                replace(one, chrom=f"c{chrom}", name=f"{one.name}.{number}", gene=f"{one.gene}.{number}",
                        exons=tuple((start + place, end + place) for start, end in one.exons),
                        coding=tuple(at + place for at in one.coding))
                for one in models
            ]  # fmt: skip
            text = gtf(moved)
            out.write(text)
            written += text.count("\n")
            if written >= lines:
                return written


def reading(lines):
    """CPU seconds and memory of reading so many lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genes.gtf"
        written = write(path, lines)
        start = time.process_time()
        found = read_gene_file(path)
        read = time.process_time()
        genes = placed(found, Unknown(dict.fromkeys(found.chrom)))
        done = time.process_time()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{written:,} lines ({path.stat().st_size / 1e9:.1f} GB), {len(genes.transcripts):,} transcripts: "
              f"{read - start:.0f} s to read, {done - read:.0f} s to arrange, {memory:.1f} GB")  # fmt: skip


def main():
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the shared data: compare with bcftools csq")
    parser.add_argument("--variants", type=int, default=4000, help="variants on each of three chromosomes")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--lines", type=int, help="read a GTF of so many lines")
    arguments = parser.parse_args()
    if arguments.data:
        agreement(arguments.data, arguments.variants, arguments.seed)
    if arguments.lines:
        reading(arguments.lines)


if __name__ == "__main__":
    main()
