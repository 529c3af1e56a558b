import numpy as np
import pytest

from fineprior.finemap.locus import fit_locus
from fineprior.project.settings import FinemapSettings

IDS = ["1:10:A:C", "1:20:G:T", "1:30:C:T"]
Z = np.array([9.0, 1.0, 0.5])
R = np.array([[1, 0.1, 0.1], [0.1, 1, 0.1], [0.1, 0.1, 1.0]])
SETTINGS = FinemapSettings()


def test_a_signal_is_ok():
    locus = fit_locus(IDS, Z, R, 5000, None, SETTINGS)
    assert (locus.status, locus.reason, locus.variant_ids) == ("ok", "", tuple(IDS))
    assert locus.fit is not None
    assert [found.variables.tolist() for found in locus.fit.sets.sets] == [[0]]


def test_no_signal_says_why():
    locus = fit_locus(IDS, 0 * Z, R, 5000, None, SETTINGS)
    assert locus.status == "no_signal"
    assert locus.reason == "no effect has a prior variance above 1e-09"
    assert locus.fit is not None


def test_without_convergence_one_effect_is_left():
    locus = fit_locus(IDS, Z, R, 5000, None, FinemapSettings(max_iterations=1))
    assert locus.status == "single_effect"
    assert "no convergence in 1 iterations" in locus.reason
    assert locus.fit is not None
    assert len(locus.fit.alpha) == 1
    strict = fit_locus(IDS, Z, R, 5000, None, FinemapSettings(max_iterations=1, fallback=False))
    assert (strict.status, strict.fit) == ("failed", None)


def test_settings_reach_the_fit():
    settings = FinemapSettings(
        max_effects=2,
        coverage=0.8,
        min_purity=0.9,
        scaled_prior_variance=0.03,
        estimate_prior_variance=False,
        estimate_residual_variance=True,
        ld="in_sample",
    )
    fit = fit_locus(IDS, Z, R, 5000, np.array([1, 2, 1]), settings).fit
    assert fit is not None
    assert fit.V.tolist() == [0.03, 0.03]
    assert (fit.sets.requested_coverage, fit.sets.min_abs_corr) == (0.8, 0.9)
    assert fit.sigma2 != 1
    assert fit.pi.tolist() == [0.25, 0.5, 0.25]


@pytest.mark.parametrize("z", [0.0, 7.0])
def test_a_locus_of_one_variant(z):
    locus = fit_locus(IDS[:1], [z], [[1.0]], 5000, [0.3], SETTINGS)
    assert locus.status == ("ok" if z else "no_signal")


@pytest.mark.parametrize(
    ("ids", "z", "matrix", "n", "weights", "reason"),
    [
        (IDS, [1, np.nan, 2], R, 5000, None, "z: 1 of 3 values are not finite"),
        (IDS, Z[:2], R, 5000, None, "variant_ids: 3 names for 2"),
        (IDS[:2], Z, R, 5000, None, "variant_ids: 2 names for 3"),
        (IDS, Z, R, None, None, "n: missing"),
        (IDS, Z, R, float("nan"), None, "n: nan"),
        (IDS, Z, R, 1, None, "n: 1"),
        (IDS, Z, R, [5000, 5000], None, "n: shape (2,) for 3 z-scores"),
        (IDS, Z, R, [5000, np.nan, 5000], None, "n: nan at index 1"),
        (IDS, Z, R, [5000, 5000, 0.5], None, "n: 0.5 at index 2"),
        (IDS, Z, R, ["a", "b", "c"], None, "n: not an array of numbers"),
        (IDS, ["a", "b", "c"], R, 5000, None, "z: not an array of numbers"),
        (IDS, [[1], [1, 2], [3]], R, 5000, None, "z: not an array of numbers"),
        (IDS, Z, R, 5000, ["a", "b", "c"], "prior_weights: not an array of numbers"),
        (IDS, Z, R, 5000, [0, 0, 0], "prior_weights: all are 0"),
        (IDS, Z, R, 5000, [1, -1, 1], "prior_weights: value -1 at index 1"),
        (IDS, Z, R, 5000, [1, np.nan, 1], "prior_weights: 1 of 3 values are not finite"),
        (IDS, Z, R, 5000, [1, 1], "prior_weights: 2 values for 3 variants"),
        (IDS, [1e200, 0, 0], R, 5000, None, "overflow"),
        ([], [], np.zeros((0, 0)), 5000, None, "z: shape"),
    ],
)
def test_trouble_is_a_status(ids, z, matrix, n, weights, reason):
    locus = fit_locus(ids, z, matrix, n, weights, SETTINGS)
    assert locus.status == "failed"
    assert reason in locus.reason
    assert locus.fit is None


