"""Checks of a project before any job starts, and how a user's mistake stops the workflow."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fineprior.files.errors import InputError
from fineprior.genome.bed import placed_intervals
from fineprior.genome.contigs import Contigs
from fineprior.genome.fasta_index import known_lengths
from fineprior.project.project import Project, is_generated
from fineprior.sumstats.formats import FORMAT_NAMES, NUMBERS, TEXTS

T = TypeVar("T")


def or_stop(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """The value of a function; a user's mistake ends the program with its one line."""
    try:
        return function(*arguments, **named)
    except InputError as error:
        sys.exit(f"error: {error}")


class OrStop:
    """An object whose attributes and methods stop the program at a user's mistake, as `or_stop` does.

    Its methods serve as input and params functions of rules: Snakemake passes the arguments that their signatures name.
    It would report an exception in such a function with a traceback.
    """

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        """An attribute of the object; methods are wrapped, and so are functions that they return."""
        return _stopping(or_stop(getattr, self._whole, name))


def _stopping(value: Any) -> Any:
    if not callable(value):
        return value

    @functools.wraps(value)
    def function(*arguments: Any, **named: Any) -> Any:
        return _stopping(or_stop(value, *arguments, **named))

    return function


def check_formats(project: Project) -> None:
    """Check the names of formats in studies.tsv, and the formats of the user's own in the config.

    Raises
    ------
    InputError
        A format is neither known nor in `columns`, or `columns` has a name that is taken or a column that is not one
        of GWAS-SSF.
    """
    own = project.settings.columns
    for name, columns in own.items():
        if name in FORMAT_NAMES:
            raise InputError(f"config: columns.{name}: a known format has this name; take another")
        unknown = [column for column in columns if column not in (*NUMBERS, *TEXTS)]
        if unknown:
            allowed = ", ".join((*NUMBERS, *TEXTS))
            raise InputError(f"config: columns.{name}: unknown key '{unknown[0]}'; allowed: {allowed}")
    for study in project.studies.values():
        if study.format and study.format not in (*FORMAT_NAMES, *own):
            allowed = ", ".join((*FORMAT_NAMES, *own))
            raise InputError(
                f"{project.settings.studies} (study '{study.study}'): format '{study.format}' is not known; allowed: "
                f"{allowed}, or a name under `columns` of the config"
            )


def check_intervals(project: Project, root: str | Path = ".") -> None:
    """Check the BED files of loci, of LD blocks and of excluded regions against the genome, where it has an index.

    Without one, or with one that is older than the FASTA file, the rules that read them say the same.

    Raises
    ------
    InputError
        A file is not one of BED, or an interval is not within a contig of the genome.
    """
    settings = project.settings
    fasta = Path(root) / settings.genome.fasta
    lengths = known_lengths(fasta)
    if lengths is None:
        return
    contigs = Contigs(fasta, lengths)
    own = [study.loci for study in project.studies.values()]
    for path in dict.fromkeys([*own, settings.loci.blocks, settings.loci.exclude_bed]):
        if path and not is_generated(path):
            placed_intervals(Path(root) / path, contigs.find, lengths, fasta)
