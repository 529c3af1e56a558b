"""The people of a panel, and which of them a list keeps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.integrity import check

_NAMED = 3


def read_fam(path: str | Path) -> list[tuple[str, str]]:
    """Family and own name of each person of a PLINK .fam file.

    Raises
    ------
    InputError
        The file names nobody, or a line has no second column.
    """
    people = []
    for number, fields in _lines(path):
        if len(fields) < 2:
            raise InputError(f"{path}, line {number}: one column; a .fam begins with family and person")
        people.append((fields[0], fields[1]))
    if not people:
        raise InputError(f"{path}: no people in this file")
    return people


def read_psam(path: str | Path) -> list[tuple[str, str]]:
    """Family (0 when there is none) and own name of each person of a PLINK 2 .psam file, with or without a header.

    Raises
    ------
    InputError
        The file names nobody, or its header or a line has no column IID.
    """
    people: list[tuple[str, str]] = []
    header: list[str] | None = None
    for number, fields in _lines(path):
        if fields[0] in {"#FID", "#IID"}:
            header = [fields[0][1:], *fields[1:]]
            continue
        if fields[0].startswith("#"):
            continue
        names = dict(zip(header or ["FID", "IID"], fields, strict=False))
        if "IID" not in names:
            raise InputError(f"{path}, line {number}: no person (column IID)")
        people.append((names.get("FID", "0"), names["IID"]))
    if not people:
        raise InputError(f"{path}: no people in this file")
    return people


def kept_people(samples: str | Path | None, people: Sequence[tuple[str, str]], panel: str) -> NDArray[np.int64]:
    """Rows of `people` that a list names, in the order of the panel; all without a list.

    Parameters
    ----------
    samples
        File with one person on a line: a name, or family and name as PLINK's --keep takes them; a first line that
        begins with # is passed over. A person may stand there twice.
    people
        Family and name of everybody in the panel.
    panel
        Its name, for messages.

    Raises
    ------
    InputError
        The list names people whom the panel has not (how many, and the first of them), a name that several people
        have, or fewer than two people.
    """
    if not samples:
        return np.arange(len(people))
    rows: dict[str | tuple[str, str], list[int]] = {}
    for row, (family, name) in enumerate(people):
        rows.setdefault(name, []).append(row)
        rows.setdefault((family, name), []).append(row)
    found: set[int] = set()
    unknown: list[str] = []
    check(samples)
    for number, fields in _lines(samples):
        if number == 1 and fields[0].startswith("#"):
            continue
        one = rows.get((fields[0], fields[1])) if len(fields) > 1 else None
        one = one or rows.get(fields[min(len(fields), 2) - 1], [])
        if len(one) > 1:
            raise InputError(f"{samples}, line {number}: {len(one)} people of {panel} have the name '{fields[-1]}'")
        found.update(one)
        if not one:
            unknown.append(" ".join(fields[:2]))
    if unknown:
        more = ", ..." if len(unknown) > _NAMED else ""
        raise InputError(
            f"{samples}: {len(unknown)} people are not in {panel}: {', '.join(unknown[:_NAMED])}{more}; each line has "
            "a name of the panel's people, or family and name"
        )
    if len(found) < 2:
        raise InputError(f"{samples}: {len(found)} people; LD needs two or more")
    return np.array(sorted(found), np.int64)


def _lines(path: str | Path) -> list[tuple[int, list[str]]]:
    """Number and fields of each line that is not empty."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not plain text") from None
    return [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
