"""What is known of summary statistics beside their rows: the meta file of GWAS-SSF, and sizes given by the user."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.integrity import check
from fineprior.files.reading import is_missing
from fineprior.files.yaml_files import read_yaml
from fineprior.sumstats.values import effective_size

_WORDS = ("coordinate_system", "genome_assembly")
_COUNTS = ("case_count", "control_count", "sample_size")
_LARGEST = 1e12
"""No study has so many samples."""


@dataclass(frozen=True)
class Metadata:
    """What is used of a `-meta.yaml`: None where it says nothing."""

    genome_assembly: str | None = None
    zero_based: bool = False
    sample_size: float | None = None


@dataclass(frozen=True)
class SampleSizes:
    """Sizes that the user gave for a study; they go before those of the file."""

    n: float | None = None
    cases: float | None = None
    controls: float | None = None

    def effective(self) -> float | None:
        """n, or the effective size of cases and controls; None where neither was given.

        Raises
        ------
        InputError
            A size is not above 0, or there are cases without controls.
        """
        for name, size in (("n", self.n), ("cases", self.cases), ("controls", self.controls)):
            if size is not None and not size > 0:
                raise InputError(f"sample size: {name} is {size:g}; allowed: a number above 0")
        if (self.cases is None) != (self.controls is None):
            raise InputError("sample size: cases and controls must be given together")
        if self.n is not None or self.cases is None or self.controls is None:
            return self.n
        return float(effective_size(self.cases, self.controls))


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
    check(file)
    entries = read_yaml(file, used=(*_WORDS, *_COUNTS, "case_control_study"))
    for key in _WORDS:
        if isinstance(entries.get(key), list | dict | bool):
            raise InputError(f"{file}: {key} must be one word, not several and not true or false")
    system = str(entries.get("coordinate_system") or "1-based").lower()
    if system not in {"0-based", "1-based"}:
        raise InputError(f"{file}: coordinate_system '{system}' is not known; allowed: 0-based, 1-based")
    assembly = entries.get("genome_assembly")
    return Metadata(str(assembly) if assembly else None, system == "0-based", _sample_size(file, entries))


def _sample_size(file: Path, entries: dict[str, Any]) -> float | None:
    """Effective size of case_count and control_count, else sample_size, of the study or summed over its samples.

    Counts of a study that says that it has no cases (`case_control_study: false`) are samples in all.
    """

    def number(entry: dict[str, Any], key: str) -> float | None:
        value = entry.get(key)
        if is_missing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LARGEST:
            shown = "a list" if isinstance(value, list | dict) else repr(value)[:40]
            raise InputError(f"{file}: {key} is {shown}; allowed: a number above 0")
        return float(value)

    def size(entry: dict[str, Any]) -> float | None:
        cases, controls, whole = (number(entry, key) for key in _COUNTS)
        if cases is None or controls is None:
            return whole
        if entries.get("case_control_study") is False:
            return cases + controls if whole is None else whole
        return float(effective_size(cases, controls))

    own = size(entries)
    samples = entries.get("samples")
    if own is not None or not isinstance(samples, list):
        return own
    sizes = [size(sample) for sample in samples if isinstance(sample, dict)]
    return None if not sizes or None in sizes else sum(part or 0 for part in sizes)
