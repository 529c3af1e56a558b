import gzip
import pickle

import numpy as np
import pytest
import scipy.sparse

from fineprior.files.errors import InputError
from fineprior.genotypes import ld_matrix
from fineprior.genotypes.ld_matrix import checked_matrix, read_matrix, without_gaps

COUNT = 40
NAMES = np.array([f"v{i}" for i in range(COUNT)])


def correlations(seed=1):
    rng = np.random.default_rng(seed)
    return np.corrcoef(rng.normal(size=(60, COUNT)).T + 0.4 * rng.normal(size=60)).astype(np.float32)


R = correlations()


def lines(matrix, separator="\t", triangle=False):
    rows = [row[: i + 1] if triangle else row for i, row in enumerate(matrix)]
    return "".join(separator.join(f"{value:.7g}" for value in row) + "\n" for row in rows)


def halved(matrix):
    lower = np.tril(matrix).astype(np.float64)
    np.fill_diagonal(lower, 0.5)
    return lower


WRITERS = {
    "square.npy": lambda path: np.save(path, R),
    "double.npy": lambda path: np.save(path, R.astype(np.float64, order="F")),
    "named.npz": lambda path: np.savez(path, R=R, other=np.zeros(3)),
    "single.npz": lambda path: np.savez_compressed(path, R),
    "polyfun.npz": lambda path: scipy.sparse.save_npz(path, scipy.sparse.coo_matrix(halved(R))),
    "csr.npz": lambda path: scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(R)),
    "upper.npz": lambda path: scipy.sparse.save_npz(path, scipy.sparse.csc_matrix(np.triu(R))),
    "lower.npy": lambda path: np.save(path, np.tril(R)),
    "square.ld": lambda path: path.write_text(lines(R)),
    "spaces.txt": lambda path: path.write_text("\n" + lines(R, "  ").replace("\n", "\r\n")),
    "commas.csv": lambda path: path.write_text(lines(R, ",")),
    "square.ld.gz": lambda path: path.write_bytes(gzip.compress(lines(R).encode())),
    "only.named.gz": lambda path: path.write_text("\ufeff" + lines(R).replace("\n", "\r")),
    "bsr.npz": lambda path: scipy.sparse.save_npz(path, scipy.sparse.bsr_matrix(R, blocksize=(4, 4))),
    "dia.npz": lambda path: scipy.sparse.save_npz(path, scipy.sparse.dia_matrix(np.triu(R))),
    "triangle.ld": lambda path: path.write_text(lines(R, triangle=True)),
    "square0.ld": lambda path: path.write_text(lines(np.tril(R))),
    "square.ld.bin": lambda path: R.astype("<f8").tofile(path),
    "single.ld.bin": lambda path: R.astype("<f4").tofile(path),
    "triangle.ld.bin": lambda path: R.astype("<f8")[np.tril_indices(COUNT)].tofile(path),
    "triangle4.ld.bin": lambda path: R[np.tril_indices(COUNT)].tofile(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_is_read(tmp_path, name, monkeypatch):
    monkeypatch.setattr(ld_matrix, "_STRIP", 7)
    path = tmp_path / name
    WRITERS[name](path)
    everything = np.arange(COUNT)
    some = np.array([3, 17, 18, 39])
    for rows in (everything, some, some[[2, 0, 3, 1]], everything[::-1], some[:1], some[:0]):
        found = checked_matrix(read_matrix(path, rows, COUNT, 1000), NAMES[rows], path)
        assert found.dtype == np.float32
        assert np.allclose(found, R[np.ix_(rows, rows)], atol=1e-6)
        assert np.array_equal(found, found.T)
        assert (np.diag(found) == 1).all()


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.npy", lambda path: np.save(path, np.array([[{}] * COUNT] * COUNT, dtype=object)), "holds pickled objects"),
        ("a.npz", lambda path: np.savez(path, R=np.array([[{}]], dtype=object)), "holds pickled objects"),
        ("a.npy", lambda path: np.save(path, R[:, 1:]), r"shape \(40, 39\), a square matrix"),
        ("a.npy", lambda path: np.save(path, R[1:, 1:]), "39 variants, but its list of variants has 40"),
        ("a.npy", lambda path: np.save(path, np.full((COUNT, COUNT), "x")), "holds <U1, not numbers"),
        ("a.npy", lambda path: path.write_bytes(b"rubbish"), "neither .npy nor .npz by its content"),
        ("a.npy", lambda path: path.write_bytes(pickle.dumps({})), "pickles are not read"),
        ("a.npz", lambda path: path.write_bytes(b"PK\x03\x04rubbish"), "not a readable LD matrix"),
        ("a.npz", lambda path: np.savez(path, a=R, b=R), "has a, b; the matrix must be named R or ld"),
        ("a.npz", lambda path: scipy.sparse.save_npz(path, scipy.sparse.eye(3).tocsr()), "3 variants, but its list"),
        ("a.ld", lambda path: path.write_text(lines(R[1:])), "39 lines for 40 variants"),
        ("a.ld", lambda path: path.write_text(lines(R[:, 1:])), "line 1: 39 numbers; a square matrix of 40 variants"),
        ("a.ld", lambda path: path.write_text(lines(R) + "1\n"), "line 41: 1 numbers"),
        ("a.ld", lambda path: path.write_text("rs1\trs2\n" + lines(R)), "line 1: 'rs1\trs2' are not numbers only"),
        ("a.ld", lambda path: path.write_text(""), "0 lines for 40 variants"),
        ("a.ld.gz", lambda path: path.write_bytes(gzip.compress(lines(R).encode())[:900]), "not a readable LD matrix"),
        ("a.ld.bin", lambda path: path.write_bytes(b"12345"), r"5 bytes, but a matrix of 40 variants has 12,800"),
    ],
)
def test_files_that_are_no_matrix_are_named(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as error:
        read_matrix(tmp_path / name, np.arange(COUNT), COUNT, 1000)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "\n" not in str(error.value)


def spoilt(form, **change):
    """Write a sparse matrix of which arrays are others."""

    def write(path):
        scipy.sparse.save_npz(path, getattr(scipy.sparse, f"{form}_matrix")(np.triu(R)))
        arrays = dict(np.load(path))
        np.savez(path, **arrays | {name: new(arrays[name]) for name, new in change.items()})

    return write


SPOILT = {
    "columns outside": spoilt("csr", indices=lambda a: a * 0 + 2**30),
    "columns before the first": spoilt("csr", indices=lambda a: a - 1),
    "rows outside of columns": spoilt("csc", indices=lambda a: a + 1),
    "starts that go back": spoilt("csr", indptr=lambda a: a[::-1]),
    "starts behind the end": spoilt("csr", indptr=lambda a: a * 1000),
    "too few starts": spoilt("csr", indptr=lambda a: a[:3]),
    "too few values": spoilt("csr", data=lambda a: a[:-1]),
    "starts of another kind": spoilt("csr", indptr=lambda a: a.astype(float)),
    "places in two dimensions": spoilt("csr", indices=lambda a: a[None]),
    "pairs outside": spoilt("coo", row=lambda a: a + 2**20),
    "pairs before the first": spoilt("coo", col=lambda a: a - 5),
    "fewer pairs than values": spoilt("coo", col=lambda a: a[:-1]),
    "diagonals outside": spoilt("dia", offsets=lambda a: a + COUNT),
    "more diagonals than values": spoilt("dia", data=lambda a: a[:-1]),
}


@pytest.mark.parametrize("name", SPOILT)
def test_places_outside_of_a_sparse_matrix_are_named(tmp_path, name):
    SPOILT[name](tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: places of values lie outside of the matrix"):
        read_matrix(tmp_path / "a.npz", np.arange(COUNT), COUNT, 1000)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (spoilt("csr", format=lambda a: np.array("lil")), "a sparse matrix of the form 'lil'"),
        (spoilt("csr", data=lambda a: a.astype(str)), "holds <U32, not numbers"),
        (spoilt("csr", data=lambda a: np.sign(a).astype(np.int8)), r"holds whole numbers \(int8\)"),
        (spoilt("csr", indices=lambda a: np.concatenate([a[:3], a[2:3], a[4:]])), "a place .* has two values"),
        (
            spoilt("coo", row=lambda a: a[[0, *range(len(a) - 1)]], col=lambda a: a[[0, *range(len(a) - 1)]]),
            "a place of the sparse matrix has two values",
        ),
        (lambda path: np.savez(path, R=np.rint(R).astype(int)), r"holds whole numbers \(int64\)"),
        (spoilt("csr", shape=lambda a: a * 10**8), r"4,000,000,000 variants, but its list of variants has 40"),
        (spoilt("csr", shape=lambda a: a[:1]), "a square matrix is needed"),
    ],
)
def test_sparse_matrices_of_another_kind_are_named(tmp_path, write, words):
    write(tmp_path / "a.npz")
    with pytest.raises(InputError, match=words):
        read_matrix(tmp_path / "a.npz", np.arange(COUNT), COUNT, 1000)


