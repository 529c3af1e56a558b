"""Rule compute_ld on real data."""

import logging

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import LOCI, LOCUS_VARIANTS
from fineprior.genotypes import ld
from fineprior.genotypes.ld import ld_memory_mb
from fineprior.genotypes.ld_store import read_ld, read_panel_size
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import LdSettings, LociSettings
from fineprior.steps.compute_ld import compute_ld
from steps.prostate import PROSTATE, find_prostate, harmonise_prostate, needs_prostate


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


def ld_of_prostate(prostate, output, memory=4000, **source):
    locus = LOCI.read(prostate / "loci.tsv").iloc[0]
    variants = prostate / f"{locus['batch']}.tsv.gz"
    compute_ld(variants=str(variants), output=str(output), settings=LdSettings(max_memory_mb=memory), **source)
    return read_ld(output, locus["locus"]), LOCUS_VARIANTS.read(variants)


@needs_prostate
def test_a_locus_over_the_memory_limit_is_trimmed_around_its_lead(prostate, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(ld, "variants_that_fit", lambda *_: 100)
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
    monkeypatch.setattr(ld, "machine_memory_mb", lambda: needed - 1)
    message = rf"ld\.max_memory_mb = 4000 allows a locus of 314 variants {needed:.0f} MB, but this machine has"
    with pytest.raises(InputError, match=message):
        ld_of_prostate(prostate, tmp_path / "ld.npz", panel=str(PROSTATE / "panel"))
    assert not (tmp_path / "ld.npz").exists()
