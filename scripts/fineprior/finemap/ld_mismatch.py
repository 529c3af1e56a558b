"""Do z and R belong together? Diagnostics before a locus is fitted.

Diagnostics are the consistency parameter s and kriging residuals: Zou et al. 2022 (doi:10.1371/journal.pgen.1010299),
"Refinement and diagnostics". Both need the eigenvectors of R. Those of a panel's genotypes are found for the whole
locus, from the products between its n samples. A matrix R is looked at in blocks of neighbouring variants, because it
costs the third power of their number; up to BLOCK variants the answers are those of susieR's estimate_s_rss and
kriging_rss.

Nothing here depends on a prior or on how a locus is fitted, so that one diagnosis serves all fits of a locus.
"""

import math
from dataclasses import dataclass

import numpy as np

from fineprior.files.arrays import Flags, Floats, Indices, ReadOnly
from fineprior.finemap.correlation import Correlation, Correlations, Matrix, PanelCorrelation
from fineprior.finemap.single_effect import minimise
from fineprior.finemap.sufficient import shrunk_z

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
# The mixture is fitted to a histogram with bins of this width in asinh of the residual, until weights stand still.
BIN_WIDTH = 0.01
MIXTURE_SWEEPS = 1000
MIXTURE_TOLERANCE = 1e-7
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
# What a diagnosis or a fit may end in that is not its caller's mistake.
NUMERICAL_TROUBLE = (ArithmeticError, np.linalg.LinAlgError, MemoryError)


