import numpy as np
import pyarrow.parquet as pq
import pytest

from fineprior.files import tables
from fineprior.finemap.fits import FitFiles
from fineprior.report.exports import SCHEMA, study_locus_id, write_study_locus
from small_study import CAUSAL, write_results

LOCUS = next(iter(CAUSAL))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study_locus")
    results = write_results(folder, "mine")
    variants = tables.FINEMAP_VARIANTS.read(results / "functional/variants.tsv.gz")
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(results / "functional/credible_sets.tsv"))
    fits = FitFiles([results / "finemap/functional/0.fits.npz"])
    path = folder / "study_locus.parquet"
    write_study_locus(path, study="mine", model="susie", variants=variants, credible_sets=sets,
                      loci=tables.LOCI.read(results / "loci.tsv"), sumstats=results / "sumstats.parquet",
                      fits=fits)  # fmt: skip
    return pq.read_table(path), variants, sets, fits


@pytest.mark.slow
def test_a_row_for_each_set_in_gentropys_schema(made):
    table, _, sets, _ = made
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
