"""Calibration of a prior in simulated studies: what it finds, and whether its PIPs are right."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.tables import CALIBRATE_PIP, CALIBRATE_SUMMARY
from fineprior.report.compare import by_bin, members, share, wilson_interval

PIP_BINS = (0.0, 0.01, 0.1, 0.5, 0.9, 0.95, 1.0)
THRESHOLDS = (50, 90, 95)
MEASURES = ("pip", "pip_credible")
FOUND = 0.95
"""PIP above which a causal variant counts as found."""
_DRAWS = 2000
_KEY = ["locus", "variant_id"]


@dataclass(frozen=True)
class Tally:
    """One simulated study under one prior: columns of CALIBRATE_COUNTS, and rows of CALIBRATE_BINS."""

    prior: str
    counts: dict[str, object]
    bins: pd.DataFrame


def tallied(prior: str, variants: pd.DataFrame, sets: pd.DataFrame, causal: pd.DataFrame) -> Tally:
    """Count what fine-mapping found.

    Parameters
    ----------
    variants, sets
        FINEMAP_VARIANTS, and CREDIBLE_SETS of the main coverage. A variant without a PIP (excluded,
        or its locus failed) has PIP 0.
    causal
        The truth: locus and variant_id.
    """
    truth = pd.MultiIndex.from_frame(causal[_KEY])
    is_causal = pd.MultiIndex.from_frame(variants[_KEY]).isin(truth)
    in_sets = members(sets)
    right = in_sets[pd.MultiIndex.from_frame(in_sets[_KEY]).isin(truth)]
    counts: dict[str, object] = {
        "prior": prior,
        "loci": variants["locus"].nunique(),
        "causal": len(causal),
        "failed": int(variants["pip"].isna().groupby(variants["locus"]).all().sum()),
        "sets": len(sets),
        "covered": len(right[["locus", "credible_set"]].drop_duplicates()),
        "found": len(right[_KEY].drop_duplicates()),
        "size": int(sets["variants"].sum()),
    }
    rows = []
    for measure in MEASURES:
        pip = variants[measure].fillna(0.0).to_numpy(dtype=float)
        rows += [{"prior": prior, "measure": measure} | row for row in _binned(pip, is_causal)]
    return Tally(prior, counts, pd.DataFrame(rows))


def _binned(pip: npt.NDArray[np.float64], is_causal: npt.NDArray[np.bool_]) -> Iterator[dict[str, object]]:
    for lower, upper, here in by_bin(pip, PIP_BINS):
        yield {"pip_lower": lower, "pip_upper": upper, "variants": int(here.sum()), "claimed": float(pip[here].sum()),
               "causal": int(is_causal[here].sum())}  # fmt: skip


def observed_pips(bins: pd.DataFrame) -> pd.DataFrame:
    """Pool the bins of all studies: claimed PIP and observed share of causal variants (CALIBRATE_PIP)."""
    rows = []
    for keys, here in bins.groupby(["scenario", "prior", "measure", "pip_lower", "pip_upper"], sort=False):
        n, causal = int(here["variants"].sum()), int(here["causal"].sum())
        claimed = here["claimed"].sum() / n if n else np.nan
        rows.append((*keys, n, claimed, causal / n if n else np.nan, *wilson_interval(causal, n)))
    return pd.DataFrame(rows, columns=CALIBRATE_PIP.names)


def summary_of(counts: pd.DataFrame, bins: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Pool all studies into CALIBRATE_SUMMARY, from CALIBRATE_COUNTS and CALIBRATE_BINS; scenarios keep their order.

    Each scenario and prior has a row for `pip` and one for `pip_credible`. `seed`: of the bootstrap over studies.
    """
    hits = bins[bins["pip_lower"] >= FOUND]
    found = hits.groupby(["measure", "scenario", "prior", "replicate"])["causal"].sum()
    rows = []
    for (keys, here), measure in itertools.product(counts.groupby(["scenario", "prior"], sort=False), MEASURES):
        scenario, prior = map(str, keys)
        sums = here[["loci", "causal", "failed", "sets", "covered", "found", "size"]].sum()
        mine = found.loc[measure, scenario, prior]
        uniform = found.loc[measure, scenario, "uniform"].reindex(mine.index)
        sets, covered = int(sums["sets"]), int(sums["covered"])
        row: dict[str, object] = {
            "scenario": scenario,
            "prior": prior,
            "measure": measure,
            "studies": len(here),
            **{name: int(sums[name]) for name in ("loci", "causal", "failed")},
            "weight": here["weight"].mean(),
            "sets": sets,
            "coverage": share(covered, sets),
            **dict(zip(("coverage_lower", "coverage_upper"), wilson_interval(covered, sets), strict=True)),
            "power": share(int(sums["found"]), int(sums["causal"])),
            "mean_size": share(int(sums["size"]), sets),
        }
        own = (bins["measure"] == measure) & (bins["scenario"] == scenario) & (bins["prior"] == prior)
        row |= _hits(bins[own])
        ratio = _ratio(mine.to_numpy(), uniform.to_numpy(), seed)
        row |= dict(zip(("found_ratio", "found_ratio_lower", "found_ratio_upper"), ratio, strict=True))
        row["sentence"] = _sentence(row, int(mine.sum()), int(uniform.sum()))
        rows.append(row)
    return pd.DataFrame(rows, columns=CALIBRATE_SUMMARY.names)


