"""Fits as an R object (.rds) that susieR, coloc and base R read: `fits <- readRDS("fits.rds"); fits[["<locus>"]]$pip`.

The layout is that of R ("R Internals", Serialization Formats): version 2, XDR byte order, gzip without time and name.
"""

import gzip
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fineprior.files.errors import InputError
from fineprior.files.whole import atomic_path
from fineprior.finemap.credible_sets import CredibleSets
from fineprior.finemap.searched import Searched
from fineprior.finemap.susie import SusieFit

# Type codes and bits of R's serialization.
NULL, SYMBOL, PAIRLIST, REFERENCE = 254, 1, 2, 255
CHARACTER, LOGICAL, INTEGER, DOUBLE, STRINGS, LIST = 9, 10, 13, 14, 16, 19
IS_OBJECT, HAS_ATTRIBUTES, HAS_TAG, UTF8 = 1 << 8, 1 << 9, 1 << 10, 1 << 15
# Version 2 of the format; what wrote it (R 3.5.0); what reads it (R 2.3.0 and later).
HEADER = b"X\n" + struct.pack(">iii", 2, 0x00030500, 0x00020300)
# The NaN that R shows as NA.
NA_REAL = 0x7FF00000000007A2
PURITY = ("min.abs.corr", "mean.abs.corr", "median.abs.corr")


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
    intercept. A `RegressionFit` has both, which R's coef() and predict() use. A posterior by search is one more field,
    `search`, which susieR does not look at.
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
            **({} if fit.search is None else {"search": _search(fit.search, ids)}),
        },
        {"class": "susie"},
    )


def _search(found: Searched, ids: list[str]) -> dict[str, Any]:
    most = range(len(found.numbers))
    return {
        "pip": RObject(found.pip, {"names": ids}),
        "sets": _sets(found.sets),
        "further_sets": _sets(found.further),
        "numbers": RObject(found.numbers, {"names": [str(number) for number in most]}),
        "gap": found.gap,
        "agreed": found.agreed,
        "log_evidence": found.log_evidence,
    }


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
