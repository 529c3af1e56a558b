"""How good a head is on training, validation and test regions: metrics, predictions, event files."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fineprior.engine.region_embeddings import RegionEmbeddings
from fineprior.files.tables import HEAD_SCATTER
from fineprior.heads.head import Head
from fineprior.heads.metrics import quality_table
from fineprior.heads.training_regions import RegionData, Regions
from fineprior.heads.trunk import load_tuned_backbone, predict
from fineprior.project.settings import BackboneSettings
from fineprior.sequence.tracks import SPLITS

_BINS_AT_ONCE = 50_000
_TEST_BINS_AT_ONCE = 1 << 15
_SCATTERED_BINS = 2000

logger = logging.getLogger(__name__)


def metrics_of_head(head: Head, cached: RegionEmbeddings, data: Regions, backbone: BackboneSettings) -> pd.DataFrame:
    """Table HEAD_METRICS; by the head's own backbone where its training has changed it, some regions at a time."""
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


def predicted_test(
    head: Head, data: RegionData, embeddings: RegionEmbeddings, backbone: BackboneSettings
) -> NDArray[np.floating]:
    """Signal (regions, bins, tracks) of the test regions by a head of any mode."""
    if not head.base:
        rows = np.flatnonzero(embeddings.split == "test")
        pieces = np.array_split(rows, -(-len(rows) // _TEST_BINS_AT_ONCE)) if len(rows) else [rows]
        signal = np.concatenate([head.predict(embeddings.embedding[part]) for part in pieces])
        return signal.reshape(-1, *data.shape[1:])
    return predict(head, load_tuned_backbone(backbone, head), data.codes[data.rows("test")])


def scatter_table(
    predicted: NDArray[np.floating], observed: NDArray[np.floating], tracks: Sequence[str], seed: int
) -> pd.DataFrame:
    """Table HEAD_SCATTER: predicted and observed signal (bins, tracks) of at most 2,000 bins, drawn at random."""
    known = np.flatnonzero(np.isfinite(observed).all(1))
    drawn = np.sort(np.random.default_rng(seed).permutation(known)[:_SCATTERED_BINS])
    tables = [
        pd.DataFrame({"track": track, "observed": observed[drawn, column], "predicted": predicted[drawn, column]})
        for column, track in enumerate(tracks)
    ]
    return pd.concat(tables)[HEAD_SCATTER.names].reset_index(drop=True)


def write_events(history: pd.DataFrame, metrics: pd.DataFrame, folder: str) -> None:
    """Write HEAD_HISTORY by epoch, and HEAD_METRICS of each track at the epoch that was kept, into a folder.

    Without the package tensorboard, which nothing else needs, the folder stays empty, and a warning says how to get the
    files.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        Path(folder).mkdir(parents=True, exist_ok=True)
        logger.warning(
            "evaluation.tensorboard: no event files, because the package tensorboard is not installed; to get them, "
            "install it (pip install 'fineprior[tensorboard]'), delete %s and run again",
            folder,
        )
        return
    kept = int(history.loc[history["best"], "epoch"].iloc[0])
    with SummaryWriter(folder) as events:
        for name in history.columns.drop(["epoch", "best"]):
            for epoch, value in zip(history["epoch"], history[name], strict=True):
                if isinstance(value, int | float):
                    events.add_scalar(name, value, epoch)
        for row in metrics.itertuples():
            events.add_scalar(f"{row.split}_pearson_r/{row.track}", row.pearson_r, kept)
