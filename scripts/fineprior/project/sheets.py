"""Sheets of a project and their rows: studies.tsv, tracks.tsv and the sheet of annotations.

A row is a frozen dataclass, which says what each column means and may hold (`project.schemas.cell`).
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.reading import CODES, is_code, is_missing, text_of
from fineprior.project.model_settings import POOLING, TrackSettings
from fineprior.project.schemas import LONGEST_NAME, NAME, Rule, cell, rule_of, schema_of, validate

_NAME: dict[str, Any] = {"pattern": NAME, "max_length": LONGEST_NAME}
_SAME = {"hg19": "grch37", "b37": "grch37", "hg38": "grch38", "b38": "grch38"}


def plain_build(name: str) -> str:
    """The build in one spelling: hg19 is grch37 and hg38 grch38, patches (GRCh38.p14) do not count."""
    plain = name.strip().lower().split(".p")[0]
    return _SAME.get(plain, plain)


_NUMBERS = ("n", "cases", "controls", "panel_size")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class Study:
    """One row of studies.tsv (tab-separated). A column `note` is allowed and ignored.

    A study has summary statistics with a panel or LD files, or genotypes with a phenotype.
    """

    study: str = cell("Name of the study. It is the name of its folder in results/.", **_NAME)
    head: str = cell("Head of tracks.tsv whose scores make the functional prior.", **_NAME)
    sumstats: str = cell(
        "Summary statistics, plain or compressed. `<file>-meta.yaml` (GWAS-SSF) beside them is read where there is "
        "one.",
        "",
    )
    format: str = cell(
        "Format of the summary statistics, or a name under `columns` of config.yaml. When empty, it is recognised.",
        "",
        **_NAME,
    )
    build: str = cell(
        "Genome build of the summary statistics, where it differs from genome.build. It requires `chain`.", ""
    )
    chain: str = cell("UCSC chain file (plain or gzip) from `build` to genome.build.", "")
    n: float = cell(
        "Sample size of all variants, in place of what the file says. When empty, that of the file.", 0.0, above=0
    )
    cases: float = cell(
        "Number of cases, beside `controls`. Without `n`, the effective size 4 / (1 / cases + 1 / controls) replaces "
        "what the file says.",
        0.0,
        above=0,
    )
    controls: float = cell("Number of controls.", 0.0, above=0)
    genotypes: str = cell(
        "Genotypes of the study's samples, in place of summary statistics, in any form that `panel` can have. LD is "
        "that of these genotypes.",
        "",
    )
    phenotype: str = cell(
        "Phenotype of these samples with a header: FID and IID or IID, then one trait. NA or -9 (-9.0) is missing; "
        "1/2, 0/1 or control/case is a disease; other numbers are a quantitative trait.",
        "",
    )
    covariates: str = cell(
        "Covariates of these samples with a header: FID and IID or IID, then numbers. NA or -9 (-9.0) is missing, and "
        "samples with a missing one are excluded.",
        "",
    )
    panel: str = cell(
        "Reference panel that LD is computed from: the prefix of PLINK files (.bed, .bim, .fam or .pgen, .pvar, "
        ".psam), or a .vcf, .vcf.gz, .vcf.bgz or .bcf. `{chrom}` in it stands for one panel for each chromosome.",
        "",
    )
    samples: str = cell(
        "File with one sample on each line. Only these samples of the panel or the genotypes are used.", ""
    )
    ld: str = cell(
        "LD that is computed already, in place of a panel: a folder like that of PolyFun's UK Biobank LD "
        "(chr1_1_3000001.npz and .gz), or a table with the columns chrom, start, end, matrix, variants.",
        "",
    )
    in_sample: bool | None = cell(
        "true where the LD is that of the samples of the GWAS, false where it is that of others. When empty, "
        "finemap.ld decides; with genotypes it is true.",
        None,
    )
    panel_size: float = cell(
        "Number of samples that the LD is of. When empty, finemap.panel_size. `ld` requires it unless in_sample is "
        "true.",
        0.0,
        above=0,
    )
    loci: str = cell("BED file of loci. When empty, loci are found at loci.p_threshold.", "")
    truth: str = cell("Simulated causal variants, for simulated studies only. It adds a comparison with the truth.", "")

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


def _as_targets(name: str) -> str:
    return f"As targets.{name}, for this track."


@dataclass(frozen=True)
class Track:
    """One row of tracks.tsv (tab-separated). A column `note` is allowed and ignored."""

    head: str = cell("Name of the head that is trained on this track.", **_NAME)
    track: str = cell("Name of the track. Scores have it in their column names.", **_NAME)
    bigwig: str = cell(
        "bigWig file with the track's signal on the genome of the config, or peaks (.bed, .narrowPeak, .broadPeak, "
        "also .gz), which make a track of 0 and 1."
    )
    assay: str = cell("What was measured (DNASE, CAGE, CHIP, ...), for the reader.", "")
    biosample: str = cell("In which cells or tissue it was measured, for the reader.", "")
    strand_pair: str = cell(
        "Track of the same head with the signal of the other strand. The two are exchanged where a window is turned to "
        "the other strand.",
        "",
    )
    clip: str = cell(_as_targets("clip"), "")
    clip_soft: str = cell(_as_targets("clip_soft"), "")
    scale: str = cell(_as_targets("scale"), "")
    pooling: str = cell(_as_targets("pooling"), "", choices=tuple(POOLING))
    weight: str = cell("Weight of this track in the loss. The default is 1.", "", at_least=0)

    def targets(self, settings: TrackSettings, where: str) -> TrackSettings:
        """How this track's signal becomes targets: as `targets` of the config, but for the columns that are filled.

        Raises
        ------
        InputError
            A number that is none, or out of its range.
        """
        changes: dict[str, Any] = {"pooling": self.pooling} if self.pooling else {}
        for name in ("clip", "clip_soft", "scale"):
            if text := getattr(self, name):
                changes[name] = _in_range(text, rule_of(TrackSettings, name), f"{where}: {name}")
        return replace(settings, **changes)

    def loss_weight(self, where: str) -> float:
        """Weight of this track in the loss, 1 unless the sheet says another.

        Raises
        ------
        InputError
            It is no number of at least 0.
        """
        return _in_range(self.weight, rule_of(Track, "weight"), f"{where}: weight") if self.weight else 1.0


def _in_range(text: str, rule: Rule, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not rule.admits(value):
        raise InputError(f"{where} = '{text}' must be a number {rule.range_in_words}")
    return value


@dataclass(frozen=True)
class Annotation:
    """One row of the sheet `priors.annotations` (tab-separated). A column `note` is allowed and ignored."""

    name: str = cell(
        "Name of the annotation, in the tables and in `priors.controls`.",
        pattern="^[A-Za-z][A-Za-z0-9_]*$",
        max_length=LONGEST_NAME,
    )
    kind: str = cell(
        "Kind of the annotation.",
        choices={
            "bed": "1 within an interval and 0 elsewhere",
            "tss": "distance to the nearest start of transcription, from the transcripts of a GTF or the intervals of "
            "a BED",
            "bigwig": "signal at the variant",
            "value": "a number for each variant",
            "score": "the same, as a magnitude whose enrichment is not negative",
        },
    )
    path: str = cell("File. For value and score it is as `priors.given`.")
    column: str = cell(
        "Column of the value. The default is the only one that is no position or allele. For HDF5 it is numbers of "
        "targets.",
        "",
    )


def read_sheet(root: Path, path: str, row_type: type) -> list[dict[str, str]]:
    """Rows of a tab-separated sheet, each checked against the columns of `row_type`: the fields that are not empty.

    A cell that says that it has no value (`reading.is_missing`) is empty. Columns without a name and rows at the end
    are passed over where they are empty, as spreadsheets leave them.

    Raises
    ------
    InputError
        The file is absent or no table of this kind; a row does not fit its columns, or is empty between others; no row.
    """
    schema = schema_of(row_type, cells=True)
    fields = list(schema["properties"])
    if not (root / path).is_file():
        raise InputError(f"config: file '{path}' does not exist (looked in {root.resolve()})")
    with text_of(root / path, "a tab-separated sheet", "save it as plain tab-separated text") as lines:
        table = list(csv.reader(lines, delimiter="\t"))
    while table and not any(text.strip() for text in table[-1]):
        table.pop()
    header = [name.strip() for name in table[0]] if table else []
    if table and not any(header):
        raise InputError(f"{path}, line 1: empty; the names of the columns stand there")
    for number, column in enumerate(header):
        if column and column in header[:number]:
            raise InputError(f"{path}: column '{column}' is there twice")
    if len(header) == 1 and re.search("[,;]", header[0]):
        raise InputError(f"{path}: one column, '{header[0][:40]}'; the columns of a sheet are separated by tabs")
    named = max((number for number, name in enumerate(header, start=1) if name), default=0)
    rows = []
    for line, cells in enumerate(table[1:], start=2):
        where = f"{path}, line {line}"
        if any("\n" in text for text in cells):
            raise InputError(f"{where}: a quotation mark that is not closed in its line")
        if not any(text.strip() for text in cells):
            raise InputError(f"{where}: an empty row between others; delete it")
        if len(cells) < named or any(text.strip() for text in cells[len(header) :]):
            raise InputError(f"{where}: not as many fields as the header has (they are separated by tabs)")
        row = _cells(header, cells, where)
        validate(row, schema, where)
        rows.append({key: row[key] for key in fields if key in row})
    if not rows:
        raise InputError(f"{path}: no row below the header; the columns are {', '.join(fields)}")
    return rows


def _cells(header: list[str], cells: list[str], where: str) -> dict[str, str]:
    """What is not empty of a row, by its column."""
    row = {}
    for name, text in zip(header, cells, strict=False):
        value = text.strip()
        if not name and value:
            raise InputError(f"{where}: '{value[:40]}' stands in a column without a name")
        if name not in ("", "note") and not is_missing(value):
            row[name] = value
    return row


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
                f"{where}: panel_size is needed beside ld: the number of samples the LD is of (or in_sample = true)"
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
    rule, whole = rule_of(Study, name), name == "panel_size"
    if not rule.admits(number) or (whole and number != int(number)):
        kind = f"a whole number {rule.range_in_words}" if whole else f"a number {rule.range_in_words}"
        raise InputError(f'{where}: {name} = "{text}" must be {kind}')
    return number
