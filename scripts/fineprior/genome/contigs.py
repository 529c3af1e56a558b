"""Names of chromosomes: which contig of a file a name means, one answer for all files, and the order of names."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from fineprior.files.errors import InputError

_SHOWN = 5
_NAMED = {"23": "X", "24": "Y", "25": "MT", "26": "MT", "M": "MT", "XY": "X", "PAR1": "X", "PAR2": "X"}
_PARTS_OF_X = {"XY", "PAR1", "PAR2", "25"}
_NAMED_BY_PLINK = _NAMED | {"25": "X"}


@lru_cache(maxsize=1024)
def plain_name(chrom: str, plink: bool = False) -> str:
    """A chromosome's name without `chr`, leading zeros and the `.0` of a float, with 23, 24, 26 and M as X, Y, MT.

    25 is MT in GWAS-SSF, and the pseudo-autosomal region of X in PLINK (`plink`), which also calls it XY, PAR1, PAR2.
    """
    name = re.sub(r"^chr", "", str(chrom).strip(), flags=re.IGNORECASE).upper()
    name = re.sub(r"^0*(\d+)(\.0+)?$", r"\1", name)
    return (_NAMED_BY_PLINK if plink else _NAMED).get(name, name)


def natural_order(chromosome: str) -> tuple[bool, int, str]:
    """Sort key of a chromosome name: 2 before 10 before X, with or without chr."""
    digits = re.sub(r"^chr", "", chromosome)
    return (not digits.isdigit(), int(digits) if digits.isdigit() else 0, chromosome)


def is_part_of_x(chrom: str) -> bool:
    """Whether this is a name that PLINK has for the pseudo-autosomal regions of X: XY, PAR1, PAR2, 25."""
    return re.sub(r"^chr", "", chrom, flags=re.IGNORECASE).upper() in _PARTS_OF_X


def shown(names: Iterable[str]) -> str:
    """The first of some names, for messages."""
    known = list(names)
    return ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")


class Contigs:
    """The names that a file has for its contigs.

    Parameters
    ----------
    where
        The file, for messages.
    names
        Its names, in the order of the file.
    plink
        The names are PLINK's, in which 25, XY, PAR1 and PAR2 are parts of X.
    of_rows
        The names stand in rows of intervals. There chrX and X may be two species, of which one is meant, or two
        spellings of one chromosome: requiring either of the two is an error.
    """

    def __init__(self, where: str | Path, names: Iterable[str], plink: bool = False, of_rows: bool = False) -> None:
        self.where = where
        self._of_rows = of_rows
        self.names = [str(name) for name in names]
        self._exact = set(self.names)
        self._by_plain: dict[str, list[str]] = {}
        for name in dict.fromkeys(self.names):
            self._by_plain.setdefault(plain_name(name, plink), []).append(name)

    def find(self, chrom: str, plink: bool = False) -> str | None:
        """The contig that `chrom` means: the one of this very name, else the one with the same plain name.

        Parameters
        ----------
        chrom
            A name of any file: with `chr` or not, X as 23 and so on.
        plink
            25 is the pseudo-autosomal region of X, as in PLINK; else MT, as in GWAS-SSF.

        Returns
        -------
        The file's own name, or None when it has no such contig.

        Raises
        ------
        InputError
            None has this very name, and several have the same plain name: chrX and X, chrM and chrMT, 1 and chr1.
        """
        if chrom in self._exact and not self._of_rows:
            return chrom
        found = self._by_plain.get(plain_name(chrom, plink), [])
        if len(found) > 1:
            remedy = (
                "rename or remove the rows of one of them"
                if self._of_rows
                else "keep the right one in it, or call the chromosome by that very name in the other files too"
            )
            raise InputError(
                f"{self.where}: '{chrom}' may mean {_listed(found)}, which are one chromosome by name; {remedy}"
            )
        return found[0] if found else None

    def by_plain_name(self) -> dict[str, str]:
        """The contig of each plain name, in the order of the file.

        Raises
        ------
        InputError
            Two contigs have the same plain name.
        """
        for found in self._by_plain.values():
            if len(found) > 1:
                raise InputError(f"{self.where}: {' and '.join(found)} are one chromosome by name; keep one of them")
        return {plain: found[0] for plain, found in self._by_plain.items()}

    def __str__(self) -> str:
        """The first names, for messages."""
        return shown(self.names)


def _listed(names: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
