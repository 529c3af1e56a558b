"""The user's project: config.yaml and its two sheets, checked before any job starts."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineprior.foundation.errors import InputError
from fineprior.foundation.settings import Settings, from_dict

SCHEMAS = Path(__file__).resolve().parents[3] / "workflow" / "schemas"
GENERATED = "resources/embedded/"


@dataclass(frozen=True)
class Study:
    """One row of studies.tsv; paths are as the user wrote them, empty when absent."""

    study: str
    sumstats: str
    panel: str
    head: str
    loci: str = ""
    truth: str = ""


@dataclass(frozen=True)
class Track:
    """One row of tracks.tsv."""

    head: str
    track: str
    bigwig: str


@dataclass(frozen=True)
class Project:
    """Settings and sheets, cross-checked."""

    settings: Settings
    studies: dict[str, Study]
    tracks: list[Track]

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
        """Check that files asked for by name belong to a study of the sheet; other words are passed over.

        Raises
        ------
        InputError
            A target is in the folder of a study that there is not.
        """
        for target in targets:
            parts = target.split("/")
            if len(parts) > 2 and parts[0] == "results" and parts[1] not in {"heads", "regions", "pretrain"}:
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
    _validate(config, "config.schema.yaml", "config")
    settings: Settings = from_dict(Settings, config)
    studies = [Study(**row) for row in _read_sheet(root, settings.studies, "studies.schema.yaml", Study)]
    tracks = [Track(**row) for row in _read_sheet(root, settings.tracks, "tracks.schema.yaml", Track)]
    _unique([row.study for row in studies], settings.studies, "study")
    _unique([f"{row.head}/{row.track}" for row in tracks], settings.tracks, "head/track")
    project = Project(settings, {row.study: row for row in studies}, tracks)
    for line, row in enumerate(studies, start=2):
        where = f"{settings.studies}, line {line} (study '{row.study}')"
        if row.head not in project.heads:
            known = ", ".join(project.heads)
            raise InputError(f"{where}: head '{row.head}' has no track in {settings.tracks}; it has: {known}")
        for path in (row.sumstats, f"{row.panel}.bed", f"{row.panel}.bim", f"{row.panel}.fam", row.loci, row.truth):
            _exists(root, path, where)
    for line, track in enumerate(tracks, start=2):
        _exists(root, track.bigwig, f"{settings.tracks}, line {line} (track '{track.track}')")
    _exists(root, settings.genome.fasta, "config: genome.fasta")
    _exists(root, settings.regions, "config: regions")
    if settings.windows.centre_bins > settings.backbone.target_bins:
        raise InputError(
            f"config: windows.centre_bins = {settings.windows.centre_bins} must be at most backbone.target_bins = "
            f"{settings.backbone.target_bins}"
        )
    return project


def is_generated(path: str) -> bool:
    """Whether the workflow itself makes this file (the embedded study)."""
    return path.startswith(GENERATED)


def _exists(root: Path, path: str, where: str) -> None:
    if path and not is_generated(path) and not (root / path).is_file():
        raise InputError(f"{where}: file '{path}' does not exist (looked in {root.resolve()})")


def _unique(names: list[str], sheet: str, column: str) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InputError(f"{sheet}, line {position + 2}: {column} '{name}' stands twice")


def _read_sheet(root: Path, path: str, schema: str, row_type: type) -> list[dict[str, str]]:
    fields = list(row_type.__dataclass_fields__)  # type: ignore[attr-defined]
    if not (root / path).is_file():
        raise InputError(f"config: file '{path}' does not exist (looked in {root.resolve()})")
    rows = []
    with (root / path).open(newline="", encoding="utf-8-sig") as handle:
        for line, row in enumerate(csv.DictReader(handle, delimiter="\t"), start=2):
            where = f"{path}, line {line}"
            if None in row or None in row.values():
                raise InputError(f"{where}: not as many fields as the header has (they are separated by tabs)")
            kept = {key: value.strip() for key, value in row.items() if key != "note" and value.strip()}
            _validate(kept, schema, where)
            rows.append({key: kept[key] for key in fields if key in kept})
    if not rows:
        raise InputError(f"{path}: no row below the header; the columns are {', '.join(fields)}")
    return rows


def _validate(values: dict[str, Any], schema: str, where: str) -> None:
    import jsonschema
    import yaml

    rules = yaml.safe_load((SCHEMAS / schema).read_text())
    errors = sorted(jsonschema.Draft202012Validator(rules).iter_errors(values), key=lambda error: list(error.path))
    if errors:
        raise InputError(_sentence(errors[0], where))


def _sentence(error: Any, where: str) -> str:
    """One line for a schema violation, naming key, value and what is allowed."""
    key = ".".join(str(part) for part in error.absolute_path)
    place = f"{where}: {key}" if key else where
    if error.validator == "additionalProperties":
        allowed = list(error.schema["properties"])
        unknown = sorted(set(error.instance) - set(allowed))
        return f"{place}: unknown key '{unknown[0]}'; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{place}: '{missing[0]}' is missing"
    value = json.dumps(error.instance)
    allowed_text = {
        "type": f"must be a {error.validator_value}",
        "enum": f"must be one of {error.validator_value}",
        "minimum": f"must be at least {error.validator_value}",
        "maximum": f"must be at most {error.validator_value}",
        "exclusiveMinimum": f"must be above {error.validator_value}",
        "exclusiveMaximum": f"must be below {error.validator_value}",
        "pattern": f"must match {error.validator_value} (letters, digits, '.', '_' and '-')",
    }.get(error.validator, error.message)
    hint = ""
    if error.validator == "type" and isinstance(error.instance, str):
        hint = " (YAML reads 5e-8 as text: write 5.0e-8)"
    return f"{place} = {value} {allowed_text}{hint}"
