"""The input of a locus: its variants with z and prior, their LD, and the rows of the GWAS that were lost.

`BatchInput` reads it for the loci of a batch of the workflow; `read_locus` reads it from files of the user's own.
"""

import csv
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_ndtr

from fineprior.files import tables
from fineprior.files.arrays import Archive, ReadOnly, is_archive, machine_memory_mb, mapped_array
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of
from fineprior.finemap.correlation import Correlations, PanelCorrelation, correlations_of
from fineprior.finemap.diagnoses import read_diagnosis
from fineprior.finemap.ld_mismatch import LdDiagnostics
from fineprior.genotypes.ld_matrix import check_kind
from fineprior.genotypes.ld_store import FORMS, read_fst, read_ld, read_panel_size
from fineprior.sumstats.panel_fst import panel_fst

log = logging.getLogger(__name__)

_USED = {"variant_id", "z", "beta", "se", "n", "prior", "chrom", "pos", "ref", "alt", "eaf", "panel_af"}
_FEWEST_SAMPLES = 2
_APART, _APART_SHARE = 0.2, 0.1
"""By how much z and beta / se may differ, beside a share of z."""

Matrix = npt.NDArray[Any]


@dataclass(frozen=True)
class LocusInput(ReadOnly):
    """A locus before it is fine-mapped.

    Attributes
    ----------
    name : str
    variants : DataFrame
        LOCUS_VARIANTS with a column prior, of all p variants that have a z.
    R : ndarray, shape (q, q), Correlations, or None
        Correlations among those of the variants that have LD; None without any LD: all are then fitted as one effect.
    prior_weights : ndarray, shape (p,), or None
        The prior up to a factor; None is uniform.
    panel_size : float or None
        Samples in the panel that R is of, where that is known.
    fst : tuple of two floats, or None
        F_ST between that panel and the GWAS, and its standard error; None when it is not known.
    without_ld : dict
        Variants of the table that are not in R, each with the reason.
    ld_note : str
        What the reader should know about the LD; empty when nothing.
    lost : DataFrame or None
        Rows of LOST of the locus; None when nothing is known of such rows.
    diagnostics : LdDiagnostics or None
        What is known already of z and R of the q variants; None where the fit is to find it.
    """

    name: str
    variants: pd.DataFrame
    R: Matrix | Correlations | None
    prior_weights: npt.NDArray[np.float64] | None = None
    panel_size: float | None = None
    fst: tuple[float, float] | None = None
    without_ld: Mapping[str, str] = field(default_factory=dict)
    ld_note: str = ""
    lost: pd.DataFrame | None = None
    diagnostics: LdDiagnostics | None = None

    @property
    def fitted(self) -> "pd.Series[bool]":
        """Which of the variants are fitted: those with LD, or all where there is no LD."""
        return ~self.variants["variant_id"].isin(list(self.without_ld))


