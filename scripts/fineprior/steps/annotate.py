"""From the variants of a batch of loci to their scores: read, compute, write."""

from fineprior.foundation.settings import BackboneSettings, WindowSettings
from fineprior.foundation.tables import LOCUS_VARIANTS, SCORES
from fineprior.genetics.genome import Genome
from fineprior.sequence.windows import locus_sequences, read_sequences, write_sequences


def extract_sequences(*, variants: str, fasta: str, output: str, context_length: int) -> None:
    """Bases around the variants of a batch of loci (npz)."""
    with Genome(fasta) as genome:
        write_sequences(locus_sequences(LOCUS_VARIANTS.read(variants), genome, context_length), output)


def embed_variants(
    *,
    sequences: str,
    output: str,
    backbone: BackboneSettings,
    windows: WindowSettings,
    batch_size: int,
    threads: int,
) -> None:
    """Embeddings of both alleles of each variant (npz)."""
    from fineprior.model.backbone import load_backbone
    from fineprior.model.embeddings import embed_alleles, write_embeddings

    found = read_sequences(sequences)
    write_embeddings(embed_alleles(found, load_backbone(backbone), windows, batch_size, threads), output)


def score_variants(*, variants: str, embeddings: str, head: str, output: str) -> None:
    """Scores of the variants of a batch by one head (table SCORES)."""
    from fineprior.model.embeddings import read_variant_embeddings
    from fineprior.model.head import load_head
    from fineprior.model.scores import score_table

    table = score_table(LOCUS_VARIANTS.read(variants), read_variant_embeddings(embeddings), load_head(head))
    SCORES.write(table, output)
