"""Intervals of a BED file."""

from pathlib import Path

from fineprior.foundation.errors import InputError
from fineprior.genetics.genome import Genome, plain_name

_COMMENTS = ("#", "track", "browser")


def read_intervals(path: str | Path, genome: Genome) -> list[tuple[str, int, int]]:
    """Chromosome (as the FASTA names it), start (0-based) and end (exclusive) of each line, in the order of the file.

    Raises
    ------
    InputError
        The file is absent, no text, or holds no interval; a line has fewer than 3 columns, a chromosome that the FASTA
        has not, coordinates that are not whole numbers or not within the chromosome; or an interval is there twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    intervals: dict[tuple[str, int, int], None] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_COMMENTS):
            continue
        where, fields = f"{path}, line {number}", line.split()
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise InputError(
                f"{where}: '{' '.join(fields)[:60]}' is not chromosome, start (0-based), end as whole numbers"
            )
        chrom = genome.find(fields[0])
        if chrom is None:
            raise InputError(f"{where}: {genome.path} has no contig '{fields[0]}'")
        start, end = int(fields[1]), int(fields[2])
        if not start < end <= genome.contigs[chrom]:
            raise InputError(
                f"{where}: {start}-{end} must have start < end <= {genome.contigs[chrom]} (length of {chrom})"
            )
        if (chrom, start, end) in intervals:
            raise InputError(f"{where}: chr{plain_name(chrom)}_{start}_{end} is there twice")
        intervals[chrom, start, end] = None
    if not intervals:
        raise InputError(f"{path}: no interval in this BED file")
    return list(intervals)
