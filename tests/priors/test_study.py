"""A study as its prior sees it: whole loci in blocks."""

import numpy as np
import pandas as pd
import pytest

from fineprior.priors import study as module
from fineprior.priors.study import PriorStudy

SIZES = {"a": ("chr1", 3), "b": ("chr1", 2), "c": ("chr1", 4), "d": ("chr2", 2)}


@pytest.fixture
def study():
    frame = pd.DataFrame([{"locus": name, "chrom": chrom, "variant_id": f"{name}{number}"}
                          for name, (chrom, size) in SIZES.items() for number in range(size)])  # fmt: skip
    signals = {name: np.arange(size, dtype=np.float32)[None] + 1 for name, (_, size) in SIZES.items()}
    signals["b"] = np.array([[7, 8], [9, 10]], np.float32)
    signals["d"] = np.zeros((0, 2), np.float32)
    return PriorStudy(frame, signals, {})


def test_pieces_are_whole_loci_of_one_chromosome(study, monkeypatch):
    assert study.starts.tolist() == [0, 3, 5, 9]
    assert study.pieces == {"chr1": [(0, 9)], "chr2": [(9, 11)]}
    monkeypatch.setattr(module, "_BLOCK_ROWS", 5)
    again = PriorStudy(study.variants, study.signals, {})
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
