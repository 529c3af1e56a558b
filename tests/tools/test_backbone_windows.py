"""Training windows of the shipped backbone."""

import numpy as np
import pandas as pd
import pytest

from backbone.training import one_hot
from backbone.windows import (
    BIN,
    centre_bin,
    dinucleotide_shuffle,
    encode,
    random_background,
    read_dhs_sites,
    reverse_complement,
)
from fineprior.files.errors import InputError
from fineprior.sequence.motifs import occupancy


def test_pairs_differ_by_single_bases_in_a_few_places(sampler):
    windows = sampler.synthetic(8)
    differences = (windows.codes[:4] != windows.codes[4:]).sum(1)
    assert (differences > 0).all()
    assert (differences <= 16).all()
    assert np.abs(windows.log_occupancy[:4] - windows.log_occupancy[4:]).max() > 0.5


def test_windows_do_not_touch_each_other(sampler, motifs):
    codes = random_background(sampler.rng, 3, 2048)
    expected = np.stack([np.log(occupancy(window, motifs) + 0.05) for window in codes])
    np.testing.assert_allclose(sampler.log_occupancy(codes), expected, atol=1e-5)


def test_dhs_targets_are_where_the_elements_are(sampler, sites):
    windows = sampler.with_dhs(sites, 12, shuffled=0.5, unknown=0.5)
    real = windows.elements[windows.elements[:, 2] >= 0]
    assert 0 < len(real) < 48
    assert windows.dhs.sum() * BIN == pytest.approx(200 * len(real))
    for window, first, cell_type in real:
        assert windows.dhs[window, first : first + 2].sum() * BIN >= 164
        assert (windows.cell_type[window, first : first + 2] == cell_type).all()
    with_n = (windows.codes == 4).any(1)
    assert 0 < with_n.sum() < 12
    assert ((windows.codes < 4).sum(1)[with_n] == 800).all()


def test_centre_bin():
    assert [centre_bin(position) for position in (0, 100, 1024, 1948)] == [0, 0, 7, 14]


def test_dinucleotide_shuffle_keeps_dinucleotides():
    rng = np.random.default_rng(2)
    for _ in range(20):
        codes = rng.choice(4, size=200, p=[0.4, 0.1, 0.2, 0.3]).astype(np.uint8)
        shuffled = dinucleotide_shuffle(rng, codes)
        pairs = [np.bincount(4 * s[:-1].astype(int) + s[1:], minlength=16) for s in (codes, shuffled)]
        np.testing.assert_array_equal(*pairs)
        assert (codes != shuffled).mean() > 0.3


def test_encode_and_reverse_complement():
    codes = encode(["ACGTN", "ttgca"])
    np.testing.assert_array_equal(codes, [[0, 1, 2, 3, 4], [3, 3, 2, 1, 0]])
    np.testing.assert_array_equal(reverse_complement(codes), encode(["NACGT", "TGCAA"]))
    assert one_hot(codes)[0].tolist()[3:] == [[0, 0, 0, 1], [0, 0, 0, 0]]


TABLE = pd.DataFrame({"sequence": ["ACGT", "AAAA"], "cell_type": ["K562", "HepG2"], "split": ["train", "test"]})


def test_read_dhs_sites(tmp_path):
    TABLE.to_csv(tmp_path / "dhs.tsv", sep="\t", index=False)
    sites = read_dhs_sites(tmp_path / "dhs.tsv")
    assert sites.cell_types == ("HepG2", "K562")
    assert sites.part("train").cell_type.tolist() == [1]
    assert len(sites.part("validation").codes) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": ["train", "held out"]}, "'held out' is not one of train"),
        ({"sequence": ["ACGT", "AAAAA"]}, "differ in length"),
        ({"cell_type": None}, "column cell_type is missing"),
    ],
)
def test_bad_dhs_tables(tmp_path, change, message):
    TABLE.assign(**change).dropna(axis=1).to_csv(tmp_path / "dhs.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=message):
        read_dhs_sites(tmp_path / "dhs.tsv")
