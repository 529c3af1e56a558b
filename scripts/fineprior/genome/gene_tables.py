"""Genes of the variants and of the loci of a study, as tables."""

import pandas as pd

from fineprior.files.tables import LOCUS_GENES, VARIANT_GENES
from fineprior.genome.consequences import consequences
from fineprior.genome.fasta import Genome
from fineprior.genome.genes import Genes


def variant_genes(variants: pd.DataFrame, genes: Genes, genome: Genome) -> pd.DataFrame:
    """Table VARIANT_GENES: nearest gene and consequence of each variant, once, in order of appearance.

    Parameters
    ----------
    variants
        Columns variant_id, chrom, pos, ref, alt.
    """
    distinct = variants.drop_duplicates("variant_id")
    return consequences(distinct, genes, genome).assign(variant_id=distinct["variant_id"])[VARIANT_GENES.names]


def locus_genes(loci: pd.DataFrame, genes: Genes) -> pd.DataFrame:
    """Table LOCUS_GENES: the genes that have a base in each locus of table LOCI."""
    preferred = genes.transcripts.drop_duplicates("gene")  # the first of a gene is the preferred one
    row_of = dict(zip(preferred["gene"], preferred.index, strict=True))
    rows = []
    for locus, chrom, start, end in loci[["locus", "chrom", "start", "end"]].itertuples(index=False):
        for gene in genes.within(chrom, start, end):
            found = genes.genes.iloc[gene]
            row = {name: found[name] or None for name in ("gene", "gene_id", "kind", "strand")}
            row |= {"locus": locus, "chrom": chrom, "start": int(found["start"]), "end": int(found["end"])}
            rows.append(row | _drawn(genes, row_of.get(gene)))
    return pd.DataFrame(rows, columns=LOCUS_GENES.names)


def _drawn(genes: Genes, row: int | None) -> dict[str, object]:
    if row is None:
        return {}
    starts, ends = genes.exons_of(row)
    columns = genes.columns
    made: dict[str, object] = {"transcript": columns["transcript"][row]}
    made |= {"exon_starts": ",".join(map(str, starts)), "exon_ends": ",".join(map(str, ends))}
    if columns["coding_start"][row] >= 0:
        made |= {"coding_start": columns["coding_start"][row], "coding_end": columns["coding_end"][row]}
    return made
