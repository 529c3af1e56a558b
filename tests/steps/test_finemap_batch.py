"""Fine-mapping a batch from files to files, and gathering batches."""

import gzip
import shutil

import numpy as np
import pandas as pd
import pytest

from bad_inputs.world import LENGTH, VARIANTS, build, harmonise, ld, loci
from fineprior.files import tables
from fineprior.files.errors import InputError
from fineprior.finemap.fits import load_fits
from fineprior.project.settings import FinemapSettings
from fineprior.steps.finemap_batch import finemap, gather

N = 20_000


def locus_table(name, z, start):
    pos = start + 100 * np.arange(len(z))
    return pd.DataFrame(
        {
            "locus": name,
            "variant_id": [f"1:{p}:A:C" for p in pos],
            "chrom": "1",
            "pos": pos,
            "ref": "A",
            "alt": "C",
            "beta": z / 100,
            "se": 0.01,
            "z": z,
            "neg_log10_p": 1.0,
            "eaf": 0.3,
            "n": float(N),
            "panel_af": 0.3,
            "panel_index": range(len(z)),
        }
    )


@pytest.fixture
def batch(tmp_path):
    """Two loci: one with a signal at its third variant, one without; a third of one variant only."""
    rng = np.random.default_rng(1)
    genotypes = rng.normal(size=(400, 12))
    genotypes[:, 3] = genotypes[:, 2] + 0.3 * rng.normal(size=400)
    R = np.corrcoef(genotypes.T).astype(np.float32)
    loci = {
        "chr1_0_2000": (R[2] * 9.0, R),
        "chr1_5000_7000": (0.3 * rng.normal(size=12), R),
        "chr1_9000_9500": (np.array([7.0]), np.ones((1, 1), np.float32)),
    }
    parts = [locus_table(name, z, int(name.split("_")[1]) + 1) for name, (z, _) in loci.items()]
    table = pd.concat(parts, ignore_index=True)
    arrays = {}
    for name, part in table.groupby("locus"):
        arrays[f"{name}/R"] = loci[name][1]
        arrays[f"{name}/variant_id"] = part["variant_id"].to_numpy(dtype="U")
    prior = table[["locus", "variant_id"]].assign(score=np.nan, log_odds=0.0)
    prior["prior"] = prior["softmax"] = 1 / table.groupby("locus")["pos"].transform("size")
    prior["weight"] = 0.0
    tables.LOCUS_VARIANTS.write(table, tmp_path / "variants.tsv.gz")
    tables.PRIOR.write(prior, tmp_path / "prior.tsv.gz")
    np.savez(tmp_path / "ld.npz", **arrays)
    return tmp_path


def run(folder, name="out", workers=1):
    paths = {key: folder / f"{name}.{key}" for key in ("variants.tsv.gz", "sets.tsv", "status.tsv", "fits.npz")}
    finemap(
        variants=folder / "variants.tsv.gz",
        ld=folder / "ld.npz",
        prior=folder / "prior.tsv.gz",
        output=paths["variants.tsv.gz"],
        credible_sets=paths["sets.tsv"],
        status=paths["status.tsv"],
        fits=paths["fits.npz"],
        workers=workers,
        settings=FinemapSettings(),
    )
    return paths


def test_signal_null_and_single_variant(batch):
    paths = run(batch)
    status = tables.LOCI_STATUS.read(paths["status.tsv"]).set_index("locus")
    assert status["status"].tolist() == ["ok", "no_signal", "incomplete"]
    assert status.loc["chr1_5000_7000", "reason"]
    sets = tables.CREDIBLE_SETS.read(paths["sets.tsv"])
    assert sets["requested_coverage"].tolist() == [0.95, 0.99] * 2
    sets = tables.main_sets(sets)
    assert sets["lead_variant"].tolist() == ["1:201:A:C", "1:9001:A:C"]
    assert sets["start"].iloc[0] <= 200 < sets["end"].iloc[0]
    variants = tables.FINEMAP_VARIANTS.read(paths["variants.tsv.gz"])
    assert len(variants) == 25
    top = variants.loc[variants["pip"].idxmax()]
    assert top["credible_set"].startswith("L")
    assert variants.loc[variants["locus"] == "chr1_5000_7000", "credible_set"].isna().all()
    assert variants.loc[variants["variant_id"] == "1:201:A:C", "r_lead"].item() == pytest.approx(1)
    assert list(load_fits(paths["fits.npz"])) == ["chr1_0_2000", "chr1_5000_7000", "chr1_9000_9500"]


