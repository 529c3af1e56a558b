"""Linkage disequilibrium of a panel: as genotypes or their correlations, the memory that they take, and LD scores.

LD scores are those of Bulik-Sullivan et al. 2015 (doi:10.1038/ng.3211), partitioned by annotation as in Finucane et al.
2015 (doi:10.1038/ng.3404).
"""

import logging
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.files.arrays import machine_memory_mb
from fineprior.files.errors import InputError
from fineprior.genotypes.dosage_sums import LEAST_LENGTH, add_products, completed, moments, shifted
from fineprior.genotypes.ld_store import NO_LD, TRIMMED, LocusLd
from fineprior.genotypes.panels import Genotypes, Panel

GENOTYPE_BYTES = 1 << 30
"""Genotypes that are held at once; more samples are gone through in parts."""
COUNTS_SHARE = 0.25
"""LD is kept as genotypes where the panel has no more samples than this share of the variants."""
_SCORE_BLOCK = 256
"""Variants whose LD scores are computed together."""

logger = logging.getLogger(__name__)


def panel_ld(variants: pd.DataFrame, panel: Genotypes) -> NDArray[np.float32]:
    """Correlations of the alternative-allele dosages of a panel, as `correlation` gives them.

    At most `GENOTYPE_BYTES` of genotypes are in memory, or those of two samples: where there are more, the samples
    are gone through in parts, after a pass for means and lengths.

    Parameters
    ----------
    variants
        Columns chrom, pos, variant_id, ref, alt and panel_index (row in the panel): p rows.
    panel
        The panel; its A1 may be either allele.

    Returns
    -------
    float32 array (p, p).

    Raises
    ------
    InputError
        If a variant's row in the panel is another variant: the panel was changed after harmonisation.
    """
    turned = is_turned(variants, panel)
    index = variants["panel_index"].to_numpy(np.int64)
    at_once = max(GENOTYPE_BYTES // (4 * max(len(index), 1)), 2)
    if panel.samples <= at_once:
        dosages = panel.dosages(index)
        mean, length = moments(dosages)
        products = add_products(shifted(dosages, mean), None)
    else:
        step = max(GENOTYPE_BYTES // (4 * panel.samples), 1)
        parts = [moments(panel.dosages(index[first : first + step])) for first in range(0, len(index), step)]
        mean, length = (np.concatenate(values) for values in zip(*parts, strict=True))
        products = None
        for first in range(0, panel.samples, at_once):
            dosages = panel.dosages(index, slice(first, first + at_once))
            products = add_products(shifted(dosages, mean), products)
    del dosages
    return completed(products, panel.samples, mean, length, turned)


def panel_counts(variants: pd.DataFrame, panel: Panel) -> NDArray[np.int8] | None:
    """Copies (p, n) of the alternative alleles in a panel, -1 where missing, where LD is better kept as these.

    That is where they take an eighth of R or less and are as fast to multiply (`COUNTS_SHARE`), are whole numbers, and
    every variant varies; None elsewhere. Parameters and errors are those of `panel_ld`.
    """
    if panel.samples > COUNTS_SHARE * len(variants):
        return None
    turned = is_turned(variants, panel)
    dosages = panel.dosages(variants["panel_index"].to_numpy(np.int64))
    missing = np.isnan(dosages)
    counts = np.where(missing, -1, dosages).astype(np.int8)
    if not np.array_equal(np.where(missing, -1, dosages), counts) or (moments(dosages)[1] < LEAST_LENGTH).any():
        return None
    return np.ascontiguousarray(np.where(turned & ~missing, 2 - counts, counts).T)


def ld_scores(
    dosages: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    position: NDArray[np.floating] | NDArray[np.integer],
    annotations: NDArray[np.float32],
    window: float,
) -> NDArray[np.float64]:
    """LD scores l(j, c) = sum over k within the window of (r_jk^2 - (1 - r_jk^2) / (n - 2)) a_kc, j itself included.

    Never more than the genotypes of a window are in memory. A missing genotype is taken as the variant's mean; a
    variant that does not vary has LD score 0 and adds nothing to others.

    Parameters
    ----------
    dosages
        Gives copies of an allele (n, k) of the required variants (k indices from 0), NaN where missing.
    position
        (m,) positions on one chromosome, not decreasing: base pairs, or centimorgans.
    annotations
        (m, annotations) of the same variants.
    window
        Largest distance of two variants that count, in the unit of `position`.

    Returns
    -------
    float64 array (m, annotations).

    Raises
    ------
    InputError
        Positions that decrease, or fewer than 3 samples.
    """
    position = np.asarray(position, float)
    if (np.diff(position) < 0).any():
        raise InputError(f"LD scores: positions must not decrease; row {int(np.diff(position).argmin()) + 2} does")
    count = len(position)
    scores = np.zeros((count, annotations.shape[1]))
    first, held = 0, np.empty((0, 0), np.float32)
    for start in range(0, count, _SCORE_BLOCK):
        stop = min(start + _SCORE_BLOCK, count)
        left = int(np.searchsorted(position, position[start] - window, "left"))
        right = int(np.searchsorted(position, position[stop - 1] + window, "right"))
        # what the last block had in memory is kept, and only what is new to the window is read
        last = first + held.shape[1]
        new = np.arange(max(left, last), right)
        fresh = _standardised(dosages(new)) if len(new) else held[:, :0]
        kept = held[:, max(left - first, 0) :] if last > left else fresh[:, :0]
        held, first = np.concatenate([kept, fresh], axis=1) if kept.size else fresh, left
        samples = len(held)
        if samples < 3:
            raise InputError(f"LD scores: a panel of {samples} samples is too small; at least 3 are needed")
        squared = np.square(held[:, start - left : stop - left].T @ held / samples, dtype=np.float32)
        squared -= (1 - squared) / (samples - 2)
        distance = np.abs(position[start:stop, None] - position[None, left:right])
        squared[distance > window] = 0
        varies: NDArray[np.bool_] = np.any(held != 0, axis=0)
        squared[~varies[start - left : stop - left]] = 0
        squared[:, ~varies] = 0
        scores[start:stop] = squared @ annotations[left:right]
    return scores


def ld_memory_mb(variants: int, samples: int) -> float:
    """Memory (MB) that LD of so many variants and samples takes, and that fine-mapping it takes, whichever is more.

    R is float32; on top of it come 30% for what LD and fit keep beside it, the genotypes that are in memory at one
    time, and 200 MB for the program. `benchmarks/ld.py` and `benchmarks/susie.py` measure both.
    """
    genotypes = min(4 * samples * variants, max(GENOTYPE_BYTES, 8 * variants))
    return (1.3 * 4 * variants**2 + genotypes) / 2**20 + 200


def variants_that_fit(memory_mb: float, samples: int) -> int:
    """The most variants whose `ld_memory_mb` is within a limit."""
    low, high = 0, 1 << 20
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if ld_memory_mb(middle, samples) <= memory_mb else (low, middle - 1)
    return low


def nearest_to_lead(variants: pd.DataFrame, count: int) -> NDArray[np.bool_]:
    """Which variants to keep of a locus that is too large: the `count` nearest to its lead.

    The lead has the largest |z|, the first of several. Of variants of the same distance the first are kept.

    Parameters
    ----------
    variants
        Columns pos and z: p rows.
    """
    lead = int(variants["z"].abs().to_numpy().argmax())
    distance = (variants["pos"] - variants["pos"].iloc[lead]).abs().to_numpy().copy()
    distance[lead] = -1
    kept = np.zeros(len(variants), bool)
    kept[np.argsort(distance, kind="stable")[:count]] = True
    return kept


def note_of(left_out: Mapping[str, str], variants: pd.DataFrame, source: str) -> str:
    """What the LD of a locus excludes, in words; empty when nothing."""
    words = {NO_LD: f"without LD in {source}", TRIMMED: "trimmed, the farthest from the lead, to fit ld.max_memory_mb"}
    counts = {reason: list(left_out.values()).count(reason) for reason in words}
    parts = [f"{count} variants {words[reason]}" for reason, count in counts.items() if count]
    lead = variants["variant_id"].iloc[int(variants["z"].abs().to_numpy().argmax())]
    if lead in left_out:
        parts.append(f"among them the lead {lead}")
    return ", ".join(parts)


def locus_ld(locus: str, variants: pd.DataFrame, panel: Panel, max_memory_mb: float) -> LocusLd:
    """LD of a locus; where it would take more memory than the limit, of the variants nearest to its lead.

    Parameters
    ----------
    locus
        Its name.
    variants
        As of `panel_ld`, and z.
    panel
        The panel.
    max_memory_mb
        Limit of `ld_memory_mb`.

    Raises
    ------
    InputError
        As `panel_ld`.
    """
    fitting = variants_that_fit(max_memory_mb, panel.samples)
    left_out: dict[str, str] = {}
    if len(variants) > fitting:
        near = nearest_to_lead(variants, fitting)
        left_out = dict.fromkeys(variants["variant_id"][~near].tolist(), TRIMMED)
        logger.warning(
            "locus %s: LD of %d variants would take %d MB; the %d nearest to the lead are kept, to fit "
            "ld.max_memory_mb = %d", locus, len(variants), ld_memory_mb(len(variants), panel.samples), fitting,
            max_memory_mb,
        )  # fmt: skip
        variants = variants[near]
    ids = variants["variant_id"].to_numpy(np.str_)
    counts = panel_counts(variants, panel)
    stored = panel_ld(variants, panel) if counts is None else counts
    return LocusLd(locus, stored, ids, left_out, note_of(left_out, variants, panel.name))


def check_machine(variants: int, samples: int, max_memory_mb: float) -> None:
    """Stop before the work starts where a locus of so many variants would not fit into the machine's memory.

    Raises
    ------
    InputError
        The machine has less memory than the locus needs within the limit `max_memory_mb`.
    """
    if not variants:
        return
    needed = min(ld_memory_mb(variants, samples), max_memory_mb)
    there = machine_memory_mb()
    if needed > there:
        raise InputError(
            f"config: ld.max_memory_mb = {max_memory_mb} allows a locus of {variants:,} variants {needed:,.0f} "
            f"MB, but this machine has {there:,.0f} MB; make it smaller"
        )


def is_turned(variants: pd.DataFrame, panel: Genotypes) -> NDArray[np.bool_]:
    """Whether A1 of the panel is the reference allele, for each variant."""
    known = panel.find(variants)
    ref, alt = variants["ref"].to_numpy(), variants["alt"].to_numpy()
    a1, a2 = known["a1"].to_numpy(), known["a2"].to_numpy()
    turned: NDArray[np.bool_] = (a1 == ref) & (a2 == alt)
    same = (known["pos"].to_numpy() == variants["pos"].to_numpy()) & (turned | ((a1 == alt) & (a2 == ref)))
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        there = known.iloc[row]
        raise InputError(
            f"{panel.name}, variant {variants['panel_index'].iloc[row] + 1}: {there['chrom']}:{there['pos']} "
            f"{there['a1']}/{there['a2']} is not {variants['variant_id'].iloc[row]}; was the panel changed after "
            "harmonisation?"
        )
    return turned


def _standardised(dosages: NDArray[np.float32]) -> NDArray[np.float32]:
    """Columns of mean 0 and variance 1; zeros where nothing varies."""
    scaled = np.array(dosages, np.float32)
    called = np.isfinite(scaled)
    mean = np.where(called, scaled, 0).sum(0, dtype=np.float64) / np.maximum(called.sum(0), 1)
    scaled = np.where(called, scaled - mean.astype(np.float32), 0)
    deviation = np.sqrt(np.square(scaled, dtype=np.float64).mean(0))
    constant = deviation < 1e-6
    scaled /= np.where(constant, 1, deviation).astype(np.float32)
    scaled[:, constant] = 0
    return scaled
