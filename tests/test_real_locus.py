"""The pipeline on a real locus: prostate cancer GWAS, 1000 Genomes panel and sequence of chr17:0-1,000,000 (GRCh37).

The head is trained on a 0/1 track of DNase peaks of prostate cell lines, on the tiny backbone; with one locus there is
nothing to learn a prior from, so the functional prior must say so and stay uniform.
"""

import gzip

import pytest
import yaml

from fineprior.files import tables
from gene_models import gtf, refseq
from workflow_runs import ROOT, snakemake

pytestmark = pytest.mark.workflow
LEAD, PARTNER = "17:618965:T:C", "rs461251"
WIDTH, STEP = 2048, 1536


@pytest.fixture(scope="session")
def prostate(shared_data, tmp_path_factory):
    """A project folder on the real files, run from harmonise_sumstats to gather."""
    data = shared_data / "prostate_chr17"
    folder = tmp_path_factory.mktemp("prostate")
    (folder / "config").mkdir()
    (folder / "genes.gtf.gz").write_bytes(gzip.compress(gtf(refseq()).encode()))
    starts = range(400_000, 990_000, STEP)
    splits = ["test" if start > 900_000 else "valid" if start > 800_000 else "train" for start in starts]
    regions = "".join(f"17\t{s}\t{s + WIDTH}\t{split}\n" for s, split in zip(starts, splits, strict=True))
    (folder / "regions.bed").write_text(regions)
    (folder / "config/studies.tsv").write_text(
        f"study\tsumstats\tpanel\thead\nprostate\t{data}/gwas.tsv.gz\t{data}/panel\tdnase\n"
    )
    (folder / "config/tracks.tsv").write_text(f"head\ttrack\tbigwig\ndnase\tlncap\t{data}/prostate_dnase_peaks.bw\n")
    config = {
        "regions": "regions.bed",
        "genome": {"fasta": str(data / "reference.fa"), "build": "GRCh37", "genes": "genes.gtf.gz"},
        "harmonise": {"min_maf": 0.0},
        "loci": {"flank": 500_000, "batches": 1},
        "backbone": {"weights": str(ROOT / "resources/backbone"), "context_length": WIDTH, "target_bins": 12},
        "finemap": {"max_effects": 1},
    }
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    targets = [f"results/prostate/{prior}/variants.tsv.gz" for prior in ("uniform", "functional", "shuffled")]
    done = snakemake(ROOT, "--cores", "2", *targets, directory=folder)
    assert done.returncode == 0, done.stdout[-5000:]
    return folder / "results/prostate"


def test_every_row_is_harmonised(prostate):
    sumstats = tables.SUMSTATS.read(prostate / "sumstats.parquet")
    assert len(sumstats) == 314
    lead = sumstats.set_index("variant_id").loc[LEAD]
    assert lead["beta"] == pytest.approx(0.0832)
    assert lead["neg_log10_p"] == pytest.approx(23.37, abs=0.01)
    assert lead["n"] == 140_306


def test_one_effect_gives_the_published_set(prostate):
    """As susie_rss (susieR 0.12.35, L = 1) on the same data: 0.717 and 0.283, min |r| 0.954."""
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(prostate / "uniform/credible_sets.tsv"))
    assert len(sets) == 1
    assert sets["min_abs_r"].item() == pytest.approx(0.954, abs=5e-4)
    rsids = tables.SUMSTATS.read(prostate / "sumstats.parquet").set_index("variant_id")["rsid"]
    variants = tables.FINEMAP_VARIANTS.read(prostate / "uniform/variants.tsv.gz").set_index("variant_id")
    members = variants[variants["credible_set"].notna()]
    assert [rsids[name] for name in sets["variant_ids"].item().split(",")] == ["rs684232", PARTNER]
    pip = {rsids[name]: row["pip"] for name, row in members.iterrows()}
    assert pip == pytest.approx({"rs684232": 0.717, PARTNER: 0.283}, abs=5e-4)


def test_genes_of_the_published_set(prostate):
    """The lead is 885 bases upstream of VPS53, which is on the reverse strand (dbSNP: rs684232)."""
    variants = tables.FINEMAP_VARIANTS.read(prostate / "functional/variants.tsv.gz").set_index("variant_id")
    lead = variants.loc[LEAD]
    assert (lead["gene"], lead["gene_distance"], lead["consequence"]) == ("VPS53", 886, "upstream_gene_variant")
    assert lead["transcript"] in {one.name for one in refseq("17") if one.gene == "VPS53"}
    assert variants["consequence"].notna().all()
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(prostate / "functional/credible_sets.tsv"))
    assert sets["gene"].tolist() == ["VPS53"]
    assert sets["genes"].isna().tolist() == [sets["start"].item() >= 618_079]
    genes = tables.LOCUS_GENES.read(prostate / "locus_genes.tsv")
    assert set(genes["gene"]) == {one.gene for one in refseq("17") if one.exons[-1][1] > 118_965}


def test_scores_are_there_and_the_prior_admits_that_one_locus_teaches_nothing(prostate):
    scores = tables.SCORES.read(prostate / "scores/0.tsv.gz")
    assert scores["status"].eq("scored").all()
    assert scores["score"].gt(0).all()
    verdict = tables.VERDICT.read(prostate / "prior/verdict.tsv").iloc[0]
    assert verdict["weight"] == 0
    assert "uniform" in verdict["sentence"]
    uniform = tables.FINEMAP_VARIANTS.read(prostate / "uniform/variants.tsv.gz")
    functional = tables.FINEMAP_VARIANTS.read(prostate / "functional/variants.tsv.gz")
    assert functional["pip"].to_numpy() == pytest.approx(uniform["pip"].to_numpy(), abs=1e-6)
