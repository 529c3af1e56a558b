"""Fits of loci in files, of which the same fits make the same bytes: .npz for the workflow, .rds for R.

susieR, coloc and base R read the latter: `fits <- readRDS("fits.rds"); fits[["<locus>"]]$pip`. Its layout is that of R
("R Internals", Serialization Formats): version 2, XDR byte order, gzip without time and name.
"""

import gzip
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Archive
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path
from fineprior.finemap.credible_sets import CredibleSet, CredibleSets, Purity
from fineprior.finemap.susie import SusieFit

ARRAYS = ("alpha", "mu", "mu2", "lbf", "lbf_variable", "V", "KL", "elbo", "pi", "pip", "z")
Arrays = dict[str, npt.NDArray[Any]]
# Type codes and bits of R's serialization.
NULL, SYMBOL, PAIRLIST, REFERENCE = 254, 1, 2, 255
CHARACTER, LOGICAL, INTEGER, DOUBLE, STRINGS, LIST = 9, 10, 13, 14, 16, 19
IS_OBJECT, HAS_ATTRIBUTES, HAS_TAG, UTF8 = 1 << 8, 1 << 9, 1 << 10, 1 << 15
# Version 2 of the format; what wrote it (R 3.5.0); what reads it (R 2.3.0 and later).
HEADER = b"X\n" + struct.pack(">iii", 2, 0x00030500, 0x00020300)
# The NaN that R shows as NA.
NA_REAL = 0x7FF00000000007A2
PURITY = ("min.abs.corr", "mean.abs.corr", "median.abs.corr")


