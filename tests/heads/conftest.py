"""A toy Enformer with a head of each mode."""

from dataclasses import replace

import numpy as np
import pytest

from fineprior.heads.training import train
from toy_enformer import BIN_SIZE, CONTEXT, save_toy
from toy_training import MODES, NAMES, QUICK, Arrays


@pytest.fixture(scope="session")
def data():
    """Two tracks: GC content of each bin, and twice its A content."""
    rng = np.random.default_rng(1)
    regions = 24
    gc = np.repeat(rng.uniform(0.2, 0.8, (regions, CONTEXT // BIN_SIZE)), BIN_SIZE, axis=1)
    codes = np.where(rng.random(gc.shape) < gc, rng.integers(1, 3, gc.shape), 3 * rng.integers(0, 2, gc.shape))
    bins = codes.reshape(regions, -1, BIN_SIZE)[:, 2:-2]
    targets = np.stack([(bins % 3 > 0).mean(2), 2 * (bins == 0).mean(2)], -1).astype(np.float32)
    return Arrays(codes.astype(np.uint8), targets, np.repeat(["train", "valid", "test"], [14, 5, 5]))


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    return save_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def trained(data, backbone):
    return {mode: train(data, backbone, NAMES, replace(QUICK, mode=mode), 1) for mode in MODES}
