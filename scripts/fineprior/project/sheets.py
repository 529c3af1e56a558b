"""A row of studies.tsv: where a study's data are, and whether its columns fit to one another.

Names of genome builds.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.reading import CODES, is_code

_SAME = {"hg19": "grch37", "b37": "grch37", "hg38": "grch38", "b38": "grch38"}


def plain_build(name: str) -> str:
    """The build in one spelling: hg19 is grch37 and hg38 grch38, patches (GRCh38.p14) do not count."""
    plain = name.strip().lower().split(".p")[0]
    return _SAME.get(plain, plain)


_NUMBERS = ("n", "cases", "controls", "panel_size")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class Study:
    """One row of studies.tsv; paths are as the user wrote them, empty when absent, and numbers 0."""

    study: str
    head: str
    sumstats: str = ""
    format: str = ""
    build: str = ""
    chain: str = ""
    n: float = 0.0
    cases: float = 0.0
    controls: float = 0.0
    genotypes: str = ""
    phenotype: str = ""
    covariates: str = ""
    panel: str = ""
    samples: str = ""
    ld: str = ""
    in_sample: bool | None = None
    panel_size: float = 0.0
    loci: str = ""
    truth: str = ""

    @property
    def ld_panel(self) -> str:
        """Genotypes that LD is computed from: the study's own, or those of its panel; empty with LD files."""
        return self.genotypes or self.panel

    @property
    def sizes(self) -> dict[str, float]:
        """The sample sizes that the row gives, for a rule's params."""
        return {name: getattr(self, name) for name in ("n", "cases", "controls") if getattr(self, name)}

    def harmonise_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the rule harmonise_sumstats (as params) for this row.

        Association and LD in the same genotypes count the same allele: no frequency has to tell the strand.
        """
        own = dict(settings)
        if self.genotypes and own["palindromic"] == "frequency":
            own["palindromic"] = "keep"
        return own

    def finemap_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the rule finemap (as params) with what this row says of its LD."""
        own = dict(settings)
        if self.in_sample is not None:
            own["ld"] = "in_sample" if self.in_sample else "panel"
        elif self.genotypes and own["ld"] != "none":
            own["ld"] = "in_sample"
        if self.panel_size:
            own["panel_size"] = int(self.panel_size)
        return own


def study_of(row: Mapping[str, str], where: str) -> Study:
    """Make a Study of the filled fields of a row.

    Raises
    ------
    InputError
        A number or a flag is none, or a sample size is not above 0.
    """
    values: dict[str, Any] = dict(row)
    for name in _NUMBERS:
        if name in row:
            values[name] = _number(name, row[name], where)
    if "in_sample" in row:
        flag = _FLAGS.get(row["in_sample"].lower())
        if flag is None:
            raise InputError(f'{where}: in_sample = "{row["in_sample"]}" must be true or false')
        values["in_sample"] = flag
    return Study(**values)


def check_columns(study: Study, build: str, finemap: Mapping[str, Any], where: str) -> None:
    """Check that the columns of a row that are filled fit to one another.

    Parameters
    ----------
    study
        The row.
    build
        genome.build of the config.
    finemap
        Settings `finemap` of the config.
    where
        Sheet, line and study, for messages.

    Raises
    ------
    InputError
        The first pair of columns that does not fit.
    """

    def without(names: tuple[str, ...], reason: str) -> None:
        for name in names:
            if getattr(study, name):
                raise InputError(f"{where}: {name} must be empty {reason}")

    if bool(study.sumstats) == bool(study.genotypes):
        both = "both given" if study.sumstats else "both empty"
        raise InputError(f"{where}: sumstats and genotypes are {both}; a study has one of the two")
    if study.genotypes:
        if not study.phenotype:
            raise InputError(f"{where}: genotypes need a phenotype file")
        without(("panel", "ld"), "beside genotypes: their own LD is used")
        without(("format", "build", "chain", "n", "cases", "controls", "panel_size"), "beside genotypes")
        if study.in_sample is False:
            raise InputError(f"{where}: in_sample = false, but the LD of a study's own genotypes is in-sample")
        return
    without(("phenotype", "covariates"), "without genotypes")
    if bool(study.panel) == bool(study.ld):
        both = "both given" if study.panel else "both empty"
        raise InputError(f"{where}: panel and ld are {both}; a study with sumstats has one of the two")
    if study.ld:
        without(("samples",), "without a panel or genotypes")
        unknown = not study.panel_size and not finemap["panel_size"]
        if unknown and study.finemap_settings(finemap)["ld"] == "panel":
            raise InputError(
                f"{where}: panel_size is needed beside ld: the number of people that the LD is of (or in_sample = true)"
            )
    if bool(study.cases) != bool(study.controls):
        raise InputError(f"{where}: cases and controls belong together; one of them is empty")
    if study.n and study.cases and study.n != study.cases + study.controls:
        raise InputError(
            f"{where}: n = {study.n:g} is not cases + controls = {study.cases + study.controls:g}; leave n empty"
        )
    _check_build(study, build, where)


def _check_build(study: Study, build: str, where: str) -> None:
    other = bool(study.build) and plain_build(study.build) != plain_build(build)
    if other and not study.chain:
        raise InputError(
            f"{where}: build = {study.build}, but genome.build is {build}: a chain file from {study.build} to {build} "
            "is needed in the column chain"
        )
    if study.chain and not other:
        given = f"build = {study.build}" if study.build else "build is empty"
        raise InputError(
            f"{where}: there is a chain, but {given} and genome.build is {build}; name the build that the sumstats "
            "are in, or leave chain empty"
        )


def _number(name: str, text: str, where: str) -> float:
    """A number of the sheet; 0 for a code that stands for a missing one."""
    if is_code(text, CODES):
        return 0.0
    plain = text.replace(",", "") if re.fullmatch("[0-9]{1,3}(,[0-9]{3})+", text) else text
    try:
        number = float(plain) if "_" not in plain else math.nan
    except ValueError:
        number = math.nan
    whole = name == "panel_size"
    if not 0 < number < math.inf or (whole and number != int(number)):
        kind = "a whole number above 0" if whole else "a number above 0"
        raise InputError(f'{where}: {name} = "{text}" must be {kind}')
    return number