@pytest.mark.parametrize(
    ("matrix", "settings", "reason"),
    [
        (R * np.nan, SETTINGS, "R: row 0"),
        (R[:2, :2], SETTINGS, "R: shape"),
        ([["1", "x", "0"]] * 3, SETTINGS, "R: not an array of numbers"),
        ([[1, 0], [0, 1, 0], [1]], SETTINGS, "R: not an array of numbers"),
        (R + 0.8 * (1 - np.eye(3)) - np.eye(3) / 2, SETTINGS, "R has |r| up to 1.8 (is its diagonal halved"),
        (R + 2 * (1 - np.eye(3)), SETTINGS, "R has |r| up to 2.1 (at most 1"),
        (R + np.triu(np.full((3, 3), 0.5), 1), SETTINGS, "R: not symmetric"),
        (None, SETTINGS, "no LD"),
        (R, FinemapSettings(ld="none"), "no LD"),
    ],
)
def test_without_ld_one_effect_is_left(matrix, settings, reason):
    z = np.array([9.0, 9.0, 0.5])
    locus = fit_locus(IDS, z, matrix, 5000, None, settings)
    assert locus.status == "single_effect"
    assert locus.reason.startswith(reason)
    assert [found.variables.tolist() for found in locus.fit.sets.sets] == [[0, 1]]
    assert np.isnan(locus.fit.sets.sets[0].purity.min_abs_corr)


def test_panel_size_is_the_configured_one_first():
    known = fit_locus(IDS, Z, R, 5000, None, FinemapSettings(panel_size=300), panel_size=700)
    assert known.ladder.panel_size == 300
    assert fit_locus(IDS, Z, R, 5000, None, SETTINGS, panel_size=700).ladder.panel_size == 700
    assert fit_locus(IDS, Z, R, 5000, None, SETTINGS).ladder.panel_size == np.inf
    for people in (0, 1, np.nan):
        assert f"panel_size: {people}" in fit_locus(IDS, Z, R, 5000, None, SETTINGS, panel_size=people).reason
        configured = FinemapSettings(panel_size=people or -1)
        assert fit_locus(IDS, Z, R, 5000, None, configured, panel_size=700).status == "failed"


def test_remarks_name_what_a_reader_should_know():
    assert fit_locus(IDS, Z, R, [5000, 3000, 5000], None, SETTINGS).remarks == (
        "n differs between variants: from 3000 to 5000",
    )
    broken = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1.0]])
    assert "not positive semidefinite" in fit_locus(IDS, Z, broken, 5000, None, SETTINGS).remarks[0]


def test_a_singular_matrix_is_no_trouble():
    locus = fit_locus(IDS, [8.0, 8.0, 8.0], np.ones((3, 3)), 5000, None, SETTINGS)
    assert locus.status == "ok"


@pytest.mark.parametrize("z", [41.0, 300.0, 1e5])
@pytest.mark.parametrize("settings", [SETTINGS, FinemapSettings(ld="in_sample"), FinemapSettings(ld="none")])
def test_a_huge_z_neither_underflows_nor_loses_the_variant(z, settings):
    """The p-value of |z| > 40 is 0 in float64; the fit works with log Bayes factors."""
    fit = fit_locus(IDS, [z, 0.1 * z, 0.1 * z], R, 1e7, [1e-6, 1, 1], settings).fit
    assert fit is not None
    assert np.isfinite(fit.alpha).all()
    assert np.isfinite(fit.lbf_variable).all()
    assert fit.pip[0] == pytest.approx(1, abs=1e-6)


