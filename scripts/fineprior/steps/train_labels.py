"""From labelled variants to probabilities of being causal: read, compute, write."""

import logging

import pandas as pd

from fineprior.files.errors import InputError
from fineprior.files.tables import CAUSAL_PROBABILITIES, LOCUS_VARIANTS, VARIANT_HEAD_METRICS
from fineprior.genome.fasta import Genome
from fineprior.heads.variant_head import (
    load_variant_head,
    read_labels,
    scored_rows,
    train_variant_head,
    variant_features,
    write_variant_head,
)
from fineprior.project.settings import BackboneSettings, WindowSettings

logger = logging.getLogger(__name__)


def embed_labels(
    *,
    labels: str,
    fasta: str,
    output: str,
    store: str,
    backbone: BackboneSettings,
    windows: WindowSettings,
    batch_size: int,
    threads: int,
) -> None:
    """Embeddings of both alleles of labelled variants (npz), taken from the store or put there."""
    from fineprior.engine.backbone import load_backbone
    from fineprior.engine.embeddings import embed_alleles, view_shape, write_embeddings
    from fineprior.engine.store import Store, store_identity
    from fineprior.sequence.windows import locus_sequences

    with Genome(fasta) as genome:
        sequences = locus_sequences(read_labels(labels), genome, backbone.context_length, windows)
    model = load_backbone(backbone)
    kept = Store(store, store_identity(model.digest, backbone, windows), view_shape(model, windows))
    write_embeddings(embed_alleles(sequences, model, windows, batch_size, threads, kept), output)


def train_labels(*, labels: str, embeddings: str, head: str, metrics: str, calibration: str) -> None:
    """Train a head on labelled variants (npz, VARIANT_HEAD_METRICS)."""
    from fineprior.engine.embeddings import read_variant_embeddings

    table, found = read_labels(labels), read_variant_embeddings(embeddings)
    rows = scored_rows(found)
    logger.info("%d of %d labelled variants have an embedding", len(rows), len(table))
    table = table.set_index("variant_id").loc[found.variant_id[rows].tolist()]
    features = variant_features(found)[rows]
    chrom = table["chrom"].to_numpy(dtype=str)
    trained, figures = train_variant_head(features, table["label"].to_numpy(bool), chrom, found.backbone, calibration)
    write_variant_head(trained, head)
    VARIANT_HEAD_METRICS.write(figures, metrics)


def predict_causal(*, variants: list[str], embeddings: list[str], head: str, output: str) -> None:
    """Probabilities of a study's variants (CAUSAL_PROBABILITIES); NA where a variant has no embedding.

    Raises
    ------
    InputError
        The variants are embedded with another backbone than the labelled ones.
    """
    from fineprior.engine.embeddings import read_variant_embeddings

    trained = load_variant_head(head)
    tables = []
    for path, of_variants in zip(embeddings, variants, strict=True):
        found = read_variant_embeddings(path)
        if found.backbone != trained.backbone:
            raise InputError(
                f"{path}: embedded with backbone {found.backbone[:12]}, but the labelled variants with "
                f"{trained.backbone[:12]}; variant labels need the frozen backbone (head.mode linear or mlp)"
            )
        rows = scored_rows(found)
        table = LOCUS_VARIANTS.read(of_variants)
        known = table.drop_duplicates("variant_id").set_index("variant_id")["chrom"]
        chrom = known.loc[found.variant_id[rows].tolist()].to_numpy(dtype=str)
        probability = trained.probability(variant_features(found)[rows], chrom)
        by_id = pd.Series(probability, index=found.variant_id[rows].tolist())
        tables.append(table[["locus", "variant_id"]].assign(probability=table["variant_id"].map(by_id)))
    everything = pd.concat(tables, ignore_index=True).assign(training_rate=trained.base_rate)
    CAUSAL_PROBABILITIES.write(everything, output)
