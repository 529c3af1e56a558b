"""The search against all configurations, written out in tests/exact_posterior.py, and at its edges."""

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configurations_by_hand import locus, log_weight
from exact_posterior import exact_posterior
from fineprior.files.errors import InputError
from fineprior.finemap import search as module
from fineprior.finemap.configurations import summed
from fineprior.finemap.search import USUAL, effect_variance, search
from fineprior.finemap.susie import susie_rss


@pytest.mark.parametrize("seed", range(12))
def test_pips_are_those_of_all_configurations(seed):
    z, R = locus(seed, causal=1 + seed % 3)
    prior = np.exp(np.random.default_rng(seed).standard_normal(len(z))) if seed % 2 else np.ones(len(z))
    truth, evidence = exact_posterior(z, R, 40.0, prior)
    found = search(z, R, 40.0, prior_weights=prior, most=3)
    assert np.abs(found.pip - truth).max() < 0.03
    assert found.log_evidence == pytest.approx(evidence, abs=0.1)
    assert found.numbers.sum() == pytest.approx(1, abs=1e-6)


def test_the_yardstick_is_the_sum_of_its_definition():
    z, R = locus(1, p=9)
    prior = np.arange(1.0, 10.0)
    prior /= prior.sum()
    configurations = [c for k in range(4) for c in itertools.combinations(range(9), k)]
    weights = np.exp([log_weight(z, R, 40.0, prior, c) for c in configurations])
    pip = [sum(w for w, c in zip(weights, configurations, strict=True) if j in c) / weights.sum() for j in range(9)]
    found, evidence = exact_posterior(z, R, 40.0, prior)
    np.testing.assert_allclose(found, pip, atol=1e-12)
    assert evidence == pytest.approx(math.log(weights.sum()), abs=1e-10)


@pytest.mark.slow
def test_several_modes_are_weighed_by_their_evidence():
    """Two causal variants on both sides of a tag: SuSiE may take the tag for sure, the posterior does not."""
    truths, susies, searches = [], [], []
    for seed in range(40):
        z, R = locus(1000 + seed, p=40, causal=2, chi2=60.0, correlation=0.95)
        truths.append(exact_posterior(z, R, 60.0, np.ones(40))[0])
        searches.append(search(z, R, 60.0, most=3).pip)
        susies.append(susie_rss(z, R, 50_000).pip)
    errors = np.abs(np.array(searches) - truths).max(1)
    assert errors.max() < 0.05
    assert np.abs(np.array(susies) - truths).max(1).mean() > 5 * errors.mean()


def test_the_same_bytes_for_a_seed_and_agreement_between_seeds():
    z, R = locus(5, causal=3)
    one, again, other = search(z, R, 40.0), search(z, R, 40.0), search(z, R, 40.0, seed=2)
    assert one.pip.tobytes() == again.pip.tobytes()
    assert one.gap == again.gap
    assert np.abs(one.pip - other.pip).max() < 0.03


def test_an_excluded_variant_has_a_pip_of_zero():
    z, R = locus(6, causal=1)
    prior = np.ones(len(z))
    prior[np.abs(z).argmax()] = 0
    found = search(z, R, 40.0, prior_weights=prior)
    assert found.pip[np.abs(z).argmax()] == 0
    kept = np.flatnonzero(prior)
    np.testing.assert_allclose(found.pip[kept], search(z[kept], R[np.ix_(kept, kept)], 40.0).pip, atol=0.02)


def test_identical_variants_share_their_pip():
    z, R = locus(7, p=20, causal=1, chi2=80.0)
    twin = int(np.abs(z).argmax())
    at = np.append(np.arange(20), twin)
    found = search(z[at], R[np.ix_(at, at)], 80.0)
    assert found.pip[twin] == pytest.approx(found.pip[20], abs=1e-3)
    assert 0.4 < found.pip[twin] < 0.6


@pytest.mark.parametrize(
    ("z", "R"),
    [
        ([0.0], [[1.0]]),
        ([9.0], [[1.0]]),
        ([9.0, 9.0], [[1.0, 1.0], [1.0, 1.0]]),
        ([3.0, 3.0], [[1.0, 0.3], [0.3, 1.0]]),
        ([6.0, 6.0, -6.0], np.outer([1, 1, -1], [1, 1, -1])),
        (np.zeros(30), np.eye(30)),
        (np.zeros(30), np.ones((30, 30))),
    ],
    ids=["nothing in one", "one", "all ones", "two", "rank 1", "z of 0", "z of 0, all ones"],
)
def test_edges(z, R):
    z, R = np.array(z, float), np.array(R, float)
    found = search(z, R, 40.0, most=3)
    np.testing.assert_allclose(found.pip, exact_posterior(z, R, 40.0, np.ones(len(z)))[0], atol=0.005)
    assert np.ptp(found.pip) < 1e-6  # alike by symmetry


