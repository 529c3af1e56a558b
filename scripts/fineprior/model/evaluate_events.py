"""The course of a training as TensorBoard event files."""

import pandas as pd

from fineprior.foundation.errors import InputError


def write_events(history: pd.DataFrame, metrics: pd.DataFrame, folder: str) -> None:
    """Write HEAD_HISTORY by epoch, and HEAD_METRICS of each track at the epoch that was kept, into a folder.

    Raises
    ------
    InputError
        The package tensorboard, which nothing else needs, is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("evaluation.tensorboard: the package tensorboard is not installed") from None
    kept = int(history.loc[history["best"], "epoch"].iloc[0])
    with SummaryWriter(folder) as events:
        for name in history.columns.drop(["epoch", "best"]):
            for epoch, value in zip(history["epoch"], history[name], strict=True):
                if isinstance(value, int | float):
                    events.add_scalar(name, value, epoch)
        for row in metrics.itertuples():
            events.add_scalar(f"{row.split}_pearson_r/{row.track}", row.pearson_r, kept)
