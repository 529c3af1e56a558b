"""The shipped backbone, what it was pretrained with, and settings of a miniature of that pretraining."""

from pathlib import Path

import numpy as np
import pytest
import torch
from enformer_pytorch import Enformer

from backbone.windows import DhsSites, PretrainSettings, WindowSampler
from fineprior.sequence.motifs import read_motifs

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


@pytest.fixture(scope="session")
def small():
    return PretrainSettings(dim=48, depth=1, heads=2, attn_dim_key=12, steps=2, synthetic_windows=4, dhs_windows=4,
                            head_windows=8, test_windows=8)  # fmt: skip
