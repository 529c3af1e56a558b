"""The posterior by search on LD of the GWAS: what it is of, where there is one, and what it says of odd loci."""

from dataclasses import replace

import numpy as np
import pytest

from configurations_by_hand import locus
from exact_posterior import exact_posterior
from fineprior.files.errors import InputError
from fineprior.finemap import ladder as module
from fineprior.finemap.ladder import fit_with_fallback
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.panel_error import Shape
from fineprior.finemap.panel_search import panel_search
from fineprior.finemap.search import effect_variance
from fineprior.finemap.susie import susie_rss
from fineprior.finemap.workers import fit_loci
from fineprior.project.settings import FinemapSettings

N = 2_000
SETTINGS = FinemapSettings(ld="in_sample", max_effects=3)


def fitted(z, R, prior=None, settings=SETTINGS, n=N, seed=1):
    return fit_locus([f"v{i}" for i in range(len(z))], z, R, n, prior, settings, seed=seed)


def effect_size(z, R, prior, n=N):
    """Mean of n times the squared effect of SuSiE's effects, and of 30."""
    fit = susie_rss(z, R, n, L=3, prior_weights=prior, zero_excludes=True)
    squares = (fit.alpha * fit.mu2).sum(1)[fit.V > 0]
    return float(np.mean([*((n - 1) * squares), 30.0]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 5])
@pytest.mark.parametrize("mean", [1.0, 0.3])
def test_pips_are_those_of_all_configurations_of_shrunk_z(seed, mean):
    z, R = locus(seed, p=40)
    prior = np.exp(np.random.default_rng(seed).standard_normal(40))
    shrunk = z * np.sqrt((N - 1) / (z**2 + N - 2))
    truth, _ = exact_posterior(shrunk, R, effect_size(z, R, prior), prior, mean)
    found = fitted(z, R, prior, replace(SETTINGS, mean_causal=mean)).fit.search
    assert np.abs(found.pip - truth).max() < 0.02
    assert found.expected_causal == pytest.approx(truth.sum(), abs=0.02)


@pytest.mark.slow
def test_z_of_score_statistics_is_not_shrunk():
    z, R = locus(3, p=40, chi2=200.0)
    truth, _ = exact_posterior(z, R, 299 * 0.2, np.ones(40))
    settings = replace(SETTINGS, z_method="score", estimate_prior_variance=False)
    assert np.abs(fitted(z, R, None, settings, 300).fit.search.pip - truth).max() < 0.02
    assert np.abs(fitted(z, R, None, replace(settings, z_method="wald"), 300).fit.search.pip - truth).max() > 0.05


def test_an_estimated_residual_variance_is_that_of_the_search():
    z, R = locus(3, p=40, chi2=200.0)
    settings = replace(SETTINGS, estimate_residual_variance=True, estimate_prior_variance=False)
    found = fitted(z, R, None, settings, 300).fit
    shrunk = z * np.sqrt(299 / (z**2 + 298))
    truth, _ = exact_posterior(shrunk / np.sqrt(found.sigma2), R, 299 * 0.2 / found.sigma2, np.ones(40))
    assert found.sigma2 < 0.95
    assert np.abs(found.search.pip - truth).max() < 0.02


def test_susie_stays_beside_it():
    z, R = locus(3)
    found, plain = fitted(z, R).fit, susie_rss(z, R, N, L=3)
    assert found.pip.tobytes() == plain.pip.tobytes()
    assert [one.variables.tolist() for one in found.sets.sets] == [one.variables.tolist() for one in plain.sets.sets]
    assert found.final_pip is found.search.pip
    assert found.final_sets is found.search.sets


@pytest.mark.parametrize(
    "other",
    [{"posterior": "susie"}, {"ld": "panel"}, {"ld": "none"}, {"model": "susie_inf"}, {"max_inconsistency": 0.0}],
    ids=lambda given: "=".join(map(str, next(iter(given.items())))),
)
def test_there_is_none_where_susie_speaks(other):
    z, R = locus(3)
    if "max_inconsistency" in other:
        z = np.random.default_rng(1).permutation(z)
    found = fitted(z, R, settings=replace(SETTINGS, **other)).fit
    assert found.search is None
    assert found.final_pip is found.pip
    assert found.final_sets is found.sets


