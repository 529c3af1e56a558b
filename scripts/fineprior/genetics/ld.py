"""Linkage disequilibrium: correlations of alternative-allele dosages, and the file that holds them."""

import logging
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.files import atomic_path
from fineprior.genetics.genotypes import PlinkPanel

_BLOCK = 2048
_DAMAGED = (OSError, EOFError, ValueError, zipfile.BadZipFile)

logger = logging.getLogger(__name__)


def alternative_dosages(variants: pd.DataFrame, panel: PlinkPanel) -> NDArray[np.float32]:
    """Copies of the alternative allele of each person of the panel.

    Parameters
    ----------
    variants
        Columns chrom, pos, variant_id, ref, alt and panel_index (row in the panel): p rows.
    panel
        The panel; its A1 may be either allele.

    Returns
    -------
    float32 array (n, p) in column order, NaN where missing.

    Raises
    ------
    InputError
        If a variant's row in the panel is another variant: the panel was changed after harmonisation.
    """
    index = variants["panel_index"].to_numpy(np.int64)
    dosages = panel.dosages(index)
    known = panel.variants.iloc[index]
    ref, alt = variants["ref"].to_numpy(), variants["alt"].to_numpy()
    a1, a2 = known["a1"].to_numpy(), known["a2"].to_numpy()
    turned = (a1 == ref) & (a2 == alt)
    same = (known["pos"].to_numpy() == variants["pos"].to_numpy()) & (turned | ((a1 == alt) & (a2 == ref)))
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        there = known.iloc[row]
        raise InputError(
            f"{panel.prefix}.bim, line {index[row] + 1}: {there['chrom']}:{there['pos']} {there['a1']}/{there['a2']} "
            f"is not {variants['variant_id'].iloc[row]}; was the panel changed after harmonisation?"
        )
    dosages[:, turned] = 2 - dosages[:, turned]
    return dosages


def correlation(dosages: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson correlation between variants; a missing dosage is taken as the variant's mean.

    A variant without variance has correlation 0 with all others, and a warning.

    Parameters
    ----------
    dosages
        (n, p), NaN where missing; left as it is.

    Returns
    -------
    float32 array (p, p): exactly symmetric, diagonal exactly 1, all within -1 to 1.
    """
    people, count = dosages.shape
    scaled = np.array(dosages, dtype=np.float32, order="F")
    missing = np.isnan(scaled)
    called = people - missing.sum(0)
    scaled[missing] = 0
    scaled -= (scaled.sum(0, dtype=np.float64) / np.maximum(called, 1)).astype(np.float32)
    scaled[missing] = 0
    length = np.sqrt(np.einsum("np,np->p", scaled, scaled, dtype=np.float64))
    constant = length < 1e-3
    if constant.any():
        logger.warning("%d of %d variants do not vary in the panel; their LD is taken as 0", constant.sum(), count)
    scaled /= np.where(constant, 1, length).astype(np.float32)
    scaled[:, constant] = 0
    r = scaled.T @ scaled
    for first in range(0, count, _BLOCK):  # exact symmetry whatever the BLAS does, without a copy of r
        last = min(first + _BLOCK, count)
        r[first:last, :first] = r[:first, first:last].T
        corner = np.triu(r[first:last, first:last], 1)
        r[first:last, first:last] = corner + corner.T
    np.clip(r, -1, 1, out=r)
    np.fill_diagonal(r, 1)
    return r


def write_ld(
    path: str | Path,
    loci: Iterable[tuple[str, NDArray[np.float32], NDArray[np.str_]]],
    panel_size: int | None = None,
) -> None:
    """Write LD locus by locus, with one locus in memory at a time, as an .npz that `numpy.load` reads.

    Parameters
    ----------
    path
        The .npz; it holds `<locus>/R` (p, p) float32 and `<locus>/variant_id` (p,).
    loci
        For each locus its name, R, and the names of its variants.
    panel_size
        People that R is of, kept as `panel_size`; left out when it is None.
    """
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        if panel_size is not None:
            _write_array(archive, "panel_size", np.array(panel_size))
        for locus, r, variant_ids in loci:
            _write_array(archive, f"{locus}/R", r.astype(np.float32, copy=False))
            _write_array(archive, f"{locus}/variant_id", np.asarray(variant_ids, dtype=np.str_))


def _write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    # a fixed date: same LD, same bytes
    entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    with archive.open(entry, "w", force_zip64=True) as handle:
        np.lib.format.write_array(handle, array, allow_pickle=False)


def read_ld(path: str | Path, locus: str) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """R (p, p) and variant names (p,) of one locus of a file that `write_ld` wrote; the others are not read.

    Raises
    ------
    InputError
        If the file is absent or damaged, or does not hold the locus.
    """
    with _readable(path) as stored:
        if f"{locus}/R" in stored:
            return stored[f"{locus}/R"], stored[f"{locus}/variant_id"]
    raise InputError(f"{path}: no LD of locus '{locus}'")


def read_panel_size(path: str | Path) -> float | None:
    """People that the LD of a file is of; None when the file does not say."""
    with _readable(path) as stored:
        return float(stored["panel_size"]) if "panel_size" in stored else None


@contextmanager
def _readable(path: str | Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of an LD file; an InputError where it is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            yield stored
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except _DAMAGED as error:
        raise InputError(f"{path}: not a readable LD file ({error})") from None
