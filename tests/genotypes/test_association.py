"""Association tests against regressions one variant at a time, and against PLINK 2 where it is installed."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fineprior.files.tables import ASSOCIATION
from fineprior.genotypes.association import associate, neg_log10_p_of_t
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.genotypes.samples import read_cohort
from fineprior.simulate.population import write_panel

PEOPLE, VARIANTS = 300, 500
MONOMORPHIC, TWIN, SEPARATES, NOBODY = 7, 8, 9, 10


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Genotypes with missing ones, a trait, a disease and covariates; the folder and the numbers."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(11)
    frequency = rng.uniform(0.05, 0.95, VARIANTS)
    dosages = rng.binomial(2, frequency, (PEOPLE, VARIANTS)).astype(np.int8)
    covariates = rng.normal(size=(PEOPLE, 3)).round(5)
    trait = 0.8 * dosages[:, 3] + covariates @ [0.5, 0.2, -0.3] + rng.normal(size=PEOPLE)
    disease = (trait + rng.logistic(size=PEOPLE) > 1).astype(int)
    dosages[rng.random(dosages.shape) < np.where(np.arange(VARIANTS) % 2, 0.03, 0)] = -1
    dosages[:, MONOMORPHIC] = 2
    covariates[:, 2] = dosages[:, TWIN] = rng.binomial(2, 0.3, PEOPLE)
    dosages[:, SEPARATES] = 2 * disease
    dosages[:, NOBODY] = -1
    bim = pd.DataFrame({"chrom": "1", "pos": np.arange(VARIANTS) * 10 + 5, "a1": "A", "a2": "G"})
    bim["snp_id"] = "rs" + bim.index.astype("str")
    write_panel(folder / "genotypes", bim, [dosages])
    names = PlinkPanel(folder / "genotypes").sample_ids
    ids = pd.DataFrame({"FID": names, "IID": names})
    for name, values in (("trait", trait.round(6)), ("disease", disease + 1)):
        ids.assign(**{name: values}).to_csv(folder / f"{name}.txt", sep="\t", index=False)
    ids.assign(c1=covariates[:, 0], c2=covariates[:, 1], c3=covariates[:, 2]).to_csv(
        folder / "covariates.txt", sep=" ", index=False
    )
    return folder, np.where(dosages < 0, np.nan, dosages.astype(float)), trait.round(6), disease, covariates


def result(folder, name, covariates=True):
    panel = PlinkPanel(folder / "genotypes")
    cohort = read_cohort(panel.sample_ids, folder / f"{name}.txt", folder / "covariates.txt" if covariates else None)
    return ASSOCIATION.checked(associate(panel, cohort), "test")


def one_linear(g, y, design):
    keep = ~np.isnan(g)
    x = np.column_stack([g[keep], design[keep]])
    beta, rest, *_ = np.linalg.lstsq(x, y[keep], rcond=None)
    free = len(x) - x.shape[1]
    se = np.sqrt(rest[0] / free * np.linalg.inv(x.T @ x)[0, 0])
    return beta[0], se, -(stats.t.logsf(abs(beta[0] / se), free) + np.log(2)) / np.log(10)


def one_logistic(g, y, design):
    keep = ~np.isnan(g)
    x, coefficients = np.column_stack([g[keep], design[keep]]), np.zeros(design.shape[1] + 1)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-x @ coefficients))
        information = (x * (chance * (1 - chance))[:, None]).T @ x
        coefficients += np.linalg.solve(information, x.T @ (y[keep] - chance))
    se = np.sqrt(np.linalg.inv(information)[0, 0])
    return coefficients[0], se, -(stats.norm.logsf(abs(coefficients[0] / se)) + np.log(2)) / np.log(10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trait", "disease"])
@pytest.mark.parametrize("with_covariates", [False, True])
def test_each_variant_has_the_answer_of_its_own_regression(study, name, with_covariates):
    folder, dosages, trait, disease, covariates = study
    found = result(folder, name, with_covariates)
    design = np.column_stack([np.ones(PEOPLE), covariates]) if with_covariates else np.ones((PEOPLE, 1))
    single, y = (one_linear, trait) if name == "trait" else (one_logistic, disease)
    for row in np.flatnonzero(found["status"] == "ok"):
        if row != SEPARATES:
            own = found.loc[row, ["beta", "standard_error", "neg_log_10_p_value"]].to_numpy(float)
            assert own == pytest.approx(single(dosages[:, row], y, design), rel=1e-8, abs=1e-10), row
    called = ~np.isnan(dosages)
    assert found["n"].to_list() == called.sum(0).tolist()
    frequency = found["effect_allele_frequency"].to_numpy()
    assert frequency[:5] == pytest.approx(np.nanmean(dosages[:, :5], 0) / 2)


def test_variants_without_an_answer_say_why(study):
    folder = study[0]
    for name in ("trait", "disease"):
        found = result(folder, name)
        without = found[found["status"] != "ok"]
        expected = {MONOMORPHIC: "monomorphic", TWIN: "collinear", NOBODY: "too_few"}
        if name == "disease":
            expected[SEPARATES] = "not_converged"
        assert without["status"].to_dict() == expected
        assert without[["beta", "standard_error", "neg_log_10_p_value"]].isna().all(axis=None)


@pytest.mark.slow
def test_blocks_do_not_matter(study, monkeypatch):
    whole = result(study[0], "disease")
    monkeypatch.setattr("fineprior.genotypes.association._NUMBERS_AT_ONCE", 17 * PEOPLE)
    parts = result(study[0], "disease")
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-9)


@pytest.mark.parametrize(("t", "free"), [(5.0, 30), (40.0, 300), (60.0, 2_000), (45.0, 100_000), (0.0, 10)])
def test_p_values_of_t_do_not_underflow(t, free):
    found = neg_log10_p_of_t(np.array([t, -t]), np.array([free, free]))
    assert found[0] == found[1]
    mpmath = pytest.importorskip("mpmath")
    x = mpmath.mpf(free) / (free + mpmath.mpf(t) ** 2)
    exact = mpmath.betainc(mpmath.mpf(free) / 2, 0.5, 0, x, regularized=True)
    assert found[0] == pytest.approx(float(-mpmath.log10(exact)), rel=1e-9, abs=1e-12)


@pytest.mark.skipif(not shutil.which("plink2"), reason="PLINK 2 is not installed")
@pytest.mark.parametrize("name", ["trait", "disease"])
@pytest.mark.parametrize("with_covariates", [False, True])
def test_plink2_gives_the_same(study, tmp_path, name, with_covariates):
    """PLINK 2 writes 6 digits, and computes the logistic regression in single precision.

    There a sum over the people is right to their number times the unit of single precision, 3.6e-5 of the standard
    error; measured with 2.00a3.5 on AVX-512: 0.9e-5 for beta, 1.4e-5 for the standard error, 0.8e-5 for p.

    Version 2.00a3.5 has standard errors up to 12% off for a disease where genotypes are missing (R's glm sides with
    us), so that for a disease only variants without missing genotypes are compared.
    """
    folder, dosages, *_ = study
    options = ["--covar", folder / "covariates.txt"] if with_covariates else ["allow-no-covars"]
    files = ["--bfile", folder / "genotypes", "--pheno", folder / f"{name}.txt", "--out", tmp_path / "out"]
    test = ["--threads", "1", "--glm", "hide-covar", "no-firth", "omit-ref", "log10", "cols=+beta"]
    command = ["plink2", *files, *test, *options]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    written = pd.read_csv(next(tmp_path.glob("out.*.glm.*[cr]")), sep="\t")
    ours = result(folder, name, with_covariates)
    linear = name == "trait"
    rows = written["BETA"].notna().to_numpy() & (ours["status"] == "ok").to_numpy()
    assert rows.sum() >= VARIANTS - 6
    if not linear:
        rows &= ~np.isnan(dosages).any(0)
    assert (written["OBS_CT"] == ours["n"])[rows].all()
    se = ours.loc[rows, "standard_error"].to_numpy()
    z = np.abs(ours.loc[rows, "beta"].to_numpy()) / se
    slope = np.exp(stats.norm.logpdf(z) - stats.norm.logsf(z)) / np.log(10)  # of -log10 p in z
    for theirs, column in (("BETA", "beta"), ("SE", "standard_error"), ("LOG10_P", "neg_log_10_p_value")):
        given, own = written.loc[rows, theirs].to_numpy(), ours.loc[rows, column].to_numpy()
        rounding = 0.5 * 10.0 ** (np.floor(np.log10(np.maximum(np.abs(given), 1e-4))) - 5)
        # in single precision a small effect is right to a share of its standard error, not of itself, and p is what
        # an error of that share in both beta and its standard error makes of it
        unit = np.abs(own) if linear else {"LOG10_P": slope * (1 + z)}.get(theirs, se)
        beyond = np.maximum(np.abs(given - own) - rounding, 0) / unit
        assert beyond.max() < (1e-6 if linear else PEOPLE * np.finfo(np.float32).eps), column


def test_chromosomes_have_the_names_that_mean_the_same_outside_of_plink(tmp_path):
    bim = pd.DataFrame({"chrom": ["chr1", "23", "24", "25", "26"], "pos": 5, "a1": "A", "a2": "G", "snp_id": "."})
    dosages = np.array([[0, 1, 2, 0, 1, 2]] * 5, np.int8).T
    write_panel(tmp_path / "g", bim, [dosages])
    panel = PlinkPanel(tmp_path / "g")
    (tmp_path / "t.txt").write_text("IID t\n" + "".join(f"{name} {int(name) ** 2}\n" for name in panel.sample_ids))
    found = associate(panel, read_cohort(panel.sample_ids, tmp_path / "t.txt"))
    assert found["chromosome"].tolist() == ["1", "X", "Y", "X", "MT"]
