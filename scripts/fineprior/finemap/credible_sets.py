"""Credible sets of a fit: the variants that hold the coverage of each effect, and how pure they are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.finemap.correlation import Correlations

# Effects with a prior variance up to this are no effects (susieR's value).
MIN_PRIOR_VARIANCE = 1e-9
# Purity uses all pairs of a set of up to so many variants, else of so many, evenly spaced in order of alpha.
ALL_PAIRS_UP_TO = 2000


@dataclass(frozen=True)
class Purity:
    """Smallest, mean and median |r| among the variants of a set; 1 for a set of one, NaN when LD is not known."""

    min_abs_corr: float
    mean_abs_corr: float
    median_abs_corr: float


@dataclass(frozen=True)
class CredibleSet(ReadOnly):
    """One credible set.

    Attributes
    ----------
    effect : int
        Number of the effect, from 1; the set is called L<effect>.
    variables : ndarray of int, shape (size,)
        Indices of its variants (from 0) in decreasing alpha, ties in the order of the locus.
    coverage : float
        Sum of their alpha.
    purity : Purity
    log10_bayes_factor : float
        Of the effect against no effect, with the prior weights of the fit.
    """

    effect: int
    variables: npt.NDArray[np.intp]
    coverage: float
    purity: Purity
    log10_bayes_factor: float

    @property
    def name(self) -> str:
        """The name of susieR, L1, L2, ..."""
        return f"L{self.effect}"


@dataclass(frozen=True)
class CredibleSets:
    """The credible sets of a locus, purest first.

    Attributes
    ----------
    sets : tuple of CredibleSet
    requested_coverage, min_abs_corr : float
        As required.
    reason : str
        Why there is no set; empty when there is one.
    """

    sets: tuple[CredibleSet, ...]
    requested_coverage: float
    min_abs_corr: float
    reason: str = ""

    def __len__(self) -> int:
        return len(self.sets)


def credible_sets(
    alpha: Floats,
    V: Floats,
    lbf: Floats,
    R: Correlations | None,
    *,
    coverage: float = 0.95,
    min_abs_corr: float = 0.5,
    null_index: int | None = None,
) -> CredibleSets:
    """Credible sets of effects, as susieR makes and orders them.

    Parameters
    ----------
    alpha : ndarray, shape (L, p) or (L, p + 1)
        Posterior probabilities of each effect.
    V, lbf : ndarray, shape (L,)
        Prior variance and log Bayes factor of each effect.
    R : Correlations or None
        Correlations among the p variants; None when they are not known: no set is then dropped for its purity, which
        is NaN.
    coverage : float
        A set is the fewest variants with at least this sum of alpha.
    min_abs_corr : float
        Sets with a smaller |r| between any two variants are dropped.
    null_index : int or None
        Column of the null: a set with it is dropped.

    Returns
    -------
    CredibleSets
        Sets with the same variants as an earlier one are dropped.
    """
    if np.ndim(coverage):
        raise InputError(f"coverage: {coverage}, one number is needed; call credible_sets again for a further coverage")
    if not 0 < coverage <= 1:
        raise InputError(f"coverage: {coverage:g}, above 0 and at most 1 is allowed")
    if not 0 <= min_abs_corr <= 1:
        raise InputError(f"min_abs_corr: {min_abs_corr:g}, from 0 to 1 is allowed")
    effects = np.flatnonzero(V > MIN_PRIOR_VARIANCE)
    kept: list[CredibleSet] = []
    seen: set[bytes] = set()
    best_rejected = -1.0
    for effect in effects:
        variables = _smallest_set(alpha[effect], coverage)
        key = np.sort(variables).tobytes()
        if key in seen:
            continue
        seen.add(key)
        if null_index is not None and null_index in variables:
            continue
        lead = float(R.absolute(variables[:1], variables).min()) if R is not None and len(variables) > 1 else 1.0
        purity = purity_of(variables, R) if lead >= min_abs_corr else None
        smallest = lead if purity is None else purity.min_abs_corr
        if purity is None or smallest < min_abs_corr:
            best_rejected = max(best_rejected, smallest)
            continue
        reached = float(alpha[effect, variables].sum())
        bayes_factor = float(lbf[effect]) / float(np.log(10))
        kept.append(CredibleSet(int(effect) + 1, variables, reached, purity, bayes_factor))
    kept.sort(key=lambda found: -found.purity.min_abs_corr)
    reason = "" if kept else _why_none(len(effects), best_rejected, min_abs_corr)
    return CredibleSets(tuple(kept), coverage, min_abs_corr, reason)


def _smallest_set(alpha: Floats, coverage: float) -> npt.NDArray[np.intp]:
    """Fewest variants whose alpha sum to the coverage, largest first."""
    order = np.argsort(-alpha, kind="stable")
    size = int((np.cumsum(alpha[order]) < coverage).sum()) + 1
    # The sum may stay below a coverage of 1 by rounding: what is impossible is in no set for that.
    return order[: max(1, min(size, np.count_nonzero(alpha)))]


def purity_of(variables: npt.NDArray[np.intp], R: Correlations | None) -> Purity:
    """Purity of some variants; NaN where R is None and there are several."""
    if len(variables) == 1:
        return Purity(1.0, 1.0, 1.0)
    if R is None:
        return Purity(np.nan, np.nan, np.nan)
    if len(variables) > ALL_PAIRS_UP_TO:
        variables = variables[np.linspace(0, len(variables) - 1, ALL_PAIRS_UP_TO).astype(np.intp)]
    pairs = R.absolute(variables, variables)[np.triu_indices(len(variables), 1)]
    # Not np.median, which loads numpy.ma: longer than many a fit.
    middle = [(len(pairs) - 1) // 2, len(pairs) // 2]
    median = np.partition(pairs, middle)[middle].mean()
    return Purity(float(pairs.min()), float(pairs.mean()), float(median))


def _why_none(effects: int, best_rejected: float, min_abs_corr: float) -> str:
    if effects == 0:
        return f"no effect has a prior variance above {MIN_PRIOR_VARIANCE:g}"
    if best_rejected < 0:
        return "every set holds the null"
    return (
        f"purity below {min_abs_corr:g}: among {effects} effects the purest set has a smallest |r| "
        f"of at most {best_rejected:.3g}"
    )
