"""Association of each variant with a trait: linear or logistic regression on its dosage and the covariates.

As PLINK 2 does it (Chang et al., GigaScience 2015; `plink2 --glm`): one additive effect for each variant, samples
without a genotype excluded for that variant alone, t statistics for a quantitative trait, Wald statistics of the
maximum likelihood fit for a disease. Where that fit does not converge, PLINK 2 goes on with Firth's penalty; here the
variant has no result (`no-firth` of PLINK 2).
"""

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaln, expit, hyp2f1, log_ndtr, stdtr

from fineprior.files.arrays import Floats
from fineprior.files.tables import ASSOCIATION
from fineprior.genome.contigs import plain_name
from fineprior.genotypes.samples import Cohort

OK, MONOMORPHIC, COLLINEAR, TOO_FEW, NOT_CONVERGED = "ok", "monomorphic", "collinear", "too_few", "not_converged"
_NUMBERS_AT_ONCE = 1 << 20
_VARIES = 1e-10
"""Variance of a genotype, as a share of its mean square, from which on it varies at all."""
_OWN_SHARE = 1e-6
"""Share of a genotype's variance that the covariates leave, from which on it can be told from them."""
_ITERATIONS = 25
_TOLERANCE = 1e-8
_LARGEST = 50.0
"""Coefficient beyond which a fit runs away: something tells cases from controls by itself."""
_LEAST_P = 1e-290

logger = logging.getLogger(__name__)


