"""What a search says beside a fit of SuSiE: PIPs over several modes, and credible sets, named after SuSiE's effects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fineprior.files.arrays import Floats, Indices, ReadOnly
from fineprior.finemap.correlation import Correlations
from fineprior.finemap.credible_sets import MIN_PRIOR_VARIANCE, CredibleSet, CredibleSets, purity_of

SAME_SIGNAL = 0.5
"""A set of the search and an effect of SuSiE are one signal where the set holds this share of the effect or more."""
LEADS = 12
"""Variants from which a set is grown at least, as many as there are."""


class FoundSet(Protocol):
    """A credible set of a search."""

    @property
    def variables(self) -> Indices:
        """Its variants, in the order of their weight."""

    @property
    def coverage(self) -> float:
        """P(one of them is causal)."""


class Found(Protocol):
    """What a search returns; see `search.Posterior`, and `Searched` for the attributes."""

    @property
    def pip(self) -> Floats:
        """Shape (p,)."""

    @property
    def log_evidence(self) -> float:
        """Of all configurations found."""

    @property
    def numbers(self) -> Floats:
        """Posterior of the number of causal variants, shape (most + 1,)."""

    @property
    def gap(self) -> float:
        """Between two parts of the search."""

    @property
    def agreed(self) -> bool:
        """Whether the gap is small enough."""

    def sets(self, coverage: float = ..., min_abs_corr: float = ..., most: int = ...) -> Sequence[FoundSet]:
        """Credible sets of a coverage and a purity, of so many leads at most."""


@dataclass(frozen=True)
class Searched(ReadOnly):
    """The posterior of a search.

    Attributes
    ----------
    pip : ndarray, shape (p,)
    sets, further : CredibleSets
        Of the main and of the further coverage. `effect` is that of the SuSiE effect of the same signal, and a number
        above those of all effects where there is none; its log10 Bayes factor is then NaN. `coverage` is the
        probability that a causal variant is in the set.
    numbers : ndarray, shape (most + 1,)
        Posterior of the number of causal variants.
    gap : float
        Largest difference of a PIP between the two halves of the chains.
    agreed : bool
        Whether the gap is small enough.
    log_evidence : float
        Log of the sum of prior times Bayes factor over the configurations that were found.
    """

    pip: Floats
    sets: CredibleSets
    further: CredibleSets
    numbers: Floats
    gap: float
    agreed: bool
    log_evidence: float

    @property
    def expected_causal(self) -> float:
        """Posterior mean of the number of causal variants."""
        return float(np.arange(len(self.numbers)) @ self.numbers)


def searched_of(
    found: Found,
    alpha: Floats,
    V: Floats,
    lbf: Floats,
    R: Correlations,
    *,
    coverage: float,
    further_coverage: float,
    min_abs_corr: float,
) -> Searched:
    """The result of a search with its credible sets.

    Parameters
    ----------
    found
        Of p variants.
    alpha, V, lbf
        SuSiE's effects on the same variants, shape (L, p), (L,) and (L,): sets are named after them.
    R
        Their correlations, for the purity of sets.
    coverage, further_coverage
        Of sets, above 0 and below 1. A further set is one that shares a variant with one of the main coverage. 0 makes
        no further sets.
    min_abs_corr
        Smallest |r| between two variants of a set.
    """
    most = max(LEADS, len(found.numbers) - 1)
    main = [_with_purity(one, R) for one in found.sets(coverage, min_abs_corr, most)]
    named = sorted(
        _named(main, np.where(V[:, None] > MIN_PRIOR_VARIANCE, alpha, 0.0), lbf),
        key=lambda one: -one.purity.min_abs_corr,
    )
    further: list[CredibleSet] = []
    if further_coverage and named:
        wider = [_with_purity(one, R) for one in found.sets(further_coverage, min_abs_corr, most)]
        further = _of_same_signals(wider, named)
    reason = "" if named else (
        f"no variants of |r| >= {min_abs_corr:g} hold a causal one with a probability of {coverage:g}; the search "
        f"expects {float(np.arange(len(found.numbers)) @ found.numbers):.2g} causal variants in the locus"
    )  # fmt: skip
    return Searched(
        pip=found.pip,
        sets=CredibleSets(tuple(named), coverage, min_abs_corr, reason),
        further=CredibleSets(tuple(further), further_coverage, min_abs_corr),
        numbers=found.numbers,
        gap=found.gap,
        agreed=found.agreed,
        log_evidence=found.log_evidence,
    )


def _with_purity(one: FoundSet, R: Correlations) -> CredibleSet:
    return CredibleSet(0, one.variables, one.coverage, purity_of(one.variables, R), np.nan)


def _named(sets: list[CredibleSet], alpha: Floats, lbf: Floats) -> list[CredibleSet]:
    """Sets with the number and the Bayes factor of the effect that they hold most of; each effect names one set."""
    shares = np.array([alpha[:, one.variables].sum(1) for one in sets]).reshape(len(sets), len(alpha))
    numbers: dict[int, int] = {}
    for place in np.argsort(-shares, axis=None, kind="stable").tolist():
        row, effect = divmod(place, len(alpha))
        if shares[row, effect] < SAME_SIGNAL:
            break
        if row not in numbers and effect not in numbers.values():
            numbers[row] = effect
    named, next_number = [], len(alpha) + 1
    for row, one in enumerate(sets):
        if row in numbers:
            bayes_factor = float(lbf[numbers[row]]) / float(np.log(10))
            named.append(replace(one, effect=numbers[row] + 1, log10_bayes_factor=bayes_factor))
        else:
            named.append(replace(one, effect=next_number))
            next_number += 1
    return named


def _of_same_signals(wider: list[CredibleSet], main: list[CredibleSet]) -> list[CredibleSet]:
    """Of each main set the wider one that shares most variants with it, under its name; in the order of main sets."""
    left, kept = list(wider), list[CredibleSet]()
    for one in main:
        shared = [len(np.intersect1d(one.variables, other.variables)) for other in left]
        if any(shared):
            other = left.pop(int(np.argmax(shared)))
            kept.append(replace(other, effect=one.effect, log10_bayes_factor=one.log10_bayes_factor))
    return kept
