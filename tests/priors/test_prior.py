"""The prior of a batch, from the tables of its study."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.priors.prior import (
    LogOdds,
    assigned_prior,
    log_odds_of_batch,
    shuffled,
    unknown_log_odds,
    weights_of_batch,
)
from fineprior.project.settings import PriorSettings

SIZE = 12


@pytest.fixture
def variants():
    """Loci a on chr1 and b on chr2; the last variant of each has no score."""
    frames = []
    for locus, chrom in (("a", "chr1"), ("b", "chr2")):
        score = np.r_[np.arange(1.0, SIZE), np.nan]
        ids = [f"{locus}{number}" for number in range(SIZE)]
        frames.append(pd.DataFrame({"locus": locus, "chrom": chrom, "variant_id": ids, "score": score,
                                    "eaf": np.linspace(0.05, 0.4, SIZE), "panel_af": 0.3}))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def coefficients():
    rows = [("none", 9.0), ("chr1", 1.0), ("chr2", 2.0)]
    table = pd.DataFrame(rows, columns=["left_out", "log_enrichment"])
    return table.assign(prior="functional", feature="score", kind="value", scale=1.0, mean=0.0, sd=10.0)


def test_log_odds_are_of_the_estimate_without_the_chromosome(variants, coefficients):
    found = log_odds_of_batch(variants, coefficients, "functional", "c.tsv")
    np.testing.assert_allclose(found.values, variants["score"] / 10 * np.repeat([1.0, 2.0], SIZE), rtol=1e-6)
    np.testing.assert_array_equal(found.scores, variants["score"])
    with pytest.raises(
        InputError, match=r"c\.tsv: no estimate of functional that leaves out chromosome chr2; there are"
    ):
        log_odds_of_batch(variants, coefficients.query("left_out != 'chr2'"), "functional", "c.tsv")


def test_shuffled_log_odds_stay_in_their_locus_and_move_with_their_scores(variants, tmp_path):
    eye = np.eye(SIZE, dtype=np.float32)
    loci = [LocusLd(name, eye, rows["variant_id"].to_numpy(np.str_)) for name, rows in variants.groupby("locus")]
    write_ld(tmp_path / "ld.npz", loci)
    before = LogOdds(variants["score"].to_numpy(), -variants["score"].to_numpy())
    after = shuffled(before, variants, str(tmp_path / "ld.npz"), 1)
    np.testing.assert_array_equal(after.values, -after.scores)
    assert (after.values != before.values)[:SIZE].sum() > SIZE / 4
    for rows in (slice(0, SIZE), slice(SIZE, 2 * SIZE)):
        np.testing.assert_array_equal(np.sort(after.values[rows]), np.sort(before.values[rows]))


def test_a_batch_s_prior_is_a_mixture_with_the_weight_of_its_chromosome(variants, coefficients):
    enrichment = pd.DataFrame({"prior": ["functional", "functional", "peak"], "left_out": ["chr1", "chr2", "chr1"],
                               "weight": [0.5, 0.0, 0.9]})  # fmt: skip
    weights = weights_of_batch(variants, enrichment, "functional")
    assert weights.tolist() == [0.5] * SIZE + [0.0] * SIZE
    log_odds = log_odds_of_batch(variants, coefficients, "functional", "c.tsv")
    table = assigned_prior(variants, log_odds, PriorSettings(uniform_weight=0.2), weights)
    np.testing.assert_allclose(table["weight"], weights * 0.8)
    np.testing.assert_allclose(table["prior"], table["weight"] * table["softmax"] + (1 - table["weight"]) / SIZE)
    np.testing.assert_allclose(table.groupby("locus")["prior"].sum(), 1)
    assert (table["prior"][SIZE:] == 1 / SIZE).all()


def test_variants_of_which_nothing_is_known_are_equally_likely(variants):
    table = assigned_prior(variants, unknown_log_odds(variants), PriorSettings())
    np.testing.assert_allclose(table["prior"], 1 / SIZE)
    assert (table["log_odds"] == 0).all()
    assert table["score"].isna().all()
