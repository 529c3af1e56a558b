"""The rungs of the ladder: which one holds, and what each leaves."""

import re
from dataclasses import replace

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.finemap.correlation import PanelCorrelation
from fineprior.finemap.infinitesimal import susie_inf
from fineprior.finemap.ladder import fit_with_fallback
from fineprior.finemap.ld_mismatch import diagnose_ld
from fineprior.finemap.single_signal import single_signal
from fineprior.finemap.susie import susie_rss
from fineprior.project.settings import FinemapSettings

N, P, PANEL = 50_000, 80, 300
PANEL_LD = FinemapSettings()
IN_SAMPLE = FinemapSettings(ld="in_sample")
AS_GIVEN = FinemapSettings(min_set_z=0.0, min_own_share=0.0, estimate_drift=False)


def people(count, rng):
    """Variants in LD that falls off along the locus."""
    genotypes = rng.normal(size=(count, P))
    for j in range(1, P):
        genotypes[:, j] = 0.85 * genotypes[:, j - 1] + np.sqrt(1 - 0.85**2) * genotypes[:, j]
    return genotypes


@pytest.fixture(scope="module")
def locus():
    """z of a strong and a weaker signal, R of the GWAS, and R of a small panel of others."""
    rng = np.random.default_rng(6)
    R = np.corrcoef(people(20_000, rng).T)
    b = np.zeros(P)
    b[[20, 60]] = 40, 16
    z = R @ b + np.linalg.cholesky(R) @ rng.normal(size=P)
    return z, R, np.corrcoef(people(PANEL, rng).T)


def leads(fit):
    return sorted(int(found.variables[0]) for found in fit.sets.sets)


@pytest.mark.slow
def test_ld_of_the_gwas_is_plain_susie(locus):
    z, R, _ = locus
    found = fit_with_fallback(z, R, N, None, np.inf, IN_SAMPLE)
    assert (found.rung, found.reasons, found.lost) == ("susie", (), ())
    assert np.array_equal(found.fit.pip, susie_rss(z, R, N).pip)
    assert leads(found.fit) == [20, 60]


def test_a_panel_costs_the_false_sets_and_only_these(locus):
    z, _, panel = locus
    plain = susie_rss(z, panel, N)
    found = fit_with_fallback(z, panel, N, None, PANEL, PANEL_LD)
    assert len(plain.sets) > 2
    assert found.rung == "corrected"
    assert leads(found.fit) == [20, 60]
    assert {one.lead for one in found.lost} == set(leads(plain)) - {20, 60}
    assert [one.z for one in found.lost] == [z[one.lead] for one in found.lost]


def test_without_panel_error_it_is_plain_susie(locus):
    z, R, _ = locus
    found = fit_with_fallback(z, R, N, None, np.inf, AS_GIVEN)
    assert found.fit.pip == pytest.approx(susie_rss(z, R, N, convergence_method="pip").pip, abs=1e-6)
    assert np.isnan(found.drift)
    assert found.lost == ()


@pytest.mark.slow
def test_a_set_without_a_z_of_its_own_is_not_kept():
    """Two effects that hide one another in LD of 0.8: the second shows only once the first is subtracted."""
    R = np.array([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1.0]])
    z = R @ [15.0, -13.0, 0]
    assert leads(fit_with_fallback(z, R, N, None, np.inf, AS_GIVEN).fit) == [0, 1]
    kept = fit_with_fallback(z, R, N, None, np.inf, replace(AS_GIVEN, min_own_share=0.5))
    assert leads(kept.fit) == [0]
    assert len(kept.lost) == 1
    assert leads(fit_with_fallback(z, R, N, None, np.inf, replace(AS_GIVEN, min_set_z=2.0)).fit) == [0]


def test_the_rule_of_own_z_is_for_panels_whose_distance_is_not_known():
    R = np.array([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1.0]])
    z, settings = R @ [15.0, -13.0, 0], replace(AS_GIVEN, min_own_share=0.5)
    assert leads(fit_with_fallback(z, R, N, None, 20_000, settings).fit) == [0]
    assert leads(fit_with_fallback(z, R, N, None, 20_000, settings, drift=0.0).fit) == [0, 1]


@pytest.mark.slow
def test_a_known_drift_costs_sets_that_a_panel_of_the_population_would_not(locus):
    z, _, panel = locus
    found = [fit_with_fallback(z, panel, N, None, PANEL, PANEL_LD, drift=drift) for drift in (0.0, 0.03)]
    assert leads(found[0].fit) == [20, 60]
    assert found[1].drift >= 0.03
    assert found[1].fit.pip[60] < found[0].fit.pip[60]


def test_a_locus_may_end_without_a_set():
    found = fit_with_fallback(np.array([6.0, 0.1]), np.eye(2), N, None, 500, replace(PANEL_LD, min_set_z=7.0))
    assert not found.fit.sets
    assert found.fit.sets.reason == "the set is led by a variant of |z| below 7"


