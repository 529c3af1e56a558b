"""Samples: those of a panel, those that a list keeps, and their phenotypes and covariates."""

import csv
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import check
from fineprior.files.reading import (
    PLINK_CODES,
    is_code,
    is_missing,
    is_zstd,
    missing_among,
    reading,
    text_lines,
    unpacked,
)

_NAMED = 3
_MALE = {"1", "1.0", "m", "male"}
_LOOKED_AT = 1 << 16
_BYTE_ORDER_MARK = "\ufeff".encode()
_WORD = re.compile(r'"([^"]*)"(?=\s|$)|(\S+)')
"""A field between blanks, without the quotation marks that R writes around text."""
_CASE_WORDS = {
    "case": 1.0, "control": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "affected": 1.0, "unaffected": 0.0,
}  # fmt: skip
"""Words of a disease, in small letters; a column has both of a pair, or one of it."""
_FLAG_WORDS = {"true": 1.0, "false": 0.0}
"""Words of a covariate that can be read in one way only."""
_FEW_VALUES = 5
"""Different values up to which a quantitative trait may be categories, or hold a code of missing values."""
_CODES = (-99.0, -999.0, -9999.0, -99999.0, -1.0, 99.0, 999.0, 9999.0, 99999.0)
"""Numbers that stand for missing values in some tables, but not in PLINK's."""
_FAR = 3.0
"""Times the range of the other values, from which on such a number is far from them."""
_FEWEST_SAMPLES = 3
"""Besides one for each covariate."""
_INDEPENDENT = 1e-8
"""Share of a standardised covariate that the others leave, from which on it is a covariate of its own."""

logger = logging.getLogger(__name__)


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
    return np.array([sex.casefold() in _MALE for sex in sexes], bool)


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


@dataclass(frozen=True)
class Cohort(ReadOnly):
    """The samples of an association study.

    rows (n,) are those of the genotypes, in their order; trait (n,) is 0 or 1 (case) when `binary`; covariates (n, k)
    are orthonormal columns that span the constant and the covariates; `excluded` counts samples by reason.
    """

    name: str
    rows: NDArray[np.int64]
    trait: NDArray[np.float64]
    binary: bool
    covariates: NDArray[np.float64]
    excluded: dict[str, int] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """Number of cases; 0 of a quantitative trait."""
        return int(self.trait.sum()) if self.binary else 0

    @property
    def controls(self) -> int:
        """Number of controls; all samples of a quantitative trait."""
        return len(self.rows) - self.cases


def read_cohort(samples: Sequence[str], phenotype: str | Path, covariates: str | Path | None = None) -> Cohort:
    """Match phenotype and covariates to the samples of the genotypes.

    Samples without a phenotype or with a missing covariate are excluded, as PLINK 2 excludes them. A covariate that
    is constant, or a linear combination of those before it, changes no result and is excluded with a warning.

    Parameters
    ----------
    samples
        Names (IID) in the order of the genotypes.
    phenotype
        Table with a header: IID, or FID and IID, then one trait; set apart by blanks, tabs or commas. Values 1 and 2
        (case), 0 and 1 (case), or words (control and case, FALSE and TRUE, ...) make a disease, others a quantitative
        trait. -9 (as a number) and the words of `files.reading` are missing.
    covariates
        Table with a header: IID, or FID and IID, then numbers, or TRUE and FALSE; missing as above, as in PLINK. How
        many samples that costs is logged for each covariate.

    Raises
    ------
    InputError
        A table cannot be read, names nobody of the genotypes or somebody twice; the trait does not vary or could be
        read in two ways; a covariate is no number; or too few samples are left.
    """
    if len(set(samples)) < len(samples):
        twice = pd.Index(samples)
        raise InputError(f"genotypes: sample '{twice[twice.duplicated()][0]}' is there twice; names must be unique")
    table = _read_table(Path(phenotype), _CASE_WORDS)
    if table.shape[1] != 1:
        names = ", ".join(table.columns) or "none"
        raise InputError(f"{phenotype}: one trait is needed beside FID and IID; there are {table.shape[1]}: {names}")
    trait = table.iloc[:, 0]
    name = str(trait.name)
    if not table.index.isin(samples).any():
        raise InputError(f"{phenotype}: nobody of it is in the genotypes; '{table.index[0]}' is not, for example")
    outside = int((~table.index.isin(samples)).sum())
    values = trait.reindex(samples).to_numpy(np.float64)
    keep = np.isfinite(values)
    excluded = {"no phenotype": int((~keep).sum()), "phenotype without genotypes": outside}
    further = pd.DataFrame(index=pd.Index(samples))
    if covariates:
        further = _read_table(Path(covariates), _FLAG_WORDS)
        if not further.index.isin(samples).any():
            raise InputError(
                f"{covariates}: nobody of it is in the genotypes; '{further.index[0]}' is not, for example"
            )
        further = further.reindex(samples)
        known = np.isfinite(further.to_numpy(np.float64)).all(1)
        excluded["a covariate is missing"] = int((keep & ~known).sum())
        keep &= known
    rows = np.flatnonzero(keep)
    counts = ", ".join(f"{count} {reason}" for reason, count in excluded.items())
    logger.info("%s: %d samples with genotypes and all else; excluded: %s", name, len(rows), counts)
    if len(rows) < _FEWEST_SAMPLES + further.shape[1]:
        raise InputError(f"{phenotype}: {len(rows)} samples are left ({counts}), too few for a regression")
    basis = _basis(further.iloc[rows].astype("float64"), str(covariates))
    coded, binary = _coded(values[rows], f"{phenotype}: trait {name}")
    return Cohort(name, rows, coded, binary, basis, excluded)