def sentences(summary: pd.DataFrame) -> Iterator[str]:
    """One line for each scenario: the functional prior compared with uniform, shuffled and true, by `pip`."""
    for scenario, rows in summary[summary["measure"] == "pip"].groupby("scenario", sort=False):
        by_prior = rows.set_index("prior")
        shuffled, true = (_percent(by_prior.loc[prior, "found_ratio"]) for prior in ("shuffled", "true"))
        yield (
            f"{scenario}: {by_prior.loc['functional', 'sentence']} (found against uniform with shuffled scores "
            f"{shuffled}, with the true prior {true})"
        )


def _hits(bins: pd.DataFrame) -> dict[str, object]:
    made: dict[str, object] = {}
    for percent in THRESHOLDS:
        here = bins[bins["pip_lower"] >= percent / 100 - 1e-9]
        hits, false = int(here["variants"].sum()), int(here["variants"].sum() - here["causal"].sum())
        lower, upper = wilson_interval(false, hits)
        made |= {
            f"hits_{percent}": hits,
            f"false_{percent}": false,
            f"fdr_{percent}": share(false, hits),
            f"fdr_lower_{percent}": lower,
            f"fdr_upper_{percent}": upper,
            f"claimed_fdr_{percent}": 1 - share(float(here["claimed"].sum()), hits),
        }
    return made


def _ratio(mine: npt.NDArray[np.int64], uniform: npt.NDArray[np.int64], seed: int) -> tuple[float, float, float]:
    """Ratio of sums over studies, with its bootstrap interval."""
    total = share(int(mine.sum()), int(uniform.sum()))
    if len(mine) < 2:
        return total, float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(mine), size=(_DRAWS, len(mine)))
    below = uniform[drawn].sum(axis=1)
    ratios = mine[drawn].sum(axis=1)[below > 0] / below[below > 0]
    if len(ratios) == 0:
        return total, float("nan"), float("nan")
    lower, upper = np.quantile(ratios, (0.025, 0.975))
    return total, float(lower), float(upper)


def _sentence(row: dict[str, object], mine: int, uniform: int) -> str:
    held = "not above" if not _above(row) else "above"
    coverage, fdr, claimed = (float(str(row[name])) for name in ("coverage", "fdr_90", "claimed_fdr_90"))
    against = "" if row["prior"] == "uniform" else f" ({_percent(float(str(row['found_ratio'])))} against uniform)"
    return (
        f"the {row['prior']} prior finds {mine} of {row['causal']} causal variants at PIP > 0.95{against}; "
        f"{fdr:.1%} of its variants with PIP > 0.9 are false, {held} the {claimed:.1%} that the PIPs claim by more "
        f"than chance; {coverage:.1%} of its sets hold a causal variant"
    )


def _above(row: dict[str, object]) -> bool:
    return float(str(row["fdr_lower_90"])) > float(str(row["claimed_fdr_90"]))


def _percent(ratio: float) -> str:
    return f"{ratio - 1:+.1%}" if np.isfinite(ratio) else "no hits"
