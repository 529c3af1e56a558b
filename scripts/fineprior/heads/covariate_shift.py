"""Covariate shift: whether scored windows resemble the head's training windows.

Training, test and scored windows are each a sample of bins. Test windows set the standard: the figures of a head hold
at their distance from the training windows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.engine.variant_embeddings import VariantEmbeddings
from fineprior.files.arrays import Floats, ReadOnly
from fineprior.files.tables import SHIFT
from fineprior.genome.contigs import plain_name
from fineprior.genome.fasta import Genome
from fineprior.heads.head import Head
from fineprior.heads.metrics import auroc
from fineprior.sequence.windows import SCORED

SAMPLE = 4000
FINE, SHIFTED, UNKNOWN, NOT_APPLICABLE = "fine", "shifted", "unknown", "not applicable"
_FOLDS = 5
_GC_SHIFT, _N_SHIFT, _AUC_SHIFT, _AUC_BEYOND_TEST, _FAR_SHIFT = 0.5, 0.05, 0.7, 0.1, 0.05
_SHRINKAGE = 0.01
_BLOCKS = 100
"""Of neighbouring regions, which stay together when a classifier is fitted and judged."""


@dataclass(frozen=True)
class Sample(ReadOnly):
    """Some bins: embedding (n, dim), and the stretch of DNA (region block, locus) that each is of, as text (n,)."""

    embedding: NDArray[np.float32]
    group: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.group)


def covariate_rows(
    batches: Iterable[tuple[pd.DataFrame, VariantEmbeddings]],
    number: int,
    head: Head,
    genome: Genome,
    regions: pd.DataFrame,
    cached: RegionEmbeddings,
    length: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare training regions with the scored windows of a study.

    Parameters
    ----------
    batches, number
        LOCUS_VARIANTS with `score`, and the embeddings of these variants, batch by batch; number of batches.
    regions, cached
        Training, validation and test regions, and the embeddings of their bins.
    length
        Length of a window (bp).

    Returns
    -------
    Rows of SHIFT; and the variants of all batches with `signal` (mean of log1p of what the head predicts for the
    reference allele, NaN where the variant is not scored) and `scored`.
    """
    rng = np.random.default_rng(seed)
    frames, samples, backbones = [], [], set()
    for frame, found in batches:
        backbones.add(found.backbone)
        rows = pd.Index(found.variant_id.astype(object)).get_indexer(frame["variant_id"].astype(object))
        scored = found.status[rows] == SCORED
        centre = found.reference[rows, 0]
        signal = np.where(scored, np.log1p(head.predict(centre)).mean((1, 2)), np.nan)
        frames.append(frame.assign(signal=signal, scored=scored))
        drawn = np.sort(rng.permutation(np.flatnonzero(scored))[: SAMPLE // number])
        groups = frame["locus"].to_numpy(np.str_)[drawn]
        samples.append(Sample(centre[drawn, centre.shape[1] // 2], groups))
    variants = pd.concat(frames, ignore_index=True)
    training = regions[regions["split"] == "train"]
    parts = [
        _composition(genome, variants[variants["scored"]], training, length, rng),
        _embeddings(samples, cached, len(regions), backbones, rng),
        overlap_row(_inside(variants, cached)),
    ]
    return pd.concat(parts), variants


def _composition(
    genome: Genome, scored: pd.DataFrame, training: pd.DataFrame, length: int, rng: np.random.Generator
) -> pd.DataFrame:
    if scored.empty or training.empty:
        sentence = "There are no scored variants, or no training regions."
        return shift_rows("covariate", [("composition", np.nan, np.nan, np.nan, UNKNOWN, sentence)])
    some = scored.iloc[np.sort(rng.permutation(len(scored))[: SAMPLE // 4])]
    regions = training.iloc[np.sort(rng.permutation(len(training))[: SAMPLE // 4])]
    shares = [
        composition(genome, frame["chrom"].tolist(), start.tolist(), length)
        for frame, start in ((regions, regions["start"]), (some, some["pos"] - 1 - length // 2))
    ]
    return composition_rows(*shares)


def _embeddings(
    samples: Sequence[Sample],
    cached: RegionEmbeddings,
    number: int,
    backbones: set[str],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows on embeddings of `number` training, validation and test regions and of scored variants."""
    if backbones != {cached.backbone}:
        sentence = (
            "The head came with a trunk of its own, which embeds the variants; the training regions are embedded with "
            "the backbone that it began from, so the two cannot be compared."
        )
        return shift_rows("covariate", [("embedding", np.nan, np.nan, np.nan, UNKNOWN, sentence)])
    scored = Sample(*(np.concatenate([getattr(s, part) for s in samples]) for part in ("embedding", "group")))
    bins = len(cached.start) // number
    of_a_block = bins * max(1, number // _BLOCKS)
    drawn = {
        split: np.sort(rng.permutation(np.flatnonzero(cached.split == split))[:SAMPLE]) for split in ("train", "test")
    }
    training, test = (Sample(cached.embedding[rows], (rows // of_a_block).astype(np.str_)) for rows in drawn.values())
    return embedding_rows(training, test, scored)


def _inside(variants: pd.DataFrame, cached: RegionEmbeddings) -> float:
    """Share of variants that lie in a training bin."""
    inside = np.zeros(len(variants), bool)
    plain = np.array([plain_name(name) for name in variants["chrom"]])
    position = variants["pos"].to_numpy() - 1
    for name in np.unique(cached.chrom):
        starts = np.sort(cached.start[(cached.chrom == name) & (cached.split == "train")])
        here = plain == plain_name(str(name))
        if len(starts):
            nearest = starts[np.maximum(np.searchsorted(starts, position[here], "right") - 1, 0)]
            inside[here] |= (position[here] >= nearest) & (position[here] < nearest + cached.bin_size)
    return float(inside.mean()) if len(inside) else float("nan")


def composition(genome: Genome, chrom: Sequence[str], start: Sequence[int], length: int) -> Floats:
    """Share of G and C among known bases (NaN without any), and share of N, (windows, 2)."""
    shares = np.empty((len(chrom), 2))
    for row, (name, begin) in enumerate(zip(chrom, start, strict=True)):
        codes = genome.codes(name, int(begin), int(begin) + length)
        known = codes < 4
        shares[row] = np.isin(codes, (1, 2)).sum() / known.sum() if known.any() else np.nan, 1 - known.mean()
    return shares


def composition_rows(training: Floats, scored: Floats) -> pd.DataFrame:
    """Rows of SHIFT on the composition (windows, 2) of training and scored windows."""
    (gc, n), (gc_scored, n_scored) = np.nanmean(training, 0), np.nanmean(scored, 0)
    spread = float(np.nanstd(training[:, 0]))
    apart = (gc_scored - gc) / spread if spread > 0 else float("nan")
    rows = [
        ("share of G and C", gc, gc_scored, apart, abs(apart) > _GC_SHIFT,
         f"Scored windows have {gc_scored:.1%} G or C, training windows {gc:.1%}: {abs(apart):.2f} standard deviations "
         "of a window apart."),
        ("share of N", n, n_scored, n_scored - n, abs(n_scored - n) > _N_SHIFT,
         f"{n_scored:.1%} of the bases of scored windows are unknown, {n:.1%} of those of training windows."),
    ]  # fmt: skip
    return shift_rows("covariate", [(*row[:4], SHIFTED if row[4] else FINE, row[5]) for row in rows])


def embedding_rows(training: Sample, test: Sample, scored: Sample) -> pd.DataFrame:
    """Rows of SHIFT on the embeddings of bins: can they be told from training bins, are they further out."""
    if min(len(training), len(scored)) < 2 * _FOLDS:
        sentence = "There are too few embedded windows to compare."
        return shift_rows("covariate", [("embedding", np.nan, np.nan, np.nan, UNKNOWN, sentence)])
    told = domain_auroc(training, scored)
    told_test = domain_auroc(training, test) if len(test) >= 2 * _FOLDS else float("nan")
    far_test, far = far_shares(training, [test, scored])
    beyond = told > _AUC_SHIFT and not told <= told_test + _AUC_BEYOND_TEST
    auc = (
        f"A linear classifier of the backbone's embeddings tells scored windows from training windows with an auROC of "
        f"{_number(told)} (0.5: not at all); test regions, {_number(told_test)}. "
        + ("What the head reaches on test regions need not hold here." if beyond else "They are about as alike.")
    )
    distance = (
        f"{_number(far, '.1%')} of scored windows lie further from the middle of the training windows than 99% of "
        f"these do (Mahalanobis distance of embeddings; expected 1%); of test regions, {_number(far_test, '.1%')}."
    )
    return shift_rows(
        "covariate",
        [
            ("told from training windows", told_test, told, told - told_test, _verdict(told, beyond), auc),
            ("far from training windows", far_test, far, far - 0.01, _verdict(far, far > _FAR_SHIFT), distance),
        ],
    )


def _verdict(value: float, shifted: bool) -> str:
    if np.isnan(value):
        return UNKNOWN
    return SHIFTED if shifted else FINE


def _number(value: float, form: str = ".2f") -> str:
    return "unknown" if np.isnan(value) else format(value, form)


def domain_auroc(first: Sample, second: Sample) -> float:
    """How well a shrunk linear discriminant tells two samples apart, on groups of bins that it has not seen.

    Mean auROC over five folds of whole groups. NaN when the groups of one sample are fewer than two.
    """
    embedding = np.concatenate([first.embedding, second.embedding]).astype(np.float64)
    label = np.repeat([False, True], [len(first), len(second)])
    fold = np.concatenate([_fold(first.group), _fold(second.group)])
    found = []
    for held_out in range(_FOLDS):
        test = fold == held_out
        parts = [embedding[~test & (label == which)] for which in (False, True)]
        if min(len(part) for part in parts) < 2 or not 0 < label[test].sum() < test.sum():
            continue
        _, covariance = _moments(np.concatenate([part - part.mean(0) for part in parts]))
        direction = solve(covariance, parts[1].mean(0) - parts[0].mean(0), assume_a="pos")
        found.append(auroc(embedding[test] @ direction, label[test]))
    return float(np.mean(found)) if found else float("nan")


def far_shares(training: Sample, others: Sequence[Sample]) -> list[float]:
    """Share of each sample that is further from the training mean than 99% of training bins; NaN without bins.

    Mean and covariance come from one half of the training groups, the 99% from the other.
    """
    fitted = _fold(training.group, 2) == 0
    if not 0 < fitted.sum() < len(fitted):
        return [float("nan")] * len(others)
    mean, covariance = _moments(training.embedding[fitted].astype(np.float64))

    def distance(embedding: NDArray[np.float32]) -> Floats:
        centred = (embedding - mean).astype(np.float64)
        squared: Floats = (centred * solve(covariance, centred.T, assume_a="pos").T).sum(1)
        return squared

    limit = np.quantile(distance(training.embedding[~fitted]), 0.99)
    return [float((distance(other.embedding) > limit).mean()) if len(other) else float("nan") for other in others]


def overlap_row(share: float) -> pd.DataFrame:
    """Row of SHIFT on the share of scored variants in bins that the head was trained on."""
    sentence = (
        f"{share:.1%} of scored variants lie in bins that the head was trained on, where what it says of the reference "
        "is partly memory; whether their scores mean the same is compared under concept."
    )
    return shift_rows("covariate", [("variants in training bins", np.nan, share, np.nan, FINE, sentence)])


def shift_rows(kind: str, rows: Sequence[tuple[str, float, float, float, str, str]]) -> pd.DataFrame:
    """Rows of SHIFT of one kind from (measure, training, scored, difference, verdict, sentence)."""
    return pd.DataFrame([(kind, *row) for row in rows], columns=SHIFT.names)


def _fold(group: NDArray[np.str_], folds: int = _FOLDS) -> NDArray[np.int64]:
    """Fold (n,) of whole groups, in turn in their order."""
    _, number = np.unique(group, return_inverse=True)
    return number % folds


def _moments(values: Floats) -> tuple[Floats, Floats]:
    """Mean (dim,) and covariance (dim, dim), shrunk towards the mean variance on its diagonal."""
    mean = values.mean(0)
    covariance = (values - mean).T @ (values - mean) / len(values)
    share = max(_SHRINKAGE, min(1.0, values.shape[1] / len(values)) / 2)
    unit = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    return mean, (1 - share) * covariance + share * unit * np.eye(len(covariance))
