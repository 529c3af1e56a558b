"""Rules define_loci and collect_variants on real data."""

from fineprior.files.tables import LOCI
from fineprior.genome.bed import loci_by_batch
from fineprior.steps.define_loci import collect_variants
from steps.prostate import PROSTATE, find_prostate, needs_prostate


def test_prostate_is_one_locus_around_its_lead(prostate):
    loci = LOCI.read(prostate / "loci.tsv")
    assert loci["lead_variant"].to_list() == ["17:618965:T:C"]
    assert loci["locus"].to_list() == ["chr17_118965_1000000"]
    assert loci["variants"].to_list() == [314]


@needs_prostate
def test_a_bed_takes_the_place_of_leads_and_empty_loci_stay(prostate, tmp_path):
    (tmp_path / "my.bed").write_text("chr17\t600000\t650000\nchr17\t300000\t301000\n")
    (tmp_path / "sumstats.parquet").write_bytes((prostate / "sumstats.parquet").read_bytes())
    loci = find_prostate(tmp_path, bed=str(tmp_path / "my.bed"))
    assert loci["locus"].to_list() == ["chr17_300000_301000", "chr17_600000_650000"]
    assert loci["variants"].iloc[0] == 0
    assert loci["lead_variant"].to_list()[1] == "17:618965:T:C"


@needs_prostate
def test_variants_collected_by_the_names_of_loci_are_those_of_the_bed(prostate, tmp_path):
    """Overlapping loci, one without a variant, one up to the first variant's place: the same bytes."""
    (tmp_path / "my.bed").write_text("17 600000 650000\n17 300000 301000\n17 610000 700000\n17 500000 618965\n")
    (tmp_path / "sumstats.parquet").write_bytes((prostate / "sumstats.parquet").read_bytes())
    loci = find_prostate(tmp_path, bed=str(tmp_path / "my.bed"))
    for batch, names in enumerate(loci_by_batch(tmp_path / "my.bed", 2)):
        assert set(names) == set(loci.loc[loci["batch"] == batch, "locus"])
        collect_variants(sumstats=str(tmp_path / "sumstats.parquet"), fasta=str(PROSTATE / "reference.fa"),
                         loci=names, output=str(tmp_path / "own.tsv.gz"))  # fmt: skip
        assert (tmp_path / "own.tsv.gz").read_bytes() == (tmp_path / f"{batch}.tsv.gz").read_bytes()
