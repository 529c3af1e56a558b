import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from fineprior.files import tables
from fineprior.finemap.fits import FitFiles
from fineprior.report.exports import SCHEMA, study_locus_id, write_study_locus
from small_study import CAUSAL, write_results

LOCUS = next(iter(CAUSAL))


@pytest.fixture(scope="module", params=["susie", "search"])
def either(tmp_path_factory, request):
    return written(tmp_path_factory.mktemp(f"study_locus_{request.param}"), request.param)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return written(tmp_path_factory.mktemp("study_locus"), "susie")


def written(folder, posterior):
    results = write_results(folder, "mine", posterior=posterior)
    variants = tables.FINEMAP_VARIANTS.read(results / "functional/variants.tsv.gz")
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(results / "functional/credible_sets.tsv"))
    fits = FitFiles([results / "finemap/functional/0.fits.npz"])
    path = folder / "study_locus.parquet"
    write_study_locus(path, study="mine", model="susie", variants=variants, credible_sets=sets,
                      loci=tables.LOCI.read(results / "loci.tsv"), sumstats=results / "sumstats.parquet",
                      fits=fits)  # fmt: skip
    return pq.read_table(path), variants, sets, fits


@pytest.mark.slow
def test_a_row_for_each_set_in_gentropys_schema(either):
    table, _, sets, _ = either
    assert table.schema.equals(SCHEMA)
    rows = table.to_pylist()
    assert [row["credibleSetIndex"] for row in rows] == [int(name[1:]) for name in sets["credible_set"]]
    assert {row["region"] for row in rows} == {"1:1001-50000"}
    assert len({row["studyLocusId"] for row in rows}) == len(rows) == 2
    for row, (_, found) in zip(rows, sets.iterrows(), strict=True):
        assert row["variantId"] == found["lead_variant"].replace(":", "_")
        assert row["zScore"] == pytest.approx(row["beta"] / row["standardError"])
        assert row["purityMinR2"] == pytest.approx(found["min_abs_r"] ** 2)
        assert row["purityMeanR2"] is None
        p = row["pValueMantissa"] * 10.0 ** row["pValueExponent"]
        assert -np.log10(p) == pytest.approx(row["zScore"] ** 2 / 4.6, rel=1e-4)


def test_variants_of_a_set_are_those_of_its_effect(made):
    table, _, sets, fits = made
    fit, ids = fits[LOCUS]
    for row, (_, found) in zip(table.to_pylist(), sets.iterrows(), strict=True):
        locus = row["locus"]
        probability = np.array([one["posteriorProbability"] for one in locus])
        assert (np.diff(probability) <= 0).all()
        in_95 = [one["variantId"].replace("_", ":") for one in locus if one["is95CredibleSet"]]
        assert in_95 == found["variant_ids"].split(",")
        assert probability.sum() >= 0.99 > probability[:-1].sum()
        effect = row["credibleSetIndex"] - 1
        position = list(ids).index(locus[0]["variantId"].replace("_", ":"))
        assert locus[0]["logBF"] == fit.lbf_variable[effect, position]
        assert locus[0]["posteriorProbability"] == fit.alpha[effect, position]


def test_variants_of_a_searched_set_are_those_of_both_coverages(tmp_path):
    table, variants, sets, fits = written(tmp_path, "search")
    fit, ids = fits[LOCUS]
    pips = variants.set_index("variant_id")["pip"]
    further = {one.name: {ids[j] for j in one.variables} for one in fit.search.further.sets}
    assert len(sets) == 2
    for row, (_, found) in zip(table.to_pylist(), sets.iterrows(), strict=True):
        main = set(found["variant_ids"].split(","))
        listed = {one["variantId"].replace("_", ":"): one for one in row["locus"]}
        assert set(listed) == main | further[found["credible_set"]]
        assert {name for name, one in listed.items() if one["is95CredibleSet"]} == main
        for name, one in listed.items():
            assert one["posteriorProbability"] == pytest.approx(pips[name], rel=1e-6)
            assert one["logBF"] == fit.lbf_variable[row["credibleSetIndex"] - 1, list(ids).index(name)]


def test_a_searched_set_without_an_effect_has_no_bayes_factors(tmp_path):
    _, variants, sets, fits = written(tmp_path, "search")
    fit, ids = fits[LOCUS]
    moved = dataclasses.replace(fit.search.sets.sets[0], effect=99)
    search = dataclasses.replace(fit.search, sets=dataclasses.replace(fit.search.sets, sets=(moved,)))
    write_study_locus(tmp_path / "x.parquet", study="mine", model="susie", variants=variants,
                      credible_sets=sets.iloc[:1].assign(credible_set="L99", log10_bf=np.nan),
                      loci=tables.LOCI.read(tmp_path / "results/mine/loci.tsv"),
                      sumstats=tmp_path / "results/mine/sumstats.parquet",
                      fits={LOCUS: (dataclasses.replace(fit, search=search), ids)})  # fmt: skip
    row = pq.read_table(tmp_path / "x.parquet").to_pylist()[0]
    assert row["credibleSetlog10BF"] is None
    assert {one["logBF"] for one in row["locus"]} == {None}
    assert [one["variantId"].replace("_", ":") for one in row["locus"]] == sets["variant_ids"].iloc[0].split(",")


def test_study_locus_id_is_gentropys():
    """The value of gentropy's own documentation for this study, variant and method."""
    assert study_locus_id("GCST000001", "1_1000_A_C", "SuSiE-inf") == "109804fe1e20c94231a31bafd71b566e"


def test_no_set_is_an_empty_table(made, tmp_path):
    _, variants, sets, fits = made
    write_study_locus(tmp_path / "none.parquet", study="mine", model="susie_inf", variants=variants.iloc[:0],
                      credible_sets=sets.iloc[:0], loci=tables.LOCI.empty(), sumstats=_empty(tmp_path),
                      fits=fits)  # fmt: skip
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def _empty(folder):
    tables.SUMSTATS.write(tables.SUMSTATS.empty(), folder / "sumstats.parquet")
    return folder / "sumstats.parquet"
