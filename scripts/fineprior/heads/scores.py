"""Scores of variants: what a head says of the difference between two alleles.

`score_table` scores a batch of variants; `gathered_scores` puts those of a study beside its common variants (quantiles,
principal components); `window_comparison` scores a sample again in windows that are centred on the variants.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.engine.backbone import Backbone
from fineprior.engine.variant_embeddings import VariantEmbeddings, embed_alleles
from fineprior.files.arrays import ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.tables import SCORES, VARIANT_SCORES, WINDOW_COMPARISON
from fineprior.genome.contigs import plain_name
from fineprior.genome.fasta import Genome
from fineprior.heads.head import Head
from fineprior.project.settings import ScoreSettings, WindowSettings
from fineprior.sequence.windows import SCORED, SCREENED, locus_sequences, window_start

logger = logging.getLogger(__name__)

TRACK_SCORES = ("l2", "sad", "log_sum", "central", "max")
_SIGNED = ".sad"
_VARIANTS_AT_ONCE = 4096


def score_table(
    variants: pd.DataFrame,
    embeddings: VariantEmbeddings,
    head: Head,
    settings: ScoreSettings | None = None,
    excluded: Collection[str] = (),
) -> pd.DataFrame:
    """Table SCORES, one row for each row of LOCUS_VARIANTS in its order, joined by variant_id.

    Parameters
    ----------
    excluded
        Tracks that enter no prior: neither the score, which is missing when these are all, nor columns `.l2`, which
        priors of single tracks are made of. Their signed columns are there.

    Raises
    ------
    InputError
        The head was trained on another backbone, or a variant has no embedding.
    """
    settings = settings or ScoreSettings()
    if head.backbone != embeddings.backbone:
        raise InputError(
            f"the head was trained on backbone {head.backbone[:12]}, but the variants are embedded with backbone "
            f"{embeddings.backbone[:12]}; train a head on this backbone"
        )
    rows = pd.Index(embeddings.variant_id.astype(object)).get_indexer(variants["variant_id"].astype(object))
    if (rows < 0).any():
        missing = variants["variant_id"].iloc[int((rows < 0).argmax())]
        raise InputError(f"{int((rows < 0).sum())} of {len(rows)} variants have no embedding, the first is {missing}")
    found = {name: np.full((len(embeddings.variant_id), len(head.tracks)), np.nan) for name in TRACK_SCORES}
    for values in found.values():
        values[embeddings.status == SCREENED] = 0
    scored = np.flatnonzero(embeddings.status == SCORED)
    for start in range(0, len(scored), _VARIANTS_AT_ONCE):
        part = scored[start : start + _VARIANTS_AT_ONCE]
        alleles = predicted_alleles(head, embeddings.reference[part], embeddings.difference[part])
        for name, values in track_scores(*alleles, settings.central_bins).items():
            found[name][part] = values
    table = variants[SCORES.names[: SCORES.names.index("status")]].copy()
    table["status"] = embeddings.status[rows]
    counted = [track not in excluded for track in head.tracks]
    magnitude = np.sqrt((found[settings.magnitude][rows][:, counted] ** 2).sum(1))
    table["score"] = magnitude if any(counted) else np.nan
    columns = {
        f"{track}.{name}": found[name][rows, column]
        for column, track in enumerate(head.tracks)
        for name in TRACK_SCORES
        if counted[column] or name != "l2"
    }
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)


def predicted_alleles(
    head: Head, reference: NDArray[np.float32], difference: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signal of both alleles, averaged over views (strands, moved windows).

    On the reverse strand a track of a strand pair is what the head says of the other one there.

    Parameters
    ----------
    reference, difference
        (variants, views, bins, dim), as in `VariantEmbeddings`.

    Returns
    -------
    Reference and alternative signal (variants, bins, tracks), float64: their difference is small beside them.
    """
    first = reference.astype(np.float64)
    signals = head.predict(first), head.predict(first + difference)
    if head.other_strand and first.shape[1] % 2 == 0:
        # Views come in pairs, forward and reverse; an odd number of them is forward only.
        for signal in signals:
            signal[:, 1::2] = signal[:, 1::2][..., list(head.other_strand)]
    return signals[0].mean(1), signals[1].mean(1)


def track_scores(
    reference: NDArray[np.float64], alternative: NDArray[np.float64], central_bins: int = 2
) -> dict[str, NDArray[np.float64]]:
    """Scores (variants, tracks) of signal (variants, bins, tracks), by name; all but l2 are signed.

    Returns
    -------
    l2
        L2 norm over bins of log2((alt + 1) / (ref + 1)), as in TraitGym (Benegas, Eraslan & Song 2025).
    sad
        Sum over bins of alt - ref (Basenji's SAD, Kelley et al. 2018).
    log_sum
        Sum over bins of log2((alt + 1) / (ref + 1)).
    central
        Mean over the central bins of alt - ref (the tissue-specific cis-regulatory activity of Li et al.).
    max
        alt - ref in the bin where its magnitude is largest (Basenji's SAX).
    """
    change = alternative - reference
    log_ratio = np.log1p(change / (reference + 1)) / np.log(2)
    margin = (change.shape[1] - central_bins) // 2
    largest = np.abs(change).argmax(1)[:, None]
    return {
        "l2": np.sqrt((log_ratio**2).sum(1)),
        "sad": change.sum(1),
        "log_sum": log_ratio.sum(1),
        "central": change[:, margin : margin + central_bins].mean(1),
        "max": np.take_along_axis(change, largest, 1)[:, 0],
    }


