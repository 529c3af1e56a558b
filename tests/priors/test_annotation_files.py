"""Annotation files of PolyFun and LDSC: which rows belong to which variants, and what is wrong with them."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.annotation_files import AnnotationFiles, Match, check_matches, read_sizes, variant_keys

TABLE = pd.DataFrame({
    "CHR": 1, "SNP": ["rs1", "rs2", "rs3", "rs4"], "BP": [10, 20, 30, 30], "A1": ["A", "C", "G", "GT"],
    "A2": ["G", "T", "a", "G"], "base": 1, "coding": [0.0, 1.0, 0.0, 0.5],
})  # fmt: skip


def write(folder, frame, chrom="1", suffix=".annot.parquet"):
    path = folder / f"x.{chrom}{suffix}"
    if suffix.endswith("parquet"):
        frame.to_parquet(path, row_group_size=2)
    else:
        frame.to_csv(path, sep="\t", index=False)
    return str(folder / ("x.{chrom}" + suffix))


@pytest.mark.parametrize("suffix", [".annot.parquet", ".annot.gz", ".l2.ldscore.gz"])
def test_rows_and_values(tmp_path, suffix):
    files = AnnotationFiles(write(tmp_path, TABLE, "chr1", suffix))
    assert list(files.paths) == ["1"]
    assert files.columns == ["base", "coding"]
    others = [pd.Series(list("GTAG")), pd.Series(["A", "C", "g", "GT"])]
    assert files.keys("1").tolist() == variant_keys(pd.Series([10, 20, 30, 30]), *others).tolist()
    assert files.keys("1").is_unique
    values = np.concatenate([part for _, part in files.values("1", ["coding", "base"])])
    np.testing.assert_array_equal(values, [[0, 1], [1, 1], [0, 1], [0.5, 1]])


def test_two_files_of_one_chromosome_are_an_error(tmp_path):
    write(tmp_path, TABLE, "1")
    with pytest.raises(InputError, match=r"annot.parquet: 1 and chr1 are one chromosome by name; keep one of them"):
        AnnotationFiles(write(tmp_path, TABLE, "chr1"))


def test_parts_make_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("fineprior.priors.annotation_files._AT_ONCE", 3)
    for suffix in (".annot.parquet", ".annot.gz"):
        files = AnnotationFiles(write(tmp_path, TABLE, suffix=suffix))
        parts = list(files.values("1", ["coding"]))
        assert [first for first, _ in parts][:2] == [0, parts[0][1].shape[0]]
        np.testing.assert_array_equal(np.concatenate([part for _, part in parts])[:, 0], TABLE["coding"])


def test_alleles_in_either_order_are_one_variant_and_the_rest_is_counted():
    study = variant_keys(pd.Series([10, 20, 30, 50]), pd.Series(list("GTGA")), pd.Series(list("ACTG")))
    file = variant_keys(TABLE["BP"], TABLE["A1"], TABLE["A2"])
    file = file.append(variant_keys(pd.Series([10, 70]), pd.Series(["A", "A"]), pd.Series(["G", "C"])))
    match = Match(file, study, by_alleles=True)
    assert match.file_rows.tolist() == [0, 1]
    assert match.rows.tolist() == [0, 1]
    assert match.counts == {"matched": 2, "again": 1, "with other alleles at the position, or there twice": 2,
                            "with no such position": 1}  # fmt: skip


def test_files_without_alleles_are_known_by_rsid(tmp_path):
    files = AnnotationFiles(write(tmp_path, TABLE.drop(columns=["A1", "A2"]), suffix=".annot.gz"))
    assert not files.by_alleles
    match = Match(files.keys("1"), pd.Index(["rs9", "rs4", np.nan, "rs1", "rs2", "rs2"]), by_alleles=False)
    assert match.file_rows.tolist() == [0, 3]
    assert match.rows.tolist() == [3, 1]
    assert match.counts["with no such rsid, or there twice"] == 2


def test_another_build_is_an_error():
    pos, first, second = pd.Series(range(1000)), pd.Series(["A"] * 1000), pd.Series(["C"] * 1000)
    keys, others = variant_keys(pos, first, second), variant_keys(pos, first, second + "T")
    few = Match(others, keys[:400].append(others[5:6]), True)
    with pytest.raises(InputError, match=r"x: 1 of its rows are variants of sumstats \(.*another genome build"):
        check_matches({"1": few}, {"1": 401}, "x", "sumstats")
    check_matches({"1": Match(keys, keys[:20], True)}, {"1": 20}, "x", "sumstats")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coding": [0, np.nan, 1, 1]}, "row 2: coding is missing"),
        ({"coding": ["x", "0", "1", "2"]}, "not numbers only, .*'x'"),
        ({"CHR": 2}, "has variants of chromosome 2, not only of 1"),
        ({"BP": ["10", "x", "30", "40"]}, "position 'x' is not a whole number"),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, change, message):
    files = AnnotationFiles(write(tmp_path, TABLE.assign(**change)))
    with pytest.raises(InputError, match=message):
        list(files.keys("1")), list(files.values("1", files.columns))


def test_what_is_wrong_with_the_files(tmp_path):
    with pytest.raises(InputError, match="no file fits"):
        AnnotationFiles(str(tmp_path / "{chrom}.annot.parquet"))
    write(tmp_path, TABLE.drop(columns="coding"), "2")
    pattern = write(tmp_path, TABLE)
    with pytest.raises(InputError, match="'coding' is in one of them only"):
        AnnotationFiles(pattern)
    (tmp_path / "x.2.annot.parquet").write_text("nothing")
    with pytest.raises(InputError, match="not a readable table"):
        AnnotationFiles(pattern)


def test_sizes_are_summed_over_chromosomes(tmp_path):
    for chrom in "12":
        pattern = write(tmp_path, TABLE.assign(CHR=int(chrom)), chrom, ".l2.ldscore.parquet")
        assert read_sizes(pattern, [chrom], 2) is None
        (tmp_path / f"x.{chrom}.l2.M").write_text("4\t1.5\n")
    np.testing.assert_array_equal(read_sizes(pattern, ["1", "2"], 2), [8, 3])
    with pytest.raises(InputError, match="3 numbers are needed"):
        read_sizes(pattern, ["1"], 3)
