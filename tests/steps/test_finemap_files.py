"""What a user's files of one locus are read as."""

import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.steps.finemap_files import read_correlations, read_prior, read_z

R = np.array([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]])
IDS = pd.Series(["a", "b", "c"])


def test_z_is_taken_or_made_of_beta_and_se(tmp_path):
    (tmp_path / "z.tsv").write_text("variant_id\tbeta\tse\tn\n1:5:A:G\t0.3\t0.1\t900\nX:7:C:CT\t-2\t0.5\t800\n")
    found = read_z(tmp_path / "z.tsv", None)
    assert found["z"].tolist() == pytest.approx([3, -4])
    assert found["n"].tolist() == [900, 800]
    assert found[["chrom", "pos", "ref", "alt"]].to_numpy().tolist() == [["1", 5, "A", "G"], ["X", 7, "C", "CT"]]
    assert found["neg_log10_p"].tolist() == pytest.approx(-np.log10([0.0026997960632602, 6.334248366624e-05]))
    (tmp_path / "z.tsv").write_text("variant_id\tz\tbeta\tse\na\t1.5\t9\t1\n")
    found = read_z(tmp_path / "z.tsv", 100)
    assert found[["z", "n", "pos"]].to_numpy().tolist() == [[1.5, 100, 0]]
    assert found["chrom"].isna().all()


@pytest.mark.parametrize(
    ("text", "n", "message"),
    [
        ("variant_id\tbeta\na\t1\n", 10, "a column z is needed, or beta and se; it has variant_id, beta"),
        ("variant_id\tz\na\t1\n", None, "no column n; give the sample size with --n"),
        ("variant_id\tz\na\t1\n", 1, "--n: 1, a sample size above 1 is needed"),
        ("variant_id\tz\na\tone\n", 10, "line 2: z of a is 'one', a number is needed"),
        ("variant_id\tbeta\tse\na\t1\t0\n", 10, "line 2: se of a is '0', above 0 is needed"),
        ("variant_id\tz\na\t1\na\t2\n", 10, "variant a is there more than once"),
        ("variant_id\tz\n\t1\n", 10, "line 2: the variant has no name"),
        ("variant_id\tz\n", 10, "no variants"),
    ],
)
def test_wrong_z_are_named(tmp_path, text, n, message):
    (tmp_path / "z.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_z(tmp_path / "z.tsv", n)


def test_ld_is_put_in_the_order_of_the_variants(tmp_path):
    np.savez(tmp_path / "r.npz", R=R, variant_id=np.array(["c", "a", "b"]), panel_size=500)
    found, size = read_correlations(tmp_path / "r.npz", IDS)
    np.testing.assert_array_equal(found, R[np.ix_([1, 2, 0], [1, 2, 0])])
    assert size == 500
    np.savetxt(tmp_path / "r.txt", R)
    (tmp_path / "names").write_text("b\nc\na\n")
    found, size = read_correlations(tmp_path / "r.txt", IDS, tmp_path / "names")
    np.testing.assert_array_equal(found, R[np.ix_([2, 0, 1], [2, 0, 1])])
    assert size is None
    np.save(tmp_path / "r.npy", R)
    np.testing.assert_array_equal(read_correlations(tmp_path / "r.npy", IDS)[0], R)


def test_ld_of_other_variants_is_named(tmp_path):
    np.savez(tmp_path / "r.npz", R=R, variant_id=np.array(["c", "a", "x"]))
    with pytest.raises(InputError, match=r"no LD of variant b$"):
        read_correlations(tmp_path / "r.npz", IDS)
    np.save(tmp_path / "r.npy", R[:2, :2])
    with pytest.raises(InputError, match="2 variants, but 3 z-scores; say which they are with --ld-variants"):
        read_correlations(tmp_path / "r.npy", IDS)
    np.save(tmp_path / "r.npy", R[:2])
    with pytest.raises(InputError, match=r"shape \(2, 3\) of float64, a square matrix of numbers is needed"):
        read_correlations(tmp_path / "r.npy", IDS)


def test_a_prior_is_in_the_order_of_the_variants(tmp_path, caplog):
    (tmp_path / "prior.tsv").write_text("variant_id\tprior\nc\t3\nfurther\t9\na\t1\nb\t0.5\n")
    assert read_prior(tmp_path / "prior.tsv", IDS).tolist() == [1, 0.5, 3]
    assert "1 variants that have no z are left out" in caplog.text
    (tmp_path / "prior.tsv").write_text("variant_id\tprior\nc\t3\n")
    with pytest.raises(InputError, match="no prior of variant a and 1 more; every variant needs one"):
        read_prior(tmp_path / "prior.tsv", IDS)
