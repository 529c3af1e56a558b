"""Config and sheets against the JSON schemas of workflow/schemas, with messages for people."""

import csv
import functools
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from fineprior.foundation.errors import InputError

_IN_REPOSITORY = Path(__file__).resolve().parents[3] / "workflow" / "schemas"
SCHEMAS = _IN_REPOSITORY if _IN_REPOSITORY.is_dir() else Path(sys.prefix) / "share" / "fineprior" / "schemas"
"""Of the repository, or where `pip install .` puts them."""
_MOST_VALUES = 10_000
_KINDS = {
    "object": "a block of keys and values", "array": "a list", "string": "text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false",
}  # fmt: skip


def read_sheet(root: Path, path: str, schema: str, row_type: type) -> list[dict[str, str]]:
    """Rows of a tab-separated sheet, each checked against a schema: what is not empty of the fields of `row_type`.

    Raises
    ------
    InputError
        The file is absent or no table of this kind; a row does not fit the schema; no row.
    """
    fields = list(row_type.__dataclass_fields__)  # type: ignore[attr-defined]
    if not (root / path).is_file():
        raise InputError(f"config: file '{path}' does not exist (looked in {root.resolve()})")
    rows = []
    try:
        text = (root / path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as plain tab-separated text") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t")
    header = list(reader.fieldnames or [])
    for number, column in enumerate(header):
        if column in header[:number]:
            raise InputError(f"{path}: column '{column}' is there twice")
    if len(header) == 1 and re.search("[,;]", header[0]):
        raise InputError(f"{path}: one column, '{header[0][:40]}'; the columns of a sheet are separated by tabs")
    for line, row in enumerate(reader, start=2):
        where = f"{path}, line {line}"
        if any("\n" in value for value in row.values() if value):
            raise InputError(f"{where}: a quotation mark that is not closed in its line")
        if None in row or None in row.values():
            raise InputError(f"{where}: not as many fields as the header has (they are separated by tabs)")
        kept = {key: value.strip() for key, value in row.items() if key != "note" and value.strip()}
        validate(kept, schema, where)
        rows.append({key: kept[key] for key in fields if key in kept})
    if not rows:
        raise InputError(f"{path}: no row below the header; the columns are {', '.join(fields)}")
    return rows


def check_extent(config: Any) -> None:
    """Stop at a config that anchors of YAML make endless: it could be neither checked nor shown."""
    waiting, seen = [config], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES:
            raise InputError(
                f"config: more than {_MOST_VALUES:,} values; do anchors (&) and aliases (*) repeat one another?"
            )
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value


def validate(values: dict[str, Any], schema: str, where: str, complete: bool = True) -> None:
    """Check values against a JSON schema of workflow/schemas; not `complete`: keys may be missing.

    Raises
    ------
    InputError
        The first violation, by key: what it is and what is allowed.
    """
    import jsonschema

    found = jsonschema.Draft202012Validator(_rules(SCHEMAS / schema)).iter_errors(values)
    errors = sorted((e for e in found if complete or e.validator != "required"), key=lambda error: list(error.path))
    if errors:
        raise InputError(_sentence(errors[0], where))


@functools.cache
def _rules(path: Path) -> Any:
    """A schema, read once: reading one takes a hundred times as long as checking a row against it."""
    import yaml

    return yaml.safe_load(path.read_text())


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
        "type": f"must be {_KINDS.get(str(error.validator_value), error.validator_value)}",
        "enum": f"must be one of {error.validator_value}",
        "minimum": f"must be at least {error.validator_value}",
        "maximum": f"must be at most {error.validator_value}",
        "exclusiveMinimum": f"must be above {error.validator_value}",
        "exclusiveMaximum": f"must be below {error.validator_value}",
        "uniqueItems": "names something twice",
        "pattern": f"must match {error.validator_value} (letters, digits, '.', '_' and '-')",
    }.get(error.validator, error.message)
    hint = ""
    if error.validator == "type" and error.validator_value == "number" and isinstance(error.instance, str):
        hint = " (YAML reads 5e-8 as text: write 5.0e-8)"
    return f"{place} = {value} {allowed_text}{hint}"
