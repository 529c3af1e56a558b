"""Values of variants from a user's file, joined by position and alleles, whichever allele the file counts.

PolyFun's snpvar files (CHR SNP BP A1 A2 SNPVAR), any table with position and alleles or variant_id, and the HDF5 files
of Enformer's scores of 1000 Genomes variants (chr, pos, ref, alt, SAD).
"""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.integrity import check
from fineprior.files.reading import missing_among, reading, text_of
from fineprior.genome.contigs import plain_name
from fineprior.priors.hdf5_scores import read_scores
from fineprior.project.panel_files import fitting_files

log = logging.getLogger(__name__)

# Names of the columns, in order of preference; a signed value counts the first allele.
_CHROM = ("chrom", "chr", "#chrom", "chromosome")
_POS = ("pos", "bp", "position", "base_pair_location")
_ALLELES = (("alt", "ref"), ("a1", "a2"), ("effect_allele", "other_allele"))
_HDF5 = {"chrom": "chr", "counted": "alt", "other": "ref"}
_CHUNK = 1_000_000
_LONGEST_LINE = 1 << 20
_FARTHEST = 1 << 31


def read_values(variants: pd.DataFrame, path: str | Path, column: str = "", *, signed: bool = False) -> Floats:
    """Values (n,) of the variants; NaN where the file has none.

    A row belongs to a variant with its position and both alleles, in either order. When the file counts the other
    allele a signed value changes its sign; an unsigned one (a prior, a heritability, a magnitude) does not.

    Parameters
    ----------
    variants
        Columns chrom, pos, ref, alt, variant_id.
    path
        .parquet, .h5 or .hdf5, or a text table (gzip or not; tabs, commas or spaces); `*` matches several files.
    column
        Column of the value; by default the only one without position or alleles. In HDF5 the numbers of the targets,
        from 0, separated by commas (all by default): one is used as it is, several as their L2 norm.
    signed
        Whether the value is an effect of the allele that the file counts.

    Raises
    ------
    InputError
        A file cannot be read or lacks a column; a variant has two values; no variant is in the file.
    """
    wanted = _names_of(variants)
    values = np.full(len(variants), np.nan)
    turned_rows, rows = 0, pd.Index(wanted)
    for where, chunk in _chunks(path, column, set(variants["pos"].tolist())):
        for names, sign in ((chunk["as_counted"], 1.0), (chunk["other_way"], -1.0)):
            found = rows.get_indexer(names)
            known = (found >= 0) & chunk["value"].notna().to_numpy()
            new = chunk["value"].to_numpy(dtype=float)[known] * (sign if signed else 1.0)
            _check_same(variants, values, found[known], new, where)
            values[found[known]] = new
            turned_rows += int(known.sum()) if sign < 0 else 0
    if len(values) and np.isnan(values).all():
        raise InputError(f"{path}: none of the {len(values)} variants is in it; is it of another genome build?")
    log.info("%s: values of %d of %d variants, %d with the alleles in the other order",
             path, np.isfinite(values).sum(), len(values), turned_rows)  # fmt: skip
    return values


def _check_same(variants: pd.DataFrame, values: Floats, rows: npt.NDArray[Any], new: Floats, where: str) -> None:
    """Check that each variant has only one value, in this part of the file and in those before."""
    frame = pd.DataFrame({"row": rows, "value": new})
    spread = frame.groupby("row")["value"].agg(["min", "max"])
    before = values[spread.index]
    wrong = (spread["min"] != spread["max"]) | (np.isfinite(before) & (before != spread["min"]))
    if wrong.any():
        name = variants["variant_id"].iloc[int(spread.index[wrong][0])]
        raise InputError(f"{where}: variant {name} has two values; one is needed")


def _names_of(variants: pd.DataFrame) -> list[str]:
    plain = {name: plain_name(name) for name in variants["chrom"].unique()}
    parts = (variants["chrom"].map(plain), variants["pos"], variants["ref"], variants["alt"])
    return [f"{c}:{p}:{ref}:{alt}" for c, p, ref, alt in zip(*parts, strict=True)]


