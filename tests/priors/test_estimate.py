"""The rows of a prior's tables belong to the candidate that is used, the verdict to the reference's chromosomes."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import COEFFICIENTS, ENRICHMENT, PRIOR_STEPS
from fineprior.priors import estimate, gains
from fineprior.priors.candidates import PriorOptions
from fineprior.priors.estimate import estimate_prior
from fineprior.priors.folds import ALL_LOCI
from fineprior.project.settings import FinemapSettings, PriorSettings

LOCI, SIZE = 24, 20


@pytest.fixture(scope="module")
def shuffles():
    """The orders in which the scores of `rows` were shuffled."""
    return []


@pytest.fixture(scope="module")
def rows(prior_study, shuffles):
    original = gains.shuffle_within_bins

    def recorded(*arguments):
        shuffles.append(original(*arguments))
        return shuffles[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gains, "shuffle_within_bins", recorded)
        patched.setattr(estimate, "REPLICATES", 3)
        options = PriorOptions(PriorSettings(rounds=0), FinemapSettings(), 1, 1)
        return estimate_prior(prior_study, "functional", {"score": "score"}, options)


@pytest.mark.slow
def test_there_is_a_row_for_all_loci_and_for_each_chromosome_left_out(rows):
    enrichment = ENRICHMENT.checked(pd.DataFrame(rows.enrichment), "enrichment").set_index("left_out")
    assert enrichment.index.tolist() == [ALL_LOCI, "chr1", "chr2", "chr3"]
    assert enrichment["loci"].tolist() == [24, 16, 16, 16]
    assert (enrichment["prior"] == "functional").all()
    assert np.isnan(enrichment.loc[ALL_LOCI, "held_out_gain"])
    assert (enrichment.loc["chr1":, "held_out_gain"] > 0).all()


def test_coefficients_are_those_of_the_used_candidate_with_errors(rows):
    coefficients = COEFFICIENTS.checked(pd.DataFrame(rows.coefficients), "coefficients")
    steps = PRIOR_STEPS.checked(pd.DataFrame(rows.candidates), "steps")
    assert steps["used"].sum() == 1
    assert set(coefficients["left_out"]) == {ALL_LOCI, "chr1", "chr2", "chr3"}
    assert (coefficients["standard_error"] > 0).all()
    assert coefficients["feature"].unique().tolist() == ["score"]


def test_the_verdict_knows_scores_from_their_shuffles(rows):
    steps = pd.DataFrame(rows.candidates)
    verdict = rows.verdict
    assert verdict["held_out_gain"] == pytest.approx(steps.loc[steps["used"], "held_out_gain"].item())
    assert verdict["held_out_gain"] > 5
    assert verdict["shuffled_gain"] < 0.2 * verdict["held_out_gain"]
    assert verdict["top_decile_ratio"] > 2
    assert verdict["loci"] == LOCI


def test_the_shuffles_are_ten_and_differ(rows, shuffles):
    assert len({order.tobytes() for order in shuffles}) == len(shuffles) == 10
    assert all(sorted(order) == list(range(LOCI * SIZE)) for order in shuffles)
