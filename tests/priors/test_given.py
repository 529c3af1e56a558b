"""Values from files of the user: formats, alleles in either order, and what is refused."""

import h5py
import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.given import read_values

VARIANTS = pd.DataFrame({
    "variant_id": ["chr1:10:A:C", "chr1:10:A:G", "chr1:20:AT:A", "chrX:5:G:T", "chr2:7:C:T"],
    "chrom": ["chr1", "chr1", "chr1", "chrX", "chr2"], "pos": [10, 10, 20, 5, 7],
    "ref": ["A", "A", "AT", "G", "C"], "alt": ["C", "G", "A", "T", "T"],
})  # fmt: skip
# Counted allele first: as the variants, turned, turned, as they are; the last has another allele.
ROWS = [("1", 10, "C", "A", 1.0), ("1", 10, "A", "G", 2.0), ("1", 20, "AT", "A", 3.0), ("23", 5, "T", "G", 4.0),
        ("2", 7, "G", "C", 5.0), ("1", 999, "C", "A", 6.0)]  # fmt: skip


def snpvar(path, rows=ROWS):
    frame = pd.DataFrame(rows, columns=["CHR", "BP", "A1", "A2", "SNPVAR"])
    frame.insert(1, "SNP", [f"rs{number}" for number in range(len(frame))])
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize("name", ["snpvar.gz", "snpvar.tsv", "snpvar.parquet"])
def test_polyfun_files_as_they_are(tmp_path, name, caplog):
    caplog.set_level("INFO")
    values = read_values(VARIANTS, snpvar(tmp_path / name))
    np.testing.assert_array_equal(values, [1, 2, 3, 4, np.nan])
    assert "values of 4 of 5 variants, 2 with the alleles in the other order" in caplog.text


def test_signed_values_turn_with_the_allele(tmp_path):
    values = read_values(VARIANTS, snpvar(tmp_path / "scores.tsv"), "SNPVAR", signed=True)
    np.testing.assert_array_equal(values, [1, -2, -3, 4, np.nan])


@pytest.mark.parametrize(("separator", "suffix"), [(",", "csv"), ("\t", "tsv"), (" ", "txt")])
def test_other_spellings_of_columns_and_separators(tmp_path, separator, suffix):
    path = tmp_path / f"mine.{suffix}"
    frame = VARIANTS[["chrom", "pos", "ref", "alt"]].assign(cadd=[1.5, 2, 3, 4, 5], other=0)
    frame.to_csv(path, sep=separator, index=False)
    np.testing.assert_array_equal(read_values(VARIANTS, path, "cadd"), [1.5, 2, 3, 4, 5])


def test_by_variant_id_with_missing_values(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("variant_id\tprobability\nchr1:10:A:C\t0.5\nX:5:G:T\tNA\n2:7:T:C\t0.25\n")
    np.testing.assert_array_equal(read_values(VARIANTS, path, "probability"), [0.5, np.nan, np.nan, np.nan, 0.25])


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "nan", ".", "null", "None", "<NA>"])
def test_missing_values_are_those_of_all_other_files(tmp_path, missing):
    path = tmp_path / "mine.tsv"
    path.write_text(f"variant_id\tscore\nchr1:10:A:C\t-9\n2:7:C:T\t{missing}\n")
    assert read_values(VARIANTS, path, "score", signed=True)[[0, 4]] == pytest.approx([-9, np.nan], nan_ok=True)


def sad(path, rows, effects):
    with h5py.File(path, "w") as stored:
        chrom, pos, ref, alt = zip(*rows, strict=True)
        for name, texts in (("chr", chrom), ("ref", ref), ("alt", alt), ("snp", ["rs"] * len(rows))):
            stored[name] = np.array(texts, dtype="S8")
        stored["pos"] = np.array(pos)
        stored["SAD"] = np.array(effects, dtype=np.float16)


@pytest.mark.slow
def test_enformer_files_of_several_chromosomes(tmp_path):
    sad(tmp_path / "g.1.h5", [("chr1", 10, "A", "C"), ("chr1", 10, "G", "A")], [[3.0, 4.0, 9.0], [1.0, -2.0, 9.0]])
    sad(tmp_path / "g.2.h5", [("chr2", 7, "C", "T")], [[0.5, 0.0, 9.0]])
    pattern = tmp_path / "g.*.h5"
    np.testing.assert_array_equal(read_values(VARIANTS, pattern, "0,1")[[0, 4]], [5, 0.5])
    np.testing.assert_array_equal(read_values(VARIANTS, pattern, "1", signed=True), [4, 2, np.nan, np.nan, 0])


def test_a_row_twice_is_one_and_two_values_are_refused(tmp_path):
    assert read_values(VARIANTS, snpvar(tmp_path / "a.tsv", [*ROWS, ROWS[0]]))[0] == 1
    twice = [*ROWS, ("1", 10, "A", "C", 1.5)]
    with pytest.raises(InputError, match="variant chr1:10:A:C has two values"):
        read_values(VARIANTS, snpvar(tmp_path / "b.tsv", twice))


@pytest.mark.parametrize(
    ("text", "column", "match"),
    [
        (None, "", "a.tsv: no such file"),
        ("chrom\tpos\tvalue\n1\t10\t1\n", "", "variant_id, or chromosome, position and two alleles .* it has chrom"),
        ("chrom\tpos\tref\talt\ta\tb\n1\t10\tA\tC\t1\t2\n", "", "which column holds the value\\?; there are a, b"),
        ("chrom\tpos\tref\talt\ta\n1\t10\tA\tC\t1\n", "b", "no column 'b'; there are a"),
        ("chrom\tpos\tref\talt\ta\n1\t10\tA\tC\thigh\n", "a", "a.tsv, line 2: a 'high' is not a finite number"),
        ("chrom\tpos\tref\talt\ta\n1\tten\tA\tC\t1\n", "a", "a.tsv, line 2: position 'ten' is not"),
        ("variant_id\ta\nrs1\t1\n", "a", "variant_id must be chrom:pos:ref:alt, not rs1"),
        ("chrom\tpos\tref\talt\ta\n1\t11\tA\tC\t1\n", "a", "none of the 5 variants is in it; is it of another genome"),
        ("", "a", "a.tsv: not a readable table"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, column, match):
    if text is not None:
        (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(InputError, match=match):
        read_values(VARIANTS, tmp_path / "a.tsv", column)


def test_hdf5_that_cannot_be_used(tmp_path):
    (tmp_path / "a.h5").write_text("text")
    with pytest.raises(InputError, match=r"a.h5: not an HDF5 file with chr, pos"):
        read_values(VARIANTS, tmp_path / "a.h5")
    sad(tmp_path / "b.h5", [("chr1", 10, "A", "C")], [[1.0, 2.0]])
    with pytest.raises(InputError, match="column '2' must be numbers of targets from 0 to 1"):
        read_values(VARIANTS, tmp_path / "b.h5", "2")
