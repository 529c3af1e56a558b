import numpy as np
import pytest
from scipy.special import logit

from fineprior.files.errors import InputError
from fineprior.priors.blocks import Block
from fineprior.priors.concept_shift import enrichment_by_stratum, rate_shift
from fineprior.priors.enrichment import fit_enrichment
from fineprior.priors.features import Feature
from fineprior.priors.supervised import shifted_probabilities

LOCI, SIZE = 120, 60


def study(effects, seed=1):
    """Loci of variants in strata; the causal one is drawn with the log enrichment of its stratum."""
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, len(effects), LOCI * SIZE)
    scores = rng.lognormal(0, 1, LOCI * SIZE)
    feature = Feature.of("score", "score", scores).values(scores)
    odds = np.exp(np.asarray(effects)[stratum] * feature).reshape(LOCI, SIZE)
    log_bf = np.zeros((LOCI, SIZE))
    for locus in range(LOCI):
        log_bf[locus, rng.choice(SIZE, p=odds[locus] / odds[locus].sum())] = 12
    return scores, log_bf.reshape(-1, 1), np.arange(LOCI) * SIZE, stratum


def test_one_stratum_is_the_enrichment():
    scores, log_bf, starts, _ = study([1.0])
    found = enrichment_by_stratum(scores, log_bf, starts, np.zeros(len(scores), np.int64), 1.0)
    expected = fit_enrichment(
        [Block.of(Feature.of("score", "score", scores).values(scores)[:, None], log_bf, starts)], 1.0
    )
    assert found.log_enrichment == pytest.approx(expected.coefficients, abs=1e-6)
    assert found.standard_errors == pytest.approx(expected.standard_errors, abs=1e-6)
    assert np.isnan(found.p_value)


def test_a_score_that_means_nothing_in_one_stratum_is_found():
    found = enrichment_by_stratum(*study([1.2, 0.0]), 1.0)
    assert found.log_enrichment == pytest.approx([1.2, 0.0], abs=0.5)
    assert found.p_value < 0.01


def test_equal_strata_are_equal():
    values = [enrichment_by_stratum(*study([0.8, 0.8, 0.8], seed), 1.0).p_value for seed in range(8)]
    assert min(values) > 0.005
    assert max(values) > 0.3


def test_a_stratum_without_variation_or_variants():
    scores, log_bf, starts, stratum = study([1.0, 1.0])
    scores[stratum == 1] = 0
    found = enrichment_by_stratum(scores, log_bf, starts, np.where(stratum == 1, 2, stratum), 1.0)
    assert np.isfinite(found.log_enrichment).tolist() == [True, False, False]
    assert np.isnan(found.p_value)


def test_a_base_rate_moves_log_odds_by_a_constant():
    probability = np.array([0.1, 0.5, 0.9])
    moved = shifted_probabilities(probability, 0.5, 1.8 / 14716)
    assert logit(moved) - logit(probability) == pytest.approx(rate_shift(0.5, 1.8 / 14716))
    assert rate_shift(0.5, 0.5) == 0


@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.5, 1.0)])
def test_rates_beyond_their_range(rates):
    with pytest.raises(InputError, match="must be between 0 and 1"):
        rate_shift(*rates)
