"""Genes in the tables of a study: of its variants, its loci, and its credible sets."""

import pandas as pd

from fineprior.files.tables import LOCUS_GENES, VARIANT_GENES
from fineprior.genome.consequences import consequences
from fineprior.genome.fasta import Genome
from fineprior.genome.genes import Genes

_OF_VARIANT = ["gene", "gene_distance", "consequence", "transcript"]


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


def with_genes(variants: pd.DataFrame, of_variants: pd.DataFrame) -> pd.DataFrame:
    """FINEMAP_VARIANTS with what VARIANT_GENES says of each variant."""
    known = of_variants.set_index("variant_id")[_OF_VARIANT].reindex(variants["variant_id"])
    return variants.assign(**{name: known[name].to_numpy() for name in _OF_VARIANT})


def sets_with_genes(sets: pd.DataFrame, of_variants: pd.DataFrame, of_loci: pd.DataFrame) -> pd.DataFrame:
    """CREDIBLE_SETS with the gene of the lead variant and the genes within the span.

    Parameters
    ----------
    of_variants, of_loci
        VARIANT_GENES and LOCUS_GENES of the study.
    """
    gene = of_variants.set_index("variant_id")["gene"].reindex(sets["lead_variant"]).to_numpy()
    by_locus = dict(tuple(of_loci.groupby("locus")))
    within = []
    for locus, start, end in sets[["locus", "start", "end"]].itertuples(index=False):
        own = by_locus.get(locus, of_loci[:0])
        names = own.loc[(own["start"] < end) & (own["end"] > start), "gene"]
        within.append(",".join(dict.fromkeys(names)) or None)
    return sets.assign(gene=gene, genes=pd.Series(within, index=sets.index, dtype=object))
