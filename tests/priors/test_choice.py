"""Which candidate is used for a prior, and the verdict in words."""

from dataclasses import replace

import numpy as np
import pytest

from fineprior.priors.candidates import Candidate
from fineprior.priors.choice import chosen, sentence, top_decile_ratio
from fineprior.priors.features import Model
from fineprior.priors.folds import fit_fold
from fineprior.priors.gains import HeldOutGain
from fineprior.priors.strength import Support
from fineprior.project.settings import PriorSettings


@pytest.mark.parametrize(
    ("gains", "used"),
    [
        ({"marginal": [3, 3, 3, 3], "signals": [1, 1, 1, 1.1]}, "marginal"),  # more, with certainty
        ({"marginal": [9, -3, 3, -3], "signals": [1, 1, 1, 1]}, "signals"),  # more, by chance
        ({"marginal": [0, 0, 0, 0.1], "signals": [1, 1, 1, 1]}, "signals"),
        ({"marginal": [2, 2, 2, 2.1], "signals": [1, 1, 1, 1], "iterated": [3, 3, 3, 3.1]}, "iterated"),
        ({"marginal": [2], "signals": [1]}, "signals"),  # one signal says nothing of chance
        ({"marginal": [], "signals": []}, "signals"),
    ],
)
def test_a_candidate_is_used_where_it_clearly_gains_more(gains, used):
    support = Support(0.0, 0.0, 0.0, 4, 4, 1.0, "")
    candidates = {
        name: Candidate(name, [], None, {}, {}, HeldOutGain({}, {"chr1": np.array(values, dtype=float)}, 0.0, support))
        for name, values in gains.items()
    }
    assert chosen(list(candidates.values()), candidates["signals"]) is candidates[used]


def test_top_tenth_by_hand():
    assert top_decile_ratio(np.r_[np.zeros(18), np.log([3.0, 5.0])]) == pytest.approx(4)
    assert np.isnan(top_decile_ratio(np.zeros(9)))


def test_the_sentence_tells_what_was_found_and_done(simulated):
    model = Model(np.array([True]), np.array([np.nan]))
    support = fit_fold(simulated(3, 1.2, loci=60).by_chromosome, model, PriorSettings(), 1).support
    told = sentence(replace(support, weight=0.9), 4.0, 2.5, -0.5)
    assert f"multiplies the prior odds by {np.exp(support.log_enrichment):.1f} (95% interval" in told
    assert "60 signals in 60 loci" in told
    assert "gain 2.5 log10 units of likelihood (shuffled scores -0.5)" in told
    assert told.endswith("the functional prior is used with weight 0.9.")
    none = sentence(replace(support, reason="it rained", weight=0.0), 4.0, 0.0, 0.0)
    assert none.endswith("the prior stays uniform because it rained.")
    unknown = sentence(replace(support, log_enrichment=np.nan, reason="it rained", weight=0.0), np.nan, 0.0, 0.0)
    assert unknown == "The prior stays uniform because it rained."
