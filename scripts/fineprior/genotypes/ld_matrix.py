"""Correlation matrices of other programs: the rows and columns of some variants are read and checked.

Known are .npy; .npz of a dense matrix or of scipy.sparse (PolyFun's UK Biobank LD: a triangle with a halved
diagonal); PLINK's binary (.bin, float64 or float32) and text, square or triangular, plain or gz; and other text.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fineprior.files.arrays import Archive, is_archive, mapped_array
from fineprior.files.errors import InputError
from fineprior.files.reading import reading, text_of

_TOLERANCE = 1e-3
"""Rounding of matrices that were written as text."""
_STRIP = 512
_SMALL_R = 0.1
_ENOUGH_SMALL = 100
_NAMES = ("R", "r", "ld", "LD")
_WHAT, _FORMS = "a readable LD matrix", "read are .npy, .npz, PLINK's .bin, and text, plain or .gz"
_PLACES = {  # of a scipy.sparse matrix, beside its values
    "coo": ("row", "col"), "dia": ("offsets",),
    "csr": ("indices", "indptr"), "csc": ("indices", "indptr"), "bsr": ("indices", "indptr"),
}  # fmt: skip

logger = logging.getLogger(__name__)


def read_matrix(path: str | Path, rows: NDArray[np.integer], count: int, memory_mb: float) -> NDArray[np.float32]:
    """Part of a matrix of `count` variants, as it stands in the file.

    Parameters
    ----------
    path
        The file; its suffix says what it is.
    rows
        Variants that are wanted, in this order: p of them.
    count
        Variants that the list beside it has.
    memory_mb
        The most that may be read at once.

    Returns
    -------
    float32 array (p, p), not checked but for its size; a triangle is completed.

    Raises
    ------
    InputError
        The file is absent or damaged, holds pickled objects, is not square, is of another number of variants, or is
        too large, by what it holds or by what it claims.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    order = np.argsort(rows, kind="stable")
    numpys, binary = path.name.endswith((".npy", ".npz")), path.name.endswith((".bin", ".bin4"))
    read = _from_numpy if numpys else _from_binary if binary else _from_text
    with reading(path, _WHAT, _FORMS):
        _check_memory(path, count, memory_mb)
        part = read(path, rows[order], count)
    below, above = _largest_of_halves(part)
    if min(below, above) == 0 < max(below, above):
        _mirror(part, from_lower=below > 0)
    if np.array_equal(order, np.arange(len(order))):
        return part
    back = np.argsort(order, kind="stable")
    return part[np.ix_(back, back)]


def checked_matrix(r: NDArray[np.float32], names: NDArray[Any], where: str | Path) -> NDArray[np.float32]:
    """Signed correlations, exactly symmetric with diagonal 1; NaN only as a whole row of a variant without variance.

    A diagonal of 0.5, as of a triangle that is to be added to its transpose, is known.

    Parameters
    ----------
    r
        (p, p); may be overwritten.
    names
        Names (p,) of the variants, for messages.

    Raises
    ------
    InputError
        The matrix is not symmetric, has |r| > 1, another diagonal than 1, or looks like r² or |r|.
    """
    _check_symmetry(r, names, where)
    _mirror(r, from_lower=False)  # what differs by rounding
    diagonal = np.diagonal(r)
    known = diagonal[~np.isnan(diagonal)]
    wrong = np.abs(known - 1) > _TOLERANCE
    if wrong.any() and not (np.abs(known - 0.5) <= _TOLERANCE).all():
        bad = int(np.flatnonzero(np.abs(diagonal - 1) > _TOLERANCE)[0])
        raise InputError(
            f"{where}: r of {names[bad]} with itself is {diagonal[bad]:.4g}, not 1 (nor 0.5 for all variants, as of a "
            "triangle with a halved diagonal); covariances must be scaled to correlations"
        )
    np.fill_diagonal(r, np.where(np.isnan(diagonal), np.nan, 1))
    _check_values(r, names, where)
    return r


