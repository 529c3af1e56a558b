"""Steps to the priors: annotate_variants, fit_prior (of a whole study), assign_prior."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fineprior.files import tables
from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.finemap.fits import FitFiles
from fineprior.plan.results import all_priors
from fineprior.priors.blocks import Integers, locus_starts
from fineprior.priors.controls import matching_bins, shuffle_within_bins
from fineprior.priors.features import Feature, feature_matrix
from fineprior.priors.strength import capped_softmax, functional_prior
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps.prior_data import (
    Batch,
    feature_kinds,
    frequencies,
    genome_order,
    locus_ld_scores,
    read_batch,
    read_variants,
)
from fineprior.steps.prior_fit import fitted_rows
from fineprior.steps.prior_study import Study, read_signals

log = logging.getLogger(__name__)


def annotate_variants(
    *,
    variants: str,
    output: str,
    rows: Sequence[Mapping[str, str]],
    source: Mapping[str, Any],
    heritability: str | None = None,
    causal: str | None = None,
) -> None:
    """Annotate the variants of a batch from files.

    Parameters
    ----------
    variants, output
        LOCUS_VARIANTS and ANNOTATIONS of the batch.
    rows
        Rows of the sheet of annotations: name, kind, path, column.
    source
        `source` of the settings and what belongs to it: given, given_column, given_as, supervised, training_rate.
    heritability
        HERITABILITY of the study, for that source.
    causal
        CAUSAL_PROBABILITIES of the study, for the source supervised where that names no file.
    """
    from fineprior.priors.annotation import distance_to_tss, interval_overlap, track_signal
    from fineprior.priors.given import read_values

    frame = tables.LOCUS_VARIANTS.read(variants)
    made = frame[["locus", "variant_id"]].copy()
    whole = {"bed": interval_overlap, "tss": distance_to_tss, "bigwig": track_signal}
    for row in rows:
        kind, path = row["kind"], row["path"]
        if frame.empty:
            made[row["name"]] = np.zeros(0)
        elif kind in whole:
            made[row["name"]] = whole[kind](frame, path)
        else:
            made[row["name"]] = read_values(frame, path, row["column"], signed=kind == "score")
    if source["source"] == "given":
        signed = source["given_as"] == "score"
        made["given"] = (
            np.zeros(0) if frame.empty else read_values(frame, source["given"], source["given_column"], signed=signed)
        )
    if source["source"] == "supervised":
        rate, probabilities = source["training_rate"], source["supervised"] or causal or ""
        for name in ("probability", "training_rate"):
            known = name == "training_rate" and rate > 0
            empty = np.full(len(frame), rate)
            made[name] = empty if known or frame.empty else read_values(frame, probabilities, name)
    if source["source"] == "heritability":
        if heritability is None:
            raise InputError("the source heritability needs a table of heritabilities")
        values = tables.HERITABILITY.read(heritability).set_index("variant_id")["heritability"]
        made["heritability"] = values.reindex(frame["variant_id"]).to_numpy(float)
    tables.ANNOTATIONS.write(made, output)


def fit_prior(
    *,
    variants: Sequence[str],
    fits: Sequence[str],
    ld: Sequence[str],
    scores: Sequence[str] | None,
    annotations: Sequence[str] | None,
    kinds: Mapping[str, str],
    enrichment: str,
    coefficients: str,
    verdict: str,
    steps: str,
    settings: PriorSettings,
    finemap: FinemapSettings,
    seed: int = 0,
    workers: int = 1,
    remark: str = "",
) -> None:
    """Estimate what scores and annotations are worth at this study's signals, leaving out each chromosome.

    Parameters
    ----------
    variants, fits, ld, scores, annotations
        LOCUS_VARIANTS, fits of find_signals, LD, SCORES and ANNOTATIONS of all batches, in the same order;
        None where the source needs none.
    kinds
        Name to kind of the annotations.
    enrichment, coefficients, verdict, steps
        ENRICHMENT, COEFFICIENTS, VERDICT and PRIOR_STEPS to write.
    settings, finemap
        Settings of the prior; of SuSiE (those of find_signals), for loci that are fitted again.
    seed
        Of the bootstrap and of the shuffled scores that the prior is held against.
    workers
        Threads, and processes that fit loci; the result does not depend on it.
    remark
        What there is to say of the source besides: the end of the functional prior's sentence.
    """
    count = len(variants)
    if not all(files is None or len(files) == count for files in (fits, ld, scores, annotations)):
        raise InputError(f"{count} files of variants; fits, LD, scores and annotations must be as many, in their order")
    frames: list[pd.DataFrame] = []
    ld_of: dict[str, str] = {}
    for number in range(count):
        batch = Batch(
            variants[number], scores[number] if scores else None, annotations[number] if annotations else None
        )
        frame = read_batch(batch, settings, kinds)
        frames.append(frame)
        ld_of |= dict.fromkeys(frame["locus"].unique(), ld[number])
    kept = [frame for frame in frames if len(frame)] or frames[:1]
    frame = genome_order(pd.concat(kept, ignore_index=True))
    ids = {str(name): rows["variant_id"].tolist() for name, rows in frame.groupby("locus", sort=False)}
    study = Study(frame, read_signals(FitFiles(fits), ids), ld_of, settings, finemap, seed, workers)
    log.info("%d variants in %d loci; %d signals in %d of them", len(frame), len(ids),
             sum(map(len, study.signals.values())), sum(len(one) > 0 for one in study.signals.values()))  # fmt: skip
    found = [fitted_rows(study, name, columns) for name, columns in feature_kinds(frame, settings, kinds).items()]
    words = (found[0].verdict["sentence"], remark, _remark_on_zeros(frame, settings))
    found[0].verdict["sentence"] = " ".join(text for text in words if text)
    for one in found:
        log.info("%s: %s", one.verdict["prior"], one.verdict["sentence"])
    tables.ENRICHMENT.write(pd.DataFrame([row for one in found for row in one.enrichment]), enrichment)
    tables.COEFFICIENTS.write(pd.DataFrame([row for one in found for row in one.coefficients]), coefficients)
    tables.VERDICT.write(pd.DataFrame([one.verdict for one in found]), verdict)
    tables.PRIOR_STEPS.write(pd.DataFrame(found[0].steps), steps)


def assign_prior(
    *,
    prior: str,
    variants: str,
    scores: str | None = None,
    annotations: str | None = None,
    kinds: Mapping[str, str] | None = None,
    enrichment: str | None = None,
    coefficients: str | None = None,
    ld: str | None = None,
    output: str,
    settings: PriorSettings | None = None,
    seed: int = 0,
) -> None:
    """Give each variant of a batch its prior causal probability.

    `prior` is uniform (which needs nothing else), functional, a control, or shuffled: the functional log odds on
    other variants of the same locus and bin of MAF and LD (which needs `ld`), with the strength of functional.
    """
    allowed = all_priors(settings.controls if settings else [])
    if prior not in allowed:
        raise InputError(f"prior '{prior}' is unknown; allowed: {', '.join(allowed)}")
    if prior == "uniform":
        frame = read_variants(variants)
        missing = np.full(len(frame), np.nan)
        _write_prior(frame, missing, missing, np.zeros(len(frame)), PriorSettings(), output)
        return
    if enrichment is None or coefficients is None or settings is None or (prior == "shuffled" and ld is None):
        raise InputError(f"the {prior} prior needs enrichment, coefficients and settings, and if shuffled LD")
    frame = read_batch(Batch(variants, scores, annotations), settings, kinds or {})
    starts = locus_starts(frame["locus"])
    model = "functional" if prior == "shuffled" else prior
    values, log_odds = _log_odds(frame, model, coefficients)
    if prior == "shuffled" and ld is not None:
        order = _shuffled_rows(frame, log_odds, starts, ld, seed)
        values, log_odds = values[order], log_odds[order]
    strength = tables.ENRICHMENT.read(enrichment)
    weights = strength[strength["prior"] == model].set_index("left_out")["weight"]
    _write_prior(frame, values, log_odds, frame["chrom"].map(weights).to_numpy(dtype=float), settings, output)


def _remark_on_zeros(frame: pd.DataFrame, settings: PriorSettings) -> str:
    """What becomes of weights of 0 that the source itself gives: a functional prior is never 0."""
    zero = (frame["prior"] == 0).to_numpy() if "prior" in frame else np.zeros(len(frame), bool)
    if not zero.any():
        return ""
    leads = frame["z"].abs().groupby(frame["locus"], sort=False).idxmax()
    strongest = int(zero[frame.index.get_indexer(leads)].sum())
    least = f"1/{settings.max_ratio:g} of the largest of its locus"
    cap = f", and priors.max_ratio makes it {least}" if settings.max_ratio else ""
    return (
        f"The source gives {int(zero.sum())} of {len(frame)} variants a weight of 0, {strongest} of them the strongest "
        f"of their locus: such a weight counts as a millionth of the smallest one above 0{cap}, so that no prior is 0."
    )


def _log_odds(frame: pd.DataFrame, model: str, path: str) -> tuple[Floats, Floats]:
    """Values (n,) of the first feature, and log prior odds (n,) from estimates that have not seen the chromosome."""
    table = tables.COEFFICIENTS.read(path)
    table = table[table["prior"] == model]
    values, log_odds = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for chromosome in frame["chrom"].unique():
        rows = table[table["left_out"] == chromosome]
        if rows.empty:
            there = ", ".join(table["left_out"].unique())
            raise InputError(
                f"{path}: no estimate of {model} that leaves out chromosome {chromosome}; there are {there}"
            )
        features = [Feature(row.feature, row.kind, row.scale, row.mean, row.sd) for row in rows.itertuples()]
        here = (frame["chrom"] == chromosome).to_numpy()
        X, missing = feature_matrix(frame[here], features)
        log_odds[here] = X.astype(float) @ rows["log_enrichment"].to_numpy(dtype=float) + missing
        values[here] = frame.loc[here, features[0].name]
    return values, log_odds


def _shuffled_rows(frame: pd.DataFrame, log_odds: Floats, starts: Integers, ld: str, seed: int) -> Integers:
    scores = [
        locus_ld_scores(ld, str(locus), rows["variant_id"].tolist())
        for locus, rows in frame.groupby("locus", sort=False)
    ]
    bins = matching_bins(frequencies(frame), np.concatenate(scores) if scores else np.zeros(0), starts)
    return shuffle_within_bins(log_odds, frame["locus"], starts, bins, seed)


def _write_prior(
    frame: pd.DataFrame, values: Floats, log_odds: Floats, weights: Floats, settings: PriorSettings, output: str
) -> None:
    starts = locus_starts(frame["locus"])
    softmax = capped_softmax(log_odds, starts, settings.max_ratio)
    each = np.asarray(functional_prior(log_odds, starts, settings), dtype=float)
    none = functional_prior(log_odds, starts, dataclasses.replace(settings, uniform_weight=0.0), 0.0)
    columns = {
        "score": values,
        "log_odds": np.nan_to_num(log_odds, nan=0.0),
        "softmax": softmax,
        "weight": weights * (1 - settings.uniform_weight),
        "prior": weights * each + (1 - weights) * none,
    }
    tables.PRIOR.write(frame[["locus", "variant_id"]].assign(**columns), output)
