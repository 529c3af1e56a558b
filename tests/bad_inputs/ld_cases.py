"""LD that is computed already: matrices, lists of their variants, tables and folders of them."""

import json
import zipfile

import numpy as np
import scipy.sparse

from bad_inputs.world import VARIANTS, gzipped, ld

DOOR = ld


def edited(name, old, new):
    return lambda world: world.edit(name, old, new, 1)


def text(name, content):
    return lambda world: world.write(name, content)


def cut(name, size):
    return lambda world: world.write(name, (world / name).read_bytes()[:size])


def r(change, name="ld/r.npy"):
    """Change the matrix."""
    return lambda world: np.save(world / name, change(np.load(world / "ld/r.npy").astype(float)), allow_pickle=True)


def entry(value, i=4, j=6, mirrored=True):
    def change(matrix):
        matrix[i, j] = value
        if mirrored:
            matrix[j, i] = value
        return matrix

    return change


def matrix_in(name, write):
    """The matrix in another file."""

    def spoil(world):
        write(world / name, np.load(world / "ld/r.npy"))
        world.edit("ld/ld.tsv", "r.npy", name.removeprefix("ld/"))

    return spoil


def half_an_npz(path, matrix):
    np.savez_compressed(path, R=matrix)
    path.write_bytes(path.read_bytes()[:3000])


def with_header_of_a_huge_array(path, _):
    """A .npy that says that it has 10^12 numbers."""
    header = json.dumps({"descr": "<f8", "fortran_order": False, "shape": [10**6, 10**6]})
    header = header.replace("[", "(").replace("]", ")").replace("false", "False").replace('"', "'").encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))


