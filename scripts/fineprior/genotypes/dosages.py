"""Dosages: copies of an allele from calls (GT) and dosages (DS) of a VCF, in females and males.

Copies of an allele are 0 to 2 in everybody, as PLINK 2 holds them: where a sample has one chromosome (a male on X
outside of the pseudo-autosomal regions, everybody on MT) the one allele counts as two. So a haploid call `1` is 2
copies, and so is a haploid dosage of 1. Frequency, LD, LD scores and association all use these numbers.

How many alleles a call has says whether its dosage is haploid. On X, Y and MT a dosage without a call can mean one copy
of two or the only one, so it is missing where others of the record have haploid calls, and refused where the record has
no calls at all. A call of which one allele is missing is missing, and its dosage with it.
"""

import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.genome.contigs import is_part_of_x, plain_name

_HAPLOID, _DIPLOID, _HALF, _NOT_CALLED, _ONE_NOT_CALLED = 1, 2, 3, 4, 5
_PAIRED_ON_X = ((10_001, 2_781_479), (154_931_044, 1 << 31))
"""Where X may be pseudo-autosomal, in GRCh37 or GRCh38: 1-based, both within."""
_LOOKED_AT = 500
_MOST_HETEROZYGOUS = 0.02
"""Share of males' genotypes with the allele that may have one copy of it: calls have errors."""
_TOLERANCE = 0.01
"""By how much a dosage may be outside of its range: writers round."""
_MOST_AT_ODDS = 0.1
"""Share of homozygous calls with a dosage below 1, from which on dosages are haploid and calls are not."""

_MOST_OPPOSITE = 0.5
"""Share of homozygous calls whose dosage is that of the other allele, from which on DS counts another allele."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copies(ReadOnly):
    """Copies (alternatives, samples) of each alternative allele of a record, float32, NaN where missing.

    half: samples of whose call one allele is missing. untold: samples whose dosage is missing because no call says
    whether it is haploid.
    """

    copies: NDArray[np.float32]
    half: int = 0
    untold: int = 0


def copies_in(form: str, samples: Sequence[str], alternatives: int, chrom: str, where: str) -> Copies:
    """Read a record: dosages (DS) where it has them, calls (GT) otherwise.

    Parameters
    ----------
    form
        FORMAT of the record.
    samples
        The text of each sample.
    alternatives
        Number of alternative alleles.
    chrom
        Its chromosome, as the file names it.
    where
        File and place, for messages.

    Raises
    ------
    InputError
        There is neither GT nor DS; a call or dosage is none, or out of range; calls and dosages count differently; or
        dosages on X, Y or MT have no calls.
    """
    names = form.split(":")
    if "DS" not in names and "GT" not in names:
        raise InputError(f"{where}: neither GT nor DS in its FORMAT ({form}); write one of them")
    kind, called = np.full(len(samples), _NOT_CALLED), np.full((alternatives, len(samples)), np.nan, np.float32)
    if "GT" in names:
        calls = _read(_texts(samples, names.index("GT")), lambda text: _call(text, alternatives, where))
        kind, called = calls[0].astype(int), calls[1:]
    half = kind == _HALF
    if "DS" not in names:
        return Copies(called, int(half.sum()))
    texts = _texts(samples, names.index("DS"))
    dosages = _read(texts, lambda text: _dosages(text, alternatives, where))
    there = ~np.isnan(dosages).all(0)
    uneven = _is_uneven(chrom)
    known = np.isin(kind, (_HAPLOID, _DIPLOID))
    if uneven and there.any() and not known.any():
        raise InputError(
            f"{where}: DS without GT: a dosage of 1 can be one copy of two, or a male's only one; write GT beside DS, "
            "or convert the file by plink2 with everybody's sex (.pgen)"
        )
    limit = np.where(kind == _HAPLOID, 1, 2)
    wrong = np.flatnonzero(((dosages < -_TOLERANCE) | (dosages > limit + _TOLERANCE)).any(0))
    if len(wrong):
        of = " of a haploid call" if kind[wrong[0]] == _HAPLOID else ""
        raise InputError(f"{where}: DS '{texts[wrong[0]]}'{of} is not between 0 and {limit[wrong[0]]}")
    if uneven and alternatives == 1:
        _check_agreement(dosages[0], (kind == _DIPLOID) & (called[0] == 2), texts, where)
    elif alternatives == 1:
        _check_counted(dosages[0], called[0], texts, where)
    dosages = np.clip(dosages, 0, limit) * np.where(kind == _HAPLOID, 2, 1)
    dosages[:, half] = np.nan
    untold = there & np.isin(kind, (_NOT_CALLED, _ONE_NOT_CALLED))
    if uneven and np.isin(kind, (_HAPLOID, _ONE_NOT_CALLED)).any():
        dosages[:, untold] = np.nan
    else:
        untold[:] = False
    copies = np.where(np.isnan(dosages), called, dosages).astype(np.float32)
    return Copies(copies, int(half.sum()), int(untold.sum()))


def warn_of_heterozygous_males(panel: Any) -> None:
    """Warn where males have one copy of two on X in PLINK files: they may be coded 0 and 1, or their sex be wrong.

    Parameters
    ----------
    panel
        A `Panel`. Some 500 of its variants on X are looked at, outside of the pseudo-autosomal regions.
    """
    for part in getattr(panel, "parts", [panel]):
        if not np.any(getattr(part, "males", False)):
            continue
        names = part.variants["chrom"].unique()
        on_x = part.variants["chrom"].isin([name for name in names if _is_uneven(str(name), ("X",))])
        for first, last in _PAIRED_ON_X:
            on_x &= ~part.variants["pos"].between(first, last)
        rows = np.flatnonzero(on_x)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).astype(int))]
        copies = part.dosages(rows)[part.males]
        once, some = int((copies == 1).sum()), int((copies > 0).sum())
        if once and once > _MOST_HETEROZYGOUS * some:
            logger.warning(
                "%s: on X %d of %d genotypes of males that have an allele have one copy of it, and count half: PLINK "
                "files hold 0 or 2; are males coded 0 and 1, or is a sex wrong?", part.name, once, some,
            )  # fmt: skip


def _is_uneven(chrom: str, names: Collection[str] = ("X", "Y", "MT")) -> bool:
    """Whether samples have different numbers of this chromosome; XY, PAR1 and PAR2 are chromosomes of their own."""
    return plain_name(chrom, plink=True) in names and not is_part_of_x(chrom)


def _check_agreement(dosages: NDArray[np.float32], twice: NDArray[np.bool_], texts: Sequence[str], where: str) -> None:
    """Two copies are the best guess only of a dosage of 1 or more, unless males' dosages are haploid and calls not."""
    twice = twice & ~np.isnan(dosages)
    odd = np.flatnonzero(twice & (dosages < 1 - _TOLERANCE / 2))
    if len(odd) and len(odd) >= _MOST_AT_ODDS * twice.sum():
        raise InputError(
            f"{where}: {len(odd)} of {twice.sum()} samples with two copies by GT have a DS below 1 (as "
            f"'{texts[odd[0]]}'): males' dosages are haploid here and their calls are not; write "
            "both alike, or GT alone"
        )


