"""Per-variant heritability from annotations: stratified LD-score regression, as PolyFun makes priors of it.

E[chi2_j] = n sum_c tau_c l(j, c) + 1 + n a (Finucane et al. 2015, doi:10.1038/ng.3404); var(beta_j) = sum_c tau_c a_jc;
the prior of a variant is proportional to it (Weissbrod et al. 2020, doi:10.1038/s41588-020-00735-5). Two steps: an
L2-penalised regression on all annotations, whose per-variant heritabilities are cut into bins, and a non-negative
regression on the bins.

Estimates follow from sums over chromosomes (X'X, X'y), made in one stream over the rows: the variants, and their
annotations, need not fit into memory.

A chromosome's estimates never use its own data: its penalised coefficients, with their weights and penalty, come from
the chromosomes of the other half of the genome, and its bins' coefficients from its own half without itself (with
weights from the mean chi2 of the other half), so that the two steps are independent of each other. PolyFun's program
takes the penalised coefficients from the chromosome's own half.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError

log = logging.getLogger(__name__)

LARGEST_CHI2 = 80.0
_CHI2_SHARE = 0.001
_LAMBDAS = np.logspace(-8, 2, 100)
"""Penalties tried, relative to the mean squared norm of a column."""
_LEVELS = 1000


class RegressionRows(NamedTuple):
    """Variants of a regression: chi2, sample size, LD score to weight with, each (k,); LD scores (k, annotations)."""

    chrom: str
    chi2: Floats
    n: Floats
    weight_ld: Floats
    ld_scores: npt.NDArray[np.floating]


Stream = Callable[[], Iterable[RegressionRows]]
"""Opens the rows anew: they are read more than once. An item holds rows of one chromosome; it may be one of many."""


@dataclass
class _Half:
    """Sums over the chromosomes of one half that the weights of its regression need."""

    rows: int = 0
    chi2: float = 0.0
    n: float = 0.0
    ld_n: float = 0.0
    removed: int = 0

    def aggregate(self, annotated: float) -> float:
        """Heritability of all variants, from means (the start of LDSC's weights)."""
        return annotated * (self.chi2 - self.rows) / self.ld_n if self.ld_n else 0.0


@dataclass
class _Sums:
    """Weighted sums of a chromosome; the last column of the design is the intercept."""

    xtx: Floats
    xty: Floats
    columns: Floats
    rows: int = 0
    y: float = 0.0
    yy: float = 0.0

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.xtx + other.xtx, self.xty + other.xty, self.columns + other.columns,
            self.rows + other.rows, self.y + other.y, self.yy + other.yy,
        )  # fmt: skip


@dataclass(frozen=True)
class HeritabilityRegression:
    """Sums of an LD-score regression, by chromosome, from which all estimates follow.

    Attributes
    ----------
    halves
        Half (0 or 1) of each chromosome.
    mean_n
        Mean sample size of the rows of each half.
    rows, removed
        Variants used, and excluded for a chi2 above max(0.001 x largest n, 80).
    """

    halves: Mapping[str, int]
    mean_n: tuple[float, float]
    rows: int
    removed: int
    _sums: Mapping[str, _Sums] = field(repr=False)

    def ridge(self, chrom: str) -> tuple[Floats, float]:
        """Coefficients tau (annotations,) for a chromosome from the other half, and the penalty chosen there.

        The penalty has the largest R^2 of predictions for chromosomes of that half that were left out in turn.
        """
        train = [name for name, half in self.halves.items() if half != self._half(chrom)]
        return self._ridge(train)

    def nonnegative(self, chrom: str) -> Floats:
        """Coefficients tau (annotations,) >= 0 for a chromosome from the other chromosomes of its own half."""
        half = self._half(chrom)
        train = [name for name, other in self.halves.items() if other == half and name != chrom]
        from scipy.optimize import nnls

        total = self._total(train)
        # nnls of the triangular factor has the same solution as nnls of all rows
        values, vectors = np.linalg.eigh(total.xtx)
        kept = values > values[-1] * 1e-12
        root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
        target = (vectors[:, kept].T @ total.xty) / np.sqrt(values[kept])
        scale = np.sqrt(np.diag(total.xtx))
        scale[scale == 0] = 1
        tau = nnls(root / scale, target, maxiter=100 * len(scale))[0] / scale
        return tau[:-1] / self.mean_n[half]

    def _half(self, chrom: str) -> int:
        if chrom not in self.halves:
            known = ", ".join(self.halves)
            raise InputError(f"heritability: chromosome {chrom} has no LD scores; there are {known}")
        return self.halves[chrom]

    def _total(self, chroms: list[str]) -> _Sums:
        total = self._sums[chroms[0]]
        for chrom in chroms[1:]:
            total = total + self._sums[chrom]
        return total

    def _ridge(self, train: list[str]) -> tuple[Floats, float]:
        total = self._total(train)
        centre = np.eye(len(total.xtx))
        centre[-1, :-1] = -total.columns / total.rows
        norms = np.sqrt(np.maximum(np.diag(centre.T @ total.xtx @ centre), 0))
        norms[norms == 0] = 1
        turn = centre / norms
        xtx, xty = turn.T @ total.xtx @ turn, turn.T @ total.xty
        lambdas = _LAMBDAS * float(np.diag(xtx).mean())
        residual = np.zeros(len(lambdas))
        for left_out in train:
            own = self._sums[left_out]
            own_xtx, own_xty = turn.T @ own.xtx @ turn, turn.T @ own.xty
            fitted = _ridge_path(xtx - own_xtx, xty - own_xty, lambdas)
            residual += own.yy - 2 * own_xty @ fitted + np.einsum("al,ab,bl->l", fitted, own_xtx, fitted)
        best = int(residual.argmin())
        tau = turn @ _ridge_path(xtx, xty, lambdas[best : best + 1])[:, 0]
        half = self.halves[train[0]]
        return tau[:-1] / self.mean_n[half], float(lambdas[best])


