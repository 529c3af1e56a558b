"""The user's project: config.yaml, its sheets and the files that they name, checked before any job starts."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fineprior.files.errors import InputError
from fineprior.files.yaml_files import check_values
from fineprior.project.panel_files import CHROM, check_name, chromosomes_of, fitting_files, ld_files, panel_files
from fineprior.project.schemas import schema_of, validate
from fineprior.project.settings import (
    FEWEST_FOLDS,
    TUNING_MODES,
    PriorSettings,
    Settings,
    as_params,
    from_dict,
)
from fineprior.project.sheets import Annotation, Study, Track, check_columns, read_sheet, study_of

GENERATED = "resources/embedded/"
HUB_BACKBONES, FETCHED = "resources/backbones", "fetched.json"
"""Where backbones of the hub are fetched to, and the record of a finished download in a backbone's folder."""
RESERVED = ("heads", "regions", "pretrain", "store", "labels", "provenance")
"""Folders of results/ that are not studies."""
RESERVED_NAMES = (
    *("uniform", "functional", "shuffled", "prior", "score", "given", "probability", "training_rate", "heritability"),
    *("scores", "loci", "ld", "sequences", "embeddings", "finemap", "annotations", "calibrate"),
)
"""Names that no annotation may have: of other priors, columns and folders of a study."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])([.].*)?", re.IGNORECASE)
"""Names that no file can have where results are looked at on Windows."""
_FILE_COLUMNS = ("sumstats", "chain", "phenotype", "covariates", "samples", "loci", "truth")
_PATH_OPTIONS = ("-d", "--directory", "-s", "--snakefile", "--configfile", "--configfiles", "--report", "--profile")


@dataclass(frozen=True)
class Project:
    """Settings and sheets, cross-checked."""

    settings: Settings
    studies: dict[str, Study]
    tracks: list[Track]
    annotations: list[Annotation] = field(default_factory=list)

    def study(self, name: str) -> Study:
        """Return the row of studies.tsv with this name.

        Raises
        ------
        InputError
            There is none.
        """
        if name not in self.studies:
            known = ", ".join(self.studies)
            raise InputError(f"study '{name}' is not in {self.settings.studies}; it has: {known}")
        return self.studies[name]

    @property
    def heads(self) -> list[str]:
        """Names of the heads of tracks.tsv, in its order."""
        return list(dict.fromkeys(track.head for track in self.tracks))

    def check_targets(self, targets: Sequence[str]) -> None:
        """Check that files among the targets belong to a study of the sheet; other words are skipped.

        Raises
        ------
        InputError
            A target is in the folder of an unknown study.
        """
        for word, before in zip(targets, ["", *targets], strict=False):
            parts = word.split("/")
            if before in _PATH_OPTIONS or len(parts) < 3 or parts[0] != "results" or parts[1] in RESERVED:
                continue
            self.study(parts[1])

    def head_tracks(self, head: str) -> list[Track]:
        """Return the rows of tracks.tsv that belong to a head.

        Raises
        ------
        InputError
            There are none.
        """
        rows = [track for track in self.tracks if track.head == head]
        if not rows:
            raise InputError(f"head '{head}' has no row in {self.settings.tracks}")
        return rows


def load_project(config: dict[str, Any], root: str | Path = ".") -> Project:
    """Check a config and the sheets and files that it names.

    Parameters
    ----------
    config
        Content of config.yaml.
    root
        Folder that relative paths start from: the working directory of the workflow.

    Raises
    ------
    InputError
        The first thing that is wrong: file, row or key, value, and what is allowed. Files below resources/embedded/
        may be absent: the workflow makes them.
    """
    root = Path(root)
    settings = _settings_of(config)
    studies = [
        study_of(row, f"{settings.studies}, line {line}")
        for line, row in enumerate(read_sheet(root, settings.studies, Study), start=2)
    ]
    tracks = [Track(**row) for row in read_sheet(root, settings.tracks, Track)]
    _check_sheets(settings, studies, tracks)
    project = Project(settings, {row.study: row for row in studies}, tracks)
    for line, row in enumerate(studies, start=2):
        _check_study(root, row, project, f"{settings.studies}, line {line} (study '{row.study}')")
    for line, track in enumerate(tracks, start=2):
        _check_track(root, track, project, f"{settings.tracks}, line {line} (track '{track.track}')")
    _check_files(root, settings)
    _check_backbone(root, settings)
    _check_training(settings)
    annotations = _annotations(root, settings.priors, bool(settings.labels.variants))
    _check_heritability(root, settings.priors, studies)
    if settings.loci.max_width < 2 * settings.loci.flank:
        raise InputError(
            f"config: loci.max_width = {settings.loci.max_width} is less than a window of loci.flank = "
            f"{settings.loci.flank} to both sides of a variant"
        )
    return replace(project, annotations=annotations)


def _check_sheets(settings: Settings, studies: list[Study], tracks: list[Track]) -> None:
    """Names of studies, heads and tracks, which become names of files and columns."""
    _check_names([row.study for row in studies], settings.studies, "study")
    for row in studies:
        if row.study.casefold() in RESERVED:
            raise InputError(f"{settings.studies}: study '{row.study}' has the name of a folder that results/ needs")
    _check_names([row.head for row in tracks], settings.tracks, "head", repeated=True)
    _check_names([row.track for row in tracks], settings.tracks, "track", repeated=True)
    _check_names([f"{row.head}/{row.track}" for row in tracks], settings.tracks, "head/track")


def _check_study(root: Path, row: Study, project: Project, where: str) -> None:
    """Head, columns and files of a row of studies.tsv."""
    settings = project.settings
    if row.head not in project.heads:
        known = ", ".join(project.heads)
        raise InputError(f"{where}: head '{row.head}' has no track in {settings.tracks}; it has: {known}")
    check_columns(row, settings.genome.build, as_params(settings.finemap), where)
    for column in _FILE_COLUMNS:
        _exists(root, getattr(row, column), f"{where}: {column}")
    for column in ("panel", "genotypes", "ld"):
        check_name(getattr(row, column), f"{where}: {column}", chrom=column != "ld")
    _check_ld_files(root, row, where)


def _check_files(root: Path, settings: Settings) -> None:
    """Names in the config that become parts of paths, and files that it names."""
    for key, name in (("store", settings.store), ("genome.build", settings.genome.build)):
        check_name(name, f"config: {key}")
    for key, path in (
        ("genome.fasta", settings.genome.fasta),
        ("genome.genes", settings.genome.genes),
        ("regions", settings.regions),
        ("backbone.training_regions", settings.backbone.training_regions),
        ("labels.variants", settings.labels.variants),
        ("targets.blacklist", settings.targets.blacklist),
        ("targets.unmappable", settings.targets.unmappable),
        ("loci.exclude_bed", settings.loci.exclude_bed),
        ("loci.blocks", settings.loci.blocks),
    ):
        _exists(root, path, f"config: {key}")


def _check_training(settings: Settings) -> None:
    """Settings of the training and evaluation of heads that do not fit together."""
    if 0 < settings.evaluation.folds < FEWEST_FOLDS:
        raise InputError(
            f"config: evaluation.folds = {settings.evaluation.folds}; at least {FEWEST_FOLDS} (one each for the outer "
            "and the inner test, for stopping, and to train on), or 0 for none"
        )
    from_labels = settings.priors.source == "supervised" and not settings.priors.supervised
    if from_labels and settings.head.mode in TUNING_MODES:
        raise InputError(
            f"config: head.mode = '{settings.head.mode}' embeds variants with its own backbone, but labelled "
            "variants (labels.variants) are embedded with the frozen one; with them it must be linear or mlp"
        )


def settings_alone(config: dict[str, Any]) -> Settings:
    """Settings of a config of which no key is required, without a look at its sheets and files.

    Raises
    ------
    InputError
        An unknown key, or a value that is not allowed.
    """
    return _settings_of(config, complete=False)


def _settings_of(config: dict[str, Any], complete: bool = True) -> Settings:
    check_values(config)
    validate(config, schema_of(Settings), "config", complete=complete)
    settings: Settings = from_dict(Settings, config)
    return settings


def files_of_panel(panel: str) -> list[str]:
    """Files on disk of a panel (or of a study's genotypes); those that the workflow makes need not be there.

    Raises
    ------
    InputError
        There is none, or a part of it is absent.
    """
    if is_generated(panel):
        return [f"{panel}{suffix}" for suffix in (".bed", ".bim", ".fam")]
    return panel_files(panel)


def _check_ld_files(root: Path, study: Study, where: str) -> None:
    """Whether the files are there that LD is computed from or read from."""
    try:
        if study.ld:
            ld_files(str(root / study.ld))
        elif not is_generated(study.ld_panel):
            panel_files(str(root / study.ld_panel))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _check_backbone(root: Path, settings: Settings) -> None:
    """Whether the backbone is there, or is a hub's, and its bins fit the windows'."""
    backbone, centre_bins = settings.backbone, settings.windows.centre_bins
    check_name(backbone.weights, "config: backbone.weights")
    if not os.path.isfile(root / backbone.weights / "config.json"):
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", backbone.weights) or os.path.isdir(
            (root / backbone.weights).parent
        ):
            raise InputError(
                f"config: backbone.weights = '{backbone.weights}' has no config.json (looked in {root.resolve()}); "
                "allowed: a folder in the hub's format, or a hub name (owner/model)"
            )
        if not re.fullmatch(r"[\w.-]+", backbone.revision):
            raise InputError(
                f"config: backbone.revision = '{backbone.revision}'; with the hub's {backbone.weights} it must name "
                "the commit of the weights, or a later upload would change results unseen"
            )
    if centre_bins > backbone.target_bins or (backbone.target_bins - centre_bins) % 2:
        raise InputError(
            f"config: windows.centre_bins = {centre_bins} must be at most backbone.target_bins = "
            f"{backbone.target_bins}, and both odd or both even"
        )
    central_bins = settings.scores.central_bins
    if central_bins > centre_bins or (centre_bins - central_bins) % 2:
        raise InputError(
            f"config: scores.central_bins = {central_bins} must be at most windows.centre_bins = {centre_bins}, and "
            "both odd or both even"
        )


def hub_folder(name: str, revision: str) -> str:
    """Folder that a backbone of the hub (owner/model) is fetched into, at one commit."""
    return f"{HUB_BACKBONES}/{name.replace('/', '--')}@{revision}"


def _annotations(root: Path, settings: PriorSettings, labels: bool) -> list[Annotation]:
    """The rows of `priors.annotations`, and whether the files of the source of the prior are there."""
    sheet = settings.annotations
    rows = read_sheet(root, sheet, Annotation) if sheet else []
    annotations = [Annotation(**row) for row in rows]
    _check_names([row.name for row in annotations], sheet, "name")
    for line, row in enumerate(annotations, start=2):
        where = f"{sheet}, line {line} (annotation '{row.name}')"
        if row.name.casefold() in RESERVED_NAMES:
            raise InputError(f"{where}: the name is taken; not allowed: {', '.join(RESERVED_NAMES)}")
        _exists(root, row.path, where, several=True)
    known = [row.name for row in annotations]
    for name in settings.controls:
        if name not in known:
            allowed = ", ".join(known) or "none, for priors.annotations names no sheet"
            raise InputError(f"config: priors.controls: '{name}' is no annotation; there are: {allowed}")
    if settings.source in ("given", "supervised"):
        path = getattr(settings, settings.source)
        if not path and not (settings.source == "supervised" and labels):
            or_labels = " (or labelled variants: labels.variants)" if settings.source == "supervised" else ""
            raise InputError(
                f"config: priors.{settings.source} is missing; the source {settings.source} needs a file{or_labels}"
            )
        _exists(root, path, f"config: priors.{settings.source}", several=True)
    return annotations


def _check_heritability(root: Path, settings: PriorSettings, studies: list[Study]) -> None:
    """Whether the files of the source heritability are there, or a panel to compute LD scores from."""
    if settings.source != "heritability":
        return
    if not settings.heritability_annotations:
        raise InputError("config: priors.heritability_annotations is missing; the source heritability needs files")
    for key in ("heritability_annotations", "heritability_ld_scores", "heritability_weights"):
        pattern = getattr(settings, key)
        check_name(pattern, f"config: priors.{key}", chrom=True)
        if pattern and CHROM not in pattern:
            raise InputError(f"config: priors.{key} = '{pattern}' must have {CHROM} for the name of the chromosome")
        if pattern and not chromosomes_of(str(root / pattern), suffixes=("",)):
            raise InputError(f"config: priors.{key}: no file fits '{pattern}' (looked in {root.resolve()})")
    for row in studies:
        if not settings.heritability_ld_scores and not row.ld_panel:
            raise InputError(
                f"{row.study}: the study has LD files and no panel, so config: priors.heritability_ld_scores must name "
                "LD scores"
            )


def is_generated(path: str) -> bool:
    """Whether the workflow itself makes this file (the embedded study)."""
    return path.startswith(GENERATED)


def _exists(root: Path, path: str, where: str, several: bool = False) -> None:
    """Stop where a file does not exist; where `several` are allowed, `*` may stand for any of them."""
    check_name(path, where)
    if not path or is_generated(path):
        return
    if not (fitting_files(str(root / path)) if several else os.path.isfile(root / path)):
        hint = "; ~ and $ are not expanded" if re.search(r"^~|[$]", path) else ""
        hint += "; `*` stands for itself here" if "*" in path and not several else ""
        raise InputError(f"{where}: file '{path}' does not exist (looked in {root.resolve()}{hint})")


def _check_track(root: Path, track: Track, project: Project, where: str) -> None:
    _exists(root, track.bigwig, where)
    track.targets(project.settings.targets, where)
    track.loss_weight(where)
    pairs = {row.track: row.strand_pair for row in project.head_tracks(track.head)}
    if track.strand_pair and track.strand_pair not in pairs:
        raise InputError(f"{where}: strand_pair '{track.strand_pair}' is no track of head '{track.head}'")
    if track.strand_pair and track.strand_pair != track.track and pairs[track.strand_pair] != track.track:
        raise InputError(
            f"{where}: strand_pair '{track.strand_pair}' has strand_pair '{pairs[track.strand_pair]}' itself; it must "
            f"be '{track.track}', for the two change places"
        )


def _check_names(names: list[str], sheet: str, column: str, repeated: bool = False) -> None:
    """Whether names of a column can all be names of files beside one another; `repeated` ones may stand twice."""
    first: dict[str, tuple[str, int]] = {}
    for line, name in enumerate(names, start=2):
        if _DEVICES.fullmatch(name):
            raise InputError(f"{sheet}, line {line}: {column} '{name}' is a name that Windows keeps for a device")
        before, its_line = first.setdefault(name.casefold(), (name, line))
        if name != before:
            raise InputError(
                f"{sheet}, line {line}: {column} '{name}' and '{before}' of line {its_line} differ in case only; many "
                "file systems take them for one"
            )
        if line != its_line and not repeated:
            raise InputError(f"{sheet}, line {line}: {column} '{name}' occurs twice")
