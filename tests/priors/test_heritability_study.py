"""Which columns and rows of LD scores a regression takes."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import SUMSTATS
from fineprior.priors.annotation_files import AnnotationFiles
from fineprior.priors.heritability_study import ScoreRows, StudyVariants, columns_of, weight_column, weights_of


def scores(folder, name, chrom="1", **columns):
    """LD scores of three variants of a chromosome, by position and alleles."""
    table = pd.DataFrame({"CHR": chrom, "SNP": ["a", "b", "c"], "BP": [10, 20, 30], "A1": "A", "A2": ["C", "G", "T"]})
    table.assign(**columns).to_parquet(folder / f"{name}.{chrom}.parquet")
    return AnnotationFiles(str(folder / f"{name}.{{chrom}}.parquet"))


@pytest.fixture
def study(tmp_path):
    """Variants at 30, 20 (alleles exchanged) and 40 of chr1, and one of chr2."""
    rows = pd.DataFrame({
        "variant_id": ["x", "y", "w", "v"], "rsid": ["c", "b", "w", "v"], "chrom": ["chr1"] * 3 + ["chr2"],
        "pos": [30, 20, 40, 10], "ref": ["A", "G", "A", "A"], "alt": ["T", "A", "C", "C"], "z": [3.0, -2.0, 1.0, 5.0],
        "n": [100.0, 200.0, 300.0, 400.0],
    })  # fmt: skip
    rows.reindex(columns=SUMSTATS.names).to_parquet(tmp_path / "sumstats.parquet")
    return StudyVariants(str(tmp_path / "sumstats.parquet"))


def test_a_study_is_read_by_chromosome(study):
    assert study.sizes == {"1": 3, "2": 1}
    here = study.read("1")
    assert here.chi2.tolist() == [9, 4, 1]
    assert here.n.tolist() == [100, 200, 300]


def test_rows_are_those_of_both_in_the_order_of_the_file(study, tmp_path):
    files = scores(tmp_path, "ld", L2=[1.0, 2.0, 3.0], codingL2=[0.1, 0.2, 0.3])
    rows = list(ScoreRows(study, ["1"], files, files, ["codingL2"])())
    assert [part.chrom for part in rows] == ["1"]
    np.testing.assert_array_equal(rows[0].chi2, [4, 9])
    np.testing.assert_array_equal(rows[0].n, [200, 100])
    np.testing.assert_allclose(rows[0].weight_ld, [2, 3])
    np.testing.assert_allclose(rows[0].ld_scores[:, 0], [0.2, 0.3], rtol=1e-6)  # float32


def test_constant_columns_are_named(study, tmp_path):
    files = scores(tmp_path, "ld", L2=[1.0, 2.0, 3.0], same=[9.0, 0.5, 0.5])
    assert ScoreRows(study, ["1"], files, files, ["L2", "same"]).constant() == ["same"]


def test_a_variant_without_a_weight_is_not_used(study, tmp_path):
    files = scores(tmp_path, "ld", L2=[1.0, 2.0, 3.0])
    weights = AnnotationFiles(scores(tmp_path, "weights", L2=[1.0, 2.0, 3.0]).pattern)
    other = scores(tmp_path, "other", chrom="2", L2=[1.0, 2.0, 3.0])
    np.testing.assert_array_equal(weights_of(study.read("1"), weights, "1", "L2"), [3, 2, np.nan])
    assert np.isnan(weights_of(study.read("1"), other, "1", "L2")).all()
    assert ScoreRows(study, ["1"], files, other, ["L2"]).chromosomes == []


@pytest.mark.parametrize(
    ("columns", "used"),
    [(["coding", "base", "L2"], "L2"), (["coding", "baseL2"], "baseL2"), (["only"], "only"), (["one", "two"], None)],
)
def test_the_column_to_weight_with(tmp_path, columns, used):
    files = scores(tmp_path, "ld", **dict.fromkeys(columns, 1.0))
    if used:
        assert weight_column(files) == used
        return
    with pytest.raises(InputError, match="no column L2, base, baseL2 to weight with"):
        weight_column(files)


def test_ld_scores_of_annotations_are_found_by_either_name(tmp_path):
    annotations = scores(tmp_path, "annotations", coding=1.0, peak=0.0)
    assert columns_of(annotations, scores(tmp_path, "ld", codingL2=1.0, peak=1.0, further=1.0)) == {
        "coding": "codingL2", "peak": "peak",
    }  # fmt: skip
    with pytest.raises(InputError, match="no LD scores of annotation peak"):
        columns_of(annotations, scores(tmp_path, "fewer", codingL2=1.0))
