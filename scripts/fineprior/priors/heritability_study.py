"""Per-variant heritabilities of a study from files: rows of the regressions, penalised estimates, bins, tables.

The statistics are those of `heritability`; here a study's chi2 meet annotations and LD scores, a part at a time.
"""

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.genome.contigs import Contigs
from fineprior.priors.annotation_files import (
    WEIGHT,
    AnnotationFiles,
    Match,
    PanelChromosome,
    check_matches,
    read_sizes,
    variant_keys,
)
from fineprior.priors.heritability import (
    HeritabilityRegression,
    RegressionRows,
    constrained,
    fit_regression,
    heritability_bins,
    split_halves,
)

log = logging.getLogger(__name__)

Integers = npt.NDArray[np.int64]
_ONES = (WEIGHT, "base", "baseL2")
"""Columns of LD scores of an annotation that is 1 everywhere."""


@dataclass(frozen=True)
class HeritabilityFiles:
    """Files of a study: patterns with {chrom}; the panel for LD scores of bins, "" where there is none."""

    sumstats: str
    annotations: str
    ld_scores: str
    weights: str = ""
    panel: str = ""
    samples: str | None = None


@dataclass(frozen=True)
class StudyHeritability:
    """Tables HERITABILITY_COEFFICIENTS and HERITABILITY of a study."""

    coefficients: pd.DataFrame
    heritability: pd.DataFrame


@dataclass(frozen=True)
class _Penalised:
    """Penalised estimates of all annotated variants.

    `heritability`: by chromosome (m,), NaN-free; `matches`: rows of the annotations that are variants of the study;
    `sizes`, `overlap`: sums of the annotations and of their products.
    """

    sizes: Floats
    overlap: Floats
    heritability: Mapping[str, Floats]
    matches: Mapping[str, Match]


def heritabilities_of_study(
    files: HeritabilityFiles, wanted: pd.DataFrame, bins: int, max_ratio: float, workers: int
) -> StudyHeritability:
    """Per-variant heritabilities of the variants of all loci, each estimated on other chromosomes.

    The penalised regression for a chromosome is that of the other half of the genome; its bins' is that of its own half
    without itself. Without a panel, or with `bins` 0, the penalised estimate itself is used, raised to at least the
    chromosome's largest / `max_ratio`.

    Parameters
    ----------
    files
        Where everything is.
    wanted
        Columns variant_id, chrom, pos: the variants of all loci.
    bins
        Largest number of bins.
    max_ratio
        Largest ratio of two heritabilities of a chromosome; 0: no limit, those below 0 are 0.
    workers
        Threads that LD scores of bins are computed in; the result does not depend on their number.

    Raises
    ------
    InputError
        (Almost) none of the study's variants has annotations or LD scores, or there are fewer than two chromosomes in
        a half of the genome.
    """
    study = StudyVariants(files.sumstats)
    annotations, ld_files = AnnotationFiles(files.annotations), AnnotationFiles(files.ld_scores)
    weights = AnnotationFiles(files.weights or files.ld_scores)
    chromosomes = [name for name in annotations.paths if name in ld_files.paths and name in study.sizes]
    _log_missing(study, chromosomes)
    columns = columns_of(annotations, ld_files)
    rows = ScoreRows(study, chromosomes, ld_files, weights, list(columns.values()))
    columns = _varying(columns, rows, files.ld_scores)
    rows = rows.with_columns(list(columns.values()))
    halves = split_halves(rows.chromosomes)
    sizes = _sizes(annotations, ld_files, rows.chromosomes, columns)
    fit = fit_regression(rows, sizes, halves, rows.largest_n)
    log.info("%d variants in the regression on %d annotations", fit.rows, len(columns))
    tau = {chrom: fit.ridge(chrom)[0] for chrom in fit.halves}
    penalised = _penalised(annotations, study, list(columns), tau)
    table = _coefficient_rows("penalised", list(columns), tau, penalised)
    bin_of: dict[str, Integers] = {}
    if bins and files.panel:
        bin_of = _bins(penalised.heritability, fit.halves, bins)
        refit = _fit_bins(files, study, annotations, weights, penalised, bin_of, fit, workers)
        tau = {chrom: refit.nonnegative(chrom) for chrom in refit.halves}
        table += _bin_rows(tau, bin_of)
    else:
        why = "priors.heritability_bins is 0" if files.panel else "there is no panel for LD scores of bins"
        log.warning("the penalised estimates are used themselves, for %s", why)
    found = _of_loci(study, wanted, penalised, bin_of, tau, max_ratio)
    return StudyHeritability(pd.DataFrame(table), found)


