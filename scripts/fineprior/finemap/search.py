"""The posterior of which variants are causal, by a search of configurations: PIPs that weigh several modes.

A configuration is a set of causal variants. Its weight is its evidence (see `configurations`) times its prior: Poisson
in the number of causal variants, times the product of the variants' prior weights.

SuSiE goes uphill from one start to a product of single effects. It reports one mode, so its PIPs are too sure where
there are several. Here many chains walk over configurations in lockstep. A chain that stands at C computes the weights
of all configurations that differ from C in one variant (its slices) at once. At the end each configuration of all
slices is summed once, with its exact weight. So the chains decide what is looked at, and not how much it weighs.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Flags, Floats, Indices, ReadOnly
from fineprior.files.errors import InputError
from fineprior.finemap.configurations import AGREED, NEVER, Model, Sum, Visited, summed
from fineprior.finemap.correlation import Correlations, correlations
from fineprior.finemap.sufficient import check_prior_weights, check_z
from fineprior.finemap.susie import SusieFit

CHAINS = 64
HOT = ((2, 20.0), (3, 4.0), (3, 2.0))
"""Steps of all chains, and their temperature, before those that count: from anywhere, to where they are."""
PLAIN = (3, 8, 20)
"""Steps at temperature 1; after each round it is seen whether the two halves of the chains agree."""
WHOLE_UP_TO = 500
"""Among more variants than these, those that no slice of the forward path could use are screened out first."""
USUAL = 30.0
"""Prior variance of an effect on the scale of z, that of a genome-wide hit: what W is without data, and as much as one
effect of SuSiE. Else a spurious effect or two take W far below the effects that are there."""
CLOSED, CLOSE = (0.9, 0.99), 256
"""Where the halves have met together a share of the mass in this range, so many of the heaviest configurations are
followed that no chain has stood at: additions without evidence, each little, are together what is left. With less met
they are no help."""
LEAST_LEAD = 0.01
"""PIP of the variant that a credible set grows from, at least."""


@dataclass(frozen=True)
class SearchedSet(ReadOnly):
    """A credible set of the search: variants in the order of their weight, and P(one of them is causal)."""

    variables: Indices
    coverage: float


@dataclass(frozen=True)
class Posterior(ReadOnly):
    """What a search found.

    Attributes
    ----------
    pip : ndarray, shape (p,)
    log_evidence : float
        Log of the sum of prior times Bayes factor over the configurations that were found.
    numbers : ndarray, shape (most + 1,)
        Posterior of the number of causal variants.
    gap : float
        Largest difference of a PIP between the two halves of the chains.
    met : float
        Mass of the configurations that both halves met, over the larger half's.
    agreed : bool
        Whether `gap` is below `AGREED`.
    kept : ndarray of int
        Variants that the chains could use; of the others PIPs are those of single additions to the best configurations.
    """

    pip: Floats
    log_evidence: float
    numbers: Floats
    gap: float
    met: float
    agreed: bool
    kept: Indices
    _sum: Sum = field(repr=False)
    _R: npt.NDArray[np.floating] = field(repr=False)

    def sets(
        self, coverage: float = 0.95, min_abs_corr: float = 0.5, most: int = 12, *, least: float | None = None
    ) -> tuple[SearchedSet, ...]:
        """Sets A with P(some causal variant is in A) of at least `coverage`, `most` of them.

        A set grows from a lead, in the order in which variants take the lead's place in the configurations that hold
        it; only variants with |r| of at least `min_abs_corr` with all others of the set. Sets do not overlap.

        With `least` there are also sets that cannot grow to `coverage`. They hold that share of the probability that
        all their linked variants hold, which is `least` or more. SuSiE's sets are of this kind: their coverage takes
        for granted that there is an effect.
        """
        found = self._sum
        p = len(self.kept)
        total = found.weight.sum()
        pip = found.pip(found.weight, p)
        grows = np.flatnonzero((found.parts < p).sum(1) < len(self.numbers) - 1)
        heaviest = grows[np.argsort(-found.largest[grows], kind="stable")[:400]]
        slice_weight = np.exp(found.added[heaviest] + (found.base[heaviest] - found.top)[:, None])
        slice_total = np.maximum(slice_weight.sum(1) + np.exp(found.base[heaviest] - found.top), 1e-300)
        linked = np.abs(self._R) >= min_abs_corr
        least = coverage if least is None else least
        free = np.ones(p, bool)
        sets: list[SearchedSet] = []
        for lead in np.argsort(-pip, kind="stable").tolist():
            if len(sets) == most or pip[lead] < LEAST_LEAD:
                break
            if not free[lead] or pip[free & linked[lead]].sum() < least:
                continue
            place = (slice_weight[:, lead] / slice_total) @ slice_weight
            members = _linked(lead, place, free, linked)
            if pip[members].sum() < least:
                continue
            held = self._held(members) / total
            if held[-1] < least:
                continue
            enough = coverage if held[-1] >= coverage else coverage * held[-1]
            size = int(np.argmax(held >= enough)) + 1
            chosen = members[:size]
            free[chosen] = False
            sets.append(SearchedSet(self.kept[chosen], float(held[size - 1])))
        return tuple(sets)

    def _held(self, members: list[int]) -> Floats:
        """Weight of the configurations that hold one of the first n members, for each n."""
        found, none = self._sum, len(members)
        rank = np.full(len(self.kept) + 1, none, np.int32)
        rank[members] = np.arange(none)
        first = np.minimum(rank[found.parts].min(1)[found.rest], rank[found.extra])
        held: Floats = np.bincount(first, found.weight, none + 1)[:none].cumsum()
        return held


def _linked(lead: int, place: Floats, free: Flags, linked: Flags) -> list[int]:
    """The lead, and free variants in the order of their weight in its place, as far as all are linked to all."""
    members = [lead]
    open_to = free & linked[lead] & (place > 1e-4 * place.max())
    open_to[lead] = False
    for variant in np.argsort(-place, kind="stable").tolist():
        if open_to[variant]:
            members.append(variant)
            open_to &= linked[variant]
    return members


def effect_variance(fit: SusieFit, n: float) -> float:
    """W of `Model` from a SuSiE fit: the mean of n times the squared effect over its effects and one more of `USUAL`.

    Effects are not weighed by their evidence. W would be nearer to the truth, and the log score worse: weak effects of
    SuSiE tell of causal variants that it does not find, more than the prior on the number expects.
    """
    effects = fit.V > 0
    squares = (fit.alpha[effects] * fit.mu2[effects]).sum(1) * (n - 1)
    return (float(squares.sum()) + USUAL) / (len(squares) + 1)


def check_seed(seed: int) -> None:
    """Raise InputError unless the seed is a whole number of 0 or more."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"seed: {seed!r}, a whole number of 0 or more is needed")