def test_a_panel_of_the_same_population_is_searched_where_it_is_asked_for():
    z, R = locus(3)
    names = [f"v{i}" for i in range(len(z))]

    def posterior(name, drift):
        settings = replace(SETTINGS, ld="panel", posterior=name)
        return fit_locus(names, z, R, N, None, settings, panel_size=400, drift=drift).fit

    assert posterior("search", 0.0).search is None
    assert posterior("search_panel", None).search is None
    assert posterior("search_panel", 0.001).search is None
    found = posterior("search_panel", 0.0)
    assert found.final_pip is found.search.pip
    shrunk = z * np.sqrt((N - 1) / (z**2 + N - 2))
    expected = panel_search(shrunk, R, effect_variance(found, N), Shape(400, 0.0), most=3)
    assert found.search.pip == pytest.approx(expected.pip, abs=1e-9)
    assert fitted(z, R, settings=replace(SETTINGS, posterior="search_panel")).fit.search is not None


def test_a_search_that_fails_leaves_susies_posterior(monkeypatch):
    for trouble in (np.linalg.LinAlgError("singular"), IndexError("what nobody thought of"), MemoryError("too large")):

        def fails(*_, error=trouble, **__):
            raise error

        monkeypatch.setattr(module, "search", fails)
        z, R = locus(3)
        found = fitted(z, R)
        assert found.status == "ok"
        assert found.fit.search is None
        assert found.remarks[0].startswith("the search failed, PIPs and sets are SuSiE's: ")
        assert str(trouble) in found.remarks[0]


def test_variants_that_are_left_out_have_no_pip_and_the_others_keep_their_places():
    z, R = locus(5, causal=1, chi2=400.0)
    lead = int(np.abs(z).argmax())
    turned = lead + 1 if lead + 1 < len(z) else lead - 1
    switched = z.copy()
    switched[turned] *= -1
    found = fit_with_fallback(switched, R, N, None, np.inf, SETTINGS)
    kept = np.delete(np.arange(len(z)), turned)
    without = fit_with_fallback(z[kept], R[np.ix_(kept, kept)], N, None, np.inf, SETTINGS)
    assert found.left_out.tolist() == [turned]
    assert found.fit.search.pip[turned] == 0
    assert found.fit.search.pip[kept].tobytes() == without.fit.search.pip.tobytes()
    for ours, theirs in zip(found.fit.final_sets.sets, without.fit.final_sets.sets, strict=True):
        assert ours.variables.tolist() == kept[theirs.variables].tolist()


def result(name):
    z, R = locus(int(name), causal=3)
    found = fitted(z, R, seed=7).fit
    return found.search.pip.tobytes(), found.search.gap, [one.variables.tolist() for one in found.final_sets.sets]


@pytest.mark.slow
def test_a_locus_depends_on_its_seed_and_on_no_other_locus():
    together, apart, alone = (list(fit_loci(result, names, workers))
                              for names, workers in (("1234", 1), ("4321", 2), ("3", 2)))  # fmt: skip
    assert together == apart[::-1]
    assert together[2:3] == alone
    z, R = locus(3, causal=3)
    assert fitted(z, R, seed=7).fit.search.pip.tobytes() == together[2][0]
    assert fitted(z, R, seed=8).fit.search.pip.tobytes() != together[2][0]


@pytest.mark.slow
def test_sets_that_the_prior_excludes_are_not_found():
    z, R = locus(3)
    members = fitted(z, R).fit.final_sets.sets[0].variables
    prior = np.ones(len(z))
    prior[members] = 0
    found = fitted(z, R, prior)
    assert not found.fit.search.pip[members].any()
    assert all(np.intersect1d(one.variables, members).size == 0 for one in found.fit.final_sets.sets)
    assert f"{len(members)} variants have a prior of 0" in found.remarks[0]


