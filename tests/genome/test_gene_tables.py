"""Genes of variants and loci, as tables."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.genome.fasta import Genome
from fineprior.genome.gene_tables import locus_genes, variant_genes
from fineprior.genome.genes import read_genes
from gene_models import Model, gtf


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A genome and genes: A (canonical transcript a2), B within A without a transcript of its own, C farther away."""
    folder = tmp_path_factory.mktemp("genes")
    letters = "".join(np.random.default_rng(6).choice(list("ACGT"), 30_000))
    (folder / "g.fa").write_text(f">chr1\n{letters}\n>chr2\n{letters}\n")
    models = [
        Model("a1", "1", "-", ((1000, 1200), (1500, 2000)), (1100, 1800), "A"),
        Model("a2", "1", "-", ((1000, 1300), (1500, 1600)), (0, 0), "A", tags=("MANE_Select",)),
        Model("c", "1", "+", ((20_000, 20_100),), (0, 0), "C"),
    ]
    lone = '1\tx\tgene\t1301\t1400\t.\t+\t.\tgene_id "B"; gene_type "miRNA";\n'
    (folder / "g.gtf").write_text(gtf(models) + lone)
    genome = Genome(folder / "g.fa")
    return genome, read_genes(folder / "g.gtf", genome)


def variants(*positions, chrom="chr1"):
    frame = pd.DataFrame({"chrom": chrom, "pos": positions, "ref": "A", "alt": "C"})
    return frame.assign(variant_id=frame["chrom"] + ":" + frame["pos"].astype(str) + ":A:C")


def test_variants_of_several_loci_stand_once(world):
    genome, genes = world
    table = tables.VARIANT_GENES.checked(variant_genes(variants(1950, 9000, 1950), genes, genome), "test")
    assert table["variant_id"].tolist() == ["chr1:1950:A:C", "chr1:9000:A:C"]
    assert table["gene"].tolist() == ["A", "A"]
    assert table["gene_distance"].tolist() == [0, 9000 - 2000]
    assert table["consequence"].tolist() == ["5_prime_UTR_variant", "intergenic_variant"]
    assert table["transcript"].isna().tolist() == [False, True]


def test_genes_of_a_locus_with_the_exons_to_draw(world):
    _, genes = world
    loci = pd.DataFrame({"locus": ["l1", "l2", "l3"], "chrom": ["chr1", "chr1", "chr2"], "start": [1999, 2000, 0],
                         "end": [5000, 20_001, 9000]})  # fmt: skip
    table = tables.LOCUS_GENES.checked(locus_genes(loci, genes), "test")
    assert table[["locus", "gene"]].to_numpy().tolist() == [["l1", "A"], ["l2", "C"]]
    first = table.iloc[0]
    assert (first["transcript"], first["exon_starts"], first["exon_ends"]) == ("a2", "1000,1500", "1300,1600")
    assert np.isnan(first["coding_start"])
    assert (first["start"], first["end"], first["strand"]) == (1000, 2000, "-")
    whole = pd.DataFrame({"locus": ["l"], "chrom": ["chr1"], "start": [0], "end": [30_000]})
    table = tables.LOCUS_GENES.checked(locus_genes(whole, genes), "test")
    assert table["gene"].tolist() == ["A", "B", "C"]
    assert table["kind"].tolist()[1] == "miRNA"
    assert table["transcript"].isna().tolist() == [False, True, False]
