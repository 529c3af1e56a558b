"""Two tracks that a toy Enformer learns, and settings with which it does so quickly."""

from dataclasses import dataclass

import numpy as np

from fineprior.heads.training_regions import Tracks
from fineprior.project.settings import HeadSettings

NAMES = Tracks.of(["gc", "a"])


QUICK = HeadSettings(mode="last_blocks", epochs=2, freeze_epochs=3, unfreeze_blocks=1, trunk_learning_rate=1e-3, rank=2,
                     warmup=2, scouts=2, learning_rate=0.02, batch_bins=64, hidden=8, augment_shift=2)  # fmt: skip


MODES = ("linear", "mlp", "last_blocks", "lora", "full", "guided")


@dataclass(frozen=True)
class Arrays:
    codes: np.ndarray
    targets: np.ndarray
    split: np.ndarray
