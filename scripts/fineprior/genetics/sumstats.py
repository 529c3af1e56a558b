"""Summary statistics as they come: GWAS-SSF 1.x files and their meta YAML, read into one standard frame.

Every format is brought to the columns of `STANDARD`; what happens to the rows then (`genetics.harmonise`) knows
nothing of files. GWAS-SSF: Hayhurst et al. 2022, https://doi.org/10.1101/2022.07.15.500230.
"""

import gzip
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from fineprior.foundation.errors import InputError

STANDARD = (
    "row", "chrom", "source_pos", "pos", "effect_allele", "other_allele",
    "beta", "se", "z", "neg_log10_p", "eaf", "n", "info", "rsid",
)  # fmt: skip
"""Columns of the standard frame.

row: line of the source, the header being line 1; chrom, source_pos, rsid: text of the source; pos: 1-based, NaN when
not a number; alleles: text of the source; beta: effect (log odds or hazard ratio) of one effect allele; z: of the
effect allele; eaf: frequency of the effect allele. What a row lacks is NaN.
"""

_TEXTS = {
    "chromosome": "chrom", "base_pair_location": "source_pos", "effect_allele": "effect_allele",
    "other_allele": "other_allele", "rsid": "rsid", "variant_id": "variant_id",
}  # fmt: skip
_NUMBERS = {
    "beta": "beta", "odds_ratio": "odds_ratio", "hazard_ratio": "hazard_ratio", "z_score": "z",
    "standard_error": "se", "p_value": "p", "neg_log_10_p_value": "neg_log10_p",
    "effect_allele_frequency": "eaf", "n": "n", "info": "info",
}  # fmt: skip
_RATIOS = ("odds_ratio", "hazard_ratio")
_REQUIRED = ("chromosome", "base_pair_location", "effect_allele", "other_allele")
_MISSING = ["#NA", "NA", "", "NaN", "nan"]
_ROWS_AT_ONCE = 500_000
_ENOUGH_ROWS = 20
"""Rows from which a file as a whole is judged: fewer could look wrong by chance."""
_LEAST_AGREEMENT = 0.5
_SHOWN_LOG10_P = 50.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Metadata:
    """What is used of a `-meta.yaml`: None where it says nothing."""

    genome_assembly: str | None = None
    zero_based: bool = False
    sample_size: float | None = None


def read_sumstats(path: str | Path) -> pd.DataFrame:
    """Read a GWAS-SSF file (plain or gzip) with the `<file>-meta.yaml` beside it, if there is one.

    Columns are found by name, in any order and case. Effects are `beta`, `odds_ratio` or `hazard_ratio` (of which
    the logarithm is taken) or `z_score`; p-values are `p_value` or `neg_log_10_p_value`. z is beta / se, else the
    `z_score`, else the p-value's with the sign of beta; a p-value of 0 is taken from z, in log space.

    Returns
    -------
    Frame with the columns `STANDARD`, one row for each line after the header, in the order of the file.

    Raises
    ------
    InputError
        The file is absent, empty or damaged; a column is missing or there twice; a ratio is negative; no row has
        a sample size; or effects, standard errors and p-values contradict one another.
    """
    path = Path(path)
    metadata = read_metadata(path)
    columns = _columns(path)
    frame = pd.concat(_chunks(path, columns), ignore_index=True)
    if frame.empty:
        raise InputError(f"{path}: no rows after the header")
    frame.insert(0, "row", np.arange(2, len(frame) + 2))
    position = pd.to_numeric(frame["source_pos"], errors="coerce").astype("float64")
    frame["pos"] = position + metadata.zero_based
    if metadata.zero_based:
        logger.info("%s: positions are 0-based (meta file); 1 is added", path)
    frame["n"] = _sample_sizes(path, frame, metadata)
    frame = _with_effects(path, frame)
    _complete_z_and_p(frame)
    _check_agreement(path, frame)
    return frame.reindex(columns=list(STANDARD))