def search(
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations,
    variance: float,
    *,
    prior_weights: npt.ArrayLike | None = None,
    causal: float = 1.0,
    most: int = 10,
    seed: int = 1,
) -> Posterior:
    """Posterior inclusion probabilities of the variants of a locus with LD of the GWAS itself.

    Parameters
    ----------
    z : ndarray, shape (p,)
    R : ndarray, shape (p, p)
        Signed correlations, or covariances; a variant without variance has PIP 0.
    variance : float
        W, see `Model`; `effect_variance` of a SuSiE fit serves well.
    prior_weights : ndarray, shape (p,), optional
        Prior probabilities up to a factor; 0 excludes. Uniform by default.
    causal : float
        Mean of the Poisson prior of the number of causal variants.
    most : int
        Largest number of causal variants.
    seed : int

    Returns
    -------
    Posterior

    Raises
    ------
    InputError
        z, R or the prior weights are not what `susie_rss` takes; `variance`, `causal` or `most` is not above 0; or the
        seed is no whole number.
    """
    return searched(model_of(z, R, variance, prior_weights, causal, most), seed)


def searched(whole: Model, seed: int) -> Posterior:
    """The search for a model of checked input; errors as `search`."""
    check_seed(seed)
    most = whole.most
    rng = np.random.default_rng(seed)
    keys = rng.integers(1, 2**62, len(whole.z))
    path, kept = _forward(whole)
    visited = Visited(whole.of(kept), np.append(keys[kept], 0))
    members = _starts(path, kept, most)
    for steps, temperature in HOT:
        _walk(visited, members, steps, temperature, rng)
    for steps in PLAIN:
        longer = round(steps * max(1.0, members.shape[1] / 6))
        _walk(visited, members, longer, 1.0, rng)
        found = summed(visited)
        one, two = (found.pip(found.weight * half, len(kept)) for half in (found.first, found.second))
        gap = float(np.abs(one - two).max())
        if gap < AGREED:
            break
    if CLOSED[0] <= found.met < CLOSED[1]:
        visited.close(found, CLOSE)
        found = summed(visited)
    pip = _of_all(whole, kept, found, found.pip(found.weight, len(kept)))
    numbers = found.numbers(len(kept), most)
    evidence = float(np.log(found.weight.sum()) + found.top)
    return Posterior(pip, evidence, numbers, gap, found.met, gap < AGREED, kept, found, visited.model.R)