def associate(panel: Any, cohort: Cohort) -> pd.DataFrame:
    """Test each variant of the genotypes.

    Parameters
    ----------
    panel
        The genotypes (a `Panel`): its A1 is the effect allele.
    cohort
        The samples, their trait and covariates.

    Returns
    -------
    Table ASSOCIATION, in the order of the genotypes.
    """
    test = _logistic if cohort.binary else _linear
    known = panel.variants
    step = max(_NUMBERS_AT_ONCE // len(cohort.rows), 1)
    parts = []
    for first in range(0, len(known), step):
        index = np.arange(first, min(first + step, len(known)))
        parts.append(_tested(panel.dosages(index).T[:, cohort.rows], cohort, test))
    found = pd.concat(parts, ignore_index=True)
    counts = ", ".join(f"{count:,} {status}" for status, count in found["status"].value_counts().items())
    logger.info("%s: %d variants: %s", cohort.name, len(found), counts)
    # 25 would be MT in GWAS-SSF, where in genotypes it is the pseudo-autosomal region of X
    names = {name: plain_name(name, plink=True) for name in known["chrom"].unique()}
    return found.assign(
        chromosome=known["chrom"].map(names), base_pair_location=known["pos"], effect_allele=known["a1"],
        other_allele=known["a2"], rsid=known["snp_id"],
    )[ASSOCIATION.names]  # fmt: skip


def _tested(dosages: NDArray[np.float32], cohort: Cohort, test: Any) -> pd.DataFrame:
    """Results for a block of variants, dosages (p, n)."""
    genotypes = dosages.astype(np.float64)
    absent = np.isnan(genotypes)
    genotypes[absent] = 0
    samples = genotypes.shape[1] - absent.sum(1)
    total, squares = genotypes.sum(1), np.einsum("pn,pn->p", genotypes, genotypes)
    with np.errstate(invalid="ignore", divide="ignore"):
        frequency, spread = total / (2 * samples), squares - total**2 / samples
    free = samples - cohort.covariates.shape[1] - 1
    status = np.full(len(samples), OK, dtype=object)
    status[~(spread > _VARIES * squares)] = MONOMORPHIC
    status[free < 1] = TOO_FEW
    usable = np.flatnonzero(status == OK)
    found = pd.DataFrame({
        "beta": np.nan, "standard_error": np.nan, "neg_log_10_p_value": np.nan, "effect_allele_frequency": frequency,
        "n": samples,
    })  # fmt: skip
    if len(usable):
        beta, se, p, status[usable] = test(genotypes[usable], absent[usable], free[usable], cohort)
        good = status[usable] == OK
        rows = usable[good]
        found.loc[rows, "beta"], found.loc[rows, "standard_error"] = beta[good], se[good]
        found.loc[rows, "neg_log_10_p_value"] = p[good]
    return found.assign(status=status.astype(str))


def _freed(
    genotypes: Floats, absent: NDArray[np.bool_], basis: Floats, trait: Floats
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Sums of squares and products of genotype and trait once both are freed of the covariates, for each variant.

    With Q the covariates and M the samples of a variant, Q'MQ is that of all samples less what the missing ones add.

    Returns
    -------
    genotype x genotype, genotype x trait, trait x trait (p,), and whether the genotype differs from the covariates.
    """
    k, count = basis.shape[1], len(genotypes)
    on_g, on_y = genotypes @ basis, np.tile(basis.T @ trait, (count, 1))
    gg, gy, yy = np.einsum("pn,pn->p", genotypes, genotypes), genotypes @ trait, np.full(count, trait @ trait)
    spread = gg - genotypes.sum(1) ** 2 / (genotypes.shape[1] - absent.sum(1))
    solved_g, solved_y = on_g.copy(), on_y.copy()
    some = np.flatnonzero(absent.any(1))
    if len(some):
        gone = absent[some].astype(np.float64)
        gram = np.eye(k) - (gone @ _outer(basis)).reshape(-1, k, k)
        on_y[some] -= gone @ (basis * trait[:, None])
        yy[some] -= gone @ trait**2
        solved = np.linalg.solve(_regular(gram), np.stack([on_g[some], on_y[some]], axis=2))
        solved_g[some], solved_y[some] = solved[:, :, 0], solved[:, :, 1]
    own = gg - np.einsum("pk,pk->p", on_g, solved_g)
    shared = gy - np.einsum("pk,pk->p", on_y, solved_g)
    left = yy - np.einsum("pk,pk->p", on_y, solved_y)
    return own, shared, left, own > _OWN_SHARE * spread


def _linear(
    genotypes: Floats, absent: NDArray[np.bool_], free: NDArray[np.int64], cohort: Cohort
) -> tuple[Floats, Floats, Floats, NDArray[Any]]:
    """Least squares of the trait on one genotype (p, n) and the covariates, over the samples with the genotype."""
    basis = cohort.covariates
    trait = cohort.trait - basis @ (basis.T @ cohort.trait)  # a shift within their span changes no test
    own, shared, left, distinct = _freed(genotypes, absent, basis, trait)
    with np.errstate(invalid="ignore", divide="ignore"):
        beta = shared / own
        se = np.sqrt(np.maximum(left - beta * shared, 0) / free / own)
        p = neg_log10_p_of_t(beta / se, free)
    status = np.where(distinct & (se > 0), OK, COLLINEAR).astype(object)
    return beta, se, p, status


def _logistic(
    genotypes: Floats, absent: NDArray[np.bool_], free: NDArray[np.int64], cohort: Cohort
) -> tuple[Floats, Floats, Floats, NDArray[Any]]:
    """Newton's iterations for the logit of the trait on a genotype (p, n) and the covariates, all variants at once."""
    samples, k = cohort.covariates.shape
    basis = cohort.covariates * np.sqrt(samples)
    products = _outer(basis)
    coefficients = np.zeros((len(genotypes), k + 1))
    coefficients[:, :k] = _null_fit(basis, cohort.trait)
    se = np.full(len(coefficients), np.nan)
    distinct = _freed(genotypes, absent, cohort.covariates, cohort.trait)[3]
    status = np.where(distinct, NOT_CONVERGED, COLLINEAR).astype(object)
    active = np.flatnonzero(distinct)
    for _ in range(_ITERATIONS):
        g, now = genotypes[active], coefficients[active]
        chance = expit(now[:, :k] @ basis.T + g * now[:, k, None])
        rest, weight = cohort.trait - chance, chance * (1 - chance)
        rest[absent[active]] = 0
        weight[absent[active]] = 0
        gradient = np.column_stack([rest @ basis, np.einsum("pn,pn->p", rest, g)])
        information = np.empty((len(active), k + 1, k + 1))
        information[:, :k, :k] = (weight @ products).reshape(-1, k, k)
        weight *= g
        information[:, :k, k] = information[:, k, :k] = weight @ basis
        information[:, k, k] = np.einsum("pn,pn->p", weight, g)
        information = _regular(information)
        move = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        coefficients[active] += move
        done = np.abs(move).max(1, initial=0) < _TOLERANCE  # so the information before it is that of the fit
        se[active[done]] = np.sqrt(np.linalg.inv(information[done])[:, k, k])
        status[active[done]] = OK
        active = active[~done & (np.abs(coefficients[active]).max(1, initial=0) < _LARGEST)]
        if not len(active):
            break
    beta = coefficients[:, k]
    with np.errstate(invalid="ignore"):
        p = -(log_ndtr(-np.abs(beta / se)) + np.log(2)) / np.log(10)
    return beta, se, np.maximum(p, 0), status


def _outer(basis: Floats) -> Floats:
    """Products (n, k * k) of each pair of columns."""
    return (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)


def _regular(matrices: Floats) -> Floats:
    """Matrices (p, k, k) with a diagonal larger by 1e-13 of itself: one that is exactly singular can be solved."""
    k = matrices.shape[1]
    diagonal = np.einsum("pkk->pk", matrices)
    return matrices + np.eye(k) * (1e-13 * diagonal + 1e-290)[:, :, None]


def _null_fit(basis: Floats, trait: Floats) -> Floats:
    """Coefficients (k,) of the covariates without a genotype: where Newton's iterations start; 0 if there are none."""
    coefficients = np.zeros(basis.shape[1])
    for _ in range(_ITERATIONS):
        chance = expit(basis @ coefficients)
        information = (basis * (chance * (1 - chance))[:, None]).T @ basis
        move = np.linalg.solve(_regular(information[None])[0], basis.T @ (trait - chance))
        coefficients += move
        if not np.abs(coefficients).max() < _LARGEST:
            break
        if np.abs(move).max() < _TOLERANCE:
            return coefficients
    return np.zeros(basis.shape[1])


def neg_log10_p_of_t(t: Floats, free: NDArray[np.integer]) -> Floats:
    """Two-sided -log10 p of t statistics with `free` degrees of freedom, without underflow."""
    freedom = np.asarray(free, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(freedom, -np.abs(t))
        found: Floats = -np.log10(p)
        small = np.isfinite(t) & (p < _LEAST_P)
    # P(|T| > |t|) = I_x(a, 1/2), by its series around x = 0
    a, x = freedom[small] / 2, freedom[small] / (freedom[small] + t[small] ** 2)
    log_p = a * np.log(x) + np.log1p(-x) / 2 - np.log(a) - betaln(a, 0.5) + np.log(hyp2f1(a + 0.5, 1, a + 1, x))
    found[small] = -log_p / np.log(10)
    return np.maximum(found, 0)