def simulated(people, p, seed=5):
    """z of one signal in a GWAS of 20,000 and R of a panel from the same population: relatives of a chain."""
    rng = np.random.default_rng(seed)
    chain = 0.9 ** np.abs(np.subtract.outer(np.arange(p), np.arange(p))) * np.outer(*[rng.choice([-1, 1], p)] * 2)
    root = np.linalg.cholesky(chain)
    z = chain[:, p // 2] * 12 + root @ rng.normal(size=p)
    return [f"v{j}" for j in range(p)], z, np.corrcoef(root @ rng.normal(size=(p, people)))


@pytest.mark.slow
def test_more_variants_than_people_in_the_panel():
    ids, z, panel = simulated(people=60, p=200)
    assert np.linalg.matrix_rank(panel) < 200
    locus = fit_locus(ids, z, panel, 20_000, None, SETTINGS, panel_size=60)
    assert locus.status in {"ok", "corrected", "single_effect"}
    assert locus.fit is not None
    assert any(100 in found.variables for found in locus.fit.sets.sets)
    assert len(locus.fit.sets) == 1


def test_z_in_another_order_than_ld_leaves_one_effect():
    ids, z, panel = simulated(people=2000, p=200)
    assert fit_locus(ids, z, panel, 20_000, None, SETTINGS, panel_size=2000).status in {"ok", "corrected"}
    locus = fit_locus(ids, np.random.default_rng(0).permutation(z), panel, 20_000, None, SETTINGS, panel_size=2000)
    assert locus.ladder.rung == "single_effect"
    assert "z and R do not belong together" in locus.reason


@pytest.mark.parametrize("model", ["susie", "susie_inf"])
@pytest.mark.parametrize("ld", ["panel", "in_sample"])
@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.eye(3), np.ones((3, 3))], ids=["zero", "identity", "ones"])
def test_degenerate_ld_ends_in_a_status(model, ld, matrix):
    locus = fit_locus(IDS, Z, matrix, 5000, None, FinemapSettings(model=model, ld=ld))
    assert locus.fit is not None
    assert np.isfinite(locus.fit.pip).all()


def test_an_unforeseen_error_costs_one_locus(monkeypatch):
    def fails(*_, **__):
        raise KeyError("what nobody thought of")

    monkeypatch.setattr("fineprior.finemap.locus.fit_with_fallback", fails)
    locus = fit_locus(IDS, Z, R, 5000, None, SETTINGS)
    assert (locus.status, locus.reason) == ("failed", "KeyError: 'what nobody thought of'")


ALIKE = np.array([[1, 0.9, 0.1, 0.0], [0.9, 1, 0.1, 0.0], [0.1, 0.1, 1, 0.0], [0, 0, 0, 1.0]])
STRONG = np.array([9.0, 8.2, 0.9, 0.3])
FOUR = [*IDS, "1:40:A:G"]
PATHS = {
    "panel": (ALIKE, FinemapSettings()),
    "small panel": (ALIKE, FinemapSettings(panel_size=200)),
    "in sample": (ALIKE, FinemapSettings(ld="in_sample")),
    "residual variance": (ALIKE, FinemapSettings(ld="in_sample", estimate_residual_variance=True)),
    "fixed variance": (ALIKE, FinemapSettings(ld="in_sample", estimate_prior_variance=False)),
    "EM": (ALIKE, FinemapSettings(prior_variance_method="EM", max_iterations=1000)),
    "simple": (ALIKE, FinemapSettings(prior_variance_method="simple")),
    "infinitesimal": (ALIKE, FinemapSettings(model="susie_inf")),
    "infinitesimal, in sample": (ALIKE, FinemapSettings(model="susie_inf", ld="in_sample")),
    "none": (None, FinemapSettings(ld="none")),
    "no LD": (None, FinemapSettings()),
    "one effect": (ALIKE, FinemapSettings(max_effects=1)),
    "no convergence": (ALIKE, FinemapSettings(max_iterations=1)),
    "coverage 1": (ALIKE, FinemapSettings(coverage=1.0, min_purity=0.0)),
}


