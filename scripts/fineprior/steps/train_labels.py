"""Rules embed_labels, train_labels and predict_causal: causal probabilities from labelled variants."""

import pandas as pd

from fineprior.engine.variant_embeddings import read_variant_embeddings
from fineprior.files.tables import CAUSAL_PROBABILITIES, LOCUS_VARIANTS, VARIANT_HEAD_METRICS
from fineprior.genome.fasta import Genome
from fineprior.heads.variant_head import (
    causal_probabilities,
    load_variant_head,
    read_labels,
    train_on_labels,
    write_variant_head,
)
from fineprior.project.settings import BackboneSettings, WindowSettings


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
    """Embeddings of both alleles of labelled variants (npz), taken from the store or put there.

    Parameters
    ----------
    labels
        Table of labelled variants, with columns variant_id and label.
    fasta
        Genome.
    output
        Embeddings (npz).
    store
        Folder of finished embeddings.
    backbone
        The backbone and its windows.
    windows
        How windows are placed around variants.
    batch_size
        Windows in one forward pass; 0 chooses it.
    threads
        Threads of a CPU.
    """
    from fineprior.engine.backbone import load_backbone
    from fineprior.engine.store import Store, store_identity
    from fineprior.engine.variant_embeddings import embed_alleles, view_shape, write_embeddings
    from fineprior.sequence.windows import locus_sequences

    with Genome(fasta) as genome:
        sequences = locus_sequences(read_labels(labels), genome, backbone.context_length, windows)
    model = load_backbone(backbone)
    kept = Store(store, store_identity(model.digest, backbone, windows), view_shape(model, windows))
    write_embeddings(embed_alleles(sequences, model, windows, batch_size, threads, kept), output)


def train_labels(*, labels: str, embeddings: str, head: str, metrics: str, calibration: str) -> None:
    """Train a head on labelled variants (npz, VARIANT_HEAD_METRICS).

    Parameters
    ----------
    labels
        Table of labelled variants, with columns variant_id and label.
    embeddings
        What embed_labels wrote.
    head
        Head to write (npz).
    metrics
        Table of its figures to write.
    calibration
        platt or isotonic.
    """
    trained, figures = train_on_labels(read_labels(labels), read_variant_embeddings(embeddings), calibration)
    write_variant_head(trained, head)
    VARIANT_HEAD_METRICS.write(figures, metrics)


def predict_causal(*, variants: list[str], embeddings: list[str], head: str, output: str) -> None:
    """Probabilities of a study's variants (CAUSAL_PROBABILITIES); NA where a variant has no embedding.

    Parameters
    ----------
    variants
        LOCUS_VARIANTS of each batch.
    embeddings
        What embed_variants wrote, in the same order.
    head
        What train_labels wrote.
    output
        Table of probabilities to write.

    Raises
    ------
    InputError
        The variants are embedded with another backbone than the labelled ones.
    """
    trained = load_variant_head(head)
    tables = [
        causal_probabilities(trained, LOCUS_VARIANTS.read(of_variants), read_variant_embeddings(path), path)
        for path, of_variants in zip(embeddings, variants, strict=True)
    ]
    CAUSAL_PROBABILITIES.write(pd.concat(tables, ignore_index=True), output)