@dataclass(frozen=True)
class Components(ReadOnly):
    """Principal components of signed track scores.

    Scores are scaled by their root mean square and not centred: which allele is called the alternative one is
    arbitrary, so zero is their centre, and exchanging the alleles negates a component.

    Attributes
    ----------
    scale
        (tracks,) root mean square of each track in the variants that it was fitted on; 1 where it is 0.
    loadings
        (tracks, components), the largest of each column positive.
    """

    scale: NDArray[np.float64]
    loadings: NDArray[np.float64]

    @classmethod
    def fit(cls, scores: NDArray[np.float64], number: int) -> "Components":
        """Fit to scores (variants, tracks) without missing values; at most as many components as tracks or variants."""
        scale = np.sqrt((scores**2).mean(0)) if len(scores) else np.zeros(scores.shape[1])
        scale = np.where(scale > 0, scale, 1.0)
        _, directions = np.linalg.eigh((scores / scale).T @ (scores / scale))
        loadings = directions[:, ::-1][:, : min(number, *scores.shape)]
        largest = np.take_along_axis(loadings, np.abs(loadings).argmax(0)[None], 0)
        return cls(scale, loadings * np.sign(largest))

    def of(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Components (variants, components) of scores (variants, tracks)."""
        values: NDArray[np.float64] = scores / self.scale @ self.loadings
        return values


def quantiles(values: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share (n,) of the background (m,) below each value, ties counted half; NaN for NaN and without background."""
    if not len(background):
        return np.full(len(values), np.nan)
    ordered = np.sort(background)
    below, upto = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return np.where(np.isnan(values), np.nan, (below + upto) / (2 * len(ordered)))


def gathered_scores(
    scores: list[pd.DataFrame], variants: list[pd.DataFrame], training: set[str], settings: ScoreSettings
) -> pd.DataFrame:
    """Table VARIANT_SCORES of a study from the batches of SCORES and LOCUS_VARIANTS.

    Quantiles refer to the common variants, by their frequency in the panel, or in the GWAS where the panel has none.
    The components are fitted on those on the `training` chromosomes (those that heads are trained on), on all where
    there are none.
    """
    table = pd.concat(scores, ignore_index=True)
    known = pd.concat(variants, ignore_index=True)
    known = known.drop_duplicates("variant_id").set_index("variant_id")
    frequency = known["panel_af"].fillna(known["eaf"])
    af = table["variant_id"].map(frequency).to_numpy(np.float64)
    maf = np.minimum(af, 1 - af)
    gathered = table[VARIANT_SCORES.names[: VARIANT_SCORES.names.index("quantile")]].copy()
    gathered["common"] = table["status"].isin(["scored", "screened"]).to_numpy() & (maf >= settings.background_maf)
    once = gathered["common"].to_numpy() & ~table.duplicated("variant_id").to_numpy()
    logger.info("%d of %d variants are the common ones that quantiles refer to", int(once.sum()), len(table))
    gathered["quantile"] = _quantiles(table["score"], once)
    tracks = [name.removesuffix(_SIGNED) for name in table.columns if name.endswith(_SIGNED)]
    signed = table[[track + _SIGNED for track in tracks]].to_numpy(np.float64)
    plain = {plain_name(chrom) for chrom in training}
    fitted_on = once & table["chrom"].map(plain_name).isin(plain).to_numpy()
    fitted_on = fitted_on if fitted_on.any() else once
    components = Components.fit(signed[fitted_on], settings.components).of(signed)
    columns = {f"pc{number + 1}": values for number, values in enumerate(components.T)}
    magnitudes = {track: f"{track}.{settings.magnitude}" for track in tracks}
    columns |= {
        f"{track}.quantile": _quantiles(table[name].abs(), once) for track, name in magnitudes.items() if name in table
    }
    return pd.concat([gathered, pd.DataFrame(columns, index=gathered.index)], axis=1)


def _quantiles(values: pd.Series, background: NDArray[np.bool_]) -> NDArray[np.float64]:
    numbers = values.to_numpy(np.float64)
    return quantiles(numbers, numbers[background])


def window_comparison(
    variants: pd.DataFrame,
    scores: pd.DataFrame,
    genome: Genome,
    backbone: Backbone,
    head: Head,
    windows: WindowSettings,
    settings: ScoreSettings,
    count: int,
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Table WINDOW_COMPARISON of `count` variants, or of all that are scored if these are fewer.

    Parameters
    ----------
    variants, scores
        Tables LOCUS_VARIANTS and SCORES of the same variants; the scores are those in the windows that `windows` asks
        for.
    seed
        Of the sample, which is of variants with the status `scored`.
    """
    scored = scores[scores["status"] == SCORED].drop_duplicates("variant_id")
    chosen = np.random.default_rng(seed).choice(len(scored), min(count, len(scored)), replace=False)
    shared = scored.iloc[np.sort(chosen)]
    rows = variants.drop_duplicates("variant_id").set_index("variant_id", drop=False)
    rows = rows.loc[shared["variant_id"]].reset_index(drop=True)
    length = backbone.context_length
    centred = replace(windows, max_offset=0, screen=1.0)
    sequences = locus_sequences(rows, genome, length, centred)
    again = score_table(rows, embed_alleles(sequences, backbone, centred, threads=threads), head, settings)
    pos = rows["pos"].to_numpy(np.int64)
    table = pd.DataFrame({
        "variant_id": rows["variant_id"],
        "offset": window_start(pos, length) - window_start(pos, length, windows.max_offset),
        "score_shared": shared["score"].to_numpy(),
        "score_centred": again["score"].to_numpy(),
    })  # fmt: skip
    return table[WINDOW_COMPARISON.names]