TWINS = np.array([[1.0, 1.0, 0.1], [1.0, 1.0, 0.1], [0.1, 0.1, 1.0]])
SIGNS = np.array([1.0, -1.0, 1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("z", "R"),
    [([6.0], [[1.0]]), ([6.0, 5.0], [[1.0, 0.9], [0.9, 1.0]]), ([6.0, 6.0, 0.5], TWINS), ([6.0] * 5, np.ones((5, 5))),
     (6 * SIGNS, np.outer(SIGNS, SIGNS))],
    ids=["one variant", "two variants", "two identical", "all ones", "rank 1"],
)  # fmt: skip
def test_small_and_singular_loci(z, R):
    found = fitted(np.array(z), np.array(R))
    exact, _ = exact_posterior(
        np.array(z) * np.sqrt((N - 1) / (np.square(z) + N - 2)), np.array(R) + np.diag(np.diag(R) == 0),
        effect_size(z, R, None), np.maximum(np.diag(R), 1e-300),
    )  # fmt: skip
    assert found.status == "ok"
    assert not found.ladder.search_trouble
    assert np.abs(found.fit.search.pip - exact).max() < 0.02
    for one in np.flatnonzero(np.abs(np.array(R)[0]) == 1):
        assert found.fit.search.pip[one] == pytest.approx(found.fit.search.pip[0], abs=1e-3)


def test_without_any_signal_pips_are_near_the_prior():
    prior = np.arange(1.0, 51.0)
    found = fitted(np.zeros(50), locus(1)[1], prior)
    assert found.status == "no_signal"
    assert "the search expects" in found.reason
    pip = found.fit.search.pip
    assert 0 < found.fit.search.expected_causal < 0.5
    assert np.corrcoef(pip, prior)[0, 1] > 0.95
    assert (pip < prior / prior.sum()).all()


@pytest.mark.slow
def test_twenty_causal_variants_are_found_where_they_are_allowed():
    z = np.random.default_rng(1).normal(size=60)
    z[::3] += np.linspace(8, 12, 20)
    wide = fitted(z, np.eye(60), settings=replace(SETTINGS, max_effects=30), n=50_000)
    assert [one.variables.tolist() for one in sorted(wide.fit.final_sets.sets, key=lambda s: s.variables[0])] == [
        [j] for j in range(0, 60, 3)
    ]
    assert wide.fit.search.expected_causal == pytest.approx(20, abs=1)
    narrow = fitted(z, np.eye(60), settings=replace(SETTINGS, max_effects=10), n=50_000)
    assert any("is on 10 causal variants, the largest number allowed (max_effects)" in one for one in narrow.remarks)


@pytest.mark.parametrize("seed", ["one", 1.5, -1, True, None])
def test_a_seed_that_is_none_is_named(seed):
    z, R = locus(3)
    found = fitted(z, R, seed=seed)
    assert (found.status, found.reason) == ("failed", f"seed: {seed!r}, a whole number of 0 or more is needed")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"refine": True, "ld": "panel"}, "refine: not with LD of a panel"),
        ({"refine": True, "model": "susie_inf"}, "refine: True, not with model susie_inf"),
        ({"null_weight": 0.1, "model": "susie_inf"}, "null_weight: 0.1, not with model susie_inf"),
        ({"L_greedy": 2, "model": "susie_inf"}, "L_greedy: 2, not with model susie_inf"),
        ({"z_method": "score", "model": "susie_inf"}, "z_method: score, not with model susie_inf"),
    ],
)
def test_settings_that_exclude_one_another(settings, message):
    z, R = locus(3)
    with pytest.raises(InputError, match=message):
        fit_with_fallback(z, R, N, None, np.inf, replace(SETTINGS, **settings))


def test_refinement_stays_out_of_the_fit_with_drift():
    z, R = locus(3)
    reason = fitted(z, R, settings=replace(SETTINGS, refine=True, max_iterations=1)).reason
    assert "no convergence in 1 iterations" in reason
    assert "refine" not in reason
