"""Two tracks that a toy Enformer learns, and settings with which it does so quickly; a miniature of the pretraining."""

from dataclasses import dataclass

import numpy as np

from fineprior.heads.pretrain_data import PretrainSettings
from fineprior.heads.training_data import Tracks
from fineprior.project.settings import HeadSettings

NAMES = Tracks.of(["gc", "a"])


QUICK = HeadSettings(mode="last_blocks", epochs=2, freeze_epochs=3, unfreeze_blocks=1, trunk_learning_rate=1e-3, rank=2,
                     warmup=2, scouts=2, learning_rate=0.02, batch_bins=64, hidden=8, augment_shift=2)  # fmt: skip


SMALL = PretrainSettings(dim=48, depth=1, heads=2, attn_dim_key=12, steps=2, synthetic_windows=4, dhs_windows=4,
                         head_windows=8, test_windows=8)  # fmt: skip


MODES = ("linear", "mlp", "last_blocks", "lora", "full", "guided")


@dataclass(frozen=True)
class Arrays:
    codes: np.ndarray
    targets: np.ndarray
    split: np.ndarray
