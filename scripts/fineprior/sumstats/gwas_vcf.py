"""GWAS-VCF: one trait's summary statistics in the FORMAT fields of a VCF or BCF (gwas2vcf; Lyon et al. 2021).

ES effect of ALT, SE its standard error, LP -log10 p, AF frequency of ALT, SS sample size, NC cases, EZ z, SI imputation
quality, ID the variant's name; https://github.com/MRCIEU/gwas-vcf-specification. A record with several ALT alleles is
one row for each.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pysam

from fineprior.files.errors import InputError
from fineprior.files.reading import CODES, is_bgzip, is_missing, reading
from fineprior.genotypes.samples import check_text
from fineprior.sumstats.text_tables import Piece
from fineprior.sumstats.values import effective_size, floats

_RECORDS_AT_ONCE = 100_000
_LONGEST_START = 18
"""Bytes that tell whether a file is of bgzip."""
_FIELDS = {
    "beta": "ES", "standard_error": "SE", "neg_log_10_p_value": "LP", "effect_allele_frequency": "AF", "n": "SS",
    "n_cases": "NC", "z_score": "EZ", "info": "SI",
}  # fmt: skip
_TEXTS = ("chromosome", "base_pair_location", "effect_allele", "other_allele", "rsid")


@dataclass(frozen=True)
class VcfTable:
    """A GWAS-VCF: which fields it has, as columns; the build and the sample size of its header."""

    path: Path
    columns: list[str]
    genome_assembly: str | None
    sample_size: float | None

    def pieces(self, _places: Mapping[str, int]) -> Iterator[Piece]:
        """All columns; rows are numbered by their record, from 1.

        Raises
        ------
        InputError
            The file is damaged.
        """
        fields = [key for key in _FIELDS if key in self.columns]
        with _opened(self.path) as file:
            first, rows = 1, _Rows(fields)
            for record in file:
                rows.add(record)
                if rows.size >= _RECORDS_AT_ONCE:
                    yield first, rows.columns()
                    first, rows = first + rows.size, _Rows(fields)
            if rows.size:
                yield first, rows.columns()


class _Rows:
    """Rows that were read, as columns."""

    def __init__(self, fields: list[str]) -> None:
        self.size = 0
        self._texts: dict[str, list[str | None]] = {key: [] for key in _TEXTS}
        self._numbers: dict[str, list[float | None]] = {key: [] for key in fields}

    def add(self, record: pysam.VariantRecord) -> None:
        """Add one record: a row for each ALT."""
        sample = record.samples[0]
        found = {key: _as_list(sample.get(_FIELDS[key])) for key in self._numbers}
        for i, alt in enumerate(record.alts or (None,)):
            own = (record.chrom, str(record.pos), alt, record.ref, record.id)
            for key, text in zip(_TEXTS, own, strict=True):
                self._texts[key].append(text)
            for key, numbers in found.items():
                self._numbers[key].append(numbers[i] if i < len(numbers) else None)
            self.size += 1

    def columns(self) -> dict[str, pa.Array]:
        """As arrays; controls are the sample size without the cases."""
        arrays = {key: pa.array(texts, pa.string()) for key, texts in self._texts.items()}
        arrays |= {key: pa.array(numbers, pa.float64()) for key, numbers in self._numbers.items()}
        if "n" in arrays and "n_cases" in arrays:
            arrays["n_controls"] = pa.compute.subtract(arrays["n"], arrays["n_cases"])
        return arrays


def _as_list(value: object) -> list[float | None]:
    return list(value) if isinstance(value, tuple) else [value]  # type: ignore[list-item]


def open_vcf(path: Path) -> VcfTable:
    """Open a GWAS-VCF and read its header.

    Raises
    ------
    InputError
        The file is damaged, packed by gzip instead of bgzip, a text as of `check_text`, holds no trait or several, or
        has genotypes in place of effects.
    """
    _check_form(path)
    with _opened(path) as file:
        header = file.header
        traits = list(header.samples)
        fields = [key for key, name in _FIELDS.items() if name in header.formats]
        if not {"beta", "z_score"} & set(fields):
            raise InputError(f"{path}: a VCF without effects; a GWAS-VCF has them as ES (or EZ) of each record")
        if len(traits) != 1:
            shown = ", ".join(traits[:5]) or "none"
            raise InputError(f"{path}: the VCF holds {len(traits)} traits ({shown}); give one (bcftools view -s TRAIT)")
        records = [(record.key, dict(record.items())) for record in header.records]
    sizes = [entry for key, entry in records if key == "SAMPLE"]
    assemblies = [entry["assembly"] for key, entry in records if key == "contig" and "assembly" in entry]
    columns = [*_TEXTS, *fields]
    return VcfTable(
        path, columns, assemblies[0].strip('"').split("/")[-1] if assemblies else None, _header_size(path, sizes)
    )


def _header_size(path: Path, entries: list[dict[str, str]]) -> float | None:
    """Effective size of TotalCases and TotalControls of ##SAMPLE; TotalControls alone are the samples of a study."""

    def number(name: str) -> float | None:
        text = entries[0].get(name, "").strip('"').strip() if entries else ""
        if is_missing(text, (0.0, *CODES)):  # there are 0 cases of a quantitative trait
            return None
        size = float(floats(pa.array([text]), 1, thousands=True)[0])
        if not 0 < size < np.inf:
            raise InputError(f"{path}: {name} of ##SAMPLE is '{text}'; allowed: a number above 0")
        return size

    cases, controls = number("TotalCases"), number("TotalControls")
    if cases and controls:
        return float(effective_size(cases, controls))
    return controls or None


def _check_form(path: Path) -> None:
    """Stop at a file that htslib would refuse without its reason: pysam seeks, which htslib can do in bgzip only."""
    check_text(path)
    with reading(path, "a VCF that can be read"), path.open("rb") as handle:
        start = handle.read(_LONGEST_START)
    if start.startswith(b"\x1f\x8b") and not is_bgzip(start):
        raise InputError(f"{path}: compressed by gzip, not bgzip; unpack it, or compress it by bgzip")


@contextmanager
def _opened(path: Path) -> Iterator[pysam.VariantFile]:
    before = pysam.set_verbosity(0)
    try:
        with reading(path, "a VCF that can be read"), pysam.VariantFile(str(path)) as file:
            yield file
    finally:
        pysam.set_verbosity(before)
