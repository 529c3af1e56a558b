"""Fine-mapping of one locus from files that the user has: z-scores, LD, perhaps a prior. No workflow is needed."""

import csv
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_ndtr

from fineprior.files.arrays import Archive, is_archive, machine_memory_mb, mapped_array
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of
from fineprior.files.tables import CREDIBLE_SETS, FINEMAP_VARIANTS, LOCI_STATUS
from fineprior.finemap.contents import contents_of, switched, with_contents
from fineprior.finemap.fits import save_fits, write_rds
from fineprior.finemap.locus import LocusFit, fit_locus
from fineprior.finemap.locus_tables import set_rows, status_row, variant_rows
from fineprior.genotypes.ld_matrix import check_kind
from fineprior.project.settings import FinemapSettings

log = logging.getLogger(__name__)

_USED = {"variant_id", "z", "beta", "se", "n", "prior", "chrom", "pos", "ref", "alt"}
_APART, _APART_SHARE = 0.2, 0.1
"""By how much z and beta / se may differ, beside a share of z."""

Matrix = npt.NDArray[Any]


def finemap_files(
    *,
    z: str | Path,
    ld: str | Path | None,
    out: str,
    n: float | None,
    settings: FinemapSettings,
    ld_variants: str | Path | None = None,
    prior: str | Path | None = None,
    locus: str = "locus",
) -> LocusFit:
    """Fine-map a locus and write its tables and its fit.

    Parameters
    ----------
    z
        Table with variant_id, and z or beta and se; perhaps n, and chrom, pos, ref, alt (otherwise taken from names
        of the form chrom:pos:ref:alt).
    ld
        Signed correlations: .npy; .npz with `R` (or `<locus>/R`), perhaps `variant_id` and `panel_size`; or text.
        None for one effect without LD.
    out
        Written are <out>.variants.tsv.gz, .credible_sets.tsv, .loci_status.tsv, .fits.npz and .fits.rds.
    n
        Sample size, where the table has no column n.
    settings
        Settings of the fit.
    ld_variants
        Names of the variants of `ld`, one on each line; without them (here or in the .npz) the order is that of z.
    prior
        Table with variant_id and prior, of every variant of `z`.
    locus
        Name of the locus in the tables, and in an .npz of several loci.

    Raises
    ------
    InputError
        A file cannot be read, or files do not fit to one another.
    """
    table = read_z(z, n).assign(locus=locus)
    R, panel_size = (None, None) if ld is None else read_correlations(ld, table["variant_id"], ld_variants, locus)
    table["prior"] = 1 / len(table) if prior is None else read_prior(prior, table["variant_id"])
    fit = fit_locus(
        table["variant_id"].tolist(),
        table["z"].to_numpy(),
        R,
        table["n"].to_numpy(),
        None if prior is None else table["prior"].to_numpy(),
        settings,
        panel_size=panel_size,
    )
    contents = contents_of(locus, table, switched(fit), fitted=fit.fit is not None)
    fit = with_contents(fit, contents, settings)
    table["prior"] /= table["prior"].sum()
    r_lead = np.full(len(table), np.nan) if R is None else R[int(table["z"].abs().to_numpy().argmax())]
    sets = set_rows(table, fit, R, settings)
    FINEMAP_VARIANTS.write(variant_rows(table, fit, r_lead), f"{out}.variants.tsv.gz")
    CREDIBLE_SETS.write(CREDIBLE_SETS.empty() if sets.empty else sets, f"{out}.credible_sets.tsv")
    LOCI_STATUS.write(status_row(table, fit, contents), f"{out}.loci_status.tsv")
    done = {} if fit.fit is None else {locus: fit.fit}
    save_fits(f"{out}.fits.npz", done, {locus: fit.variant_ids})
    write_rds(f"{out}.fits.rds", {name: (one, fit.variant_ids) for name, one in done.items()})
    return fit


def read_z(path: str | Path, n: float | None) -> pd.DataFrame:
    """A table of z-scores with the columns variant_id, z, n, neg_log10_p, chrom, pos, ref and alt.

    Where neither columns nor names tell position and alleles, they are NA and pos is 0.
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
            "strongest: %s (z %.4g, n %g); is n the number of people?",
            path, len(beyond), table["variant_id"].iloc[top], z[top], size[top],
        )  # fmt: skip
    made = pd.DataFrame({"variant_id": table["variant_id"], "z": z, "n": size})
    made["neg_log10_p"] = -(np.log(2) + log_ndtr(-np.abs(z))) / np.log(10)
    return made.assign(**_places(table, path))


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
    """Prior weights of the variants, shape (p,); further variants of the table are left out with a count."""
    table = _read_table(path, ["variant_id", "prior"])
    weights = _numbers(table, "prior", path, lambda values: values >= 0, "0 or more")
    further = int((~table["variant_id"].isin(variant_ids)).sum())
    rows = pd.Index(table["variant_id"]).get_indexer(pd.Index(variant_ids))
    if (rows < 0).any():
        raise InputError(f"{path}: no prior of {_named(variant_ids[rows < 0])}; every variant needs one")
    if further:
        log.warning("%s: %d variants that have no z are left out", path, further)
    found = weights[rows]
    if not found.any():
        raise InputError(f"{path}: the prior is 0 for all variants")
    with np.errstate(over="ignore"):
        total = found.sum()
    return found if np.isfinite(total) else found / found.max()


def read_correlations(
    path: str | Path, variant_ids: pd.Series, names: str | Path | None = None, locus: str = "locus"
) -> tuple[Matrix, float | None]:
    """R in the order of the variants, shape (p, p), and the people that it is of (None when the file does not say)."""
    arrays = _read_arrays(path, locus)
    R, size = arrays["R"], arrays.get("panel_size")
    if size is not None and (size.shape != () or size.dtype.kind not in "fiu"):
        raise InputError(f"{path}: panel_size has shape {size.shape} of {size.dtype}, one number is needed")
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
        rows = index.get_indexer(pd.Index(variant_ids))
        if (rows < 0).any():
            raise InputError(f"{where}: no LD of {_named(variant_ids[rows < 0])}")
        if not np.array_equal(rows, np.arange(len(R))):
            R = R[np.ix_(rows, rows)]
    return R, None if size is None else float(size)


def _read_arrays(path: str | Path, locus: str) -> dict[str, Matrix]:
    """`R`, and `variant_id` and `panel_size` where the file has them."""
    with reading(path, "a readable matrix", ".npy, .npz or plain numbers as text"):
        if is_archive(path):
            with Archive(path) as stored:
                folder = f"{locus}/" if f"{locus}/R" in stored else ""
                if f"{folder}R" not in stored:
                    raise InputError(f"{path}: no array R or {locus}/R; it has {', '.join(stored) or 'none'}")
                keys = {"R": f"{folder}R", "variant_id": f"{folder}variant_id", "panel_size": "panel_size"}
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
