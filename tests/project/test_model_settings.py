"""What else is said of the settings of the sequence model agrees with them."""

from fineprior.project.model_settings import POOLING, TUNING_MODES, HeadSettings, TrackSettings
from fineprior.project.schemas import rule_of
from fineprior.project.sheets import Track


def test_modes_that_change_the_backbone_are_modes():
    assert set(TUNING_MODES) < set(rule_of(HeadSettings, "mode").choices)
    assert HeadSettings().mode not in TUNING_MODES


def test_a_track_can_have_any_pooling():
    assert list(rule_of(Track, "pooling").choices) == list(rule_of(TrackSettings, "pooling").choices) == list(POOLING)
