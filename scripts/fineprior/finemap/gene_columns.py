"""Genes in the tables of fine-mapped variants and credible sets: columns that no fit depends on."""

import pandas as pd

_OF_VARIANT = ["gene", "gene_distance", "consequence", "transcript"]


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
