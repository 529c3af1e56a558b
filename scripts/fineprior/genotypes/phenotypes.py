"""A study's own samples: who has a genotype, a phenotype and all covariates, and the numbers of them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr

from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.reading import PLINK_CODES, is_code, missing_among
from fineprior.genotypes.samples import lines_of

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
_LEAST_PEOPLE = 3
"""Besides one for each covariate."""
_INDEPENDENT = 1e-8
"""Share of a standardised covariate that the others leave, from which on it is a covariate of its own."""

logger = logging.getLogger(__name__)


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
        many samples that costs is said for each covariate.

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
    if len(rows) < _LEAST_PEOPLE + further.shape[1]:
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
    """A column as numbers, NaN where missing; what -9 costs, and what might be missing too, is said."""
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
    _say_missing(path, str(column.name), numbers[~absent], nines)
    return numbers


def _say_missing(path: Path, name: str, known: NDArray[np.float64], nines: int) -> None:
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
