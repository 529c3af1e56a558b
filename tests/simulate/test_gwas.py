import gzip

import numpy as np
import pandas as pd
import pytest
import yaml

from fineprior.simulate.gwas import score_test, vary_rows, write_gwas


def logistic(dosage, cases):
    """Maximum likelihood estimate and standard error of the slope, by Newton's method."""
    design = np.stack([np.ones_like(dosage), dosage], axis=1)
    coefficients = np.zeros(2)
    for _ in range(20):
        fitted = 1 / (1 + np.exp(-design @ coefficients))
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        coefficients += np.linalg.solve(information, design.T @ (cases - fitted))
    return coefficients[1], np.linalg.inv(information)[1, 1] ** 0.5


def test_association_is_close_to_logistic_regression():
    rng = np.random.default_rng(1)
    dosages = rng.binomial(2, np.array([0.05, 0.3, 0.5])[:, None], (3, 4_000)).astype(np.int8)
    cases = rng.random(4_000) < 1 / (1 + np.exp(0.4 - 0.25 * dosages[1]))
    table = score_test(dosages, cases)
    for row in range(3):
        beta, error = logistic(dosages[row].astype(float), cases)
        assert table["beta"][row] == pytest.approx(beta, abs=0.1 * error)
        assert table["standard_error"][row] == pytest.approx(error, rel=0.02)
    np.testing.assert_allclose(table["effect_allele_frequency"], dosages.mean(1) / 2)
    assert table["p_value"][1] < 1e-4 < table["p_value"][[0, 2]].min()


def test_counting_the_other_allele_flips_the_sign_only():
    rng = np.random.default_rng(2)
    dosages = rng.binomial(2, 0.3, (5, 500)).astype(np.int8)
    cases = rng.random(500) < 0.3
    one, other = score_test(dosages, cases), score_test(2 - dosages, cases)
    np.testing.assert_allclose(one["beta"], -other["beta"], rtol=1e-12)
    np.testing.assert_allclose(one["standard_error"], other["standard_error"], rtol=1e-12)
    np.testing.assert_allclose(one["p_value"], other["p_value"], rtol=1e-9)


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    ref = rng.choice(list("ACGT"), 4_000)
    alt = pd.Series(ref).map({"A": "GTC", "C": "TGA", "G": "ACT", "T": "CAG"}).to_numpy()
    return pd.DataFrame(
        {
            "chromosome": "1",
            "base_pair_location": np.arange(1, 4_001),
            "effect_allele": [options[i] for options, i in zip(alt, rng.integers(0, 3, 4_000), strict=True)],
            "other_allele": ref,
            "beta": rng.normal(size=4_000),
            "standard_error": rng.uniform(0.1, 0.2, 4_000),
            "effect_allele_frequency": rng.uniform(0.01, 0.6, 4_000),
            "p_value": rng.random(4_000),
            "rsid": [f"rs{i}" for i in range(4_000)],
            "n": 900,
        }
    )


def test_a_few_rows_are_reported_in_each_other_way(table):
    keep = np.zeros(4_000, bool)
    keep[:2_000] = True
    varied = vary_rows(table, keep, np.random.default_rng(4))
    changed = (varied.astype(str) != table.astype(str)).any(axis=1).to_numpy()
    assert not changed[keep].any()
    assert 20 < changed.sum() < 0.01 * len(table)
    swapped = (varied["effect_allele"] == table["other_allele"]) & (varied["other_allele"] == table["effect_allele"])
    truly = swapped & (varied["beta"] == -table["beta"])
    both = ~swapped & (varied["beta"] == -table["beta"])
    assert both.sum() == 4
    assert (varied["effect_allele"][both] != table["effect_allele"][both]).all()
    assert truly.sum() == 12
    np.testing.assert_allclose(
        (varied["effect_allele_frequency"] + table["effect_allele_frequency"])[truly], 1.0, rtol=1e-12
    )
    palindromic = swapped & ~truly
    assert palindromic.sum() == 4
    assert set(table["effect_allele"][palindromic] + table["other_allele"][palindromic]) <= {"AT", "TA", "CG", "GC"}
    strand = (varied["effect_allele"] != table["effect_allele"]) & ~swapped & ~both
    assert strand.sum() == 8
    assert (varied["beta"][strand] == table["beta"][strand]).all()
    assert varied["effect_allele_frequency"].isna().sum() == 4
    assert varied["rsid"].isna().sum() == varied["n"].isna().sum() == 4
    assert (varied["beta"].isna() & varied["standard_error"].isna()).sum() == 2


def test_file_is_gwas_ssf_with_metadata(tmp_path, table):
    table = vary_rows(table, np.zeros(4_000, bool), np.random.default_rng(4))
    write_gwas(tmp_path / "gwas.tsv.gz", table, 450, 450)
    write_gwas(tmp_path / "elsewhere.tsv.gz", table, 450, 450)
    assert (tmp_path / "gwas.tsv.gz").read_bytes() == (tmp_path / "elsewhere.tsv.gz").read_bytes()
    lines = gzip.decompress((tmp_path / "gwas.tsv.gz").read_bytes()).decode().splitlines()
    assert lines[0].split("\t")[:8] == [
        "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
        "effect_allele_frequency", "p_value",
    ]  # fmt: skip
    assert len(lines) == 4_001
    assert sum("#NA" in line for line in lines) == 10
    assert {line.split("\t")[9] for line in lines[1:]} == {"900", "#NA"}
    metadata = yaml.safe_load((tmp_path / "gwas.tsv.gz-meta.yaml").read_text())
    assert metadata["sample_size"] == metadata["case_count"] + metadata["control_count"] == 900
    assert metadata["coordinate_system"] == "1-based"
