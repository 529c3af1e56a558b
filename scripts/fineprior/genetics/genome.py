"""The reference genome: a FASTA file read as codes of bases."""

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import sha256
from fineprior.foundation.locus_names import plain_name as plain_name

BASES = "ACGT"
_LONGEST_HEADER = 1 << 14
UNKNOWN = 4
"""Code of everything that is not A, C, G or T, and of positions outside of a contig."""

_CODE_OF_BYTE = np.full(256, UNKNOWN, np.uint8)
_CODE_OF_BYTE[np.frombuffer(BASES.encode(), np.uint8)] = np.arange(4)
_CODE_OF_BYTE[np.frombuffer(BASES.lower().encode(), np.uint8)] = np.arange(4)
_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN], np.uint8)


def codes_of(sequence: str) -> NDArray[np.uint8]:
    """Codes of a sequence's letters: 0, 1, 2, 3 for A, C, G, T in either case, 4 for all others."""
    codes: NDArray[np.uint8] = _CODE_OF_BYTE[np.frombuffer(sequence.encode("latin-1", "replace"), np.uint8)]
    return codes


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes (..., length) of the other strand, read in its own direction."""
    turned: NDArray[np.uint8] = _COMPLEMENT[codes[..., ::-1]]
    return turned


def _why_unreadable(path: Path) -> str:
    """What htslib does not say of a FASTA file that it cannot open."""
    with path.open("rb") as handle:
        start = handle.read(16)
    index = Path(f"{path}.fai")
    if start.startswith(b"\x1f\x8b"):
        return "compressed by gzip, not bgzip, or damaged; unpack it, or compress it by bgzip"
    if not start.startswith(b">"):
        return f"not a FASTA file ({'it does not begin with >' if start else 'it is empty'})"
    if index.exists():
        return f"its index {index} is not one; delete that (it is then made again)"
    return f"no {index.name} can be made (its folder cannot be written, or a sequence has lines of different lengths)"


def _check_index(path: Path) -> None:
    """Stop if the index of a plain FASTA file is that of another; bases would be read from wrong places."""
    with path.open("rb") as handle:
        if handle.read(1) != b">":
            return
        for line in Path(f"{path}.fai").read_bytes().splitlines():
            name, *numbers = line.split(b"\t")
            length, offset, bases, width = map(int, numbers[:4])
            if not length:
                continue
            begin = max(offset - _LONGEST_HEADER, 0)
            handle.seek(begin)
            header = handle.read(offset - begin)
            handle.seek(offset + (length - 1) // bases * width + (length - 1) % bases + 1)
            after = handle.read(width - bases + 1).strip()
            last = header[:-1].rpartition(b"\n")[2].split()
            if header[-1:] != b"\n" or last[:1] != [b">" + name] or after[:1] not in (b"", b">"):
                raise InputError(
                    f"{path}.fai: sequence '{name.decode(errors='replace')}' is not where this index says; it is that "
                    "of another FASTA file or of an earlier state: delete it (it is then made again)"
                )


class Genome:
    """A reference genome in a FASTA file, plain or bgzip; an index (.fai) is made beside it when there is none.

    Use it as a context manager.

    Raises
    ------
    InputError
        If the file is absent, not FASTA, compressed with gzip instead of bgzip, or cannot be indexed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        import pysam  # here, so that the codes of bases can be had without it

        if not self.path.is_file():
            raise InputError(f"{path}: no such file; genome.fasta must be a FASTA file, plain or bgzip")
        quiet = pysam.set_verbosity(0)
        try:
            self._file = pysam.FastaFile(str(path))
        except (OSError, ValueError):
            raise InputError(
                f"{path}: {_why_unreadable(self.path)}; allowed: FASTA, plain or bgzip, with {self.path.name}.fai "
                "beside it or in a folder that can be written"
            ) from None
        finally:
            pysam.set_verbosity(quiet)
        _check_index(self.path)
        self.contigs: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))
        """Length (bp) of each contig, in the order of the file."""
        if not self.contigs:
            raise InputError(f"{path}: no sequence in this FASTA file")
        self._plain: dict[str, str] = {}
        for contig in self.contigs:
            self._plain.setdefault(plain_name(contig), contig)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def find(self, chrom: str, plink: bool = False) -> str | None:
        """Name of the contig that `chrom` means, with or without `chr`, X as 23 and so on; None when absent.

        `plink`: 25 is the pseudo-autosomal region of X, as in PLINK; else MT, as in GWAS-SSF.
        """
        return chrom if chrom in self.contigs else self._plain.get(plain_name(chrom, plink))

    def resolve(self, chrom: str) -> str:
        """As `find`, for a contig that must be there.

        Raises
        ------
        InputError
            If the genome has no such contig.
        """
        contig = self.find(chrom)
        if contig is None:
            names = list(self.contigs)
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise InputError(f"{self.path}: no contig '{chrom}'; there are {shown}")
        return contig

    def codes(self, chrom: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes of the bases from `start` to `end` (0-based, half-open).

        Returns
        -------
        uint8 array of shape (end - start,): 0, 1, 2, 3 for A, C, G, T; 4 for other letters and for positions
        outside of the contig.

        Raises
        ------
        InputError
            If the genome has no such contig.
        """
        contig = self.resolve(chrom)
        codes = np.full(max(end - start, 0), UNKNOWN, np.uint8)
        first, last = max(start, 0), min(end, self.contigs[contig])
        if first < last:
            codes[first - start : last - start] = codes_of(self._file.fetch(contig, first, last))
        return codes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the FASTA file; takes some seconds for a human genome."""
        return sha256(self.path)
