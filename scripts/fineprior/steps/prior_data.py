"""What the steps of the prior read: variants with their values, the features of each prior, and LD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import ANNOTATIONS, LOCUS_VARIANTS, SCORES
from fineprior.genotypes.ld_store import read_ld
from fineprior.priors.controls import ld_scores
from fineprior.priors.features import base_rates, join_columns, shifted_probabilities
from fineprior.priors.strength import natural_order
from fineprior.project.settings import PriorSettings

# Kind of the feature that an annotation of the sheet makes.
_FEATURE_KINDS = {"bed": "value", "bigwig": "value", "value": "value", "tss": "distance", "score": "score"}
_SOURCE_COLUMNS = {"given": ["given"], "supervised": ["probability", "training_rate"], "heritability": ["heritability"]}


@dataclass(frozen=True)
class Batch:
    """Files of one batch; None where the config needs none."""

    variants: str
    scores: str | None = None
    annotations: str | None = None


def read_batch(batch: Batch, settings: PriorSettings, annotations: Mapping[str, str]) -> pd.DataFrame:
    """Variants of a batch with a column for each value that a prior may be made of.

    Those are the head's scores, the annotations of the sheet (name to kind), and `prior`, the weight that the source
    of the functional prior has itself.
    """
    frame = read_variants(batch.variants)
    if settings.source == "enrichment":
        if batch.scores is None:
            raise InputError("the source enrichment needs scores")
        table = SCORES.read(batch.scores)
        columns = list(_head_features(table, settings))
        frame = _beside(frame, join_columns(frame, table, columns, batch.scores))
        _check_at_least_zero(frame, columns, batch.scores)
    wanted = [*annotations, *_SOURCE_COLUMNS.get(settings.source, [])]
    if not wanted:
        return frame
    if batch.annotations is None:
        raise InputError(f"annotations of the variants are needed: {', '.join(wanted)}")
    frame = _beside(frame, join_columns(frame, ANNOTATIONS.read(batch.annotations), wanted, batch.annotations))
    return _with_source(frame, settings, batch.annotations)


def feature_kinds(
    frame: pd.DataFrame, settings: PriorSettings, annotations: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """For each prior, functional first, the columns of `read_batch` that it is made of, with their kinds of feature."""
    if settings.source == "enrichment":
        first = _head_features(frame, settings)
    else:
        scored = settings.source == "given" and settings.given_as == "score"
        first = {"given": "score"} if scored else {"prior": "log"}
    kinds = {name: _FEATURE_KINDS[kind] for name, kind in annotations.items()}
    rest = {name: kind for name, kind in kinds.items() if name not in settings.controls}
    return {"functional": first | rest} | {name: {name: kinds[name]} for name in settings.controls}


def _head_features(table: pd.DataFrame, settings: PriorSettings) -> dict[str, str]:
    """The head's scores that a prior is made of; the one score, which is missing, where no track is good enough."""
    tracks = {str(name): "score" for name in table if str(name).endswith(".l2")} if settings.scores == "tracks" else {}
    return tracks or {"score": "score"}


def read_variants(path: str) -> pd.DataFrame:
    """Variants of a batch (LOCUS_VARIANTS); an InputError where a z is not finite."""
    frame = LOCUS_VARIANTS.read(path)
    wrong = frame[~np.isfinite(frame["z"])]
    if len(wrong):
        raise InputError(f"{path}: z of variant {wrong['variant_id'].iloc[0]} is {wrong['z'].iloc[0]}; a variant of a "
                         f"locus has a finite z ({len(wrong)} have not)")  # fmt: skip
    return frame


def genome_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Loci in genome order, so that the sums do not depend on how loci were batched."""
    first = frame.drop_duplicates("locus")
    loci = sorted(
        zip(first["chrom"], first["pos"], first["locus"], strict=True),
        key=lambda locus: (natural_order(locus[0]), *locus[1:]),
    )
    rank = frame["locus"].map({name: number for number, (_, _, name) in enumerate(loci)})
    return frame.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)


def read_locus_ld(
    path: str, locus: str, variant_ids: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """R (k, k) of the variants that have LD, in their order, and which of all (p,) they are.

    Raises
    ------
    InputError
        A variant has no LD, and the file does not say that it was left out.
    """
    found = read_ld(path, locus)
    rows = pd.Index(found.variant_ids).get_indexer(pd.Index(variant_ids))
    known = rows >= 0
    lost = ~known & ~pd.Index(variant_ids).isin(list(found.left_out))
    if lost.any():
        raise InputError(f"{path}: no LD of variant {variant_ids[int(lost.argmax())]}")
    rows = rows[known]
    return found.r if np.array_equal(rows, np.arange(len(found.r))) else found.r[np.ix_(rows, rows)], known


def locus_ld_scores(path: str, locus: str, variant_ids: Sequence[str]) -> npt.NDArray[np.float64]:
    """LD score (p,) of each variant within its locus; NaN where it has no LD."""
    R, known = read_locus_ld(path, locus, variant_ids)
    scores = np.full(len(known), np.nan)
    scores[known] = ld_scores(R)
    return scores


def frequencies(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Frequency (n,) of the alternative allele: in the GWAS, or in the panel where the GWAS has none."""
    return frame["eaf"].fillna(frame["panel_af"]).to_numpy(dtype=float)


def _with_source(frame: pd.DataFrame, settings: PriorSettings, where: str) -> pd.DataFrame:
    """The column `prior`: the weight of each variant that the source itself gives."""
    if settings.source == "supervised":
        rate = frame["training_rate"].to_numpy(dtype=float)
        values = frame["probability"].to_numpy(dtype=float)
        sizes = frame.groupby("locus")["variant_id"].transform("size").to_numpy(dtype=float)
        rate = np.where(np.isnan(values), 0.5, rate)
        return frame.assign(prior=shifted_probabilities(values, rate, base_rates(sizes, settings.causal_per_locus)))
    if settings.source == "heritability" or (settings.source == "given" and settings.given_as == "prior"):
        column = "heritability" if settings.source == "heritability" else "given"
        _check_at_least_zero(frame, [column], where)
        return frame.assign(prior=frame[column])
    return frame


def _check_at_least_zero(frame: pd.DataFrame, columns: Sequence[str], where: str) -> None:
    for name in columns:
        wrong = frame[frame[name] < 0]
        if len(wrong):
            raise InputError(f"{where}: {name} {wrong[name].iloc[0]:g} of variant {wrong['variant_id'].iloc[0]}; "
                             "it is a magnitude, 0 or more, or NA")  # fmt: skip


def _beside(frame: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.reset_index(drop=True), columns], axis=1)
