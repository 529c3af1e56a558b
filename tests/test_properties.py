"""What harmonising must not depend on: the order of rows, their effect allele, their strand, and having been done."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_inputs.world import VARIANTS, build
from fineprior.finemap.susie import susie_rss
from fineprior.genome.fasta import Genome
from fineprior.genotypes.ld import panel_ld
from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.harmonise import harmonise
from fineprior.sumstats.reader import STANDARD, read_sumstats

SETTINGS = HarmoniseSettings(min_maf=0.0)
COMPLEMENT = str.maketrans("ACGT", "TGCA")
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
               derandomize=True, database=None)  # fmt: skip
subsets = st.lists(st.booleans(), min_size=VARIANTS, max_size=VARIANTS).map(np.array)


class Study:
    """A GWAS with its genome and panel."""

    def __init__(self, folder):
        world = build(folder)
        self.genome, self.panel = Genome(world / "genome.fa"), PlinkPanel(world / "panel")
        self.rows = read_sumstats(world / "gwas.tsv")
        self.expected = self.harmonised(self.rows)

    def harmonised(self, rows):
        return harmonise(rows.reset_index(drop=True), self.genome, self.panel, SETTINGS).sumstats

    def pips(self, table):
        r = panel_ld(table, self.panel).astype(float)
        return susie_rss(table["z"].to_numpy(), r, float(table["n"].median()), L=5).pip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("properties"))


def other_way_round(rows, which):
    """Some rows with their alleles, signs and frequencies exchanged."""
    turned = rows.copy()
    turned["effect_allele"] = rows["other_allele"].where(which, rows["effect_allele"])
    turned["other_allele"] = rows["effect_allele"].where(which, rows["other_allele"])
    for name in ("beta", "z"):
        turned[name] = rows[name].where(~which, -rows[name])
    turned["eaf"] = rows["eaf"].where(~which, 1 - rows["eaf"])
    return turned


def same(found, expected):
    pd.testing.assert_frame_equal(found.drop(columns="action"), expected.drop(columns="action"), rtol=1e-12)


@pytest.mark.slow
def test_harmonising_is_idempotent(study):
    table = study.expected
    again = table.rename(columns={"alt": "effect_allele", "ref": "other_allele"}).assign(
        row=np.arange(len(table)) + 2, source_pos=table["pos"].astype("str"), pos=table["pos"].astype("float64"),
        info=np.nan,
    )[list(STANDARD)]  # fmt: skip
    found = study.harmonised(again)
    assert set(found["action"]) == {"kept"}
    same(found, table)


@pytest.mark.slow
@few
@given(which=subsets)
def test_which_allele_a_row_calls_its_effect_allele_is_irrelevant(study, which):
    found = study.harmonised(other_way_round(study.rows, which))
    same(found, study.expected)
    swapped = set(found.loc[found["action"] == "swapped", "rsid"])
    assert swapped == set(study.rows.loc[which, "rsid"]) & set(study.expected["rsid"])
    assert np.allclose(study.pips(found), study.pips(study.expected), atol=1e-9)


@pytest.mark.slow
@few
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_is_irrelevant(study, seed):
    order = np.random.default_rng(seed).permutation(len(study.rows))
    pd.testing.assert_frame_equal(study.harmonised(study.rows.iloc[order]), study.expected)


@pytest.mark.slow
@few
@given(which=subsets, turned=subsets)
def test_the_strand_of_rows_that_are_no_palindromes_is_irrelevant(study, which, turned):
    rows = other_way_round(study.rows, turned)
    alleles = rows[["effect_allele", "other_allele"]]
    palindromic = alleles["effect_allele"].str.translate(COMPLEMENT) == alleles["other_allele"]
    which = which & ~palindromic.to_numpy()
    for name in alleles:
        rows[name] = alleles[name].str.translate(COMPLEMENT).where(which, alleles[name])
    found = study.harmonised(rows)
    same(found, study.expected)
    reversed_rows = set(found.loc[found["action"].str.startswith("strand"), "rsid"])
    assert reversed_rows == set(study.rows.loc[which, "rsid"]) & set(study.expected["rsid"])
