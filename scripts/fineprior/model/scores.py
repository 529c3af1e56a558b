"""Scores of variants: what a head says of the difference between two alleles."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import ScoreSettings
from fineprior.foundation.tables import SCORES
from fineprior.model.embeddings import VariantEmbeddings
from fineprior.model.head import Head
from fineprior.sequence.windows import SCORED, SCREENED

TRACK_SCORES = ("l2", "sad", "log_sum", "central", "max")
_VARIANTS_AT_ONCE = 4096


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


def score_table(
    variants: pd.DataFrame,
    embeddings: VariantEmbeddings,
    head: Head,
    settings: ScoreSettings | None = None,
    left_out: Collection[str] = (),
) -> pd.DataFrame:
    """Table SCORES, one row for each row of LOCUS_VARIANTS in its order, joined by variant_id.

    Parameters
    ----------
    left_out
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
    counted = [track not in left_out for track in head.tracks]
    magnitude = np.sqrt((found[settings.magnitude][rows][:, counted] ** 2).sum(1))
    table["score"] = magnitude if any(counted) else np.nan
    columns = {
        f"{track}.{name}": found[name][rows, column]
        for column, track in enumerate(head.tracks)
        for name in TRACK_SCORES
        if counted[column] or name != "l2"
    }
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)
