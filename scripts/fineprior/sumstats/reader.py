"""Summary statistics as they come: opened, recognised, and brought to one standard frame, chunk by chunk.

What happens to the rows then (`sumstats.harmonise`) knows nothing of files. The formats, and which of their columns is
the effect allele's, are in `sumstats.formats`. GWAS-SSF and its meta file: Hayhurst et al. 2022,
https://doi.org/10.1101/2022.07.15.500230.

The sample size of a row is the first of these that is there: the size that was given for the study (`SampleSizes`: n,
or the effective size of cases and controls); the effective size of the file's cases and controls of that row; the
file's n of that row, taken as written; that of the meta file, or of a VCF's header (the effective size where it counts
cases and controls).
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from fineprior.files.arrays import Floats
from fineprior.files.errors import InputError
from fineprior.files.integrity import check
from fineprior.files.reading import CODES, CODES_OF_SHARES
from fineprior.sumstats.agreement import CONTRADICTS, TWO_VALUES, WALD, Agreement
from fineprior.sumstats.file_checks import FileChecks
from fineprior.sumstats.formats import NUMBERS, RATIOS, TEXTS, Layout, bind, choose_layout
from fineprior.sumstats.gwas_vcf import open_vcf
from fineprior.sumstats.metadata import Metadata, SampleSizes, read_metadata
from fineprior.sumstats.rows import MARKS
from fineprior.sumstats.text_tables import PARQUET, VCF, Piece, kind_of, open_parquet, open_text
from fineprior.sumstats.values import (
    bounds,
    coded_effects,
    complete,
    effective_size,
    floats,
    log_ratios,
    neg_log10_of_p,
)

STANDARD = (
    "row", "chrom", "source_pos", "pos", "effect_allele", "other_allele",
    "beta", "se", "z", "neg_log10_p", "eaf", "n", "info", "rsid",
)  # fmt: skip
"""Columns of the standard frame.

