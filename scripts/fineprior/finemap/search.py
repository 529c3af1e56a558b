"""The posterior of which variants are causal, by a search of configurations: PIPs that weigh all modes.

A configuration C is a set of causal variants. With effects N(0, W) on the scale of z and z ~ N(R b, R), its evidence is

    log BF(C) = z_C' (R_CC + I/W)^-1 z_C / 2 - log |I + W R_CC| / 2                    (Benner et al. 2016, FINEMAP)

and its prior is Poisson on the number of causal variants times the product of the variants' prior weights. SuSiE's
posterior is a product of single effects, found by going uphill from one start; it reports one mode, and its PIPs are too
sure where there are several. Here many chains walk over configurations in lockstep. A chain that stands at C computes at
once the weights of *all* configurations that differ from C in one variant (its slices); at the end each configuration of
all slices is summed once with its exact weight. So the chains decide what is looked at, and not how much it weighs.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.susie import SusieFit

Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]

CHAINS = 32
HOT = ((5, 3.0), (5, 2.0))
"""Steps of all chains, and their temperature, before those that count."""
PLAIN = (6, 6, 12, 24)
"""Steps at temperature 1; after each round it is seen whether the two halves of the chains agree."""
AGREED = 0.01
"""Largest difference between the PIPs of the two halves of the chains that have agreed."""
CUT = 12.0
"""Configurations that weigh less than exp(-CUT) of the heaviest do not count."""
WHOLE_UP_TO = 500
"""Among more variants than these, those that no slice of the forward path could use are screened out first."""
USUAL = 30.0
"""Prior variance of an effect on the scale of z where SuSiE finds none: that of a genome-wide hit."""
NEVER = -1e30
"""Log weight of what is not possible, small enough for float32."""
MET_TOGETHER = 0.9
"""Below this share of mass that both halves have met, configurations weigh by the chance of having been met."""
HIT_RATE, LARGEST_CORRECTION = 0.05, 5.0


@dataclass(frozen=True)
class Model:
    """What the weight of a configuration is made of.

    Attributes
    ----------
    z : ndarray, shape (p,)
        z-scores, shrunk as SuSiE's (`sufficient_statistics`), so that both see the same likelihood.
    R : ndarray, shape (p, p), float32 or float64
        Signed correlations.
    variance : float
        W: prior variance of an effect on the scale of z, n times its variance per standard deviation of the genotype.
    log_prior : ndarray, shape (p,)
        Log prior weights of the variants, which sum to 1; -inf excludes a variant.
    log_number : ndarray, shape (most + 2,)
        Log prior of a number of causal variants, without the number of configurations; `NEVER` above `most`.
    """

    z: Floats
    R: npt.NDArray[np.floating]
    variance: float
    log_prior: Floats
    log_number: Floats

    @property
    def most(self) -> int:
        """Largest number of causal variants."""
        return len(self.log_number) - 2

    def of(self, kept: Indices) -> "Model":
        """The model of some variants."""
        if len(kept) == len(self.z):
            return self
        R = self.R[np.ix_(kept, kept)]
        return Model(self.z[kept], R, self.variance, self.log_prior[kept], self.log_number)

    def slices(self, members: Indices) -> tuple[Floats, Singles]:
        """All neighbours of configurations C: without one member, and with another variant in its place.

        One inverse M = (R_CC + I/W)^-1 gives all of them: without member i the residual of z is r + G_i m_i / M_ii, the
        variance left of each variant d + G_i^2 / M_ii, with G = M R_C and m = M z_C.

        Parameters
        ----------
        members : ndarray of int, shape (n, k)
            Members of each configuration; p stands for none, at the end.

        Returns
        -------
        base : ndarray, shape (n, k + 1)
            Log weight of C without its member i; of C itself in the last column.
        added : ndarray of float32, shape (n, k + 1, p)
            What adding a variant changes in that log weight.
        """
        z, W = self.z, self.variance
        n, k = members.shape
        p = len(z)
        real = members < p
        at = np.where(real, members, 0)
        rows = np.where(real[:, :, None], self.R[at], 0.0).astype(np.float64)
        own = np.where(real, z[at], 0.0)
        A = np.take_along_axis(rows, at[:, None, :], 2) * real[:, None, :]
        diagonal = np.arange(k)
        A[:, diagonal, diagonal] = np.where(real, A[:, diagonal, diagonal] + 1 / W, 1.0)
        M = np.linalg.inv(A)
        log_det = np.linalg.slogdet(A)[1]
        m = (M @ own[:, :, None])[:, :, 0]
        G = M @ rows
        residual = z - (m[:, None, :] @ rows)[:, 0]
        left = 1 - (rows * G).sum(1)
        inner = M[:, diagonal, diagonal]
        numerator = np.empty((n, k + 1, p), np.float32)
        variance = np.empty((n, k + 1, p), np.float32)
        numerator[:, k] = residual
        variance[:, k] = left
        # From here on in float32: sums of like signs, and a residual that is off by 1e-7 of z.
        effects = G.astype(np.float32)
        np.multiply(effects, (m / inner).astype(np.float32)[:, :, None], out=numerator[:, :k])
        numerator[:, :k] += numerator[:, k:]
        np.square(effects, out=effects)
        np.multiply(effects, (1 / inner).astype(np.float32)[:, :, None], out=variance[:, :k])
        variance[:, :k] += variance[:, k:]
        prior = np.where(real, self.log_prior[at], 0.0)
        size = real.sum(1)
        quadratic = (m * own).sum(1)
        base = np.empty((n, k + 1))
        base[:, k] = (quadratic - log_det - size * math.log(W)) / 2 + prior.sum(1) + self.log_number[size]
        base[:, :k] = (quadratic[:, None] - m * m / inner - log_det[:, None] - np.log(inner)) / 2
        base[:, :k] -= (size[:, None] - 1) / 2 * math.log(W)
        base[:, :k] += prior.sum(1)[:, None] - prior + self.log_number[np.maximum(size - 1, 0)][:, None]
        base[:, :k][~real] = NEVER
        sizes = np.concatenate([np.where(real, size[:, None] - 1, 0), size[:, None]], 1)
        # log BF_j = r_j^2 / (2 (d_j + 1/W)) - log(1 + W d_j) / 2, in place: this is most of the time.
        np.maximum(variance, 0, out=variance)
        np.square(numerator, out=numerator)
        numerator /= variance + np.float32(1 / W)
        variance *= np.float32(W)
        variance += np.float32(1)
        numerator -= np.log(variance, out=variance)  # log1p is several times slower in float32
        numerator *= np.float32(0.5)
        numerator += np.maximum(self.log_prior, NEVER).astype(np.float32)
        numerator += (self.log_number[sizes + 1] - self.log_number[sizes]).astype(np.float32)[:, :, None]
        which, place = np.nonzero(real)
        # A member cannot be added again, but to the configuration without it.
        blocked = np.arange(k + 1)[None, :] != place[:, None]
        numerator[which, :, members[which, place]] = np.where(
            blocked, np.float32(NEVER), numerator[which, :, members[which, place]]
        )
        numerator[:, :k][~real] = NEVER
        return base, numerator


@dataclass(frozen=True)
class _Batch:
    """Configurations (n, k) whose slices were computed together; random numbers of what each slice is of, (n, k + 1)."""

    members: Indices
    base: Floats
    added: Singles
    keys: Integers


@dataclass
class _Visited:
    """Configurations that chains have stood at, with their slices; told apart by sums of random numbers of members."""

    model: Model
    keys: Integers
    """Random number of each variant, and 0 for none, shape (p + 1,)."""
    rows: dict[int, int] = field(default_factory=dict)
    """Row of a configuration by its key; rows count through the batches."""
    places: list[tuple[int, int]] = field(default_factory=list)
    """Batch of a row, and place in it."""
    batches: list[_Batch] = field(default_factory=list)
    halves: list[int] = field(default_factory=list)
    """1 and 2: met by chains of the first and of the second half; 4: in a round that counts for corrections."""
    visits: float = 0.0

    def rows_of(self, members: Indices) -> list[int]:
        """The row of each configuration (n, slots); what is new is computed together."""
        keys = self.keys[members].sum(1).tolist()
        new: list[int] = []
        for place, key in enumerate(keys):
            if key not in self.rows:
                self.rows[key] = len(self.places)
                self.places.append((len(self.batches), len(new)))
                new.append(place)
        if new:
            some = np.sort(members[new], 1)
            some = some[:, : max(int((some < len(self.model.z)).sum(1).max()), 1)]
            whole = self.keys[some].sum(1)[:, None]
            of_slices = np.concatenate([whole - self.keys[some], whole], 1)
            self.batches.append(_Batch(some, *self.model.slices(some), of_slices))
            self.halves.extend([0] * len(new))
        return [self.rows[key] for key in keys]


def _walk(
    visited: _Visited, members: Indices, steps: int, temperature: float, rng: np.random.Generator, *, counts: bool
) -> None:
    """Let all chains take so many steps; `members` (chains, slots) is changed."""
    p = len(visited.model.z)
    chains, slots = members.shape
    every = np.arange(chains)
    half = [(1 << (chain % 2)) | (4 if counts else 0) for chain in range(chains)]
    for _ in range(steps):
        members.sort(1)
        rows = visited.rows_of(members)
        for row, flag in zip(rows, half, strict=True):
            visited.halves[row] |= flag
        size = (members < p).sum(1)
        # A chain tries another variant in the place of a member, or one more: the latter at least every fourth time.
        more = rng.random(chains) < np.clip(1 - size / slots, 0.25, 0.5)
        slot = np.where(more, size, (rng.random(chains) * size).astype(np.intp))
        added = np.empty((chains, p), np.float32)
        taken = slot < size
        for chain, column in enumerate(np.where(taken, slot, -1).tolist()):
            batch, place = visited.places[rows[chain]]
            added[chain] = visited.batches[batch].added[place, column]
        free = slots - (size - taken)
        # Weight of D + {j} over that of D, which stands for all slots that are free alike.
        added -= np.log(np.maximum(free, 1)).astype(np.float32)[:, None]
        top = np.maximum(added.max(1), 0)
        weights = np.exp((added - top[:, None]) / np.float32(temperature)).cumsum(1)
        none = np.exp(-top / temperature)
        drawn = rng.random(chains) * (weights[:, -1] + none) - none
        choice = np.where(drawn < 0, p, np.minimum((weights < drawn[:, None]).sum(1), p - 1))
        full = ~taken & (size >= slots)
        column = np.where(taken, slot, np.minimum(size, slots - 1))
        members[every, column] = np.where(full, members[every, column], choice)
        # A variant that is not possible is drawn only where nothing is: the chain then stays.


@dataclass(frozen=True)
class _Sum:
    """All configurations of all slices, each once, with their weights.

    Attributes
    ----------
    weight : ndarray, shape (m,)
        Relative to exp(`top`).
    rest, extra : ndarray of int, shape (m,)
        A configuration is `parts[rest]` and the variant `extra` (p: none).
    parts : ndarray of int, shape (c, k)
        Members; p: none.
    base : ndarray, shape (c,); added : ndarray, shape (c, p)
        The slice of each part.
    first, second : ndarray of bool, shape (m,)
        Met by the chains of each half.
    """

    weight: Floats
    rest: Indices
    extra: Indices
    parts: Indices
    base: Floats
    added: Singles
    first: npt.NDArray[np.bool_]
    second: npt.NDArray[np.bool_]
    top: float
    met: float

    def pip(self, weight: Floats, p: int) -> Floats:
        """Share of the weight of configurations that hold each variant."""
        total = weight.sum()
        if not total > 0:
            return np.zeros(p)
        of_part = np.bincount(self.rest, weight / total, len(self.parts))
        found = np.bincount(self.extra, weight / total, p + 1)
        found += np.bincount(self.parts.ravel(), np.repeat(of_part, self.parts.shape[1]), p + 1)
        return np.minimum(found[:p], 1.0)

    def numbers(self, p: int, most: int) -> Floats:
        """Posterior of the number of causal variants, shape (most + 1,)."""
        size = (self.parts < p).sum(1)[self.rest] + (self.extra < p)
        return np.bincount(size, self.weight, most + 1)[: most + 1] / self.weight.sum()


def _summed(visited: _Visited) -> _Sum:
    p = len(visited.model.z)
    halves = np.array(visited.halves)
    heaviest = [batch.base + np.maximum(batch.added.max(2), 0) for batch in visited.batches]
    top = max(float(one.max()) for one in heaviest)
    widest = max(batch.members.shape[1] for batch in visited.batches)
    bases, keys, flags, parts, added, begin = [], [], [], [], [], 0
    for batch, best in zip(visited.batches, heaviest, strict=True):
        n, k = batch.members.shape
        row, column = np.nonzero((best > top - CUT) & (batch.base > NEVER / 2))
        part = np.full((len(row), widest), p)
        part[:, :k] = batch.members[row]
        without = column < k
        part[without, column[without]] = p
        bases.append(batch.base[row, column])
        keys.append(batch.keys[row, column])
        flags.append(halves[begin + row])
        parts.append(part)
        added.append(batch.added[row, column])
        begin += n
    key, first, flag, _, _ = _distinct(np.concatenate(keys), np.concatenate(flags))
    base, part, gain = np.concatenate(bases)[first], np.concatenate(parts)[first], np.concatenate(added)[first]
    rest, extra = np.nonzero(gain > (top - CUT - base).astype(np.float32)[:, None])
    log_weight = np.concatenate([base[rest] + gain[rest, extra], base])
    rest, extra = np.concatenate([rest, np.arange(len(base))]), np.concatenate([extra, np.full(len(base), p)])
    _, chosen, met, order, starts = _distinct(key[rest] + visited.keys[extra], flag[rest])
    weight = np.exp(log_weight[chosen] - top)
    one, two = (met & 1) > 0, (met & 2) > 0
    largest = max(weight[one].sum(), weight[two].sum())
    together = float(weight[one & two].sum() / largest) if largest > 0 else 0.0
    if visited.visits and together < MET_TOGETHER:
        mass = np.exp(gain + (base - top)[:, None]).sum(1) + np.exp(base - top)
        copies = np.diff(np.append(starts, len(order)))
        size = (part < p).sum(1)[rest[chosen]] + (extra[chosen] < p)
        rate = HIT_RATE * visited.visits * np.add.reduceat(mass[rest[order]], starts) * (size + 1) / copies
        weight = _corrected(weight, rate, (met & 4) > 0)
    return _Sum(weight, rest[chosen], extra[chosen], part, base, gain, one, two, top, together)


def _corrected(weight: Floats, rate: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
    """Weights over the chance that a configuration was met at all, which grows with the mass of its slices.

    Where slices cannot cover the mass (five or more causal variants in long credible sets) heavy slices are met more
    often than light ones, and a plain sum of what was met is too concentrated.
    """
    found = weight
    for _ in range(8):
        chance = -np.expm1(-np.maximum(rate / found.sum(), 1e-12))
        found = np.where(counted, weight * np.minimum(LARGEST_CORRECTION, 1 / chance), weight)
    return found


def _distinct(keys: Integers, flags: Integers) -> tuple[Integers, Indices, Integers, Indices, Indices]:
    """Distinct keys, a place of each, its flags together; the order by key, and where each begins in it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], order[starts], np.bitwise_or.reduceat(flags[order], starts), order, starts


