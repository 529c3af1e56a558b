"""A published locus with the LD of 343 other people: two of SuSiE's three credible sets are artefacts."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from fineprior.finemap.ld_mismatch import diagnose_ld
from fineprior.finemap.locus import fit_locus
from fineprior.finemap.susie import susie_rss
from fineprior.project.settings import FinemapSettings

FOLDER = Path(__file__).parents[3] / "shared/data/prostate_chr17"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="real data are not here")
N = 140_306


@pytest.fixture(scope="module")
def locus():
    """Names, z (of the allele that the panel counts) and R of the variants in GWAS and panel."""
    bim = [line.split() for line in (FOLDER / "panel.bim").read_text().splitlines()]
    people = len((FOLDER / "panel.fam").read_text().splitlines())
    packed = np.fromfile(FOLDER / "panel.bed", np.uint8)[3:].reshape(len(bim), -1)
    codes = ((packed[:, :, None] >> np.array([0, 2, 4, 6])) & 3).reshape(len(bim), -1)[:, :people]
    panel = {int(row[3]): (row[4], row[5], np.array([2.0, np.nan, 1, 0])[codes[i]]) for i, row in enumerate(bim)}
    names, z, dosages = [], [], []
    with gzip.open(FOLDER / "gwas.tsv.gz", "rt") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            a1, a2, dosage = panel.get(int(row["base_pair_location"]), ("", "", None))
            if {a1, a2} == {row["effect_allele"], row["other_allele"]}:
                sign = 1 if a1 == row["effect_allele"] else -1
                names.append(row["rsid"])
                z.append(sign * float(row["beta"]) / float(row["standard_error"]))
                dosages.append(dosage)
    return names, np.array(z), np.corrcoef(np.array(dosages)), people


def test_s_is_that_of_susier(locus):
    """susieR 0.12.35: estimate_s_rss 0.04947188."""
    _, z, R, _ = locus
    assert diagnose_ld(z, R, N).s == pytest.approx(0.04947188, abs=1e-6)


def test_kriging_is_that_of_susier(locus):
    """susieR 0.12.35: kriging_rss; mean and variance exact, likelihood ratio by another optimiser."""
    _, z, R, people = locus
    found = diagnose_ld(z, R, N, people)
    for index, mean, variance in ((0, -0.25583734, 0.53758266), (230, 0.63316882, 0.22337806)):
        assert found.conditional_mean[index] == pytest.approx(mean, abs=1e-6)
        assert found.conditional_sd[index] ** 2 == pytest.approx(variance, abs=1e-6)
    assert found.switch_log_lr[230] == pytest.approx(3.320, abs=0.1)
    assert not found.switched.any()


@pytest.mark.slow
def test_default_path_ends_with_the_one_set_and_says_why(locus):
    names, z, R, people = locus
    plain = [{names[j] for j in found.variables} for found in susie_rss(z, R, N).sets.sets]
    assert len(plain) == 3
    found = fit_locus(names, z, R, N, None, FinemapSettings(), panel_size=people)
    assert [{names[j] for j in one.variables} for one in found.fit.sets.sets] == [{"rs684232", "rs461251"}]
    assert found.status == "corrected"
    assert found.reason.startswith("2 credible sets of SuSiE without corrections not kept")
    assert "343 people" in found.reason
    assert "rs11247570 (z = 3.9" in found.reason


@pytest.mark.slow
def test_default_path_needs_no_panel_size(locus):
    names, z, R, _ = locus
    found = fit_locus(names, z, R, N, None, FinemapSettings())
    assert [{names[j] for j in one.variables} for one in found.fit.sets.sets] == [{"rs684232", "rs461251"}]


def test_one_effect_gives_the_same_set_without_ld(locus):
    names, z, _, _ = locus
    found = fit_locus(names, z, None, N, None, FinemapSettings())
    assert found.status == "single_effect"
    assert [{names[j] for j in one.variables} for one in found.fit.sets.sets] == [{"rs684232", "rs461251"}]
    assert found.fit.pip[names.index("rs684232")] == pytest.approx(0.717, abs=0.001)


@pytest.mark.slow
def test_wrong_alleles_are_found(locus):
    names, z, R, people = locus
    z = z.copy()
    leads = [names.index(name) for name in ("rs684232", "rs461251")]
    z[leads[1]] *= -1
    found = fit_locus(names, z, R, N, None, FinemapSettings(), panel_size=people)
    assert found.ladder.left_out.tolist() == [leads[1]]
    assert [list(one.variables) for one in found.fit.sets.sets] == [[leads[0]]]
