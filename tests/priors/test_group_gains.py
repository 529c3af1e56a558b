"""Groups on chromosomes left out: nothing of a chromosome is in its estimate, and gains are those written out."""

import numpy as np
import pytest
from scipy.special import logsumexp

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.group_gains import group_gains, leave_out_groups

TRUTH = np.r_[0.9, 0.0, 0.0]
GROUPS = np.array([0, 1, 1])


@pytest.mark.slow
def test_estimate_without_a_chromosome_has_not_seen_its_signals(simulated):
    here = simulated(1, TRUTH, loci=80, strength=6.0).by_chromosome
    other = dict(here)
    block = here["chr2"][0]
    rng = np.random.default_rng(1)
    other["chr2"] = [Block.of(block.features, rng.normal(0, 5, (len(block.features), 1)), block.starts)]
    whole, folds = leave_out_groups(here, GROUPS)
    spoilt, again = leave_out_groups(other, GROUPS)
    np.testing.assert_allclose(again["chr2"].coefficients, folds["chr2"].coefficients, atol=0.01)  # other first steps
    assert np.abs(again["chr1"].coefficients - folds["chr1"].coefficients).max() > 0.05
    assert np.abs(spoilt.coefficients - whole.coefficients).max() > 0.05
    assert list(folds) == ["chr1", "chr2", "chr3", "chr4"]


@pytest.mark.slow
def test_the_group_that_matters_earns_and_the_other_does_not(simulated):
    here = simulated(2, TRUTH, loci=120, strength=6.0).by_chromosome
    first, second = group_gains(here, GROUPS, ["right", "wrong"])
    assert (first.group, second.group) == ("right", "wrong")
    assert first.beside > 4 * first.error > 0
    assert abs(second.beside) < 3 * second.error + 0.1
    assert first.scale > 0.3 > second.scale
    _, folds = leave_out_groups({name: [_first(block) for block in blocks] for name, blocks in here.items()}, [0])
    written = 0.0
    for name, blocks in here.items():
        for block in blocks:
            eta, log_bf = block.features[:, 0] * folds[name].coefficients[0], block.signals[0].log_bf
            for k in np.split(np.arange(len(eta)), block.starts[1:]):
                written += logsumexp(eta[k] + log_bf[k]) - logsumexp(eta[k]) - logsumexp(log_bf[k]) + np.log(len(k))
    assert first.alone == pytest.approx(written / np.log(10), rel=1e-3)


def _first(block):
    return Block(block.features[:, :1], block.starts, block.signals, block.keys)


@pytest.mark.slow
def test_a_group_that_is_alone_earns_all(simulated):
    here = simulated(3, [0.9], loci=60, strength=6.0).by_chromosome
    only = group_gains(here, [0], ["all"])[0]
    assert only.alone == only.beside > 0


def test_one_chromosome_and_names_that_are_missing():
    block = Block.of(np.zeros((4, 2)), np.zeros((4, 1)), np.array([0, 2]))
    with pytest.raises(InputError, match="two chromosomes or more, not 1"):
        group_gains({"1": [block]}, [0, 1], ["a", "b"])
    with pytest.raises(InputError, match="2 groups must have as many names, not 1"):
        group_gains({"1": [block], "2": [block]}, [0, 1], ["a"])
