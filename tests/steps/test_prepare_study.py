import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import DROPPED, LIFTOVER, LOCI, LOCUS_VARIANTS, SUMSTATS, SUMSTATS_QC
from fineprior.genome.bed import loci_by_batch
from fineprior.genome.fasta import Genome
from fineprior.genotypes.ld import ld_memory_mb
from fineprior.genotypes.ld_store import read_ld, read_panel_size
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import HarmoniseSettings, LdSettings, LociSettings
from fineprior.steps import prepare_study as study
from fineprior.steps.prepare_study import collect_variants, compute_ld, define_loci, harmonise_sumstats
from fineprior.sumstats.harmonise import harmonise
from fineprior.sumstats.reader import read_sumstats

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PROSTATE = SHARED / "prostate_chr17"
CHR20 = SHARED / "panel_chr20"
needs_prostate = pytest.mark.skipif(not PROSTATE.is_dir(), reason="acceptance data are not here")
needs_chr20 = pytest.mark.skipif(not CHR20.is_dir(), reason="acceptance data are not here")
WIDE = LociSettings(flank=500_000, max_width=1_000_000)


def harmonise_prostate(folder, settings=HarmoniseSettings(min_maf=0.0)):  # noqa: B008 (frozen)
    paths = {"output": "sumstats.parquet", "qc": "qc.tsv", "dropped": "dropped.tsv.gz", "liftover": "liftover.tsv"}
    harmonise_sumstats(
        sumstats=str(PROSTATE / "gwas.tsv.gz"), fasta=str(PROSTATE / "reference.fa"), panel=str(PROSTATE / "panel"),
        settings=settings, **{name: str(folder / file) for name, file in paths.items()},
    )  # fmt: skip
    return folder


def find_prostate(folder, settings=WIDE, bed=None):
    define_loci(
        sumstats=str(folder / "sumstats.parquet"), fasta=str(PROSTATE / "reference.fa"), bed=bed, settings=settings,
        output=str(folder / "loci.tsv"), excluded=str(folder / "excluded.tsv"),
        batches=[str(folder / f"{i}.tsv.gz") for i in range(2)],
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
            variants=str(folder / f"{batch}.tsv.gz"), panel=str(PROSTATE / "panel"), settings=LdSettings(),
            output=str(folder / f"{batch}.npz"),
        )  # fmt: skip
    return folder


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


def test_prostate_is_one_locus_around_its_lead(prostate):
    loci = LOCI.read(prostate / "loci.tsv")
    assert loci["lead_variant"].to_list() == ["17:618965:T:C"]
    assert loci["locus"].to_list() == ["chr17_118965_1000000"]
    assert loci["variants"].to_list() == [314]


def test_prostate_z_follows_its_ld_with_the_lead(prostate):
    locus = LOCI.read(prostate / "loci.tsv").iloc[0]
    variants = LOCUS_VARIANTS.read(prostate / f"{locus['batch']}.tsv.gz")
    ld = read_ld(prostate / f"{locus['batch']}.npz", locus["locus"])
    r, ids = ld.r, ld.variant_ids
    assert ids.tolist() == variants["variant_id"].to_list()
    lead = ids.tolist().index(locus["lead_variant"])
    z = variants["z"].to_numpy()
    assert np.corrcoef(z, r[lead] * z[lead])[0, 1] == pytest.approx(0.90, abs=0.005)
    with np.load(prostate / f"{1 - locus['batch']}.npz") as other:
        assert other.files == ["panel_size"]


@pytest.mark.slow
@needs_prostate
def test_steps_write_the_same_bytes_again(prostate, tmp_path):
    harmonise_prostate(tmp_path)
    find_prostate(tmp_path)
    for batch in range(2):
        compute_ld(variants=str(tmp_path / f"{batch}.tsv.gz"), panel=str(PROSTATE / "panel"),
                   output=str(tmp_path / f"{batch}.npz"), settings=LdSettings())  # fmt: skip
    for file in sorted(prostate.glob("[!.]*")):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
    assert len(list(tmp_path.glob("[!.]*"))) == len(list(prostate.glob("[!.]*"))) == 10


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