def _chunks(pattern: str | Path, column: str, positions: set[int]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Parts of the files at these positions: as_counted and other_way (names of the variant), and value."""
    paths = fitting_files(str(pattern))
    if not paths:
        raise InputError(f"{pattern}: no such file")
    for path in paths:
        suffix = Path(path).suffix
        parts = _hdf5_rows(path, column, positions) if suffix in {".h5", ".hdf5"} else _table_rows(path, column)
        for part in parts:
            here = part[part["pos"].isin(positions)]
            chrom = here["chrom"].map({name: plain_name(name) for name in here["chrom"].unique()})
            place = chrom.astype("str") + ":" + here["pos"].astype("str") + ":"
            counted, other = here["counted"].str.upper(), here["other"].str.upper()
            yield path, pd.DataFrame({
                "as_counted": place + other + ":" + counted,
                "other_way": place + counted + ":" + other, "value": here["value"],
            })  # fmt: skip


def _table_rows(path: str, column: str) -> Iterator[pd.DataFrame]:
    """Rows of a text or parquet table as chrom, pos, counted, other, value."""
    check(path)
    before = 0
    for frame in _frames(path):
        with reading(path, "a readable table"):
            part = _standard(frame, column, path, before)
        yield part
        before += len(frame)


def _frames(path: str) -> Iterator[pd.DataFrame]:
    """The table, some rows at a time; of text each value as text."""
    if path.endswith(".parquet"):
        with reading(path, "a readable table"), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_CHUNK):
                yield batch.to_pandas()
        return
    with text_of(path, "a readable table") as text:
        header = text.readline(_LONGEST_LINE)
        if len(header) == _LONGEST_LINE:
            raise InputError(f"{path}, line 1: megabytes long; is it a table with one variant a line?")
        separator = "\t" if "\t" in header else "," if "," in header else r"\s+"
        names = pd.read_csv(io.StringIO(header), sep=separator, dtype="str", nrows=0).columns
        rows = pd.read_csv(text, sep=separator, chunksize=_CHUNK, dtype="str", header=None, index_col=False)
        for frame in rows:
            if frame.shape[1] != len(names):
                raise InputError(f"{path}: {frame.shape[1]} columns, but the header has {len(names)}")
            yield frame.set_axis(names, axis=1)


def _standard(frame: pd.DataFrame, column: str, path: str, before: int) -> pd.DataFrame:
    names = {str(name).lower(): name for name in frame.columns}
    if "variant_id" in names:
        split = frame[names["variant_id"]].str.split(":", expand=True)
        if split.shape[1] != 4:
            raise InputError(f"{path}: variant_id must be chrom:pos:ref:alt, not {frame[names['variant_id']].iloc[0]}")
        placed = pd.DataFrame({"chrom": split[0], "pos": split[1], "counted": split[3], "other": split[2]})
        used = {names["variant_id"]}
    else:
        chrom, pos = (next((names[name] for name in known if name in names), None) for known in (_CHROM, _POS))
        alleles = next((pair for pair in _ALLELES if set(pair) <= set(names)), None)
        if chrom is None or pos is None or alleles is None:
            raise InputError(f"{path}: variant_id, or chromosome, position and two alleles (ref and alt, or A1 and A2) "
                             f"are needed; it has {', '.join(map(str, frame.columns))}")  # fmt: skip
        counted, other = (names[name] for name in alleles)
        placed = pd.DataFrame(
            {"chrom": frame[chrom].astype("str"), "pos": frame[pos], "counted": frame[counted], "other": frame[other]}
        )
        used = {chrom, pos, counted, other, names.get("snp"), names.get("rsid")}
    pos_numbers = pd.to_numeric(placed["pos"], errors="coerce")
    whole = (pos_numbers >= 0) & (pos_numbers < _FARTHEST) & (pos_numbers % 1 == 0)
    _refuse(~whole, placed["pos"], "position", path, before, "whole")
    free = [name for name in frame.columns if name not in used]
    chosen = column or (free[0] if len(free) == 1 else "")
    if chosen not in frame:
        raise InputError(f"{path}: {'no column ' + repr(column) if column else 'which column holds the value?'}; "
                         f"there are {', '.join(map(str, free))}")  # fmt: skip
    numbers = pd.to_numeric(frame[chosen], errors="coerce")
    missing = frame[chosen].isna() | frame[chosen].isin(list(missing_among(frame[chosen][numbers.isna()].unique())))
    _refuse((numbers.isna() & ~missing) | np.isinf(numbers), frame[chosen], str(chosen), path, before)
    return placed.assign(pos=pos_numbers.astype(np.int64), value=numbers.astype(float))


def _refuse(
    wrong: "pd.Series[bool]", values: pd.Series, name: str, path: str, before: int, kind: str = "finite"
) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        raise InputError(f"{path}, line {before + row + 2}: {name} '{values.iloc[row]}' is not a {kind} number")


def _hdf5_rows(path: str, column: str, positions: set[int]) -> Iterator[pd.DataFrame]:
    """Rows of an HDF5 file of variant scores (chr, pos, ref, alt and SAD (variants, targets); alt is counted)."""
    for part in read_scores(path, column, np.array(sorted(positions), np.int64)):
        values = part["SAD"]
        size = values[:, 0] if values.shape[1] == 1 else np.sqrt(np.square(values).sum(axis=1))
        if np.isinf(size).any():
            raise InputError(f"{path}: SAD has values whose squares are too large for a number; is it damaged?")
        texts = {name: pd.Series(part[key], dtype="str") for name, key in _HDF5.items()}
        yield pd.DataFrame({**texts, "pos": part["pos"], "value": size})