@dataclass(frozen=True)
class LdDiagnostics(ReadOnly):
    """Whether z and R are consistent, for a locus and for each of its variants.

    Attributes
    ----------
    s : float
        Maximum likelihood of z ~ N(0, (1 - s) R + s I): 0 where z and R are consistent, more with strong signals.
    s_scaled : float
        The same for z ~ N(0, v ((1 - s) R + s I)) with v free, which strong signals leave near 0.
    s_kept : float
        s_scaled of the variants that are not switched.
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
    s_kept: float
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
    """Variants `start` to `stop` with eigenvectors and eigenvalues of their R (0 where negligible), and z.

    Of genotypes of fewer samples than variants there are only the eigenvectors of eigenvalues above 0.
    """

    start: int
    stop: int
    vectors: Floats
    values: Floats
    smallest: float
    z: Floats

    @property
    def absent(self) -> int:
        """Eigenvalues of 0 whose eigenvectors are not there."""
        return len(self.z) - len(self.values)

    def precision(self, s: float) -> "_Precision":
        """Omega, the inverse of (1 - s) R + s I, where 1 / 0 is taken as 0."""
        values = (1 - s) * self.values + s
        rest = 1 / s if self.absent and s > 0 else 0.0
        return _Precision(self.vectors, np.divide(1.0, values, out=np.zeros_like(values), where=values > 0), rest)


@dataclass(frozen=True)
class _Precision:
    """Omega of a block: eigenvectors (k, m), eigenvalues (m,), and the eigenvalue of all other directions."""

    vectors: Floats
    values: Floats
    rest: float

    def diagonal(self) -> Floats:
        """Diagonal of Omega, shape (k,)."""
        return self.rest + self.vectors**2 @ (self.values - self.rest)

    def times(self, z: Floats) -> Floats:
        """Omega z, shape (k,)."""
        return self.rest * z + self.vectors @ ((self.values - self.rest) * (z @ self.vectors))


def diagnose_ld(z: Floats, R: Matrix | Correlations, n: float, panel_size: float = math.inf) -> LdDiagnostics:
    """Diagnostics of one locus.

    Parameters
    ----------
    z : ndarray, shape (p,)
    R : ndarray, shape (p, p), or Correlations
        Signed correlations.
    n : float
        Sample size of the GWAS.
    panel_size : float
        Samples in the panel; infinite for the LD of the GWAS itself.
    """
    adjusted = shrunk_z(z, n)
    correlations = _in_form(R)
    blocks = _blocks(correlations, adjusted)
    s = _consistency(blocks)
    mean, sd, log_lr, switched = _switches(blocks, min(s, LARGEST_S), adjusted)
    discordant, pairs, duplicates, positive = _pairs(adjusted, correlations, panel_size)
    s_scaled = _consistency(blocks, scaled=True)
    return LdDiagnostics(
        s=s,
        s_scaled=s_scaled,
        s_kept=_consistency(blocks, np.flatnonzero(switched), scaled=True) if switched.any() else s_scaled,
        conditional_mean=mean,
        conditional_sd=sd,
        switch_log_lr=log_lr,
        switched=switched,
        discordant=discordant,
        discordant_pairs=pairs,
        duplicates=duplicates,
        smallest_eigenvalue=min(block.smallest for block in blocks),
        squared=bool(positive and (s_scaled > SQUARED_S or _misfits(blocks, adjusted))),
    )


def _in_form(R: Matrix | Correlations) -> Correlations:
    """R as it multiplies, with no check: a matrix that is none of correlations is what the diagnosis is to find."""
    return R if isinstance(R, Correlations) else Correlation(R)


def _blocks(R: Correlations, z: Floats) -> list[_Block]:
    if isinstance(R, PanelCorrelation) and R.informative is None and R.standardised.shape[1] <= min(BLOCK, len(z)):
        return [_block_of_genotypes(R.standardised, z)]
    return [_block(R, z, start, min(start + BLOCK, len(z))) for start in range(0, len(z), BLOCK)]


def _block(R: Correlations, z: Floats, start: int, stop: int) -> _Block:
    inside = slice(start, stop)
    values, vectors = np.linalg.eigh(R.between(inside, inside).astype(np.float64))
    smallest = float(values[0])
    return _Block(start, stop, vectors, np.where(values < SMALL_EIGENVALUE, 0.0, values), smallest, z[inside])


def _block_of_genotypes(X: Floats, z: Floats) -> _Block:
    """The whole locus from standardised genotypes X (p, n): X'X has the eigenvalues of R = X X' that are not 0."""
    values, vectors = np.linalg.eigh(X.T @ X)
    positive = values > SMALL_EIGENVALUE
    values = values[positive]
    smallest = 0.0 if len(values) < len(z) else float(values[0])
    return _Block(0, len(z), X @ (vectors[:, positive] / np.sqrt(values)), values, smallest, z)


def _consistency(blocks: list[_Block], without: Indices | None = None, *, scaled: bool = False) -> float:
    """The parameter s of all variants, or of those that are left without some."""
    projections = [block.z @ block.vectors for block in blocks]
    values = np.concatenate([block.values for block in blocks])
    projected2 = np.concatenate(projections) ** 2
    absent = sum(block.absent for block in blocks)
    beyond = sum(float(block.z @ block.z - one @ one) for block, one in zip(blocks, projections, strict=True))
    count = sum(len(block.z) for block in blocks) - (0 if without is None else len(without))

    def deviance(s: float) -> float:
        variance = np.maximum((1 - s) * values + s, SMALLEST_VARIANCE)
        chi2, log_det = float((projected2 / variance).sum()), float(np.log(variance).sum())
        if absent:
            rest = max(s, SMALLEST_VARIANCE)
            chi2, log_det = chi2 + max(beyond, 0.0) / rest, log_det + absent * math.log(rest)
        if without is not None:
            for block in blocks:
                rows = without[(without >= block.start) & (without < block.stop)] - block.start
                if len(rows):
                    less = _of_others(block, rows, s)
                    chi2, log_det = chi2 - less[0], log_det + less[1]
        if scaled:
            chi2 = count * math.log(max(chi2, SMALLEST_VARIANCE))
        return log_det + chi2

    best = minimise(deviance, 0.0, 1.0, S_TOLERANCE)
    return best if deviance(0.0) - deviance(best) > (S_GAIN if scaled else 0.0) else 0.0


def _of_others(block: _Block, rows: Indices, s: float) -> tuple[float, float]:
    """What the variants that are left lack in chi2, and have more in log determinant, by the inverse of a part.

    With Omega the inverse of all, that of the variants that are left is Omega_kk - Omega_ke Omega_ee^-1 Omega_ek.
    """
    variance = np.maximum((1 - s) * block.values + s, SMALLEST_VARIANCE)
    rest = 1 / max(s, SMALLEST_VARIANCE) if block.absent else 0.0
    precision = _Precision(block.vectors, 1 / variance, rest)
    part = block.vectors[rows]
    inner = (part * (precision.values - rest)) @ part.T + rest * np.eye(len(rows))
    outer = precision.times(block.z)[rows]
    return float(outer @ np.linalg.solve(inner, outer)), float(np.linalg.slogdet(inner)[1])


def _switches(blocks: list[_Block], s: float, z: Floats) -> tuple[Floats, Floats, Floats, Flags]:
    """Kriging mean and sd of each variant, log likelihood ratio of a switch, and who is switched.

    A switched variant spoils the expectation of its neighbours, so the clearest are turned first and all others are
    judged again.
    """
    precision = [block.precision(s) for block in blocks]
    diagonal = np.concatenate([part.diagonal() for part in precision])
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
    """Maximum likelihood weights of a mixture of N(0, scale²), by expectation maximisation on a histogram.

    A density depends on the square of the residual alone, so that each bin is at the root of its mean square.
    """
    bins = (np.arcsinh(np.abs(residual)) / BIN_WIDTH).astype(np.int64)
    _, bins, counts = np.unique(bins, return_inverse=True, return_counts=True)
    typical = np.sqrt(np.bincount(bins, residual**2) / counts)
    log_density = _log_densities(typical, scales)
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weights = np.full(len(scales), 1 / len(scales))
    for _ in range(MIXTURE_SWEEPS):
        before = weights
        weights = weights * (density.T @ (counts / (density @ weights))) / len(residual)
        if np.abs(weights - before).max() < MIXTURE_TOLERANCE:
            break
    return weights


def _mixture_log_density(x: Floats, scales: Floats, weights: Floats) -> Floats:
    log_density = _log_densities(x, scales)
    top = log_density.max(axis=1)
    return np.log(np.exp(log_density - top[:, None]) @ (weights + 1e-15)) + top


def _log_densities(x: Floats, scales: Floats) -> Floats:
    """Log density of each x under each N(0, scale²), up to a constant, shape (len(x), len(scales))."""
    log_density: Floats = -0.5 * (x[:, None] / scales) ** 2 - np.log(scales)
    return log_density


def _pairs(z: Floats, R: Correlations, panel_size: float) -> tuple[Flags, int, int, bool]:
    """Variants in discordant pairs, their number, duplicates, and whether R has small values and none is negative."""
    discordant = np.zeros(len(z), bool)
    pairs, duplicates, small, lowest = 0, 0, 0.0, math.inf
    floor = max(MIN_PAIR_VARIANCE, 4 / panel_size)
    genotypes = R.standardised.astype(np.float32) if isinstance(R, PanelCorrelation) else None
    for start in range(0, len(z), ROWS):
        rows = slice(start, start + ROWS)
        # Each pair is in one strip; but those within a square, which are twice.
        block = R.between(rows, slice(start, None)) if genotypes is None else genotypes[rows] @ genotypes[start:].T
        lowest = min(lowest, float(block.min()))
        if lowest > -SMALL_R[0]:
            few = (block > SMALL_R[0]) & (block < SMALL_R[1])
            small += few.sum() - few[:, :ROWS].sum() / 2
        row, column = np.nonzero(np.abs(block) > CLOSE_R)
        later = column > row
        row, column = row[later], column[later]
        r = block[row, column].astype(np.float64)
        row, column = row + start, column + start
        duplicates += len(np.unique(column[np.abs(r) >= DUPLICATE_R]))
        variance = np.maximum(1 - r * r, floor)
        variance += (variance * z[column]) ** 2 / panel_size  # of the panel's r
        apart = np.abs(z[row] - r * z[column]) > DISCORDANT_SD * np.sqrt(variance)
        pairs += int(apart.sum())
        discordant[row[apart]] = discordant[column[apart]] = True
    return discordant, pairs, duplicates, lowest > -SMALL_R[0] and small >= SMALL_PAIRS


def _misfits(blocks: list[_Block], z: Floats) -> bool:
    """Whether z follows its neighbours more or less closely than R says.

    Where R is r², it is more if all LD is positive, and less if r² has lost signs. The median of the kriging residuals
    is judged, which a few strong signals do not change.
    """
    precision = [block.precision(SQUARED_NUGGET) for block in blocks]
    diagonal = np.concatenate([part.diagonal() for part in precision])
    residual = _times(blocks, precision, z) / np.sqrt(diagonal)
    spread = float(np.median(np.abs(residual))) / NORMAL_MEDIAN
    slack = SQUARED_SLACK / math.sqrt(len(z))
    lower, upper = math.exp(SQUARED_SPREAD[0] - slack), math.exp(SQUARED_SPREAD[1] + slack)
    return 0 < spread < lower or spread > upper


def _times(blocks: list[_Block], precision: list[_Precision], z: Floats) -> Floats:
    """Omega z."""
    return np.concatenate(
        [part.times(z[block.start : block.stop]) for block, part in zip(blocks, precision, strict=True)]
    )