def read_metadata(path: str | Path) -> Metadata:
    """Read `<path>-meta.yaml`; all None when there is no such file.

    Raises
    ------
    InputError
        If the file is not YAML, or a value is not of its kind.
    """
    file = Path(f"{path}-meta.yaml")
    if not file.is_file():
        return Metadata()
    try:
        values = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise InputError(f"{file}: must hold `key: value` lines, not {type(values).__name__}")
    system = str(values.get("coordinate_system") or "1-based").lower()
    if system not in {"0-based", "1-based"}:
        raise InputError(f"{file}: coordinate_system '{system}' is not known; allowed: 0-based, 1-based")
    assembly = values.get("genome_assembly")
    return Metadata(str(assembly) if assembly else None, system == "0-based", _sample_size(file, values))


def neg_log10_p_of(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided -log10 p of z, without underflow."""
    return np.maximum(-(log_ndtr(-np.abs(z)) + np.log(2)) / np.log(10), 0.0)


def z_of(neg_log10_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The |z| whose two-sided -log10 p this is, without underflow; NaN for values below 0."""
    valid = np.where(neg_log10_p >= 0, neg_log10_p, np.nan)
    magnitude: NDArray[np.float64] = np.abs(ndtri_exp(-valid * np.log(10) - np.log(2)))
    return magnitude


def _sample_size(file: Path, values: dict[str, Any]) -> float | None:
    """People in all: sample_size, or cases and controls, of the study or summed over its samples."""

    def number(entry: dict[str, Any], key: str) -> float | None:
        value = entry.get(key)
        if value in (None, "#NA", "NA", ""):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise InputError(f"{file}: {key} is {value!r}; allowed: a number above 0")
        return float(value)

    def size(entry: dict[str, Any]) -> float | None:
        parts = [number(entry, key) for key in ("case_count", "control_count")]
        whole = number(entry, "sample_size")
        return whole if whole is not None or None in parts else sum(part or 0 for part in parts)

    own = size(values)
    samples = values.get("samples")
    if own is not None or not isinstance(samples, list):
        return own
    sizes = [size(sample) for sample in samples if isinstance(sample, dict)]
    return None if not sizes or None in sizes else sum(part or 0 for part in sizes)


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """The file's text; whatever goes wrong while it is read is the user's file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as handle:
        compressed = handle.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if compressed else open)(path, "rt", encoding="utf-8-sig") as text:  # type: ignore[operator]
            yield text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the compressed file is damaged or cut off ({error})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    except pd.errors.ParserError as error:
        raise InputError(f"{path}: lines differ in their number of columns ({str(error).strip()})") from None


def _columns(path: Path) -> list[str]:
    """Column names of the header in lower case; checks that they suffice."""
    with _opened(path) as text:
        header = text.readline().rstrip("\r\n")
    if not header:
        raise InputError(f"{path}: the file is empty, or its first line is")
    columns = [name.strip().lower() for name in header.split("\t")]
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        hint = "" if "\t" in header else "; columns must be separated by tabs"
        raise InputError(f"{path}: column '{missing[0]}' is missing; GWAS-SSF needs {', '.join(_REQUIRED)}{hint}")
    twice = [name for name in (*_TEXTS, *_NUMBERS) if columns.count(name) > 1]
    if twice:
        raise InputError(f"{path}: column '{twice[0]}' is there {columns.count(twice[0])} times")
    has = set(columns).intersection
    effect, p = has({"beta", *_RATIOS}), has({"p_value", "neg_log_10_p_value"})
    if not effect and not has({"z_score"}):
        raise InputError(f"{path}: no effect column; allowed: beta, odds_ratio, hazard_ratio, z_score")
    if not p and not has({"z_score", "standard_error"}):
        raise InputError(
            f"{path}: neither standard_error nor p_value is there; one of them is needed beside {min(effect)}"
        )
    ours = _TEXTS | _NUMBERS
    return [name if name in ours else f"column {i}" for i, name in enumerate(columns)]


def _chunks(path: Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    names = _TEXTS | _NUMBERS
    wanted = [name for name in columns if name in names]
    with _opened(path) as text:
        reader = pd.read_csv(
            text, sep="\t", header=0, names=columns, dtype=dict.fromkeys(_TEXTS, "str"), na_values=_MISSING,
            keep_default_na=False, quoting=3, skip_blank_lines=False, low_memory=False, chunksize=_ROWS_AT_ONCE,
        )  # fmt: skip
        for chunk in reader:
            if not isinstance(chunk.index, pd.RangeIndex):  # a line longer than the header
                raise InputError(f"{path}: lines have more columns than the header")
            part = chunk[wanted].rename(columns=names)
            for name in _NUMBERS.values():
                if name in part:
                    part[name] = pd.to_numeric(part[name], errors="coerce").astype("float64")
            for name in ("chrom", "source_pos", "effect_allele", "other_allele"):
                part[name] = part[name].str.strip()
            yield part


def _sample_sizes(path: Path, frame: pd.DataFrame, metadata: Metadata) -> pd.Series:
    sizes = frame["n"] if "n" in frame else pd.Series(np.nan, index=frame.index)
    if metadata.sample_size is not None:
        sizes = sizes.fillna(metadata.sample_size)
    if sizes.isna().all():
        raise InputError(
            f"{path}: no sample size; give it as column 'n', or as sample_size in {path.name}-meta.yaml beside the file"
        )
    return sizes


def _with_effects(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Add or fill `beta` from ratios."""
    beta = frame["beta"] if "beta" in frame else pd.Series(np.nan, index=frame.index)
    if len(beta) >= _ENOUGH_ROWS and (beta > 0).all() and beta.between(0.5, 2).mean() > 0.5:
        raise InputError(f"{path}: every beta is above 0 and they lie around 1; are they odds ratios?")
    for name in _RATIOS:
        if name not in frame:
            continue
        negative = np.flatnonzero(frame[name] < 0)
        if len(negative):
            line, value = frame["row"].iloc[negative[0]], frame[name].iloc[negative[0]]
            raise InputError(f"{path}, line {line}: {name} is {value:g}; a ratio is never below 0: is it a beta?")
        with np.errstate(divide="ignore"):
            beta = beta.fillna(np.log(frame[name]))
    return frame.assign(beta=beta)


def _complete_z_and_p(frame: pd.DataFrame) -> None:
    """Fill z, neg_log10_p and se from one another, row by row, in place."""

    def column(name: str) -> NDArray[np.float64]:
        return frame[name].to_numpy(np.float64, copy=True) if name in frame else np.full(len(frame), np.nan)

    beta, se, p, given = column("beta"), column("se"), column("p"), column("neg_log10_p")
    with np.errstate(divide="ignore", invalid="ignore"):
        # below 0 stays out of range for whoever checks; what underflows becomes infinite, and is taken from z
        from_p = np.select([p < 0, p < np.finfo(float).tiny], [-1.0, np.inf], 0.0 - np.log10(p))
        neg_log10_p = np.where(np.isnan(given), from_p, given)
        z = np.where(se > 0, beta / se, np.nan)
        z = np.where(np.isnan(z), column("z"), z)
        signed = np.sign(beta) * z_of(np.where(np.isinf(neg_log10_p), np.nan, neg_log10_p))
        z = np.where(np.isnan(z), signed, z)
        se = np.where(np.isnan(se) & (z != 0), np.abs(beta / z), se)
    unknown = np.isnan(neg_log10_p) | np.isposinf(neg_log10_p)
    neg_log10_p[unknown] = neg_log10_p_of(z[unknown])
    frame["z"], frame["se"], frame["neg_log10_p"] = z, se, neg_log10_p


def _check_agreement(path: Path, frame: pd.DataFrame) -> None:
    """Effects and p-values of one file describe the same tests, up to rounding."""
    z, claimed = frame["z"].to_numpy(), frame["neg_log10_p"].to_numpy()
    usable = np.isfinite(z) & np.isfinite(claimed)
    if usable.sum() < _ENOUGH_ROWS:
        return
    pair = np.minimum([neg_log10_p_of(z[usable]), claimed[usable]], _SHOWN_LOG10_P)
    if pair.std(axis=1).min() > 1e-6 and np.corrcoef(pair)[0, 1] < _LEAST_AGREEMENT:
        raise InputError(
            f"{path}: p-values and effects contradict one another (correlation of -log10 p with that of "
            f"effect / standard error: {np.corrcoef(pair)[0, 1]:.2f}); is p_value a -log10 p, or standard_error "
            "that of a ratio?"
        )