class BatchInput:
    """The loci of a batch: variants, prior and lost rows are read at once, LD for each locus when it is needed.

    Parameters
    ----------
    variants, ld, prior
        LOCUS_VARIANTS, LD (as `genotypes.ld_store.write_ld` writes it) and PRIOR of the batch; joined by variant_id.
        Without a prior it is uniform.
    lost
        LOST of the batch; by default the table beside `variants`, where there is one (`lost_beside`).
    diagnoses
        Of the batch, where they are made (`diagnoses.save_diagnoses`).

    Raises
    ------
    InputError
        A file cannot be read.
    """

    def __init__(
        self,
        variants: str | Path,
        ld: str | Path,
        prior: str | Path | None = None,
        lost: str | Path | None = None,
        diagnoses: str | Path | None = None,
    ) -> None:
        self._variants = dict(iter(tables.LOCUS_VARIANTS.read(variants).groupby("locus", sort=False)))
        self._priors = {} if prior is None else dict(iter(tables.PRIOR.read(prior).groupby("locus", sort=False)))
        self._panel_size, self._fst = read_panel_size(ld), read_fst(ld)
        self._ld, self._prior, self._diagnoses = ld, prior, diagnoses
        self._lost: dict[str, pd.DataFrame] = {}
        if lost is not None or tables.lost_beside(variants).is_file():
            rows = tables.LOST.read(lost or tables.lost_beside(variants))
            self._lost = {str(locus): own for locus, own in rows.groupby("locus", sort=False)}

    @property
    def loci(self) -> list[str]:
        """Names of the loci, in the order of the table."""
        return list(self._variants)

    def locus(self, name: str) -> LocusInput:
        """One locus.

        Raises
        ------
        InputError
            A variant has no prior, or neither LD nor a reason why it has none.
        """
        table, ld = self._variants[name], read_ld(self._ld, name)
        table = table.assign(prior=self._prior_of(name, table))
        without_ld, R, known = {}, None, None
        if len(ld):
            without_ld = {one: ld.left_out[one] for one in table["variant_id"] if one in ld.left_out}
            fitted = table["variant_id"][~table["variant_id"].isin(list(without_ld))]
            R = correlations_of(ld.of(_rows_of(pd.Index(ld.variant_ids), fitted, self._ld)))
            if self._diagnoses is not None:
                known = read_diagnosis(self._diagnoses, name, fitted.tolist())
        return LocusInput(
            name,
            table,
            R,
            prior_weights=table["prior"].to_numpy(),
            panel_size=self._panel_size,
            fst=self._fst,
            without_ld=without_ld,
            ld_note=ld.note,
            lost=self._lost.get(name),
            diagnostics=known,
        )

    def _prior_of(self, name: str, table: pd.DataFrame) -> npt.NDArray[np.float64]:
        if self._prior is None:
            return np.full(len(table), 1 / len(table))
        known = pd.Series(dtype=float)
        if name in self._priors:
            known = self._priors[name].set_index("variant_id")["prior"]
        prior = known.reindex(table["variant_id"]).to_numpy(dtype=float)
        if np.isnan(prior).any():
            raise InputError(f"{self._prior}: no prior of {_named(table['variant_id'][np.isnan(prior)])}")
        return prior


def read_locus(
    z: str | Path,
    ld: str | Path | None,
    n: float | None,
    *,
    ld_variants: str | Path | None = None,
    prior: str | Path | None = None,
    locus: str = "locus",
    panel_size: float | None = None,
    fst: float | None = None,
    ld_of: str = "panel",
) -> LocusInput:
    """One locus from files of the user's own; parameters as of `steps.finemap_files.finemap_files`.

    F_ST between panel and GWAS is `fst`, else that of the LD file, else by the frequencies of `z` where it has both.
    It is None where `ld_of` (as `finemap.ld`) is not a panel. `panel_size` takes the place of the one of the LD file.

    Raises
    ------
    InputError
        A file cannot be read, or files do not belong together.
    """
    table = read_z(z, n).assign(locus=locus)
    R, in_file, known = None, None, (fst, math.nan) if fst is not None else None
    if ld is not None:
        R, in_file = read_correlations(ld, table["variant_id"], ld_variants, locus)
    if ld is None or ld_of != "panel":
        if fst is not None:
            what = "none" if ld is None or ld_of == "none" else "that of the GWAS itself"
            log.warning("--fst: %g is not used: it is of a panel, and the LD is %s", fst, what)
        known = None
    elif fst is None:
        known = read_fst(ld) if is_archive(ld) else None
        known = known or _fst_of_frequencies(table, panel_size or in_file, z)
    weights = None if prior is None else read_prior(prior, table["variant_id"])
    table["prior"] = 1 / len(table) if weights is None else weights
    table["prior"] /= table["prior"].sum()
    return LocusInput(locus, table, R, weights, in_file, known)


def _fst_of_frequencies(table: pd.DataFrame, panel_size: float | None, path: str | Path) -> tuple[float, float] | None:
    """F_ST and its standard error by the columns eaf and panel_af; None without them, or when it is not known."""
    if "panel_af" not in table:
        return None
    if panel_size is None:
        log.warning("%s: F_ST by eaf and panel_af needs the number of samples in the panel (--panel-size)", path)
        return None
    found = panel_fst(table, panel_size)
    if found.state != "known":
        log.warning("%s: %s", path, found.sentence)
        return None
    return found.value, found.error


