"""Do z and R belong together? Diagnostics before a locus is fitted.

Diagnostics are the consistency parameter s and kriging residuals: Zou et al. 2022 (doi:10.1371/journal.pgen.1010299),
"Refinement and diagnostics". A locus is looked at in blocks of neighbouring variants, because both cost the third power
of their number; up to BLOCK variants the answers are those of susieR's estimate_s_rss and kriging_rss.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fineprior.files.arrays import Flags, Floats, ReadOnly
from fineprior.finemap.single_effect import minimise

Matrix = npt.NDArray[np.floating]
BLOCK = 1000
# Brent's tolerance of R's `optim`.
S_TOLERANCE = math.sqrt(float(np.finfo(np.float64).eps))
# Eigenvalues below this are taken as 0 (susieR's r_tol); a smallest one below the other bound is no rounding.
SMALL_EIGENVALUE = 1e-8
NEGATIVE_EIGENVALUE = -1e-3
SMALLEST_VARIANCE = 1e-100
# Grid of the standard deviations of standardised kriging residuals, as susieR's: from 0.8, in steps of 5%.
SMALLEST_SD = 0.8
SD_STEP = 1.05
MIXTURE_SWEEPS = 1000
# susieR's rule for an allele switch.
SWITCH_LOG_LR = 2.0
SWITCH_Z = 2.0
# Switched variants make s large, with which they would hide.
LARGEST_S = 0.1
MAX_ROUNDS = 50
# A pair of variants is discordant when their z differ by so many standard deviations given |r| above this.
CLOSE_R = 0.95
DISCORDANT_SD = 5.0
DUPLICATE_R = 1 - 1e-6
# Among so many pairs of small |r| some have a negative r, unless r² was given.
SMALL_PAIRS = 20
SMALL_R = (1e-6, 0.1)
# LD without negative values is taken for r² when s_scaled is larger than this, as where LD is positive and negative...
SQUARED_S = 0.5
# ... or the log spread of the kriging residuals, of standard error 1.2 / sqrt(p), is outside of these by 1.5 / sqrt(p).
# Simulated: -0.05 at r, -0.35 at r² where LD is positive, 0.2 to 4 where it is positive and negative.
SQUARED_SPREAD = (-0.1, 0.2)
SQUARED_SLACK = 1.5
SQUARED_NUGGET = 1e-3
NORMAL_MEDIAN = 0.6745
# Gain in twice the log likelihood below which s with a free variance of z is 0: 95% of a chi2 of one degree of freedom.
S_GAIN = 3.84
# Of the difference of two z-scores: their own rounding, and the LD of a finite panel that may be less than perfect.
MIN_PAIR_VARIANCE = 1e-3
ROWS = 256


@dataclass(frozen=True)
class LdDiagnostics(ReadOnly):
    """Whether z and R are consistent, for a locus and for each of its variants.

    Attributes
    ----------
    s : float
        Maximum likelihood of z ~ N(0, (1 - s) R + s I): 0 where z and R are consistent, more with strong signals.
    s_scaled : float
        The same for z ~ N(0, v ((1 - s) R + s I)) with v free, which strong signals leave near 0.
    conditional_mean, conditional_sd : ndarray, shape (p,)
        Of the z of each variant, given those of its block.
    switch_log_lr : ndarray, shape (p,)
        Log likelihood ratio that the alleles of the variant are switched.
    switched : ndarray of bool, shape (p,)
        Variants whose alleles are taken as switched.
    discordant : ndarray of bool, shape (p,)
        Variants with a partner of |r| > 0.95 and a z that does not fit to it.
    discordant_pairs : int
    duplicates : int
        Variants with an earlier one of |r| = 1.
    smallest_eigenvalue : float
        Of R, the smallest of the blocks.
    squared : bool
        R looks like r²: it has small values and none is negative, and z does not fit it.
    """

    s: float
    s_scaled: float
    conditional_mean: Floats
    conditional_sd: Floats
    switch_log_lr: Floats
    switched: Flags
    discordant: Flags
    discordant_pairs: int
    duplicates: int
    smallest_eigenvalue: float
    squared: bool

    @property
    def positive_semidefinite(self) -> bool:
        """Whether R is positive semidefinite up to rounding."""
        return self.smallest_eigenvalue > NEGATIVE_EIGENVALUE


@dataclass(frozen=True)
class _Block:
    """Variants `start` to `stop` with the eigenvectors of their R, eigenvalues (0 where negligible) and z."""

    start: int
    stop: int
    vectors: Floats
    values: Floats
    smallest: float
    z: Floats

    def precision(self, s: float) -> Floats:
        """Eigenvalues of Omega, the inverse of (1 - s) R + s I."""
        values = (1 - s) * self.values + s
        return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def diagnose_ld(z: Floats, R: Matrix, n: float, panel_size: float = math.inf) -> LdDiagnostics:
    """Diagnostics of one locus.

    Parameters
    ----------
    z : ndarray, shape (p,)
    R : ndarray, shape (p, p)
        Signed correlations.
    n : float
        Sample size of the GWAS.
    panel_size : float
        Samples in the panel; infinite for the LD of the GWAS itself.
    """
    adjusted = z * np.sqrt((n - 1) / (z * z + n - 2))
    blocks = [_block(R, adjusted, start, min(start + BLOCK, len(z))) for start in range(0, len(z), BLOCK)]
    s = _consistency(blocks)
    mean, sd, log_lr, switched = _switches(blocks, min(s, LARGEST_S), adjusted)
    discordant, pairs, duplicates, positive = _pairs(adjusted, R, panel_size)
    s_scaled = _consistency(blocks, scaled=True)
    return LdDiagnostics(
        s=s,
        s_scaled=s_scaled,
        conditional_mean=mean,
        conditional_sd=sd,
        switch_log_lr=log_lr,
        switched=switched,
        discordant=discordant,
        discordant_pairs=pairs,
        duplicates=duplicates,
        smallest_eigenvalue=min(block.smallest for block in blocks),
        squared=positive and (s_scaled > SQUARED_S or _misfits(blocks, adjusted)),
    )


def estimate_s(z: Floats, R: Matrix, n: float, *, scaled: bool = False) -> float:
    """Consistency parameter s of z and R, by maximum likelihood under no effects (susieR's "null-mle"); or s_scaled."""
    adjusted = z * np.sqrt((n - 1) / (z * z + n - 2))
    blocks = [_block(R, adjusted, i, min(i + BLOCK, len(z))) for i in range(0, len(z), BLOCK)]
    return _consistency(blocks, scaled=scaled)


def _block(R: Matrix, z: Floats, start: int, stop: int) -> _Block:
    values, vectors = np.linalg.eigh(R[start:stop, start:stop].astype(np.float64))
    smallest = float(values[0])
    return _Block(start, stop, vectors, np.where(values < SMALL_EIGENVALUE, 0.0, values), smallest, z[start:stop])


def _consistency(blocks: list[_Block], *, scaled: bool = False) -> float:
    values = np.concatenate([block.values for block in blocks])
    projected2 = np.concatenate([(block.z @ block.vectors) ** 2 for block in blocks])

    def deviance(s: float) -> float:
        variance = np.maximum((1 - s) * values + s, SMALLEST_VARIANCE)
        chi2 = float((projected2 / variance).sum())
        if scaled:
            chi2 = len(values) * math.log(max(chi2, SMALLEST_VARIANCE))
        return float(np.log(variance).sum()) + chi2

    best = minimise(deviance, 0.0, 1.0, S_TOLERANCE)
    return best if deviance(0.0) - deviance(best) > (S_GAIN if scaled else 0.0) else 0.0


def _switches(blocks: list[_Block], s: float, z: Floats) -> tuple[Floats, Floats, Floats, Flags]:
    """Kriging mean and sd of each variant, log likelihood ratio of a switch, and who is switched.

    A switched variant spoils the expectation of its neighbours, so the clearest are turned first and all others are
    judged again.
    """
    precision = [block.precision(s) for block in blocks]
    diagonal = _diagonal(blocks, precision)
    sd = np.sqrt(1 / diagonal)
    sign, log_lr = np.ones(len(z)), np.zeros(len(z))
    mean = log_lr
    for _ in range(MAX_ROUNDS):
        turned = sign * z
        mean = turned - _times(blocks, precision, turned) / diagonal
        log_lr = _switch_log_lr(turned, mean, sd)
        suspects = np.flatnonzero((log_lr > SWITCH_LOG_LR) & (np.abs(z) > SWITCH_Z))
        if not len(suspects):
            break
        for block in blocks:
            inside = suspects[(suspects >= block.start) & (suspects < block.stop)]
            if len(inside):
                sign[inside[np.argmax(log_lr[inside])]] *= -1
    return mean, sd, sign * log_lr, sign < 0


def _switch_log_lr(z: Floats, mean: Floats, sd: Floats) -> Floats:
    """Log likelihood ratio of -z against z under a scale mixture of normals around the conditional mean."""
    residual = (z - mean) / sd
    largest = float(np.abs(residual).max())
    top = 2.0 if largest < 1 else 2 * largest
    steps = math.ceil(math.log(top / SMALLEST_SD) / math.log(SD_STEP))
    scales = top * SD_STEP ** np.arange(-steps, 1.0)
    weights = _mixture_weights(residual, scales)
    return _mixture_log_density((z + mean) / sd, scales, weights) - _mixture_log_density(residual, scales, weights)


def _mixture_weights(residual: Floats, scales: Floats) -> Floats:
    """Maximum likelihood weights of a mixture of N(0, scale²), by expectation maximisation."""
    log_density = _log_densities(residual, scales)
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weights = np.full(len(scales), 1 / len(scales))
    for _ in range(MIXTURE_SWEEPS):
        weights = weights * (density.T @ (1 / (density @ weights))) / len(residual)
    return weights


def _mixture_log_density(x: Floats, scales: Floats, weights: Floats) -> Floats:
    log_density = _log_densities(x, scales)
    top = log_density.max(axis=1)
    return np.log(np.exp(log_density - top[:, None]) @ (weights + 1e-15)) + top


def _log_densities(x: Floats, scales: Floats) -> Floats:
    """Log density of each x under each N(0, scale²), up to a constant, shape (len(x), len(scales))."""
    log_density: Floats = -0.5 * (x[:, None] / scales) ** 2 - np.log(scales)
    return log_density


def _pairs(z: Floats, R: Matrix, panel_size: float) -> tuple[Flags, int, int, bool]:
    """Variants in discordant pairs, their number, duplicates, and whether R has small values and none is negative."""
    discordant = np.zeros(len(z), bool)
    pairs, duplicates, small, lowest = 0, 0, 0, math.inf
    floor = max(MIN_PAIR_VARIANCE, 4 / panel_size)
    for start in range(0, len(z), ROWS):
        block = R[start : start + ROWS]
        lowest = min(lowest, float(block.min()))
        if lowest > -SMALL_R[0]:
            small += int(((block > SMALL_R[0]) & (block < SMALL_R[1])).sum())
        row, column = np.nonzero(np.abs(block) > CLOSE_R)
        later = column > row + start
        row, column = row[later], column[later]
        r = block[row, column].astype(np.float64)
        duplicates += len(np.unique(column[np.abs(r) >= DUPLICATE_R]))
        variance = np.maximum(1 - r * r, floor)
        variance += (variance * z[column]) ** 2 / panel_size  # of the panel's r
        apart = np.abs(z[row + start] - r * z[column]) > DISCORDANT_SD * np.sqrt(variance)
        pairs += int(apart.sum())
        discordant[row[apart] + start] = discordant[column[apart]] = True
    return discordant, pairs, duplicates, lowest > -SMALL_R[0] and small >= 2 * SMALL_PAIRS


def _misfits(blocks: list[_Block], z: Floats) -> bool:
    """Whether z follows its neighbours more or less closely than R says.

    Where R is r², it is more if all LD is positive, and less if r² has lost signs. The median of the kriging residuals
    is judged, which a few strong signals do not change.
    """
    precision = [block.precision(SQUARED_NUGGET) for block in blocks]
    residual = _times(blocks, precision, z) / np.sqrt(_diagonal(blocks, precision))
    spread = float(np.median(np.abs(residual))) / NORMAL_MEDIAN
    slack = SQUARED_SLACK / math.sqrt(len(z))
    lower, upper = math.exp(SQUARED_SPREAD[0] - slack), math.exp(SQUARED_SPREAD[1] + slack)
    return 0 < spread < lower or spread > upper


def _diagonal(blocks: list[_Block], precision: list[Floats]) -> Floats:
    """Diagonal of Omega, whose eigenvalues are given by block."""
    return np.concatenate([block.vectors**2 @ part for block, part in zip(blocks, precision, strict=True)])


def _times(blocks: list[_Block], precision: list[Floats], z: Floats) -> Floats:
    """Omega z."""
    return np.concatenate(
        [
            block.vectors @ (part * (z[block.start : block.stop] @ block.vectors))
            for block, part in zip(blocks, precision, strict=True)
        ]
    )
