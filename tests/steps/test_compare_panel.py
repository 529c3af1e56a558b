"""Rule compare_panel on real data, and the way of its number to a fit."""

import logging

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import LOCI_STATUS, LOCUS_VARIANTS, PANEL_FST, PRIOR, SUMSTATS
from fineprior.genotypes.ld_store import read_fst
from fineprior.project.settings import FinemapSettings, HarmoniseSettings, LdSettings
from fineprior.steps.compare_panel import compare_panel
from fineprior.steps.compute_ld import compute_ld
from fineprior.steps.finemap_batch import finemap
from fineprior.steps.harmonise_sumstats import harmonise_sumstats
from steps.prostate import PROSTATE, needs_prostate


@pytest.fixture
def drifted(prostate, tmp_path):
    """The prostate locus with frequencies of a GWAS whose population is 3% from the panel's."""
    table, rng = SUMSTATS.read(prostate / "sumstats.parquet"), np.random.default_rng(8)
    p, drift = table["panel_af"].to_numpy(), 0.06  # of one of the two populations: F_ST is half of it
    table["eaf"] = rng.beta(p * (1 / drift - 1), (1 - p) * (1 / drift - 1))
    SUMSTATS.write(table, tmp_path / "sumstats.parquet")
    return tmp_path


def test_real_frequencies_that_were_copied_from_the_panel(prostate, tmp_path):
    compare_panel(sumstats=str(prostate / "sumstats.parquet"), panel=str(PROSTATE / "panel"),
                  output=str(tmp_path / "fst.tsv"))  # fmt: skip
    row = PANEL_FST.read(tmp_path / "fst.tsv").iloc[0]
    assert (row["state"], row["panel_size"], np.isnan(row["fst"])) == ("copied", 343, True)


def test_ld_that_is_computed_already_has_no_frequencies(prostate, tmp_path):
    table = SUMSTATS.read(prostate / "sumstats.parquet").assign(panel_af=np.nan)
    SUMSTATS.write(table, tmp_path / "sumstats.parquet")
    compare_panel(sumstats=str(tmp_path / "sumstats.parquet"), output=str(tmp_path / "fst.tsv"))
    assert PANEL_FST.read(tmp_path / "fst.tsv")["state"].item() == "no_frequencies"


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "status"), [({}, "corrected"), ({"max_fst": 0.01}, "single_effect"),
                                                  ({"ld": "in_sample"}, "ok")])  # fmt: skip
def test_the_number_goes_with_the_ld_into_the_fit(prostate, drifted, caplog, settings, status):
    with caplog.at_level(logging.WARNING):
        compare_panel(sumstats=str(drifted / "sumstats.parquet"), panel=str(PROSTATE / "panel"),
                      output=str(drifted / "fst.tsv"))  # fmt: skip
    row = PANEL_FST.read(drifted / "fst.tsv").iloc[0]
    assert row["sentence"] in caplog.text
    assert row["fst"] == pytest.approx(0.03, abs=4 * row["fst_error"])
    batch = next(path for path in map(str, (prostate / "0.tsv.gz", prostate / "1.tsv.gz"))
                 if len(LOCUS_VARIANTS.read(path)))  # fmt: skip
    compute_ld(variants=batch, panel=str(PROSTATE / "panel"), output=str(drifted / "ld.npz"), settings=LdSettings(),
               fst=str(drifted / "fst.tsv"))  # fmt: skip
    assert read_fst(drifted / "ld.npz") == (row["fst"], row["fst_error"])
    variants = LOCUS_VARIANTS.read(batch)
    prior = pd.DataFrame({"locus": variants["locus"], "variant_id": variants["variant_id"], "score": np.nan,
                          "log_odds": 0.0, "softmax": 0.01, "weight": 0.0, "prior": 1 / len(variants)})  # fmt: skip
    PRIOR.write(prior, drifted / "prior.tsv")
    finemap(variants=batch, ld=drifted / "ld.npz", prior=drifted / "prior.tsv", output=drifted / "v.tsv",
            credible_sets=drifted / "c.tsv", status=drifted / "s.tsv", fits=drifted / "f.npz",
            settings=FinemapSettings(**settings))  # fmt: skip
    found = LOCI_STATUS.read(drifted / "s.tsv").iloc[0]
    assert found["status"] == status
    if "ld" in settings:
        assert np.isnan(found["fst"])
        assert "F_ST" not in str(found["remarks"])
        return
    assert (found["fst"], found["fst_error"]) == pytest.approx((row["fst"], row["fst_error"]))
    told = f"the panel differs from the GWAS by F_ST {row['fst']:.1%}"
    if "max_fst" in settings:
        assert found["reason"] == f"{told}, above finemap.max_fst (1.0%)"
        assert told not in str(found["remarks"])
    else:
        assert f"{told}: its LD may be wrong" in found["remarks"]


def test_an_fst_that_is_not_known_is_not_in_the_ld_file(prostate, tmp_path):
    compare_panel(sumstats=str(prostate / "sumstats.parquet"), panel=str(PROSTATE / "panel"),
                  output=str(tmp_path / "fst.tsv"))  # fmt: skip
    compute_ld(variants=str(prostate / "0.tsv.gz"), panel=str(PROSTATE / "panel"), output=str(tmp_path / "ld.npz"),
               settings=LdSettings(), fst=str(tmp_path / "fst.tsv"))  # fmt: skip
    assert read_fst(tmp_path / "ld.npz") is None


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.parquet: no such file"):
        compare_panel(sumstats=str(tmp_path / "nowhere.parquet"), output=str(tmp_path / "fst.tsv"))
    assert not (tmp_path / "fst.tsv").exists()


@pytest.mark.slow
@needs_prostate
def test_frequencies_of_the_minor_allele_are_none(tmp_path):
    """Harmonising sees that they are those of the minor allele, whichever that is."""
    table = pd.read_csv(PROSTATE / "gwas.tsv.gz", sep="\t")
    eaf = table["effect_allele_frequency"] + np.random.default_rng(3).normal(0, 0.01, len(table))
    table["effect_allele_frequency"] = np.minimum(eaf, 1 - eaf).clip(lower=0.001)
    table.to_csv(tmp_path / "gwas.tsv", sep="\t", index=False)
    paths = {"output": "sumstats.parquet", "qc": "qc.tsv", "dropped": "dropped.tsv.gz", "liftover": "liftover.tsv"}
    harmonise_sumstats(
        sumstats=str(tmp_path / "gwas.tsv"), fasta=str(PROSTATE / "reference.fa"), panel=str(PROSTATE / "panel"),
        settings=HarmoniseSettings(), **{name: str(tmp_path / file) for name, file in paths.items()},
    )  # fmt: skip
    compare_panel(sumstats=str(tmp_path / "sumstats.parquet"), panel=str(PROSTATE / "panel"),
                  output=str(tmp_path / "fst.tsv"))  # fmt: skip
    assert PANEL_FST.read(tmp_path / "fst.tsv")["state"].item() == "no_frequencies"
