"""Calibration of a prior in simulated studies: what it finds, and whether its PIPs are right."""

import itertools
import math
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
_HIT = 0.9
_ONE_SIDED = 0.025
_NOT_COMPARED = (float("nan"),) * 3
QUESTIONS = {"in_sample": "LD of the GWAS itself", "panel": "panel LD", "undrifted_panel": "panel LD without drift"}
"""LD of the fits, in words."""
_COMPARED = {"panel": ("undrifted_panel", "in_sample"), "undrifted_panel": ("in_sample",)}
"""With which LD a panel's is compared: the first of these that was simulated."""
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
    for keys, here in bins.groupby(["ld", "scenario", "prior", "measure", "pip_lower", "pip_upper"], sort=False):
        n, causal = int(here["variants"].sum()), int(here["causal"].sum())
        claimed = here["claimed"].sum() / n if n else np.nan
        rows.append((*keys, n, claimed, causal / n if n else np.nan, *wilson_interval(causal, n)))
    return pd.DataFrame(rows, columns=CALIBRATE_PIP.names)


def summary_of(counts: pd.DataFrame, bins: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Pool all studies into CALIBRATE_SUMMARY, from CALIBRATE_COUNTS and CALIBRATE_BINS; rows keep their order.

    Each LD, scenario and prior has a row for `pip` and one for `pip_credible`. `seed`: of the bootstrap over studies.
    """
    by_study = ["ld", "measure", "scenario", "prior", "replicate"]
    found = bins[bins["pip_lower"] >= FOUND].groupby(by_study)["causal"].sum()
    hits = bins[bins["pip_lower"] >= _HIT].groupby(by_study)[["variants", "causal"]].sum()
    hits["false"] = hits["variants"] - hits["causal"]
    rows = []
    groups = counts.groupby(["ld", "scenario", "prior"], sort=False)
    for (keys, here), measure in itertools.product(groups, MEASURES):
        ld, scenario, prior = map(str, keys)
        sums = here[["loci", "causal", "failed", "sets", "covered", "found", "size"]].sum()
        mine = found.loc[ld, measure, scenario, prior]
        uniform = found.loc[ld, measure, scenario, "uniform"].reindex(mine.index)
        sets, covered = int(sums["sets"]), int(sums["covered"])
        row: dict[str, object] = {
            "ld": ld,
            "scenario": scenario,
            "prior": prior,
            "measure": measure,
            "studies": len(here),
            **{name: int(sums[name]) for name in ("loci", "causal", "failed")},
            **{name: here[name].mean() for name in ("weight", "panel_size", "fst")},
            "sets": sets,
            "coverage": share(covered, sets),
            **dict(zip(("coverage_lower", "coverage_upper"), wilson_interval(covered, sets), strict=True)),
            "power": share(int(sums["found"]), int(sums["causal"])),
            "mean_size": share(int(sums["size"]), sets),
        }
        own = (bins["ld"] == ld) & (bins["measure"] == measure)
        row |= _hits(bins[own & (bins["scenario"] == scenario) & (bins["prior"] == prior)])
        key = (measure, scenario, prior)
        others = [one for one in _COMPARED.get(ld, ()) if (one, *key) in hits.index]
        row["compared_ld"] = others[0] if others else pd.NA
        added = _added(hits.loc[(ld, *key)], hits.loc[(others[0], *key)], seed) if others else _NOT_COMPARED
        row |= dict(zip(("fdr_added_90", "fdr_added_lower_90", "fdr_added_upper_90"), added, strict=True))
        row["cause"] = _cause(row)
        ratio = _ratio(mine.to_numpy(), uniform.to_numpy(), seed)
        row |= dict(zip(("found_ratio", "found_ratio_lower", "found_ratio_upper"), ratio, strict=True))
        row["sentence"] = _sentence(row, int(mine.sum()), int(uniform.sum()))
        rows.append(row)
    return pd.DataFrame(rows, columns=CALIBRATE_SUMMARY.names)


def sentences(summary: pd.DataFrame) -> Iterator[str]:
    """For each LD one line for each scenario: the functional prior compared with the others by `pip`, and the cause."""
    for (ld, scenario), rows in summary[summary["measure"] == "pip"].groupby(["ld", "scenario"], sort=False):
        by_prior = rows.set_index("prior")
        shuffled, true = (_percent(by_prior.loc[prior, "found_ratio"]) for prior in ("shuffled", "true"))
        yield (
            f"{QUESTIONS[str(ld)]}, {scenario}: {by_prior.loc['functional', 'sentence']} (found against uniform with "
            f"shuffled scores {shuffled}, with the true prior {true}); {by_prior.loc['functional', 'cause']}"
        )


def _added(mine: pd.DataFrame, other: pd.DataFrame, seed: int) -> tuple[float, float, float]:
    """FDR of hits less that of others of the same simulated studies, with its bootstrap interval.

    Parameters
    ----------
    mine, other
        Columns variants and false, a row for each replicate.
    """
    mine, other = mine.align(other, join="inner", axis=0)
    total = share(int(mine["false"].sum()), int(mine["variants"].sum())) - share(
        int(other["false"].sum()), int(other["variants"].sum())
    )
    drawn = _resampled(len(mine), seed)
    if drawn is None:
        return total, float("nan"), float("nan")
    with np.errstate(invalid="ignore"):
        shares = [one["false"].to_numpy()[drawn].sum(axis=1) / one["variants"].to_numpy()[drawn].sum(axis=1)
                  for one in (mine, other)]  # fmt: skip
    differences = shares[0] - shares[1]
    differences = differences[np.isfinite(differences)]
    if not len(differences):
        return total, float("nan"), float("nan")
    lower, upper = np.quantile(differences, (0.025, 0.975))
    return total, float(lower), float(upper)


def _cause(row: dict[str, object]) -> str:
    """What the false discoveries beyond the claim are due to."""
    ld, held = row["ld"], not _above(row)
    if ld == "in_sample":
        if row["hits_90"] == 0:
            return "LD is right; there are no variants with PIP > 0.9 to judge"
        if held:
            return "LD is right, and nothing beyond chance remains"
        return "LD is right: what remains is due to the model and the search for its configurations"
    panel = f"a panel of {float(str(row['panel_size'])):,.0f} samples"
    drift = float(str(row["fst"]))
    if ld == "panel" and drift > 0:
        panel += f" at F_ST {drift:.2%} from the GWAS"
    if row["compared_ld"] is pd.NA:
        return f"LD is that of {panel}; without in_sample its part cannot be told"
    added, lower, upper = (float(str(row[f"fdr_added{end}_90"])) for end in ("", "_lower", "_upper"))
    if not np.isfinite(added):
        return f"LD is that of {panel}; there are no variants with PIP > 0.9 to compare"
    name = "drift" if row["compared_ld"] == "undrifted_panel" else panel
    interval = f" (95% interval {100 * lower:+.1f} to {100 * upper:+.1f})" if np.isfinite(lower) else ""
    interval = interval or (" (one study, so without an interval)" if row["studies"] == 1 else "")
    other = QUESTIONS[str(row["compared_ld"])]
    return f"{name} adds {100 * added:+.1f} points{interval} to the share that is false with {other}"


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
    drawn = _resampled(len(mine), seed)
    if drawn is None:
        return total, float("nan"), float("nan")
    below = uniform[drawn].sum(axis=1)
    ratios = mine[drawn].sum(axis=1)[below > 0] / below[below > 0]
    if len(ratios) == 0:
        return total, float("nan"), float("nan")
    lower, upper = np.quantile(ratios, (0.025, 0.975))
    return total, float(lower), float(upper)


def _resampled(studies: int, seed: int) -> npt.NDArray[np.int64] | None:
    """Numbers (draws, studies) of a bootstrap over studies; None of one study."""
    return None if studies < 2 else np.random.default_rng(seed).integers(studies, size=(_DRAWS, studies))


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
    """Whether more hits are false than the PIPs claim, by an exact binomial test.

    (Wilson's interval is too narrow for a handful of false ones of a hundred.)
    """
    hits, false = (int(str(row[name])) for name in ("hits_90", "false_90"))
    if not hits:
        return False
    claimed = min(max(float(str(row["claimed_fdr_90"])), 1e-12), 1 - 1e-12)
    fewer = [
        math.lgamma(hits + 1) - math.lgamma(k + 1) - math.lgamma(hits - k + 1)
        + k * math.log(claimed) + (hits - k) * math.log1p(-claimed)
        for k in range(false)
    ]  # fmt: skip
    return 1 - math.fsum(map(math.exp, fewer)) < _ONE_SIDED


def _percent(ratio: float) -> str:
    return f"{ratio - 1:+.1%}" if np.isfinite(ratio) else "no hits"
