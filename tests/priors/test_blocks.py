"""Loci in flat arrays, their signals, and loci thinned and put together."""

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.blocks import (
    THINNED_SIZE,
    Block,
    locus_sizes,
    locus_starts,
    log_likelihood,
    log_odds_of,
    log_softmax,
    merged,
    signal_likelihood,
)
from fineprior.priors.enrichment import derivatives, fit_enrichment


def test_loci_are_found_by_their_names():
    starts = locus_starts(["b", "b", "a", "c", "c", "c"])
    np.testing.assert_array_equal(starts, [0, 2, 3])
    np.testing.assert_array_equal(locus_sizes(starts, 6), [2, 1, 3])
    assert len(locus_starts([])) == 0
    with pytest.raises(InputError, match="locus a are not contiguous"):
        locus_starts(["a", "b", "a"])


def test_likelihood_by_hand():
    # locus 1: priors 1/4 and 3/4, BF 8 and 4; locus 2: one variant, BF 5; second signal in locus 1 only: BF 1 and 9
    log_odds, starts = np.array([0.0, np.log(3), 7.0]), np.array([0, 2])
    log_prior = log_softmax(log_odds, starts)
    np.testing.assert_allclose(np.exp(log_prior), [0.25, 0.75, 1])
    log_bf = np.log([[8.0, 1.0], [4.0, 9.0], [5.0, 1.0]])
    np.testing.assert_allclose(log_likelihood(log_prior, log_bf, starts), np.log([[5, 7], [5, 1]]))
    block = Block.of(np.zeros((3, 1)), log_bf, starts)
    np.testing.assert_array_equal(block.signal_counts, [2, 1])
    first, second = signal_likelihood(block, log_odds)
    np.testing.assert_allclose(first, np.log([5, 5]))
    np.testing.assert_allclose(second, np.log([7]))


def test_a_signal_that_no_locus_has_is_none():
    block = Block.of(np.zeros((3, 1)), np.array([[0.0, 2.0], [0.0, 1.0], [0.0, 3.0]]), np.array([0, 2]))
    (signal,) = block.signals
    np.testing.assert_array_equal(signal.log_bf, [2, 1, 3])


def test_blocks_put_together_are_the_same_loci(simulated):
    one, two = simulated(1, [0.5, 0.2], loci=20, signals=2), simulated(2, [0.5, 0.2], loci=15, size=300)
    assert two.block.thinned is not two.block
    b = np.array([0.3, -0.2])
    for pieces in ([one.block, two.block], [one.block, two.block.thinned]):
        for apart, together in zip(derivatives(pieces, b, 1.0), derivatives([merged(pieces)], b, 1.0), strict=True):
            np.testing.assert_allclose(together, apart)


def test_thinned_loci_keep_signals_and_stand_for_the_others(simulated):
    loci = simulated(3, [1.0, -0.5], loci=200, size=400, strength=6.0)
    whole, thin = loci.block, loci.block.thinned
    assert len(thin.features) < 0.5 * len(whole.features)
    np.testing.assert_allclose(np.add.reduceat(np.exp(thin.log_weight), thin.starts), whole.sizes)
    full, few = (fit_enrichment([block], 1.0) for block in (whole, thin))
    assert (np.abs(full.coefficients - few.coefficients) < full.standard_errors).all()


def test_small_loci_are_not_thinned(simulated):
    block = simulated(4, 0.5, loci=10, size=THINNED_SIZE).block
    assert block.thinned is block


def test_thinning_depends_on_the_locus_alone(simulated):
    loci = simulated(5, 0.5, loci=8, size=400)
    every = {name: blocks[0].thinned for name, blocks in loci.by_chromosome.items()}
    changed = loci._replace(log_bf=np.where((loci.chromosomes == "chr1")[:, None], 0.0, loci.log_bf))
    again = {name: blocks[0].thinned for name, blocks in changed.by_chromosome.items()}
    np.testing.assert_array_equal(every["chr2"].features, again["chr2"].features)


def test_log_odds_by_hand():
    block = Block.of(np.array([[1.0, 2.0], [0.0, -1.0]]), np.zeros((2, 1)), np.array([0]))
    np.testing.assert_allclose(log_odds_of([block], np.array([0.5, 1.0])), [[2.5, -1.0]])
