"""Annotations and LD scores in the files of PolyFun and LDSC, one for each chromosome; LD scores in a panel.

`.annot.parquet`, `.annot.gz`, `.l2.ldscore.parquet`, `.l2.ldscore.gz`: CHR SNP BP A1 A2 and a column for each
annotation, read a part at a time. Rows are matched by position and both alleles, in either order; LDSC's own files,
which have no alleles, by rsid.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from fineprior.files.errors import InputError
from fineprior.files.integrity import check
from fineprior.files.reading import SPELLINGS, reading, text_of
from fineprior.files.whole import atomic_path
from fineprior.genome.contigs import Contigs, plain_name
from fineprior.genotypes.ld import ld_scores
from fineprior.genotypes.panels import Panel, open_panel
from fineprior.project.panel_files import CHROM, chromosomes_of

log = logging.getLogger(__name__)

Values = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

WINDOW = 1_000_000
"""Distance (bp) up to which LD counts in LD scores."""
WEIGHT = "L2"
"""Column of weights: LD scores of an annotation that is 1 everywhere."""
_AT_ONCE = 50_000
_WHAT = "a readable table"
_LONGEST = 1 << 24
_SHIFT = 32
_NUMBERS: dict[str, int] = {}
"""Numbers of pairs of alleles met so far."""
_NEXT = itertools.count()
_ALLELES = ("A1", "A2")
_NO_VALUES = {"CHR", "SNP", "BP", "A1", "A2", "CM", "MAF", "POS", "CHROM", "RSID"}


class AnnotationFiles:
    """Tables of variants by chromosome.

    Parameters
    ----------
    pattern
        Path with `{chrom}` for the name of a chromosome.

    Raises
    ------
    InputError
        No file fits, two are of one chromosome, one cannot be read, or the files have different columns.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        """As the user gave it."""
        names = Contigs(pattern, chromosomes_of(pattern, suffixes=("",))).by_plain_name()
        self.paths = {plain: pattern.replace(CHROM, name) for plain, name in names.items()}
        """File of each chromosome, by its name without chr."""
        if not self.paths:
            raise InputError(f"no file fits '{pattern}' (looked in {Path.cwd()}); {CHROM} stands for the chromosome")
        headers = {path: _header(path) for path in self.paths.values()}
        first, header = next(iter(headers.items()))
        self.columns = [name for name in header if name.upper() not in _NO_VALUES and not name.startswith("__index")]
        """Names of the columns of values."""
        self.by_alleles = {"BP", *_ALLELES} <= set(header)
        """Whether rows are known by position and alleles; else by rsid."""
        if not self.by_alleles and "SNP" not in header:
            raise InputError(f"{first}: needs BP, A1 and A2, or SNP; it has {', '.join(header[:8])}")
        for path, other in headers.items():
            if set(other) != set(header):
                odd = sorted(set(other) ^ set(header))[0]
                raise InputError(f"{path}: not the columns of {first}; '{odd}' is in one of them only")

    def keys(self, chrom: str) -> pd.Index:
        """Numbers of all rows of a chromosome by `variant_keys`, or rsids.

        Raises
        ------
        InputError
            The file holds another chromosome, or a position is no number.
        """
        wanted = ["BP", *_ALLELES] if self.by_alleles else ["SNP"]
        if "CHR" in _header(self.paths[chrom]):
            wanted.append("CHR")
        empty = np.zeros(0, np.int64 if self.by_alleles else object)
        return pd.Index(np.concatenate([empty, *self._key_parts(chrom, wanted)]))

    def values(self, chrom: str, columns: Sequence[str]) -> Iterator[tuple[int, Values]]:
        """Parts of the values of a chromosome: number of the first row, and values (k, columns).

        Raises
        ------
        InputError
            A value is missing or no number.
        """
        first = 0
        for frame in _parts(self.paths[chrom], list(dict.fromkeys(columns))):
            with reading(f"{self.paths[chrom]}, rows {first + 1} to {first + len(frame)}", "numbers only"):
                values = frame[list(columns)].to_numpy(np.float32)
            wrong = ~np.isfinite(values)
            if wrong.any():
                row, column = (int(number) for number in np.argwhere(wrong)[0])
                raise InputError(f"{self.paths[chrom]}, row {first + row + 1}: {columns[column]} is missing or no "
                                 f"finite number ({int(wrong.sum())} such values near it)")  # fmt: skip
            yield first, values
            first += len(values)

    def _key_parts(self, chrom: str, wanted: list[str]) -> Iterator[npt.NDArray[Any]]:
        path = self.paths[chrom]
        for frame in _parts(path, wanted):
            here = {plain_name(str(name)) for name in frame["CHR"].unique()} if "CHR" in frame else {chrom}
            if here - {chrom}:
                raise InputError(f"{path}: has variants of chromosome {sorted(here - {chrom})[0]}, not only of {chrom}")
            if not self.by_alleles:
                yield frame["SNP"].astype("str").to_numpy(object)
                continue
            pos = pd.to_numeric(frame["BP"], errors="coerce")
            whole = (pos >= 0) & (pos < 1 << _SHIFT - 1) & (pos % 1 == 0)
            if not whole.all():
                raise InputError(f"{path}: position '{frame['BP'][~whole].iloc[0]}' is not a whole number")
            yield variant_keys(pos, frame["A1"], frame["A2"]).to_numpy()