row: line of the source, the first being 1 (of a VCF or parquet file the number of the row, from 1); chrom,
source_pos, rsid: text of the source; pos: 1-based, NaN when not a number; alleles: text of the source; beta: effect
(log odds or hazard ratio) of one effect allele; z: of the effect allele; eaf: frequency of the effect allele. What a
row lacks is NaN.
"""

ROWS_AT_ONCE = 500_000
"""Most rows of a chunk."""
_PLACE_IN_ID = (
    r"^(?i:chr)?(?P<chrom>[0-9]{1,2}|[XYxy]|[Xx][Yy]|[Mm][Tt]?)[:_](?P<pos>[0-9]+)"
    r"(?:[:_/](?P<one>[ACGTacgt]+)[:_/>](?P<two>[ACGTacgt]+))?(?:[:_/].*)?$"
)
_ADDITIVE = "ADD"
_SIGNED = ("beta", "z_score", "base_pair_location")
_SHARES = ("effect_allele_frequency", "frequency_in_cases", "frequency_in_controls", "info")
_SIZES = ("n", "n_cases", "n_controls")
_CODES = dict.fromkeys(_SHARES, CODES_OF_SHARES) | {"neg_log_10_p_value": (*CODES, 999.0, 9999.0)}
"""Of other columns than `CODES`; of -log10 p without 99, which hits have."""
_P_VALUES = ("p_value", "neg_log_10_p_value")
_P_OF_ANOTHER_MODEL = ("bolt",)
"""Formats whose p-value is meant to be another one than that of effect and standard error."""

logger = logging.getLogger(__name__)

Rows = NDArray[np.int64]


class Source(Protocol):
    """A file of which pieces are read."""

    @property
    def columns(self) -> list[str]:
        """Names of the header."""

    def pieces(self, places: Mapping[str, int], /) -> Iterator[Piece]:
        """Wanted columns (what they are -> number of the column), a block of rows at a time."""


@dataclass
class Sumstats:
    """Summary statistics that are open: `chunks` reads them.

    format: name of the format that was recognised; genome_assembly: as the meta file, the VCF's header or the format
    says, else None; skipped: after reading, how many rows were excluded for being another test than the additive one.
    """

    path: Path
    format: str
    genome_assembly: str | None
    skipped: Counter[str] = field(default_factory=Counter)
    _source: Source = field(kw_only=True, repr=False)
    _places: dict[str, int] = field(kw_only=True, repr=False)
    _zero_based: bool = field(kw_only=True, default=False)
    _remedy: str = field(kw_only=True, default="")
    _given_size: float | None = field(kw_only=True, default=None)
    _other_size: float | None = field(kw_only=True, default=None)

    def chunks(self, *, marked: bool = False) -> Iterator[pd.DataFrame]:
        """Frames with the columns `STANDARD`, at most `ROWS_AT_ONCE` rows each, in the order of the file.

        Text columns are `str`, row is int64, the others float64; the index is that of the rows in the file, from 0.
        `marked`: also with the column `rows.MARKS`, by which `harmonise` reconciles z and p-values.

        Raises
        ------
        InputError
            The file is damaged, or a row cannot be; at the end, when the file as a whole cannot be what it is said to
            be: no row, no sample size, ratios for betas, p-values that contradict the effects.
        """
        checks = FileChecks(self.path)
        self.skipped.clear()
        start = 0
        for first, columns in self._source.pieces(self._places):
            size = len(next(iter(columns.values())))
            for begin in range(0, size, ROWS_AT_ONCE):
                part = {key: column.slice(begin, ROWS_AT_ONCE) for key, column in columns.items()}
                frame = self._standard(part, first + begin, checks, begins=not start)
                if frame.empty:
                    continue
                frame.index = pd.RangeIndex(start, start + len(frame))
                start += len(frame)
                yield frame if marked else frame[list(STANDARD)]
        if self.skipped:
            counts = ", ".join(f"{count:,} {test}" for test, count in self.skipped.items())
            if not checks.rows:
                raise InputError(f"{self.path}: no row with TEST = {_ADDITIVE} (there are {counts})")
            logger.info("%s: rows of other tests than %s are excluded: %s", self.path, _ADDITIVE, counts)
        checks.finish(_size_hint(self.path))

    def _standard(self, columns: dict[str, pa.Array], first: int, checks: FileChecks, *, begins: bool) -> pd.DataFrame:
        """One chunk; `first` is the row of its first line, `begins` whether no chunk came before."""
        rows = np.arange(first, first + len(next(iter(columns.values()))))
        columns, rows = _filled(columns, rows, checks)
        self._check_repeated_header(columns, rows)
        if "test" in columns:
            columns, rows = self._additive(columns, rows)
        texts = self._texts(columns, rows, begins)
        numbers = self._numbers(columns, texts["source_pos"], rows, checks)
        eaf, n = _frequencies(numbers), self._sizes(numbers)
        self._drop_codes(numbers, n, columns, rows, checks)
        checks.add_logarithms(numbers["neg_log_10_p_value"])
        beta = log_ratios(self.path, numbers["beta"], {key: numbers[key] for key in RATIOS if key in columns}, rows)
        found = complete(beta, numbers["standard_error"], numbers["z_score"], numbers["p_value"],
                         numbers["neg_log_10_p_value"], numbers["p_bound"])  # fmt: skip
        marks = Agreement(columns, numbers, beta, n, found).marks(checks, rows)
        if self.format in _P_OF_ANOTHER_MODEL:
            marks &= WALD | TWO_VALUES | CONTRADICTS
        frame = pa.table(texts).to_pandas()
        frame = frame.assign(
            row=rows, pos=numbers["base_pair_location"] + self._zero_based, beta=beta, se=found["se"], z=found["z"],
            neg_log10_p=found["neg_log10_p"], eaf=eaf, n=n, info=numbers["info"], **{MARKS: marks},
        )  # fmt: skip
        checks.add(frame, found["claimed"], found["expected"])
        return frame[[*STANDARD, MARKS]]

    def _numbers(
        self, columns: dict[str, pa.Array], positions: pa.Array, rows: Rows, checks: FileChecks
    ) -> dict[str, Floats]:
        """All numbers by what they are, NaN where there is none; p-values as -log10, `p_bound`: what that is at least.

        What is text, or a code for a missing value, is counted.
        """
        count = len(rows)
        none, bound = np.full(count, np.nan), np.full(count, np.nan)
        read = dict.fromkeys(NUMBERS, none)
        for key in [key for key in NUMBERS if key in columns]:
            own_bound = none
            if key == "p_value":
                read[key] = neg_log10_of_p(columns[key], count)
            else:
                codes = () if key in _SIGNED else _CODES.get(key, CODES)
                read[key] = floats(columns[key], count, thousands=key in _SIZES, codes=codes)
            if key in _P_VALUES:
                own_bound = bounds(columns[key], read[key], logarithm=key == "neg_log_10_p_value")
                bound = np.fmax(bound, own_bound)
            name = self._source.columns[self._places[key]] if key in self._places else key
            checks.add_text(name, columns[key], read[key], own_bound, rows)
        if "base_pair_location" not in columns:
            read["base_pair_location"] = floats(positions, count)
        return read | {"p_bound": bound}

    def _drop_codes(
        self, numbers: dict[str, Floats], n: Floats, columns: Mapping[str, pa.Array], rows: Rows, checks: FileChecks
    ) -> None:
        """Effects and z-scores of -9 and the like are missing where the rest of the row says so."""
        se, given = numbers["standard_error"], numbers["neg_log_10_p_value"]
        claimed = np.where(np.isnan(given), numbers["p_value"], given)
        no_p = np.isnan(claimed) & bool(set(_P_VALUES) & set(columns))
        for key in [key for key in ("beta", *RATIOS, "z_score") if key in columns]:
            effect, lacking = numbers[key], no_p
            z = effect
            if key != "z_score":
                with np.errstate(divide="ignore", invalid="ignore"):
                    z = (np.log(effect) if key in RATIOS else effect) / se
                lacking = (np.isnan(se) | (se == np.abs(effect))) & ("standard_error" in columns)
            coded = coded_effects(effect, z, claimed, n, lacking)
            name = self._source.columns[self._places[key]] if key in self._places else key
            checks.add_codes(name, effect, coded, rows)
            numbers[key] = np.where(coded, np.nan, effect)

    def _additive(self, columns: dict[str, pa.Array], rows: Rows) -> tuple[dict[str, pa.Array], Rows]:
        """Only the rows of the additive test; the others are counted."""
        tests = pa.compute.fill_null(columns["test"], "without a name")
        additive = pa.compute.equal(tests, _ADDITIVE)
        if not pa.compute.all(additive, min_count=0).as_py():
            others = pa.compute.value_counts(tests.filter(pa.compute.invert(additive)))
            self.skipped.update({entry["values"]: entry["counts"] for entry in others.to_pylist()})
            columns = {key: column.filter(additive) for key, column in columns.items()}
            rows = rows[additive.to_numpy(zero_copy_only=False)]
        return columns, rows

    def _texts(self, columns: dict[str, pa.Array], rows: Rows, begins: bool) -> dict[str, pa.Array]:
        """chrom, source_pos, alleles and rsid, taken from the variant's name where the file has no column for them."""
        text = {key: _text(columns[key]) for key in columns if key == "base_pair_location" or key in TEXTS}
        nothing = pa.nulls(len(rows), pa.string())
        if not {"chromosome", "base_pair_location", "other_allele"} <= set(text) and "variant_id" in text:
            named = pa.compute.extract_regex(text["variant_id"], _PLACE_IN_ID)
            one, two = (pa.compute.if_else(pa.compute.equal(part, ""), None, part) for part in
                        (pa.compute.struct_field(named, "one"), pa.compute.struct_field(named, "two")))  # fmt: skip
            text = {"chromosome": pa.compute.struct_field(named, "chrom"),
                    "base_pair_location": pa.compute.struct_field(named, "pos"),
                    "other_allele": _other(text["effect_allele"], one, two)} | text  # fmt: skip
            if begins:
                self._check_named(text, rows)
        if "other_allele" not in text:
            text["other_allele"] = _other(text["effect_allele"], text["reference_allele"], text["alternative_allele"])
        return {
            "chrom": text["chromosome"], "source_pos": text["base_pair_location"],
            "effect_allele": text["effect_allele"], "other_allele": text["other_allele"],
            "rsid": text.get("rsid", nothing),
        }  # fmt: skip

    def _check_repeated_header(self, columns: dict[str, pa.Array], rows: Rows) -> None:
        """A line that is the header again: files were concatenated."""
        names = {key: self._source.columns[place] for key, place in self._places.items()}
        if not pa.types.is_string(columns["effect_allele"].type):
            return
        repeated = pa.compute.index(columns["effect_allele"], names["effect_allele"]).as_py()
        if repeated >= 0 and all(columns[key][repeated].as_py() == name for key, name in names.items()):
            raise InputError(f"{self.path}, line {rows[repeated]}: the header again; were files put after one another? "
                             "Keep the first header only")  # fmt: skip

    def _check_named(self, text: dict[str, pa.Array], rows: Rows) -> None:
        """Names of variants must say what no column does."""
        for key, what in (("base_pair_location", "a position"), ("other_allele", "both alleles")):
            missing = text[key].null_count if key not in self._places else 0
            if missing and missing == len(rows):
                name = text["variant_id"][0].as_py()
                raise InputError(f"{self.path}: no column ({self.format}) and no name of a variant says {what} (line "
                                 f"{rows[0]}: '{name}'){self._remedy}")  # fmt: skip

    def _check_sized(self) -> None:
        columns = {"n"} <= set(self._places) or {"n_cases", "n_controls"} <= set(self._places)
        if self._given_size is None and self._other_size is None and not columns:
            raise InputError(f"{self.path}: no sample size; {_size_hint(self.path)}")

    def _sizes(self, numbers: Mapping[str, Floats]) -> Floats:
        if self._given_size is not None:
            return np.full(len(numbers["n"]), self._given_size)
        effective = effective_size(numbers["n_cases"], numbers["n_controls"])
        sizes = np.where(np.isnan(effective), numbers["n"], effective)
        return sizes if self._other_size is None else np.where(np.isnan(sizes), self._other_size, sizes)


