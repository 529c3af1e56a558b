"""Checks of a project that need to know more than its sheets, before any job starts."""

from fineprior.foundation.errors import InputError
from fineprior.foundation.project import Project
from fineprior.sumstats.formats import FORMAT_NAMES, NUMBERS, TEXTS


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