def test_a_text_of_more_variants_than_fit_into_memory_is_not_begun(tmp_path):
    (tmp_path / "a.ld").write_text("1\n")
    with pytest.raises(InputError, match=r"4,000,000 MB have to be read|3,814,697 MB have to be read"):
        read_matrix(tmp_path / "a.ld", np.arange(2), 10**6, 1000)


def test_what_does_not_fit_into_memory_is_not_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", R=np.zeros((COUNT, COUNT)))
    with pytest.raises(InputError, match=r"0 MB have to be read, more than ld\.max_memory_mb = 0"):
        read_matrix(tmp_path / "a.npz", np.arange(COUNT), COUNT, 0.001)
    with pytest.raises(InputError, match="no such file"):
        read_matrix(tmp_path / "b.npz", np.arange(COUNT), COUNT, 0.001)


def changed(cells, both=True):
    matrix = R.copy()
    for (i, j), value in cells.items():
        matrix[i, j] = value
        if both:
            matrix[j, i] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (changed({(3, 5): 0.9}, both=False), r"not symmetric, r of v3 and v5 is 0\.9 and "),
        (changed({(3, 5): np.nan}, both=False), "not symmetric, r of v3 and v5 is nan"),
        (changed({(3, 5): -1.01}), r"r of v3 and v5 is -1\.01; correlations are within -1 to 1"),
        (changed({(3, 5): np.inf}), "r of v3 and v5 is inf"),
        (changed({(7, 7): 0.5}), r"r of v7 with itself is 0\.5, not 1"),
        (4 * R, "r of v0 with itself is 4, not 1 .* covariances must be scaled"),
        (R**2, r"no value is negative, though \d+ pairs have values below 0\.1: these are r² or \|r\|"),
        (np.abs(R), "these are r²"),
    ],
)
def test_matrices_of_something_else_are_named(matrix, message, monkeypatch):
    monkeypatch.setattr(ld_matrix, "_STRIP", 4)
    with pytest.raises(InputError, match=message):
        checked_matrix(matrix.astype(np.float32), NAMES, "file")


def test_variants_without_any_ld_are_no_mistake():
    assert np.array_equal(checked_matrix(np.eye(COUNT, dtype=np.float32), NAMES, "file"), np.eye(COUNT))


def test_high_positive_ld_and_rounding_are_no_mistake():
    high = np.full((30, 30), 0.8, np.float32)
    high[np.diag_indices(30)] = 1.0004
    assert checked_matrix(high, NAMES, "file").max() == 1
    rounded = changed({(1, 2): R[1, 2] + 5e-4}, both=False)
    found = checked_matrix(rounded, NAMES, "file")
    assert np.array_equal(found, found.T)


def test_variants_with_gaps_go_until_none_is_left():
    matrix = R.copy()
    matrix[4] = matrix[:, 4] = np.nan
    matrix[7, 9] = matrix[9, 7] = matrix[9, 11] = matrix[11, 9] = np.nan
    found = checked_matrix(matrix, NAMES, "file")
    assert np.flatnonzero(~without_gaps(found)).tolist() == [4, 9]
    assert without_gaps(R).all()
    assert without_gaps(R[:0, :0]).tolist() == []
