"""Whether base rates, and what a score means, are the same everywhere."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import SHIFT
from fineprior.priors.concept_shift import base_rate_rows, concept_rows

SIZE = 30


def loci(count, informative=lambda locus: True):
    """Loci of 30 variants with one strong signal; its score is the largest where the score is informative."""
    rng = np.random.default_rng(1)
    rows = []
    for locus in range(count):
        causal = rng.integers(SIZE)
        for i in range(SIZE):
            score = 3.0 if i == causal and informative(locus) else rng.random()
            rows.append((f"L{locus}", f"chr{1 + locus % 2}", 9.0 if i == causal else 0.0, 1.0, score, locus % 3))
    return pd.DataFrame(rows, columns=["locus", "chrom", "z", "se", "score", "signal"])


def test_without_labels_there_is_no_base_rate_to_correct():
    (row,) = SHIFT.checked(base_rate_rows(loci(4), None), "rows").to_dict("records")
    assert (row["kind"], row["verdict"], row["scored"]) == ("prior", "not applicable", 1 / SIZE)


@pytest.mark.parametrize(("rate", "verdict"), [(0.5, "shifted"), (1 / SIZE, "fine"), (0.04, "fine")])
def test_a_base_rate_that_differs_by_more_than_a_factor_of_two_is_shifted(rate, verdict):
    (row,) = base_rate_rows(loci(4), rate).to_dict("records")
    assert row["verdict"] == verdict
    expected = np.log(1 / (SIZE - 1)) - np.log(rate / (1 - rate))
    assert row["difference"] == pytest.approx(expected, abs=1e-12)


def test_few_loci_and_scores_of_zero_say_nothing():
    for variants in (loci(9), loci(12).assign(score=0.0)):
        assert concept_rows(variants, ["chr1"], 0.04)["verdict"].tolist() == ["unknown"]


@pytest.mark.slow
def test_a_score_that_means_something_on_trained_chromosomes_only_is_seen():
    same = concept_rows(loci(60), ["1"], 0.04)
    assert SHIFT.checked(same, "rows")["verdict"].tolist() == ["fine"] * 5
    differs = concept_rows(loci(120, lambda locus: locus % 2 == 0), ["1"], 0.04).set_index("measure")
    new, trained = (differs.loc[f"enrichment where the {name}"] for name in (
        "chromosome is new to the head", "chromosome was trained on"))  # fmt: skip
    # Overall the score means what it means where it means anything.
    assert (new["verdict"], trained["verdict"]) == ("shifted", "fine")
    assert new["scored"] < trained["scored"] - 1