def read_z(path: str | Path, n: float | None) -> pd.DataFrame:
    """A table of z-scores with the columns variant_id, z, n, neg_log10_p, chrom, pos, ref and alt.

    With the columns eaf and panel_af, where the file has both; NaN where a frequency is no number. Where neither
    columns nor names tell position and alleles, they are NA and pos is 0.
    """
    table = _read_table(path, ["variant_id"])
    if "z" in table:
        z = _numbers(table, "z", path)
        _check_codes(table, z, path)
        _check_effects(table, z, path)
    elif {"beta", "se"} <= set(table):
        se = _numbers(table, "se", path, lambda values: values > 0, "above 0")
        z = _numbers(table, "beta", path) / se
    else:
        raise InputError(f"{path}: a column z is needed, or beta and se; it has {', '.join(table)}")
    if "n" in table:
        size = _numbers(table, "n", path, lambda values: values > 1, "a sample size above 1")
    elif n is None:
        raise InputError(f"{path}: no column n; give the sample size with --n")
    elif not n > 1:
        raise InputError(f"--n: {n:g}, a sample size above 1 is needed")
    else:
        size = np.full(len(table), float(n))
    beyond = np.flatnonzero(np.abs(z) > np.sqrt(size))
    if len(beyond):
        top = beyond[np.abs(z[beyond]).argmax()]
        log.warning(
            "%s: |z| is larger than the root of n in %d rows, as if one variant explained most of the trait; the "
            "strongest: %s (z %.4g, n %g); is n the sample size?",
            path, len(beyond), table["variant_id"].iloc[top], z[top], size[top],
        )  # fmt: skip
    made = pd.DataFrame({"variant_id": table["variant_id"], "z": z, "n": size})
    made["neg_log10_p"] = -(np.log(2) + log_ndtr(-np.abs(z))) / np.log(10)
    return made.assign(**_places(table, path), **_frequencies(table, path))


def _check_codes(table: pd.DataFrame, z: npt.NDArray[np.float64], path: str | Path) -> None:
    """Refuse a z of -9 among z-scores with more digits: no estimate, but a code for a missing value."""
    text = table["z"].str.strip()
    coded = np.flatnonzero(text.str.fullmatch(r"-9{1,4}(\.0)?"))
    if len(coded) and text.str.fullmatch(r"[+-]?\d*\.\d{2,}.*").any():
        raise InputError(
            f"{path}, line {coded[0] + 2}: z of {table['variant_id'].iloc[coded[0]]} is {z[coded[0]]:g}, which stands "
            "for a missing value in many files; remove the row, or write the number with more digits (-9.0001)"
        )


def _check_effects(table: pd.DataFrame, z: npt.NDArray[np.float64], path: str | Path) -> None:
    """Warn where beta / se is another z than the one beside it, which counts."""
    if not {"beta", "se"} <= set(table):
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        own = (pd.to_numeric(table["beta"], errors="coerce") / pd.to_numeric(table["se"], errors="coerce")).to_numpy()
        apart = np.abs(own - z)
        differ = np.flatnonzero(apart > _APART + _APART_SHARE * np.abs(z))
    if len(differ):
        top = differ[apart[differ].argmax()]
        log.warning("%s: z is not beta / se in %d of %d rows, first in line %d, most in line %d (%.4g and %.4g); "
                    "z counts", path, len(differ), len(z), differ[0] + 2, top + 2, z[top], own[top])  # fmt: skip


def _frequencies(table: pd.DataFrame, path: str | Path) -> dict[str, npt.NDArray[np.float64]]:
    """Frequencies of one allele in GWAS and panel, where the table has both."""
    names = ("eaf", "panel_af")
    if not set(names) <= set(table):
        return {}
    found = {name: pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64) for name in names}
    for name, values in found.items():
        bad = np.flatnonzero((values < 0) | (values > 1))
        if len(bad):
            where = f"{path}, line {bad[0] + 2}: {name} of {table['variant_id'].iloc[bad[0]]}"
            raise InputError(f"{where} is '{table[name].iloc[bad[0]]}', a frequency from 0 to 1 is needed")
    return found