def model_of(
    z: npt.ArrayLike,
    R: npt.ArrayLike | Correlations,
    variance: float,
    prior_weights: npt.ArrayLike | None,
    causal: float,
    most: int,
) -> Model:
    """The model of checked input."""
    for name, value in (("variance", variance), ("causal", causal), ("most", most)):
        if not 0 < value < math.inf:
            raise InputError(f"{name}: {value:g}, a number above 0 is needed")
    scores = check_z(z)
    correlation = correlations(R, len(scores))
    weights = check_prior_weights(prior_weights, len(scores)).copy()
    if correlation.informative is not None:
        weights[~correlation.informative] = 0
    if not weights.any():
        raise InputError("prior_weights: all variants with a weight above 0 have no variance")
    with np.errstate(divide="ignore"):
        log_prior = np.log(weights / weights.sum())
    number = np.append(np.arange(most + 2) * math.log(causal), NEVER)
    return Model(scores, correlation.dense(), float(variance), log_prior, number)


def _starts(path: list[int], kept: Indices, most: int) -> Indices:
    """First configurations (chains, slots): half of them empty, a quarter the forward path, a quarter its first."""
    place = {variant: at for at, variant in enumerate(kept.tolist())}
    start = [place[variant] for variant in path]
    slots = min(most + 1, len(start) + 3, len(kept))
    members = np.full((CHAINS, slots), len(kept))
    for chain in range(CHAINS):
        begin = (start, [], start[:1], [])[(chain // 2) % 4][:slots]
        members[chain, : len(begin)] = begin
    return members


def _forward(model: Model) -> tuple[list[int], Indices]:
    """Variants of the forward path, and those that are kept.

    Kept are all possible ones up to `WHOLE_UP_TO`; of more those whose log Bayes factor in a slice of the path is
    above a threshold, or that could take the place of one of the path.
    """
    z, W = model.z, model.variance
    p = len(z)
    possible = model.log_prior > -np.inf
    path: list[int] = []
    seen = np.full(p, -np.inf)
    residual, left = z.copy(), np.ones(p)
    factors = np.empty((0, p))
    for k in range(model.most + 1):
        gain = residual**2 / (2 * (left + 1 / W)) - np.log1p(W * left) / 2
        gain[path] = -np.inf
        gain[~possible] = -np.inf
        np.maximum(seen, gain, out=seen)
        best = int(np.argmax(gain + model.log_prior))
        change = model.log_number[k + 1] - model.log_number[k] if k < model.most else -math.inf
        if not gain[best] + model.log_prior[best] + change > -1:
            break
        row = np.asarray(model.R[best], np.float64) - factors[:, best] @ factors
        root = math.sqrt(max(left[best], 0) + 1 / W)
        row = row / root
        residual = residual - row * residual[best] / root
        left = np.maximum(left - row * row, 0)
        factors = np.vstack([factors, row])
        path.append(best)
    kept = np.flatnonzero(possible)
    if len(kept) <= WHOLE_UP_TO:
        return path, kept
    near = np.zeros(p, bool)
    if path:
        added = model.slices(np.array([path]))[1][:-1]
        near = (added - added.max(1)[:, None]).max(0) > -8
    for threshold in (0.0, 1.0, 2.0, 3.0):
        kept = np.flatnonzero(possible & ((seen > threshold) | near))
        if len(kept) <= WHOLE_UP_TO:
            break
    if len(kept) < 30:
        strongest = np.argsort(-np.where(possible, np.abs(z), -1.0), kind="stable")[:30]
        kept = np.union1d(kept, strongest[possible[strongest]])
    return path, np.union1d(kept, np.array(path, np.intp))


def _of_all(model: Model, kept: Indices, found: Sum, pip: Floats) -> Floats:
    """PIPs of all variants; those of screened ones from the whole slices of the six best configurations."""
    p = len(model.z)
    of_all = np.zeros(p)
    if len(kept) < p:
        total, lost, names = 0.0, np.zeros(p), np.append(kept, p)
        for row in np.argsort(-found.weight, kind="stable")[:6].tolist():
            members = np.append(found.parts[found.rest[row]], found.extra[row])
            some = np.sort(names[members])[None]
            _, added = model.slices(some, np.append(some < p, [[True]], 1))
            # Of each slice the share of each variant; a configuration's shares come to one addition and its swaps.
            top = np.maximum(added.max(1), 0).astype(float)[:, None]
            slices = np.exp(added - top)
            lost += found.weight[row] * (slices / (slices.sum(1)[:, None] + np.exp(-top))).sum(0)
            total += found.weight[row]
        of_all = lost / total
    of_all[kept] = pip
    return np.minimum(of_all, 1.0)


def _walk(visited: Visited, members: Indices, steps: int, temperature: float, rng: np.random.Generator) -> None:
    """Let all chains take so many steps; `members` (chains, slots) is changed."""
    p = len(visited.model.z)
    chains, slots = members.shape
    every = np.arange(chains)
    for _ in range(steps):
        members.sort(1)
        size = (members < p).sum(1)
        slices = visited.slices_of(members)
        for half in range(2):
            visited.flags[np.concatenate(slices[half::2])] |= np.uint8(1 << half)
        # A chain tries another variant in the place of a member, or one more: the latter at least every fourth time.
        more = rng.random(chains) < np.clip(1 - size / slots, 0.25, 0.5)
        slot = np.where(more, size, (rng.random(chains) * size).astype(np.intp))
        taken = slot < size
        added = visited.added[[some[place] for some, place in zip(slices, slot.tolist(), strict=True)]]
        free = slots - (size - taken)
        # Weight of D + {j} over that of D, which stands for all slots that are free alike.
        added -= np.log(np.maximum(free, 1)).astype(np.float32)[:, None]
        top = np.maximum(added.max(1), 0)
        added -= top[:, None]
        added /= np.float32(temperature)
        weights = np.exp(added, out=added).cumsum(1)
        none = np.exp(-top / temperature)
        drawn = rng.random(chains) * (weights[:, -1] + none) - none
        choice = np.where(drawn < 0, p, np.minimum((weights < drawn[:, None]).sum(1), p - 1))
        full = ~taken & (size >= slots)
        column = np.where(taken, slot, np.minimum(size, slots - 1))
        members[every, column] = np.where(full, members[every, column], choice)
        # A variant that is not possible is drawn only where nothing is: the chain then stays.