@dataclass(frozen=True)
class SearchedSet:
    """A credible set of the search: variants in the order of their weight, and P(one of them is causal)."""

    variables: Indices
    coverage: float


@dataclass(frozen=True)
class Posterior:
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
    _sum: _Sum = field(repr=False)
    _R: npt.NDArray[np.floating] = field(repr=False)

    def sets(self, coverage: float = 0.95, min_abs_corr: float = 0.5, most: int = 12) -> tuple[SearchedSet, ...]:
        """Sets A with P(some causal variant is in A) of at least `coverage`.

        A set grows from a lead, in the order in which variants take the lead's place in the configurations that hold
        it; only variants with |r| of at least `min_abs_corr` with all others of the set. Sets do not overlap.
        """
        found = self._sum
        p = len(self.kept)
        pip = found.pip(found.weight, p)
        heaviest = np.argsort(-(found.base + found.added.max(1)), kind="stable")[:400]
        slice_weight = np.exp(found.added[heaviest] + (found.base[heaviest] - found.top)[:, None])
        slice_total = np.maximum(slice_weight.sum(1) + np.exp(found.base[heaviest] - found.top), 1e-300)
        total = found.weight.sum()
        sets: list[SearchedSet] = []
        used = np.zeros(p + 1, bool)
        for lead in np.argsort(-pip, kind="stable").tolist():
            if most == 0 or pip[lead] < 1 - coverage and pip[lead] < 0.01:
                break
            if used[lead]:
                continue
            most -= 1
            place = (slice_weight[:, lead] / slice_total) @ slice_weight
            candidates = [j for j in np.argsort(-place, kind="stable")[:400].tolist() if place[j] > 1e-4 * place.max()]
            members: list[int] = [lead]
            for j in candidates:
                if j != lead and np.abs(self._R[j, members]).min() >= min_abs_corr:
                    members.append(j)
            reached = [self._probability(members[: n + 1], total) for n in (0, len(members) - 1)]
            if reached[-1] < coverage:
                continue
            low, high = 0, len(members) - 1
            while low < high:
                middle = (low + high) // 2
                if self._probability(members[: middle + 1], total) >= coverage:
                    high = middle
                else:
                    low = middle + 1
            chosen = members[: low + 1]
            if used[chosen].any():
                continue
            used[chosen] = True
            sets.append(SearchedSet(self.kept[chosen], self._probability(chosen, total)))
        return tuple(sets)

    def _probability(self, members: list[int], total: float) -> float:
        inside = np.zeros(len(self.kept) + 1, bool)
        inside[members] = True
        found = self._sum
        return float(found.weight[inside[found.parts].any(1)[found.rest] | inside[found.extra]].sum() / total)