def _places(table: pd.DataFrame, path: str | Path) -> dict[str, Any]:
    if {"chrom", "pos", "ref", "alt"} <= set(table):
        whole = "a whole number, 1 or more"
        pos = _numbers(table, "pos", path, lambda values: (values >= 1) & (values == np.floor(values)), whole)
        return {"chrom": table["chrom"], "pos": pos.astype(np.int64), "ref": table["ref"], "alt": table["alt"]}
    parts = table["variant_id"].str.extract(r"^([^:]+):([1-9]\d{0,9}):([A-Za-z]+):([A-Za-z]+)$")
    if parts.isna().to_numpy().any():
        return {"chrom": None, "pos": 0, "ref": None, "alt": None}
    return {"chrom": parts[0], "pos": parts[1].astype(np.int64), "ref": parts[2], "alt": parts[3]}


def read_prior(path: str | Path, variant_ids: pd.Series) -> npt.NDArray[np.float64]:
    """Prior weights of the variants, shape (p,); further variants of the table are passed over with a count."""
    table = _read_table(path, ["variant_id", "prior"])
    weights = _numbers(table, "prior", path, lambda values: values >= 0, "0 or more")
    further = int((~table["variant_id"].isin(variant_ids)).sum())
    rows = pd.Index(table["variant_id"]).get_indexer(pd.Index(variant_ids))
    if (rows < 0).any():
        raise InputError(f"{path}: no prior of {_named(variant_ids[rows < 0])}; every variant needs one")
    if further:
        log.warning("%s: %d variants that have no z are passed over", path, further)
    found = weights[rows]
    if not found.any():
        raise InputError(f"{path}: the prior is 0 for all variants")
    with np.errstate(over="ignore"):
        total = found.sum()
    return found if np.isfinite(total) else found / found.max()


def read_correlations(
    path: str | Path, variant_ids: pd.Series, names: str | Path | None = None, locus: str = "locus"
) -> tuple[Matrix | Correlations, float | None]:
    """R in the order of the variants, (p, p) or as genotypes; and the samples in its panel, None when unknown."""
    arrays = _read_arrays(path, locus)
    form = next(name for name in FORMS if name in arrays)
    R, size = arrays[form], arrays.get("panel_size")
    if size is not None and (size.shape != () or size.dtype.kind not in "fiu"):
        raise InputError(f"{path}: panel_size has shape {size.shape} of {size.dtype}, one number is needed")
    if form == "genotypes":
        _check_counts(R, path)
        size = np.array(R.shape[1]) if size is None else size
    else:
        if R.ndim != 2 or R.shape[0] != R.shape[1] or R.dtype.kind not in "fiu":
            raise InputError(f"{path}: shape {R.shape} of {R.dtype}, a square matrix of numbers is needed")
        check_kind(R.dtype, path)
    ids = arrays.get("variant_id") if names is None else np.array(_lines(names), np.str_)
    if ids is None:
        if len(R) != len(variant_ids):
            raise InputError(
                f"{path}: {len(R)} variants, but {len(variant_ids)} z-scores; say which they are with --ld-variants"
            )
    else:
        where = path if names is None else names
        if ids.shape != (len(R),):
            raise InputError(f"{where}: {ids.size} names for the {len(R)} variants of {path}")
        index = pd.Index(ids)
        if index.has_duplicates:
            raise InputError(f"{where}: {index[index.duplicated()][0]} is there more than once")
        rows = _rows_of(index, variant_ids, where)
        if not np.array_equal(rows, np.arange(len(R))):
            R = R[rows] if form == "genotypes" else R[np.ix_(rows, rows)]
    return PanelCorrelation.from_counts(R) if form == "genotypes" else R, None if size is None else float(size)


def _check_counts(counts: Matrix, path: str | Path) -> None:
    """Refuse genotypes that are not copies of an allele."""
    if counts.ndim != 2 or counts.shape[1] < _FEWEST_SAMPLES or counts.dtype.kind not in "iu":
        raise InputError(
            f"{path}: genotypes of shape {counts.shape} and {counts.dtype}; whole numbers, a row for each variant and "
            "a column for each of 2 or more samples, are needed"
        )
    if counts.size and (counts.min() < -1 or counts.max() > 2):
        bad = counts.min() if counts.min() < -1 else counts.max()
        raise InputError(f"{path}: genotypes hold {bad}; 0, 1, 2, and -1 where missing, are allowed")


