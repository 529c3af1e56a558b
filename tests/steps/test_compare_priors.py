"""From merged tables on disk to the comparisons on disk."""

import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import (
    CALIBRATION,
    COMPARISON,
    CREDIBLE_SETS,
    FINEMAP_VARIANTS,
    TRUTH,
    TRUTH_COMPARISON,
)
from fineprior.steps.compare_priors import compare_priors, compare_truth

PIPS = {"uniform": [0.6, 0.4], "functional": [0.97, 0.02], "shuffled": [0.5, 0.5]}


@pytest.fixture
def files(tmp_path):
    variants, sets = {}, {}
    for prior, pips in PIPS.items():
        frame = pd.DataFrame({"pos": [5, 9], "variant_id": ["chr1:5:A:C", "chr1:9:A:C"], "pip": pips})
        frame = frame.assign(locus="a", chrom="chr1", ref="A", alt="C", z=6.0, neg_log10_p=9.0, r_lead=1.0, prior=0.5,
                             posterior_mean=0.1, posterior_sd=0.1, credible_set="L1",
                             pip_susie=pips, pip_credible=pips, z_expected=0.0, ld_flag=None)  # fmt: skip
        variants[prior] = str(tmp_path / f"{prior}.variants.tsv.gz")
        FINEMAP_VARIANTS.write(frame, variants[prior])
        sets[prior] = str(tmp_path / f"{prior}.sets.tsv")
        ids = frame["variant_id"].tolist()[: 1 if prior == "functional" else 2]
        row = {"locus": "a", "credible_set": "L1", "variants": len(ids), "coverage": 0.97, "min_abs_r": 0.9,
               "mean_abs_r": 0.9, "median_abs_r": 0.9, "log10_bf": 6.0, "lead_variant": ids[0], "lead_pip": 0.6,
               "chrom": "chr1", "start": 4, "end": 9, "variant_ids": ",".join(ids), "requested_coverage": 0.95,
               "main": True, "shared_with": None, "partners": None}  # fmt: skip
        # No count is about sets of the further coverage.
        further = row | {"requested_coverage": 0.99, "main": False, "variants": 9, "variant_ids": "x,y"}
        CREDIBLE_SETS.write(pd.DataFrame([row, further]), sets[prior])
    return {"variants": variants, "credible_sets": sets}


def test_compare_priors(files, tmp_path):
    compare_priors(**files, output=str(tmp_path / "comparison.tsv"))
    table = COMPARISON.read(tmp_path / "comparison.tsv")
    assert table["prior"].tolist() == ["functional", "shuffled"]
    assert table["mean_size"].tolist() == [1, 2]
    assert table["high_pip"].tolist() == [1, 0]


@pytest.mark.slow
def test_compare_truth(files, tmp_path):
    causal = pd.DataFrame([{"variant_id": "chr1:5:A:C", "chrom": "chr1", "pos": 5, "ref": "A", "alt": "C",
                            "effect": 0.2, "track_effect": 1.0, "functional": True}])  # fmt: skip
    TRUTH.write(causal, tmp_path / "truth.tsv")
    outputs = {"output": str(tmp_path / "truth_comparison.tsv"), "calibration": str(tmp_path / "calibration.tsv")}
    compare_truth(**files, truth=str(tmp_path / "truth.tsv"), **outputs)
    table = TRUTH_COMPARISON.read(outputs["output"]).set_index("prior")
    assert list(table.index) == list(PIPS)
    assert table["coverage"].tolist() == [1, 1, 1]
    assert (table["hits_90"].tolist(), table["false_50"].tolist()) == ([0, 1, 0], [0, 0, 0])
    assert CALIBRATION.read(outputs["calibration"]).groupby("prior")["variants"].sum().tolist() == [2, 2, 2]


def test_sets_of_every_prior_are_needed(files, tmp_path):
    del files["credible_sets"]["shuffled"]
    with pytest.raises(InputError, match=r"but sets of uniform, functional$"):
        compare_priors(**files, output=str(tmp_path / "comparison.tsv"))