def test_twenty_causal_variants_end_and_say_whether_they_agree():
    z, R = locus(8, p=120, causal=20, chi2=60.0, correlation=0.5)
    found = search(z, R, 60.0, most=10)
    assert np.isfinite(found.pip).all()
    assert found.pip.max() <= 1
    assert found.numbers[10] > 0.5
    assert found.agreed == (found.gap < module.AGREED)


def test_chains_pass_through_one_variant_more_than_count(monkeypatch):
    """Else they are caught where all places are taken and two members have to change at once."""
    seen = []
    monkeypatch.setattr(module, "summed", lambda visited: seen.append(visited) or summed(visited))
    z, R = locus(19, causal=2, chi2=200.0)
    found = search(z, R, 200.0, most=1)
    sizes = [(some.parts[: some.count] < 50).sum(1).max() for some in seen]
    assert max(sizes) == 2
    assert found.numbers.shape == (2,)
    assert found.numbers.sum() == pytest.approx(1)


def test_a_prior_that_excludes_all_of_a_set_leaves_none_of_it():
    z, R = locus(15, p=60, causal=1, chi2=200.0)
    lead = int(np.abs(z).argmax())
    block = np.abs(R[lead]) > 0.5
    prior = np.where(block, 0.0, 1.0)
    found = search(z, R, 100.0, prior_weights=prior)
    assert np.isfinite(found.pip).all()
    assert (found.pip[block] == 0).all()
    assert not any(block[one.variables].any() for one in found.sets())


def test_strong_signals_do_not_overflow():
    z, R = locus(16, p=50, causal=2, chi2=80_000.0)
    prior = np.ones(50)
    prior[3] = 0
    found = search(z, R, 80_000.0, prior_weights=prior)
    assert np.isfinite(found.pip).all()
    assert found.pip[3] == 0
    assert found.pip.max() > 0.9
    assert np.isfinite(found.log_evidence)


