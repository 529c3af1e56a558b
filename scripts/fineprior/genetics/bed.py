"""Intervals of a BED file."""

from pathlib import Path

from fineprior.foundation.bed_lines import placed_intervals
from fineprior.genetics.genome import Genome


def read_intervals(path: str | Path, genome: Genome) -> list[tuple[str, int, int]]:
    """Chromosome (as the FASTA names it), start (0-based) and end (exclusive) of each line, in the order of the file.

    Raises
    ------
    InputError
        As `placed_intervals`.
    """
    return list(placed_intervals(path, genome.find, genome.contigs, genome.path))