def _check_counted(dosages: NDArray[np.float32], called: NDArray[np.float32], texts: Sequence[str], where: str) -> None:
    """Dosages and calls count one allele: they are not on opposite sides in most of those with two equal ones."""
    equal = np.isin(called, (0, 2)) & ~np.isnan(dosages)
    odd = np.flatnonzero(equal & (np.abs(dosages - called) > 1 + _TOLERANCE))
    if len(odd) > _MOST_OPPOSITE * equal.sum():
        raise InputError(
            f"{where}: {len(odd)} of {equal.sum()} samples with two equal alleles by GT have the other one by DS (as "
            f"'{texts[odd[0]]}'): does DS count the reference allele? Write copies of the alternative allele"
        )


def _texts(samples: Sequence[str], field: int) -> list[str]:
    """A field of each sample; those at the end may be absent."""
    return [sample.split(":", field + 1)[field] if sample.count(":") >= field else "." for sample in samples]


def _read(texts: Sequence[str], read: Callable[[str], list[float]]) -> NDArray[np.float32]:
    """What `read` makes of each text (values, samples); equal texts are read once."""
    known = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    values = np.array([read(text) for text in known], np.float32)
    return values[[known[text] for text in texts]].T


def _dosages(text: str, count: int, where: str) -> list[float]:
    parts = text.split(",")
    if text in {".", ""}:
        return [np.nan] * count
    if len(parts) != count:
        raise InputError(f"{where}: DS '{text}' has {len(parts)} values for {count} alternative alleles")
    try:
        return [np.nan if part == "." else float(part) for part in parts]
    except ValueError:
        raise InputError(f"{where}: DS '{text}' is not a number") from None


def _call(text: str, count: int, where: str) -> list[float]:
    """What kind of call it is, and copies of each alternative."""
    alleles = re.split(r"[/|]", text.lstrip("/|"))
    missing = alleles.count(".")
    if missing:
        kind = _HALF if missing < len(alleles) else _ONE_NOT_CALLED if missing == 1 else _NOT_CALLED
        return [kind] + [np.nan] * count
    if len(alleles) > 2:
        raise InputError(f"{where}: GT '{text}' has {len(alleles)} alleles; samples have two, or one")
    if not all(allele.isdecimal() and int(allele) <= count for allele in alleles):
        raise InputError(f"{where}: GT '{text}' is not made of the record's alleles, 0 to {count}")
    ploidy = len(alleles)
    return [_HAPLOID if ploidy == 1 else _DIPLOID] + [2 / ploidy * alleles.count(str(k)) for k in range(1, count + 1)]


def checked_index(index: NDArray[np.integer], count: int, where: str) -> NDArray[np.integer]:
    """Rows of a panel as integers.

    Raises
    ------
    InputError
        One is not below `count`.
    """
    index = np.asarray(index, dtype=np.int64)
    if len(index) and (index.min() < 0 or index.max() >= count):
        raise InputError(
            f"{where}: no variant {index.max()}, there are {count:,}; was the panel changed after harmonisation?"
        )
    return index


def mean_of_called(dosages: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean (p,) of the dosages (n, p) that are there; NaN where there is none."""
    missing = np.isnan(dosages)
    with np.errstate(invalid="ignore"):
        return np.where(missing, 0, dosages).sum(0, dtype=np.float64) / (len(dosages) - missing.sum(0))
