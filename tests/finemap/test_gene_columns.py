"""Genes of variants and credible sets, joined by variant and by place."""

import pandas as pd

from fineprior.finemap.gene_columns import sets_with_genes, with_genes

OF_VARIANTS = pd.DataFrame(
    [("1:1950", "A", 0, "missense_variant", "a"), ("1:9000", "A", 7000, "intergenic_variant", None),
     ("1:19999", "C", 2, "upstream_gene_variant", "c")],
    columns=["variant_id", "gene", "gene_distance", "consequence", "transcript"],
)  # fmt: skip
OF_LOCI = pd.DataFrame({"locus": "l", "gene": ["A", "B", "C"], "start": [1000, 1300, 20_000],
                        "end": [2000, 1400, 20_100]})  # fmt: skip
ROWS = pd.DataFrame({"variant_id": ["1:19999", "1:7", "1:1950"]})


def test_variants_get_their_genes_by_name():
    found = with_genes(ROWS, OF_VARIANTS)
    assert found["gene"].fillna("-").tolist() == ["C", "-", "A"]
    assert found["gene_distance"].fillna(-1).tolist() == [2, -1, 0]
    assert found["consequence"].fillna("-").tolist() == ["upstream_gene_variant", "-", "missense_variant"]
    assert found["transcript"].fillna("-").tolist() == ["c", "-", "a"]


def test_sets_get_the_gene_of_their_lead_and_the_genes_in_their_span():
    sets = pd.DataFrame({"locus": ["l", "l", "l", "m"], "lead_variant": [*ROWS["variant_id"], "1:9000"],
                         "start": [1400, 1399, 20_100, 0], "end": [20_001, 1400, 20_200, 30_000]})  # fmt: skip
    found = sets_with_genes(sets, OF_VARIANTS, OF_LOCI)
    assert found["gene"].fillna("-").tolist() == ["C", "-", "A", "A"]
    assert found["genes"].fillna("-").tolist() == ["A,C", "A,B", "-", "-"]
    assert sets_with_genes(sets[:0], OF_VARIANTS, OF_LOCI).empty
