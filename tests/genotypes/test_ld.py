import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fineprior.files.errors import InputError
from fineprior.genotypes import ld
from fineprior.genotypes.ld import correlation, ld_memory_mb, nearest_to_lead, panel_ld, variants_that_fit
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.simulate.population import write_panel


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
    monkeypatch.setattr(ld, "_STRIP", 5)
    monkeypatch.setattr(ld, "_TILE", 4)
    monkeypatch.setattr(ld, "_WIDE_TILE", 6)
    monkeypatch.setattr(ld, "_VALUES_AT_ONCE", 130)
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


def alternative_dosages(truth, panel):
    """Copies of the alternative allele, by the panel's own columns."""
    known, dosages = panel.variants, panel.dosages(np.arange(panel.count))
    return np.where(known["a1"].to_numpy() == truth["alt"].to_numpy(), dosages, 2 - dosages)


def test_ld_counts_the_alternative_allele_whatever_a1_is(world):
    truth = world.variants
    table = truth.assign(variant_id="v", panel_index=np.arange(len(truth)))
    dosages = alternative_dosages(truth, world.panel)
    assert np.allclose(dosages.mean(0) / 2, truth["af"], atol=1e-6)
    assert (world.panel.variants["a1"].to_numpy() == truth["alt"].to_numpy()).mean() < 0.9
    r = panel_ld(table, world.panel)
    assert np.allclose(r, np.corrcoef(dosages.T), atol=2e-7)
    order = np.arange(len(truth))[::-3]
    assert np.array_equal(panel_ld(table.iloc[order], world.panel), r[np.ix_(order, order)])


def test_missing_genotypes_are_the_mean_whichever_allele_is_counted(tmp_path):
    bim = pd.DataFrame({"chrom": "1", "pos": [5, 6], "snp_id": ".", "a1": ["A", "G"], "a2": ["G", "A"]})
    write_panel(tmp_path / "p", bim, [np.array([[0, 2], [-1, 0], [2, 1], [2, -1]], np.int8)])
    table = pd.DataFrame(
        {"chrom": "1", "pos": [5, 6], "ref": "A", "alt": "G", "variant_id": "v", "panel_index": [0, 1]}
    )
    filled = np.array([[2, 2], [2 / 3, 0], [0, 1], [0, 1]])
    assert np.allclose(panel_ld(table, PlinkPanel(tmp_path / "p")), np.corrcoef(filled.T), atol=1e-7)


@pytest.mark.parametrize("change", [{"pos": 21}, {"alt": "N"}, {"ref": "N"}, {"panel_index": 1}])
def test_a_panel_that_was_changed_is_named(world, change):
    truth = world.variants.head(1).assign(variant_id="chr1:20:X:Y", panel_index=0)
    with pytest.raises(InputError, match=r"panel, variant \d: .* is not chr1:20:X:Y; was the panel changed"):
        panel_ld(truth.assign(**change), world.panel)


def test_people_in_parts_do_not_show(world, monkeypatch):
    table = world.variants.assign(variant_id="v", panel_index=np.arange(len(world.variants))).iloc[::2]
    r = panel_ld(table, world.panel)
    expected = np.corrcoef(alternative_dosages(world.variants, world.panel)[:, ::2].T)
    assert np.allclose(r, expected, atol=2e-7)
    monkeypatch.setattr(ld, "GENOTYPE_BYTES", 4 * len(table) * 30)
    assert np.allclose(panel_ld(table, world.panel), r, atol=2e-7)
    assert panel_ld(table.iloc[:0], world.panel).shape == (0, 0)


def test_rare_variants_are_exact():
    # products of small deviations from the mean, all rounded alike, would be off by 1e-5
    dosages = np.zeros((5_000, 3), np.float32)
    dosages[:2, :2] = 1
    dosages[7, 2] = 1
    r = correlation(dosages)
    assert r[0, 1] == 1
    assert abs(r[0, 2] - np.corrcoef(dosages.T)[0, 2]) < 1e-9


def test_memory_grows_with_variants_and_people_and_says_what_fits():
    assert ld_memory_mb(10_000, 500) == pytest.approx((1.3 * 4e8 + 2e7) / 2**20 + 200)
    assert ld_memory_mb(10_000, 10**7) < 2_000, "people are gone through in parts"
    for people in (0, 500, 10**6):
        fitting = variants_that_fit(1_000, people)
        assert ld_memory_mb(fitting, people) <= 1_000 < ld_memory_mb(fitting + 1, people)
    assert variants_that_fit(100, 500) == 0


def test_what_is_kept_of_a_large_locus_is_nearest_to_its_lead():
    table = pd.DataFrame({"pos": [10, 20, 30, 30, 40, 90], "z": [1.0, 2.0, -9.0, 3.0, 4.0, 5.0]})
    assert nearest_to_lead(table, 1).tolist() == [False, False, True, False, False, False]
    assert nearest_to_lead(table, 3).tolist() == [False, True, True, True, False, False]
    assert nearest_to_lead(table, 99).all()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [0, 2, 1, 3]])
def test_a_twin_at_the_place_of_the_lead_does_not_take_its_place(order):
    """The lead itself is kept, wherever its twin stands; of twins at another place the first."""
    table = pd.DataFrame({"pos": [20, 30, 30, 40], "z": [1.0, 3.0, -9.0, 4.0]}).iloc[order]
    kept = [table["z"][nearest_to_lead(table, count)].tolist() for count in (1, 2)]
    assert kept[0] == [-9.0]
    assert set(kept[1]) == {-9.0, 3.0}
    twins = pd.DataFrame({"pos": [20, 20, 30, 40], "z": [1.0, 2.0, 9.0, 3.0]})
    assert twins["z"][nearest_to_lead(twins, 2)].tolist() == [1.0, 9.0]
    same = pd.DataFrame({"pos": [30, 30, 40], "z": [9.0, -9.0, 1.0]})
    assert same["z"][nearest_to_lead(same, 1)].tolist() == [9.0], "of the same |z| the first is the lead"