def save_fits(
    path: str | Path, fits: Mapping[str, SusieFit], variant_ids: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write fits as arrays `<locus>/alpha`, `<locus>/pip` and so on.

    Parameters
    ----------
    path : path of the npz file
    fits : mapping
        Fit of each locus, by its name. `null_index` is stored as -1 where there is none; the credible sets as
        `set_effect`, `set_size`, `set_variables` (of all sets, one after the other), `set_coverage`,
        `set_purity` (min, mean, median), `set_log10_bayes_factor`, `set_requested` (coverage, min_abs_corr) and
        `set_reason`.
    variant_ids : mapping, optional
        Names of the variants of each locus, kept as `<locus>/variant_id`.
    """
    arrays: Arrays = {}
    for locus, fit in fits.items():
        if variant_ids is not None:
            arrays[f"{locus}/variant_id"] = np.array(variant_ids[locus], np.str_)
        for name, values in _fit_arrays(fit).items():
            arrays[f"{locus}/{name}"] = values
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]


def load_fits(path: str | Path) -> dict[str, SusieFit]:
    """Read what `save_fits` wrote; an InputError where the file is not of that kind.

    Arrays of no locus are passed over when there are loci: files written with numpy < 2.1 may hold one.
    """
    loci: dict[str, Arrays] = {}
    with _readable(path) as stored:
        keys = [key for key in stored if "/" in key]
        for key in keys or stored:
            locus, _, name = key.rpartition("/")
            loci.setdefault(locus, {})[name] = stored[key]
        return {locus: _fit_of(arrays) for locus, arrays in loci.items()}


class FitFiles(Mapping[str, tuple[SusieFit, tuple[str, ...]]]):
    """Fits with the names of their variants in several files of `save_fits`; a locus is read when it is needed.

    They are in the order of the files, or in that of the names in `order`.

    Raises
    ------
    InputError
        A file is absent or not of that kind, or a locus is in two of them.
    """

    def __init__(self, paths: Sequence[str | Path], order: Sequence[str] = ()) -> None:
        self.files: dict[str, str | Path] = {}
        for path in paths:
            with _readable(path) as stored:
                loci = [key.removesuffix("/variant_id") for key in stored if key.endswith("/variant_id")]
            for locus in loci:
                if locus in self.files:
                    raise InputError(f"{path}: locus '{locus}' is in {self.files[locus]} too")
                self.files[locus] = path
        if order:
            self.files = {locus: self.files[locus] for locus in order if locus in self.files}

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __getitem__(self, locus: str) -> tuple[SusieFit, tuple[str, ...]]:
        with _readable(self.files[locus]) as stored:
            arrays = {key.rpartition("/")[2]: stored[key] for key in stored if key.rpartition("/")[0] == locus}
            return _fit_of(arrays), tuple(map(str, arrays["variant_id"]))


@contextmanager
def _readable(path: str | Path) -> Iterator[Archive]:
    """The arrays of a file, or an InputError where it is not one of fits."""
    with checked(path, "a file of fits", once=True), Archive(path) as stored:
        yield stored


def _fit_arrays(fit: SusieFit) -> Arrays:
    arrays: Arrays = {name: getattr(fit, name) for name in ARRAYS}
    sets = fit.sets.sets
    purity = [(s.purity.min_abs_corr, s.purity.mean_abs_corr, s.purity.median_abs_corr) for s in sets]
    return arrays | {
        "sigma2": np.array(fit.sigma2),
        "niter": np.array(fit.niter),
        "converged": np.array(fit.converged),
        "null_index": np.array(-1 if fit.null_index is None else fit.null_index),
        "set_effect": np.array([s.effect for s in sets], np.int64),
        "set_size": np.array([len(s.variables) for s in sets], np.int64),
        "set_variables": np.array([v for s in sets for v in s.variables], np.int64),
        "set_coverage": np.array([s.coverage for s in sets], np.float64),
        "set_purity": np.array(purity, np.float64).reshape(-1, 3),
        "set_log10_bayes_factor": np.array([s.log10_bayes_factor for s in sets], np.float64),
        "set_requested": np.array([fit.sets.requested_coverage, fit.sets.min_abs_corr]),
        "set_reason": np.array(fit.sets.reason),
    }


def _fit_of(arrays: Arrays) -> SusieFit:
    variables = np.split(arrays["set_variables"], np.cumsum(arrays["set_size"])[:-1])
    sets = tuple(
        CredibleSet(int(effect), members, float(coverage), Purity(*map(float, purity)), float(bayes_factor))
        for effect, members, coverage, purity, bayes_factor in zip(
            arrays["set_effect"],
            variables,
            arrays["set_coverage"],
            arrays["set_purity"],
            arrays["set_log10_bayes_factor"],
            strict=False,
        )
    )
    coverage, min_abs_corr = map(float, arrays["set_requested"])
    null_index = int(arrays["null_index"])
    return SusieFit(
        **{name: arrays[name] for name in ARRAYS},
        sigma2=float(arrays["sigma2"]),
        niter=int(arrays["niter"]),
        converged=bool(arrays["converged"]),
        null_index=None if null_index < 0 else null_index,
        sets=CredibleSets(sets, coverage, min_abs_corr, str(arrays["set_reason"])),
    )


@dataclass(frozen=True)
class RObject:
    """A value with R's attributes (names, class, dimnames, row.names, ...)."""

    value: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


def write_rds(path: str | Path, fits: Mapping[str, tuple[SusieFit, Sequence[str]]]) -> None:
    """Write a named list of objects of class "susie".

    Parameters
    ----------
    path : path of the rds file
    fits : mapping
        For each locus its fit and the p names of its variants; loci are read one after the other.

    Raises
    ------
    InputError
        There are not as many names as variants.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as handle,
        gzip.GzipFile(filename="", mode="wb", fileobj=handle, mtime=0, compresslevel=6) as packed,
    ):
        packed.write(HEADER)
        _Writer(packed).write(_SusieList(fits))


class _SusieList(Mapping[str, RObject]):
    """The list of R objects, each made when it is written."""

    def __init__(self, fits: Mapping[str, tuple[SusieFit, Sequence[str]]]) -> None:
        self.fits = fits

    def __len__(self) -> int:
        return len(self.fits)

    def __iter__(self) -> Iterator[str]:
        return iter(self.fits)

    def __getitem__(self, locus: str) -> RObject:
        return susie_object(*self.fits[locus])


def susie_object(fit: SusieFit, variant_ids: Sequence[str]) -> RObject:
    """One fit with the fields, names and 1-based indices of susieR's class "susie".

    Coefficients from z-scores are those of standardised genotypes: `X_column_scale_factors` are 1 and there is no
    intercept. A `RegressionFit` has both, which R's coef() and predict() use.
    """
    ids = list(variant_ids)
    if len(ids) != len(fit.pip):
        raise InputError(f"variant_ids: {len(ids)} names for {len(fit.pip)} variants")
    columns = [*ids, *(["null"] if fit.null_index is not None else [])]
    scale = np.ones(len(columns))  # The null column keeps 1, as in susieR.
    scale[: len(ids)] = getattr(fit, "X_column_scale_factors", 1.0)

    def by_variant(matrix: npt.NDArray[np.float64]) -> RObject:
        return RObject(matrix, {"dimnames": (None, columns)})

    return RObject(
        {
            "alpha": by_variant(fit.alpha),
            "mu": by_variant(fit.mu),
            "mu2": by_variant(fit.mu2),
            "KL": fit.KL,
            "lbf": fit.lbf,
            "lbf_variable": by_variant(fit.lbf_variable),
            "sigma2": fit.sigma2,
            "V": fit.V,
            "pi": fit.pi,
            "null_index": 0 if fit.null_index is None else fit.null_index + 1,
            "elbo": fit.elbo,
            "niter": fit.niter,
            "converged": fit.converged,
            "intercept": float(getattr(fit, "intercept", np.nan)),
            "X_column_scale_factors": scale,
            "pip": RObject(fit.pip, {"names": ids}),
            "sets": _sets(fit.sets),
            "z": fit.z,
        },
        {"class": "susie"},
    )


def _sets(sets: CredibleSets) -> dict[str, Any]:
    if not len(sets):
        return {"cs": None, "coverage": None, "requested_coverage": sets.requested_coverage}
    names = [found.name for found in sets.sets]
    purity = np.array([[p.min_abs_corr, p.mean_abs_corr, p.median_abs_corr] for p in (s.purity for s in sets.sets)])
    frame = dict(zip(PURITY, purity.T, strict=True))
    return {
        "cs": {found.name: np.sort(found.variables).astype(np.int64) + 1 for found in sets.sets},
        "purity": RObject(frame, {"class": "data.frame", "row.names": names}),
        "cs_index": np.array([found.effect for found in sets.sets]),
        "coverage": np.array([found.coverage for found in sets.sets]),
        "requested_coverage": sets.requested_coverage,
    }


class _Writer:
    """Writes Python values as R's.

    None is NULL; numbers, flags and arrays are vectors and matrices; text and a list of text are character vectors; a
    mapping is a list with names, a tuple a list without.
    """

    def __init__(self, handle: IO[bytes] | gzip.GzipFile) -> None:
        self.handle = handle
        self.symbols: dict[str, int] = {}

    def write(self, value: Any) -> None:
        attributes: Mapping[str, Any] = {}
        if isinstance(value, RObject):
            attributes, value = value.attributes, value.value
        if value is None:
            self._integers(NULL)
            return
        if isinstance(value, Mapping):
            attributes = {"names": list(value), **attributes}
            self._list(len(value), value.values(), attributes)
        elif isinstance(value, tuple):
            self._list(len(value), value, attributes)
        elif isinstance(value, str | list):
            self._texts([value] if isinstance(value, str) else value, attributes)
        else:
            array = np.asarray(value)
            if array.ndim > 1:
                attributes = {"dim": np.array(array.shape), **attributes}
            self._array(array.reshape(-1, order="F"), attributes)
        if attributes:
            self._attributes(attributes)

    def _list(self, length: int, members: Iterable[Any], attributes: Mapping[str, Any]) -> None:
        self._start(LIST, length, attributes)
        for member in members:
            self.write(member)

    def _texts(self, texts: list[str], attributes: Mapping[str, Any]) -> None:
        self._start(STRINGS, len(texts), attributes)
        for text in texts:
            self._text(text)

    def _integers(self, *values: int) -> None:
        self.handle.write(struct.pack(f">{len(values)}i", *values))

    def _start(self, code: int, length: int, attributes: Mapping[str, Any]) -> None:
        bits = (HAS_ATTRIBUTES if attributes else 0) | (IS_OBJECT if "class" in attributes else 0)
        self._integers(code | bits, length)

    def _text(self, text: str) -> None:
        encoded = text.encode()
        self._integers(CHARACTER | UTF8, len(encoded))
        self.handle.write(encoded)

    def _array(self, values: npt.NDArray[Any], attributes: Mapping[str, Any]) -> None:
        if values.dtype.kind == "f":
            self._start(DOUBLE, len(values), attributes)
            bits = values.astype(">f8").view(">u8")
            bits[np.isnan(values)] = NA_REAL
            self.handle.write(bits.tobytes())
        elif values.dtype.kind in "bi":
            self._start(LOGICAL if values.dtype.kind == "b" else INTEGER, len(values), attributes)
            self.handle.write(values.astype(">i4").tobytes())
        else:
            raise TypeError(f"no R vector holds values of type {values.dtype}")

    def _attributes(self, attributes: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            self._integers(PAIRLIST | HAS_TAG)
            if name in self.symbols:
                self._integers(self.symbols[name] << 8 | REFERENCE)
            else:
                self.symbols[name] = len(self.symbols) + 1
                self._integers(SYMBOL)
                self._text(name)
            self.write(value)
        self._integers(NULL)
