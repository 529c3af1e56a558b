"""A head trained on labelled variants: causal or not, from how their alleles' embeddings differ.

Ridge logistic regression with balanced classes: for each chromosome a model and a calibration that have not seen it,
so that what a variant is said to be never comes from its own label or its neighbours'. Within the other chromosomes
groups are held out in turn to choose the penalty, and what is predicted there is what the calibration is fitted on. The
probabilities hold at the share of causal variants among the labelled ones, which is recorded with them; a prior has to
move them to the share among the variants of a locus.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit

from fineprior.engine.variant_embeddings import VariantEmbeddings
from fineprior.files.arrays import Archive, Floats, ReadOnly
from fineprior.files.errors import InputError
from fineprior.files.integrity import checked
from fineprior.files.reading import text_of
from fineprior.files.tables import VARIANT_HEAD_METRICS
from fineprior.files.whole import atomic_path
from fineprior.genome.contigs import plain_name
from fineprior.heads.metrics import auprc, auroc
from fineprior.sequence.windows import SCORED

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
ALL = ""
"""Name of the model that has seen all chromosomes, for variants of others."""
_INNER_FOLDS = 4
_FEWEST = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VariantHead(ReadOnly):
    """Models of labelled variants, one without each chromosome, the last with all (`ALL`).

    Attributes
    ----------
    chroms
        (models,) chromosome that a model has not seen, without `chr`.
    mean, scale, weight
        (models, dim) of standardised features; `intercept` is (models,).
    slope, offset
        (models,) Platt's calibration, probability = logistic(slope * value + offset).
    knots
        (models, 2, points) of isotonic calibration, values and probabilities between which it is linear; no points with
        Platt's.
    base_rate
        Share of causal variants among the labelled ones.
    backbone
        Digest of the backbone whose embeddings these are.
    """

    chroms: NDArray[np.str_]
    mean: Floats
    scale: Floats
    weight: Floats
    intercept: Floats
    slope: Floats
    offset: Floats
    knots: Floats
    base_rate: float
    backbone: str

    def probability(self, features: Floats, chrom: NDArray[np.str_]) -> Floats:
        """Calibrated probabilities (variants,) of features (variants, dim), by models without their chromosome."""
        found = np.empty(len(features))
        names, chrom = self.chroms.tolist(), _plain(chrom)
        for name in np.unique(chrom):
            model = names.index(name) if name in names else names.index(ALL)
            rows = chrom == name
            values = (features[rows] - self.mean[model]) / self.scale[model] @ self.weight[model] + self.intercept[
                model
            ]
            if self.knots.shape[2]:
                found[rows] = np.interp(values, *self.knots[model])
            else:
                found[rows] = expit(self.slope[model] * values + self.offset[model])
        return found


def train_on_labels(
    labels: pd.DataFrame, embeddings: VariantEmbeddings, calibration: str
) -> tuple[VariantHead, pd.DataFrame]:
    """Train on the labelled variants (`read_labels`) that have an embedding; see `train_variant_head`."""
    rows = scored_rows(embeddings)
    logger.info("%d of %d labelled variants have an embedding", len(rows), len(labels))
    table = labels.set_index("variant_id").loc[embeddings.variant_id[rows].tolist()]
    features = variant_features(embeddings)[rows]
    chrom = table["chrom"].to_numpy(dtype=str)
    return train_variant_head(features, table["label"].to_numpy(bool), chrom, embeddings.backbone, calibration)


def causal_probabilities(
    head: VariantHead, variants: pd.DataFrame, embeddings: VariantEmbeddings, where: str
) -> pd.DataFrame:
    """Table CAUSAL_PROBABILITIES of a batch of LOCUS_VARIANTS; NA where a variant has no embedding.

    Parameters
    ----------
    where
        Name of the embeddings' file, for messages.

    Raises
    ------
    InputError
        The variants are embedded with another backbone than the labelled ones.
    """
    if embeddings.backbone != head.backbone:
        raise InputError(
            f"{where}: embedded with backbone {embeddings.backbone[:12]}, but the labelled variants with "
            f"{head.backbone[:12]}; variant labels need the frozen backbone (head.mode linear or mlp)"
        )
    rows = scored_rows(embeddings)
    known = variants.drop_duplicates("variant_id").set_index("variant_id")["chrom"]
    chrom = known.loc[embeddings.variant_id[rows].tolist()].to_numpy(dtype=str)
    probability = head.probability(variant_features(embeddings)[rows], chrom)
    by_id = pd.Series(probability, index=embeddings.variant_id[rows].tolist())
    table = variants[["locus", "variant_id"]].assign(probability=variants["variant_id"].map(by_id))
    return table.assign(training_rate=head.base_rate)


def variant_features(embeddings: VariantEmbeddings) -> Floats:
    """Features (variants, dim): log of the L2 norm of the alleles' difference over strands and bins, unit by unit.

    Without sign: which allele is called the alternative says nothing of being causal.
    """
    squares = (embeddings.difference.astype(np.float64) ** 2).mean((1, 2))
    features: Floats = np.log(np.sqrt(squares) + 1e-6)
    return features


def train_variant_head(
    features: Floats,
    label: NDArray[np.bool_],
    chrom: NDArray[np.str_],
    backbone: str,
    calibration: str = "platt",
    penalties: tuple[float, ...] = PENALTIES,
) -> tuple[VariantHead, pd.DataFrame]:
    """Train on labelled variants, leaving out one chromosome at a time.

    Parameters
    ----------
    features, label, chrom
        (variants, dim), (variants,) causal or not, (variants,).
    calibration
        `platt` (Platt 1999) or `isotonic` (Zadrozny & Elkan 2002), on values of variants that their model had not seen.
    penalties
        Of which one is chosen for each model, within the chromosomes that it sees.

    Returns
    -------
    The head, and table VARIANT_HEAD_METRICS of the held-out probabilities.

    Raises
    ------
    InputError
        Fewer than three chromosomes, or fewer than five variants of a label outside of one of them, or among those that
        a calibration is fitted on.
    """
    chrom = _plain(chrom)
    names = np.unique(chrom)
    _check(label, chrom, names)
    kept = [(chrom != name, name) for name in names] + [(np.ones(len(label), bool), ALL)]
    fitted = [_fit(features[rows], label[rows], chrom[rows], penalties) for rows, _ in kept]
    models = [model for model, _ in fitted]
    maps = []
    for (rows, name), (_, unseen) in zip(kept, fitted, strict=True):
        known = np.isfinite(unseen)
        _check_calibration(label[rows][known], name)
        maps.append(_calibration(unseen[known], label[rows][known], calibration))
    points = max(found.shape[1] for _, found in maps)
    head = VariantHead(
        chroms=np.array([name for _, name in kept]),
        mean=np.stack([model.mean for model in models]),
        scale=np.stack([model.scale for model in models]),
        weight=np.stack([model.weight for model in models]),
        intercept=np.array([model.intercept for model in models]),
        slope=np.array([line[0] for line, _ in maps]),
        offset=np.array([line[1] for line, _ in maps]),
        knots=np.stack([_padded(found, points) for _, found in maps]),
        base_rate=float(label.mean()),
        backbone=backbone,
    )
    return head, _metrics(head.probability(features, chrom), label, names)


@dataclass(frozen=True)
class _Model:
    mean: Floats
    scale: Floats
    weight: Floats
    intercept: float


def _fit(
    features: Floats, label: NDArray[np.bool_], chrom: NDArray[np.str_], penalties: tuple[float, ...]
) -> tuple[_Model, Floats]:
    """The model with the penalty that does best on held-out groups of chromosomes, and its values (variants,) there.

    The values are for the calibration: of variants that the model of their group had not seen, and of no others' labels
    than those of these chromosomes; NaN where a group leaves one label only.
    """
    mean, scale = features.mean(0), np.maximum(features.std(0), 1e-9)
    left, size, right = np.linalg.svd((features - mean) / scale, full_matrices=False)
    # Ridge on these coordinates is ridge on the features, in at most as many dimensions as there are variants.
    x = left * size
    group = np.unique(chrom, return_inverse=True)[1] % _INNER_FOLDS
    unseen = np.full((len(penalties), len(label)), np.nan)
    for fold in np.unique(group):
        inside = group != fold
        if not 0 < label[inside].sum() < inside.sum():
            continue
        for row, penalty in enumerate(penalties):
            weight, intercept = fit_logistic(x[inside], label[inside], penalty)
            unseen[row, ~inside] = x[~inside] @ weight + intercept
    known = np.isfinite(unseen[0])
    weights = _class_weights(label)[label.astype(int)][known]
    losses = (np.logaddexp(0, unseen[:, known]) - label[known] * unseen[:, known]) @ weights
    chosen = int(np.argmin(losses))
    weight, intercept = fit_logistic(x, label, penalties[chosen])
    return _Model(mean, scale, right.T @ weight, intercept), unseen[chosen]


def fit_logistic(x: Floats, label: NDArray[np.bool_], penalty: float) -> tuple[Floats, float]:
    """Weight (dim,) and intercept of ridge logistic regression in which both classes weigh the same in sum."""
    weights = _class_weights(label)[label.astype(int)]
    target = label.astype(np.float64)

    def objective(values: Floats) -> tuple[float, Floats]:
        logit = x @ values[:-1] + values[-1]
        loss = weights @ (np.logaddexp(0, logit) - target * logit) + 0.5 * penalty * values[:-1] @ values[:-1]
        slope = weights * (expit(logit) - target)
        return float(loss), np.append(x.T @ slope + penalty * values[:-1], slope.sum())

    found = minimize(objective, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return found[:-1], float(found[-1])


def _class_weights(label: NDArray[np.bool_]) -> Floats:
    """Weights of controls and causal variants, whose sums are the same and whose mean is 1."""
    return len(label) / (2 * np.maximum(np.array([(~label).sum(), label.sum()], np.float64), 1))


def _calibration(values: Floats, label: NDArray[np.bool_], kind: str) -> tuple[tuple[float, float], Floats]:
    """Slope and offset of Platt's calibration, and the knots (2, points) of an isotonic one."""
    if kind == "isotonic":
        order = np.argsort(values, kind="stable")
        distinct, first, count = np.unique(values[order], return_index=True, return_counts=True)
        means = np.add.reduceat(label[order].astype(np.float64), first) / count
        fitted = isotonic_regression(means, weights=count.astype(np.float64)).x
        # Neither 0 nor 1: a finite sample does not show certainty.
        edge = 1 / (len(label) + 2)
        return (1.0, 0.0), np.stack([distinct, np.clip(fitted, edge, 1 - edge)])
    positives, negatives = int(label.sum()), int((~label).sum())
    # Platt's targets, so that the likelihood has a maximum where values separate the labels.
    target = np.where(label, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def objective(line: Floats) -> float:
        logit = line[0] * values + line[1]
        return float((np.logaddexp(0, logit) - target * logit).sum())

    slope, offset = minimize(objective, np.array([1.0, 0.0])).x
    # Values that rank backwards on held-out variants say nothing: then the base rate is all that is known.
    if slope <= 0:
        slope, offset = 0.0, float(np.log((positives + 1) / (negatives + 1)))
    return (float(slope), float(offset)), np.zeros((2, 0))


def _padded(knots: Floats, points: int) -> Floats:
    """Knots (2, points) with the last one repeated."""
    return np.pad(knots, ((0, 0), (0, points - knots.shape[1])), "edge") if points else knots


def _metrics(probability: Floats, label: NDArray[np.bool_], names: NDArray[np.str_]) -> pd.DataFrame:
    """Table VARIANT_HEAD_METRICS."""
    base = float(label.mean())
    entropy = -(base * np.log(base) + (1 - base) * np.log(1 - base))
    loss = -float(np.log(np.where(label, probability, 1 - probability)).mean())
    rows = [
        ("variants", len(label)), ("causal", int(label.sum())), ("chromosomes", len(names)), ("base_rate", base),
        ("auroc", auroc(probability, label)), ("auprc", auprc(probability, label)), ("log_loss", loss),
        ("log_loss_base_rate", float(entropy)), ("brier", float(((probability - label) ** 2).mean())),
        ("mean_probability", float(probability.mean())),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=VARIANT_HEAD_METRICS.names)


def _check(label: NDArray[np.bool_], chrom: NDArray[np.str_], names: NDArray[np.str_]) -> None:
    if len(names) < 3:
        raise InputError(
            f"labelled variants: on {len(names)} chromosome(s); three are needed, to train and calibrate without "
            "that of a variant"
        )
    for name in names:
        rows = chrom != name
        for what, count in (("causal", int(label[rows].sum())), ("control", int((~label[rows]).sum()))):
            if count < _FEWEST:
                raise InputError(
                    f"labelled variants: without chromosome {name} only {count} are {what}; {_FEWEST} are needed"
                )


def _check_calibration(label: NDArray[np.bool_], name: str) -> None:
    for what, count in (("causal", int(label.sum())), ("control", int((~label).sum()))):
        if count < _FEWEST:
            without = f"without chromosome {name} " if name else ""
            raise InputError(
                f"labelled variants: {without}only {count} {what} ones can be held out for the calibration, {_FEWEST} "
                "are needed; each label must be on more chromosomes"
            )


def _plain(chrom: NDArray[np.str_]) -> NDArray[np.str_]:
    """Names without `chr`: a study's FASTA and a table of labels may call a chromosome differently."""
    names, index = np.unique(chrom, return_inverse=True)
    return np.array([plain_name(str(name)) for name in names], np.str_)[index]


def read_labels(path: str | Path) -> pd.DataFrame:
    """Read labelled variants: TSV with columns variant_id (chrom:pos:ref:alt) and label (1 causal, 0 control).

    Returns
    -------
    DataFrame
        Columns locus, variant_id, chrom, pos, ref, alt, label, in the order of the file; each variant is a locus.

    Raises
    ------
    InputError
        The file or a column is absent; a variant, a label or a repetition is wrong; the message names the line.
    """
    if not str(path):
        raise InputError("config: labels.variants is missing; it must name a table of labelled variants")
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    with text_of(path, "a tab-separated table") as text:
        table = pd.read_csv(text, sep="\t", dtype=str, keep_default_na=False, index_col=False)
    for column in ("variant_id", "label"):
        if column not in table:
            raise InputError(f"{path}: no column '{column}'; it has {', '.join(table.columns)}")
    parts = table["variant_id"].str.extract(
        r"^(?P<chrom>[^:]+):(?P<pos>[1-9][0-9]{0,9}):(?P<ref>[ACGT]+):(?P<alt>[ACGT]+)$"
    )
    for wrong, what in (
        (parts["chrom"].isna(), "variant_id '{variant_id}' must be chrom:pos:ref:alt"),
        (~table["label"].isin(["0", "1"]), "label '{label}' must be 1 (causal) or 0 (control)"),
        (parts["ref"] == parts["alt"], "variant '{variant_id}' has one allele only"),
        (
            parts.assign(chrom=parts["chrom"].map(plain_name, na_action="ignore")).duplicated(),
            "variant '{variant_id}' occurs twice",
        ),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(f"{path}, line {row + 2}: {what.format(**table.iloc[row])}")
    names = table["variant_id"]
    return parts.assign(locus=names, variant_id=names, pos=parts["pos"].astype(np.int64), label=table["label"] == "1")


def scored_rows(embeddings: VariantEmbeddings) -> NDArray[np.int64]:
    """Variants that have an embedding."""
    return np.flatnonzero(embeddings.status == SCORED)


def write_variant_head(head: VariantHead, path: str | Path) -> None:
    """Write as npz; the same head gives the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **vars(head))


def load_variant_head(path: str | Path) -> VariantHead:
    """Read what `write_variant_head` wrote; an InputError where the file is damaged."""
    with checked(path, "a head of variants written by fineprior"), Archive(path) as arrays:
        fields: dict[str, Any] = dict(arrays)
        return VariantHead(**fields | {"base_rate": float(fields["base_rate"]), "backbone": str(fields["backbone"])})