@dataclass(frozen=True)
class StudyChromosome(ReadOnly):
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

    def with_columns(self, columns: Sequence[str]) -> "ScoreRows":
        """The same rows with these columns of LD scores."""
        other = copy.copy(self)
        other.columns = list(columns)
        return other

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


def _log_missing(study: StudyVariants, chromosomes: Sequence[str]) -> None:
    lost = {name: size for name, size in study.sizes.items() if name not in chromosomes}
    if lost:
        log.warning("%d variants on chromosomes %s have no annotations or LD scores, and get the base rate",
                    sum(lost.values()), ", ".join(lost))  # fmt: skip


def _varying(columns: Mapping[str, str], rows: ScoreRows, where: str) -> dict[str, str]:
    """Annotations whose LD scores vary, with their columns."""
    constant = set(rows.constant())
    dropped = [name for name, column in columns.items() if column in constant]
    if dropped:
        log.warning("%d annotations are dropped, for their LD scores do not vary: %s", len(dropped), ", ".join(dropped))
    kept = {name: column for name, column in columns.items() if column not in constant}
    if not kept:
        raise InputError(f"{where}: the LD scores of no annotation vary")
    return kept


def _sizes(
    annotations: AnnotationFiles, ld_files: AnnotationFiles, chromosomes: Sequence[str], columns: Mapping[str, str]
) -> Floats:
    """Sum (annotations,) of each annotation, from the files beside the LD scores or of the annotations themselves."""
    known = read_sizes(ld_files.pattern, chromosomes, len(ld_files.columns))
    if known is not None:
        return known[[ld_files.columns.index(column) for column in columns.values()]]
    total = np.zeros(len(columns))
    for chrom in chromosomes:
        for _, part in annotations.values(chrom, list(columns)):
            total += part.sum(0, dtype=np.float64)
    return total


def _penalised(
    annotations: AnnotationFiles, study: StudyVariants, columns: list[str], tau: Mapping[str, Floats]
) -> _Penalised:
    sizes, overlap = np.zeros(len(columns)), np.zeros((len(columns), len(columns)))
    heritability, matches = {}, {}
    for chrom, own in tau.items():
        pieces = []
        for _, part in annotations.values(chrom, columns):
            sizes += part.sum(0, dtype=np.float64)
            overlap += part.T @ part
            pieces.append(part @ own)
        heritability[chrom] = np.concatenate(pieces)
        here = study.read(chrom)
        matches[chrom] = Match(annotations.keys(chrom), here.names(annotations), annotations.by_alleles)
    check_matches(matches, {chrom: study.sizes[chrom] for chrom in tau}, annotations.pattern, study.path)
    return _Penalised(sizes, overlap, heritability, matches)


def _bins(heritability: Mapping[str, Floats], halves: Mapping[str, int], count: int) -> dict[str, Integers]:
    """Bin of each annotated variant, by chromosome.

    Each half has bins of its own: their edges come from coefficients of the other half, and know nothing of this one.
    """
    found: dict[str, Integers] = {}
    for half in (0, 1):
        own = [chrom for chrom, other in halves.items() if other == half]
        bins = heritability_bins(np.concatenate([heritability[chrom] for chrom in own]), count)
        edges = np.cumsum([len(heritability[chrom]) for chrom in own])[:-1]
        found |= dict(zip(own, np.split(bins, edges), strict=True))
    return found