@pytest.mark.slow
def test_the_same_bytes_on_one_and_two_threads(tmp_path):
    z, R = locus(17, p=400, causal=4)
    np.savez(tmp_path / "locus.npz", z=z, R=R)
    script = (
        "import hashlib, sys\n"
        "import numpy as np\n"
        "from fineprior.finemap.search import search\n"
        "given = np.load(sys.argv[1], allow_pickle=False)\n"
        "found = search(given['z'], given['R'], 40.0)\n"
        "sets = [one.variables.tolist() for one in found.sets()]\n"
        "print(hashlib.sha256(found.pip.tobytes() + repr((found.gap, found.log_evidence, sets)).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    said = [
        subprocess.run(
            [sys.executable, "-c", script, tmp_path / "locus.npz"],
            env=os.environ | {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
            | {"PYTHONPATH": str(root / "scripts")},
            cwd=root, capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "2")
    ]  # fmt: skip
    assert len(said[0]) > 60
    assert said[0] == said[1]


def test_screening_of_a_locus_with_nothing_in_it(monkeypatch):
    R = locus(18, p=150)[1]
    monkeypatch.setattr(module, "WHOLE_UP_TO", 40)
    found = search(np.zeros(150), R, 40.0)
    assert len(found.kept) < 150
    assert found.numbers[0] > 0.5
    np.testing.assert_allclose(found.pip, exact_posterior(np.zeros(150), R, 40.0, np.ones(150))[0], atol=0.002)


def test_screening_changes_little(monkeypatch):
    z, R = locus(9, p=300, causal=3)
    whole = search(z, R, 40.0)
    monkeypatch.setattr(module, "WHOLE_UP_TO", 80)
    screened = search(z, R, 40.0)
    assert len(screened.kept) < len(whole.kept) == 300
    assert np.abs(screened.pip - whole.pip).max() < 0.1
    assert (screened.pip[np.setdiff1d(np.arange(300), screened.kept)] > 0).all()


@pytest.mark.slow
def test_sets_hold_their_coverage_of_the_posterior():
    z, R = locus(10, p=40, causal=2, chi2=60.0)
    found = search(z, R, 60.0, most=3)
    prior = np.full(40, 1 / 40)
    configurations = [c for k in range(4) for c in itertools.combinations(range(40), k)]
    weights = np.array([log_weight(z, R, 60.0, prior, c) for c in configurations])
    weights = np.exp(weights - weights.max())
    sets = found.sets(0.95, 0.5)
    assert sets
    for one in sets:
        inside = set(one.variables.tolist())
        held = sum(w for w, c in zip(weights, configurations, strict=True) if inside & set(c)) / weights.sum()
        assert held == pytest.approx(one.coverage, abs=0.02)
        assert one.coverage >= 0.95
        assert np.abs(R[np.ix_(one.variables, one.variables)]).min() >= 0.5
        shorter = set(one.variables[:-1].tolist())
        assert sum(w for w, c in zip(weights, configurations, strict=True) if shorter & set(c)) / weights.sum() < 0.97
    assert [one.coverage for one in found.sets(least=0.95)] == [one.coverage for one in sets]
    more = found.sets(0.99, 0.5, least=0.3)  # some cannot hold 0.99: they hold that share of what linked variants do
    short = [one for one in more if one.coverage < 0.99]
    assert short
    for one in short:
        inside = set(one.variables.tolist())
        held = sum(w for w, c in zip(weights, configurations, strict=True) if inside & set(c)) / weights.sum()
        assert held == pytest.approx(one.coverage, abs=0.02)
        assert one.coverage >= 0.99 * 0.3
        whole = np.flatnonzero(np.abs(R[one.variables[0]]) >= 0.5)
        linked = sum(w for w, c in zip(weights, configurations, strict=True) if set(whole.tolist()) & set(c))
        assert one.coverage <= linked / weights.sum() + 0.02
    together = [v for one in sets for v in one.variables.tolist()]
    assert len(together) == len(set(together))
    first = found.sets(0.95, 0.5, most=1)
    assert [one.variables.tolist() for one in first] == [sets[0].variables.tolist()]
    for one in found.sets(0.8, 0.5):  # a smaller coverage: the same order, cut earlier
        of_same_lead = [other for other in sets if other.variables[0] == one.variables[0]]
        assert all(other.variables[: len(one.variables)].tolist() == one.variables.tolist() for other in of_same_lead)


def test_the_prior_on_the_number_moves_the_number():
    z, R = locus(11, causal=2)
    few, many = (search(z, R, 40.0, causal=mean).numbers @ np.arange(11) for mean in (0.2, 5.0))
    assert few < many


def test_the_variance_is_the_mean_over_susies_effects_and_a_usual_one():
    z, R = locus(12, causal=1, chi2=100.0)
    fit = susie_rss(z, R, 50_000)
    assert effect_variance(fit, 50_000) == pytest.approx((np.abs(z).max() ** 2 + USUAL) / 2, rel=0.2)
    apart = np.append(np.sqrt([100.0, 200.0, 300.0]), np.zeros(7))
    fit = susie_rss(apart, np.eye(10), 50_000)
    assert effect_variance(fit, 50_000) == pytest.approx((100 + 200 + 300 + USUAL) / 4, rel=0.05)
    assert effect_variance(susie_rss(np.zeros(50), R, 50_000), 50_000) == USUAL


def test_covariances_are_scaled_and_a_variant_without_variance_is_none():
    z, R = locus(14, p=20, causal=1)
    sd = np.linspace(0.5, 2, 20)
    np.testing.assert_allclose(search(z, R * np.outer(sd, sd), 40.0).pip, search(z, R, 40.0).pip, atol=1e-6)
    flat = R.copy()
    lead = np.abs(z).argmax()
    flat[lead] = flat[:, lead] = 0
    assert search(z, flat, 40.0).pip[lead] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"variance": 0.0}, "variance: 0, a number above 0"),
        ({"variance": math.nan}, "variance: nan"),
        ({"causal": -1.0}, "causal: -1"),
        ({"most": 0}, "most: 0"),
        ({"prior_weights": np.zeros(50)}, "all are 0"),
        ({"prior_weights": np.full(50, -1.0)}, "value -1 at index 0, 0 or more"),
        ({"prior_weights": np.ones(49)}, "49 values for 50 variants"),
        ({"z": np.full(50, np.nan)}, "z: "),
        ({"R": np.eye(49)}, "shape"),
        ({"R": 2 * np.ones((50, 50)) - np.eye(50)}, "up to 2"),
        ({"seed": "one"}, "seed: 'one', a whole number"),
        ({"seed": 1.5}, "seed: 1.5, a whole number"),
        ({"seed": True}, "seed: True"),
        ({"seed": -1}, "seed: -1"),
    ],
)
def test_wrong_arguments(given, said):
    z, R = locus(13)
    with pytest.raises(InputError, match=said):
        search(**({"z": z, "R": R, "variance": 40.0} | given))
