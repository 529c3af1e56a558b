"""What a prior changed, and whether the claims hold against a simulated truth."""

import itertools
import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import CALIBRATION, COMPARISON, TRUTH_COMPARISON

log = logging.getLogger(__name__)

PIP_BINS = (0.0, 0.01, 0.1, 0.5, 0.9, 1.0)
_NORMAL_95 = 1.959963984540054

Frames = Mapping[str, pd.DataFrame]


def compare_with_uniform(variants: Frames, credible_sets: Frames) -> pd.DataFrame:
    """What each prior changed in each locus, beside the uniform prior (table COMPARISON).

    Parameters
    ----------
    variants
        Prior name to fine-mapped variants (FINEMAP_VARIANTS); one is `uniform`.
    credible_sets
        Prior name to credible sets (CREDIBLE_SETS).

    Raises
    ------
    InputError
        No uniform prior, or a locus with other variants under one prior than under uniform.
    """
    if "uniform" not in variants:
        raise InputError(f"the comparison needs the uniform prior; there are {', '.join(variants)}")
    uniform = _by_locus(_of_fitted_loci(variants["uniform"], "uniform"))
    uniform_sets = _by_locus(credible_sets["uniform"])
    rows = []
    for prior in (name for name in variants if name != "uniform"):
        fits = _by_locus(_of_fitted_loci(variants[prior], prior))
        for locus in sorted(set(uniform) ^ set(fits)):
            log.warning("locus %s is fine-mapped under only one of uniform and %s: not compared", locus, prior)
        sets = _by_locus(credible_sets[prior])
        for locus in (name for name in uniform if name in fits):
            rows.append(
                {"locus": locus, "prior": prior}
                | _sets_of(uniform_sets, locus, "_uniform")
                | _sets_of(sets, locus, "")
                | _changes(locus, prior, uniform[locus], fits[locus])
            )
    if not rows:
        return COMPARISON.empty()
    order = {locus: number for number, locus in enumerate(uniform)}
    table = pd.DataFrame(rows)
    return table.sort_values("locus", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def compare_with_truth(variants: Frames, credible_sets: Frames, truth: pd.DataFrame) -> pd.DataFrame:
    """Each prior against the simulated truth (table TRUTH_COMPARISON).

    A credible set is right when it holds a causal variant. Causal variants count when they are among the fine-mapped
    variants; those that are not (filtered out, or in no locus) are logged, and no method could have found them.
    """
    causal = causal_variants(truth)
    rows = []
    for prior, frame in variants.items():
        frame = _with_pip(frame, prior)
        _log_absent(truth[truth["variant_id"].isin(causal)], frame, prior)
        sets = credible_sets[prior]
        members = sets[["locus", "credible_set"]].assign(variant_id=sets["variant_ids"].str.split(","))
        members = members.explode("variant_id")
        right = members[members["variant_id"].isin(causal)]
        is_causal = frame["variant_id"].isin(causal)
        in_set = pd.MultiIndex.from_frame(right[["locus", "variant_id"]])
        found = pd.MultiIndex.from_frame(frame.loc[is_causal, ["locus", "variant_id"]]).isin(in_set)
        row: dict[str, object] = {
            "prior": prior,
            "loci": frame["locus"].nunique(),
            "causal": int(is_causal.sum()),
            "sets": len(sets),
            "coverage": _share(len(right[["locus", "credible_set"]].drop_duplicates()), len(sets)),
            "power": _share(int(found.sum()), len(found)),
            "mean_size": sets["variants"].mean(),
        }
        for percent in (50, 90):
            hit = frame["pip"] > percent / 100
            row |= {f"hits_{percent}": int(hit.sum()), f"false_{percent}": int((hit & ~is_causal).sum())}
        rows.append(row)
    return pd.DataFrame(rows, columns=TRUTH_COMPARISON.names)


def calibration(variants: Frames, truth: pd.DataFrame) -> pd.DataFrame:
    """Claimed PIP against the share of causal variants, by bin of PIP (table CALIBRATION).

    A bin holds its upper end, not its lower one (the first holds 0), so that the last is the hits at PIP > 0.9.
    """
    causal = causal_variants(truth)
    rows = []
    for prior, frame in variants.items():
        frame = _with_pip(frame, prior)
        pip = frame["pip"].to_numpy(dtype=float)
        is_causal = frame["variant_id"].isin(causal).to_numpy()
        numbers = np.maximum(np.searchsorted(PIP_BINS, pip, side="left") - 1, 0)
        for number, (start, end) in enumerate(itertools.pairwise(PIP_BINS)):
            here = numbers == number
            n = int(here.sum())
            observed = int(is_causal[here].sum())
            lower, upper = wilson_interval(observed, n)
            claimed = float(pip[here].mean()) if n else float("nan")
            rows.append((prior, start, end, n, claimed, _share(observed, n), lower, upper))
    return pd.DataFrame(rows, columns=CALIBRATION.names)


def causal_variants(truth: pd.DataFrame) -> set[str]:
    """Variants of the truth (TRUTH) that have an effect."""
    return set(truth.loc[truth["effect"] != 0, "variant_id"])


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95% interval of a proportion (Wilson 1927); NaN without observations."""
    if n == 0:
        return float("nan"), float("nan")
    share, correction = successes / n, _NORMAL_95**2 / n
    centre = (share + correction / 2) / (1 + correction)
    half = np.sqrt(share * (1 - share) * correction + correction**2 / 4) / (1 + correction)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _of_fitted_loci(frame: pd.DataFrame, prior: str) -> pd.DataFrame:
    """All variants of loci whose fit gave PIPs, also those that it left out; loci without a PIP are logged."""
    fitted = frame["pip"].notna().groupby(frame["locus"]).transform("any")
    failed = frame.loc[~fitted, "locus"].unique()
    if len(failed):
        log.warning("%s: %d loci without PIPs are left out: %s", prior, len(failed), ", ".join(failed))
    return frame[fitted]


def _with_pip(frame: pd.DataFrame, prior: str) -> pd.DataFrame:
    """The variants that have a PIP; loci without one are logged."""
    return _of_fitted_loci(frame, prior).dropna(subset="pip")


def _by_locus(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Locus to its rows, in the order of the table."""
    return {str(locus): rows for locus, rows in frame.groupby("locus", sort=False)}


def _sets_of(sets: Mapping[str, pd.DataFrame], locus: str, suffix: str) -> dict[str, object]:
    if locus not in sets:
        return {f"sets{suffix}": 0, f"mean_size{suffix}": float("nan")}
    return {f"sets{suffix}": len(sets[locus]), f"mean_size{suffix}": float(sets[locus]["variants"].mean())}


def _changes(locus: str, prior: str, uniform: pd.DataFrame, fit: pd.DataFrame) -> dict[str, object]:
    """The columns of one locus that come from PIPs and priors; of variants with the same PIP the first counts.

    A variant that a fit left out has no PIP: it is no top variant, and its PIP has not changed.
    """
    before, after = uniform.set_index("variant_id"), fit.set_index("variant_id")
    if set(before.index) != set(after.index) or len(before) != len(after):
        raise InputError(f"locus {locus}: the variants under the {prior} prior are not those under uniform")
    after = after.loc[before.index]
    pip_before, pip_after = before["pip"].to_numpy(dtype=float), after["pip"].to_numpy(dtype=float)
    ratio = after["prior"].to_numpy(dtype=float) / before["prior"].to_numpy(dtype=float)
    top_before, top_after = int(np.nanargmax(pip_before)), int(np.nanargmax(pip_after))
    changes = np.abs(pip_after - pip_before)
    return {
        "top_variant_uniform": before.index[top_before],
        "top_pip_uniform": pip_before[top_before],
        "top_variant": after.index[top_after],
        "top_pip": pip_after[top_after],
        "top_prior_ratio": ratio[top_after],
        "max_pip_change": float("nan") if np.isnan(changes).all() else np.nanmax(changes),
        "high_pip_uniform": int((pip_before > 0.9).sum()),
        "high_pip": int((pip_after > 0.9).sum()),
    }


def _log_absent(causal: pd.DataFrame, frame: pd.DataFrame, prior: str) -> None:
    spans = frame.groupby("locus").agg(chrom=("chrom", "first"), first=("pos", "min"), last=("pos", "max"))
    absent = causal[~causal["variant_id"].isin(frame["variant_id"])]
    inside = sum(
        bool(((spans["chrom"] == row.chrom) & (spans["first"] <= row.pos) & (spans["last"] >= row.pos)).any())
        for row in absent.itertuples()
    )
    log.info("%s: of %d causal variants %d are fine-mapped, %d lie in a locus but were filtered out, %d in no locus",
             prior, len(causal), len(causal) - len(absent), inside, len(absent) - inside)  # fmt: skip


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
