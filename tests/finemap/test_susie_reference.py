"""The fitter against susieR 0.16.5: committed cases always, all cases where ../shared/reference is at hand.

Tolerances. The largest differences seen over all cases are 9e-9 in a PIP with R in float64 and 7e-8 with R rounded to
float32 (one case, whose R is computed and rounded here); 2e-8 of a log Bayes factor, where 50 iterations end before
convergence (prior_zeros), 2e-7 elsewhere; 2e-8 in V, which the evidence of a weak effect hardly determines; 3e-12 of an
ELBO. With OpenBLAS' kernels SkylakeX, Haswell and Zen they are the same within a factor of 2, and PIPs within 1%.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from fineprior.finemap.susie import susie_rss

COMMITTED = Path(__file__).parents[1] / "reference" / "susie"
SHARED = Path(__file__).parents[3] / "shared" / "reference" / "susie" / "public"
SETTINGS = json.loads((COMMITTED / "settings.json").read_text())


def correlations(data):
    if "X" in data:
        return np.corrcoef(data["X"].astype(np.float64), rowvar=False)
    p = len(data["z"])
    upper = np.zeros((p, p), np.float32)
    upper[np.triu_indices(p)] = data["R_triu"]
    return upper + np.triu(upper, 1).T


def arguments(data, run):
    """Arguments of the run, which susieR got by name."""
    R = correlations(data)
    if "shrink" in run:
        R = (1 - run["shrink"]) * R.astype(np.float64) + run["shrink"] * np.eye(len(R))
    named = {"max_iter": 50} | run["args"]
    named.pop("estimate_residual_method", None)  # Its two values are the same for this model.
    if run.get("use_w"):
        weights = data["prior_weights"] * run.get("w_scale", 1.0)
        if run.get("w_binarize"):
            weights = (weights > 0).astype(float)
        if "w_favour" in run:
            weights = np.ones(len(weights))
            weights[run["w_favour"]] = 50
        named["prior_weights"] = weights
    z = data["z"]
    if run.get("bhat"):
        z = None
        named |= {"bhat": data["bhat"], "shat": data["shat"]}
        if not run.get("no_vary"):
            named["var_y"] = float(data["var_y"][0])
    return (z, R, None if run.get("no_n") else float(data["n"])), named


def check(data, answer, expected, dtype):
    (z, R, n), named = arguments(data, answer["run"])
    fit = susie_rss(z, R.astype(dtype), n, **named)
    np.testing.assert_allclose(fit.pip, expected["pip"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(fit.V, expected["V"], rtol=1e-6, atol=5e-8)
    np.testing.assert_allclose(fit.lbf, expected["lbf"], rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(fit.elbo[-1], expected["elbo"][-1], rtol=1e-10)
    np.testing.assert_allclose(fit.sigma2, expected["sigma2"], rtol=1e-8)
    assert fit.niter == answer["niter"]
    assert fit.converged == answer["converged"]
    check_sets(fit, answer["sets"])


def check_sets(fit, theirs):
    members = theirs.get("cs") or {}
    assert [found.name for found in fit.sets.sets] == list(members)
    for number, found in enumerate(fit.sets.sets):
        alpha = fit.alpha[found.effect - 1]
        # By alpha and not by index: variants in perfect LD may stand for one another.
        expected = np.sort(alpha[np.atleast_1d(members[found.name])])
        np.testing.assert_allclose(np.sort(alpha[found.variables]), expected, atol=1e-9)
        purity = theirs["purity"][number]
        ours = (found.purity.min_abs_corr, found.purity.mean_abs_corr, found.purity.median_abs_corr)
        theirs_purity = (purity["min.abs.corr"], purity["mean.abs.corr"], purity["median.abs.corr"])
        np.testing.assert_allclose(ours, theirs_purity, atol=1e-6)
        np.testing.assert_allclose(found.coverage, np.atleast_1d(theirs["coverage"])[number], atol=1e-6)
        np.testing.assert_allclose(found.log10_bayes_factor, fit.lbf[found.effect - 1] / np.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("case", "setting"), [(case, name) for case in SETTINGS for name in SETTINGS[case]])
def test_agrees_with_susier(case, setting, dtype):
    with np.load(COMMITTED / f"{case}.npz") as stored:
        data = dict(stored)
    expected = {key.partition("/")[2]: values for key, values in data.items() if key.startswith(f"{setting}/")}
    check(data, SETTINGS[case][setting], expected, dtype)


@pytest.mark.parametrize(
    "folder", sorted(SHARED.glob("*/*/fit.json")), ids=lambda file: f"{file.parts[-3]}/{file.parts[-2]}"
)
def test_agrees_with_susier_on_all_cases(folder, shared_reference):
    with np.load(folder.parents[1] / "data.npz") as data, np.load(folder.parent / "fit.npz") as fit:
        answer = json.loads(folder.read_text())
        check(dict(data), answer, fit, np.float64 if "X" in data else np.float32)


def test_posterior_arrays_agree_with_susier(shared_reference):
    folder = shared_reference / "susie" / "public" / "pkg_N3finemapping_t1"
    with np.load(folder / "data.npz") as data, np.load(folder / "default" / "fit.npz") as expected:
        (z, R, n), named = arguments(dict(data), json.loads((folder / "default/fit.json").read_text())["run"])
        fit = susie_rss(z, R, n, **named)
        rows = expected["active_rows"]
        for name in ("alpha", "mu", "mu2"):
            np.testing.assert_allclose(getattr(fit, name)[rows], expected[name], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(fit.lbf_variable[rows], expected["lbf_variable"], atol=1e-5)
        np.testing.assert_allclose(fit.KL, expected["KL"], atol=1e-6)
