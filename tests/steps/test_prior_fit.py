"""The rows of one prior's tables belong to the step that is used, and the verdict to the reference's chromosomes."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import COEFFICIENTS, ENRICHMENT, PRIOR_STEPS
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.priors.strength import ALL_LOCI
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps import prior_fit
from fineprior.steps.prior_fit import fitted_rows
from fineprior.steps.prior_study import Study

LOCI, SIZE = 24, 20


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Loci without LD whose causal variant is chosen by twice the score."""
    path = tmp_path_factory.mktemp("ld") / "ld.npz"
    rng = np.random.default_rng(2)
    frames, signals = [], {}
    for number in range(LOCI):
        score = rng.standard_normal(SIZE)
        odds = np.exp(2 * score)
        z = rng.standard_normal(SIZE)
        z[rng.choice(SIZE, p=odds / odds.sum())] += 7
        name, chrom = f"locus{number:02}", f"chr{1 + number // 8}"
        ids = [f"{name}:{place}" for place in range(SIZE)]
        frames.append(pd.DataFrame({"locus": name, "chrom": chrom, "variant_id": ids, "score": np.exp(score), "z": z,
                                    "se": 0.02, "eaf": rng.uniform(0.1, 0.9, SIZE), "panel_af": 0.3}))  # fmt: skip
        signals[name] = (z**2 / 2)[None].astype(np.float32)
    write_ld(path, [LocusLd(name, np.eye(SIZE, dtype=np.float32), frame["variant_id"].to_numpy(np.str_))
                    for name, frame in zip(signals, frames, strict=True)])  # fmt: skip
    settings = PriorSettings(rounds=0)
    frame = pd.concat(frames, ignore_index=True)
    return Study(frame, signals, dict.fromkeys(signals, str(path)), settings, FinemapSettings(), 1, 1)


@pytest.fixture(scope="module")
def shuffles():
    """The orders in which the scores of `rows` were shuffled."""
    return []


@pytest.fixture(scope="module")
def rows(study, shuffles):
    original = prior_fit.shuffle_within_bins

    def recorded(*arguments):
        shuffles.append(original(*arguments))
        return shuffles[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prior_fit, "shuffle_within_bins", recorded)
        patched.setattr(prior_fit, "REPLICATES", 3)
        return fitted_rows(study, "functional", {"score": "score"})


@pytest.mark.slow
def test_there_is_a_row_for_all_loci_and_for_each_chromosome_left_out(rows):
    enrichment = ENRICHMENT.checked(pd.DataFrame(rows.enrichment), "enrichment").set_index("left_out")
    assert enrichment.index.tolist() == [ALL_LOCI, "chr1", "chr2", "chr3"]
    assert enrichment["loci"].tolist() == [24, 16, 16, 16]
    assert (enrichment["prior"] == "functional").all()
    assert np.isnan(enrichment.loc[ALL_LOCI, "held_out_gain"])
    assert (enrichment.loc["chr1":, "held_out_gain"] > 0).all()


def test_coefficients_are_those_of_the_used_step_with_errors(rows):
    coefficients = COEFFICIENTS.checked(pd.DataFrame(rows.coefficients), "coefficients")
    steps = PRIOR_STEPS.checked(pd.DataFrame(rows.steps), "steps")
    assert steps["used"].sum() == 1
    assert set(coefficients["left_out"]) == {ALL_LOCI, "chr1", "chr2", "chr3"}
    assert (coefficients["standard_error"] > 0).all()
    assert coefficients["feature"].unique().tolist() == ["score"]


def test_the_verdict_knows_scores_from_their_shuffles(rows):
    steps = pd.DataFrame(rows.steps)
    verdict = rows.verdict
    assert verdict["held_out_gain"] == pytest.approx(steps.loc[steps["used"], "held_out_gain"].item())
    assert verdict["held_out_gain"] > 5
    assert verdict["shuffled_gain"] < 0.2 * verdict["held_out_gain"]
    assert verdict["top_decile_ratio"] > 2
    assert verdict["loci"] == LOCI


def test_the_shuffles_are_ten_and_differ(rows, shuffles):
    assert len({order.tobytes() for order in shuffles}) == len(shuffles) == 10
    assert all(sorted(order) == list(range(LOCI * SIZE)) for order in shuffles)