@pytest.mark.parametrize("z", [1.0, 3.0, 30.0], ids="z times {}".format)
@pytest.mark.parametrize("path", PATHS)
def test_a_prior_of_0_is_0_on_every_way(path, z):
    matrix, settings = PATHS[path]
    locus = fit_locus(FOUR, z * STRONG, matrix, 50_000, [0, 1, 1, 1], settings)
    assert locus.fit is not None, locus.reason
    assert locus.fit.pip[0] == 0
    assert not locus.fit.alpha[:, 0].any()
    assert all(0 not in found.variables for found in locus.fit.sets.sets)
    assert locus.remarks[0] == (
        "1 variant has a prior of 0 and therefore a PIP of 0, among them the strongest variant, 1:10:A:C (z = "
        f"{z * 9:.2f})"
    )


def test_variants_that_a_prior_of_0_takes_out_of_a_set_are_named():
    locus = fit_locus(FOUR, [9.0, 9.0, 0.9, 0.3], ALIKE + 0.1 * (np.eye(4)[::-1] * 0 + np.eye(4)[[1, 0, 3, 2]] *
                      [1, 1, 0, 0]), 5000, [1, 0, 1, 0], FinemapSettings(ld="in_sample"))  # fmt: skip
    assert locus.remarks[0] == (
        "2 variants have a prior of 0 and therefore a PIP of 0, among them of credible sets under a uniform prior "
        "1:20:G:T"
    )


def test_a_prior_of_0_that_matters_to_nobody_is_counted():
    locus = fit_locus(FOUR, STRONG, ALIKE, 5000, [1, 1, 1, 0], FinemapSettings(ld="in_sample"))
    assert locus.remarks == ("1 variant has a prior of 0 and therefore a PIP of 0",)
    assert fit_locus(FOUR, STRONG, ALIKE, 5000, [1, 1, 1, 1e-3], FinemapSettings(ld="in_sample")).remarks == ()


@pytest.mark.parametrize("path", PATHS)
def test_all_of_the_prior_on_one_variant(path):
    matrix, settings = PATHS[path]
    locus = fit_locus(FOUR, STRONG, matrix, 5000, [0, 0, 0, 1], settings)
    assert locus.fit is not None, locus.reason
    assert not locus.fit.pip[:3].any()
    assert "3 variants have a prior of 0" in locus.remarks[0]


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e300, 1e307])
def test_weights_of_any_size_are_weights(scale):
    weights = np.array([1.0, 2.0, 4.0, 4.0])
    expected = fit_locus(FOUR, STRONG, ALIKE, 5000, weights, SETTINGS).fit.pip
    np.testing.assert_allclose(fit_locus(FOUR, STRONG, ALIKE, 5000, weights * scale, SETTINGS).fit.pip, expected,
                               rtol=1e-2)  # fmt: skip


@pytest.mark.parametrize("settings", [SETTINGS, FinemapSettings(ld="in_sample"), FinemapSettings(model="susie_inf")])
def test_loci_of_one_and_two_variants(settings):
    """One alone takes all; of two in perfect LD each takes what its prior says."""
    assert fit_locus(IDS[:1], [7.0], [[1.0]], 5000, None, settings).fit.pip == pytest.approx([1], abs=1e-6)
    two = fit_locus(IDS[:2], [7.0, 7.0], np.ones((2, 2)), 5000, [1, 3], settings).fit
    assert two.pip == pytest.approx([0.25, 0.75], abs=1e-3)
    assert fit_locus(IDS[:1], [7.0], [[1.0]], 5000, [0], settings).reason.startswith("prior_weights: all are 0")


def test_a_panel_that_is_far_from_the_gwas_is_remarked_upon():
    def remarks(drift, **settings):
        return fit_locus(IDS, Z, R, 5000, None, FinemapSettings(**settings), panel_size=700, drift=drift).remarks

    assert "the panel differs from the GWAS by F_ST 1.2%: its LD may be wrong" in remarks(0.012)
    assert not any("F_ST" in text for text in (*remarks(0.009), *remarks(None), *remarks(0.012, ld="in_sample")))
    in_sample = FinemapSettings(ld="in_sample")
    assert fit_locus(IDS, Z, R, 5000, None, in_sample, drift=0.2).status == "ok"
    refused = fit_locus(IDS, Z, R, 5000, None, SETTINGS, drift=0.2)
    assert (refused.status, refused.remarks) == ("single_effect", ())