@pytest.mark.slow
def test_same_bytes_twice(batch):
    first, second = run(batch, "first"), run(batch, "second", workers=2)
    assert all(first[key].read_bytes() == second[key].read_bytes() for key in first)


@pytest.mark.slow
def test_ld_in_another_order_is_joined_by_name(batch):
    before = tables.FINEMAP_VARIANTS.read(run(batch)["variants.tsv.gz"])
    with np.load(batch / "ld.npz") as arrays:
        turned = {key: arrays[key] for key in arrays}
    order = np.random.default_rng(0).permutation(12)
    turned["chr1_0_2000/R"] = turned["chr1_0_2000/R"][np.ix_(order, order)]
    turned["chr1_0_2000/variant_id"] = turned["chr1_0_2000/variant_id"][order]
    np.savez(batch / "ld.npz", **turned)
    after = tables.FINEMAP_VARIANTS.read(run(batch)["variants.tsv.gz"])
    pd.testing.assert_frame_equal(before, after)


def test_a_locus_without_z_is_a_status(batch):
    table = tables.LOCUS_VARIANTS.read(batch / "variants.tsv.gz")
    table.loc[3, "z"] = np.nan
    tables.LOCUS_VARIANTS.write(table, batch / "variants.tsv.gz")
    paths = run(batch)
    status = tables.LOCI_STATUS.read(paths["status.tsv"]).set_index("locus")
    assert status["status"].tolist() == ["failed", "no_signal", "incomplete"]
    variants = tables.FINEMAP_VARIANTS.read(paths["variants.tsv.gz"])
    assert len(variants) == 25
    assert variants.loc[variants["locus"] == "chr1_0_2000", "pip"].isna().all()


def test_a_locus_without_ld_has_one_effect(batch):
    with np.load(batch / "ld.npz") as arrays:
        broken = {key: arrays[key] for key in arrays}
    broken["chr1_0_2000/R"] = np.full_like(broken["chr1_0_2000/R"], np.nan)
    np.savez(batch / "ld.npz", **broken)
    paths = run(batch)
    status = tables.LOCI_STATUS.read(paths["status.tsv"])
    assert status["status"].tolist() == ["single_effect", "no_signal", "incomplete"]
    assert status["reason"].iloc[0].startswith("R: row 0")
    sets = tables.CREDIBLE_SETS.read(paths["sets.tsv"])
    assert sets["lead_variant"].iloc[0] == "1:201:A:C"
    assert np.isnan(sets["min_abs_r"].iloc[0]) == (sets["variants"].iloc[0] > 1)


@pytest.mark.slow
def test_a_switched_variant_is_left_out_and_shown(batch):
    table = tables.LOCUS_VARIANTS.read(batch / "variants.tsv.gz")
    table.loc[3, "z"] *= -1
    tables.LOCUS_VARIANTS.write(table, batch / "variants.tsv.gz")
    with np.load(batch / "ld.npz") as arrays:
        np.savez(batch / "ld.npz", **arrays, panel_size=np.array(400))
    paths = run(batch)
    status = tables.LOCI_STATUS.read(paths["status.tsv"]).iloc[0]
    assert (status["status"], status["left_out"], status["panel_size"]) == ("corrected", 1, 400)
    assert "1 variant left out" in status["reason"]
    variant = tables.FINEMAP_VARIANTS.read(paths["variants.tsv.gz"]).iloc[3]
    assert variant["ld_flag"] == "switched"
    assert np.isnan(variant["pip"])
    assert variant["z_expected"] * variant["z"] < 0


def test_missing_ld_and_prior_are_named(batch):
    prior = tables.PRIOR.read(batch / "prior.tsv.gz")
    tables.PRIOR.write(prior.drop(index=4), batch / "prior.tsv.gz")
    with pytest.raises(InputError, match=r"prior.tsv.gz: no prior of variant 1:401:A:C"):
        run(batch)
    np.savez(batch / "ld.npz", other=np.zeros(1))
    with pytest.raises(InputError, match=r"ld.npz: no LD of locus 'chr1_0_2000'"):
        run(batch)
    assert not list(batch.glob("out.*"))