@needs_prostate
def test_no_hit_is_no_locus_and_a_warning(prostate, tmp_path, caplog):
    (tmp_path / "sumstats.parquet").write_bytes((prostate / "sumstats.parquet").read_bytes())
    with caplog.at_level(logging.WARNING):
        loci = find_prostate(tmp_path, LociSettings(p_threshold=1e-30))
    assert loci.empty
    assert "no variant with p <= 1e-30" in caplog.text
    compute_ld(variants=str(tmp_path / "0.tsv.gz"), panel=str(PROSTATE / "panel"), output=str(tmp_path / "0.npz"),
               settings=LdSettings())  # fmt: skip
    with np.load(tmp_path / "0.npz") as stored:
        assert stored.files == ["panel_size"]


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


def ld_of_prostate(prostate, output, memory=4000, **source):
    locus = LOCI.read(prostate / "loci.tsv").iloc[0]
    variants = prostate / f"{locus['batch']}.tsv.gz"
    compute_ld(variants=str(variants), output=str(output), settings=LdSettings(max_memory_mb=memory), **source)
    return read_ld(output, locus["locus"]), LOCUS_VARIANTS.read(variants)


@needs_prostate
def test_a_locus_over_the_memory_limit_is_trimmed_around_its_lead(prostate, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(study, "variants_that_fit", lambda *_: 100)
    found, table = ld_of_prostate(prostate, tmp_path / "ld.npz", panel=str(PROSTATE / "panel"))
    distance = (table["pos"] - 618965).abs()
    kept = table["variant_id"].isin(found.variant_ids)
    assert (kept.sum(), found.r.shape) == (100, (100, 100))
    assert distance[kept].max() <= distance[~kept].min()
    assert found.left_out == dict.fromkeys(table["variant_id"][~kept], "trimmed")
    assert found.note == "214 variants trimmed, the farthest from the lead, to fit ld.max_memory_mb"
    assert "the 100 nearest to the lead are kept" in caplog.text


@needs_prostate
def test_ld_is_that_of_the_people_who_are_kept(prostate, tmp_path):
    panel = PlinkPanel(PROSTATE / "panel")
    (tmp_path / "keep").write_text("\n".join(panel.sample_ids[:100]))
    found, table = ld_of_prostate(
        prostate, tmp_path / "ld.npz", panel=str(PROSTATE / "panel"), samples=str(tmp_path / "keep")
    )
    assert read_panel_size(tmp_path / "ld.npz") == 100
    dosages = panel.dosages(table["panel_index"].to_numpy())[:100, :20]
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.abs(np.corrcoef(dosages.T))
    vary = dosages.std(0) > 0
    assert np.allclose(np.abs(found.r[:20, :20])[np.ix_(vary, vary)], expected[np.ix_(vary, vary)], atol=1e-6)


@needs_prostate
def test_ld_that_is_computed_already_takes_the_panels_place(prostate, tmp_path):
    locus = LOCI.read(prostate / "loci.tsv").iloc[0]
    known = read_ld(prostate / f"{locus['batch']}.npz", locus["locus"])
    (tmp_path / "v.txt").write_text("\n".join(known.variant_ids[::-1]))
    np.save(tmp_path / "r.npy", known.r[::-1, ::-1])
    (tmp_path / "ld.tsv").write_text("chrom\tstart\tend\tmatrix\tvariants\nchr17\t0\t1000000\tr.npy\tv.txt\n")
    found, _ = ld_of_prostate(prostate, tmp_path / "ld.npz", ld=str(tmp_path / "ld.tsv"))
    assert np.array_equal(found.r, known.r)
    assert found.variant_ids.tolist() == known.variant_ids.tolist()
    assert read_panel_size(tmp_path / "ld.npz") is None


@needs_prostate
def test_a_machine_that_is_too_small_is_named_before_the_work_starts(prostate, tmp_path, monkeypatch):
    needed = ld_memory_mb(314, 343)
    monkeypatch.setattr(study, "machine_memory_mb", lambda: needed - 1)
    message = rf"ld\.max_memory_mb = 4000 allows a locus of 314 variants {needed:.0f} MB, but this machine has"
    with pytest.raises(InputError, match=message):
        ld_of_prostate(prostate, tmp_path / "ld.npz", panel=str(PROSTATE / "panel"))
    assert not (tmp_path / "ld.npz").exists()
