"""Fits of loci in one npz file: the same fits make the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Archive
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.whole import atomic_path
from fineprior.finemap.credible_sets import CredibleSet, CredibleSets, Purity
from fineprior.finemap.searched import Searched
from fineprior.finemap.susie import SusieFit

ARRAYS = ("alpha", "mu", "mu2", "lbf", "lbf_variable", "V", "KL", "elbo", "pi", "pip", "z")
Arrays = dict[str, npt.NDArray[Any]]


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
        `set_reason`. A posterior by search is stored as `search_pip`, `search_numbers`, `search_gap`, `search_agreed`
        and `search_log_evidence`, with its sets as `search_set_...` and `search_further_set_...`.
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
    return arrays | {
        "sigma2": np.array(fit.sigma2),
        "niter": np.array(fit.niter),
        "converged": np.array(fit.converged),
        "null_index": np.array(-1 if fit.null_index is None else fit.null_index),
        **_set_arrays(fit.sets, ""),
        **({} if fit.search is None else _search_arrays(fit.search)),
    }


def _search_arrays(found: Searched) -> Arrays:
    return {
        "search_pip": found.pip,
        "search_numbers": found.numbers,
        "search_gap": np.array(found.gap),
        "search_agreed": np.array(found.agreed),
        "search_log_evidence": np.array(found.log_evidence),
        **_set_arrays(found.sets, "search_"),
        **_set_arrays(found.further, "search_further_"),
    }


def _set_arrays(found: CredibleSets, prefix: str) -> Arrays:
    sets = found.sets
    purity = [(s.purity.min_abs_corr, s.purity.mean_abs_corr, s.purity.median_abs_corr) for s in sets]
    return {
        f"{prefix}set_effect": np.array([s.effect for s in sets], np.int64),
        f"{prefix}set_size": np.array([len(s.variables) for s in sets], np.int64),
        f"{prefix}set_variables": np.array([v for s in sets for v in s.variables], np.int64),
        f"{prefix}set_coverage": np.array([s.coverage for s in sets], np.float64),
        f"{prefix}set_purity": np.array(purity, np.float64).reshape(-1, 3),
        f"{prefix}set_log10_bayes_factor": np.array([s.log10_bayes_factor for s in sets], np.float64),
        f"{prefix}set_requested": np.array([found.requested_coverage, found.min_abs_corr]),
        f"{prefix}set_reason": np.array(found.reason),
    }


def _fit_of(arrays: Arrays) -> SusieFit:
    null_index = int(arrays["null_index"])
    return SusieFit(
        **{name: arrays[name] for name in ARRAYS},
        sigma2=float(arrays["sigma2"]),
        niter=int(arrays["niter"]),
        converged=bool(arrays["converged"]),
        null_index=None if null_index < 0 else null_index,
        sets=_sets_of(arrays, ""),
        search=_search_of(arrays) if "search_pip" in arrays else None,
    )


def _search_of(arrays: Arrays) -> Searched:
    return Searched(
        pip=arrays["search_pip"],
        sets=_sets_of(arrays, "search_"),
        further=_sets_of(arrays, "search_further_"),
        numbers=arrays["search_numbers"],
        gap=float(arrays["search_gap"]),
        agreed=bool(arrays["search_agreed"]),
        log_evidence=float(arrays["search_log_evidence"]),
    )


def _sets_of(arrays: Arrays, prefix: str) -> CredibleSets:
    def own(name: str) -> npt.NDArray[Any]:
        return arrays[f"{prefix}set_{name}"]

    variables = np.split(own("variables"), np.cumsum(own("size"))[:-1])
    sets = tuple(
        CredibleSet(int(effect), members, float(coverage), Purity(*map(float, purity)), float(bayes_factor))
        for effect, members, coverage, purity, bayes_factor in zip(
            own("effect"),
            variables,
            own("coverage"),
            own("purity"),
            own("log10_bayes_factor"),
            strict=False,
        )
    )
    coverage, min_abs_corr = map(float, own("requested"))
    return CredibleSets(sets, coverage, min_abs_corr, str(own("reason")))