def bomb(path, _):
    """An .npz of 100 kB that unpacks to 5 GB of zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("R.npy", "w", force_zip64=True) as out,
    ):
        out.write(b"\x93NUMPY" + bytes(100))
        for _ in range(100):
            out.write(bytes(1 << 20))
    packed = path.read_bytes()
    size = (100 << 20) + 106
    path.write_bytes(packed.replace(size.to_bytes(4, "little"), (4_200_000_000).to_bytes(4, "little")))


def polyfun(spoil=None):
    def write(world):
        matrix = np.tril(np.load(world / "ld/r.npy"))
        np.fill_diagonal(matrix, 0.5)
        (world / "ukb").mkdir()
        scipy.sparse.save_npz(world / "ukb/chr1_1_4001.npz", scipy.sparse.coo_matrix(matrix))
        ids = [line.split(":") for line in world.text("ld/v.txt").split()]
        rows = "".join(f"rs\t{c}\t{p}\t{a}\t{b}\n" for c, p, b, a in ids)
        world.write("ukb/chr1_1_4001.gz", gzipped("rsid\tchromosome\tposition\tallele1\tallele2\n" + rows))
        if spoil:
            spoil(world)

    return write


UKB = {"path": "ukb"}
CASES = [
    ("no LD", None, "no: no such file or folder", {"path": "no"}),
    (
        "r2 in place of r",
        r(np.square),
        "ld/r.npy: no value is negative, though 3,275 pairs have values below 0.1: these are r² or |r|;",
    ),
    (
        "absolute r in place of r",
        r(np.abs),
        "ld/r.npy: no value is negative, though 2,031 pairs have values below 0.1: these are r² or |r|;",
    ),
    (
        "LD that is not symmetric",
        r(entry(0.9, mirrored=False)),
        "ld/r.npy: not symmetric, r of 1:160:C:A and 1:224:C:A is 0.9 and 0.02862",
    ),
    ("LD above 1", r(entry(1.2)), "ld/r.npy: r of 1:160:C:A and 1:224:C:A is 1.2; correlations are within -1 to 1"),
    (
        "LD that is infinite",
        r(entry(np.inf)),
        "ld/r.npy: r of 1:160:C:A and 1:224:C:A is inf; correlations are within -1 to 1",
    ),
    (
        "covariances",
        r(lambda m: 0.4 * m),
        "ld/r.npy: r of 1:32:T:C with itself is 0.4, not 1 (nor 0.5 for all variants, as of a triangle",
    ),
    (
        "D' with 0 on its diagonal",
        r(lambda m: m - np.eye(len(m))),
        "ld/r.npy: r of 1:32:T:C with itself is 0, not 1 (nor 0.5 for all variants, as of a triangle",
    ),
    (
        "LD in percent",
        r(lambda m: 100 * m),
        "ld/r.npy: r of 1:32:T:C with itself is 100, not 1 (nor 0.5 for all variants, as of a triangle",
    ),
    ("LD of fewer variants", r(lambda m: m[:-1, :-1]), "ld/r.npy: 119 variants, but its list of variants has 120"),
    ("LD that is not square", r(lambda m: m[:-1]), "ld/r.npy: shape (119, 120), a square matrix is needed"),
    ("LD in three dimensions", r(lambda m: m[None]), "ld/r.npy: shape (1, 120, 120), a square matrix is needed"),
    ("LD of complex numbers", r(lambda m: m + 0j), "ld/r.npy: holds complex128, not numbers"),
    ("LD of text", r(lambda m: m.astype(str)), "ld/r.npy: holds <U32, not numbers"),
    (
        "LD of objects",
        r(lambda m: m.astype(object)),
        "ld/r.npy: holds pickled objects, which could run any code when they are read; write it again",
    ),
    (
        "npz of objects",
        matrix_in("ld/r.npz", lambda p, m: np.savez(p, R=m.astype(object))),
        "ld/r.npz: array 'R': holds pickled objects, which could run any code when they are read; write it again",
    ),
    (
        "npz cut off",
        matrix_in("ld/r.npz", half_an_npz),
        "ld/r.npz: not a readable LD matrix, or damaged (File is not a zip file); read are .npy, .npz,",
    ),
    (
        "npz without the matrix",
        matrix_in("ld/r.npz", lambda p, m: np.savez(p, first=m, second=m)),
        "ld/r.npz: has first, second; the matrix must be named R or ld",
    ),
    (
        "npz that unpacks without end",
        matrix_in("ld/r.npz", bomb),
        "ld/r.npz: array 'R' is said to be larger than the file can hold",
    ),
    (
        "npy that says that it is huge",
        matrix_in("ld/h.npy", with_header_of_a_huge_array),
        "ld/h.npy: shape (1000000, 1000000) of float64 makes 8,000,000,000,000 bytes, but it holds 64; is it",
    ),
    (
        "pickle named npy",
        matrix_in("ld/p.npy", lambda p, m: p.write_bytes(m.dumps())),
        "ld/p.npy: neither .npy nor .npz by its content (Python's pickles are not read)",
    ),
    (
        "text with a header",
        matrix_in("ld/r.txt", lambda p, m: p.write_text("rs1 rs2\n" + "\n".join(" ".join(map(str, row)) for row in m))),
        "ld/r.txt, line 1: 'rs1 rs2' are not numbers only; a matrix has neither header nor names",
    ),
    (
        "text with a short line",
        matrix_in(
            "ld/r.txt",
            lambda p, m: p.write_text(
                "\n".join(" ".join(map(str, row[: len(row) - (i == 7)])) for i, row in enumerate(m))
            ),
        ),
        "ld/r.txt, line 8: 119 numbers; a square matrix of 120 variants has 120 there, and 120 lines",
    ),
    (
        "binary LD of another size",
        matrix_in("ld/r.bin", lambda p, m: p.write_bytes(m.tobytes()[:-8])),
        "ld/r.bin: 57,592 bytes, but a matrix of 120 variants has 115,200 (float64) or 57,600 (float32)",
    ),
    (
        "LD in an unknown kind of file",
        matrix_in("ld/r.h5", lambda p, m: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))),
        "ld/r.h5: not a text file in UTF-8 (invalid start byte); is it a readable LD matrix?",
    ),
    (
        "list of variants without alleles",
        lambda w: w.write("ld/v.txt", "\n".join(f"rs{i}" for i in range(VARIANTS))),
        "ld/v.txt, line 1: no position and alleles of a variant",
    ),
    (
        "empty list of variants",
        text("ld/v.txt", ""),
        "ld/v.txt: not a readable list of variants, or damaged (No columns to parse from file)",
    ),
    (
        "list of variants of unknown columns",
        text("ld/v.txt", "a b c\n1 2 3\n"),
        "ld/v.txt: the columns a, b, c are neither chromosome, position, allele1 (counted), allele2, nor",
    ),
    (
        "binary list of variants",
        text("ld/v.txt", bytes(range(256))),
        "ld/v.txt: not a text file in UTF-8 (invalid start byte); is it a readable list of variants?",
    ),
    (
        "table of LD without a column",
        edited("ld/ld.tsv", "variants", "names"),
        "ld/ld.tsv, line 2: no value of 'variants'; the columns are chrom, start, end, matrix, variants",
    ),
    (
        "table of LD with start behind end",
        edited("ld/ld.tsv", "\t0\t4000", "\t4000\t0"),
        "ld/ld.tsv, line 2: 4000-0 are not a start (0-based) and an end behind it",
    ),
    (
        "table of LD with a file that is not there",
        edited("ld/ld.tsv", "r.npy", "R.npy"),
        "ld/ld.tsv, line 2: file 'ld/R.npy' does not exist",
    ),
    (
        "table of LD that is binary",
        text("ld/ld.tsv", bytes(range(256))),
        "ld/ld.tsv: not a text file in UTF-8 (invalid start byte); is it a tab-separated table?",
    ),
    (
        "folder without LD",
        lambda w: (w / "ukb").mkdir(),
        "ukb: no LD in this folder; files are named like chr1_1_3000001.npz and .gz",
        UKB,
    ),
    (
        "folder with LD without variants",
        polyfun(lambda w: (w / "ukb/chr1_1_4001.gz").unlink()),
        "ukb/chr1_1_4001.gz: no such file; it must list the variants of chr1_1_4001.npz",
        UKB,
    ),
    (
        "folder with variants cut off",
        polyfun(cut("ukb/chr1_1_4001.gz", 300)),
        "ukb/chr1_1_4001.gz: not a readable list of variants, or damaged (Compressed file ended before the",
        UKB,
    ),
    (
        "folder with LD cut off",
        polyfun(cut("ukb/chr1_1_4001.npz", 3000)),
        "ukb/chr1_1_4001.npz: not a readable LD matrix, or damaged (File is not a zip file); read are",
        UKB,
    ),
]
