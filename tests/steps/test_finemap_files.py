"""The command finemap: from the files of one locus to its tables and fits."""

import gzip

import numpy as np
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.finemap.fits import load_fits
from fineprior.project.settings import FinemapSettings
from fineprior.steps.finemap_files import finemap_files

IDS = [f"1:{10 * i + 5}:A:C" for i in range(6)]
WRITTEN = ["credible_sets.tsv", "fits.npz", "fits.rds", "loci_status.tsv", "variants.tsv.gz"]


@pytest.fixture
def locus(tmp_path):
    """z-scores of a signal at the third variant, LD, and a prior that prefers its neighbour."""
    genotypes = np.random.default_rng(1).normal(size=(400, 6))
    genotypes[:, 3] = genotypes[:, 2] + 0.1 * genotypes[:, 3]
    r = np.corrcoef(genotypes.T)
    np.save(tmp_path / "r.npy", r)
    rows = "".join(f"{name}\t{z}\n" for name, z in zip(IDS, 8 * r[2], strict=True))
    (tmp_path / "z.tsv").write_text("variant_id\tz\n" + rows)
    (tmp_path / "p.tsv").write_text("variant_id\tprior\n" + "".join(f"{name}\t{2 * i}\n" for i, name in enumerate(IDS)))
    return tmp_path


def run(folder, out, **options):
    return finemap_files(z=folder / "z.tsv", ld=folder / "r.npy", out=str(folder / out), n=5000,
                         settings=FinemapSettings(ld="in_sample"), **options)  # fmt: skip


def test_a_locus_is_fine_mapped_from_its_files(locus):
    fit = run(locus, "uniform", locus="chr1_0_60")
    assert fit.status == "ok"
    assert sorted(path.name.partition(".")[2] for path in locus.glob("uniform.*")) == WRITTEN
    variants = tables.FINEMAP_VARIANTS.read(locus / "uniform.variants.tsv.gz")
    assert variants["pip"].to_numpy() == pytest.approx(fit.fit.final_pip, rel=1e-6)
    assert variants["pip_susie"].to_numpy() == pytest.approx(fit.fit.pip, rel=1e-6)
    assert variants["prior"].tolist() == pytest.approx([1 / 6] * 6)
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(locus / "uniform.credible_sets.tsv"))
    assert IDS[2] in sets["variant_ids"].iloc[0].split(",")
    assert tables.LOCI_STATUS.read(locus / "uniform.loci_status.tsv")["locus"].tolist() == ["chr1_0_60"]
    assert np.array_equal(load_fits(locus / "uniform.fits.npz")["chr1_0_60"].pip, fit.fit.pip)
    assert gzip.decompress((locus / "uniform.fits.rds").read_bytes()).startswith(b"X\n")


def test_a_prior_counts(locus):
    before, after = run(locus, "uniform").fit.pip, run(locus, "prior", prior=locus / "p.tsv").fit.pip
    assert after[3] > before[3]
    written = tables.FINEMAP_VARIANTS.read(locus / "prior.variants.tsv.gz")["prior"]
    assert written.tolist() == pytest.approx([i / 15 for i in range(6)], rel=1e-6)


def test_a_locus_that_fails_has_tables_and_no_fit(locus):
    text = (locus / "z.tsv").read_text().splitlines()
    (locus / "z.tsv").write_text("\n".join([*text[:3], f"{IDS[2]}\t1e308", *text[4:]]) + "\n")
    fit = run(locus, "failed")
    assert fit.status == "failed"
    assert tables.LOCI_STATUS.read(locus / "failed.loci_status.tsv")["reason"].tolist() == [fit.reason]
    assert tables.FINEMAP_VARIANTS.read(locus / "failed.variants.tsv.gz")["pip"].isna().all()
    assert tables.CREDIBLE_SETS.read(locus / "failed.credible_sets.tsv").empty
    assert load_fits(locus / "failed.fits.npz") == {}


def test_files_that_do_not_belong_together_leave_nothing(locus):
    np.save(locus / "r.npy", np.eye(5))
    with pytest.raises(InputError, match="5 variants, but 6 z-scores"):
        run(locus, "none")
    assert not list(locus.glob("none.*"))
