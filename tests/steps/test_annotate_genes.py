"""From a study's files to its tables of genes, and from these to the gathered tables."""

import numpy as np
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.steps.annotate_genes import annotate_genes
from fineprior.steps.finemap_batch import gather
from gene_models import Model, bed12
from small_study import CAUSAL, write_results

pytestmark = pytest.mark.slow
LOCUS = next(iter(CAUSAL))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    results = write_results(folder, "embedded")
    letters = "".join(np.random.default_rng(2).choice(list("ACGT"), 60_000))
    (folder / "g.fa").write_text(f">1\n{letters}\n>X\n{letters}\n")
    models = [Model("NEAR", "chr1", "+", ((9500, 9900), (11_000, 12_000)), (0, 0), ""),
              Model("FAR", "chr1", "-", ((52_000, 53_000),), (0, 0), "")]  # fmt: skip
    (folder / "g.bed").write_text(bed12(models))
    return folder, results


def run(study, genes="g.bed"):
    folder, results = study
    paths = {"output": results / "variant_genes.tsv.gz", "output_genes": results / "locus_genes.tsv"}
    annotate_genes(genes=folder / genes, fasta=folder / "g.fa", loci=results / "loci.tsv",
                   variants=[str(results / "loci/0.tsv.gz")], **paths)  # fmt: skip
    return {"variant_genes": str(paths["output"]), "locus_genes": str(paths["output_genes"])}


def gathered(results, **genes):
    batch = {name: [str(results / f"finemap/functional/0.{end}")] for name, end in
             (("variants", "variants.tsv.gz"), ("credible_sets", "credible_sets.tsv"), ("status", "status.tsv"),
              ("fits", "fits.npz"))}  # fmt: skip
    out = {f"output_{name}": results / f"again.{end}" for name, end in
           (("variants", "variants.tsv.gz"), ("credible_sets", "sets.tsv"), ("status", "status.tsv"),
            ("fits", "fits.rds"))}  # fmt: skip
    gather(loci=results / "loci.tsv", **batch, **out, **genes)
    read = tables.FINEMAP_VARIANTS.read(out["output_variants"]), tables.CREDIBLE_SETS.read(out["output_credible_sets"])
    return *read, {path.name: path.read_bytes() for path in out.values()}


def test_genes_reach_variants_and_sets_and_change_nothing_else(study):
    _, results = study
    before, sets_before, bytes_before = gathered(results)
    assert before["gene"].isna().all()
    after, sets, bytes_after = gathered(results, **run(study))
    new = ["gene", "gene_distance", "consequence", "transcript"]
    assert before.drop(columns=new).equals(after.drop(columns=new))
    assert sets_before.drop(columns=["gene", "genes"]).equals(sets.drop(columns=["gene", "genes"]))
    assert {name for name in bytes_after if bytes_after[name] != bytes_before[name]} == {
        "again.variants.tsv.gz", "again.sets.tsv",
    }  # fmt: skip
    rows = after.set_index("variant_id")
    causal = rows[rows["pos"].eq(9001) & rows["locus"].eq(LOCUS)].iloc[0]
    assert (causal["gene"], causal["gene_distance"], causal["transcript"]) == ("NEAR", 500, "NEAR")
    assert causal["consequence"] == "upstream_gene_variant"
    assert rows.loc[rows["chrom"] == "X", "gene"].isna().all()
    assert set(rows.loc[rows["chrom"] == "X", "consequence"]) == {"intergenic_variant"}
    spans = sets[(sets["start"] < 12_000) & (sets["end"] > 9500)]
    assert sets["genes"].fillna("").eq("NEAR").sum() == len(spans)


def test_a_file_that_is_none_of_genes_writes_nothing(study):
    folder, results = study
    (folder / "bad.gtf").write_text('chr1\tx\tgene\t1\t9\t.\t+\t.\tgene_id "g";\n')
    written = {path: path.stat().st_mtime_ns for path in results.rglob("*genes*")}
    with pytest.raises(InputError, match=r"bad.gtf: no line of the type exon"):
        run(study, "bad.gtf")
    assert written == {path: path.stat().st_mtime_ns for path in results.rglob("*genes*")}
