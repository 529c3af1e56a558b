"""Names of chromosomes and loci, and the batch that a locus is in: what can be told of a BED file without a genome."""

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fineprior.foundation.errors import InputError

_NAMED = {"23": "X", "24": "Y", "25": "MT", "26": "MT", "M": "MT", "XY": "X", "PAR1": "X", "PAR2": "X"}
_NAMED_BY_PLINK = _NAMED | {"25": "X"}
_COMMENTS = ("#", "track", "browser")


@dataclass(frozen=True)
class BedLine:
    """A line of a BED file: 0-based, half-open; `where` is file and line, for messages."""

    chrom: str
    start: int
    end: int
    where: str


@lru_cache(maxsize=1024)
def plain_name(chrom: str, plink: bool = False) -> str:
    """A chromosome's name without `chr` and leading zeros, with 23, 24, 26 and M as X, Y, MT.

    25 is MT in GWAS-SSF, and the pseudo-autosomal region of X in PLINK (`plink`), which also calls it XY, PAR1, PAR2.
    """
    name = re.sub(r"^chr", "", str(chrom).strip(), flags=re.IGNORECASE).upper()
    name = re.sub(r"^0+(?=\d)", "", name)
    return (_NAMED_BY_PLINK if plink else _NAMED).get(name, name)


def locus_name(chrom: str, start: int, end: int) -> str:
    """`chr<chromosome>_<start>_<end>`, whether or not the FASTA writes `chr`."""
    return f"chr{plain_name(chrom)}_{start}_{end}"


def place_of(locus: str) -> tuple[str, int, int]:
    """Chromosome (with `chr`), start and end of a locus, from its name."""
    chrom, start, end = locus.rsplit("_", 2)
    return chrom, int(start), int(end)


def batch_of(locus: str, batches: int) -> int:
    """The batch of a locus; depends on its name alone, so that a new locus leaves the others where they are."""
    return zlib.crc32(locus.encode()) % batches


def read_bed_lines(path: str | Path) -> list[BedLine]:
    """The intervals of a BED file as they are written: the first three columns, in the order of the file.

    Raises
    ------
    InputError
        The file is absent, no text, or holds no interval; or a line has fewer than 3 columns, or coordinates that are
        not whole numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_COMMENTS):
            continue
        where, fields = f"{path}, line {number}", line.split()
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise InputError(
                f"{where}: '{' '.join(fields)[:60]}' is not chromosome, start (0-based), end as whole numbers"
            )
        found.append(BedLine(fields[0], int(fields[1]), int(fields[2]), where))
    if not found:
        raise InputError(f"{path}: no interval in this BED file")
    return found


def loci_by_batch(path: str | Path, batches: int) -> list[list[str]]:
    """Names of the loci of a BED file by batch, sorted: neither the order of its lines nor other columns matter.

    Raises
    ------
    InputError
        As `read_bed_lines`.
    """
    found: list[list[str]] = [[] for _ in range(batches)]
    for name in sorted({locus_name(line.chrom, line.start, line.end) for line in read_bed_lines(path)}):
        found[batch_of(name, batches)].append(name)
    return found