def variant_keys(pos: pd.Series, first: pd.Series, second: pd.Series) -> pd.Index:
    """Number each variant of a chromosome by its position and its two alleles, in either order.

    Two variants have the same number if and only if they are the same, in one process.
    """
    (codes, spellings), (others, other_spellings) = pd.factorize(first), pd.factorize(second)
    pairs, places = np.unique(codes.astype(np.int64) * (len(other_spellings) + 1) + others, return_inverse=True)
    numbers = []
    for pair in pairs.tolist():
        one, other = divmod(pair, len(other_spellings) + 1)
        alleles = sorted((str(spellings[one]).upper(), str(other_spellings[other]).upper()))
        numbers.append(_NUMBERS.setdefault(":".join(alleles), next(_NEXT)))
    return pd.Index((pos.to_numpy(np.int64) << _SHIFT) + np.array(numbers, np.int64)[places])


class Match:
    """Rows of a file matched with variants of a study, and why others were not matched.

    Attributes
    ----------
    file_rows, rows
        Rows of the file, increasing, and the rows of their variants.
    counts
        Rows of the file by outcome.
    """

    def __init__(self, of_file: pd.Index, of_variants: pd.Index, by_alleles: bool) -> None:
        first = ~of_file.duplicated()
        twice = of_variants.duplicated(keep=False) | of_variants.isna()
        places = np.flatnonzero(~twice)
        found = of_variants[places].get_indexer(of_file)
        known = (found >= 0) & first
        self.file_rows: Integers = np.flatnonzero(known)
        self.rows: Integers = places[found[known]]
        self.counts = {"matched": int(known.sum()), "again": int((~first).sum())}
        rest = (found < 0) & first
        if by_alleles:
            other = int(np.isin(of_file[rest].to_numpy() >> _SHIFT, of_variants.to_numpy() >> _SHIFT).sum())
            self.counts["with other alleles at the position, or there twice"] = other
            self.counts["with no such position"] = int(rest.sum()) - other
        else:
            self.counts["with no such rsid, or there twice"] = int(rest.sum())


def check_matches(matches: dict[str, Match], sizes: dict[str, int], where: str, study: str) -> None:
    """Log how the rows of the files of all chromosomes were matched; stop where hardly any matched.

    Raises
    ------
    InputError
        Fewer than one in a hundred of the variants, or of the file's rows where it has fewer.
    """
    counts: dict[str, int] = {}
    for match in matches.values():
        for reason, number in match.counts.items():
            counts[reason] = counts.get(reason, 0) + number
    told = ", ".join(f"{number:,} {reason}" for reason, number in counts.items())
    log.info("%s: of %s rows, %s", where, f"{sum(counts.values()):,}", told)
    fewest = min(sum(sizes.values()), sum(counts.values()))
    matched = counts.get("matched", 0)
    if matched == 0 or matched < fewest / 100:
        raise InputError(
            f"{where}: {matched:,} of its rows are variants of {study} ({told}); is it of another genome build?"
        )


def read_sizes(pattern: str, chromosomes: Sequence[str], columns: int) -> npt.NDArray[np.float64] | None:
    """Sums of the annotations (columns,) over all variants that LD scores of these chromosomes count; None without.

    Parameters
    ----------
    pattern
        Path of the LD scores; PolyFun's and LDSC's `.l2.M` lies beside each.

    Raises
    ------
    InputError
        A file does not hold one number for each column of the LD scores.
    """
    files = AnnotationFiles(pattern).paths
    total = np.zeros(columns)
    for chrom in chromosomes:
        path = Path(files[chrom].rsplit(".l2.ldscore", 1)[0] + ".l2.M")
        if not path.is_file():
            return None
        check(path)
        with text_of(path, "a list of numbers") as text:
            numbers = np.array(text.read(_LONGEST).split(), float)
        if len(numbers) != columns or not np.isfinite(numbers).all():
            raise InputError(f"{path}: {columns} numbers are needed, one for each annotation of the LD scores")
        total += numbers
    return total


