"""Scores of variants: what a head says of the difference between two alleles."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.foundation.errors import InputError
from fineprior.foundation.tables import SCORES
from fineprior.model.embeddings import VariantEmbeddings
from fineprior.model.head import Head
from fineprior.sequence.windows import SCORED

_VARIANTS_AT_ONCE = 4096


def predicted_alleles(
    head: Head, reference: NDArray[np.float32], difference: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signal of both alleles, averaged over strands.

    Parameters
    ----------
    reference, difference
        (variants, strands, bins, dim), as in `VariantEmbeddings`.

    Returns
    -------
    Reference and alternative signal (variants, bins, tracks), float64: their difference is small beside them.
    """
    first = reference.astype(np.float64)
    return head.predict(first).mean(1), head.predict(first + difference).mean(1)


def track_scores(
    reference: NDArray[np.float64], alternative: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores (variants, tracks) of signal (variants, bins, tracks).

    Returns
    -------
    l2
        L2 norm over bins of log2((alt + 1) / (ref + 1)), as in TraitGym (Benegas, Eraslan & Song 2025).
    sad
        Sum over bins of alt - ref (Basenji's SAD, Kelley et al. 2018), signed.
    """
    change = alternative - reference
    log_ratio = np.log1p(change / (reference + 1)) / np.log(2)
    return np.sqrt((log_ratio**2).sum(1)), change.sum(1)


def score_table(variants: pd.DataFrame, embeddings: VariantEmbeddings, head: Head) -> pd.DataFrame:
    """Table SCORES, one row for each row of LOCUS_VARIANTS in its order, joined by variant_id.

    Raises
    ------
    InputError
        The head was trained on another backbone, or a variant has no embedding.
    """
    if head.backbone != embeddings.backbone:
        raise InputError(
            f"the head was trained on backbone {head.backbone[:12]}, but the variants are embedded with backbone "
            f"{embeddings.backbone[:12]}; train a head on this backbone"
        )
    rows = pd.Index(embeddings.variant_id.astype(object)).get_indexer(variants["variant_id"].astype(object))
    if (rows < 0).any():
        missing = variants["variant_id"].iloc[int((rows < 0).argmax())]
        raise InputError(f"{int((rows < 0).sum())} of {len(rows)} variants have no embedding, the first is {missing}")
    l2 = np.full((len(embeddings.variant_id), len(head.tracks)), np.nan)
    sad = np.full_like(l2, np.nan)
    scored = np.flatnonzero(embeddings.status == SCORED)
    for start in range(0, len(scored), _VARIANTS_AT_ONCE):
        part = scored[start : start + _VARIANTS_AT_ONCE]
        l2[part], sad[part] = track_scores(
            *predicted_alleles(head, embeddings.reference[part], embeddings.difference[part])
        )
    table = variants[SCORES.names[: SCORES.names.index("status")]].copy()
    table["status"] = embeddings.status[rows]
    table["score"] = np.sqrt((l2[rows] ** 2).sum(1))
    for column, track in enumerate(head.tracks):
        table[f"{track}.l2"], table[f"{track}.sad"] = l2[rows, column], sad[rows, column]
    return table
