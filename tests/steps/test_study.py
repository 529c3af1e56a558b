import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import HarmoniseSettings, LociSettings
from fineprior.foundation.tables import DROPPED, LOCI, LOCUS_VARIANTS, SUMSTATS, SUMSTATS_QC
from fineprior.genetics.genome import Genome
from fineprior.genetics.genotypes import PlinkPanel
from fineprior.genetics.harmonise import harmonise
from fineprior.genetics.ld import read_ld
from fineprior.genetics.sumstats import read_sumstats
from fineprior.steps.study import compute_ld, define_loci, harmonise_sumstats

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PROSTATE = SHARED / "prostate_chr17"
CHR20 = SHARED / "panel_chr20"
needs_prostate = pytest.mark.skipif(not PROSTATE.is_dir(), reason="acceptance data are not here")
needs_chr20 = pytest.mark.skipif(not CHR20.is_dir(), reason="acceptance data are not here")
WIDE = LociSettings(flank=500_000, max_width=1_000_000)


def harmonise_prostate(folder, settings=HarmoniseSettings(min_maf=0.0)):  # noqa: B008 (frozen)
    paths = {"output": "sumstats.parquet", "qc": "qc.tsv", "dropped": "dropped.tsv.gz"}
    harmonise_sumstats(
        sumstats=str(PROSTATE / "gwas.tsv.gz"), fasta=str(PROSTATE / "reference.fa"), panel=str(PROSTATE / "panel"),
        settings=settings, **{name: str(folder / file) for name, file in paths.items()},
    )  # fmt: skip
    return folder


def find_prostate(folder, settings=WIDE, bed=None):
    define_loci(
        sumstats=str(folder / "sumstats.parquet"), fasta=str(PROSTATE / "reference.fa"), bed=bed, settings=settings,
        output=str(folder / "loci.tsv"), batches=[str(folder / f"{i}.tsv.gz") for i in range(2)],
    )  # fmt: skip
    return LOCI.read(folder / "loci.tsv")


@pytest.fixture(scope="module")
def prostate(tmp_path_factory):
    if not PROSTATE.is_dir():
        pytest.skip("acceptance data are not here")
    folder = harmonise_prostate(tmp_path_factory.mktemp("prostate"))
    find_prostate(folder)
    for batch in range(2):
        compute_ld(
            variants=str(folder / f"{batch}.tsv.gz"), panel=str(PROSTATE / "panel"), output=str(folder / f"{batch}.npz")
        )
    return folder


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


def test_prostate_is_one_locus_around_its_lead(prostate):
    loci = LOCI.read(prostate / "loci.tsv")
    assert loci["lead_variant"].to_list() == ["17:618965:T:C"]
    assert loci["locus"].to_list() == ["chr17_118965_1000000"]
    assert loci["variants"].to_list() == [314]


def test_prostate_z_follows_its_ld_with_the_lead(prostate):
    locus = LOCI.read(prostate / "loci.tsv").iloc[0]
    variants = LOCUS_VARIANTS.read(prostate / f"{locus['batch']}.tsv.gz")
    r, ids = read_ld(prostate / f"{locus['batch']}.npz", locus["locus"])
    assert ids.tolist() == variants["variant_id"].to_list()
    lead = ids.tolist().index(locus["lead_variant"])
    z = variants["z"].to_numpy()
    assert np.corrcoef(z, r[lead] * z[lead])[0, 1] == pytest.approx(0.90, abs=0.005)
    with np.load(prostate / f"{1 - locus['batch']}.npz") as other:
        assert other.files == ["panel_size"]


@needs_prostate
def test_steps_write_the_same_bytes_again(prostate, tmp_path):
    harmonise_prostate(tmp_path)
    find_prostate(tmp_path)
    for batch in range(2):
        compute_ld(variants=str(tmp_path / f"{batch}.tsv.gz"), panel=str(PROSTATE / "panel"),
                   output=str(tmp_path / f"{batch}.npz"))  # fmt: skip
    for file in sorted(prostate.iterdir()):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
    assert len(list(tmp_path.iterdir())) == len(list(prostate.iterdir())) == 8


@needs_prostate
def test_rare_variants_are_listed_when_left_out(tmp_path):
    harmonise_prostate(tmp_path, HarmoniseSettings(min_maf=0.01))
    qc = SUMSTATS_QC.read(tmp_path / "qc.tsv").set_index("reason")["rows"]
    assert (qc["low_maf"], qc["kept"] + qc["swapped"]) == (2, 312)
    assert DROPPED.read(tmp_path / "dropped.tsv.gz")["reason"].to_list() == ["low_maf"] * 2


@needs_prostate
def test_a_bed_takes_the_place_of_leads_and_empty_loci_stay(prostate, tmp_path):
    (tmp_path / "my.bed").write_text("chr17\t600000\t650000\nchr17\t300000\t301000\n")
    (tmp_path / "sumstats.parquet").write_bytes((prostate / "sumstats.parquet").read_bytes())
    loci = find_prostate(tmp_path, bed=str(tmp_path / "my.bed"))
    assert loci["locus"].to_list() == ["chr17_300000_301000", "chr17_600000_650000"]
    assert loci["variants"].iloc[0] == 0
    assert loci["lead_variant"].to_list()[1] == "17:618965:T:C"


@needs_prostate
def test_no_hit_is_no_locus_and_a_warning(prostate, tmp_path, caplog):
    (tmp_path / "sumstats.parquet").write_bytes((prostate / "sumstats.parquet").read_bytes())
    with caplog.at_level(logging.WARNING):
        loci = find_prostate(tmp_path, LociSettings(p_threshold=1e-30))
    assert loci.empty
    assert "no variant with p <= 1e-30" in caplog.text
    compute_ld(variants=str(tmp_path / "0.tsv.gz"), panel=str(PROSTATE / "panel"), output=str(tmp_path / "0.npz"))
    with np.load(tmp_path / "0.npz") as stored:
        assert stored.files == ["panel_size"]


@needs_prostate
def test_the_wrong_genome_is_named(tmp_path):
    bases = np.random.default_rng(1).choice(list("ACGT"), 1_000_000)
    (tmp_path / "other.fa").write_text(">17\n" + "".join(bases) + "\n")
    with pytest.raises(InputError, match=r"gwas\.tsv\.gz: only \d+% .*other\.fa .* another genome build"):
        harmonise_sumstats(
            sumstats=str(PROSTATE / "gwas.tsv.gz"), fasta=str(tmp_path / "other.fa"), panel=str(PROSTATE / "panel"),
            output="o.parquet", qc="q.tsv", dropped="d.tsv.gz", settings=HarmoniseSettings(),
        )  # fmt: skip


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
    settings = HarmoniseSettings(palindromic="keep", min_maf=0.0)
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
