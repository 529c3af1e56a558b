import numpy as np
import pandas as pd
import pytest

from configurations_by_hand import locus
from fineprior.files.tables import CREDIBLE_SETS, FINEMAP_VARIANTS, LOCI_STATUS, main_sets
from fineprior.finemap.contents import contents_of, switched
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.locus_input import LocusInput
from fineprior.finemap.locus_tables import fine_map, further_sets, set_rows, status_row, variant_rows
from fineprior.project.settings import FinemapSettings

# Variants 0, 1, 2 in high LD, 3 and 4 with one another; signals at 0 and 3.
R = np.eye(6)
for i, j, r in [(0, 1, 0.995), (0, 2, 0.9), (1, 2, 0.9), (3, 4, 0.97)]:
    R[i, j] = R[j, i] = r
Z = R[0] * 9 + R[3] * 8
POS = np.arange(10, 70, 10)
TABLE = pd.DataFrame(
    {"locus": "a", "variant_id": [f"1:{p}:A:C" for p in POS], "chrom": "1", "pos": POS, "ref": "A", "alt": "C", "z": Z,
     "neg_log10_p": 1.0, "prior": 1 / 6}
)  # fmt: skip


def made(settings, R=R):
    fit = fit_locus(TABLE["variant_id"], Z, R, 20_000, None, settings)
    return fit, CREDIBLE_SETS.checked(set_rows(TABLE, fit, R, settings), "test")


def held(fit):
    return contents_of("a", TABLE, switched(fit), fitted=fit.fit is not None)


def test_two_coverages_at_once():
    fit, sets = made(FinemapSettings())
    assert sets.groupby("main")["requested_coverage"].unique().map(list).to_dict() == {True: [0.95], False: [0.99]}
    main = main_sets(sets).set_index("credible_set")
    further = sets[~sets["main"]].set_index("credible_set")
    assert set(main.index) == set(further.index)
    for name in main.index:
        assert set(main.loc[name, "variant_ids"].split(",")) <= set(further.loc[name, "variant_ids"].split(","))
        assert main.loc[name, "coverage"] >= 0.95
        assert further.loc[name, "coverage"] >= 0.99
    assert status_row(TABLE, fit, held(fit))["credible_sets"].item() == len(main) == 2


@pytest.mark.parametrize("further", [0.0, 0.95])
def test_no_further_coverage(further):
    _, sets = made(FinemapSettings(further_coverage=further))
    assert sets["main"].all()
    assert len(sets) == 2


def test_a_further_set_belongs_to_an_effect_with_a_set():
    """At a lower coverage another effect would reach the purity; it gets none."""
    fit, _ = made(FinemapSettings())
    kept = fit.fit.sets.sets[:1]
    fewer = fit.fit.__class__(**{**fit.fit.__dict__, "sets": fit.fit.sets.__class__(kept, 0.95, 0.5)})
    assert [one.effect for one in further_sets(fewer, R, 0.5).sets] == [kept[0].effect]


def test_partners_are_listed_when_asked_for():
    _, without = made(FinemapSettings())
    assert without["partners"].isna().all()
    _, sets = made(FinemapSettings(extend_r=0.85, coverage=0.5, further_coverage=0.0))
    by_lead = sets.set_index("lead_variant")["partners"]
    members = sets.set_index("lead_variant")["variant_ids"]
    for lead, group in (("1:10:A:C", {0, 1, 2}), ("1:40:A:C", {3, 4})):
        expected = {f"1:{POS[j]}:A:C" for j in group} - set(members[lead].split(","))
        assert set(by_lead[lead].split(",")) == expected
    assert by_lead["1:10:A:C"].split(",")[0] == "1:20:A:C"  # the largest |r| first


def test_sets_that_share_variants_name_one_another():
    fit, _ = made(FinemapSettings())
    first, second = fit.fit.sets.sets
    overlapping = second.__class__(**{**second.__dict__, "variables": np.append(second.variables, first.variables[0])})
    sets = fit.fit.sets.__class__((first, overlapping), 0.95, 0.5)
    changed = fit.__class__(**{**fit.__dict__, "fit": fit.fit.__class__(**{**fit.fit.__dict__, "sets": sets})})
    rows = set_rows(TABLE, changed, R, FinemapSettings(further_coverage=0.0))
    assert rows["shared_with"].tolist() == [second.name, first.name]


def test_pip_over_credible_effects_only():
    fit, _ = made(FinemapSettings(estimate_prior_variance=False, ld="in_sample", posterior="susie"))
    rows = FINEMAP_VARIANTS.checked(variant_rows(TABLE, fit, R[0]), "test")
    assert rows["pip"].sum() > 4  # ten effects, each with a prior variance of its own
    assert rows["pip_credible"].sum() <= 2
    assert (rows["pip_credible"] <= rows["pip"] + 1e-12).all()
    none = fit_locus(TABLE["variant_id"], 0 * Z, R, 20_000, None, FinemapSettings())
    assert variant_rows(TABLE, none, R[0])["pip_credible"].tolist() == [0] * 6


