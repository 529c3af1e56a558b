import numpy as np
import pandas as pd
import pytest

from dosages import genotypes
from fineprior.files.errors import InputError
from fineprior.genotypes import ld
from fineprior.genotypes.ld import ld_memory_mb, locus_ld, nearest_to_lead, panel_counts, panel_ld, variants_that_fit
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.simulate.population import write_panel


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


def wide_panel(folder, missing=0.0, constant=False):
    """A panel of 12 people and 60 variants, A1 is the reference in every third; its table, and copies of alternatives.

    Its variants are read from the last to the first."""
    copies = genotypes(12, 60, 4)
    copies[0], copies[1] = 0, 1
    copies[np.random.default_rng(5).random(copies.shape) < missing] = np.nan
    if constant:
        copies[:, 7] = 2
    turned = np.arange(60) % 3 == 0
    bim = pd.DataFrame({"chrom": "1", "pos": 5 + np.arange(60), "snp_id": ".", "a1": np.where(turned, "A", "G"),
                        "a2": np.where(turned, "G", "A")})  # fmt: skip
    of_a1 = np.where(turned, 2 - copies, copies)
    write_panel(folder / "p", bim, [np.where(np.isnan(of_a1), -1, of_a1).astype(np.int8)])
    table = pd.DataFrame({"chrom": "1", "pos": bim["pos"], "ref": "A", "alt": "G", "z": 1.0, "panel_index": range(60),
                          "variant_id": [f"1:{p}:A:G" for p in bim["pos"]]})  # fmt: skip
    return PlinkPanel(folder / "p"), table.iloc[::-1], copies[:, ::-1]


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_few_people_are_kept_as_genotypes_with_the_same_ld(tmp_path, missing):
    panel, table, copies = wide_panel(tmp_path, missing)
    found = locus_ld("a", table, panel, 4000)
    assert found.counts.dtype == np.int8
    assert np.array_equal(found.counts, np.where(np.isnan(copies), -1, copies).T)
    assert (found.counts < 0).any() == (missing > 0)
    assert np.allclose(found.r, panel_ld(table, panel), atol=2e-7)
    assert np.allclose(found.r, np.corrcoef(np.where(np.isnan(copies), np.nanmean(copies, 0), copies).T), atol=2e-7)
    assert found.variant_ids.tolist() == table["variant_id"].tolist()


def test_other_ld_is_kept_as_its_matrix(tmp_path, monkeypatch):
    """More people; a variant without variance, which as a matrix has LD with itself; dosages that are not whole."""
    panel, table, _ = wide_panel(tmp_path)
    assert panel_counts(table.iloc[:48], panel) is not None
    assert panel_counts(table.iloc[:47], panel) is None
    assert locus_ld("a", table.iloc[:47], panel, 4000).counts is None
    read = panel.dosages
    monkeypatch.setattr(panel, "dosages", lambda index: read(index) * np.float32(0.99))
    assert panel_counts(table, panel) is None
    (tmp_path / "other").mkdir()
    panel, table, _ = wide_panel(tmp_path / "other", constant=True)
    assert panel_counts(table, panel) is None
    found = locus_ld("a", table, panel, 4000)
    assert found.counts is None
    assert found.r[52].tolist() == [0] * 52 + [1] + [0] * 7
