import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fineprior.foundation.errors import InputError
from fineprior.genetics import ld
from fineprior.genetics.genotypes import PlinkPanel, write_panel
from fineprior.genetics.ld import alternative_dosages, correlation, read_ld, read_panel_size, write_ld


def genotypes(people, count, seed, missing=0.0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(people, 1))
    dosages = (rng.normal(size=(people, count)) + shared > 0).astype(np.float32)
    dosages += rng.normal(size=(people, count)) + shared > 0.5
    dosages[rng.random((people, count)) < missing] = np.nan
    return dosages


def test_correlation_is_numpys_after_mean_imputation():
    dosages = genotypes(200, 15, 1, missing=0.05)
    filled = np.where(np.isnan(dosages), np.nanmean(dosages, 0), dosages)
    before = dosages.copy()
    r = correlation(dosages)
    assert r.dtype == np.float32
    assert np.allclose(r, np.corrcoef(filled.T), atol=2e-6)
    assert np.array_equal(dosages, before, equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
def test_correlation_is_symmetric_bounded_and_one_with_itself(people, count, seed, missing):
    dosages = genotypes(people, count, seed, missing)
    dosages = np.hstack([dosages, 2 - dosages[:, :1]])
    r = correlation(dosages)
    assert np.array_equal(r, r.T)
    assert (np.diag(r) == 1).all()
    assert np.abs(r).max() <= 1
    assert not np.isnan(r).any()
    # the other allele is counted: the sign turns, the size stays
    turned = correlation(np.hstack([2 - dosages[:, :1], dosages[:, 1:]]))
    assert np.allclose(turned[0, 1:], -r[0, 1:], atol=1e-6)
    assert np.allclose(turned[1:, 1:], r[1:, 1:], atol=1e-6)


def test_blocks_do_not_show(monkeypatch):
    dosages = genotypes(60, 17, 3)
    r = correlation(dosages)
    monkeypatch.setattr(ld, "_BLOCK", 4)
    assert np.array_equal(correlation(dosages), r)


def test_a_perfect_copy_has_correlation_1_and_its_complement_minus_1():
    dosages = genotypes(343, 1, 2)
    r = correlation(np.hstack([dosages, dosages, 2 - dosages]))
    assert np.allclose(r[0], [1, 1, -1], atol=1e-6)


@pytest.mark.parametrize("constant", [[2, 2, 2, 2], [np.nan] * 4, [np.nan, 1, 1, np.nan]])
def test_a_variant_without_variance_has_no_ld_and_a_warning(constant, caplog):
    dosages = np.array([[0, 1, 2, 1], constant, [2, 2, 1, 0]], np.float32).T
    r = correlation(dosages)
    assert r[1].tolist() == [0, 1, 0]
    assert np.isfinite(r).all()
    assert "1 of 3 variants do not vary" in caplog.text


def test_dosages_count_the_alternative_allele_whatever_a1_is(world):
    truth = world.variants
    table = truth.assign(variant_id="v", panel_index=np.arange(len(truth)))
    dosages = alternative_dosages(table, world.panel)
    assert np.allclose(dosages.mean(0) / 2, truth["af"], atol=1e-6)
    order = np.arange(len(truth))[::-3]
    assert np.array_equal(alternative_dosages(table.iloc[order], world.panel), dosages[:, order])


def test_missing_stays_missing_when_turned(tmp_path):
    bim = pd.DataFrame({"chrom": "1", "pos": [5], "snp_id": ".", "a1": "A", "a2": "G"})
    write_panel(tmp_path / "p", bim, [np.array([[0], [-1], [2]], np.int8)])
    table = pd.DataFrame({"chrom": "1", "pos": [5], "ref": "A", "alt": "G", "variant_id": "1:5:A:G", "panel_index": 0})
    dosages = alternative_dosages(table, PlinkPanel(tmp_path / "p"))
    assert np.array_equal(dosages[:, 0], [2, np.nan, 0], equal_nan=True)


@pytest.mark.parametrize("change", [{"pos": 21}, {"alt": "N"}, {"ref": "N"}, {"panel_index": 1}])
def test_a_panel_that_was_changed_is_named(world, change):
    truth = world.variants.head(1).assign(variant_id="chr1:20:X:Y", panel_index=0)
    with pytest.raises(InputError, match=r"panel\.bim, line \d: .* is not chr1:20:X:Y; was the panel changed"):
        alternative_dosages(truth.assign(**change), world.panel)


def test_ld_files_read_back_and_are_the_same_bytes(tmp_path):
    loci = {f"chr1_{i}_{i + 5}": (correlation(genotypes(30, i, i)), np.array([f"1:{k}:A:G" * i for k in range(i)]))
            for i in (1, 4, 7)}  # fmt: skip
    for name in ("a.npz", "b.npz"):
        write_ld(tmp_path / name, ((locus, *value) for locus, value in loci.items()))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    for locus, (r, ids) in loci.items():
        stored_r, stored_ids = read_ld(tmp_path / "a.npz", locus)
        assert stored_r.dtype == np.float32
        assert np.array_equal(stored_r, r)
        assert stored_ids.tolist() == ids.tolist()
    write_ld(tmp_path / "empty.npz", [])
    with np.load(tmp_path / "empty.npz") as stored:
        assert stored.files == []
    assert read_panel_size(tmp_path / "empty.npz") is None
    write_ld(tmp_path / "panel.npz", ((locus, *value) for locus, value in loci.items()), 30)
    assert read_panel_size(tmp_path / "panel.npz") == 30
    assert read_ld(tmp_path / "panel.npz", "chr1_4_9")[1].tolist() == loci["chr1_4_9"][1].tolist()


def test_ld_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"ld\.npz: no such file"):
        read_ld(tmp_path / "ld.npz", "a")
    (tmp_path / "ld.npz").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"ld\.npz: not a readable LD file"):
        read_ld(tmp_path / "ld.npz", "a")
    write_ld(tmp_path / "ld.npz", [("a", np.eye(2, dtype=np.float32), np.array(["x", "y"]))])
    with pytest.raises(InputError, match="no LD of locus 'b'"):
        read_ld(tmp_path / "ld.npz", "b")
    (tmp_path / "ld.npz").write_bytes((tmp_path / "ld.npz").read_bytes()[:150])
    with pytest.raises(InputError, match="not a readable LD file"):
        read_ld(tmp_path / "ld.npz", "a")


def test_a_locus_that_fails_leaves_no_file(tmp_path):
    def loci():
        yield "a", np.eye(1, dtype=np.float32), np.array(["x"])
        raise InputError("second locus")

    with pytest.raises(InputError, match="second locus"):
        write_ld(tmp_path / "ld.npz", loci())
    assert list(tmp_path.iterdir()) == []
