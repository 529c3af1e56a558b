"""Held-out figures of the shipped backbone."""

import json
from pathlib import Path

import numpy as np
import pytest

from backbone.figures import ARRANGEMENTS, GOALS, auroc, site_effects
from backbone.windows import (
    PretrainSettings,
    WindowSampler,
)

SHIPPED = Path(__file__).parents[2] / "resources" / "backbone"


def test_goals_are_met():
    figures = json.loads((SHIPPED / "metrics.json").read_text())["figures"]
    assert {name: figures[name] for name, goal in GOALS.items() if figures[name] < goal} == {}
    assert GOALS.keys() >= {"motif_r_planted", "effect_r_single", "auroc_lowest"}
    assert min(figures["auroc"].values()) == figures["auroc_lowest"]
    assert set(figures["auroc"]) == {"GM12878", "HepG2", "K562", "hESC"}


@pytest.mark.slow
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_single_base_effects_are_the_motifs_own(shipped, motifs, arrangement):
    sampler = WindowSampler(motifs, PretrainSettings(), np.random.default_rng(11))
    effects = site_effects(shipped, sampler, 2, arrangement, changes=3)
    assert len(effects.true) == 24 * 2 * 3
    assert np.abs(effects.true).max() > 1
    assert np.corrcoef(effects.predicted, effects.true)[0, 1] >= 0.8


def test_auroc_is_the_fraction_of_ordered_pairs():
    rng = np.random.default_rng(3)
    scores, positive = rng.integers(0, 9, 50).astype(float), rng.random(50) < 0.4
    above = scores[positive][:, None] - scores[~positive]
    assert auroc(scores, positive) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())