@pytest.mark.slow
def test_gather_orders_by_loci(batch):
    paths = run(batch)
    loci = tables.LOCI_STATUS.read(paths["status.tsv"])[["locus", "variants"]].iloc[::-1]
    frame = loci.assign(chrom="1", start=0, end=1, lead_variant="x", lead_z=1.0, lead_neg_log10_p=1.0, batch=0)
    frame["source"] = "window"
    tables.LOCI.write(frame.assign(note=None), batch / "loci.tsv")

    def gathered():
        gather(
            loci=batch / "loci.tsv",
            variants=[paths["variants.tsv.gz"]],
            credible_sets=[paths["sets.tsv"]],
            status=[paths["status.tsv"]],
            fits=[paths["fits.npz"]],
            output_variants=batch / "v.tsv.gz",
            output_credible_sets=batch / "c.tsv",
            output_status=batch / "s.tsv",
            output_fits=batch / "fits.rds",
        )

    gathered()
    assert tables.LOCI_STATUS.read(batch / "s.tsv")["locus"].tolist() == loci["locus"].tolist()
    assert len(tables.FINEMAP_VARIANTS.read(batch / "v.tsv.gz")) == 25
    empty = frame.iloc[[0]].assign(locus="chr8_0_1", note=None, variants=0)
    tables.LOCI.write(pd.concat([empty, frame.assign(note=None)]), batch / "loci.tsv")
    gathered()
    first = tables.LOCI_STATUS.read(batch / "s.tsv").iloc[0]
    assert (first["locus"], first["status"], first["reason"]) == ("chr8_0_1", "failed", "no harmonised variant in it")
    assert gzip.decompress((batch / "fits.rds").read_bytes()).startswith(b"X\n")
    extra = frame.iloc[[0]].assign(locus="chr9_0_1", note=None)
    tables.LOCI.write(pd.concat([frame.assign(note=None), extra]), batch / "loci.tsv")
    with pytest.raises(InputError, match=r"locus chr9_0_1 of .*loci.tsv was not fine-mapped"):
        gathered()


def add_to_ld(folder, locus, **arrays):
    with np.load(folder / "ld.npz") as stored:
        known = dict(stored)
    np.savez(folder / "ld.npz", **(known | {f"{locus}/{name}": array for name, array in arrays.items()}))
    return known


