"""Comparison of priors: what each changed, and how its claims agree with a simulated truth."""

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
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

    A credible set is right when it holds a causal variant. Only causal variants that were fine-mapped count; the others
    (filtered out, or in no locus) are logged, since no method could have found them.
    """
    causal = causal_variants(truth)
    rows = []
    for prior, frame in variants.items():
        frame = _with_pip(frame, prior)
        _log_absent(truth[truth["variant_id"].isin(causal)], frame, prior)
        sets = credible_sets[prior]
        in_sets = members(sets)
        right = in_sets[in_sets["variant_id"].isin(causal)]
        is_causal = frame["variant_id"].isin(causal)
        causal_in_set = pd.MultiIndex.from_frame(right[["locus", "variant_id"]])
        found = pd.MultiIndex.from_frame(frame.loc[is_causal, ["locus", "variant_id"]]).isin(causal_in_set)
        row: dict[str, object] = {
            "prior": prior,
            "loci": frame["locus"].nunique(),
            "causal": int(is_causal.sum()),
            "sets": len(sets),
            "coverage": share(len(right[["locus", "credible_set"]].drop_duplicates()), len(sets)),
            "power": share(int(found.sum()), len(found)),
            "mean_size": sets["variants"].mean(),
        }
        for percent in (50, 90):
            hit = frame["pip"] > percent / 100
            row |= {f"hits_{percent}": int(hit.sum()), f"false_{percent}": int((hit & ~is_causal).sum())}
        rows.append(row)
    return pd.DataFrame(rows, columns=TRUTH_COMPARISON.names)


def calibration_by_bin(variants: Frames, truth: pd.DataFrame) -> pd.DataFrame:
    """Claimed PIP and observed share of causal variants, by bin of PIP (table CALIBRATION); the last is PIP > 0.9."""
    causal = causal_variants(truth)
    rows = []
    for prior, frame in variants.items():
        frame = _with_pip(frame, prior)
        pip = frame["pip"].to_numpy(dtype=float)
        is_causal = frame["variant_id"].isin(causal).to_numpy()
        for start, end, here in by_bin(pip, PIP_BINS):
            n = int(here.sum())
            observed = int(is_causal[here].sum())
            lower, upper = wilson_interval(observed, n)
            claimed = float(pip[here].mean()) if n else float("nan")
            rows.append((prior, start, end, n, claimed, share(observed, n), lower, upper))
    return pd.DataFrame(rows, columns=CALIBRATION.names)


def causal_variants(truth: pd.DataFrame) -> set[str]:
    """Variants of the truth (TRUTH) that have an effect."""
    return set(truth.loc[truth["effect"] != 0, "variant_id"])


def members(credible_sets: pd.DataFrame) -> pd.DataFrame:
    """One row for each variant of each set: locus, credible_set, variant_id, in the order of CREDIBLE_SETS."""
    split = credible_sets[["locus", "credible_set"]].assign(variant_id=credible_sets["variant_ids"].str.split(","))
    return split.explode("variant_id").reset_index(drop=True)


def by_bin(pip: npt.NDArray[np.float64], ends: Sequence[float]) -> Iterator[tuple[float, float, npt.NDArray[np.bool_]]]:
    """Lower end, upper end and members (flags (n,)) of each bin of PIPs (n,).

    A bin includes its upper end and excludes its lower one, so that the last bin is the variants above a threshold.
    The first bin also includes its lower end.
    """
    numbers = np.maximum(np.searchsorted(ends, pip, side="left") - 1, 0)
    for number, (lower, upper) in enumerate(itertools.pairwise(ends)):
        yield lower, upper, numbers == number


def share(part: float, whole: int) -> float:
    """Return part / whole; NaN where `whole` is 0."""
    return part / whole if whole else float("nan")


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95% interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953); NaN without observations."""
    if n == 0:
        return float("nan"), float("nan")
    share, correction = successes / n, _NORMAL_95**2 / n
    centre = (share + correction / 2) / (1 + correction)
    half = np.sqrt(share * (1 - share) * correction + correction**2 / 4) / (1 + correction)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _of_fitted_loci(frame: pd.DataFrame, prior: str) -> pd.DataFrame:
    """All variants of the loci that have PIPs, including variants without one; loci without any PIP are logged."""
    fitted = frame["pip"].notna().groupby(frame["locus"]).transform("any")
    failed = frame.loc[~fitted, "locus"].unique()
    if len(failed):
        log.warning("%s: %d loci without PIPs are not compared: %s", prior, len(failed), ", ".join(failed))
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
    """The columns of one locus that come from PIPs and priors; of variants with the same PIP the first is the top one.

    A variant that the fit excluded has no PIP: it is never the top variant, and its PIP counts as unchanged.
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