@dataclass(frozen=True)
class PanelChromosome:
    """The variants of a chromosome that are both in annotation files and in a panel, by position.

    `variants` of the panel (k rows; snp_id, chrom, pos, a1, a2, and `row` in the panel); `file_rows` (k,) their rows in
    the annotation file; `match` of all rows of both; `size` of the panel's chromosome.
    """

    panel: Panel
    variants: pd.DataFrame
    file_rows: Integers
    match: Match
    size: int

    @classmethod
    def of(cls, path: str, samples: str | None, chrom: str, files: AnnotationFiles) -> "PanelChromosome":
        """Match a chromosome (its name without chr); of a panel of many files only that one is opened.

        Raises
        ------
        InputError
            The panel has no file for the chromosome, or a file cannot be read.
        """
        if CHROM in path:
            own = Contigs(path, chromosomes_of(path), plink=True).find(chrom)
            if own is None:
                raise InputError(f"{path}: no file for chromosome '{chrom}'")
            path = path.replace(CHROM, own)
        panel = open_panel(path, samples or None)
        variants = panel.variants
        plain = {name: plain_name(name, plink=True) for name in variants["chrom"].unique()}
        here = np.flatnonzero((variants["chrom"].map(plain) == chrom).to_numpy())
        variants = variants.iloc[here].assign(row=here)
        names = pd.Index(variants["snp_id"].to_numpy(object))
        if files.by_alleles:
            names = variant_keys(variants["pos"], variants["a1"], variants["a2"])
        match = Match(files.keys(chrom), names, files.by_alleles)
        order = np.argsort(variants["pos"].to_numpy()[match.rows], kind="stable")
        return cls(panel, variants.iloc[match.rows[order]], match.file_rows[order], match, len(variants))

    def ld_scores(self, values: Values) -> npt.NDArray[np.float64]:
        """LD scores (k, annotations) of annotations (k, annotations) of these variants."""
        rows, pos = self.variants["row"].to_numpy(np.int64), self.variants["pos"].to_numpy(np.int64)
        return ld_scores(lambda index: self.panel.dosages(rows[index]), pos, values, WINDOW)


@dataclass(frozen=True)
class AnnotationLd:
    """LD scores of the annotations of a chromosome: CHR, SNP, BP, A1, A2 and the scores; sums of the annotations."""

    table: pd.DataFrame
    sizes: npt.NDArray[np.float64]


def annotation_ld(files: AnnotationFiles, chrom: str, panel: str, samples: str | None = None) -> AnnotationLd:
    """LD scores of the annotations of a chromosome in the panel, and of one that is 1 everywhere (L2).

    Parameters
    ----------
    files
        The annotations.
    chrom
        Name of the chromosome, without chr.
    panel, samples
        Panel, and a file of the samples to keep.

    Raises
    ------
    InputError
        (Almost) no variant of the annotations is in the panel.
    """
    there = PanelChromosome.of(panel, samples, chrom, files)
    check_matches({chrom: there.match}, {chrom: there.size}, files.paths[chrom], panel)
    by_file = np.sort(there.file_rows)
    place = np.argsort(there.file_rows, kind="stable")
    values = np.ones((len(place), len(files.columns) + 1), np.float32)
    for first, part in files.values(chrom, files.columns):
        start, stop = np.searchsorted(by_file, [first, first + len(part)]).tolist()
        values[place[start:stop], :-1] = part[by_file[start:stop] - first]
    found = there.ld_scores(values)
    here = there.variants
    table = pd.DataFrame({"CHR": here["chrom"], "SNP": here["snp_id"], "BP": here["pos"], "A1": here["a1"],
                          "A2": here["a2"]}).reset_index(drop=True)  # fmt: skip
    columns = [*files.columns, WEIGHT] if WEIGHT not in files.columns else files.columns
    scores = pd.DataFrame(found[:, : len(columns)].astype(np.float32), columns=columns)
    sizes = values[:, : len(columns)].sum(0, dtype=np.float64)
    return AnnotationLd(pd.concat([table, scores], axis=1), sizes)


def write_sizes(sizes: npt.NDArray[np.float64], path: str) -> None:
    """Write sums of annotations as PolyFun's and LDSC's `.l2.M`, which `read_sizes` reads."""
    with atomic_path(path) as temporary:
        temporary.write_text("\t".join(f"{total:.10g}" for total in sizes) + "\n")


def _header(path: str) -> list[str]:
    check(path)
    if path.endswith(".parquet"):
        with reading(path, _WHAT), pq.ParquetFile(path) as file:
            return [str(name) for name in file.schema_arrow.names]
    with text_of(path, _WHAT) as text:
        return [str(name) for name in pd.read_csv(text, sep=r"\s+", nrows=0).columns]


def _parts(path: str, columns: list[str]) -> Iterator[pd.DataFrame]:
    """The columns of a table, some rows at a time."""
    if path.endswith(".parquet"):
        with reading(path, _WHAT), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_AT_ONCE, columns=columns):
                yield batch.to_pandas()
        return
    texts = dict.fromkeys({"SNP", "CHR", *_ALLELES} & set(columns), "str")
    with text_of(path, _WHAT) as text:
        yield from pd.read_csv(text, sep=r"\s+", usecols=columns, dtype=texts, chunksize=_AT_ONCE,
                               keep_default_na=False, na_values=SPELLINGS)  # fmt: skip
