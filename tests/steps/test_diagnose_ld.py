"""Diagnoses of a batch from files to a file, and that the fits which read it are those that make their own."""

import numpy as np
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.finemap.diagnoses import read_diagnosis
from fineprior.finemap.ld_mismatch import diagnose_ld as diagnosed
from fineprior.genotypes.ld_store import LocusLd, read_ld, write_ld
from fineprior.project.settings import FinemapSettings
from fineprior.steps.diagnose_ld import diagnose_ld
from fineprior.steps.finemap_batch import finemap
from fineprior.steps.fit_prior import assign_prior, find_signals
from small_study import write_results

FIRST, SECOND = "1_1001_50000", "X_1001_50000"


@pytest.fixture
def batch(tmp_path):
    """Variants and LD of two loci: of the first one variant has no LD, the second has none at all."""
    folder = write_results(tmp_path, "small")
    variants, ld = folder / "loci/0.tsv.gz", folder / "ld/0.npz"
    first, second = read_ld(ld, FIRST), read_ld(ld, SECOND)
    left_out = {str(first.variant_ids[3]): "no_ld"}
    kept = np.delete(np.arange(len(first.r)), 3)
    none = np.empty((0, 0), np.float32)
    write_ld(ld, [LocusLd(FIRST, first.r[np.ix_(kept, kept)], first.variant_ids[kept], left_out),
                  LocusLd(SECOND, none, second.variant_ids[:0], dict.fromkeys(second.variant_ids.tolist(), "no_ld"))],
             300)  # fmt: skip
    return variants, ld


def test_it_is_of_the_variants_with_ld(batch, tmp_path):
    variants, ld = batch
    diagnose_ld(variants=variants, ld=ld, output=tmp_path / "d.npz", settings=FinemapSettings(), workers=2)
    table = tables.LOCUS_VARIANTS.read(variants).query("locus == @FIRST").drop(index=3)
    found = read_diagnosis(tmp_path / "d.npz", FIRST, table["variant_id"].tolist())
    expected = diagnosed(table["z"].to_numpy(), read_ld(ld, FIRST).r, float(table["n"].median()), 300)
    assert (found.s, found.s_scaled, found.discordant_pairs) == (
        expected.s,
        expected.s_scaled,
        expected.discordant_pairs,
    )
    assert read_diagnosis(tmp_path / "d.npz", SECOND, []) is None
    diagnose_ld(variants=variants, ld=ld, output=tmp_path / "none.npz", settings=FinemapSettings(ld="none"))
    assert read_diagnosis(tmp_path / "none.npz", FIRST, []) is None


def no_more(*_, **__):
    raise AssertionError("diagnosed again")


def test_fits_with_it_are_those_without(batch, tmp_path, monkeypatch):
    variants, ld = batch
    settings = FinemapSettings()
    diagnose_ld(variants=variants, ld=ld, output=tmp_path / "d.npz", settings=settings)
    assign_prior(prior="uniform", variants=str(variants), output=str(tmp_path / "p.tsv.gz"))

    def fitted(name, diagnoses):
        (tmp_path / name).mkdir()
        outputs = {one: tmp_path / name / f"{one}.tsv" for one in ("output", "credible_sets", "status")}
        finemap(variants=variants, ld=ld, prior=tmp_path / "p.tsv.gz", fits=tmp_path / name / "f.npz",
                settings=settings, diagnoses=diagnoses, **outputs)  # fmt: skip
        find_signals(variants=str(variants), ld=str(ld), output=str(tmp_path / name / "s.npz"), settings=settings,
                     diagnoses=diagnoses)  # fmt: skip
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.is_file()}

    expected = fitted("without", None)
    monkeypatch.setattr("fineprior.finemap.ladder.diagnose_ld", no_more)
    assert fitted("with", str(tmp_path / "d.npz")) == expected
    assert len(expected) == 5


def test_a_variant_without_ld_and_reason_is_named(batch, tmp_path):
    variants, ld = batch
    second = read_ld(ld, SECOND)
    write_ld(ld, [LocusLd(FIRST, read_ld(ld, FIRST).r, read_ld(ld, FIRST).variant_ids), second])
    with pytest.raises(InputError, match=r"0\.npz: no LD of variant"):
        diagnose_ld(variants=variants, ld=ld, output=tmp_path / "d.npz", settings=FinemapSettings())


@pytest.mark.slow
def test_genotypes_and_their_matrix_are_fine_mapped_alike(tmp_path):
    """Files to files: a panel of 20 people, some genotypes missing, one variant switched."""
    folder = write_results(tmp_path, "small")
    variants, (first, second) = folder / "loci/0.tsv.gz", (read_ld(folder / "ld/0.npz", one) for one in (FIRST, SECOND))
    rng = np.random.default_rng(3)
    counts = (rng.normal(size=(40, 20)) + 1.5 * rng.normal(size=20) > 0).astype(np.int8) + rng.integers(0, 2, (40, 20))
    counts = np.where(rng.random((40, 20)) < 0.05, -1, counts).astype(np.int8)
    of_counts = LocusLd(FIRST, counts, first.variant_ids)
    table = tables.LOCUS_VARIANTS.read(variants)
    here = table["locus"] == FIRST
    z = 9 * of_counts.r[8] + 0.3 * rng.normal(size=40)
    z[9] *= -1
    table.loc[here, "z"] = z
    tables.LOCUS_VARIANTS.write(table, variants)
    assign_prior(prior="uniform", variants=str(variants), output=str(tmp_path / "p.tsv.gz"))
    pips = []
    for name, one in (("counts", of_counts), ("matrix", LocusLd(FIRST, of_counts.r, first.variant_ids))):
        write_ld(tmp_path / f"{name}.npz", [one, second], 20)
        diagnose_ld(
            variants=variants, ld=tmp_path / f"{name}.npz", output=tmp_path / "d.npz", settings=FinemapSettings()
        )
        outputs = {kind: tmp_path / f"{name}.{kind}.tsv" for kind in ("output", "credible_sets", "status")}
        finemap(variants=variants, ld=tmp_path / f"{name}.npz", prior=tmp_path / "p.tsv.gz", fits=tmp_path / "f.npz",
                settings=FinemapSettings(), diagnoses=tmp_path / "d.npz", **outputs)  # fmt: skip
        pips.append(tables.FINEMAP_VARIANTS.read(outputs["output"]))
    of_counts, of_matrix = pips
    np.testing.assert_allclose(of_counts["pip"], of_matrix["pip"], atol=1e-6)
    np.testing.assert_allclose(of_counts["r_lead"], of_matrix["r_lead"], atol=2e-7)
    np.testing.assert_allclose(of_counts["z_expected"], of_matrix["z_expected"], atol=1e-4)
    assert of_counts["credible_set"].equals(of_matrix["credible_set"])
    assert of_counts["ld_flag"].equals(of_matrix["ld_flag"])
    assert of_counts["pip"].max() > 0.5
