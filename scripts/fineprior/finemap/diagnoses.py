"""The diagnoses of a batch of loci in one npz file: made once, and shared by all fits of a locus.

A diagnosis depends on z, LD, sample size and panel size, and on no prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Archive
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path
from fineprior.finemap.correlation import Correlations, unit_correlations
from fineprior.finemap.ld_mismatch import NUMERICAL_TROUBLE, LdDiagnostics, diagnose_ld
from fineprior.finemap.sufficient import check_z, numbers
from fineprior.project.settings import FinemapSettings

Diagnoses = Mapping[str, tuple[LdDiagnostics, Sequence[str]]]
"""The diagnosis of each locus, by its name, with the names of the variants that it is of."""


def diagnosis_of(
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations | None,
    n: float | npt.ArrayLike | None,
    settings: FinemapSettings,
    panel_size: float | None = None,
) -> LdDiagnostics | None:
    """The diagnosis of a locus as its fits need it.

    Parameters
    ----------
    z, R, n, panel_size
        As of `locus.fit_locus`.
    settings
        `ld` and `panel_size`.

    Returns
    -------
    LdDiagnostics or None
        None where a fit makes none (no LD), or where it fails: the fit then says why.
    """
    if R is None or settings.ld == "none":
        return None
    try:
        scores, size = check_z(z), float(np.median(sample_sizes(n)))
        return diagnose_ld(scores, unit_correlations(R, len(scores)), size, samples_in_panel(panel_size, settings))
    except (InputError, *NUMERICAL_TROUBLE):
        return None


def sample_sizes(n: float | npt.ArrayLike | None) -> npt.NDArray[np.float64]:
    """Sample size, or that of each variant, all of them finite and above 1."""
    if n is None:
        raise InputError("n: missing, the sample size is needed")
    sizes = numbers("n", n)
    bad = np.flatnonzero(~(np.isfinite(sizes) & (sizes > 1)))
    if len(bad):
        where = f" at index {bad[0]}" if sizes.ndim else ""
        raise InputError(f"n: {sizes.flat[bad[0]]:g}{where} is not a sample size, a number above 1 is needed")
    return sizes


def samples_in_panel(panel_size: float | None, settings: FinemapSettings) -> float:
    """Samples in the panel: as configured, as the LD file says, or infinite."""
    if settings.ld == "in_sample":
        return float("inf")
    if settings.panel_size != 0:
        return settings.panel_size
    return float("inf") if panel_size is None else float(numbers("panel_size", panel_size))


def save_diagnoses(path: str | Path, diagnoses: Diagnoses) -> None:
    """Write diagnoses as arrays `<locus>/s`, `<locus>/switched` and so on, and `<locus>/variant_id`."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for locus, (found, variant_ids) in diagnoses.items():
        arrays[f"{locus}/variant_id"] = np.array(variant_ids, np.str_)
        for one in fields(found):
            arrays[f"{locus}/{one.name}"] = np.asarray(getattr(found, one.name))
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]


def read_diagnosis(path: str | Path, locus: str, variant_ids: Sequence[str]) -> LdDiagnostics | None:
    """The diagnosis of a locus of a file of `save_diagnoses`; None where the file has none.

    Raises
    ------
    InputError
        The file is absent or not of that kind, or its diagnosis is of other variants.
    """
    with checked(path, "a file of diagnoses", once=True), Archive(path) as stored:
        if f"{locus}/variant_id" not in stored:
            return None
        if stored[f"{locus}/variant_id"].tolist() != list(variant_ids):
            raise InputError(f"{path}: the diagnosis of locus '{locus}' is of other variants than its LD")
        found = {one.name: stored[f"{locus}/{one.name}"] for one in fields(LdDiagnostics)}
    values: dict[str, Any] = {name: value if value.ndim else value.item() for name, value in found.items()}
    return LdDiagnostics(**values)
