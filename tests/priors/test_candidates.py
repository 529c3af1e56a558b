"""Candidates of a prior: which there are, and that their gain is that of held-out chromosomes."""

import numpy as np
import pytest

from fineprior.priors.blocks import log_odds_of
from fineprior.priors.candidates import PriorOptions, candidates_of
from fineprior.priors.features import features_of
from fineprior.project.settings import FinemapSettings, PriorSettings

OPTIONS = PriorOptions(PriorSettings(rounds=0), FinemapSettings(), 1, 1)


def candidates(study, prior, columns):
    return candidates_of(study, prior, features_of(study.variants, columns), OPTIONS)


@pytest.fixture(scope="module")
def functional(prior_study):
    return candidates(prior_study, "functional", {"score": "score"})


def test_the_reference_is_the_shape_that_gains_more(functional):
    assert [one.name for one in functional.tried] == ["marginal", "signals", "shaped"]
    gains = {one.name: one.held_out.gain for one in functional.tried}
    assert functional.reference.name == max(("signals", "shaped"), key=gains.get)


def test_a_control_has_no_marginal_candidate(prior_study):
    found = candidates(prior_study, "peaks", {"score": "value"})
    assert [one.name for one in found.tried] == ["signals"]
    assert found.reference is found.tried[0]


def test_log_odds_of_a_chromosome_are_those_of_the_fold_without_it(functional):
    used = functional.reference
    for chrom, blocks in used.blocks.items():
        expected = np.concatenate(log_odds_of(blocks, used.folds[chrom].coefficients))
        np.testing.assert_array_equal(np.concatenate(used.held_out.log_odds[chrom]), expected)
    assert used.held_out.gain == pytest.approx(sum(each.sum() for each in used.held_out.signal_gains.values()))
    assert used.held_out.gain > 5
