"""Rule annotate_genes: genes of a study's loci, and the consequence of each variant."""

import logging
from collections.abc import Sequence
from pathlib import Path

from fineprior.files.table_parts import stacked
from fineprior.files.tables import LOCI, LOCUS_GENES, LOCUS_VARIANTS, VARIANT_GENES
from fineprior.genome.fasta import Genome
from fineprior.genome.gene_tables import locus_genes, variant_genes
from fineprior.genome.genes import read_genes

log = logging.getLogger(__name__)


def annotate_genes(
    *,
    genes: str | Path,
    fasta: str | Path,
    loci: str | Path,
    variants: Sequence[str],
    output: str | Path,
    output_genes: str | Path,
) -> None:
    """Find the nearest gene and the consequence of each variant of the loci.

    Parameters
    ----------
    genes
        GTF, GFF3 or BED12 file of genes, plain or gzip.
    fasta
        Reference genome.
    loci, variants
        LOCI, and LOCUS_VARIANTS of all batches.
    output, output_genes
        VARIANT_GENES and LOCUS_GENES to write.

    Raises
    ------
    InputError
        The file of genes cannot be read, has no exons, or is not of this genome.
    """
    table = stacked(LOCUS_VARIANTS, [LOCUS_VARIANTS.read(path) for path in variants])
    with Genome(fasta) as genome:
        found = read_genes(genes, genome)
        log.info("%s: %d genes, %d transcripts", genes, len(found.genes), len(found.transcripts))
        VARIANT_GENES.write(variant_genes(table, found, genome), output)
    LOCUS_GENES.write(locus_genes(LOCI.read(loci), found), output_genes)