def without_gaps(r: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which variants to keep so that no NaN is left; the variant with the most NaN is removed first.

    What PLINK and LDstore write for a variant without variance is NaN all along its row.
    """
    kept = np.ones(len(r), bool)
    gaps = np.array([int(np.isnan(row).sum()) for row in r])
    while len(r) and gaps[kept].max(initial=0) > 0:
        worst = int(np.where(kept, gaps, -1).argmax())
        kept[worst] = False
        gaps -= np.isnan(r[:, worst])
    return kept


def _from_numpy(path: Path, rows: NDArray[np.integer], count: int) -> NDArray[np.float32]:
    with path.open("rb") as handle:
        magic = handle.read(6)
    if magic != b"\x93NUMPY" and not is_archive(path):
        raise InputError(f"{path}: neither .npy nor .npz by its content (Python's pickles are not read)")
    if not is_archive(path):
        return _chosen(mapped_array(path), rows, count, path)
    with Archive(path) as stored:
        names = list(stored)
        if "format" in names and "shape" in names:
            return _from_sparse(stored, rows, count, path)
        found = [name for name in _NAMES if name in names] or (names if len(names) == 1 else [])
        if not found:
            raise InputError(f"{path}: has {', '.join(names) or 'no arrays'}; the matrix must be named R or ld")
        _check_shape(stored.shape(found[0]), count, path)
        return _chosen(stored[found[0]], rows, count, path)


def _from_sparse(stored: Archive, rows: NDArray[np.integer], count: int, path: Path) -> NDArray[np.float32]:
    """As scipy.sparse.save_npz writes it; scipy takes places outside of the matrix as they are, and writes there."""
    import scipy.sparse

    word = stored["format"].item()
    form = word.decode("latin-1") if isinstance(word, bytes) else str(word)
    if form not in _PLACES:
        raise InputError(f"{path}: a sparse matrix of the form '{form[:20]}'; read are {', '.join(_PLACES)}")
    _check_shape(tuple(stored["shape"].tolist()), count, path)
    values, places = stored["data"], [stored[name] for name in _PLACES[form]]
    check_kind(values.dtype, path)
    if not all(one.ndim == 1 and one.dtype.kind in "iu" for one in places) or not _fit(form, values, places, count):
        raise InputError(
            f"{path}: places of values lie outside of the matrix, or are not as many as these; is it damaged?"
        )
    if form == "dia":
        matrix = scipy.sparse.dia_matrix((values, places[0]), shape=(count, count))
    elif form == "coo":
        matrix = scipy.sparse.coo_matrix((values, tuple(places)), shape=(count, count))
    else:
        matrix = getattr(scipy.sparse, f"{form}_matrix")((values, *places), shape=(count, count))
    if form != "dia" and _twice(matrix):  # scipy would add them up
        raise InputError(f"{path}: a place of the sparse matrix has two values; is it damaged?")
    return matrix.tocsr()[rows][:, rows].toarray().astype(np.float32)


def _twice(matrix: Any) -> bool:
    """Whether a place of a sparse matrix has several values."""
    if matrix.format != "coo" and matrix.has_canonical_format:  # as nearly all are: in order, no copy needed
        return False
    once = matrix.copy()
    once.sum_duplicates()
    return bool(once.nnz < matrix.nnz)


def _fit(form: str, values: NDArray[Any], places: list[NDArray[Any]], count: int) -> bool:
    """Whether the places of the values of a sparse matrix are within it, and as many as they must be."""

    def within(numbers: NDArray[Any], most: int) -> bool:
        return not len(numbers) or (int(numbers.min()) >= 0 and int(numbers.max()) < most)

    if form == "coo":
        row, col = places
        return values.shape == row.shape == col.shape and within(row, count) and within(col, count)
    if form == "dia":
        far = not len(places[0]) or max(int(places[0].max()), -int(places[0].min())) < count
        return values.ndim == 2 and len(values) == len(places[0]) and values.shape[1] <= count and far
    indices, starts = places
    if values.ndim != (3 if form == "bsr" else 1) or len(values) != len(indices) or not len(starts):
        return False
    size = values.shape[1] if form == "bsr" else 1
    if (form == "bsr" and values.shape[2] != size) or size < 1 or count % size or len(starts) != count // size + 1:
        return False
    in_order = int(starts[0]) == 0 and int(starts[-1]) == len(indices) and bool((starts[1:] >= starts[:-1]).all())
    return in_order and within(indices, count // size)


def _from_binary(path: Path, rows: NDArray[np.integer], count: int) -> NDArray[np.float32]:
    size, half = path.stat().st_size, count * (count + 1) // 2
    shapes = {
        8 * count**2: ("<f8", True),
        4 * count**2: ("<f4", True),
        8 * half: ("<f8", False),
        4 * half: ("<f4", False),
    }
    if size not in shapes:
        raise InputError(
            f"{path}: {size:,} bytes, but a matrix of {count:,} variants has {8 * count**2:,} (float64) or "
            f"{4 * count**2:,} (float32)"
        )
    kind, square = shapes[size]
    values = np.memmap(path, kind, "r")
    if square:
        return _chosen(values.reshape(count, count), rows, count, path)
    part = np.zeros((len(rows), len(rows)), np.float32)
    for row, number in enumerate(rows.tolist()):
        part[row, : row + 1] = values[number * (number + 1) // 2 + rows[: row + 1]]
    return part


def _from_text(path: Path, rows: NDArray[np.integer], count: int) -> NDArray[np.float32]:
    """Line by line: one line is in memory beside the matrix."""
    matrix = np.zeros((count, count), np.float32)
    triangle = False
    number = 0
    with text_of(path, _WHAT, _FORMS) as handle:
        for line in handle:
            if not line.strip():
                continue
            number += 1
            values = _numbers(line, f"{path}, line {number}")
            if number == 1:
                triangle = len(values) == 1 and count > 1
            wanted = number if triangle else count
            if number > count or len(values) != wanted:
                form = "triangular" if triangle else "square"
                raise InputError(
                    f"{path}, line {number}: {len(values)} numbers; a {form} matrix of {count} variants has {wanted} "
                    f"there, and {count} lines"
                )
            matrix[number - 1, : len(values)] = values
    if number != count:
        raise InputError(f"{path}: {number} lines for {count} variants")
    return matrix if np.array_equal(rows, np.arange(count)) else matrix[np.ix_(rows, rows)]


def _numbers(line: str, where: str) -> NDArray[np.float32]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            separator = "," if "," in line else " "
            return np.fromstring(line, np.float32, sep=separator)
    except Exception as error:
        shown = line.strip()[:30]
        raise InputError(f"{where}: '{shown}' are not numbers only; a matrix has neither header nor names") from error


def _chosen(matrix: NDArray[Any], rows: NDArray[np.integer], count: int, path: Path) -> NDArray[np.float32]:
    check_kind(matrix.dtype, path)
    _check_shape(matrix.shape, count, path)
    return np.array(matrix[np.ix_(rows, rows)], np.float32)


def check_kind(kind: "np.dtype[Any]", path: str | Path) -> None:
    """Stop at a matrix of another type of number than the floating ones.

    Raises
    ------
    InputError
        What it holds.
    """
    if kind.kind in "iu":  # every r would have been cut to 0 or 1
        raise InputError(f"{path}: holds whole numbers ({kind}); correlations need a floating type")
    if kind.kind != "f":
        raise InputError(f"{path}: holds {kind}, not numbers")


def _check_shape(shape: tuple[int, ...], count: int, path: Path) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise InputError(f"{path}: shape {shape}, a square matrix is needed")
    if shape[0] != count:
        raise InputError(f"{path}: {shape[0]:,} variants, but its list of variants has {count:,}")


def _check_memory(path: Path, count: int, memory_mb: float) -> None:
    if path.name.endswith((".npy", ".npz")) and is_archive(path):
        with Archive(path) as archive:
            size = 2 * archive.unpacked_size  # unpacked, and once more in order
    elif path.name.endswith((".npy", ".npz", ".bin", ".bin4")):
        return  # read through a map of the file, or not readable
    else:
        size = 4 * count**2
    needed = size / 2**20
    if needed > memory_mb:
        raise InputError(
            f"{path}: {needed:,.0f} MB have to be read, more than ld.max_memory_mb = {memory_mb:,.0f}; raise it, or "
            "give matrices of smaller windows"
        )


def _largest_of_halves(r: NDArray[np.float32]) -> tuple[float, float]:
    """Largest |r| below and above the diagonal; NaN counts as 0."""
    below = above = 0.0
    for first in range(0, len(r), _STRIP):
        strip = np.nan_to_num(np.abs(r[first : first + _STRIP]))
        below = max(below, float(np.tril(strip, first - 1).max(initial=0)))
        above = max(above, float(np.triu(strip, first + 1).max(initial=0)))
    return below, above


def _mirror(r: NDArray[np.float32], from_lower: bool) -> None:
    for first in range(0, len(r), _STRIP):
        last = first + _STRIP
        if from_lower:
            r[:first, first:last] = r[first:last, :first].T
            corner = np.tril(r[first:last, first:last])
        else:
            r[first:last, :first] = r[:first, first:last].T
            corner = np.triu(r[first:last, first:last])
        other = corner.T.copy()
        np.fill_diagonal(other, 0)
        r[first:last, first:last] = corner + other


def _check_symmetry(r: NDArray[np.float32], names: NDArray[Any], where: str | Path) -> None:
    for first in range(0, len(r), _STRIP):
        rows = slice(first, first + _STRIP)
        mine, other = r[rows], r[:, rows].T
        with np.errstate(invalid="ignore"):  # inf less inf; it is named later
            odd = (np.abs(mine - other) > _TOLERANCE) | (np.isnan(mine) != np.isnan(other))
        if odd.any():
            i, j = np.argwhere(odd)[0]
            raise InputError(
                f"{where}: not symmetric, r of {names[first + i]} and {names[j]} is {mine[i, j]:.4g} and "
                f"{other[i, j]:.4g}"
            )


def _check_values(r: NDArray[np.float32], names: NDArray[Any], where: str | Path) -> None:
    small = negative = 0
    for first in range(0, len(r), _STRIP):
        rows = slice(first, first + _STRIP)
        strip = r[rows]
        large = np.abs(strip) > 1 + _TOLERANCE
        if large.any():
            i, j = np.argwhere(large)[0]
            raise InputError(
                f"{where}: r of {names[first + i]} and {names[j]} is {strip[i, j]:.4g}; correlations are within -1 to 1"
            )
        np.clip(strip, -1, 1, out=strip)
        negative += int((strip < 0).sum())
        small += int(((strip != 0) & (np.abs(strip) < _SMALL_R)).sum())
    if not negative and small // 2 >= _ENOUGH_SMALL:
        raise InputError(
            f"{where}: no value is negative, though {small // 2:,} pairs have values below {_SMALL_R:g}: these are r² "
            "or |r|; fine-mapping needs signed r (plink --r, not --r2)"
        )
