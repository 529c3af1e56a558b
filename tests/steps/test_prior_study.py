"""A study as its prior sees it: whole loci in blocks, signals at their variants."""

import numpy as np
import pandas as pd
import pytest

from fineprior.finemap.fits import FitFiles, save_fits
from fineprior.finemap.susie import susie_rss
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps import prior_study
from fineprior.steps.prior_study import Study, placed_signals, read_signals

SIZES = {"a": ("chr1", 3), "b": ("chr1", 2), "c": ("chr1", 4), "d": ("chr2", 2)}


@pytest.fixture
def study():
    frame = pd.DataFrame([{"locus": name, "chrom": chrom, "variant_id": f"{name}{number}"}
                          for name, (chrom, size) in SIZES.items() for number in range(size)])  # fmt: skip
    signals = {name: np.arange(size, dtype=np.float32)[None] + 1 for name, (_, size) in SIZES.items()}
    signals["b"] = np.array([[7, 8], [9, 10]], np.float32)
    signals["d"] = np.zeros((0, 2), np.float32)
    return Study(frame, signals, {}, PriorSettings(), FinemapSettings(), 1, 1)


@pytest.fixture
def fit():
    """Two signals, at the second and the fourth variant."""
    return susie_rss(np.array([0.1, 9.0, 0.2, -8.0]), np.eye(4), 5000, L=3)


def test_pieces_are_whole_loci_of_one_chromosome(study, monkeypatch):
    assert study.starts.tolist() == [0, 3, 5, 9]
    assert study.pieces == {"chr1": [(0, 9)], "chr2": [(9, 11)]}
    monkeypatch.setattr(prior_study, "_BLOCK_ROWS", 5)
    again = Study(study.frame, study.signals, {}, study.settings, study.finemap, 1, 1)
    assert again.pieces == {"chr1": [(0, 5), (5, 9)], "chr2": [(9, 11)]}


def test_a_block_holds_features_and_signals_of_its_loci(study):
    X = np.arange(22.0).reshape(11, 2)
    blocks = study.blocks(X, study.signals)
    block = blocks["chr1"][0]
    np.testing.assert_array_equal(block.features, X[:9])
    assert block.signal_counts.tolist() == [1, 2, 1]
    assert [signal.log_bf.tolist() for signal in block.signals] == [[1, 2, 3, 7, 8, 1, 2, 3, 4], [9, 10]]
    assert [signal.loci.tolist() for signal in block.signals] == [[0, 1, 2], [1]]
    assert blocks["chr2"][0].signal_counts.tolist() == [0]


def test_signals_stand_at_their_variants_and_0_where_nothing_was_fitted(fit):
    assert len(fit.sets) == 2
    found = placed_signals(fit, ["w", "x", "y", "z"], ["z", "new", "x", "w"])
    own = fit.lbf_variable[[one.effect - 1 for one in fit.sets.sets]]
    np.testing.assert_allclose(found[:, [0, 2, 3]], own[:, [3, 1, 0]], rtol=1e-6)  # float32
    assert (found[:, 1] == 0).all()
    assert sorted(found[:, [0, 2]].argmax(1)) == [0, 1]


def test_a_locus_that_was_not_fitted_has_no_signal(fit, tmp_path):
    save_fits(tmp_path / "fits.npz", {"one": fit}, {"one": np.array(["w", "x", "y", "z"])})
    found = read_signals(FitFiles([tmp_path / "fits.npz"]), {"one": ["x", "w"], "other": ["q"]})
    assert {name: values.shape for name, values in found.items()} == {"one": (2, 2), "other": (0, 1)}