@pytest.mark.slow
def test_variants_without_ld_are_listed_and_not_fitted(batch):
    locus, names = "chr1_0_2000", tables.LOCUS_VARIANTS.read(batch / "variants.tsv.gz")["variant_id"].iloc[:12]
    with np.load(batch / "ld.npz") as stored:
        R = stored[f"{locus}/R"]
    kept = np.array([1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
    add_to_ld(batch, locus, R=R[np.ix_(kept, kept)], variant_id=names.iloc[kept].to_numpy(np.str_),
              left_out=names.iloc[[0, 5]].to_numpy(np.str_), left_out_reason=np.array(["trimmed", "no_ld"]),
              note=np.array("two are not here"))  # fmt: skip
    paths = run(batch)
    variants = tables.FINEMAP_VARIANTS.read(paths["variants.tsv.gz"]).iloc[:12]
    assert variants["variant_id"].to_list() == names.to_list()
    assert variants["ld_flag"].iloc[[0, 5]].to_list() == ["trimmed", "no_ld"]
    assert variants["pip"].isna().to_numpy().nonzero()[0].tolist() == [0, 5]
    assert variants["z"].notna().all()
    status = tables.LOCI_STATUS.read(paths["status.tsv"]).iloc[0]
    assert (status["variants"], status["left_out"]) == (12, 2)
    assert status["remarks"].startswith("two are not here")
    add_to_ld(batch, locus, left_out=names.iloc[[0]].to_numpy(np.str_), left_out_reason=np.array(["trimmed"]))
    with pytest.raises(InputError, match=f"no LD of variant {names.iloc[5]}"):
        run(batch)


def test_a_locus_without_any_ld_is_fitted_as_one_effect(batch):
    add_to_ld(batch, "chr1_0_2000", R=np.empty((0, 0), np.float32), variant_id=np.empty(0, "U1"),
              left_out=np.array(["a"]), left_out_reason=np.array(["no_ld"]), note=np.array("no window"))  # fmt: skip
    paths = run(batch)
    status = tables.LOCI_STATUS.read(paths["status.tsv"]).iloc[0]
    assert (status["status"], status["left_out"]) == ("single_effect", 0)
    assert "no LD" in status["reason"]
    assert "no window" in status["remarks"]
    variants = tables.FINEMAP_VARIANTS.read(paths["variants.tsv.gz"]).iloc[:12]
    assert variants["pip"].notna().all()
    assert variants["r_lead"].isna().all()


def lose(folder, *rows):
    """Rows of LOST (locus, variant, -log10 p, reason) beside the batch's variants."""
    frame = pd.DataFrame(rows, columns=["locus", "variant", "neg_log10_p", "reason"]).assign(row=2, pos=1)
    tables.LOST.write(frame, tables.lost_beside(folder / "variants.tsv.gz"))


def test_what_harmonising_lost_travels_to_the_status(batch):
    lose(batch, ("chr1_0_2000", "1:9:A:T", np.inf, "missing_value"), ("chr1_0_2000", "1:8:A:T", 0.1, "low_maf"),
         ("chr1_5000_7000", "1:5001:A:T", 0.2, "low_maf"))  # fmt: skip
    status = tables.LOCI_STATUS.read(run(batch)["status.tsv"]).set_index("locus")
    first, second, third = (status.loc[name] for name in status.index)
    assert first["status"] == "incomplete"
    assert (
        "1:9:A:T (p = 0, above -log10 p 1.0 of the strongest that was fitted), was left out of the fit"
        in first["reason"]
    )
    assert first["lost"] == "low_maf:1;missing_value:1"
    assert first[["gwas_rows", "fitted", "fitted_share", "lost_rows"]].tolist() == pytest.approx([14, 12, 12 / 14, 2])
    assert (first["lost_lead"], first["lost_neg_log10_p"]) == ("1:9:A:T", np.inf)
    assert (first["variants_per_kb"], first["empty_start"], first["empty_end"]) == (6, 0, 899)
    assert second["status"] == "no_signal"
    assert (second["lost"], second["lost_neg_log10_p"]) == ("low_maf:1", 0.2)
    assert (third["gwas_rows"], third["lost_rows"]) == (1, 0)
    assert "a variant alone has no rival" in third["reason"]


def test_variants_that_the_ld_lacks_are_lost_too(batch):
    table = tables.LOCUS_VARIANTS.read(batch / "variants.tsv.gz")
    table.loc[2, "neg_log10_p"] = 20.0
    tables.LOCUS_VARIANTS.write(table, batch / "variants.tsv.gz")
    names, kept = table["variant_id"].iloc[:12], np.delete(np.arange(12), 2)
    with np.load(batch / "ld.npz") as stored:
        R = stored["chr1_0_2000/R"]
    add_to_ld(batch, "chr1_0_2000", R=R[np.ix_(kept, kept)], variant_id=names.iloc[kept].to_numpy(np.str_),
              left_out=names.iloc[[2]].to_numpy(np.str_), left_out_reason=np.array(["no_ld"]),
              note=np.array("1 variants without LD"))  # fmt: skip
    status = tables.LOCI_STATUS.read(run(batch)["status.tsv"]).iloc[0]
    assert status["status"] == "incomplete"
    assert "1:201:A:C (-log10 p 20.0, above 1.0" in status["reason"]
    assert (status["lost"], status["fitted"], status["gwas_rows"]) == ("no_ld:1", 11, 12)


@pytest.mark.slow
def test_a_locus_of_lost_rows_alone_says_what_they_were(batch):
    paths = run(batch)
    frame = pd.DataFrame({"locus": ["chr8_0_9"], "chrom": "8", "start": 0, "end": 9, "lead_variant": None,
                          "lead_z": np.nan, "lead_neg_log10_p": np.nan, "variants": 0, "batch": 0, "source": "bed",
                          "note": None})  # fmt: skip
    tables.LOCI.write(frame, batch / "loci.tsv")
    lose(batch, ("chr8_0_9", "8:3:A:T", 9.0, "absent_from_panel"), ("chr8_0_9", "8:4:A:T", 7.0, "low_maf"))
    empty = {key: batch / f"none.{key}" for key in paths}
    tables.LOCI_STATUS.write(tables.LOCI_STATUS.empty(), empty["status.tsv"])
    tables.FINEMAP_VARIANTS.write(tables.FINEMAP_VARIANTS.empty(), empty["variants.tsv.gz"])
    tables.CREDIBLE_SETS.write(tables.CREDIBLE_SETS.empty(), empty["sets.tsv"])
    gather(
        loci=batch / "loci.tsv", variants=[empty["variants.tsv.gz"]], credible_sets=[empty["sets.tsv"]],
        status=[empty["status.tsv"]], fits=[], output_variants=batch / "v.tsv.gz",
        output_credible_sets=batch / "c.tsv", output_status=batch / "s.tsv", output_fits=batch / "fits.rds",
        lost=[tables.lost_beside(batch / "variants.tsv.gz")],
    )  # fmt: skip
    status = tables.LOCI_STATUS.read(batch / "s.tsv").iloc[0]
    assert status["reason"] == (
        "no harmonised variant in it: of 2 rows of the GWAS all were dropped (absent_from_panel:1; low_maf:1)"
    )
    assert (status["gwas_rows"], status["lost_lead"], status["lost_neg_log10_p"]) == (2, "8:3:A:T", 9)


@pytest.mark.slow
def test_a_prior_of_0_at_the_lead_is_0_and_said(batch):
    prior = tables.PRIOR.read(batch / "prior.tsv.gz")
    prior.loc[2, "prior"] = 0.0
    tables.PRIOR.write(prior, batch / "prior.tsv.gz")
    paths = run(batch)
    assert tables.FINEMAP_VARIANTS.read(paths["variants.tsv.gz"])["pip"].iloc[2] == 0
    remarks = tables.LOCI_STATUS.read(paths["status.tsv"])["remarks"].iloc[0]
    assert "a prior of 0 and therefore a PIP of 0, among them the strongest variant, 1:201:A:C" in remarks


def from_sumstats_to_status(world):
    """The row of LOCI_STATUS of all the chromosome, from the world's summary statistics on; uniform prior."""
    world.write("locus.bed", f"1\t0\t{LENGTH}\n")
    harmonise(world)
    shutil.move(world / "out/sumstats.parquet", world / "sumstats.parquet")
    loci(world, bed="locus.bed")
    shutil.move(world / "out/0.tsv.gz", world / "variants.tsv.gz")
    ld(world, panel="panel")
    table = tables.LOCUS_VARIANTS.read(world / "variants.tsv.gz")
    prior = table[["locus", "variant_id"]].assign(score=np.nan, log_odds=0.0, softmax=1.0, weight=0.0)
    tables.PRIOR.write(prior.assign(prior=1 / len(table)), world / "out/prior.tsv.gz")
    finemap(
        variants=world / "variants.tsv.gz", ld=world / "out/ld.npz", prior=world / "out/prior.tsv.gz",
        output=world / "out/v.tsv.gz", credible_sets=world / "out/c.tsv", status=world / "out/s.tsv",
        fits=world / "out/f.npz", settings=FinemapSettings(ld="in_sample"), lost=world / "out/0.lost.tsv.gz",
    )  # fmt: skip
    return tables.LOCI_STATUS.read(world / "out/s.tsv").iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason", "p"),
    [
        ({"p_value": "0", "beta": "NA", "standard_error": "NA"}, "missing_value", "p = 0, above -log10 p "),
        ({"effect_allele": "I", "other_allele": "D"}, "coded_alleles", "-log10 p 1"),
        ({"standard_error": "-1"}, "bad_value", "-log10 p 1"),
        ({"effect_allele": "GATTACA"}, "absent_from_panel", "-log10 p 1"),
    ],
)
def test_a_lead_that_was_lost_on_any_way_is_named_in_its_locus(tmp_path, change, reason, p):
    """From the summary statistics to the status: the lead is spoiled, and all others are as they were."""
    world = build(tmp_path)
    whole = from_sumstats_to_status(world)
    assert "strongest row of the GWAS" not in str(whole["reason"])
    lead = whole["lead_variant"].split(":")[1]
    world.gwas(**{
        name: lambda rows, name=name, value=value: np.where(rows["base_pair_location"] == lead, value, rows[name])
        for name, value in change.items()
    })  # fmt: skip
    status = from_sumstats_to_status(world)
    assert status["status"] == "incomplete"
    assert status["reason"].startswith(f"the strongest row of the GWAS in the window, 1:{lead}:")
    assert f"({p}" in status["reason"]
    assert f"was left out of the fit as {reason}: " in status["reason"]
    assert f"{reason}:1" in status["lost"].split(";")
    assert (status["gwas_rows"], whole["gwas_rows"]) == (VARIANTS, VARIANTS)
    assert status["lost_lead"].startswith(f"1:{lead}:")
