"""The samples of a panel, and which of them a list keeps."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.files.errors import InputError
from fineprior.files.integrity import check
from fineprior.files.reading import is_missing, is_zstd, reading, text_lines, unpacked

_NAMED = 3
_MAN = {"1", "1.0", "m", "male"}
_LOOKED_AT = 1 << 16
_BYTE_ORDER_MARK = "\ufeff".encode()
_WORD = re.compile(r'"([^"]*)"(?=\s|$)|(\S+)')
"""A field between blanks, without the quotation marks that R writes around text."""


def read_fam(path: str | Path) -> list[tuple[str, str]]:
    """Family and own name of each sample of a PLINK .fam file.

    Raises
    ------
    InputError
        The file names nobody, a line has no second column, or the first one is a header.
    """
    samples: list[tuple[str, str]] = []
    for number, fields in lines_of(path, "a .fam file"):
        if len(fields) < 2:
            raise InputError(f"{path}, line {number}: one column; a .fam begins with family and sample")
        if not samples and fields[1].upper() == "IID":
            raise InputError(f"{path}, line {number}: a header ({' '.join(fields)}); a .fam has none: delete this line")
        samples.append((fields[0], fields[1]))
    if not samples:
        raise InputError(f"{path}: no samples in this file")
    return samples


def read_psam(path: str | Path) -> list[tuple[str, str]]:
    """Family (0 when there is none) and own name of each sample of a PLINK 2 .psam file, with or without a header.

    Raises
    ------
    InputError
        The file names nobody, or its header or a line has no column IID.
    """
    samples: list[tuple[str, str]] = []
    header: list[str] | None = None
    for number, fields in lines_of(path, "a .psam file"):
        if fields[0] in {"#FID", "#IID"}:
            header = [fields[0][1:], *fields[1:]]
            continue
        if fields[0].startswith("#"):
            continue
        names = dict(zip(header or ["FID", "IID"], fields, strict=False))
        if "IID" not in names:
            raise InputError(f"{path}, line {number}: no sample (column IID)")
        samples.append((names.get("FID", "0"), names["IID"]))
    if not samples:
        raise InputError(f"{path}: no samples in this file")
    return samples


def read_males(path: str | Path) -> NDArray[np.bool_]:
    """Who is a male (sex 1, M or male) of the samples of a .fam or .psam file, in its order; an unknown sex is none."""
    sexes: list[str] = []
    header = ["FID", "IID", "PAT", "MAT", "SEX"]
    for _, fields in lines_of(path, "a file of samples"):
        if fields[0] in {"#FID", "#IID"}:
            header = [fields[0][1:], *fields[1:]]
        elif not fields[0].startswith("#"):
            sexes.append(dict(zip(header, fields, strict=False)).get("SEX", ""))
    return np.array([sex.casefold() in _MAN for sex in sexes], bool)


def kept_samples(listed: str | Path | None, samples: Sequence[tuple[str, str]], panel: str) -> NDArray[np.int64]:
    """Rows of `samples` that a list names, in the order of the panel; all without a list.

    Parameters
    ----------
    listed
        File with one sample on a line: a name, or family and name as PLINK's --keep takes them; a first line that
        begins with #, or is a header (IID, FID and IID) and nobody's name, is passed over. A sample may stand there
        twice.
    samples
        Family and name of everybody in the panel.
    panel
        Its name, for messages.

    Raises
    ------
    InputError
        The list names samples that the panel has not (how many, and the first of them), a name that several samples
        have, nobody (NA), or fewer than two samples.
    """
    if not listed:
        return np.arange(len(samples))
    rows: dict[str | tuple[str, str], list[int]] = {}
    for row, (family, name) in enumerate(samples):
        rows.setdefault(name, []).append(row)
        rows.setdefault((family, name), []).append(row)
    found: set[int] = set()
    unknown: list[str] = []
    check(listed)
    for place, (number, fields) in enumerate(lines_of(listed, "a list of samples")):
        if not place and fields[0].startswith("#"):
            continue
        one = rows.get((fields[0], fields[1])) if len(fields) > 1 else None
        one = one or rows.get(fields[min(len(fields), 2) - 1], [])
        if not place and not one and "IID" in (name.upper() for name in fields[:2]):
            continue
        if len(one) > 1:
            raise InputError(f"{listed}, line {number}: {len(one)} samples of {panel} have the name '{fields[-1]}'")
        if not one and is_missing(fields[min(len(fields), 2) - 1]):
            raise InputError(f"{listed}, line {number}: '{' '.join(fields[:2])}' names nobody; delete such lines")
        found.update(one)
        if not one:
            unknown.append(" ".join(fields[:2]))
    if unknown:
        more = ", ..." if len(unknown) > _NAMED else ""
        raise InputError(
            f"{listed}: {len(unknown)} samples are not in {panel}: {', '.join(unknown[:_NAMED])}{more}; each line has "
            "a name of the panel's samples, or family and name"
        )
    if len(found) < 2:
        raise InputError(f"{listed}: {len(found)} samples; LD needs two or more")
    return np.array(sorted(found), np.int64)


def lines_of(path: str | Path, what: str, table: bool = False) -> list[tuple[int, list[str]]]:
    """Number and fields of each line that is not empty, of a text file whatever its line ends and quotation marks.

    Parameters
    ----------
    path
        The file; see `text_lines`.
    what
        What it should be, with its article, for messages.
    table
        A first line with tabs, else with commas, says what sets fields apart, so that they may be empty; without it,
        and in a first line without either, it is blanks.

    Raises
    ------
    InputError
        As `text_lines`.
    """
    lines = [(number, line) for number, line in text_lines(path, what) if line.strip()]
    first = lines[0][1] if lines else ""
    mark = "\t" if "\t" in first.strip() else "," if re.match(r"[^\s,]+\s*,", first) else ""
    if not table or not mark:
        return [(number, _words(line)) for number, line in lines]
    return [
        (number, [cell.strip() for cell in next(csv.reader([line], delimiter=mark))] if mark in line else _words(line))
        for number, line in lines
        if line.strip(mark + " \t")
    ]


def check_text(path: Path) -> None:
    """Stop at a text file that a library would refuse without its reason, or read in part.

    Raises
    ------
    InputError
        As `unpacked`; the file begins with a byte-order mark, has line ends of CR alone, or an empty line near its
        beginning or at its end.
    """
    with reading(path, "a text file"):
        if is_zstd(path):
            return
        with unpacked(path) as data:
            start = data.read(_LOOKED_AT)
        with path.open("rb") as handle:
            handle.seek(max(path.stat().st_size - 4, 0))
            end = handle.read()
    if start.startswith(_BYTE_ORDER_MARK):
        raise InputError(f"{path}: begins with a byte-order mark; save it as UTF-8 without one")
    if start.startswith(b"#") and b"\r" in start and b"\n" not in start:
        raise InputError(f"{path}: lines end with CR alone; write them with LF (tr '\\r' '\\n')")
    if start.startswith(b"#") and (re.search(rb"\n\r?\n", start) or re.search(rb"\n\r?\n$", end)):
        raise InputError(f"{path}: has an empty line; leave such lines out")


def _words(line: str) -> list[str]:
    return [quoted or word for quoted, word in _WORD.findall(line)]
