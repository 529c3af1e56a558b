"""A toy Enformer with a head of each mode, and what the shipped backbone was pretrained with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from enformer_pytorch import Enformer

from fineprior.heads.pretrain_data import DhsSites, PretrainSettings, WindowSampler
from fineprior.heads.training import train
from fineprior.sequence.motifs import read_motifs
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


SHIPPED = Path(__file__).parents[2] / "resources" / "backbone"


@pytest.fixture(scope="session")
def motifs():
    return read_motifs(SHIPPED / "motifs.meme")


@pytest.fixture(scope="session")
def shipped():
    torch.set_num_threads(1)
    return Enformer.from_pretrained(SHIPPED, use_tf_gamma=False).eval()


@pytest.fixture
def sampler(motifs):
    return WindowSampler(motifs, PretrainSettings(), np.random.default_rng(7))


@pytest.fixture(scope="session")
def sites():
    rng = np.random.default_rng(5)
    split = np.repeat(["train", "validation", "test"], [30, 10, 20])
    return DhsSites(rng.integers(0, 4, (60, 200)).astype(np.uint8), np.arange(60) % 2, split, ("A", "B"))
