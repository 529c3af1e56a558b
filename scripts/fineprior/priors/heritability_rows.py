"""Rows of an LD-score regression: a study's chi2 beside LD scores and weights in files, a part at a time."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.genome.contigs import Contigs
from fineprior.priors.annotation_files import AnnotationFiles, Match, check_matches, variant_keys
from fineprior.priors.heritability import RegressionRows

log = logging.getLogger(__name__)

WEIGHT = "L2"
"""Column of weights: LD scores of an annotation that is 1 everywhere."""
_ONES = (WEIGHT, "base", "baseL2")


@dataclass(frozen=True)
class StudyChromosome:
    """Harmonised variants of a chromosome: names, chi2 and n, each (k,)."""

    variant_id: npt.NDArray[np.object_]
    by_alleles: pd.Index
    rsid: pd.Index
    chi2: Floats
    n: Floats

    def names(self, files: AnnotationFiles) -> pd.Index:
        """Names of the variants as these files name theirs."""
        return self.by_alleles if files.by_alleles else self.rsid


class StudyVariants:
    """A study's harmonised summary statistics (SUMSTATS, parquet), read one chromosome at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        with checked(path, "a readable sumstats table"):
            column = pq.read_table(path, columns=["chrom"])["chrom"]
        counts = {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}
        self.names = Contigs(path, counts).by_plain_name()
        """Name of each chromosome, by its name without chr."""
        self.sizes = {plain: int(counts[name]) for plain, name in self.names.items()}
        """Variants of each chromosome."""

    def read(self, chrom: str) -> StudyChromosome:
        """Variants of a chromosome (its name without chr)."""
        columns = ["variant_id", "rsid", "pos", "ref", "alt", "z", "n"]
        frame = pq.read_table(self.path, columns=columns, filters=[("chrom", "=", self.names[chrom])]).to_pandas()
        return StudyChromosome(
            frame["variant_id"].to_numpy(object),
            variant_keys(frame["pos"], frame["ref"], frame["alt"]),
            pd.Index(frame["rsid"].to_numpy(object)),
            np.square(frame["z"].to_numpy(float)),
            frame["n"].to_numpy(float),
        )


@dataclass(frozen=True)
class _Rows:
    """Rows of a file of LD scores that are used, increasing, with what belongs to them."""

    file_rows: npt.NDArray[np.int64]
    chi2: Floats
    n: Floats
    weight: Floats


class ScoreRows:
    """Rows of the regression of chi2 on LD scores.

    Parameters
    ----------
    study
        The study.
    chromosomes
        Those to use.
    ld_scores, weights
        LD scores of annotations, and the files that hold LD scores to weight with.
    columns
        Columns of `ld_scores` to use.

    Raises
    ------
    InputError
        No column to weight with, or (almost) no variant of the study in the files.
    """

    def __init__(
        self, study: StudyVariants, chromosomes: Sequence[str], ld_scores: AnnotationFiles, weights: AnnotationFiles,
        columns: Sequence[str],
    ) -> None:  # fmt: skip
        self._files, self.columns = ld_scores, list(columns)
        """Columns in use."""
        weight = weight_column(weights)
        self._rows: dict[str, _Rows] = {}
        matches, lost = {}, 0
        for chrom in chromosomes:
            here = study.read(chrom)
            matches[chrom] = Match(ld_scores.keys(chrom), here.names(ld_scores), ld_scores.by_alleles)
            same = matches[chrom] if weights.pattern == ld_scores.pattern else None
            known = weights_of(here, weights, chrom, weight, same)[matches[chrom].rows]
            chi2, n = here.chi2[matches[chrom].rows], here.n[matches[chrom].rows]
            used = np.isfinite(chi2) & np.isfinite(n) & np.isfinite(known)
            lost += int((~used).sum())
            self._rows[chrom] = _Rows(matches[chrom].file_rows[used], chi2[used], n[used], known[used])
        check_matches(matches, {chrom: study.sizes[chrom] for chrom in chromosomes}, ld_scores.pattern, study.path)
        if lost:
            log.info("%d of these have no n or no weight (%s), and are not used", lost, weights.pattern)
        self._rows = {chrom: rows for chrom, rows in self._rows.items() if len(rows.n)}

    @property
    def chromosomes(self) -> list[str]:
        """Chromosomes that have rows."""
        return list(self._rows)

    @property
    def largest_n(self) -> float:
        """Largest sample size."""
        return max((float(rows.n.max()) for rows in self._rows.values()), default=0.0)

    def __call__(self) -> Iterator[RegressionRows]:
        """Read the rows, a part at a time."""
        for chrom, rows in self._rows.items():
            for first, values in self._files.values(chrom, self.columns):
                start, stop = np.searchsorted(rows.file_rows, [first, first + len(values)]).tolist()
                if start < stop:
                    scores = values[rows.file_rows[start:stop] - first]
                    part = slice(start, stop)
                    yield RegressionRows(chrom, rows.chi2[part], rows.n[part], rows.weight[part], scores)

    def constant(self) -> list[str]:
        """Columns whose LD scores are the same for all rows (those of an annotation of zeros, say)."""
        low, high = np.full(len(self.columns), np.inf), np.full(len(self.columns), -np.inf)
        for rows in self():
            low, high = np.minimum(low, rows.ld_scores.min(0)), np.maximum(high, rows.ld_scores.max(0))
        return [name for name, varies in zip(self.columns, low < high, strict=True) if not varies]


def weight_column(files: AnnotationFiles) -> str:
    """Column of LD scores to weight with: L2, base, or the only one.

    Raises
    ------
    InputError
        There is none of these.
    """
    found = next((name for name in _ONES if name in files.columns), None)
    if found is None and len(files.columns) == 1:
        found = files.columns[0]
    if found is None:
        raise InputError(
            f"{files.pattern}: no column {', '.join(_ONES)} to weight with; name files with one in "
            "priors.heritability_weights"
        )
    return found


def weights_of(
    study: StudyChromosome, files: AnnotationFiles, chrom: str, column: str, match: Match | None = None
) -> Floats:
    """LD score (k,) that each variant is weighted with, NaN where the files have none; `match` if it is known."""
    found = np.full(len(study.n), np.nan)
    if chrom in files.paths:
        values = np.concatenate([np.zeros((0, 1)), *(part for _, part in files.values(chrom, [column]))])[:, 0]
        match = match or Match(files.keys(chrom), study.names(files), files.by_alleles)
        found[match.rows] = values[match.file_rows]
    return found


def columns_of(annotations: AnnotationFiles, ld_scores: AnnotationFiles) -> dict[str, str]:
    """Column of LD scores of each annotation; LDSC adds L2 to the name.

    Raises
    ------
    InputError
        An annotation has no LD scores.
    """
    found = {}
    for name in annotations.columns:
        column = next((other for other in (name, f"{name}{WEIGHT}") if other in ld_scores.columns), None)
        if column is None:
            raise InputError(f"{ld_scores.pattern}: no LD scores of annotation {name} of {annotations.pattern}; there "
                             f"are {', '.join(ld_scores.columns[:20])}")  # fmt: skip
        found[name] = column
    unused = sorted(set(ld_scores.columns) - {*found.values(), WEIGHT})
    if unused:
        log.info("%s: %d columns are of no annotation, and not used: %s", ld_scores.pattern, len(unused),
                 ", ".join(unused[:20]))  # fmt: skip
    return found
