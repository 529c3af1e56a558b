"""Which files on disk a panel, or LD that is computed already, consists of: what a rule declares as its input."""

import csv
import glob
import re
from collections.abc import Iterable
from pathlib import Path

from fineprior.foundation.errors import InputError

CHROM = "{chrom}"
"""Stands in a path for the name of a chromosome: one panel for each."""
_VCF = (".vcf.gz", ".vcf.bgz", ".vcf", ".bcf")
_FORMS = {
    ".bed": ((".bim",), (".fam",)),
    ".pgen": ((".pvar", ".pvar.zst"), (".psam",)),
}


def panel_files(path: str) -> list[str]:
    """Files of a panel, sorted by chromosome name when `path` has `{chrom}`.

    Parameters
    ----------
    path
        Prefix of .bed, .bim, .fam, or of .pgen, .pvar[.zst], .psam; or a .vcf.gz, .vcf.bgz, .vcf or .bcf file.

    Raises
    ------
    InputError
        No file fits, a part of a panel is absent, or a prefix has files of both kinds.
    """
    if CHROM not in path:
        return _files_of_one(path)
    found = [file for name in chromosomes_of(path) for file in _files_of_one(path.replace(CHROM, name))]
    if not found:
        raise InputError(f"no file fits the panel '{path}' (looked in {Path.cwd()})")
    return found


def chromosomes_of(path: str, suffixes: Iterable[str] | None = None) -> list[str]:
    """Names that `{chrom}` can have in the path of a panel, or of a file with these suffixes, so that it is there."""
    before, after = path.split(CHROM, 1)
    names = set()
    for suffix in suffixes or (("",) if after.endswith((*_VCF, *_FORMS)) else _FORMS):
        pattern = glob.escape(before) + "*" + glob.escape(after.replace(CHROM, "\0")).replace("\0", "*") + suffix
        wanted = re.compile(
            re.escape(before) + r"(?P<chrom>[A-Za-z0-9]+)" + re.escape(after).replace(re.escape(CHROM), r"(?P=chrom)")
            + re.escape(suffix)
        )  # fmt: skip
        names |= {match["chrom"] for file in glob.glob(pattern) if (match := wanted.fullmatch(file))}
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def ld_files(path: str) -> list[str]:
    """Files of LD that is computed already: those of a folder, or a table and what it names.

    Raises
    ------
    InputError
        There is no such folder or file, or it names a file that is absent.
    """
    place = Path(path)
    if place.is_file():
        return [path, *_named_in(place)]
    found = sorted(str(file) for file in place.glob("*")) if place.is_dir() else []
    found = [file for file in found if file.endswith((".npz", ".gz"))]
    if not found:
        raise InputError(f"'{path}' is neither a table of LD files nor a folder with .npz and .gz files")
    return found


def _named_in(table: Path) -> list[str]:
    """Files in the columns matrix and variants of a table; their paths start at its folder."""
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except UnicodeDecodeError:
        raise InputError(f"{table}: not a tab-separated table with the columns matrix and variants") from None
    names = dict.fromkeys(row.get(column) or "" for row in rows for column in ("matrix", "variants"))
    if not rows or "" in names:
        raise InputError(f"{table}: a table of LD files has the columns matrix and variants, filled in each row")
    for name in names:
        if not (table.parent / name).is_file():
            raise InputError(f"{table}: file '{table.parent / name}' does not exist")
    return [str(table.parent / name) for name in names]


def _files_of_one(path: str) -> list[str]:
    if path.endswith(_VCF):
        if not Path(path).is_file():
            raise InputError(f"file '{path}' does not exist (looked in {Path.cwd()})")
        return [path]
    named = [kind for kind in _FORMS if path.endswith(kind)]
    path = path.removesuffix(named[0]) if named else path
    kinds = [kind for kind in named or _FORMS if Path(path + kind).is_file()]
    if len(kinds) != 1:
        problem = "both .bed and .pgen exist" if kinds else "neither .bed nor .pgen exists"
        raise InputError(f"panel '{path}': {problem} (looked in {Path.cwd()})")
    files = [path + kinds[0]]
    for suffixes in _FORMS[kinds[0]]:
        there = [path + suffix for suffix in suffixes if Path(path + suffix).is_file()]
        if not there:
            raise InputError(f"panel '{path}': file '{path}{suffixes[0]}' does not exist (looked in {Path.cwd()})")
        files.append(there[0])
    return files
