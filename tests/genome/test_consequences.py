"""Where variants lie in transcripts and which consequence is chosen, worked out by hand; both strands."""

import numpy as np
import pandas as pd
import pytest

from fineprior.genome.consequences import consequences
from fineprior.genome.fasta import Genome
from fineprior.genome.genes import read_genes
from gene_models import Model, gtf

LENGTH = 20_000
EXONS, CODING = ((8000, 8100), (8200, 8300), (8310, 8400), (8500, 8600)), (8050, 8560)
"""The third intron is of ten bases: a gap of an alignment."""


def mirrored(model):
    turned = [(LENGTH - end, LENGTH - start) for start, end in (*reversed(model.exons), model.coding)]
    return Model(model.name, model.chrom, "-" if model.strand == "+" else "+", tuple(turned[:-1]), turned[-1],
                 model.gene, tags=model.tags)  # fmt: skip


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    letters = "".join(np.random.default_rng(4).choice(list("ACGT"), LENGTH))
    (folder / "g.fa").write_text(f">chr1\n{letters}\n>chr2\n{letters}\n>chrM\n{letters}\n")
    return Genome(folder / "g.fa")


def annotate(tmp_path, genome, models, variants):
    """Consequences of (position from 0, ref, alt), on chr1; a number in place of ref or alt is so many bases."""
    (tmp_path / "g.gtf").write_text(gtf(models))
    rows = []
    for at, ref, alt in variants:
        here = "".join("ACGT"[code] for code in genome.codes("chr1", at, at + (ref if isinstance(ref, int) else 1)))
        assert alt != 0 or here[-1] != here[0], "this deletion could stand farther left: take another seed"
        other = "ACGT"["ACGT".index(here[0]) - 1]
        rows.append(("chr1", at + 1, here, other if alt == 1 else alt if isinstance(alt, str) else here[:1]))
    variants = pd.DataFrame(rows, columns=["chrom", "pos", "ref", "alt"])
    return consequences(variants, read_genes(tmp_path / "g.gtf", genome), genome)


PLUS = Model("t", "1", "+", EXONS, CODING, "G")
OTHER = Model("n", "1", "+", EXONS, (0, 0), "N")
PLACES = {
    2999: "intergenic_variant", 3000: "upstream_gene_variant", 7999: "upstream_gene_variant",
    8000: "5_prime_UTR_variant", 8049: "5_prime_UTR_variant", 8100: "splice_donor_variant",
    8101: "splice_donor_variant", 8102: "splice_region_variant&intron_variant",
    8107: "splice_region_variant&intron_variant", 8108: "intron_variant", 8191: "intron_variant",
    8192: "splice_region_variant&intron_variant", 8197: "splice_region_variant&intron_variant",
    8198: "splice_acceptor_variant", 8199: "splice_acceptor_variant", 8300: "intron_variant", 8309: "intron_variant",
    8560: "3_prime_UTR_variant", 8599: "3_prime_UTR_variant", 8600: "downstream_gene_variant",
    13599: "downstream_gene_variant", 13600: "intergenic_variant",
}  # fmt: skip
"""Terms of a substitution at a base (from 0) outside the coding sequence."""


def test_places_of_substitutions_on_the_forward_strand(tmp_path, genome):
    found = annotate(tmp_path, genome, [PLUS], [(at, 1, 1) for at in PLACES])
    assert dict(zip(PLACES, found["consequence"], strict=True)) == PLACES
    assert found["transcript"].isna().tolist() == [terms == "intergenic_variant" for terms in PLACES.values()]
    distances = [max(8000 - at, at - 8599, 0) for at in PLACES]
    assert found["gene_distance"].tolist() == distances
    assert set(found["gene"]) == {"G"}


def test_places_of_substitutions_on_the_reverse_strand(tmp_path, genome):
    found = annotate(tmp_path, genome, [mirrored(PLUS)], [(LENGTH - 1 - at, 1, 1) for at in PLACES])
    assert dict(zip(PLACES, found["consequence"], strict=True)) == PLACES


def test_a_transcript_without_coding_sequence(tmp_path, genome):
    found = annotate(tmp_path, genome, [OTHER], [(at, 1, 1) for at in (8000, 8098, 8100, 8105, 8150, 8305)])
    assert found["consequence"].tolist() == [
        "non_coding_transcript_exon_variant", "splice_region_variant&non_coding_transcript_exon_variant",
        "splice_donor_variant", "splice_region_variant&intron_variant&non_coding_transcript_variant",
        "intron_variant&non_coding_transcript_variant", "intron_variant&non_coding_transcript_variant",
    ]  # fmt: skip


