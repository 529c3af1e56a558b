"""Steps to the source heritability: compute_ld_scores (a chromosome), fit_heritability (a study)."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.tables import HERITABILITY, HERITABILITY_COEFFICIENTS, LOCUS_VARIANTS
from fineprior.files.whole import atomic_path
from fineprior.genome.contigs import Contigs, plain_name
from fineprior.genotypes.ld import ld_scores as scores_of
from fineprior.genotypes.panels import Panel, open_panel
from fineprior.priors.annotation_files import AnnotationFiles, Match, check_matches, read_sizes, variant_keys
from fineprior.priors.heritability import (
    HeritabilityRegression,
    RegressionRows,
    constrained,
    fit_regression,
    heritability_bins,
    split_halves,
)
from fineprior.priors.heritability_rows import (
    WEIGHT,
    ScoreRows,
    StudyVariants,
    columns_of,
    weight_column,
    weights_of,
)
from fineprior.project.panel_files import CHROM, chromosomes_of

log = logging.getLogger(__name__)

WINDOW = 1_000_000
"""Distance (bp) up to which LD counts in LD scores."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeritabilityFiles:
    """What per-SNP heritabilities are made from: patterns with {chrom}, the panel for LD scores of bins (or none)."""

    sumstats: str
    annotations: str
    ld_scores: str
    weights: str = ""
    panel: str = ""
    samples: str | None = None


@dataclass
class _Penalised:
    """Penalised estimates of all annotated variants.

    `heritability`: by chromosome (m,), NaN-free; `matches`: rows of the annotations that are variants of the study;
    `sizes`, `overlap`: sums of the annotations and of their products.
    """

    sizes: Floats
    overlap: Floats
    heritability: dict[str, Floats] = field(default_factory=dict)
    matches: dict[str, Match] = field(default_factory=dict)