@pytest.mark.slow
@pytest.mark.parametrize("switched", [[59], [19, 61]])
def test_switched_variants_are_left_out_of_the_fit_and_kept_in_the_arrays(locus, switched):
    z, _, panel = locus
    z = z.copy()
    z[switched] *= -1
    weights = np.linspace(1, 2, P)
    found = fit_with_fallback(z, panel, N, weights, PANEL, PANEL_LD)
    assert found.left_out.tolist() == switched
    assert "left out" in found.reasons[0]
    assert leads(found.fit) == [20, 60]
    assert found.fit.alpha.shape[1] == len(found.fit.pip) == len(found.fit.z) == P
    assert not found.fit.alpha[:, switched].any()
    assert not found.fit.pip[switched].any()
    kept = np.delete(np.arange(P), switched)
    assert found.fit.pi[kept] == pytest.approx(weights[kept] / weights[kept].sum())
    assert not len(fit_with_fallback(z, panel, N, weights, PANEL, replace(PANEL_LD, allele_switches="keep")).left_out)


def other_order(z, R):
    return np.random.default_rng(1).permutation(z), R


def squared(z, R):
    """z counts the other allele at about half of the variants; r² does not tell which."""
    return z * np.random.default_rng(1).choice([-1, 1], len(z)), R**2


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other_order, "z and R do not belong together"),
        (squared, "as if r²"),
        (lambda z, R: (z, R - np.eye(P) / 2), "R has .r. up to 1.* as in PolyFun's files"),
        (lambda z, R: (z, np.full((P, P), "r")), "R: not an array of numbers"),
        (lambda z, R: (z, R[:5, :5]), "R: shape"),
        (lambda z, R: (z, None), "no LD"),
    ],
)
@pytest.mark.parametrize("settings", [PANEL_LD, IN_SAMPLE])
def test_ld_of_no_use_leaves_one_effect(locus, spoil, reason, settings):
    z, R, _ = locus
    z, R = spoil(z, R)
    weights = np.linspace(1, 2, P)
    found = fit_with_fallback(z, R, N, weights, PANEL, settings)
    assert found.rung == "single_effect"
    assert re.search(reason, found.reasons[0])
    assert np.array_equal(found.fit.pip, single_signal(z, N, prior_weights=weights).pip)
    with pytest.raises(InputError, match=reason):
        fit_with_fallback(z, R, N, weights, PANEL, replace(settings, fallback=False))


def test_a_small_locus_with_a_strong_signal_keeps_its_ld():
    R = np.eye(4) + 0.2 * (1 - np.eye(4))
    assert fit_with_fallback(25 * R[1], R, N, None, 500, PANEL_LD).rung == "corrected"


@pytest.mark.parametrize("settings", [PANEL_LD, IN_SAMPLE, replace(PANEL_LD, model="susie_inf")])
def test_prior_weights_reach_each_model(settings):
    R = np.array([[1, 1, 0.1], [1, 1, 0.1], [0.1, 0.1, 1]])
    found = fit_with_fallback(np.array([9.0, 9.0, 0.9]), R, N, np.array([1, 4, 1.0]), 500, settings)
    assert found.rung != "single_effect"
    assert found.fit.alpha[0, 1] / found.fit.alpha[0, 0] == pytest.approx(4, rel=1e-3)


def test_susie_inf_is_taken_when_asked_for(locus):
    z, R, _ = locus
    found = fit_with_fallback(z, R, N, None, np.inf, replace(IN_SAMPLE, model="susie_inf"))
    assert np.isnan(found.fit.elbo).all()
    assert 20 in leads(found.fit)


@pytest.mark.slow
def test_settings_reach_susie_inf(locus):
    z, R, _ = locus
    settings = replace(IN_SAMPLE, model="susie_inf", prior_variance_method="EM", tolerance=1e-5, max_iterations=500)
    found = fit_with_fallback(z, R, N, None, np.inf, settings).fit
    expected = susie_inf(z, R, N, estimate_prior_method="EM", tol=1e-5, max_iter=500).sparse
    assert np.array_equal(found.pip, expected.pip)
    assert not np.array_equal(
        found.V, fit_with_fallback(z, R, N, None, np.inf, replace(IN_SAMPLE, model="susie_inf")).fit.V
    )
    with pytest.raises(InputError, match="estimate_residual_variance: not with model susie_inf"):
        fit_with_fallback(z, R, N, None, np.inf, replace(settings, estimate_residual_variance=True))


@pytest.mark.parametrize("people", [np.nan, 1.0, 0.0, -5.0])
def test_a_panel_has_people(locus, people):
    with pytest.raises(InputError, match=r"panel_size: .* above 1"):
        fit_with_fallback(locus[0], locus[1], N, None, people, PANEL_LD)


