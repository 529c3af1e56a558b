"""Configurations of causal variants: their weights, what chains have visited of them, and the sum over all of it.

The evidence of a configuration C, with effects N(0, W) on the scale of z and z ~ N(R b, R), is

    log BF(C) = z_C' (R_CC + I/W)^-1 z_C / 2 - log |I + W R_CC| / 2

(Benner et al. 2016, doi:10.1093/bioinformatics/btw018).
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Flags, Floats, Indices, Integers, ReadOnly

Singles = npt.NDArray[np.float32]

CUT = 12.0
"""Configurations that weigh less than exp(-CUT) of the heaviest do not count."""
NEVER = -1e30
"""Log weight of what is not possible, small enough for float32."""
MET_TOGETHER = 0.9
"""Below this share of mass that both halves have met, configurations weigh by the chance of having been met."""
HIT_RATE, LARGEST_CORRECTION = 0.05, 5.0


@dataclass(frozen=True)
class Model(ReadOnly):
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
        return replace(self, z=self.z[kept], R=self.R[np.ix_(kept, kept)], log_prior=self.log_prior[kept])

    def slices(self, members: Indices) -> tuple[Floats, Singles]:
        """All neighbours of configurations C: without one member, and with another variant in its place.

        One inverse M = (R_CC + I/W)^-1 gives all of them. Without member i the residual of z is r + G_i m_i / M_ii, and
        the variance left of each variant is d + G_i^2 / M_ii, with G = M R_C and m = M z_C.

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
        M = np.asarray(np.linalg.inv(A), np.float64)
        log_det = np.linalg.slogdet(A)[1]
        m: Floats = (M @ own[:, :, None])[:, :, 0]
        G = M @ rows
        residual = z - (m[:, None, :] @ rows)[:, 0]
        left = 1 - (rows * G).sum(1)
        inner: Floats = M[:, diagonal, diagonal]
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
        size = real.sum(1)
        base = self._log_weights(m, own, inner, log_det, np.where(real, self.log_prior[at], 0.0), size)
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

    def _log_weights(
        self, m: Floats, own: Floats, inner: Floats, log_det: Floats, prior: Floats, size: Integers
    ) -> Floats:
        """Log weights (n, k + 1) of configurations without each member, and of themselves."""
        n, k = m.shape
        quadratic, log_variance = (m * own).sum(1), math.log(self.variance)
        base = np.empty((n, k + 1))
        base[:, k] = (quadratic - log_det - size * log_variance) / 2 + prior.sum(1) + self.log_number[size]
        base[:, :k] = (quadratic[:, None] - m * m / inner - log_det[:, None] - np.log(inner)) / 2
        base[:, :k] -= (size[:, None] - 1) / 2 * log_variance
        base[:, :k] += prior.sum(1)[:, None] - prior + self.log_number[np.maximum(size - 1, 0)][:, None]
        return base


@dataclass(frozen=True)
class _Batch:
    """Configurations (n, k) whose slices were computed together, and the key (n, k + 1) of what each slice is of."""

    members: Indices
    base: Floats
    added: Singles
    keys: Integers


@dataclass
class Visited:
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


@dataclass(frozen=True)
class Sum(ReadOnly):
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
    first: Flags
    second: Flags
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


def summed(visited: Visited) -> Sum:
    """Sum each configuration of all slices once; where halves met different mass, corrected for what was not met."""
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
    return Sum(weight, rest[chosen], extra[chosen], part, base, gain, one, two, top, together)


def _corrected(weight: Floats, rate: Floats, counted: Flags) -> Floats:
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
