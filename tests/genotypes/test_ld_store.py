from dataclasses import replace

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.ld_store import LocusLd, read_fst, read_ld, read_locus_ld, read_panel_size, write_ld


def correlations(count):
    numbers = np.random.default_rng(count).normal(size=(count, 30))
    return np.atleast_2d(np.corrcoef(numbers)).astype(np.float32)


def test_ld_files_read_back_and_are_the_same_bytes(tmp_path):
    loci = [
        LocusLd(f"chr1_{i}_{i + 5}", correlations(i), np.array([f"1:{k}:A:G" * i for k in range(i)])) for i in (1, 4, 7)
    ]
    loci[1] = replace(loci[1], left_out={"1:9:A:G": "trimmed", "1:8:A:G": "no_ld"}, note="said")
    for name in ("a.npz", "b.npz"):
        write_ld(tmp_path / name, iter(loci))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    for one in loci:
        stored = read_ld(tmp_path / "a.npz", one.locus)
        assert stored.r.dtype == np.float32
        assert np.array_equal(stored.r, one.r)
        assert stored.variant_ids.tolist() == one.variant_ids.tolist()
        assert (stored.left_out, stored.note) == (one.left_out, one.note)
    write_ld(tmp_path / "empty.npz", [])
    with np.load(tmp_path / "empty.npz") as stored:
        assert stored.files == []
    assert read_panel_size(tmp_path / "empty.npz") is None
    write_ld(tmp_path / "panel.npz", loci, 30)
    assert read_panel_size(tmp_path / "panel.npz") == 30
    assert read_fst(tmp_path / "panel.npz") is None
    write_ld(tmp_path / "fst.npz", loci, 30, (-0.0001, 0.0003))
    assert read_fst(tmp_path / "fst.npz") == (-0.0001, 0.0003)
    with np.load(tmp_path / "panel.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["chr1_4_9/R"], loci[1].r)
    write_ld(tmp_path / "none.npz", [LocusLd("a", np.empty((0, 0), np.float32), np.array([], np.str_))])
    assert read_ld(tmp_path / "none.npz", "a").r.shape == (0, 0)


def test_ld_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"ld\.npz: no such file"):
        read_ld(tmp_path / "ld.npz", "a")
    (tmp_path / "ld.npz").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"ld\.npz: not a readable LD file"):
        read_ld(tmp_path / "ld.npz", "a")
    write_ld(tmp_path / "ld.npz", [LocusLd("a", np.eye(2, dtype=np.float32), np.array(["x", "y"]))])
    with pytest.raises(InputError, match="no LD of locus 'b'"):
        read_ld(tmp_path / "ld.npz", "b")
    (tmp_path / "ld.npz").write_bytes((tmp_path / "ld.npz").read_bytes()[:150])
    with pytest.raises(InputError, match="not a readable LD file"):
        read_ld(tmp_path / "ld.npz", "a")


def test_a_locus_that_fails_leaves_no_file(tmp_path):
    def loci():
        yield LocusLd("a", np.eye(1, dtype=np.float32), np.array(["x"]))
        raise InputError("second locus")

    with pytest.raises(InputError, match="second locus"):
        write_ld(tmp_path / "ld.npz", loci())
    assert list(tmp_path.iterdir()) == []


def test_ld_cannot_be_written_to(tmp_path):
    one = LocusLd("chr1_0_9", correlations(3), np.array(["a", "b", "c"]))
    write_ld(tmp_path / "a.npz", [one])
    for ld in (one, read_ld(tmp_path / "a.npz", "chr1_0_9")):
        with pytest.raises(ValueError, match="read-only"):
            ld.r[0, 0] = 0


def counts(variants, people, seed=0):
    """Copies of an allele, some of them missing."""
    found = np.random.default_rng(seed).integers(-1, 3, (variants, people)).astype(np.int8)
    found[:, :2] = 0, 2
    return found


def test_genotypes_read_back_beside_matrices(tmp_path):
    few, matrix = counts(9, 4), correlations(4)
    loci = [
        LocusLd("a", few, np.array(list("abcdefghi")), {"x": "trimmed"}, "said"),
        LocusLd("b", matrix, np.array(list("wxyz"))),
    ]
    write_ld(tmp_path / "ld.npz", loci, 4)
    with np.load(tmp_path / "ld.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["a/genotypes"], few)
        assert "a/R" not in stored
    found, other = read_ld(tmp_path / "ld.npz", "a"), read_ld(tmp_path / "ld.npz", "b")
    assert np.array_equal(found.counts, few)
    assert (found.left_out, found.note, len(found), other.counts) == ({"x": "trimmed"}, "said", 9, None)
    filled = np.where(few < 0, np.nan, few)
    filled = np.where(few < 0, np.nanmean(filled, 1, keepdims=True), filled)
    np.testing.assert_allclose(found.r, np.corrcoef(filled), atol=2e-7)
    with pytest.raises(ValueError, match="read-only"):
        found.r[0, 0] = 0


@pytest.mark.parametrize("stored", [counts(9, 4), correlations(9)], ids=["genotypes", "matrix"])
def test_some_variants_in_another_order(tmp_path, stored):
    whole = LocusLd("a", stored, np.array(list("abcdefghi")), {"x": "no_ld"})
    write_ld(tmp_path / "ld.npz", [whole])
    found, known = read_locus_ld(tmp_path / "ld.npz", "a", ["c", "x", "i", "a"])
    assert known.tolist() == [True, False, True, True]
    assert found.variant_ids.tolist() == ["c", "i", "a"]
    np.testing.assert_allclose(found.r, whole.r[np.ix_([2, 8, 0], [2, 8, 0])], atol=2e-7)
    every, _ = read_locus_ld(tmp_path / "ld.npz", "a", list("abcdefghi"))
    assert every.of(np.arange(9)) is every


def test_ld_of_a_large_locus_and_a_small_panel_is_small_on_disk(tmp_path):
    write_ld(tmp_path / "ld.npz", [LocusLd("a", counts(5000, 500), np.arange(5000).astype(str))], 500)
    assert (tmp_path / "ld.npz").stat().st_size < 0.1 * 4 * 5000**2
