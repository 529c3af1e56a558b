"""What harmonising leaves: counts of what was met, and the strongest of what was lost."""

import logging

import numpy as np
import pandas as pd
import pytest

from fineprior.files.tables import DROPPED
from fineprior.project.settings import HarmoniseSettings
from fineprior.sumstats.agreement import FROM_P, TWO_VALUES
from fineprior.sumstats.harmonise import harmonise
from fineprior.sumstats.rows import MARKS


@pytest.fixture
def run(world, caplog):
    caplog.set_level(logging.WARNING)
    return lambda frame: harmonise(frame, world.genome, world.panel, HarmoniseSettings(), "gwas.tsv")


def test_the_strongest_lost_rows_are_named_in_order_with_their_reasons(world, run, caplog):
    frame = world.gwas.copy()
    frame.loc[:7, "neg_log10_p"] = [8.0, 30.0, np.inf, 9.0, 12.5, 11.0, 10.0, 7.0]
    frame.loc[[1, 4, 5, 6, 7], "info"] = 0.1
    frame.loc[[0, 3], "z"] = np.nan
    frame.loc[2, ["z", "se"]] = np.nan
    run(frame)
    where = [f"{row.chrom}:{row.source_pos}" for row in frame.itertuples()]
    assert "gwas.tsv: 7 rows with p < 5e-8 were left out; the strongest, " + "; ".join([
        f"{where[2]} (-log10 p unknown, for p is 0), as missing_value", f"{where[1]} (-log10 p 30.0), as low_info",
        f"{where[4]} (-log10 p 12.5), as low_info", f"{where[5]} (-log10 p 11.0), as low_info",
        f"{where[6]} (-log10 p 10.0), as low_info",
    ]) in caplog.text  # fmt: skip


def test_a_row_of_which_the_variant_is_kept_is_not_lost(world, run, caplog):
    frame = world.gwas.copy()
    frame.loc[0, "neg_log10_p"] = 20.0
    again = frame.head(1).assign(n=1.0, row=99)
    again["z"] = frame["z"][0] * (1.0 / frame["n"][0]) ** 0.5
    result = run(pd.concat([frame, again]))
    assert result.dropped["reason"].to_list() == ["duplicate"]
    assert "were left out" not in caplog.text


def test_lost_rows_have_their_place_and_p_for_the_loci_that_they_are_lost_to(world, run):
    frame = world.gwas.copy()
    frame.loc[0, ["z", "se", "neg_log10_p"]] = [np.nan, np.nan, np.inf]
    frame.loc[1, ["info", "neg_log10_p"]] = [0.1, 15.7]
    frame.loc[2, "chrom"] = "17"
    frame.loc[3, "pos"] = np.nan
    lost = run(frame).dropped
    assert lost["reason"].to_list() == ["missing_value", "low_info", "contig_missing", "missing_value"]
    assert lost["genome_chrom"].fillna("none").to_list() == ["chr1", "chr1", "none", "chr1"]
    assert lost["genome_pos"].to_list()[:2] == world.variants["pos"].to_list()[:2]
    assert lost["genome_pos"].to_list()[2:] == [0, 0]
    assert lost["neg_log10_p"].to_list()[:2] == [np.inf, 15.7]


def test_infinite_p_values_go_through_the_file(world, run, tmp_path):
    frame = world.gwas.copy()
    frame.loc[0, ["z", "se", "neg_log10_p"]] = [np.nan, np.nan, np.inf]
    DROPPED.write(run(frame).dropped, tmp_path / "d.tsv.gz")
    back = DROPPED.read(tmp_path / "d.tsv.gz")
    assert back["neg_log10_p"].to_list() == [np.inf]
    assert back["genome_pos"].to_list() == [world.variants["pos"][0]]


def test_rows_that_were_reconciled_are_counted(world, run):
    marks = np.zeros(len(world.gwas), np.uint8)
    marks[[2, 3, 5]] = FROM_P, TWO_VALUES, FROM_P | TWO_VALUES
    qc = run(world.gwas.assign(**{MARKS: marks})).qc.set_index("reason")
    assert (qc["rows"]["z_from_p"], qc["rows"]["two_values"]) == (2, 2)
    assert (qc.loc[["z_from_p", "two_values"], "outcome"] == "of those kept").all()