def fit_regression(
    stream: Stream,
    sizes: Floats,
    halves: Mapping[str, int],
    largest_n: float | None = None,
    level_of_other_half: bool = False,
) -> HeritabilityRegression:
    """Sum up an LD-score regression.

    Parameters
    ----------
    stream
        Opens the rows.
    sizes
        (annotations,) sum of each annotation over all variants that LD scores count (LDSC's M).
    halves
        Half of each chromosome; at least two chromosomes in each.
    largest_n
        Largest sample size; without it the rows are read once more.
    level_of_other_half
        Whether the weights of a half use the mean chi2 of the other half. `nonnegative` is then independent of the
        chromosome's own chi2; `ridge` is so where they use the mean of their own half.

    Raises
    ------
    InputError
        Fewer than two chromosomes in a half, a row that is not finite, or no rows.
    """
    if largest_n is None:
        largest_n = max((float(rows.n.max(initial=0)) for rows in stream()), default=0.0)
    limit = max(_CHI2_SHARE * largest_n, LARGEST_CHI2)
    seen: set[str] = set()
    parts = (_Half(), _Half())
    for rows in stream():
        _check_rows(rows, halves)
        seen.add(rows.chrom)
        part, used = parts[halves[rows.chrom]], rows.chi2 < limit
        part.rows += int(used.sum())
        part.removed += int((~used).sum())
        part.chi2 += float(rows.chi2[used].sum())
        part.n += float(rows.n[used].sum())
        part.ld_n += float((rows.ld_scores[used].sum(1, dtype=np.float64) * rows.n[used]).sum())
    for half in (0, 1):
        own = sorted(chrom for chrom in seen if halves[chrom] == half)
        if len(own) < 2:
            raise InputError(
                f"heritability: two chromosomes at least are needed in each half of the genome; one half has "
                f"{', '.join(own) or 'none'}. With fewer than four chromosomes use priors.source: enrichment"
            )
    annotated = float(sizes.sum())
    means = tuple(part.n / part.rows for part in parts)
    columns = len(sizes) + 1
    sums = {chrom: _Sums(np.zeros((columns, columns)), np.zeros(columns), np.zeros(columns - 1)) for chrom in seen}
    for rows in stream():
        half = halves[rows.chrom]
        level = parts[1 - half if level_of_other_half else half].aggregate(annotated)
        _add_rows(sums[rows.chrom], rows, level, annotated, means[half], limit)
    order = {chrom: halves[chrom] for chrom in halves if chrom in seen}
    removed = sum(part.removed for part in parts)
    if removed:
        log.info("LD-score regression: %d variants with chi2 above %.0f are excluded", removed, limit)
    return HeritabilityRegression(order, means, sum(part.rows for part in parts), removed, sums)  # type: ignore[arg-type]


def heritability_bins(heritability: Floats, count: int, smallest: int = 10) -> npt.NDArray[np.int64]:
    """Cut per-variant heritabilities (m,) into bins (0 the lowest) that minimise the distance to the bins' medians.

    Exact k-medians in one dimension (dynamic programming) on at most 1,000 levels of the values; a bin of fewer than
    `smallest` variants is joined with the one below it.
    """
    ordered = np.sort(heritability)
    levels = np.unique(ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), _LEVELS)).round().astype(int)])
    level_of = np.searchsorted(levels, heritability, "right") - 1
    weights = np.bincount(level_of, minlength=len(levels)).astype(float)
    edges = _k_medians(levels, weights, min(count, len(levels)))
    bins = np.searchsorted(edges, level_of, "right") - 1
    sizes = np.bincount(bins, minlength=len(edges))
    joined = np.zeros(len(edges), np.int64)
    held = sizes[0]
    for number in range(1, len(edges)):
        joined[number] = joined[number - 1] + (sizes[number] >= smallest and held >= smallest)
        held = sizes[number] if joined[number] > joined[number - 1] else held + sizes[number]
    return joined[bins]