def _fit_bins(
    files: HeritabilityFiles, study: StudyVariants, annotations: AnnotationFiles, weights: AnnotationFiles,
    penalised: _Penalised, bin_of: Mapping[str, Integers], fit: HeritabilityRegression, workers: int,
) -> HeritabilityRegression:  # fmt: skip
    """Regression on bins; their LD scores for the study's variants are held in memory, four bytes each."""
    count = max(int(bins.max()) for bins in bin_of.values()) + 1
    column = weight_column(weights)

    def rows_of(chrom: str) -> tuple[RegressionRows, Floats]:
        panel = PanelChromosome.of(files.panel, files.samples, chrom, annotations)
        own = bin_of[chrom][panel.file_rows]
        indicators = np.zeros((len(own), count), np.float32)
        indicators[np.arange(len(own)), own] = 1
        scores = np.full((len(bin_of[chrom]), count), np.nan, np.float32)
        scores[panel.file_rows] = panel.ld_scores(indicators)
        here, of_study = study.read(chrom), penalised.matches[chrom]
        rows = of_study.rows
        values = RegressionRows(chrom, here.chi2[rows], here.n[rows], weights_of(here, weights, chrom, column)[rows],
                                scores[of_study.file_rows])  # fmt: skip
        used = np.isfinite(values.chi2 + values.n + values.weight_ld + values.ld_scores[:, 0])
        kept = RegressionRows(chrom, *(array[used] for array in values[1:]))  # type: ignore[arg-type]
        return kept, indicators.sum(0, dtype=np.float64)

    with ThreadPoolExecutor(workers) as pool:
        made = list(pool.map(rows_of, fit.halves))
    sizes = np.sum([size for _, size in made], axis=0)
    log.info("%d bins; %d variants in their regression", count, sum(len(rows.n) for rows, _ in made))
    kept = [rows for rows, _ in made if len(rows.n)]
    return fit_regression(lambda: kept, sizes, fit.halves, level_of_other_half=True)


def _of_loci(
    study: StudyVariants, wanted: pd.DataFrame, penalised: _Penalised, bin_of: Mapping[str, Integers],
    tau: Mapping[str, Floats], max_ratio: float,
) -> pd.DataFrame:  # fmt: skip
    """Table HERITABILITY of the variants of all loci."""
    wanted = wanted.drop_duplicates("variant_id").reset_index(drop=True)
    columns = {name: np.full(len(wanted), np.nan) for name in ("heritability", "penalised", "bin")}
    for chrom, name in study.names.items():
        here = np.flatnonzero((wanted["chrom"] == name).to_numpy())
        if chrom not in penalised.heritability or not len(here):
            continue
        match, estimates = penalised.matches[chrom], penalised.heritability[chrom]
        ids = pd.Index(study.read(chrom).variant_id[match.rows])
        places = ids.get_indexer(wanted["variant_id"].iloc[here])
        rows, here = match.file_rows[places[places >= 0]], here[places >= 0]
        columns["penalised"][here] = estimates[rows]
        used = estimates
        if bin_of:
            used = tau[chrom][bin_of[chrom]]
            columns["bin"][here] = bin_of[chrom][rows] + 1
        if used.max() <= 0:
            log.warning("chromosome %s: no heritability is above 0, so its variants get the base rate", chrom)
            continue
        columns["heritability"][here] = constrained(used, max_ratio or np.inf)[rows]
    known = np.isfinite(columns["heritability"])
    log.info("%d of %d variants of loci have a heritability", int(known.sum()), len(wanted))
    return wanted.assign(**columns)


def _coefficient_rows(
    step: str, names: Iterable[str], tau: Mapping[str, Floats], found: _Penalised
) -> list[dict[str, object]]:
    count = sum(len(values) for values in found.heritability.values())
    rows: list[dict[str, object]] = []
    for chrom, own in tau.items():
        total = float(found.sizes @ own)
        share = found.overlap @ own / total if total > 0 else np.full(len(own), np.nan)
        size = np.where(found.sizes != 0, found.sizes, np.nan)
        for name, one, of_all, variants in zip(names, own, share, size, strict=True):
            rows.append({"step": step, "left_out": chrom, "annotation": name, "coefficient": one, "size": variants,
                         "share": of_all, "enrichment": of_all / (variants / count)})  # fmt: skip
    return rows


def _bin_rows(tau: Mapping[str, Floats], bin_of: Mapping[str, Integers]) -> list[dict[str, object]]:
    """Rows of the bins of each chromosome: sizes and shares are those within the chromosome."""
    rows: list[dict[str, object]] = []
    for chrom, own in tau.items():
        sizes = np.bincount(bin_of[chrom], minlength=len(own)).astype(float)
        total = float(sizes @ own)
        for number in range(len(own)):
            if sizes[number]:
                share = sizes[number] * own[number] / total if total > 0 else np.nan
                rows.append({"step": "bins", "left_out": chrom, "annotation": f"bin_{number + 1}",
                             "coefficient": own[number], "size": sizes[number], "share": share,
                             "enrichment": share / (sizes[number] / sizes.sum())})  # fmt: skip
    return rows
