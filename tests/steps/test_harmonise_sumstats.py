"""Rule harmonise_sumstats on real data."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import DROPPED, LIFTOVER, SUMSTATS, SUMSTATS_QC
from fineprior.genome.fasta import Genome
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import HarmoniseSettings
from fineprior.steps.harmonise_sumstats import harmonise_sumstats
from fineprior.sumstats.harmonise import harmonise
from fineprior.sumstats.reader import read_sumstats
from steps.prostate import PROSTATE, SHARED, harmonise_prostate, needs_prostate

CHR20 = SHARED / "panel_chr20"
needs_chr20 = pytest.mark.skipif(not CHR20.is_dir(), reason="acceptance data are not here")


@pytest.mark.slow
def test_prostate_is_harmonised_as_expected(prostate):
    table = SUMSTATS.read(prostate / "sumstats.parquet")
    assert len(table) == 314
    assert DROPPED.read(prostate / "dropped.tsv.gz").empty
    qc = SUMSTATS_QC.read(prostate / "qc.tsv")
    assert qc["rows"].sum() == 314
    lead = table.loc[table["neg_log10_p"].idxmax()]
    assert lead["variant_id"] == "17:618965:T:C"
    assert (lead["rsid"], lead["beta"], lead["n"]) == ("rs684232", 0.0832, 140306)
    assert lead["neg_log10_p"] == pytest.approx(-np.log10(4.3e-24), abs=0.01)
    assert np.corrcoef(table["eaf"], table["panel_af"])[0, 1] > 0.999


@needs_prostate
def test_rare_variants_are_listed_when_left_out(tmp_path):
    harmonise_prostate(tmp_path, HarmoniseSettings(min_maf=0.01))
    qc = SUMSTATS_QC.read(tmp_path / "qc.tsv").set_index("reason")["rows"]
    assert (qc["low_maf"], qc["kept"] + qc["swapped"]) == (2, 312)
    assert DROPPED.read(tmp_path / "dropped.tsv.gz")["reason"].to_list() == ["low_maf"] * 2


@pytest.mark.slow
@needs_prostate
def test_the_wrong_genome_is_named(tmp_path):
    bases = np.random.default_rng(1).choice(list("ACGT"), 1_000_000)
    (tmp_path / "other.fa").write_text(">17\n" + "".join(bases) + "\n")
    with pytest.raises(InputError, match=r"gwas\.tsv\.gz: only \d+% .*other\.fa .* another genome build"):
        harmonise_sumstats(
            sumstats=str(PROSTATE / "gwas.tsv.gz"), fasta=str(tmp_path / "other.fa"), panel=str(PROSTATE / "panel"),
            output="o.parquet", qc="q.tsv", dropped="d.tsv.gz", liftover="l.tsv", settings=HarmoniseSettings(),
        )  # fmt: skip


CHAIN = SHARED / "genome" / "grch37_to_grch38.over.chain"
OFFSET = 96_760


@pytest.fixture
def newer(tmp_path):
    """FASTA and panel of the prostate region as GRCh38 has it from 400,000 (of GRCh37) on."""
    if not (CHAIN.is_file() and PROSTATE.is_dir()):
        pytest.skip("acceptance data are not here")
    with Genome(PROSTATE / "reference.fa") as genome:
        bases = np.array(list("ACGTN"))[genome.codes("17", 400_000, 1_000_000)]
    (tmp_path / "new.fa").write_text(">chr17\n" + "N" * (400_000 + OFFSET) + "".join(bases) + "\n")
    for suffix in (".bed", ".fam"):
        (tmp_path / f"new{suffix}").write_bytes((PROSTATE / f"panel{suffix}").read_bytes())
    bim = pd.read_csv(PROSTATE / "panel.bim", sep="\t", header=None)
    bim[3] += OFFSET
    bim.to_csv(tmp_path / "new.bim", sep="\t", header=False, index=False)
    return tmp_path


def harmonise_in_newer(folder, **more):
    names = {"output": "o.parquet", "qc": "q.tsv", "dropped": "d.tsv", "liftover": "l.tsv"}
    harmonise_sumstats(
        sumstats=str(PROSTATE / "gwas.tsv.gz"), fasta=str(folder / "new.fa"), panel=str(folder / "new"),
        settings=HarmoniseSettings(min_maf=0.0), **{name: str(folder / file) for name, file in names.items()}, **more,
    )  # fmt: skip


@pytest.mark.slow
def test_prostate_is_lifted_with_the_real_chain(newer, prostate):
    harmonise_in_newer(newer, build="GRCh38", source_build="GRCh37", chain=str(CHAIN))
    old, new = SUMSTATS.read(prostate / "sumstats.parquet"), SUMSTATS.read(newer / "o.parquet")
    old = old[old["pos"] > 400_000]
    assert len(new) == len(old) > 150
    assert ((new["pos"] - OFFSET).to_numpy() == old["pos"].to_numpy()).all()
    assert new["z"].to_list() == old["z"].to_list()
    assert "chr17:715725:T:C" in set(new["variant_id"])
    dropped = DROPPED.read(newer / "d.tsv")
    assert set(dropped["reason"]) == {"reference_mismatch"}
    assert LIFTOVER.read(newer / "l.tsv").empty


@pytest.mark.slow
def test_a_build_that_is_not_declared_is_named(newer, tmp_path):
    with pytest.raises(InputError, match=r"genome_assembly is 'GRCh37' .* 'GRCh38'"):
        harmonise_in_newer(newer, build="GRCh38")


@pytest.mark.slow
@needs_chr20
def test_all_of_chr20_agrees_with_its_fasta_insertions_and_deletions_too():
    panel = PlinkPanel(CHR20 / "panel")
    known = panel.variants
    af = panel.allele_frequencies()
    assert ((np.minimum(af, 1 - af) > 0.01).sum(), len(known), panel.samples) == (2847, 7568, 503)
    frame = pd.DataFrame({
        "row": np.arange(2, len(known) + 2), "chrom": "chr20", "source_pos": known["pos"].astype("str"),
        "pos": known["pos"].astype("float64"), "effect_allele": known["a1"], "other_allele": known["a2"],
        "beta": 0.1, "se": 0.1, "z": 1.0, "neg_log10_p": 0.5, "eaf": af, "n": 100.0, "info": np.nan, "rsid": "",
    })  # fmt: skip
    settings = HarmoniseSettings(palindromic="trust", min_maf=0.0)
    with Genome(CHR20 / "reference.fa") as genome:
        result = harmonise(frame, genome, panel, settings)
        turned = harmonise(frame.rename(columns={"effect_allele": "other_allele", "other_allele": "effect_allele"})
                           .assign(beta=-0.1, z=-1.0, eaf=1 - af)[list(frame)], genome, panel, settings)  # fmt: skip
    assert result.dropped.empty
    names = known["snp_id"].str.replace("_", ":").to_list()
    assert sorted(result.sumstats["variant_id"]) == sorted(names)
    assert turned.sumstats["variant_id"].to_list() == result.sumstats["variant_id"].to_list()
    assert np.allclose(result.sumstats["eaf"], result.sumstats["panel_af"])


@needs_prostate
def test_the_meta_file_beside_the_sumstats_is_read(tmp_path):
    target = tmp_path / "gwas.tsv.gz"
    target.write_bytes((PROSTATE / "gwas.tsv.gz").read_bytes())
    (tmp_path / "gwas.tsv.gz-meta.yaml").write_text("coordinate_system: 0-based\n")
    assert (read_sumstats(target)["pos"] - read_sumstats(PROSTATE / "gwas.tsv.gz")["pos"] == 1).all()
