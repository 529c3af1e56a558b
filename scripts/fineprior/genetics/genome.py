"""The reference genome: a FASTA file read as codes of bases."""

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.contigs import Contigs
from fineprior.foundation.contigs import plain_name as plain_name
from fineprior.foundation.errors import InputError
from fineprior.foundation.fasta_index import index_of, read_index
from fineprior.foundation.files import sha256
from fineprior.foundation.reading import reading
from fineprior.genetics.fasta_check import check_block_index, check_index

BASES = "ACGT"
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


class Genome:
    """A reference genome in a FASTA file, plain or bgzip; an index (.fai) is made beside it when there is none.

    Use it as a context manager.

    Raises
    ------
    InputError
        If the file is absent, not FASTA, compressed with gzip instead of bgzip, or cannot be indexed; or an index that
        is there is malformed, or not that of this file as it is now.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        import pysam  # here, so that the codes of bases can be had without it

        if not self.path.is_file():
            raise InputError(f"{path}: no such file; genome.fasta must be a FASTA file, plain or bgzip")
        if index_of(path).is_file():
            read_index(path)
        check_block_index(self.path)
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
        check_index(self.path)
        self.contigs: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))
        """Length (bp) of each contig, in the order of the file."""
        if not self.contigs:
            raise InputError(f"{path}: no sequence in this FASTA file")
        self.names = Contigs(path, self.contigs)
        """Which contig a name means."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def find(self, chrom: str, plink: bool = False) -> str | None:
        """Name of the contig that `chrom` means, or None when absent (see `Contigs.find`).

        Raises
        ------
        InputError
            No contig has this very name, and several have the same plain name.
        """
        return self.names.find(chrom, plink)

    def resolve(self, chrom: str) -> str:
        """As `find`, for a contig that must be there.

        Raises
        ------
        InputError
            If the genome has no such contig.
        """
        contig = self.find(chrom)
        if contig is None:
            raise InputError(f"{self.path}: no contig '{chrom}'; there are {self.names}")
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
            If the genome has no such contig, or the file is damaged there.
        """
        contig = self.resolve(chrom)
        codes = np.full(max(end - start, 0), UNKNOWN, np.uint8)
        first, last = max(start, 0), min(end, self.contigs[contig])
        if first < last:
            with reading(self.path, "a FASTA file", "is the file whole?"):
                bases = self._file.fetch(contig, first, last)
            if len(bases) != last - first:
                raise InputError(
                    f"{self.path}: only {len(bases)} of {last - first} bases at {contig}:{first}-{last}; the file is "
                    "damaged or was changed"
                )
            codes[first - start : last - start] = codes_of(bases)
        return codes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the FASTA file; takes some seconds for a human genome."""
        return sha256(self.path)
