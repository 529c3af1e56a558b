"""What the rules of a head share: sequence and targets of the training regions, and how well a head predicts them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.engine.embeddings import RegionEmbeddings
from fineprior.genome.fasta import Genome
from fineprior.heads.head import Head
from fineprior.heads.metrics import quality_table
from fineprior.project.settings import BackboneSettings, TrackSettings
from fineprior.sequence.target_parts import RegionFiles, region_files
from fineprior.sequence.tracks import SPLITS

_BINS_AT_ONCE = 50_000


def files_of_regions(
    genome: Genome,
    regions: pd.DataFrame,
    bigwigs: list[str],
    bin_size: int,
    sheet: Mapping[str, Any],
    backbone: BackboneSettings,
    store: str,
) -> RegionFiles:
    """Sequence and targets of the training regions; the targets are read from the tracks once, into the store.

    Parameters
    ----------
    sheet
        `targets` holds the fields of TrackSettings of each track.
    """
    each = [TrackSettings(**values) for values in sheet["targets"]]
    return region_files(genome, regions, bigwigs, each, bin_size, backbone.target_bins, Path(store) / "targets")


def metrics_of_head(
    head: Head, cached: RegionEmbeddings, data: RegionFiles, backbone: BackboneSettings
) -> pd.DataFrame:
    """Table HEAD_METRICS; by the head's own backbone where its training has changed it, some regions at a time."""
    from fineprior.heads.tuned_backbone import load_tuned_backbone, predict

    bins = backbone.target_bins
    pieces = [
        (split, part)
        for split in SPLITS
        if len(rows := np.flatnonzero(data.split == split))
        for part in np.array_split(rows, -(-len(rows) * bins // _BINS_AT_ONCE))
    ]
    model = load_tuned_backbone(backbone, head) if head.base else None

    def predicted(rows: NDArray[np.int64]) -> NDArray[np.floating]:
        if model is not None:
            return predict(head, model, data.codes[rows])
        return head.predict(cached.embedding.reshape(-1, bins, cached.embedding.shape[1])[rows])

    return quality_table(head.tracks, ((split, predicted(rows), data.targets[rows]) for split, rows in pieces))