def test_one_effect_without_ld_has_sets_without_purity():
    fit, sets = made(FinemapSettings(ld="none", extend_r=0.9))
    assert fit.status == "single_effect"
    assert sets["main"].tolist() == [True, False]
    assert sets["min_abs_r"].isna().equals(sets["variants"] > 1)
    assert sets["partners"].isna().all()


def test_a_locus_that_failed_has_its_row():
    fit = fit_locus(TABLE["variant_id"], Z * np.nan, R, 20_000, None, FinemapSettings())
    assert set_rows(TABLE, fit, R, FinemapSettings()).empty
    assert LOCI_STATUS.checked(status_row(TABLE, fit, held(fit)), "test")["status"].item() == "failed"
    assert variant_rows(TABLE, fit, R[0])["pip_credible"].isna().all()


TWO_MODES = locus(1165, p=40, causal=4, chi2=100.0, correlation=0.95)
MANY = pd.DataFrame(
    {"locus": "a", "variant_id": [f"1:{p}:A:C" for p in range(10, 410, 10)], "chrom": "1", "pos": range(10, 410, 10),
     "ref": "A", "alt": "C", "z": TWO_MODES[0], "neg_log10_p": 1.0, "prior": 1 / 40}
)  # fmt: skip


def test_rows_of_a_search():
    z, R = TWO_MODES
    settings = FinemapSettings(ld="in_sample")
    fit = fit_locus(MANY["variant_id"], z, R, 500, None, settings)
    found = fit.fit.search
    rows = FINEMAP_VARIANTS.checked(variant_rows(MANY, fit, R[0]), "test")
    assert rows["pip"].tolist() == found.pip.tolist()
    assert rows["pip_susie"].tolist() == fit.fit.pip.tolist()
    assert (rows["pip"] - rows["pip_susie"]).abs().max() > 0.2
    for one in found.sets.sets:
        assert (rows["credible_set"].iloc[one.variables] == one.name).all()
    assert rows["credible_set"].notna().sum() == sum(len(one.variables) for one in found.sets.sets)
    sets = CREDIBLE_SETS.checked(set_rows(MANY, fit, R, settings), "test")
    assert sets["main"].tolist() == [True] * len(found.sets) + [False] * len(found.further)
    assert sets["lead_pip"].tolist() == [found.pip[one.variables[0]] for one in (*found.sets.sets, *found.further.sets)]
    status = LOCI_STATUS.checked(
        status_row(MANY, fit, contents_of("a", MANY, switched(fit), fitted=True)), "test").iloc[0]  # fmt: skip
    assert (status["posterior"], status["search_gap"], status["credible_sets"]) == (
        "search",
        found.gap,
        len(found.sets),
    )
    assert status["max_pip"] == found.pip.max()
    assert status["expected_causal"] == pytest.approx(sum(k * share for k, share in enumerate(found.numbers)))
    top = int(np.abs(found.pip - fit.fit.pip).argmax())
    assert (
        f"most that of {MANY['variant_id'][top]}: {found.pip[top]:.2f}, SuSiE {fit.fit.pip[top]:.2f}"
        in (status["remarks"])
    )


def test_without_a_search_pips_are_susies():
    z, R = TWO_MODES
    for settings in (FinemapSettings(ld="in_sample", posterior="susie"), FinemapSettings(ld="none")):
        fit = fit_locus(MANY["variant_id"], z, R, 500, None, settings)
        rows = variant_rows(MANY, fit, R[0])
        assert rows["pip"].tolist() == rows["pip_susie"].tolist() == fit.fit.pip.tolist()
        status = status_row(MANY, fit, contents_of("a", MANY, switched(fit), fitted=True)).iloc[0]
        assert status["posterior"] == "susie"
        assert np.isnan(status["expected_causal"])
        assert np.isnan(status["search_gap"])


def test_an_fst_that_is_too_uncertain_is_kept_and_not_used():
    """0 +- 0.3% of one locus, beside 0 +- 0.05% over a genome, and one that a user gave."""

    def found(*fst, **settings):
        given = LocusInput("a", TABLE.assign(n=20_000.0), R, panel_size=500, fst=fst)
        return fine_map(given, FinemapSettings(estimate_drift=False, **settings)).status.iloc[0]

    said = "F_ST between panel and GWAS, 0.0% with a standard error of 0.3%, is too uncertain to be used"
    uncertain = found(-0.001, 0.003)
    assert (uncertain["fst"], uncertain["fst_error"]) == (-0.001, 0.003)
    assert np.isnan(uncertain["drift"])  # neither known nor estimated
    assert said in uncertain["remarks"]
    for fst in ((0.002, 0.0005), (0.002, np.nan)):
        known = found(*fst)
        assert known["drift"] == 0.002
        assert "uncertain" not in str(known["remarks"])
    assert found(0.04, 0.005, max_fst=0.03)["status"] == "single_effect"
    assert found(0.04, 0.02, max_fst=0.03)["status"] == "ok"
    assert "uncertain" not in str(found(-0.001, 0.003, ld="in_sample")["remarks"])