def test_exon_bases_beside_an_intron_are_splice_region_but_not_beside_a_gap(tmp_path, genome):
    found = annotate(tmp_path, genome, [PLUS], [(at, 1, 1) for at in (8096, 8097, 8099, 8200, 8202, 8203, 8299, 8310)])
    regions = ["splice_region_variant" in terms for terms in found["consequence"]]
    assert regions == [False, True, True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("at", "terms"),
    [
        (7999, "upstream_gene_variant"),  # before the first base
        (8000, "5_prime_UTR_variant"),
        (8049, "5_prime_UTR_variant"),  # before the first coding base
        (8099, "splice_region_variant"),  # between exon and intron
        (8100, "splice_donor_variant"),  # between the two bases of the site
        (8101, "splice_region_variant&intron_variant"),
        (8197, "splice_region_variant&intron_variant"),
        (8198, "splice_acceptor_variant"),
        (8199, "splice_region_variant"),
        (8304, "intron_variant"),
        (8559, "3_prime_UTR_variant"),  # behind the last coding base
        (8599, "downstream_gene_variant"),
    ],
)
def test_insertions_behind_a_base(tmp_path, genome, at, terms):
    ref = "ACGT"[genome.codes("chr1", at, at + 1)[0]]
    alt = ref + ("T" if ref == "A" else "A") * 2
    assert annotate(tmp_path, genome, [PLUS], [(at, ref, alt)])["consequence"].item() == terms


@pytest.mark.parametrize(
    ("at", "deleted", "terms"),
    [
        (7998, 2, "5_prime_UTR_variant"),  # one base of it
        (8095, 10, "splice_donor_variant&splice_region_variant&coding_sequence_variant&intron_variant"),
        (8105, 80, "splice_region_variant&intron_variant"),
        (8150, 300, "splice_acceptor_variant&splice_donor_variant&splice_region_variant&coding_sequence_variant&"
         "intron_variant"),
        (8570, 100, "3_prime_UTR_variant"),
        (7990, 700, "transcript_ablation"),
    ],
)  # fmt: skip
def test_deletions_behind_a_base(tmp_path, genome, at, deleted, terms):
    assert annotate(tmp_path, genome, [PLUS], [(at, deleted + 1, 0)])["consequence"].item() == terms


def test_the_most_severe_consequence_is_chosen_then_the_canonical_transcript(tmp_path, genome):
    later = Model("tag", "1", "+", EXONS, CODING, "G", tags=("Ensembl_canonical",))
    wider = Model("wide", "1", "+", ((7000, 9000),), (0, 0), "LONG")
    near = Model("near", "1", "+", ((9500, 9600),), (0, 0), "NEAR")
    variants = [(8099, 1, 1), (8150, 1, 1), (8020, 1, 1), (9200, 1, 1), (9300, 1, 1), (9450, 1, 1)]
    found = annotate(tmp_path, genome, [PLUS, later, wider, near], variants)
    assert found["transcript"].tolist() == ["tag", "wide", "tag", "near", "near", "near"]
    assert found["consequence"].tolist()[1:4] == [
        "non_coding_transcript_exon_variant", "5_prime_UTR_variant", "upstream_gene_variant",
    ]  # fmt: skip
    # within several genes it is that of the transcript; outside the nearest, whichever transcript is more severe
    assert found["gene"].tolist() == ["G", "LONG", "G", "LONG", "NEAR", "NEAR"]
    assert found["gene_distance"].tolist() == [0, 0, 0, 201, 200, 50]


def test_the_order_of_the_variants_and_the_other_variants_do_not_matter(tmp_path, genome):
    rng = np.random.default_rng(2)
    variants = [
        (int(at), 1, "A" * int(rng.integers(1, 4)) if kind else 1)
        for at, kind in zip(rng.integers(2900, 13700, 400), rng.integers(0, 2, 400), strict=True)
    ]
    models = [PLUS, mirrored(PLUS), OTHER]
    whole = annotate(tmp_path, genome, models, variants)
    order = rng.permutation(len(variants))[:150]
    part = annotate(tmp_path, genome, models, [variants[at] for at in order])
    pd.testing.assert_frame_equal(part.reset_index(drop=True), whole.iloc[order].reset_index(drop=True))


def test_a_contig_without_genes_has_missing_values(tmp_path, genome):
    (tmp_path / "g.gtf").write_text(gtf([PLUS]))
    variants = pd.DataFrame({"chrom": ["chr2", "chr1"], "pos": [5, 8001], "ref": "A", "alt": "C"}, index=[7, 3])
    found = consequences(variants, read_genes(tmp_path / "g.gtf", genome), genome)
    assert found.index.tolist() == [7, 3]
    assert found.loc[7, ["gene", "gene_distance", "transcript"]].isna().all()
    assert found.loc[7, "consequence"] == "intergenic_variant"
    assert consequences(variants[:0], read_genes(tmp_path / "g.gtf", genome), genome).empty


def test_transcripts_of_mitochondria_are_read_in_their_own_code(tmp_path, genome):
    """TGA is tryptophan there: a change of TGG to TGA is synonymous."""
    text = "".join("ACGT"[code] for code in genome.codes("chrM", 0, LENGTH))
    at = next(at for at in range(600, LENGTH) if text[at : at + 3] == "TGG" and (at - 600) % 3 == 0)
    (tmp_path / "g.gtf").write_text(gtf([Model("m", "MT", "+", ((0, 19_000),), (600, 18_600), "M")]))
    genes = read_genes(tmp_path / "g.gtf", genome)
    variants = pd.DataFrame({"chrom": ["chrM"], "pos": [at + 3], "ref": ["G"], "alt": ["A"]})
    assert consequences(variants, genes, genome)["consequence"].item() == "synonymous_variant"