def effect_variance(fit: SusieFit, n: float) -> float:
    """W of `Model` from a SuSiE fit: n times the mean squared effect of its effects; `USUAL` where it has none."""
    effects = fit.V > 0
    squares = (fit.alpha[effects] * fit.mu2[effects]).sum(1) * (n - 1)
    return float(squares.mean()) if len(squares) else USUAL


def search(
    z: Floats,
    R: npt.NDArray[np.floating],
    variance: float,
    *,
    prior_weights: Floats | None = None,
    causal: float = 1.0,
    most: int = 10,
    seed: int = 1,
) -> Posterior:
    """Posterior inclusion probabilities of the variants of a locus with LD of the GWAS itself.

    Parameters
    ----------
    z : ndarray, shape (p,)
    R : ndarray, shape (p, p)
    variance : float
        W, see `Model`; n times the mean squared effect of SuSiE's effects serves well.
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
        All prior weights are 0, or `variance`, `causal` or `most` is not above 0.
    """
    for name, value in (("variance", variance), ("causal", causal), ("most", most)):
        if not 0 < value < math.inf:
            raise InputError(f"{name}: {value:g}, a number above 0 is needed")
    weights = np.ones(len(z)) if prior_weights is None else np.asarray(prior_weights, float)
    if not weights.sum() > 0:
        raise InputError("prior_weights: all are 0")
    with np.errstate(divide="ignore"):
        log_prior = np.log(weights / weights.sum())
    number = np.append(np.arange(most + 1) * math.log(causal), NEVER)
    whole = Model(np.asarray(z, float), R, float(variance), log_prior, number)
    rng = np.random.default_rng(seed)
    keys = rng.integers(1, 2**62, len(z))
    path, kept = _forward(whole)
    model = whole.of(kept)
    visited = _Visited(model, np.append(keys[kept], 0))
    place = {variant: at for at, variant in enumerate(kept.tolist())}
    start = [place[variant] for variant in path]
    slots = min(most, len(start) + 3, len(kept))
    members = np.full((CHAINS, slots), len(kept))
    for chain in range(CHAINS):
        # Half of the chains start empty, a quarter from the forward path, a quarter from its first variant.
        begin = (start, [], start[:1], [])[(chain // 2) % 4][:slots]
        members[chain, : len(begin)] = begin
    for steps, temperature in HOT:
        _walk(visited, members, steps, temperature, rng, counts=False)
    for turn, steps in enumerate(PLAIN):
        longer = round(steps * max(1.0, slots / 6))
        _walk(visited, members, longer, 1.0, rng, counts=turn > 0)
        visited.visits += CHAINS * longer * (turn > 0)
        found = _summed(visited)
        one, two = (found.pip(found.weight * half, len(kept)) for half in (found.first, found.second))
        gap = float(np.abs(one - two).max())
        if gap < AGREED:
            break
    pip = _of_all(whole, kept, visited, found.pip(found.weight, len(kept)))
    numbers = found.numbers(len(kept), most)
    evidence = float(np.log(found.weight.sum()) + found.top)
    return Posterior(pip, evidence, numbers, gap, found.met, gap < AGREED, kept, found, model.R)


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
        added = model.slices(np.array([path]))[1][0][:-1]
        near = (added - added.max(1)[:, None]).max(0) > -8
    for threshold in (0.0, 1.0, 2.0, 3.0):
        kept = np.flatnonzero(possible & ((seen > threshold) | near))
        if len(kept) <= WHOLE_UP_TO:
            break
    if len(kept) < 30:
        strongest = np.argsort(-np.where(possible, np.abs(z), -1.0), kind="stable")[:30]
        kept = np.union1d(kept, strongest[possible[strongest]])
    return path, np.union1d(kept, np.array(path, np.intp))


def _of_all(model: Model, kept: Indices, visited: _Visited, pip: Floats) -> Floats:
    """PIPs of all variants; those of screened ones from the whole slices of the six best configurations."""
    p = len(model.z)
    found = np.zeros(p)
    if len(kept) < p:
        itself = np.concatenate([batch.base[:, -1] for batch in visited.batches])
        best = np.argsort(-itself, kind="stable")[:6]
        total, lost = 0.0, np.zeros(p)
        for row in best.tolist():
            batch, at = visited.places[row]
            members = visited.batches[batch].members[at]
            _, added = model.slices(kept[members[members < len(kept)]][None])
            weight = math.exp(itself[row] - itself[best[0]])
            # Of each slice the share of each variant; a configuration's shares come to one addition and its swaps.
            slices = np.exp(added[0].astype(float))
            lost += weight * (slices / (slices.sum(1) + 1)[:, None]).sum(0)
            total += weight
        found = lost / total
    found[kept] = pip
    return np.minimum(found, 1.0)