def _coded(values: NDArray[np.float64], where: str) -> tuple[NDArray[np.float64], bool]:
    """The trait, with 0 and 1 for controls and cases, and whether it is a disease."""
    levels = set(np.unique(values).tolist())
    if len(levels) < 2:
        raise InputError(f"{where}: everybody has the value {levels.pop():g}")
    if levels == {0.0, 1.0, 2.0}:
        raise InputError(f"{where}: values 0, 1 and 2; write NA where 0 means missing, or other numbers for a quantity")
    if levels in ({0.0, 1.0}, {1.0, 2.0}):
        return values - min(levels), True
    if len(levels) <= _FEW_VALUES:
        counts = ", ".join(f"{level:g} ({int((values == level).sum())} samples)" for level in sorted(levels))
        logger.warning(
            "%s: %d different values, taken as a quantitative trait: %s; a disease has 1 and 2 (case), or 0 and 1 "
            "(case), and NA or -9 where it is missing", where, len(levels), counts,
        )  # fmt: skip
    return values, False


def _basis(table: pd.DataFrame, where: str) -> NDArray[np.float64]:
    """Orthonormal columns (n, k) that span the constant and the covariates."""
    samples = len(table)
    columns = table.to_numpy()
    spread = columns.std(0)
    constant = spread <= 1e-12 * np.maximum(np.abs(columns).max(0, initial=0), 1e-300)
    for name in table.columns[constant]:
        logger.warning("%s: covariate %s is the same for everybody; excluded", where, name)
    names = table.columns[~constant]
    scaled = (columns[:, ~constant] - columns[:, ~constant].mean(0)) / spread[~constant]
    basis = np.full((samples, 1), samples**-0.5)
    for name, column in zip(names, scaled.T, strict=True):
        rest = column - basis @ (basis.T @ column)
        if rest @ rest <= _INDEPENDENT * (column @ column):
            logger.warning("%s: covariate %s is a linear combination of those before it; excluded", where, name)
            continue
        basis = np.column_stack([basis, column])
        basis = qr(basis, mode="economic")[0]
    return basis


