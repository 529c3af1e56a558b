"""What folds gain on chromosomes that they leave out, and what the same log odds gain on other variants."""

from dataclasses import replace

import numpy as np
import pytest

from fineprior.priors.features import Design, features_of
from fineprior.priors.folds import ALL_LOCI, cross_fit
from fineprior.priors.gains import held_out_gain, log10_gains, shuffled_gain
from fineprior.project.settings import PriorSettings

SETTINGS = PriorSettings()


@pytest.fixture(scope="module")
def judged(prior_study):
    """Blocks of a study with one score, their folds, and the gain of these."""
    design = Design.of(prior_study.variants, features_of(prior_study.variants, {"score": "score"}))
    blocks = prior_study.blocks(design.X, prior_study.signals)
    folds = cross_fit(blocks, design.model, SETTINGS, 1)
    return blocks, folds, held_out_gain(prior_study, blocks, folds, design.missing, SETTINGS, 1)


def test_gains_of_chromosomes_are_those_of_their_signals(judged):
    blocks, _, found = judged
    assert list(found.gains) == list(blocks)
    assert {chrom: len(each) for chrom, each in found.signal_gains.items()} == dict.fromkeys(blocks, 8)
    assert found.gain == pytest.approx(sum(each.sum() for each in found.signal_gains.values()))
    assert found.gain > 5


def test_the_fold_of_all_loci_gives_no_log_odds(prior_study, judged):
    blocks, folds, found = judged
    other = {**folds, ALL_LOCI: folds["chr1"]}
    again = held_out_gain(prior_study, blocks, other, np.zeros(len(prior_study.variants)), SETTINGS, 1)
    for chrom, each in found.log_odds.items():
        np.testing.assert_array_equal(np.concatenate(again.log_odds[chrom]), np.concatenate(each))


def test_shuffled_log_odds_gain_less_and_nothing_without_a_weight(prior_study, judged):
    blocks, _, found = judged
    assert shuffled_gain(prior_study, blocks, found, SETTINGS, 1) < 0.2 * found.gain
    unused = replace(found, support=replace(found.support, weight=0.0))
    assert shuffled_gain(prior_study, blocks, unused, SETTINGS, 1) == 0


def test_gain_of_signals_by_hand():
    np.testing.assert_allclose(log10_gains(np.log([[1.0, 10.0], [100.0, 1.0]])), [2, -1])
