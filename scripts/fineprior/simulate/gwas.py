"""GWAS of a simulated case-control study, written as GWAS-SSF with its metadata."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.stats import norm

from fineprior.files.whole import atomic_path
from fineprior.genome.alleles import complement

_SWAPPED, _STRAND, _STRAND_SWAPPED, _PALINDROMIC_STRAND, _NO_FREQUENCY, _NO_RSID, _NO_EFFECT = range(7)
_SHARES = {
    _SWAPPED: 0.003,
    _STRAND: 0.002,
    _STRAND_SWAPPED: 0.001,
    _PALINDROMIC_STRAND: 0.001,
    _NO_FREQUENCY: 0.001,
    _NO_RSID: 0.001,
    _NO_EFFECT: 0.0005,
}
"""Shares of rows that are not reported plainly for the alternative allele; below 1% in sum."""
_COLUMNS = [
    "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
    "effect_allele_frequency", "p_value", "rsid", "n",
]  # fmt: skip


def score_test(dosages: NDArray[np.int8], cases: NDArray[np.bool_]) -> pd.DataFrame:
    """Score test of each variant in a logistic regression, with the effect from one Newton step.

    With U = sum (g - mean g) y and V = q (1 - q) sum (g - mean g)^2, q the share of cases: beta = U / V,
    standard error V^-1/2, z = U V^-1/2. All sums are of integers, so that their order does not change the last digit.

    Parameters
    ----------
    dosages
        Copies (variants, samples) of the alternative allele.
    cases
        Flag (samples,).

    Returns
    -------
    table
        beta (log odds ratio), standard_error, effect_allele_frequency, p_value.
    """
    samples, share = len(cases), float(cases.mean())
    total = dosages.sum(1, dtype=np.int64)
    squares = total + 2 * (dosages == 2).sum(1, dtype=np.int64)
    in_cases = dosages[:, cases].sum(1, dtype=np.int64)
    score = in_cases - share * total
    information = share * (1 - share) * (squares - total**2 / samples)
    z = score / np.sqrt(information)
    return pd.DataFrame(
        {
            "beta": score / information,
            "standard_error": 1 / np.sqrt(information),
            "effect_allele_frequency": total / (2 * samples),
            "p_value": np.maximum(2 * norm.sf(np.abs(z)), 1e-300),
        }
    )


def vary_rows(table: pd.DataFrame, keep: NDArray[np.bool_], rng: np.random.Generator) -> pd.DataFrame:
    """Change a few rows as real files have them: for the other allele, on the other strand, or with missing fields.

    The shares are `_SHARES`. A palindromic row on the other strand looks like a row for the other allele with the wrong
    frequency.

    Parameters
    ----------
    table
        GWAS-SSF columns for the alternative allele.
    keep
        Rows that must stay as they are.
    rng
        Source of randomness.
    """
    table = table.astype({"n": object, "rsid": object})
    palindromic = (table["effect_allele"].map(complement) == table["other_allele"]).to_numpy()
    free = ~keep
    for kind, share in _SHARES.items():
        suitable = free & (palindromic if kind == _PALINDROMIC_STRAND else ~palindromic)
        candidates = np.flatnonzero(suitable)
        count = min(max(1, round(share * len(table))), len(candidates))
        rows = rng.choice(candidates, count, replace=False)
        free[rows] = False
        _report(table, np.sort(rows), kind)
    return table


def _report(table: pd.DataFrame, rows: NDArray[np.int64], kind: int) -> None:
    """Change rows of the table in place."""
    labels = table.index[rows]
    if kind in {_SWAPPED, _STRAND_SWAPPED}:
        alleles = table.loc[labels, ["other_allele", "effect_allele"]].to_numpy()
        table.loc[labels, ["effect_allele", "other_allele"]] = alleles
        table.loc[labels, "beta"] *= -1
        table.loc[labels, "effect_allele_frequency"] = 1 - table.loc[labels, "effect_allele_frequency"]
    if kind in {_STRAND, _STRAND_SWAPPED, _PALINDROMIC_STRAND}:
        for allele in ("effect_allele", "other_allele"):
            table.loc[labels, allele] = table.loc[labels, allele].map(complement)
    if kind == _NO_FREQUENCY:
        table.loc[labels, "effect_allele_frequency"] = np.nan
    if kind == _NO_RSID:
        table.loc[labels, ["rsid", "n"]] = np.nan
    if kind == _NO_EFFECT:
        table.loc[labels, ["beta", "standard_error"]] = np.nan


def write_gwas(path: str | Path, table: pd.DataFrame, cases: int, controls: int) -> None:
    """Write GWAS-SSF (gzip, `#NA` for missing) and `<path>-meta.yaml` with the sample sizes."""
    text = table[_COLUMNS].to_csv(sep="\t", index=False, na_rep="#NA", float_format="%.6g")
    with atomic_path(path) as temporary:
        # Neither a time nor a name in the header, so that the same rows are the same bytes.
        temporary.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))
    metadata = {
        "genome_assembly": "synthetic",
        "coordinate_system": "1-based",
        "trait_description": ["Simulated disease"],
        "sample_size": cases + controls,
        "case_control_study": True,
        "case_count": cases,
        "control_count": controls,
        "sample_ancestry_category": ["Simulated"],
        "is_harmonised": False,
        "is_sorted": True,
    }
    with atomic_path(f"{path}-meta.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(metadata, sort_keys=False))
