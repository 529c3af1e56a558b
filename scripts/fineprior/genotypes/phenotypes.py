"""A study's own people: who has a genotype, a phenotype and all covariates, and the numbers of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr

from fineprior.foundation.errors import InputError

_MISSING_COVARIATE = ("NA", "NaN", "nan", ".", "")
_MISSING_PHENOTYPE = ("-9", *_MISSING_COVARIATE)
_LEAST_PEOPLE = 3
"""Besides one for each covariate."""
_INDEPENDENT = 1e-8
"""Share of a standardised covariate that the others leave, from which on it is a covariate of its own."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """The people of an association study.

    rows (n,) are those of the genotypes, in their order; trait (n,) is 0 or 1 (case) when `binary`; covariates (n, k)
    are orthonormal columns that span the constant and the covariates; `left_out` counts people by reason.
    """

    name: str
    rows: NDArray[np.int64]
    trait: NDArray[np.float64]
    binary: bool
    covariates: NDArray[np.float64]
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """Number of cases; 0 of a quantitative trait."""
        return int(self.trait.sum()) if self.binary else 0


def read_cohort(people: Sequence[str], phenotype: str | Path, covariates: str | Path | None = None) -> Cohort:
    """Match phenotype and covariates to the people of the genotypes.

    People without a phenotype or with a missing covariate are left out, as PLINK 2 leaves them out. A covariate that
    is constant, or a linear combination of those before it, changes no result and is left out with a warning.

    Parameters
    ----------
    people
        Names (IID) in the order of the genotypes.
    phenotype
        Table with a header: IID, or FID and IID, then one trait. NA and -9 are missing. Values 1 and 2 (case), or 0
        and 1 (case), make a disease, others a quantitative trait.
    covariates
        Table with a header: IID, or FID and IID, then numbers; NA is missing.

    Raises
    ------
    InputError
        A table cannot be read, names nobody of the genotypes or somebody twice; the trait does not vary or could be
        read in two ways; a covariate is no number; or too few people are left.
    """
    if len(set(people)) < len(people):
        twice = pd.Index(people)
        raise InputError(f"genotypes: person '{twice[twice.duplicated()][0]}' is there twice; names must be unique")
    table = _read_table(Path(phenotype), _MISSING_PHENOTYPE)
    if table.shape[1] != 1:
        names = ", ".join(table.columns) or "none"
        raise InputError(f"{phenotype}: one trait is needed beside FID and IID; there are {table.shape[1]}: {names}")
    trait = table.iloc[:, 0]
    name = str(trait.name)
    if not table.index.isin(people).any():
        raise InputError(f"{phenotype}: nobody of it is in the genotypes; '{table.index[0]}' is not, for example")
    outside = int((~table.index.isin(people)).sum())
    values = trait.reindex(people).to_numpy(np.float64)
    keep = np.isfinite(values)
    left_out = {"no phenotype": int((~keep).sum()), "phenotype without genotypes": outside}
    further = pd.DataFrame(index=pd.Index(people))
    if covariates:
        further = _read_table(Path(covariates), _MISSING_COVARIATE)
        if not further.index.isin(people).any():
            raise InputError(
                f"{covariates}: nobody of it is in the genotypes; '{further.index[0]}' is not, for example"
            )
        further = further.reindex(people)
        known = np.isfinite(further.to_numpy(np.float64)).all(1)
        left_out["a covariate is missing"] = int((keep & ~known).sum())
        keep &= known
    rows = np.flatnonzero(keep)
    counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    logger.info("%s: %d people with genotypes and all else; left out: %s", name, len(rows), counts)
    if len(rows) < _LEAST_PEOPLE + further.shape[1]:
        raise InputError(f"{phenotype}: {len(rows)} people are left ({counts}), too few for a regression")
    basis = _basis(further.iloc[rows].astype("float64"), str(covariates))
    coded, binary = _coded(values[rows], f"{phenotype}: trait {name}")
    return Cohort(name, rows, coded, binary, basis, left_out)


def _coded(values: NDArray[np.float64], where: str) -> tuple[NDArray[np.float64], bool]:
    """The trait, with 0 and 1 for controls and cases, and whether it is a disease."""
    levels = set(np.unique(values).tolist())
    if len(levels) < 2:
        raise InputError(f"{where}: everybody has the value {levels.pop():g}")
    if levels == {0.0, 1.0, 2.0}:
        raise InputError(f"{where}: values 0, 1 and 2; write NA where 0 means missing, or other numbers for a quantity")
    if levels in ({0.0, 1.0}, {1.0, 2.0}):
        return values - min(levels), True
    return values, False


def _basis(table: pd.DataFrame, where: str) -> NDArray[np.float64]:
    """Orthonormal columns (n, k) that span the constant and the covariates."""
    people = len(table)
    columns = table.to_numpy()
    spread = columns.std(0)
    constant = spread <= 1e-12 * np.maximum(np.abs(columns).max(0, initial=0), 1e-300)
    for name in table.columns[constant]:
        logger.warning("%s: covariate %s is the same for everybody; left out", where, name)
    names = table.columns[~constant]
    scaled = (columns[:, ~constant] - columns[:, ~constant].mean(0)) / spread[~constant]
    basis = np.full((people, 1), people**-0.5)
    for name, column in zip(names, scaled.T, strict=True):
        rest = column - basis @ (basis.T @ column)
        if rest @ rest <= _INDEPENDENT * (column @ column):
            logger.warning("%s: covariate %s is a linear combination of those before it; left out", where, name)
            continue
        basis = np.column_stack([basis, column])
        basis = qr(basis, mode="economic")[0]
    return basis


def _read_table(path: Path, missing: Sequence[str]) -> pd.DataFrame:
    """Numbers of people: index IID, one column for each further column of the file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    header = [name.lstrip("#") for name in lines[0]] if lines else []
    place = next((number for number, name in enumerate(header[:2]) if name.upper() == "IID"), None)
    if place is None or (place == 1 and header[0].upper() != "FID"):
        raise InputError(f"{path}: the first line must be a header that begins with IID, or with FID and IID")
    names = header[place + 1 :]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: a column is there twice; the header is {' '.join(header)}")
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) != len(header):
            raise InputError(f"{path}: person {number - 1} has {len(fields)} fields, the header has {len(header)}")
    if len(lines) < 2:
        raise InputError(f"{path}: nobody below the header")
    ids = pd.Index([fields[place] for fields in lines[1:]])
    if ids.has_duplicates:
        raise InputError(f"{path}: person '{ids[ids.duplicated()][0]}' is there twice")
    table = pd.DataFrame([fields[place + 1 :] for fields in lines[1:]], index=ids, columns=names, dtype="str")
    return pd.DataFrame({name: _numbers(table[name], missing, path) for name in names}, index=ids)


def _numbers(column: pd.Series, missing: Sequence[str], path: Path) -> NDArray[np.float64]:
    absent = column.isin(missing).to_numpy(bool)
    numbers = pd.to_numeric(column.mask(absent), errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~absent & ~np.isfinite(numbers))
    if len(wrong):
        person, value = column.index[wrong[0]], column.iloc[wrong[0]]
        raise InputError(
            f"{path}: {column.name} of person '{person}' is '{value}'; a number or NA is needed (write categories as "
            "columns of 0 and 1)"
        )
    return numbers