def _filled(columns: dict[str, pa.Array], rows: Rows, checks: FileChecks) -> tuple[dict[str, pa.Array], Rows]:
    """Exclude rows in which all columns are empty, which spreadsheets and editors write."""
    if not all(column.null_count for column in columns.values()):
        return columns, rows
    filled = np.zeros(len(rows), bool)
    for column in columns.values():
        filled |= column.is_valid().to_numpy(zero_copy_only=False)
    if filled.all():
        return columns, rows
    checks.add_empty(rows[~filled])
    kept = pa.array(filled)
    return {key: column.filter(kept) for key, column in columns.items()}, rows[filled]


def _text(column: pa.Array) -> pa.Array:
    """A column as text without blanks around it."""
    if pa.types.is_floating(column.type):  # chromosomes and positions of a parquet file with missing values
        whole = pa.compute.cast(column, pa.int64(), safe=False)
        column = pa.compute.if_else(pa.compute.equal(pa.compute.cast(whole, column.type), column), whole, None)
    return pa.compute.utf8_trim_whitespace(pa.compute.cast(column, pa.string()))


def _other(effect: pa.Array, one: pa.Array, two: pa.Array) -> pa.Array:
    """Of two alleles the one that is not the effect allele; null where the effect allele is neither.

    `two` may be several alleles with commas between them (ALT of PLINK 2), of which one is the effect allele.
    """
    effect, one, two = (pa.compute.utf8_upper(part) for part in (effect, one, two))
    is_one, is_two = pa.compute.equal(effect, one), pa.compute.equal(effect, two)
    several = pa.compute.match_substring(two, ",")
    if pa.compute.any(several, min_count=0).as_py():
        pairs = zip(effect.to_pylist(), two.to_pylist(), strict=True)
        listed = pa.array([None if None in pair else pair[0] in pair[1].split(",") for pair in pairs], pa.bool_())
        is_one, is_two = pa.compute.and_(is_one, pa.compute.invert(several)), pa.compute.or_(is_two, listed)
    return pa.compute.if_else(is_two, one, pa.compute.if_else(is_one, two, None))