def constrained(heritability: Floats, largest_ratio: float) -> Floats:
    """Per-variant heritabilities (m,) raised to at least the largest / `largest_ratio`, with their sum kept.

    Raises
    ------
    InputError
        None is above 0.
    """
    top = float(heritability.max(initial=0.0))
    if top <= 0:
        raise InputError("heritability: no variant has one above 0; use priors.source: enrichment")
    raised = np.maximum(heritability, top / largest_ratio)
    total = float(heritability.sum())
    return raised * (total / raised.sum()) if total > 0 else raised


def split_halves(chromosomes: Iterable[str]) -> dict[str, int]:
    """Half of each chromosome: even (0) and odd (1) numbers; chromosomes without a number alternate after them."""
    names = list(dict.fromkeys(chromosomes))
    numbers = {name: name.lower().removeprefix("chr") for name in names}
    others = [name for name in names if not numbers[name].isdecimal()]
    halves = {name: int(number) % 2 for name, number in numbers.items() if number.isdecimal()}
    return halves | {name: place % 2 for place, name in enumerate(others)}


def _check_rows(rows: RegressionRows, halves: Mapping[str, int]) -> None:
    if rows.chrom not in halves:
        raise InputError(f"heritability: chromosome {rows.chrom} is in neither half")
    for name in ("chi2", "n", "weight_ld", "ld_scores"):
        if not np.isfinite(getattr(rows, name)).all():
            raise InputError(f"heritability: chromosome {rows.chrom} has a {name} that is not finite")


def _add_rows(
    sums: _Sums, rows: RegressionRows, heritability: float, annotated: float, mean_n: float, limit: float
) -> None:
    """Weight rows as LDSC does (heteroscedasticity and over-counting) and add them to the sums."""
    used = rows.chi2 < limit
    chi2, n, scores = rows.chi2[used], rows.n[used], rows.ld_scores[used].astype(np.float64)
    slope = min(max(heritability, 0.0), 1.0) * n / annotated
    spread = 2 * np.square(1 + slope * np.maximum(scores.sum(1), 1))
    weight = np.sqrt(1 / (spread * np.maximum(rows.weight_ld[used], 1)))
    scores *= (n / mean_n)[:, None]
    sums.columns += scores.sum(0)
    design = np.column_stack([scores, np.ones(len(scores))]) * weight[:, None]
    y = chi2 * weight
    sums.xtx += design.T @ design
    sums.xty += design.T @ y
    sums.rows += len(y)
    sums.y += float(y.sum())
    sums.yy += float(y @ y)


def _ridge_path(xtx: Floats, xty: Floats, lambdas: Floats) -> Floats:
    """Solutions (columns, lambdas) of a regression whose last column, the intercept, is not penalised."""
    corner = xtx[-1, -1]
    inner = xtx[:-1, :-1] - np.outer(xtx[:-1, -1], xtx[-1, :-1]) / corner
    values, vectors = np.linalg.eigh(inner)
    target = vectors.T @ (xty[:-1] - xtx[:-1, -1] * xty[-1] / corner)
    slopes = vectors @ (target[:, None] / (np.maximum(values, 0)[:, None] + lambdas))
    intercept = (xty[-1] - xtx[-1, :-1] @ slopes) / corner
    return np.vstack([slopes, intercept])


def _k_medians(levels: Floats, weights: Floats, count: int) -> npt.NDArray[np.int64]:
    """First level (count,) of each interval of sorted levels, with the least weighted distance to their medians."""
    cumulative = np.r_[0.0, np.cumsum(weights)]
    moments = np.r_[0.0, np.cumsum(weights * levels)]
    first, last = np.triu_indices(len(levels))
    half = (cumulative[first] + cumulative[last + 1]) / 2
    median = np.clip(np.searchsorted(cumulative, half, "left") - 1, first, last)
    below = levels[median] * (cumulative[median + 1] - cumulative[first]) - (moments[median + 1] - moments[first])
    above = moments[last + 1] - moments[median + 1] - levels[median] * (cumulative[last + 1] - cumulative[median + 1])
    cost = np.full((len(levels),) * 2, np.inf)
    cost[first, last] = below + above
    best = cost[0]
    starts = np.zeros((count, len(levels)), np.int64)
    for number in range(1, count):
        # candidates[s, j]: levels up to s - 1 in `number` intervals, s to j in one more
        candidates = np.vstack([np.full(len(levels), np.inf), best[:-1, None] + cost[1:]])
        starts[number] = candidates.argmin(0)
        best = candidates.min(0)
    edges = np.zeros(count, np.int64)
    last_level = len(levels) - 1
    for number in range(count - 1, 0, -1):
        edges[number] = starts[number, last_level]
        last_level = edges[number] - 1
    return edges