def _read_table(path: Path, words: Mapping[str, float]) -> pd.DataFrame:
    """Numbers of samples: index IID, one column for each further column of the file; NaN where missing."""
    lines = lines_of(path, "a table of samples", table=True)
    header = [name.lstrip("#") for name in lines[0][1]] if lines else []
    while header and not header[-1]:  # columns that a spreadsheet adds
        header.pop()
    place = next((number for number, name in enumerate(header[:2]) if name.upper() == "IID"), None)
    if place is None or (place == 1 and header[0].upper() != "FID"):
        raise InputError(f"{path}: the first line must be a header that begins with IID, or with FID and IID")
    names = header[place + 1 :]
    if "" in names:
        raise InputError(f"{path}: column {header.index('', place + 1) + 1} has no name")
    if len(set(names)) < len(names):
        raise InputError(f"{path}: a column is there twice; the header is {' '.join(header)}")
    if len(lines) < 2:
        raise InputError(f"{path}: nobody below the header")
    rows: dict[str, list[str]] = {}
    for number, fields in lines[1:]:
        while len(fields) > len(header) and not fields[-1]:
            fields.pop()
        if len(fields) != len(header):
            hint = "; R writes names of rows unless row.names = FALSE" if len(fields) == len(header) + 1 else ""
            raise InputError(f"{path}, line {number}: {len(fields)} fields, the header has {len(header)}{hint}")
        if not fields[place]:
            raise InputError(f"{path}, line {number}: no name of a sample (IID)")
        if fields[place] in rows:
            raise InputError(f"{path}, line {number}: sample '{fields[place]}' is there twice")
        rows[fields[place]] = fields[place + 1 :]
    table = pd.DataFrame(rows.values(), index=pd.Index(rows), columns=names, dtype="str")
    numbers = [number for number, _ in lines[1:]]
    return pd.DataFrame({name: _numbers(table[name], words, path, numbers) for name in names}, index=table.index)


def _numbers(column: pd.Series, words: Mapping[str, float], path: Path, lines: Sequence[int]) -> NDArray[np.float64]:
    """A column as numbers, NaN where missing; what -9 costs, and what else might mean missing, is logged."""
    texts = column.unique()
    absent = column.isin(list(missing_among(texts, PLINK_CODES))).to_numpy(bool)
    known = column[~absent].str.strip().str.casefold()
    if len(known) and known.isin(words).all():
        numbers = column.str.strip().str.casefold().map(words).where(~absent).to_numpy(np.float64)
        if known.nunique() > len(set(numbers[~absent])):
            raise InputError(f"{path}: {column.name} mixes words: {', '.join(sorted(known.unique()))}")
        shown = ", ".join(f"'{word}' is {words[word]:g}" for word in sorted(known.unique()))
        logger.info("%s: %s: %s", path, column.name, shown)
        return numbers
    numbers = pd.to_numeric(column.mask(absent), errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~absent & ~np.isfinite(numbers))
    if len(wrong):
        raise InputError(
            f"{path}, line {lines[wrong[0]]}: {column.name} of sample '{column.index[wrong[0]]}' is "
            f"'{column.iloc[wrong[0]]}'; a number or NA is needed (write categories as columns of 0 and 1)"
        )
    nines = int(column.isin([text for text in texts if is_code(text, PLINK_CODES)]).sum())
    _warn_of_missing(path, str(column.name), numbers[~absent], nines)
    return numbers


def _warn_of_missing(path: Path, name: str, known: NDArray[np.float64], nines: int) -> None:
    """Say how many samples -9 costs, and which number might be a further code of missing values."""
    if nines and len(known) and known.min() < 0 < known.max():
        logger.warning(
            "%s: %s is -9 of %d samples, taken as missing, as in PLINK; other values go from %g to %g, so that -9 "
            "could be a number: if it is, write it otherwise (-9.0001)", path, name, nines, known.min(), known.max(),
        )  # fmt: skip
    elif nines:
        logger.warning("%s: %s is -9 of %d samples, taken as missing, as in PLINK", path, name, nines)
    if name.casefold() in {"sex", "gender"} and set(known) == {0.0, 1.0, 2.0}:
        logger.warning(
            "%s: %s is 0 of %d samples, beside 1 and 2: 0 is unknown in PLINK's files, and taken as a number; write "
            "NA if it means missing", path, name, int((known == 0).sum()),
        )  # fmt: skip
    for code in _CODES:
        others = known[known != code]
        if len(others) == len(known) or len(np.unique(others)) < 2:
            continue
        low, high = others.min(), others.max()
        far = code < low - _FAR * (high - low) or code > high + _FAR * (high - low)
        if far or (code < 0 <= low):
            logger.warning(
                "%s: %s is %g of %d samples and from %g to %g of all others; it is taken as a number: write NA if it "
                "means missing", path, name, code, len(known) - len(others), low, high,
            )  # fmt: skip


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


def _words(line: str) -> list[str]:
    return [quoted or word for quoted, word in _WORD.findall(line)]


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