def _rows_of(names: pd.Index, wanted: pd.Series, where: str | Path) -> npt.NDArray[np.intp]:
    """Where the wanted variants are among the names.

    Raises
    ------
    InputError
        A variant is not there.
    """
    rows = names.get_indexer(pd.Index(wanted))
    if (rows < 0).any():
        raise InputError(f"{where}: no LD of {_named(wanted[rows < 0])}")
    return rows


def _read_arrays(path: str | Path, locus: str) -> dict[str, Matrix]:
    """`R` or `genotypes`, and `variant_id` and `panel_size` where the file has them."""
    with reading(path, "a readable matrix", ".npy, .npz or plain numbers as text"):
        if is_archive(path):
            with Archive(path) as stored:
                held = [name for name in (f"{locus}/R", f"{locus}/genotypes", *FORMS) if name in stored]
                if not held:
                    raise InputError(f"{path}: no array R or {locus}/R; it has {', '.join(stored) or 'none'}")
                folder, slash, form = held[0].rpartition("/")
                names = f"{folder}{slash}variant_id"
                keys = {form: held[0], "variant_id": names, "panel_size": "panel_size"}
                return {name: stored[key] for name, key in keys.items() if key in stored}
        if Path(path).suffix in {".npy", ".npz"}:
            return {"R": _in_memory(mapped_array(path), path)}
        with text_of(path, "a readable matrix") as text, warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of an empty file
            return {"R": np.loadtxt(text, ndmin=2)}


def _in_memory(matrix: Matrix, path: str | Path) -> Matrix:
    if matrix.nbytes > machine_memory_mb() * 2**20:
        raise InputError(f"{path}: {matrix.nbytes >> 20:,} MB, more than this machine's memory")
    return np.array(matrix)


def _read_table(path: str | Path, needed: list[str]) -> pd.DataFrame:
    """A tab-separated table as text, with these columns and each variant once."""
    with text_of(path, "a readable table") as text, warnings.catch_warnings():
        # A row that is longer than the header would otherwise lose its last values.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table = pd.read_csv(
            text, sep="\t", dtype="str", keep_default_na=False, index_col=False, quoting=csv.QUOTE_NONE
        ).fillna("")
    filled = np.flatnonzero((table != "").any(axis=1))
    table = table.iloc[: filled[-1] + 1 if len(filled) else 0]  # Excel leaves rows of tabs behind
    table = table.apply(_unquoted).rename(columns=lambda name: _unquoted(pd.Series([name])).iloc[0])
    twice = [name for name in table if f"{name}.1" in table and name in _USED]  # the reader numbers the second
    if twice:
        raise InputError(f"{path}: column {twice[0]} is there twice")
    missing = [name for name in needed if name not in table]
    if missing:
        raise InputError(f"{path}: no column {missing[0]}; it has {', '.join(table)} (tabs between columns?)")
    if table.empty:
        raise InputError(f"{path}: no variants")
    nameless = np.flatnonzero(table["variant_id"] == "")
    if len(nameless):
        raise InputError(f"{path}, line {nameless[0] + 2}: the variant has no name")
    twice = table["variant_id"][table["variant_id"].duplicated()]
    if len(twice):
        raise InputError(f"{path}: variant {twice.iloc[0]} is there more than once")
    return table


def _numbers(
    table: pd.DataFrame,
    column: str,
    path: str | Path,
    allowed: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]] = np.isfinite,
    meaning: str = "a number",
) -> npt.NDArray[np.float64]:
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~(np.isfinite(values) & allowed(values)))
    if len(bad):
        first = table.iloc[bad[0]]
        more = f" ({len(bad)} such rows)" if len(bad) > 1 else ""
        where = f"{path}, line {bad[0] + 2}: {column} of {first['variant_id']}"
        raise InputError(f"{where} is '{first[column]}', {meaning} is needed{more}")
    return values


def _unquoted(values: pd.Series) -> pd.Series:
    """Values without the quotation marks that some programs set about each."""
    return values.str.replace(r'^"([^"]*)"$', r"\1", regex=True)


def _lines(path: str | Path) -> list[str]:
    with text_of(path, "a readable list of names") as text:
        return _unquoted(pd.Series(text.read().split(), dtype="str")).tolist()


def _named(ids: pd.Series) -> str:
    return f"variant {ids.iloc[0]}" + (f" and {len(ids) - 1} more" if len(ids) > 1 else "")