def compute_ld_scores(
    *, annotations: str, chrom: str, output: str, sizes: str, panel: str, samples: str | None = None
) -> None:
    """LD scores of the annotations of a chromosome in the panel, and of one that is 1 everywhere (L2).

    Parameters
    ----------
    annotations
        Pattern of the annotation files, with {chrom}.
    chrom
        Name of the chromosome in it.
    output, sizes
        `.l2.ldscore.parquet` and `.l2.M` to write: CHR, SNP, BP, A1, A2 and LD scores, and sums of the annotations.
    panel, samples
        Panel, and a file of the people to keep.

    Raises
    ------
    InputError
        (Almost) no variant of the annotations is in the panel.
    """
    name = plain_name(chrom)
    files = AnnotationFiles(annotations)
    genotypes, variants = _chromosome_of_panel(panel, samples, name)
    match = _in_panel(files, name, variants)
    check_matches({name: match}, {name: len(variants)}, files.paths[name], panel)
    order = np.argsort(variants["pos"].to_numpy()[match.rows], kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    values = np.ones((len(order), len(files.columns) + 1), np.float32)
    for first, part in files.values(name, files.columns):
        start, stop = np.searchsorted(match.file_rows, [first, first + len(part)]).tolist()
        values[place[start:stop], :-1] = part[match.file_rows[start:stop] - first]
    here = variants.iloc[match.rows[order]]
    found = _panel_scores(genotypes, here, values)
    table = pd.DataFrame({"CHR": here["chrom"], "SNP": here["snp_id"], "BP": here["pos"], "A1": here["a1"],
                          "A2": here["a2"]}).reset_index(drop=True)  # fmt: skip
    columns = [*files.columns, WEIGHT] if WEIGHT not in files.columns else files.columns
    scores = pd.DataFrame(found[:, : len(columns)].astype(np.float32), columns=columns)
    with atomic_path(output) as temporary:
        pd.concat([table, scores], axis=1).to_parquet(temporary, index=False, compression="zstd")
    totals = values[:, : len(columns)].sum(0, dtype=np.float64)
    with atomic_path(sizes) as temporary:
        temporary.write_text("\t".join(f"{total:.10g}" for total in totals) + "\n")


def fit_heritability(
    *,
    files: HeritabilityFiles,
    variants: Sequence[str],
    coefficients: str,
    output: str,
    bins: int = 20,
    max_ratio: float = 100.0,
    workers: int = 1,
) -> None:
    """Per-SNP heritabilities of the variants of all loci, each from other chromosomes.

    The penalised regression of a chromosome's half is that of the other half; its bins' is that of its own half without
    itself. Without a panel, or with `bins` 0, the penalised estimate is raised to at least the chromosome's largest /
    `max_ratio` and used itself.

    Parameters
    ----------
    files
        Where everything is.
    variants
        LOCUS_VARIANTS of all batches.
    coefficients, output
        HERITABILITY_COEFFICIENTS and HERITABILITY to write.
    bins
        Largest number of bins.
    max_ratio
        Largest ratio of two heritabilities of a chromosome; 0: no limit, those below 0 are 0.
    workers
        Threads that LD scores of bins are computed in; the result does not depend on it.

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
    HERITABILITY_COEFFICIENTS.write(pd.DataFrame(table), coefficients)
    found = _of_loci(study, variants, penalised, bin_of, tau, max_ratio)
    HERITABILITY.write(found, output)


def _log_missing(study: StudyVariants, chromosomes: Sequence[str]) -> None:
    lost = {name: size for name, size in study.sizes.items() if name not in chromosomes}
    if lost:
        log.warning("%d variants on chromosomes %s have no annotations or LD scores, and get the base rate",
                    sum(lost.values()), ", ".join(lost))  # fmt: skip


def _varying(columns: Mapping[str, str], rows: ScoreRows, where: str) -> dict[str, str]:
    """Annotations whose LD scores vary; `rows` goes on with these."""
    constant = set(rows.constant())
    dropped = [name for name, column in columns.items() if column in constant]
    if dropped:
        log.warning("%d annotations are dropped, for their LD scores do not vary: %s", len(dropped), ", ".join(dropped))
    kept = {name: column for name, column in columns.items() if column not in constant}
    if not kept:
        raise InputError(f"{where}: the LD scores of no annotation vary")
    rows.columns = list(kept.values())
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
    found = _Penalised(np.zeros(len(columns)), np.zeros((len(columns), len(columns))))
    for chrom, own in tau.items():
        pieces = []
        for _, part in annotations.values(chrom, columns):
            found.sizes += part.sum(0, dtype=np.float64)
            found.overlap += part.T @ part
            pieces.append(part @ own)
        found.heritability[chrom] = np.concatenate(pieces)
        here = study.read(chrom)
        found.matches[chrom] = Match(annotations.keys(chrom), here.names(annotations), annotations.by_alleles)
    check_matches(found.matches, {chrom: study.sizes[chrom] for chrom in tau}, annotations.pattern, study.path)
    return found


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
        genotypes, variants = _chromosome_of_panel(files.panel, files.samples, chrom)
        match = _in_panel(annotations, chrom, variants)
        order = np.argsort(variants["pos"].to_numpy()[match.rows], kind="stable")
        indicators = np.zeros((len(order), count), np.float32)
        own = bin_of[chrom][match.file_rows[order]]
        indicators[np.arange(len(order)), own] = 1
        scores = np.full((len(bin_of[chrom]), count), np.nan, np.float32)
        scores[match.file_rows[order]] = _panel_scores(genotypes, variants.iloc[match.rows[order]], indicators)
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
    study: StudyVariants, variants: Sequence[str], penalised: _Penalised, bin_of: Mapping[str, Integers],
    tau: Mapping[str, Floats], max_ratio: float,
) -> pd.DataFrame:  # fmt: skip
    """Table HERITABILITY of the variants of all loci."""
    wanted = pd.concat([LOCUS_VARIANTS.read(path)[["variant_id", "chrom", "pos"]] for path in variants])
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


def _chromosome_of_panel(path: str, samples: str | None, chrom: str) -> tuple[Panel, pd.DataFrame]:
    """The panel and its variants of a chromosome, with `row`; of a panel of many files only that one is opened."""
    if CHROM in path:
        own = Contigs(path, chromosomes_of(path), plink=True).find(chrom)
        if own is None:
            raise InputError(f"{path}: no file for chromosome '{chrom}'")
        path = path.replace(CHROM, own)
    panel = open_panel(path, samples or None)
    variants = panel.variants
    names = {name: plain_name(name, plink=True) for name in variants["chrom"].unique()}
    here = np.flatnonzero((variants["chrom"].map(names) == chrom).to_numpy())
    return panel, variants.iloc[here].assign(row=here)


def _in_panel(files: AnnotationFiles, chrom: str, variants: pd.DataFrame) -> Match:
    names = pd.Index(variants["snp_id"].to_numpy(object))
    if files.by_alleles:
        names = variant_keys(variants["pos"], variants["a1"], variants["a2"])
    return Match(files.keys(chrom), names, files.by_alleles)


def _panel_scores(panel: Panel, variants: pd.DataFrame, values: npt.NDArray[np.float32]) -> Floats:
    rows = variants["row"].to_numpy(np.int64)
    return scores_of(lambda index: panel.dosages(rows[index]), variants["pos"].to_numpy(np.int64), values, WINDOW)