def test_no_ld_as_asked_for_is_no_fallback(locus):
    found = fit_with_fallback(locus[0], locus[1], N, None, np.inf, FinemapSettings(ld="none", fallback=False))
    assert found.rung == "single_effect"
    assert np.array_equal(found.fit.pip, single_signal(locus[0], N).pip)


@pytest.mark.parametrize("rho", [0.8, 0.95])
@pytest.mark.parametrize("settings", [PANEL_LD, IN_SAMPLE])
def test_positive_ld_that_z_fits_is_used(rho, settings):
    R = rho ** np.abs(np.subtract.outer(np.arange(200), np.arange(200)))
    z = 12 * R[70] + np.linalg.cholesky(R) @ np.random.default_rng(2).normal(size=200)
    found = fit_with_fallback(z, R, N, None, np.inf, settings)
    assert found.rung != "single_effect"
    assert 70 in {int(variable) for one in found.fit.sets.sets for variable in one.variables}
    assert "as if r²" in fit_with_fallback(z, R**2, N, None, np.inf, settings).reasons[0]


@pytest.mark.parametrize("name", ["diagnose_ld", "susie_rss", "susie_inf"])
@pytest.mark.parametrize("trouble", [np.linalg.LinAlgError("no convergence"), MemoryError("none left")])
def test_numerical_trouble_is_a_fallback(locus, monkeypatch, name, trouble):
    def fails(*_, **__):
        raise trouble

    monkeypatch.setattr(f"fineprior.finemap.ladder.{name}", fails)
    settings = replace(IN_SAMPLE, model="susie_inf" if name == "susie_inf" else "susie")
    found = fit_with_fallback(locus[0], locus[1], N, None, np.inf, settings)
    assert found.rung == "single_effect"
    assert str(trouble) in found.reasons[0]


def test_diagnostics_and_excluded_variants_cannot_be_written_to(locus):
    found = fit_with_fallback(locus[0], locus[1], N, None, np.inf, IN_SAMPLE)
    for array in (found.diagnostics.conditional_mean, found.diagnostics.switched, found.fit.pip, found.left_out):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def no_more(*_, **__):
    raise AssertionError("diagnosed again")


def test_a_diagnosis_that_is_there_is_not_made_again(locus, monkeypatch):
    """Nor does it change the fit."""
    z, _, panel = locus
    z = z.copy()
    z[22] *= -1
    known = diagnose_ld(z, panel, N, PANEL)
    expected = fit_with_fallback(z, panel, N, None, PANEL, PANEL_LD)
    monkeypatch.setattr("fineprior.finemap.ladder.diagnose_ld", no_more)
    found = fit_with_fallback(z, panel, N, None, PANEL, PANEL_LD, diagnostics=known)
    assert np.array_equal(found.fit.pip, expected.fit.pip)
    assert found.left_out.tolist() == expected.left_out.tolist() == [22]
    assert found.diagnostics is known


@pytest.mark.slow
@pytest.mark.parametrize("settings", [PANEL_LD, IN_SAMPLE, replace(IN_SAMPLE, model="susie_inf")])
def test_genotypes_are_fitted_as_their_matrix(settings):
    """Fewer people than variants; one variant is left out as switched."""
    rng = np.random.default_rng(8)
    X = (people(60, rng) > 0.3).astype(float) + (people(60, rng) > 0.3)
    panel = PanelCorrelation.from_genotypes(X)
    matrix = panel.matrix(np.float64).matrix
    z = 9 * matrix[30] + rng.normal(size=P) * 0.5
    z[31] *= -1
    found, expected = (fit_with_fallback(z, R, N, None, 60, settings) for R in (panel, matrix))
    assert (found.rung, found.reasons) == (expected.rung, expected.reasons)
    np.testing.assert_allclose(found.fit.pip, expected.fit.pip, atol=1e-6)
    assert found.left_out.tolist() == expected.left_out.tolist() == [31]


def test_a_panel_of_another_population_is_refused_unless_asked_for(locus):
    z, _, panel = locus
    far, settings = 0.11, FinemapSettings()
    found = fit_with_fallback(z, panel, N, None, PANEL, settings, far)
    assert found.rung == "single_effect"
    assert found.reasons == ("the panel differs from the GWAS by F_ST 11.0%, above finemap.max_fst (5.0%)",)
    assert fit_with_fallback(z, panel, N, None, PANEL, replace(settings, max_fst=0.2), far).rung == "corrected"
    assert fit_with_fallback(z, panel, N, None, PANEL, settings, settings.max_fst).rung == "corrected"
    with pytest.raises(InputError, match=r"above finemap\.max_fst"):
        fit_with_fallback(z, panel, N, None, PANEL, replace(settings, fallback=False), far)


@pytest.mark.parametrize("drift", [-0.01, 1.5, np.nan])
def test_an_fst_that_is_none_is_refused(locus, drift):
    with pytest.raises(InputError, match=r"drift: .*, an F_ST from 0 to 1 is needed"):
        fit_with_fallback(locus[0], locus[1], N, None, PANEL, PANEL_LD, drift)
