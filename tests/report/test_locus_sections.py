import base64
import gzip
import json

import numpy as np
import pandas as pd
import pytest

from fineprior.report import locus_sections
from fineprior.report.locus_sections import (
    candidate_table,
    in_genome_order,
    joined_variants,
    packed_variants,
    posterior_sentence,
    set_table,
    shown_sets,
    status_table,
)
from fineprior.report.plots import data_uri, locus_figure


@pytest.fixture(scope="module")
def tables(study_tables):
    return study_tables(4, 30)


@pytest.fixture(scope="module")
def variants(tables):
    return joined_variants(tables.variants)


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_packed_variants_are_those_of_the_table(variants):
    own = variants[variants["locus"] == variants["locus"].iloc[0]]
    read = unpacked(packed_variants(own.iloc[::-1]))
    pos = np.cumsum(read["steps"])
    assert [f"{read['chrom']}:{p}:{a}" for p, a in zip(pos, read["alleles"], strict=True)] == own["variant_id"].tolist()
    np.testing.assert_allclose(read["functional"], own["pip_functional"], atol=5e-5)
    np.testing.assert_allclose(read["r2"], own["r_lead"] ** 2, atol=5e-3)
    assert [bool(name) for name in read["set_uniform"]] == own["in_set_uniform"].tolist()
    assert packed_variants(own) == packed_variants(own.iloc[::-1])


def test_missing_values_are_packed_as_null(variants):
    failed = variants[variants["pip_uniform"].isna()]
    read = unpacked(packed_variants(failed))
    assert len(failed)
    assert set(read["uniform"]) == {None}
    assert None not in read["p"]


@pytest.mark.slow
def test_a_hundred_large_loci_fit_into_a_page(study_tables):
    made = study_tables(1, 3_000)
    own = joined_variants(made.variants)
    picture = data_uri(locus_figure, own, int(made.loci["start"].iloc[0]), int(made.loci["end"].iloc[0]), kind="png")
    assert len(picture) + len(packed_variants(own)) < 135_000


def test_candidates_are_probable_under_either_prior(variants, monkeypatch):
    high = variants[(variants["pip_uniform"] >= 0.1) | (variants["pip_functional"] >= 0.1)]
    table, more = candidate_table(variants)
    assert {row[1][0] for row in table.rows} == set(high["variant_id"])
    assert more == 0
    pips = [float(row[3][1] or row[3][0]) for row in table.rows]
    assert pips == sorted(pips, reverse=True)
    monkeypatch.setattr(locus_sections, "MOST_CANDIDATES", 2)
    table, more = candidate_table(variants)
    assert (len(table.rows), more) == (2, len(high) - 2)


def test_genes_are_columns_where_they_are_known(tables):
    bare, _ = candidate_table(joined_variants(tables.variants))
    of_sets = set_table(shown_sets(tables.credible_sets, in_genome_order(tables.loci)))
    assert not {"gene", "gene_distance", "consequence", "genes"} & {
        one.name for one in [*bare.headers, *of_sets.headers]
    }
    known = {prior: frame.assign(gene="VPS53", gene_distance=886.0, consequence="upstream_gene_variant")
             for prior, frame in tables.variants.items()}  # fmt: skip
    table, _ = candidate_table(joined_variants(known))
    assert [header.name for header in table.headers][4:7] == ["gene", "gene_distance", "consequence"]
    assert table.headers[6].meaning.startswith("what the variant does")
    assert {row[4][0] for row in table.rows} == {"VPS53"}
    sets = {prior: frame.assign(gene="VPS53", genes="VPS53,NXN") for prior, frame in tables.credible_sets.items()}
    table = set_table(shown_sets(sets, in_genome_order(tables.loci)))
    shown = [header.name for header in table.headers]
    assert {row[shown.index("genes")][0] for row in table.rows} == {"VPS53, NXN"}


def test_the_page_says_where_pips_come_from(tables):
    status = tables.status["functional"]
    assert posterior_sentence(status) == "PIPs and credible sets are those of SuSiE."
    assert posterior_sentence(status.assign(posterior=None)) == ""
    searched = status.assign(posterior=["search", "search", "susie", None], expected_causal=[1.25, 2.5, np.nan, np.nan],
                             search_gap=[0.001, 0.002, np.nan, np.nan])  # fmt: skip
    text = posterior_sentence(searched)
    assert "in 2 of 3 loci" in text
    assert "expects 3.75 causal variants" in text
    assert "halves" not in text
    searched["search_gap"] = [0.001, 0.03, np.nan, np.nan]
    apart = posterior_sentence(searched)
    assert "In 1 of these the halves of the search do not agree: a PIP differs by 0.01 or more." in apart


def test_sets_of_all_loci_are_in_order_of_the_genome(tables):
    order = in_genome_order(tables.loci.iloc[::-1].assign(chrom="chr1"))
    mixed = {prior: frame.iloc[::-1] for prior, frame in tables.credible_sets.items()}
    rows = set_table(shown_sets(mixed, order)).rows
    names = [row[0][0] for row in rows]
    assert names == sorted(names, key=list(order["locus"]).index)
    assert [row[1][0] for row in rows[:2]] == ["uniform", "functional"]


def test_statuses_are_counted_from_good_to_bad(tables):
    rows = status_table(tables.status).rows
    assert [[text for text, _ in row] for row in rows] == [
        ["ok", "2", "2"],
        ["no_signal", "1", "1"],
        ["failed", "1", "1"],
    ]


def test_a_status_of_one_prior_only_counts_zero_under_the_other(tables):
    status = {"uniform": tables.status["uniform"].assign(status="ok"), "functional": pd.DataFrame({"status": ["own"]})}
    rows = status_table(status).rows
    assert [[text for text, _ in row] for row in rows] == [["ok", "4", "0"], ["own", "0", "1"]]


def sections(tables, **status):
    changed = {prior: frame.assign(**status) for prior, frame in tables.status.items()}
    order = in_genome_order(tables.loci)
    sets = shown_sets(tables.credible_sets, order)
    change = pd.Series(dtype=float)
    return locus_sections.locus_sections(order, joined_variants(tables.variants), sets, changed, change, 0)


def test_what_a_locus_holds_is_said_in_words(tables):
    first = sections(tables, lost_lead="1:5:A:G", empty_start=120.0)[0]
    assert first["holds"] == (
        "Of 33 rows of the GWAS in the window, 30 were fitted (90.9%); not fitted: low_maf 2, missing_value 1, the "
        "strongest of them 1:5:A:G (\N{MINUS SIGN}log10 p 2.50). 0.3 variants per kb; no variants in the first 120 and "
        "the last 80 bp; neighbouring variants are at most 5,000 bp apart."
    )
    whole = sections(tables, lost=None, lost_lead=None, variants_per_kb=np.nan, empty_start=np.nan, empty_end=np.nan,
                     largest_gap=np.nan)[0]  # fmt: skip
    assert whole["holds"] == "Of 33 rows of the GWAS in the window, 30 were fitted (90.9%)."


def test_remarks_of_both_priors_are_shown_once_each(tables):
    remarks = {prior: frame.assign(remarks=["few", None, None, None]) for prior, frame in tables.status.items()}
    remarks["functional"] = remarks["functional"].assign(remarks=["zero", None, None, None])
    order = in_genome_order(tables.loci)
    sets = shown_sets(tables.credible_sets, order)
    made = locus_sections.locus_sections(
        order, joined_variants(tables.variants), sets, remarks, pd.Series(dtype=float), 0
    )
    assert [locus["remarks"] for locus in made] == [["few", "zero"], [], [], []]
