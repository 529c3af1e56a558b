"""Files on disk that a panel, or LD that is computed already, consists of: what a rule declares as its input."""

import csv
import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from fineprior.files.errors import InputError
from fineprior.files.reading import text_of

CHROM = "{chrom}"
"""Stands in a path for the name of a chromosome: one panel for each."""
_VCF = (".vcf.gz", ".vcf.bgz", ".vcf", ".bcf")
_FORMS = {
    ".bed": ((".bim",), (".fam",)),
    ".pgen": ((".pvar", ".pvar.zst"), (".psam",)),
}


def check_name(path: str, where: str, chrom: bool = False) -> None:
    """Check that the name of a file can be taken as it stands: brackets, quotes, blanks and `*` within it can.

    Parameters
    ----------
    path
        As the user wrote it.
    where
        Place in the config or sheet, for messages.
    chrom
        Whether `{chrom}` may stand in it.

    Raises
    ------
    InputError
        It has a character that Snakemake gives a meaning of its own, or that cannot be seen; or a blank at an end.
    """
    rest = path.replace(CHROM, "") if chrom else path
    found = re.search("[{}<>]", rest)
    if found:
        only = f" (but for {CHROM})" if chrom else ""
        raise InputError(f"{where}: '{path}' has '{found[0]}'{only}, which file names may not have here; rename it")
    if not path.isprintable():
        raise InputError(f"{where}: {path!a} has characters that cannot be seen; rename it")
    if path != path.strip():
        raise InputError(f"{where}: '{path}' begins or ends with a blank")


def fitting_files(pattern: str) -> list[str]:
    """The file of exactly this name; if there is none, those that `*` in the name stands for, sorted."""
    if os.path.isfile(pattern):
        return [pattern]
    names = glob.glob(glob.escape(pattern).replace("[*]", "*")) if "*" in pattern else []
    return sorted(name for name in names if os.path.isfile(name))


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
    if os.path.isfile(place):
        return [path, *_named_in(place)]
    found = sorted(str(file) for file in place.glob("*")) if os.path.isdir(place) else []
    found = [file for file in found if file.endswith((".npz", ".gz"))]
    if not found:
        raise InputError(f"'{path}' is neither a table of LD files nor a folder with .npz and .gz files")
    return found


def _named_in(table: Path) -> list[str]:
    """Files in the columns matrix and variants of a table; their paths start at its folder."""
    with text_of(table, "a tab-separated table with the columns matrix and variants") as text:
        rows = list(csv.DictReader(text, delimiter="\t"))
    names = dict.fromkeys(row.get(column) or "" for row in rows for column in ("matrix", "variants"))
    if not rows or "" in names:
        raise InputError(f"{table}: a table of LD files has the columns matrix and variants, filled in each row")
    for name in names:
        check_name(name, str(table))
        if not os.path.isfile(table.parent / name):
            raise InputError(f"{table}: file '{table.parent / name}' does not exist")
    return [str(table.parent / name) for name in names]


def _files_of_one(path: str) -> list[str]:
    if path.endswith(_VCF):
        if not os.path.isfile(path):
            raise InputError(f"file '{path}' does not exist (looked in {Path.cwd()})")
        return [path]
    named = [kind for kind in _FORMS if path.endswith(kind)]
    path = path.removesuffix(named[0]) if named else path
    kinds = [kind for kind in named or _FORMS if os.path.isfile(path + kind)]
    if len(kinds) != 1:
        problem = "both .bed and .pgen exist" if kinds else "neither .bed nor .pgen exists"
        raise InputError(f"panel '{path}': {problem} (looked in {Path.cwd()})")
    files = [path + kinds[0]]
    for suffixes in _FORMS[kinds[0]]:
        there = [path + suffix for suffix in suffixes if os.path.isfile(path + suffix)]
        if not there:
            raise InputError(f"panel '{path}': file '{path}{suffixes[0]}' does not exist (looked in {Path.cwd()})")
        files.append(there[0])
    return files