def _frequencies(numbers: Mapping[str, Floats]) -> Floats:
    """Frequency of the effect allele; of PLINK's --assoc that of the controls, or else of the cases."""
    eaf = numbers["effect_allele_frequency"]
    for key in ("frequency_in_controls", "frequency_in_cases"):
        eaf = np.where(np.isnan(eaf), numbers[key], eaf)
    return eaf


def open_sumstats(
    path: str | Path,
    *,
    layout: str | Mapping[str, str] | None = None,
    sizes: SampleSizes = SampleSizes(),  # noqa: B008 (frozen)
) -> Sumstats:
    """Open summary statistics: text (plain, gzip, bgzip, zstd; tabs, commas, blanks), parquet, GWAS-VCF or BCF.

    Parameters
    ----------
    layout
        None: the format is recognised; the name of a format (`sumstats_formats.FORMAT_NAMES`); or names of GWAS-SSF
        -> names of this file's columns.
    sizes
        Sample sizes of the study; they go before the file's.

    Raises
    ------
    InputError
        The file is absent, empty, damaged or of no known format; a column is missing or there twice; or nothing says
        the sample size.
    """
    path = Path(path)
    check(path)  # of the rule associate; a user's file has no digest
    metadata = read_metadata(path)
    kind = kind_of(path)
    if (kind == VCF) != (layout == VCF) and layout:
        raise InputError(f"{path}: is {'' if kind == VCF else 'not '}a VCF, but its format is given as {layout!r}")
    if kind == VCF:
        vcf = open_vcf(path)
        places = {key: i for i, key in enumerate(vcf.columns)}
        opened = Sumstats(path, VCF, vcf.genome_assembly or metadata.genome_assembly, _source=vcf, _places=places,
                          _other_size=vcf.sample_size)  # fmt: skip
    else:
        source: Source = open_parquet(path) if kind == PARQUET else open_text(path)
        chosen = choose_layout(source.columns, layout or None, path)
        opened = Sumstats(path, chosen.name, _assembly(chosen, source.columns, metadata), _source=source,
                          _places=bind(chosen, source.columns, path), _remedy=chosen.hint)  # fmt: skip
    opened._zero_based = metadata.zero_based
    opened._given_size = sizes.effective()
    opened._other_size = metadata.sample_size if metadata.sample_size is not None else opened._other_size
    opened._check_sized()
    if metadata.zero_based:
        logger.info("%s: positions are 0-based (meta file); 1 is added", path)
    logger.info("%s: format %s", path, opened.format)
    return opened


def _assembly(layout: Layout, columns: list[str], metadata: Metadata) -> str | None:
    """The build of a file: all harmonised files of the GWAS Catalog are on GRCh38."""
    harmonised = layout.name == "gwas-ssf" and "hm_code" in [name.strip().lower() for name in columns]
    return layout.assembly or metadata.genome_assembly or ("GRCh38" if harmonised else None)


def _size_hint(path: Path) -> str:
    return (
        "give n (or cases and controls) in the studies sheet, a column n, or sample_size in "
        f"{path.name}-meta.yaml beside the file"
    )


def read_sumstats(
    path: str | Path,
    *,
    layout: str | Mapping[str, str] | None = None,
    sizes: SampleSizes = SampleSizes(),  # noqa: B008 (frozen)
) -> pd.DataFrame:
    """All chunks of `open_sumstats` in one frame with the columns `STANDARD`.

    Raises
    ------
    InputError
        As `open_sumstats` and `Sumstats.chunks`.
    """
    return pd.concat(open_sumstats(path, layout=layout, sizes=sizes).chunks())
